//! A printed estimate of the error of results. A heuristic, not a bound.

use std::ops::Add;

use crate::Parameters;

/// Standard deviation of a fresh error: √10.5.
const SIGMA: f64 = 3.24;

/// Standard deviation of the error of one slot of a ciphertext, and the size of its values, both in units of the
/// message.
///
/// Errors of coefficients are taken as independent and normal: a slot's error is √N times a coefficient's. Errors of
/// sums add in quadrature. Known to be wrong by small factors when terms share an input.
///
/// Source: average-case rules as in Costache, Curtis, Hales, Murphy, Ogilvie, Player, "On the precision loss in
/// approximate homomorphic encryption", SAC 2023 (ePrint 2022/162), simplified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Standard deviation of the error of a slot.
    pub deviation: f64,
    /// Largest absolute value expected in a slot.
    pub magnitude: f64,
}

impl Noise {
    /// A fresh ciphertext of values up to `magnitude` at the default scale; public-key encryption if `is_public`.
    pub fn fresh(parameters: &Parameters, magnitude: f64, is_public: bool) -> Self {
        let degree = parameters.degree() as f64;
        let variance = if is_public { SIGMA * SIGMA * (1.0 + 4.0 * degree / 3.0) } else { SIGMA * SIGMA };
        Self { deviation: slot_deviation(degree, variance + 1.0 / 12.0, parameters.scale()), magnitude }
    }

    /// A sum of `terms` products with weights of root mean square `weight` (whose rounding at the default scale
    /// counts), then one rescale.
    #[must_use]
    pub fn weighted_sum(self, parameters: &Parameters, terms: u64, weight: f64) -> Self {
        let count = (terms as f64).sqrt();
        let rounding = self.magnitude / (parameters.scale() * 12.0_f64.sqrt());
        let deviation = count * (self.deviation * weight).hypot(rounding);
        Self { deviation, magnitude: self.magnitude * weight * terms as f64 }.rescale(parameters)
    }

    /// A product of ciphertexts, relinearised and rescaled.
    #[must_use]
    pub fn multiply(self, parameters: &Parameters, other: Self, limbs: u32) -> Self {
        let cross = (self.deviation * other.magnitude).hypot(self.magnitude * other.deviation);
        let deviation = cross.hypot(key_switch(parameters, limbs, parameters.scale() * parameters.scale()));
        Self { deviation, magnitude: self.magnitude * other.magnitude }.rescale(parameters)
    }

    /// A rescale: the rounding errors of c₀ and of c₁ times the secret.
    #[must_use]
    pub fn rescale(self, parameters: &Parameters) -> Self {
        let degree = parameters.degree() as f64;
        let rounding = slot_deviation(degree, rounding_variance(degree), parameters.scale());
        Self { deviation: self.deviation.hypot(rounding), ..self }
    }

    /// A rotation at the default scale.
    #[must_use]
    pub fn rotate(self, parameters: &Parameters, limbs: u32) -> Self {
        Self { deviation: self.deviation.hypot(key_switch(parameters, limbs, parameters.scale())), ..self }
    }
}

/// A sum.
impl Add for Noise {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { deviation: self.deviation.hypot(other.deviation), magnitude: self.magnitude + other.magnitude }
    }
}

fn slot_deviation(degree: f64, variance: f64, scale: f64) -> f64 {
    (degree * variance).sqrt() / scale
}

/// 1/12 for each rounding; the secret has variance 2/3.
fn rounding_variance(degree: f64) -> f64 {
    (1.0 + degree * 2.0 / 3.0) / 12.0
}

/// k digits, uniform below their primes, times fresh errors, divided by the special prime; then one rounding.
fn key_switch(parameters: &Parameters, limbs: u32, scale: f64) -> f64 {
    let degree = parameters.degree() as f64;
    let primes = parameters.primes();
    let special = primes.last().map_or(1.0, |&prime| prime as f64);
    let digits: f64 =
        primes.iter().take(limbs as usize).map(|&prime| (prime as f64 / special).powi(2) / 12.0).sum();
    slot_deviation(degree, digits * degree * SIGMA * SIGMA + rounding_variance(degree), scale)
}
