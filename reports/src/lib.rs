//! Turns results of replays into figures, tables and pages; it never simulates.
//!
//! ```text
//! RunResult … ─┬─ figure::draw ─────── SVG + CSV ─┐
//!              ├─ comparison::table ── terminal, LaTeX, CSV
//!              ├─ Comparison ───────── compare --json
//!              └─ report::compare_report ── files ┴─ output::write_folder
//! ```
//!
//! The principal types are [`figure::Figure`], the shelf of figures, [`table::Table`], which every number passes
//! through, and [`output::OutputFile`], what a report consists of.
//!
//! ```
//! use hetier_reports::{Facts, compare_report, comparison};
//! use hetier_sim::result::RunResult;
//!
//! let run = |mode: &str, seconds| RunResult {
//!     mode: mode.to_owned(),
//!     simulated_seconds: seconds,
//!     ..RunResult::default()
//! };
//! let results = [run("dram-only", 0.5), run("memory-mode", 0.6)];
//!
//! println!("{}", comparison::table(&results).transposed().to_text());
//! let files = compare_report(&results, &Facts::default())?;
//! assert!(files.iter().any(|file| file.path.ends_with("report.html")));
//! # Ok::<(), hetier_reports::Error>(())
//! ```
//!
//! Not here: simulation, reading of traces, host timings in anything that is written (equal runs give equal bytes).

pub mod comparison;
pub mod difference;
pub mod entry;
pub mod error;
pub mod experiment;
pub mod figure;
pub mod html;
pub mod labels;
pub mod output;
#[cfg(feature = "pdf")]
pub mod pdf;
pub mod report;
pub mod table;
pub mod units;

pub use comparison::{Comparison, Facts, HostTimes};
pub use entry::Entry;
pub use error::Error;
pub use figure::{Drawing, Figure};
pub use output::OutputFile;
pub use report::compare_report;
pub use table::{Table, spelt};
