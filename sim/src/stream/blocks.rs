//! Memory blocks by dense number: what an allocator hands out, and what caches know of each.
//!
//! Caches remember addresses, not objects: scratch that is freed and allocated again at once is still in the cache.
//! So everything here is kept per block, and an object is a number that points to one.

use std::ops::{Index, IndexMut};

use super::objects::Objects;

pub use super::objects::NONE;

/// What is known of a block: one line of the host's caches.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Block {
    /// Cores that hold lines of it in their private caches, as a bit set.
    pub holders: u128,
    /// First virtual line in its tier.
    pub line: u64,
    /// When the latest fill from memory is complete, picoseconds.
    pub ready_ps: u64,
    /// Lines of it.
    pub lines: u32,
    /// Dirty lines that came out of a last-level cache and are dirty still in a private one.
    pub carried: u32,
    /// First entry in the memory side's list of places.
    pub place: u32,
    /// Number of entries.
    pub places: u16,
    /// References to the object in it: its own allocation and those of views.
    references: u16,
    /// Class of the object in it.
    pub class: u8,
    /// Number of its shape.
    pub shape: u8,
    /// Tier among those of the mode.
    pub tier: u8,
    /// The core that used it last.
    pub last: u8,
    /// The core that used it before that.
    pub before: u8,
    /// Whether its pages are mapped.
    pub is_mapped: bool,
    /// Whether home memory says that a remote socket may hold it.
    pub is_remote: bool,
    /// Sockets whose last-level cache holds lines of it, as a bit set.
    pub shared: u8,
}

/// Blocks that are made room for at once, as a power of two: 256 KiB of them. None is ever moved.
const CHUNK_BITS: u32 = 12;

/// Blocks of all sizes, and which object is where.
#[derive(Clone, Debug)]
pub struct Blocks {
    /// Block of each object.
    objects: Objects,
    /// The blocks, in chunks of equal length but for the last.
    chunks: Vec<Vec<Block>>,
}

impl Index<u32> for Blocks {
    type Output = Block;

    #[inline]
    fn index(&self, block: u32) -> &Block {
        &self.chunks[(block >> CHUNK_BITS) as usize][(block & ((1 << CHUNK_BITS) - 1)) as usize]
    }
}

impl IndexMut<u32> for Blocks {
    #[inline]
    fn index_mut(&mut self, block: u32) -> &mut Block {
        &mut self.chunks[(block >> CHUNK_BITS) as usize][(block & ((1 << CHUNK_BITS) - 1)) as usize]
    }
}

impl Blocks {
    /// No block, and `objects` objects that are not alive.
    pub fn new(objects: u32) -> Self {
        Self { objects: Objects::new(objects), chunks: Vec::new() }
    }

    /// The block of an object; [`NONE`] if it is not alive.
    #[inline]
    pub fn of(&self, object: u32) -> u32 {
        self.objects.block(object)
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

    /// Adds a block at a virtual line of a tier.
    pub fn add(&mut self, line: u64, lines: u32, shape: u8, tier: u8) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == 1 << CHUNK_BITS) {
            self.chunks.push(Vec::with_capacity(1 << CHUNK_BITS));
        }
        let full = self.chunks.len() - 1;
        let chunk = &mut self.chunks[full];
        chunk.push(Block {
            holders: 0,
            line,
            lines,
            ready_ps: 0,
            carried: 0,
            place: 0,
            places: 0,
            references: 0,
            class: 0,
            shape,
            tier,
            last: 0,
            before: 0,
            is_mapped: false,
            is_remote: false,
            shared: 0,
        });
        ((full << CHUNK_BITS) + chunk.len()) as u32 - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_lives_until_its_last_reference_is_dropped() {
        let mut blocks = Blocks::new(4);
        let block = blocks.add(4096, 64, 0, 0);
        blocks.put(2, block);

        assert!(blocks.refer(2) && !blocks.refer(3));
        assert_eq!(blocks.release(2), Some(NONE));
        assert_eq!(blocks.of(2), block);
        assert_eq!(blocks.release(2), Some(block));
        assert_eq!((blocks.of(2), blocks.release(2)), (NONE, None));
    }
}
