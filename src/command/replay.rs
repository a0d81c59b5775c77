//! `replay`: one trace on one system and mode.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hetier_reports::{Table, comparison, output, units};
use hetier_sim::RunResult;
use hetier_sim::foreign::IMPORTS;
use hetier_sim::replay::{DramSize, Settings};
use hetier_sim::result::Share;
use hetier_traces::read_file;
use serde_json::json;

use crate::args;
use crate::command::plot::HOST_SECONDS;
use crate::failure::{Failure, Outcome};
use crate::machine::{self, Timed};
use crate::{speed, unused};

/// Replays a trace.
pub fn run(arguments: &args::Replay) -> Outcome {
    if let Some(format) = &arguments.format {
        return super::bare::run(arguments, format);
    }
    let (system, settings) = machine::load(&arguments.machine)?;
    let dram = machine::dram_size(&arguments.machine, DramSize::System)?;
    let settings = Settings { mode: arguments.mode.clone(), dram, ..settings };
    settings.check(&system)?;
    unused::of_machine(&arguments.machine, &[settings.mode_on(&system)])?;
    if let Some(path) = &arguments.output {
        output::check_file(path, &[&arguments.trace])?;
    }
    let trace = read_file(&arguments.trace).map_err(|error| with_hint(&arguments.trace, error))?;
    let timed = machine::replay_all(&trace, &system, &arguments.machine, &[settings])?;
    machine::warn_if_near_memory_is_small(&system, &timed);
    machine::note_if_dram_is_exceeded(timed.iter().map(|(result, _)| (&system, result)));
    let results: Vec<RunResult> = timed.iter().map(|(result, _)| result.clone()).collect();
    if let Some(path) = &arguments.output {
        let text = serde_json::to_string_pretty(&results[0])? + "\n";
        output::write_single(path, text.as_bytes())?;
    }
    machine::note_if_not_charged(&trace, &system);
    if arguments.json {
        return print_json(&timed);
    }
    print_tables(&timed, &speed::lines(&trace, &timed)?, arguments.phases)
}

/// The error with a way out where a file may be another tool's.
fn with_hint(path: &Path, error: hetier_traces::Error) -> Failure {
    let hetier_traces::Error::File { source, .. } = &error else { return error.into() };
    if !matches!(**source, hetier_traces::Error::Damaged { .. }) || !is_text(path) {
        return error.into();
    }
    let known = IMPORTS.map(|format| format.name).join(", ");
    Failure::work(format!("{error} (it may be another tool's: --bare --format with one of {known})"))
}

/// Whether a file begins as text.
fn is_text(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4096).read_to_end(&mut start));
    read.is_ok() && start.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
}

/// The result, and the host seconds that files leave out.
fn print_json(timed: &[Timed]) -> Outcome {
    for (result, seconds) in timed {
        let mut value = serde_json::to_value(result)?;
        value[HOST_SECONDS] = json!(seconds);
        say!("{}", serde_json::to_string_pretty(&value)?);
    }
    Ok(())
}

fn print_tables(timed: &[Timed], speeds: &[String], has_phases: bool) -> Outcome {
    for ((result, _), speed) in timed.iter().zip(speeds) {
        say!("{}", comparison::table(std::slice::from_ref(result)).transposed().to_text());
        say!("{}", if has_phases { phases(result) } else { operations(result) }.to_text());
        say!("{speed}");
    }
    Ok(())
}

/// A row for each operation of the network, the longest first.
fn operations(result: &RunResult) -> Table {
    let mut rows: Vec<_> = result.by_operation.iter().collect();
    let seconds = |share: &Share| share.simulated_seconds.unwrap_or_default();
    rows.sort_by(|one, other| seconds(other.1).total_cmp(&seconds(one.1)));
    let mut table = Table::new(&["operation", "phases", "time", "lines", "near-memory hits"]);
    for (name, share) in rows {
        table.push(vec![
            name.clone(),
            units::count(share.count),
            units::seconds(seconds(share)),
            units::count(share.accesses),
            share.near_memory_hit_rate.map_or_else(|| "–".to_owned(), units::percent),
        ]);
    }
    table
}

/// A row for each phase in its order.
fn phases(result: &RunResult) -> Table {
    let mut phases = Table::new(&["phase", "operation", "time", "lines", "near-memory hits"]);
    for phase in &result.phases {
        phases.push(vec![
            phase.name.clone(),
            phase.operation.clone(),
            units::seconds(phase.seconds),
            units::count(phase.accesses),
            phase.near_memory_hit_rate.map_or_else(|| "–".to_owned(), units::percent),
        ]);
    }
    phases
}
