//! The objects of a running program: real memory, alive from allocation to last reference.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hetier_traces::{ArrayId, Class, Definition, Directory, Object};

use crate::Error;
use crate::ring::Buffer;

/// One object: its memory while it lives, and how many references hold it.
#[derive(Debug, Default)]
struct Cell {
    buffer: RwLock<Option<Buffer>>,
    references: AtomicU32,
}

/// Where an object was put when it came to life. Buffers are reused by size, so addresses repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The object.
    pub object: Object,
    /// Address of its first byte.
    pub address: u64,
}

/// Memory of dead objects by size, kept for later objects and later runs: a second run in it takes nothing from the
/// operating system.
#[derive(Debug, Default)]
pub struct Memory {
    free: Mutex<HashMap<u64, Vec<Buffer>>>,
}

impl Memory {
    /// A block with what an earlier object left in it, or a new one of zeros.
    fn take(&self, bytes: u64) -> Buffer {
        let pooled = self.locked(|free| free.get_mut(&(bytes.div_ceil(8) * 8)).and_then(Vec::pop));
        pooled.unwrap_or_else(|| Buffer::with_bytes(bytes))
    }

    fn give(&self, buffer: Buffer) {
        self.locked(|free| free.entry(buffer.bytes()).or_default().push(buffer));
    }

    fn locked<T>(&self, work: impl FnOnce(&mut HashMap<u64, Vec<Buffer>>) -> T) -> T {
        work(&mut self.free.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// All objects of a program, by array and index. Views hold none, they refer.
#[derive(Debug)]
pub(super) struct Store<'m> {
    directory: Directory,
    cells: Vec<Vec<Cell>>,
    memory: &'m Memory,
    placements: Mutex<Vec<Placement>>,
}

/// Access to one object for the time of a call.
pub(super) enum Guard<'s> {
    Read(RwLockReadGuard<'s, Option<Buffer>>),
    Write(RwLockWriteGuard<'s, Option<Buffer>>),
    /// A table, whose memory the context holds.
    Resident,
}

impl<'m> Store<'m> {
    /// No object alive.
    pub fn new(definitions: &[Definition], memory: &'m Memory) -> Result<Self, Error> {
        let directory = Directory::of(definitions)?;
        let cells = |definition: &Definition| match definition {
            Definition::Array(array) => (0..array.elements).map(|_| Cell::default()).collect(),
            Definition::View(_) => Vec::new(),
        };
        Ok(Self {
            cells: definitions.iter().map(cells).collect(),
            directory,
            memory,
            placements: Mutex::default(),
        })
    }

    /// Takes a reference to element `index`; an array's element gets memory, with what an earlier object left in it.
    /// True if the object is new.
    pub fn acquire(&self, array: ArrayId, index: i64) -> Result<bool, Error> {
        let object = self.object(array, index)?;
        let cell = &self.cells[object.array.0 as usize][object.index as usize];
        let before = cell.references.fetch_add(1, Ordering::AcqRel);
        let owns = self.directory.array(array);
        match (owns, before) {
            (Some(array), 0) => {
                let buffer = self.memory.take(array.capacity_bytes);
                self.note(object, &buffer);
                *cell.buffer.write().unwrap_or_else(PoisonError::into_inner) = Some(buffer);
                Ok(true)
            }
            (None, 1..) => Ok(false),
            (Some(_), _) => Err(self.lifetime(object, "allocated twice")),
            (None, _) => Err(self.lifetime(object, "viewed while dead")),
        }
    }

    /// Drops a reference; with the last one the memory goes back to the pool.
    pub fn release(&self, array: ArrayId, index: i64) -> Result<(), Error> {
        let object = self.object(array, index)?;
        let cell = &self.cells[object.array.0 as usize][object.index as usize];
        match cell.references.fetch_sub(1, Ordering::AcqRel) {
            0 => Err(self.lifetime(object, "freed while dead")),
            1 => {
                if let Some(buffer) = cell.buffer.write().unwrap_or_else(PoisonError::into_inner).take() {
                    self.memory.give(buffer);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Access for reading.
    pub fn read(&self, array: ArrayId, index: i64) -> Result<Guard<'_>, Error> {
        let object = self.object(array, index)?;
        if self.is_table(object) {
            return Ok(Guard::Resident);
        }
        let cell = &self.cells[object.array.0 as usize][object.index as usize];
        match cell.buffer.try_read() {
            Ok(guard) if guard.is_some() => Ok(Guard::Read(guard)),
            Ok(_) => Err(self.lifetime(object, "read while dead")),
            Err(_) => Err(self.lifetime(object, "read while being written")),
        }
    }

    /// Access for writing.
    pub fn write(&self, array: ArrayId, index: i64) -> Result<Guard<'_>, Error> {
        let object = self.object(array, index)?;
        if self.is_table(object) {
            return Ok(Guard::Resident);
        }
        let cell = &self.cells[object.array.0 as usize][object.index as usize];
        match cell.buffer.try_write() {
            Ok(guard) if guard.is_some() => Ok(Guard::Write(guard)),
            Ok(_) => Err(self.lifetime(object, "written while dead")),
            Err(_) => Err(self.lifetime(object, "written while in use")),
        }
    }

    /// The values of a message.
    pub fn message(&self, array: ArrayId, index: u64) -> Result<Vec<f64>, Error> {
        match self.read(array, index as i64)? {
            Guard::Read(guard) => Ok(guard.as_ref().map(Buffer::values).unwrap_or_default()),
            _ => Ok(Vec::new()),
        }
    }

    /// Fills a message from outside the program, zeros after the values.
    pub fn fill(&self, array: ArrayId, index: u64, values: &[f64]) -> Result<(), Error> {
        if let Guard::Write(mut guard) = self.write(array, index as i64)?
            && let Some(buffer) = guard.as_mut()
        {
            let padded = values.iter().copied().chain(std::iter::repeat(0.0));
            buffer.iter_mut().zip(padded).for_each(|(word, value)| *word = value.to_bits());
        }
        Ok(())
    }

    fn is_table(&self, object: Object) -> bool {
        self.directory.array(object.array).is_some_and(|array| array.class == Class::Table)
    }

    /// Where objects were put, in order of their allocation if one thread ran.
    pub fn placements(&self) -> Vec<Placement> {
        self.placements.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, object: Object, buffer: &Buffer) {
        let address = buffer.as_ptr().addr() as u64;
        self.placements.lock().unwrap_or_else(PoisonError::into_inner).push(Placement { object, address });
    }

    fn object(&self, array: ArrayId, index: i64) -> Result<Object, Error> {
        self.directory.resolve(array, index).ok_or_else(|| Error::Object {
            object: format!("{}[{index}]", self.directory.label(array)),
            found: "outside the array",
        })
    }

    fn lifetime(&self, object: Object, found: &'static str) -> Error {
        Error::Object { object: format!("{}[{}]", self.directory.label(object.array), object.index), found }
    }
}

impl Drop for Store<'_> {
    /// What is still alive goes back too.
    fn drop(&mut self) {
        for cell in self.cells.iter_mut().flatten() {
            if let Some(buffer) = cell.buffer.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
                self.memory.give(buffer);
            }
        }
    }
}
