//! Threads and memory in a closed loop.
//!
//! Time goes on in windows. A request sent in a window reaches a controller only after the way there, so devices may
//! be simulated that far ahead of the threads without anything coming too late; then the threads catch up.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::memory::Memory;
use super::thread::{Sent, Thread};
use crate::Picoseconds;
use crate::machine::{Answer, Steady, Waiter};

/// Where the lines of a thread lie: `count` channels from `first`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Channels {
    /// First channel.
    pub first: usize,
    /// Number of channels.
    pub count: usize,
    /// Whether the thread runs on the socket of its memory although others of the probe do not.
    pub is_home: bool,
}

/// A line in flight.
#[derive(Clone, Copy, Debug)]
struct Flight {
    thread: usize,
    sent: Sent,
}

/// One line of work that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    /// Whose.
    pub thread: usize,
    /// When.
    pub at: Picoseconds,
    /// Since the program issued it.
    pub latency: Picoseconds,
    /// Whether user data was stored.
    pub is_store: bool,
}

/// Threads, memory and what is in between.
pub(super) struct Engine {
    memory: Memory,
    threads: Vec<Thread>,
    channels: Vec<Channels>,
    flights: Vec<Flight>,
    free: Vec<u64>,
    wakes: BinaryHeap<Reverse<(Picoseconds, u64, Wake)>>,
    scheduled: Vec<Option<Picoseconds>>,
    sequence: u64,
    done: Vec<Done>,
    answers: Vec<Answer>,
    sent: Vec<Sent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    /// A thread goes on by itself.
    Run(usize),
    /// A flight came back.
    Back(u64),
}

impl Engine {
    /// Threads with the channels of each; `steady` is what they did before, for ever.
    pub(super) fn new(memory: Memory, threads: Vec<(Thread, Channels)>, steady: Steady) -> Self {
        let (threads, channels): (Vec<_>, Vec<_>) = threads.into_iter().unzip();
        let wakes = threads
            .iter()
            .enumerate()
            .map(|(index, thread)| Reverse((thread.clock(), index as u64, Wake::Run(index))));
        Self {
            memory: memory.after(steady),
            channels,
            flights: Vec::new(),
            free: Vec::new(),
            wakes: wakes.collect(),
            scheduled: threads.iter().map(|thread| Some(thread.clock())).collect(),
            sequence: threads.len() as u64,
            done: Vec::new(),
            answers: Vec::new(),
            sent: Vec::new(),
            threads,
        }
    }

    /// The memory.
    pub(super) const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Simulates one window and hands every line of work done in it to `take`, by thread in order of time; returns
    /// false if nothing is left to do.
    ///
    /// The window begins with the first thing that a thread may notice. Devices go ahead to just before a request
    /// sent then could arrive. So everything is known that threads see before an answer to it, and they run that far.
    pub(super) fn window(&mut self, take: impl FnMut(Done)) -> bool {
        let wake = self.wakes.peek().map(|Reverse((at, ..))| *at);
        let device = self.memory.next_event().map(|at| at + self.memory.response);
        let Some(begin) = [wake, device].into_iter().flatten().min() else { return false };
        let horizon = Picoseconds((begin + self.memory.request).0 - 1);
        self.advance_memory(horizon);
        self.run_threads(horizon + self.memory.response);
        self.done.drain(..).for_each(take);
        true
    }

    fn advance_memory(&mut self, horizon: Picoseconds) {
        let mut answers = std::mem::take(&mut self.answers);
        self.memory.advance(horizon, &mut answers);
        for answer in answers.drain(..) {
            if let Waiter::Flight(token) = answer.waiter {
                self.wake(answer.at, Wake::Back(token));
            }
        }
        self.answers = answers;
    }

    fn run_threads(&mut self, until: Picoseconds) {
        while let Some(&Reverse((at, _, wake))) = self.wakes.peek() {
            if at > until {
                return;
            }
            self.wakes.pop();
            match wake {
                Wake::Back(token) => self.back(token, at, until),
                Wake::Run(thread) if self.scheduled[thread] == Some(at) => {
                    self.scheduled[thread] = None;
                    self.run(thread, until);
                }
                Wake::Run(_) => {}
            }
        }
    }

    fn back(&mut self, token: u64, at: Picoseconds, until: Picoseconds) {
        let Flight { thread, sent } = self.flights[token as usize];
        self.free.push(token);
        let mut out = std::mem::take(&mut self.sent);
        self.threads[thread].back(sent.line, sent.purpose, at, &mut out);
        if sent.purpose.is_work() {
            let is_store = !sent.purpose.is_read();
            self.done.push(Done { thread, at, latency: at - sent.since, is_store });
        }
        self.sent = out;
        self.run(thread, until);
    }

    fn run(&mut self, thread: usize, until: Picoseconds) {
        let mut out = std::mem::take(&mut self.sent);
        let next = self.threads[thread].run(until, &mut out);
        let at = self.threads[thread].clock();
        for _ in 0..self.threads[thread].take_prefetched() {
            self.done.push(Done { thread, at, latency: Picoseconds::ZERO, is_store: false });
        }
        for sent in out.drain(..) {
            self.send(thread, sent);
        }
        self.sent = out;
        if let Some(next) = next {
            self.scheduled[thread] = Some(next);
            self.wake(next, Wake::Run(thread));
        }
    }

    fn send(&mut self, thread: usize, sent: Sent) {
        let token = self.free.pop().unwrap_or(self.flights.len() as u64);
        let flight = Flight { thread, sent };
        match self.flights.get_mut(token as usize) {
            Some(place) => *place = flight,
            None => self.flights.push(flight),
        }
        self.memory.send(token, sent, self.channels[thread]);
    }

    fn wake(&mut self, at: Picoseconds, wake: Wake) {
        self.sequence += 1;
        self.wakes.push(Reverse((at, self.sequence, wake)));
    }
}
