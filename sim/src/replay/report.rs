//! From counters to a [`RunResult`], for both fidelities.

use std::collections::BTreeMap;

use hetier_traces::{Class, Definition, PhaseHead, Stage, Trace};

use super::engine::{Engine, Snapshot, Spent};
use super::settings::Resolved;
use crate::Picoseconds;
use crate::core::Source;
use crate::machine::{Machine, TrafficCounters};
use crate::result::{
    BandwidthOverTime, CacheResult, CpuUseOverTime, DirectionRates, FootprintPoint, Latency, NearMemory,
    OverheadResult, PhaseResult, RunResult, SCHEMA, Series, Share, TierResult, Traffic,
};
use crate::system::{Charges, System};

/// What a run was.
pub(crate) struct Run<'r> {
    /// Name of the fidelity.
    pub fidelity: &'static str,
    /// The trace as the caller gave it.
    pub original: &'r Trace,
    /// With what its process retains.
    pub trace: &'r Trace,
    pub system: &'r System,
    pub settings: &'r Resolved,
    pub phases: Vec<PhaseResult>,
}

/// What a fidelity measured of it.
pub(crate) struct Measured<'r> {
    pub accesses: u64,
    pub near: Option<NearMemory>,
    /// Demand at the devices.
    pub traffic: &'r TrafficCounters,
    /// What the cells of each tier did.
    pub media: Vec<Media>,
    /// Most live bytes by the facts of the trace.
    pub peak_by_facts: u64,
    /// Most bytes that were live, and that the process held.
    pub peak_live: u64,
    pub peak_resident: u64,
    pub footprint: Vec<FootprintPoint>,
    pub cpu_use: CpuUseOverTime,
    pub caches: CacheResult,
    pub latency: Option<Latency>,
    /// HE primitives by number, and what each took; without a name is what was outside of calls.
    pub names: &'r [String],
    pub spent: &'r [Spent],
    /// Accesses and stalls, in ps, by class.
    pub class_accesses: [u64; Class::ALL.len()],
    pub class_stalls: [u64; Class::ALL.len()],
    pub overhead: Option<OverheadResult>,
    /// Share of the calls that was simulated, and the standard error of its time.
    pub sampled_share: f64,
    pub sampling_error_seconds: Option<f64>,
}

/// What the cells of a tier moved, and how often a row or buffer served a request.
pub(crate) struct Media {
    pub read_bytes: u64,
    pub write_bytes: u64,
    pub buffer_hit_rate: DirectionRates,
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

fn stall_seconds(stalls: &[u64; Source::COUNT], system: &System) -> BTreeMap<String, f64> {
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
        serial_overhead_seconds: seconds(after.serial_ps - before.serial_ps),
        loads: loads(&tiers, before.near, after.near),
        tiers,
        accesses: after.accesses - before.accesses,
        near_memory_hit_rate: near_rate(before.near, after.near),
    }
}

/// The result of a run at line fidelity.
pub(super) fn of_lines(run: Run<'_>, engine: &Engine, machine: &Machine) -> RunResult {
    let footprint = &engine.objects.footprint;
    result(
        run,
        Measured {
            accesses: engine.accesses,
            near: machine.memory.mode().near_memory(),
            traffic: machine.memory.traffic(),
            media: (0..engine.map.tables.len()).map(|tier| media(machine, tier)).collect(),
            peak_by_facts: engine.peak_live,
            peak_live: footprint.peak_live(),
            peak_resident: footprint.peak_resident(),
            footprint: footprint.series(),
            cpu_use: engine.cpu_use.series(),
            caches: *machine.caches.counters(),
            latency: machine.memory.latency().summary(),
            names: &engine.names,
            spent: &engine.spent,
            class_accesses: engine.class_accesses,
            class_stalls: engine.class_stalls,
            overhead: overhead(&engine.charges, engine.multiplies, engine.objects.ciphertexts()),
            sampled_share: 1.0,
            sampling_error_seconds: None,
        },
    )
}

fn media(machine: &Machine, tier: usize) -> Media {
    let counters = machine.memory.counters(tier);
    let rate = |hits: u64, bytes: u64| {
        let requests = bytes / hetier_traces::LINE_BYTES;
        (requests > 0).then(|| hits as f64 / requests as f64)
    };
    Media {
        read_bytes: counters.media_read_bytes,
        write_bytes: counters.media_write_bytes,
        buffer_hit_rate: DirectionRates {
            read: rate(counters.buffer_hits_read, counters.read_bytes),
            write: rate(counters.buffer_hits_write, counters.write_bytes),
        },
    }
}

/// The whole result.
pub(crate) fn result(run: Run<'_>, measured: Measured<'_>) -> RunResult {
    let Run { fidelity, original, trace, system, settings, phases } = run;
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
        fidelity: fidelity.to_owned(),
        threads: settings.threads as u32,
        seed: settings.seed,
        placement: settings.placement.clone(),
        settings: settings.echo(fidelity),
        simulated_seconds: inference,
        whole_run_seconds: whole,
        images: facts.get("images").and_then(|images| images.parse().ok()),
        devices: devices(system, settings, &measured),
        by_operation: by_operation(&phases, measured.near.is_some()),
        by_primitive: by_primitive(system, &measured),
        by_class: by_class(trace, system, &measured),
        bandwidth_over_time: bandwidth(system, measured.traffic),
        accesses: measured.accesses,
        near_memory: measured.near,
        near_memory_hit_rate: measured.near.map(|near| near.hit_rate),
        peak_footprint_bytes: measured.peak_resident,
        peak_live_bytes: measured.peak_live,
        caches: measured.caches,
        read_latency_ns: measured.latency,
        footprint_over_time: measured.footprint,
        cpu_use_over_time: Some(measured.cpu_use),
        overhead: measured.overhead,
        phases,
        sampled_share: Some(measured.sampled_share),
        sampling_error_seconds: measured.sampling_error_seconds,
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
fn times(phases: &[PhaseResult]) -> (f64, f64) {
    // From 0, because the sum of no floating-point numbers is -0.
    phases.iter().fold((0.0, 0.0), |(inference, whole), phase| {
        let served = if phase.stage == Stage::Server { phase.seconds } else { 0.0 };
        (inference + served, whole + phase.seconds)
    })
}

fn devices(system: &System, settings: &Resolved, measured: &Measured<'_>) -> BTreeMap<String, TierResult> {
    let traffic = measured.traffic;
    let width = traffic.bin_width().as_seconds();
    let tier_result = |((tier, spec), media): ((usize, &crate::system::TierSpec), &Media)| {
        let bins = (0..traffic.bin_count()).map(|bin| traffic.in_bin(tier, bin));
        let peak = bins.map(|bin| bin.read_bytes + bin.write_bytes).max().unwrap_or(0);
        let total = traffic.total(tier);
        let result = TierResult {
            read_bytes: total.read_bytes,
            write_bytes: total.write_bytes,
            media_read_bytes: media.read_bytes,
            media_write_bytes: media.write_bytes,
            buffer_hit_rate: media.buffer_hit_rate,
            peak_gb_per_s: peak as f64 / width / 1e9,
            capacity_bytes: capacity(system, settings, measured, tier),
        };
        (spec.name.clone(), result)
    };
    system.tiers.iter().enumerate().zip(&measured.media).map(tier_result).collect()
}

/// Bytes of a tier in this run: what near memory or the process may use of it.
fn capacity(system: &System, settings: &Resolved, measured: &Measured<'_>, tier: usize) -> u64 {
    let name = &system.tiers[tier].name;
    let installed = system.tier_bytes(name);
    match measured.near {
        _ if name != "dram" => installed,
        Some(near) => near.capacity_bytes,
        None => settings.dram.bytes(measured.peak_by_facts, installed).unwrap_or(measured.peak_resident),
    }
}

fn by_operation(phases: &[PhaseResult], has_near: bool) -> BTreeMap<String, Share> {
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

fn by_primitive(system: &System, measured: &Measured<'_>) -> BTreeMap<String, Share> {
    let mut shares = BTreeMap::new();
    for (number, (name, spent)) in measured.names.iter().zip(measured.spent).enumerate() {
        let mut share = spent_share(spent, system);
        for (tier, spec) in system.tiers.iter().enumerate() {
            share.add_traffic(&spec.name, measured.traffic.of_primitive(tier, number as u16));
        }
        if spent.calls > 0 && !name.is_empty() {
            shares.insert(name.clone(), share);
        }
    }
    shares
}

fn spent_share(spent: &Spent, system: &System) -> Share {
    Share {
        count: spent.calls,
        simulated_seconds: Some(seconds(spent.total)),
        compute_seconds: Some(seconds(spent.compute)),
        stall_seconds: stall_seconds(&spent.stalls, system),
        accesses: spent.accesses,
        ..Share::default()
    }
}

fn by_class(trace: &Trace, system: &System, measured: &Measured<'_>) -> BTreeMap<String, Share> {
    let mut shares = BTreeMap::new();
    for (position, class) in Class::ALL.into_iter().enumerate() {
        let is_of =
            |definition: &&Definition| matches!(definition, Definition::Array(array) if array.class == class);
        let mut share = Share {
            count: trace.definitions.iter().filter(is_of).count() as u64,
            accesses: measured.class_accesses[position],
            simulated_seconds: Some(seconds(measured.class_stalls[position])),
            ..Share::default()
        };
        for (tier, spec) in system.tiers.iter().enumerate() {
            share.add_traffic(&spec.name, measured.traffic.of_class(tier, position as u8));
        }
        if share.count > 0 {
            shares.insert(class.name().to_owned(), share);
        }
    }
    shares
}

fn bandwidth(system: &System, traffic: &TrafficCounters) -> BandwidthOverTime {
    let bins = traffic.bin_count();
    let series = |tier: usize| Series {
        read_bytes: (0..bins).map(|bin| traffic.in_bin(tier, bin).read_bytes).collect(),
        write_bytes: (0..bins).map(|bin| traffic.in_bin(tier, bin).write_bytes).collect(),
    };
    let tiers = system.tiers.iter().enumerate().map(|(tier, spec)| (spec.name.clone(), series(tier)));
    BandwidthOverTime { bin_seconds: traffic.bin_width().as_seconds(), tiers: tiers.collect() }
}
