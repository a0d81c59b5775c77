//! Which cores hold a line in their private caches: the snoop filter of the sockets.
//!
//! Exact (no evictions of its own), and only kept while more than one core is in use.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Multiplicative hashing of line numbers; they are spread well enough that nothing stronger is needed.
#[derive(Clone, Copy, Default)]
pub struct LineHasher(u64);

impl Hasher for LineHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        let product = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }
}

/// A map from line numbers.
pub type LineMap<V> = HashMap<u64, V, BuildHasherDefault<LineHasher>>;

/// Cores by line, as bit sets; at most 128 cores.
#[derive(Clone, Debug, Default)]
pub struct Sharers {
    cores: LineMap<u128>,
}

impl Sharers {
    /// Room for `lines` lines without growing.
    pub fn with_capacity(lines: usize) -> Self {
        Self { cores: LineMap::with_capacity_and_hasher(lines, BuildHasherDefault::default()) }
    }

    /// The cores that hold a line.
    #[inline]
    pub fn of(&self, line: u64) -> u128 {
        self.cores.get(&line).copied().unwrap_or(0)
    }

    /// Notes that a core holds a line.
    #[inline]
    pub fn add(&mut self, line: u64, core: usize) {
        *self.cores.entry(line).or_insert(0) |= 1 << core;
    }

    /// Notes that a core has dropped a line; gives the cores that still hold it.
    #[inline]
    pub fn remove(&mut self, line: u64, core: usize) -> u128 {
        let Some(cores) = self.cores.get_mut(&line) else { return 0 };
        *cores &= !(1 << core);
        let left = *cores;
        if left == 0 {
            self.cores.remove(&line);
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_nobody_holds_takes_no_room() {
        let mut sharers = Sharers::default();
        sharers.add(7, 0);
        sharers.add(7, 3);

        assert_eq!(sharers.of(7), 0b1001);
        assert_eq!(sharers.remove(7, 0), 0b1000);
        assert_eq!(sharers.remove(7, 3), 0);
        assert!(sharers.cores.is_empty());
    }
}
