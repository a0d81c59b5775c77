//! What stream fidelity measured, in the form that line fidelity gives.

use hetier_traces::{Class, Facts, Trace};

use super::behaviour::Load;
use super::behaviour::micro::QUANTILES;
use super::engine::Engine;
use super::memory::near::PAGE_LINES;
use crate::Picoseconds;
use crate::machine::Histogram;
use crate::replay::engine::Spent;
use crate::replay::report::{self, Measured, Media, Run};
use crate::result::{CacheResult, DirectionRates, Latency, NearMemory, RunResult};

/// The whole result.
pub(super) fn result(run: Run<'_>, facts: &Facts, engine: &Engine<'_>, near_bytes: u64) -> RunResult {
    let (trace, spent) = (run.trace, spent(engine));
    report::result(
        run,
        Measured {
            accesses: engine.accesses,
            near: near(engine, near_bytes),
            traffic: &engine.memory.traffic,
            media: media(engine),
            peak_by_facts: facts.peak_footprint_bytes,
            peak_live: engine.heap.peak.total,
            peak_resident: engine.heap.peak.resident,
            footprint: engine.footprint.series(),
            cpu_use: engine.cpu_use.series(),
            caches: caches(engine),
            latency: latency(engine),
            names: &engine.names,
            spent: &spent,
            class_accesses: class_accesses(trace, engine),
            class_stalls: engine.class_stalls,
            overhead: report::overhead(&engine.charges, multiplies(engine), engine.heap.ciphertexts),
            sampled_share: sampled_share(engine),
            sampling_error_seconds: Some(engine.sampling.error_seconds()),
        },
    )
}

/// Share of the calls that was simulated: of none, all.
fn sampled_share(engine: &Engine<'_>) -> f64 {
    match engine.calls + engine.sampling.skipped {
        0 => 1.0,
        calls => engine.calls as f64 / calls as f64,
    }
}

/// Calls of multiply-accumulates.
fn multiplies(engine: &Engine<'_>) -> u64 {
    let charged = engine.tallies.iter().enumerate().filter(|(callee, _)| engine.charges.is_multiply(*callee));
    charged.map(|(_, tally)| tally.calls).sum()
}

/// Near memory's counts so far.
pub(super) fn near(engine: &Engine<'_>, bytes: u64) -> Option<NearMemory> {
    let checks = engine.memory.near()?.checks;
    Some(NearMemory::new(checks.lines, checks.reads, bytes))
}

/// What the cells of each tier do for its traffic, by short runs of the line model.
fn media(engine: &Engine<'_>) -> Vec<Media> {
    let of_tier = |(tier, server): (usize, &super::memory::servers::Server)| {
        let (total, media) = (engine.memory.traffic.total(tier), server.behaviour().media);
        let [reads, writes] = [total.read_bytes as f64, total.write_bytes as f64];
        let rate = |bytes: f64, rate: f64| (bytes > 0.0).then_some(rate);
        Media {
            read_bytes: (reads * media[0].read + writes * media[1].read).round() as u64,
            write_bytes: (reads * media[0].write + writes * media[1].write).round() as u64,
            buffer_hit_rate: DirectionRates {
                read: rate(reads, media[0].hit_rate),
                write: rate(writes, media[1].hit_rate),
            },
        }
    };
    engine.memory.servers().iter().step_by(engine.memory.sockets()).enumerate().map(of_tier).collect()
}

/// First-level counts follow from the requests and what went on to the second level.
fn caches(engine: &Engine<'_>) -> CacheResult {
    let mut caches = engine.caches;
    let beyond = (caches.l2.hits + caches.l2.misses).min(engine.accesses);
    caches.l1.hits = engine.accesses - beyond;
    caches.l1.misses = beyond;
    // Lines that another core holds are not prefetched.
    caches.prefetched_lines = (caches.l3.hits + caches.l3.misses) * engine.times.prefetched / PAGE_LINES;
    caches
}

/// Those of lines loaded from memory that a core waits for; the prefetcher fetches the others before.
fn waited(loads: u64, load: Load) -> u64 {
    (u128::from(loads) * u128::from(load.waited_ppm) / 1_000_000) as u64
}

/// Every line that a load fetched as late as lines of its load step were in short runs of the line model, longer by what
/// its request waited in the queue. Lines from another socket count as local ones.
fn latency(engine: &Engine<'_>) -> Option<Latency> {
    let mut histogram = Histogram::default();
    let mut sum_ps = 0_u128;
    for server in engine.memory.servers() {
        for (step, factor, loads) in server.waits.iter() {
            let load = server.behaviour().load(server.read_share(), step, 1.0)[0];
            let lines = waited(loads, load);
            let late = |ps: u64| (ps as f64 * factor).round() as u64;
            sum_ps += u128::from(lines) * u128::from(late(load.latency_ps));
            record(&mut histogram, lines, load.quantiles_ps.map(late));
        }
    }
    let mean = sum_ps as f64 / histogram.count() as f64 / 1e3;
    histogram.summary().map(|latency| Latency { mean, ..latency })
}

/// Parts of the lines between two quantiles, each counted in one bucket.
const PARTS: u64 = 16;

/// Counts so many lines, evenly between the quantiles [`QUANTILES`].
fn record(histogram: &mut Histogram, lines: u64, quantiles_ps: [u64; QUANTILES.len()]) {
    let mut below = 0;
    for (quantile, share) in QUANTILES.into_iter().enumerate().skip(1) {
        let [from, to] = [quantiles_ps[quantile - 1], quantiles_ps[quantile]];
        let until = (lines as f64 * share).round() as u64;
        let first = |part: u64| (until - below) * part / PARTS;
        for part in 0..PARTS {
            let times = first(part + 1) - first(part);
            if times > 0 {
                let middle = from + to.saturating_sub(from) * (2 * part + 1) / (2 * PARTS);
                histogram.record_many(Picoseconds(middle), times);
            }
        }
        below = until;
    }
}

/// What the calls of each primitive took.
fn spent(engine: &Engine<'_>) -> Vec<Spent> {
    let mut spent = vec![Spent::default(); engine.names.len()];
    for (callee, tally) in engine.tallies.iter().enumerate() {
        let (plan, sum) = (&engine.plans[callee], &mut spent[usize::from(engine.name_of[callee])]);
        sum.calls += tally.calls;
        sum.accesses += tally.calls * plan.accesses;
        sum.compute += (u128::from(tally.calls) * u128::from(plan.compute_fs) / 1000) as u64;
        sum.total += tally.total_ps;
        sum.stalls.iter_mut().zip(tally.stalls).for_each(|(sum, stall)| *sum += stall);
    }
    spent
}

fn class_accesses(trace: &Trace, engine: &Engine<'_>) -> [u64; Class::ALL.len()] {
    let mut accesses = [0; Class::ALL.len()];
    for ((called, plan), tally) in trace.macros.iter().zip(&engine.plans).zip(&engine.tallies) {
        for lane in plan.sweeps.iter().flat_map(|sweep| &sweep.lanes) {
            if let Some(parameter) = called.parameters.get(usize::from(lane.operand)) {
                accesses[parameter.class as usize] += tally.calls * lane.accesses;
            }
        }
    }
    accesses
}
