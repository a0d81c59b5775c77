//! One sub-channel: its queues, its banks, and the commands that are issued to them.

use super::choice::{Choice, Memos, order_key};
use super::config::{Controller, Page};
use super::filter::Filter;
use super::gates::{Command, Gates, MAX_BANKS};
use super::lists::{BankLists, Pool};
use super::refresh::Refresh;
use super::timing::{Clock, Timing};
use crate::device::Kind;
use crate::device::mapping::{Geometry, Place};

/// Both directions, in the order of [`Kind`]'s numbers.
const KINDS: [Kind; 2] = [Kind::Read, Kind::Write];

/// A request whose data has a place on the data bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// Token of the request.
    pub token: u64,
    /// Direction.
    pub kind: Kind,
    /// When the controller accepted it.
    pub arrived: Clock,
    /// When its last data has moved.
    pub done: Clock,
}

/// What a sub-channel did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Column commands by direction, reads first.
    pub columns: [u64; 2],
    /// Column commands that found their row open, by direction.
    pub hits: [u64; 2],
    /// Reads answered by the write queue.
    pub forwarded: u64,
    /// Rows opened.
    pub activates: u64,
    /// Ranks refreshed.
    pub refreshes: u64,
}

/// A sub-channel with its controller: bounded queues in front of banks, one command bus, one data bus.
///
/// Nothing ticks: [`Channel::step`] jumps from one command to the next. The caller accepts requests in order of time,
/// after stepping up to the clock of acceptance. Among the commands that are possible at a clock the controller
/// prefers, in this order: the column command of a request whose row was opened for it; refresh; the oldest request
/// of the direction that is being served. A row is not closed under an older request that would hit it; a row that no
/// request wants any more while one waits for another row of its bank closes with its column command.
#[derive(Clone, Debug)]
pub struct Channel {
    pub(super) timing: Timing,
    pub(super) gates: Gates,
    pub(super) controller: Controller,
    pool: Pool,
    /// Requests whose row is open, by direction.
    pub(super) hits: [BankLists; 2],
    /// Requests whose row is not open, by direction.
    pub(super) waits: [BankLists; 2],
    /// Requests in each bounded queue: those for whom no row was opened yet.
    pub(super) queued: [u32; 2],
    pub(super) is_writing: bool,
    /// Writes served since the last read while a read waited.
    pub(super) passed: u32,
    /// Bit per bank with an open row.
    pub(super) open: u64,
    rows: [u32; MAX_BANKS],
    /// Bit per bank whose row was opened for a request that is still here, by direction of that request.
    pub(super) owed: [u64; 2],
    pub(super) last_use: [Clock; MAX_BANKS],
    pub(super) refresh: Refresh,
    written: Filter,
    /// Waiting requests by the hash of bank and row, over both directions: tells cheaply that a row has no other.
    waiting_rows: [u8; 256],
    choice: Choice,
    pub(super) memos: Memos,
    /// Whether `choice` is not what the memos and gates say.
    pub(super) is_stale: bool,
    pub(super) now: Clock,
    arrivals: u64,
    latest: Clock,
    tally: Tally,
}

impl Channel {
    /// An idle sub-channel at clock 0, all rows closed. `geometry` has at most 64 banks and 8 ranks a sub-channel.
    pub fn new(timing: Timing, geometry: &Geometry, controller: Controller) -> Self {
        let (ranks, groups, banks) =
            (geometry.ranks as usize, geometry.groups as usize, geometry.banks as usize);
        Self {
            timing,
            gates: Gates::new(timing, ranks, groups, banks),
            controller,
            pool: Pool::new(),
            hits: [BankLists::new(), BankLists::new()],
            waits: [BankLists::new(), BankLists::new()],
            queued: [0; 2],
            is_writing: false,
            passed: 0,
            open: 0,
            rows: [0; MAX_BANKS],
            owed: [0; 2],
            last_use: [0; MAX_BANKS],
            refresh: Refresh::new(&timing, ranks, groups * banks),
            written: Filter::new(),
            waiting_rows: [0; 256],
            choice: Choice::NONE,
            memos: Memos::UNKNOWN,
            is_stale: false,
            now: 0,
            arrivals: 0,
            latest: 0,
            tally: Tally::default(),
        }
    }

    /// Whether the queue of a direction takes another request.
    #[inline]
    pub const fn has_room(&self, kind: Kind) -> bool {
        let depth = match kind {
            Kind::Read => self.controller.read_queue,
            Kind::Write => self.controller.write_queue,
        };
        self.queued[kind as usize] < depth
    }

    /// Whether no request is inside.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.queued[0] + self.queued[1] == 0 && self.owed[0] | self.owed[1] == 0
    }

    /// The first clock for which no command has been decided yet: the earliest possible acceptance.
    #[inline]
    pub fn free_from(&self) -> Clock {
        self.gates.command_free().max(self.now)
    }

    /// The clock of the latest command.
    #[inline]
    pub const fn latest(&self) -> Clock {
        self.latest
    }

    /// What was done so far.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Takes a request for which there is room. A read of a line that waits to be written is answered from the write
    /// queue one clock later; it goes to `served` at once.
    #[inline]
    pub fn accept(
        &mut self,
        token: u64,
        kind: Kind,
        place: Place,
        at: Clock,
        served: &mut impl FnMut(Served),
    ) {
        debug_assert!(self.has_room(kind), "the caller asks for room first");
        let (bank, row, column) = (place.bank as usize & (MAX_BANKS - 1), place.row, place.column);
        self.now = self.now.max(at);
        match kind {
            Kind::Read
                if self.written.may_contain(bank, row, column) && self.is_written(bank, row, column) =>
            {
                self.tally.forwarded += 1;
                served(Served { token, kind, arrived: at, done: at + 1 });
                return;
            }
            Kind::Read => {}
            Kind::Write => self.written.add(bank, row, column),
        }
        let slot = self.pool.take(token, at, order_key(self.arrivals, bank), row, column);
        self.arrivals += 1;
        self.queued[kind as usize] += 1;
        self.turn();
        let is_hit = self.open >> bank & 1 == 1 && self.rows[bank] == row;
        let list = if is_hit { &mut self.hits[kind as usize] } else { &mut self.waits[kind as usize] };
        self.waiting_rows[usize::from(self.pool.get(slot).row_hash())] += u8::from(!is_hit);
        let is_first = list.occupied >> bank & 1 == 0;
        list.push(&mut self.pool, bank, slot);
        if is_first && let Some(first) = self.note_first(kind, bank, is_hit) {
            self.choice.improve(self.free_from(), first);
        }
        // A row that was idle may be wanted now.
        self.is_stale |= matches!(self.controller.page, Page::Timeout(_));
    }

    fn is_written(&self, bank: usize, row: u32, column: u32) -> bool {
        let write = Kind::Write as usize;
        self.hits[write].contains(&self.pool, bank, row, column)
            || self.waits[write].contains(&self.pool, bank, row, column)
    }

    /// Decides what comes next if nothing more is accepted.
    #[inline]
    pub fn settle(&mut self) {
        if self.is_stale {
            self.choice = self.choose();
            self.is_stale = false;
        }
    }

    /// When the next command for a request is due if nothing more is accepted, refresh aside; [`Clock::MAX`] when
    /// empty. Asked after [`Channel::settle`].
    #[inline]
    pub const fn next_command(&self) -> Clock {
        debug_assert!(!self.is_stale, "the caller settles first");
        if self.is_empty() { Clock::MAX } else { self.choice.at }
    }

    /// Issues the next command if its clock lies before `before`; false if none does. An idle channel is refreshed on
    /// the way, except with `before` = [`Clock::MAX`], where it stays where it is.
    #[inline(always)]
    pub fn step(&mut self, before: Clock, served: &mut impl FnMut(Served)) -> bool {
        // Nothing can be issued so early: no need to find out what comes next before another request is accepted.
        if before <= self.free_from() {
            return false;
        }
        loop {
            self.settle();
            let (at, due) = (self.choice.at, self.refresh.next_due());
            if at.min(due) >= before || (at == Clock::MAX && before == Clock::MAX) {
                return false;
            }
            if at < due {
                self.issue(self.choice, served);
                return true;
            }
            self.fall_due(due, before);
        }
    }

    /// Makes ranks wait for their refresh; an idle channel skips the refreshes that nobody would notice.
    fn fall_due(&mut self, due: Clock, before: Clock) {
        if self.is_empty() && self.open == 0 && self.refresh.blocked_banks == 0 {
            self.tally.refreshes += self.refresh.skip(before.saturating_sub(2 * self.timing.refi));
        }
        let due = due.max(self.refresh.next_due());
        self.refresh.fall_due();
        self.memos = Memos::UNKNOWN;
        self.now = self.now.max(due);
        self.is_stale = true;
    }

    #[inline]
    fn issue(&mut self, choice: Choice, served: &mut impl FnMut(Served)) {
        let (at, bank) = (choice.at, choice.bank());
        self.is_stale = true;
        self.latest = at;
        // Branches on the two frequent kinds are foreseen more often than a jump through a table.
        if let Some(kind) = choice.column() {
            self.issue_column(kind, bank, at, served);
        } else if choice.is_activate() {
            self.issue_activate(bank, at);
        } else {
            self.issue_other(choice.other(), bank, at);
        }
    }

    #[inline]
    fn issue_other(&mut self, command: Command, bank: usize, at: Clock) {
        match command {
            Command::Precharge => {
                self.gates.apply(command, bank, at);
                self.close(bank);
                self.note_close(bank);
            }
            Command::PrechargeAll => self.issue_precharge_all(bank, at),
            _ => {
                self.gates.apply(Command::Refresh, bank, at);
                self.refresh.done(self.gates.rank(bank));
                self.memos = Memos::UNKNOWN;
                self.tally.refreshes += 1;
            }
        }
    }

    #[inline]
    fn issue_column(&mut self, kind: Kind, bank: usize, at: Clock, served: &mut impl FnMut(Served)) {
        let bit = 1 << bank;
        let slot = self.hits[kind as usize].pop(&self.pool, bank);
        let entry = *self.pool.get(slot);
        self.pool.give_back(slot);
        self.tally.columns[kind as usize] += 1;
        if self.owed[kind as usize] & bit != 0 {
            self.owed[kind as usize] &= !bit;
        } else {
            self.queued[kind as usize] -= 1;
            self.tally.hits[kind as usize] += 1;
        }
        self.count_passed(kind);
        self.turn();
        self.last_use[bank] = at;
        let is_wanted = (self.hits[0].occupied | self.hits[1].occupied) & bit != 0;
        let is_in_the_way = self.waits[usize::from(self.is_writing)].occupied & bit != 0;
        if !is_wanted && (is_in_the_way || self.controller.page == Page::Closed) {
            self.gates.apply(Command::ColumnClosing(kind), bank, at);
            self.open &= !bit;
        } else {
            self.gates.apply(Command::Column(kind), bank, at);
        }
        self.note_column(bank);
        let latency = match kind {
            Kind::Read => self.timing.cl,
            Kind::Write => {
                self.written.remove(bank, entry.row, entry.column());
                self.timing.cwl
            }
        };
        served(Served {
            token: entry.token,
            kind,
            arrived: entry.arrived,
            done: at + latency + self.timing.burst,
        });
    }

    #[inline]
    fn issue_activate(&mut self, bank: usize, at: Clock) {
        let kind = if self.is_writing { Kind::Write } else { Kind::Read };
        self.gates.apply(Command::Activate, bank, at);
        let slot = self.waits[kind as usize].pop(&self.pool, bank);
        let entry = self.pool.get(slot);
        let (row, hash) = (entry.row, usize::from(entry.row_hash()));
        self.hits[kind as usize].push(&mut self.pool, bank, slot);
        self.waiting_rows[hash] -= 1;
        if self.waiting_rows[hash] != 0 {
            for (waits, hits) in self.waits.iter_mut().zip(&mut self.hits) {
                if waits.occupied >> bank & 1 == 1 {
                    self.waiting_rows[hash] -= waits.split_row(hits, &mut self.pool, bank, row);
                }
            }
        }
        self.open |= 1 << bank;
        self.rows[bank] = row;
        self.owed[kind as usize] |= 1 << bank;
        self.queued[kind as usize] -= 1;
        self.turn();
        self.last_use[bank] = at;
        self.tally.activates += 1;
        self.note_activate(kind, bank);
    }

    fn issue_precharge_all(&mut self, bank: usize, at: Clock) {
        self.gates.apply(Command::PrechargeAll, bank, at);
        let mut banks = self.refresh.banks_of(self.gates.rank(bank)) & self.open;
        while banks != 0 {
            self.close(banks.trailing_zeros() as usize);
            banks &= banks - 1;
        }
        self.memos = Memos::UNKNOWN;
    }

    /// Marks a row closed; requests that would have hit it wait again.
    #[inline]
    fn close(&mut self, bank: usize) {
        self.open &= !(1 << bank);
        for kind in KINDS {
            let kind = kind as usize;
            if self.hits[kind].occupied >> bank & 1 == 1 {
                let rows = &mut self.waiting_rows;
                self.waits[kind].merge(&mut self.hits[kind], &mut self.pool, bank, |entry| {
                    rows[usize::from(entry.row_hash())] += 1;
                });
            }
        }
    }
}
