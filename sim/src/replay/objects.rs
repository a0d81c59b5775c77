//! Objects alive in the replay: where they lie, who refers to them, and what they weigh.

use hetier_traces::{ArrayId, Class, Directory, Object};

use super::footprint::Footprint;
use crate::Error;
use crate::allocator::{Allocator, Block};
use crate::placement::{Choice, Newborn, Placement};
use crate::system::WRITTEN;

/// One element of an array; `references` counts its own allocation and those of views.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    tier: u8,
    pool: u8,
    references: u32,
    line: u64,
}

impl Entry {
    const fn block(self) -> Block {
        Block { tier: self.tier as usize, line: self.line, pool: self.pool }
    }
}

/// Where an operand lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    /// Its memory.
    pub block: Block,
    /// Position of its class in [`Class::ALL`].
    pub class: u8,
}

/// What a tier may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Position of the tier in the system.
    pub tier: usize,
    /// Bytes that the process may use of it.
    pub bytes: u64,
}

/// All objects of a replay.
pub struct Objects {
    arrays: Vec<Vec<Entry>>,
    classes: Vec<u8>,
    allocator: Allocator,
    placement: Box<dyn Placement>,
    /// The tiers of the mode, fastest first.
    budgets: Vec<Budget>,
    /// Ciphertexts written.
    ciphertexts: u64,
    /// Live and resident bytes over time.
    pub footprint: Footprint,
}

fn class_position(class: Class) -> u8 {
    Class::ALL.iter().position(|other| *other == class).expect("ALL lists every class") as u8
}

impl Objects {
    /// No object. `budgets` are the tiers of the mode, fastest first.
    pub fn new(
        directory: &Directory,
        allocator: Allocator,
        placement: Box<dyn Placement>,
        budgets: Vec<Budget>,
    ) -> Self {
        let ids = (0..directory.len() as u32).map(ArrayId);
        let class = |id| directory.array(id).map_or(0, |array| class_position(array.class));
        Self {
            arrays: vec![Vec::new(); directory.len()],
            classes: ids.map(class).collect(),
            allocator,
            placement,
            budgets,
            ciphertexts: 0,
            footprint: Footprint::default(),
        }
    }

    /// Where an object lies; `None` if it is not alive.
    #[inline]
    pub fn locate(&self, object: Object) -> Option<Located> {
        let array = object.array.0 as usize;
        let entry = self.arrays[array].get(object.index as usize).filter(|entry| entry.references > 0)?;
        Some(Located { block: entry.block(), class: self.classes[array] })
    }

    /// Brings an element of an array to life, or takes a reference for one of a view; `at` is the instant, in ps, and
    /// `thread` who asks.
    ///
    /// # Errors
    /// - [`Error::Capacity`] if the tier that the placement chose is full, with what is missing.
    /// - [`Error::Trace`] if the element lies outside its array or is alive.
    pub fn alloc(
        &mut self,
        directory: &Directory,
        (id, index): (ArrayId, i64),
        at: u64,
        thread: usize,
    ) -> Result<(), Error> {
        let object = resolve(directory, id, index)?;
        if object.array != id {
            self.entry(object).references += 1;
            return Ok(());
        }
        let Some(array) = directory.array(id) else { return Ok(()) };
        if self.locate(object).is_some() {
            let (phase, label, index) = (String::new(), array.label.clone(), object.index);
            return Err(Error::Trace(hetier_traces::Error::Alive { phase, label, index }));
        }
        let (class, bytes) = (array.class, array.capacity_bytes);
        let choice = self.choose(class, id, bytes, thread);
        let budget = self.budgets[choice];
        let growth = self.allocator.growth(budget.tier, bytes, thread);
        let needed = self.allocator.resident(budget.tier).saturating_add(growth);
        if needed > budget.bytes {
            return Err(Error::Capacity {
                system: String::new(),
                what: array.label.clone(),
                needed_bytes: needed,
                capacity_bytes: budget.bytes,
            });
        }
        let block = self.allocator.alloc(budget.tier, bytes, thread);
        *self.entry(object) =
            Entry { tier: block.tier as u8, pool: block.pool, references: 1, line: block.line };
        self.ciphertexts += u64::from(class == WRITTEN);
        self.footprint.born(at, class_position(class), bytes, self.allocator.total_resident());
        Ok(())
    }

    /// Ciphertexts written so far.
    pub const fn ciphertexts(&self) -> u64 {
        self.ciphertexts
    }

    /// Position of the tier among the mode's.
    fn choose(&mut self, class: Class, array: ArrayId, bytes: u64, thread: usize) -> usize {
        let [fast, _, ..] = self.budgets[..] else { return 0 };
        let bytes = self.allocator.block_bytes(bytes);
        let is_reused = self.allocator.growth(fast.tier, bytes, thread) == 0;
        let free = fast.bytes.saturating_sub(self.allocator.resident(fast.tier));
        let fast_room = free.saturating_add(if is_reused { bytes } else { 0 });
        match self.placement.choose(Newborn { class, array, bytes, fast_room, is_reused }) {
            Choice::Fast => 0,
            Choice::Slow => 1,
        }
    }

    /// Drops an element's own reference; gives the block if the object died and its pages leave the process.
    ///
    /// # Errors
    /// - [`Error::Trace`] if the element lies outside its array; [`Error::Dead`] if it is not alive.
    pub fn free(
        &mut self,
        directory: &Directory,
        id: ArrayId,
        index: i64,
        at: u64,
    ) -> Result<Option<(Block, u64)>, Error> {
        let object = resolve(directory, id, index)?;
        let entry = self.entry(object);
        let Some(references) = entry.references.checked_sub(1) else {
            let (label, index) = (directory.label(object.array).to_owned(), object.index);
            return Err(Error::Dead { phase: String::new(), label, index });
        };
        entry.references = references;
        if references > 0 {
            return Ok(None);
        }
        let block = entry.block();
        let Some(array) = directory.array(object.array) else { return Ok(None) };
        let bytes = array.capacity_bytes;
        let held_bytes = self.allocator.block_bytes(bytes);
        self.allocator.free(block, bytes);
        let choice = if self.budgets[0].tier == block.tier { Choice::Fast } else { Choice::Slow };
        if self.budgets.len() > 1 {
            self.placement.died(object.array, array.class, held_bytes, choice);
        }
        self.footprint.died(at, class_position(array.class), bytes, self.allocator.total_resident());
        Ok(self.allocator.unmaps().then_some((block, held_bytes)))
    }

    fn entry(&mut self, object: Object) -> &mut Entry {
        let entries = &mut self.arrays[object.array.0 as usize];
        let index = object.index as usize;
        if entries.len() <= index {
            entries.resize(index + 1, Entry::default());
        }
        &mut entries[index]
    }
}

/// The object behind an element of an array or view.
///
/// # Errors
/// - [`Error::Trace`] if the element lies outside.
pub fn resolve(directory: &Directory, id: ArrayId, index: i64) -> Result<Object, Error> {
    directory.resolve(id, index).ok_or_else(|| {
        Error::Trace(hetier_traces::Error::OutOfRange {
            place: format!("operand of {}", directory.label(id)),
            what: "index",
            found: i128::from(index),
            least: 0,
            most: i128::from(directory.elements(id).unwrap_or(0)) - 1,
        })
    })
}
