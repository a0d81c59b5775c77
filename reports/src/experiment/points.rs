//! The published points of an experiment beside what was simulated: as a table, and for a terminal.

use super::Point;
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
    for Judged { point, simulated, error_percent, passes, .. } in judged {
        table.push(vec![
            point.name.as_str().into(),
            measured(point, Some(point.published)),
            measured(point, *simulated),
            point.metric.unit().into(),
            Entry::decimals(*error_percent, 2),
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
    let reasons = judged.iter().filter_map(|judged| Some((&judged.point.name, judged.reason.as_ref()?)));
    let reasons = reasons.map(|(name, reason)| format!("{name}: {reason}\n"));
    points(judged).to_text_with_notes() + &reasons.collect::<String>()
}

/// Counts in full, measurements to four digits.
fn measured(point: &Point, value: Option<f64>) -> Entry {
    match value {
        Some(value) if value.fract() == 0.0 && (point.metric.is_count() || value >= 1000.0) => {
            Entry::count(value as u64)
        }
        value => Entry::number(value, 4),
    }
}
