//! Memory blocks by dense number: what an allocator hands out, and what caches know of each.
//!
//! Caches remember addresses, not objects: scratch that is freed and allocated again at once is still in the cache.
//! So everything here is kept per block, and an object is a number that points to one.

use std::collections::{BTreeMap, VecDeque};
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
    /// Number of entries in the list of places; 0 as long as its pages are not mapped.
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

    /// Whether no cache holds lines of it.
    const fn is_forgotten(&self) -> bool {
        self.holders == 0 && self.shared == 0
    }

    /// First virtual line in its tier.
    pub const fn line(&self) -> u64 {
        (self.line_high as u64) << u32::BITS | self.line_low as u64
    }

    /// Whether its pages are mapped.
    pub const fn is_mapped(&self) -> bool {
        self.places > 0
    }
}

const _: () = assert!(size_of::<Block>() == 48);

/// Blocks of all sizes, and which object is where.
#[derive(Clone, Debug)]
pub struct Blocks {
    /// Block of each object.
    objects: Objects,
    blocks: Vec<Block>,
    /// Blocks whose pages left the process; caches may hold lines of them still.
    retired: VecDeque<u32>,
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
            retired: VecDeque::new(),
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
        let references = &mut self[block].references;
        *references = references.saturating_add(1);
        true
    }

    /// Drops a reference; gives the block if it was the last, [`NONE`] if not, and `None` if the object is not alive.
    #[inline]
    pub fn release(&mut self, object: u32) -> Option<u32> {
        let block = self.of(object);
        if block == NONE {
            return None;
        }
        let references = &mut self[block].references;
        *references -= 1;
        if *references > 0 {
            return Some(NONE);
        }
        self.objects.remove(object);
        Some(block)
    }

    /// Adds a block at a virtual line of a tier, below 2⁴⁰; it takes the number of a retired one that no cache holds.
    pub fn add(&mut self, line: u64, shape: u8, tier: u8) -> u32 {
        let block = Block::new(line, shape, tier);
        if let Some(retired) = self.retired.pop_front() {
            if self[retired].is_forgotten() {
                let Block { place, places, .. } = std::mem::replace(&mut self[retired], block);
                if places > 0 {
                    self.spare.entry(places).or_default().push(place);
                }
                return retired;
            }
            self.retired.push_back(retired);
        }
        self.blocks.push(block);
        self.blocks.len() as u32 - 1
    }

    /// So many places of a block that is gone, by the first of them.
    pub fn spare(&mut self, places: u16) -> Option<u32> {
        self.spare.get_mut(&places)?.pop()
    }

    /// Gives up a block whose pages left the process.
    pub fn retire(&mut self, block: u32) {
        self.retired.push_back(block);
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
    fn numbers_and_places_of_retired_blocks_serve_again_once_no_cache_holds_them() {
        let mut blocks = Blocks::new(4, 1);
        let (held, shared) = (blocks.add(0, 0, 0), blocks.add(64, 0, 0));
        blocks[held].holders = 1;
        blocks[shared].shared = 1;
        blocks.retire(held);
        blocks.retire(shared);

        assert_eq!([2, 3].map(|line| blocks.add(line, 0, 0)), [2, 3]);
        (blocks[shared].place, blocks[shared].places) = (70, 6);
        blocks[shared].shared = 0;
        assert_eq!(blocks.spare(6), None);
        assert_eq!([5, 6].map(|line| blocks.add(line, 1, 0)), [4, shared]);
        assert_eq!((blocks[shared].line(), blocks[shared].shape), (6, 1));
        assert_eq!([blocks.spare(5), blocks.spare(6), blocks.spare(6)], [None, Some(70), None]);
    }
}
