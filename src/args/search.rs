//! Arguments of the verbs that try many settings.

use std::path::PathBuf;

use clap::Args;

use super::{Machine, Run};
use crate::range::Values;

/// Arguments of `place`.
#[derive(Debug, Args)]
pub struct Place {
    /// The trace
    pub trace: PathBuf,
    /// What to replay it on.
    #[command(flatten)]
    pub machine: Machine,
    /// A memory mode that offers several tiers
    #[arg(long, value_name = "MODE", default_value = "app-direct")]
    pub mode: String,
    /// Write what policy by-density gives every array here as CSV
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Write the result of the best run here as JSON
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `sweep`.
#[derive(Debug, Args)]
pub struct Sweep {
    /// The trace
    pub trace: PathBuf,
    /// Systems: names (`hetier list systems`) or TOML files
    #[arg(long, value_name = "SYSTEM,...", value_delimiter = ',', default_value = "optane-slice")]
    pub systems: Vec<String>,
    /// Memory modes (`hetier list modes`)
    #[arg(
        long,
        value_name = "MODE,...",
        value_delimiter = ',',
        default_value = "dram-only,memory-mode,app-direct"
    )]
    pub modes: Vec<String>,
    /// DRAM of Memory Mode and App Direct as fractions of the peak of live bytes; DRAM only has the
    /// system's, and a row without numbers where that is too little [default: 0.25]
    #[arg(long, allow_hyphen_values = true, value_name = "F,...", value_delimiter = ',')]
    pub dram_fractions: Option<Vec<f64>>,
    /// Simulated threads, such as 1..24 (a range doubles; 1,2,3 for each) [default: all cores of the system]
    #[arg(long, allow_hyphen_values = true, value_name = "T|FROM..TO")]
    pub threads: Option<Values<usize>>,
    /// Placement policies of App Direct (`hetier list placements`) [default: by-class]
    #[arg(long, value_name = "POLICY,...", value_delimiter = ',')]
    pub placements: Option<Vec<String>>,
    /// How each is replayed.
    #[command(flatten)]
    pub run: Run,
    /// Write the rows here as CSV [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
