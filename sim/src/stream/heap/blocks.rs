//! Memory blocks by dense number: what an allocator hands out, and what caches know of each.
//!
//! Caches remember addresses, not objects: scratch that is freed and allocated again at once is still in the cache.
//! So everything here is kept per block, and an object is a number that points to one.

use std::collections::{BTreeMap, HashSet};
use std::ops::{Index, IndexMut};

use super::objects::Objects;

pub use super::objects::NONE;

/// What is known of a block. A terabyte has eight million of them.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Cores that hold lines of it in their private caches, as a bit set.
    pub holders: u128,
    /// When the latest fill from memory is complete, picoseconds.
    pub ready_ps: u64,
    /// Dirty lines that came out of a last-level cache and are dirty still in a private one.
    pub carried: u32,
    /// First entry in the memory side's list of places.
    pub place: u32,
    /// First virtual line in its tier, the low bits.
    line_low: u32,
    /// Number of entries in the list of places; 0 as long as its pages were never mapped.
    pub places: u16,
    /// References to the object in it: its own allocation and those of views.
    references: u16,
    /// Those above them.
    line_high: u8,
    /// Class of the object in it.
    pub class: u8,
    /// Number of its shape.
    pub shape: u8,
    /// Tier among those of the mode.
    pub tier: u8,
    /// The core that used it last, and the one that did before that.
    pub used: [u8; 2],
    /// Whether home memory says that a remote socket may hold it.
    pub is_remote: bool,
    /// Sockets whose last-level cache holds lines of it, as a bit set.
    pub shared: u8,
}

impl Block {
    /// An empty block at a virtual line of a tier.
    const fn new(line: u64, shape: u8, tier: u8) -> Self {
        Self {
            holders: 0,
            ready_ps: 0,
            carried: 0,
            place: 0,
            line_low: line as u32,
            line_high: (line >> u32::BITS) as u8,
            places: 0,
            references: 0,
            class: 0,
            shape,
            tier,
            used: [0; 2],
            is_remote: false,
            shared: 0,
        }
    }

    /// First virtual line in its tier.
    pub const fn line(&self) -> u64 {
        (self.line_high as u64) << u32::BITS | self.line_low as u64
    }
}

const _: () = assert!(size_of::<Block>() == 48);

/// Blocks of all sizes, and which object is where.
#[derive(Clone, Debug)]
pub struct Blocks {
    /// Block of each object.
    objects: Objects,
    blocks: Vec<Block>,
    /// References to the objects in blocks beyond those that the blocks count themselves.
    more: BTreeMap<u32, u64>,
    /// Blocks whose pages left the process and did not come back. Caches may hold lines of the old ones still.
    unmapped: HashSet<u32>,
    /// First places of those whose numbers serve again, by how many there are.
    spare: BTreeMap<u16, Vec<u32>>,
}

impl Index<u32> for Blocks {
    type Output = Block;

    #[inline]
    fn index(&self, block: u32) -> &Block {
        &self.blocks[block as usize]
    }
}

impl IndexMut<u32> for Blocks {
    #[inline]
    fn index_mut(&mut self, block: u32) -> &mut Block {
        &mut self.blocks[block as usize]
    }
}

impl Blocks {
    /// No block, and `objects` objects that are not alive. Room for so many blocks is asked for at once, and costs nothing
    /// until they are there: moving them would take all of it twice.
    pub fn new(objects: u32, blocks: usize) -> Self {
        Self {
            objects: Objects::new(objects),
            blocks: Vec::with_capacity(blocks.min(objects as usize)),
            more: BTreeMap::new(),
            unmapped: HashSet::new(),
            spare: BTreeMap::new(),
        }
    }

    /// The block of an object; [`NONE`] if it is not alive.
    #[inline]
    pub fn of(&self, object: u32) -> u32 {
        self.objects.block(object)
    }

    /// What is known of the block of an object; `None` if it is not alive.
    #[inline]
    pub fn at(&self, object: u32) -> Option<&Block> {
        self.blocks.get(self.of(object) as usize)
    }

    /// Puts an object into a block.
    #[inline]
    pub fn put(&mut self, object: u32, block: u32) {
        self.objects.put(object, block);
        self[block].references = 1;
    }

    /// Adds a reference to an object; false if it is not alive.
    pub fn refer(&mut self, object: u32) -> bool {
        let block = self.of(object);
        if block == NONE {
            return false;
        }
        match &mut self[block].references {
            &mut u16::MAX => *self.more.entry(block).or_default() += 1,
            references => *references += 1,
        }
        true
    }

    /// Drops a reference; gives the block if it was the last, [`NONE`] if not, and `None` if the object is not alive.
    #[inline]
    pub fn release(&mut self, object: u32) -> Option<u32> {
        let block = self.of(object);
        if block == NONE {
            return None;
        }
        if self[block].references == u16::MAX && self.drop_more(block) {
            return Some(NONE);
        }
        let references = &mut self[block].references;
        *references -= 1;
        if *references > 0 {
            return Some(NONE);
        }
        self.objects.remove(object);
        Some(block)
    }

    /// Drops a reference of those that a block does not count itself; false if there is none.
    #[cold]
    fn drop_more(&mut self, block: u32) -> bool {
        let Some(more) = self.more.get_mut(&block) else { return false };
        *more -= 1;
        if *more == 0 {
            self.more.remove(&block);
        }
        true
    }

    /// Adds a block at a virtual line of a tier, below 2⁴⁰.
    pub fn add(&mut self, line: u64, shape: u8, tier: u8) -> u32 {
        self.blocks.push(Block::new(line, shape, tier));
        self.blocks.len() as u32 - 1
    }

    /// Lets a block whose pages left the process stand for one at another line. The frames that were freed last serve first,
    /// so what caches hold of the old one they hold of the new one.
    pub fn renew(&mut self, block: u32, line: u64) {
        let Block { shape, tier, .. } = self[block];
        let Block { line_low, line_high, ready_ps, is_remote, .. } = Block::new(line, shape, tier);
        self[block] = Block { line_low, line_high, ready_ps, is_remote, ..self[block] };
        self.unmapped.insert(block);
    }

    /// Whether no block came back without its pages.
    #[inline]
    pub fn are_all_mapped(&self) -> bool {
        self.unmapped.is_empty()
    }

    /// Whether a block's pages are mapped.
    #[inline]
    pub fn is_mapped(&self, block: u32) -> bool {
        self[block].places > 0 && (self.unmapped.is_empty() || !self.unmapped.contains(&block))
    }

    /// Gives a block its places; the old ones, if it had any, serve again.
    pub fn place(&mut self, block: u32, place: u32, places: u16) {
        let entry = &mut self[block];
        let old = (std::mem::replace(&mut entry.places, places), std::mem::replace(&mut entry.place, place));
        if old.0 > 0 {
            self.spare.entry(old.0).or_default().push(old.1);
        }
        self.unmapped.remove(&block);
    }

    /// So many places of a block that is gone, by the first of them.
    pub fn spare(&mut self, places: u16) -> Option<u32> {
        self.spare.get_mut(&places)?.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_lives_until_its_last_reference_is_dropped() {
        let mut blocks = Blocks::new(4, 1);
        let block = blocks.add(4096, 0, 0);
        blocks.put(2, block);

        assert!(blocks.refer(2) && !blocks.refer(3));
        assert_eq!(blocks.release(2), Some(NONE));
        assert_eq!(blocks.of(2), block);
        assert_eq!(blocks.release(2), Some(block));
        assert_eq!((blocks.of(2), blocks.release(2)), (NONE, None));
    }

    #[test]
    fn more_references_than_a_block_counts_keep_its_object_alive() {
        let mut blocks = Blocks::new(1, 1);
        let block = blocks.add(0, 0, 0);
        blocks.put(0, block);
        let references = u32::from(u16::MAX) + 10;

        assert!((0..references).all(|_| blocks.refer(0)));
        assert!((0..references).all(|_| blocks.release(0) == Some(NONE)));
        assert_eq!(blocks.release(0), Some(block));
    }

    #[test]
    fn a_renewed_block_is_cached_as_before_and_its_places_serve_again() {
        let mut blocks = Blocks::new(4, 1);
        let block = blocks.add(64, 3, 1);
        blocks.place(block, 70, 6);
        blocks[block].shared = 1;
        assert!(blocks.is_mapped(block));
        blocks.renew(block, 128);

        let Block { shared, places, shape, tier, .. } = blocks[block];
        assert_eq!((shared, places, shape, tier, blocks[block].line()), (1, 6, 3, 1, 128));
        assert!(!blocks.is_mapped(block));
        blocks.place(block, 80, 7);
        assert!(blocks.is_mapped(block));
        assert_eq!([blocks.spare(5), blocks.spare(6), blocks.spare(6)], [None, Some(70), None]);
    }
}
