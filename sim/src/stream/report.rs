//! From the engine's counters to a [`RunResult`], in the form that line fidelity gives.

use std::collections::BTreeMap;

use hetier_traces::{Class, Definition, Facts, Trace};

use super::behaviour::micro::QUANTILES;
use super::engine::Engine;
use crate::Picoseconds;
use crate::machine::Histogram;
use crate::replay::engine::Spent;
use crate::replay::report;
use crate::replay::settings::Resolved;
use crate::result::{
    BandwidthOverTime, CacheResult, DirectionRates, Latency, NearMemory, PhaseResult, RunResult, SCHEMA,
    Series, Share, TierResult,
};
use crate::system::System;

/// What a result is made of.
pub(super) struct Parts<'r, 'p> {
    /// As the caller gave it.
    pub original: &'r Trace,
    /// With what its process retains.
    pub trace: &'r Trace,
    pub system: &'r System,
    pub settings: &'r Resolved,
    pub facts: &'r Facts,
    pub engine: &'r Engine<'p>,
    pub near_bytes: u64,
    pub phases: Vec<PhaseResult>,
}

/// The whole result.
pub(super) fn result(parts: Parts<'_, '_>) -> RunResult {
    let Parts { original, trace, system, settings, engine, near_bytes, .. } = parts;
    let near_memory = near(engine, near_bytes);
    let facts = &trace.header.facts;
    let (inference, whole) = report::times(&parts.phases);
    let mut echo = settings.echo();
    echo.insert("fidelity".to_owned(), "stream".to_owned());
    RunResult {
        schema: SCHEMA.to_owned(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        trace_hash: hetier_traces::content_hash(original).to_string(),
        network: facts.get("network").cloned(),
        mode: settings.mode.clone(),
        system: system.name.clone(),
        system_hash: system.hash.clone(),
        fidelity: "stream".to_owned(),
        threads: settings.threads as u32,
        seed: settings.seed,
        placement: settings.placement.clone(),
        settings: echo,
        simulated_seconds: inference,
        whole_run_seconds: whole,
        images: facts.get("images").and_then(|images| images.parse().ok()),
        accesses: engine.accesses,
        near_memory,
        near_memory_hit_rate: near_memory.map(|near| near.hit_rate),
        peak_footprint_bytes: engine.heap.peak.resident,
        peak_live_bytes: engine.heap.peak.total,
        devices: devices(&parts),
        caches: caches(engine),
        read_latency_ns: latency(engine),
        by_operation: report::by_operation(&parts.phases, near_memory.is_some()),
        by_primitive: by_primitive(system, engine),
        by_class: by_class(trace, system, engine),
        bandwidth_over_time: bandwidth(system, engine),
        footprint_over_time: engine.footprint.series(),
        cpu_use_over_time: Some(engine.cpu_use.series()),
        overhead: report::overhead(&engine.charges, multiplies(engine), engine.heap.ciphertexts),
        phases: parts.phases,
        sampled_share: Some(sampled_share(engine)),
        sampling_error_seconds: Some(engine.sampling.error_seconds()),
        seeds: None,
        spread: None,
    }
}

/// Share of the calls that was simulated.
fn sampled_share(engine: &Engine<'_>) -> f64 {
    engine.calls as f64 / (engine.calls + engine.sampling.skipped).max(1) as f64
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

fn devices(parts: &Parts<'_, '_>) -> BTreeMap<String, TierResult> {
    let Parts { system, engine, .. } = parts;
    let traffic = &engine.memory.traffic;
    let width = traffic.bin_width().as_seconds();
    let tier_result = |(tier, spec): (usize, &crate::system::TierSpec)| {
        let bins = (0..traffic.bin_count()).map(|bin| traffic.in_bin(tier, bin));
        let peak = bins.map(|bin| bin.read_bytes + bin.write_bytes).max().unwrap_or(0);
        let total = traffic.total(tier);
        let media = engine.memory.servers()[tier * engine.memory.sockets()].behaviour().media;
        let [reads, writes] = [total.read_bytes as f64, total.write_bytes as f64];
        let rate = |bytes: f64, rate: f64| (bytes > 0.0).then_some(rate);
        let result = TierResult {
            read_bytes: total.read_bytes,
            write_bytes: total.write_bytes,
            media_read_bytes: (reads * media[0].read + writes * media[1].read).round() as u64,
            media_write_bytes: (reads * media[0].write + writes * media[1].write).round() as u64,
            buffer_hit_rate: DirectionRates {
                read: rate(reads, media[0].hit_rate),
                write: rate(writes, media[1].hit_rate),
            },
            peak_gb_per_s: peak as f64 / width / 1e9,
            capacity_bytes: capacity(parts, tier),
        };
        (spec.name.clone(), result)
    };
    system.tiers.iter().enumerate().map(tier_result).collect()
}

fn capacity(parts: &Parts<'_, '_>, tier: usize) -> u64 {
    let name = &parts.system.tiers[tier].name;
    let installed = parts.system.tier_bytes(name);
    match parts.engine.memory.near() {
        Some(_) if name == "dram" => parts.near_bytes,
        None if name == "dram" => {
            let dram = parts.settings.dram.bytes(parts.facts.peak_footprint_bytes, installed);
            dram.unwrap_or(parts.engine.heap.peak.resident)
        }
        _ => installed,
    }
}

/// First-level counts follow from the requests and what went on to the second level.
fn caches(engine: &Engine<'_>) -> CacheResult {
    let mut caches = engine.caches;
    let beyond = (caches.l2.hits + caches.l2.misses).min(engine.accesses);
    caches.l1.hits = engine.accesses - beyond;
    caches.l1.misses = beyond;
    caches
}

/// Every line that a load fetched as late as lines of its load step were in short runs of the line model, longer by what
/// its request waited in the queue. Lines from another socket count as local ones.
fn latency(engine: &Engine<'_>) -> Option<Latency> {
    let mut histogram = Histogram::default();
    let mut sum_ps = 0_u128;
    for server in engine.memory.servers() {
        for (step, factor, lines) in server.waits.iter() {
            let load = server.behaviour().load(server.read_share(), step)[0];
            let late = |ps: u64| (ps as f64 * factor).round() as u64;
            sum_ps += u128::from(lines) * u128::from(late(load.latency_ps));
            let mut below = 0;
            for (share, quantile_ps) in QUANTILES.into_iter().zip(load.quantiles_ps) {
                let until = (lines as f64 * share).round() as u64;
                if until > below {
                    histogram.record_many(Picoseconds(late(quantile_ps)), until - below);
                }
                below = until;
            }
        }
    }
    let mean = sum_ps as f64 / histogram.count() as f64 / 1e3;
    histogram.summary().map(|latency| Latency { mean, ..latency })
}

fn by_primitive(system: &System, engine: &Engine<'_>) -> BTreeMap<String, Share> {
    let mut spent = vec![Spent::default(); engine.names.len()];
    for (callee, tally) in engine.tallies.iter().enumerate() {
        let (plan, sum) = (&engine.plans[callee], &mut spent[usize::from(engine.name_of[callee])]);
        sum.calls += tally.calls;
        sum.accesses += tally.calls * plan.accesses;
        sum.compute += (u128::from(tally.calls) * u128::from(plan.compute_fs) / 1000) as u64;
        sum.total += tally.total_ps;
        sum.stalls.iter_mut().zip(tally.stalls).for_each(|(sum, stall)| *sum += stall);
    }
    let mut shares = BTreeMap::new();
    for (number, (name, spent)) in
        engine.names.iter().zip(&spent).enumerate().filter(|(_, (_, spent))| spent.calls > 0)
    {
        let mut share = report::spent_share(spent, system);
        for (tier, spec) in system.tiers.iter().enumerate() {
            share.add_traffic(&spec.name, engine.memory.traffic.of_primitive(tier, number as u16));
        }
        shares.insert(name.clone(), share);
    }
    shares
}

fn by_class(trace: &Trace, system: &System, engine: &Engine<'_>) -> BTreeMap<String, Share> {
    let mut accesses = [0; Class::ALL.len()];
    for ((called, plan), tally) in trace.macros.iter().zip(&engine.plans).zip(&engine.tallies) {
        for lane in plan.sweeps.iter().flat_map(|sweep| &sweep.lanes) {
            if let Some(parameter) = called.parameters.get(usize::from(lane.operand)) {
                accesses[parameter.class as usize] += tally.calls * lane.accesses;
            }
        }
    }
    let mut shares = BTreeMap::new();
    for (position, class) in Class::ALL.into_iter().enumerate() {
        let is_of =
            |definition: &&Definition| matches!(definition, Definition::Array(array) if array.class == class);
        let count = trace.definitions.iter().filter(is_of).count() as u64;
        let stalled = Picoseconds(engine.class_stalls[position]).as_seconds();
        let simulated_seconds = Some(stalled);
        let mut share = Share { count, simulated_seconds, accesses: accesses[position], ..Share::default() };
        for (tier, spec) in system.tiers.iter().enumerate() {
            share.add_traffic(&spec.name, engine.memory.traffic.of_class(tier, position as u8));
        }
        if count > 0 {
            shares.insert(class.name().to_owned(), share);
        }
    }
    shares
}

fn bandwidth(system: &System, engine: &Engine<'_>) -> BandwidthOverTime {
    let traffic = &engine.memory.traffic;
    let bins = traffic.bin_count();
    let series = |tier: usize| Series {
        read_bytes: (0..bins).map(|bin| traffic.in_bin(tier, bin).read_bytes).collect(),
        write_bytes: (0..bins).map(|bin| traffic.in_bin(tier, bin).write_bytes).collect(),
    };
    let tiers = system.tiers.iter().enumerate().map(|(tier, spec)| (spec.name.clone(), series(tier)));
    BandwidthOverTime { bin_seconds: traffic.bin_width().as_seconds(), tiers: tiers.collect() }
}
