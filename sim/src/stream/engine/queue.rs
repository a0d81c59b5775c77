//! Which core runs next: the one with the lowest clock, the lowest number among equals.

/// A clock that never runs: the core has nothing to do.
pub const NEVER: u64 = u64::MAX;

/// Most cores: as many as a set of them has bits.
const MOST_CORES: usize = u128::BITS as usize;

/// A tournament over the clocks of all cores. A change costs one comparison for each of log₂(cores) rounds.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Clock of the winner of each match; match `m` is between the winners of `2m` and `2m + 1`, leaves stand from `leaves` on.
    clocks: Box<[u64; 2 * MOST_CORES]>,
    /// The winners.
    cores: Box<[u8; 2 * MOST_CORES]>,
    leaves: usize,
}

impl Queue {
    /// All cores without anything to do.
    pub fn new(cores: usize) -> Self {
        let leaves = cores.next_power_of_two().clamp(2, MOST_CORES);
        let (clocks, cores) = (Box::new([NEVER; 2 * MOST_CORES]), Box::new([0; 2 * MOST_CORES]));
        let mut queue = Self { clocks, cores, leaves };
        (0..leaves).for_each(|core| queue.set(core, NEVER));
        queue
    }

    /// Says when a core runs next.
    #[inline]
    pub fn set(&mut self, core: usize, clock: u64) {
        let (clocks, cores) = (&mut *self.clocks, &mut *self.cores);
        let mut node = (core + self.leaves) % clocks.len();
        (clocks[node], cores[node]) = (clock, core as u8);
        while node > 1 {
            // Of equal clocks that of the lower core, which stands on the left, wins.
            let (left, right) = (node & !1, node | 1);
            let winner = if clocks[right] < clocks[left] { right } else { left };
            node /= 2;
            (clocks[node], cores[node]) = (clocks[winner], cores[winner]);
        }
    }

    /// The core that runs next, and its clock; `None` if all have nothing to do.
    #[inline]
    pub fn first(&self) -> Option<(usize, u64)> {
        let clock = self.clocks[1];
        (clock != NEVER).then_some((self.cores[1].into(), clock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_come_in_order_of_clock_then_number() {
        let mut queue = Queue::new(5);
        for (core, clock) in [(4, 7), (2, 3), (3, 3), (0, 9)] {
            queue.set(core, clock);
        }

        let mut order = Vec::new();
        while let Some((core, clock)) = queue.first() {
            order.push((core, clock));
            queue.set(core, NEVER);
        }

        assert_eq!(order, [(2, 3), (3, 3), (4, 7), (0, 9)]);
    }
}
