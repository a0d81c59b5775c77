//! Kernels on limbs: what each does and what it touches, performed or only declared.
//!
//! A primitive is a sequence of [`Step`]s, written once for any [`Ring`]. The [`Executor`] performs the arithmetic and
//! notes the step; the [`Shaper`] only notes it. What a step touches is declared in one place, [`Step::sweeps`].

mod arithmetic;
mod buffer;
mod declare;
mod elementwise;
mod executor;
mod formula;
mod modulus;
pub mod prime;
mod sample;
mod slots;
mod vector;

pub use arithmetic::Tables;
pub use buffer::Buffer;
pub use declare::transform_ratio;
pub use executor::{Executor, Operand};
pub use formula::{Activation, Constant, Formula, Packing, Scale};
pub use modulus::{Factor, Modulus};
pub use sample::Seed;
pub use vector::unit_name;

use hetier_traces::Sweep;

use crate::{Error, Parameters};

/// Most spans that one step reads and writes together.
pub const MAX_SPANS: usize = 7;

/// A range of 64-bit words of one operand of the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First word inside the operand.
    pub offset: u64,
    /// Number of words.
    pub words: u32,
    /// Number of the operand.
    pub operand: u8,
}

/// One kernel on spans of the call's operands: the unit in which primitives are written and recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// What is computed.
    pub formula: Formula,
    /// Number of the prime that it computes modulo; 0 where that means nothing.
    pub prime: u8,
    reads: u8,
    count: u8,
    spans: [Span; MAX_SPANS],
}

impl Step {
    /// A step that reads `reads` and writes (or updates, as the formula says) `writes`; together at most
    /// [`MAX_SPANS`].
    pub fn new(formula: Formula, prime: usize, reads: &[Span], writes: &[Span]) -> Self {
        let mut spans = [Span::default(); MAX_SPANS];
        let count = reads.len() + writes.len();
        spans[..reads.len()].copy_from_slice(reads);
        spans[reads.len()..count].copy_from_slice(writes);
        Self { formula, prime: prime as u8, reads: reads.len() as u8, count: count as u8, spans }
    }

    /// Spans read, in the order of the formula's arguments.
    pub fn reads(&self) -> &[Span] {
        &self.spans[..usize::from(self.reads)]
    }

    /// Spans written or updated.
    pub fn writes(&self) -> &[Span] {
        &self.spans[usize::from(self.reads)..usize::from(self.count)]
    }

    /// What the step touches, and the arithmetic on the way: the only declaration there is.
    pub fn sweeps(&self) -> Vec<Sweep> {
        declare::sweeps(self)
    }
}

/// Something that takes the steps of a primitive in order.
///
/// A primitive calls `step` for everything it does to its operands; what it computes besides must not depend on data.
pub trait Ring {
    /// Performs or notes one step.
    ///
    /// # Errors
    /// What the arithmetic can meet: [`Error::Overflow`] and [`Error::NotFinite`] while encoding. A ring that only
    /// notes never fails.
    fn step(&mut self, step: Step) -> Result<(), Error>;
}

/// Takes steps without performing them.
#[derive(Clone, Debug, Default)]
pub struct Shaper {
    steps: Vec<Step>,
}

impl Shaper {
    /// The steps taken so far.
    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }
}

impl Ring for Shaper {
    fn step(&mut self, step: Step) -> Result<(), Error> {
        self.steps.push(step);
        Ok(())
    }
}

/// Notes the steps that an [`Executor`] really performs; can be switched off.
#[derive(Clone, Debug)]
pub struct Recorder {
    steps: Option<Vec<Step>>,
}

impl Recorder {
    /// A recorder that notes: 128 bytes are copied per step.
    pub const fn on() -> Self {
        Self { steps: Some(Vec::new()) }
    }

    /// A recorder that notes nothing.
    pub const fn off() -> Self {
        Self { steps: None }
    }

    /// Whether it notes.
    pub const fn is_on(&self) -> bool {
        self.steps.is_some()
    }

    /// Steps noted since the start or the last `clear`.
    pub fn steps(&self) -> &[Step] {
        self.steps.as_deref().unwrap_or_default()
    }

    /// The sweeps of those steps.
    pub fn sweeps(&self) -> Vec<Sweep> {
        sweeps(self.steps())
    }

    /// Forgets the steps and keeps their memory.
    pub fn clear(&mut self) {
        if let Some(steps) = &mut self.steps {
            steps.clear();
        }
    }

    pub(crate) fn note(&mut self, step: &Step) {
        if let Some(steps) = &mut self.steps {
            steps.push(*step);
        }
    }
}

/// The sweeps of steps, in order.
pub fn sweeps(steps: &[Step]) -> Vec<Sweep> {
    steps.iter().flat_map(Step::sweeps).collect()
}

/// Shape of the objects that a primitive works on, from which it computes spans.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// The parameters.
    pub parameters: &'a Parameters,
    /// k, limbs of the level.
    pub limbs: u32,
}

impl Shape<'_> {
    /// N, words of a limb.
    pub fn degree(&self) -> u32 {
        self.parameters.degree() as u32
    }

    /// k as an index bound.
    pub fn level(&self) -> usize {
        self.limbs as usize
    }

    /// Limb number `index` of an operand.
    pub fn limb(&self, operand: u8, index: usize) -> Span {
        let words = self.degree();
        Span { operand, offset: u64::from(words) * index as u64, words }
    }

    /// Limb `limb` of polynomial `component` of a ciphertext at this level.
    pub fn component(&self, operand: u8, component: usize, limb: usize) -> Span {
        self.limb(operand, component * self.level() + limb)
    }

    /// `count` limbs from number `first` as one span.
    pub fn run(&self, operand: u8, first: usize, count: usize) -> Span {
        let limb = self.limb(operand, first);
        Span { words: limb.words * count as u32, ..limb }
    }

    /// Limb of a switching key: digit, component, prime.
    pub fn key_limb(&self, operand: u8, digit: usize, component: usize, prime: usize) -> Span {
        let key_limbs = self.parameters.key_limbs() as usize;
        self.limb(operand, (2 * digit + component) * key_limbs + prime)
    }

    /// The forward or inverse half of a prime's transform table.
    pub fn ntt_table(&self, operand: u8, prime: usize, is_inverse: bool) -> Span {
        self.run(operand, 4 * prime + if is_inverse { 2 } else { 0 }, 2)
    }

    /// Residue and Shoup quotient of a scalar for one prime.
    pub fn scalar(&self, operand: u8, prime: usize) -> Span {
        Span { operand, offset: 2 * prime as u64, words: 2 }
    }

    /// The whole of a Galois index table.
    pub fn galois_table(&self, operand: u8) -> Span {
        Span { operand, offset: 0, words: self.degree() / 2 }
    }

    /// Roots of the slot transform for one direction.
    pub fn slot_table(&self, operand: u8, is_inverse: bool) -> Span {
        self.limb(operand, usize::from(is_inverse))
    }

    /// Slot values of a message, 1 word for each real, 2 for each complex one.
    pub fn message(&self, operand: u8, packing: Packing) -> Span {
        let words = match packing {
            Packing::Real => self.degree() / 2,
            Packing::Complex => self.degree(),
        };
        Span { operand, offset: 0, words }
    }
}
