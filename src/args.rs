//! The command line: what can be written, parsed as far as single values go and no further.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::size::Size;

/// Memory-hierarchy simulator and profiler for homomorphically encrypted machine learning.
#[derive(Debug, Parser)]
#[command(name = "hetier", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run an encrypted network for real, record what it touches, and compare memory modes (the main job)
    Compare(Compare),
    /// Record the trace of a network, by running it or by shape only
    Record(Record),
    /// Replay a trace on one system and mode
    Replay(Replay),
    /// Print facts of a trace: footprint, accesses, operations, phases
    Info(Info),
    /// Print a trace as text that parses back
    Script(Script),
    /// Draw figures from results
    Plot(Plot),
    /// List networks, systems, devices, modes, placements or figures
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
    /// Name of the network (`hetier list networks`)
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
    /// Images in the batch: one slot each [default: all there are, at most the slots]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Degree N of the ring, a power of two [default: the network's]
    #[arg(long, value_name = "N", requires = "primes")]
    pub degree: Option<usize>,
    /// Bits of the primes, the special one last [default: the network's]
    #[arg(long, value_name = "BITS,BITS,...", value_delimiter = ',', requires = "degree")]
    pub primes: Option<Vec<u32>>,
    /// Bits of the scale of encodings [default: the network's]
    #[arg(long, value_name = "BITS")]
    pub scale_bits: Option<u32>,
    /// Accept parameters that are not 128-bit secure; everything made with them says `security: none`
    #[arg(long)]
    pub insecure: bool,
    /// How the primitives move data
    #[arg(long, value_enum, default_value_t = Dataflow::Fused)]
    pub dataflow: Dataflow,
}

/// Dataflows of the primitives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dataflow {
    /// What the arithmetic needs
    Fused,
    /// As SEAL 4.x copies and orders
    #[value(name = "seal-4")]
    Seal4,
    /// As SEAL 3.4.5 copies and orders
    #[value(name = "seal-3.4.5")]
    Seal345,
}

/// On which machine, and how.
#[derive(Debug, Args)]
pub struct Machine {
    /// System: a name (`hetier list systems`) or a TOML file
    #[arg(long, value_name = "SYSTEM", default_value = "optane-slice")]
    pub system: String,
    /// Simulated threads [default: all cores of the system]
    #[arg(long, value_name = "T")]
    pub threads: Option<u32>,
    /// DRAM as a fraction of the peak footprint, for Memory Mode and App Direct
    #[arg(long, value_name = "F", conflicts_with = "dram")]
    pub dram_fraction: Option<f64>,
    /// DRAM as an absolute size, such as 32GiB, for Memory Mode and App Direct
    #[arg(long, value_name = "SIZE")]
    pub dram: Option<Size>,
    /// Placement policy of App Direct (`hetier list placements`)
    #[arg(long, value_name = "POLICY")]
    pub placement: Option<String>,
    /// Fidelity: every line, or whole sweeps
    #[arg(long, value_enum, default_value_t = Fidelity::Auto)]
    pub fidelity: Fidelity,
    /// Physical pages as the operating system places them
    #[arg(long, value_enum)]
    pub pages: Option<Pages>,
    /// How parallel loops are dealt to threads
    #[arg(long, value_enum)]
    pub schedule: Option<Schedule>,
    /// Allocator of the simulated process
    #[arg(long, value_enum)]
    pub allocator: Option<Allocator>,
    /// Start with near memory full of clean lines of the same data instead of empty
    #[arg(long)]
    pub warm: bool,
    /// Seed of page placement and everything else drawn at random
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// Replay this many seeds and report their spread
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seeds: u32,
}
