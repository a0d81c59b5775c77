//! When ranks are due for refresh.

use super::gates::MAX_RANKS;
use super::timing::{Clock, Timing};

/// Due times of all ranks, staggered over one interval. Refreshes are neither postponed nor pulled in.
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    due: [Clock; MAX_RANKS],
    ranks: usize,
    interval: Clock,
    next: Clock,
    /// Bit per bank of ranks that wait for their refresh: no new row or column command goes there.
    pub(super) blocked_banks: u64,
    banks_per_rank: usize,
}

impl Refresh {
    pub(super) fn new(timing: &Timing, ranks: usize, banks_per_rank: usize) -> Self {
        let mut due = [Clock::MAX; MAX_RANKS];
        for (rank, due) in due.iter_mut().take(ranks).enumerate() {
            *due = timing.refi * (rank as u64 + 1) / ranks as u64;
        }
        let mut refresh =
            Self { due, ranks, interval: timing.refi, next: 0, blocked_banks: 0, banks_per_rank };
        refresh.find_next();
        refresh
    }

    /// When the next rank that is not yet waiting falls due.
    #[inline]
    pub(super) const fn next_due(&self) -> Clock {
        self.next
    }

    /// Bit per bank of a rank.
    pub(super) const fn banks_of(&self, rank: usize) -> u64 {
        (u64::MAX >> (64 - self.banks_per_rank)) << (rank * self.banks_per_rank)
    }

    /// Makes the ranks due at [`Refresh::next_due`] wait for their refresh.
    pub(super) fn fall_due(&mut self) {
        for rank in 0..self.ranks {
            if self.due[rank] == self.next {
                self.blocked_banks |= self.banks_of(rank);
            }
        }
        self.find_next();
    }

    /// Notes that a waiting rank was refreshed.
    pub(super) fn done(&mut self, rank: usize) {
        self.blocked_banks &= !self.banks_of(rank);
        self.due[rank] += self.interval;
        self.find_next();
    }

    /// Skips whole intervals that end by `until`, on an idle channel: the number of refreshes skipped.
    pub(super) fn skip(&mut self, until: Clock) -> u64 {
        let intervals = until.saturating_sub(self.next) / self.interval;
        for due in &mut self.due[..self.ranks] {
            *due += intervals * self.interval;
        }
        self.find_next();
        intervals * self.ranks as u64
    }

    fn find_next(&mut self) {
        let waiting = |rank: usize| self.blocked_banks & self.banks_of(rank) != 0;
        let due = (0..self.ranks).filter(|rank| !waiting(*rank)).map(|rank| self.due[rank]);
        self.next = due.min().unwrap_or(Clock::MAX);
    }
}
