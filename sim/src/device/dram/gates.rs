//! When each command may next be issued: the constraints of every bank, group, rank and of the channel.
//!
//! The controller owns the clock; this state is told the time, so it is tested with short command sequences.

use super::timing::{Clock, Timing};
use crate::device::Kind;

/// Most banks of one sub-channel: their sets are words of 64 bits.
pub const MAX_BANKS: usize = 64;
/// Most ranks of one sub-channel.
pub const MAX_RANKS: usize = 8;

/// A DRAM command to a bank (to a rank for [`Command::Refresh`], which takes any bank of it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Opens a row.
    Activate,
    /// Closes the open row.
    Precharge,
    /// Closes every row of the rank.
    PrechargeAll,
    /// Moves 64 bytes of the open row.
    Column(Kind),
    /// The same, and closes the row as soon as the bank allows it.
    ColumnClosing(Kind),
    /// Refreshes every bank of a rank.
    Refresh,
}

/// A command came before its constraints allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{command:?} at clock {at}: need clock {earliest} or later")]
pub struct TooEarly {
    /// The command refused.
    pub command: Command,
    /// When it was tried.
    pub at: Clock,
    /// When it may be issued.
    pub earliest: Clock,
}

/// Next-allowed clocks of one sub-channel.
#[derive(Clone, Debug)]
pub struct Gates {
    timing: Timing,
    ranks: usize,
    banks_per_rank: usize,
    rank_shift: u32,
    group_shift: u32,
    command: Clock,
    /// Constraints of the bank and of its group in one, because the scheduler looks at many banks at once.
    bank_activate: [Clock; MAX_BANKS],
    /// For both directions.
    bank_column: [Clock; MAX_BANKS],
    bank_precharge: [Clock; MAX_BANKS],
    /// By direction, then group over all ranks.
    group_column: [[Clock; MAX_BANKS]; 2],
    rank_activate: [Clock; MAX_RANKS],
    rank_refresh: [Clock; MAX_RANKS],
    /// By direction, then rank.
    rank_column: [[Clock; MAX_RANKS]; 2],
    /// The last four activates of each rank, oldest first.
    activates: [[Clock; 4]; MAX_RANKS],
}

impl Gates {
    /// All banks closed and free at clock 0. `groups` and `banks` are powers of two, `ranks × groups × banks` ≤ 64.
    pub fn new(timing: Timing, ranks: usize, groups: usize, banks: usize) -> Self {
        Self {
            timing,
            ranks,
            banks_per_rank: groups * banks,
            rank_shift: (groups * banks).trailing_zeros(),
            group_shift: banks.trailing_zeros(),
            command: 0,
            bank_activate: [0; MAX_BANKS],
            bank_column: [0; MAX_BANKS],
            bank_precharge: [0; MAX_BANKS],
            group_column: [[0; MAX_BANKS]; 2],
            rank_activate: [0; MAX_RANKS],
            rank_refresh: [0; MAX_RANKS],
            rank_column: [[0; MAX_RANKS]; 2],
            activates: [[0; 4]; MAX_RANKS],
        }
    }

    /// The first clock at which the command bus is free.
    #[inline]
    pub const fn command_free(&self) -> Clock {
        self.command
    }

    /// Whether there is nothing to tell apart.
    #[inline]
    pub(super) const fn has_one_rank(&self) -> bool {
        self.ranks == 1
    }

    /// The rank of a bank.
    #[inline]
    pub const fn rank(&self, bank: usize) -> usize {
        if self.ranks == 1 { 0 } else { (bank >> self.rank_shift) & (MAX_RANKS - 1) }
    }

    /// The first clock at which a command meets every constraint except that of the command bus.
    #[inline]
    pub fn earliest(&self, command: Command, bank: usize) -> Clock {
        match command {
            Command::Activate => self.earliest_activate(bank),
            Command::Precharge => self.earliest_precharge(bank),
            Command::PrechargeAll => self.earliest_precharge_all(bank),
            Command::Column(kind) | Command::ColumnClosing(kind) => self.earliest_column(kind, bank),
            Command::Refresh => self.earliest_refresh(bank),
        }
    }

    /// Without the constraints of the rank.
    #[inline]
    pub(super) const fn bank_activate(&self, bank: usize) -> Clock {
        self.bank_activate[bank & (MAX_BANKS - 1)]
    }

    /// Without the constraints of the rank.
    #[inline]
    pub(super) fn bank_column(&self, kind: Kind, bank: usize) -> Clock {
        self.bank_column[bank & (MAX_BANKS - 1)].max(self.group_column[kind as usize][self.group(bank)])
    }

    /// Constraints of the rank alone.
    #[inline]
    pub(super) const fn rank_activate(&self, rank: usize) -> Clock {
        self.rank_activate[rank & (MAX_RANKS - 1)]
    }

    /// Constraints of the rank alone.
    #[inline]
    pub(super) const fn rank_column(&self, kind: Kind, rank: usize) -> Clock {
        self.rank_column[kind as usize][rank & (MAX_RANKS - 1)]
    }

    #[inline]
    pub(super) fn earliest_activate(&self, bank: usize) -> Clock {
        self.bank_activate(bank).max(self.rank_activate(self.rank(bank)))
    }

    #[inline]
    pub(super) fn earliest_column(&self, kind: Kind, bank: usize) -> Clock {
        self.bank_column(kind, bank).max(self.rank_column(kind, self.rank(bank)))
    }

    #[inline]
    pub(super) const fn earliest_precharge(&self, bank: usize) -> Clock {
        self.bank_precharge[bank & (MAX_BANKS - 1)]
    }

    fn earliest_precharge_all(&self, bank: usize) -> Clock {
        self.bank_precharge[self.banks_of(self.rank(bank))].iter().copied().max().unwrap_or(0)
    }

    /// Every bank of the rank must have been closed for tRP, and the refresh before must be over.
    fn earliest_refresh(&self, bank: usize) -> Clock {
        let rank = self.rank(bank);
        let banks = &self.bank_activate[self.banks_of(rank)];
        banks.iter().copied().max().unwrap_or(0).max(self.rank_refresh[rank])
    }

    /// The group of a bank, counted over all ranks.
    #[inline]
    const fn group(&self, bank: usize) -> usize {
        (bank >> self.group_shift) & (MAX_BANKS - 1)
    }

    fn banks_of(&self, rank: usize) -> std::ops::Range<usize> {
        rank * self.banks_per_rank..(rank + 1) * self.banks_per_rank
    }

    /// Issues a command at a clock, and moves every gate that it moves.
    ///
    /// # Errors
    /// - [`TooEarly`] if a constraint or the command bus forbids it; nothing is changed then.
    pub fn issue(&mut self, command: Command, bank: usize, at: Clock) -> Result<(), TooEarly> {
        let earliest = self.earliest(command, bank).max(self.command);
        if at < earliest {
            return Err(TooEarly { command, at, earliest });
        }
        self.apply(command, bank, at);
        Ok(())
    }

    /// Moves the gates for a command that is known to be allowed.
    #[inline]
    pub(super) fn apply(&mut self, command: Command, bank: usize, at: Clock) {
        match command {
            Command::Activate => self.activate(bank, at),
            Command::Precharge => self.precharge(bank, at),
            Command::PrechargeAll => self.banks_of(self.rank(bank)).for_each(|bank| self.precharge(bank, at)),
            Command::Column(kind) => self.column(kind, bank, at),
            Command::ColumnClosing(kind) => {
                self.column(kind, bank, at);
                self.precharge(bank, self.bank_precharge[bank & (MAX_BANKS - 1)]);
            }
            Command::Refresh => self.refresh(bank, at),
        }
        let clocks = match command {
            Command::Activate | Command::Column(_) | Command::ColumnClosing(_) => self.timing.command,
            Command::Precharge | Command::PrechargeAll | Command::Refresh => 1,
        };
        self.command = at + clocks;
    }

    #[inline]
    fn activate(&mut self, bank: usize, at: Clock) {
        let (rank, group) = (self.rank(bank), self.group(bank));
        // A copy of the table would cost more than all that follows.
        let timing = &self.timing;
        let first = group << self.group_shift;
        for gate in &mut self.bank_activate[first..first + (1 << self.group_shift)] {
            raise(gate, at + timing.rrd_l);
        }
        let bank = bank & (MAX_BANKS - 1);
        self.bank_column[bank] = at + timing.rcd;
        self.bank_precharge[bank] = at + timing.ras;
        self.bank_activate[bank] = at + timing.rc();
        let window = &mut self.activates[rank];
        *window = [window[1], window[2], window[3], at + timing.faw];
        raise(&mut self.rank_activate[rank], (at + timing.rrd_s).max(window[0]));
    }

    #[inline]
    fn precharge(&mut self, bank: usize, at: Clock) {
        raise(&mut self.bank_activate[bank & (MAX_BANKS - 1)], at + self.timing.rp);
    }

    #[inline]
    fn column(&mut self, kind: Kind, bank: usize, at: Clock) {
        let (rank, group) = (self.rank(bank), self.group(bank));
        let timing = &self.timing;
        let precharge = &mut self.bank_precharge[bank & (MAX_BANKS - 1)];
        let [group_read, group_write] = &mut self.group_column;
        let [rank_read, rank_write] = &mut self.rank_column;
        match kind {
            Kind::Read => {
                raise(precharge, at + timing.rtp);
                raise(&mut group_read[group], at + timing.ccd_l);
                raise(&mut rank_read[rank], at + timing.ccd_s);
                raise(&mut rank_write[rank], at + timing.read_to_write());
            }
            Kind::Write => {
                let data_end = at + timing.cwl + timing.burst;
                raise(precharge, data_end + timing.wr);
                raise(&mut group_write[group], at + timing.ccd_l_write);
                raise(&mut group_read[group], data_end + timing.wtr_l);
                raise(&mut rank_write[rank], at + timing.ccd_s);
                raise(&mut rank_read[rank], data_end + timing.wtr_s);
            }
        }
        if self.ranks > 1 {
            self.switch_ranks(kind, rank, at);
        }
    }

    /// Bursts of other ranks follow with a gap on the shared data bus.
    fn switch_ranks(&mut self, kind: Kind, rank: usize, at: Clock) {
        let timing = &self.timing;
        let (read, write) = (Kind::Read as usize, Kind::Write as usize);
        let same = at + timing.burst + timing.rank_switch;
        let (next_read, next_write) = match kind {
            Kind::Read => (same, at + timing.read_to_write()),
            Kind::Write => {
                ((at + timing.cwl + timing.burst + timing.rank_switch).saturating_sub(timing.cl), same)
            }
        };
        for other in (0..self.ranks).filter(|other| *other != rank) {
            raise(&mut self.rank_column[read][other], next_read);
            raise(&mut self.rank_column[write][other], next_write);
        }
    }

    fn refresh(&mut self, bank: usize, at: Clock) {
        let rank = self.rank(bank);
        raise(&mut self.rank_activate[rank], at + self.timing.rfc);
        raise(&mut self.rank_refresh[rank], at + self.timing.rfc);
    }
}

#[inline]
fn raise(gate: &mut Clock, to: Clock) {
    *gate = (*gate).max(to);
}
