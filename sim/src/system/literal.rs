//! The unchecked form of a system file, key for key.
//!
//! Every table has a `source` that says where its numbers come from. No key has a default.

use serde::{Deserialize, Serialize};

/// A system file as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Literal {
    /// Name, as on the command line.
    pub name: String,
    /// One sentence for lists.
    pub summary: String,
    /// What machine this is and who described it.
    pub source: String,
    /// Sockets and cores.
    pub processor: Processor,
    /// First-level cache of each core.
    pub l1: Cache,
    /// Second-level cache of each core.
    pub l2: Cache,
    /// Last-level cache of each socket.
    pub l3: LastLevel,
    /// What a core may have in flight.
    pub core: Core,
    /// Hardware prefetch of streams into the second level.
    pub prefetch: Prefetch,
    /// Address translation and page faults.
    pub translation: Translation,
    /// Cycles per operation.
    pub arithmetic: Arithmetic,
    /// The way between a core and a memory controller of its socket.
    pub path: Path,
    /// The link to the other sockets; absent on machines with one.
    pub link: Option<Link>,
    /// Calibrated costs of the traced program that no trace holds; absent where none are charged.
    pub overhead: Option<Overhead>,
    /// The memory tiers, fastest first.
    pub tier: Vec<Tier>,
    /// Run settings where the command line gives none.
    pub defaults: Defaults,
}

/// Sockets and cores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processor {
    /// Sockets, in [1, 8].
    pub sockets: u32,
    /// Cores of a socket, in [1, 128].
    pub cores_per_socket: u32,
    /// Sustained clock of cores and caches.
    pub clock_ghz: f64,
    /// Memory controllers of a socket; channels divide evenly over them.
    pub controllers_per_socket: u32,
    /// Where the numbers come from.
    pub source: String,
}

/// A private cache.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Capacity; with the ways a power of two of sets, which low bits of the address choose.
    pub capacity_kib: u64,
    /// Associativity.
    pub ways: u32,
    /// Load-to-use latency of a hit.
    pub latency_cycles: u32,
    /// Where the numbers come from.
    pub source: String,
}

/// The last-level cache of a socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastLevel {
    /// Capacity for the whole socket.
    pub capacity_kib: u64,
    /// Associativity.
    pub ways: u32,
    /// Load-to-use latency of a hit; a miss spends the same before it leaves for the controller.
    pub latency_cycles: u32,
    /// Load-to-use latency of a line that another core of the socket holds.
    pub forward_cycles: u32,
    /// `victim` or `inclusive`.
    pub policy: Inclusion,
    /// Where the numbers come from.
    pub source: String,
}

/// Relation of the last level to the private caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inclusion {
    /// Filled by lines that leave the second level; a hit moves the line back (Skylake-SP and later).
    Victim,
    /// Holds every line of the private caches; what it drops, they drop.
    Inclusive,
}

/// What a core may have in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Core {
    /// Loads that missed the first level, in [1, 64].
    pub load_fill_buffers: u32,
    /// Lines being fetched for a store, in [1, 64].
    pub ownership_buffers: u32,
    /// Non-temporal lines on their way to memory, in [1, 64].
    pub write_combining_buffers: u32,
    /// Explicit write-backs (clwb) on their way to memory, in [1, 64].
    pub flush_buffers: u32,
    /// Evicted dirty lines on their way to memory, in [1, 64].
    pub eviction_buffers: u32,
    /// Entries of the store buffer, in which stores wait for their explicit write-back, in [1, 256].
    pub store_buffer: u32,
    /// From a full write-combining buffer to the uncore, beyond the path of a cached line.
    pub combining_ns: f64,
    /// Whether a line stays in the cache after clwb.
    pub clwb_keeps_line: bool,
    /// Where the numbers come from.
    pub source: String,
}

/// Hardware prefetch of streams into the second level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prefetch {
    /// Whether it is on unless the run says otherwise.
    pub enabled: bool,
    /// Pages watched at once by a core, in [1, 64].
    pub streams: u32,
    /// Lines fetched ahead of the last access, in [1, 64]; never past the end of a 4 KiB page.
    pub distance_lines: u32,
    /// Prefetches in flight per core, in [1, 64].
    pub buffers: u32,
    /// Where the numbers come from.
    pub source: String,
}

/// Address translation and page faults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Translation {
    /// First-level entries for 4 KiB pages.
    pub first_level_4k_entries: u32,
    /// First-level entries for 2 MiB pages.
    pub first_level_2m_entries: u32,
    /// Second-level entries, shared by both sizes.
    pub second_level_entries: u32,
    /// A hit in the second level.
    pub second_level_cycles: u32,
    /// A page walk for a 4 KiB page.
    pub walk_4k_cycles: u32,
    /// A page walk for a 2 MiB page.
    pub walk_2m_cycles: u32,
    /// First touch of a 4 KiB page: fault, allocation, zeroing.
    pub fault_4k_ns: f64,
    /// First touch of a 2 MiB page.
    pub fault_2m_ns: f64,
    /// Where the numbers come from.
    pub source: String,
}

/// Core cycles per operation of each kind, data in the private caches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arithmetic {
    /// Copy or fill of a word.
    pub move_cycles: f64,
    /// Addition of residues.
    pub add_cycles: f64,
    /// Multiplication by a known constant.
    pub multiply_constant_cycles: f64,
    /// Multiplication of residues.
    pub multiply_cycles: f64,
    /// Multiplication and addition.
    pub multiply_add_cycles: f64,
    /// Reduction of a word.
    pub reduce_cycles: f64,
    /// Butterfly of a number-theoretic transform.
    pub butterfly_cycles: f64,
    /// Butterfly of a complex transform.
    pub float_butterfly_cycles: f64,
    /// Floating-point operation on a slot.
    pub float_cycles: f64,
    /// A word of randomness.
    pub random_cycles: f64,
    /// Addition of a known constant.
    pub add_constant_cycles: f64,
    /// Standard deviation of the arithmetic of a call, in percent of its mean, in [0, 50].
    pub jitter_percent: f64,
    /// Where the numbers come from.
    pub source: String,
}

/// The way between a core and a memory controller of its socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// From the last-level miss to the controller's queue.
    pub request_ns: f64,
    /// From the controller to the core.
    pub response_ns: f64,
    /// Where the numbers come from.
    pub source: String,
}

/// The link to the other sockets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Added to the request of a remote line.
    pub request_ns: f64,
    /// Added to its response.
    pub response_ns: f64,
    /// Payload from the home socket to the requester.
    pub read_gb_per_s: f64,
    /// Payload from the requester to the home socket.
    pub write_gb_per_s: f64,
    /// Where the home socket keeps who holds a line: `memory` (a remote read may write home memory) or `cache`.
    pub directory: DirectoryPlace,
    /// Where the numbers come from.
    pub source: String,
}

/// Where coherence state of remote lines is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectoryPlace {
    /// In the ECC bits of the home memory: a change of state is a write of the line.
    Memory,
    /// On the chip: free.
    Cache,
}

/// Calibrated costs of the traced program that no trace holds; see [`super::Overhead`] for what they stand for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overhead {
    /// Traces whose header says so are charged: `faithful`.
    pub kernel: String,
    /// Names of the primitives that are multiply-accumulates.
    pub multiply_accumulates: Vec<String>,
    /// Time of the thread for each multiply-accumulate.
    pub multiply_accumulate_ns: f64,
    /// Serial time for each ciphertext written.
    pub ciphertext_ns: f64,
    /// Memory that the process keeps for each ciphertext written.
    pub retained_bytes_per_ciphertext: u64,
    /// On which points the three are calibrated.
    pub source: String,
}

/// A memory tier: equal channels on every socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// `dram`, `pmem` or `cxl`.
    pub name: String,
    /// Name of a device file.
    pub device: String,
    /// Channels of a socket; 6 is the usual number.
    pub channels_per_socket: u32,
    /// Capacity behind one channel.
    pub capacity_per_channel_gib: u64,
    /// Contiguous bytes on one channel before the next takes over; a power of two, at least 64.
    pub interleave_bytes: u64,
    /// Added to the request, on top of the path (a card behind a link).
    pub extra_request_ns: f64,
    /// Added to the response.
    pub extra_response_ns: f64,
    /// Where the numbers come from.
    pub source: String,
}

/// Run settings where the command line gives none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Modes that the machine supports; the first is the default.
    pub modes: Vec<String>,
    /// `contiguous`, `random-4k` or `random-2m`.
    pub pages: String,
    /// The same for the regions of probes, as the machine's published measurements had them: benchmarks in a kernel
    /// module or on a reserved range are contiguous, user programs get scattered pages.
    pub probe_pages: String,
    /// `first-touch`, `interleave` or `bind`.
    pub numa: String,
}
