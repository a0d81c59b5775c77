//! The stream prefetcher of a core: watches accesses that miss the first level, page by page.

use crate::system::PrefetchLimits;

/// Lines of a 4 KiB page, past which no stream runs.
const PAGE_LINES: u64 = 64;

#[derive(Clone, Copy, Debug)]
struct Stream {
    page: u64,
    last: u64,
    /// First line that was not fetched yet.
    ahead: u64,
    /// Accesses in ascending order so far.
    run: u32,
    used: u64,
}

/// Streams being watched. Only ascending streams are followed: HE sweeps never descend.
#[derive(Clone, Debug)]
pub struct Prefetcher {
    streams: Vec<Stream>,
    limit: usize,
    distance: u64,
    clock: u64,
}

/// Ascending accesses that start a stream.
const TRAINING: u32 = 2;

/// Most lines fetched because of one access, so that a stream gets ahead gradually. Source: Intel 248966, data
/// prefetch to L2 and last-level cache: the streamer may issue two prefetch requests on every L2 lookup.
const LINES_A_LOOKUP: u64 = 2;

impl Prefetcher {
    /// Watches nothing yet.
    pub fn new(limits: &PrefetchLimits) -> Self {
        Self {
            streams: Vec::with_capacity(limits.streams),
            limit: limits.streams,
            distance: limits.distance,
            clock: 0,
        }
    }

    /// Notes an access and gives the lines that should be fetched now: all in the same page, none twice.
    pub fn observe(&mut self, line: u64) -> std::ops::Range<u64> {
        self.clock += 1;
        let page = line / PAGE_LINES;
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.page == page) else {
            self.watch(line, page);
            return line..line;
        };
        stream.used = self.clock;
        if line <= stream.last {
            return line..line;
        }
        stream.run = if line - stream.last <= 2 { stream.run + 1 } else { 0 };
        stream.last = line;
        if stream.run < TRAINING {
            return line..line;
        }
        let end = (line + 1 + self.distance).min((page + 1) * PAGE_LINES);
        let start = stream.ahead.max(line + 1).min(end);
        let end = end.min(start + LINES_A_LOOKUP);
        stream.ahead = end;
        start..end
    }

    fn watch(&mut self, line: u64, page: u64) {
        let stream = Stream { page, last: line, ahead: line + 1, run: 0, used: self.clock };
        if self.streams.len() < self.limit {
            self.streams.push(stream);
            return;
        }
        if let Some(oldest) = self.streams.iter_mut().min_by_key(|stream| stream.used) {
            *oldest = stream;
        }
    }

    /// Takes back a fetch that found no free buffer: the stream asks again later.
    pub fn give_back(&mut self, line: u64) {
        let page = line / PAGE_LINES;
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.page == page) {
            stream.ahead = stream.ahead.min(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefetcher() -> Prefetcher {
        Prefetcher::new(&PrefetchLimits { enabled: true, streams: 2, distance: 4, buffers: 8 })
    }

    #[test]
    fn third_ascending_access_starts_a_stream_that_gets_ahead_by_one_an_access() {
        let mut prefetcher = prefetcher();

        assert!(prefetcher.observe(0).is_empty());
        assert!(prefetcher.observe(1).is_empty());
        assert_eq!(prefetcher.observe(2), 3..5);
        assert_eq!(prefetcher.observe(3), 5..7);
        assert_eq!(prefetcher.observe(4), 7..9);
        assert_eq!(prefetcher.observe(5), 9..10, "four lines ahead at most");
    }

    #[test]
    fn stream_stops_at_the_page() {
        let mut prefetcher = prefetcher();
        for line in 58..61 {
            prefetcher.observe(line);
        }

        assert_eq!(prefetcher.observe(61), 63..64);
        assert_eq!(prefetcher.observe(62), 64..64);
        assert!(prefetcher.observe(64).is_empty());
    }

    #[test]
    fn random_accesses_start_no_stream() {
        let mut prefetcher = prefetcher();

        assert!([5, 40, 9, 55, 20].into_iter().all(|line| prefetcher.observe(line).is_empty()));
    }

    #[test]
    fn third_page_replaces_the_least_recently_used() {
        let mut prefetcher = prefetcher();
        for line in [0, 64, 1, 128] {
            prefetcher.observe(line);
        }

        // Page 1 was forgotten, page 0 was not.
        assert_eq!(prefetcher.observe(2), 3..5);
        assert!(prefetcher.observe(65).is_empty() && prefetcher.observe(66).is_empty());
    }
}
