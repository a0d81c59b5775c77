//! Overwriting a small region: blocks of 256 bytes, each stored and fenced, in ascending order round and round.

use hetier_traces::LINE_BYTES;
use serde::{Deserialize, Serialize};

use super::engine::{Channels, Engine};
use super::memory::{Memory, Scope, find_tier};
use super::options::{Mix, Operation};
use super::program::Program;
use super::tail::{LatencyTail, Tail};
use super::thread::{FENCE, Thread};
use super::walk::Walk;
use super::{SCHEMA, check_region, issue_time, refused, whole_blocks};
use crate::device::literal::DeviceConfig;
use crate::machine::Steady;
use crate::{Error, Picoseconds, System};

/// Lines of a block.
const BLOCK_LINES: u64 = 4;
/// Blocks overwritten: some fourteen wear-levelling moves of one DIMM.
const BLOCKS: u64 = 200_000;
/// An overwrite this long is a stall: far above what any queue costs, and a fifth of a wear-levelling move.
const STALL: Picoseconds = Picoseconds(10_000_000);

/// What to measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HotspotProbe {
    /// Name of the tier.
    pub tier: String,
    /// Bytes overwritten, a multiple of 256.
    pub region_bytes: u64,
    /// Channels used; all if not given.
    pub dimms: Option<usize>,
}

impl HotspotProbe {
    /// Checks the options against the system, without measuring.
    ///
    /// # Errors
    /// - As [`hotspot`].
    pub fn check(&self, system: &System) -> Result<(), Error> {
        lay_out(system, self).map(drop)
    }
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HotspotReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the system.
    pub system: String,
    /// What was asked for.
    pub probe: HotspotProbe,
    /// Mean time of one 64-byte line.
    pub ns_per_access: f64,
    /// Percentiles of overwriting one block of 256 bytes, the fence included.
    pub latency_ns: LatencyTail,
    /// Overwrites longer than 10 µs.
    pub stalls: u64,
    /// Bytes written between two of them, if there were two.
    pub bytes_between_stalls: Option<f64>,
}

/// Measures the tail of overwriting. Deterministic; costs under a second of host time.
///
/// # Errors
/// - [`Error::Value`] for options that do not fit the system, or a tier without wear.
/// - Those of loading the tier's device.
pub fn hotspot(system: &System, probe: &HotspotProbe) -> Result<HotspotReport, Error> {
    let (memory, blocks) = lay_out(system, probe)?;
    let mut engine = build(system, memory, blocks);
    let tail = run(&mut engine);
    Ok(report(system, probe, &tail))
}

/// The memory that is overwritten, and the blocks of it.
fn lay_out(system: &System, probe: &HotspotProbe) -> Result<(Memory, u64), Error> {
    let device = &find_tier(system, &probe.tier)?.device;
    if !matches!(DeviceConfig::load(device)?, DeviceConfig::Pmem(_)) {
        let need =
            format!("a tier of persistent memory ({device} does not wear, so that nothing moves and stalls)");
        return Err(refused(system, "--tier", &probe.tier, need));
    }
    let blocks = whole_blocks("--region", probe.region_bytes, BLOCK_LINES * LINE_BYTES)?;
    let scope = Scope {
        tier: &probe.tier,
        sockets: 1,
        dimms: probe.dimms,
        is_remote: false,
        has_home_thread: false,
        power_w: None,
        draw: None,
    };
    let memory = Memory::new(system, scope)?;
    check_region(system, probe.region_bytes, &memory)?;
    Ok((memory, blocks))
}

fn build(system: &System, memory: Memory, blocks: u64) -> Engine {
    let channels = Channels { first: 0, count: memory.dimms(), is_home: false };
    let walk = Walk::Ascending { origin: 0, count: blocks, next: 0 };
    let mut program = Program::new(walk, BLOCK_LINES, Operation::Ntstore, Mix::WRITES);
    program.fence_lines = BLOCK_LINES;
    program.gap = issue_time(system);
    Engine::new(memory, vec![(Thread::new(system, program, false, 1, 0), channels)], Steady::Apart)
}

/// What overwriting took, and where it stalled.
struct Overwrites {
    tail: Tail,
    stalls: Vec<u64>,
}

fn run(engine: &mut Engine) -> Overwrites {
    let mut overwrites = Overwrites { tail: Tail::new(), stalls: Vec::new() };
    let (mut lines, mut begin, mut end) = (0, Picoseconds::ZERO, Picoseconds::ZERO);
    let mut is_running = true;
    while is_running && lines < BLOCKS * BLOCK_LINES {
        is_running = engine.window(|done| {
            if lines % BLOCK_LINES == 0 {
                begin = done.at - done.latency;
            }
            begin = begin.min(done.at - done.latency);
            end = end.max(done.at);
            lines += 1;
            if lines % BLOCK_LINES == 0 {
                overwrites.add(end - begin + FENCE);
            }
        });
    }
    overwrites
}

impl Overwrites {
    fn add(&mut self, time: Picoseconds) {
        if time >= STALL {
            self.stalls.push(self.tail.count());
        }
        self.tail.add(time);
    }
}

fn report(system: &System, probe: &HotspotProbe, overwrites: &Overwrites) -> HotspotReport {
    let latency_ns = overwrites.tail.report();
    let stalls = &overwrites.stalls;
    let between = match (stalls.first(), stalls.last()) {
        (Some(first), Some(last)) if first < last => {
            Some((last - first) as f64 * (BLOCK_LINES * 64) as f64 / (stalls.len() - 1) as f64)
        }
        _ => None,
    };
    HotspotReport {
        schema: SCHEMA.to_owned(),
        system: system.name.clone(),
        probe: probe.clone(),
        ns_per_access: latency_ns.mean / BLOCK_LINES as f64,
        latency_ns,
        stalls: stalls.len() as u64,
        bytes_between_stalls: between,
    }
}
