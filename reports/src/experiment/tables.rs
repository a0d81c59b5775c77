//! The tables of an experiment.

use std::collections::BTreeSet;

use hetier_sim::result::{RunResult, Share};

use super::judgement::Judged;
use super::{Cell, Experiment, Outcome, Sweep};
use crate::table::{Table, cell};
use crate::units::{count, percent, significant};

/// A row for each cell: times, slowdown, peak, traffic, hit rates.
pub fn sweep_table(sweep: &Sweep) -> Table {
    let mut table = Table::new(&[
        "network",
        "run",
        "inference (s)",
        "slowdown",
        "whole run (s)",
        "overhead (s)",
        "peak (GB)",
        "live (GB)",
        "near-memory hits",
        "DRAM read (GB)",
        "DRAM write (GB)",
        "PMem read (GB)",
        "PMem write (GB)",
        "PMem buffer hits, read",
        "write",
    ]);
    for cell in &sweep.cells {
        table.push(row(sweep, cell));
    }
    table
}

fn row(sweep: &Sweep, of: &Cell) -> Vec<String> {
    let mut row = vec![of.network.clone(), of.run.clone()];
    let result = match &of.outcome {
        Outcome::Ran(result) => result,
        Outcome::DoesNotFit { needed_bytes, capacity_bytes } => {
            row.push(format!(
                "needs {} of {} GB",
                significant(*needed_bytes as f64 / 1e9, 3),
                significant(*capacity_bytes as f64 / 1e9, 3)
            ));
            row.resize(15, cell(None::<f64>, |_| String::new()));
            return row;
        }
    };
    let gigabytes = |bytes: u64| significant(bytes as f64 / 1e9, 4);
    let moved = |tier: &str, is_read: bool| {
        let tier = result.devices.get(tier);
        cell(tier, |tier| gigabytes(if is_read { tier.read_bytes } else { tier.write_bytes }))
    };
    let buffer = result.devices.get("pmem").map(|tier| tier.buffer_hit_rate).unwrap_or_default();
    row.push(time(result));
    row.push(cell(sweep.slowdown(&of.network, &of.run), |ratio| format!("{}×", significant(ratio, 4))));
    row.push(significant(result.whole_run_seconds, 4));
    row.push(cell(overhead_seconds(result), |seconds| significant(seconds, 3)));
    row.push(gigabytes(result.peak_footprint_bytes));
    row.push(gigabytes(result.peak_live_bytes));
    row.push(cell(result.near_memory_hit_rate, percent));
    row.extend([moved("dram", true), moved("dram", false), moved("pmem", true), moved("pmem", false)]);
    row.extend([cell(buffer.read, percent), cell(buffer.write, percent)]);
    row
}

/// The time, with its spread where an ensemble was run.
fn time(result: &RunResult) -> String {
    let time = significant(result.simulated_seconds, 4);
    match result.spread.map(|spread| spread.simulated_seconds) {
        Some(spread) => format!("{time} ({}–{})", significant(spread.min, 4), significant(spread.max, 4)),
        None => time,
    }
}

/// Calibrated overhead as time of the run: serial, and that of the threads side by side.
pub(super) fn overhead_seconds(result: &RunResult) -> Option<f64> {
    let overhead = result.overhead?;
    Some(overhead.serial_seconds + overhead.thread_seconds / f64::from(result.threads.max(1)))
}

/// A row for each graph operation of a network: time and traffic on each run.
pub fn operations(sweep: &Sweep, network: &str) -> Table {
    let runs: Vec<(&str, &RunResult)> = sweep
        .experiment
        .run
        .iter()
        .filter_map(|run| Some((run.name.as_str(), sweep.result(network, &run.name)?)))
        .collect();
    let mut heads = vec!["operation".to_owned(), "count".to_owned()];
    for (name, result) in &runs {
        heads.push(format!("{name}: time (s)"));
        heads.push("slowdown".to_owned());
        heads.push("DRAM read (GB)".to_owned());
        if result.devices.contains_key("pmem") {
            heads.extend(["PMem read (GB)", "PMem ÷ DRAM", "near-memory hits"].map(str::to_owned));
        }
    }
    let mut table = Table { heads, rows: Vec::new() };
    let operations: BTreeSet<&String> =
        runs.iter().flat_map(|(_, result)| result.by_operation.keys()).collect();
    for operation in operations {
        let shares: Vec<Option<&Share>> =
            runs.iter().map(|(_, result)| result.by_operation.get(operation)).collect();
        let number = shares.iter().flatten().next().map_or(0, |share| share.count);
        let mut row = vec![operation.clone(), count(number)];
        let base = shares.first().copied().flatten().and_then(|share| share.simulated_seconds);
        for (share, (_, result)) in shares.iter().zip(&runs) {
            row.extend(operation_cells(*share, base, result.devices.contains_key("pmem")));
        }
        table.push(row);
    }
    table
}

fn operation_cells(share: Option<&Share>, base: Option<f64>, has_pmem: bool) -> Vec<String> {
    let seconds = share.and_then(|share| share.simulated_seconds);
    let ratio = seconds.zip(base).filter(|(_, base)| *base > 0.0).map(|(own, base)| own / base);
    let read = |tier: &str| share.map(|share| share.read_bytes(tier) as f64 / 1e9);
    let (dram, pmem) = (read("dram"), read("pmem"));
    let mut cells = vec![
        cell(seconds, |seconds| significant(seconds, 3)),
        cell(ratio, |ratio| format!("{}×", significant(ratio, 3))),
        cell(dram, |bytes| significant(bytes, 3)),
    ];
    if has_pmem {
        let quotient = pmem.zip(dram).filter(|(_, dram)| *dram > 0.0).map(|(pmem, dram)| pmem / dram);
        cells.push(cell(pmem, |bytes| significant(bytes, 3)));
        cells.push(cell(quotient, |quotient| significant(quotient, 3)));
        cells.push(cell(share.and_then(|share| share.near_memory_hit_rate), percent));
    }
    cells
}

/// A row for each published point.
pub fn points(judged: &[Judged]) -> Table {
    let mut table =
        Table::new(&["point", "published", "simulated", "error", "tolerance", "role", "verdict", "source"]);
    for Judged { point, simulated, error_percent, passes } in judged {
        let unit = point.metric.unit();
        let number = |value: f64| format!("{} {unit}", digits(value)).trim_end().to_owned();
        table.push(vec![
            point.name.clone(),
            number(point.published),
            cell(*simulated, number),
            cell(*error_percent, |error| format!("{error:+.1} %")),
            format!("{} %", point.tolerance_percent),
            point.role.name().to_owned(),
            if *passes { "pass" } else { "FAIL" }.to_owned(),
            point.source.clone(),
        ]);
    }
    table
}

/// A row for each published number that is not simulated.
pub fn unsimulated(experiment: &Experiment) -> Table {
    let mut table = Table::new(&["not simulated", "published", "why", "source"]);
    for of in &experiment.unsimulated {
        table.push([&of.name, &of.published, &of.reason, &of.source].map(Clone::clone).to_vec());
    }
    table
}

/// Counts in full, measurements to four digits.
fn digits(value: f64) -> String {
    if value.fract() == 0.0 && value >= 1000.0 { count(value as u64) } else { significant(value, 4) }
}
