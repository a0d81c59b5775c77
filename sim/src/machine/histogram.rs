//! A latency histogram kept in plain counters while the replay runs.

use hdrhistogram::Histogram as Hdr;

use crate::Picoseconds;
use crate::result::{Bucket, Latency};

/// Buckets for each doubling of the latency: a bucket is at most 1/64 wide.
const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// Counts of latencies in buckets at most 1.6 % wide. A record costs about a nanosecond.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Box<[u64]>,
    sum: u128,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; (64 * STEPS) as usize].into(), sum: 0, count: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts one latency.
    #[inline]
    pub fn record(&mut self, latency: Picoseconds) {
        self.record_many(latency, 1);
    }

    /// Counts one latency so many times.
    #[inline]
    pub fn record_many(&mut self, latency: Picoseconds, times: u64) {
        self.counts[bucket(latency.0)] += times;
        self.sum += u128::from(latency.0) * u128::from(times);
        self.count += times;
        self.max = self.max.max(latency.0);
    }

    /// What was recorded since `before`, an earlier state of this histogram; its maximum is that of all records.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let counts = self.counts.iter().zip(&before.counts).map(|(now, before)| now - before);
        Self {
            counts: counts.collect(),
            sum: self.sum - before.sum,
            count: self.count - before.count,
            max: self.max,
        }
    }

    /// Mean, picoseconds; `None` without a record.
    pub fn mean_ps(&self) -> Option<u64> {
        (self.count > 0).then(|| (self.sum / u128::from(self.count)) as u64)
    }

    /// Number of records.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Mean and quantiles; `None` without a record.
    pub fn summary(&self) -> Option<Latency> {
        let hdr = self.hdr()?;
        let ns = |quantile| (hdr.value_at_quantile(quantile).min(self.max)) as f64 / 1e3;
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        Some(Latency {
            count: self.count,
            mean: self.sum as f64 / self.count as f64 / 1e3,
            p50: ns(0.5),
            p99: ns(0.99),
            p999: ns(0.999),
            max: self.max as f64 / 1e3,
            buckets: filled.map(|(at, count)| Bucket { ns: upper(at) as f64 / 1e3, count: *count }).collect(),
        })
    }

    /// The latency below which a share of the records lies, nanoseconds; `None` without a record.
    pub fn quantile_ns(&self, share: f64) -> Option<f64> {
        Some(self.hdr()?.value_at_quantile(share).min(self.max) as f64 / 1e3)
    }

    fn hdr(&self) -> Option<Hdr<u64>> {
        if self.count == 0 {
            return None;
        }
        let mut hdr = Hdr::new(3).expect("3 digits are within 0 to 5");
        for (at, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            hdr.record_n(middle(at), *count).expect("the histogram grows by itself");
        }
        Some(hdr)
    }
}

/// Exact below [`STEPS`], then [`STEPS`] buckets for each doubling.
#[inline]
fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let shift = 63 - value.leading_zeros() - STEP_BITS;
    ((u64::from(shift) + 1) * STEPS + (value >> shift) - STEPS) as usize
}

/// Least value of a bucket.
const fn lower(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS { bucket } else { (bucket % STEPS + STEPS) << (bucket / STEPS - 1) }
}

/// First value past a bucket.
const fn upper(bucket: usize) -> u64 {
    lower(bucket + 1)
}

const fn middle(bucket: usize) -> u64 {
    lower(bucket) + (upper(bucket) - lower(bucket)) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        for step in 0..4000_u64 {
            let value = hetier_traces::seeded::draw(3, step) >> (step % 60 + 3);
            let at = bucket(value);

            assert!(lower(at) <= value && value < upper(at), "{value} {at}");
            assert!(upper(at) - lower(at) <= 1 + value / STEPS);
        }
    }

    #[test]
    fn quantiles_of_a_known_distribution_are_within_a_bucket() {
        let mut histogram = Histogram::default();
        for ns in 1..=1000 {
            histogram.record(Picoseconds(ns * 1000));
        }

        let summary = histogram.summary().unwrap();

        assert!((summary.mean - 500.5).abs() < 1e-9);
        for (found, expected) in [(summary.p50, 500.0), (summary.p99, 990.0), (summary.p999, 999.0)] {
            assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected}");
        }
        assert_eq!(summary.max, 1000.0);
        assert_eq!(summary.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 1000);
    }
}
