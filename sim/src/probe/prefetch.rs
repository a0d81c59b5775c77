//! The stream prefetcher of a core, as a probe needs it: one stream at a time, never past a 4 KiB page.

use std::collections::HashMap;

use crate::system::PrefetchLimits;

/// Lines of the page that a stream may not leave.
const PAGE_LINES: u64 = 4096 / hetier_traces::LINE_BYTES;

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

/// Follows the last stream of loads.
#[derive(Clone, Debug)]
pub(super) struct Prefetch {
    distance: u64,
    buffers: usize,
    in_flight: usize,
    last: Option<u64>,
    next: u64,
    end: u64,
    lines: HashMap<u64, Line>,
}

#[derive(Clone, Copy, Debug)]
enum Line {
    Coming { waiting: u64 },
    Here,
}

impl Prefetch {
    pub(super) fn new(limits: &PrefetchLimits) -> Self {
        Self {
            distance: limits.distance,
            buffers: limits.buffers,
            in_flight: 0,
            last: None,
            next: 0,
            end: 0,
            lines: HashMap::new(),
        }
    }

    /// Notes a load, and moves the stream on if it is the line after the last.
    pub(super) fn demand(&mut self, line: u64) -> Demand {
        let page_end = (line / PAGE_LINES + 1) * PAGE_LINES;
        let is_stream = self.last.is_some_and(|last| last + 1 == line) && !line.is_multiple_of(PAGE_LINES);
        self.last = Some(line);
        if is_stream {
            self.next = self.next.max(line + 1);
            self.end = (line + 1 + self.distance).min(page_end);
        } else {
            (self.next, self.end) = (line + 1, line + 1);
            self.lines.retain(|_, state| matches!(state, Line::Coming { .. }));
        }
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
        while self.next < self.end && self.lines.contains_key(&self.next) {
            self.next += 1;
        }
        if self.next >= self.end || self.in_flight == self.buffers {
            return None;
        }
        let line = self.next;
        self.next += 1;
        self.in_flight += 1;
        self.lines.insert(line, Line::Coming { waiting: 0 });
        Some(line)
    }

    /// Notes that a line has come; returns how many loads waited for it.
    pub(super) fn arrived(&mut self, line: u64) -> u64 {
        self.in_flight -= 1;
        match self.lines.get(&line) {
            Some(Line::Coming { waiting: 0 }) => {
                self.lines.insert(line, Line::Here);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefetch() -> Prefetch {
        Prefetch::new(&PrefetchLimits { enabled: true, streams: 32, distance: 20, buffers: 16 })
    }

    #[test]
    fn the_second_line_of_a_stream_starts_it_and_the_page_ends_it() {
        let mut prefetch = prefetch();
        assert_eq!(prefetch.demand(60), Demand::Absent);
        assert_eq!(prefetch.next(), None);

        assert_eq!(prefetch.demand(61), Demand::Absent);
        assert_eq!((prefetch.next(), prefetch.next(), prefetch.next()), (Some(62), Some(63), None));
        assert_eq!(prefetch.demand(62), Demand::Coming);
        assert_eq!(prefetch.arrived(62), 1);
        assert_eq!(prefetch.arrived(63), 0);
        assert_eq!(prefetch.demand(63), Demand::Here);
        assert_eq!(prefetch.demand(64), Demand::Absent);
        assert_eq!(prefetch.next(), None);
    }

    #[test]
    fn no_more_lines_are_in_flight_than_buffers() {
        let mut prefetch = prefetch();
        prefetch.demand(0);
        prefetch.demand(1);
        let count = std::iter::from_fn(|| prefetch.next()).count();
        assert_eq!(count, 16);
    }
}
