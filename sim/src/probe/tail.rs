//! Percentiles of latencies.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::Picoseconds;

/// Longest latency that is told apart from longer ones.
const LONGEST_PS: u64 = 1_000_000_000_000;

/// Percentiles in nanoseconds, to three digits; all zero when nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyTail {
    /// Arithmetic mean, exact.
    pub mean: f64,
    /// Half are no longer.
    pub p50: f64,
    /// 99 % are no longer.
    pub p99: f64,
    /// 99.9 % are no longer.
    pub p999: f64,
    /// 99.99 % are no longer.
    pub p9999: f64,
    /// 99.999 % are no longer.
    pub p99999: f64,
    /// The longest.
    pub max: f64,
}

/// Collects latencies.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    histogram: Histogram<u64>,
    sum: u128,
}

impl Tail {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_PS, 3).expect("the bounds are valid constants");
        Self { histogram, sum: 0 }
    }

    pub(super) fn add(&mut self, latency: Picoseconds) {
        self.sum += u128::from(latency.0);
        self.histogram.saturating_record(latency.0.max(1));
    }

    pub(super) fn count(&self) -> u64 {
        self.histogram.len()
    }

    pub(super) fn report(&self) -> LatencyTail {
        if self.histogram.is_empty() {
            return LatencyTail::default();
        }
        let at = |percent: f64| self.histogram.value_at_quantile(percent) as f64 / 1e3;
        LatencyTail {
            mean: self.sum as f64 / self.count() as f64 / 1e3,
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            p99999: at(0.99999),
            max: self.histogram.max() as f64 / 1e3,
        }
    }
}
