//! The command line: what can be written, parsed as far as single values go and no further.

pub mod probe;
mod search;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hetier_sim::size::Size;

pub use search::{Place, Sweep};

/// Memory-hierarchy simulator and profiler for homomorphically encrypted machine learning.
#[derive(Debug, Parser)]
#[command(name = "hetier", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Folder for what stream fidelity derives from a system's line model, so that the next run need not
    /// [default: `$HETIER_CACHE_DIR`, else hetier in `$XDG_CACHE_HOME` or ~/.cache]
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        conflicts_with = "no_cache",
        help_heading = "Options of every verb"
    )]
    pub cache: Option<PathBuf>,
    /// Derive it anew, and keep nothing
    #[arg(long, global = true, help_heading = "Options of every verb")]
    pub no_cache: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "parsed once")]
pub enum Verb {
    /// Run an encrypted network for real, record what it touches, and compare memory modes (the main job)
    Compare(Compare),
    /// Record the trace of a network, by running it or by shape only
    Record(Record),
    /// Replay a trace on one system and mode
    Replay(Replay),
    /// Measure a simulated machine as a micro-benchmark would a real one
    #[command(subcommand)]
    Probe(probe::Probe),
    /// Print published measurements beside what the models say
    Calibrate(Calibrate),
    /// Redo a published study: every network on every machine, with figures, tables and a page
    ///
    /// Published points out of their tolerance are marked in the tables, and the exit code is 0: the study was done. `hetier
    /// validate --experiment NAME` fails on them.
    Reproduce(Reproduce),
    /// Hold every published number against the simulation; fails if one is out of its tolerance
    Validate(Validate),
    /// Print facts of a trace: footprint, accesses, operations, phases
    Info(Info),
    /// Print a trace as text that parses back
    Script(Script),
    /// Draw figures from results
    Plot(Plot),
    /// Write the lines behind the caches of a machine for another simulator
    Export(Export),
    /// Replay a trace under every placement policy and rank them
    Place(Place),
    /// Replay a trace on every combination of systems, modes, DRAM sizes and threads
    Sweep(Sweep),
    /// List networks, systems, devices, modes, placements, figures or studies
    List(List),
    /// Write shell completions to standard output
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual page to standard output
    Man,
}

/// Which network, under which parameters, on which inputs.
#[derive(Debug, Args)]
pub struct Workload {
    /// Name of the network (`hetier list networks`); for compare, a trace file will do
    #[arg(default_value = "digits")]
    pub network: String,
    /// Images in an idx file (MNIST's format, uncompressed)
    #[arg(long, value_name = "FILE")]
    pub images: Option<PathBuf>,
    /// Labels of the images in an idx file
    #[arg(long, value_name = "FILE", requires = "images")]
    pub labels: Option<PathBuf>,
    /// Weights: a JSON object of flat lists, such as `conv1.weights`
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Images in the batch: one slot each [default: all there are, at most the slots; where only the shape is recorded, as many
    /// as there are slots]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Degree N of the ring, a power of two [default: the network's]
    #[arg(long, value_name = "N", requires = "primes")]
    pub degree: Option<usize>,
    /// Bits of the primes, the special one last [default: the network's]
    #[arg(long, value_name = "BITS,BITS,...", value_delimiter = ',', requires = "degree")]
    pub primes: Option<Vec<u32>>,
    /// Bits of the scale of encodings [default: those of the second-last of three or more `--primes`, else the network's]
    #[arg(long, value_name = "BITS")]
    pub scale_bits: Option<u32>,
    /// Accept parameters that are not 128-bit secure; everything made with them says `security: none`
    #[arg(long)]
    pub insecure: bool,
    /// How the primitives move data: fused, seal-4 or seal-3.4.5 [default: the network's]
    #[arg(long, value_name = "NAME")]
    pub dataflow: Option<String>,
    /// Copies of the layers: fused, faithful to he-transformer, or aluminum-shark [default: the network's]
    #[arg(long, value_name = "NAME")]
    pub kernel: Option<String>,
    /// What a convolution does with zero weights: multiply, copy (as he-transformer) or skip [default: the network's]
    #[arg(long, value_name = "NAME")]
    pub zeros: Option<String>,
    /// Share of convolution weights that are zero, drawn by --seed, in [0, 1)
    #[arg(long, allow_hyphen_values = true, value_name = "SHARE")]
    pub zero_share: Option<f64>,
    /// Two images in the real and imaginary part of a slot
    #[arg(long)]
    pub complex: bool,
    /// Output channels that a thread computes together, so that an input is read once for all of them
    #[arg(long, value_name = "CHANNELS")]
    pub block: Option<usize>,
    /// When tensors die: after-last-use, or at-end as before he-transformer's liveness pass [default: the network's]
    #[arg(long, value_name = "NAME")]
    pub liveness: Option<String>,
    /// Who rectifies, with faithful kernels: process, a client on the same machine that gets messages, or none, the
    /// server itself [default: process]
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
}

/// On which machine, and how.
#[derive(Debug, Args)]
pub struct Machine {
    /// System: a name (`hetier list systems`) or a TOML file
    #[arg(long, value_name = "SYSTEM", default_value = "optane-slice")]
    pub system: String,
    /// Simulated threads [default: all cores of the system]
    #[arg(long, allow_hyphen_values = true, value_name = "T")]
    pub threads: Option<u32>,
    /// DRAM as a fraction of the peak of live bytes (a pool holds more), for Memory Mode and App Direct; in DRAM only the
    /// process may take no more
    #[arg(long, allow_hyphen_values = true, value_name = "F", conflicts_with = "dram")]
    pub dram_fraction: Option<f64>,
    /// DRAM as an absolute size, such as 32GiB, for Memory Mode and App Direct; in DRAM only the process may take no more
    #[arg(long, allow_hyphen_values = true, value_name = "SIZE")]
    pub dram: Option<Size>,
    /// Placement policy of App Direct (`hetier list placements`)
    #[arg(long, value_name = "POLICY")]
    pub placement: Option<String>,
    /// How it is replayed.
    #[command(flatten)]
    pub run: Run,
}

/// Settings of a replay that are neither machine nor placement.
#[derive(Debug, Args)]
pub struct Run {
    /// Every line, whole calls (stream), or auto: line for at most 10⁸ line accesses, stream beyond
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub fidelity: String,
    /// Physical pages as the operating system places them: contiguous, random-4k or random-2m
    #[arg(long, value_name = "NAME")]
    pub pages: Option<String>,
    /// Sockets that hold the pages: first-touch, interleave or bind
    #[arg(long, value_name = "NAME")]
    pub numa: Option<String>,
    /// How parallel loops are dealt to threads: static, static,N or dynamic,N
    #[arg(long, value_name = "NAME")]
    pub schedule: Option<String>,
    /// Allocator of the simulated process: seal-pool, thread-pools (a pool for each thread), bump or map
    #[arg(long, value_name = "NAME")]
    pub allocator: Option<String>,
    /// Start with near memory as an earlier run of the same left it, full
    #[arg(long)]
    pub warm: bool,
    /// Start with near memory empty (the default); compare shows both if both are asked for
    #[arg(long)]
    pub cold: bool,
    /// Whether a write that misses near memory fetches the line from far memory first [default: on]
    #[arg(long, value_name = "on|off")]
    pub write_miss_fetches: Option<probe::Switch>,
    /// Stores of whole lines in sequence: regular, or non-temporal, which go past the caches [default: regular]
    #[arg(long, value_name = "NAME")]
    pub stores: Option<String>,
    /// Threads on cores: compact, socket by socket, or scatter, round the sockets [default: compact]
    #[arg(long, value_name = "NAME")]
    pub pinning: Option<String>,
    /// Hardware prefetch of streams [default: the system's]
    #[arg(long, value_name = "on|off")]
    pub prefetch: Option<probe::Switch>,
    /// Simulate only part of the calls, for networks of billions: repeated layers once (layers), or what a share (0.05) or
    /// a number of calls (2e7) aims at; windows have a least length, so that small traces simulate more (`sampled_share`)
    #[arg(long, allow_hyphen_values = true, value_name = "layers|SHARE|CALLS")]
    pub sample: Option<String>,
    /// Seed of page placement and everything else drawn at random
    #[arg(long, allow_hyphen_values = true, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// Replay this many seeds, at most 256, and report their spread
    #[arg(long, allow_hyphen_values = true, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub seeds: u32,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// What to run.
    #[command(flatten)]
    pub workload: Workload,
    /// Trace files: a recorded trace in place of the network, and more of them, compared one after the other
    #[arg(value_name = "TRACE")]
    pub more: Vec<PathBuf>,
    /// What to replay it on.
    #[command(flatten)]
    pub machine: Machine,
    /// Modes to compare; slowdowns are over dram-only, or over the first where it is not among them [default: those of dram-only, memory-mode, app-direct that the system has]
    #[arg(long, value_name = "MODE,...", value_delimiter = ',')]
    pub modes: Option<Vec<String>>,
    /// Folder for the report, figures, trace and results
    #[arg(short, long, value_name = "FOLDER", default_value = "hetier-out")]
    pub output: PathBuf,
    /// Do not run the network, shape its trace only: no accuracy, any size, and every slot filled unless --batch says less
    #[arg(long)]
    pub shape: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `record`.
#[derive(Debug, Args)]
pub struct Record {
    /// What to record.
    #[command(flatten)]
    pub workload: Workload,
    /// Run the network with real cryptography and record what it touches
    #[arg(long, conflicts_with = "shape")]
    pub execute: bool,
    /// Walk the program without arithmetic (the default)
    #[arg(long)]
    pub shape: bool,
    /// Read hardware and software counters of every phase of a real run
    #[arg(long, requires = "execute")]
    pub counters: bool,
    /// Seed of keys, encryption errors, of weights and images that are not given, and of --zero-share [default: keys and
    /// errors from the operating system, 1 for the rest]
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// Where the trace goes
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub json: bool,
}

/// What a replay on bare controllers has none of.
const NOT_BARE: [&str; 19] = [
    "threads",
    "dram_fraction",
    "dram",
    "placement",
    "fidelity",
    "pages",
    "numa",
    "schedule",
    "allocator",
    "warm",
    "cold",
    "write_miss_fetches",
    "stores",
    "pinning",
    "prefetch",
    "sample",
    "seed",
    "seeds",
    "mode",
];

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The trace
    pub trace: PathBuf,
    /// What to replay it on.
    #[command(flatten)]
    pub machine: Machine,
    /// The trace is another tool's: ramulator2, ramulator1, dramsim3, dinero or lackey
    #[arg(long, value_name = "FORMAT", requires = "bare")]
    pub format: Option<String>,
    /// Send the lines straight to the memory controllers of one socket, without caches, threads and modes
    #[arg(long, requires = "format", conflicts_with_all = NOT_BARE)]
    pub bare: bool,
    /// With --bare: which memory, dram, pmem or cxl [default: the system's first]
    #[arg(long, value_name = "TIER", requires = "bare")]
    pub tier: Option<String>,
    /// With --bare: offer an access every so many clocks of the DRAM, or nanoseconds of other memory
    #[arg(long, allow_hyphen_values = true, value_name = "CLOCKS", requires = "bare", conflicts_with = "saturated", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub pace: Option<u64>,
    /// With --bare: offer the next access of each channel at every clock until it is accepted
    #[arg(long, requires = "bare")]
    pub saturated: bool,
    /// With --bare: address mapping, ro-ba-ra-co-ch, mop4-clxor, skylake-open, skylake-close or a TOML file with order
    /// and xor [default: the device's]
    #[arg(long, value_name = "NAME|FILE.toml", requires = "bare")]
    pub mapping: Option<String>,
    /// Memory mode (`hetier list modes`) [default: the system's first]
    #[arg(long, value_name = "MODE")]
    pub mode: Option<String>,
    /// Write the result here as JSON
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print a row for each phase instead of each operation of the network
    #[arg(long, conflicts_with_all = ["json", "bare"])]
    pub phases: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `calibrate`.
#[derive(Debug, Args)]
pub struct Calibrate {
    /// Measure what arithmetic costs on this machine instead, in the units of a system file
    #[arg(long, conflicts_with = "output")]
    pub host: bool,
    /// With --host: a system whose costs to print beside this machine's
    #[arg(long, value_name = "SYSTEM", requires = "host")]
    pub system: Option<String>,
    /// Write the table here as Markdown
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
    /// Fit the overhead constants of the seed paper's machines instead, and print them
    #[arg(long, conflicts_with_all = ["output", "host"])]
    pub overhead: bool,
}

/// Arguments of `reproduce`.
#[derive(Debug, Args)]
pub struct Reproduce {
    /// Name of a shipped study, or a TOML file of your own
    #[arg(default_value = "lloret2021", value_name = "NAME|FILE.toml")]
    pub experiment: String,
    /// Only what the study marks as quick
    #[arg(long)]
    pub quick: bool,
    /// Folder for the page, figures, tables and results [default: hetier-NAME]
    #[arg(short, long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// Only the quick part of the studies, and no micro-benchmarks
    #[arg(long)]
    pub quick: bool,
    /// Only the points of this study, by name or TOML file, and no micro-benchmarks
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub experiment: Option<String>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `info`.
#[derive(Debug, Args)]
pub struct Info {
    /// The trace
    pub trace: PathBuf,
    /// Count live scratch of parallel loops for this many threads
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub threads: u64,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `script`.
#[derive(Debug, Args)]
pub struct Script {
    /// The trace, or with `--parse` its text
    pub file: PathBuf,
    /// Read text and write a trace
    #[arg(long, requires = "output")]
    pub parse: bool,
    /// Where the text or the trace goes [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of `plot`.
#[derive(Debug, Args)]
pub struct Plot {
    /// Results as `compare` and `replay` write them
    #[arg(required = true)]
    pub results: Vec<PathBuf>,
    /// Folder for the figures
    #[arg(short, long, value_name = "FOLDER", default_value = "hetier-plot")]
    pub output: PathBuf,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The trace
    pub trace: PathBuf,
    /// ramulator2, ramulator1, dramsim3, champsim or gem5
    #[arg(long, value_name = "FORMAT")]
    pub format: String,
    /// What to replay it on.
    #[command(flatten)]
    pub machine: Machine,
    /// Memory mode (`hetier list modes`) [default: the system's first]
    #[arg(long, value_name = "MODE")]
    pub mode: Option<String>,
    /// Lines of this tier alone, from address 0 [default: all tiers, one after the other]
    #[arg(long, value_name = "TIER")]
    pub tier: Option<String>,
    /// Stop after so many lines; standard error says so
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_lines: u64,
    /// Where the lines go
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Which list
    #[arg(value_enum)]
    pub what: Listed,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What `list` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Listed {
    /// Networks that can be recorded
    Networks,
    /// Shipped machines
    Systems,
    /// Shipped memory devices
    Devices,
    /// Memory modes
    Modes,
    /// Placement policies of App Direct
    Placements,
    /// Figures
    Figures,
    /// Published studies that can be reproduced
    Studies,
}
