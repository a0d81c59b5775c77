//! The canonical embedding: complex slot values and real polynomials, in `f64`.
//!
//! A polynomial m of degree below N is evaluated at ζ^(5^j) for j = 0 … n−1, with ζ = exp(πi/N) and n = N/2. The
//! complex word i of a polynomial holds coefficients i and i + n. Generator 5, as HEAAN, Lattigo and OpenFHE use.
//!
//! Source: Cheon, Kim, Kim, Song, "Homomorphic encryption for arithmetic of approximate numbers", ASIACRYPT 2017,
//! section 3.2; the fast transform is a decimation of those roots.

use super::{Activation, Factor, Modulus, Packing};
use crate::Error;

/// Roots of the transform in the order in which its passes use them: those of the pass over groups of 2h values at
/// h … 2h.
#[derive(Clone, Debug)]
pub(super) struct Roots {
    forward: Vec<[f64; 2]>,
    inverse: Vec<[f64; 2]>,
}

impl Roots {
    pub(super) fn new(degree: usize) -> Self {
        let slots = degree / 2;
        let mut forward = vec![[1.0, 0.0]; slots];
        let mut half = 1;
        while half < slots {
            let order = 8 * half;
            let mut power = 1;
            for root in &mut forward[half..2 * half] {
                let angle = std::f64::consts::TAU * power as f64 / order as f64;
                *root = [angle.cos(), angle.sin()];
                power = power * 5 % order;
            }
            half *= 2;
        }
        let inverse = forward.iter().map(|&[real, imaginary]| [real, -imaginary]).collect();
        Self { forward, inverse }
    }

    /// Values at the roots; `x` holds n complex numbers, bit-reversed.
    pub(super) fn transform(&self, x: &mut [u64]) {
        let values = x.as_chunks_mut::<2>().0;
        let mut half = 1;
        while half < values.len() {
            for group in values.chunks_exact_mut(2 * half) {
                let (low, high) = group.split_at_mut(half);
                for ((a, b), &root) in low.iter_mut().zip(high).zip(&self.forward[half..]) {
                    let (u, v) = (load(a), multiply(load(b), root));
                    *a = store([u[0] + v[0], u[1] + v[1]]);
                    *b = store([u[0] - v[0], u[1] - v[1]]);
                }
            }
            half *= 2;
        }
    }

    /// n times the coefficients, bit-reversed, of the polynomial with the values `x`.
    pub(super) fn inverse_transform(&self, x: &mut [u64]) {
        let values = x.as_chunks_mut::<2>().0;
        let mut half = values.len() / 2;
        while half >= 1 {
            for group in values.chunks_exact_mut(2 * half) {
                let (low, high) = group.split_at_mut(half);
                for ((a, b), &root) in low.iter_mut().zip(high).zip(&self.inverse[half..]) {
                    let (u, v) = (load(a), load(b));
                    *a = store([u[0] + v[0], u[1] + v[1]]);
                    *b = store(multiply([u[0] - v[0], u[1] - v[1]], root));
                }
            }
            half /= 2;
        }
    }
}

fn load(words: &[u64; 2]) -> [f64; 2] {
    words.map(f64::from_bits)
}

fn store(value: [f64; 2]) -> [u64; 2] {
    value.map(f64::to_bits)
}

fn multiply(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

/// Real slot values as complex numbers.
pub(super) fn load_real_slots(message: &[u64], slots: &mut [u64]) {
    slots.as_chunks_mut::<2>().0.iter_mut().zip(message).for_each(|(slot, &word)| *slot = [word, 0]);
}

/// Complex numbers in bit-reversed order.
pub(super) fn reverse_slots(from: &[u64], to: &mut [u64]) {
    let (from, to) = (from.as_chunks::<2>().0, to.as_chunks_mut::<2>().0);
    let unused = usize::BITS - from.len().ilog2();
    for (index, slot) in to.iter_mut().enumerate() {
        *slot = from[index.reverse_bits().unbounded_shr(unused)];
    }
}

/// Coefficients times scale/n as residues; the polynomial's modulus is 2^`modulus_bits`.
pub(super) fn quantise(
    modulus: &Modulus,
    scale: f64,
    modulus_bits: f64,
    slots: &[u64],
    [low, high]: [&mut [u64]; 2],
) -> Result<(), Error> {
    let slots = slots.as_chunks::<2>().0;
    let factor = scale / slots.len() as f64;
    let mut largest = 0.0_f64;
    for ((slot, low), high) in slots.iter().zip(low).zip(high) {
        let [real, imaginary] = load(slot).map(|coefficient| coefficient * factor);
        // NaN must survive the comparison: `max` would drop it.
        let magnitude = real.abs() + imaginary.abs();
        largest = if magnitude > largest || magnitude.is_nan() { magnitude } else { largest };
        *low = modulus.round(real);
        *high = modulus.round(imaginary);
    }
    if !largest.is_finite() {
        return Err(Error::NotFinite);
    }
    fits(largest, modulus_bits)
}

/// Refuses what half a modulus of 2^`modulus_bits` cannot hold.
fn fits(largest: f64, modulus_bits: f64) -> Result<(), Error> {
    let (bits, limit) = (largest.log2(), modulus_bits - 1.0);
    if bits >= limit { Err(Error::Overflow { bits, limit }) } else { Ok(()) }
}

/// x ← (x − a)/q for a centred modulo q.
pub(super) fn mixed_radix(modulus: &Modulus, other: &Modulus, inverse: Factor, a: &[u64], x: &mut [u64]) {
    for (x, &a) in x.iter_mut().zip(a) {
        let centred = modulus.reduce_signed(centre(a, other));
        *x = inverse.multiply(*x + modulus.negate(centred), modulus);
    }
}

fn centre(a: u64, modulus: &Modulus) -> i64 {
    if a > modulus.value >> 1 { a as i64 - modulus.value as i64 } else { a as i64 }
}

/// The highest digit of a number in mixed radix, as floating-point coefficients.
pub(super) fn start_slots(modulus: &Modulus, [low, high]: [&[u64]; 2], slots: &mut [u64]) {
    for ((slot, &low), &high) in slots.as_chunks_mut::<2>().0.iter_mut().zip(low).zip(high) {
        *slot = store([centre(low, modulus) as f64, centre(high, modulus) as f64]);
    }
}

/// The next digit below.
pub(super) fn extend_slots(modulus: &Modulus, [low, high]: [&[u64]; 2], slots: &mut [u64]) {
    let radix = modulus.value as f64;
    for ((slot, &low), &high) in slots.as_chunks_mut::<2>().0.iter_mut().zip(low).zip(high) {
        let [real, imaginary] = load(slot);
        *slot = store([
            real * radix + centre(low, modulus) as f64,
            imaginary * radix + centre(high, modulus) as f64,
        ]);
    }
}

/// Complex numbers over the scale as slot values.
pub(super) fn store_slots(packing: Packing, scale: f64, slots: &[u64], message: &mut [u64]) {
    let values =
        slots.as_chunks::<2>().0.iter().map(load).map(|[real, imaginary]| [real / scale, imaginary / scale]);
    match packing {
        Packing::Real => message.iter_mut().zip(values).for_each(|(word, value)| *word = value[0].to_bits()),
        Packing::Complex => {
            message
                .as_chunks_mut::<2>()
                .0
                .iter_mut()
                .zip(values)
                .for_each(|(words, value)| *words = store(value));
        }
    }
}

/// A number times the scale as residues with quotients.
pub(super) fn encode_scalar(moduli: &[Modulus], value: f64, scale: f64, to: &mut [u64]) -> Result<(), Error> {
    let scaled = value * scale;
    if !scaled.is_finite() {
        return Err(Error::NotFinite);
    }
    let limbs = to.len() / 2;
    let modulus_bits: f64 = moduli.iter().take(limbs).map(|modulus| (modulus.value as f64).log2()).sum();
    fits(scaled.abs(), modulus_bits)?;
    for (words, modulus) in to.as_chunks_mut::<2>().0.iter_mut().zip(moduli) {
        let factor = Factor::new(modulus.round(scaled), modulus);
        *words = [factor.value, factor.quotient];
    }
    Ok(())
}

/// f(x), slot by slot.
pub(super) fn apply(activation: Activation, message: &mut [u64]) {
    for word in message {
        *word = activation.apply(f64::from_bits(*word)).to_bits();
    }
}

/// max(x, a), slot by slot.
pub(super) fn maximum(a: &[u64], x: &mut [u64]) {
    for (word, &other) in x.iter_mut().zip(a) {
        *word = f64::from_bits(*word).max(f64::from_bits(other)).to_bits();
    }
}
