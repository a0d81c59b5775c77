//! DRAM: a table of JEDEC timings, banks that obey it, and a controller that schedules them.
//!
//! Reading order: [`Timing`] (the table and its formulas), [`Gates`] (when a command may be issued), `lists` (the
//! queues), `choice` and `schedule` (which command comes next), [`Channel`] (issuing it), [`Dram`] (the device of a replay).
//!
//! Known limits: refreshes are neither postponed nor pulled in; no power-down states; no error correction traffic;
//! reads that hit in the write queue are answered one clock after arrival.

mod channel;
mod choice;
mod config;
mod filter;
mod gates;
mod lists;
mod refresh;
mod schedule;
mod timing;

pub use channel::{Channel, Served, Tally};
pub use config::{
    Controller, ControllerLiteral, DramConfig, DramLiteral, Energy, OrganisationLiteral, Page, TimingLiteral,
};
pub use gates::{Command, Gates, MAX_BANKS, MAX_RANKS, TooEarly};
pub use timing::{Clock, Timing};

use hetier_traces::LINE_BYTES;

use super::arrivals::Arrivals;
use super::mapping::Place;
use super::place_table::PlaceTable;
use super::{Completion, Counters, Device, Kind, Request};
use crate::Picoseconds;

/// A DRAM channel of one or more sub-channels, as a device of the replay.
///
/// Requests that find their queue full wait in a backlog of their own direction, so that a full write queue does not
/// hold up reads.
#[derive(Debug)]
pub struct Dram {
    places: PlaceTable,
    clock_ps: u64,
    halves: Vec<Half>,
}

/// A sub-channel and the requests that wait to enter it, by direction.
#[derive(Debug)]
struct Half {
    channel: Channel,
    backlogs: [Arrivals<Waiting>; 2],
    writes_accepted: u64,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    token: u64,
    place: Place,
}

impl Dram {
    /// An idle device, all rows closed.
    pub fn new(config: &DramConfig) -> Self {
        let half = || Half {
            channel: Channel::new(config.timing, &config.geometry, config.controller),
            backlogs: [Arrivals::new(), Arrivals::new()],
            writes_accepted: 0,
        };
        Self {
            places: PlaceTable::new(&config.mapping),
            clock_ps: config.timing.clock_ps,
            halves: (0..config.geometry.sub_channels).map(|_| half()).collect(),
        }
    }
}

impl Half {
    /// When the next request can enter, and its direction; [`Clock::MAX`] if none can.
    #[inline]
    fn next_entry(&self) -> (Clock, Kind) {
        let free = self.channel.free_from();
        let entry = |kind: Kind| {
            let first = self.backlogs[kind as usize].first();
            if self.channel.has_room(kind) { first.max(free) } else { Clock::MAX }
        };
        let (read, write) = (entry(Kind::Read), entry(Kind::Write));
        if write < read { (write, Kind::Write) } else { (read, Kind::Read) }
    }

    /// Runs up to, not including, a clock.
    fn run(&mut self, before: Clock, clock_ps: u64, done: &mut Vec<Completion>) {
        loop {
            let (at, kind) = self.next_entry();
            let mut served = |served: Served| {
                if served.kind == Kind::Read {
                    done.push(Completion { token: served.token, at: Picoseconds(served.done * clock_ps) });
                }
            };
            if self.channel.step(at.min(before), &mut served) {
                continue;
            }
            if at >= before {
                return self.channel.settle();
            }
            let Some(first) = self.backlogs[kind as usize].pop() else { return };
            self.channel.accept(first.token, kind, first.place, at, &mut served);
            if kind == Kind::Write {
                self.writes_accepted += 1;
                done.push(Completion { token: first.token, at: Picoseconds(at * clock_ps) });
            }
        }
    }

    fn next_event(&self) -> Option<Clock> {
        let (entry, _) = self.next_entry();
        let next = entry.min(self.channel.next_command());
        (next < Clock::MAX).then_some(next)
    }
}

impl Device for Dram {
    fn push(&mut self, request: Request) {
        let place = self.places.place(request.line);
        let (at, waiting) = (request.at.0.div_ceil(self.clock_ps), Waiting { token: request.token, place });
        self.halves[place.sub_channel as usize].backlogs[request.kind as usize].push(at, waiting);
    }

    fn next_event(&self) -> Option<Picoseconds> {
        let next = self.halves.iter().filter_map(Half::next_event).min();
        next.map(|clock| Picoseconds(clock * self.clock_ps))
    }

    fn advance(&mut self, until: Picoseconds, done: &mut Vec<Completion>) {
        let before = if until == Picoseconds::NEVER { Clock::MAX } else { until.0 / self.clock_ps + 1 };
        for half in &mut self.halves {
            half.run(before, self.clock_ps, done);
        }
    }

    fn counters(&self) -> Counters {
        let mut counters = Counters::default();
        for half in &self.halves {
            let tally = half.channel.tally();
            counters.read_bytes += (tally.columns[0] + tally.forwarded) * LINE_BYTES;
            counters.write_bytes += half.writes_accepted * LINE_BYTES;
            counters.media_read_bytes += tally.columns[0] * LINE_BYTES;
            counters.media_write_bytes += tally.columns[1] * LINE_BYTES;
            counters.buffer_hits_read += tally.hits[0] + tally.forwarded;
            counters.buffer_hits_write += tally.hits[1];
            counters.activates += tally.activates;
            counters.maintenance += tally.refreshes;
        }
        counters
    }
}
