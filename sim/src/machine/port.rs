//! What a simulated thread can ask of its core.

use super::memory::{Submission, Waiter};
use super::{Machine, Picoseconds};
use crate::cache::{FirstLevel, Found, Intent};
use crate::core::{Core, Pool, Reserve, Source, State, WriteBack};
use crate::device::Kind;
use crate::mode::LineRequest;

/// Whether an operation was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a blocked operation has to be repeated when the core runs again"]
pub enum Issue {
    /// It was issued; the core's clock says when.
    Done,
    /// It was not: the core waits for something. Return [`Activity::Blocked`](super::Activity::Blocked) and repeat.
    Blocked,
}

/// One core of a machine, for the thread that runs on it.
///
/// Operations are issued in program order and overlap as the buffers of the core allow: a load returns at issue, not
/// when its data has come. [`Port::settle`] waits for data, [`Port::fence`] for stores.
pub struct Port<'m> {
    pub(super) machine: &'m mut Machine,
    pub(super) core: usize,
}

impl Port<'_> {
    /// Number of the core among those in use.
    pub const fn core(&self) -> usize {
        self.core
    }

    /// The machine.
    pub const fn machine(&mut self) -> &mut Machine {
        self.machine
    }

    #[inline]
    fn own(&mut self) -> &mut Core {
        &mut self.machine.cores[self.core]
    }

    /// The core's time.
    #[inline]
    pub fn clock(&self) -> Picoseconds {
        self.machine.cores[self.core].clock
    }

    /// Names the HE primitive that traffic from now on belongs to.
    pub fn set_primitive(&mut self, primitive: u16) {
        self.own().primitive = primitive;
    }

    /// Computes for some time.
    #[inline]
    pub fn compute(&mut self, time: Picoseconds) {
        let core = self.own();
        core.clock += time;
        core.compute += time;
    }

    /// Waits for some time, for a reason.
    pub fn wait(&mut self, time: Picoseconds, source: Source) {
        self.own().wait(time, source);
    }

    /// Translates a virtual page, paying for misses of the translation buffers.
    #[inline]
    pub fn translate(&mut self, page: u64) {
        let core = &mut self.machine.cores[self.core];
        let translation = core.tlb.translate(page);
        if translation.cost > Picoseconds::ZERO {
            core.wait(translation.cost, Source::TRANSLATION);
            if translation.walked {
                self.machine.caches.count_walk();
            }
        }
    }

    /// Loads a physical line for an object of a class (below 8).
    #[inline]
    pub fn load(&mut self, line: u64, class: u8) -> Issue {
        self.access(line, class, Intent::Load)
    }

    /// Stores to a physical line, fetching it first.
    #[inline]
    pub fn store(&mut self, line: u64, class: u8) -> Issue {
        self.access(line, class, Intent::Store)
    }

    #[inline]
    fn access(&mut self, line: u64, class: u8, intent: Intent) -> Issue {
        match self.machine.caches.try_l1(self.core, line, intent) {
            FirstLevel::Hit => Issue::Done,
            first => self.miss(line, class, intent, first),
        }
    }

    fn miss(&mut self, line: u64, class: u8, intent: Intent, first: FirstLevel) -> Issue {
        let pool = match intent {
            Intent::Load => Pool::Loads,
            Intent::Store => Pool::Ownership,
        };
        let machine = &mut *self.machine;
        let certain = machine.certain();
        let core = &mut machine.cores[self.core];
        let Some(slot) = core.reserve(pool, certain) else { return Issue::Blocked };
        if core.reserve(Pool::Evictions, certain).is_none() {
            return Issue::Blocked;
        }
        let found = machine.caches.access(self.core, line, class, intent, first, &mut machine.leaving);
        machine.fill(self.core, pool, slot, line, class, found);
        if !machine.leaving.is_empty() {
            machine.evict(self.core);
        }
        if machine.cores[self.core].prefetches {
            machine.prefetch(self.core, line, class);
        }
        Issue::Done
    }

    /// Loads a line and waits until it is there: a dependent access. A hit in the first level costs its latency.
    pub fn load_serial(&mut self, line: u64, class: u8) -> Issue {
        match self.machine.caches.try_l1(self.core, line, Intent::Load) {
            FirstLevel::Hit => {
                let latency = self.machine.l1_latency;
                self.own().wait(latency, Source::CACHE);
                Issue::Done
            }
            first => self.miss(line, class, Intent::Load, first),
        }
    }

    /// Waits until all loads have their data.
    pub fn settle(&mut self) -> Issue {
        let certain = self.machine.certain();
        if self.own().drain(Pool::Loads, certain) { Issue::Done } else { Issue::Blocked }
    }

    /// Stores a whole line past the caches.
    pub fn store_non_temporal(&mut self, line: u64, class: u8) -> Issue {
        let certain = self.machine.certain();
        let Some(slot) = self.own().reserve(Pool::Combining, certain) else { return Issue::Blocked };
        self.machine.caches.overwrite(self.core, line);
        self.own().pool(Pool::Combining).fill_unknown(slot);
        let waiter = Waiter::Slot { core: self.core, pool: Pool::Combining, slot };
        let at = self.clock() + self.machine.combining_path;
        self.machine.write(self.core, line, class, true, at, waiter);
        Issue::Done
    }

    /// Writes a line back if it is dirty (clwb). The core goes on; the line leaves when it has come, if it is still
    /// being fetched, when all lines flushed before have left, and when a flush buffer is free.
    pub fn flush(&mut self, line: u64, class: u8) -> Issue {
        let certain = self.machine.certain();
        if self.own().stores.is_full() {
            self.own().block(certain, Picoseconds::NEVER);
            return Issue::Blocked;
        }
        let keep = self.machine.clwb_keeps_line;
        if !self.machine.caches.flush(self.core, line, keep) {
            return Issue::Done;
        }
        let number = self.own().stores.next_number();
        let is_coming = self.machine.memory.join(line, Waiter::Flush { core: self.core, number });
        let ready = if is_coming { Picoseconds::NEVER } else { self.clock() };
        self.own().stores.push(WriteBack { line, class, ready });
        self.machine.write_back(self.core);
        Issue::Done
    }

    /// Waits until all stores, non-temporal stores and explicit write-backs are accepted by memory.
    pub fn fence(&mut self) -> Issue {
        let certain = self.machine.certain();
        let pools = [Pool::Ownership, Pool::Combining, Pool::Flushes];
        let core = self.own();
        if !core.stores.is_empty() {
            core.block(certain, Picoseconds::NEVER);
            return Issue::Blocked;
        }
        if pools.into_iter().all(|pool| core.drain(pool, certain)) { Issue::Done } else { Issue::Blocked }
    }

    /// Lets a parked core go on, not before an instant.
    pub fn unpark(&mut self, core: usize, at: Picoseconds) {
        let core = &mut self.machine.cores[core];
        if core.state == State::Parked {
            core.wait_until(at, Source::IDLE);
            core.state = State::Ready;
        }
    }
}

impl Machine {
    /// Nothing unknown happens at a core before this.
    #[inline]
    pub(super) fn certain(&self) -> Picoseconds {
        self.memory.horizon() + self.memory.response()
    }

    /// Says when a buffer gets its line.
    fn fill(&mut self, core: usize, pool: Pool, slot: usize, line: u64, class: u8, found: Found) {
        let waiter = Waiter::Slot { core, pool, slot };
        let clock = self.cores[core].clock;
        let latency = match found {
            Found::L2 => self.l2_latency,
            Found::L2InFlight => {
                if self.memory.join(line, waiter) {
                    self.cores[core].pool(pool).fill_unknown(slot);
                    return;
                }
                self.caches.landed(core, line);
                self.l2_latency
            }
            Found::L3 => self.l3_latency,
            Found::Forwarded { from } => {
                if self.memory.join(line, waiter) {
                    self.cores[core].pool(pool).fill_unknown(slot);
                    return;
                }
                self.forward + self.remote_latency(core, self.cores[from].socket)
            }
            Found::RemoteL3 { socket } => self.l3_latency + self.remote_latency(core, socket),
            Found::Memory => {
                self.cores[core].pool(pool).fill_unknown(slot);
                let issued = (pool == Pool::Loads).then_some(clock);
                self.read(core, line, class, issued, waiter);
                return;
            }
        };
        self.cores[core].pool(pool).fill(slot, clock + latency, Source::CACHE);
    }

    fn remote_latency(&self, core: usize, socket: usize) -> Picoseconds {
        if self.cores[core].socket == socket { Picoseconds::ZERO } else { self.link_round_trip }
    }

    fn read(&mut self, core: usize, line: u64, class: u8, issued: Option<Picoseconds>, waiter: Waiter) {
        let request = LineRequest { line, kind: Kind::Read, is_non_temporal: false };
        let at = self.cores[core].clock;
        self.submit(core, request, class, at, issued, waiter);
    }

    fn write(
        &mut self,
        core: usize,
        line: u64,
        class: u8,
        is_non_temporal: bool,
        at: Picoseconds,
        waiter: Waiter,
    ) {
        let request = LineRequest { line, kind: Kind::Write, is_non_temporal };
        self.submit(core, request, class, at, None, waiter);
    }

    fn submit(
        &mut self,
        core: usize,
        request: LineRequest,
        class: u8,
        at: Picoseconds,
        issued: Option<Picoseconds>,
        waiter: Waiter,
    ) {
        let Core { socket, primitive, .. } = self.cores[core];
        let is_ownership = matches!(waiter, Waiter::Slot { pool: Pool::Ownership, .. });
        let submission = Submission { request, at, issued, is_ownership, socket, class, primitive, waiter };
        self.memory.submit(submission);
    }

    /// Sends the explicit write-backs whose turn has come.
    fn write_back(&mut self, core: usize) {
        let certain = self.certain();
        while let Some(mut at) = self.cores[core].stores.due() {
            let slot = loop {
                match self.cores[core].pool(Pool::Flushes).reserve(at, certain) {
                    Reserve::Free(slot) => break slot,
                    Reserve::At(free, _) => at = free,
                    Reserve::Unknown(_) => return,
                }
            };
            let Some(WriteBack { line, class, .. }) = self.cores[core].stores.pop(at) else { return };
            self.cores[core].pool(Pool::Flushes).fill_unknown(slot);
            self.write(core, line, class, false, at, Waiter::Slot { core, pool: Pool::Flushes, slot });
        }
    }

    /// Writes the lines that had to leave the caches.
    fn evict(&mut self, core: usize) {
        let certain = self.certain();
        let clock = self.cores[core].clock;
        while let Some(word) = self.leaving.pop() {
            let pool = self.cores[core].pool(Pool::Evictions);
            let waiter = match pool.reserve(clock, certain) {
                Reserve::Free(slot) => {
                    pool.fill_unknown(slot);
                    Waiter::Slot { core, pool: Pool::Evictions, slot }
                }
                // A second victim of one access may exceed the buffers; nobody waits for it.
                _ => Waiter::None,
            };
            self.write(core, word.line(), word.class(), false, clock, waiter);
        }
    }

    fn prefetch(&mut self, core: usize, line: u64, class: u8) {
        let certain = self.certain();
        for wanted in self.cores[core].prefetcher.observe(line) {
            let clock = self.cores[core].clock;
            let Reserve::Free(slot) = self.cores[core].pool(Pool::Prefetches).reserve(clock, certain) else {
                self.cores[core].prefetcher.give_back(wanted);
                return;
            };
            let found = self.caches.prefetch(core, wanted, class, &mut self.leaving);
            if found == Some(Found::Memory) {
                self.cores[core].pool(Pool::Prefetches).fill_unknown(slot);
                self.read(core, wanted, class, None, Waiter::Slot { core, pool: Pool::Prefetches, slot });
            }
            self.evict(core);
        }
    }

    /// Hands answers to those who wait.
    pub(super) fn deliver(&mut self) {
        let mut answers = std::mem::take(&mut self.answers);
        for answer in answers.drain(..) {
            match answer.waiter {
                Waiter::None | Waiter::Flight(_) => {}
                Waiter::Slot { core, pool, slot } => {
                    self.cores[core].pool(pool).resolve(slot, answer.at, Source::tier(answer.tier));
                    if pool == Pool::Flushes {
                        self.write_back(core);
                    }
                    self.wake(core);
                }
                Waiter::Flush { core, number } => {
                    self.cores[core].stores.arrived(number, answer.at);
                    self.write_back(core);
                    self.wake(core);
                }
            }
        }
        self.answers = answers;
    }

    fn wake(&mut self, core: usize) {
        let core = &mut self.cores[core];
        if let State::Blocked { .. } = core.state {
            core.state = State::Ready;
        }
    }
}
