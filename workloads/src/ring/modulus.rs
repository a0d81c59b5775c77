//! A prime with the constants of its reductions, and fixed factors with their quotients.

use super::prime;

/// A prime of at most 60 bits, prepared for reduction on words of 64 bits and on the 52-bit multiplier of IFMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modulus {
    /// p.
    pub value: u64,
    /// b with 2^(b−1) < p < 2^b.
    pub bits: u32,
    /// ⌊2^(63+b) / p⌋, for products on 64-bit words.
    pub barrett_64: u64,
    /// ⌊2^(51+b) / p⌋, for products on 52-bit words.
    pub barrett_52: u64,
    /// ⌊2⁶⁴ / p⌋, for single words.
    pub word: u64,
}

impl Modulus {
    /// Prepares an odd prime of at most 60 bits.
    pub fn new(value: u64) -> Self {
        let bits = u64::BITS - value.leading_zeros();
        let quotient = |shift: u32| ((1_u128 << shift) / u128::from(value)) as u64;
        Self {
            value,
            bits,
            barrett_64: quotient(63 + bits),
            barrett_52: quotient(51 + bits),
            word: quotient(64),
        }
    }

    /// Whether residues and their small multiples fit the 52-bit multiplier.
    pub const fn is_narrow(&self) -> bool {
        self.bits <= 50
    }

    /// A word modulo p.
    pub fn reduce(&self, word: u64) -> u64 {
        let quotient = ((u128::from(word) * u128::from(self.word)) >> 64) as u64;
        let rest = word.wrapping_sub(quotient.wrapping_mul(self.value));
        rest.min(rest.wrapping_sub(self.value))
    }

    /// A double word modulo p.
    pub fn reduce_wide(&self, wide: u128) -> u64 {
        let high = self.reduce((wide >> 64) as u64);
        let two_to_64 = self.word.wrapping_mul(self.value).wrapping_neg() % self.value;
        let sum = u128::from(high) * u128::from(two_to_64) + u128::from(self.reduce(wide as u64));
        (sum % u128::from(self.value)) as u64
    }

    /// A signed word modulo p.
    pub fn reduce_signed(&self, word: i64) -> u64 {
        let magnitude = self.reduce(word.unsigned_abs());
        if word < 0 { self.negate(magnitude) } else { magnitude }
    }

    /// −a for a residue.
    pub const fn negate(&self, residue: u64) -> u64 {
        if residue == 0 { 0 } else { self.value - residue }
    }

    /// The nearest whole number to a finite `value`, modulo p.
    pub fn round(&self, value: f64) -> u64 {
        const MANTISSA_BITS: u32 = 52;
        let whole = value.round();
        let bits = whole.abs().to_bits();
        let exponent = (bits >> MANTISSA_BITS) as i64 - 1075;
        let magnitude = if exponent <= 10 {
            self.reduce(whole.abs() as u64)
        } else {
            let mantissa = bits & ((1 << MANTISSA_BITS) - 1) | 1 << MANTISSA_BITS;
            let shift = prime::power(2, exponent as u64, self.value);
            prime::multiply(self.reduce(mantissa), shift, self.value)
        };
        if whole < 0.0 { self.negate(magnitude) } else { magnitude }
    }
}

/// A residue used as a factor many times, with its quotient for Shoup's multiplication.
///
/// Source: Harvey, "Faster arithmetic for number-theoretic transforms", J. Symb. Comp. 60 (2014), section 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// w below p.
    pub value: u64,
    /// ⌊2⁶⁴·w / p⌋; shifted right by 12 it is the quotient for 52-bit words.
    pub quotient: u64,
}

impl Factor {
    /// Prepares a residue.
    pub fn new(value: u64, modulus: &Modulus) -> Self {
        let quotient = ((u128::from(value) << 64) / u128::from(modulus.value)) as u64;
        Self { value, quotient }
    }

    /// w·x modulo p, for any word x.
    pub fn multiply(&self, x: u64, modulus: &Modulus) -> u64 {
        let quotient = ((u128::from(x) * u128::from(self.quotient)) >> 64) as u64;
        let rest = x.wrapping_mul(self.value).wrapping_sub(quotient.wrapping_mul(modulus.value));
        rest.min(rest.wrapping_sub(modulus.value))
    }
}
