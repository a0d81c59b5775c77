//! Costs of the traced program that no trace holds, calibrated on published run times and peaks.
//!
//! A trace holds the arithmetic, the copies and the lifetimes of an inference. The published runs of he-transformer take
//! several times longer, whatever the memory, and their processes hold more than their ciphertexts. What the constants
//! stand for:
//!
//! - **a multiply-accumulate** takes and returns a ciphertext of SEAL's pool (one spin lock for each size of block,
//!   shared by all threads), heap blocks of batch-size doubles, and shared pointers. It is time of the *thread* that
//!   makes it, added to its call: threads work on their own multiply-accumulates side by side.
//! - **a ciphertext written** is a new element of a tensor: construction and, later, destruction of its handle,
//!   its plaintext vector and its block, one after the other in the tensor's vector. It is *serial* time: core 0
//!   spends it behind the parallel region that wrote (at line fidelity at the end of the phase), while the others wait. So the use of the CPU swings between one core
//!   and all, as the publication shows. Which part is construction and which destruction is not known. Serialised
//!   ciphertexts of messages count as well: their further copies, in protobuf and through sockets, are part of it.
//! - **retained bytes** of each ciphertext written stay with the process: heap blocks between live ones, which a
//!   C library cannot give back. They are part of the peak footprint. What is resident has been written, so core 0
//!   writes them once, at the end of the phase that wrote the ciphertexts (`retained`).
//!
//! The two times do not depend on memory: equal on every tier and in every mode, no traffic, no cache touched. Known to
//! be wrong in that: the real passes touch handles and plaintext vectors, which in Memory Mode may miss near memory.

use hetier_traces::{Class, Trace};

use super::literal;
use crate::Picoseconds;

/// Header fact of a trace that says whose copies its layers make.
const KERNEL: &str = "kernel";

/// Checked costs, by name of a primitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overhead {
    /// Traces of this kernel are charged, others are not.
    pub kernel: String,
    /// Primitives that are multiply-accumulates.
    pub multiply_accumulates: Vec<String>,
    /// Of the thread that makes one.
    pub multiply_accumulate: Picoseconds,
    /// Serial, of each ciphertext written.
    pub ciphertext: Picoseconds,
    /// Bytes that the process keeps for each ciphertext written.
    pub retained_bytes: u64,
}

impl Overhead {
    pub(super) fn new(literal: &literal::Overhead, costs: [Picoseconds; 2]) -> Self {
        Self {
            kernel: literal.kernel.clone(),
            multiply_accumulates: literal.multiply_accumulates.clone(),
            multiply_accumulate: costs[0],
            ciphertext: costs[1],
            retained_bytes: literal.retained_bytes_per_ciphertext,
        }
    }
}

/// What one trace is charged on one system: nothing without constants, or for another kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Charges {
    /// Whether a macro is a multiply-accumulate.
    multiplies: Vec<bool>,
    /// Of each, on its thread.
    multiply_accumulate: Picoseconds,
    /// Serial, of each ciphertext written.
    pub ciphertext: Picoseconds,
    /// Bytes kept for each ciphertext written.
    pub(super) retained_bytes: u64,
    /// Whether the trace is of a kernel that the constants are for.
    pub applies: bool,
}

impl Charges {
    /// Charges of a trace.
    pub fn new(overhead: Option<&Overhead>, trace: &Trace) -> Self {
        let kernel = trace.header.facts.get(KERNEL);
        let Some(overhead) = overhead.filter(|overhead| Some(&overhead.kernel) == kernel) else {
            return Self::default();
        };
        let is_multiply = |name: &String| overhead.multiply_accumulates.contains(name);
        Self {
            multiplies: trace.macros.iter().map(|called| is_multiply(&called.name)).collect(),
            multiply_accumulate: overhead.multiply_accumulate,
            ciphertext: overhead.ciphertext,
            retained_bytes: overhead.retained_bytes,
            applies: true,
        }
    }

    /// Time of a call of a macro, on its thread.
    #[inline]
    pub fn call(&self, callee: usize) -> Picoseconds {
        if self.is_multiply(callee) { self.multiply_accumulate } else { Picoseconds::ZERO }
    }

    /// Thread time of so many multiply-accumulates.
    pub fn threads(&self, multiplies: u64) -> Picoseconds {
        Picoseconds(self.multiply_accumulate.0.saturating_mul(multiplies))
    }

    /// Whether a macro is a multiply-accumulate.
    pub fn is_multiply(&self, callee: usize) -> bool {
        self.multiplies.get(callee).copied().unwrap_or(false)
    }

    /// Serial time of so many ciphertexts written.
    pub fn serial(&self, ciphertexts: u64) -> Picoseconds {
        Picoseconds(self.ciphertext.0.saturating_mul(ciphertexts))
    }
}

/// Class of the objects whose birth is a ciphertext written: scratch and polynomials of keys are others.
pub(crate) const WRITTEN: Class = Class::Ciphertext;
