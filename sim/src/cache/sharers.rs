//! How many cores hold a line in their private caches, and one of them: the snoop filter of the machine.
//!
//! Exact (no evictions of its own), and only kept while more than one core is in use. A line takes eight bytes, and
//! neighbouring lines lie together, so that sweeps walk the filter in order.

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
        let product = (self.0 ^ value).wrapping_mul(FIBONACCI);
        self.0 = product ^ (product >> 32);
    }
}

/// A map from line numbers.
pub type LineMap<V> = HashMap<u64, V, BuildHasherDefault<LineHasher>>;

/// 2⁶⁴ ÷ golden ratio.
pub(super) const FIBONACCI: u64 = 0x9e37_79b9_7f4a_7c15;

const LINE_MASK: u64 = (1 << super::LINE_BITS) - 1;
const COUNT_SHIFT: u32 = super::LINE_BITS;
const CORE_SHIFT: u32 = 56;
const UNKNOWN_CORE: u64 = 0xff;
/// An entry without a line; a count of 0 never occurs in a used one.
const EMPTY: u64 = 0;
/// Lines that share a place: eight entries are one line of the host.
const GROUP: usize = 8;
/// How far on a line goes that finds another in its entry: to the next place, so that full places do not run into one
/// another; being odd, past every entry in the end.
const STEP: usize = GROUP + 1;
/// What makes steps of a distance between entries: the inverse of [`STEP`] modulo 2⁶⁴.
const INVERSE: usize = 0x8e38_e38e_38e3_8e39_u64 as usize;
const _: () = assert!(STEP.wrapping_mul(INVERSE) == 1);

/// Who holds a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holders {
    /// How many cores.
    pub count: usize,
    /// One of them, if it is known.
    pub core: Option<usize>,
}

/// Holders by line, in an open-addressing table at most a quarter full. At most 128 cores.
#[derive(Clone, Debug)]
pub struct Sharers {
    entries: Box<[u64]>,
    mask: usize,
}

impl Sharers {
    /// Room for `lines` held lines.
    pub fn with_capacity(lines: usize) -> Self {
        let size = (4 * lines).next_power_of_two().max(64);
        Self { entries: vec![EMPTY; size].into(), mask: size - 1 }
    }

    #[inline]
    fn place(&self, line: u64) -> usize {
        let hash = (line / GROUP as u64).wrapping_mul(FIBONACCI);
        ((hash >> 20) as usize * GROUP + line as usize % GROUP) & self.mask
    }

    /// Position of a line's entry, or of the empty one where it belongs.
    #[inline]
    fn find(&self, line: u64) -> usize {
        let mut at = self.place(line);
        while self.entries[at] != EMPTY && self.entries[at] & LINE_MASK != line {
            at = (at + STEP) & self.mask;
        }
        at
    }

    /// Steps from one entry to another.
    #[inline]
    const fn steps(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from).wrapping_mul(INVERSE) & self.mask
    }

    /// Who holds a line.
    #[inline]
    pub fn of(&self, line: u64) -> Holders {
        decode(self.entries[self.find(line)])
    }

    /// Notes that a core that did not hold a line does now.
    #[inline]
    pub fn add(&mut self, line: u64, core: usize) {
        let at = self.find(line);
        let count = decode(self.entries[at]).count as u64 + 1;
        self.entries[at] = line | count << COUNT_SHIFT | (core as u64) << CORE_SHIFT;
    }

    /// Notes that a core that held a line does no longer; gives how many still do.
    #[inline]
    pub fn remove(&mut self, line: u64, core: usize) -> usize {
        let at = self.find(line);
        let holders = decode(self.entries[at]);
        match holders.count {
            0 => 0,
            1 => {
                self.erase(at);
                0
            }
            count => {
                let left = count as u64 - 1;
                let known =
                    holders.core.filter(|known| *known != core).map_or(UNKNOWN_CORE, |known| known as u64);
                self.entries[at] = line | left << COUNT_SHIFT | known << CORE_SHIFT;
                left as usize
            }
        }
    }

    /// Empties an entry, moving later ones of its run forward so that every search still finds its line.
    fn erase(&mut self, at: usize) {
        let mut hole = at;
        let mut next = (at + STEP) & self.mask;
        while self.entries[next] != EMPTY {
            let home = self.place(self.entries[next] & LINE_MASK);
            // The entry may move if its home does not lie between the hole and itself.
            if self.steps(home, next) >= self.steps(hole, next) {
                self.entries[hole] = self.entries[next];
                hole = next;
            }
            next = (next + STEP) & self.mask;
        }
        self.entries[hole] = EMPTY;
    }
}

#[inline]
const fn decode(entry: u64) -> Holders {
    let count = (entry >> COUNT_SHIFT & 0xff) as usize;
    let core = entry >> CORE_SHIFT;
    Holders { count, core: if count > 0 && core != UNKNOWN_CORE { Some(core as usize) } else { None } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_nobody_holds_takes_no_room() {
        let mut sharers = Sharers::with_capacity(16);
        sharers.add(7, 0);
        sharers.add(7, 3);

        assert_eq!(sharers.of(7), Holders { count: 2, core: Some(3) });
        assert_eq!(sharers.remove(7, 3), 1);
        assert_eq!(sharers.of(7), Holders { count: 1, core: None });
        assert_eq!(sharers.remove(7, 0), 0);
        assert!(sharers.entries.iter().all(|entry| *entry == EMPTY));
    }

    #[test]
    fn random_holders_equal_a_map_of_sets() {
        let mut sharers = Sharers::with_capacity(400);
        let mut model: std::collections::BTreeMap<u64, std::collections::BTreeSet<usize>> =
            Default::default();
        for step in 0..200_000 {
            // Half of the lines begin at the same entry of their places.
            let drawn = hetier_traces::seeded::draw_below(1, step, 800);
            let line = if drawn < 400 { drawn * 8 } else { drawn * 37 % 500 };
            let core = hetier_traces::seeded::draw_below(2, step, 4) as usize;
            let held = model.entry(line).or_default();
            if held.remove(&core) {
                assert_eq!(sharers.remove(line, core), held.len());
            } else {
                held.insert(core);
                sharers.add(line, core);
            }
            let holders = sharers.of(line);
            assert_eq!(holders.count, held.len());
            assert!(holders.core.is_none_or(|core| held.contains(&core)));
        }
    }
}
