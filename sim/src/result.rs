//! The result of one replay: versioned, serialisable, the same bytes for the same input and seed.
//!
//! What does not apply (near memory without Memory Mode, latencies without a miss) is `null`. How long the
//! simulator itself took is deliberately absent: it would make two equal runs differ.

mod spread;

use std::collections::BTreeMap;

pub use hetier_traces::Stage;
use serde::{Deserialize, Serialize};
pub use spread::{Interval, Quantiles, Spread, TierSpread};

/// Name and version of the form of [`RunResult`]; a change of meaning changes it.
pub const SCHEMA: &str = "hetier-run-1";

/// Everything that one replay of one trace on one system found out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program that made it.
    pub program_version: String,
    /// Hash of the trace, hexadecimal.
    pub trace_hash: String,
    /// The network, if the trace names one.
    pub network: Option<String>,
    /// Memory mode, for instance `memory-mode`.
    pub mode: String,
    /// Name of the system.
    pub system: String,
    /// Hash of the resolved system, hexadecimal.
    pub system_hash: String,
    /// `line` or `stream`.
    pub fidelity: String,
    /// Simulated threads.
    pub threads: u32,
    /// Seed of page placement and of everything else drawn at random.
    pub seed: u64,
    /// Name of the placement policy.
    pub placement: String,
    /// Every setting as resolved, by name.
    pub settings: BTreeMap<String, String>,
    /// Seconds of the phases of stage `server`: the inference.
    pub simulated_seconds: f64,
    /// Seconds of all phases, set-up and client included.
    pub whole_run_seconds: f64,
    /// Images of the batch, if the trace says.
    pub images: Option<u64>,
    /// Line requests that entered the first-level caches.
    pub accesses: u64,
    /// What near memory did, in Memory Mode.
    pub near_memory: Option<NearMemory>,
    /// Share of requests that near memory held, in Memory Mode; the same number as in `near_memory`.
    pub near_memory_hit_rate: Option<f64>,
    /// Most bytes that the process ever held, memory kept by its allocator included.
    pub peak_footprint_bytes: u64,
    /// Most bytes of objects alive at one time.
    pub peak_live_bytes: u64,
    /// Traffic by tier: `dram`, `pmem`, `cxl`.
    pub devices: BTreeMap<String, TierResult>,
    /// Hits and misses of the caches.
    pub caches: CacheResult,
    /// Latencies of read misses of the last-level cache, core to data; `null` without a miss.
    pub read_latency_ns: Option<Latency>,
    /// The phases in order.
    pub phases: Vec<PhaseResult>,
    /// Sums over phases of the same graph operation.
    pub by_operation: BTreeMap<String, Share>,
    /// Sums over calls of the same HE primitive; seconds are core seconds.
    pub by_primitive: BTreeMap<String, Share>,
    /// Traffic by class of the object touched; seconds are the core seconds that waited for memory or caches to issue
    /// a request for it, translation and faults left out.
    pub by_class: BTreeMap<String, Share>,
    /// Demand traffic at the devices over simulated time.
    pub bandwidth_over_time: BandwidthOverTime,
    /// Live and resident bytes over simulated time, ascending by time.
    pub footprint_over_time: Vec<FootprintPoint>,
    /// Cores at work over simulated time.
    pub cpu_use_over_time: Option<CpuUseOverTime>,
    /// What the system's calibrated constants added; `null` where they are not for this trace.
    pub overhead: Option<OverheadResult>,
    /// Share of the calls that was simulated, 1 unless sampling was asked for.
    pub sampled_share: Option<f64>,
    /// Standard error of the run's time by the spread between halves of sampled windows, seconds; 0 if all calls were simulated. A
    /// bias that all windows share does not show in it.
    pub sampling_error_seconds: Option<f64>,
    /// Number of seeds behind `spread`; 1 of a run that stands for itself.
    pub seeds: Option<u64>,
    /// Spread over the ensemble of seeds.
    pub spread: Option<Spread>,
}

impl RunResult {
    /// Bytes that the process may hold: near memory is not its own.
    pub fn capacity_bytes(&self) -> u64 {
        let is_own = |tier: &str| self.near_memory.is_none() || tier != "dram";
        self.devices.iter().filter(|(tier, _)| is_own(tier)).map(|(_, tier)| tier.capacity_bytes).sum()
    }

    /// The spread of the ensemble that the run stands for; `None` of a single seed, which has none to show.
    pub fn ensemble(&self) -> Option<&Spread> {
        self.spread.as_ref().filter(|_| self.seeds.is_some_and(|seeds| seeds > 1))
    }

    /// Inference time over that of another run, with its spread: of pairs of the same seed where both have as many, else
    /// of each own seed over the other's median run.
    /// `None` over a run without time.
    pub fn slowdown(&self, base: &Self) -> Option<Quantiles> {
        let seconds = |result: &Self| {
            result.ensemble().map_or_else(
                || vec![result.simulated_seconds],
                |spread| spread.simulated_seconds_by_seed.clone(),
            )
        };
        let (own, mut bases) = (seconds(self), seconds(base));
        if own.len() != bases.len() {
            bases = vec![base.simulated_seconds; own.len()];
        }
        let pairs: Vec<(f64, f64)> = own.into_iter().zip(bases).collect();
        let has_time = pairs.iter().all(|(_, base)| *base > 0.0);
        Quantiles::of(pairs.into_iter().map(|(own, base)| own / base)).filter(|_| has_time)
    }
}

/// Counts of near memory's tag checks, as the hardware counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NearMemory {
    /// Requests whose line was there.
    pub hits: u64,
    /// Requests that replaced an empty or clean line.
    pub misses_clean: u64,
    /// Requests that replaced a dirty line, which went to far memory.
    pub misses_dirty: u64,
    /// Reads among the requests that hit: loads that DRAM served.
    #[serde(default)]
    pub read_hits: u64,
    /// Reads among the requests that missed: loads that far memory served.
    #[serde(default)]
    pub read_misses: u64,
    /// `hits ÷ (hits + misses)`; 0 without requests.
    pub hit_rate: f64,
    /// Bytes of near memory.
    pub capacity_bytes: u64,
}

impl NearMemory {
    /// Counts with their hit rate: requests that hit, missed clean and missed dirty, and reads among those that hit and
    /// that missed.
    pub fn new(requests: [u64; 3], reads: [u64; 2], capacity_bytes: u64) -> Self {
        let [hits, misses_clean, misses_dirty] = requests;
        let [read_hits, read_misses] = reads;
        let all = hits + misses_clean + misses_dirty;
        let hit_rate = if all == 0 { 0.0 } else { hits as f64 / all as f64 };
        Self { hits, misses_clean, misses_dirty, read_hits, read_misses, hit_rate, capacity_bytes }
    }
}

/// What the devices of one tier moved, over the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierResult {
    /// Bytes read at the devices' interface, fills and tag checks included.
    pub read_bytes: u64,
    /// Bytes written at the devices' interface, fills and write-backs included.
    pub write_bytes: u64,
    /// Bytes that the media read (256-byte granule of PMem, read-modify-write included).
    pub media_read_bytes: u64,
    /// Bytes that the media wrote.
    pub media_write_bytes: u64,
    /// Share of requests served by an open row or a buffer of the DIMM.
    pub buffer_hit_rate: DirectionRates,
    /// Highest traffic in any bin of `bandwidth_over_time`, GB/s (10⁹ bytes).
    pub peak_gb_per_s: f64,
    /// Bytes of the tier in this run.
    pub capacity_bytes: u64,
}

/// One rate for each direction; `null` without requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectionRates {
    /// Of reads.
    pub read: Option<f64>,
    /// Of writes.
    pub write: Option<f64>,
}

/// Counters of the caches, over all cores. At stream fidelity an estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheResult {
    /// First level.
    pub l1: Level,
    /// Second level: requests that missed the first.
    pub l2: Level,
    /// Third level: requests that missed the second.
    pub l3: Level,
    /// Lines handed from one core's private caches to another core.
    pub forwarded_lines: u64,
    /// Copies dropped because another core wrote the line.
    pub invalidated_lines: u64,
    /// Lines brought in by the hardware prefetcher.
    pub prefetched_lines: u64,
    /// Page walks: misses of the last translation buffer.
    pub page_walks: u64,
    /// First touches of a page.
    pub page_faults: u64,
}

/// Hits and misses of one cache level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Requests found.
    pub hits: u64,
    /// Requests passed on.
    pub misses: u64,
}

/// Distribution of a latency, nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Number of samples.
    pub count: u64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Longest.
    pub max: f64,
    /// Histogram for distribution curves, ascending, empty buckets left out.
    pub buckets: Vec<Bucket>,
}

/// One bucket of a latency histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Upper edge of the bucket, nanoseconds.
    pub ns: f64,
    /// Samples in it.
    pub count: u64,
}

/// One phase of the trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseResult {
    /// Name of the phase.
    pub name: String,
    /// Graph operation.
    pub operation: String,
    /// Whose time it is: `set-up`, `client` or `server`.
    pub stage: Stage,
    /// Simulated instant of its start.
    pub start_seconds: f64,
    /// How long it took.
    pub seconds: f64,
    /// Core seconds of arithmetic.
    pub compute_seconds: f64,
    /// Core seconds waited, by where the data came from: a tier, `cache`, `fault`, `idle` (barriers, serial parts).
    pub stall_seconds: BTreeMap<String, f64>,
    /// Calibrated overhead that core 0 spent alone, while the others were idle; part of both stalls.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub serial_overhead_seconds: f64,
    /// Demand traffic at the devices of each tier.
    pub tiers: BTreeMap<String, Traffic>,
    /// Line requests that entered the first-level caches.
    pub accesses: u64,
    /// Near-memory hit rate of the phase, in Memory Mode.
    pub near_memory_hit_rate: Option<f64>,
    /// Lines that cores were given by each tier, each load once, as processors count them (`MEM_LOAD_RETIRED`,
    /// `LOCAL_DRAM` and `LOCAL_PMM`), reads for ownership and prefetches included. Tag checks, fills and write-backs of
    /// near memory are traffic, not loads.
    #[serde(default)]
    pub loads: BTreeMap<String, u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

/// Bytes by direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub write_bytes: u64,
}

/// The part of one operation, primitive or class in the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How many: phases of an operation, calls of a primitive, arrays of a class.
    pub count: u64,
    /// Seconds (of a primitive and a class, core seconds); `null` where time has no meaning.
    pub simulated_seconds: Option<f64>,
    /// Core seconds of arithmetic.
    pub compute_seconds: Option<f64>,
    /// Core seconds waited, keyed as in [`PhaseResult::stall_seconds`].
    pub stall_seconds: BTreeMap<String, f64>,
    /// Line requests that entered the first-level caches.
    pub accesses: u64,
    /// Near-memory hit rate, in Memory Mode.
    pub near_memory_hit_rate: Option<f64>,
    /// Of an operation, as [`PhaseResult::loads`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub loads: BTreeMap<String, u64>,
    /// Bytes by tier and direction, as `dram_read_bytes`, `pmem_write_bytes` …
    #[serde(flatten)]
    pub bytes: BTreeMap<String, u64>,
}

impl Share {
    /// Bytes read from a tier.
    pub fn read_bytes(&self, tier: &str) -> u64 {
        self.bytes.get(&format!("{tier}_read_bytes")).copied().unwrap_or(0)
    }

    /// Bytes written to a tier.
    pub fn write_bytes(&self, tier: &str) -> u64 {
        self.bytes.get(&format!("{tier}_write_bytes")).copied().unwrap_or(0)
    }

    /// Adds traffic of a tier.
    pub fn add_traffic(&mut self, tier: &str, traffic: Traffic) {
        *self.bytes.entry(format!("{tier}_read_bytes")).or_default() += traffic.read_bytes;
        *self.bytes.entry(format!("{tier}_write_bytes")).or_default() += traffic.write_bytes;
    }
}

/// Traffic at the devices in equal bins of simulated time from 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BandwidthOverTime {
    /// Width of a bin.
    pub bin_seconds: f64,
    /// Series by tier, all equally long.
    pub tiers: BTreeMap<String, Series>,
}

/// Bytes per bin by direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Bytes read in each bin.
    pub read_bytes: Vec<u64>,
    /// Bytes written in each bin.
    pub write_bytes: Vec<u64>,
}

/// What was held at one instant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FootprintPoint {
    /// Simulated instant.
    pub seconds: f64,
    /// Live bytes by class of object; classes with none are left out.
    pub live_bytes: BTreeMap<String, u64>,
    /// Bytes that the process holds, memory kept by its allocator included.
    pub resident_bytes: u64,
}

/// Cores at work in equal bins of simulated time from 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CpuUseOverTime {
    /// Width of a bin.
    pub bin_seconds: f64,
    /// Mean number of cores that were not idle. Even within a parallel region; at line fidelity within a phase.
    pub busy_cores: Vec<f64>,
}

/// What calibrated constants of the system added to a run; the counts that they multiply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverheadResult {
    /// Multiply-accumulates.
    pub multiply_accumulates: u64,
    /// Ciphertexts written, scratch left out.
    pub ciphertexts_written: u64,
    /// Core seconds charged for the multiply-accumulates.
    pub thread_seconds: f64,
    /// Serial seconds charged for the ciphertexts written.
    pub serial_seconds: f64,
    /// Bytes kept by the process, in whole steps of its heap; part of `peak_footprint_bytes`.
    pub retained_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_keeps_tier_bytes_through_json() {
        let mut share = Share { count: 3, simulated_seconds: Some(0.5), ..Share::default() };
        share.add_traffic("pmem", Traffic { read_bytes: 640, write_bytes: 64 });

        let text = serde_json::to_string(&share).unwrap();
        let back: Share = serde_json::from_str(&text).unwrap();

        assert!(text.contains("\"pmem_read_bytes\":640"));
        assert_eq!(back, share);
    }

    #[test]
    fn slowdowns_of_ensembles_pair_the_seeds() {
        let ensemble = |seconds: [f64; 3]| {
            let runs =
                seconds.map(|simulated_seconds| RunResult { simulated_seconds, ..RunResult::default() });
            RunResult {
                simulated_seconds: Spread::of(&runs).simulated_seconds.median,
                seeds: Some(3),
                spread: Some(Spread::of(&runs)),
                ..RunResult::default()
            }
        };
        let (base, own) = (ensemble([1.0, 2.0, 4.0]), ensemble([2.0, 3.0, 4.0]));

        let pairs = own.slowdown(&base).map(|pairs| [pairs.min, pairs.median, pairs.max]);
        assert_eq!(pairs, Some([1.0, 1.5, 2.0]));
        let single = RunResult { simulated_seconds: 3.0, seeds: Some(1), ..base.clone() };
        assert_eq!(single.slowdown(&base).map(|ratio| [ratio.min, ratio.max]), Some([1.5, 1.5]));
        assert_eq!(base.slowdown(&RunResult::default()), None);
    }

    #[test]
    fn near_memory_without_requests_has_rate_zero() {
        assert_eq!(NearMemory::new([0; 3], [0; 2], 64).hit_rate, 0.0);
        assert_eq!(NearMemory::new([3, 1, 0], [2, 1], 64).hit_rate, 0.75);
    }
}
