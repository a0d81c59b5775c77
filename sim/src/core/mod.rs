//! One core: its clock, its buffers, its translation and prefetch state, and where its time went.
//!
//! Loads and stores overlap with each other and with arithmetic until the buffers of their kind are used up. Known to
//! be simpler than silicon: there is no reorder window, so a core that computes long between lines looks further
//! ahead than 224 micro-operations allow (with prefetch on, the streamer does the same); a page walk is a fixed time
//! whose memory accesses are not counted; a first touch costs time but its zeroing moves no lines.

mod jitter;
mod prefetch;
mod slots;
mod stores;
mod tlb;

pub use jitter::{Jitter, Tempo};
pub use prefetch::Prefetcher;
pub use slots::{MAX_SLOTS, Reserve, Slots, Source};
pub use stores::{Stores, WriteBack};
pub use tlb::{Tlb, Translation};

use crate::Picoseconds;
use crate::system::System;

/// Kinds of buffers of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Line fill buffers: loads that missed the first level.
    Loads,
    /// Lines being fetched for stores.
    Ownership,
    /// Non-temporal lines on their way.
    Combining,
    /// Explicit write-backs on their way.
    Flushes,
    /// Evicted dirty lines on their way.
    Evictions,
    /// Prefetches on their way.
    Prefetches,
}

impl Pool {
    const COUNT: usize = 6;
}

/// What a core is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It can run.
    Ready,
    /// It waits for a buffer; nothing can wake it before `bound`. If `known` is reached, it can run.
    Blocked {
        /// Earliest possible wake-up.
        bound: Picoseconds,
        /// When a buffer certainly becomes free.
        known: Picoseconds,
    },
    /// It waits for another core's [`unpark`](crate::machine::Port::unpark).
    Parked,
    /// It has nothing left to do.
    Finished,
}

/// A simulated core.
#[derive(Clone, Debug)]
pub struct Core {
    /// Its socket.
    pub socket: usize,
    /// Its own time.
    pub clock: Picoseconds,
    /// What it is doing.
    pub state: State,
    /// Number of the HE primitive at work, for attribution of traffic.
    pub primitive: u16,
    /// Time spent on arithmetic.
    pub compute: Picoseconds,
    /// Time waited, by [`Source`].
    pub stalls: [u64; Source::COUNT],
    /// Whether the prefetcher is on.
    pub prefetches: bool,
    pools: [Slots; Pool::COUNT],
    /// Explicit write-backs that wait for their turn.
    pub stores: Stores,
    /// Translation buffers.
    pub tlb: Tlb,
    /// Stream prefetcher.
    pub prefetcher: Prefetcher,
}

impl Core {
    /// An idle core at time 0.
    pub fn new(system: &System, socket: usize, prefetches: bool, has_huge_pages: bool) -> Self {
        let limits = &system.limits;
        let pools = [
            limits.loads,
            limits.ownership,
            limits.combining,
            limits.flushes,
            limits.evictions,
            system.prefetch.buffers,
        ];
        Self {
            socket,
            clock: Picoseconds::ZERO,
            state: State::Ready,
            primitive: 0,
            compute: Picoseconds::ZERO,
            stalls: [0; Source::COUNT],
            prefetches,
            pools: pools.map(Slots::new),
            stores: Stores::new(limits.stores),
            tlb: Tlb::new(&system.translation, has_huge_pages),
            prefetcher: Prefetcher::new(&system.prefetch),
        }
    }

    /// Buffers of a kind.
    #[inline]
    pub fn pool(&mut self, pool: Pool) -> &mut Slots {
        &mut self.pools[pool as usize]
    }

    /// Waits until an instant, for a reason.
    #[inline]
    pub fn wait_until(&mut self, at: Picoseconds, source: Source) {
        if at > self.clock {
            self.stalls[usize::from(source.0)] += (at - self.clock).0;
            self.clock = at;
        }
    }

    /// Waits for some time, for a reason.
    #[inline]
    pub fn wait(&mut self, time: Picoseconds, source: Source) {
        self.stalls[usize::from(source.0)] += time.0;
        self.clock += time;
    }

    /// Finds a free buffer, waiting if it is known for how long; `None`, and the core blocked, if it is not.
    /// Nothing unknown can become free before `certain`.
    #[inline]
    pub fn reserve(&mut self, pool: Pool, certain: Picoseconds) -> Option<usize> {
        let next = self.pools[pool as usize].reserve_next(self.clock);
        next.or_else(|| self.reserve_any(pool, certain))
    }

    fn reserve_any(&mut self, pool: Pool, certain: Picoseconds) -> Option<usize> {
        match self.pools[pool as usize].search(self.clock, certain) {
            Reserve::Free(slot) => Some(slot),
            Reserve::At(at, source) => {
                self.wait_until(at, source);
                Some(self.pools[pool as usize].reserve_found(at))
            }
            Reserve::Unknown(known) => {
                self.block(certain, known);
                None
            }
        }
    }

    /// Waits until all buffers of a kind are free; false, and the core blocked, if that is not known yet.
    pub fn drain(&mut self, pool: Pool, certain: Picoseconds) -> bool {
        match self.pools[pool as usize].all_free() {
            Some((at, source)) => {
                self.wait_until(at, source);
                true
            }
            None => {
                self.block(certain, Picoseconds::NEVER);
                false
            }
        }
    }

    /// Waits for something of which nothing is known but that it does not happen before `certain`.
    pub fn block(&mut self, certain: Picoseconds, known: Picoseconds) {
        self.state = State::Blocked { bound: certain.max(self.clock), known };
    }
}
