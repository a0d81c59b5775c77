//! Tells cheaply that a line is not in the write queue.

/// Counts of waiting writes by a hash of their line.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    counts: [u8; 256],
}

impl Filter {
    pub(super) const fn new() -> Self {
        Self { counts: [0; 256] }
    }

    #[inline]
    pub(super) const fn may_contain(&self, bank: usize, row: u32, column: u32) -> bool {
        self.counts[hash(bank, row, column)] != 0
    }

    #[inline]
    pub(super) fn add(&mut self, bank: usize, row: u32, column: u32) {
        self.counts[hash(bank, row, column)] += 1;
    }

    #[inline]
    pub(super) fn remove(&mut self, bank: usize, row: u32, column: u32) {
        self.counts[hash(bank, row, column)] -= 1;
    }
}

/// Multiplicative hash (Knuth, The Art of Computer Programming 3, 6.4): the top bits of a product with 2³² ÷ φ.
#[inline]
const fn hash(bank: usize, row: u32, column: u32) -> usize {
    let key = column ^ (row << 7) ^ (bank as u32).rotate_right(6);
    (key.wrapping_mul(0x9E37_79B9) >> 24) as usize
}
