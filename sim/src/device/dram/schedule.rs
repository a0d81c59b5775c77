//! Which command comes next: first ready, first come, with open rows protected and writes in batches.
//!
//! The best command of each kind is remembered until something moves that could change it: a column command moves the
//! gates of column commands and the state of one bank, and so on. What is remembered is exact only up to its own
//! clock, so a command that was overtaken is looked for again.

use super::channel::Channel;
use super::config::Page;
use super::gates::{Command, MAX_BANKS};
use super::timing::Clock;
use crate::device::Kind;

/// A command packed so that the better of two at one clock is the smaller number: tier (2 bits), order of arrival
/// (38), kind of command (3), bank (6). In front of it goes the delay from now (15), and one comparison without a
/// branch decides.
type Key = u64;

const BANK_BITS: u32 = 6;
const ACTION_BITS: u32 = 3;
const ORDER_BITS: u32 = 38;
const TIER_BITS: u32 = 2;
const TIER_SHIFT: u32 = BANK_BITS + ACTION_BITS + ORDER_BITS;
const DELAY_SHIFT: u32 = TIER_SHIFT + TIER_BITS;
/// Longest delay that a key holds, in clocks; gates are bounded so that none is longer.
pub(super) const MAX_DELAY: Clock = (1 << (64 - DELAY_SHIFT)) - 1;
/// No command: larger than every key.
const NOTHING: Key = Key::MAX;

/// What a command does, as packed into a key.
#[derive(Clone, Copy)]
enum Action {
    Read,
    Write,
    Activate,
    Precharge,
    PrechargeAll,
    Refresh,
}

/// Who goes first among commands that are possible at one clock.
#[derive(Clone, Copy)]
enum Tier {
    /// A request whose row was opened for it.
    Owed,
    /// Refresh, and the precharge before it.
    Refresh,
    /// Requests of the direction that is served.
    Request,
    /// Closing a row that nobody asked for.
    Idle,
}

/// Packs the order of arrival of a request and its bank as the low part of a key.
#[inline]
pub(super) const fn order_key(order: u64, bank: usize) -> u64 {
    (order & ((1 << ORDER_BITS) - 1)) << (BANK_BITS + ACTION_BITS) | bank as u64
}

/// The part of a key that tier and action decide.
const fn class(tier: Tier, action: Action) -> Key {
    (tier as u64) << TIER_SHIFT | (action as u64) << BANK_BITS
}

const PRECHARGE: Key = class(Tier::Request, Action::Precharge);
const ACTIVATE: Key = class(Tier::Request, Action::Activate);
const OWED: [Key; 2] = [class(Tier::Owed, Action::Read), class(Tier::Owed, Action::Write)];
const COLUMN: [Key; 2] = [class(Tier::Request, Action::Read), class(Tier::Request, Action::Write)];

/// A command and its clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// Clock of issue; [`Clock::MAX`] when there is nothing to do.
    pub(super) at: Clock,
    /// [`NOTHING`] when there is nothing to do.
    key: Key,
}

impl Choice {
    /// Nothing to do.
    pub(super) const NONE: Self = Self { at: Clock::MAX, key: NOTHING };

    /// From a key with the delay from now in front.
    #[inline]
    const fn at(now: Clock, key: Key) -> Self {
        if key == NOTHING {
            return Self::NONE;
        }
        Self { at: now + (key >> DELAY_SHIFT), key: key & ((1 << DELAY_SHIFT) - 1) }
    }

    /// The key with the delay from now in front.
    #[inline]
    const fn from(&self, now: Clock) -> Key {
        self.at.saturating_sub(now) << DELAY_SHIFT | self.key
    }

    /// The command and its bank.
    #[inline]
    pub(super) const fn command(&self) -> (Command, usize) {
        let command = match (self.key >> BANK_BITS) & ((1 << ACTION_BITS) - 1) {
            0 => Command::Column(Kind::Read),
            1 => Command::Column(Kind::Write),
            2 => Command::Activate,
            3 => Command::Precharge,
            4 => Command::PrechargeAll,
            _ => Command::Refresh,
        };
        (command, self.bank())
    }

    #[inline]
    const fn bank(&self) -> usize {
        self.key as usize & (MAX_BANKS - 1)
    }
}

/// The best of one kind of command, while it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memo {
    best: Choice,
    is_known: bool,
}

impl Memo {
    const UNKNOWN: Self = Self { best: Choice::NONE, is_known: false };

    const fn known(best: Choice) -> Self {
        Self { best, is_known: true }
    }

    /// Whether what is remembered still holds: it is known, and nothing overtook it.
    #[inline]
    const fn holds(&self, now: Clock) -> bool {
        self.is_known && self.best.at >= now
    }

    /// Takes another command of the kind if it is better.
    #[inline]
    fn offer(&mut self, now: Clock, earliest: Clock, key: Key) {
        let other = Choice { at: earliest.max(now), key };
        if other.from(now) < self.best.from(now) {
            self.best = other;
        }
    }
}

/// The best command of every kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memos {
    columns: Memo,
    activates: Memo,
    precharges: Memo,
}

impl Memos {
    pub(super) const UNKNOWN: Self =
        Self { columns: Memo::UNKNOWN, activates: Memo::UNKNOWN, precharges: Memo::UNKNOWN };
}

/// The best command so far, as a key with the delay from now in front.
struct Scan {
    now: Clock,
    key: Key,
}

impl Scan {
    const fn new(now: Clock) -> Self {
        Self { now, key: NOTHING }
    }

    /// Takes a command if it is better.
    #[inline]
    fn offer(&mut self, earliest: Clock, class: Key, order_key: u64) {
        self.take(earliest.saturating_sub(self.now) << DELAY_SHIFT | class | order_key);
    }

    #[inline]
    fn take(&mut self, key: Key) {
        self.key = self.key.min(key);
    }

    /// Takes a remembered command if it is better.
    #[inline]
    fn recall(&mut self, memo: &Memo) {
        self.take(memo.best.from(self.now));
    }

    /// Whether a command that cannot come before `bound` may still be better.
    #[inline]
    const fn may_improve(&self, bound: Clock) -> bool {
        bound.saturating_sub(self.now) <= self.key >> DELAY_SHIFT
    }

    #[inline]
    const fn choice(&self) -> Choice {
        Choice::at(self.now, self.key)
    }
}

/// The banks of a set.
struct Banks(u64);

impl Iterator for Banks {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bank = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(bank)
    }
}

impl Channel {
    /// Finds the next command. Cost: a few steps for each bank that has a request for the kinds of command that moved.
    #[inline(always)]
    pub(super) fn choose(&mut self) -> Choice {
        let mut best = Scan::new(self.free_from());
        if self.refresh.blocked_banks != 0 {
            self.offer_refresh(&mut best);
        }
        if !self.memos.precharges.holds(best.now) {
            self.memos.precharges = Memo::known(self.scan_precharges(best.now));
        }
        best.recall(&self.memos.precharges);
        self.offer_columns(&mut best);
        self.offer_activates(&mut best);
        if let Page::Timeout(clocks) = self.controller.page {
            self.offer_idle_rows(clocks, &mut best);
        }
        best.choice()
    }

    /// Chooses the direction anew after a queue has changed. Writes are served when their queue is nearly full, down to
    /// a low mark, and whenever there is nothing to read.
    #[inline]
    pub(super) fn turn(&mut self) {
        let [reads, writes] = self.queued;
        let is_full = if self.is_writing {
            writes >= self.controller.drain_below
        } else {
            writes > self.controller.drain_above
        };
        let is_writing = is_full || reads == 0;
        if is_writing != self.is_writing {
            self.is_writing = is_writing;
            self.memos = Memos::UNKNOWN;
        }
    }

    fn offer_refresh(&self, best: &mut Scan) {
        let mut waiting = self.refresh.blocked_banks;
        while waiting != 0 {
            let bank = waiting.trailing_zeros() as usize;
            let banks = self.refresh.banks_of(self.gates.rank(bank));
            waiting &= !banks;
            if (self.owed[0] | self.owed[1]) & banks != 0 {
                continue;
            }
            let (command, action) = match self.open & banks {
                0 => (Command::Refresh, Action::Refresh),
                _ => (Command::PrechargeAll, Action::PrechargeAll),
            };
            best.offer(self.gates.earliest(command, bank), class(Tier::Refresh, action), bank as u64);
        }
    }

    /// The best column command: for all requests whose row was opened for them, and the hits of this direction. It is
    /// not looked for while no column command can beat what is offered already.
    #[inline]
    fn offer_columns(&mut self, best: &mut Scan) {
        if !self.memos.columns.holds(best.now) {
            let bound = self.gates.column_bound(Kind::Read).min(self.gates.column_bound(Kind::Write));
            if !best.may_improve(bound) {
                self.memos.columns.is_known = false;
                return;
            }
            self.memos.columns = Memo::known(self.scan_columns(best.now));
        }
        best.recall(&self.memos.columns);
    }

    #[inline]
    fn offer_activates(&mut self, best: &mut Scan) {
        if !self.memos.activates.holds(best.now) {
            if !best.may_improve(self.gates.activate_bound()) {
                self.memos.activates.is_known = false;
                return;
            }
            self.memos.activates = Memo::known(self.scan_activates(best.now));
        }
        best.recall(&self.memos.activates);
    }

    fn offer_idle_rows(&self, clocks: Clock, best: &mut Scan) {
        for bank in Banks(self.open & !(self.hits[0].occupied | self.hits[1].occupied | self.kept())) {
            let idle = (self.last_use[bank] + clocks).max(self.gates.earliest_precharge(bank));
            best.offer(idle, class(Tier::Idle, Action::Precharge), bank as u64);
        }
    }

    #[inline]
    fn scan_precharges(&self, now: Clock) -> Choice {
        let kind = usize::from(self.is_writing);
        let (waits, hits) = (&self.waits[kind], &self.hits[kind]);
        let banks = waits.occupied & self.open & !self.kept();
        let mut scan = Scan::new(now);
        for bank in Banks(banks & !hits.occupied) {
            scan.offer(self.gates.earliest_precharge(bank), PRECHARGE, waits.orders[bank]);
        }
        for bank in Banks(banks & hits.occupied) {
            if hits.orders[bank] > waits.orders[bank] {
                scan.offer(self.gates.earliest_precharge(bank), PRECHARGE, waits.orders[bank]);
            }
        }
        scan.choice()
    }

    /// Bit per bank whose row stays open: for the request for which it was opened, or until its rank is refreshed.
    #[inline]
    const fn kept(&self) -> u64 {
        self.owed[0] | self.owed[1] | self.refresh.blocked_banks
    }

    /// A row is not closed under an older request for it, nor under the one for which it was opened.
    #[inline]
    fn may_close(&self, bank: usize) -> bool {
        let kind = usize::from(self.is_writing);
        let is_kept = self.kept() >> bank & 1 == 1;
        let is_hit = self.hits[kind].occupied >> bank & 1 == 1;
        !is_kept && (!is_hit || self.hits[kind].orders[bank] > self.waits[kind].orders[bank])
    }

    #[inline]
    fn scan_columns(&self, now: Clock) -> Choice {
        let mut scan = Scan::new(now);
        for kind in [Kind::Read, Kind::Write] {
            self.scan_hits(self.owed[kind as usize], kind, OWED[kind as usize], &mut scan);
        }
        let kind = if self.is_writing { Kind::Write } else { Kind::Read };
        let others =
            self.hits[kind as usize].occupied & !self.owed[kind as usize] & !self.refresh.blocked_banks;
        self.scan_hits(others, kind, COLUMN[kind as usize], &mut scan);
        scan.choice()
    }

    #[inline]
    fn scan_hits(&self, banks: u64, kind: Kind, class: Key, scan: &mut Scan) {
        let hits = &self.hits[kind as usize];
        for bank in Banks(banks) {
            scan.offer(self.gates.earliest_column(kind, bank), class, hits.orders[bank]);
        }
    }

    #[inline]
    fn scan_activates(&self, now: Clock) -> Choice {
        let waits = &self.waits[usize::from(self.is_writing)];
        let mut scan = Scan::new(now);
        for bank in Banks(waits.occupied & !self.open & !self.refresh.blocked_banks) {
            scan.offer(self.gates.earliest_activate(bank), ACTIVATE, waits.orders[bank]);
        }
        scan.choice()
    }

    /// Notes that a row was opened for a request: the gates of activates moved, and one more column command waits.
    #[inline]
    pub(super) fn note_activate(&mut self, kind: Kind, bank: usize) {
        self.memos.activates = Memo::UNKNOWN;
        let order = self.hits[kind as usize].orders[bank];
        let earliest = self.gates.earliest_column(kind, bank);
        self.memos.columns.offer(self.free_from(), earliest, OWED[kind as usize] | order);
        let both = self.hits[0].occupied & self.hits[1].occupied;
        self.memos.columns.is_known &= both >> bank & 1 == 0;
    }

    /// Notes that a row was closed: its bank may be activated, and no column command goes there.
    #[inline]
    pub(super) fn note_close(&mut self, bank: usize) {
        self.memos.precharges = Memo::UNKNOWN;
        self.memos.columns.is_known &= self.memos.columns.best.bank() != bank;
        self.offer_wait(bank);
    }

    /// Notes that a column command was issued: the gates of column commands moved, and its row may be closed.
    #[inline]
    pub(super) fn note_column(&mut self, bank: usize) {
        self.memos.columns = Memo::UNKNOWN;
        self.memos.precharges.is_known &= self.memos.precharges.best.bank() != bank;
        self.offer_wait(bank);
    }

    /// Notes a request that is the first of its bank and direction in its list.
    #[inline]
    pub(super) fn note_first(&mut self, kind: Kind, bank: usize, is_hit: bool) {
        if (kind == Kind::Write) != self.is_writing || self.refresh.blocked_banks >> bank & 1 == 1 {
            return;
        }
        if is_hit {
            let earliest = self.gates.earliest_column(kind, bank);
            let order = self.hits[kind as usize].orders[bank];
            self.memos.columns.offer(self.free_from(), earliest, COLUMN[kind as usize] | order);
        } else {
            self.offer_wait(bank);
        }
    }

    /// Offers what the first request of a bank needs that does not hit: an activate, or a precharge before it.
    #[inline]
    fn offer_wait(&mut self, bank: usize) {
        let waits = &self.waits[usize::from(self.is_writing)];
        if waits.occupied & !self.refresh.blocked_banks & 1 << bank == 0 {
            return;
        }
        let (order, now) = (waits.orders[bank], self.free_from());
        if self.open >> bank & 1 == 0 {
            self.memos.activates.offer(now, self.gates.earliest_activate(bank), ACTIVATE | order);
        } else if self.may_close(bank) {
            self.memos.precharges.offer(now, self.gates.earliest_precharge(bank), PRECHARGE | order);
        }
    }
}
