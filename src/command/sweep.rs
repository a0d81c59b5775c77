//! `sweep`: one trace on every combination of systems, modes, placements, DRAM sizes and threads.

use hetier_reports::{Entry, Table, output};
use hetier_sim::fidelity::Fidelity;
use hetier_sim::pages::choose;
use hetier_sim::replay::{DramSize, Settings};
use hetier_sim::{Error, RunResult, System, mode, placement};
use hetier_traces::{Trace, read_file};
use rayon::prelude::*;
use serde_json::json;

use crate::args;
use crate::failure::{Failure, Outcome, explained_of};
use crate::{machine, progress, unused};

/// Modes whose DRAM has a size of the command line.
const SIZED: [&str; 2] = ["memory-mode", "app-direct"];
/// Modes in which a policy places objects.
const PLACED: [&str; 1] = ["app-direct"];
/// Tiers that get columns.
const TIERS: [&str; 3] = ["dram", "pmem", "cxl"];

/// One combination; what does not matter to its mode is left out.
#[derive(Clone, Debug, PartialEq)]
struct Point {
    /// Position in the list of systems.
    system: usize,
    mode: String,
    placement: Option<String>,
    dram_fraction: Option<f64>,
    threads: Option<usize>,
}

/// A combination with its run, or why there is none.
type Row = (Point, Result<RunResult, String>);

/// Replays every combination and writes a row each.
pub fn run(arguments: &args::Sweep) -> Outcome {
    let load = |name: &String| Ok(System::load(name)?);
    let systems = arguments.systems.iter().map(load).collect::<Outcome<Vec<_>>>()?;
    let shared = machine::settings(&arguments.run)?;
    unused::of_one_socket(&arguments.run, systems.iter().map(|system| system.sockets).max().unwrap_or(1))?;
    check_lists(arguments)?;
    let points = points(arguments, &systems)?;
    unused::of_run(&arguments.run, &arguments.modes.iter().map(String::as_str).collect::<Vec<_>>())?;
    for point in &points {
        // What a system cannot serve is an answer of its row.
        match settings(&shared, point).check(&systems[point.system]) {
            Ok(()) | Err(Error::Unsupported { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(path) = &arguments.output {
        output::check_file(path, &[&arguments.trace])?;
    }
    let trace = read_file(&arguments.trace)?;
    systems.iter().for_each(|system| machine::note_if_not_charged(&trace, system));
    let rows = replay(arguments, &shared, &trace, (&systems, &points))?;
    machine::note_if_dram_is_exceeded(
        rows.iter().filter_map(|(point, run)| Some((&systems[point.system], run.as_ref().ok()?))),
    );
    let table = table(arguments, &systems, &rows);
    if let Some(path) = &arguments.output {
        output::write_single(path, table.to_csv().as_bytes())?;
    }
    match (arguments.json, &arguments.output) {
        (true, _) => say!("{}", serde_json::to_string_pretty(&as_json(&table))?),
        (false, None) => say!("{}", table.to_csv().trim_end_matches('\n')),
        (false, Some(path)) => say!("{}: {} runs", path.display(), rows.len()),
    }
    Ok(())
}

/// Refuses lists that name something twice, or that none of the modes takes.
fn check_lists(arguments: &args::Sweep) -> Outcome {
    unused::of_repeated("--systems", &arguments.systems)?;
    unused::of_repeated("--modes", &arguments.modes)?;
    unused::of_repeated("--placements", &placements(arguments))?;
    unused::of_repeated("--dram-fractions", &dram_fractions(arguments))?;
    unused::of_repeated("--threads", arguments.threads.as_ref().map_or(&[][..], |threads| &threads.0))?;
    let modes = &arguments.modes[..];
    unused::of_listed("--placements", arguments.placements.is_some(), (modes, &PLACED))?;
    unused::of_listed("--dram-fractions", arguments.dram_fractions.is_some(), (modes, &SIZED))
}

fn placements(arguments: &args::Sweep) -> Vec<String> {
    arguments.placements.clone().unwrap_or_else(|| vec!["by-class".to_owned()])
}

fn dram_fractions(arguments: &args::Sweep) -> Vec<f64> {
    arguments.dram_fractions.clone().unwrap_or_else(|| vec![0.25])
}

/// Every combination that differs from the others; modes that a system lacks are told and left out.
fn points(arguments: &args::Sweep, systems: &[System]) -> Outcome<Vec<Point>> {
    let known = |names: Vec<&'static str>| names.into_iter().map(|name| (name, ())).collect::<Vec<_>>();
    for mode in &arguments.modes {
        choose("mode", mode, &known(mode::names()))?;
    }
    for placement in &placements(arguments) {
        choose("placement", placement, &known(placement::names()))?;
    }
    let fractions = dram_fractions(arguments);
    if let Some(share) = fractions.iter().find(|share| !(share.is_finite() && **share > 0.0)) {
        return Err(Failure::usage(format!("--dram-fractions: found {share}, need numbers above 0")));
    }
    if arguments.threads.as_ref().is_some_and(|threads| threads.0.contains(&0)) {
        return Err(Failure::usage("--threads: found 0, need whole numbers from 1"));
    }
    let threads: Vec<Option<usize>> = match &arguments.threads {
        Some(values) => values.0.iter().copied().map(Some).collect(),
        None => vec![None],
    };
    let mut points: Vec<Point> = Vec::new();
    for (number, system) in systems.iter().enumerate() {
        for mode in &arguments.modes {
            if !system.modes.contains(mode) {
                tell!("{}: has no mode {mode}, left out", system.name);
                continue;
            }
            for &threads in &threads {
                let point = Point {
                    system: number,
                    mode: mode.clone(),
                    placement: None,
                    dram_fraction: None,
                    threads,
                };
                points.extend(variants(arguments, &point));
            }
        }
    }
    if points.is_empty() {
        return Err(Failure::usage(format!(
            "--modes: found {}, of which no system of --systems has one, need another mode or system",
            arguments.modes.join(", ")
        )));
    }
    Ok(points)
}

/// A point with every DRAM size and placement that matter to its mode.
fn variants(arguments: &args::Sweep, point: &Point) -> Vec<Point> {
    let is = |modes: &[&str]| modes.contains(&point.mode.as_str());
    let fractions: Vec<Option<f64>> =
        if is(&SIZED) { dram_fractions(arguments).into_iter().map(Some).collect() } else { vec![None] };
    let placements: Vec<Option<String>> =
        if is(&PLACED) { placements(arguments).into_iter().map(Some).collect() } else { vec![None] };
    let with = |(dram_fraction, placement)| Point { dram_fraction, placement, ..point.clone() };
    let pairs = fractions.iter().flat_map(|fraction| placements.iter().map(|name| (*fraction, name.clone())));
    pairs.map(with).collect()
}

/// Replays all points on all host cores, in their order. Too little memory is an answer; other errors end it.
fn replay(
    arguments: &args::Sweep,
    shared: &Settings,
    trace: &Trace,
    (systems, points): (&[System], &[Point]),
) -> Outcome<Vec<Row>> {
    let fidelity = choose("fidelity", &arguments.run.fidelity, &Fidelity::ALL)?;
    machine::note_if_long(trace, fidelity, arguments.run.sample.as_deref())?;
    let bars = indicatif::MultiProgress::new();
    let rows = points.par_iter().map(|point| {
        let settings = settings(shared, point);
        let bar = bars.add(progress::bar(&format!("{} {}", systems[point.system].name, point.mode)));
        let run = (fidelity, arguments.run.seeds);
        match machine::replay_one(trace, &systems[point.system], &settings, run, &bar) {
            Ok((result, _)) => Ok((point.clone(), Ok(result))),
            Err(error @ (Error::Capacity { .. } | Error::Unsupported { .. })) => {
                Ok((point.clone(), Err(explained_of(&error, &systems[point.system], &settings))))
            }
            Err(error) => Err(error.into()),
        }
    });
    rows.collect()
}

/// What all points share with what is a point's own. Without a fraction DRAM is the system's.
fn settings(shared: &Settings, point: &Point) -> Settings {
    Settings {
        mode: Some(point.mode.clone()),
        placement: point.placement.clone().unwrap_or_else(|| shared.placement.clone()),
        dram: point.dram_fraction.map_or(DramSize::System, DramSize::Fraction),
        threads: point.threads,
        ..shared.clone()
    }
}

fn table(arguments: &args::Sweep, systems: &[System], rows: &[Row]) -> Table {
    let fixed = [
        "trace",
        "system",
        "mode",
        "placement",
        "dram_fraction",
        "threads",
        "fidelity",
        "seed",
        "simulated_seconds",
        "min_seconds",
        "max_seconds",
        "whole_run_seconds",
        "sampled_share",
        "sampling_error_seconds",
        "near_memory_hit_rate",
        "peak_footprint_bytes",
    ];
    let bytes = TIERS.iter().flat_map(|tier| [format!("{tier}_read_bytes"), format!("{tier}_write_bytes")]);
    let heads = fixed.into_iter().map(ToOwned::to_owned).chain(bytes).chain(["note".to_owned()]);
    let heads: Vec<String> = heads.collect();
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    for (point, run) in rows {
        let text = |value: Option<String>| value.unwrap_or_default();
        let mut row = vec![
            arguments.trace.display().to_string(),
            systems[point.system].name.clone(),
            point.mode.clone(),
            text(point.placement.clone()),
            text(point.dram_fraction.map(|share| share.to_string())),
        ];
        match run {
            Ok(run) => row.extend(measured(run)),
            Err(note) => {
                row.push(text(point.threads.map(|threads| threads.to_string())));
                row.extend(std::iter::repeat_n(String::new(), heads.len() - row.len() - 1));
                row.push(note.clone());
            }
        }
        table.push(row);
    }
    table
}

/// The cells from `threads` to `note` of a run.
fn measured(run: &RunResult) -> Vec<String> {
    let spread = run.ensemble().map(|spread| spread.simulated_seconds);
    let seconds = |of: Option<f64>| of.unwrap_or(run.simulated_seconds).to_string();
    let known = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let mut cells = vec![
        run.threads.to_string(),
        run.fidelity.clone(),
        run.seed.to_string(),
        run.simulated_seconds.to_string(),
        seconds(spread.map(|spread| spread.min)),
        seconds(spread.map(|spread| spread.max)),
        run.whole_run_seconds.to_string(),
        known(run.sampled_share),
        known(run.sampling_error_seconds),
        known(run.near_memory_hit_rate),
        run.peak_footprint_bytes.to_string(),
    ];
    for tier in TIERS {
        let device = run.devices.get(tier);
        cells.push(device.map(|device| device.read_bytes.to_string()).unwrap_or_default());
        cells.push(device.map(|device| device.write_bytes.to_string()).unwrap_or_default());
    }
    cells.push(String::new());
    cells
}

/// The rows as objects; numbers as numbers, what does not apply as null. The cells up to the placement are names: a trace
/// may be called `123`.
fn as_json(table: &Table) -> serde_json::Value {
    let names = table.heads.iter().position(|head| head == "placement").map_or(0, |at| at + 1);
    let value = |(at, entry): (usize, &Entry)| match entry.raw() {
        cell if cell.is_empty() => json!(null),
        cell if at >= names && cell.parse::<f64>().is_ok() => {
            serde_json::from_str(&cell).unwrap_or_else(|_| json!(cell))
        }
        cell => json!(cell),
    };
    let object = |row: &Vec<Entry>| -> serde_json::Map<String, serde_json::Value> {
        table.heads.iter().cloned().zip(row.iter().enumerate().map(value)).collect()
    };
    json!({ "schema": "hetier-sweep-1", "rows": table.rows.iter().map(object).collect::<Vec<_>>() })
}
