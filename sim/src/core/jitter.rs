//! How long the same arithmetic takes from call to call.
//!
//! Calls on a real core are never equally long: interrupts, the other hyper-thread, the branch predictor and turbo
//! clocks see to that. Threads that work on equal shares drift apart by it, and what they fetch of one another changes. A
//! call's arithmetic takes its mean time multiplied by a draw from a uniform distribution around one, which depends on the
//! seed, the core and the number of the call alone.

use hetier_traces::seeded::draw;

/// Fraction bits of a tempo.
const FRACTION_BITS: u32 = 16;

/// Jitter of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jitter {
    seed: u64,
    /// Half the width of the distribution, in parts of 2¹⁶.
    reach: u64,
}

/// What a call's arithmetic is multiplied by, in parts of 2¹⁶.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tempo(u64);

impl Default for Tempo {
    fn default() -> Self {
        Self(1 << FRACTION_BITS)
    }
}

impl Jitter {
    /// Jitter with a standard deviation in percent of the mean, in [0, 50].
    pub fn new(percent: f64, seed: u64) -> Self {
        // A uniform distribution reaches √3 standard deviations.
        let reach = 3.0_f64.sqrt() * percent / 100.0 * f64::from(1 << FRACTION_BITS);
        Self { seed, reach: reach.round() as u64 }
    }

    /// Tempo of call number `call` of a core.
    #[inline]
    pub fn tempo(self, core: usize, call: u64) -> Tempo {
        if self.reach == 0 {
            return Tempo::default();
        }
        let chance = draw(self.seed ^ (core as u64) << 48, call) >> 32;
        Tempo((1 << FRACTION_BITS) - self.reach + ((chance * 2 * self.reach) >> 32))
    }
}

impl Tempo {
    /// So much arithmetic at this tempo, in the same unit.
    #[inline]
    pub const fn of(self, time: u64) -> u64 {
        ((time as u128 * self.0 as u128) >> FRACTION_BITS) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tempos_have_the_mean_and_the_deviation_asked_for() {
        let jitter = Jitter::new(10.0, 7);
        let calls = 100_000;
        let times = (0..calls).map(|call| jitter.tempo(3, call).of(1_000_000) as f64 / 1e6);
        let (sum, squares) =
            times.fold((0.0, 0.0), |(sum, squares), time| (sum + time, squares + time * time));
        let mean = sum / f64::from(calls as u32);
        let deviation = (squares / f64::from(calls as u32) - mean * mean).sqrt();

        // Standard errors: 0.1 / √100,000 = 0.0003 of the mean, less of the deviation.
        assert!((mean - 1.0).abs() < 0.0015, "{mean}");
        assert!((deviation - 0.1).abs() < 0.001, "{deviation}");
    }

    #[test]
    fn tempos_differ_by_core_and_seed_and_are_one_without_jitter() {
        let tempos =
            |seed, core| (0..8).map(|call| Jitter::new(10.0, seed).tempo(core, call)).collect::<Vec<_>>();

        assert_ne!(tempos(1, 0), tempos(1, 1));
        assert_ne!(tempos(1, 0), tempos(2, 0));
        assert_eq!(tempos(1, 0), tempos(1, 0));
        assert_eq!(Jitter::new(0.0, 1).tempo(5, 9), Tempo::default());
    }
}
