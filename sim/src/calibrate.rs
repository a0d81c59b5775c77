//! Published measurements beside what the probes measure on the simulated machines.
//!
//! The points are rows of `sim/calibration.csv`: which probe with which options, the published value (or range), its
//! source. No point has a constant of its own; all numbers of the models are in device and system files.
//!
//! # Points that no mechanism satisfies together
//!
//! - M1's idle sequential PMem read of 169.4 ns and its 3.36 GB/s of one thread in 4 KB blocks. With nine lines in
//!   flight a core follows three 256 B lines at once, so 3.36 GB/s need about 229 ns from one to the next: the
//!   translation of a page must be known after its first line (240 ns on M1, and M2's 310 ns for regions of
//!   up to 16 MB). Then a dependent walk takes (305 + 15 × 240 + 48 × 105) ÷ 64 = 140 ns a line. The 169.4 ± 68 ns
//!   need 305 ns for every 256 B line, and with those one thread gets 2.5 GB/s. The model follows the bandwidth.
//! - 1.88 GB/s of store + clwb in 256 B blocks by two threads on one DIMM are 136 ns a block, which is loaded for
//!   ownership and written: 36.9 + 107.2 ns of the power budget that the read-only and write-only limits give.
//!   Two writers also lose some combining, so the simulation is almost 10 % low.
//! - Remote sequential PMem reads of M1 take 1.79 times the local ones (FAST'20, section 5.4), 303 ns: as far above what
//!   open buffers of the DIMM give as the local ones are.
//!
//! # What is known to be missing
//!
//! - Remote reads of six DIMMs reach 59 % of the local best at ten threads of M1, and no more with more threads (FAST'20,
//!   section 5.4). Ten threads get that here (25 GB/s), but more threads get more: the queue that stops them is in no
//!   published description. Nor do mixed remote traffic's collapses have a mechanism beyond the writes and reads of
//!   directory state, which cost a third to a half in random order.
//! - Mixed remote traffic of PMem rises with threads (4:1, six DIMMs: 2.7, 10.4, 14.4, 15.1 GB/s at 1, 4, 8 and 24 in
//!   random order, 3.2, 12.6, 23.4, 25.8 in sequential order) where measurements fall.
//! - Stalls of wear levelling become rarer as a hot spot grows (FAST'20, figure 3). Here a move begins with the write
//!   that made it necessary, so a sequential writer is always in the block that moves. Letting a move wait until writes
//!   have left the block does not help: the DIMM's queue writes lines in random order, so that lines of the block that
//!   was left, or the first of the next, are met by the move all the same (8 stalls of 50 us remain of a dozen in 1 GiB), and a
//!   block that moves up to one block of writes later shifts stalls of small regions out of short measurements. Writers in order
//!   wait for each DIMM's move in turn, so that three DIMMs lose 14 % of their rating (`bsc-controller-pmem-write`).
//! - A load hardly notices a writer that saturates the media (M1, random: 301 ns alone, 305 with six DIMMs, 357 instead of
//!   306 with one): reads, writes and moves take turns, and no source says how long a read waits.
//! - Non-temporal stores of one thread or a few are too fast (7.5 GB/s of one, to DRAM as to six DIMMs): a buffer is free
//!   as soon as memory has its line. Many threads and lone stores are held to measurements above.
//! - One DIMM serves four readers and 24 alike (6.9 GB/s): many streams of a real one lose its read buffer.
//! - Reads for ownership do not run ahead of a fence, so store + clwb with a fence after each line is too slow.
//! - Remote store + clwb in order collapses with threads on six DIMMs (1.9, 3.7, 2.1 and 0.7 GB/s for 4, 8, 12 and 24). No
//!   measurement says so. Two things do it together. All threads visit the DIMMs in one order, and one that meets others
//!   on a busy DIMM is as slow as they are, until most are on the same: with a DIMM for each thread 24 get 5.6 GB/s
//!   (`--pin dimm`). There lines come once for their state and once for their data, and a thread writes one back at a
//!   time, so that the four of a block are too far apart for a queue of 64 lines: with 1,024 entries they get 6.0
//!   (`combining.entries` in a copy of the device file). Without state in memory they get 6.7 (`link.directory` in a copy
//!   of the system file), with evictions instead of clwb 2.5 and in random order 4.7 (`hetier probe bandwidth --op clwb
//!   --access 256 --remote --order sequential`). A home agent that puts a line that is not yet accepted in the place
//!   of its state, or that answers a read when the state is accepted, does not save them (tried, and not kept). Fewer
//!   reads under way for all cores would; no source says how many there are.
//! - The power budget of an idle DIMM starts a write in each bank at once. A budget that lets one operation start at a
//!   time delays loads below saturation more (`hetier probe loaded --tier pmem` hardly rises up to three quarters of the
//!   limit); no source says over which time the budget is a mean.
//!
//! # What holds DRAM below its pins
//!
//! With the address mapping, queues and marks of Ramulator 2 and one rank, 24 threads of M1 store 117 GB/s past the
//! caches where 81 were measured (of 128 of the pins) and read 116 for 108; the Gold 6240 reads 265 for 226. Nothing of
//! the following was fitted; each is what a source says of the machine, and each shows in what was measured. M1's are means
//! of draws of where threads begin (`hetier probe bandwidth`); single draws of its last stores lie from 76 to 83, and with
//! regions of 1,019 to 1,023 MiB, whose parts begin in other banks, at 72 to 100 with means of 84 to 88:
//!
//! | in turn | M1 ntstore | M1 read | 6240 read |
//! |---|---|---|---|
//! | as Ramulator 2 | 117 | 116 | 265 |
//! | two ranks of x4 chips, as 32 GB modules have | 113 | 116 | 259 |
//! | mapping of Intel's decoder: two rows a stream, banks by hashed high bits | 111 | 114 | 255 |
//! | 8 writes pending, as stores to PMem show on the same controllers | 80 | 114 | 255 |
//! | 22 reads pending | 80 | 111 | 249 |
//! | scattered 4 KiB pages for a user program (6240) | | | 243 |
//! | two lines fetched ahead for each access | | | 241 |
//!
//! Rank switches of 4 or 6 clocks instead of 2 would take 2 and 4 % more off both; no source says so. The mapping of
//! closed pages for the 6240, which its idle latency suggests, leaves the reads there and brings its loaded latencies
//! from 7–9 % above to within 3.5 %. The rest of the 6240's reads (7 %) may be hyper-threads: MLC runs two threads a core,
//! and twice the streams open more rows.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use crate::device::literal::DeviceConfig;
use crate::pages::choose;
use crate::probe::{
    BandwidthProbe, DrawRange, HotspotProbe, LatencyProbe, LoadedProbe, LoadedReport, Mix, Pattern,
    bandwidth, hotspot, latency, loaded, parse_size,
};
use crate::{Error, System};

mod further;

pub use further::{further, ratings};

/// Name in errors, and the text, of the points.
const FILE: &str = "calibration.csv";
const POINTS: &str = include_str!("../calibration.csv");
/// Share of the host's time that points of no curve take, roughly. Only progress is told by it.
const SINGLES_SHARE: f64 = 0.93;

/// One published measurement. Empty options are those of the probe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Name in tables.
    pub id: String,
    /// `latency`, `bandwidth`, `hotspot` or `loaded`; or what a system file gives: `cache`, the latency of cache `tier`,
    /// and `pins`, the rate of the DRAM channels behind a controller.
    pub probe: String,
    /// Name of the system.
    pub system: String,
    /// Name of the tier.
    pub tier: String,
    /// As `--op`.
    pub operation: String,
    /// As `--pattern` or `--order`.
    pub order: String,
    /// As `--region`.
    pub region: String,
    /// As `--block` or `--access`.
    pub block: String,
    /// As `--threads`.
    pub threads: Option<usize>,
    /// As `--dimms`.
    pub dimms: Option<usize>,
    /// As `--mix`; or `remote`.
    pub mix: String,
    /// Key of the report, or `ns_at:GB/s` for a point of a loaded curve.
    pub metric: String,
    /// Least published value.
    pub low: f64,
    /// Largest published value; the same if it is not a range.
    pub high: f64,
    /// Who measured it.
    pub source: String,
    /// What is known of a simulated value that is far from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Point {
    /// What was measured, in words, with its unit in parentheses where it has one.
    pub fn measured(&self) -> String {
        let of_latency = |what: &str| format!("{what} latency (ns)");
        match self.metric.as_str() {
            "ns" | "ns_per_access" => of_latency("mean"),
            "p50" => of_latency("median"),
            "max" => of_latency("largest"),
            "gb_per_s" => "bandwidth (GB/s)".to_owned(),
            "write_efficiency" => "write efficiency (stored over written media)".to_owned(),
            "bytes_between_stalls" => "written between stalls (B)".to_owned(),
            other => match other.strip_prefix("ns_at:") {
                Some(at) => format!("latency at {at} GB/s (ns)"),
                None => other.to_owned(),
            },
        }
    }

    /// Unit of the published value; empty for a ratio.
    pub fn unit(&self) -> &'static str {
        match self.metric.as_str() {
            "gb_per_s" => "GB/s",
            "write_efficiency" => "",
            "bytes_between_stalls" => "B",
            _ => "ns",
        }
    }

    /// Under which conditions: what the point says of its probe, and nothing of what it leaves to it.
    pub fn conditions(&self) -> String {
        let some = |text: &str, form: &dyn Fn(&str) -> String| (!text.is_empty()).then(|| form(text));
        let many = |count: Option<usize>, what: &str| {
            count.map(|count| format!("{count} {what}{}", if count == 1 { "" } else { "s" }))
        };
        let mix = |mix: &str| if mix == "remote" { mix.to_owned() } else { format!("reads:writes {mix}") };
        let block = |block: &str| if block.ends_with('B') { block.to_owned() } else { format!("{block} B") };
        let parts = [
            Some(
                [&self.probe, &self.tier, &self.operation]
                    .map(String::as_str)
                    .join(" ")
                    .trim_end()
                    .to_owned(),
            ),
            some(&self.order, &str::to_owned),
            some(&self.block, &|text| format!("{} at a time", block(text))),
            some(&self.region, &|text| format!("in {}", block(text))),
            many(self.threads, "thread"),
            many(self.dimms, "DIMM"),
            some(&self.mix, &mix),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// A point and what the simulation says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibrated {
    /// The published measurement.
    pub point: Point,
    /// The same on the simulated machine.
    pub simulated: f64,
    /// Least and largest of the draws that it is the mean of, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<DrawRange>,
    /// Relative distance from the published range, in percent, with sign; 0 inside.
    pub error_percent: f64,
}

/// The points that are shipped.
///
/// # Errors
/// - [`Error::Value`] if a row cannot be read.
pub fn points() -> Result<Vec<Point>, Error> {
    parse(FILE, POINTS)
}

/// Rows of a table of points; `file` is its name in errors.
fn parse(file: &str, text: &str) -> Result<Vec<Point>, Error> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.deserialize().enumerate();
    rows.map(|(row, point)| {
        point.map_err(|error| Error::value(file, &format!("row {}", row + 2), error, "a calibration point"))
    })
    .collect()
}

/// Measures all points, on as many host cores as there are; the result does not depend on their number. `progress` is
/// told the share of the work that is done.
///
/// # Errors
/// - Those of loading systems and devices, and of the probes.
pub fn calibrate(progress: &(dyn Fn(f64) + Sync)) -> Result<Vec<Calibrated>, Error> {
    use rayon::prelude::*;
    let (curves, singles): (Vec<_>, Vec<_>) =
        points()?.into_iter().enumerate().partition(|(_, point)| point.probe == "loaded");
    let (done, share) = (AtomicUsize::new(0), SINGLES_SHARE / singles.len() as f64);
    let singles = singles.into_par_iter().map(|(row, point)| {
        let calibrated = measure(point)?;
        progress((done.fetch_add(1, Ordering::Relaxed) + 1) as f64 * share);
        Ok((row, calibrated))
    });
    let mut table = singles.collect::<Result<Vec<_>, Error>>()?;
    table.extend(measure_curves(curves, &|share| progress(SINGLES_SHARE + (1.0 - SINGLES_SHARE) * share))?);
    table.sort_by_key(|(row, _)| *row);
    Ok(table.into_iter().map(|(_, calibrated)| calibrated).collect())
}

/// Measures each curve once for all points on it.
fn measure_curves(
    points: Vec<(usize, Point)>,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Vec<(usize, Calibrated)>, Error> {
    let key = |point: &Point| [&point.system, &point.tier, &point.mix].map(String::clone);
    let count = points.iter().map(|(_, point)| key(point)).collect::<BTreeSet<_>>().len() as f64;
    let mut curves: Vec<([String; 3], LoadedReport)> = Vec::new();
    let mut table = Vec::new();
    for (row, point) in points {
        let key = key(&point);
        let place = match curves.iter().position(|(other, _)| *other == key) {
            Some(place) => place,
            None => {
                let before = curves.len() as f64;
                let tell = |share: f64| progress((before + share) / count);
                curves.push((key, simulate_curve(&System::load(&point.system)?, &point, &tell)?));
                curves.len() - 1
            }
        };
        let simulated = interpolate(&curves[place].1, curve_bandwidth(&point)?);
        table.push((row, compare(point, simulated.into())));
    }
    Ok(table)
}

/// Measures one point.
///
/// # Errors
/// - As [`calibrate`].
pub fn measure(point: Point) -> Result<Calibrated, Error> {
    let simulated = simulate(&point)?;
    Ok(compare(point, simulated))
}

/// A simulated value.
#[derive(Clone, Copy, Debug)]
struct Simulated {
    value: f64,
    spread: Option<DrawRange>,
}

impl From<f64> for Simulated {
    fn from(value: f64) -> Self {
        Self { value, spread: None }
    }
}

/// Sets a simulated value beside the published one.
fn compare(point: Point, Simulated { value: simulated, spread }: Simulated) -> Calibrated {
    let error = if simulated < point.low {
        simulated / point.low - 1.0
    } else if simulated > point.high {
        simulated / point.high - 1.0
    } else {
        0.0
    };
    Calibrated { point, simulated, spread, error_percent: error * 100.0 }
}

/// Median of the absolute errors, in percent; 0 without points.
pub fn median_error(table: &[Calibrated]) -> f64 {
    let mut errors: Vec<f64> = table.iter().map(|point| point.error_percent.abs()).collect();
    errors.sort_by(f64::total_cmp);
    errors.get(errors.len() / 2).copied().unwrap_or(0.0)
}

/// The table as Markdown, a row for each point.
pub fn markdown(table: &[Calibrated]) -> String {
    let mut text = String::from(
        "| point | system | conditions | measured | published | simulated | error | source |\n|---|---|---|---|---|---|---|---|\n",
    );
    for Calibrated { point, simulated, spread, error_percent } in table {
        let published = if point.low == point.high {
            number(point.low)
        } else {
            format!("{}–{}", number(point.low), number(point.high))
        };
        let simulated = number(*simulated) + &spread.map_or_else(String::new, from_to);
        let Point { id, system, source, .. } = point;
        let (conditions, measured) = (point.conditions(), point.measured());
        text += &format!(
            "| {id} | {system} | {conditions} | {measured} | {published} | {simulated} | {error_percent:+.1} % | {source} |\n"
        );
    }
    for Calibrated { point, .. } in table {
        if let Some(note) = &point.note {
            text += &format!("\n{}: {note}.\n", point.id);
        }
    }
    text + &format!("\nMedian of the absolute errors: {:.1} %.\n", median_error(table))
}

/// Where single draws lie, if that shows in four digits.
fn from_to(DrawRange { min, max }: DrawRange) -> String {
    let [min, max] = [min, max].map(number);
    if min == max { String::new() } else { format!(" ({min}–{max})") }
}

/// Four significant digits.
fn number(value: f64) -> String {
    let digits = 3 - value.abs().max(1e-9).log10().floor() as i32;
    format!("{value:.*}", digits.clamp(0, 4) as usize)
}

fn simulate(point: &Point) -> Result<Simulated, Error> {
    let system = System::load(&point.system)?;
    match point.probe.as_str() {
        "latency" => simulate_latency(&system, point).map(Simulated::from),
        "bandwidth" => simulate_bandwidth(&system, point),
        "hotspot" => simulate_hotspot(&system, point).map(Simulated::from),
        "loaded" => simulate_loaded(&system, point).map(Simulated::from),
        "cache" => cache_latency(&system, point).map(Simulated::from),
        "pins" => pin_rate(&system, point).map(Simulated::from),
        other => {
            Err(Error::value(FILE, "probe", other, "latency, bandwidth, hotspot, loaded, cache or pins"))
        }
    }
}

/// Load-to-use latency of a cache, as replays charge it.
fn cache_latency(system: &System, point: &Point) -> Result<f64, Error> {
    let caches = [("l1", system.l1), ("l2", system.l2), ("l3", system.l3)];
    let cache = choose("cache", &point.tier, &caches)?;
    pick(point, &[("ns", cache.latency.0 as f64 / 1e3)])
}

/// Rate of the pins of a controller's channels.
fn pin_rate(system: &System, point: &Point) -> Result<f64, Error> {
    let refuse = || Error::value(FILE, "tier", &point.tier, "a tier of DRAM");
    let tier = system.tier(&point.tier).map(|at| &system.tiers[at]).ok_or_else(refuse)?;
    let DeviceConfig::Dram(device) = DeviceConfig::load(&tier.device)? else { return Err(refuse()) };
    let channels = tier.channels_per_socket as f64 / system.controllers_per_socket as f64;
    pick(point, &[("gb_per_s", device.peak_gb_per_s() * channels)])
}

fn simulate_latency(system: &System, point: &Point) -> Result<f64, Error> {
    let probe = LatencyProbe {
        pattern: point.order.parse::<Pattern>()?,
        region_bytes: parse_size("region", &point.region)?,
        block_bytes: parse_size("block", &point.block)?,
        operation: point.operation.parse()?,
        dimms: point.dimms,
        is_remote: point.mix == "remote",
        ..LatencyProbe::new(&point.tier)
    };
    let report = latency(system, &probe)?;
    pick(point, &[("ns_per_access", report.ns_per_access), ("p50", report.latency_ns.p50)])
}

fn simulate_bandwidth(system: &System, point: &Point) -> Result<Simulated, Error> {
    let mix = if point.mix.is_empty() { None } else { Some(point.mix.parse::<Mix>()?) };
    let probe = BandwidthProbe {
        operation: point.operation.parse()?,
        mix,
        access_bytes: parse_size("block", &point.block)?,
        threads: point.threads.unwrap_or(1),
        order: point.order.parse()?,
        region_bytes: parse_size("region", &point.region)?,
        dimms: point.dimms,
        ..BandwidthProbe::new(&point.tier)
    };
    let report = bandwidth(system, &probe)?;
    let efficiency = report.write_efficiency.unwrap_or(0.0);
    let value = pick(point, &[("gb_per_s", report.gb_per_s), ("write_efficiency", efficiency)])?;
    Ok(Simulated { value, spread: (point.metric == "gb_per_s").then_some(report.spread.gb_per_s) })
}

fn simulate_hotspot(system: &System, point: &Point) -> Result<f64, Error> {
    let region_bytes = parse_size("region", &point.region)?;
    let report =
        hotspot(system, &HotspotProbe { tier: point.tier.clone(), region_bytes, dimms: point.dimms })?;
    let between = report.bytes_between_stalls.unwrap_or(0.0);
    let tail = report.latency_ns;
    pick(point, &[("p50", tail.p50), ("max", tail.max), ("bytes_between_stalls", between)])
}

fn simulate_loaded(system: &System, point: &Point) -> Result<f64, Error> {
    Ok(interpolate(&simulate_curve(system, point, &|_| ())?, curve_bandwidth(point)?))
}

fn simulate_curve(
    system: &System,
    point: &Point,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<LoadedReport, Error> {
    let probe = LoadedProbe {
        tier: point.tier.clone(),
        mix: point.mix.parse()?,
        dimms: point.dimms,
        is_remote: false,
    };
    loaded(system, &probe, progress)
}

/// The bandwidth at which a point lies on its curve.
fn curve_bandwidth(point: &Point) -> Result<f64, Error> {
    let at = point.metric.strip_prefix("ns_at:").and_then(|at| at.parse().ok());
    at.ok_or_else(|| Error::value(FILE, "metric", &point.metric, "ns_at:GB/s"))
}

/// Latency of a curve at a bandwidth, straight between points and flat beyond them.
fn interpolate(curve: &LoadedReport, gb_per_s: f64) -> f64 {
    let points = &curve.points;
    let after = points.iter().position(|point| point.gb_per_s >= gb_per_s).unwrap_or(points.len() - 1);
    let Some(before) = after.checked_sub(1) else { return points[0].ns_per_access };
    let (left, right) = (points[before], points[after]);
    let share = ((gb_per_s - left.gb_per_s) / (right.gb_per_s - left.gb_per_s)).clamp(0.0, 1.0);
    left.ns_per_access + share * (right.ns_per_access - left.ns_per_access)
}

fn pick(point: &Point, values: &[(&str, f64)]) -> Result<f64, Error> {
    let found = values.iter().find(|(key, _)| *key == point.metric).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let keys: Vec<&str> = values.iter().map(|(key, _)| *key).collect();
        Error::value(FILE, "metric", &point.metric, format!("one of {}", keys.join(", ")))
    })
}

#[cfg(test)]
mod tests;
