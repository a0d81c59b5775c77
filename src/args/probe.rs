//! Arguments of `probe` and its micro-benchmarks.
//!
//! Where several values make sense, a range `FROM..TO` doubles from the first to the last, and commas join values.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use hetier_sim::probe::{Mix, Operation, Order, Pattern, Pin};
use hetier_sim::size::Size;

use crate::range::Values;

/// The micro-benchmarks.
#[derive(Debug, Subcommand)]
pub enum Probe {
    /// One access at a time: latency by region, block, pattern and operation
    ///
    /// Measures the memory of a tier: lines miss the caches at every size of region, as in a benchmark that flushes them,
    /// so L1, L2 and L3 do not show. Stores are measured with a fence after each (`fenced_ns_per_access` and
    /// `latency_ns` in --json) and back to back without (`sustained_ns_per_access`). `ns_per_access` is the latter for
    /// ntstore in the patterns chase and random, and the former for sequential ntstore and clwb, as in the
    /// published benchmarks.
    Latency(Latency),
    /// Threads that keep as much in flight as a core can: bandwidth and write efficiency
    ///
    /// Where threads begin is drawn several times. What all draws moved in the time of all is printed, with the least and
    /// the largest of them (`spread` in --json).
    Bandwidth(Bandwidth),
    /// Latency while all cores ask for more and more: the bandwidth-latency curve
    ///
    /// Every socket does the same with its own memory, and bandwidths are those of all sockets together (`sockets` in
    /// --json): --dimms 1 is one channel of each.
    Loaded(Loaded),
    /// Overwriting a small region: the tail of wear levelling
    Hotspot(Hotspot),
}

/// Which memory.
#[derive(Debug, Args)]
pub struct Where {
    /// System: a name (`hetier list systems`) or a TOML file
    #[arg(long, value_name = "SYSTEM")]
    pub system: String,
    /// Tier of the system: dram, pmem or cxl
    #[arg(long, value_name = "TIER")]
    pub tier: String,
    /// Channels used of each socket [default: all]
    #[arg(long, allow_hyphen_values = true, value_name = "D")]
    pub dimms: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Draw the measurements into this folder as SVG and CSV
    #[arg(short = 'o', long = "figure", visible_alias = "output", value_name = "FOLDER")]
    pub figure: Option<PathBuf>,
}

/// Arguments of `probe latency`.
#[derive(Debug, Args)]
pub struct Latency {
    /// Which memory.
    #[command(flatten)]
    pub place: Where,
    /// chase, sequential or random
    #[arg(long, default_value = "chase")]
    pub pattern: Pattern,
    /// Bytes walked over, such as 4KiB..1GiB (a range doubles) [default: 1GiB, or with --figure 4KiB..1GiB]
    #[arg(long, allow_hyphen_values = true, value_name = "SIZE|FROM..TO")]
    pub region: Option<Values<Size>>,
    /// Bytes of a block, ascending inside; several give a curve each
    #[arg(long, allow_hyphen_values = true, value_name = "SIZE,...", default_value = "64")]
    pub block: Values<Size>,
    /// load, ntstore or clwb
    #[arg(long, default_value = "load")]
    pub op: Operation,
    /// Use the memory of the other socket
    #[arg(long)]
    pub remote: bool,
    /// Percent of the time in which another core writes
    #[arg(long, allow_hyphen_values = true, value_name = "PCT", default_value_t = 0.0)]
    pub writer_duty: f64,
}

/// Arguments of `probe bandwidth`.
#[derive(Debug, Args)]
pub struct Bandwidth {
    /// Which memory.
    #[command(flatten)]
    pub place: Where,
    /// load, ntstore, clwb or store
    #[arg(long, default_value = "load")]
    pub op: Operation,
    /// Bytes loaded : bytes stored
    #[arg(long, allow_hyphen_values = true, value_name = "R:W")]
    pub mix: Option<Mix>,
    /// Bytes of a block, ascending inside, such as 64..4KiB (a range doubles) [default: 256]
    #[arg(long, allow_hyphen_values = true, value_name = "SIZE|FROM..TO")]
    pub access: Option<Values<Size>>,
    /// Threads, such as 1..24 (a range doubles; 1,2,3 for each) [default: 1, or with --figure 1 to the cores of a socket unless --access is a range]
    #[arg(long, allow_hyphen_values = true, value_name = "T|FROM..TO")]
    pub threads: Option<Values<usize>>,
    /// Order of the blocks: sequential, random or stride=SIZE
    #[arg(long, default_value = "random")]
    pub order: Order,
    /// Bytes walked over
    #[arg(long, allow_hyphen_values = true, value_name = "SIZE", default_value = "1GiB")]
    pub region: Size,
    /// Bytes stored between fences, where there are stores [default: never fenced]
    #[arg(long, allow_hyphen_values = true, value_name = "SIZE")]
    pub fence_every: Option<Size>,
    /// Where the memory of a thread lies: none, dimm or controller
    #[arg(long, default_value = "none")]
    pub pin: Pin,
    /// Use the memory of the other socket
    #[arg(long)]
    pub remote: bool,
    /// Hardware prefetch [default: the system's]
    #[arg(long, value_enum)]
    pub prefetch: Option<Switch>,
    /// Power budget of a DIMM in watts, 12 to 18 in steps of 0.25 [default: the device's]
    #[arg(long, allow_hyphen_values = true, value_name = "W")]
    pub power_w: Option<f64>,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On
    On,
    /// Off
    Off,
}

impl Switch {
    /// Whether it is on.
    pub const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }
}

/// Arguments of `probe loaded`.
#[derive(Debug, Args)]
pub struct Loaded {
    /// Which memory.
    #[command(flatten)]
    pub place: Where,
    /// Bytes loaded : bytes stored; several give a curve each [default: loads alone]
    #[arg(long, allow_hyphen_values = true, value_name = "R:W,...", value_delimiter = ',')]
    pub mix: Vec<Mix>,
    /// Use the memory of the other socket
    #[arg(long)]
    pub remote: bool,
}

/// Arguments of `probe hotspot`.
#[derive(Debug, Args)]
pub struct Hotspot {
    /// System: a name (`hetier list systems`) or a TOML file
    #[arg(long, value_name = "SYSTEM", default_value = "optane-1dimm")]
    pub system: String,
    /// Tier of the system
    #[arg(long, value_name = "TIER", default_value = "pmem")]
    pub tier: String,
    /// Channels used [default: all]
    #[arg(long, allow_hyphen_values = true, value_name = "D")]
    pub dimms: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Bytes overwritten (a range doubles); several give a curve each [default: 256, or with --figure 256,64KiB,1MiB]
    #[arg(long, allow_hyphen_values = true, value_name = "SIZE|FROM..TO")]
    pub region: Option<Values<Size>>,
    /// Draw the measurements into this folder as SVG and CSV
    #[arg(short = 'o', long = "figure", visible_alias = "output", value_name = "FOLDER")]
    pub figure: Option<PathBuf>,
}
