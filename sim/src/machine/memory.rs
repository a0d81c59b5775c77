//! The memory side: channels with their devices, the mode, the links, and every request on its way.
//!
//! A request becomes a transaction: the operations of its plan, of which later stages start when the stage before is
//! through. Devices are advanced in bounded windows; completions come back as [`Answer`]s with the instant at which
//! the data is at the core.

use std::collections::hash_map::Entry;

use super::histogram::Histogram;
use super::layout::Line;
use super::link::{Links, Steady};
use super::tap::Tap;
use super::traffic::TrafficCounters;
use crate::cache::LineMap;
use crate::core::Pool;
use crate::device::{Completion, Counters, Device, Kind, Request};
use crate::mode::{LineRequest, Mode, Plan};
use crate::system::System;
use crate::{Error, Picoseconds};

/// Operations of a transaction are numbered in the low bits of a device token.
const OPERATION_BITS: u32 = 3;

/// Who waits for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// Nobody.
    None,
    /// A buffer of a core.
    Slot {
        /// The core.
        core: usize,
        /// Kind of buffer.
        pool: Pool,
        /// Which buffer.
        slot: usize,
    },
    /// An explicit write-back that starts when the line has come.
    Flush {
        /// The core.
        core: usize,
        /// Its number among the core's explicit write-backs.
        number: u64,
    },
    /// Whoever drives memory without a machine's cores.
    Flight(u64),
}

/// A line request with what is known about its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The request.
    pub request: LineRequest,
    /// When it leaves the caches.
    pub at: Picoseconds,
    /// Since when its reader waits, if the latency counts as a last-level read miss.
    pub issued: Option<Picoseconds>,
    /// Whether a read is for a store.
    pub is_ownership: bool,
    /// Socket of the core.
    pub socket: usize,
    /// Class of the object.
    pub class: u8,
    /// HE primitive at work.
    pub primitive: u16,
    /// Who waits.
    pub waiter: Waiter,
}

/// Data at a core, or a write accepted by memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who waited.
    pub waiter: Waiter,
    /// Physical line.
    pub line: u64,
    /// When.
    pub at: Picoseconds,
    /// Tier that answered.
    pub tier: usize,
    /// Class of the object.
    pub class: u8,
}

#[derive(Clone, Debug)]
struct Transaction {
    submission: Submission,
    plan: Plan,
    waiters: Vec<Waiter>,
    pending: u8,
}

struct Channel {
    device: Box<dyn Device>,
    tier: usize,
    extra_request: Picoseconds,
    extra_response: Picoseconds,
    /// Nothing may be pushed before the last advance.
    horizon: Picoseconds,
    /// Nothing happens before this.
    next: Picoseconds,
    /// Stores here that wait for a read of this channel first.
    asking: usize,
}

/// All memory of a machine.
pub struct Memory {
    channels: Vec<Channel>,
    mode: Box<dyn Mode>,
    links: Option<Links>,
    request: Picoseconds,
    response: Picoseconds,
    transactions: Vec<Transaction>,
    free: Vec<u32>,
    /// Reads on their way, by line.
    flying: LineMap<u32>,
    horizon: Picoseconds,
    done: Vec<Completion>,
    traffic: TrafficCounters,
    latency: Histogram,
    submitted: u64,
    answered: u64,
    tap: Option<Tap>,
}

impl Memory {
    /// Builds idle devices, one for each channel, tiers in order.
    ///
    /// # Errors
    /// Those of the device files.
    pub fn new(system: &System, mode: Box<dyn Mode>, build: &mut BuildDevice<'_>) -> Result<Self, Error> {
        let mut channels = Vec::new();
        for (tier, spec) in system.tiers.iter().enumerate() {
            for _ in 0..spec.channels_per_socket * system.sockets {
                channels.push(Channel {
                    device: build(tier)?,
                    tier,
                    extra_request: spec.extra_request,
                    extra_response: spec.extra_response,
                    horizon: Picoseconds::ZERO,
                    next: Picoseconds::NEVER,
                    asking: 0,
                });
            }
        }
        Ok(Self {
            channels,
            mode,
            links: system
                .link
                .filter(|_| system.sockets > 1)
                .map(|limits| Links::new(limits, system.sockets)),
            request: system.request + system.l3.latency,
            response: system.response,
            transactions: Vec::new(),
            free: Vec::new(),
            flying: LineMap::default(),
            horizon: Picoseconds::ZERO,
            done: Vec::new(),
            traffic: TrafficCounters::new(system.tiers.len()),
            latency: Histogram::default(),
            submitted: 0,
            answered: 0,
            tap: None,
        })
    }

    /// No answer lies before this plus [`Memory::response`], unless it was given already.
    pub const fn horizon(&self) -> Picoseconds {
        self.horizon
    }

    /// From a controller to a core.
    pub const fn response(&self) -> Picoseconds {
        self.response
    }

    /// From a miss of the last-level cache to a controller.
    pub const fn request(&self) -> Picoseconds {
        self.request
    }

    /// Least time from a completion to the arrival of a request that it causes.
    pub fn lookahead(&self) -> Picoseconds {
        self.request + self.response
    }

    /// Takes the directory state of lines as that which endless accesses lead to.
    pub fn assume_steady_directory(&mut self, steady: Steady) {
        if let Some(links) = &mut self.links {
            links.assume_steady(steady);
        }
    }

    /// Lets an observer see every line that reaches a controller from now on.
    pub fn observe(&mut self, tap: Tap) {
        self.tap = Some(tap);
    }

    /// The mode.
    pub const fn mode(&self) -> &dyn Mode {
        &*self.mode
    }

    /// The mode, to tell it about pages.
    pub const fn mode_mut(&mut self) -> &mut dyn Mode {
        &mut *self.mode
    }

    /// Traffic so far.
    pub const fn traffic(&self) -> &TrafficCounters {
        &self.traffic
    }

    /// Latencies of last-level read misses so far.
    pub const fn latency(&self) -> &Histogram {
        &self.latency
    }

    /// Counters of the devices of a tier, added up.
    pub fn counters(&self, tier: usize) -> Counters {
        let of_tier = self.channels.iter().filter(|channel| channel.tier == tier);
        of_tier.map(|channel| channel.device.counters()).fold(Counters::default(), add)
    }

    /// Requests made and requests answered.
    pub const fn balance(&self) -> (u64, u64) {
        (self.submitted, self.answered)
    }

    /// Adds a waiter to a read that is on its way; false if none is.
    pub fn join(&mut self, line: u64, waiter: Waiter) -> bool {
        let Some(&number) = self.flying.get(&line) else { return false };
        self.transactions[number as usize].waiters.push(waiter);
        true
    }

    /// Starts a request.
    pub fn submit(&mut self, submission: Submission) {
        self.submitted += 1;
        let mut plan = self.mode.plan(submission.request);
        let mut at = submission.at + self.request;
        let line = submission.request.line;
        let home = Line::unpack(line).socket;
        let is_remote = home != submission.socket;
        if let Some(links) = &mut self.links {
            match submission.request.kind {
                Kind::Write => {
                    links.note_write(line);
                    if is_remote {
                        at = links.pass_write(home, at + links.limits().request);
                        if submission.request.is_non_temporal && links.has_memory_directory() {
                            self.channels[usize::from(plan.operations()[0].channel)].asking +=
                                usize::from(plan.read_first());
                        }
                    }
                }
                Kind::Read if is_remote => {
                    at += links.limits().request;
                    if links.note_remote_read(line, submission.is_ownership) {
                        let first = plan.operations()[0];
                        plan.push(1, Kind::Write, (usize::from(first.channel), first.line));
                        plan.sort_by_stage();
                    }
                }
                Kind::Read => {}
            }
        }
        let number = self.store(submission, plan);
        if submission.request.kind == Kind::Read {
            self.flying.insert(line, number);
        }
        self.start_stage(number, 0, at);
    }

    fn store(&mut self, submission: Submission, plan: Plan) -> u32 {
        let pending = plan.operations().len() as u8;
        if let Some(number) = self.free.pop() {
            let transaction = &mut self.transactions[number as usize];
            transaction.submission = submission;
            transaction.plan = plan;
            transaction.pending = pending;
            return number;
        }
        self.transactions.push(Transaction { submission, plan, waiters: Vec::new(), pending });
        self.transactions.len() as u32 - 1
    }

    fn start_stage(&mut self, number: u32, stage: u8, at: Picoseconds) {
        let transaction = &self.transactions[number as usize];
        let (class, primitive) = (transaction.submission.class, transaction.submission.primitive);
        for (position, operation) in transaction.plan.operations().iter().enumerate() {
            if operation.stage != stage {
                continue;
            }
            let channel = &mut self.channels[usize::from(operation.channel)];
            let at = (at + channel.extra_request).max(channel.horizon);
            let token = u64::from(number) << OPERATION_BITS | position as u64;
            channel.device.push(Request { token, line: operation.line, kind: operation.kind, at });
            channel.next = channel.next.min(at);
            self.traffic.count(channel.tier, operation.kind, class, primitive, at);
            if let Some(tap) = &mut self.tap {
                tap.note(operation, at);
            }
        }
    }

    /// The next instant at which any device does something; [`Picoseconds::NEVER`] if all are idle.
    pub fn next_event(&self) -> Picoseconds {
        self.channels.iter().map(|channel| channel.next).min().unwrap_or(Picoseconds::NEVER)
    }

    /// Simulates all devices up to `until`, appending answers.
    pub fn advance(&mut self, until: Picoseconds, answers: &mut Vec<Answer>) {
        for number in 0..self.channels.len() {
            // Tiers are in order, so what near memory hands on reaches the far tier within this window.
            if self.channels[number].next > until {
                continue;
            }
            // A store that waits for a read here enters in between, so nothing may be simulated past that.
            while self.channels[number].asking > 0 && self.channels[number].next <= until {
                self.advance_channel(number, self.channels[number].next, answers);
            }
            self.advance_channel(number, until, answers);
        }
        self.horizon = self.horizon.max(until);
    }

    fn advance_channel(&mut self, number: usize, until: Picoseconds, answers: &mut Vec<Answer>) {
        let channel = &mut self.channels[number];
        let mut done = std::mem::take(&mut self.done);
        channel.device.advance(until, &mut done);
        channel.horizon = until;
        channel.next = channel.device.next_event().unwrap_or(Picoseconds::NEVER);
        for completion in done.drain(..) {
            self.complete(number, completion, answers);
        }
        self.done = done;
    }

    fn complete(&mut self, place: usize, completion: Completion, answers: &mut Vec<Answer>) {
        let number = (completion.token >> OPERATION_BITS) as u32;
        let position = (completion.token & ((1 << OPERATION_BITS) - 1)) as usize;
        let channel = &self.channels[place];
        let (tier, at) = (channel.tier, completion.at + channel.extra_response);
        let transaction = &mut self.transactions[number as usize];
        transaction.pending -= 1;
        let pending = transaction.pending;
        let operations = transaction.plan.operations();
        let stage = operations[position].stage;
        let is_gate = position == 0 || operations[position - 1].stage != stage;
        let has_next = operations.last().is_some_and(|last| last.stage > stage);
        let is_answer = position == usize::from(transaction.plan.answer);
        let is_asked = transaction.plan.asks && position == 0;
        self.channels[place].asking -= usize::from(is_asked);
        if is_gate && has_next {
            self.start_stage(number, stage + 1, completion.at);
        }
        if is_answer {
            self.answer(number, tier, at, answers);
        }
        if pending == 0 {
            self.free.push(number);
        }
    }

    fn answer(&mut self, number: u32, tier: usize, at: Picoseconds, answers: &mut Vec<Answer>) {
        self.answered += 1;
        let transaction = &mut self.transactions[number as usize];
        let submission = transaction.submission;
        let line = submission.request.line;
        let mut at = at;
        if submission.request.kind == Kind::Read
            && let Entry::Occupied(entry) = self.flying.entry(line)
            && *entry.get() == number
        {
            entry.remove();
        }
        let home = Line::unpack(line).socket;
        if let Some(links) = self.links.as_mut().filter(|_| home != submission.socket) {
            // The answer to a write carries no data.
            if submission.request.kind == Kind::Read {
                at = links.pass_read(home, at);
            }
            at += links.limits().response;
        }
        at += self.response;
        if let Some(issued) = submission.issued {
            self.latency.record(at.saturating_sub(issued));
        }
        let class = submission.class;
        for waiter in std::iter::once(submission.waiter).chain(transaction.waiters.drain(..)) {
            if waiter != Waiter::None {
                answers.push(Answer { waiter, line, at, tier, class });
            }
        }
    }
}

/// Builds the device of one channel of a tier, by position of the tier.
pub type BuildDevice<'b> = dyn FnMut(usize) -> Result<Box<dyn Device>, Error> + 'b;

fn add(sum: Counters, more: Counters) -> Counters {
    Counters {
        read_bytes: sum.read_bytes + more.read_bytes,
        write_bytes: sum.write_bytes + more.write_bytes,
        media_read_bytes: sum.media_read_bytes + more.media_read_bytes,
        media_write_bytes: sum.media_write_bytes + more.media_write_bytes,
        buffer_hits_read: sum.buffer_hits_read + more.buffer_hits_read,
        buffer_hits_write: sum.buffer_hits_write + more.buffer_hits_write,
        activates: sum.activates + more.activates,
        maintenance: sum.maintenance + more.maintenance,
    }
}
