//! Loaded latency: one thread chases pointers while the other cores ask for more and more bandwidth.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::SCHEMA;
use super::engine::{Channels, Engine};
use super::issue_time;
use super::memory::{Memory, Scope};
use super::options::{Mix, Operation};
use super::program::Program;
use super::tail::Tail;
use super::thread::Thread;
use super::walk::{Draw, Permutation, Walk};
use crate::machine::Steady;
use crate::{Error, Picoseconds, System};

/// Time from one line of a generator to the next, in nanoseconds, in descending order; the last asks for all.
const GAPS_NS: [f64; 14] =
    [4000.0, 1000.0, 500.0, 300.0, 200.0, 140.0, 100.0, 70.0, 50.0, 35.0, 25.0, 18.0, 10.0, 0.0];
/// Region that a generator walks and that the measuring thread chases over: beyond every buffer.
const REGION_LINES: u64 = 1 << 22;
/// Loads of the measuring thread before and in the measurement.
const WARM_LOADS: u64 = 500;
const MEASURED_LOADS: u64 = 3_000;
/// Most lines of all threads in either: loads behind queues that are full everywhere are few, but alike.
const MOST_LINES: u64 = 1_000_000;
/// Loads that are waited for all the same: as many as a 99th percentile needs.
const LEAST_LOADS: u64 = 100;

/// What to measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadedProbe {
    /// Name of the tier.
    pub tier: String,
    /// Loads to non-temporal stores of the generators, which walk upwards.
    pub mix: Mix,
    /// Channels used of each socket; all if not given.
    pub dimms: Option<usize>,
    /// Whether threads use the memory of the other socket.
    pub is_remote: bool,
}

impl LoadedProbe {
    /// Checks the options against the system, without measuring.
    ///
    /// # Errors
    /// - As [`loaded`].
    pub fn check(&self, system: &System) -> Result<(), Error> {
        Memory::new(system, scope(self)).map(drop)
    }
}

/// One point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadedPoint {
    /// Bandwidth of all threads of all sockets together.
    pub gb_per_s: f64,
    /// Mean latency of the measuring thread's loads.
    pub ns_per_access: f64,
    /// 99 % are no longer.
    pub p99_ns: f64,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadedReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the system.
    pub system: String,
    /// What was asked for.
    pub probe: LoadedProbe,
    /// Sockets whose bandwidths each point adds up, every one with its own channels.
    pub sockets: usize,
    /// From an almost idle machine to all that the cores can ask for.
    pub points: Vec<LoadedPoint>,
}

/// Measures the curve with every core of every socket, points on as many host cores as there are; the result does not
/// depend on their number. Prefetch is as in the system file. `progress` is told the share of the points that are done.
///
/// # Errors
/// - [`Error::Value`] for options that do not fit the system.
/// - Those of loading the tier's device.
pub fn loaded(
    system: &System,
    probe: &LoadedProbe,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<LoadedReport, Error> {
    let done = AtomicUsize::new(0);
    let points = GAPS_NS.into_par_iter().map(|gap| {
        let point = point(system, probe, Picoseconds::from_ns(gap));
        progress((done.fetch_add(1, Ordering::Relaxed) + 1) as f64 / GAPS_NS.len() as f64);
        point
    });
    Ok(LoadedReport {
        schema: SCHEMA.to_owned(),
        system: system.name.clone(),
        probe: probe.clone(),
        sockets: system.sockets,
        points: points.collect::<Result<_, _>>()?,
    })
}

/// Sockets do the same, each with its own memory: one is simulated and stands for all. Generators walk upwards, so that
/// no line is both loaded and stored.
fn point(system: &System, probe: &LoadedProbe, gap: Picoseconds) -> Result<LoadedPoint, Error> {
    let memory = Memory::new(system, scope(probe))?;
    let channels = Channels { first: 0, count: memory.dimms(), is_home: false };
    let region = REGION_LINES.min(memory.capacity_lines(memory.dimms()) / system.cores_per_socket as u64);
    let mut threads = vec![(Thread::new(system, chaser(region), false, 1, 0).dependent(), channels)];
    for index in 1..system.cores_per_socket as u64 {
        let program = generator(system, probe, region, index, gap);
        let thread = Thread::new(system, program, system.prefetch.enabled, 1, index);
        threads.push((thread.starting(Picoseconds(index * 100)), channels));
    }
    let mut engine = Engine::new(memory, threads, Steady::Apart);
    measure(&mut engine, WARM_LOADS);
    let mut point = measure(&mut engine, MEASURED_LOADS);
    point.gb_per_s *= system.sockets as f64;
    Ok(point)
}

fn scope(probe: &LoadedProbe) -> Scope<'_> {
    Scope {
        tier: &probe.tier,
        sockets: 1,
        dimms: probe.dimms,
        is_remote: probe.is_remote,
        has_home_thread: false,
        power_w: None,
        draw: None,
    }
}

fn chaser(region: u64) -> Program {
    let walk = Walk::Cycle { permutation: Permutation::new(region), next: 0 };
    Program::new(walk, 1, Operation::Ntstore, Mix::READS)
}

fn generator(system: &System, probe: &LoadedProbe, region: u64, index: u64, gap: Picoseconds) -> Program {
    let next = Draw::new(index).below(region);
    let walk = Walk::Ascending { origin: index * region, count: region, next };
    let mut program = Program::new(walk, 1, Operation::Ntstore, probe.mix);
    program.gap = gap.max(issue_time(system));
    program
}

/// Runs until the measuring thread has done `loads`, or all threads the most lines and it the least loads.
fn measure(engine: &mut Engine, loads: u64) -> LoadedPoint {
    let mut tail = Tail::new();
    let (mut lines, mut first, mut last) = (0, None, Picoseconds::ZERO);
    let mut is_running = true;
    while is_running && tail.count() < loads && (lines < MOST_LINES || tail.count() < LEAST_LOADS) {
        is_running = engine.window(|done| {
            first.get_or_insert(done.at);
            last = last.max(done.at);
            lines += 1;
            if done.thread == 0 {
                tail.add(done.latency);
            }
        });
    }
    let seconds = last.saturating_sub(first.unwrap_or(last)).as_seconds();
    let report = tail.report();
    let bytes = lines as f64 * 64.0;
    LoadedPoint {
        gb_per_s: if seconds > 0.0 { bytes / seconds / 1e9 } else { 0.0 },
        ns_per_access: report.mean,
        p99_ns: report.p99,
    }
}
