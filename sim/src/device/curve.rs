//! A memory tier given by measured bandwidth–latency curves, one for each share of reads, in closed loop.
//!
//! The device measures the bandwidth and the share of reads over the last window of requests and answers with the
//! latency that the curves give for them; requests are spaced at the curves' highest bandwidth. Whoever waits for the
//! answers slows down, the bandwidth falls, and so does the latency: the loop closes through the requester.
//! Source of the method: Esmaili-Dokht et al., A Mess of Memory System Benchmarking, Simulation and Application
//! Profiling, MICRO 2024.
//!
//! Known limits: requests that come at once wait for one another although the curve holds queues already (a machine
//! measures its own curve up to 5 % higher); no locality (rows, banks, buffers), and the part of a curve past its highest bandwidth is not used.

use std::collections::VecDeque;
use std::path::Path;

use hetier_traces::LINE_BYTES;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{Completion, Counters, Device, Kind, Request};
use crate::error::shown;
use crate::{Error, Picoseconds};

/// Requests after which bandwidth and mix are measured anew: a few microseconds at full load.
const WINDOW: u64 = 256;

/// Longest latency that a curve may give, in nanoseconds, as of other devices.
const LONGEST_NS: f64 = 1e6;

/// Highest bandwidth of a tier, in GB/s: a picosecond or more for a line.
const MOST_GB_PER_S: f64 = 6.4e4;

/// Least bandwidth that spaces requests, in GB/s, as of links: simulated time must not wrap.
const LEAST_PEAK_GB_PER_S: f64 = 0.1;

/// Reads points; serde itself would pass over a third number.
fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[f64; 2]>, D::Error> {
    let points = Vec::<Vec<f64>>::deserialize(deserializer)?;
    let pair = |point: Vec<f64>| {
        <[f64; 2]>::try_from(point).map_err(|point| {
            D::Error::custom(format!("a point: found {} numbers, need 2, [GB/s, ns]", point.len()))
        })
    };
    points.into_iter().map(pair).collect()
}

/// A curve device file, unchecked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveLiteral {
    /// What the file describes.
    pub title: String,
    /// Where the curves were measured.
    pub source: String,
    /// Bytes of the tier, in GiB.
    pub capacity_gib: u64,
    /// Part of the measured latency that lies between core and controller, caches included, in nanoseconds: the machine
    /// adds its own.
    pub core_path_ns: f64,
    /// The curves, by share of reads.
    pub curve: Vec<OneCurveLiteral>,
}

/// One curve, unchecked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneCurveLiteral {
    /// Reads of all requests, in per cent.
    pub read_percent: f64,
    /// Bandwidth in GB/s and latency in ns, by rising bandwidth.
    #[serde(deserialize_with = "pairs")]
    pub points: Vec<[f64; 2]>,
    /// Highest bandwidth in GB/s, at least that of the last point, whose latency holds from there on.
    pub peak_gb_per_s: f64,
}

/// Checked curves.
#[derive(Clone, Debug, PartialEq)]
pub struct CurveConfig {
    capacity_bytes: u64,
    core_path_ns: f64,
    curves: Vec<OneCurveLiteral>,
}

impl CurveLiteral {
    /// Checks every curve.
    ///
    /// # Errors
    /// - [`Error::Value`] for a curve without points, with a bandwidth or latency that is not positive, or out of order.
    pub fn check(&self, file: &str) -> Result<CurveConfig, Error> {
        let refuse = |key: &str, found: String, need: &str| Err(Error::value(file, key, found, need));
        if self.capacity_gib == 0 || self.capacity_gib > 1 << 20 {
            return refuse("capacity_gib", self.capacity_gib.to_string(), "1 to 1048576");
        }
        if !(0.0..=LONGEST_NS).contains(&self.core_path_ns) {
            return refuse("core_path_ns", shown(self.core_path_ns), &format!("0 to {LONGEST_NS}"));
        }
        if self.curve.is_empty() {
            return refuse("curve", "no curve".to_owned(), "at least one");
        }
        for (index, curve) in self.curve.iter().enumerate() {
            self.check_curve(file, index, curve)?;
        }
        let mut curves = self.curve.clone();
        curves.sort_by(|one, other| one.read_percent.total_cmp(&other.read_percent));
        if let Some(pair) = curves.windows(2).find(|pair| pair[0].read_percent == pair[1].read_percent) {
            return refuse(
                "curve.read_percent",
                format!("{} twice", pair[0].read_percent),
                "one curve for each",
            );
        }
        Ok(CurveConfig { capacity_bytes: self.capacity_gib << 30, core_path_ns: self.core_path_ns, curves })
    }

    fn check_curve(&self, file: &str, index: usize, curve: &OneCurveLiteral) -> Result<(), Error> {
        let refuse = |key: &str, found: String, need: String| {
            Err(Error::value(file, &format!("curve[{index}].{key}"), found, need))
        };
        if !(0.0..=100.0).contains(&curve.read_percent) {
            return refuse("read_percent", curve.read_percent.to_string(), "0 to 100".to_owned());
        }
        let Some(last) = curve.points.last() else {
            return refuse("points", "none".to_owned(), "at least one [GB/s, ns]".to_owned());
        };
        let mut before = 0.0;
        for [bandwidth, latency] in &curve.points {
            if !(*bandwidth > before && *bandwidth <= MOST_GB_PER_S) {
                let need = format!("more than {} GB/s and at most {MOST_GB_PER_S}", shown(before));
                return refuse("points", format!("{} GB/s", shown(*bandwidth)), need);
            }
            if !(*latency > self.core_path_ns && *latency <= LONGEST_NS) {
                let need = format!("more than core_path_ns = {} and at most {LONGEST_NS}", self.core_path_ns);
                return refuse("points", format!("{} ns", shown(*latency)), need);
            }
            before = *bandwidth;
        }
        let least = last[0].max(LEAST_PEAK_GB_PER_S);
        if !(least..=MOST_GB_PER_S).contains(&curve.peak_gb_per_s) {
            let need = format!(
                "at least the last point's {} GB/s, and {LEAST_PEAK_GB_PER_S} to {MOST_GB_PER_S}",
                last[0]
            );
            return refuse("peak_gb_per_s", shown(curve.peak_gb_per_s), need);
        }
        Ok(())
    }
}

/// Unit of the first column of a Mess file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BandwidthUnit {
    /// 10⁶ bytes a second.
    MbPerS,
    /// 10⁹ bytes a second.
    GbPerS,
}

/// Unit of the second column of a Mess file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LatencyUnit {
    /// Nanoseconds.
    Nanoseconds,
    /// Cycles of a clock of so many GHz.
    CyclesAtGhz(f64),
}

impl OneCurveLiteral {
    /// Reads a file of two columns, bandwidth and latency, as Mess publishes them (`bwlat_<read per cent>.txt`). Points
    /// past the highest bandwidth, and points that fall back, are left out.
    ///
    /// # Errors
    /// - [`Error::Io`] if the file cannot be read.
    /// - [`Error::Foreign`] for a line that is not two positive numbers.
    pub fn read_mess(
        path: &Path,
        read_percent: f64,
        bandwidth: BandwidthUnit,
        latency: LatencyUnit,
    ) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let mut points: Vec<[f64; 2]> = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let Some([raw_bandwidth, raw_latency]) = two_numbers(line) else {
                let (file, found) = (path.display().to_string(), line.chars().take(60).collect());
                let need = "two positive numbers, bandwidth and latency";
                return Err(Error::Foreign { file, line: index as u64 + 1, format: "mess", found, need });
            };
            let gb_per_s = raw_bandwidth / if bandwidth == BandwidthUnit::MbPerS { 1e3 } else { 1.0 };
            let ns = match latency {
                LatencyUnit::Nanoseconds => raw_latency,
                LatencyUnit::CyclesAtGhz(ghz) => raw_latency / ghz,
            };
            points.push([gb_per_s, ns]);
        }
        points.sort_by(|one, other| one[1].total_cmp(&other[1]));
        let mut highest = 0.0;
        points.retain(|point| {
            point[0] > highest && {
                highest = point[0];
                true
            }
        });
        Ok(Self { read_percent, points, peak_gb_per_s: highest })
    }

    /// Latency at a bandwidth, linear between points and level outside of them.
    fn latency_ns(&self, gb_per_s: f64) -> f64 {
        let after = self.points.partition_point(|point| point[0] < gb_per_s);
        let (Some(low), Some(high)) = (after.checked_sub(1).map(|i| self.points[i]), self.points.get(after))
        else {
            return self.points[after.min(self.points.len() - 1)][1];
        };
        low[1] + (high[1] - low[1]) * (gb_per_s - low[0]) / (high[0] - low[0])
    }
}

fn two_numbers(line: &str) -> Option<[f64; 2]> {
    let mut words = line.split([' ', '\t', ',']).filter(|word| !word.is_empty()).map(str::parse::<f64>);
    let pair = [words.next()?.ok()?, words.next()?.ok()?];
    (words.next().is_none() && pair.iter().all(|number| number.is_finite() && *number > 0.0)).then_some(pair)
}

impl CurveConfig {
    /// Bytes of the tier.
    pub const fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    /// Latency at the controller in ns for a bandwidth and a share of reads in [0, 1].
    pub fn latency_ns(&self, gb_per_s: f64, read_share: f64) -> f64 {
        self.between(read_share, |curve| curve.latency_ns(gb_per_s)) - self.core_path_ns
    }

    /// Highest bandwidth in GB/s for a share of reads in [0, 1].
    pub fn peak_gb_per_s(&self, read_share: f64) -> f64 {
        self.between(read_share, |curve| curve.peak_gb_per_s)
    }

    /// A value between the two curves next to a share of reads.
    fn between(&self, read_share: f64, value: impl Fn(&OneCurveLiteral) -> f64) -> f64 {
        let percent = read_share * 100.0;
        let after = self.curves.partition_point(|curve| curve.read_percent < percent);
        let (Some(low), Some(high)) = (after.checked_sub(1).map(|i| &self.curves[i]), self.curves.get(after))
        else {
            return value(&self.curves[after.min(self.curves.len() - 1)]);
        };
        let weight = (percent - low.read_percent) / (high.read_percent - low.read_percent);
        value(low) + (value(high) - value(low)) * weight
    }
}

/// A tier of measured curves as a device of the replay. Writes complete when they are accepted.
#[derive(Debug)]
pub struct Curve {
    config: CurveConfig,
    backlog: VecDeque<Request>,
    free: Picoseconds,
    latency: Picoseconds,
    spacing: Picoseconds,
    window_start: Picoseconds,
    window_reads: u64,
    window_requests: u64,
    counters: Counters,
}

impl Curve {
    /// An idle tier: the latency of its lowest bandwidth, reads only.
    pub fn new(config: &CurveConfig) -> Self {
        let mut curve = Self {
            config: config.clone(),
            backlog: VecDeque::new(),
            free: Picoseconds::ZERO,
            latency: Picoseconds::ZERO,
            spacing: Picoseconds::ZERO,
            window_start: Picoseconds::ZERO,
            window_reads: 0,
            window_requests: 0,
            counters: Counters::default(),
        };
        curve.set(0.0, 1.0);
        curve
    }

    fn set(&mut self, gb_per_s: f64, read_share: f64) {
        self.latency = Picoseconds::from_ns(self.config.latency_ns(gb_per_s, read_share));
        self.spacing = Picoseconds::from_ns(LINE_BYTES as f64 / self.config.peak_gb_per_s(read_share));
    }

    /// Counts a request, and looks the latency up anew at the end of a window.
    fn measure(&mut self, kind: Kind, at: Picoseconds) {
        self.window_requests += 1;
        self.window_reads += u64::from(kind == Kind::Read);
        if self.window_requests < WINDOW {
            return;
        }
        let elapsed = at.saturating_sub(self.window_start).max(self.spacing);
        let gb_per_s = (self.window_requests * LINE_BYTES) as f64 / elapsed.as_ns();
        self.set(gb_per_s, self.window_reads as f64 / self.window_requests as f64);
        (self.window_start, self.window_reads, self.window_requests) = (at, 0, 0);
    }

    fn serve(&mut self, request: Request) -> Completion {
        let start = request.at.max(self.free);
        self.free = start + self.spacing;
        self.measure(request.kind, start);
        let at = match request.kind {
            Kind::Read => {
                self.counters.read_bytes += LINE_BYTES;
                self.counters.media_read_bytes += LINE_BYTES;
                start + self.latency
            }
            Kind::Write => {
                self.counters.write_bytes += LINE_BYTES;
                self.counters.media_write_bytes += LINE_BYTES;
                start
            }
        };
        Completion { token: request.token, at }
    }
}

impl Device for Curve {
    fn push(&mut self, request: Request) {
        let behind = self.backlog.iter().rev().take_while(|other| other.at > request.at).count();
        self.backlog.insert(self.backlog.len() - behind, request);
    }

    fn next_event(&self) -> Option<Picoseconds> {
        self.backlog.front().map(|request| request.at.max(self.free))
    }

    fn advance(&mut self, until: Picoseconds, done: &mut Vec<Completion>) {
        while self.next_event().is_some_and(|at| at <= until) {
            let Some(request) = self.backlog.pop_front() else { return };
            done.push(self.serve(request));
        }
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}
