//! Micro-benchmarks of a simulated machine, as Intel MLC, a pointer chase or `LATTester` would measure a real one.
//!
//! - [`latency`]: one access at a time, by region, block and pattern.
//! - [`bandwidth`]: threads that keep as much in flight as a core can.
//! - [`loaded`]: latency of one thread while the others ask for more and more bandwidth.
//! - [`hotspot`]: the tail of overwriting a small region of PMem, where wear levelling shows.
//!
//! A probe drives the devices of one tier through the paths and the in-flight limits of the system file. It leaves out
//! caches and translation, which a micro-benchmark takes care to miss and to hit, respectively.
//!
//! Reading order: `program` (what a thread does), `thread` (what a core can have in flight), `memory` (the part of the
//! machine's memory that is used), `engine` (both in a closed loop), then the four probes.

mod bandwidth;
mod draws;
mod engine;
mod hotspot;
mod latency;
mod loaded;
mod memory;
mod options;
mod prefetch;
mod program;
mod tail;
mod thread;
mod walk;

pub use bandwidth::{BandwidthProbe, BandwidthReport, bandwidth};
pub use draws::{DrawRange, DrawSpread};
pub use hotspot::{HotspotProbe, HotspotReport, hotspot};
pub use latency::{LatencyProbe, LatencyReport, latency};
pub use loaded::{LoadedPoint, LoadedProbe, LoadedReport, loaded};
pub use options::{Mix, Operation, Order, Pattern, Pin, parse_size};
pub use tail::LatencyTail;

use hetier_traces::{Arithmetic, LINE_BYTES};

use crate::size::Size;
use crate::{Error, Picoseconds, System};

/// Name and version of the form of every probe's report; a change of meaning changes it.
pub const SCHEMA: &str = "hetier-probe-2";

/// Checks a size in bytes and returns it in lines.
///
/// # Errors
/// - [`Error::Value`] if it is 0 or no multiple of 64.
fn whole_lines(key: &str, bytes: u64) -> Result<u64, Error> {
    if bytes == 0 || !bytes.is_multiple_of(LINE_BYTES) {
        return Err(Error::value("probe", key, bytes, "a multiple of 64 bytes, at least 64"));
    }
    Ok(bytes / LINE_BYTES)
}

/// Checks that a size in bytes is blocks throughout and returns their number.
///
/// # Errors
/// - [`Error::Value`] if it is 0 or no multiple of the block.
fn whole_blocks(key: &str, bytes: u64, block: u64) -> Result<u64, Error> {
    if bytes == 0 || !bytes.is_multiple_of(block) {
        let need = format!("a multiple of the block, {}", Size(block));
        return Err(Error::value("probe", key, Size(bytes), need));
    }
    Ok(bytes / block)
}

/// An option that the system cannot serve, or that does not fit another.
fn refused(system: &System, flag: &str, found: impl ToString, need: impl ToString) -> Error {
    Error::value(&format!("probe on {}", system.name), flag, found, need)
}

/// Refuses a region beyond what the channels in use hold.
fn check_region(system: &System, region_bytes: u64, memory: &memory::Memory) -> Result<(), Error> {
    let channels = memory.dimms();
    let capacity = memory.capacity_lines(channels) * LINE_BYTES;
    if region_bytes <= capacity {
        return Ok(());
    }
    let need = format!("at most {}, what {channels} channels hold", Size(capacity));
    Err(refused(system, "--region", Size(region_bytes), need))
}

/// Time that a core needs to issue one line: a load or store of 64 bytes.
fn issue_time(system: &System) -> Picoseconds {
    Picoseconds(system.arithmetic_fs(Arithmetic::Move, LINE_BYTES / 8) / 1_000)
}

#[cfg(test)]
mod tests;
