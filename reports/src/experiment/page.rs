//! The page of an experiment and its appendix, as Markdown.

use std::fmt::Write as _;

use super::figures::Named;
use super::judgement::Judged;
use super::prose::{against, costliest, modes, reasons};
use super::tables::{run_operations, run_table};
use super::{NetworkEntry, Sweep, points, summary, unsimulated};
use crate::table::Table;

/// Writes into a string do not fail.
const STRING: &str = "writing into a string cannot fail";

/// What came out and why, with the headline numbers and the figures.
pub(super) fn page(sweep: &Sweep, judged: &[Judged], figures: &[Named]) -> String {
    let mut text = head(sweep, "");
    text += "Every table is in [appendix.md](appendix.md), as CSV and LaTeX in `tables/`.\n";
    if !judged.is_empty() {
        section(&mut text, "Against the publication", &against(judged), None);
    }
    let reasons = reasons(sweep, judged);
    if !reasons.is_empty() {
        section(&mut text, "Why the numbers differ", &reasons, None);
    }
    if !sweep.cells.is_empty() {
        section(&mut text, "Memory modes", &modes(sweep), Some(&summary(sweep)));
    }
    for network in sweep.detailed().map(NetworkEntry::label) {
        section(&mut text, &format!("{network}: operations"), &costliest(sweep, network), None);
    }
    if !figures.is_empty() {
        text += "\n## Figures\n";
    }
    for Named { stem, caption, .. } in figures {
        write!(text, "\n![{caption}](figures/{stem}.svg)\n\n{caption} [Numbers](figures/{stem}.csv)\n")
            .expect(STRING);
    }
    text
}

/// The tables.
pub(super) fn appendix(sweep: &Sweep, judged: &[Judged]) -> String {
    let mut text = head(sweep, ": tables");
    if !judged.is_empty() {
        section(&mut text, "Published and simulated", &[], Some(&points(judged)));
    }
    if !sweep.experiment.unsimulated.is_empty() {
        section(&mut text, "Published, but not simulated", &[], Some(&unsimulated(&sweep.experiment)));
    }
    for run in &sweep.experiment.run {
        section(&mut text, &run.title, &[], Some(&run_table(sweep, run)));
    }
    for network in sweep.detailed().map(NetworkEntry::label) {
        for run in &sweep.experiment.run {
            let head = format!("{network}, {}: operations", run.title);
            section(&mut text, &head, &[], Some(&run_operations(sweep, network, run)));
        }
    }
    text
}

fn head(sweep: &Sweep, what: &str) -> String {
    let experiment = &sweep.experiment;
    format!(
        "# {}{what}\n\n{}\n\nWritten by `hetier reproduce` {}. All times are simulated; GB = 10⁹ bytes.\n\n",
        experiment.title,
        experiment.source,
        env!("CARGO_PKG_VERSION")
    )
}

/// A section; one whose table has no rows is left out.
fn section(text: &mut String, head: &str, sentences: &[String], table: Option<&Table>) {
    if table.is_some_and(|table| table.rows.is_empty()) {
        return;
    }
    write!(text, "\n## {head}\n\n").expect(STRING);
    for sentence in sentences {
        write!(text, "{sentence}\n\n").expect(STRING);
    }
    *text += &table.map(Table::to_markdown).unwrap_or_default();
}
