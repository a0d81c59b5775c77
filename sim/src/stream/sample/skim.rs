//! Iterations that are not simulated: objects are born and die, near memory sees every object once, time passes at the
//! measured pace. A call costs about a nanosecond of host time in Memory Mode and nothing beyond it.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault};

use hetier_traces::loops::{Nest, Scope};

use crate::Error;
use crate::core::Source;
use crate::stream::caches::key::Mixer;
use crate::stream::engine::{Engine, SiteFacts};
use crate::stream::heap::blocks::NONE;
use crate::stream::memory::{Client, Passage};
use crate::stream::program::feeder::{Odometer, write};
use crate::stream::program::{Code, Emit, Field, Loop, Map, Op, Region, RegionKind, Template, payload};

/// Passages through near memory that are collected.
const BATCH: usize = 256;

/// Objects below which a course is walked rather than looked up.
const SHORT: i64 = 8;

/// A set of numbers that is cheap to clear.
#[derive(Clone, Debug, Default)]
struct Marks {
    words: Vec<u64>,
    /// Words that are not 0.
    used: Vec<u32>,
}

impl Marks {
    /// None of so many numbers. Memory of those that are never added costs nothing.
    fn new(numbers: u32) -> Self {
        Self { words: vec![0; numbers as usize / 64 + 1], used: Vec::new() }
    }

    fn clear(&mut self) {
        self.used.drain(..).for_each(|word| self.words[word as usize] = 0);
    }

    /// Adds a number; false if it was there.
    #[inline]
    fn insert(&mut self, number: u32) -> bool {
        let (word, bit) = (number as usize / 64, 1 << (number % 64));
        if word >= self.words.len() {
            self.words.resize(2 * word + 64, 0);
        }
        let held = &mut self.words[word];
        if *held == 0 {
            self.used.push(word as u32);
        }
        let is_new = *held & bit == 0;
        *held |= bit;
        is_new
    }

    /// Takes a number away.
    fn remove(&mut self, number: u32) {
        if let Some(held) = self.words.get_mut(number as usize / 64) {
            *held &= !(1 << (number % 64));
        }
    }
}

/// What near memory has seen in a gap: objects read, and blocks written. Scratch is written in the same block over and
/// over, and does not leave the caches.
#[derive(Clone, Debug, Default)]
pub(in crate::stream) struct Seen {
    read: Marks,
    written: Marks,
    /// Courses: first index and a hash of their levels, by the address of their field. Outputs of other channels read the
    /// same inputs.
    courses: HashSet<(usize, i64, u64), BuildHasherDefault<Mixer>>,
    pending: Vec<Passage>,
}

impl Seen {
    /// Nothing of so many objects.
    pub fn new(objects: u32) -> Self {
        Self { read: Marks::new(objects), ..Self::default() }
    }

    /// Nothing.
    pub fn clear(&mut self) {
        self.read.clear();
        self.written.clear();
        self.courses.clear();
    }

    /// A block's pages leave the process: what is written there next is written elsewhere.
    pub fn forget(&mut self, block: u32) {
        self.written.remove(block);
    }

    /// Whether a field takes a course for the first time.
    fn is_new(&mut self, field: &Field, start: i64, course: &[(i64, i64)]) -> bool {
        let length: i64 = course.iter().map(|level| level.1).product();
        let levels = self.courses.hasher().hash_one(course);
        length < SHORT || self.courses.insert((std::ptr::from_ref(field).addr(), start, levels))
    }
}

/// One core's walk over iterations.
pub(super) struct Skim {
    /// The core.
    pub core: usize,
    /// Calls by macro in the present iteration.
    pub calls: Vec<u64>,
    /// Picoseconds of page faults; those of a region's iterations over the threads.
    pub fault_ps: u64,
    /// Threads that share regions; 0 inside of one.
    pub threads: u64,
    scope: Scope,
    odometer: Odometer,
    words: Vec<u32>,
}

impl Skim {
    /// A walk of a core whose enclosing variables are in `scope`.
    pub fn new(core: usize, scope: Scope, macros: usize) -> Self {
        let (odometer, words) = (Odometer::default(), Vec::new());
        Self { core, calls: vec![0; macros], fault_ps: 0, threads: 0, scope, odometer, words }
    }

    /// Stands at an iteration of a region.
    pub fn seek(&mut self, region: &Region, iteration: u64) {
        if let RegionKind::Nest { nest, .. } = &region.kind {
            nest.seek(&mut self.scope, iteration);
        }
    }

    /// Goes on to the next iteration of a serial loop.
    pub fn step(&mut self, nest: &Nest) {
        nest.advance(&mut self.scope);
    }

    /// The variables.
    pub fn scope(&self) -> Scope {
        self.scope.clone()
    }

    /// Goes on to the next iteration of a region.
    pub fn advance(&mut self, region: &Region) {
        if let RegionKind::Nest { nest, .. } = &region.kind {
            nest.advance(&mut self.scope);
        }
    }
}

impl Engine<'_> {
    /// Walks codes, counting calls.
    ///
    /// # Errors
    /// Those of the engine's own walk.
    pub(super) fn skim(&mut self, codes: &[Code], skim: &mut Skim) -> Result<(), Error> {
        for code in codes {
            match code {
                Code::Emit(emit) => self.skim_emit(emit, skim)?,
                Code::Loop(repeated) => self.skim_loop(repeated, skim)?,
                Code::Region(region) => self.skim_region(region, skim)?,
            }
        }
        Ok(())
    }

    fn skim_region(&mut self, region: &Region, skim: &mut Skim) -> Result<(), Error> {
        match &region.kind {
            RegionKind::Nest { nest, body } => {
                let (own, threads, fault_ps) = (skim.core, skim.threads, skim.fault_ps);
                let iterations = nest.count(&mut skim.scope);
                let mut goes_on = nest.start(&mut skim.scope);
                (skim.threads, skim.fault_ps) = (0, 0);
                for iteration in 0..iterations {
                    if !goes_on {
                        break;
                    }
                    skim.core = own + (iteration * threads / iterations) as usize;
                    self.skim(body, skim)?;
                    goes_on = nest.advance(&mut skim.scope);
                }
                (skim.core, skim.threads) = (own, threads);
                skim.fault_ps = fault_ps + skim.fault_ps / threads.max(1);
            }
            RegionKind::Branches(branches) => {
                for branch in branches {
                    self.skim(branch, skim)?;
                }
            }
        }
        Ok(())
    }

    fn skim_loop(&mut self, repeated: &Loop, skim: &mut Skim) -> Result<(), Error> {
        if !repeated.nest.start(&mut skim.scope) {
            return Ok(());
        }
        if let Some(template) = repeated.template.as_ref().filter(|template| template.leaves_nothing) {
            self.skim(&repeated.first, skim)?;
            return self.skim_template(template, u64::from(!repeated.first.is_empty()), skim);
        }
        let mut codes = if repeated.first.is_empty() { &repeated.body } else { &repeated.first };
        loop {
            self.skim(codes, skim)?;
            codes = &repeated.body;
            if codes.is_empty() || !repeated.nest.advance(&mut skim.scope) {
                return Ok(());
            }
        }
    }

    /// A template that leaves nothing behind, from its iteration number `done` on: every operand's course at once.
    fn skim_template(&mut self, template: &Template, done: u64, skim: &mut Skim) -> Result<(), Error> {
        skim.odometer.start(template, &skim.scope)?;
        let iterations = skim.odometer.length().saturating_sub(done);
        if iterations == 0 {
            return Ok(());
        }
        for birth in template.scratch.iter().chain(&template.leftovers) {
            self.skim_emit(birth, skim)?;
        }
        self.heap.ciphertexts += template.written * iterations;
        let (mut at, mut field) = (0, 0);
        while at < template.words.len() {
            let header = template.words[at];
            match Op::of(header) {
                Op::Call => {
                    let site = self.sites[payload(header) as usize];
                    skim.calls[site.callee as usize] += iterations;
                    self.skim_operands(template, field, site, skim)?;
                    field += usize::from(site.count);
                    at += 1 + usize::from(site.count);
                }
                Op::SmallBirth | Op::SmallDeath => at += 2,
                _ => (field, at) = (field + 1, at + 4),
            }
        }
        Ok(())
    }

    /// The courses of a call's operands, the first of which is field number `field`.
    fn skim_operands(
        &mut self,
        template: &Template,
        field: usize,
        site: SiteFacts,
        skim: &mut Skim,
    ) -> Result<(), Error> {
        for operand in 0..usize::from(site.count) {
            let is_write = site.written >> (operand % 64) & 1 == 1;
            let (held, coefficients) =
                (&template.fields[field + operand].1, &template.coefficients[field + operand]);
            if !held.is_passing && (is_write || self.memory.near().is_some()) {
                let (start, course) = skim.odometer.course(field + operand, coefficients);
                if self.seen.is_new(held, start, &course) {
                    self.skim_course(&held.map, start, &course, (site.primitive, is_write), skim)?;
                }
            }
        }
        Ok(())
    }

    fn skim_emit(&mut self, emit: &Emit, skim: &mut Skim) -> Result<(), Error> {
        if Op::of(emit.header) == Op::Call {
            return self.skim_call(emit, skim);
        }
        if emit.fields.iter().any(|field| field.is_passing) {
            self.heap.ciphertexts += emit.written;
            return Ok(());
        }
        let mut words = std::mem::take(&mut skim.words);
        words.clear();
        write(emit, &skim.scope, &mut words)?;
        let mut at = 0;
        while at < words.len() {
            at = self.lifetime(skim.core, &words, at)?;
        }
        skim.words = words;
        Ok(())
    }

    #[inline]
    fn skim_call(&mut self, emit: &Emit, skim: &mut Skim) -> Result<(), Error> {
        let site = self.sites[payload(emit.header) as usize];
        skim.calls[site.callee as usize] += emit.repeat;
        for (operand, field) in emit.fields.iter().enumerate() {
            let is_write = site.written >> (operand % 64) & 1 == 1;
            if !field.is_passing && (is_write || self.memory.near().is_some()) {
                let object = field.object(field.index(&skim.scope)?);
                self.skim_object(object, site.primitive, is_write, skim)?;
            }
        }
        Ok(())
    }

    /// All objects of a course.
    fn skim_course(
        &mut self,
        map: &Map,
        start: i64,
        course: &[(i64, i64)],
        (primitive, is_write): (u16, bool),
        skim: &mut Skim,
    ) -> Result<(), Error> {
        let Some(((step, length), outer)) = course.split_last() else {
            return self.skim_object(object_of(map, start), primitive, is_write, skim);
        };
        let rounds: i64 = outer.iter().map(|level| level.1).product();
        for round in 0..rounds {
            let (mut index, mut left) = (start, round);
            for (step, length) in outer.iter().rev() {
                index += step * (left % length);
                left /= length;
            }
            for _ in 0..*length {
                self.skim_object(object_of(map, index), primitive, is_write, skim)?;
                index += step;
            }
        }
        Ok(())
    }

    /// Touches an object, if nothing has in this gap.
    #[inline]
    fn skim_object(
        &mut self,
        object: u32,
        primitive: u16,
        is_write: bool,
        skim: &mut Skim,
    ) -> Result<(), Error> {
        if is_write {
            let block = self.heap.blocks.of(object);
            if block == NONE {
                return Err(self.dead(object));
            }
            return if self.seen.written.insert(block) {
                self.see(block, primitive, true, skim)
            } else {
                Ok(())
            };
        }
        if !self.seen.read.insert(object) {
            return Ok(());
        }
        match self.heap.blocks.of(object) {
            NONE => Err(self.dead(object)),
            block => self.see(block, primitive, false, skim),
        }
    }

    /// First touch of a block in a gap.
    fn see(&mut self, block: u32, primitive: u16, is_write: bool, skim: &mut Skim) -> Result<(), Error> {
        let core = skim.core;
        let socket = self.cores[core].socket;
        if !self.heap.blocks.is_mapped(block) {
            let faults = self.heap.map(block, socket, &mut self.memory)?;
            self.caches.page_faults += faults;
            self.cores[core].stalls[usize::from(Source::FAULT.0)] += faults * self.fault_ps;
            skim.fault_ps += faults * self.fault_ps;
        }
        if self.memory.near().is_some() {
            let entry = &self.heap.blocks[block];
            let (place, places, class) = (entry.place, entry.places, entry.class);
            let lines = u64::from(self.heap.lines(entry.shape));
            let now_ps = self.cores[core].clock_ps;
            let client = Client { core, socket, lanes: 0, class, primitive, now_ps, is_noted: false };
            self.seen.pending.push(Passage { place, places, lines, is_write, client });
            if self.seen.pending.len() >= BATCH {
                self.pass_pending();
            }
        }
        Ok(())
    }

    /// Passes through near memory what has been collected for it.
    pub(super) fn pass_pending(&mut self) {
        self.memory.skim(&self.seen.pending);
        self.seen.pending.clear();
    }
}

#[inline]
fn object_of(map: &Map, index: i64) -> u32 {
    match map {
        Map::Linear { base, stride } => (base + stride * index) as u32,
        Map::Table(table) => table[index as usize],
        Map::Small => 0,
    }
}

#[cfg(test)]
mod tests {
    use hetier_traces::{Affine, ArrayId};

    use super::*;

    #[test]
    fn windows_of_one_size_and_start_but_other_extents_are_other_courses() {
        let form = hetier_traces::loops::Form::new(&Affine::constant(0), 0).unwrap();
        let field = Field { form, map: Map::Small, limit: 0, array: ArrayId(0), is_passing: false };
        let mut seen = Seen::new(0);

        assert!(seen.is_new(&field, 0, &[(100, 3), (1, 4)]));
        assert!(seen.is_new(&field, 0, &[(100, 4), (1, 3)]));
        assert!(!seen.is_new(&field, 0, &[(100, 3), (1, 4)]));
        assert!(seen.is_new(&field, 1, &[(100, 3), (1, 4)]));
    }
}
