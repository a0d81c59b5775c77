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

use std::collections::VecDeque;

pub use channel::{Channel, Served, Tally};
pub use config::{
    Controller, ControllerLiteral, DramConfig, DramLiteral, Energy, OrganisationLiteral, Page, TimingLiteral,
};
pub use gates::{Command, Gates, MAX_BANKS, MAX_RANKS, TooEarly};
pub use timing::{Clock, Timing};

use super::mapping::{Mapping, Place};
use super::{Completion, Counters, Device, Kind, Request};
use crate::Picoseconds;

const LINE_BYTES: u64 = 64;

/// A DRAM channel of one or more sub-channels, as a device of the replay.
///
/// Requests that find their queue full wait in a backlog of their own direction, so that a full write queue does not
/// hold up reads.
#[derive(Debug)]
pub struct Dram {
    mapping: Mapping,
    clock_ps: u64,
    halves: Vec<Half>,
}

/// A sub-channel and the requests that wait to enter it, in order of time.
#[derive(Debug)]
struct Half {
    channel: Channel,
    backlogs: [VecDeque<Waiting>; 2],
    writes_accepted: u64,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    token: u64,
    at: Clock,
    place: Place,
}

impl Dram {
    /// An idle device, all rows closed.
    pub fn new(config: &DramConfig) -> Self {
        let half = || Half {
            channel: Channel::new(config.timing, &config.geometry, config.controller),
            backlogs: [VecDeque::new(), VecDeque::new()],
            writes_accepted: 0,
        };
        Self {
            mapping: config.mapping.clone(),
            clock_ps: config.timing.clock_ps,
            halves: (0..config.geometry.sub_channels).map(|_| half()).collect(),
        }
    }
}

impl Half {
    /// Keeps a backlog sorted by time; pushes in order cost nothing.
    fn push(&mut self, kind: Kind, waiting: Waiting) {
        let backlog = &mut self.backlogs[kind as usize];
        let behind = backlog.iter().rev().take_while(|other| other.at > waiting.at).count();
        backlog.insert(backlog.len() - behind, waiting);
    }

    /// The next request that can enter, and when.
    fn next_entry(&self) -> Option<(Clock, Kind)> {
        let entry = |kind: Kind| {
            let first = self.backlogs[kind as usize].front().filter(|_| self.channel.has_room(kind))?;
            Some((first.at.max(self.channel.free_from()), kind))
        };
        let (read, write) = (entry(Kind::Read), entry(Kind::Write));
        match (read, write) {
            (Some(read), Some(write)) => Some(if write.0 < read.0 { write } else { read }),
            (read, write) => read.or(write),
        }
    }

    /// Runs up to, not including, a clock.
    fn run(&mut self, before: Clock, clock_ps: u64, done: &mut Vec<Completion>) {
        loop {
            let entry = self.next_entry().filter(|(at, _)| *at < before);
            let pause = entry.map_or(before, |(at, _)| at);
            let mut served = |served: Served| {
                if served.kind == Kind::Read {
                    done.push(Completion { token: served.token, at: Picoseconds(served.done * clock_ps) });
                }
            };
            if self.channel.step(pause, &mut served) {
                continue;
            }
            let Some((at, kind)) = entry else { return self.channel.settle() };
            let Some(first) = self.backlogs[kind as usize].pop_front() else { return };
            self.channel.accept(first.token, kind, first.place, at, &mut served);
            if kind == Kind::Write {
                self.writes_accepted += 1;
                done.push(Completion { token: first.token, at: Picoseconds(at * clock_ps) });
            }
        }
    }

    fn next_event(&self) -> Option<Clock> {
        let entry = self.next_entry().map(|(at, _)| at);
        let command = self.channel.next_command();
        [entry, command].into_iter().flatten().min()
    }
}

impl Device for Dram {
    fn push(&mut self, request: Request) {
        let place = self.mapping.place(request.line);
        let waiting = Waiting { token: request.token, at: request.at.0.div_ceil(self.clock_ps), place };
        self.halves[place.sub_channel as usize].push(request.kind, waiting);
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
