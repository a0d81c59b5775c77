//! Which command comes next: first ready, first come, with open rows protected and writes in batches.
//!
//! The best command of each kind is remembered until something moves that could change it: a column command moves the
//! gates of column commands and the state of one bank, and so on. What is remembered is exact only up to its own
//! clock, so a command that was overtaken is looked for again.

use super::channel::Channel;
use super::choice::{
    ACTIVATE, Action, Banks, COLUMN, Choice, Key, Memo, Memos, OWED, PRECHARGE, Scan, Tier, class,
};
use super::config::Page;
use super::gates::Command;
use super::timing::Clock;
use crate::device::Kind;

impl Channel {
    /// Finds the next command. Cost: a few steps for each bank that has a request for the kinds of command that moved.
    #[inline(always)]
    pub(super) fn choose(&mut self) -> Choice {
        let mut best = Scan::new(self.free_from());
        if self.refresh.blocked_banks != 0 {
            self.offer_refresh(&mut best);
        }
        // Each kind is looked for as soon as it is not known: to find out first whether it could matter costs more.
        if !self.memos.precharges.holds(best.now) {
            self.memos.precharges = Memo::known(self.scan_precharges(best.now));
        }
        if !self.memos.columns.holds(best.now) {
            self.memos.columns = Memo::known(self.scan_columns(best.now));
        }
        if !self.memos.activates.holds(best.now) {
            self.memos.activates = Memo::known(self.scan_activates(best.now));
        }
        best.recall(&self.memos.precharges);
        best.recall(&self.memos.columns);
        best.recall(&self.memos.activates);
        if let Page::Timeout(clocks) = self.controller.page {
            self.offer_idle_rows(clocks, &mut best);
        }
        best.choice()
    }

    /// Chooses the direction anew after a queue has changed. Writes are served when their queue is nearly full, down to
    /// a low mark, and whenever there is nothing to read. What arrives during a drain does not prolong it: when a whole
    /// drain has passed a read that waits, a read has its turn.
    #[inline]
    pub(super) fn turn(&mut self) {
        let [reads, writes] = self.queued;
        let is_full = if self.is_writing {
            writes >= self.controller.drain_below
        } else {
            writes > self.controller.drain_above
        };
        let is_read_due = self.passed >= self.controller.drained() && self.is_read_waiting();
        let is_writing = (is_full || reads == 0) && !is_read_due;
        if is_writing != self.is_writing {
            self.is_writing = is_writing;
            self.memos = Memos::UNKNOWN;
            self.is_stale = true;
        }
    }

    /// Counts the writes that pass waiting reads, from one read to the next.
    #[inline]
    pub(super) fn count_passed(&mut self, kind: Kind) {
        let passes = kind == Kind::Write && self.is_read_waiting();
        self.passed = if passes { self.passed + 1 } else { 0 };
    }

    /// Whether a read is inside, its row opened or not.
    #[inline]
    const fn is_read_waiting(&self) -> bool {
        self.queued[0] != 0 || self.owed[0] != 0
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

    /// The best column command: for all requests whose row was opened for them, and the hits of this direction.
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
        // Two of the three sets are empty most of the time.
        if banks == 0 {
            return;
        }
        let orders = &self.hits[kind as usize].orders;
        self.by_rank(banks, |rank, banks| {
            let gate = |bank| self.gates.bank_column(kind, bank);
            scan.offer_all(banks, class, orders, self.gates.rank_column(kind, rank), gate);
        });
    }

    #[inline]
    fn scan_activates(&self, now: Clock) -> Choice {
        let waits = &self.waits[usize::from(self.is_writing)];
        let mut scan = Scan::new(now);
        self.by_rank(waits.occupied & !self.open & !self.refresh.blocked_banks, |rank, banks| {
            let gate = |bank| self.gates.bank_activate(bank);
            scan.offer_all(banks, ACTIVATE, &waits.orders, self.gates.rank_activate(rank), gate);
        });
        scan.choice()
    }

    /// Splits a set of banks by rank.
    #[inline]
    fn by_rank(&self, mut banks: u64, mut take: impl FnMut(usize, u64)) {
        if self.gates.has_one_rank() {
            return take(0, banks);
        }
        while banks != 0 {
            let rank = self.gates.rank(banks.trailing_zeros() as usize);
            let of_rank = banks & self.refresh.banks_of(rank);
            banks &= !of_rank;
            take(rank, of_rank);
        }
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

    /// Notes a request that is the first of its bank and direction in its list; gives the command that it needs, if it
    /// can be served now.
    #[inline]
    pub(super) fn note_first(&mut self, kind: Kind, bank: usize, is_hit: bool) -> Option<Choice> {
        if (kind == Kind::Write) != self.is_writing || self.refresh.blocked_banks >> bank & 1 == 1 {
            return None;
        }
        if !is_hit {
            return self.offer_wait(bank);
        }
        let earliest = self.gates.earliest_column(kind, bank);
        let order = self.hits[kind as usize].orders[bank];
        Some(self.memos.columns.offer(self.free_from(), earliest, COLUMN[kind as usize] | order))
    }

    /// Offers what the first request of a bank needs that does not hit: an activate, or a precharge before it.
    #[inline]
    fn offer_wait(&mut self, bank: usize) -> Option<Choice> {
        let waits = &self.waits[usize::from(self.is_writing)];
        if waits.occupied & !self.refresh.blocked_banks & 1 << bank == 0 {
            return None;
        }
        let (order, now) = (waits.orders[bank], self.free_from());
        if self.open >> bank & 1 == 0 {
            let earliest = self.gates.earliest_activate(bank);
            return Some(self.memos.activates.offer(now, earliest, ACTIVATE | order));
        }
        let earliest = self.gates.earliest_precharge(bank);
        self.may_close(bank).then(|| self.memos.precharges.offer(now, earliest, PRECHARGE | order))
    }
}
