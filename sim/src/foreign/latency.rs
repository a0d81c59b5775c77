//! Latencies counted in clocks, exact where it matters and in narrow buckets beyond.

use serde::{Deserialize, Serialize};

/// Latencies below this many clocks are counted exactly.
const EXACT: u64 = 1 << 12;
/// Buckets of each factor of two above.
const PER_OCTAVE: u64 = 1 << 6;
/// Octaves above [`EXACT`]; longer latencies go into the last bucket.
const OCTAVES: u64 = 40;

/// A histogram of latencies in clocks. Recording costs one addition and one increment.
#[derive(Clone, Debug)]
pub struct Latencies {
    counts: Vec<u64>,
    total: u64,
    sum: u64,
}

/// Mean and percentiles of latencies in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// Arithmetic mean.
    pub mean: f64,
    /// Half are no longer.
    pub p50: f64,
    /// 99 % are no longer.
    pub p99: f64,
    /// 99.9 % are no longer.
    pub p999: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: vec![0; (EXACT + OCTAVES * PER_OCTAVE) as usize], total: 0, sum: 0 }
    }
}

impl Latencies {
    /// Counts one latency.
    #[inline]
    pub fn record(&mut self, clocks: u64) {
        self.counts[bucket(clocks)] += 1;
        self.total += 1;
        self.sum += clocks;
    }

    /// Summarises at a length of clock; `None` when nothing was recorded.
    pub fn summary(&self, clock_ps: u64) -> Option<LatencySummary> {
        let ns = |clocks: f64| clocks * clock_ps as f64 / 1e3;
        let at = |share: f64| ns(self.quantile(share) as f64);
        (self.total > 0).then(|| LatencySummary {
            mean: ns(self.sum as f64 / self.total as f64),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
        })
    }

    /// The smallest latency that a share of all do not exceed; exact below 4096 clocks, within 1/64 above.
    fn quantile(&self, share: f64) -> u64 {
        let rank = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank && rank > 0 {
                return lower_bound(index as u64);
            }
        }
        0
    }
}

#[inline]
fn bucket(clocks: u64) -> usize {
    if clocks < EXACT {
        return clocks as usize;
    }
    let octave = u64::from((clocks / EXACT).ilog2());
    let within = (clocks >> octave) * PER_OCTAVE / EXACT - PER_OCTAVE;
    (EXACT + octave.min(OCTAVES - 1) * PER_OCTAVE + within) as usize
}

fn lower_bound(index: u64) -> u64 {
    if index < EXACT {
        return index;
    }
    let (octave, within) = ((index - EXACT) / PER_OCTAVE, (index - EXACT) % PER_OCTAVE);
    ((PER_OCTAVE + within) * (EXACT / PER_OCTAVE)) << octave
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_ramp_are_its_values() {
        let mut latencies = Latencies::default();
        (1..=1000).for_each(|clocks| latencies.record(clocks));

        let summary = latencies.summary(1000);

        let summary = summary.expect("a thousand were recorded");
        assert_eq!(summary, LatencySummary { mean: 500.5, p50: 500.0, p99: 990.0, p999: 999.0 });
    }

    #[test]
    fn long_latencies_fall_into_buckets_of_a_sixty_fourth() {
        for clocks in [EXACT - 1, EXACT, EXACT + 63, EXACT + 64, 123_456, 1 << 30, (1 << 40) + 12_345] {
            let bound = lower_bound(bucket(clocks) as u64);
            assert!(bound <= clocks && clocks - bound <= clocks / 64, "{clocks} {bound}");
        }
    }

    #[test]
    fn nothing_recorded_gives_nothing() {
        assert_eq!(Latencies::default().summary(750), None);
    }
}
