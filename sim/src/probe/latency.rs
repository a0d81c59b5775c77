//! Latency of one access at a time.
//!
//! Loads depend on one another: the next begins when the last is done. Stores cannot, so they are measured in two
//! ways, both of which are reported. `fenced_ns_per_access`, and with its percentiles `latency_ns`, is one store and a
//! fence on an idle machine (`LATTester`'s idle latency, machine M1 of the calibration). `sustained_ns_per_access` is the
//! time of a line back to back without fences, which shows the capacities of the queues (LENS's store curve, machine
//! M2). `ns_per_access` is the one that the published benchmark of that pattern shows: sustained for non-temporal stores
//! in the patterns `chase` and `random`, fenced for `sequential` and for clwb, whose lines are in the cache.

use serde::{Deserialize, Serialize};

use super::engine::{Channels, Engine};
use super::memory::{Memory, Scope};
use super::options::{Mix, Operation, Pattern};
use super::program::{Duty, Program};
use super::tail::{LatencyTail, Tail};
use super::thread::{FENCE, Thread};
use super::walk::{Draw, Permutation, Walk};
use super::{SCHEMA, check_region, issue_time, whole_blocks, whole_lines};
use crate::size::Size;
use crate::{Error, Picoseconds, System};

/// Lines before the measurement: one pass over regions up to 64 MiB, otherwise this many, which is more than four
/// times the pages that the translation buffer of a DIMM holds.
const MOST_WARM_LINES: u64 = 1 << 20;
/// Least of them.
const LEAST_WARM_LINES: u64 = 1 << 12;
/// Lines measured: twenty beyond the last percentile.
const MEASURED_LINES: u64 = 200_000;
/// Fenced stores measured; they repeat one another.
const FENCED_LINES: u64 = 20_000;
/// Rest after a fence: no queue of any device holds work for longer at this rate.
const PAUSE: Picoseconds = Picoseconds(1_000_000);
/// Period of the background writer's duty; ten times what an idle DIMM needs to drain its queues.
const DUTY_PERIOD: Picoseconds = Picoseconds(100_000_000);
/// Block of the background writer, the media line of PMem.
const WRITER_LINES: u64 = 4;

/// What to measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyProbe {
    /// Name of the tier.
    pub tier: String,
    /// How the region is walked.
    pub pattern: Pattern,
    /// Bytes walked over.
    pub region_bytes: u64,
    /// Bytes of a block, a multiple of 64; ascending inside.
    pub block_bytes: u64,
    /// Load, ntstore or clwb.
    pub operation: Operation,
    /// Channels used; all if not given.
    pub dimms: Option<usize>,
    /// Whether the memory is that of the other socket.
    pub is_remote: bool,
    /// Share of time, in percent, in which a core of the memory's own socket writes random 256-byte blocks without
    /// fences.
    pub writer_duty_percent: f64,
}

impl LatencyProbe {
    /// A pointer chase of 64-byte blocks over 1 GiB of a tier, as a base for other probes.
    pub fn new(tier: &str) -> Self {
        Self {
            tier: tier.to_owned(),
            pattern: Pattern::Chase,
            region_bytes: 1 << 30,
            block_bytes: 64,
            operation: Operation::Load,
            dimms: None,
            is_remote: false,
            writer_duty_percent: 0.0,
        }
    }

    /// Checks the options against each other and the system, without measuring.
    ///
    /// # Errors
    /// - As [`latency`].
    pub fn check(&self, system: &System) -> Result<(), Error> {
        lay_out(system, self).map(drop)
    }

    const fn is_sustained(&self) -> bool {
        matches!((self.operation, self.pattern), (Operation::Ntstore, Pattern::Chase | Pattern::Random))
    }
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the system.
    pub system: String,
    /// What was asked for.
    pub probe: LatencyProbe,
    /// Time of one 64-byte access: of loads, or that of the two below which the pattern's benchmark shows.
    pub ns_per_access: f64,
    /// Time of one store and a fence on an idle machine; none for loads.
    pub fenced_ns_per_access: Option<f64>,
    /// Time of one store back to back with others, without fences; none for loads.
    pub sustained_ns_per_access: Option<f64>,
    /// Percentiles of single accesses.
    pub latency_ns: LatencyTail,
}

/// Measures latency. Deterministic; costs under a second of host time.
///
/// # Errors
/// - [`Error::Value`] for options that do not fit each other or the system.
/// - Those of loading the tier's device.
pub fn latency(system: &System, probe: &LatencyProbe) -> Result<LatencyReport, Error> {
    let report = LatencyReport {
        schema: SCHEMA.to_owned(),
        system: system.name.clone(),
        probe: probe.clone(),
        ns_per_access: 0.0,
        fenced_ns_per_access: None,
        sustained_ns_per_access: None,
        latency_ns: LatencyTail::default(),
    };
    if probe.operation == Operation::Load {
        let tail = measure(system, probe, MEASURED_LINES, |program| program.gap = Picoseconds::ZERO)?.0;
        return Ok(LatencyReport { ns_per_access: tail.mean, latency_ns: tail, ..report });
    }
    let (mut tail, _) = measure(system, probe, FENCED_LINES, fence)?;
    add_fence(&mut tail);
    let (_, sustained) = measure(system, probe, MEASURED_LINES, |_| ())?;
    Ok(LatencyReport {
        ns_per_access: if probe.is_sustained() { sustained } else { tail.mean },
        fenced_ns_per_access: Some(tail.mean),
        sustained_ns_per_access: Some(sustained),
        latency_ns: tail,
        ..report
    })
}

fn check(probe: &LatencyProbe) -> Result<(), Error> {
    whole_lines("--block", probe.block_bytes)?;
    whole_lines("--region", probe.region_bytes)?;
    if probe.region_bytes < probe.block_bytes {
        let need = format!("at most --region, {}", Size(probe.region_bytes));
        return Err(Error::value("probe", "--block", Size(probe.block_bytes), need));
    }
    whole_blocks("--region", probe.region_bytes, probe.block_bytes)?;
    if probe.operation == Operation::Store {
        return Err(Error::value(
            "probe",
            "--op",
            "store",
            "load, ntstore or clwb (a cached store has no latency)",
        ));
    }
    if !(0.0..=100.0).contains(&probe.writer_duty_percent) {
        return Err(Error::value("probe", "--writer-duty", probe.writer_duty_percent, "0 to 100 percent"));
    }
    Ok(())
}

/// The memory that the probe uses.
fn lay_out(system: &System, probe: &LatencyProbe) -> Result<Memory, Error> {
    check(probe)?;
    let scope = Scope {
        tier: &probe.tier,
        sockets: 1,
        dimms: probe.dimms,
        is_remote: probe.is_remote,
        has_home_thread: probe.writer_duty_percent > 0.0,
        power_w: None,
        draw: None,
    };
    let memory = Memory::new(system, scope)?;
    check_region(system, probe.region_bytes, &memory)?;
    Ok(memory)
}

/// One store, a fence, and a rest.
fn fence(program: &mut Program) {
    program.fence_lines = 1;
    program.pause = PAUSE;
    program.is_cached = true;
}

fn add_fence(tail: &mut LatencyTail) {
    let LatencyTail { mean, p50, p99, p999, p9999, p99999, max } = tail;
    for value in [mean, p50, p99, p999, p9999, p99999, max] {
        *value += FENCE.as_ns();
    }
}

/// Runs the probe's thread, changed by `adapt`; returns its latencies and the time of a line.
fn measure(
    system: &System,
    probe: &LatencyProbe,
    lines: u64,
    adapt: impl FnOnce(&mut Program),
) -> Result<(LatencyTail, f64), Error> {
    let memory = lay_out(system, probe)?;
    let mut program = program(system, probe);
    adapt(&mut program);
    let warm = (probe.region_bytes / 64).clamp(LEAST_WARM_LINES, MOST_WARM_LINES);
    let is_paused = program.pause > Picoseconds::ZERO;
    let warm = if is_paused { LEAST_WARM_LINES } else { warm };
    let mut engine = build(system, probe, memory, program);
    run(&mut engine, warm);
    Ok(run(&mut engine, lines))
}

fn build(system: &System, probe: &LatencyProbe, memory: Memory, program: Program) -> Engine {
    let channels = Channels { first: 0, count: memory.dimms(), is_home: false };
    let is_load = probe.operation == Operation::Load;
    let thread = Thread::new(system, program, false, 1, 0);
    let mut threads = vec![(if is_load { thread.dependent() } else { thread }, channels)];
    if probe.writer_duty_percent > 0.0 {
        threads.push((
            Thread::new(system, writer(system, probe), false, 1, 1),
            Channels { is_home: true, ..channels },
        ));
    }
    let mix = if is_load { Mix::READS } else { Mix::WRITES };
    Engine::new(memory, threads, mix.on_shared_lines())
}

fn program(system: &System, probe: &LatencyProbe) -> Program {
    let blocks = probe.region_bytes / probe.block_bytes;
    let walk = match probe.pattern {
        Pattern::Chase => Walk::Cycle { permutation: Permutation::new(blocks), next: 0 },
        Pattern::Sequential => Walk::Ascending { origin: 0, count: blocks, next: 0 },
        Pattern::Random => Walk::Drawn { count: blocks, draw: Draw::new(1) },
    };
    let (mix, store) = match probe.operation {
        Operation::Load => (Mix::READS, Operation::Ntstore),
        operation => (Mix::WRITES, operation),
    };
    let mut program = Program::new(walk, probe.block_bytes / 64, store, mix);
    program.gap = issue_time(system);
    program
}

fn writer(system: &System, probe: &LatencyProbe) -> Program {
    let blocks = (probe.region_bytes / 64 / WRITER_LINES).max(1);
    let walk = Walk::Drawn { count: blocks, draw: Draw::new(2) };
    let mut program = Program::new(walk, WRITER_LINES, Operation::Ntstore, Mix::WRITES);
    program.gap = issue_time(system);
    let on = (DUTY_PERIOD.0 as f64 * probe.writer_duty_percent / 100.0).round() as u64;
    program.duty = Some(Duty { on: Picoseconds(on), period: DUTY_PERIOD });
    program
}

/// Runs until thread 0 has done `lines`; returns its latencies and the time of a line.
fn run(engine: &mut Engine, lines: u64) -> (LatencyTail, f64) {
    let mut tail = Tail::new();
    let mut first = None;
    let mut last = Picoseconds::ZERO;
    let mut is_running = true;
    while is_running && tail.count() < lines {
        is_running = engine.window(|done| {
            if done.thread == 0 {
                first.get_or_insert(done.at);
                last = last.max(done.at);
                tail.add(done.latency);
            }
        });
    }
    let span = last.saturating_sub(first.unwrap_or(last));
    (tail.report(), span.as_ns() / tail.count().saturating_sub(1).max(1) as f64)
}
