//! The last-level cache of a socket as objects in order of use.
//!
//! An object leaves in four quarters, each at a depth of its own ([`conflicts`](super::conflicts); for 11 ways about 0.67,
//! 0.88, 1.07 and 1.35 of the capacity). Each depth is a pointer into one list, so a use costs a few steps. Which
//! parts of an object are here is kept as a set, so that a limb is not found in the place of another. An object that is
//! large against the cache, as keys can be, is kept in chunks, because a use of one end says nothing of the other.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;

use super::conflicts::{QUARTERS, depths};
use super::contents::Parts;
use super::key::Mixer;

const NONE: u32 = u32::MAX;

/// Objects of more than one part in so many of the cache are kept in chunks. At 8 and 16 ciphertexts of reduced instances
/// are, and agree no better with line fidelity.
const LARGE_PART: u64 = 4;

/// Chunks of a large object.
const CHUNKS: u32 = 8;

/// Block numbers end where numbers of chunks begin.
const CHUNK_SHIFT: u32 = 28;

/// Number under which a chunk of a block is kept; those that are whole are kept under their own.
const fn chunk_of(block: u32, chunk: u32) -> u32 {
    block | (chunk + 1) << CHUNK_SHIFT
}

/// Parts of a chunk.
const fn parts_of(chunk: u32) -> Parts {
    const EACH: u32 = Parts::BITS / CHUNKS;
    ((1 << EACH) - 1) << (EACH * chunk)
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The block, or one of its chunks.
    block: u32,
    lines: u32,
    dirty: u32,
    /// Lines that count for the depth of older objects: in a set where an older line is left, all of these are.
    nominal: u32,
    /// Parts of the block that were here when so many quarters had left, as a set.
    parts: Parts,
    known_at: u8,
    before: u32,
    after: u32,
    /// Quarters that have left.
    gone: u8,
}

impl Slot {
    /// Parts of the block that are here. The first leave first: they are the oldest. Few ask for them, so they are not
    /// kept up with every quarter that leaves.
    fn parts(&self) -> Parts {
        (usize::from(self.known_at)..usize::from(self.gone)).fold(self.parts, |parts, quarter| {
            (0..parts.count_ones() / (QUARTERS - quarter) as u32).fold(parts, |parts, _| parts & (parts - 1))
        })
    }
}

/// All parts of a block.
pub const ALL: Parts = Parts::MAX;

/// Lines of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// How many.
    pub lines: u32,
    /// How many of them are dirty.
    pub dirty: u32,
    /// Where in the block, as a set of its parts; not empty.
    pub parts: Parts,
}

/// Dirty lines that leave the cache, or the last of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// The block.
    pub block: u32,
    /// Dirty lines.
    pub dirty: u32,
    /// Whether nothing of the block is left.
    pub is_last: bool,
}

/// The last-level cache of one socket.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Slot by block, and by chunk of those that are large.
    of_block: Vec<u32>,
    of_chunk: HashMap<u32, u32, BuildHasherDefault<Mixer>>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    newest: u32,
    /// Oldest object that still has quarter `q`, and the lines from the newest to it.
    oldest: [u32; QUARTERS],
    depth: [u64; QUARTERS],
    limits: [u64; QUARTERS],
    /// Lines from which on an object is large, and those that are.
    large_lines: u64,
    large: HashSet<u32, BuildHasherDefault<Mixer>>,
}

impl Shared {
    /// An empty cache of `sets` sets of `ways` lines.
    pub fn new(sets: u64, ways: u64) -> Self {
        Self {
            of_block: Vec::new(),
            of_chunk: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: [NONE; QUARTERS],
            depth: [0; QUARTERS],
            limits: depths(sets, ways),
            large_lines: sets * ways / LARGE_PART,
            large: HashSet::default(),
        }
    }

    #[inline]
    fn is_large(&self, block: u32) -> bool {
        !self.large.is_empty() && self.large.contains(&block)
    }

    /// Slot of a block or a chunk.
    #[inline]
    fn place(&self, block: u32) -> Option<u32> {
        match block >> CHUNK_SHIFT {
            0 => self.of_block.get(block as usize).copied().filter(|place| *place != NONE),
            _ => self.of_chunk.get(&block).copied(),
        }
    }

    /// Says where a block or a chunk is, [`NONE`] for nowhere.
    #[inline]
    fn set_place(&mut self, block: u32, place: u32) {
        if block >> CHUNK_SHIFT == 0 {
            if self.of_block.len() <= block as usize {
                self.of_block.resize(block as usize + 1, NONE);
            }
            self.of_block[block as usize] = place;
        } else if place == NONE {
            self.of_chunk.remove(&block);
        } else {
            self.of_chunk.insert(block, place);
        }
    }

    /// Whether lines of a block are here.
    #[inline]
    pub fn holds(&self, block: u32) -> bool {
        match self.is_large(block) {
            false => self.place(block).is_some(),
            true => (0..CHUNKS).any(|chunk| self.place(chunk_of(block, chunk)).is_some()),
        }
    }

    /// Lines of a block that are here, and how many of them are dirty.
    pub fn lines(&self, block: u32) -> (u32, u32) {
        if !self.is_large(block) {
            return self.lines_of(block);
        }
        let chunks = (0..CHUNKS).map(|chunk| self.lines_of(chunk_of(block, chunk)));
        chunks.fold((0, 0), |sum, chunk| (sum.0 + chunk.0, sum.1 + chunk.1))
    }

    #[inline]
    fn lines_of(&self, block: u32) -> (u32, u32) {
        match self.place(block) {
            Some(place) => (self.slots[place as usize].lines, self.slots[place as usize].dirty),
            None => (0, 0),
        }
    }

    /// Parts of a block that are here.
    #[inline]
    fn parts(&self, block: u32) -> Parts {
        match self.place(block) {
            Some(place) => self.slots[place as usize].parts(),
            None => 0,
        }
    }

    /// Takes up to `wanted` lines of some parts out; gives how many were there, and how many of those were dirty.
    #[inline]
    pub fn take(&mut self, block: u32, wanted: u32, parts: Parts) -> (u32, u32) {
        if !self.is_large(block) {
            return self.take_of(block, wanted, parts);
        }
        (0..CHUNKS).fold((0, 0), |sum, chunk| {
            let more = self.take_of(chunk_of(block, chunk), wanted - sum.0, parts & parts_of(chunk));
            (sum.0 + more.0, sum.1 + more.1)
        })
    }

    #[inline]
    fn take_of(&mut self, block: u32, wanted: u32, parts: Parts) -> (u32, u32) {
        let Some(place) = self.place(block) else { return (0, 0) };
        let slot = &mut self.slots[place as usize];
        let held = slot.parts();
        let found = held & parts;
        let of_parts = match found {
            found if found == held => slot.lines,
            found => slot.lines * found.count_ones() / held.count_ones(),
        };
        let lines = of_parts.min(wanted);
        if lines == 0 {
            return (0, 0);
        }
        if lines == slot.lines {
            let dirty = slot.dirty;
            self.remove(place);
            return (lines, dirty);
        }
        slot.parts = if lines == of_parts { held & !found } else { held };
        slot.known_at = slot.gone;
        let dirty = (u64::from(slot.dirty) * u64::from(lines) / u64::from(slot.lines)) as u32;
        slot.lines -= lines;
        slot.dirty -= dirty;
        slot.nominal -= lines;
        let gone = usize::from(slot.gone);
        self.depth[gone..].iter_mut().for_each(|depth| *depth -= u64::from(lines));
        (lines, dirty)
    }

    /// Makes the block the most recently used without taking it out.
    pub fn refresh(&mut self, block: u32) {
        match self.is_large(block) {
            false => self.refresh_of(block),
            true => (0..CHUNKS).for_each(|chunk| self.refresh_of(chunk_of(block, chunk))),
        }
    }

    fn refresh_of(&mut self, block: u32) {
        let held = self.lift(block);
        self.insert_of(block, held, held.lines, &mut Vec::new());
    }

    /// Marks lines that are here as dirty; gives how many could be.
    pub fn soil(&mut self, block: u32, dirty: u32) -> u32 {
        if !self.is_large(block) {
            return self.soil_of(block, dirty);
        }
        (0..CHUNKS).fold(0, |sum, chunk| sum + self.soil_of(chunk_of(block, chunk), dirty - sum))
    }

    fn soil_of(&mut self, block: u32, dirty: u32) -> u32 {
        match self.place(block) {
            Some(place) => {
                let slot = &mut self.slots[place as usize];
                let stays = dirty.min(slot.lines);
                slot.dirty = (slot.dirty + stays).min(slot.lines);
                stays
            }
            None => 0,
        }
    }

    /// Puts lines in as the most recently used, beside those of the block that are here, `most` together at most;
    /// what has to leave is appended to `leaving`.
    #[inline]
    pub fn insert(&mut self, block: u32, more: Lines, most: u32, leaving: &mut Vec<Leaving>) {
        if u64::from(most) > self.large_lines && block >> CHUNK_SHIFT == 0 {
            return self.insert_chunks(block, more, leaving);
        }
        if !self.large.is_empty() {
            self.large.remove(&block);
        }
        self.insert_of(block, more, most, leaving);
    }

    /// Deals lines to the chunks of a block by its parts.
    fn insert_chunks(&mut self, block: u32, more: Lines, leaving: &mut Vec<Leaving>) {
        self.large.insert(block);
        let count = more.parts.count_ones().max(1);
        let share = |lines: u32, parts: u32| (u64::from(lines) * u64::from(parts) / u64::from(count)) as u32;
        let mut before = 0;
        for chunk in 0..CHUNKS {
            let parts = more.parts & parts_of(chunk);
            let after = before + parts.count_ones();
            let of = |lines: u32| share(lines, after) - share(lines, before);
            let part = Lines { lines: of(more.lines), dirty: of(more.dirty), parts };
            let number = chunk_of(block, chunk);
            let most = more.lines.div_ceil(count) * (parts | self.parts(number)).count_ones();
            self.insert_of(number, part, most, leaving);
            before = after;
        }
    }

    #[inline]
    fn insert_of(&mut self, block: u32, more: Lines, most: u32, leaving: &mut Vec<Leaving>) {
        if more.lines == 0 {
            return;
        }
        let held = self.lift(block);
        let lines = (more.lines + held.lines).min(most.max(more.lines));
        let dirty = (more.dirty + held.dirty).min(lines);
        self.link(block, Lines { lines, dirty, parts: more.parts | held.parts });
        for quarter in 0..QUARTERS {
            while self.depth[quarter] > self.limits[quarter] {
                self.lose(quarter, leaving);
            }
        }
    }

    /// Takes all of a block out.
    #[inline]
    fn lift(&mut self, block: u32) -> Lines {
        let Some(place) = self.place(block) else { return Lines::default() };
        let slot = &self.slots[place as usize];
        let lines = Lines { lines: slot.lines, dirty: slot.dirty, parts: slot.parts() };
        self.remove(place);
        lines
    }

    #[inline]
    fn link(&mut self, block: u32, Lines { lines, dirty, parts }: Lines) {
        let (before, after) = (self.newest, NONE);
        let slot = Slot { block, lines, dirty, nominal: lines, parts, known_at: 0, before, after, gone: 0 };
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place as usize] = slot;
                place
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        if self.newest != NONE {
            self.slots[self.newest as usize].after = place;
        }
        self.newest = place;
        self.set_place(block, place);
        for quarter in 0..QUARTERS {
            self.depth[quarter] += u64::from(lines);
            if self.oldest[quarter] == NONE {
                self.oldest[quarter] = place;
            }
        }
    }

    /// The oldest object that has a quarter loses it.
    #[inline]
    fn lose(&mut self, quarter: usize, leaving: &mut Vec<Leaving>) {
        let place = self.oldest[quarter];
        let slot = &mut self.slots[place as usize];
        let left = (QUARTERS - quarter) as u32;
        let lines = slot.lines / left;
        let dirty = if slot.dirty == 0 { 0 } else { slot.dirty.div_ceil(left).min(lines) };
        let (block, nominal) = (slot.block, slot.nominal);
        slot.lines -= lines;
        slot.dirty -= dirty;
        slot.gone = quarter as u8 + 1;
        self.oldest[quarter] = slot.after;
        self.depth[quarter] -= u64::from(nominal);
        let is_gone = quarter + 1 == QUARTERS;
        if is_gone {
            self.remove(place);
        }
        let block = block & ((1 << CHUNK_SHIFT) - 1);
        let is_last = is_gone && !self.holds(block);
        if is_last || dirty > 0 {
            leaving.push(Leaving { block, dirty, is_last });
        }
    }

    #[inline]
    fn remove(&mut self, place: u32) {
        let Slot { block, nominal, before, after, gone, .. } = self.slots[place as usize];
        for quarter in usize::from(gone)..QUARTERS {
            self.depth[quarter] -= u64::from(nominal);
            if self.oldest[quarter] == place {
                self.oldest[quarter] = after;
            }
        }
        if before != NONE {
            self.slots[before as usize].after = after;
        }
        match after {
            NONE => self.newest = before,
            after => self.slots[after as usize].before = before,
        }
        self.set_place(block, NONE);
        self.free.push(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_conserved_between_inserts_takes_and_losses() {
        let mut cache = Shared::new(91, 11);
        let mut leaving = Vec::new();
        for block in 0..50 {
            cache.insert(block, Lines { lines: 100, dirty: 100, parts: ALL }, 100, &mut leaving);
        }

        let left: u32 = leaving.iter().map(|leaving| leaving.dirty).sum();
        let held: u32 = (0..50).map(|block| cache.lines(block).0).sum();
        assert_eq!(left + held, 5000);
        let taken: u32 = (0..50).map(|block| cache.take(block, u32::MAX, ALL).0).sum();
        assert_eq!(taken, held);
        assert!(cache.depth.iter().all(|depth| *depth == 0));
    }

    #[test]
    fn survival_over_distance_follows_the_poisson_distribution_of_the_ways() {
        // P(Poisson(11) < 11) = 0.460: at a distance of exactly the capacity about half survives.
        let mut cache = Shared::new(1000, 11);
        let mut leaving = Vec::new();
        for block in 0..=110 {
            cache.insert(block, Lines { lines: 100, dirty: 0, parts: ALL }, 100, &mut leaving);
        }

        assert_eq!(cache.lines(0).0, 50);
        assert_eq!(cache.lines(110).0, 100);
    }

    #[test]
    fn occupancy_stays_near_the_capacity() {
        let mut cache = Shared::new(1000, 11);
        let mut leaving = Vec::new();
        for block in 0..1000 {
            cache.insert(block, Lines { lines: 100, dirty: 0, parts: ALL }, 100, &mut leaving);
        }

        let held: u32 = (0..1000).map(|block| cache.lines(block).0).sum();
        assert!((9_900..=12_000).contains(&held), "{held}");
    }

    #[test]
    fn a_partial_take_leaves_the_rest_with_its_share_of_dirt() {
        let mut cache = Shared::new(91, 11);
        cache.insert(7, Lines { lines: 100, dirty: 40, parts: ALL }, 100, &mut Vec::new());

        assert_eq!(cache.take(7, 25, ALL), (25, 10));
        assert_eq!(cache.lines(7), (75, 30));
    }

    #[test]
    fn using_one_end_of_a_large_object_lets_the_other_grow_old() {
        let mut cache = Shared::new(91, 11);
        let mut leaving = Vec::new();
        cache.insert(7, Lines { lines: 640, dirty: 0, parts: ALL }, 640, &mut leaving);
        for other in 0..40 {
            assert_eq!(cache.take(7, 80, parts_of(0)), (80, 0));
            cache.insert(7, Lines { lines: 80, dirty: 0, parts: parts_of(0) }, 640, &mut leaving);
            cache.insert(100 + other, Lines { lines: 50, dirty: 0, parts: ALL }, 50, &mut leaving);
        }

        assert_eq!(cache.lines(7), (80, 0));
        assert!(leaving.iter().all(|left| left.block != 7), "nothing dirty left, and one end stayed");
        assert_eq!(cache.take(7, 80, parts_of(0)), (80, 0));
        assert!(!cache.holds(7));
    }

    #[test]
    fn parts_that_are_not_there_are_not_found() {
        let mut cache = Shared::new(91, 11);
        cache.insert(7, Lines { lines: 100, dirty: 100, parts: 0b0011 }, 200, &mut Vec::new());

        assert_eq!(cache.take(7, 50, 0b0100), (0, 0));
        assert_eq!(cache.take(7, 100, 0b0110), (50, 50));
        assert_eq!(cache.take(7, 100, 0b0010), (0, 0));
        assert_eq!(cache.take(7, 100, ALL), (50, 50));
    }
}
