//! Which blocks a probe touches, one after the other.

use hetier_traces::seeded;

/// The draws of a seed, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Draw {
    seed: u64,
    position: u64,
}

impl Draw {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed: seed.wrapping_mul(0xD1B5_4A32_D192_ED03), position: 0 }
    }

    /// A number below `bound`, which is at least 1; the bias for bounds below 2⁴⁰ is under 2⁻²⁴.
    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        self.position += 1;
        seeded::draw(self.seed, self.position - 1) % bound
    }
}

/// A bijection of `0..count` that looks random, computed instead of stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permutation {
    count: u64,
    bits: u32,
}

impl Permutation {
    /// `count` in [1, 2⁶²].
    pub(super) const fn new(count: u64) -> Self {
        let bits = 64 - (count - 1).leading_zeros();
        Self { count, bits: if bits < 2 { 2 } else { bits } }
    }

    /// The image of `index`, which is below the count; on average fewer than two rounds.
    pub(super) const fn at(self, index: u64) -> u64 {
        let mut value = self.scramble(index);
        while value >= self.count {
            value = self.scramble(value);
        }
        value
    }

    /// Invertible steps on the low `bits`: odd factors, and shifts by half.
    const fn scramble(self, value: u64) -> u64 {
        const FACTORS: [u64; 4] =
            [0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB, 0xD1B5_4A32_D192_ED03];
        let mask = (1 << self.bits) - 1;
        let shift = self.bits.div_ceil(2);
        let mut value = value;
        let mut round = 0;
        while round < FACTORS.len() {
            value = value.wrapping_mul(FACTORS[round]).wrapping_add(FACTORS[round] >> 32) & mask;
            value ^= value >> shift;
            round += 1;
        }
        value
    }
}

/// An endless sequence of block numbers.
#[derive(Clone, Debug)]
pub(super) enum Walk {
    /// Ascending within `count` blocks from `origin`, round and round.
    Ascending {
        /// First block of the part.
        origin: u64,
        /// Blocks of the part.
        count: u64,
        /// Next block, from the origin.
        next: u64,
    },
    /// Drawn from `0..count`.
    Drawn {
        /// Blocks of the region.
        count: u64,
        /// Source of chance.
        draw: Draw,
    },
    /// All of `0..count` in the order of a permutation, round and round.
    Cycle {
        /// The order.
        permutation: Permutation,
        /// Position in the order.
        next: u64,
    },
}

impl Walk {
    /// The same walk over either half of its blocks; those that are drawn come from all blocks, one after the other.
    pub(super) fn halves(self) -> [Self; 2] {
        match self {
            Self::Ascending { origin, count, next } => {
                let half = (count / 2).max(1);
                let second =
                    Self::Ascending { origin: origin + count - half, count: half, next: next % half };
                [Self::Ascending { origin, count: half, next: next % half }, second]
            }
            Self::Drawn { count, mut draw } => {
                let second = Draw::new(draw.below(1 << 32));
                [Self::Drawn { count, draw }, Self::Drawn { count, draw: second }]
            }
            Self::Cycle { permutation, next } => {
                let second = (next + permutation.count / 2) % permutation.count;
                [Self::Cycle { permutation, next }, Self::Cycle { permutation, next: second }]
            }
        }
    }

    /// The next block.
    pub(super) fn block(&mut self) -> u64 {
        match self {
            Self::Ascending { origin, count, next } => {
                let block = *origin + *next;
                *next = (*next + 1) % *count;
                block
            }
            Self::Drawn { count, draw } => draw.below(*count),
            Self::Cycle { permutation, next } => {
                let block = permutation.at(*next);
                *next = (*next + 1) % permutation.count;
                block
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_meets_every_block_once() {
        for count in [1, 2, 3, 64, 100, 4096, 5000] {
            let permutation = Permutation::new(count);
            let mut seen: Vec<u64> = (0..count).map(|index| permutation.at(index)).collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..count), "{count}");
        }
    }

    #[test]
    fn ascending_walks_wrap_inside_their_part() {
        let mut walk = Walk::Ascending { origin: 10, count: 3, next: 1 };
        let blocks: Vec<u64> = (0..5).map(|_| walk.block()).collect();
        assert_eq!(blocks, [11, 12, 10, 11, 12]);
    }
}
