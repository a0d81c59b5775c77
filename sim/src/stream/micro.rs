//! Short runs of the line model that tell how a tier behaves: the source of every
//! [`TierBehaviour`](super::behaviour::TierBehaviour).
//!
//! Some cores of one socket each walk through 4 KiB pages drawn at random from the tier, reading lines and, for
//! mixes, writing others past the caches, through the very cores, prefetchers, controllers and devices that line
//! fidelity uses. Throughput and time per line come out.

use hetier_traces::seeded;

use crate::machine::{Activity, Issue, Layout, Line, Machine, MachineSettings, Port, Workload};
use crate::mode::{self, ModeSettings};
use crate::system::System;
use crate::{Error, Picoseconds};

/// Lines of a page.
const PAGE_LINES: u64 = 64;

/// Of each page sequence of this many lines, how many are read is the mix.
const MIX_PERIOD: u64 = 4;

/// A short run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Micro<'s> {
    /// Memory mode.
    pub mode: &'s str,
    /// Position of the tier that lines are in.
    pub tier: usize,
    /// Cores at work.
    pub threads: usize,
    /// Of four lines, how many are read; the others are written.
    pub reads_of_four: u64,
    /// Lines of each core.
    pub lines: u64,
    /// Whether the lines' home is the next socket.
    pub is_remote: bool,
    /// Whether the prefetcher is on.
    pub prefetches: bool,
}

/// What a short run measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Simulated time.
    pub time: Picoseconds,
    /// Lines moved.
    pub lines: u64,
    /// Mean latency of demand reads, picoseconds; 0 without any.
    pub latency_ps: u64,
    /// Bytes read and written at the tier's interface, then at its media.
    pub interface: [u64; 2],
    /// Media bytes.
    pub media: [u64; 2],
    /// Requests served by a row or buffer.
    pub hits: [u64; 2],
}

impl Measured {
    /// Femtoseconds per line of all cores together.
    pub fn line_fs(&self) -> u64 {
        (u128::from(self.time.0) * 1000 / u128::from(self.lines.max(1))) as u64
    }
}

struct Threads {
    micro: Micro<'static>,
    at: Vec<u64>,
    home: usize,
    pages: u64,
}

impl Workload for Threads {
    fn run(&mut self, port: &mut Port<'_>, until: Picoseconds) -> Result<Activity, Error> {
        let core = port.core();
        while port.clock() <= until {
            let at = self.at[core];
            if at >= self.micro.lines {
                // The stores and loads under way belong to the measured time.
                return Ok(match (port.settle(), port.fence()) {
                    (Issue::Done, Issue::Done) => Activity::Finished,
                    _ => Activity::Blocked,
                });
            }
            let line = self.line(core, at);
            let issue = if at % MIX_PERIOD < self.micro.reads_of_four {
                port.load(line, 0)
            } else {
                port.store_non_temporal(line, 0)
            };
            if issue == Issue::Blocked {
                return Ok(Activity::Blocked);
            }
            self.at[core] += 1;
        }
        Ok(Activity::Ready)
    }
}

impl Threads {
    /// Reads and writes go to pages of their own, each in ascending lines.
    fn line(&self, core: usize, at: u64) -> u64 {
        let is_read = at % MIX_PERIOD < self.micro.reads_of_four;
        let each = if is_read { self.micro.reads_of_four } else { MIX_PERIOD - self.micro.reads_of_four };
        let place = at % MIX_PERIOD - if is_read { 0 } else { self.micro.reads_of_four };
        let number = at / MIX_PERIOD * each + place;
        let draw = (core as u64) << 33 | u64::from(is_read) << 32 | (number / PAGE_LINES);
        let page = seeded::draw_below(0x6d69_6372_6f00, draw, self.pages);
        Line { tier: self.micro.tier, socket: self.home, local: page * PAGE_LINES + number % PAGE_LINES }.pack()
    }
}

/// Runs a short run.
///
/// # Errors
/// Those of the device files and the mode.
pub fn measure(system: &System, micro: &Micro<'_>) -> Result<Measured, Error> {
    let layout = Layout::new(system);
    let mode = mode::build(micro.mode, system, &layout, &ModeSettings::default())?;
    let sockets = vec![0; micro.threads];
    let settings = MachineSettings { sockets: &sockets, prefetches: micro.prefetches, has_huge_pages: false };
    let mut machine = Machine::new(system, &settings, mode)?;
    let home = usize::from(micro.is_remote && system.sockets > 1);
    let pages = (system.tiers[micro.tier].socket_bytes() / (PAGE_LINES * 64)).max(1);
    let mut threads = Threads {
        micro: Micro { mode: "", ..*micro },
        at: vec![0; micro.threads],
        home,
        pages,
    };
    machine.run(&mut threads)?;
    let time = machine.cores.iter().map(|core| core.clock).max().unwrap_or_default();
    let counters = machine.memory.counters(micro.tier);
    let traffic = machine.memory.traffic().total(micro.tier);
    let latency = machine.memory.latency().summary();
    Ok(Measured {
        time,
        lines: micro.lines * micro.threads as u64,
        latency_ps: latency.map_or(0, |latency| (latency.mean * 1e3) as u64),
        interface: [traffic.read_bytes, traffic.write_bytes],
        media: [counters.media_read_bytes, counters.media_write_bytes],
        hits: [counters.buffer_hits_read, counters.buffer_hits_write],
    })
}

