//! Short runs of the line model that tell how a tier behaves: the source of every
//! [`TierBehaviour`](super::TierBehaviour).
//!
//! Some cores of one socket each walk through 4 KiB pages of their own, scattered over the tier, through the very
//! cores, caches, prefetchers, controllers and devices that line fidelity uses. A page comes back only when all of the
//! footprint was walked through: drawn at random instead, pages that are still cached in part would be asked for and
//! written back in pieces, and PMem would lose a third of its bandwidth to that in footprints of a few megabytes. What
//! is written is written back by the last level in its own order, as in a replay, because that order decides what a
//! PMem DIMM can combine; so the caches are filled by the same walk first, without time. What counts is the run from
//! half of all lines until the first core is done. Throughput and time per line come out. A core walks through one page to
//! load from and one to store to, or through several in turn, as the lanes of a sweep do.

use hetier_traces::{LINE_BYTES, seeded};

use crate::cache::{FirstLevel, Intent, Word};
use crate::core::{Source, State};
use crate::device::Counters;
use crate::device::literal::DeviceConfig;
use crate::machine::{
    Activity, Histogram, Issue, Layout, Line, Machine, MachineSettings, Memory, Port, Workload,
};
use crate::mode::{self, ModeSettings};
use crate::result::Traffic;
use crate::stream::memory::near::PAGE_LINES;
use crate::system::System;
use crate::{Error, Picoseconds};

/// Lines of the sequence that a mix repeats.
pub const MIX_PERIOD: u64 = 6;

/// Shares of the reads below whose latencies [`Measured::quantiles_ps`] lies.
pub const QUANTILES: [f64; 12] = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0];

/// Footprints up to this many pages (64 MiB) are touched before the run, because buffers in DIMMs hold them.
const WARM_PAGES: u64 = 1 << 14;

/// Footprints are this many times the caches at least, so that a page has left them when it comes back.
const FOOTPRINT_CACHES: u64 = 2;

/// What a short run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// Loads, and so many stores in six, which fetch their line and write it back later.
    Stores(u64),
    /// Non-temporal stores alone.
    NonTemporal,
}

impl Mix {
    /// Loads among [`MIX_PERIOD`] accesses.
    const fn loads(self) -> u64 {
        match self {
            Self::Stores(stores) => MIX_PERIOD - stores,
            Self::NonTemporal => 0,
        }
    }
}

/// A short run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Micro<'s> {
    /// Memory mode.
    pub mode: &'s str,
    /// Position of the tier that lines are in.
    pub tier: usize,
    /// The same of lines that are stored to through the caches.
    pub stored_tier: usize,
    /// Cores at work.
    pub threads: usize,
    /// Pages that each of them walks through at once, at least 1; where some are loaded from and some stored to, half each.
    pub lanes: u64,
    /// What they do.
    pub mix: Mix,
    /// Lines of each core.
    pub lines: u64,
    /// Bytes over which the run's pages are spread, on all channels of a socket.
    pub footprint_bytes: u64,
    /// Whether the lines' home is the next socket.
    pub is_remote: bool,
    /// Whether the prefetcher is on.
    pub prefetches: bool,
    /// Bytes of near memory, in Memory Mode; `None` for all of its tier.
    pub near_bytes: Option<u64>,
}

/// What a short run measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Simulated time of the part that counts.
    pub time: Picoseconds,
    /// Lines asked for in it.
    pub lines: u64,
    /// Mean latency of demand reads, picoseconds; `None` if all lines were prefetched.
    pub latency_ps: Option<u64>,
    /// Latencies below which the shares [`QUANTILES`] of them lie.
    pub quantiles_ps: [u64; QUANTILES.len()],
    /// Demand reads for a million lines that were loaded: those that the prefetcher fetched before are none.
    pub waited_ppm: u64,
    /// Bytes read and written at the tier's interface in that part.
    pub interface: [u64; 2],
    /// The same from the start of that part until all stores are with the device, as are those that follow.
    pub whole: [u64; 2],
    /// Media bytes.
    pub media: [u64; 2],
    /// Requests served by a row or buffer.
    pub hits: [u64; 2],
}

impl Measured {
    /// Femtoseconds per line asked for, all cores together.
    pub fn line_fs(&self) -> u64 {
        (u128::from(self.time.0) * 1000 / u128::from(self.lines.max(1))) as u64
    }

    /// Femtoseconds per line that crossed the tier's interface.
    pub fn interface_fs(&self) -> u64 {
        let lines = (self.interface[0] + self.interface[1]) / LINE_BYTES;
        (u128::from(self.time.0) * 1000 / u128::from(lines.max(1))) as u64
    }

    /// Reads among those lines, in [0, 1]; of six decimals, which survive the way through a file unchanged.
    pub fn read_share(&self) -> f64 {
        let [reads, writes] = self.interface;
        (reads as f64 / (reads + writes).max(1) as f64 * 1e6).round() / 1e6
    }
}

/// How far a run was at an instant.
#[derive(Clone, Debug, Default)]
struct Mark {
    at: Picoseconds,
    lines: u64,
    traffic: Traffic,
    counters: Counters,
    /// Latencies of demand reads.
    reads: Histogram,
}

/// One line of each page, loaded by core 0.
struct Warm {
    lines: Vec<u64>,
}

impl Workload for Warm {
    fn run(&mut self, port: &mut Port<'_>, until: Picoseconds) -> Result<Activity, Error> {
        while port.core() == 0 && port.clock() <= until {
            let Some(line) = self.lines.last() else { break };
            if port.load(*line, 0) == Issue::Blocked {
                return Ok(Activity::Blocked);
            }
            self.lines.pop();
        }
        Ok(if port.core() == 0 && !self.lines.is_empty() { Activity::Ready } else { Activity::Finished })
    }
}

struct Threads {
    micro: Micro<'static>,
    at: Vec<u64>,
    /// Where the walk with time starts.
    first: u64,
    /// Lines of all cores so far.
    total: u64,
    /// At half of all lines, and when the first core was done.
    half: Option<Mark>,
    end: Option<Mark>,
    home: usize,
    /// Pages of the socket's part of the tier, and how many of them, anywhere, are used.
    pages: u64,
    used: u64,
}

impl Workload for Threads {
    fn run(&mut self, port: &mut Port<'_>, until: Picoseconds) -> Result<Activity, Error> {
        let core = port.core();
        while port.clock() <= until {
            let at = self.at[core];
            if at - self.first >= self.micro.lines {
                if self.end.is_none() {
                    self.end = Some(self.mark(port));
                }
                // The stores and loads under way belong to the measured time.
                return Ok(match (port.settle(), port.fence()) {
                    (Issue::Done, Issue::Done) => Activity::Finished,
                    _ => Activity::Blocked,
                });
            }
            if self.half.is_none() && self.total * 2 >= self.micro.lines * self.micro.threads as u64 {
                self.half = Some(self.mark(port));
            }
            let line = self.line(core, at);
            let issue = match self.micro.mix {
                Mix::NonTemporal => port.store_non_temporal(line, 0),
                Mix::Stores(stores) if is_store(at, stores) => port.store(line, 0),
                Mix::Stores(_) => port.load(line, 0),
            };
            if issue == Issue::Blocked {
                return Ok(Activity::Blocked);
            }
            self.at[core] += 1;
            self.total += 1;
        }
        Ok(Activity::Ready)
    }
}

impl Threads {
    fn mark(&self, port: &mut Port<'_>) -> Mark {
        Mark { at: port.clock(), lines: self.total, ..self.mark_memory(&port.machine().memory) }
    }

    fn mark_memory(&self, memory: &Memory) -> Mark {
        Mark {
            traffic: memory.traffic().total(self.micro.tier),
            counters: memory.counters(self.micro.tier),
            reads: memory.latency().clone(),
            ..Mark::default()
        }
    }

    /// Place of a page of the footprint, which is walked through again and again, among all of the tier's.
    fn page(&self, number: u64) -> u64 {
        seeded::draw_below(0x7061_6765, number % self.used, self.pages)
    }

    /// Loads and stores go to pages of their own, each in ascending lines.
    fn line(&self, core: usize, at: u64) -> u64 {
        let stores = match self.micro.mix {
            Mix::Stores(stores) => stores,
            Mix::NonTemporal => 0,
        };
        let is_store = is_store(at, stores);
        let before = stores_before(at, stores);
        let number = if is_store { before } else { at - before };
        // Every walk has each so many-th page of the footprint for itself, and has some of them in turn.
        let (walks, walk, lanes) = match stores {
            1..MIX_PERIOD => (2, u64::from(is_store), (self.micro.lanes / 2).max(1)),
            _ => (1, 0, self.micro.lanes),
        };
        let (lane, line) = (number % lanes, number / lanes);
        let cores = self.at.len() as u64;
        let nth = line / PAGE_LINES * lanes + lane;
        let page = self.page((nth * walks + walk) * cores + core as u64);
        let tier = if is_store { self.micro.stored_tier } else { self.micro.tier };
        self.pack(tier, page * PAGE_LINES + line % PAGE_LINES)
    }

    fn pack(&self, tier: usize, local: u64) -> u64 {
        Line { tier, socket: self.home, local }.pack()
    }
}

/// Stores among the accesses before number `at`: evenly spread, as in a sweep that loads and stores by turns.
const fn stores_before(at: u64, stores: u64) -> u64 {
    at * stores / MIX_PERIOD
}

/// Whether access number `at` stores.
const fn is_store(at: u64, stores: u64) -> bool {
    stores_before(at + 1, stores) > stores_before(at, stores)
}

/// Bytes of the caches that a walk of so many cores fills.
fn cache_bytes(system: &System, cores: usize) -> u64 {
    system.l3.capacity_bytes() + cores as u64 * system.l2.capacity_bytes()
}

/// Loads a line of every page, and lets all cores start together when that is done.
fn warm(machine: &mut Machine, threads: &Threads) -> Result<(), Error> {
    let lines =
        (0..threads.used).map(|number| threads.pack(threads.micro.tier, threads.page(number) * PAGE_LINES));
    machine.run(&mut Warm { lines: lines.collect() })?;
    let start = machine.cores[0].clock;
    for core in &mut machine.cores {
        core.wait_until(start, Source::IDLE);
        core.state = State::Ready;
    }
    Ok(())
}

/// Walks on without time until the caches are full of what the walk leaves.
fn fill(machine: &mut Machine, threads: &mut Threads, system: &System) {
    let Mix::Stores(stores @ 1..) = threads.micro.mix else { return };
    let cores = threads.at.len();
    // More than they hold, because sets fill unevenly.
    let each = cache_bytes(system, cores) / LINE_BYTES * 2 / cores as u64;
    // What has left the private caches before the walk starts need not pass through them.
    let first = each.saturating_sub(system.l2.capacity_bytes() / LINE_BYTES * 3 / 2);
    let mut leaving = Vec::new();
    for at in 0..each {
        for core in 0..cores {
            let intent = if is_store(at, stores) { Intent::Store } else { Intent::Load };
            let line = threads.line(core, at);
            if at < first {
                let word = Word::new(line, 0).with_dirty(intent == Intent::Store);
                machine.caches.give_up(core, word, &mut leaving);
                leaving.clear();
                continue;
            }
            match machine.caches.try_l1(core, line, intent) {
                FirstLevel::Hit => {}
                first => drop(machine.caches.access(core, line, 0, intent, first, &mut leaving)),
            }
            leaving.clear();
        }
    }
    threads.at.fill(each);
    threads.first = each;
}

/// Runs a short run.
///
/// # Errors
/// Those of the device files and the mode.
pub fn measure(system: &System, micro: &Micro<'_>) -> Result<Measured, Error> {
    let layout = Layout::new(system);
    let mode_settings = ModeSettings { near_bytes: micro.near_bytes, ..ModeSettings::default() };
    let mode = mode::build(micro.mode, system, &layout, &mode_settings)?;
    let sockets = vec![0; micro.threads];
    let settings = MachineSettings { sockets: &sockets, prefetches: micro.prefetches, has_huge_pages: false };
    let devices = system.tiers.iter().map(|tier| DeviceConfig::load(&tier.device));
    let devices = devices.map(|device| Ok(device?.with_even_wear())).collect::<Result<Vec<_>, Error>>()?;
    let mut machine = Machine::with_devices(system, &settings, mode, &mut |tier| Ok(devices[tier].build()))?;
    let home = usize::from(micro.is_remote && system.sockets > 1);
    let socket_bytes = [micro.tier, micro.stored_tier].map(|tier| system.tiers[tier].socket_bytes());
    let pages = (socket_bytes[0].min(socket_bytes[1]) / (PAGE_LINES * LINE_BYTES)).max(1);
    let bytes = micro.footprint_bytes.max(FOOTPRINT_CACHES * cache_bytes(system, micro.threads));
    let used = (bytes / (PAGE_LINES * LINE_BYTES)).clamp(1, pages);
    let mut threads = Threads {
        micro: Micro { mode: "", ..*micro },
        at: vec![0; micro.threads],
        first: 0,
        total: 0,
        half: None,
        end: None,
        home,
        pages,
        used,
    };
    // More would not stay in any buffer.
    if used <= WARM_PAGES {
        warm(&mut machine, &threads)?;
    }
    fill(&mut machine, &mut threads, system);
    machine.run(&mut threads)?;
    let (half, end) = (threads.half.take().unwrap_or_default(), threads.end.take().unwrap_or_default());
    let last = Mark { lines: threads.total, ..threads.mark_memory(&machine.memory) };
    let (before, after) = (half.counters, last.counters);
    let reads = last.reads.since(&half.reads);
    let quantile = |share| (reads.quantile_ns(share).unwrap_or(0.0) * 1e3) as u64;
    let loaded = (last.lines - half.lines.min(last.lines)) * threads.micro.mix.loads() / MIX_PERIOD;
    Ok(Measured {
        time: end.at.saturating_sub(half.at),
        lines: end.lines - half.lines.min(end.lines),
        latency_ps: reads.mean_ps(),
        quantiles_ps: QUANTILES.map(quantile),
        waited_ppm: (reads.count() * 1_000_000).checked_div(loaded).map_or(0, |ppm| ppm.min(1_000_000)),
        interface: [
            end.traffic.read_bytes.saturating_sub(half.traffic.read_bytes),
            end.traffic.write_bytes.saturating_sub(half.traffic.write_bytes),
        ],
        whole: [
            last.traffic.read_bytes - half.traffic.read_bytes,
            last.traffic.write_bytes - half.traffic.write_bytes,
        ],
        media: [
            after.media_read_bytes - before.media_read_bytes,
            after.media_write_bytes - before.media_write_bytes,
        ],
        hits: [
            after.buffer_hits_read - before.buffer_hits_read,
            after.buffer_hits_write - before.buffer_hits_write,
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micro(mode: &'static str, tier: usize, mix: Mix) -> Micro<'static> {
        let footprint_bytes = 1 << 30;
        Micro {
            mode,
            tier,
            stored_tier: tier,
            threads: 4,
            lanes: 1,
            mix,
            lines: 2304,
            footprint_bytes,
            is_remote: false,
            prefetches: false,
            near_bytes: None,
        }
    }

    #[test]
    fn reading_streams_come_near_the_peak_of_the_channel_and_stay_below() {
        // One channel of DDR4-2666 moves 8 bytes at 2,666 MT/s: 64 bytes in 3.0 ns.
        let system = System::load("optane-slice").unwrap();
        let measured = measure(&system, &micro("dram-only", 0, Mix::Stores(0))).unwrap();

        let line_ns = measured.line_fs() as f64 / 1e6;
        assert!((3.0..4.5).contains(&line_ns), "{line_ns}");
    }

    #[test]
    fn small_footprints_have_the_bandwidth_of_large_ones_beyond_every_buffer() {
        // Latency differs by the DIMM's translation buffer, which covers 16 MB; what the media serve does not.
        let system = System::load("optane-slice").unwrap();
        let interface_fs = |footprint_bytes| {
            let micro = Micro { footprint_bytes, ..micro("pmem-only", 1, Mix::Stores(3)) };
            measure(&system, &micro).unwrap().interface_fs() as f64
        };

        let ratio = interface_fs(1 << 25) / interface_fs(1 << 30);
        assert!((0.95..1.05).contains(&ratio), "{ratio}");
    }

    #[test]
    fn pmem_combines_less_of_what_many_lanes_store_in_turn() {
        let system = System::load("optane-slice").unwrap();
        let media_share = |lanes| {
            let run = measure(&system, &Micro { lanes, ..micro("pmem-only", 1, Mix::NonTemporal) }).unwrap();
            run.media[1] as f64 / run.whole[1] as f64
        };

        // Eight lanes of four cores are 32 groups of lines for the 16 whole ones that the queue of a DIMM has room for.
        assert!(media_share(1) < 1.2);
        assert!(media_share(8) > 1.5);
    }

    #[test]
    fn stores_through_the_caches_write_what_they_fetch() {
        let system = System::load("optane-slice").unwrap();
        let measured = measure(&system, &micro("dram-only", 0, Mix::Stores(6))).unwrap();

        let [reads, writes] = measured.whole.map(|bytes| bytes as f64);
        assert!((0.9..1.1).contains(&(writes / reads)), "{reads} {writes}");
    }

    #[test]
    fn pmem_is_slower_than_dram_and_slower_still_with_writes() {
        let system = System::load("optane-slice").unwrap();
        let line_fs = |mode, tier, mix| measure(&system, &micro(mode, tier, mix)).unwrap().line_fs();

        let reads = line_fs("pmem-only", 1, Mix::Stores(0));
        assert!(reads > line_fs("dram-only", 0, Mix::Stores(0)));
        assert!(line_fs("pmem-only", 1, Mix::Stores(6)) > 2 * reads);
    }
}
