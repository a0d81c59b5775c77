//! Parameters of RNS-CKKS: unchecked [`Literal`], checked [`Parameters`].

use crate::Error;
use crate::ring::prime;
use crate::security::{self, Level, Security};

/// Smallest degree of a secure set; the security table starts here.
pub const LEAST_DEGREE: usize = 1024;
/// Smallest degree of an insecure set for tests; the transforms work on 16 words or more.
pub const LEAST_TEST_DEGREE: usize = 32;
/// Largest degree.
pub const MOST_DEGREE: usize = 1 << 17;
/// Largest prime, as in SEAL; the arithmetic needs products of two residues, summed twice, below 2¹²⁴.
pub const MOST_PRIME_BITS: u32 = 60;

/// Most primes: steps of primitives number them in a byte.
pub const MOST_PRIMES: usize = u8::MAX as usize;

/// How the coefficients of the secret are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Secret {
    /// Uniform over −1, 0, 1: what the security table is about.
    Ternary,
    /// `weight` coefficients ±1, the rest 0. Not covered by the table.
    Sparse {
        /// Non-zero coefficients.
        weight: usize,
    },
}

/// Parameters as written, unchecked.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    /// N, the degree of the ring.
    pub degree: usize,
    /// Bits of each prime: data primes from the first (which the last level keeps), then the special prime. A single
    /// prime is a data prime, and there is no key switching.
    pub prime_bits: Vec<u32>,
    /// Default scale of encodings.
    pub scale: f64,
    /// Distribution of the secret.
    pub secret: Secret,
}

impl Literal {
    /// A literal with a ternary secret and a scale of `2^scale_bits`.
    pub fn new(degree: usize, prime_bits: &[u32], scale_bits: u32) -> Self {
        Self {
            degree,
            prime_bits: prime_bits.to_vec(),
            scale: f64::from(scale_bits).exp2(),
            secret: Secret::Ternary,
        }
    }
}

/// Checked parameters with their primes.
///
/// Notation of the documentation: N degree, n = N/2 slots, u = 8N bytes (one limb), k = limbs of a level, K = limbs of
/// a key (data and special).
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    literal: Literal,
    primes: Vec<u64>,
    security: Security,
}

impl Parameters {
    /// Checks a literal and generates its primes: the largest of each size that are 1 modulo 2N, in order.
    ///
    /// # Errors
    /// - [`Error::Degree`], [`Error::NoPrimes`], [`Error::TooManyPrimes`], [`Error::PrimeBits`],
    ///   [`Error::TooFewPrimes`], [`Error::Scale`], [`Error::SmallScale`] if a value is out of range;
    /// - [`Error::Insecure`] if log2(Q·P) exceeds the 128-bit limit of [`security::LIMITS`];
    /// - [`Error::SparseSecret`], as the table does not cover sparse secrets.
    pub fn new(literal: &Literal) -> Result<Self, Error> {
        let mut parameters = Self::checked(literal, LEAST_DEGREE)?;
        if let Secret::Sparse { weight } = literal.secret {
            return Err(Error::SparseSecret { weight });
        }
        let bits = parameters.modulus_bit_length();
        let limit = security::limit(literal.degree, Level::Classical128).unwrap_or(0);
        if bits > limit {
            return Err(Error::Insecure {
                bits: parameters.modulus_bits(),
                degree: literal.degree,
                limit,
                cure: cure(bits, literal.degree, limit),
            });
        }
        parameters.security = Security::Bits128;
        Ok(parameters)
    }

    /// As [`Parameters::new`], but without the security table and from degree 32. Everything made with the result
    /// carries `security: none`.
    ///
    /// # Errors
    /// As [`Parameters::new`], without [`Error::Insecure`] and [`Error::SparseSecret`].
    pub fn insecure_for_tests(literal: &Literal) -> Result<Self, Error> {
        Self::checked(literal, LEAST_TEST_DEGREE)
    }

    fn checked(literal: &Literal, least_degree: usize) -> Result<Self, Error> {
        let degree = literal.degree;
        if !degree.is_power_of_two() || !(least_degree..=MOST_DEGREE).contains(&degree) {
            return Err(Error::Degree { degree, least: least_degree, most: MOST_DEGREE });
        }
        if literal.prime_bits.is_empty() {
            return Err(Error::NoPrimes);
        }
        if literal.prime_bits.len() > MOST_PRIMES {
            return Err(Error::TooManyPrimes { found: literal.prime_bits.len(), most: MOST_PRIMES });
        }
        if !literal.scale.is_finite() || literal.scale < 1.0 {
            return Err(Error::Scale { scale: literal.scale });
        }
        check_rescale(literal)?;
        if let Secret::Sparse { weight } = literal.secret
            && !(1..=degree).contains(&weight)
        {
            return Err(Error::SecretWeight { weight, degree });
        }
        let primes = prime::chain(degree, &literal.prime_bits)?;
        Ok(Self { literal: literal.clone(), primes, security: Security::None })
    }

    /// What the set was made from.
    pub fn literal(&self) -> &Literal {
        &self.literal
    }

    /// N.
    pub fn degree(&self) -> usize {
        self.literal.degree
    }

    /// Real or complex values of a message: N/2.
    pub fn slots(&self) -> usize {
        self.degree() / 2
    }

    /// Every prime: data primes, then the special one.
    pub fn primes(&self) -> &[u64] {
        &self.primes
    }

    /// Most limbs of a ciphertext: the limbs at the top level.
    pub fn data_limbs(&self) -> u32 {
        match self.primes.len() {
            1 => 1,
            all => all as u32 - 1,
        }
    }

    /// K, limbs of a key.
    pub fn key_limbs(&self) -> u32 {
        self.primes.len() as u32
    }

    /// Whether there is a special prime, so that keys can be switched.
    pub fn has_special_prime(&self) -> bool {
        self.primes.len() > 1
    }

    /// Default scale of encodings.
    pub fn scale(&self) -> f64 {
        self.literal.scale
    }

    /// Distribution of the secret.
    pub fn secret(&self) -> Secret {
        self.literal.secret
    }

    /// Security of the set.
    pub fn security(&self) -> Security {
        self.security
    }

    /// log2(Q·P) over all primes, special one included; the error of the sum is below 10⁻¹².
    pub fn modulus_bits(&self) -> f64 {
        self.primes.iter().map(|&prime| (prime as f64).log2()).sum()
    }

    /// Exact bit length of Q·P, the least b with Q·P < 2^b.
    pub fn modulus_bit_length(&self) -> u32 {
        prime::product_bit_length(&self.primes)
    }

    /// log2 of the modulus of a ciphertext with that many limbs.
    pub fn level_bits(&self, limbs: u32) -> f64 {
        self.primes.iter().take(limbs as usize).map(|&prime| (prime as f64).log2()).sum()
    }

    /// u, bytes of a limb.
    pub fn limb_bytes(&self) -> u64 {
        8 * self.degree() as u64
    }

    /// Bytes of a ciphertext of `size` polynomials.
    pub fn ciphertext_bytes(&self, size: u32, limbs: u32) -> u64 {
        u64::from(size) * u64::from(limbs) * self.limb_bytes()
    }

    /// Bytes of an encoded polynomial.
    pub fn plaintext_bytes(&self, limbs: u32) -> u64 {
        u64::from(limbs) * self.limb_bytes()
    }

    /// Bytes of an encoded scalar: a residue and its Shoup quotient for each prime.
    pub fn scalar_bytes(&self, limbs: u32) -> u64 {
        16 * u64::from(limbs)
    }

    /// Bytes of the secret key: K limbs.
    pub fn secret_key_bytes(&self) -> u64 {
        u64::from(self.key_limbs()) * self.limb_bytes()
    }

    /// Bytes of a relinearisation or Galois key: (K−1)·2·K limbs, digits one after the other. SEAL allocates each
    /// digit by itself; here they are one object.
    pub fn switching_key_bytes(&self) -> u64 {
        let key_limbs = u64::from(self.key_limbs());
        (key_limbs - 1) * 2 * key_limbs * self.limb_bytes()
    }

    /// Bytes of the transform tables: for each prime, roots and Shoup quotients, forward and inverse.
    pub fn ntt_table_bytes(&self) -> u64 {
        4 * u64::from(self.key_limbs()) * self.limb_bytes()
    }

    /// Bytes of the index table of one Galois element: N indices of 4 bytes.
    pub fn galois_table_bytes(&self) -> u64 {
        4 * self.degree() as u64
    }

    /// Bytes of the roots of the slot transform: N/2 complex roots for each direction.
    pub fn slot_table_bytes(&self) -> u64 {
        2 * self.limb_bytes()
    }
}

fn cure(bits: u32, degree: usize, limit: u32) -> String {
    let shrink = format!("use primes of at most {limit} bits in all");
    match security::smallest_degree(bits) {
        Some((larger, limit)) if larger > degree => {
            format!("use degree {larger}, limit {limit}, or {}", &shrink[4..])
        }
        _ => shrink,
    }
}

/// Refuses a scale of which a rescale would leave less than 1: a product has the square of it, and every prime between the
/// first and the special one is divided out of some.
fn check_rescale(literal: &Literal) -> Result<(), Error> {
    let [_, dropped @ .., _] = &literal.prime_bits[..] else { return Ok(()) };
    let Some(bits) = dropped.iter().copied().max() else { return Ok(()) };
    if 2.0 * literal.scale.log2() >= f64::from(bits) {
        return Ok(());
    }
    Err(Error::SmallScale { scale_bits: literal.scale.log2(), least: bits.div_ceil(2), prime_bits: bits })
}
