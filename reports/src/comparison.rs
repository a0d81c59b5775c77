//! The comparison of memory modes: the structure behind `compare --json`, and its table.

use std::collections::BTreeMap;

use hetier_sim::result::{Latency, NearMemory, Quantiles, RunResult, Spread, TierResult};
use serde::{Deserialize, Serialize};

use crate::entry::{Entry, Form};
use crate::labels::{labels, near_start, shared_settings};
use crate::table::Table;
use crate::units::{Unit, byte_unit, time_unit};

/// Name and version of the form of [`Comparison`].
pub const SCHEMA: &str = "hetier-compare-1";

/// The mode that slowdowns are over, where there is a run of it.
const REFERENCE: &str = "dram-only";

/// What is known of the compared run besides the replays; the same for every machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Name of the network.
    pub network: Option<String>,
    /// Security of the parameters as the trace states it, `none` for test parameters.
    pub security: Option<String>,
    /// Images of the batch.
    pub images: Option<u64>,
    /// Slots of a ciphertext; those that the images do not fill are empty.
    pub slots: Option<u64>,
    /// Against the labels, if there are any.
    pub accuracy: Accuracy,
    /// Share of images whose encrypted and clear predictions agree.
    pub agreement: Option<f64>,
    /// Largest difference of an encrypted and a clear output.
    pub max_output_error: Option<f64>,
    /// The record.
    pub trace: TraceFacts,
}

/// What the host's clock said; on the terminal and in `--json` only, since it differs from run to run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostTimes {
    /// Seconds of each replay, in the order of the results; missing ones count as unknown.
    pub replays: Vec<f64>,
    /// Seconds of the real encrypted inference.
    pub inference_seconds: Option<f64>,
}

/// Share of correct predictions; `null` without labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Of the encrypted inference.
    pub encrypted: Option<f64>,
    /// Of the same network in the clear.
    pub clear: Option<f64>,
}

/// Facts of the trace alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceFacts {
    /// Bytes of the file.
    pub bytes: u64,
    /// Objects that come to life.
    pub objects: u64,
    /// Most bytes of objects alive at one time.
    pub peak_footprint_bytes: u64,
    /// Bytes that the primitives read.
    pub logical_read_bytes: u64,
    /// Bytes that the primitives write.
    pub logical_write_bytes: u64,
}

/// Everything that `compare --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the network.
    pub network: Option<String>,
    /// Security of the parameters.
    pub security: Option<String>,
    /// Images of the batch.
    pub images: Option<u64>,
    /// Slots of a ciphertext.
    pub slots: Option<u64>,
    /// Share of correct predictions.
    pub accuracy: Accuracy,
    /// Share of images whose encrypted and clear predictions agree.
    pub agreement: Option<f64>,
    /// Largest difference of an encrypted and a clear output.
    pub max_output_error: Option<f64>,
    /// Host seconds of the real encrypted inference for an image.
    pub host_seconds_per_image: Option<f64>,
    /// Facts of the trace.
    pub trace: TraceFacts,
    /// The replays in order.
    pub runs: Vec<Run>,
}

/// One replay in the comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Memory mode.
    pub mode: String,
    /// System.
    pub system: String,
    /// `line` or `stream`.
    pub fidelity: String,
    /// Placement policy.
    pub placement: String,
    /// Simulated threads.
    pub threads: u32,
    /// Seconds of the inference.
    pub simulated_seconds: f64,
    /// Seconds of everything.
    pub whole_run_seconds: f64,
    /// Inference time over that of `dram-only` of the same settings, or of the first run where none is of that mode; the
    /// median of an ensemble.
    pub slowdown: Option<f64>,
    /// Spread of `slowdown` over the seeds.
    pub slowdown_spread: Option<Quantiles>,
    /// Seeds that were replayed.
    pub seeds: Option<u64>,
    /// Spread of the other numbers over the seeds.
    pub spread: Option<Spread>,
    /// What the replay took on the host.
    pub host_seconds: Option<f64>,
    /// Line requests that entered the first-level caches.
    pub accesses: u64,
    /// How near memory started, `cold` or `warm`, in Memory Mode.
    #[serde(default)]
    pub near_memory_start: Option<String>,
    /// In Memory Mode, if near memory was asked for anything.
    pub near_memory_hit_rate: Option<f64>,
    /// Most resident bytes, allocator included.
    pub peak_footprint_bytes: u64,
    /// Most live bytes.
    pub peak_live_bytes: u64,
    /// Traffic by tier.
    pub devices: BTreeMap<String, Moved>,
    /// Read misses of the last-level cache.
    pub read_latency_ns: Option<ReadLatency>,
}

/// Bytes at the devices of a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub write_bytes: u64,
}

/// A latency in brief, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadLatency {
    /// Arithmetic mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
}

impl Comparison {
    /// Joins results and facts.
    pub fn new(results: &[RunResult], facts: &Facts, host: &HostTimes) -> Self {
        let slowdowns = slowdowns(results);
        let times = host.replays.iter().copied().map(Some).chain(std::iter::repeat(None));
        let runs = results.iter().zip(slowdowns).zip(times);
        Self {
            schema: SCHEMA.to_owned(),
            network: facts.network.clone(),
            security: facts.security.clone(),
            images: facts.images,
            slots: facts.slots,
            accuracy: facts.accuracy,
            agreement: facts.agreement,
            max_output_error: facts.max_output_error,
            host_seconds_per_image: per_image(host.inference_seconds, facts.images),
            trace: facts.trace,
            runs: runs
                .map(|((result, slowdown), host_seconds)| run(result, slowdown, host_seconds))
                .collect(),
        }
    }
}

fn run(result: &RunResult, slowdown: Option<Quantiles>, host_seconds: Option<f64>) -> Run {
    let moved = |tier: &TierResult| Moved { read_bytes: tier.read_bytes, write_bytes: tier.write_bytes };
    let latency = result.read_latency_ns.as_ref();
    Run {
        mode: result.mode.clone(),
        system: result.system.clone(),
        fidelity: result.fidelity.clone(),
        placement: result.placement.clone(),
        threads: result.threads,
        simulated_seconds: result.simulated_seconds,
        whole_run_seconds: result.whole_run_seconds,
        slowdown: slowdown.map(|slowdown| slowdown.median),
        slowdown_spread: slowdown,
        seeds: result.seeds,
        spread: result.spread.clone(),
        host_seconds,
        accesses: result.accesses,
        near_memory_start: near_start(result).map(ToOwned::to_owned),
        near_memory_hit_rate: near_memory_hit_rate(result),
        peak_footprint_bytes: result.peak_footprint_bytes,
        peak_live_bytes: result.peak_live_bytes,
        devices: result.devices.iter().map(|(tier, counts)| (tier.clone(), moved(counts))).collect(),
        read_latency_ns: latency.map(|latency| ReadLatency {
            mean: latency.mean,
            p50: latency.p50,
            p99: latency.p99,
            p999: latency.p999,
        }),
    }
}

/// Inference time of each result over that of `dram-only` of the same trace and settings, with its spread; `None` where no
/// run has them. The order of the results does not matter: first come runs of the same system (Memory Mode may need
/// another machine than DRAM only), then of as many seeds, then of the same DRAM. Where no result is of `dram-only`, over
/// the first.
pub fn slowdowns(results: &[RunResult]) -> Vec<Option<Quantiles>> {
    results.iter().map(|result| slowdown(result, results)).collect()
}

fn slowdown(result: &RunResult, results: &[RunResult]) -> Option<Quantiles> {
    if let Some(first) = other_reference(results) {
        return result.slowdown(Some(first).filter(|first| is_alike(first, result))?);
    }
    let bases = results.iter().filter(|base| base.mode == REFERENCE && is_alike(base, result));
    result.slowdown(bases.min_by_key(|base| distance(base, result))?)
}

/// How far a base lies from a result, least first; behind what differs, the values, so that no two bases tie that differ.
fn distance<'r>(base: &'r RunResult, result: &RunResult) -> impl Ord + use<'r> {
    let system = |result: &'r RunResult| [&result.system, &result.system_hash];
    let dram = |result: &RunResult| result.settings.get("dram").cloned();
    let is_other = [
        [&base.system, &base.system_hash] != [&result.system, &result.system_hash],
        base.seeds != result.seeds,
        dram(base) != dram(result),
    ];
    (is_other, system(base), base.seeds, dram(base))
}

/// The first result, where none is of `dram-only` and others are of the same trace and settings.
fn other_reference(results: &[RunResult]) -> Option<&RunResult> {
    let (first, others) = results.split_first()?;
    let is_other = results.iter().all(|result| result.mode != REFERENCE);
    (is_other && others.iter().any(|other| is_alike(first, other))).then_some(first)
}

/// Whether two results are of the same trace and of the same settings, but for those that a mode has of its own.
fn is_alike(one: &RunResult, other: &RunResult) -> bool {
    let shared = |result: &RunResult| (result.trace_hash.clone(), result.threads, result.fidelity.clone());
    shared(one) == shared(other) && shared_settings(one).eq(shared_settings(other))
}

fn per_image(seconds: Option<f64>, images: Option<u64>) -> Option<f64> {
    images.filter(|&images| images > 0).and_then(|images| seconds.map(|seconds| seconds / images as f64))
}

/// The table of the comparison: a row for each result, units in the heads. [`Table::transposed`] fits a terminal.
pub fn table(results: &[RunResult]) -> Table {
    let columns = columns(results);
    let heads: Vec<&str> = columns.iter().map(|column| column.head.as_str()).collect();
    let mut table = Table::new(&[&["mode"], &heads[..]].concat());
    for (at, label) in labels(results).into_iter().enumerate() {
        let entries = columns.iter().map(|column| column.entries[at].clone());
        table.push(std::iter::once(Entry::from(label)).chain(entries).collect());
    }
    table
}

struct Column {
    head: String,
    entries: Vec<Entry>,
}

fn columns(results: &[RunResult]) -> Vec<Column> {
    let spread = |result: &RunResult| Some(result.ensemble()?.simulated_seconds);
    let whole = |result: &RunResult| Some(result.ensemble()?.whole_run_seconds);
    let mut columns = vec![
        scaled("simulated time", time_unit, results, |result| Some(result.simulated_seconds), spread),
        scaled("whole run", time_unit, results, |result| Some(result.whole_run_seconds), whole),
        slowdown_column(results),
    ];
    for (tier, name) in [("dram", "DRAM"), ("pmem", "PMem"), ("cxl", "CXL")] {
        if results.iter().any(|result| result.devices.contains_key(tier)) {
            columns.extend(traffic(tier, name, results));
        }
    }
    let latency = |head, number: fn(&Latency) -> f64| {
        plain(head, results, move |result| Some(number(result.read_latency_ns.as_ref()?)))
    };
    columns.extend([
        plain("traffic of whole run (GB/s)", results, gb_per_s),
        latency("read latency mean (ns)", |latency| latency.mean),
        latency("p50 (ns)", |latency| latency.p50),
        latency("p99 (ns)", |latency| latency.p99),
        latency("p99.9 (ns)", |latency| latency.p999),
    ]);
    let hits = |result: &RunResult| {
        let spread = result.ensemble().and_then(|spread| spread.near_memory_hit_rate);
        Entry::percent(near_memory_hit_rate(result)).within(spread.map(Quantiles::percent))
    };
    columns.push(column("near-memory hits (%)", results, hits));
    let peak = |result: &RunResult| Some(result.ensemble()?.peak_footprint_bytes);
    columns.push(scaled(
        "footprint",
        byte_unit,
        results,
        |result| Some(result.peak_footprint_bytes as f64),
        peak,
    ));
    columns.push(scaled(
        "time per image",
        time_unit,
        results,
        |result| per_image(Some(result.simulated_seconds), result.images),
        |_| None,
    ));
    if results.iter().any(|result| result.overhead.is_some()) {
        let share = |result: &RunResult| Some(overhead_seconds(result)? / result.whole_run_seconds);
        columns.push(column("calibrated overhead in whole run (%)", results, |result| {
            Entry::percent(share(result))
        }));
    }
    if results.iter().any(|result| result.ensemble().is_some()) {
        columns.push(mean(results));
    }
    if results.iter().any(|result| result.sampled_share.is_some_and(|share| share < 1.0)) {
        columns.extend(sampling(results));
    }
    columns
}

/// Calibrated overhead as time of the run: serial, and that of the threads side by side.
pub(crate) fn overhead_seconds(result: &RunResult) -> Option<f64> {
    let overhead = result.overhead?;
    Some(overhead.serial_seconds + overhead.thread_seconds / f64::from(result.threads.max(1)))
}

/// Mean of the simulated time over seeds, with its 95 % interval.
fn mean(results: &[RunResult]) -> Column {
    let times = |result: &RunResult| Some(result.ensemble()?.simulated_seconds);
    let unit = time_unit(results.iter().filter_map(times).fold(0.0, |most, times| times.mean.max(most)));
    let entry = |result: &RunResult| {
        let Some(times) = times(result).map(|times| times.scaled(unit.factor)) else { return Entry::Nothing };
        let range = times.mean_interval_95.map(|ends| (ends.low, ends.high));
        Entry::Number { value: times.mean, form: Form::Significant(4), range }
    };
    column(&format!("mean of seeds, 95 % interval ({})", unit.symbol), results, entry)
}

/// What part of the calls was simulated, and the standard error that comes of it.
fn sampling(results: &[RunResult]) -> [Column; 2] {
    let error = sampling_error_share;
    [
        column("calls simulated (%)", results, |result| Entry::percent(result.sampled_share)),
        column("sampling error of whole run (1σ, %)", results, |result| Entry::percent(error(result))),
    ]
}

/// Standard error of the whole run's time, as a share of that time.
pub(crate) fn sampling_error_share(result: &RunResult) -> Option<f64> {
    let share = result.sampling_error_seconds? / result.whole_run_seconds;
    share.is_finite().then_some(share)
}

fn slowdown_column(results: &[RunResult]) -> Column {
    let entry = |(slowdown, result): (Option<Quantiles>, &RunResult)| {
        let spread = slowdown.filter(|_| result.ensemble().is_some());
        Entry::number(slowdown.map(|slowdown| slowdown.median), 3).within(spread)
    };
    let entries = slowdowns(results).into_iter().zip(results).map(entry).collect();
    let head = match other_reference(results) {
        None => "slowdown".to_owned(),
        Some(_) => format!("slowdown over {}", labels(results)[0]),
    };
    Column { head, entries }
}

/// One unit for the whole column, fitting its largest value.
fn scaled(
    name: &str,
    unit: impl Fn(f64) -> Unit,
    results: &[RunResult],
    value: impl Fn(&RunResult) -> Option<f64>,
    spread: impl Fn(&RunResult) -> Option<Quantiles>,
) -> Column {
    let unit = unit(results.iter().filter_map(&value).fold(0.0, f64::max));
    let entry = |result: &RunResult| {
        let value = value(result).map(|value| value * unit.factor);
        Entry::number(value, 4).within(spread(result).map(|spread| spread.scaled(unit.factor)))
    };
    column(&format!("{name} ({})", unit.symbol), results, entry)
}

/// A gigabyte is the unit however small the run is, so that tables of many runs compare.
fn traffic(tier: &str, name: &str, results: &[RunResult]) -> [Column; 2] {
    let of = |is_read: bool| {
        let direction = if is_read { "read" } else { "write" };
        let bytes = move |result: &RunResult| {
            let tier = result.devices.get(tier)?;
            Some(if is_read { tier.read_bytes } else { tier.write_bytes } as f64)
        };
        let spread = move |result: &RunResult| {
            let tier = result.ensemble()?.devices.get(tier)?;
            Some(if is_read { tier.read_bytes } else { tier.write_bytes })
        };
        scaled(&format!("{name} {direction}"), |_| byte_unit(1e9), results, bytes, spread)
    };
    [of(true), of(false)]
}

fn plain(head: &str, results: &[RunResult], value: impl Fn(&RunResult) -> Option<f64>) -> Column {
    column(head, results, |result| Entry::number(value(result), 3))
}

fn column(head: &str, results: &[RunResult], entry: impl Fn(&RunResult) -> Entry) -> Column {
    Column { head: head.to_owned(), entries: results.iter().map(entry).collect() }
}

/// Share of requests that near memory held; `None` without Memory Mode, and without a request.
fn near_memory_hit_rate(result: &RunResult) -> Option<f64> {
    let has_requests = |near: &NearMemory| near.hits + near.misses_clean + near.misses_dirty > 0;
    result.near_memory_hit_rate.filter(|_| result.near_memory.as_ref().is_none_or(has_requests))
}

/// Bytes that all devices moved over the whole run, by its time.
fn gb_per_s(result: &RunResult) -> Option<f64> {
    let bytes: u64 = result.devices.values().map(|tier| tier.read_bytes + tier.write_bytes).sum();
    (result.whole_run_seconds > 0.0).then(|| bytes as f64 * 1e-9 / result.whole_run_seconds)
}

#[cfg(test)]
mod tests {
    use hetier_sim::result::OverheadResult;

    use super::*;

    fn result(mode: &str, system: &str, seconds: f64) -> RunResult {
        RunResult {
            mode: mode.to_owned(),
            system: system.to_owned(),
            simulated_seconds: seconds,
            whole_run_seconds: 2.0 * seconds,
            ..RunResult::default()
        }
    }

    #[test]
    fn slowdown_prefers_the_base_of_the_same_system() {
        let results =
            [result("dram-only", "a", 1.0), result("dram-only", "b", 2.0), result("memory-mode", "b", 3.0)];

        let medians = |results: &[RunResult]| -> Vec<Option<f64>> {
            slowdowns(results).iter().map(|slowdown| slowdown.map(|slowdown| slowdown.median)).collect()
        };
        assert_eq!(medians(&results), [Some(1.0), Some(1.0), Some(1.5)]);
        assert_eq!(medians(&[result("dram-only", "a", 2.0), result("memory-mode", "c", 3.0)])[1], Some(1.5));
        assert_eq!(slowdowns(&results[2..]), [None]);
    }

    #[test]
    fn slowdown_is_over_the_first_where_none_is_of_dram_only_and_the_table_says_so() {
        let results = [result("memory-mode", "a", 2.0), result("app-direct", "a", 3.0)];

        let medians = |results: &[RunResult]| -> Vec<Option<f64>> {
            slowdowns(results).iter().map(|slowdown| slowdown.map(|slowdown| slowdown.median)).collect()
        };
        assert_eq!(medians(&results), [Some(1.0), Some(1.5)]);
        assert!(table(&results).heads.iter().any(|head| head == "slowdown over memory-mode"));
        let threads = RunResult { threads: 2, ..results[1].clone() };
        assert_eq!(medians(&[results[0].clone(), threads]), [None, None]);
        let among = [results[0].clone(), result("dram-only", "a", 1.0)];
        assert_eq!(medians(&among), [Some(2.0), Some(1.0)]);
        assert!(table(&among).heads.iter().any(|head| head == "slowdown"));
    }

    #[test]
    fn near_memory_without_a_request_has_no_hit_rate() {
        let of = |requests: [u64; 3]| {
            let near = NearMemory::new(requests, [0; 2], 64);
            let run = result("memory-mode", "a", 1.0);
            RunResult { near_memory: Some(near), near_memory_hit_rate: Some(near.hit_rate), ..run }
        };

        assert_eq!(near_memory_hit_rate(&of([0; 3])), None);
        assert_eq!(near_memory_hit_rate(&of([0, 1, 0])), Some(0.0));
    }

    #[test]
    fn slowdown_is_of_the_same_trace() {
        let of = |trace: &str, mode: &str, seconds| RunResult {
            trace_hash: trace.to_owned(),
            network: Some("digits".to_owned()),
            ..result(mode, "a", seconds)
        };
        let results = [of("1", "dram-only", 1.0), of("2", "dram-only", 2.0), of("2", "memory-mode", 3.0)];

        assert_eq!(slowdowns(&results)[2].unwrap().median, 1.5);
        assert_eq!(slowdowns(&[results[0].clone(), results[2].clone()])[1], None);
    }

    #[test]
    fn slowdown_is_over_the_same_settings_in_any_order_or_there_is_none() {
        let of = |settings: &[(&str, &str)], mode: &str, seconds| RunResult {
            settings: settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect(),
            ..result(mode, "a", seconds)
        };
        let keys =
            ["allocator", "pages", "numa", "pinning", "schedule", "stores", "prefetch", "sample", "seed"];
        for key in keys {
            let bases = [of(&[(key, "x")], "dram-only", 1.0), of(&[(key, "y")], "dram-only", 2.0)];
            let own = of(&[(key, "y"), ("dram", "0.25"), ("placement", "by-class")], "memory-mode", 4.0);
            let over = |bases: &[RunResult]| {
                let results = [bases, std::slice::from_ref(&own)].concat();
                slowdowns(&results)[bases.len()].map(|slowdown| slowdown.median)
            };

            assert_eq!(over(&bases), Some(2.0), "{key}");
            assert_eq!(over(&[bases[1].clone(), bases[0].clone()]), Some(2.0), "{key}");
            assert_eq!(over(&bases[..1]), None, "{key}");
        }
    }

    #[test]
    fn slowdown_is_of_the_same_fidelity_and_prefers_the_same_dram() {
        let of = |fidelity: &str, dram: &str, seconds| RunResult {
            fidelity: fidelity.to_owned(),
            settings: [("dram".to_owned(), dram.to_owned())].into(),
            ..result("dram-only", "a", seconds)
        };
        let over = |bases: &[RunResult]| {
            let own = RunResult { mode: "memory-mode".to_owned(), ..of("line", "2", 8.0) };
            let results = [bases, &[own]].concat();
            slowdowns(&results)[bases.len()].map(|slowdown| slowdown.median)
        };
        let (near, far) = (of("line", "2", 1.0), of("line", "1", 2.0));

        assert_eq!([over(&[far.clone(), near.clone()]), over(&[near, far.clone()])], [Some(8.0); 2]);
        assert_eq!([over(&[far]), over(&[of("stream", "2", 1.0)])], [Some(4.0), None]);
    }

    #[test]
    fn samples_are_named_with_their_error_and_full_runs_are_not() {
        let full = result("dram-only", "a", 2.0);
        let sampled = RunResult {
            sampled_share: Some(0.05),
            sampling_error_seconds: Some(0.02),
            ..result("memory-mode", "a", 2.0)
        };

        assert!(!table(std::slice::from_ref(&full)).to_text().contains("calls simulated"));
        let text = table(&[full, sampled]).transposed().to_text();
        assert!(text.contains("calls simulated (%)") && text.contains("  5.00"), "{text}");
        // 0.02 s of the 4 s of the whole run, which is twice the inference.
        let error =
            text.lines().find(|line| line.starts_with("sampling error of whole run (1σ, %)")).unwrap();
        assert!(error.contains("0.50"), "{text}");
    }

    #[test]
    fn calibrated_overhead_is_a_share_of_the_whole_run_and_named_only_where_there_is_some() {
        let free = result("dram-only", "a", 2.0);
        let overhead =
            OverheadResult { serial_seconds: 1.0, thread_seconds: 4.0, ..OverheadResult::default() };
        let charged = RunResult { overhead: Some(overhead), threads: 4, ..free.clone() };

        assert!(!table(std::slice::from_ref(&free)).to_text().contains("calibrated overhead"));
        let text = table(&[charged, free]).transposed().to_text();
        // 1 s, and 4 s over four threads, of the 4 s of the whole run.
        let row = text.lines().find(|line| line.starts_with("calibrated overhead in whole run (%)"));
        assert!(row.is_some_and(|row| row.contains("50.0") && row.ends_with('–')), "{text}");
    }

    #[test]
    fn the_table_says_which_time_is_of_what() {
        let text = table(&[result("dram-only", "a", 2.0)]).transposed().to_text();

        // The whole run takes twice as long as the inference.
        for (row, value) in
            [("simulated time (s)", "2.0"), ("whole run (s)", "4.0"), ("traffic of whole run (GB/s)", "0")]
        {
            assert!(text.lines().any(|line| line.starts_with(row) && line.contains(value)), "{row}: {text}");
        }
    }

    #[test]
    fn traffic_counts_all_tiers_over_the_whole_run() {
        let mut run = result("app-direct", "a", 1.0);
        run.devices
            .insert("dram".to_owned(), TierResult { read_bytes: 3_000_000_000, ..TierResult::default() });
        run.devices
            .insert("pmem".to_owned(), TierResult { write_bytes: 1_000_000_000, ..TierResult::default() });

        assert_eq!(gb_per_s(&run), Some(2.0));
    }

    #[test]
    fn json_writes_what_does_not_apply_as_null() {
        let comparison =
            Comparison::new(&[result("dram-only", "a", 1.0)], &Facts::default(), &HostTimes::default());

        let json = serde_json::to_value(&comparison).unwrap();

        assert!(json["accuracy"]["encrypted"].is_null());
        assert!(json["max_output_error"].is_null());
        assert!(json["runs"][0]["near_memory_hit_rate"].is_null());
        assert!(json["runs"][0]["read_latency_ns"].is_null());
        assert!(json["runs"][0]["host_seconds"].is_null());
        assert_eq!(json["runs"][0]["slowdown"], 1.0);
    }
}
