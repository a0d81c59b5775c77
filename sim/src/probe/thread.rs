//! One simulated core as a micro-benchmark drives it: buffers that limit what is in flight.
//!
//! Steps are issued in order. A load holds a line fill buffer until its data is there; a non-temporal store a
//! write-combining buffer until the controller's queue has the line; a regular store an ownership buffer until the
//! line is there and older stores have committed. Its write-back goes in program order through the flush buffers
//! (clwb), or later, from a random place of the cache, through the eviction buffers.
//!
//! Caches are not looked up: the lines of a micro-benchmark miss by construction (a real one flushes them).

use std::collections::VecDeque;

use super::options::Operation;
use super::prefetch::{Demand, Prefetch};
use super::program::{Program, Step};
use super::walk::Draw;
use crate::system::Limits;
use crate::{Picoseconds, System};

/// A store fence: 6 cycles at 2.2 GHz. Source: Fog, instruction tables, SFENCE on Skylake-X.
pub(super) const FENCE: Picoseconds = Picoseconds(2_700);

/// Most dirty lines of a thread that wait in the caches for eviction: as large as matters for losing their order.
const MOST_DIRTY: usize = 1 << 15;

/// Where a line in flight came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A load.
    Load,
    /// A line fetched ahead of loads.
    Prefetch,
    /// A non-temporal store.
    Combining,
    /// A read for ownership; with the number of the store in program order.
    Ownership(u64),
    /// A write-back by clwb.
    Flush,
    /// A write-back by eviction.
    Eviction,
}

/// A request that a thread sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Thread-relative line.
    pub line: u64,
    /// What for.
    pub purpose: Purpose,
    /// When it leaves the core.
    pub at: Picoseconds,
    /// When the program issued it, or what it is the consequence of.
    pub since: Picoseconds,
}

impl Purpose {
    /// Whether the line is read from memory.
    pub(super) const fn is_read(self) -> bool {
        matches!(self, Self::Load | Self::Prefetch | Self::Ownership(_))
    }

    /// Whether its completion counts as work done by the program: one line of user data.
    pub(super) const fn is_work(self) -> bool {
        matches!(self, Self::Load | Self::Combining | Self::Flush | Self::Eviction)
    }
}

/// A core at work.
#[derive(Debug)]
pub(super) struct Thread {
    program: Program,
    clock: Picoseconds,
    limits: Limits,
    pending: Option<Step>,
    loads: usize,
    combining: usize,
    ownership: usize,
    flushes: usize,
    evictions: usize,
    stores: VecDeque<Store>,
    /// Stores whose line the prefetcher is fetching: the line, and the number in program order.
    awaiting: Vec<(u64, u64)>,
    first_store: u64,
    dirty: Dirty,
    prefetch: Option<Prefetch>,
    /// Lines that a load got from the prefetcher since the last call of [`Thread::take_prefetched`].
    prefetched: u64,
}

/// A regular store between issue and write-back.
#[derive(Clone, Copy, Debug)]
struct Store {
    line: u64,
    is_owned: bool,
}

/// Dirty lines in the caches.
#[derive(Clone, Debug)]
struct Dirty {
    lines: Vec<u64>,
    capacity: usize,
    draw: Draw,
}

impl Thread {
    /// A core of `system` with a program; `sharers` threads share the last-level cache.
    pub(super) fn new(
        system: &System,
        program: Program,
        prefetches: bool,
        sharers: usize,
        seed: u64,
    ) -> Self {
        let l3_lines = system.l3.sets * system.l3.ways;
        Self {
            program,
            clock: Picoseconds::ZERO,
            limits: system.limits,
            pending: None,
            loads: 0,
            combining: 0,
            ownership: 0,
            flushes: 0,
            evictions: 0,
            stores: VecDeque::new(),
            awaiting: Vec::new(),
            first_store: 0,
            dirty: Dirty {
                lines: Vec::new(),
                capacity: (l3_lines / sharers.max(1)).clamp(1, MOST_DIRTY),
                draw: Draw::new(seed),
            },
            prefetch: prefetches.then(|| Prefetch::new(system)),
            prefetched: 0,
        }
    }

    /// The same core with one load in flight at a time.
    pub(super) const fn dependent(mut self) -> Self {
        self.limits.loads = 1;
        self
    }

    /// The same core, starting at `at`.
    pub(super) const fn starting(mut self, at: Picoseconds) -> Self {
        self.clock = at;
        self
    }

    /// When it next does something, if nothing comes back before.
    pub(super) const fn clock(&self) -> Picoseconds {
        self.clock
    }

    /// Lines that loads got from the prefetcher since the last call.
    pub(super) fn take_prefetched(&mut self) -> u64 {
        std::mem::take(&mut self.prefetched)
    }

    /// Fills the cache with dirty lines of the program, so that evictions begin at once.
    pub(super) fn warm_cache(&mut self) {
        while self.program.store == Operation::Store && self.dirty.lines.len() < self.dirty.capacity {
            if let Step::Touch(Operation::Store, line) = self.program.step() {
                self.dirty.lines.push(line);
            }
        }
    }

    /// Issues steps up to and including `until`; returns when it wants to go on, if that is up to itself.
    pub(super) fn run(&mut self, until: Picoseconds, sent: &mut Vec<Sent>) -> Option<Picoseconds> {
        loop {
            self.clock = self.program.awake(self.clock);
            if self.clock > until {
                return Some(self.clock);
            }
            let step = self.pending.take().unwrap_or_else(|| self.program.step());
            if !self.issue(step, sent) {
                self.pending = Some(step);
                return None;
            }
        }
    }

    /// Issues one step; false if it must wait for something to come back.
    fn issue(&mut self, step: Step, sent: &mut Vec<Sent>) -> bool {
        let is_issued = match step {
            Step::Fence => self.fence(),
            Step::Touch(Operation::Load, line) => self.load(line, sent),
            Step::Touch(Operation::Ntstore, line) => self.store_around(line, sent),
            Step::Touch(Operation::Clwb | Operation::Store, line) => self.store_through(line, sent),
        };
        if is_issued && step != Step::Fence {
            self.clock += self.program.gap;
        }
        is_issued
    }

    fn fence(&mut self) -> bool {
        let is_safe = self.combining == 0 && self.stores.is_empty() && self.flushes == 0;
        if is_safe {
            self.clock += FENCE + self.program.pause;
        }
        is_safe
    }

    /// Shows the prefetcher a line that a load or store asks for.
    fn demand(&mut self, line: u64) -> Demand {
        self.prefetch.as_mut().map_or(Demand::Absent, |prefetch| prefetch.demand(line))
    }

    fn load(&mut self, line: u64, sent: &mut Vec<Sent>) -> bool {
        if self.loads == self.limits.loads {
            return false;
        }
        match self.demand(line) {
            Demand::Absent => {
                self.loads += 1;
                sent.push(Sent { line, purpose: Purpose::Load, at: self.clock, since: self.clock });
            }
            Demand::Coming => self.loads += 1,
            Demand::Here => self.prefetched += 1,
        }
        self.fetch_ahead(sent);
        true
    }

    fn fetch_ahead(&mut self, sent: &mut Vec<Sent>) {
        let Some(prefetch) = &mut self.prefetch else { return };
        while let Some(line) = prefetch.next() {
            sent.push(Sent { line, purpose: Purpose::Prefetch, at: self.clock, since: self.clock });
        }
    }

    fn store_around(&mut self, line: u64, sent: &mut Vec<Sent>) -> bool {
        if self.combining == self.limits.combining {
            return false;
        }
        self.combining += 1;
        let at = self.clock + self.limits.combining_path;
        sent.push(Sent { line, purpose: Purpose::Combining, at, since: self.clock });
        true
    }

    /// A store that owns its line before it commits; a line that the prefetcher has fetched is owned, as in a replay.
    fn store_through(&mut self, line: u64, sent: &mut Vec<Sent>) -> bool {
        if self.ownership == self.limits.ownership {
            return false;
        }
        self.ownership += 1;
        if self.program.is_cached {
            self.stores.push_back(Store { line, is_owned: true });
            self.write_back(self.clock, sent);
            return true;
        }
        let number = self.first_store + self.stores.len() as u64;
        let demand = self.demand(line);
        self.stores.push_back(Store { line, is_owned: demand == Demand::Here });
        match demand {
            Demand::Absent => {
                let purpose = Purpose::Ownership(number);
                sent.push(Sent { line, purpose, at: self.clock, since: self.clock });
            }
            Demand::Coming => self.awaiting.push((line, number)),
            Demand::Here => self.write_back(self.clock, sent),
        }
        self.fetch_ahead(sent);
        true
    }

    /// Takes notice of a line that came back, or that the controller took, at `now`.
    pub(super) fn back(&mut self, line: u64, purpose: Purpose, now: Picoseconds, sent: &mut Vec<Sent>) {
        match purpose {
            Purpose::Load => self.loads -= 1,
            Purpose::Combining => self.combining -= 1,
            Purpose::Flush => self.flushes -= 1,
            Purpose::Eviction => self.evictions -= 1,
            Purpose::Prefetch => {
                let waiting = self.prefetch.as_mut().map_or(0, |prefetch| prefetch.arrived(line));
                let loads = waiting - self.own_awaiting(line);
                self.loads -= loads as usize;
                self.prefetched += loads;
            }
            Purpose::Ownership(number) => self.own(number),
        }
        self.clock = self.clock.max(now);
        self.write_back(now, sent);
    }

    /// Gives a line that was fetched ahead to the stores that wait for it; returns how many did.
    fn own_awaiting(&mut self, line: u64) -> u64 {
        let (mut place, mut owned) = (0, 0);
        while let Some(&(awaited, number)) = self.awaiting.get(place) {
            if awaited == line {
                self.awaiting.swap_remove(place);
                self.own(number);
                owned += 1;
            } else {
                place += 1;
            }
        }
        owned
    }

    fn own(&mut self, number: u64) {
        let store = &mut self.stores[(number - self.first_store) as usize];
        store.is_owned = true;
    }

    /// Sends what may be written back now.
    fn write_back(&mut self, now: Picoseconds, sent: &mut Vec<Sent>) {
        while let Some(&Store { line, is_owned: true }) = self.stores.front() {
            if self.program.store == Operation::Clwb {
                if self.flushes == self.limits.flushes {
                    return;
                }
                self.flushes += 1;
                self.ownership -= 1;
                sent.push(Sent { line, purpose: Purpose::Flush, at: now, since: now });
            } else if !self.evict_for(line, now, sent) {
                return;
            }
            self.stores.pop_front();
            self.first_store += 1;
        }
    }

    /// Puts a dirty line into the cache and evicts another; false if no eviction buffer is free. The store's
    /// ownership buffer is free once its line has a place.
    fn evict_for(&mut self, line: u64, now: Picoseconds, sent: &mut Vec<Sent>) -> bool {
        if self.evictions == self.limits.evictions {
            return false;
        }
        self.ownership -= 1;
        if let Some(victim) = self.dirty.put(line) {
            self.evictions += 1;
            sent.push(Sent { line: victim, purpose: Purpose::Eviction, at: now, since: now });
        }
        true
    }
}

impl Dirty {
    /// Puts a line in; returns the one that makes room. The last level hashes lines over slices and sets, so
    /// the victim is drawn at random.
    fn put(&mut self, line: u64) -> Option<u64> {
        if self.lines.len() < self.capacity {
            self.lines.push(line);
            return None;
        }
        let place = self.draw.below(self.lines.len() as u64) as usize;
        Some(std::mem::replace(&mut self.lines[place], line))
    }
}
