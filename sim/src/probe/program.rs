//! What one simulated thread does: blocks in an order, lines in a block, fences, pauses.

use super::options::{Mix, Operation};
use super::walk::Walk;
use crate::Picoseconds;

/// One step of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Touches a line.
    Touch(Operation, u64),
    /// Waits until all stores are safe.
    Fence,
}

/// Share of time that a thread works.
#[derive(Clone, Copy, Debug)]
pub(super) struct Duty {
    /// Working time of a period.
    pub on: Picoseconds,
    /// The period.
    pub period: Picoseconds,
}

/// The endless program of a thread.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// Order of the blocks that are loaded.
    pub loads: Walk,
    /// Order of the blocks that are stored.
    pub stores: Walk,
    /// Lines of a block.
    pub block_lines: u64,
    /// Lines from the start of a block to that of the next.
    pub spacing_lines: u64,
    /// What is done to blocks that are stored.
    pub store: Operation,
    /// Loaded to stored blocks.
    pub mix: Mix,
    /// Lines stored between fences; never if 0.
    pub fence_lines: u64,
    /// Time from one line to the next.
    pub gap: Picoseconds,
    /// Time after each fence, for the machine to come to rest.
    pub pause: Picoseconds,
    /// Whether the lines of regular stores are in the cache already.
    pub is_cached: bool,
    /// Working hours; always if absent.
    pub duty: Option<Duty>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    block: u64,
    line: u64,
    is_store: bool,
    balance: i64,
    stored: u64,
    is_inside: bool,
}

impl Program {
    /// A program at its beginning.
    ///
    /// Loads and stores of a mix go to halves of the region of their own, as those of Intel MLC go to buffers of their
    /// own: so each is as sequential as the walk says.
    pub(super) fn new(walk: Walk, block_lines: u64, store: Operation, mix: Mix) -> Self {
        let is_mixed = mix.reads > 0 && mix.writes > 0;
        let [loads, stores] = if is_mixed { walk.halves() } else { [walk.clone(), walk] };
        Self {
            loads,
            stores,
            block_lines,
            spacing_lines: block_lines,
            store,
            mix,
            fence_lines: 0,
            gap: Picoseconds::ZERO,
            pause: Picoseconds::ZERO,
            is_cached: false,
            duty: None,
            state: State::default(),
        }
    }

    /// The next step.
    pub(super) fn step(&mut self) -> Step {
        if self.fence_lines > 0 && self.state.stored >= self.fence_lines {
            self.state.stored = 0;
            return Step::Fence;
        }
        if !self.state.is_inside {
            self.begin_block();
        }
        let line = self.state.block * self.spacing_lines + self.state.line;
        self.state.line += 1;
        self.state.is_inside = self.state.line < self.block_lines;
        self.state.stored += u64::from(self.state.is_store);
        Step::Touch(if self.state.is_store { self.store } else { Operation::Load }, line)
    }

    /// Chooses the next block and spreads loads and stores evenly.
    fn begin_block(&mut self) {
        let (reads, writes) = (i64::from(self.mix.reads), i64::from(self.mix.writes));
        self.state.line = 0;
        self.state.balance += writes;
        self.state.is_store = 2 * self.state.balance > reads + writes || reads == 0;
        if self.state.is_store {
            self.state.balance -= reads + writes;
            self.state.block = self.stores.block();
        } else {
            self.state.block = self.loads.block();
        }
    }

    /// When a thread that is ready at `now` may work.
    pub(super) fn awake(&self, now: Picoseconds) -> Picoseconds {
        match self.duty {
            Some(duty) if now.0 % duty.period.0 >= duty.on.0 => {
                Picoseconds((now.0 / duty.period.0 + 1) * duty.period.0)
            }
            _ => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ascending() -> Walk {
        Walk::Ascending { origin: 0, count: 100, next: 0 }
    }

    #[test]
    fn a_mix_spreads_stores_evenly_and_in_proportion() {
        let mut program = Program::new(ascending(), 1, Operation::Ntstore, Mix { reads: 2, writes: 1 });
        let stores: Vec<bool> =
            (0..9).map(|_| matches!(program.step(), Step::Touch(Operation::Ntstore, _))).collect();
        assert_eq!(stores.iter().filter(|&&store| store).count(), 3);
        assert!(stores.chunks(3).all(|chunk| chunk.iter().filter(|&&store| store).count() == 1));
    }

    #[test]
    fn fences_follow_every_given_number_of_stored_lines() {
        let mut program = Program::new(ascending(), 4, Operation::Ntstore, Mix::WRITES);
        program.fence_lines = 2;
        let steps: Vec<Step> = (0..6).map(|_| program.step()).collect();
        assert_eq!(steps[2], Step::Fence);
        assert_eq!(steps[5], Step::Fence);
        assert_eq!(steps[3], Step::Touch(Operation::Ntstore, 2));
    }

    #[test]
    fn a_thread_sleeps_from_the_end_of_its_duty_to_the_next_period() {
        let mut program = Program::new(ascending(), 1, Operation::Ntstore, Mix::WRITES);
        program.duty = Some(Duty { on: Picoseconds(30), period: Picoseconds(100) });
        assert_eq!(program.awake(Picoseconds(129)), Picoseconds(129));
        assert_eq!(program.awake(Picoseconds(130)), Picoseconds(200));
    }
}
