//! Placement policies: in which tier an object is born when a mode offers several.
//!
//! Homomorphic encryption is oblivious, so what a policy learns from the trace beforehand is exact.

mod all_dram;
mod all_pmem;
mod by_class;
mod by_density;
mod first_touch;

use hetier_traces::{ArrayId, Class, Trace};

use crate::Error;
use crate::allocator::AllocatorKind;
use crate::replay::engine::foresight;
use crate::replay::{Settings, charge};
use crate::system::System;

pub use by_density::{Planned, plan};

/// An object that is about to be born.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newborn {
    /// What it holds.
    pub class: Class,
    /// Its array.
    pub array: ArrayId,
    /// Bytes of its block.
    pub bytes: u64,
    /// Bytes of fast memory that the process may still take for it; what its allocator can reuse counts.
    pub fast_room: u64,
    /// Whether its allocator has a block of that size there.
    pub is_reused: bool,
}

/// Where an object goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The first tier of the mode.
    Fast,
    /// The second.
    Slow,
}

/// What a policy knows beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Foresight<'t> {
    /// What will be replayed.
    pub trace: &'t Trace,
    /// By how many threads.
    pub threads: u64,
    /// Most live bytes of each class, in the order of [`Class::ALL`].
    pub peak_by_class: [u64; Class::ALL.len()],
    /// Bytes of fast memory that the process may hold.
    pub fast_bytes: u64,
    /// Last-level caches of all sockets.
    pub cache_bytes: u64,
    /// All caches that a thread has for itself, its part of the last level included.
    pub thread_cache_bytes: u64,
    /// How much longer slow memory is busy with a line that is read, and with one that is written, in nanoseconds.
    pub extra_ns: [f64; 2],
    /// What happens to freed memory.
    pub allocator: AllocatorKind,
    /// Bytes of which its blocks are multiples.
    pub unit_bytes: u64,
}

/// What policy `by-density` does with a trace on a system, what its process retains included: for people, and for programs
/// that place their objects themselves.
///
/// # Errors
/// - [`Error::Trace`] if the trace is wrong; [`Error::UnknownName`] for settings by name.
pub fn advise(trace: &Trace, system: &System, settings: &Settings) -> Result<Vec<Planned>, Error> {
    let settings = settings.resolve(system)?;
    let (_, trace, facts) = charge(trace, system, settings.threads)?;
    let fast = system.tier("dram").unwrap_or(0);
    let tiers: Vec<usize> =
        std::iter::once(fast).chain((0..system.tiers.len()).filter(|tier| *tier != fast)).collect();
    let budgets = settings.budgets(system, &tiers, facts.peak_footprint_bytes);
    plan(&foresight(&trace, &facts, &settings, (system, &budgets))?)
}

/// A placement policy. Called for every object that is born and every one that dies, in order of simulated time.
pub trait Placement: Send {
    /// Chooses a tier. A choice of fast memory without room ends the run with a capacity error.
    fn choose(&mut self, newborn: Newborn) -> Choice;

    /// Tells that an object of an array and class died that was placed by `choice`.
    fn died(&mut self, array: ArrayId, class: Class, bytes: u64, choice: Choice) {
        let _ = (array, class, bytes, choice);
    }
}

type Build = fn(&Foresight<'_>) -> Result<Box<dyn Placement>, Error>;

/// Every policy by name, with one line about it.
const POLICIES: &[(&str, &str, Build)] = &[
    ("all-dram", "everything in fast memory; a run that does not fit is refused", all_dram::build),
    ("all-pmem", "everything in slow memory", all_pmem::build),
    ("first-touch", "fast memory while there is room, as an operating system does", first_touch::build),
    (
        "by-density",
        "arrays by what slow memory costs more per byte and time held, as many as fit at every instant",
        by_density::build,
    ),
    ("by-class", "keys, tables and scratch first, ciphertexts take what is left", by_class::build),
];

/// Names of the policies.
pub fn names() -> Vec<&'static str> {
    POLICIES.iter().map(|(name, ..)| *name).collect()
}

/// Name of every policy and one line about it.
pub fn summaries() -> Vec<(&'static str, &'static str)> {
    POLICIES.iter().map(|(name, summary, _)| (*name, *summary)).collect()
}

/// The tier that a policy puts everything in, if there is one.
pub fn only(name: &str) -> Option<Choice> {
    match name {
        "all-dram" => Some(Choice::Fast),
        "all-pmem" => Some(Choice::Slow),
        _ => None,
    }
}

/// Builds a policy.
///
/// # Errors
/// - [`Error::UnknownName`] with the nearest name.
/// - [`Error::Trace`] if the trace is wrong.
pub fn build(name: &str, foresight: &Foresight<'_>) -> Result<Box<dyn Placement>, Error> {
    let builds: Vec<(&'static str, Build)> =
        POLICIES.iter().map(|(name, _, build)| (*name, *build)).collect();
    let build = crate::pages::choose("placement", name, &builds)?;
    build(foresight)
}

#[cfg(test)]
mod tests;
