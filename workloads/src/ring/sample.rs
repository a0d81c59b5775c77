//! Random polynomials.

use rand::RngCore;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::Modulus;
use crate::Error;

/// Seed of a whole run, from which each call draws its own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// From the operating system.
    ///
    /// # Errors
    /// [`Error::Randomness`] if it gives none.
    pub fn from_system() -> Result<Self, Error> {
        let mut seed = [0; 32];
        let filled = rand::TryRngCore::try_fill_bytes(&mut rand::rngs::OsRng, &mut seed);
        filled.map_err(|error| Error::Randomness { reason: error.to_string() })?;
        Ok(Self(seed))
    }

    /// A fixed seed, for runs that must repeat. Not secret.
    pub fn fixed(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(bytes)
    }

    /// Stream number `stream` of this seed.
    pub(super) fn stream(self, stream: u64) -> ChaCha20Rng {
        let mut generator = ChaCha20Rng::from_seed(self.0);
        generator.set_stream(stream);
        generator
    }
}

/// Uniform residues, by rejection of words of as many bits as the prime has.
pub(super) fn uniform(generator: &mut ChaCha20Rng, modulus: &Modulus, to: &mut [u64]) {
    let mask = u64::MAX >> (64 - modulus.bits);
    for word in to {
        *word = std::iter::repeat_with(|| generator.next_u64() & mask)
            .find(|&candidate| candidate < modulus.value)
            .unwrap_or_default();
    }
}

/// Signed words of the centred binomial of 2·21 bits: standard deviation √10.5 = 3.24, as SEAL draws its errors.
pub(super) fn error(generator: &mut ChaCha20Rng, to: &mut [u64]) {
    const BITS: u64 = (1 << 21) - 1;
    for word in to {
        let random = generator.next_u64();
        let (plus, minus) = (random & BITS, random >> 32 & BITS);
        *word = (i64::from(plus.count_ones()) - i64::from(minus.count_ones())) as u64;
    }
}

/// Signed words of a secret: uniform ternary, or with exactly `weight` entries ±1 if that is not 0.
pub(super) fn secret(generator: &mut ChaCha20Rng, weight: u32, to: &mut [u64]) {
    if weight == 0 {
        let ternary = |random: u64| ((u128::from(random) * 3) >> 64) as i64 - 1;
        to.iter_mut().for_each(|word| *word = ternary(generator.next_u64()) as u64);
        return;
    }
    // Selection sampling: each position is taken with the chance that keeps every set equally likely.
    let mut wanted = u64::from(weight);
    let mut left = to.len() as u64;
    for word in to {
        let random = generator.next_u64();
        let is_taken = ((u128::from(random) * u128::from(left)) >> 64) < u128::from(wanted);
        *word = match (is_taken, random & 1) {
            (false, _) => 0,
            (true, 0) => 1,
            (true, _) => -1_i64 as u64,
        };
        wanted -= u64::from(is_taken);
        left -= 1;
    }
}
