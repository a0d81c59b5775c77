//! One thread's primitive at work: its sweeps, step by step, on its core.

use hetier_traces::{Class, MAX_LANES};

use super::lanes::{LaneCursor, Primitive, ReadySweep, Request, whole_of};
use super::memory_map::MemoryMap;
use super::objects::Located;
use crate::core::{Source, Tempo};
use crate::machine::{Issue, Port};
use crate::{Error, Picoseconds};

/// Whether stores that cover whole lines bypass the caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stores {
    /// All stores fetch their line first.
    Regular,
    /// Sequential writes of whole lines are non-temporal.
    NonTemporal,
}

impl Stores {
    /// Every choice by name.
    pub const ALL: [(&'static str, Self); 2] =
        [("regular", Self::Regular), ("non-temporal", Self::NonTemporal)];
}

/// How far a call got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is done.
    Done,
    /// Its time is up.
    Paused,
    /// The core waits.
    Blocked,
}

/// A lane during a sweep.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    cursor: LaneCursor,
    tier: usize,
    class: u8,
    /// Virtual page of `physical`, as its first line; `u64::MAX` before the first.
    page: u64,
    /// First physical line of the page.
    physical: u64,
    /// Physical line of this step, if any.
    line: Option<u64>,
}

/// A call in progress.
#[derive(Clone, Debug, Default)]
pub struct CallState {
    /// Number of the primitive among the macros.
    pub callee: usize,
    operands: Vec<Located>,
    sweep: usize,
    step: u64,
    /// Next action of the step.
    action: usize,
    /// Whether the lanes have moved to the lines of the step.
    is_placed: bool,
    carry: u64,
    tempo: Tempo,
    /// Arithmetic of a step of the present sweep, in parts of a picosecond.
    step_time: u64,
    lanes: [Lane; MAX_LANES],
    started: bool,
    /// Clock, compute and stalls of the core when the call started.
    pub since: (Picoseconds, Picoseconds, [u64; Source::COUNT]),
    /// Line requests of the sweeps started so far.
    pub accesses: u64,
    /// The same by class of the object.
    pub class_accesses: [u64; Class::ALL.len()],
    /// Picoseconds that the core waited until a request for an object of a class could be issued.
    pub class_stalls: [u64; Class::ALL.len()],
    /// Instant up to which waiting is in `class_stalls`.
    booked: Picoseconds,
}

impl CallState {
    /// Starts a primitive, at a tempo, on operands that lie where they are pushed next.
    pub fn start(&mut self, callee: usize, tempo: Tempo) {
        (self.callee, self.tempo) = (callee, tempo);
        self.operands.clear();
        (self.sweep, self.step, self.action) = (0, 0, 0);
        (self.is_placed, self.started) = (false, false);
        (self.carry, self.accesses) = (0, 0);
        self.class_accesses = [0; Class::ALL.len()];
        self.class_stalls = [0; Class::ALL.len()];
    }

    /// Adds the next operand.
    pub fn push(&mut self, operand: Located) {
        self.operands.push(operand);
    }

    /// Runs until the call is done, the clock passes `until`, or the core blocks.
    ///
    /// # Errors
    /// - [`Error::Capacity`] if a page finds no frame.
    pub fn run(
        &mut self,
        primitive: &Primitive,
        map: &mut MemoryMap,
        port: &mut Port<'_>,
        until: Picoseconds,
    ) -> Result<Progress, Error> {
        while let Some(sweep) = primitive.sweeps.get(self.sweep) {
            if !self.started {
                self.start_sweep(sweep);
            }
            match self.run_sweep(sweep, map, port, until)? {
                Progress::Done => {
                    self.sweep += 1;
                    self.started = false;
                }
                other => return Ok(other),
            }
        }
        Ok(Progress::Done)
    }

    fn start_sweep(&mut self, sweep: &ReadySweep) {
        for (lane, ready) in self.lanes.iter_mut().zip(&sweep.lanes) {
            let located = self.operands[ready.operand];
            self.accesses += ready.requests();
            self.class_accesses[usize::from(located.class)] += ready.requests();
            *lane = Lane {
                cursor: LaneCursor::start(ready, sweep.steps, located.block.line),
                tier: located.block.tier,
                class: located.class,
                page: u64::MAX,
                physical: 0,
                line: None,
            };
        }
        (self.step, self.action, self.carry) = (0, 0, 0);
        (self.is_placed, self.started) = (false, true);
        self.step_time = sweep.step_time(self.tempo);
    }

    #[inline]
    fn run_sweep(
        &mut self,
        sweep: &ReadySweep,
        map: &mut MemoryMap,
        port: &mut Port<'_>,
        until: Picoseconds,
    ) -> Result<Progress, Error> {
        while self.step < sweep.steps {
            if !self.is_placed {
                self.place(sweep, map, port)?;
                self.booked = port.clock();
            }
            if self.issue(sweep, port) == Issue::Blocked {
                return Ok(Progress::Blocked);
            }
            port.compute(Picoseconds(whole_of(self.step_time, &mut self.carry)));
            self.step += 1;
            self.action = 0;
            self.is_placed = false;
            if port.clock() > until {
                return Ok(Progress::Paused);
            }
        }
        Ok(Progress::Done)
    }

    /// Moves every lane to its line of this step.
    #[inline]
    fn place(&mut self, sweep: &ReadySweep, map: &mut MemoryMap, port: &mut Port<'_>) -> Result<(), Error> {
        let mask = map.page_lines() - 1;
        for (lane, ready) in self.lanes.iter_mut().zip(&sweep.lanes) {
            let Some(line) = lane.cursor.step(ready, sweep.steps) else {
                lane.line = None;
                continue;
            };
            if line & !mask != lane.page {
                lane.page = line & !mask;
                lane.physical = map.translate(lane.tier, lane.page, port)?;
            }
            lane.line = Some(lane.physical + (line & mask));
        }
        self.is_placed = true;
        Ok(())
    }

    /// Issues the loads of the step, then its stores.
    #[inline]
    fn issue(&mut self, sweep: &ReadySweep, port: &mut Port<'_>) -> Issue {
        for action in &sweep.actions[self.action..] {
            let lane = &self.lanes[action.lane];
            if let Some(line) = lane.line {
                let issue = match action.request {
                    Request::Load => port.load(line, lane.class),
                    Request::Store => port.store(line, lane.class),
                    Request::StorePastCaches => port.store_non_temporal(line, lane.class),
                };
                if issue == Issue::Blocked {
                    return Issue::Blocked;
                }
                // Nothing but waiting moves the clock between placing the lanes and computing.
                let clock = port.clock();
                if clock > self.booked {
                    self.class_stalls[usize::from(lane.class)] += (clock - self.booked).0;
                    self.booked = clock;
                }
            }
            self.action += 1;
        }
        Issue::Done
    }
}
