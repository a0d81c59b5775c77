//! Machines as data: TOML files that describe sockets, caches, cores, paths and memory tiers.
//!
//! A file is parsed to a [`Literal`] and turned once into a checked [`System`].

mod check;
pub mod fit;
mod holding;
mod literal;
mod nearest;
mod overhead;
mod retained;
mod shipped;

use std::path::Path;

use hetier_traces::Arithmetic;

pub use holding::holding;
pub use literal::{DirectoryPlace, Inclusion, Literal};
pub use nearest::nearest;
pub use overhead::Overhead;
pub(crate) use overhead::{Charges, WRITTEN};
pub use shipped::names;

use crate::device::literal::DeviceConfig;
use crate::{Error, Picoseconds, fnv};

/// A machine whose description was found consistent. Durations are whole picoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct System {
    /// Name, as on the command line.
    pub name: String,
    /// One sentence for lists.
    pub summary: String,
    /// File that it came from, for messages.
    pub file: String,
    /// Identity of the contents of this file and of its devices, hexadecimal.
    pub hash: String,
    /// Sockets, in [1, 8].
    pub sockets: usize,
    /// Cores of a socket.
    pub cores_per_socket: usize,
    /// Memory controllers of a socket.
    pub controllers_per_socket: usize,
    /// First-level cache of each core.
    pub l1: Geometry,
    /// Second-level cache of each core.
    pub l2: Geometry,
    /// Last-level cache of each socket.
    pub l3: Geometry,
    /// Relation of the last level to the private caches.
    pub inclusion: Inclusion,
    /// Load-to-use latency of a line that another core of the socket holds.
    pub forward: Picoseconds,
    /// What a core may have in flight.
    pub limits: Limits,
    /// Whether a line stays in the cache after clwb.
    pub clwb_keeps_line: bool,
    /// Hardware prefetch.
    pub prefetch: PrefetchLimits,
    /// Address translation.
    pub translation: TranslationCosts,
    /// Femtoseconds per operation, by position in [`Arithmetic::ALL`].
    pub arithmetic_fs: [u64; Arithmetic::ALL.len()],
    /// Standard deviation of a call's arithmetic, percent of its mean.
    pub jitter_percent: f64,
    /// From the last-level miss to the controller's queue.
    pub request: Picoseconds,
    /// From the controller to the core.
    pub response: Picoseconds,
    /// The link between sockets, if there are several.
    pub link: Option<LinkLimits>,
    /// Calibrated costs of the traced program, if there are any.
    pub overhead: Option<Overhead>,
    /// Memory tiers, fastest first.
    pub tiers: Vec<TierSpec>,
    /// Supported modes; the first is the default.
    pub modes: Vec<String>,
    /// Default page placement.
    pub pages: String,
    /// Page placement of the regions that probes walk.
    pub probe_pages: crate::pages::Pages,
    /// Default NUMA policy.
    pub numa: String,
}

/// Geometry and latency of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Number of sets, at least 1.
    pub sets: usize,
    /// Associativity, in [1, 64].
    pub ways: usize,
    /// Load-to-use latency of a hit.
    pub latency: Picoseconds,
}

impl Geometry {
    /// Bytes held.
    pub const fn capacity_bytes(&self) -> u64 {
        (self.sets * self.ways) as u64 * hetier_traces::LINE_BYTES
    }
}

/// What a core may have in flight, each in [1, 64] unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Loads that missed the first level.
    pub loads: usize,
    /// Lines being fetched for a store.
    pub ownership: usize,
    /// Non-temporal lines on their way to memory.
    pub combining: usize,
    /// Explicit write-backs on their way to memory.
    pub flushes: usize,
    /// Evicted dirty lines on their way to memory.
    pub evictions: usize,
    /// Stores that wait for their write-back, in [1, 256].
    pub stores: usize,
    /// From a full write-combining buffer to the uncore, beyond the path of a cached line.
    pub combining_path: Picoseconds,
}

/// Limits of the stream prefetcher of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefetchLimits {
    /// On unless the run says otherwise.
    pub enabled: bool,
    /// Pages watched.
    pub streams: usize,
    /// Lines ahead.
    pub distance: u64,
    /// In flight.
    pub buffers: usize,
}

/// Entries and costs of address translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TranslationCosts {
    /// First-level entries for 4 KiB and for 2 MiB pages.
    pub first_level_entries: [usize; 2],
    /// Second-level entries.
    pub second_level_entries: usize,
    /// Hit in the second level.
    pub second_level: Picoseconds,
    /// Page walk for a 4 KiB and for a 2 MiB page.
    pub walk: [Picoseconds; 2],
    /// First touch of a 4 KiB and of a 2 MiB page.
    pub fault: [Picoseconds; 2],
}

/// The link between sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkLimits {
    /// Added to the request of a remote line.
    pub request: Picoseconds,
    /// Added to its response.
    pub response: Picoseconds,
    /// Time of one line from the home socket.
    pub read_line: Picoseconds,
    /// Time of one line to the home socket.
    pub write_line: Picoseconds,
    /// Where the home socket keeps who holds a line.
    pub directory: DirectoryPlace,
}

/// A memory tier: equal channels on every socket.
#[derive(Clone, Debug, PartialEq)]
pub struct TierSpec {
    /// `dram`, `pmem` or `cxl`.
    pub name: String,
    /// Name of the device file.
    pub device: String,
    /// Channels of a socket, a multiple of the controllers or fewer.
    pub channels_per_socket: usize,
    /// Capacity behind one channel.
    pub channel_bytes: u64,
    /// Lines on one channel before the next takes over.
    pub interleave_lines: u64,
    /// Added to the request.
    pub extra_request: Picoseconds,
    /// Added to the response.
    pub extra_response: Picoseconds,
}

impl TierSpec {
    /// Capacity on one socket.
    pub const fn socket_bytes(&self) -> u64 {
        self.channel_bytes * self.channels_per_socket as u64
    }
}

impl System {
    /// Reads a shipped system by name, or a file if `name` holds a slash or ends in `.toml`.
    ///
    /// # Errors
    /// - [`Error::UnknownName`] with the nearest name.
    /// - [`Error::Io`] if the file cannot be read.
    /// - [`Error::Toml`] and [`Error::Value`] as [`System::parse`].
    pub fn load(name: &str) -> Result<Self, Error> {
        if name.contains('/') || name.ends_with(".toml") {
            let path = Path::new(name);
            let text =
                std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.into(), source })?;
            return Self::parse(name, &text);
        }
        let (file, text) = shipped::find(name)?;
        Self::parse(file, text)
    }

    /// Parses and checks the text of a system file; `file` is its name in messages.
    ///
    /// # Errors
    /// - [`Error::Toml`] for bad syntax, unknown and missing keys.
    /// - [`Error::Value`] for a value that cannot be, with the key, what was found and what is needed.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let literal: Literal = crate::toml_error::read(file, text)?;
        let mut system = check::check(file, &literal)?;
        system.hash = identity(text, &system.tiers)?;
        Ok(system)
    }

    /// Cores of all sockets.
    pub const fn cores(&self) -> usize {
        self.sockets * self.cores_per_socket
    }

    /// Position of a tier by name.
    pub fn tier(&self, name: &str) -> Option<usize> {
        self.tiers.iter().position(|tier| tier.name == name)
    }

    /// Time of an amount of arithmetic in femtoseconds (10⁻¹⁵ s), data in the private caches.
    pub fn arithmetic_fs(&self, kind: Arithmetic, count: u64) -> u64 {
        let position = Arithmetic::ALL.iter().position(|&other| other == kind);
        self.arithmetic_fs[position.expect("ALL lists every kind")].saturating_mul(count)
    }

    /// Capacity of a tier over all sockets; 0 if the system has no such tier.
    pub fn tier_bytes(&self, name: &str) -> u64 {
        self.tier(name).map_or(0, |tier| self.tiers[tier].socket_bytes() * self.sockets as u64)
    }
}

/// A hash of the system's text and of what its devices' files come to, with all that these refer to.
fn identity(text: &str, tiers: &[TierSpec]) -> Result<String, Error> {
    let mut whole = text.to_owned();
    for tier in tiers {
        whole += &format!("{:?}", DeviceConfig::load(&tier.device)?);
    }
    Ok(format!("{:016x}", fnv::hash(&whole)))
}

#[cfg(test)]
mod tests;
