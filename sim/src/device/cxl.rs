//! A CXL memory card: a full-duplex link with its own queue in front of a DRAM device.
//!
//! Every message takes its bytes on one direction of the link: a read sends a request down and data up, a write sends
//! data down and a response up. So reads and writes share neither direction's limit, and a mix moves more than either
//! alone until the card's DRAM is the limit. Requests and requests with data are separate channels of the protocol with
//! credits of their own (CXL 2.0, section 3.3: M2S Req and M2S `RwD`), so neither direction fills the queue of the other,
//! and where both wait for the link they take turns: a read does not stand behind all writes that came before it.
//!
//! Known limits: messages are not packed into flits one by one (their bytes include a share of the header), and there
//! are no credits beyond the number of requests under way.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use serde::Deserialize;

use super::arrivals::Arrivals;
use super::dram::{Dram, DramConfig};
use super::literal::DeviceConfig;
use super::{Completion, Counters, Device, Kind, Request};
use crate::error::shown;
use crate::{Error, Picoseconds};

/// A CXL card file, unchecked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CxlLiteral {
    /// What the file describes.
    pub title: String,
    /// Name or path of the DRAM device on the card.
    pub device: String,
    /// The link.
    pub link: LinkLiteral,
}

/// The link of a CXL card, unchecked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkLiteral {
    /// Where the numbers come from.
    pub source: String,
    /// From port to card, and from card to port, in nanoseconds, without the time that messages take on the link.
    pub latency_ns: f64,
    /// What each direction moves, in GB/s, messages included.
    pub gb_per_s: f64,
    /// Bytes of a request without data, or of a response without data.
    pub header_bytes: u64,
    /// Bytes of a message with 64 bytes of data.
    pub data_bytes: u64,
    /// Requests of each direction under way between port and card, at least 1.
    pub queue: usize,
}

/// A checked CXL card.
#[derive(Clone, Debug, PartialEq)]
pub struct CxlConfig {
    /// The DRAM on the card.
    pub memory: DramConfig,
    latency: Picoseconds,
    header: Picoseconds,
    data: Picoseconds,
    queue: usize,
}

impl CxlLiteral {
    /// Checks the link, and the device on the card.
    ///
    /// # Errors
    /// - [`Error::Value`] for a link that cannot be, or a device that is no DRAM.
    /// - Those of the device's own file.
    pub fn check(&self, file: &str) -> Result<CxlConfig, Error> {
        let link = &self.link;
        let refuse = |key: &str, found: String, need: &str| Err(Error::value(file, key, found, need));
        if !(link.latency_ns >= 0.0 && link.latency_ns < 1e6) {
            return refuse("link.latency_ns", shown(link.latency_ns), "at least 0, less than 1e6");
        }
        // As links of sockets: a message takes so little time that simulated time does not wrap.
        if !(0.1..1e4).contains(&link.gb_per_s) {
            return refuse("link.gb_per_s", shown(link.gb_per_s), "at least 0.1, less than 1e4");
        }
        if !(1..=1024).contains(&link.header_bytes) {
            return refuse("link.header_bytes", link.header_bytes.to_string(), "1 to 1024");
        }
        if !(64..=1024).contains(&link.data_bytes) {
            return refuse("link.data_bytes", link.data_bytes.to_string(), "64 to 1024");
        }
        if !(1..=1 << 16).contains(&link.queue) {
            return refuse("link.queue", link.queue.to_string(), "1 to 65536");
        }
        let DeviceConfig::Dram(memory) = DeviceConfig::load(&self.device)? else {
            return refuse("device", self.device.clone(), "a device of kind dram");
        };
        let time = |bytes: u64| Picoseconds::from_ns(bytes as f64 / link.gb_per_s);
        Ok(CxlConfig {
            memory,
            latency: Picoseconds::from_ns(link.latency_ns),
            header: time(link.header_bytes),
            data: time(link.data_bytes),
            queue: link.queue,
        })
    }
}

impl CxlConfig {
    /// Requests of each direction under way between port and card.
    pub const fn queue(&self) -> usize {
        self.queue
    }

    /// Unloaded read from port to port, with the bank closed: down, DRAM, up.
    pub fn closed_latency(&self) -> Picoseconds {
        self.header + self.latency + self.memory.timing.closed_latency() + self.data + self.latency
    }

    /// The most that reads alone move over the link, in GB/s of data.
    pub fn read_gb_per_s(&self) -> f64 {
        64.0 / self.data.as_ns()
    }

    /// The most that equally many reads and writes move over the link, in GB/s of data, both directions together.
    pub fn mixed_gb_per_s(&self) -> f64 {
        128.0 / (self.header + self.data).as_ns()
    }
}

/// A CXL card as a device of the replay. Writes complete when the card's response is back.
#[derive(Debug)]
pub struct Cxl {
    config: CxlConfig,
    memory: Dram,
    /// Requests at the port by direction, in order of time.
    backlogs: [Arrivals<Request>; 2],
    /// Requests of each direction that hold a place in the queue.
    queued: [usize; 2],
    /// When each direction of the link is free.
    down_free: Picoseconds,
    up_free: Picoseconds,
    /// Direction of the request that went down last.
    started: Kind,
    /// Requests between port and card and back, by the number that the card's memory knows them by.
    under_way: Vec<Request>,
    free: Vec<usize>,
    /// Answers of the memory that have not gone up yet, by time.
    answers: BinaryHeap<Reverse<(Picoseconds, usize)>>,
    /// When requests whose answer is on the link leave the queue, by direction.
    leaving: [VecDeque<Picoseconds>; 2],
    counted: Counters,
    /// Kept for its memory.
    answered: Vec<Completion>,
}

impl Cxl {
    /// An idle card.
    pub fn new(config: &CxlConfig) -> Self {
        Self {
            config: config.clone(),
            memory: Dram::new(&config.memory),
            backlogs: [Arrivals::new(), Arrivals::new()],
            queued: [0; 2],
            down_free: Picoseconds::ZERO,
            up_free: Picoseconds::ZERO,
            started: Kind::Write,
            under_way: Vec::new(),
            free: Vec::new(),
            answers: BinaryHeap::new(),
            leaving: Default::default(),
            counted: Counters::default(),
            answered: Vec::new(),
        }
    }

    /// When the next request can start down the link, as far as is known, and its direction.
    fn next_start(&self) -> Option<(Picoseconds, Kind)> {
        let turns = match self.started {
            Kind::Read => [Kind::Write, Kind::Read],
            Kind::Write => [Kind::Read, Kind::Write],
        };
        let starts = turns.into_iter().filter_map(|kind| Some((self.next_start_of(kind)?, kind)));
        starts.min_by_key(|(start, _)| *start)
    }

    /// When the next request of a direction can start.
    fn next_start_of(&self, kind: Kind) -> Option<Picoseconds> {
        let arrival = Picoseconds(self.backlogs[kind as usize].first());
        if arrival == Picoseconds::NEVER {
            return None;
        }
        let start = arrival.max(self.down_free);
        if self.queued[kind as usize] < self.config.queue {
            return Some(start);
        }
        self.leaving[kind as usize].front().map(|leave| start.max(*leave))
    }

    fn start(&mut self, at: Picoseconds, kind: Kind) {
        let (leaving, queued) = (&mut self.leaving[kind as usize], &mut self.queued[kind as usize]);
        while leaving.front().is_some_and(|leave| *leave <= at) {
            leaving.pop_front();
            *queued -= 1;
        }
        let Some(request) = self.backlogs[kind as usize].pop() else { return };
        *queued += 1;
        let time = if request.kind == Kind::Read { self.config.header } else { self.config.data };
        self.down_free = at + time;
        self.started = kind;
        let number = self.free.pop().unwrap_or(self.under_way.len());
        if number == self.under_way.len() {
            self.under_way.push(request);
        } else {
            self.under_way[number] = request;
        }
        let arrival = at + time + self.config.latency;
        self.memory.push(Request { token: number as u64, at: arrival, ..request });
    }

    fn advance_memory(&mut self, until: Picoseconds) {
        let mut answered = std::mem::take(&mut self.answered);
        self.memory.advance(until, &mut answered);
        self.answers.extend(answered.drain(..).map(|answer| Reverse((answer.at, answer.token as usize))));
        self.answered = answered;
    }

    /// Sends an answer of the memory up the link.
    fn answer(&mut self, at: Picoseconds, number: usize, done: &mut Vec<Completion>) {
        let request = self.under_way[number];
        self.free.push(number);
        let time = if request.kind == Kind::Read { self.config.data } else { self.config.header };
        self.up_free = at.max(self.up_free) + time;
        let back = self.up_free + self.config.latency;
        self.leaving[request.kind as usize].push_back(back);
        match request.kind {
            Kind::Read => self.counted.read_bytes += 64,
            Kind::Write => self.counted.write_bytes += 64,
        }
        done.push(Completion { token: request.token, at: back });
    }
}

impl Device for Cxl {
    fn push(&mut self, request: Request) {
        self.backlogs[request.kind as usize].push(request.at.0, request);
    }

    fn next_event(&self) -> Option<Picoseconds> {
        let answer = self.answers.peek().map(|Reverse((at, _))| *at);
        let start = self.next_start().map(|(at, _)| at);
        [start, self.memory.next_event(), answer].into_iter().flatten().min()
    }

    fn advance(&mut self, until: Picoseconds, done: &mut Vec<Completion>) {
        while let Some(at) = self.next_event().filter(|at| *at <= until) {
            self.advance_memory(at);
            while let Some(&Reverse((ready, number))) =
                self.answers.peek().filter(|Reverse((ready, _))| *ready <= at)
            {
                self.answers.pop();
                self.answer(ready, number, done);
            }
            if let Some((_, kind)) = self.next_start().filter(|(start, _)| *start <= at) {
                self.start(at, kind);
            }
        }
        if until != Picoseconds::NEVER {
            self.advance_memory(until);
        }
    }

    fn counters(&self) -> Counters {
        let Counters { read_bytes, write_bytes, .. } = self.counted;
        Counters { read_bytes, write_bytes, ..self.memory.counters() }
    }
}
