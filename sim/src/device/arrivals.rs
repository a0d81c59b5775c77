//! Requests on their way to a queue, in order of time.

use std::collections::VecDeque;

/// What waits, by its instant in a unit of the owner's; [`u64::MAX`] is never.
#[derive(Clone, Debug)]
pub(super) struct Arrivals<T> {
    waiting: VecDeque<(u64, T)>,
    /// Instant of the first. Asked for far more often than it changes.
    first: u64,
}

impl<T> Arrivals<T> {
    pub(super) const fn new() -> Self {
        Self { waiting: VecDeque::new(), first: u64::MAX }
    }

    /// Instant of the first; [`u64::MAX`] when nothing waits.
    #[inline]
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// Puts something behind all of its instant and before; pushes in order cost nothing.
    #[inline]
    pub(super) fn push(&mut self, at: u64, what: T) {
        self.first = self.first.min(at);
        if self.waiting.back().is_none_or(|(last, _)| *last <= at) {
            return self.waiting.push_back((at, what));
        }
        let behind = self.waiting.iter().rev().take_while(|(other, _)| *other > at).count();
        self.waiting.insert(self.waiting.len() - behind, (at, what));
    }

    /// Takes the first.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        let first = self.waiting.pop_front();
        self.first = self.waiting.front().map_or(u64::MAX, |(next, _)| *next);
        first.map(|(_, what)| what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_leaves_in_order_of_time_and_that_of_one_instant_as_it_came() {
        let mut arrivals = Arrivals::new();
        for (number, at) in [5, 9, 5, 1, 9].into_iter().enumerate() {
            arrivals.push(at, number);
        }

        let order: Vec<_> = std::iter::from_fn(|| Some((arrivals.first(), arrivals.pop()?))).collect();

        assert_eq!(order, [(1, 3), (5, 0), (5, 2), (9, 1), (9, 4)]);
        assert_eq!(arrivals.first(), u64::MAX);
    }
}
