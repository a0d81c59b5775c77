//! How fast the host replayed: over all seeds, and of a sampled run only what was simulated.

use hetier_reports::units;
use hetier_sim::RunResult;
use hetier_traces::Trace;

use crate::failure::Outcome;
use crate::machine::{self, Timed};

/// A line about each run: host time, seeds, and the lines or the simulated calls of each second.
pub fn lines(trace: &Trace, timed: &[Timed]) -> Outcome<Vec<String>> {
    let is_any_sampled = timed.iter().any(|(result, _)| request(result).is_some());
    let calls = if is_any_sampled { machine::calls(trace)? } else { 0 };
    Ok(timed.iter().map(|(result, seconds)| line(result, calls, *seconds)).collect())
}

/// What of the calls was asked for, if not all.
fn request(result: &RunResult) -> Option<&str> {
    result.settings.get("sample").map(String::as_str).filter(|sample| *sample != "all")
}

fn line(result: &RunResult, calls: u64, seconds: f64) -> String {
    let seeds = result.seeds.unwrap_or(1);
    let ensemble = if seeds > 1 { format!("{seeds} seeds of ") } else { String::new() };
    let rate = |count: f64| count * seeds as f64 / seconds.max(1e-9);
    let speed = match request(result) {
        None => format!("{:.1} million lines a second", rate(result.accesses as f64) / 1e6),
        Some(request) => {
            let share = result.sampled_share.unwrap_or(1.0);
            let simulated = units::count(rate(share * calls as f64).round() as u64);
            let share = units::percent(share);
            format!("{share} of the calls simulated (--sample {request}), {simulated} calls a second")
        }
    };
    format!("replayed {ensemble}{} in {}: {speed}", result.mode, units::seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(sample: &str, share: f64, seeds: u64) -> RunResult {
        RunResult {
            mode: "memory-mode".to_owned(),
            accesses: 80_000_000,
            sampled_share: Some(share),
            seeds: Some(seeds),
            settings: [("sample".to_owned(), sample.to_owned())].into(),
            ..RunResult::default()
        }
    }

    #[test]
    fn lines_of_all_seeds_count() {
        let three = line(&run("all", 1.0, 3), 0, 48.0);

        // 3 × 80 million lines in 48 s.
        assert_eq!(three, "replayed 3 seeds of memory-mode in 48.0 s: 5.0 million lines a second");
        assert!(line(&run("all", 1.0, 1), 0, 16.0).contains(": 5.0 million lines"));
    }

    #[test]
    fn calls_that_a_sample_leaves_out_do_not_count() {
        let sampled = line(&run("0.02", 0.138, 2), 100_000_000, 4.0);

        // 2 × 13.8 million calls in 4 s; 40 million lines a second would be another program.
        let expected = "13.8 % of the calls simulated (--sample 0.02), 6,900,000 calls a second";
        assert!(sampled.ends_with(expected), "{sampled}");
    }
}
