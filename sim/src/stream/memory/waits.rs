//! How long loads wait for memory: counted by the load of their server and by how much its queue delays them.
//!
//! The line model tells how late a line is at a given load of a device. Where more is asked for than a device can serve,
//! a core's lines wait behind those of others: all that a core loads together from a server take as many times longer as
//! they do as a whole, for a core has as many lines in flight as ever (Little's law).

use crate::stream::behaviour::LOAD_STEPS;

/// Classes of delay: four for each doubling, up to 256 times.
const DELAYS: usize = 32;

/// Bits of the fraction of a ratio.
const RATIO_BITS: u32 = 8;

/// Loads by step of load and class of delay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits([[u64; DELAYS]; LOAD_STEPS]);

impl Default for Waits {
    fn default() -> Self {
        Self([[0; DELAYS]; LOAD_STEPS])
    }
}

impl Waits {
    /// Counts loads at a step of load and in a class of delay.
    #[inline]
    pub fn count(&mut self, step: usize, class: usize, loads: u64) {
        self.0[step][class] += loads;
    }

    /// Combines each count with the same one of `other`.
    pub fn combine(&mut self, other: &Self, op: impl Fn(&mut u64, u64)) {
        self.0.iter_mut().flatten().zip(other.0.iter().flatten()).for_each(|(own, other)| op(own, *other));
    }

    /// Loads with the step of load that they met and what their latency is multiplied by.
    pub fn iter(&self) -> impl Iterator<Item = (usize, f64, u64)> {
        let of_step = |(step, classes): (usize, &[u64; DELAYS])| {
            let classes = *classes;
            (0..DELAYS).map(move |class| (step, factor(class), classes[class]))
        };
        self.0.iter().enumerate().flat_map(of_step).filter(|(_, _, loads)| *loads > 0)
    }
}

/// Class of loads that took `took_fs` where `alone_fs` would have been enough.
pub fn class(took_fs: u64, alone_fs: u64) -> usize {
    if took_fs <= alone_fs {
        return 0;
    }
    let ratio = (took_fs.saturating_mul(1 << RATIO_BITS) / alone_fs.max(1)).max(1 << RATIO_BITS);
    let doublings = ratio.ilog2();
    let quarter = ratio >> (doublings - 2) & 3;
    ((doublings - RATIO_BITS) as usize * 4 + quarter as usize).min(DELAYS - 1)
}

/// Middle of a class; of the lowest its beginning, where all lie that were not delayed.
fn factor(class: usize) -> f64 {
    if class == 0 {
        return 1.0;
    }
    let (doublings, quarter) = (class / 4, class % 4);
    (1.0 + (quarter as f64 + 0.5) / 4.0) * f64::from(1 << doublings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_come_back_within_half_a_class() {
        for took in [1000, 1300, 2000, 2900, 17_000, 230_000] {
            let mut waits = Waits::default();
            waits.count(3, class(took, 1000), 5);

            let found: Vec<_> = waits.iter().collect();
            let [(3, factor, 5)] = found[..] else { panic!("{found:?}") };
            let ratio = took as f64 / 1000.0;
            assert!((factor / ratio - 1.0).abs() <= 0.125, "{factor} for {ratio}");
        }
    }

    #[test]
    fn what_took_no_longer_than_alone_is_not_delayed() {
        let mut waits = Waits::default();
        waits.count(0, class(10, 1000), 7);

        assert_eq!(waits.iter().collect::<Vec<_>>(), [(0, 1.0, 7)]);
    }
}
