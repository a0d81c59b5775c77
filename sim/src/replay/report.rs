//! From counters to a [`RunResult`].

use std::collections::BTreeMap;

use hetier_traces::{Class, PhaseHead, Stage, Trace};

use super::engine::{Engine, Snapshot, Spent};
use super::settings::Resolved;
use crate::Picoseconds;
use crate::core::Source;
use crate::machine::Machine;
use crate::result::{
    BandwidthOverTime, DirectionRates, NearMemory, OverheadResult, PhaseResult, RunResult, SCHEMA, Series,
    Share, TierResult, Traffic,
};
use crate::system::{Charges, System};

/// What a result is made of.
pub(super) struct Parts<'r> {
    /// As the caller gave it.
    pub original: &'r Trace,
    /// With what its process retains.
    pub trace: &'r Trace,
    pub system: &'r System,
    pub settings: &'r Resolved,
    pub engine: &'r Engine,
    pub machine: &'r Machine,
    pub phases: Vec<PhaseResult>,
}

const fn seconds(ps: u64) -> f64 {
    ps as f64 / 1e12
}

/// Names of the sources of stalls that are not tiers.
const OTHER_SOURCES: [(Source, &str); 5] = [
    (Source::CACHE, "cache"),
    (Source::FAULT, "fault"),
    (Source::OVERHEAD, "overhead"),
    (Source::TRANSLATION, "translation"),
    (Source::IDLE, "idle"),
];

pub(crate) fn stall_seconds(stalls: &[u64; Source::COUNT], system: &System) -> BTreeMap<String, f64> {
    let tiers = system.tiers.iter().enumerate().map(|(tier, spec)| (Source::tier(tier), spec.name.as_str()));
    let named = tiers.chain(OTHER_SOURCES);
    named.map(|(source, name)| (name.to_owned(), seconds(stalls[usize::from(source.0)]))).collect()
}

fn near_rate(before: Option<NearMemory>, after: Option<NearMemory>) -> Option<f64> {
    let after = after?;
    let before = before.unwrap_or_default();
    let hits = after.hits - before.hits;
    let misses = after.misses_clean + after.misses_dirty - before.misses_clean - before.misses_dirty;
    (hits + misses > 0).then(|| hits as f64 / (hits + misses) as f64)
}

/// Loads by tier: in Memory Mode what hit and what missed, otherwise what was read.
fn loads(
    tiers: &BTreeMap<String, Traffic>,
    before: Option<NearMemory>,
    after: Option<NearMemory>,
) -> BTreeMap<String, u64> {
    let before = before.unwrap_or_default();
    let of = |(name, traffic): (&String, &Traffic)| {
        let lines = match after {
            Some(after) if name == "dram" => after.read_hits - before.read_hits,
            Some(after) if traffic.read_bytes > 0 => after.read_misses - before.read_misses,
            _ => traffic.read_bytes / hetier_traces::LINE_BYTES,
        };
        (name.clone(), lines)
    };
    tiers.iter().map(of).collect()
}

/// The result of one phase, from the counters around it.
pub(crate) fn phase(
    head: &PhaseHead,
    start: Picoseconds,
    end: Picoseconds,
    before: &Snapshot,
    after: &Snapshot,
    system: &System,
) -> PhaseResult {
    let mut stalls = after.stalls;
    for (stall, before) in stalls.iter_mut().zip(before.stalls) {
        *stall -= before;
    }
    let tiers = system.tiers.iter().zip(before.traffic.iter().zip(&after.traffic));
    let tiers = tiers.map(|(tier, (before, after))| {
        let traffic = Traffic {
            read_bytes: after.read_bytes - before.read_bytes,
            write_bytes: after.write_bytes - before.write_bytes,
        };
        (tier.name.clone(), traffic)
    });
    let tiers = tiers.collect();
    PhaseResult {
        name: head.name.clone(),
        operation: head.operation.clone(),
        stage: head.stage,
        start_seconds: start.as_seconds(),
        seconds: (end - start).as_seconds(),
        compute_seconds: seconds(after.compute - before.compute),
        stall_seconds: stall_seconds(&stalls, system),
        loads: loads(&tiers, before.near, after.near),
        tiers,
        accesses: after.accesses - before.accesses,
        near_memory_hit_rate: near_rate(before.near, after.near),
    }
}

/// The whole result.
pub(super) fn result(parts: Parts<'_>) -> RunResult {
    let Parts { original, trace, system, settings, engine, machine, phases } = parts;
    let near_memory = machine.memory.mode().near_memory();
    let facts = &trace.header.facts;
    let (inference, whole) = times(&phases);
    RunResult {
        schema: SCHEMA.to_owned(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        trace_hash: hetier_traces::content_hash(original).to_string(),
        network: facts.get("network").cloned(),
        mode: settings.mode.clone(),
        system: system.name.clone(),
        system_hash: system.hash.clone(),
        fidelity: "line".to_owned(),
        threads: settings.threads as u32,
        seed: settings.seed,
        placement: settings.placement.clone(),
        settings: settings.echo(),
        simulated_seconds: inference,
        whole_run_seconds: whole,
        images: facts.get("images").and_then(|images| images.parse().ok()),
        accesses: engine.accesses,
        near_memory,
        near_memory_hit_rate: near_memory.map(|near| near.hit_rate),
        peak_footprint_bytes: engine.objects.footprint.peak_resident(),
        peak_live_bytes: engine.objects.footprint.peak_live(),
        devices: devices(system, settings, engine, machine),
        caches: *machine.caches.counters(),
        read_latency_ns: machine.memory.latency().summary(),
        by_operation: by_operation(&phases, near_memory.is_some()),
        by_primitive: by_primitive(system, engine, machine),
        by_class: by_class(trace, system, engine, machine),
        bandwidth_over_time: bandwidth(system, machine),
        footprint_over_time: engine.objects.footprint.series(),
        cpu_use_over_time: Some(engine.cpu_use.series()),
        overhead: overhead(&engine.charges, engine.multiplies, engine.objects.ciphertexts()),
        phases,
        sampled_share: Some(1.0),
        sampling_error_seconds: None,
        seeds: None,
        spread: None,
    }
}

/// What the calibrated constants charged; `None` where they are not for this trace.
pub(crate) fn overhead(charges: &Charges, multiplies: u64, ciphertexts: u64) -> Option<OverheadResult> {
    charges.applies.then(|| OverheadResult {
        multiply_accumulates: multiplies,
        ciphertexts_written: ciphertexts,
        thread_seconds: charges.threads(multiplies).as_seconds(),
        serial_seconds: charges.serial(ciphertexts).as_seconds(),
        retained_bytes: charges.retained(ciphertexts),
    })
}

/// Seconds of the inference and of the whole run.
pub(crate) fn times(phases: &[PhaseResult]) -> (f64, f64) {
    let server = phases.iter().filter(|phase| phase.stage == Stage::Server).map(|phase| phase.seconds);
    (server.sum(), phases.iter().map(|phase| phase.seconds).sum())
}

fn devices(
    system: &System,
    settings: &Resolved,
    engine: &Engine,
    machine: &Machine,
) -> BTreeMap<String, TierResult> {
    let traffic = machine.memory.traffic();
    let bins = traffic.bin_count();
    let width = traffic.bin_width().as_seconds();
    let tier_result = |(tier, spec): (usize, &crate::system::TierSpec)| {
        let counters = machine.memory.counters(tier);
        let peak =
            (0..bins).map(|bin| traffic.in_bin(tier, bin)).map(|bin| bin.read_bytes + bin.write_bytes).max();
        let rate = |hits: u64, bytes: u64| {
            let requests = bytes / hetier_traces::LINE_BYTES;
            (requests > 0).then(|| hits as f64 / requests as f64)
        };
        let total = traffic.total(tier);
        let result = TierResult {
            read_bytes: total.read_bytes,
            write_bytes: total.write_bytes,
            media_read_bytes: counters.media_read_bytes,
            media_write_bytes: counters.media_write_bytes,
            buffer_hit_rate: DirectionRates {
                read: rate(counters.buffer_hits_read, counters.read_bytes),
                write: rate(counters.buffer_hits_write, counters.write_bytes),
            },
            peak_gb_per_s: peak.unwrap_or(0) as f64 / width / 1e9,
            capacity_bytes: capacity(system, settings, engine, machine, tier),
        };
        (spec.name.clone(), result)
    };
    system.tiers.iter().enumerate().map(tier_result).collect()
}

/// Bytes of a tier in this run: what near memory or the process may use of it.
fn capacity(system: &System, settings: &Resolved, engine: &Engine, machine: &Machine, tier: usize) -> u64 {
    let name = &system.tiers[tier].name;
    let peak = engine.objects.footprint.peak_resident();
    match machine.memory.mode().near_memory() {
        Some(near) if name == "dram" => near.capacity_bytes,
        _ if name == "dram" => settings.dram.bytes(engine.peak_live, system.tier_bytes(name)).unwrap_or(peak),
        _ => system.tier_bytes(name),
    }
}

pub(crate) fn by_operation(phases: &[PhaseResult], has_near: bool) -> BTreeMap<String, Share> {
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    let mut hits: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for phase in phases {
        let share = shares.entry(phase.operation.clone()).or_default();
        share.count += 1;
        share.accesses += phase.accesses;
        *share.simulated_seconds.get_or_insert(0.0) += phase.seconds;
        *share.compute_seconds.get_or_insert(0.0) += phase.compute_seconds;
        for (source, stalled) in &phase.stall_seconds {
            *share.stall_seconds.entry(source.clone()).or_default() += stalled;
        }
        for (tier, traffic) in &phase.tiers {
            share.add_traffic(tier, *traffic);
        }
        for (tier, lines) in &phase.loads {
            *share.loads.entry(tier.clone()).or_default() += lines;
        }
        if let Some(rate) = phase.near_memory_hit_rate {
            // Every request of Memory Mode reads DRAM once, so DRAM reads weigh the phases.
            let requests = phase.tiers.get("dram").map_or(0.0, |dram| dram.read_bytes as f64);
            let sum = hits.entry(&phase.operation).or_default();
            *sum = (sum.0 + rate * requests, sum.1 + requests);
        }
    }
    for (operation, (hit, requests)) in hits.into_iter().filter(|(_, sum)| has_near && sum.1 > 0.0) {
        if let Some(share) = shares.get_mut(operation) {
            share.near_memory_hit_rate = Some(hit / requests);
        }
    }
    shares
}

fn by_primitive(system: &System, engine: &Engine, machine: &Machine) -> BTreeMap<String, Share> {
    let mut shares = BTreeMap::new();
    for (number, (name, spent)) in engine.names.iter().zip(&engine.spent).enumerate() {
        let mut share = spent_share(spent, system);
        for (tier, spec) in system.tiers.iter().enumerate() {
            share.add_traffic(&spec.name, machine.memory.traffic().of_primitive(tier, number as u16));
        }
        if spent.calls > 0 && !name.is_empty() {
            shares.insert(name.clone(), share);
        }
    }
    shares
}

pub(crate) fn spent_share(spent: &Spent, system: &System) -> Share {
    Share {
        count: spent.calls,
        simulated_seconds: Some(seconds(spent.total)),
        compute_seconds: Some(seconds(spent.compute)),
        stall_seconds: stall_seconds(&spent.stalls, system),
        accesses: spent.accesses,
        ..Share::default()
    }
}

fn by_class(trace: &Trace, system: &System, engine: &Engine, machine: &Machine) -> BTreeMap<String, Share> {
    let mut shares = BTreeMap::new();
    for (position, class) in Class::ALL.into_iter().enumerate() {
        let arrays = trace.definitions.iter().filter(|definition| match definition {
            hetier_traces::Definition::Array(array) => array.class == class,
            hetier_traces::Definition::View(_) => false,
        });
        let mut share = Share {
            count: arrays.count() as u64,
            accesses: engine.class_accesses[position],
            simulated_seconds: Some(seconds(engine.class_stalls[position])),
            ..Share::default()
        };
        for (tier, spec) in system.tiers.iter().enumerate() {
            share.add_traffic(&spec.name, machine.memory.traffic().of_class(tier, position as u8));
        }
        if share.count > 0 {
            shares.insert(class.name().to_owned(), share);
        }
    }
    shares
}

fn bandwidth(system: &System, machine: &Machine) -> BandwidthOverTime {
    let traffic = machine.memory.traffic();
    let bins = traffic.bin_count();
    let series = |tier: usize| Series {
        read_bytes: (0..bins).map(|bin| traffic.in_bin(tier, bin).read_bytes).collect(),
        write_bytes: (0..bins).map(|bin| traffic.in_bin(tier, bin).write_bytes).collect(),
    };
    let tiers = system.tiers.iter().enumerate().map(|(tier, spec)| (spec.name.clone(), series(tier)));
    BandwidthOverTime { bin_seconds: traffic.bin_width().as_seconds(), tiers: tiers.collect() }
}
