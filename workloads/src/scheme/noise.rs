//! The error of results, by the variance that each primitive adds: the average case, not a bound.

use std::f64::consts::PI;

use crate::parameters::{Parameters, Secret};
use crate::program::{Kernel, Options};
use crate::ring::Packing;

/// Variance of a coefficient of a fresh error: that of the centred binomial of 2·21 bits, as SEAL draws it.
const ERROR: f64 = 10.5;
/// Variance of what rounding to a whole number takes away.
const ROUNDING: f64 = 1.0 / 12.0;
/// Variance of a uniform ternary coefficient: of a secret, and of the mask of an encryption.
const TERNARY: f64 = 2.0 / 3.0;

/// How the values of a ciphertext are encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Encoding {
    /// Limbs of the ciphertext.
    pub limbs: u32,
    /// What values are multiplied by.
    pub scale: f64,
}

/// The values of an activation on average, and their error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signal {
    /// Their encoding.
    pub encoding: Encoding,
    /// Mean square of the values.
    pub power: f64,
    /// Variance of the error of a value.
    pub variance: f64,
}

/// The variance that primitives add to the error of a value, in squared units of the message.
///
/// Errors of coefficients are taken as independent; the real part of a slot, which is one value, then has N/2 times the
/// variance of a coefficient over the square of the scale. Errors of different ciphertexts are independent too. Known to be
/// wrong by small factors where terms share an input, as neighbours in a convolution do.
///
/// Source: Costache, Curtis, Hales, Murphy, Ogilvie, Player, "On the precision loss in approximate homomorphic encryption",
/// SAC 2023 (ePrint 2022/162), average case; primitives as in Cheon, Kim, Kim, Song, ASIACRYPT 2017 (ePrint 2016/421).
#[derive(Clone, Copy, Debug)]
pub struct Noise<'p> {
    parameters: &'p Parameters,
    options: Options,
    /// Mean of |1 + ζ + … + ζᴺ⁻¹|² over the slots in use.
    offset_gain: f64,
}

impl<'p> Noise<'p> {
    /// The rules for a lowering; the slots in use are those of its images.
    pub fn new(parameters: &'p Parameters, options: &Options) -> Self {
        let slots = match options.packing {
            Packing::Real => options.images,
            Packing::Complex => options.images.div_ceil(2),
        };
        let offset_gain = offset_gain(parameters.degree(), slots.clamp(1, parameters.slots()));
        Self { parameters, options: *options, offset_gain }
    }

    /// Whose copies the layers make.
    pub const fn kernel(&self) -> Kernel {
        self.options.kernel
    }

    /// Rescales that a sum of `terms` products takes: one, or with Aluminum Shark's kernels one for each.
    pub const fn rescales_of_sum(&self, terms: u64) -> u64 {
        match self.options.kernel {
            Kernel::AluminumShark => terms,
            Kernel::Faithful | Kernel::Fused => 1,
        }
    }

    /// Encoding and encryption with the public key. SEAL encrypts modulo one more prime and divides by it, which leaves
    /// the rounding.
    pub fn encryption(&self, encoding: Encoding) -> f64 {
        let degree = self.parameters.degree() as f64;
        let errors = ERROR * (1.0 + degree * (TERNARY + self.secret()));
        let divisor = self.parameters.primes().get(encoding.limbs as usize);
        let encrypted = match divisor.filter(|_| self.options.dataflow.is_seal()) {
            Some(&prime) => errors / (prime as f64).powi(2) + self.division(),
            None => errors,
        };
        self.of_value(encrypted + ROUNDING, encoding.scale)
    }

    /// A rescale that leaves `scale`.
    pub fn rescale(&self, scale: f64) -> f64 {
        self.of_value(self.division(), scale)
    }

    /// A key switch of a ciphertext: a digit for each limb, uniform from 0 to its prime, times an error of the key,
    /// divided by the special prime.
    ///
    /// Digits are not centred, as in SEAL: half of the prime in every coefficient is a polynomial that is large in the
    /// slots whose root is near 1, the first of all among them.
    pub fn key_switch(&self, encoding: Encoding) -> f64 {
        let primes = self.parameters.primes();
        let special = primes.last().map_or(1.0, |&prime| prime as f64);
        let shares = primes.iter().take(encoding.limbs as usize).map(|&prime| prime as f64 / special);
        let squares: f64 = shares.map(|share| share * share).sum();
        let digit = self.parameters.degree() as f64 * ROUNDING + self.offset_gain / 4.0;
        self.of_value(squares * digit * ERROR + self.division(), encoding.scale)
    }

    /// A sum of `terms` products with weights of mean square `weights`, rounded at their scale. Where limbs are dropped,
    /// `rescales` ciphertexts are rescaled on the way to one sum.
    pub fn weighted_sum(
        &self,
        input: &Signal,
        output: Encoding,
        (terms, weights): (u64, f64),
        rescales: u64,
    ) -> f64 {
        let dropped = output.limbs as usize..input.encoding.limbs as usize;
        let dropped = self.parameters.primes().get(dropped).unwrap_or_default();
        let primes: f64 = dropped.iter().map(|&prime| prime as f64).product();
        let weight_scale = output.scale * primes / input.encoding.scale;
        let rounded = ROUNDING / weight_scale.powi(2) * input.power;
        let rescaled = if dropped.is_empty() { 0.0 } else { rescales as f64 * self.rescale(output.scale) };
        terms as f64 * (weights * input.variance + rounded) + rescaled
    }

    /// A sum, whose second summand is taken to have the scale of the first.
    pub fn sum(one: &Signal, other: &Signal) -> f64 {
        let unlike = other.encoding.scale / one.encoding.scale - 1.0;
        one.variance + other.variance + unlike * unlike * other.power
    }

    /// A square, relinearised and rescaled.
    pub fn square(&self, input: &Signal, output: Encoding) -> f64 {
        let Encoding { limbs, scale } = input.encoding;
        let switched = self.key_switch(Encoding { limbs, scale: scale * scale });
        4.0 * input.power * input.variance + switched + self.rescale(output.scale)
    }

    /// Rounding of both polynomials after a division, of which the second meets the secret; of a coefficient.
    fn division(&self) -> f64 {
        ROUNDING * (1.0 + self.parameters.degree() as f64 * self.secret())
    }

    /// Variance of a coefficient of the secret.
    fn secret(&self) -> f64 {
        match self.parameters.secret() {
            Secret::Ternary => TERNARY,
            Secret::Sparse { weight } => weight as f64 / self.parameters.degree() as f64,
        }
    }

    fn of_value(&self, coefficient: f64, scale: f64) -> f64 {
        self.parameters.degree() as f64 / 2.0 * coefficient / (scale * scale)
    }
}

/// Mean of |1 + ζ + … + ζᴺ⁻¹|² = 1 ÷ sin²(π·5ʲ ÷ 2N) over slots j < `slots`, whose roots ζ are the powers 5ʲ of the first.
/// Over all slots it is N.
fn offset_gain(degree: usize, slots: usize) -> f64 {
    let mut power = 1;
    let mut sum = 0.0;
    for _ in 0..slots {
        sum += (PI * power as f64 / (2 * degree) as f64).sin().powi(-2);
        power = power * 5 % (2 * degree);
    }
    sum / slots as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_in_every_coefficient_have_the_mean_square_of_the_degree_in_all_slots_and_more_in_the_first() {
        for degree in [32, 1024] {
            // Parseval; and |2 / (1 − ζ)|² ≈ (2N / π)² for ζ nearest to 1.
            let first = (2.0 * degree as f64 / PI).powi(2);

            assert!((offset_gain(degree, degree / 2) / degree as f64 - 1.0).abs() < 1e-9);
            assert!((offset_gain(degree, 1) / first - 1.0).abs() < 1e-2);
        }
    }
}
