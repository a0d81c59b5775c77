//! Memory modes: what one line request asks of the devices.
//!
//! A mode answers each request with a [`Plan`]: device operations in up to three stages. A stage starts when the
//! first operation of the stage before is complete; one operation answers the core. All decisions are taken when
//! the request is made, so the plan is the complete event graph, and conservation can be checked on it.

mod direct;
mod memory_mode;

pub use memory_mode::{MemoryMode, NearStart};

use crate::Error;
use crate::device::Kind;
use crate::machine::Layout;
use crate::result::NearMemory;
use crate::system::System;

/// Most operations that a request can cause: the last row of the Memory Mode table and a directory write.
pub const MAX_OPERATIONS: usize = 6;

/// A line request as it leaves the caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRequest {
    /// Physical line, as packed by [`Line`](crate::machine::Line).
    pub line: u64,
    /// Read, or write of a whole line.
    pub kind: Kind,
    /// Whether a write comes from a non-temporal store.
    pub is_non_temporal: bool,
}

/// One operation of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Channel of the machine.
    pub channel: u16,
    /// When it starts: with the request (0), or with the completion of the first operation of the stage before.
    pub stage: u8,
    /// Direction.
    pub kind: Kind,
    /// Line inside the device.
    pub line: u64,
}

const NO_OPERATION: Operation = Operation { channel: 0, stage: 0, kind: Kind::Read, line: 0 };

/// The operations of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    operations: [Operation; MAX_OPERATIONS],
    len: u8,
    /// Position of the operation whose completion answers the request.
    pub answer: u8,
    /// Whether the first operation only asks for the state of the line.
    pub asks: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { operations: [NO_OPERATION; MAX_OPERATIONS], len: 0, answer: 0, asks: false }
    }
}

impl Plan {
    /// A plan of one operation.
    #[inline]
    pub const fn single((channel, line): (usize, u64), kind: Kind) -> Self {
        let mut operations = [NO_OPERATION; MAX_OPERATIONS];
        operations[0] = Operation { channel: channel as u16, stage: 0, kind, line };
        Self { operations, len: 1, answer: 0, asks: false }
    }

    /// Adds an operation; stages ascend.
    ///
    /// # Panics
    /// If the plan holds [`MAX_OPERATIONS`] already.
    #[inline]
    pub fn push(&mut self, stage: u8, kind: Kind, (channel, line): (usize, u64)) {
        self.operations[usize::from(self.len)] = Operation { channel: channel as u16, stage, kind, line };
        self.len += 1;
    }

    /// Reads the line of the first operation before everything else; false if that is what it does already.
    ///
    /// # Panics
    /// If the plan holds [`MAX_OPERATIONS`] already.
    pub fn read_first(&mut self) -> bool {
        let len = usize::from(self.len);
        let Operation { channel, line, kind, .. } = self.operations[0];
        if kind == Kind::Read {
            return false;
        }
        self.operations.copy_within(..len, 1);
        self.operations[0] = Operation { channel, stage: 0, kind: Kind::Read, line };
        self.len += 1;
        self.answer += 1;
        self.asks = true;
        for operation in &mut self.operations[1..=len] {
            operation.stage += 1;
        }
        true
    }

    /// Puts the operations in order of stages, the answer following its operation.
    pub fn sort_by_stage(&mut self) {
        let answer = self.operations[usize::from(self.answer)];
        let len = usize::from(self.len);
        self.operations[..len].sort_by_key(|operation| operation.stage);
        let position = self.operations().iter().position(|operation| *operation == answer);
        self.answer = position.map_or(0, |position| position as u8);
    }

    /// The operations, stages ascending.
    #[inline]
    pub fn operations(&self) -> &[Operation] {
        &self.operations[..usize::from(self.len)]
    }
}

/// A memory mode.
///
/// The machine calls [`Mode::plan`] once for every line that leaves or enters the caches, in order of simulated time
/// up to the event loop's quantum.
pub trait Mode: Send {
    /// Positions of the tiers that programs can place objects in, fastest first.
    fn tiers(&self) -> &[usize];

    /// Decides what a request does; the plan has at least one operation.
    fn plan(&mut self, request: LineRequest) -> Plan;

    /// What near memory did so far, if there is one.
    fn near_memory(&self) -> Option<NearMemory> {
        None
    }

    /// Tells that a page of `lines` lines was mapped at a physical line.
    fn mapped(&mut self, line: u64, lines: u64) {
        let _ = (line, lines);
    }
}

/// What a mode may be told beyond the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeSettings {
    /// Bytes of near memory over all sockets; `None` takes all DRAM.
    pub near_bytes: Option<u64>,
    /// Whether a write that misses near memory fetches the line from far memory first.
    pub write_miss_fetches: bool,
    /// State of near memory at the start.
    pub near_start: NearStart,
}

impl Default for ModeSettings {
    fn default() -> Self {
        Self { near_bytes: None, write_miss_fetches: true, near_start: NearStart::Cold }
    }
}

type Build = fn(&System, &Layout, &ModeSettings) -> Result<Box<dyn Mode>, Error>;

/// A mode of the list.
struct Entry {
    name: &'static str,
    summary: &'static str,
    /// Tiers without which it cannot be.
    needs: &'static [&'static str],
    build: Build,
}

const DRAM: &str = "dram";
const FAR: &str = "pmem or cxl";

/// Every mode.
const MODES: [Entry; 4] = [
    Entry { name: "dram-only", summary: "every object in DRAM", needs: &[DRAM], build: direct::dram_only },
    Entry {
        name: "memory-mode",
        summary: "DRAM is a direct-mapped cache in front of PMem or CXL memory",
        needs: &[DRAM, FAR],
        build: memory_mode::build,
    },
    Entry {
        name: "app-direct",
        summary: "a placement policy puts each object into DRAM or into PMem or CXL memory",
        needs: &[DRAM, FAR],
        build: direct::app_direct,
    },
    Entry {
        name: "pmem-only",
        summary: "every object in PMem or CXL memory, DRAM unused",
        needs: &[FAR],
        build: direct::pmem_only,
    },
];

/// Names of the modes.
pub fn names() -> Vec<&'static str> {
    MODES.iter().map(|entry| entry.name).collect()
}

/// Name of every mode and one line about it.
pub fn summaries() -> Vec<(&'static str, &'static str)> {
    MODES.iter().map(|entry| (entry.name, entry.summary)).collect()
}

fn find(name: &str) -> Result<&'static Entry, Error> {
    MODES.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let known = names();
        Error::UnknownName {
            what: "mode",
            found: name.to_owned(),
            nearest: crate::system::nearest(name, &known).map(ToOwned::to_owned),
            known: known.join(", "),
        }
    })
}

/// Checks that a system has the tiers that a mode needs.
///
/// # Errors
/// - [`Error::UnknownName`] with the nearest name.
/// - [`Error::Unsupported`] if the system lacks a tier that the mode needs.
pub(crate) fn check_tiers(name: &str, system: &System) -> Result<(), Error> {
    let entry = find(name)?;
    entry.needs.iter().try_for_each(|tier| need_tier(system, name, tier).map(drop))
}

/// Positions of the tiers that a mode uses on a system.
///
/// # Errors
/// - [`Error::UnknownName`] with the nearest name.
/// - [`Error::Unsupported`] if the system lacks one of them.
pub fn used_tiers(name: &str, system: &System) -> Result<Vec<usize>, Error> {
    find(name)?.needs.iter().map(|tier| need_tier(system, name, tier)).collect()
}

/// Builds a mode for a system.
///
/// # Errors
/// - [`Error::UnknownName`] with the nearest name.
/// - [`Error::Unsupported`] if the system lacks a tier that the mode needs.
pub fn build(
    name: &str,
    system: &System,
    layout: &Layout,
    settings: &ModeSettings,
) -> Result<Box<dyn Mode>, Error> {
    (find(name)?.build)(system, layout, settings)
}

/// Position of the tier that a mode needs, [`DRAM`] or [`FAR`].
fn need_tier(system: &System, mode: &str, wanted: &str) -> Result<usize, Error> {
    let is_wanted = |name: &str| (name == DRAM) == (wanted == DRAM);
    let found = system.tiers.iter().position(|tier| is_wanted(&tier.name));
    found.ok_or_else(|| Error::Unsupported {
        system: system.name.clone(),
        what: format!("mode {mode}"),
        found: system.tiers.iter().map(|tier| tier.name.as_str()).collect::<Vec<_>>().join(", "),
        need: format!("a tier {wanted}"),
    })
}

/// The tier of DRAM.
fn need_dram(system: &System, mode: &str) -> Result<usize, Error> {
    need_tier(system, mode, DRAM)
}

/// The first tier that is not DRAM.
fn need_far(system: &System, mode: &str) -> Result<usize, Error> {
    need_tier(system, mode, FAR)
}

#[cfg(test)]
mod tests;
