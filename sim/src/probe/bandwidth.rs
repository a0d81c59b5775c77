//! Bandwidth of many threads, each with as much in flight as a core can have: the mean over draws of where they begin.

use serde::{Deserialize, Serialize};

use super::draws::{self, DrawSpread};
use super::engine::{Channels, Engine};
use super::memory::{Memory, Scope, find_tier};
use super::options::{Mix, Operation, Order, Pin};
use super::program::Program;
use super::thread::Thread;
use super::walk::{Draw, Walk};
use super::{SCHEMA, check_region, issue_time, refused, whole_lines};
use crate::machine::Steady;
use crate::size::Size;
use crate::{Error, Picoseconds, System};

/// Lines done before the measurement, per channel: enough to fill every buffer of a DIMM several times over.
const WARM_LINES: u64 = 20_000;
/// Lines measured in each draw, per channel. Stores of all draws to one DIMM are eight of its wear-levelling moves.
const MEASURED_LINES: u64 = 80_000;
/// Most lines measured in each draw, so that probes of many channels stay quick. A draw that stores little to each of many
/// DIMMs meets a move of some; that all draws together meet neither more nor fewer than a long run is seen to by where
/// DIMMs begin to count.
const MOST_LINES: u64 = 300_000;

/// What to measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BandwidthProbe {
    /// Name of the tier.
    pub tier: String,
    /// What is done to lines; with loads, the stores of a mix are non-temporal.
    pub operation: Operation,
    /// Bytes loaded to bytes stored; without it, the operation alone.
    pub mix: Option<Mix>,
    /// Bytes of a block, a multiple of 64; ascending inside.
    pub access_bytes: u64,
    /// Threads, at most the cores; they fill one socket after the other.
    pub threads: usize,
    /// Order of the blocks.
    pub order: Order,
    /// Bytes that the threads of a socket walk over, at least one block a thread.
    pub region_bytes: u64,
    /// Channels used of each socket; all if not given.
    pub dimms: Option<usize>,
    /// Bytes stored between fences; never fenced if not given.
    pub fence_bytes: Option<u64>,
    /// Where the memory of a thread lies.
    pub pin: Pin,
    /// Whether threads use the memory of the other socket.
    pub is_remote: bool,
    /// Hardware prefetch; as in the system file if not given.
    pub prefetch: Option<bool>,
    /// Power budget of the DIMMs; as in the device file if not given.
    pub power_w: Option<f64>,
}

impl BandwidthProbe {
    /// Random 256-byte loads of one thread over 1 GiB of a tier, as a base for other probes.
    pub fn new(tier: &str) -> Self {
        Self {
            tier: tier.to_owned(),
            operation: Operation::Load,
            mix: None,
            access_bytes: 256,
            threads: 1,
            order: Order::Random,
            region_bytes: 1 << 30,
            dimms: None,
            fence_bytes: None,
            pin: Pin::None,
            is_remote: false,
            prefetch: None,
            power_w: None,
        }
    }

    /// Checks the options against each other and the system, without measuring.
    ///
    /// # Errors
    /// - As [`bandwidth`].
    pub fn check(&self, system: &System) -> Result<(), Error> {
        lay_out(system, self, 0).map(drop)
    }

    /// Loads to stores, and how stores are done.
    pub(super) fn resolved_mix(&self) -> (Mix, Operation) {
        let alone = if self.operation == Operation::Load { Mix::READS } else { Mix::WRITES };
        let store = if self.operation == Operation::Load { Operation::Ntstore } else { self.operation };
        (self.mix.unwrap_or(alone), store)
    }
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BandwidthReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the system.
    pub system: String,
    /// What was asked for.
    pub probe: BandwidthProbe,
    /// Whether hardware prefetch was on: as asked for, or as in the system file.
    pub prefetches: bool,
    /// User data loaded and stored, 10⁹ bytes a second, of all draws in the time of all. What is read for ownership does
    /// not count.
    pub gb_per_s: f64,
    /// How far apart the draws are.
    pub spread: DrawSpread,
    /// Bytes stored ÷ bytes that the media wrote; absent if either is none.
    pub write_efficiency: Option<f64>,
    /// Bytes loaded ÷ bytes that the media read; absent if either is none.
    pub read_efficiency: Option<f64>,
}

/// Measures bandwidth, draws on as many host cores as there are. Deterministic: the result does not depend on their
/// number.
///
/// # Errors
/// - [`Error::Value`] for options that do not fit each other or the system.
/// - Those of loading the tier's device.
pub fn bandwidth(system: &System, probe: &BandwidthProbe) -> Result<BandwidthReport, Error> {
    let draws = draws::each(|draw| measure(system, probe, draw))?;
    let rates: Vec<f64> = draws.iter().map(Measured::gb_per_s).collect();
    let sum = |of: fn(&Measured) -> u64| draws.iter().map(of).sum::<u64>();
    let seconds = draws.iter().map(|draw| draw.seconds).sum::<f64>();
    let share = |bytes: u64, media: u64| (bytes > 0 && media > 0).then(|| bytes as f64 / media as f64);
    Ok(BandwidthReport {
        schema: SCHEMA.to_owned(),
        system: system.name.clone(),
        probe: probe.clone(),
        prefetches: prefetches(system, probe),
        gb_per_s: sum(|draw| draw.loaded + draw.stored) as f64 * 64.0 / seconds / 1e9,
        spread: DrawSpread::of(&rates),
        write_efficiency: share(sum(|draw| draw.stored * 64), sum(|draw| draw.media_write_bytes)),
        read_efficiency: share(sum(|draw| draw.loaded * 64), sum(|draw| draw.media_read_bytes)),
    })
}

/// What one draw did in its measurement.
struct Measured {
    loaded: u64,
    stored: u64,
    media_read_bytes: u64,
    media_write_bytes: u64,
    seconds: f64,
}

impl Measured {
    fn gb_per_s(&self) -> f64 {
        ((self.loaded + self.stored) * 64) as f64 / self.seconds / 1e9
    }
}

fn measure(system: &System, probe: &BandwidthProbe, draw: u64) -> Result<Measured, Error> {
    let mut engine = build(system, probe, draw)?;
    let channels = (engine.memory().dimms() * sockets(system, probe)) as u64;
    // A block of each thread, or as much of it as fills a DIMM's buffers.
    let block_lines = (probe.access_bytes / 64).min(WARM_LINES);
    let warm = WARM_LINES * channels + block_lines * probe.threads as u64;
    let measured = (MEASURED_LINES * channels).min(MOST_LINES);
    let begin = run(&mut engine, warm);
    let before = engine.memory().counters();
    let end = run(&mut engine, measured);
    let after = engine.memory().counters();
    Ok(Measured {
        loaded: end.loaded,
        stored: end.stored,
        media_read_bytes: after.media_read_bytes - before.media_read_bytes,
        media_write_bytes: after.media_write_bytes - before.media_write_bytes,
        seconds: end.last.saturating_sub(begin.last).as_seconds(),
    })
}

/// Lines done, and when the last was.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    loaded: u64,
    stored: u64,
    last: Picoseconds,
}

/// Runs until `lines` more lines are done.
fn run(engine: &mut Engine, lines: u64) -> Progress {
    let mut progress = Progress::default();
    let mut is_running = true;
    while is_running && progress.loaded + progress.stored < lines {
        is_running = engine.window(|done| {
            progress.loaded += u64::from(!done.is_store);
            progress.stored += u64::from(done.is_store);
            progress.last = progress.last.max(done.at);
        });
    }
    progress
}

/// Sockets that the threads need.
fn sockets(system: &System, probe: &BandwidthProbe) -> usize {
    probe.threads.div_ceil(system.cores_per_socket)
}

/// Builds idle memory and the threads of a draw.
fn build(system: &System, probe: &BandwidthProbe, draw: u64) -> Result<Engine, Error> {
    let (memory, parts) = lay_out(system, probe, draw)?;
    let sockets = sockets(system, probe);
    let threads = (0..probe.threads).map(|index| {
        let seed = draw << 32 | index as u64;
        let program = parts.program(system, probe, index % system.cores_per_socket, seed);
        let sharers = probe.threads.div_ceil(sockets);
        let mut thread = Thread::new(system, program, prefetches(system, probe), sharers, seed);
        thread.warm_cache();
        (thread.starting(Picoseconds(index as u64 * 100)), parts.channels(system, index))
    });
    let threads = threads.collect();
    Ok(Engine::new(memory, threads, steady(probe)))
}

/// How lines were used: those of a random order all alike, those of others in halves that are loaded or stored.
fn steady(probe: &BandwidthProbe) -> Steady {
    match probe.order {
        Order::Random => probe.resolved_mix().0.on_shared_lines(),
        Order::Sequential | Order::Stride(_) => Steady::Apart,
    }
}

/// The memory, and what each thread has of it.
fn lay_out(system: &System, probe: &BandwidthProbe, draw: u64) -> Result<(Memory, Parts), Error> {
    check(system, probe)?;
    let memory = Memory::new(system, scope(probe, sockets(system, probe), draw))?;
    let parts = Parts::new(system, probe, &memory)?;
    Ok((memory, parts))
}

fn prefetches(system: &System, probe: &BandwidthProbe) -> bool {
    probe.prefetch.unwrap_or(system.prefetch.enabled)
}

const fn scope(probe: &BandwidthProbe, sockets: usize, draw: u64) -> Scope<'_> {
    Scope {
        tier: probe.tier.as_str(),
        sockets,
        dimms: probe.dimms,
        is_remote: probe.is_remote,
        has_home_thread: false,
        power_w: probe.power_w,
        draw: Some(draw),
    }
}

/// Whether anything is read, for loads or for ownership.
fn reads_lines(probe: &BandwidthProbe) -> bool {
    let (mix, store) = probe.resolved_mix();
    mix.reads > 0 || store != Operation::Ntstore
}

fn check(system: &System, probe: &BandwidthProbe) -> Result<(), Error> {
    find_tier(system, &probe.tier)?;
    if probe.threads == 0 || probe.threads > system.cores() {
        return Err(refused(system, "--threads", probe.threads, format!("1 to {}", system.cores())));
    }
    if let Order::Stride(stride) = probe.order
        && whole_lines("--order", stride)? < probe.access_bytes / 64
    {
        let need = format!("a stride of at least --access, {}", probe.access_bytes);
        return Err(Error::value("probe", "--order", stride, need));
    }
    if probe.fence_bytes.is_some() && probe.resolved_mix().0.writes == 0 {
        return Err(Error::value("probe", "--fence-every", "loads alone", "stores, by --op or --mix"));
    }
    if probe.prefetch.is_some() && !reads_lines(probe) {
        let need = "loads, or stores by --op clwb or store";
        return Err(Error::value("probe", "--prefetch", "ntstore alone", need));
    }
    whole_lines("--access", probe.access_bytes)?;
    whole_lines("--region", probe.region_bytes)?;
    probe.fence_bytes.map_or(Ok(1), |bytes| whole_lines("--fence-every", bytes)).map(|_| ())
}

/// How the region is dealt to the threads of a socket.
struct Parts {
    /// Channels of a socket, and of one thread.
    dimms: usize,
    group: usize,
    /// Blocks of the region that a thread may draw from, and of its own part.
    region_blocks: u64,
    part_blocks: u64,
    /// Threads that share the region.
    sharers: u64,
    spacing_lines: u64,
}

impl Parts {
    fn new(system: &System, probe: &BandwidthProbe, memory: &Memory) -> Result<Self, Error> {
        let dimms = memory.dimms();
        let group = match probe.pin {
            Pin::None => dimms,
            Pin::Dimm => 1,
            Pin::Controller => dimms.div_ceil(system.controllers_per_socket),
        };
        let groups = dimms.div_ceil(group) as u64;
        let spacing_lines = match probe.order {
            Order::Stride(stride) => stride / 64,
            Order::Sequential | Order::Random => probe.access_bytes / 64,
        };
        // The region lies on all channels; a pinned thread has the share of its own.
        let region_blocks = probe.region_bytes / 64 / groups / spacing_lines;
        // Threads in random order share all blocks; others have a part each.
        let sharers = match probe.order {
            Order::Random => 1,
            _ => (probe.threads.min(system.cores_per_socket) as u64).div_ceil(groups),
        };
        let part_blocks = region_blocks / sharers;
        check_region(system, probe.region_bytes, memory)?;
        if part_blocks == 0 {
            let [region, least] = [probe.region_bytes, spacing_lines * 64 * sharers * groups].map(Size);
            let block = Size(spacing_lines * 64);
            let need =
                format!("a --region of at least {least} (found {region}): a block for each part of it");
            let flag = if matches!(probe.order, Order::Stride(_)) { "--order" } else { "--access" };
            return Err(refused(system, flag, block, need));
        }
        Ok(Self { dimms, group, region_blocks, part_blocks, sharers, spacing_lines })
    }

    /// The channels of a thread: those of its group, on its socket.
    fn channels(&self, system: &System, index: usize) -> Channels {
        let socket = index / system.cores_per_socket;
        let groups = self.dimms.div_ceil(self.group);
        let first = index % groups * self.group;
        Channels {
            first: socket * self.dimms + first,
            count: self.group.min(self.dimms - first),
            is_home: false,
        }
    }

    /// The program of the `place`-th thread of a socket.
    fn program(&self, system: &System, probe: &BandwidthProbe, place: usize, seed: u64) -> Program {
        let mut draw = Draw::new(seed + 1);
        let groups = self.dimms.div_ceil(self.group) as u64;
        let walk = match probe.order {
            Order::Random => Walk::Drawn { count: self.region_blocks, draw },
            // Threads drift apart on a real machine: each begins somewhere in its part.
            Order::Sequential | Order::Stride(_) => Walk::Ascending {
                origin: (place as u64 / groups % self.sharers) * self.part_blocks,
                count: self.part_blocks,
                next: draw.below(self.part_blocks),
            },
        };
        let (mix, store) = probe.resolved_mix();
        let mut program = Program::new(walk, probe.access_bytes / 64, store, mix);
        program.spacing_lines = self.spacing_lines;
        program.fence_lines = probe.fence_bytes.map_or(0, |bytes| bytes / 64);
        program.gap = issue_time(system);
        program
    }
}
