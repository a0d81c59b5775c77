//! The page of an experiment and its appendix, as Markdown.

use std::fmt::Write as _;

use super::figures::Named;
use super::judgement::Judged;
use super::prose::{against, conditions, costliest, modes, reasons};
use super::tables::{classes, detailed_summary, run_operations, run_table};
use super::{NetworkEntry, Sweep, points, unsimulated};
use crate::table::Table;

/// Writes into a string do not fail.
const STRING: &str = "writing into a string cannot fail";

const LOADS: &str = "Read and write are bytes at the devices, tag checks, fills and write-backs of near memory included. Loads \
                     are lines that the cores were given, each once, by the tier that had it: in Memory Mode DRAM's are \
                     the reads that hit near memory, PMem's those that missed it. The seed paper's counters count loads. Ciphertexts are activations, scalars the weights.";

/// What came out and why, with the headline numbers and the figures.
pub(super) fn page(sweep: &Sweep, judged: &[Judged], figures: &[Named]) -> String {
    let mut text = head(sweep, "");
    text += "Every table is in [appendix.md](appendix.md), as CSV and LaTeX in `tables/`.\n";
    if !sweep.cells.is_empty() {
        section(&mut text, "How it was simulated", &conditions(sweep), None);
    }
    if !judged.is_empty() {
        section(&mut text, "Against the publication", &against(judged), None);
    }
    let reasons = reasons(sweep, judged);
    if !reasons.is_empty() {
        section(&mut text, "Why the numbers differ", &reasons, None);
    }
    if !sweep.cells.is_empty() {
        section(&mut text, "Memory modes", &modes(sweep), Some(&detailed_summary(sweep)));
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
    if sweep.detailed().next().is_some() {
        section(&mut text, "What the columns of operations and classes count", &[LOADS.to_owned()], None);
    }
    for network in sweep.detailed().map(NetworkEntry::label) {
        for run in &sweep.experiment.run {
            let head = format!("{network}, {}: operations", run.title);
            section(&mut text, &head, &[], Some(&run_operations(sweep, network, run)));
        }
        let of = &format!("{network}: classes of objects");
        section(&mut text, of, &[], Some(&classes(sweep, network).without_empty_columns()));
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

/// A section; a table without rows is left out, and so is a section of nothing.
fn section(text: &mut String, head: &str, sentences: &[String], table: Option<&Table>) {
    let table = table.filter(|table| !table.rows.is_empty());
    if sentences.is_empty() && table.is_none() {
        return;
    }
    write!(text, "\n## {head}\n\n").expect(STRING);
    for sentence in sentences {
        write!(text, "{sentence}\n\n").expect(STRING);
    }
    *text += &table.map(Table::to_markdown).unwrap_or_default();
}
