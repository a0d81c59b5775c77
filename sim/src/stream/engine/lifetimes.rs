//! Births and deaths that words ask for, and the footprint over time.

use super::Engine;
use crate::Error;
use crate::stream::heap::blocks::NONE;
use crate::stream::program::{Op, payload};

/// Births and deaths between two points of the footprint: one in so many of all, and never more than that.
const FOOTPRINT_PART: u64 = 4096;
const FOOTPRINT_STEP: u64 = 1024;

impl Engine<'_> {
    /// Births or deaths that a word asks for; gives the position behind.
    #[inline]
    pub(in crate::stream) fn lifetime(
        &mut self,
        number: usize,
        words: &[u32],
        at: usize,
    ) -> Result<usize, Error> {
        let header = words[at];
        let array = payload(header);
        self.heap.turn_to(number);
        match Op::of(header) {
            op @ (Op::SmallBirth | Op::SmallDeath) => {
                return match self.heap.small(array, u64::from(words[at + 1]), op == Op::SmallBirth) {
                    true => Ok(at + 2),
                    false => Err(self.none_alive(array)),
                };
            }
            Op::Birth if words[at + 2] == 1 => self.come(words[at + 1], array)?,
            Op::Death if words[at + 2] == 1 => self.die(words[at + 1], Some(array))?,
            _ => self.run_of(header, words[at + 1], words[at + 2], words[at + 3] as i32)?,
        }
        self.count_lifetime(number);
        Ok(at + 4)
    }

    #[inline]
    pub(super) fn count_lifetime(&mut self, number: usize) {
        self.lifetimes += 1;
        if self.lifetimes >= self.footprint_due {
            self.footprint_due = self.lifetimes + (self.lifetimes / FOOTPRINT_PART).clamp(1, FOOTPRINT_STEP);
            self.note_footprint(self.cores[number].clock_ps);
        }
    }

    pub(super) fn note_footprint(&mut self, now_ps: u64) {
        self.heap.note(now_ps, &mut self.footprint);
    }

    /// Births, deaths or references of a run of objects.
    fn run_of(&mut self, header: u32, first: u32, count: u32, stride: i32) -> Result<(), Error> {
        let (op, array) = (Op::of(header), payload(header));
        for place in 0..count as i32 {
            let object = first.wrapping_add_signed(place.wrapping_mul(stride));
            match op {
                Op::Birth => self.come(object, array)?,
                Op::Refer if !self.heap.blocks.refer(object) => return Err(self.dead(object)),
                Op::Refer => {}
                Op::Death => self.die(object, Some(array))?,
                _ => self.die(object, None)?,
            }
        }
        Ok(())
    }

    #[inline]
    fn come(&mut self, object: u32, array: u32) -> Result<(), Error> {
        if self.heap.blocks.of(object) == NONE {
            self.heap.birth(object, array)
        } else {
            Err(self.alive(object))
        }
    }

    #[inline]
    fn die(&mut self, object: u32, array: Option<u32>) -> Result<(), Error> {
        if self.heap.unmaps() {
            self.seen.forget(self.heap.blocks.of(object));
        }
        if self.heap.death(object, array) { Ok(()) } else { Err(self.dead(object)) }
    }

    /// The error of a use after death.
    #[cold]
    pub(in crate::stream) fn dead(&mut self, object: u32) -> Error {
        let (phase, label, index) = self.named(object);
        Error::Dead { phase, label, index }
    }

    /// The error of a death among objects too small to be numbered, of which none lives.
    #[cold]
    fn none_alive(&self, array: u32) -> Error {
        let id = self.program.arrays[array as usize].id;
        let label = self.trace.definitions.get(id.0 as usize).map_or("", |definition| definition.label());
        Error::Dead { phase: self.phase_name().to_owned(), label: label.to_owned(), index: 0 }
    }

    /// The error of a birth before death.
    #[cold]
    fn alive(&mut self, object: u32) -> Error {
        let (phase, label, index) = self.named(object);
        Error::Trace(hetier_traces::Error::Alive { phase, label, index })
    }

    /// The present phase, and array and index of an object.
    fn named(&self, object: u32) -> (String, String, u64) {
        let (array, index) = self.heap.locate(object);
        let label = self.trace.definitions.get(array.0 as usize).map_or("", |definition| definition.label());
        (self.phase_name().to_owned(), label.to_owned(), index)
    }
}
