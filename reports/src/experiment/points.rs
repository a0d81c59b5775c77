//! The published points of an experiment beside what was simulated: as a table, and for a terminal.

use super::judgement::Judged;
use crate::entry::Entry;
use crate::table::Table;

/// A row for each published point.
pub fn points(judged: &[Judged]) -> Table {
    let mut table = Table::new(&[
        "point",
        "published",
        "simulated",
        "unit",
        "error (%)",
        "tolerance (%)",
        "role",
        "verdict",
        "source",
    ]);
    for Judged { point, simulated, error_percent, passes } in judged {
        table.push(vec![
            point.name.as_str().into(),
            measured(Some(point.published)),
            measured(*simulated),
            point.metric.unit().into(),
            // Two decimals of a percent; the sum makes a rounded -0 a 0.
            Entry::number(error_percent.map(|error| (error * 100.0).round() / 100.0 + 0.0), 3),
            Entry::number(point.tolerance_percent, 3),
            point.role.name().into(),
            if *passes { "pass" } else { "FAIL" }.into(),
            point.source.as_str().into(),
        ]);
    }
    table
}

/// For a terminal: the table with numbers for the sources, which stand below it, each once.
pub fn points_text(judged: &[Judged]) -> String {
    points(judged).to_text_with_notes()
}

/// Counts in full, measurements to four digits.
fn measured(value: Option<f64>) -> Entry {
    match value {
        Some(value) if value.fract() == 0.0 && value >= 1000.0 => Entry::count(value as u64),
        value => Entry::number(value, 4),
    }
}
