//! What the prefetcher of a probe's core has fetched, in place of a second-level cache. Which lines to fetch is decided
//! by the stream prefetcher of the cores of a replay.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use crate::System;
use crate::core::Prefetcher;

/// What the prefetcher knows of a line that a load asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// Nothing.
    Absent,
    /// It is on its way.
    Coming,
    /// It is in the second-level cache.
    Here,
}

/// The prefetcher of a core, and the lines that it fetched and no load has asked for.
#[derive(Clone, Debug)]
pub(super) struct Prefetch {
    streams: Prefetcher,
    buffers: usize,
    in_flight: usize,
    wanted: Range<u64>,
    lines: HashMap<u64, Line>,
    /// Lines that came, oldest first; some were asked for since.
    come: VecDeque<u64>,
    /// Lines of the second-level cache.
    capacity: usize,
}

#[derive(Clone, Copy, Debug)]
enum Line {
    Coming { waiting: u64 },
    Here,
}

impl Prefetch {
    pub(super) fn new(system: &System) -> Self {
        Self {
            streams: Prefetcher::new(&system.prefetch),
            buffers: system.prefetch.buffers,
            in_flight: 0,
            wanted: 0..0,
            lines: HashMap::new(),
            come: VecDeque::new(),
            capacity: system.l2.sets * system.l2.ways,
        }
    }

    /// Notes a load; [`Prefetch::next`] gives what should be fetched because of it.
    pub(super) fn demand(&mut self, line: u64) -> Demand {
        self.wanted = self.streams.observe(line);
        match self.lines.get_mut(&line) {
            None => Demand::Absent,
            Some(Line::Coming { waiting }) => {
                *waiting += 1;
                Demand::Coming
            }
            Some(Line::Here) => {
                self.lines.remove(&line);
                Demand::Here
            }
        }
    }

    /// The next line to fetch, if there is a buffer for it.
    pub(super) fn next(&mut self) -> Option<u64> {
        let lines = &self.lines;
        let line = self.wanted.find(|line| !lines.contains_key(line))?;
        if self.in_flight == self.buffers {
            self.streams.give_back(line);
            self.wanted = 0..0;
            return None;
        }
        self.in_flight += 1;
        self.lines.insert(line, Line::Coming { waiting: 0 });
        Some(line)
    }

    /// Notes that a line has come; returns how many loads waited for it.
    pub(super) fn arrived(&mut self, line: u64) -> u64 {
        self.in_flight -= 1;
        match self.lines.get(&line) {
            Some(Line::Coming { waiting: 0 }) => {
                self.keep(line);
                0
            }
            Some(Line::Coming { waiting }) => {
                let waiting = *waiting;
                self.lines.remove(&line);
                waiting
            }
            _ => 0,
        }
    }

    /// Keeps a line until a load asks for it, or until the cache is full of later ones.
    fn keep(&mut self, line: u64) {
        self.lines.insert(line, Line::Here);
        self.come.push_back(line);
        if self.come.len() > self.capacity
            && let Some(oldest) = self.come.pop_front()
            && matches!(self.lines.get(&oldest), Some(Line::Here))
        {
            self.lines.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefetch() -> Prefetch {
        Prefetch::new(&System::load("xeon-8260-optane").expect("a shipped system"))
    }

    #[test]
    fn loads_wait_for_lines_on_their_way_and_find_those_that_came() {
        let mut prefetch = prefetch();
        for line in [59, 60, 61] {
            assert_eq!(prefetch.demand(line), Demand::Absent);
        }

        assert_eq!((prefetch.next(), prefetch.next(), prefetch.next()), (Some(62), Some(63), None));
        assert_eq!(prefetch.demand(62), Demand::Coming);
        assert_eq!(prefetch.arrived(62), 1);
        assert_eq!(prefetch.arrived(63), 0);
        assert_eq!(prefetch.demand(63), Demand::Here);
        assert_eq!(prefetch.demand(64), Demand::Absent);
        assert_eq!(prefetch.next(), None);
    }

    #[test]
    fn no_more_lines_are_in_flight_than_buffers_and_those_left_out_come_later() {
        let mut prefetch = prefetch();
        let fetch = |prefetch: &mut Prefetch, line| {
            prefetch.demand(line);
            std::iter::from_fn(|| prefetch.next()).collect::<Vec<u64>>()
        };
        for line in 0..10 {
            fetch(&mut prefetch, line);
        }
        assert_eq!(fetch(&mut prefetch, 10), Vec::<u64>::new(), "3 to 18 in 16 buffers");

        prefetch.arrived(3);
        assert_eq!(fetch(&mut prefetch, 11), [19]);
    }
}
