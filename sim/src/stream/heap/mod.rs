//! The process: births and deaths of objects, their blocks, tiers and pages.
//!
//! The same allocator, placement policy and page table as at line fidelity, with free lists of block numbers instead
//! of addresses, so that the scratch of four billion calls costs a few nanoseconds each.

pub(super) mod blocks;
mod objects;
mod small;

use hetier_traces::{ArrayId, Class};

use super::caches::contents::Shape;
use super::memory::near::PAGE_LINES;
use super::memory::{Memory, Place};
use super::program::{ArrayFacts, Program};
use crate::Error;
use crate::allocator::{Allocator, AllocatorKind, padded};
use crate::machine::Line;
use crate::pages::{PageTable, Pages};
use crate::placement::{Choice, Newborn, Placement};
use crate::replay::Footprint;
use crate::system::WRITTEN;
use blocks::{Blocks, NONE};
use small::Small;

/// Sizes that a block can name.
const MOST_SIZES: usize = 1 << u8::BITS;

/// A size that objects have.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Bytes of an object, padded to lines.
    bytes: u64,
    /// Bytes of the block that holds it.
    block_bytes: u64,
}

/// A change of what is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Live bytes by class, in the order of [`Class::ALL`].
    pub live: [u64; Class::ALL.len()],
    /// Their sum.
    pub total: u64,
    /// Bytes that the process holds.
    pub resident: u64,
}

/// The process's memory.
pub struct Heap {
    /// Objects and blocks.
    pub blocks: Blocks,
    kind: AllocatorKind,
    allocator: Allocator,
    sizes: Vec<Size>,
    /// Free blocks by tier of the mode, size and pool.
    free: Vec<Vec<u32>>,
    /// Number of pools, and that of the thread whose turn it is.
    pools: usize,
    pool: usize,
    /// Pool of each block, if there are several.
    owners: Vec<u8>,
    /// Position in the system of the tiers that the mode offers.
    tiers: Vec<usize>,
    /// Bytes that each of them may hold.
    limits: Vec<u64>,
    placement: Box<dyn Placement>,
    tables: Vec<PageTable>,
    pages: Pages,
    sample: u64,
    is_warm: bool,
    /// Array of objects by first object number, for classes and messages.
    arrays: Vec<ArrayFacts>,
    /// Number of the size of each array.
    array_sizes: Vec<u8>,
    /// Arrays that number their objects stand first.
    numbered: usize,
    /// Now.
    pub held: Held,
    /// Most that was held, each for itself.
    pub peak: Held,
    small: Small,
    scratch: Vec<Place>,
    /// Ciphertexts written.
    pub ciphertexts: u64,
    system: String,
    names: Vec<String>,
}

/// What a heap is made from.
pub struct HeapParts {
    /// Kind of allocator.
    pub kind: AllocatorKind,
    /// Its pools: one, or one for each thread.
    pub pools: usize,
    /// Tiers of the mode.
    pub tiers: Vec<usize>,
    /// Their names, for messages.
    pub names: Vec<String>,
    /// Bytes that each may hold.
    pub limits: Vec<u64>,
    /// Policy.
    pub placement: Box<dyn Placement>,
    /// Page tables of the tiers; of every `sample`-th page where pages have 4 KiB.
    pub tables: Vec<PageTable>,
    /// Page placement.
    pub pages: Pages,
    /// Pages that a followed one stands for.
    pub sample: u64,
    /// Whether near memory holds an earlier run's data.
    pub is_warm: bool,
    /// Blocks that are expected.
    pub blocks: usize,
    /// Name of the system, for messages.
    pub system: String,
}

impl Heap {
    /// An empty process for a program; also gives the shapes of blocks for private caches of `cache_lines`.
    ///
    /// # Errors
    /// - [`Error::Unsupported`] if objects have more sizes than blocks can name.
    pub fn new(program: &Program, parts: HeapParts, cache_lines: u64) -> Result<(Self, Vec<Shape>), Error> {
        let page_lines = parts.pages.bytes() / hetier_traces::LINE_BYTES;
        let allocator = Allocator::new(parts.kind, parts.tiers.len(), page_lines);
        let mut sizes: Vec<Size> = Vec::new();
        let mut array_sizes = Vec::with_capacity(program.arrays.len());
        for array in program.arrays.iter().filter(|array| array.first.is_some()) {
            let bytes = padded(array.capacity_bytes);
            let found = sizes.iter().position(|size| size.bytes == bytes);
            let number = found.unwrap_or_else(|| {
                sizes.push(Size { bytes, block_bytes: allocator.block_bytes(bytes) });
                sizes.len() - 1
            });
            array_sizes.push(number as u8);
        }
        if sizes.len() > MOST_SIZES {
            return Err(Error::Unsupported {
                system: parts.system,
                what: "the trace at stream fidelity".to_owned(),
                found: format!("objects of {} sizes", sizes.len()),
                need: format!("at most {MOST_SIZES} (line fidelity takes any number)"),
            });
        }
        let shapes = sizes.iter().map(|size| Shape::new(size.bytes / hetier_traces::LINE_BYTES, cache_lines));
        let shapes = shapes.collect();
        let small =
            Small::new(program.arrays.iter().map(|array| allocator.block_bytes(array.capacity_bytes)));
        let heap = Self {
            blocks: Blocks::new(program.objects, parts.blocks),
            kind: parts.kind,
            allocator,
            free: vec![Vec::new(); parts.tiers.len() * sizes.len() * parts.pools],
            pools: parts.pools,
            pool: 0,
            owners: Vec::new(),
            sizes,
            tiers: parts.tiers,
            limits: parts.limits,
            placement: parts.placement,
            tables: parts.tables,
            pages: parts.pages,
            sample: parts.sample,
            is_warm: parts.is_warm,
            arrays: program.arrays.clone(),
            array_sizes,
            numbered: program.arrays.iter().filter(|array| array.first.is_some()).count(),
            held: Held::default(),
            peak: Held::default(),
            small,
            scratch: Vec::new(),
            ciphertexts: 0,
            system: parts.system,
            names: parts.names,
        };
        Ok((heap, shapes))
    }

    /// Array of an object.
    fn array_of(&self, object: u32) -> usize {
        let numbered = &self.arrays[..self.numbered];
        let after = numbered.partition_point(|array| array.first.is_some_and(|first| first <= object));
        after.saturating_sub(1)
    }

    /// Lines of a page.
    pub const fn page_lines(&self) -> u64 {
        self.pages.bytes() / hetier_traces::LINE_BYTES
    }

    /// Lines of blocks of a shape.
    #[inline]
    pub fn lines(&self, shape: u8) -> u32 {
        (self.sizes[usize::from(shape)].bytes / hetier_traces::LINE_BYTES) as u32
    }

    /// Whether pages of 4 KiB lie anywhere: those of an object are not side by side.
    pub fn has_random_pages(&self) -> bool {
        self.pages == Pages::Random4k
    }

    /// Whether pages have 2 MiB.
    pub fn has_huge_pages(&self) -> bool {
        self.pages == Pages::Random2m
    }

    /// Whether blocks of the dead lose their pages.
    #[inline]
    pub fn unmaps(&self) -> bool {
        self.kind == AllocatorKind::Map
    }

    /// Brings the record of the footprint up to an instant.
    pub fn note(&self, now_ps: u64, footprint: &mut Footprint) {
        footprint.set_live(now_ps, self.held.live, self.held.resident);
    }

    /// Array and index of an object, for messages.
    pub fn locate(&self, object: u32) -> (hetier_traces::ArrayId, u64) {
        let array = self.array_of(object);
        let facts = &self.arrays[array];
        (facts.id, u64::from(object - facts.first.unwrap_or(0)))
    }

    /// Lets a thread take blocks from its pool.
    #[inline]
    pub fn turn_to(&mut self, thread: usize) {
        self.pool = if self.pools > 1 { thread } else { 0 };
    }

    /// Position of the free blocks of a tier, size and pool.
    #[inline]
    fn list(&self, tier: usize, size: usize, pool: usize) -> usize {
        (tier * self.sizes.len() + size) * self.pools + pool
    }

    /// Brings an object of an array to life.
    ///
    /// # Errors
    /// - [`Error::Capacity`] if the tier that the policy chose is full.
    #[inline]
    pub fn birth(&mut self, object: u32, array: u32) -> Result<(), Error> {
        let array = array as usize;
        let class = self.arrays[array].class;
        let size = usize::from(self.array_sizes[array]);
        let bytes = self.sizes[size].block_bytes;
        let id = self.arrays[array].id;
        let tier = if self.tiers.len() == 1 { 0 } else { self.choose(class, id, bytes, size) };
        let list = self.list(tier, size, self.pool);
        let block = match self.free[list].pop() {
            Some(block) if !self.unmaps() => block,
            unmapped => self.fresh(tier, size, bytes, unmapped)?,
        };
        self.blocks[block].class = class as u8;
        self.blocks.put(object, block);
        let live = self.arrays[array].capacity_bytes;
        self.held.live[class as usize] += live;
        self.held.total += live;
        self.ciphertexts += u64::from(class == WRITTEN);
        self.peak.total = self.peak.total.max(self.held.total);
        Ok(())
    }

    /// Takes an object's life, or one reference of it; false if it was not alive. The array need not be known.
    #[inline]
    pub fn death(&mut self, object: u32, array: Option<u32>) -> bool {
        let Some(block) = self.blocks.release(object) else { return false };
        if block == NONE {
            return true;
        }
        let entry = &self.blocks[block];
        let (size, class) = (usize::from(entry.shape), entry.class);
        let bytes = self.sizes[size].block_bytes;
        let tier = usize::from(entry.tier);
        let array = array.map_or_else(|| self.array_of(object), |array| array as usize);
        let live = self.arrays[array].capacity_bytes;
        self.held.live[usize::from(class)] -= live;
        self.held.total -= live;
        if self.tiers.len() > 1 {
            let choice = if tier == 0 { Choice::Fast } else { Choice::Slow };
            self.placement.died(self.arrays[array].id, Class::ALL[usize::from(class)], bytes, choice);
        }
        match self.kind {
            AllocatorKind::SealPool | AllocatorKind::ThreadPools => {
                let owner = self.owners.get(block as usize).copied().unwrap_or(0);
                let list = self.list(tier, size, usize::from(owner));
                self.free[list].push(block);
            }
            AllocatorKind::Bump => {}
            AllocatorKind::Map => self.unmap(block, tier, bytes),
        }
        true
    }

    /// Bytes of fast memory that nothing holds.
    fn fast_room(&self) -> u64 {
        self.limits[0].saturating_sub(self.allocator.resident(0) + self.small.fast_bytes())
    }

    /// Asks the policy for a tier.
    fn choose(&mut self, class: Class, array: ArrayId, bytes: u64, size: usize) -> usize {
        let is_reused = !self.unmaps() && !self.free[self.list(0, size, self.pool)].is_empty();
        let fast_room = self.fast_room().saturating_add(if is_reused { bytes } else { 0 });
        match self.placement.choose(Newborn { class, array, bytes, fast_room, is_reused }) {
            Choice::Fast => 0,
            Choice::Slow => 1,
        }
    }

    /// A block of memory that the process did not have, under the number of one that lost its pages if there is one.
    #[cold]
    fn fresh(&mut self, tier: usize, size: usize, bytes: u64, unmapped: Option<u32>) -> Result<u32, Error> {
        let needed_bytes = self.allocator.resident(tier) + bytes;
        if needed_bytes > self.limits[tier] {
            let what = format!("tier {}", self.names[tier]);
            let (system, capacity_bytes) = (self.system.clone(), self.limits[tier]);
            return Err(Error::Capacity { system, what, needed_bytes, capacity_bytes });
        }
        let line = self.allocator.alloc(tier, bytes, 0).line;
        if self.pools > 1 {
            self.owners.push(self.pool as u8);
        }
        self.held.resident += bytes;
        self.peak.resident = self.peak.resident.max(self.held.resident);
        let Some(block) = unmapped else { return Ok(self.blocks.add(line, size as u8, tier as u8)) };
        self.blocks.renew(block, line);
        Ok(block)
    }

    fn unmap(&mut self, block: u32, tier: usize, bytes: u64) {
        let line = self.blocks[block].line();
        let list = self.list(tier, usize::from(self.blocks[block].shape), 0);
        self.free[list].push(block);
        self.allocator.free(crate::allocator::Block { tier, line, pool: 0 }, bytes);
        self.held.resident -= bytes;
        let end = line + bytes / hetier_traces::LINE_BYTES;
        let page = self.tables[tier].page_lines();
        let pages = if self.sample == 1 || self.pages == Pages::Random2m {
            line / page..end.div_ceil(page)
        } else {
            // Pages that stand for others are of the block in which they begin.
            let each = PAGE_LINES * self.sample;
            line.div_ceil(each)..end.div_ceil(each)
        };
        self.tables[tier].unmap(pages);
    }

    /// Gives a block's pages their frames, for a core on `socket`; gives the number of pages that faulted.
    ///
    /// # Errors
    /// - [`Error::Capacity`] if no frame is left.
    #[cold]
    pub fn map(&mut self, block: u32, socket: usize, memory: &mut Memory) -> Result<u64, Error> {
        let entry = self.blocks[block];
        let (start, lines) = (entry.line(), u64::from(self.lines(entry.shape)));
        let tier = usize::from(entry.tier);
        let (first, last) = (start / PAGE_LINES, (start + lines - 1) / PAGE_LINES);
        let step = self.sample;
        let mut page = first.next_multiple_of(step);
        if page > last {
            page = first / step * step;
        }
        self.scratch.clear();
        let mut faults = 0;
        while page <= last {
            let (line, is_new) = self.frame(tier, page, socket)?;
            faults += u64::from(is_new);
            if let Some(near) = memory.near_mut().filter(|_| self.is_warm) {
                near.warm(near.home(line.socket, line.local / PAGE_LINES));
            }
            let lines = self.lines_inside(page, start, lines);
            self.lay(tier, line, lines, memory);
            page += step;
        }
        if step > 1 && self.pages != Pages::Random2m {
            // Pages that begin in the block are its own.
            faults = (start + lines).div_ceil(PAGE_LINES) - start.div_ceil(PAGE_LINES);
        }
        let places = self.scratch.len() as u16;
        let place = memory.settle(&self.scratch, self.blocks.spare(places));
        self.blocks.place(block, place, places);
        Ok(faults)
    }

    /// Lines of a page that a block has; at scale all pages count alike.
    fn lines_inside(&self, page: u64, line: u64, lines: u64) -> u8 {
        if self.sample > 1 {
            return 1;
        }
        let (start, end) = ((page * PAGE_LINES).max(line), ((page + 1) * PAGE_LINES).min(line + lines));
        end.saturating_sub(start) as u8
    }

    /// Physical line of a virtual 4 KiB page, and whether it was mapped just now.
    fn frame(&mut self, tier: usize, page: u64, socket: usize) -> Result<(Line, bool), Error> {
        let table = &mut self.tables[tier];
        let (number, inside) = match self.pages {
            Pages::Random2m => {
                let pages = table.page_lines() / PAGE_LINES;
                (page / pages, page % pages * PAGE_LINES)
            }
            Pages::Contiguous | Pages::Random4k => (page / self.sample, 0),
        };
        let (line, is_new) = match table.find(number) {
            Some(line) => (Some(line), false),
            None => (table.map(number, socket), true),
        };
        let Some(line) = line else {
            let what = format!("frames of tier {}", self.names[tier]);
            let scale = if self.pages == Pages::Random2m { 1 } else { self.sample };
            let capacity_bytes = self.tables[tier].mapped_bytes() * scale;
            let needed_bytes = capacity_bytes + self.pages.bytes();
            return Err(Error::Capacity { system: self.system.clone(), what, needed_bytes, capacity_bytes });
        };
        let mut line = Line::unpack(line);
        if self.pages != Pages::Random2m {
            line.local *= self.sample;
        }
        line.local += inside;
        Ok((line, is_new))
    }

    /// Adds a page to the places of the block being mapped: each by itself in near memory, by server without.
    fn lay(&mut self, tier: usize, line: Line, lines: u8, memory: &mut Memory) {
        let server = memory.server(self.tiers[tier], line.socket);
        let place = if let Some(near) = memory.near() {
            Place::page(near.home(line.socket, line.local / PAGE_LINES), server, lines)
        } else {
            let known = self.scratch.iter_mut().find(|place| place.server() == usize::from(server));
            if let Some(place) = known {
                return place.add(lines.into());
            }
            Place::on(server, lines.into())
        };
        self.scratch.push(place);
    }
}
