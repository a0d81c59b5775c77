//! The spread of headline numbers over an ensemble of seeds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{RunResult, TierResult};

/// Spread of the headline numbers over seeds. Of one seed all three quantiles are its number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Of the inference time.
    pub simulated_seconds: Quantiles,
    /// Of the time of the whole run.
    pub whole_run_seconds: Quantiles,
    /// Of the most bytes held.
    pub peak_footprint_bytes: Quantiles,
    /// Of the share of requests that near memory held, in Memory Mode.
    pub near_memory_hit_rate: Option<Quantiles>,
    /// Of the traffic, by tier.
    pub devices: BTreeMap<String, TierSpread>,
    /// The inference time of each seed in their order, so that runs with the same seeds compare in pairs.
    pub simulated_seconds_by_seed: Vec<f64>,
}

/// Spread of what one tier did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierSpread {
    /// Of [`TierResult::read_bytes`].
    pub read_bytes: Quantiles,
    /// Of [`TierResult::write_bytes`].
    pub write_bytes: Quantiles,
    /// Of the share of reads that a row or buffer served.
    pub read_buffer_hit_rate: Option<Quantiles>,
}

/// Least, middle, largest and mean of an ensemble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// Least.
    pub min: f64,
    /// Median; of an even number the mean of the two in the middle.
    pub median: f64,
    /// Largest.
    pub max: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Where the mean of all possible seeds lies with 95 % confidence, by Student's t; none of a single value.
    pub mean_interval_95: Option<Interval>,
}

/// From one number to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Spread {
    /// Of results in the order of their seeds; all zero without any.
    pub fn of(results: &[RunResult]) -> Self {
        let every = |number: &dyn Fn(&RunResult) -> f64| {
            Quantiles::of(results.iter().map(number)).unwrap_or_default()
        };
        let tiers = results.first().map(|first| first.devices.keys()).into_iter().flatten();
        let devices = tiers.map(|name| (name.clone(), TierSpread::of(results, name)));
        Self {
            simulated_seconds: every(&|result| result.simulated_seconds),
            whole_run_seconds: every(&|result| result.whole_run_seconds),
            peak_footprint_bytes: every(&|result| result.peak_footprint_bytes as f64),
            near_memory_hit_rate: Quantiles::of(
                results.iter().filter_map(|result| result.near_memory_hit_rate),
            ),
            devices: devices.collect(),
            simulated_seconds_by_seed: results.iter().map(|result| result.simulated_seconds).collect(),
        }
    }
}

impl TierSpread {
    fn of(results: &[RunResult], name: &str) -> Self {
        let tiers = || results.iter().filter_map(|result| result.devices.get(name));
        let every = |number: fn(&TierResult) -> f64| Quantiles::of(tiers().map(number)).unwrap_or_default();
        Self {
            read_bytes: every(|tier| tier.read_bytes as f64),
            write_bytes: every(|tier| tier.write_bytes as f64),
            read_buffer_hit_rate: Quantiles::of(tiers().filter_map(|tier| tier.buffer_hit_rate.read)),
        }
    }
}

impl Quantiles {
    /// Of some values; `None` without any.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let upper = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[upper - 1], values[upper])
        } else {
            values[upper]
        };
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Some(Self { min, median, max, mean, mean_interval_95: interval_95(&values, mean) })
    }

    /// In another unit, by a factor above 0.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        let interval = |ends: Interval| Interval { low: ends.low * factor, high: ends.high * factor };
        Self {
            min: self.min * factor,
            median: self.median * factor,
            max: self.max * factor,
            mean: self.mean * factor,
            mean_interval_95: self.mean_interval_95.map(interval),
        }
    }

    /// Of a share, as percentages.
    #[must_use]
    pub fn percent(self) -> Self {
        self.scaled(100.0)
    }
}

/// Mean ± t · s / √n.
fn interval_95(values: &[f64], mean: f64) -> Option<Interval> {
    let degrees = values.len().checked_sub(1).filter(|degrees| *degrees > 0)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let error = (squares / degrees as f64 / values.len() as f64).sqrt();
    let half = student_t_95(degrees) * error;
    Some(Interval { low: mean - half, high: mean + half })
}

/// What Student's t stays under with a probability of 97.5 %: from the table, beyond it by the expansion of Abramowitz
/// and Stegun, 26.7.5, about the normal quantile, which is right to three digits there.
fn student_t_95(degrees: usize) -> f64 {
    const TABLE: [f64; 10] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
    if let Some(value) = TABLE.get(degrees - 1) {
        return *value;
    }
    let (normal, degrees) = (1.959_964_f64, degrees as f64);
    let first = (normal.powi(3) + normal) / 4.0;
    let second = (5.0 * normal.powi(5) + 16.0 * normal.powi(3) + 3.0 * normal) / 96.0;
    let third =
        (3.0 * normal.powi(7) + 19.0 * normal.powi(5) + 17.0 * normal.powi(3) - 15.0 * normal) / 384.0;
    normal + first / degrees + second / degrees.powi(2) + third / degrees.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Least, middle and largest.
    fn three(of: Quantiles) -> [f64; 3] {
        [of.min, of.median, of.max]
    }

    #[test]
    fn the_interval_of_the_mean_is_that_of_students_t() {
        let of = |values: &[f64]| Quantiles::of(values.iter().copied()).unwrap();

        // Mean 5, deviation 2: half a width of 3.182 × 2 / √4 with three degrees of freedom.
        let four = of(&[5.0 - 3_f64.sqrt(), 5.0 - 3_f64.sqrt(), 5.0 + 3_f64.sqrt(), 5.0 + 3_f64.sqrt()]);
        let ends = four.mean_interval_95.unwrap();

        assert!((four.mean - 5.0).abs() < 1e-12);
        assert!((ends.high - 8.182).abs() < 1e-9 && (ends.low - 1.818).abs() < 1e-9, "{ends:?}");
        assert_eq!(of(&[3.0]).mean_interval_95, None);
        assert_eq!(of(&[3.0, 3.0]).mean_interval_95, Some(Interval { low: 3.0, high: 3.0 }));
    }

    #[test]
    fn students_t_is_as_tabulated_beyond_the_table_of_the_program() {
        // NIST/SEMATECH e-Handbook, 1.3.6.7.2.
        for (degrees, value) in [(11, 2.201), (20, 2.086), (30, 2.042), (60, 2.000), (100, 1.984)] {
            let found = student_t_95(degrees);
            assert!((found - value).abs() < 0.001, "{degrees}: {found}, table {value}");
        }
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let of = |values: &[f64]| Quantiles::of(values.iter().copied()).map(three);

        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0]), Some([3.0, 3.0, 3.0]));
        assert_eq!(of(&[4.0, 1.0]), Some([1.0, 2.5, 4.0]));
        assert_eq!(of(&[4.0, 1.0, 2.0]), Some([1.0, 2.0, 4.0]));
    }

    #[test]
    fn every_headline_number_has_its_spread_and_seeds_keep_their_order() {
        let run = |seconds: f64, bytes: u64| {
            let tier = TierResult { read_bytes: bytes, ..TierResult::default() };
            RunResult {
                simulated_seconds: seconds,
                peak_footprint_bytes: 10 * bytes,
                near_memory_hit_rate: Some(seconds / 10.0),
                devices: BTreeMap::from([("pmem".to_owned(), tier)]),
                ..RunResult::default()
            }
        };

        let spread = Spread::of(&[run(3.0, 64), run(1.0, 128)]);

        assert_eq!(spread.simulated_seconds_by_seed, [3.0, 1.0]);
        assert_eq!(three(spread.simulated_seconds), [1.0, 2.0, 3.0]);
        assert_eq!(spread.peak_footprint_bytes.max, 1280.0);
        assert_eq!(spread.near_memory_hit_rate.unwrap().min, 0.1);
        assert_eq!(three(spread.devices["pmem"].read_bytes), [64.0, 96.0, 128.0]);
        assert_eq!(spread.devices["pmem"].read_buffer_hit_rate, None);
    }
}
