//! The cells of the DIMM and who may use them: banks, energy, and turns between reads, writes and moves.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::combine::Group;
use super::energy::Energy;
use super::hash::mix;
use super::{PmemConfig, XPLINES_PER_PAGE, XPLine};
use crate::Picoseconds;

/// Users of the media; they take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Fetch,
    Flush,
    Move,
}

impl User {
    const fn next(self) -> Self {
        match self {
            Self::Fetch => Self::Flush,
            Self::Flush => Self::Move,
            Self::Move => Self::Fetch,
        }
    }
}

/// A write of a group that was combined as far as it will be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flush {
    /// What is written.
    pub group: Group,
    /// Energy of the write.
    pub cost_fj: u64,
    /// Whether the rest of the media line has to be read first.
    pub must_read: bool,
}

/// Something the media has begun.
#[derive(Clone, Copy, Debug)]
pub(super) enum Grant {
    /// A line for the read buffer.
    Fetch {
        /// Number of the media line.
        xpline: XPLine,
        /// When the media has read it.
        done: Picoseconds,
    },
    /// A write of the host's.
    Flush {
        /// What is written.
        flush: Flush,
        /// When the media has it.
        done: Picoseconds,
    },
    /// Half of a copy of wear levelling.
    MoveRead,
    /// The other half; `last` if the block has moved.
    MoveWrite {
        /// Whether this was the last line of the block.
        last: bool,
    },
}

/// A block on its way: lines are copied one after the other.
#[derive(Clone, Copy, Debug)]
struct Move {
    block: u64,
    next: u64,
    is_read: bool,
    ready: Picoseconds,
}

/// Queues in front of the media, its banks and its energy.
///
/// Fetches go in order of the instant at which their address is translated, flushes in order of arrival. Whoever has
/// something ready gets every third, second or every turn; the energy of the operation decides when the turn begins.
#[derive(Clone, Debug)]
pub(super) struct Media {
    read: Picoseconds,
    write: Picoseconds,
    read_fj: u64,
    write_fj: u64,
    block_lines: u64,
    banks: Vec<Picoseconds>,
    energy: Energy,
    fetches: BinaryHeap<Reverse<(Picoseconds, u64, XPLine)>>,
    sequence: u64,
    flushes: VecDeque<Flush>,
    moves: VecDeque<u64>,
    current: Option<Move>,
    turn: User,
}

impl Media {
    pub(super) fn new(config: &PmemConfig) -> Self {
        Self {
            read: config.media_read,
            write: config.media_write,
            read_fj: config.read_fj,
            write_fj: config.write_fj,
            block_lines: config.wear_block_lines,
            banks: vec![Picoseconds::ZERO; config.banks],
            energy: Energy::new(config.budget_mw, config.write_fj * config.banks as u64),
            fetches: BinaryHeap::new(),
            sequence: 0,
            flushes: VecDeque::new(),
            moves: VecDeque::new(),
            current: None,
            turn: User::Fetch,
        }
    }

    /// Asks for a line whose address is known at `ready`.
    pub(super) fn fetch(&mut self, xpline: XPLine, ready: Picoseconds) {
        self.sequence += 1;
        self.fetches.push(Reverse((ready, self.sequence, xpline)));
    }

    /// Asks for a write.
    pub(super) fn flush(&mut self, flush: Flush) {
        self.flushes.push_back(flush);
    }

    /// Whether a write waits.
    pub(super) fn has_flush(&self) -> bool {
        !self.flushes.is_empty()
    }

    /// Asks for a block to be moved, after those asked for before.
    pub(super) fn move_block(&mut self, block: u64, now: Picoseconds) {
        self.moves.push_back(block);
        self.start_move(now);
    }

    /// The earliest instant after or at `now` at which [`Media::grant`] has something to do; [`Picoseconds::NEVER`] if
    /// nobody asks.
    pub(super) fn next_grant(&self, now: Picoseconds) -> Picoseconds {
        let Some((_, ready, cost)) = self.choose(now) else { return Picoseconds::NEVER };
        ready.max(self.energy.ready(cost)).max(now)
    }

    /// Begins the operation whose turn it is, if one may begin at `now`.
    pub(super) fn grant(&mut self, now: Picoseconds) -> Option<Grant> {
        let (user, ready, cost) = self.choose(now)?;
        if ready > now || self.energy.ready(cost) > now {
            return None;
        }
        self.energy.pay(now, cost);
        self.turn = user.next();
        Some(match user {
            User::Fetch => self.grant_fetch(now),
            User::Flush => self.grant_flush(now),
            User::Move => self.grant_move(now),
        })
    }

    /// The user whose turn it is among those ready at `now`; else the one that is ready first.
    fn choose(&self, now: Picoseconds) -> Option<(User, Picoseconds, u64)> {
        if self.fetches.is_empty() && self.flushes.is_empty() && self.current.is_none() {
            return None;
        }
        let mut best: Option<(User, Picoseconds, u64)> = None;
        let mut user = self.turn;
        for _ in 0..3 {
            if let Some((ready, cost)) = self.head(user) {
                let ready = ready.max(now);
                if best.is_none_or(|(_, earliest, _)| ready < earliest) {
                    best = Some((user, ready, cost));
                }
            }
            user = user.next();
        }
        best
    }

    fn head(&self, user: User) -> Option<(Picoseconds, u64)> {
        match user {
            User::Fetch => self.fetches.peek().map(|Reverse((ready, _, _))| (*ready, self.read_fj)),
            User::Flush => self.next_flush().map(|place| (Picoseconds::ZERO, self.flushes[place].cost_fj)),
            User::Move => {
                self.current.map(|step| (step.ready, if step.is_read { self.read_fj } else { self.write_fj }))
            }
        }
    }

    /// The first flush that does not go to the block that moves.
    fn next_flush(&self) -> Option<usize> {
        let Some(step) = self.current else { return (!self.flushes.is_empty()).then_some(0) };
        self.flushes.iter().position(|flush| flush.group.xpline / self.block_lines != step.block)
    }

    fn grant_fetch(&mut self, now: Picoseconds) -> Grant {
        let Reverse((_, _, xpline)) = self.fetches.pop().expect("a fetch was chosen");
        Grant::Fetch { xpline, done: self.occupy(xpline, now, self.read) }
    }

    fn grant_flush(&mut self, now: Picoseconds) -> Grant {
        let place = self.next_flush().expect("a flush was chosen");
        let flush = self.flushes.remove(place).expect("the place was found in the queue");
        let read = if flush.must_read { self.read } else { Picoseconds::ZERO };
        Grant::Flush { flush, done: self.occupy(flush.group.xpline, now, read + self.write) }
    }

    fn grant_move(&mut self, now: Picoseconds) -> Grant {
        let step = self.current.expect("a move was chosen");
        let xpline = step.block * self.block_lines + step.next;
        if step.is_read {
            let ready = self.occupy(xpline, now, self.read);
            self.current = Some(Move { is_read: false, ready, ..step });
            return Grant::MoveRead;
        }
        // The copy goes to a spare block, whose banks are those of the block after it as well as any other's.
        let ready = self.occupy(xpline + self.block_lines, now, self.write);
        let last = step.next + 1 == self.block_lines;
        self.current = (!last).then_some(Move { next: step.next + 1, is_read: true, ready, ..step });
        self.start_move(ready);
        Grant::MoveWrite { last }
    }

    fn start_move(&mut self, ready: Picoseconds) {
        if self.current.is_none() {
            self.current = self.moves.pop_front().map(|block| Move { block, next: 0, is_read: true, ready });
        }
    }

    /// Uses the bank of a media line for `duration` from `now` or from when it is free; returns the end.
    ///
    /// Lines of a page lie in successive banks, and the indirection scatters pages.
    fn occupy(&mut self, xpline: XPLine, now: Picoseconds, duration: Picoseconds) -> Picoseconds {
        let bank = xpline.wrapping_add(mix(xpline / XPLINES_PER_PAGE)) % self.banks.len() as u64;
        let free = &mut self.banks[bank as usize];
        *free = (*free).max(now) + duration;
        *free
    }
}
