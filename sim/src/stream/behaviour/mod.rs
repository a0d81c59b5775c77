//! Bandwidth and latency of a tier over load and mix: what the stream engine knows of a device.

mod copies;
mod crowd;
pub mod micro;

use std::collections::BTreeSet;
use std::path::Path;

use hetier_traces::MAX_LANES;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::memory::near::PAGE_LINES;
use crate::device::literal::DeviceConfig;
use crate::system::System;
use crate::{Error, fnv};
pub use crowd::crowding;
use crowd::{Holds, farther, load_rows};
use micro::{Measured, Micro, Mix, QUANTILES, measure};

/// Steps of crowding in the load tables.
pub const LOAD_STEPS: usize = 16;

/// What the runs do that tell the capacity at different mixes of reads and writes.
const RUNS: [Mix; MIXES] = [Mix::NonTemporal, Mix::Stores(6), Mix::Stores(3), Mix::Stores(1), Mix::Stores(0)];

/// Number of mixes.
pub const MIXES: usize = 5;

/// Mixes with reads, in which latency can be told.
pub const READ_MIXES: usize = MIXES - 1;

/// Numbers of lanes at which capacity is known.
pub const CROWDS: usize = 4;

/// Lanes of a core that count at least: the short runs of the lesser crowds have one that loads and one that stores.
pub const LEAST_LANES: u32 = 2;

/// What reading costs a core where the channels are so crowded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Femtoseconds that one line of a sequential stream holds the core.
    pub line_fs: u64,
    /// Mean latency of a line that is waited for, core to data, picoseconds.
    pub latency_ps: u64,
    /// Latencies below which the shares [`QUANTILES`] of such lines lie.
    pub quantiles_ps: [u64; QUANTILES.len()],
    /// Such lines among a million that are loaded; the prefetcher fetches the others before.
    pub waited_ppm: u64,
}

/// What reading costs while a device sees one mix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Loads {
    /// Reads among the lines that the device sees, in [0, 1].
    pub read_share: f64,
    /// Utilisation by one core that does nothing else.
    pub alone: f64,
    /// By how crowded the channels are.
    pub steps: [Load; LOAD_STEPS],
}

/// Capacity at one mix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Saturated {
    /// Reads among the lines that the device sees, in [0, 1].
    pub read_share: f64,
    /// Femtoseconds of service per line, whichever its direction.
    pub line_fs: u64,
}

/// What the media of a device did for the requests of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaRatio {
    /// Bytes that the media read per byte asked for.
    pub read: f64,
    /// Bytes that the media wrote per byte asked for.
    pub write: f64,
    /// Share of requests that an open row or a buffer served.
    pub hit_rate: f64,
}

/// One tier as seen from the cores, one socket's channels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TierBehaviour {
    /// Lanes of all cores in the rows of `saturated`, ascending.
    pub lanes: [u32; CROWDS],
    /// Capacity by number of lanes, and by rising share of reads: pages that are written in turn undo the combining of
    /// PMem, whether one core writes them or many.
    pub saturated: [[Saturated; MIXES]; CROWDS],
    /// Reading from the own socket and from another, by rising share of reads: reads wait for batches of writes.
    pub loads: [[Loads; READ_MIXES]; 2],
    /// Femtoseconds that a non-temporal line holds a core that does nothing else.
    pub store_fs: u64,
    /// Reads and writes at the media.
    pub media: [MediaRatio; 2],
}

impl TierBehaviour {
    /// Service per line in femtoseconds, whichever its direction, at a read share in [0, 1] for so many lanes of
    /// all cores together, of each [`LEAST_LANES`] at least.
    pub fn service_fs(&self, read_share: f64, lanes: u32) -> u64 {
        let crowd = (1..CROWDS - 1).rev().find(|crowd| self.lanes[*crowd] <= lanes).unwrap_or(0);
        let span = f64::from((self.lanes[crowd + 1] - self.lanes[crowd]).max(1));
        let part = (f64::from(lanes) - f64::from(self.lanes[crowd])) / span;
        let of_crowd = |crowd: usize| at_share(&self.saturated[crowd], read_share);
        between(of_crowd(crowd), of_crowd(crowd + 1), part)
    }
}

impl TierBehaviour {
    /// Reading from the own socket and from another, at a read share in [0, 1], a step of crowding and a utilisation: what a core
    /// that is hardly there writes does not delay what it reads.
    pub fn load(&self, read_share: f64, step: usize, utilisation: f64) -> [Load; 2] {
        std::array::from_fn(|from_afar| {
            let rows = &self.loads[from_afar];
            let low = (0..READ_MIXES - 1).rev().find(|mix| rows[*mix].read_share <= read_share).unwrap_or(0);
            let [from, to] = [&rows[low], &rows[low + 1]];
            let part =
                (read_share - from.read_share) / (to.read_share - from.read_share).max(f64::MIN_POSITIVE);
            let part = part.clamp(0.0, 1.0);
            let alone = from.alone + (to.alone - from.alone) * part;
            let idle = rows[READ_MIXES - 1].steps[0];
            idle.towards(
                from.steps[step].towards(to.steps[step], part),
                utilisation / alone.max(f64::MIN_POSITIVE),
            )
        })
    }
}

impl Load {
    /// Linear interpolation, `part` clamped to [0, 1].
    fn towards(self, to: Self, part: f64) -> Self {
        Self {
            line_fs: between(self.line_fs, to.line_fs, part),
            latency_ps: between(self.latency_ps, to.latency_ps, part),
            quantiles_ps: std::array::from_fn(|at| between(self.quantiles_ps[at], to.quantiles_ps[at], part)),
            waited_ppm: between(self.waited_ppm, to.waited_ppm, part),
        }
    }
}

/// Service per line between the mixes that were measured.
fn at_share(row: &[Saturated; MIXES], read_share: f64) -> u64 {
    let low = (1..MIXES - 1).rev().find(|mix| row[*mix].read_share <= read_share).unwrap_or(0);
    let [from, to] = [&row[low], &row[low + 1]];
    let part = (read_share - from.read_share) / (to.read_share - from.read_share).max(f64::MIN_POSITIVE);
    between(from.line_fs, to.line_fs, part)
}

/// Linear interpolation, `part` clamped to [0, 1].
fn between(from: u64, to: u64, part: f64) -> u64 {
    let part = part.clamp(0.0, 1.0);
    (from as f64 * (1.0 - part) + to as f64 * part).round() as u64
}

/// Everything that the stream engine knows about the speed of a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Behaviour {
    /// By position of the tier in the system.
    pub tiers: Vec<TierBehaviour>,
    /// What a core loses that loads from one tier and stores to another, in millionths of the shorter of both times, by
    /// position of the one and the other; empty if objects of one tier are all that it meets.
    pub copies: Vec<Vec<u64>>,
    /// Femtoseconds that a line holds a core, in a stream, by where it is found.
    pub caches: CacheTimes,
}

/// Femtoseconds that a line of a sequential stream holds a core, by where it is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheTimes {
    /// Second level.
    pub second_level: u64,
    /// Last level of the own socket.
    pub last_level: u64,
    /// Last level of another socket.
    pub remote_last_level: u64,
    /// Private cache of another core of the socket.
    pub forwarded: u64,
    /// Private cache of a core of another socket.
    pub remote_forwarded: u64,
    /// How long a fetch for a store holds its buffer, of 1,024 that a load holds one of its own: two things that a core
    /// does at once. 0 with a prefetcher, whose buffers both share.
    pub stores: u64,
    /// Lines of each page in a stream that the prefetcher brings.
    pub prefetched: u64,
}

/// Demand accesses of a page before the prefetcher runs (two ascending steps after the first).
const TRAINING_LINES: u64 = 3;

impl CacheTimes {
    /// From the latencies and limits of a system: a core has `loads` lines in flight. Behind a running prefetcher a
    /// hit in the last level costs what the second level costs, because the line is there when it is asked for;
    /// lines that another core holds are not prefetched.
    pub fn new(system: &System, prefetches: bool) -> Self {
        let loads = system.limits.loads as u64;
        let stream = |latency_ps: u64| latency_ps * 1000 / loads;
        let second_level = stream(system.l2.latency.0);
        let behind = |direct: u64| match prefetches {
            true => (direct * TRAINING_LINES + second_level * (PAGE_LINES - TRAINING_LINES)) / PAGE_LINES,
            false => direct,
        };
        let link = system.link.map_or(0, |link| link.request.0 + link.response.0);
        Self {
            second_level,
            last_level: behind(stream(system.l3.latency.0)),
            remote_last_level: behind(stream(system.l3.latency.0 + link)),
            forwarded: stream(system.forward.0),
            remote_forwarded: stream(system.forward.0 + link),
            stores: if prefetches { 0 } else { 1024 * loads / system.limits.ownership as u64 },
            prefetched: if prefetches { PAGE_LINES - TRAINING_LINES } else { 0 },
        }
    }
}

/// What a behaviour is derived for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions<'c> {
    /// Footprint of the run, rounded up to three binary digits; beyond 1 GiB it makes no difference.
    pub footprint_bytes: u64,
    /// Memory mode.
    pub mode: &'c str,
    /// Whether the prefetcher is on.
    pub prefetches: bool,
}

impl Conditions<'_> {
    /// Footprints from here on are alike.
    const MOST: u64 = 1 << 30;

    /// Conditions of a run with such a peak of live bytes.
    pub fn new(mode: &str, prefetches: bool, peak_bytes: u64) -> Conditions<'_> {
        let bytes = peak_bytes.clamp(1 << 20, Self::MOST);
        let footprint_bytes = bytes.next_multiple_of(1 << (bytes.ilog2() - 2));
        Conditions { footprint_bytes, mode, prefetches }
    }
}

/// Lines of each core in a short run, and of all cores together, at least.
const RUN_LINES: u64 = 2304;
const RUN_LINES_IN_ALL: u64 = 16_128;

/// Cores at work in the runs that give latency over load, as far as the socket has them.
const THREADS: [usize; 9] = [1, 2, 3, 4, 6, 8, 12, 16, 24];

/// The same with stores: each line counts twice then, and channels are at their limit with half the cores.
const STORING_THREADS: [usize; 4] = [1, 2, 4, 8];

/// Whether the answer is still wanted; asked before each short run.
pub type Wanted<'w> = dyn Fn() -> bool + Sync + 'w;

impl Behaviour {
    /// Derives the behaviour of a system from short runs of its line model, in parallel on all host cores. Costs host time with
    /// the lines of the caches, which are filled before each run: half a second of one core for `optane-slice`, 6 s for
    /// `xeon-8260-optane`, 30 s for `xeon-8470-cxl` (`hetier replay` of a small trace with `--no-cache`).
    ///
    /// # Errors
    /// - [`Error::Cancelled`] once it is not wanted any more.
    /// - Those of the device files and modes.
    pub fn derive(
        system: &System,
        conditions: Conditions<'_>,
        is_wanted: &Wanted<'_>,
    ) -> Result<Self, Error> {
        let tiers = (0..system.tiers.len()).into_par_iter();
        let tiers = tiers.map(|tier| derive_tier(system, tier, conditions, is_wanted));
        let tiers = tiers.collect::<Result<Vec<_>, _>>()?;
        // With a prefetcher, loads and stores share their buffers.
        let copies = match conditions.mode == "app-direct" && !conditions.prefetches {
            true => copies::losses(&tiers, Holds::new(system, conditions), |from, to| {
                copy(system, (from, to), conditions, is_wanted)
            })?,
            false => Vec::new(),
        };
        Ok(Self { tiers, copies, caches: CacheTimes::new(system, conditions.prefetches) })
    }

    /// As [`Behaviour::derive`], looking in a folder first and leaving the answer there. The folder may be lost at
    /// any time; files that cannot be read or written are passed over.
    ///
    /// # Errors
    /// Those of [`Behaviour::derive`].
    pub fn cached(
        system: &System,
        conditions: Conditions<'_>,
        folder: Option<&Path>,
        is_wanted: &Wanted<'_>,
    ) -> Result<Self, Error> {
        let Some(folder) = folder else { return Self::derive(system, conditions, is_wanted) };
        let path = folder.join(format!("behaviour-{:016x}.json", identity(system, conditions)?));
        if let Some(behaviour) = std::fs::read_to_string(&path).ok().as_deref().and_then(Self::parse) {
            return Ok(behaviour);
        }
        let behaviour = Self::derive(system, conditions, is_wanted)?;
        if let Ok(text) = behaviour.to_text() {
            // Written beside and renamed, so that two runs at once leave a whole file.
            let draft = path.with_extension(format!("{}", std::process::id()));
            let _ = std::fs::create_dir_all(folder);
            let _ = std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, &path));
        }
        Ok(behaviour)
    }
}

impl Behaviour {
    /// A line with the hash of what follows, and the behaviour as JSON.
    fn to_text(&self) -> serde_json::Result<String> {
        let json = serde_json::to_string(self)?;
        Ok(format!("{:016x}\n{json}", fnv::hash(&json)))
    }

    /// Reads [`Behaviour::to_text`]; `None` for a text that is not whole.
    fn parse(text: &str) -> Option<Self> {
        let (found, json) = text.split_once('\n')?;
        let is_whole = u64::from_str_radix(found, 16).ok()? == fnv::hash(json);
        is_whole.then(|| serde_json::from_str(json).ok())?
    }
}

/// Grows when the way in which behaviours are derived changes, or what devices do, so that older files are not taken for newer ones.
const DERIVATION: u32 = 11;

/// A hash of everything that a behaviour depends on.
fn identity(system: &System, conditions: Conditions<'_>) -> Result<u64, Error> {
    let devices = system.tiers.iter().map(|tier| DeviceConfig::load(&tier.device));
    let devices = devices.collect::<Result<Vec<_>, _>>()?;
    let version = env!("CARGO_PKG_VERSION");
    Ok(fnv::hash(&format!("{version} {DERIVATION} {system:?} {devices:?} {conditions:?}")))
}

fn derive_tier(
    system: &System,
    tier: usize,
    conditions: Conditions<'_>,
    is_wanted: &Wanted<'_>,
) -> Result<TierBehaviour, Error> {
    let direct = mode_of(system, tier);
    let is_behind_near = conditions.mode == "memory-mode" && direct != "dram-only";
    let mode = if is_behind_near { "memory-mode" } else { direct };
    let cores = system.cores_per_socket;
    let run = |threads: usize, lanes: u64, mix: Mix, is_remote: bool| {
        if !is_wanted() {
            return Err(Error::Cancelled { percent: 0 });
        }
        let prefetches = conditions.prefetches;
        // A socket's worth of caches has to fill before the second half.
        let lines = RUN_LINES.max(RUN_LINES_IN_ALL / threads as u64);
        let footprint_bytes = conditions.footprint_bytes / system.sockets as u64;
        // All that comes to PMem in Memory Mode are misses, and dirty victims of a near memory that is full.
        let near_bytes = is_behind_near.then(|| near_bytes(system));
        measure(
            system,
            &Micro {
                mode,
                tier,
                stored_tier: tier,
                threads,
                lanes,
                mix,
                lines,
                footprint_bytes,
                is_remote,
                prefetches,
                near_bytes,
            },
        )
    };
    let crowds = [1, (cores / 4).max(2).min(cores), cores];
    let runs = RUNS.map(|mix| {
        let below: &[usize] = match mix {
            Mix::NonTemporal => &[],
            Mix::Stores(0) => &THREADS,
            Mix::Stores(_) => &STORING_THREADS,
        };
        let below = below.iter().copied().filter(|threads| *threads < cores);
        let threads = below.chain(crowds).collect::<BTreeSet<_>>().into_iter();
        threads.map(|threads| (threads, mix)).collect::<Vec<_>>()
    });
    let runs = runs.par_iter().map(|runs| {
        let runs = runs.par_iter().map(|(threads, mix)| Ok((*threads, run(*threads, 1, *mix, false)?)));
        runs.collect::<Result<Vec<(usize, Measured)>, Error>>()
    });
    let runs = runs.collect::<Result<Vec<_>, _>>()?;
    let of_crowd = |crowd: usize| -> [Measured; MIXES] {
        let is_it = |(threads, _): &&(usize, Measured)| *threads == crowds[crowd];
        std::array::from_fn(|mix| runs[mix].iter().find(is_it).map(|(_, run)| *run).unwrap_or_default())
    };
    let wide = RUNS.par_iter().map(|mix| run(cores, MAX_LANES as u64, *mix, false));
    let wide = wide.collect::<Result<Vec<_>, Error>>()?;
    let saturated = capacity(std::array::from_fn(|crowd| match crowd < crowds.len() {
        true => by_share(&of_crowd(crowd)),
        false => by_share(&std::array::from_fn(|mix| wide[mix])),
    }));
    let local = load_rows(&runs, &saturated[crowds.len() - 1], Holds::new(system, conditions));
    let remote = match system.sockets {
        1 => local,
        _ => farther(local, &of_crowd(0)[MIXES - 1], &run(1, 1, Mix::Stores(0), true)?),
    };
    let [one, some, all] = crowds.map(|crowd| crowd as u32);
    let lanes = [one * LEAST_LANES, some * LEAST_LANES, all * LEAST_LANES, all * MAX_LANES as u32];
    let (store_fs, media) = (of_crowd(0)[0].line_fs(), media(&of_crowd(crowds.len() - 1)));
    Ok(TierBehaviour { lanes, saturated, loads: [local, remote], store_fs, media })
}

/// A run of one core that loads from one tier and stores to another.
fn copy(
    system: &System,
    (tier, stored_tier): (usize, usize),
    conditions: Conditions<'_>,
    is_wanted: &Wanted<'_>,
) -> Result<Measured, Error> {
    if !is_wanted() {
        return Err(Error::Cancelled { percent: 0 });
    }
    let run = Micro {
        mode: conditions.mode,
        tier,
        stored_tier,
        threads: 1,
        lanes: 1,
        mix: copies::COPY,
        lines: RUN_LINES_IN_ALL,
        footprint_bytes: conditions.footprint_bytes / system.sockets as u64,
        is_remote: false,
        prefetches: conditions.prefetches,
        near_bytes: None,
    };
    measure(system, &run)
}

/// Near memory of the runs: so small that it is full of dirty lines before the part that counts.
fn near_bytes(system: &System) -> u64 {
    (system.sockets * system.controllers_per_socket) as u64 * NEAR_PAGES * 4096
}

/// Pages of that near memory for each controller.
const NEAR_PAGES: u64 = 48;

/// Capacities of one crowd by rising share of reads.
fn by_share(runs: &[Measured; MIXES]) -> [Saturated; MIXES] {
    let mut row = runs.map(|run| Saturated { read_share: run.read_share(), line_fs: run.interface_fs() });
    row.sort_by(|one, other| one.read_share.total_cmp(&other.read_share));
    row
}

/// A few cores may be slower than the channels, which is not the channels' time: those that serve many at some pace
/// serve fewer at that pace at least.
fn capacity(mut measured: [[Saturated; MIXES]; CROWDS]) -> [[Saturated; MIXES]; CROWDS] {
    for crowd in (0..CROWDS - 1).rev() {
        let more = measured[crowd + 1];
        for mix in &mut measured[crowd] {
            mix.line_fs = mix.line_fs.min(at_share(&more, mix.read_share));
        }
    }
    measured
}

/// The mode in which a tier is reached directly.
fn mode_of(system: &System, tier: usize) -> &'static str {
    if system.tiers[tier].name == "dram" { "dram-only" } else { "pmem-only" }
}

/// Media bytes per byte of each direction: of reads from the run that only reads; of writes from the run that stores
/// every line, less what its reads account for.
fn media(mixes: &[Measured; MIXES]) -> [MediaRatio; 2] {
    let (reading, storing) = (&mixes[MIXES - 1], &mixes[1]);
    // Six decimals survive the way through a file unchanged.
    let per_byte = |bytes: f64, of: u64| (bytes / of.max(1) as f64 * 1e6).round() / 1e6;
    let hits = |run: &Measured, direction: usize| {
        per_byte(run.hits[direction] as f64 * hetier_traces::LINE_BYTES as f64, run.whole[direction])
    };
    let read = MediaRatio {
        read: per_byte(reading.media[0] as f64, reading.whole[0]),
        write: per_byte(reading.media[1] as f64, reading.whole[0]),
        hit_rate: hits(reading, 0),
    };
    let rest = |media: u64, ratio: f64| (media as f64 - storing.whole[0] as f64 * ratio).max(0.0);
    let write = MediaRatio {
        read: per_byte(rest(storing.media[0], read.read), storing.whole[1]),
        write: per_byte(rest(storing.media[1], read.write), storing.whole[1]),
        hit_rate: hits(storing, 1),
    };
    [read, write]
}
