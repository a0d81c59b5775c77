//! Which command comes next: first ready, first come, with open rows protected and writes in batches.

use super::channel::Channel;
use super::config::Page;
use super::gates::Command;
use super::timing::Clock;
use crate::device::Kind;

/// The command that a controller issues next if nothing more arrives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// Clock of issue; [`Clock::MAX`] when there is nothing to do.
    pub(super) at: Clock,
    pub(super) command: Command,
    pub(super) bank: usize,
    /// Direction of the request that it serves.
    pub(super) kind: Kind,
    /// Smaller is better: clocks from now (22 bits), tier (2 bits), order of arrival (40 bits).
    key: u64,
}

const DELAY_BITS: u32 = 22;
const ORDER_BITS: u32 = 40;

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

impl Choice {
    pub(super) const NONE: Self =
        Self { at: Clock::MAX, command: Command::Refresh, bank: 0, kind: Kind::Read, key: u64::MAX };

    /// Takes a command instead if it is better.
    #[inline]
    fn offer(&mut self, now: Clock, earliest: Clock, tier: Tier, order: u64, what: (Command, usize, Kind)) {
        let delay = earliest.saturating_sub(now).min((1 << DELAY_BITS) - 1);
        let key = delay << (64 - DELAY_BITS) | (tier as u64) << ORDER_BITS | order & ((1 << ORDER_BITS) - 1);
        if key < self.key {
            *self = Self { at: now + delay, command: what.0, bank: what.1, kind: what.2, key };
        }
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
    /// Finds the next command. Cost: a few steps for each bank with requests.
    #[inline]
    pub(super) fn choose(&self, is_writing: bool) -> Choice {
        let now = self.free_from();
        let kind = if is_writing { Kind::Write } else { Kind::Read };
        let mut best = Choice::NONE;
        self.offer_owed(now, &mut best);
        if self.refresh.blocked_banks != 0 {
            self.offer_refresh(now, &mut best);
        }
        self.offer_hits(now, kind, &mut best);
        self.offer_rows(now, kind, &mut best);
        if let Page::Timeout(clocks) = self.controller.page {
            self.offer_idle_rows(now, clocks, &mut best);
        }
        best
    }

    /// Writes are served when their queue is nearly full, down to a low mark, and whenever there is nothing to read.
    #[inline]
    pub(super) const fn next_direction(&self) -> bool {
        let [reads, writes] = self.queued;
        if self.is_writing {
            writes >= self.controller.drain_below || reads == 0
        } else {
            writes > self.controller.drain_above || reads == 0
        }
    }

    #[inline]
    fn offer_owed(&self, now: Clock, best: &mut Choice) {
        for bank in Banks(self.owed) {
            let kind = self.owed_kind[bank];
            let order = self.hits[kind as usize].orders[bank];
            let earliest = self.gates.earliest_column(kind, bank);
            best.offer(now, earliest, Tier::Owed, order, (Command::Column(kind), bank, kind));
        }
    }

    fn offer_refresh(&self, now: Clock, best: &mut Choice) {
        let mut waiting = self.refresh.blocked_banks;
        while waiting != 0 {
            let bank = waiting.trailing_zeros() as usize;
            let banks = self.refresh.banks_of(self.gates.rank(bank));
            waiting &= !banks;
            if self.owed & banks != 0 {
                continue;
            }
            let command = if self.open & banks == 0 { Command::Refresh } else { Command::PrechargeAll };
            let earliest = self.gates.earliest(command, bank);
            best.offer(now, earliest, Tier::Refresh, 0, (command, bank, Kind::Read));
        }
    }

    #[inline]
    fn offer_hits(&self, now: Clock, kind: Kind, best: &mut Choice) {
        let hits = &self.hits[kind as usize];
        for bank in Banks(hits.occupied & !self.refresh.blocked_banks) {
            let earliest = self.gates.earliest_column(kind, bank);
            best.offer(now, earliest, Tier::Request, hits.orders[bank], (Command::Column(kind), bank, kind));
        }
    }

    #[inline]
    fn offer_rows(&self, now: Clock, kind: Kind, best: &mut Choice) {
        let waits = &self.waits[kind as usize];
        let banks = waits.occupied & !self.refresh.blocked_banks;
        for bank in Banks(banks & !self.open) {
            let earliest = self.gates.earliest_activate(bank);
            best.offer(now, earliest, Tier::Request, waits.orders[bank], (Command::Activate, bank, kind));
        }
        let hits = &self.hits[kind as usize];
        for bank in Banks(banks & self.open & !self.owed) {
            if hits.occupied >> bank & 1 == 1 && hits.orders[bank] < waits.orders[bank] {
                continue;
            }
            let earliest = self.gates.earliest(Command::Precharge, bank);
            best.offer(now, earliest, Tier::Request, waits.orders[bank], (Command::Precharge, bank, kind));
        }
    }

    fn offer_idle_rows(&self, now: Clock, clocks: Clock, best: &mut Choice) {
        let wanted = self.hits[0].occupied | self.hits[1].occupied | self.owed | self.refresh.blocked_banks;
        for bank in Banks(self.open & !wanted) {
            let idle = (self.last_use[bank] + clocks).max(self.gates.earliest(Command::Precharge, bank));
            best.offer(now, idle, Tier::Idle, 0, (Command::Precharge, bank, Kind::Read));
        }
    }
}
