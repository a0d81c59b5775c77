//! Macros ready to run: lanes with their line touches, sweeps with their steps and their arithmetic per step.

use hetier_traces::{Access, LINE_BYTES, Lane, MAX_LANES, Macro, Order, Sweep};

use super::calls::Stores;
use crate::core::Tempo;
use crate::system::System;

/// Fractions of a picosecond in which arithmetic is spread over the steps of a sweep.
const FRACTION_BITS: u32 = 16;

/// A macro with its costs on one system.
#[derive(Clone, Debug)]
pub struct Primitive {
    /// Number of its name among the names of primitives.
    pub name: u16,
    /// Its sweeps.
    pub sweeps: Vec<ReadySweep>,
}

/// A sweep that advances in steps of at most one line for each lane.
#[derive(Clone, Debug)]
pub struct ReadySweep {
    /// Number of steps: touches of the longest lane, or 1.
    pub steps: u64,
    /// Arithmetic per step, in 2⁻¹⁶ ps.
    step_time: u64,
    /// The lanes.
    pub lanes: Vec<ReadyLane>,
    /// What a step does with the lines of the lanes: all loads, then all stores.
    pub actions: Vec<Action>,
}

/// A request of each step for the line of a lane.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// Number of the lane, below [`MAX_LANES`].
    pub lane: usize,
    /// What is asked for.
    pub request: Request,
}

/// What a lane asks of its core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A load.
    Load,
    /// A store that fetches its line first.
    Store,
    /// A non-temporal store.
    StorePastCaches,
}

/// A lane with its number of touches.
#[derive(Clone, Debug)]
pub struct ReadyLane {
    /// Number of the operand.
    pub operand: usize,
    reads: bool,
    writes: bool,
    /// Whether its stores cover whole lines in ascending order: they may bypass the caches.
    covers_lines: bool,
    touches: u64,
    /// `None` for a sequential lane, whose touches need no pieces.
    pieces: Option<Lane>,
    first_line: u64,
}

/// Adds a step's arithmetic to a carry; gives the whole picoseconds that are due.
#[inline]
pub const fn whole_of(step_time: u64, carry: &mut u64) -> u64 {
    *carry = carry.saturating_add(step_time);
    let whole = *carry >> FRACTION_BITS;
    *carry &= (1 << FRACTION_BITS) - 1;
    whole
}

impl Primitive {
    /// Prepares a macro for a system and a flavour of stores; `name` numbers its name.
    pub fn new(source: &Macro, name: u16, system: &System, stores: Stores) -> Self {
        let sweeps = source.sweeps.iter().map(|sweep| ReadySweep::new(sweep, system, stores)).collect();
        Self { name, sweeps }
    }
}

impl ReadySweep {
    fn new(sweep: &Sweep, system: &System, stores: Stores) -> Self {
        let lanes: Vec<ReadyLane> = sweep.lanes.iter().take(MAX_LANES).map(ReadyLane::new).collect();
        let steps = lanes.iter().map(|lane| lane.touches).max().unwrap_or(1).max(1);
        let work = sweep.work.iter().map(|work| u128::from(system.arithmetic_fs(work.kind, work.count)));
        let step_time = (work.sum::<u128>() << FRACTION_BITS) / 1000 / u128::from(steps);
        let loads = lanes.iter().map(|lane| lane.reads.then_some(Request::Load));
        let stores = lanes.iter().map(|lane| lane.store(stores));
        let actions = loads.enumerate().chain(stores.enumerate());
        let actions =
            actions.filter_map(|(lane, request)| Some(Action { lane, request: request? })).collect();
        Self { steps, step_time: u64::try_from(step_time).unwrap_or(u64::MAX), lanes, actions }
    }

    /// Arithmetic of one step of a call, in parts of a picosecond.
    pub const fn step_time(&self, tempo: Tempo) -> u64 {
        tempo.of(self.step_time)
    }
}

impl ReadyLane {
    fn new(lane: &Lane) -> Self {
        let is_sequential = lane.order == Order::Sequential;
        Self {
            operand: usize::from(lane.operand),
            reads: lane.access != Access::Write,
            writes: lane.access != Access::Read,
            covers_lines: is_sequential
                && lane.access == Access::Write
                && lane.offset.is_multiple_of(LINE_BYTES)
                && lane.bytes.is_multiple_of(LINE_BYTES),
            touches: lane.line_touches(),
            pieces: (!is_sequential).then(|| lane.clone()),
            first_line: lane.offset / LINE_BYTES,
        }
    }
}

impl ReadyLane {
    /// What it asks for to store, if it does.
    fn store(&self, stores: Stores) -> Option<Request> {
        let is_past = stores == Stores::NonTemporal && self.covers_lines;
        self.writes.then_some(if is_past { Request::StorePastCaches } else { Request::Store })
    }

    /// Line requests of the whole lane.
    pub const fn requests(&self) -> u64 {
        self.touches * (self.reads as u64 + self.writes as u64)
    }
}

/// Where a lane stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct LaneCursor {
    /// Progress against the sweep's steps.
    share: u64,
    /// Next piece of a lane with pieces.
    piece: u64,
    /// Lines of the current piece still to come, and the line before them.
    left: u64,
    line: u64,
    /// First line of the object.
    base: u64,
}

impl LaneCursor {
    /// The start of a lane on an object at virtual line `base`.
    pub fn start(lane: &ReadyLane, steps: u64, base: u64) -> Self {
        Self {
            // The first touch comes in the first step, the others spread evenly.
            share: steps - lane.touches.min(steps),
            piece: 0,
            left: 0,
            line: if lane.pieces.is_none() { lane.first_line.wrapping_sub(1) } else { u64::MAX },
            base,
        }
    }

    /// The virtual line that the lane touches in the next step, if it touches one.
    #[inline]
    pub fn step(&mut self, lane: &ReadyLane, steps: u64) -> Option<u64> {
        self.share += lane.touches;
        if self.share < steps {
            return None;
        }
        self.share -= steps;
        if let Some(pieces) = &lane.pieces {
            self.next_line(pieces);
        } else {
            self.line = self.line.wrapping_add(1);
        }
        Some(self.base + self.line)
    }

    /// Moves to the next line of pieces; successive bytes on one line are one touch.
    fn next_line(&mut self, lane: &Lane) {
        if self.left > 0 {
            self.left -= 1;
            self.line += 1;
            return;
        }
        while self.piece < lane.piece_count() {
            let (offset, bytes) = lane.piece(self.piece);
            self.piece += 1;
            if bytes == 0 {
                continue;
            }
            let (first, last) = (offset / LINE_BYTES, (offset + bytes - 1) / LINE_BYTES);
            if first != self.line {
                (self.line, self.left) = (first, last - first);
                return;
            }
            if last > first {
                (self.line, self.left) = (first + 1, last - first - 1);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hetier_traces::{Arithmetic, Rule, Work};

    fn lines(lane: &Lane) -> Vec<u64> {
        let ready = ReadyLane::new(lane);
        let mut cursor = LaneCursor::start(&ready, ready.touches, 100);
        (0..ready.touches).filter_map(|_| cursor.step(&ready, ready.touches)).collect()
    }

    /// The lines under a lane's pieces, one after the other, repeats in a row counted once.
    fn expected(lane: &Lane) -> Vec<u64> {
        let all = lane.pieces().flat_map(|(offset, bytes)| offset / 64..=(offset + bytes - 1) / 64);
        let mut lines: Vec<u64> = all.map(|line| 100 + line).collect();
        lines.dedup();
        lines
    }

    #[test]
    fn every_order_touches_the_lines_of_its_pieces() {
        let lane = |offset, bytes, order| Lane { operand: 0, access: Access::Read, offset, bytes, order };
        let lanes = [
            lane(64, 640, Order::Sequential),
            lane(60, 8, Order::Sequential),
            lane(0, 1024, Order::Rotated { start_bytes: 200 }),
            lane(32, 400, Order::Strided { block_bytes: 40, stride_bytes: 100 }),
            lane(0, 512, Order::Permuted { rule: Rule::BitReversal, element_bytes: 8 }),
            lane(0, 40, Order::Indexed { element_bytes: 8, positions: vec![0, 1, 9, 8, 30] }),
            lane(0, 800, Order::Seeded { element_bytes: 100, range_elements: 50, seed: 4 }),
        ];
        for lane in lanes {
            assert_eq!(lines(&lane), expected(&lane), "{lane:?}");
        }
    }

    #[test]
    fn shorter_lane_spreads_over_the_longer_from_the_first_step() {
        let short = ReadyLane::new(&Lane::sequential(0, Access::Read, 0, 2 * 64));
        let mut cursor = LaneCursor::start(&short, 8, 0);

        let steps: Vec<bool> = (0..8).map(|_| cursor.step(&short, 8).is_some()).collect();

        assert_eq!(steps, [true, false, false, false, true, false, false, false]);
    }

    #[test]
    fn arithmetic_of_all_steps_adds_up_to_the_whole() {
        let system = System::load("optane-slice").unwrap();
        let sweep = Sweep {
            lanes: vec![Lane::sequential(0, Access::Read, 0, 1000 * 64)],
            work: vec![Work { kind: Arithmetic::Butterfly, count: 12_345 }],
        };
        let ready = ReadySweep::new(&sweep, &system, Stores::Regular);
        let mut carry = 0;

        let step_time = ready.step_time(Tempo::default());
        let total: u64 = (0..ready.steps).map(|_| whole_of(step_time, &mut carry)).sum();

        let expected = system.arithmetic_fs(Arithmetic::Butterfly, 12_345) / 1000;
        assert!(total.abs_diff(expected) <= 1, "{total} {expected}");
    }
}
