//! The allocator of the process that is replayed: virtual addresses for objects, per tier.
//!
//! Objects are padded to whole lines, so neighbours share none, or to whole pages if each is mapped for itself. The order
//! of allocation is that of simulated time.

use std::collections::HashMap;

/// What happens to freed memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AllocatorKind {
    /// SEAL's memory pool: a freed block waits, last in first out, for a request of exactly its size; nothing is
    /// ever given back. One pool for the process.
    SealPool,
    /// The same with a pool for each thread, as SEAL's profile `MMProfThreadLocal` has it: a thread takes from its own
    /// pool, and a freed block returns to the pool that it came from, whoever frees it.
    ///
    /// Source: SEAL's `native/src/seal/util/pointer.h`, where a pointer keeps the list that it was taken from.
    ThreadPools,
    /// Freed memory is never used again: the worst case, and what a trace without reuse looks like.
    Bump,
    /// Freed memory returns to the operating system at once, as large blocks of a C library do: each allocation
    /// faults its pages in anew. Addresses of a freed block serve the next request of its size.
    Map,
}

impl AllocatorKind {
    /// Every kind by name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("seal-pool", Self::SealPool),
        ("thread-pools", Self::ThreadPools),
        ("bump", Self::Bump),
        ("map", Self::Map),
    ];

    /// Whether freed blocks wait for requests of exactly their size.
    pub const fn is_pool(self) -> bool {
        matches!(self, Self::SealPool | Self::ThreadPools)
    }

    /// Bytes of which every block is a multiple: a line, so that objects share none; a page where each block is mapped
    /// for itself.
    pub const fn unit_bytes(self, page_bytes: u64) -> u64 {
        if matches!(self, Self::Map) { page_bytes } else { hetier_traces::LINE_BYTES }
    }

    /// Pools of a process with so many threads.
    pub const fn pools(self, threads: usize) -> usize {
        if matches!(self, Self::ThreadPools) { threads } else { 1 }
    }
}

/// A block of virtual memory in one tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Position of the tier in the system.
    pub tier: usize,
    /// First line of the tier's virtual lines.
    pub line: u64,
    /// Number of the pool that it returns to.
    pub pool: u8,
}

/// Bytes of an object, padded to whole lines.
pub const fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(hetier_traces::LINE_BYTES)
}

#[derive(Clone, Debug, Default)]
struct Heap {
    next_line: u64,
    resident: u64,
    /// First lines of free blocks by pool and size.
    free: HashMap<(u8, u64), Vec<u64>>,
}

/// The allocator's state.
#[derive(Clone, Debug)]
pub struct Allocator {
    kind: AllocatorKind,
    heaps: Vec<Heap>,
    /// Bytes of which every block is a multiple.
    unit_bytes: u64,
}

impl Allocator {
    /// An empty process. `page_lines` are the lines of a page.
    pub fn new(kind: AllocatorKind, tiers: usize, page_lines: u64) -> Self {
        let unit_bytes = kind.unit_bytes(page_lines * hetier_traces::LINE_BYTES);
        Self { kind, heaps: vec![Heap::default(); tiers], unit_bytes }
    }

    /// Bytes of the block that holds so many.
    pub const fn block_bytes(&self, bytes: u64) -> u64 {
        bytes.next_multiple_of(self.unit_bytes)
    }

    /// Whether freed blocks lose their pages.
    pub fn unmaps(&self) -> bool {
        self.kind == AllocatorKind::Map
    }

    /// Number of the pool of a thread, below 128.
    const fn pool(&self, thread: usize) -> u8 {
        if matches!(self.kind, AllocatorKind::ThreadPools) { thread as u8 } else { 0 }
    }

    /// Bytes by which a tier's resident memory would grow if a thread asked for a block.
    pub fn growth(&self, tier: usize, bytes: u64, thread: usize) -> u64 {
        let heap = &self.heaps[tier];
        let free = heap.free.get(&(self.pool(thread), self.block_bytes(bytes)));
        let is_reused = !self.unmaps() && free.is_some_and(|blocks| !blocks.is_empty());
        if is_reused { 0 } else { self.block_bytes(bytes) }
    }

    /// Takes a block for a thread.
    pub fn alloc(&mut self, tier: usize, bytes: u64, thread: usize) -> Block {
        let (size, pool) = (self.block_bytes(bytes), self.pool(thread));
        let growth = self.growth(tier, bytes, thread);
        let heap = &mut self.heaps[tier];
        heap.resident += growth;
        let freed = heap.free.get_mut(&(pool, size)).and_then(Vec::pop);
        let line = freed.unwrap_or_else(|| {
            let line = heap.next_line;
            heap.next_line += size / hetier_traces::LINE_BYTES;
            line
        });
        Block { tier, line, pool }
    }

    /// Gives a block back.
    pub fn free(&mut self, block: Block, bytes: u64) {
        let size = self.block_bytes(bytes);
        let heap = &mut self.heaps[block.tier];
        if self.kind == AllocatorKind::Bump {
            return;
        }
        if self.kind == AllocatorKind::Map {
            heap.resident -= size;
        }
        heap.free.entry((block.pool, size)).or_default().push(block.line);
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
        let (a, b) = (pool.alloc(0, 4096, 0), pool.alloc(0, 4096, 0));
        pool.free(a, 4096);
        pool.free(b, 4096);

        assert_eq!(pool.growth(0, 4032, 0), 4032);
        assert_eq!(pool.alloc(0, 4096, 0), b);
        assert_eq!(pool.alloc(0, 4096, 0), a);
        assert_eq!(pool.resident(0), 8192);
    }

    #[test]
    fn blocks_return_to_the_pool_of_the_thread_that_took_them() {
        let mut pools = Allocator::new(AllocatorKind::ThreadPools, 1, 64);
        let (first, second) = (pools.alloc(0, 4096, 0), pools.alloc(0, 4096, 1));
        pools.free(second, 4096);

        assert_eq!((pools.growth(0, 4096, 0), pools.growth(0, 4096, 1)), (4096, 0));
        assert_ne!(pools.alloc(0, 4096, 0), second);
        assert_eq!(pools.alloc(0, 4096, 1), second);
        pools.free(first, 4096);
        assert_eq!(pools.alloc(0, 4096, 0), first);
        assert_eq!(pools.resident(0), 3 * 4096);
    }

    #[test]
    fn resident_peak_of_the_pool_is_the_sum_of_each_size_s_own_peak() {
        let mut pool = Allocator::new(AllocatorKind::SealPool, 1, 64);
        for size in [64_u64, 128, 192] {
            let blocks: Vec<Block> = (0..10).map(|_| pool.alloc(0, size, 0)).collect();
            for block in blocks {
                pool.free(block, size);
            }
        }

        assert_eq!(pool.total_resident(), 10 * (64 + 128 + 192));
    }

    #[test]
    fn objects_share_no_line() {
        let mut bump = Allocator::new(AllocatorKind::Bump, 1, 64);

        assert_eq!(
            (bump.alloc(0, 1, 0).line, bump.alloc(0, 65, 0).line, bump.alloc(0, 1, 0).line),
            (0, 1, 3)
        );
    }

    #[test]
    fn mapped_blocks_are_whole_pages_and_leave_when_freed() {
        let mut map = Allocator::new(AllocatorKind::Map, 1, 64);
        let first = map.alloc(0, 100, 0);
        let second = map.alloc(0, 100, 0);
        map.free(first, 100);

        assert_eq!((first.line, second.line), (0, 64));
        assert_eq!(map.total_resident(), 4096);
        assert_eq!(map.growth(0, 4097, 0), 8192);
        assert_eq!((map.alloc(0, 4000, 0).line, map.total_resident()), (0, 8192));
    }
}
