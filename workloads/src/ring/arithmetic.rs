//! The arithmetic behind each step: tables made once, and the step's formula on slices.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rand_chacha::ChaCha20Rng;
use tfhe_ntt::prime64::Plan;

use super::elementwise::{self, Elementwise, Move, Reduction};
use super::vector::dispatch;
use super::{Constant, Factor, Formula, Modulus, Packing, Step, prime, sample, slots};
use crate::{Error, Parameters};

/// Transform plans, constants and permutations of a parameter set. Shared by all threads.
///
/// Costs 32·N·K bytes for the transforms and 4N bytes for each Galois element used.
#[derive(Debug)]
pub struct Tables {
    degree: usize,
    moduli: Vec<Modulus>,
    plans: Vec<Plan>,
    /// For each prime: 1/N, then for each other prime its residue, inverse and half.
    inverse_degree: Vec<Factor>,
    others: Vec<Vec<[Factor; 3]>>,
    roots: slots::Roots,
    galois: RwLock<HashMap<u64, Arc<[u32]>>>,
}

impl Tables {
    /// Makes the tables of a checked parameter set.
    pub fn new(parameters: &Parameters) -> Self {
        let degree = parameters.degree();
        let moduli: Vec<Modulus> = parameters.primes().iter().map(|&prime| Modulus::new(prime)).collect();
        let plan = |modulus: &Modulus| {
            Plan::try_new(degree, modulus.value).expect("checked parameters hold primes that are 1 modulo 2N")
        };
        let inverse_degree =
            |modulus: &Modulus| Factor::new(prime::inverse(degree as u64, modulus.value), modulus);
        Self {
            degree,
            plans: moduli.iter().map(plan).collect(),
            inverse_degree: moduli.iter().map(inverse_degree).collect(),
            others: moduli
                .iter()
                .map(|modulus| moduli.iter().map(|other| residues(other, modulus)).collect())
                .collect(),
            roots: slots::Roots::new(degree),
            galois: RwLock::new(HashMap::new()),
            moduli,
        }
    }

    /// The primes with their constants.
    pub fn moduli(&self) -> &[Modulus] {
        &self.moduli
    }

    fn constant(&self, prime: usize, constant: Constant) -> Factor {
        match constant {
            Constant::InverseDegree => self.inverse_degree[prime],
            Constant::Prime(other) => self.others[prime][usize::from(other)][0],
            Constant::InversePrime(other) => self.others[prime][usize::from(other)][1],
            Constant::Half(other) => self.others[prime][usize::from(other)][2],
        }
    }

    /// For each position of a transformed polynomial, the position that an automorphism takes it from.
    fn galois(&self, element: u64) -> Arc<[u32]> {
        if let Some(table) = self.galois.read().unwrap_or_else(PoisonError::into_inner).get(&element) {
            return Arc::clone(table);
        }
        let mut tables = self.galois.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tables.entry(element).or_insert_with(|| galois_table(self.degree, element)))
    }

    /// Performs a step on the slices of its spans. Tables among the reads are taken from here, not from the slices.
    pub(super) fn perform(
        &self,
        step: &Step,
        generator: &mut ChaCha20Rng,
        reads: [&[u64]; 4],
        writes: [&mut [u64]; 3],
    ) -> Result<(), Error> {
        let formula = step.formula;
        if elementwise::is_elementwise(formula) {
            self.elementwise(step, reads, writes);
            return Ok(());
        }
        let prime = usize::from(step.prime);
        let modulus = &self.moduli[prime];
        let ([a, b, ..], [x, y, _]) = (reads, writes);
        match formula {
            Formula::Copy | Formula::LoadSlots(Packing::Complex) => {
                dispatch(Move { from: Some(a), to: x }, false);
            }
            Formula::Zero => dispatch(Move { from: None, to: x }, false),
            Formula::LazyProductAdd => lazy_product_add(a, b, x),
            Formula::LazyReduce => lazy_reduce(modulus, a, x),
            Formula::Reduce => reduce(modulus, 0, a, x),
            Formula::ReduceSubtractHalf(other) => {
                reduce(modulus, self.constant(prime, Constant::Half(other)).value, a, x);
            }
            Formula::Ntt => self.plans[prime].fwd(x),
            Formula::InverseNtt => self.plans[prime].inv(x),
            Formula::Permute { element } => permute(&self.galois(element), a, x),
            Formula::Lift => lift(modulus, a, x),
            Formula::LoadSlots(Packing::Real) => slots::load_real_slots(a, x),
            Formula::ReverseSlots => slots::reverse_slots(a, x),
            Formula::SlotTransform => self.roots.transform(x),
            Formula::InverseSlotTransform => self.roots.inverse_transform(x),
            Formula::Quantise { scale, limbs } => {
                let moduli = &self.moduli[..usize::from(limbs)];
                let bits = moduli.iter().map(|modulus| (modulus.value as f64).log2()).sum();
                return slots::quantise(modulus, scale.value(), bits, a, [x, y]);
            }
            Formula::MixedRadix(other) => {
                let inverse = self.constant(prime, Constant::InversePrime(other));
                slots::mixed_radix(modulus, &self.moduli[usize::from(other)], inverse, a, x);
            }
            Formula::StartSlots => slots::start_slots(modulus, [a, b], x),
            Formula::ExtendSlots => slots::extend_slots(modulus, [a, b], x),
            Formula::StoreSlots { packing, scale } => slots::store_slots(packing, scale.value(), a, x),
            Formula::EncodeScalar { scale } => {
                let value = f64::from_bits(a[0]);
                return slots::encode_scalar(&self.moduli, value, scale.value(), x);
            }
            Formula::Apply(activation) => slots::apply(activation, x),
            Formula::Maximum => slots::maximum(a, x),
            _ => perform_sampling(formula, modulus, generator, x),
        }
        Ok(())
    }

    fn elementwise(&self, step: &Step, reads: [&[u64]; 4], writes: [&mut [u64]; 3]) {
        let prime = usize::from(step.prime);
        let modulus = &self.moduli[prime];
        let factor = match (elementwise::constant(step.formula), step.formula) {
            (Some(constant), _) => self.constant(prime, constant),
            (None, Formula::AddScalarAssign) => Factor { value: reads[0][0], quotient: 0 },
            (None, Formula::MultiplyScalar | Formula::MultiplyScalarAssign | Formula::MultiplyScalarAdd) => {
                Factor { value: reads[0][0], quotient: reads[0][1] }
            }
            _ => Factor { value: 0, quotient: 0 },
        };
        dispatch(Elementwise { formula: step.formula, modulus, factor, reads, writes }, modulus.is_narrow());
    }
}

/// A prime modulo another: itself, its inverse, its half.
fn residues(other: &Modulus, modulus: &Modulus) -> [Factor; 3] {
    let residue = modulus.reduce(other.value);
    [residue, prime::inverse(residue, modulus.value), modulus.reduce(other.value >> 1)]
        .map(|value| Factor::new(value, modulus))
}

/// tfhe-ntt leaves the value at ψ^(2·rev(i)+1) at position i; see [`hetier_traces::Rule::Automorphism`].
fn galois_table(degree: usize, element: u64) -> Arc<[u32]> {
    let unused = u32::BITS - degree.ilog2();
    let twice = 2 * degree as u64;
    (0..degree as u32)
        .map(|position| {
            let exponent = 2 * u64::from(position.reverse_bits() >> unused) + 1;
            let source = ((element * exponent) % twice - 1) / 2;
            (source as u32).reverse_bits() >> unused
        })
        .collect()
}

fn perform_sampling(formula: Formula, modulus: &Modulus, generator: &mut ChaCha20Rng, x: &mut [u64]) {
    match formula {
        Formula::Uniform => sample::uniform(generator, modulus, x),
        Formula::SampleError => sample::error(generator, x),
        Formula::SampleSecret { weight } => sample::secret(generator, weight, x),
        _ => {}
    }
}

fn reduce(modulus: &Modulus, subtract: u64, from: &[u64], to: &mut [u64]) {
    dispatch(Reduction { modulus, subtract, from, to }, false);
}

fn permute(table: &[u32], from: &[u64], to: &mut [u64]) {
    for (word, &source) in to.iter_mut().zip(table) {
        *word = from[source as usize];
    }
}

fn lift(modulus: &Modulus, from: &[u64], to: &mut [u64]) {
    for (word, &signed) in to.iter_mut().zip(from) {
        *word = modulus.reduce_signed(signed as i64);
    }
}

fn lazy_product_add(a: &[u64], b: &[u64], x: &mut [u64]) {
    for ((wide, &a), &b) in x.as_chunks_mut::<2>().0.iter_mut().zip(a).zip(b) {
        let sum = (u128::from(wide[1]) << 64 | u128::from(wide[0])) + u128::from(a) * u128::from(b);
        *wide = [sum as u64, (sum >> 64) as u64];
    }
}

fn lazy_reduce(modulus: &Modulus, a: &[u64], x: &mut [u64]) {
    for (word, wide) in x.iter_mut().zip(a.as_chunks::<2>().0) {
        *word = modulus.reduce_wide(u128::from(wide[1]) << 64 | u128::from(wide[0]));
    }
}
