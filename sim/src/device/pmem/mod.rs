//! Persistent memory on the memory bus: an Optane DIMM, its write queue in the controller included.
//!
//! ```text
//!            write                                read
//!   write pending queue (8 × 64 B, power-safe)      │
//!            │ bus                                  │ bus
//!   load/store queue (64 × 64 B, combines) ──hit──► │ ◄──hit── read buffer (64 × 256 B)
//!            │ whole or part of a 256 B line        │ miss
//!            │                                      │ address translation (4096 × 4 KB)
//!            └────────────► media ◄─────────────────┘
//!              banks · energy budget · wear levelling
//! ```
//!
//! - A write is complete once the pending queue holds it. A line that is still on its way to the media is not
//!   overwritten in a queue: the new write waits until the media has the old one. That is why one 256 B block takes
//!   267 ns for each overwrite, and why regions under 4 KB are no faster than the media.
//! - The load/store queue gives up a group drawn at random when fewer entries are free, or leaving, than two media lines
//!   have. So one writer of whole 256 B lines loses nothing, and many writers, whose lines come interleaved, write ever
//!   more parts of lines. How many lines the controller holds back is nothing to it: four writers of 256 B blocks get 2.0
//!   GB/s with 1 to 64 entries pending. If a group stayed for lines that are still pending, eight writers would lose
//!   next to nothing, where FAST'20 has 69 % of one's bandwidth.
//!   Whole lines also leave every 2.3 µs when nothing else is being written.
//! - A part of a line is written by reading the rest, which the energy of a write includes (cells are read before they
//!   are written); it is saved if the read buffer has the line, as after the load of a read-for-ownership. Writes
//!   update the read buffer but do not bring lines into it.
//! - Media operations wait for energy: 2,048 bits at 270 or 785 pJ/bit are 36.9 and 107.2 ns of 15 W. Banks only add
//!   latency. Fetches, writes and wear-levelling moves take turns.
//! - A block of 64 KB moves when 3.5 MB were written to it; writes to it wait for some 51 µs, all else goes on.
//!
//! Known to be wrong: a read hardly notices a writer that saturates the media, because its turn comes next: on M1 4 ns
//! with six DIMMs, 51 ns with one; stalls of wear levelling do not become rarer in larger regions; reads do not wait for the flush of a line just persisted (Xiang et al., `EuroSys`'22, find that
//! they do on this generation); the translation buffer holds addresses only, so small regions are read no faster than
//! the media allow; and a sequential idle read takes 140 ns where M1 has 169 (see `sim/src/calibrate.rs`).
//!
//! Sources: Yang et al., FAST'20; Wang et al. (VANS and LENS), MICRO'20; Xiang et al., `EuroSys`'22; Wang et al. (`NVLeak`),
//! USENIX Security'23; numbers with their sources in `devices/optane-pmem-100.toml`.

mod combine;
mod energy;
mod hash;
mod literal;
mod media;
mod recency;
mod wear;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

pub use literal::{PmemConfig, PmemLiteral};

use hetier_traces::LINE_BYTES;

use self::combine::{Combining, Group, Put};
use self::hash::NumberMap;
use self::media::{Flush, Grant, Media};
use self::recency::Recency;
use self::wear::Wear;
use super::arrivals::Arrivals;
use super::{Completion, Counters, Device, Kind, Request};
use crate::Picoseconds;

/// Number of a 256-byte media line: byte address ÷ 256.
type XPLine = u64;

/// Bytes of a media line.
pub const XPLINE_BYTES: u64 = 256;

const LINES_PER_XPLINE: u64 = XPLINE_BYTES / LINE_BYTES;
/// Media lines of an entry of the translation buffer, which covers 4 KiB.
const XPLINES_PER_PAGE: u64 = 4096 / XPLINE_BYTES;

/// An Optane DIMM. See the module for what it models.
#[derive(Debug)]
pub struct Pmem {
    config: PmemConfig,
    now: Picoseconds,
    sequence: u64,
    arrivals: Arrivals<Request>,
    bus_free: Picoseconds,
    // Reads.
    buffer: Recency,
    pages: Recency,
    fetching: NumberMap<Vec<u64>>,
    /// Empty lists for `fetching`.
    spare: Vec<Vec<u64>>,
    // Writes.
    backlog: VecDeque<Request>,
    held: Vec<Request>,
    pending: VecDeque<u64>,
    combining: Combining,
    sweep_at: Option<Picoseconds>,
    finishing: BinaryHeap<Reverse<(Picoseconds, u64, XPLine, u8)>>,
    media: Media,
    wear: Wear,
    counters: Counters,
}

impl Pmem {
    /// An idle DIMM.
    pub fn new(config: &PmemConfig) -> Self {
        Self {
            now: Picoseconds::ZERO,
            sequence: 0,
            arrivals: Arrivals::new(),
            bus_free: Picoseconds::ZERO,
            buffer: Recency::new(config.buffer_lines),
            pages: Recency::new(config.translation_pages),
            fetching: NumberMap::default(),
            spare: Vec::new(),
            backlog: VecDeque::new(),
            held: Vec::new(),
            pending: VecDeque::new(),
            combining: Combining::new(config.combining_entries),
            sweep_at: None,
            finishing: BinaryHeap::new(),
            media: Media::new(config),
            wear: Wear::new(config.wear_block_lines, config.wear_move_after, config.wear_count),
            counters: Counters::default(),
            config: config.clone(),
        }
    }

    /// Does what is due at `now`: 1. arrivals, 2. writes that the media has, 3. the bus, 4. the sweep, 5. the media.
    fn step(&mut self, now: Picoseconds, done: &mut Vec<Completion>) {
        self.now = now;
        if self.arrivals.first() <= now.0
            && let Some(request) = self.arrivals.pop()
        {
            match request.kind {
                Kind::Read => self.read(request, done),
                Kind::Write => self.write(request, done),
            }
            return;
        }
        while self.finishing.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Reverse((_, _, xpline, mask)) = self.finishing.pop().expect("a finished write was seen");
            self.combining.left(Group { xpline, mask });
            self.admit(done);
        }
        if self.next_transfer() <= now {
            self.transfer(done);
        }
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep(now);
        }
        if let Some(grant) = self.media.grant(now) {
            self.granted(grant, done);
        }
    }

    /// Lets whole media lines leave if the media has nothing else to write; looks again a period later.
    fn sweep(&mut self, now: Picoseconds) {
        if !self.media.has_flush() {
            for group in self.combining.close_whole() {
                self.flush(group);
            }
        }
        self.sweep_at = self.combining.has_whole().then(|| now + self.config.sweep);
    }

    fn read(&mut self, request: Request, done: &mut Vec<Completion>) {
        self.counters.read_bytes += LINE_BYTES;
        // The data's turn on the bus: it delays what the buffer has; what comes from the media is late anyway.
        let hit = self.use_bus() + self.config.buffer_hit;
        let xpline = request.line / LINES_PER_XPLINE;
        if self.combining.holds(request.line) || self.pending.contains(&request.line) {
            self.counters.buffer_hits_read += 1;
            done.push(Completion { token: request.token, at: hit });
        } else if let Some(ready) = self.buffer.touch(xpline) {
            self.counters.buffer_hits_read += 1;
            done.push(Completion { token: request.token, at: ready.max(hit) });
        } else if let Some(waiting) = self.fetching.get_mut(&xpline) {
            self.counters.buffer_hits_read += 1;
            waiting.push(request.token);
        } else {
            let mut waiting = self.spare.pop().unwrap_or_default();
            waiting.push(request.token);
            self.fetching.insert(xpline, waiting);
            let translated = self.translate(xpline / XPLINES_PER_PAGE, self.now);
            self.media.fetch(xpline, translated);
        }
    }

    /// When the address of a page is known that is asked for at `start`.
    fn translate(&mut self, page: u64, start: Picoseconds) -> Picoseconds {
        let hit = start + self.config.translation_hit;
        if let Some(ready) = self.pages.touch(page) {
            return ready.max(hit);
        }
        let ready = start + self.config.translation_miss;
        self.pages.insert(page, ready);
        ready
    }

    fn write(&mut self, request: Request, done: &mut Vec<Completion>) {
        if self.combining.holds_open(request.line) {
            self.close_unless_queued(request.line);
        }
        self.backlog.push_back(request);
        self.admit(done);
    }

    /// Lets writes into the pending queue while it has room: first those held back whose older write has gone, then
    /// new ones in order. A new one whose line is still under way is held back; others pass it.
    fn admit(&mut self, done: &mut Vec<Completion>) {
        let mut place = 0;
        while place < self.held.len() && self.pending.len() < self.config.write_queue {
            if self.is_under_way(place) {
                place += 1;
            } else {
                let request = self.held.remove(place);
                self.accept(request, done);
            }
        }
        while self.pending.len() < self.config.write_queue {
            let Some(request) = self.backlog.pop_front() else { break };
            self.held.push(request);
            if !self.is_under_way(self.held.len() - 1) {
                self.held.pop();
                self.accept(request, done);
            }
        }
        while self.combining.is_short() {
            let Some(group) = self.combining.close_any() else { break };
            self.flush(group);
        }
    }

    fn accept(&mut self, request: Request, done: &mut Vec<Completion>) {
        self.pending.push_back(request.line);
        self.counters.write_bytes += LINE_BYTES;
        done.push(Completion { token: request.token, at: self.now });
    }

    /// Whether an older write of a held line is in a queue; sees to it that it leaves once its media line is as
    /// complete as older writes make it.
    fn is_under_way(&mut self, place: usize) -> bool {
        let line = self.held[place].line;
        let xpline = line / LINES_PER_XPLINE;
        let older = &self.held[..place];
        if older.iter().any(|other| other.line == line) || self.pending.contains(&line) {
            return true;
        }
        if !self.combining.holds_open(line) {
            return self.combining.holds(line);
        }
        let is_complete = !self.pending.iter().any(|other| other / LINES_PER_XPLINE == xpline)
            && !older.iter().any(|other| other.line / LINES_PER_XPLINE == xpline);
        if is_complete {
            self.close(line);
        }
        true
    }

    /// Closes the group of a line, unless writes that still belong to it are on their way.
    fn close_unless_queued(&mut self, line: u64) {
        let xpline = line / LINES_PER_XPLINE;
        let mut waiting = self.held.iter().chain(&self.backlog).map(|request| request.line);
        let is_queued = waiting.any(|other| other / LINES_PER_XPLINE == xpline)
            || self.pending.iter().any(|other| other / LINES_PER_XPLINE == xpline);
        if !is_queued {
            self.close(line);
        }
    }

    fn close(&mut self, line: u64) {
        if let Some(group) = self.combining.close(line) {
            self.flush(group);
        }
    }

    fn flush(&mut self, group: Group) {
        let is_buffered = self.buffer.has(group.xpline);
        let saves_read = is_buffered && !group.is_whole();
        let saved = if saves_read { self.config.read_fj } else { 0 };
        let must_read = !is_buffered && !group.is_whole();
        self.media.flush(Flush { group, cost_fj: self.config.write_fj - saved, must_read });
    }

    /// When the oldest pending line may cross the bus.
    fn next_transfer(&self) -> Picoseconds {
        let may_cross = !self.pending.is_empty() && self.combining.has_room();
        if may_cross { self.bus_free.max(self.now) } else { Picoseconds::NEVER }
    }

    /// The earliest instant at which [`Pmem::step`] has something to do; [`Picoseconds::NEVER`] if none comes.
    fn next_step(&self) -> Picoseconds {
        let finished = self.finishing.peek().map_or(Picoseconds::NEVER, |Reverse((at, ..))| *at);
        let swept = self.sweep_at.unwrap_or(Picoseconds::NEVER);
        let host = Picoseconds(self.arrivals.first()).min(self.next_transfer());
        host.min(finished).min(swept).min(self.media.next_grant(self.now))
    }

    fn transfer(&mut self, done: &mut Vec<Completion>) {
        let Some(&line) = self.pending.front() else { return };
        self.use_bus();
        self.pending.pop_front();
        if self.combining.put(line) == Put::Joined {
            self.counters.buffer_hits_write += 1;
        }
        if self.sweep_at.is_none() && self.combining.has_whole() {
            self.sweep_at = Some(self.now + self.config.sweep);
        }
        self.admit(done);
    }

    /// Takes the bus for one line; returns when it begins.
    fn use_bus(&mut self) -> Picoseconds {
        let start = self.bus_free.max(self.now);
        self.bus_free = start + self.config.bus_line;
        start
    }

    fn granted(&mut self, grant: Grant, done: &mut Vec<Completion>) {
        match grant {
            Grant::Fetch { xpline, done: read } => self.fetched(xpline, read, done),
            Grant::Flush { flush, done: written } => self.flushed(flush, written),
            Grant::MoveRead => self.counters.media_read_bytes += XPLINE_BYTES,
            Grant::MoveWrite { last } => {
                self.counters.media_write_bytes += XPLINE_BYTES;
                self.counters.maintenance += u64::from(last);
            }
        }
    }

    fn fetched(&mut self, xpline: XPLine, read: Picoseconds, done: &mut Vec<Completion>) {
        self.counters.media_read_bytes += XPLINE_BYTES;
        // Every line had its time on the bus when it was asked for.
        let at = read + self.config.buffer_hit;
        self.buffer.insert(xpline, at);
        let mut waiting = self.fetching.remove(&xpline).unwrap_or_default();
        done.extend(waiting.drain(..).map(|token| Completion { token, at }));
        self.spare.push(waiting);
    }

    fn flushed(&mut self, flush: Flush, written: Picoseconds) {
        self.counters.media_write_bytes += XPLINE_BYTES;
        if flush.must_read {
            self.counters.media_read_bytes += XPLINE_BYTES;
        }
        self.sequence += 1;
        self.finishing.push(Reverse((written, self.sequence, flush.group.xpline, flush.group.mask)));
        if let Some(block) = self.wear.count(flush.group.xpline) {
            self.media.move_block(block, written);
        }
    }
}

impl Device for Pmem {
    fn push(&mut self, request: Request) {
        self.arrivals.push(request.at.max(self.now).0, request);
    }

    fn next_event(&self) -> Option<Picoseconds> {
        let next = self.next_step();
        (next < Picoseconds::NEVER).then_some(next)
    }

    fn advance(&mut self, until: Picoseconds, done: &mut Vec<Completion>) {
        let mut at = self.next_step();
        while at <= until && at < Picoseconds::NEVER {
            self.step(at, done);
            at = self.next_step();
        }
        // Arrivals pushed later still lie after `until`; events before it are done.
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}

#[cfg(test)]
mod tests;
