//! What a core waits for in a segment: the wait is one, what it is for are tiers, caches and classes of objects.

use hetier_traces::Class;

use crate::core::Source;

/// Position of the caches, and of other cores, behind the tiers.
pub const CACHES: usize = Source::CACHE.0 as usize;

/// Femtoseconds that lines take, by where they come from and by the class of their object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waited {
    pub by_source: [u64; CACHES + 1],
    pub by_class: [u64; Class::ALL.len()],
}

impl Waited {
    /// Adds what lines of a class take from a tier or from [`CACHES`].
    #[inline]
    pub fn add(&mut self, source: usize, class: u8, fs: u64) {
        self.by_source[source] += fs;
        self.by_class[usize::from(class)] += fs;
    }
}

/// Deals a wait in proportion to `weights`, all of it to `other` if they are nothing.
pub fn deal(ps: u64, weights: &[u64], other: usize, mut to: impl FnMut(usize, u64)) {
    let total: u64 = weights.iter().sum();
    let (mut left, mut weight_left) = (ps, total);
    for (place, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0) {
        weight_left -= weight;
        // The last takes what division leaves.
        let share = match weight_left {
            0 => left,
            _ => (u128::from(ps) * u128::from(*weight) / u128::from(total)) as u64,
        };
        left -= share;
        to(place, share);
    }
    if total == 0 {
        to(other, ps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_dealt_in_proportion_and_none_of_it_is_lost() {
        for (weights, expected) in [([1, 0, 2], [33, 0, 67]), ([0, 5, 0], [0, 100, 0]), ([0; 3], [0, 0, 100])]
        {
            let mut dealt = [0; 3];
            deal(100, &weights, 2, |place, ps| dealt[place] += ps);

            assert_eq!(dealt, expected);
        }
    }
}
