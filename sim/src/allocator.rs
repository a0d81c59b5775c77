//! The allocator of the process that is replayed: virtual addresses for objects, per tier.
//!
//! Objects are padded to whole lines, so neighbours share none. The order of allocation is that of simulated time.

use std::collections::HashMap;

/// What happens to freed memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AllocatorKind {
    /// SEAL's memory pool: a freed block waits, last in first out, for a request of exactly its size; nothing is
    /// ever given back. One pool for the process.
    SealPool,
    /// Freed memory is never used again: the worst case, and what a trace without reuse looks like.
    Bump,
    /// Freed memory returns to the operating system at once, as large blocks of a C library do: each allocation
    /// faults its pages in anew.
    Map,
}

impl AllocatorKind {
    /// Every kind by name.
    pub const ALL: [(&'static str, Self); 3] =
        [("seal-pool", Self::SealPool), ("bump", Self::Bump), ("map", Self::Map)];
}

/// A block of virtual memory in one tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Position of the tier in the system.
    pub tier: usize,
    /// First line of the tier's virtual lines.
    pub line: u64,
}

/// Bytes of an object, padded to whole lines.
pub const fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(hetier_traces::LINE_BYTES)
}

#[derive(Clone, Debug, Default)]
struct Heap {
    next_line: u64,
    resident: u64,
    free: HashMap<u64, Vec<u64>>,
}

/// The allocator's state.
#[derive(Clone, Debug)]
pub struct Allocator {
    kind: AllocatorKind,
    heaps: Vec<Heap>,
    /// Lines to which a fresh block is aligned, when blocks own their pages.
    alignment: u64,
}

impl Allocator {
    /// An empty process. `page_lines` are the lines of a page.
    pub fn new(kind: AllocatorKind, tiers: usize, page_lines: u64) -> Self {
        let alignment = if kind == AllocatorKind::Map { page_lines } else { 1 };
        Self { kind, heaps: vec![Heap::default(); tiers], alignment }
    }

    /// Whether freed blocks lose their pages.
    pub fn unmaps(&self) -> bool {
        self.kind == AllocatorKind::Map
    }

    /// Bytes by which a tier's resident memory would grow.
    pub fn growth(&self, tier: usize, bytes: u64) -> u64 {
        let heap = &self.heaps[tier];
        let is_reused = heap.free.get(&padded(bytes)).is_some_and(|blocks| !blocks.is_empty());
        if is_reused { 0 } else { padded(bytes) }
    }

    /// Takes a block.
    pub fn alloc(&mut self, tier: usize, bytes: u64) -> Block {
        let size = padded(bytes);
        let heap = &mut self.heaps[tier];
        if let Some(line) = heap.free.get_mut(&size).and_then(Vec::pop) {
            return Block { tier, line };
        }
        let line = heap.next_line.next_multiple_of(self.alignment);
        heap.next_line = line + size / hetier_traces::LINE_BYTES;
        heap.resident += size;
        Block { tier, line }
    }

    /// Gives a block back.
    pub fn free(&mut self, block: Block, bytes: u64) {
        let heap = &mut self.heaps[block.tier];
        match self.kind {
            AllocatorKind::SealPool => heap.free.entry(padded(bytes)).or_default().push(block.line),
            AllocatorKind::Bump => {}
            AllocatorKind::Map => heap.resident -= padded(bytes),
        }
    }

    /// Bytes that the process holds in a tier.
    pub fn resident(&self, tier: usize) -> u64 {
        self.heaps[tier].resident
    }

    /// Bytes that the process holds.
    pub fn total_resident(&self) -> u64 {
        self.heaps.iter().map(|heap| heap.resident).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pool_gives_the_last_freed_block_of_the_exact_size() {
        let mut pool = Allocator::new(AllocatorKind::SealPool, 1, 64);
        let (a, b) = (pool.alloc(0, 4096), pool.alloc(0, 4096));
        pool.free(a, 4096);
        pool.free(b, 4096);

        assert_eq!(pool.growth(0, 4032), 4032);
        assert_eq!(pool.alloc(0, 4096), b);
        assert_eq!(pool.alloc(0, 4096), a);
        assert_eq!(pool.resident(0), 8192);
    }

    #[test]
    fn resident_peak_of_the_pool_is_the_sum_of_each_size_s_own_peak() {
        let mut pool = Allocator::new(AllocatorKind::SealPool, 1, 64);
        for size in [64_u64, 128, 192] {
            let blocks: Vec<Block> = (0..10).map(|_| pool.alloc(0, size)).collect();
            for block in blocks {
                pool.free(block, size);
            }
        }

        assert_eq!(pool.total_resident(), 10 * (64 + 128 + 192));
    }

    #[test]
    fn objects_share_no_line() {
        let mut bump = Allocator::new(AllocatorKind::Bump, 1, 64);

        assert_eq!((bump.alloc(0, 1).line, bump.alloc(0, 65).line, bump.alloc(0, 1).line), (0, 1, 3));
    }

    #[test]
    fn mapped_blocks_are_page_aligned_and_leave_when_freed() {
        let mut map = Allocator::new(AllocatorKind::Map, 1, 64);
        let first = map.alloc(0, 100);
        let second = map.alloc(0, 100);
        map.free(first, 100);

        assert_eq!((first.line, second.line), (0, 64));
        assert_eq!(map.total_resident(), 128);
    }
}
