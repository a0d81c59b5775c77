//! Studies as files: which networks on which machines, what is drawn, and which published points are held against it.
//!
//! ```text
//! lloret2021.toml ── Experiment ─┐
//!                                ├─ Sweep ── judgement ── tables, figures, prose ── files
//! RunResult of every cell ───────┘
//! ```
//!
//! Replays are the caller's: a [`Sweep`] is filled from outside, cell by cell.

mod figures;
mod judgement;
mod literal;
mod metric;
mod page;
mod points;
mod prose;
mod report;
mod sweep;
mod tables;
mod trace_facts;

pub use judgement::{Judged, judge};
pub use literal::{Experiment, NetworkEntry, Point, Role, RunEntry, SharedSettings, Unsimulated};
pub use metric::Metric;
pub use points::{points, points_text};
pub use report::report_files;
pub use sweep::{Cell, Outcome, Sweep};
pub use tables::{classes, operations, summary, sweep_table, unsimulated};
pub use trace_facts::{PhaseCounts, TraceFacts};

use crate::Error;

/// Every shipped experiment by name.
const SHIPPED: &[(&str, &str)] = &[
    ("lloret2021", include_str!("../../experiments/lloret2021.toml")),
    ("mofhei2024", include_str!("../../experiments/mofhei2024.toml")),
    ("boemer2019", include_str!("../../experiments/boemer2019.toml")),
];

/// Names of the shipped experiments.
pub fn names() -> Vec<&'static str> {
    SHIPPED.iter().map(|(name, _)| *name).collect()
}

/// Reads a shipped experiment by name, or a file if `name` holds a slash or ends in `.toml`.
///
/// # Errors
/// - [`Error::UnknownExperiment`] with the names there are.
/// - [`Error::ExperimentFile`] if the file cannot be read.
/// - [`Error::Experiment`] if it is not what an experiment looks like.
pub fn load(name: &str) -> Result<Experiment, Error> {
    if name.contains('/') || name.ends_with(".toml") {
        let text = std::fs::read_to_string(name)
            .map_err(|source| Error::ExperimentFile { file: name.into(), source })?;
        return Experiment::parse(name, &text);
    }
    let shipped = SHIPPED.iter().find(|(known, _)| *known == name);
    let (_, text) = shipped
        .ok_or_else(|| Error::UnknownExperiment { name: name.to_owned(), known: names().join(", ") })?;
    Experiment::parse(&format!("{name}.toml"), text)
}

#[cfg(test)]
mod tests;
