//! Objects too small to be numbered: they count, take room, and that is all.

use super::Heap;
use crate::allocator::AllocatorKind;
use crate::placement::{Choice, Newborn};
use crate::stream::program::ArrayFacts;
use crate::system::WRITTEN;

/// Small objects of an array.
#[derive(Clone, Debug, Default)]
pub(super) struct Small {
    /// How many live.
    live: u64,
    /// How many the process has room for.
    most: u64,
    /// Bytes of them in fast memory.
    fast_bytes: u64,
}

impl Heap {
    /// Births (or deaths) of objects too small to be numbered; false if more would die than live.
    pub fn small(&mut self, array: u32, count: u64, is_birth: bool) -> bool {
        if !is_birth && count > self.small[array as usize].live {
            return false;
        }
        let facts = &self.arrays[array as usize];
        let (class, bytes) = (facts.class, facts.capacity_bytes * count);
        let block_bytes = self.allocator.block_bytes(facts.capacity_bytes);
        let live = &mut self.held.live[class as usize];
        if is_birth {
            *live += bytes;
            self.held.total += bytes;
            self.ciphertexts += if class == WRITTEN { count } else { 0 };
            self.peak.total = self.peak.total.max(self.held.total);
            self.come(array as usize, count, block_bytes);
        } else {
            *live = live.saturating_sub(bytes);
            self.held.total = self.held.total.saturating_sub(bytes);
            self.go(array as usize, count, block_bytes);
        }
        true
    }

    /// Blocks of small objects are taken. A pool keeps what it has: only growth counts, where anything serves again.
    fn come(&mut self, array: usize, count: u64, block_bytes: u64) {
        let small = &mut self.small[array];
        small.live += count;
        let growth = match self.kind {
            AllocatorKind::Bump => count,
            _ => small.live.saturating_sub(small.most),
        };
        small.most += growth;
        let bytes = block_bytes * growth;
        self.held.resident += bytes;
        self.peak.resident = self.peak.resident.max(self.held.resident);
        if growth == 0 || self.tiers.len() == 1 {
            return;
        }
        // They take room of what the policy has to deal out.
        let ArrayFacts { class, id, .. } = self.arrays[array];
        let newborn = Newborn { class, array: id, bytes, fast_room: self.fast_room(), is_reused: false };
        if self.placement.choose(newborn) == Choice::Fast {
            self.small[array].fast_bytes += bytes;
            self.small_fast_bytes += bytes;
        }
    }

    /// Blocks of small objects are given back; where they lose their pages, those in fast memory first.
    fn go(&mut self, array: usize, count: u64, block_bytes: u64) {
        let small = &mut self.small[array];
        let dead = count.min(small.live);
        small.live -= dead;
        if self.kind != AllocatorKind::Map {
            return;
        }
        small.most = small.live;
        self.held.resident -= block_bytes * dead;
        let bytes = (block_bytes * dead).min(small.fast_bytes);
        if bytes > 0 {
            small.fast_bytes -= bytes;
            self.small_fast_bytes -= bytes;
            let ArrayFacts { class, id, .. } = self.arrays[array];
            self.placement.died(id, class, bytes, Choice::Fast);
        }
    }
}
