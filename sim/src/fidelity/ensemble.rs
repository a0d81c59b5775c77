//! The runs of many seeds: their spread, and the one in the middle.

use crate::Error;
use crate::result::{RunResult, Spread};

/// Most seeds of an ensemble: the mean is then known to a sixteenth of the deviation of a seed, and the results that may
/// still be the median, half of all, take some 0.6 GB for `MobileNetV2` (8,351 phases, 4.4 MB a result as JSON).
pub const MOST_SEEDS: u32 = 256;

/// Checks a number of seeds before any work.
///
/// # Errors
/// - [`Error::Value`] for none or more than [`MOST_SEEDS`].
pub fn check_seeds(seeds: u32) -> Result<(), Error> {
    if (1..=MOST_SEEDS).contains(&seeds) {
        return Ok(());
    }
    let need = format!(
        "1 to {MOST_SEEDS} (each is a whole replay; so many know the mean to 1/16 of a seed's deviation)"
    );
    Err(Error::value("replay", "seeds", seeds, need))
}

/// Results as they come, in any order. Those that cannot be the median any more are kept without their phases.
pub(super) struct Ensemble {
    seeds: usize,
    /// What the spread is of, by number of the seed.
    headlines: Vec<(u32, RunResult)>,
    /// Whole results by time and number of the seed, and how many came before the first of them.
    middle: Vec<(u32, RunResult)>,
    below: usize,
}

impl Ensemble {
    /// Of so many seeds, at least one.
    pub(super) const fn new(seeds: u32) -> Self {
        Self { seeds: seeds as usize, headlines: Vec::new(), middle: Vec::new(), below: 0 }
    }

    /// Takes the result of a seed.
    pub(super) fn push(&mut self, number: u32, result: RunResult) {
        self.headlines.push((number, headline(&result)));
        let key = |(number, result): &(u32, RunResult)| (result.simulated_seconds, *number);
        let before =
            |one: (f64, u32), other: (f64, u32)| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)).is_lt();
        let at = self.middle.partition_point(|known| before(key(known), (result.simulated_seconds, number)));
        self.middle.insert(at, (number, result));
        self.forget();
    }

    /// Lets go of results whose place can no longer be that of the median, whatever is still to come.
    fn forget(&mut self) {
        let to_come = self.seeds - self.headlines.len();
        let median = (self.seeds - 1) / 2;
        let least = median.saturating_sub(to_come);
        let first = least.saturating_sub(self.below).min(self.middle.len());
        self.middle.drain(..first);
        self.below += first;
        self.middle.truncate((median + 1).saturating_sub(self.below));
    }

    /// The run with the median time, with the spread of all.
    pub(super) fn median(mut self) -> RunResult {
        self.headlines.sort_by_key(|(number, _)| *number);
        let results: Vec<RunResult> = self.headlines.into_iter().map(|(_, result)| result).collect();
        let median = self.middle.into_iter().next().map(|(_, result)| result).unwrap_or_default();
        RunResult { seeds: Some(self.seeds as u64), spread: Some(Spread::of(&results)), ..median }
    }
}

/// The numbers of a result that have a spread.
fn headline(result: &RunResult) -> RunResult {
    RunResult {
        simulated_seconds: result.simulated_seconds,
        whole_run_seconds: result.whole_run_seconds,
        peak_footprint_bytes: result.peak_footprint_bytes,
        near_memory_hit_rate: result.near_memory_hit_rate,
        devices: result.devices.clone(),
        ..RunResult::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seconds: f64, number: u32) -> RunResult {
        RunResult {
            simulated_seconds: seconds,
            seed: u64::from(number),
            program_version: "whole".to_owned(),
            ..RunResult::default()
        }
    }

    /// Numbers in a fixed disorder.
    fn shuffled(count: u32, salt: u32) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..count).collect();
        numbers.sort_by_key(|number| (number + salt).wrapping_mul(2_654_435_761) >> 7);
        numbers
    }

    #[test]
    fn the_median_is_whole_and_the_spread_complete_in_whatever_order_results_come() {
        for (count, salt) in (1..24).flat_map(|count| (0..8).map(move |salt| (count, salt))) {
            // Some times are equal: the smaller number counts as the shorter.
            let times: Vec<f64> =
                shuffled(count, salt + 100).iter().map(|time| f64::from(time / 2)).collect();
            let mut order: Vec<u32> = (0..count).collect();
            order.sort_by(|one, other| {
                times[*one as usize].total_cmp(&times[*other as usize]).then(one.cmp(other))
            });

            let mut ensemble = Ensemble::new(count);
            shuffled(count, salt)
                .into_iter()
                .for_each(|number| ensemble.push(number, run(times[number as usize], number)));
            let median = ensemble.median();

            assert_eq!(median.seed, u64::from(order[(count as usize - 1) / 2]), "{count} {salt}");
            assert_eq!(median.program_version, "whole");
            assert_eq!(median.spread.unwrap().simulated_seconds_by_seed, times);
        }
    }

    #[test]
    fn results_that_cannot_be_the_median_are_let_go() {
        let mut ensemble = Ensemble::new(100);
        let mut most = 0;
        for number in shuffled(100, 3) {
            ensemble.push(number, run(f64::from(number), number));
            most = most.max(ensemble.middle.len());
        }

        // Half of the results may be the median when half have come.
        assert!((25..=51).contains(&most), "{most}");
        assert_eq!(ensemble.middle.len(), 1);
        assert!(ensemble.headlines.iter().all(|(_, result)| result.program_version.is_empty()));
    }

    #[test]
    fn more_seeds_than_fit_are_refused_with_the_reason() {
        assert!(check_seeds(1).is_ok() && check_seeds(MOST_SEEDS).is_ok());

        for wrong in [0, MOST_SEEDS + 1, u32::MAX] {
            let message = check_seeds(wrong).unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("replay: seeds: found {wrong}, need 1 to 256 (each")),
                "{message}"
            );
        }
    }
}
