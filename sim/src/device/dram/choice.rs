//! Commands packed into numbers, so that the better of two is the smaller one.

use super::gates::{Command, MAX_BANKS};
use super::timing::Clock;
use crate::device::Kind;

/// A command packed so that the better of two at one clock is the smaller number: tier (2 bits), order of arrival
/// (38), kind of command (3), bank (6). In front of it goes the delay from now (15), and one comparison without a
/// branch decides.
pub(super) type Key = u64;

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
pub(super) enum Action {
    Read,
    Write,
    Activate,
    Precharge,
    PrechargeAll,
    Refresh,
}

/// Who goes first among commands that are possible at one clock.
#[derive(Clone, Copy)]
pub(super) enum Tier {
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
pub(super) const fn class(tier: Tier, action: Action) -> Key {
    (tier as u64) << TIER_SHIFT | (action as u64) << BANK_BITS
}

pub(super) const PRECHARGE: Key = class(Tier::Request, Action::Precharge);
pub(super) const ACTIVATE: Key = class(Tier::Request, Action::Activate);
pub(super) const OWED: [Key; 2] = [class(Tier::Owed, Action::Read), class(Tier::Owed, Action::Write)];
pub(super) const COLUMN: [Key; 2] = [class(Tier::Request, Action::Read), class(Tier::Request, Action::Write)];

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

    /// Takes another command if it is better.
    #[inline]
    pub(super) fn improve(&mut self, now: Clock, other: Self) {
        if other.from(now) < self.from(now) {
            *self = other;
        }
    }

    #[inline]
    const fn action(&self) -> u64 {
        (self.key >> BANK_BITS) & ((1 << ACTION_BITS) - 1)
    }

    /// Direction of a column command; `None` for other commands.
    #[inline]
    pub(super) const fn column(&self) -> Option<Kind> {
        match self.action() {
            action if action > Action::Write as u64 => None,
            action if action == Action::Write as u64 => Some(Kind::Write),
            _ => Some(Kind::Read),
        }
    }

    #[inline]
    pub(super) const fn is_activate(&self) -> bool {
        self.action() == Action::Activate as u64
    }

    /// A command that is neither a column command nor an activate.
    #[inline]
    pub(super) const fn other(&self) -> Command {
        match self.action() {
            action if action == Action::Precharge as u64 => Command::Precharge,
            action if action == Action::PrechargeAll as u64 => Command::PrechargeAll,
            _ => Command::Refresh,
        }
    }

    #[inline]
    pub(super) const fn bank(&self) -> usize {
        self.key as usize & (MAX_BANKS - 1)
    }
}

/// The best of one kind of command, while it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memo {
    pub(super) best: Choice,
    pub(super) is_known: bool,
}

impl Memo {
    pub(super) const UNKNOWN: Self = Self { best: Choice::NONE, is_known: false };

    #[inline]
    pub(super) const fn known(best: Choice) -> Self {
        Self { best, is_known: true }
    }

    /// Whether what is remembered still holds: it is known, and nothing overtook it.
    #[inline]
    pub(super) const fn holds(&self, now: Clock) -> bool {
        self.is_known && self.best.at >= now
    }

    /// Takes another command of the kind if it is better; gives it.
    #[inline]
    pub(super) fn offer(&mut self, now: Clock, earliest: Clock, key: Key) -> Choice {
        let other = Choice { at: earliest.max(now), key };
        self.best.improve(now, other);
        other
    }
}

/// The best command of every kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memos {
    pub(super) columns: Memo,
    pub(super) activates: Memo,
    pub(super) precharges: Memo,
}

impl Memos {
    pub(super) const UNKNOWN: Self =
        Self { columns: Memo::UNKNOWN, activates: Memo::UNKNOWN, precharges: Memo::UNKNOWN };
}

/// The best command so far, as a key with the delay from now in front.
pub(super) struct Scan {
    pub(super) now: Clock,
    key: Key,
}

impl Scan {
    #[inline]
    pub(super) const fn new(now: Clock) -> Self {
        Self { now, key: NOTHING }
    }

    /// Takes a command if it is better.
    #[inline]
    pub(super) fn offer(&mut self, earliest: Clock, class: Key, order_key: u64) {
        self.key = self.key.min(earliest.saturating_sub(self.now) << DELAY_SHIFT | class | order_key);
    }

    /// Takes the best of the commands to a set of banks, each with a gate of its own and all with that of their rank.
    #[inline]
    pub(super) fn offer_all(
        &mut self,
        banks: u64,
        class: Key,
        orders: &[u64; MAX_BANKS],
        rank_gate: Clock,
        gate: impl Fn(usize) -> Clock,
    ) {
        let shared = rank_gate.max(self.now);
        let base = (shared - self.now) << DELAY_SHIFT | class;
        for bank in Banks(banks) {
            let more = gate(bank).saturating_sub(shared) << DELAY_SHIFT;
            self.key = self.key.min((base + more) | orders[bank]);
        }
    }

    /// Takes a remembered command if it is better.
    #[inline]
    pub(super) fn recall(&mut self, memo: &Memo) {
        self.key = self.key.min(memo.best.from(self.now));
    }

    #[inline]
    pub(super) const fn choice(&self) -> Choice {
        Choice::at(self.now, self.key)
    }
}

/// The banks of a set.
pub(super) struct Banks(pub(super) u64);

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
