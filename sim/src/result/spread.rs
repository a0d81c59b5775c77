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

/// Least, middle and largest of an ensemble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// Least.
    pub min: f64,
    /// Median; of an even number the mean of the two in the middle.
    pub median: f64,
    /// Largest.
    pub max: f64,
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
        Some(Self { min, median, max })
    }

    /// In another unit, by a factor above 0.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { min: self.min * factor, median: self.median * factor, max: self.max * factor }
    }

    /// Of a share, as percentages.
    #[must_use]
    pub fn percent(self) -> Self {
        self.scaled(100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let of = |values: &[f64]| Quantiles::of(values.iter().copied());

        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0]), Some(Quantiles { min: 3.0, median: 3.0, max: 3.0 }));
        assert_eq!(of(&[4.0, 1.0]), Some(Quantiles { min: 1.0, median: 2.5, max: 4.0 }));
        assert_eq!(of(&[4.0, 1.0, 2.0]), Some(Quantiles { min: 1.0, median: 2.0, max: 4.0 }));
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
        assert_eq!(spread.simulated_seconds, Quantiles { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!(spread.peak_footprint_bytes.max, 1280.0);
        assert_eq!(spread.near_memory_hit_rate.unwrap().min, 0.1);
        assert_eq!(spread.devices["pmem"].read_bytes, Quantiles { min: 64.0, median: 96.0, max: 128.0 });
        assert_eq!(spread.devices["pmem"].read_buffer_hit_rate, None);
    }
}
