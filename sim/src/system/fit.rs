//! The calibrated constants from published runs: two equations for the times, one least square for the memory.

use super::Overhead;
use crate::Picoseconds;

/// A published run, and the same run simulated with constants that may already be there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Published seconds.
    pub published_seconds: f64,
    /// Simulated seconds.
    pub simulated_seconds: f64,
    /// Multiply-accumulates of the run.
    pub multiply_accumulates: u64,
    /// Ciphertexts that it writes.
    pub ciphertexts: u64,
    /// Threads that share the multiply-accumulates.
    pub threads: u32,
    /// Published peak, bytes.
    pub published_peak_bytes: f64,
    /// Simulated peak without the bytes retained.
    pub simulated_peak_bytes: f64,
}

impl Observation {
    /// What a second of either constant would add to the run: seconds for each.
    fn weights(&self) -> [f64; 2] {
        [self.multiply_accumulates as f64 / f64::from(self.threads.max(1)), self.ciphertexts as f64]
    }

    /// Relative distance of the simulated time from the published one.
    pub fn error(&self) -> f64 {
        self.simulated_seconds / self.published_seconds - 1.0
    }
}

/// What to add to the time of a multiply-accumulate and of a ciphertext, in seconds, so that both runs take their
/// published times if threads share the multiply-accumulates evenly. `None` if the two runs are proportional, which
/// leaves one constant open.
pub fn solve(runs: &[Observation; 2]) -> Option<[f64; 2]> {
    let [[a, b], [c, d]] = runs.each_ref().map(Observation::weights);
    let [e, f] = runs.map(|run| run.published_seconds - run.simulated_seconds);
    let determinant = a * d - b * c;
    // Below a millionth of its terms the difference is rounding.
    let is_open = determinant.abs() <= 1e-6 * (a * d).abs().max((b * c).abs());
    (!is_open).then(|| [(e * d - b * f) / determinant, (a * f - e * c) / determinant])
}

/// Bytes retained for each ciphertext written, by least squares of the relative errors of the published peaks; 0 where
/// nothing is missing.
pub fn retained_bytes(runs: &[Observation]) -> u64 {
    let of = |run: &Observation| {
        let count = run.ciphertexts as f64 / run.published_peak_bytes;
        (count * (1.0 - run.simulated_peak_bytes / run.published_peak_bytes), count * count)
    };
    let (missing, weight) = runs.iter().map(of).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    if weight > 0.0 { (missing / weight).round().max(0.0) as u64 } else { 0 }
}

impl Overhead {
    /// The same table with other constants; times below zero become zero.
    #[must_use]
    pub fn with(&self, seconds: [f64; 2], retained_bytes: u64) -> Self {
        let [multiply_accumulate, ciphertext] =
            seconds.map(|seconds| Picoseconds::from_ns(seconds.max(0.0) * 1e9));
        Self { multiply_accumulate, ciphertext, retained_bytes, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run whose time is `base` and what the constants add.
    fn run(counts: [u64; 2], base: f64, [multiply, ciphertext]: [f64; 2]) -> Observation {
        let [multiply_accumulates, ciphertexts] = counts;
        let added = multiply * multiply_accumulates as f64 / 48.0 + ciphertext * ciphertexts as f64;
        Observation {
            published_seconds: base + added,
            simulated_seconds: base,
            multiply_accumulates,
            ciphertexts,
            threads: 48,
            published_peak_bytes: 5e9 + 12_000.0 * ciphertexts as f64,
            simulated_peak_bytes: 5e9,
        }
    }

    #[test]
    fn solution_reproduces_both_times_and_both_peaks() {
        let constants = [90e-6, 180e-6];
        let runs =
            [run([12_000_000, 2_700_000], 70.0, constants), run([57_000_000, 6_100_000], 190.0, constants)];

        let [multiply, ciphertext] = solve(&runs).unwrap();

        assert!((multiply / constants[0] - 1.0).abs() < 1e-9, "{multiply}");
        assert!((ciphertext / constants[1] - 1.0).abs() < 1e-9, "{ciphertext}");
        assert_eq!(retained_bytes(&runs), 12_000);
    }

    #[test]
    fn proportional_runs_leave_a_constant_open() {
        let runs = [run([48, 10], 1.0, [1.0, 1.0]), run([96, 20], 1.0, [1.0, 1.0])];

        assert_eq!(solve(&runs), None);
    }

    #[test]
    fn peaks_that_are_met_retain_nothing() {
        let mut one = run([48, 10], 1.0, [1.0, 1.0]);
        one.simulated_peak_bytes = one.published_peak_bytes + 1.0;

        assert_eq!(retained_bytes(&[one]), 0);
        assert_eq!(retained_bytes(&[]), 0);
    }
}
