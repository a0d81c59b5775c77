//! Objects too small to be numbered: they count, take room, and that is all.

use super::Heap;
use crate::allocator::AllocatorKind;
use crate::placement::{Choice, Newborn};
use crate::stream::program::ArrayFacts;
use crate::system::WRITTEN;

/// Small objects.
#[derive(Clone, Debug, Default)]
pub(super) struct Small {
    arrays: Vec<OfArray>,
    /// Arrays of objects of one size take from the same pool.
    sizes: Vec<OfSize>,
    /// Bytes in fast memory.
    fast_bytes: u64,
}

/// Those of an array.
#[derive(Clone, Copy, Debug, Default)]
struct OfArray {
    /// Position of their size.
    size: u32,
    /// How many live.
    live: u64,
    /// Bytes of them in fast memory.
    fast_bytes: u64,
}

/// Those of a size.
#[derive(Clone, Copy, Debug, Default)]
struct OfSize {
    block_bytes: u64,
    /// How many live.
    live: u64,
    /// How many the process has room for.
    most: u64,
}

impl Small {
    /// None alive yet, of arrays with blocks of so many bytes.
    pub fn new(block_bytes: impl Iterator<Item = u64>) -> Self {
        let mut small = Self::default();
        for block_bytes in block_bytes {
            let found = small.sizes.iter().position(|size| size.block_bytes == block_bytes);
            let size = found.unwrap_or_else(|| {
                small.sizes.push(OfSize { block_bytes, ..OfSize::default() });
                small.sizes.len() - 1
            });
            small.arrays.push(OfArray { size: size as u32, ..OfArray::default() });
        }
        small
    }

    /// Bytes in fast memory.
    pub const fn fast_bytes(&self) -> u64 {
        self.fast_bytes
    }
}

impl Heap {
    /// Births (or deaths) of objects too small to be numbered; false if more would die than live.
    pub fn small(&mut self, array: u32, count: u64, is_birth: bool) -> bool {
        if !is_birth && count > self.small.arrays[array as usize].live {
            return false;
        }
        let facts = &self.arrays[array as usize];
        let (class, bytes) = (facts.class, facts.capacity_bytes * count);
        let live = &mut self.held.live[class as usize];
        if is_birth {
            *live += bytes;
            self.held.total += bytes;
            self.ciphertexts += if class == WRITTEN { count } else { 0 };
            self.peak.total = self.peak.total.max(self.held.total);
            self.come(array as usize, count);
        } else {
            *live = live.saturating_sub(bytes);
            self.held.total = self.held.total.saturating_sub(bytes);
            self.go(array as usize, count);
        }
        true
    }

    /// Blocks of small objects are taken. A pool keeps what it has: only growth counts, where anything serves again.
    fn come(&mut self, array: usize, count: u64) {
        let of_array = &mut self.small.arrays[array];
        of_array.live += count;
        let of_size = &mut self.small.sizes[of_array.size as usize];
        of_size.live += count;
        let growth = match self.kind {
            AllocatorKind::Bump => count,
            _ => of_size.live.saturating_sub(of_size.most),
        };
        of_size.most += growth;
        let bytes = of_size.block_bytes * growth;
        self.held.resident += bytes;
        self.peak.resident = self.peak.resident.max(self.held.resident);
        if growth == 0 || self.tiers.len() == 1 {
            return;
        }
        // They take room of what the policy has to deal out.
        let ArrayFacts { class, id, .. } = self.arrays[array];
        let newborn = Newborn { class, array: id, bytes, fast_room: self.fast_room(), is_reused: false };
        if self.placement.choose(newborn) == Choice::Fast {
            self.small.arrays[array].fast_bytes += bytes;
            self.small.fast_bytes += bytes;
        }
    }

    /// Blocks of small objects are given back; where they lose their pages, those in fast memory first.
    fn go(&mut self, array: usize, count: u64) {
        let of_array = &mut self.small.arrays[array];
        of_array.live -= count;
        let of_size = &mut self.small.sizes[of_array.size as usize];
        of_size.live -= count;
        if self.kind != AllocatorKind::Map {
            return;
        }
        of_size.most = of_size.live;
        let gone_bytes = of_size.block_bytes * count;
        self.held.resident -= gone_bytes;
        let bytes = gone_bytes.min(of_array.fast_bytes);
        if bytes > 0 {
            of_array.fast_bytes -= bytes;
            self.small.fast_bytes -= bytes;
            let ArrayFacts { class, id, .. } = self.arrays[array];
            self.placement.died(id, class, bytes, Choice::Fast);
        }
    }
}
