//! `compare`: run a network, record it, replay it on several modes, print and draw the comparison.

use std::path::{Path, PathBuf};
use std::time::Instant;

use hetier_reports::comparison::{Accuracy, TraceFacts};
use hetier_reports::{
    Comparison, Facts, HostTimes, OutputFile, compare_report, comparison, output, spelt, units,
};
use hetier_sim::System;
use hetier_sim::replay::{DramSize, Settings};
use hetier_traces::{Trace, facts};
use hetier_workloads::Context;
use hetier_workloads::interpret::{Quiet, Run, execute, shape};
use hetier_workloads::network::{Entry, Judgement};
use hetier_workloads::ring::Seed;
use serde::Serialize;
use serde_json::json;

use crate::args;
use crate::command::record::host_threads;
use crate::failure::{Failure, Outcome};
use crate::machine;
use crate::progress::{self, Phases};
use crate::workload::{self, Prepared};
use crate::{real_run, speed, unused};

/// Modes compared unless the command line names others.
const MODES: [&str; 3] = ["dram-only", "memory-mode", "app-direct"];
/// DRAM of Memory Mode and App Direct, as a share of the peak of live bytes.
const DRAM_FRACTION: f64 = 0.25;

/// What the run of the network told.
struct Recorded {
    error_estimate: Option<f64>,
    trace: Trace,
    facts: Facts,
    seconds: Option<f64>,
}

/// Compares memory modes.
pub fn run(arguments: &args::Compare) -> Outcome {
    let (system, settings) = machine::load_for_any_start(&arguments.machine)?;
    let settings = per_mode(arguments, &system, &settings)?;
    settings.iter().try_for_each(|settings| settings.check(&system))?;
    let modes: Vec<&str> = settings.iter().map(|settings| settings.mode_on(&system)).collect();
    unused::of_machine(&arguments.machine, &modes)?;
    unused::of_compared_size(&arguments.machine, &modes)?;
    output::check_folder(&arguments.output)?;
    let first = Path::new(&arguments.workload.network);
    if is_trace(first) {
        unused::of_trace(&arguments.workload, arguments.shape)?;
    }
    if arguments.more.is_empty() {
        let recorded = if is_trace(first) { read(first)? } else { record(arguments)? };
        let (stem, on) = (stem(first), (&system, &settings[..]));
        let compared = compare(arguments, recorded, &stem, &arguments.output, on)?;
        return if arguments.json { print_json(&compared) } else { Ok(()) };
    }
    let files: Vec<&Path> =
        std::iter::once(first).chain(arguments.more.iter().map(PathBuf::as_path)).collect();
    let folders = folders(&files)?;
    // A file that cannot be read shows before the first replay.
    let recorded = files.into_iter().map(read).collect::<Outcome<Vec<_>>>()?;
    let (mut compared, mut written) = (Vec::new(), Vec::new());
    for (recorded, name) in recorded.into_iter().zip(folders) {
        let (folder, on) = (arguments.output.join(&name), (&system, &settings[..]));
        let one = compare(arguments, recorded, &name, &folder, on);
        compared.push(one.map_err(|failure| failure.behind(written.clone()))?);
        written.push(folder.display().to_string());
    }
    if arguments.json {
        return print_json(&json!({ "schema": "hetier-comparisons-1", "comparisons": compared }));
    }
    Ok(())
}

fn print_json(value: &impl Serialize) -> Outcome {
    say!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Whether what is asked for is a file rather than the name of a network, which goes before a file of the same name.
fn is_trace(path: &Path) -> bool {
    let is_network = || path.to_str().is_some_and(|name| Entry::find(name).is_ok());
    path.extension().is_some_and(|extension| extension == "trace")
        || path.components().count() > 1
        || (path.is_file() && !is_network())
}

fn stem(path: &Path) -> String {
    if !is_trace(path) {
        return path.display().to_string();
    }
    path.file_stem().map_or_else(|| "trace".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// A folder below the output for each trace, by the name of its file.
fn folders(files: &[&Path]) -> Outcome<Vec<String>> {
    if let Some(network) = files.iter().find(|file| !is_trace(file)) {
        let shown = network.display();
        return Err(Failure::usage(format!(
            "compare: found {shown} among several, need trace files (hetier record)"
        )));
    }
    let names: Vec<String> = files.iter().map(|file| stem(file)).collect();
    match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        None => Ok(names),
        Some((_, name)) => Err(Failure::usage(format!(
            "compare: found two traces called {name}, need different names of files"
        ))),
    }
}

/// A trace recorded before; what its run gave is not in it.
fn read(path: &Path) -> Outcome<Recorded> {
    let trace = hetier_traces::read_file(path)?;
    let fact = |name: &str| trace.header.facts.get(name).cloned();
    let facts = Facts {
        network: fact("network"),
        security: fact("security"),
        images: fact("images").and_then(|images| images.parse().ok()),
        slots: fact("slots").and_then(|slots| slots.parse().ok()),
        ..Facts::default()
    };
    Ok(Recorded { error_estimate: None, trace, facts, seconds: None })
}

/// Replays one trace on every mode, writes its files and prints its tables.
fn compare(
    arguments: &args::Compare,
    mut recorded: Recorded,
    name: &str,
    folder: &Path,
    (system, settings): (&System, &[Settings]),
) -> Outcome<Comparison> {
    let bytes = hetier_traces::to_bytes(&recorded.trace)?;
    recorded.facts.trace = trace_facts(&recorded.trace, bytes.len() as u64)?;
    if !arguments.json {
        print_run(arguments, name, &recorded);
    }
    let timed = machine::replay_all(&recorded.trace, system, &arguments.machine, settings)?;
    machine::warn_if_near_memory_is_small(system, &timed);
    machine::note_if_dram_is_exceeded(timed.iter().map(|(result, _)| (system, result)));
    machine::note_if_not_charged(&recorded.trace, system);
    let (results, seconds): (Vec<_>, Vec<f64>) = timed.iter().cloned().unzip();
    let mut files = compare_report(&results, &recorded.facts)?;
    files.push(OutputFile::new(format!("{name}.trace"), bytes));
    crate::interrupt::check()?;
    let older = others(folder, &files);
    output::write_folder(folder, &files)?;
    if !older.is_empty() {
        tell!("{}: {} stay from an earlier run", folder.display(), older.join(", "));
    }
    let host = HostTimes { replays: seconds, inference_seconds: recorded.seconds };
    if !arguments.json {
        say!("{}", comparison::table(&results).transposed().to_text());
        speed::lines(&recorded.trace, &timed)?.iter().for_each(|speed| say!("{speed}"));
        say!("written to {}: report.html, figures, tables, results, trace", folder.display());
    }
    Ok(Comparison::new(&results, &recorded.facts, &host))
}

/// Results and traces of a folder that are not among the files about to be written.
fn others(folder: &Path, files: &[OutputFile]) -> Vec<String> {
    let is_own = |name: &str| files.iter().any(|file| file.path == Path::new(name));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names
        .filter(|name| [".json", ".trace"].iter().any(|end| name.ends_with(end)) && !is_own(name))
        .collect();
    names.sort();
    names
}

/// Settings of every mode: DRAM only gets DRAM enough, the others the same share. Unless modes are named, those that the
/// system has.
fn per_mode(arguments: &args::Compare, system: &System, settings: &Settings) -> Outcome<Vec<Settings>> {
    let shared = machine::dram_size(&arguments.machine, DramSize::Fraction(DRAM_FRACTION))?;
    let has = |mode: &&str| system.modes.iter().any(|known| known == mode);
    let default = || match MODES.iter().filter(|mode| has(mode)).map(|mode| (*mode).to_owned()).collect() {
        modes if Vec::is_empty(&modes) => system.modes.clone(),
        modes => modes,
    };
    let modes = arguments.modes.clone().unwrap_or_else(default);
    unused::of_repeated("--modes", &modes)?;
    let known = hetier_sim::mode::names();
    for mode in &modes {
        hetier_sim::pages::choose("mode", mode, &known.iter().map(|&name| (name, ())).collect::<Vec<_>>())?;
    }
    let dram = |mode: &str| if mode == "dram-only" { DramSize::Enough } else { shared };
    // Near memory, which starts in one way or both, is Memory Mode's alone.
    let starts = machine::near_starts(&arguments.machine.run);
    let starts = |mode: &str| starts[..if mode == "memory-mode" { starts.len() } else { 1 }].to_vec();
    let settings = modes.into_iter().flat_map(|mode| {
        let one = Settings { dram: dram(&mode), mode: Some(mode.clone()), ..settings.clone() };
        starts(&mode).into_iter().map(move |near_start| Settings { near_start, ..one.clone() })
    });
    Ok(settings.collect())
}

fn record(arguments: &args::Compare) -> Outcome<Recorded> {
    if arguments.shape {
        let prepared = workload::for_shape(&arguments.workload, Some(arguments.machine.run.seed))?;
        let trace = shape(&prepared.program()?)?;
        return Ok(Recorded { error_estimate: None, trace, facts: base_facts(&prepared), seconds: None });
    }
    let prepared = workload::for_execution(&arguments.workload, Some(arguments.machine.run.seed))?;
    let program = prepared.program()?;
    real_run::check(&program)?;
    let context = Context::with_seed(prepared.parameters.clone(), Seed::fixed(arguments.machine.run.seed));
    let bar = progress::bar("run");
    let run = Run { threads: host_threads(), record: true };
    let started = Instant::now();
    let execution =
        execute(&program, &context, &prepared.images, run, &mut Phases { bar: &bar, next: &mut Quiet });
    let seconds = started.elapsed().as_secs_f64();
    bar.finish_and_clear();
    let execution = execution?;
    let (judgement, error_estimate) = real_run::judge(&prepared, &program, &execution.outputs);
    let facts = judged(&prepared, &judgement);
    let trace = real_run::folded(&program, execution.trace)?;
    Ok(Recorded { error_estimate, trace, facts, seconds: Some(seconds) })
}

fn base_facts(prepared: &Prepared) -> Facts {
    Facts {
        network: Some(prepared.network.name().to_owned()),
        security: Some(prepared.parameters.security().to_string()),
        images: Some(prepared.options.images as u64),
        slots: Some(prepared.parameters.slots() as u64),
        ..Facts::default()
    }
}

/// The encrypted outputs against the clear model and, where labels mean anything, against the labels.
fn judged(prepared: &Prepared, judgement: &Judgement) -> Facts {
    let accuracy = Accuracy {
        encrypted: judgement.encrypted_accuracy.filter(|_| prepared.is_trained),
        clear: judgement.clear_accuracy.filter(|_| prepared.is_trained),
    };
    Facts {
        accuracy,
        agreement: Some(judgement.agreement),
        max_output_error: Some(judgement.max_output_error),
        ..base_facts(prepared)
    }
}

fn trace_facts(trace: &Trace, bytes: u64) -> Outcome<TraceFacts> {
    let facts = facts(trace, 1)?;
    Ok(TraceFacts {
        bytes,
        objects: facts.objects,
        peak_footprint_bytes: facts.peak_footprint_bytes,
        logical_read_bytes: facts.activity.logical.read_bytes,
        logical_write_bytes: facts.activity.logical.write_bytes,
    })
}

fn print_run(arguments: &args::Compare, name: &str, recorded: &Recorded) {
    let facts = &recorded.facts;
    let share = |value: Option<f64>| value.map_or_else(|| "not known".to_owned(), units::percent);
    if let (Some(seconds), Some(images)) = (recorded.seconds, facts.images) {
        say!(
            "{name}: {images} images in {} slots, seed {} (fixed, so that runs repeat)",
            facts.slots.unwrap_or(0),
            arguments.machine.run.seed
        );
        say!(
            "accuracy            encrypted {}, clear {}",
            share(facts.accuracy.encrypted),
            share(facts.accuracy.clear)
        );
        say!("same prediction     {}", share(facts.agreement));
        let estimate = match recorded.error_estimate {
            Some(deviation) => format!("{deviation:.1e}"),
            None => "not known".to_owned(),
        };
        say!(
            "largest difference  {:.2e} (estimated standard deviation of the encryption's error: {estimate})",
            facts.max_output_error.unwrap_or(0.0)
        );
        say!(
            "real run            {} ({} an image)",
            units::seconds(seconds),
            units::seconds(seconds / images as f64)
        );
    }
    if recorded.seconds.is_none() {
        say!("{name}: {}", spelt(facts.network.as_deref().unwrap_or("a network without a name")));
    }
    say!("security            {}", spelt(facts.security.as_deref().unwrap_or("none")));
    say!(
        "trace               {}, {} objects, {} live at most, {} loaded, {} stored\n",
        units::bytes(facts.trace.bytes),
        facts.trace.objects,
        units::bytes(facts.trace.peak_footprint_bytes),
        units::bytes(facts.trace.logical_read_bytes),
        units::bytes(facts.trace.logical_write_bytes)
    );
}
