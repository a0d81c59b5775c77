//! `compare`: run a network, record it, replay it on several modes, print and draw the comparison.

use std::time::Instant;

use hetier_reports::comparison::{Accuracy, TraceFacts};
use hetier_reports::{Comparison, Facts, HostTimes, OutputFile, compare_report, comparison, output, units};
use hetier_sim::replay::{DramSize, Settings};
use hetier_traces::{Trace, facts};
use hetier_workloads::Context;
use hetier_workloads::interpret::{Quiet, Run, execute, shape};
use hetier_workloads::ring::Seed;

use crate::args;
use crate::command::record::host_threads;
use crate::failure::Outcome;
use crate::machine::{self, Timed};
use crate::progress::{self, Phases};
use crate::workload::{self, Prepared};

/// Modes compared unless the command line names others, the reference first.
const MODES: [&str; 3] = ["dram-only", "memory-mode", "app-direct"];
/// Largest value of an input: pixels are scaled to [0, 1].
const LARGEST_INPUT: f64 = 1.0;
/// DRAM of Memory Mode and App Direct, as a share of the peak footprint.
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
    let (system, settings) = machine::load(&arguments.machine)?;
    let settings = per_mode(arguments, &settings)?;
    output::check_folder(&arguments.output)?;
    let mut recorded = record(arguments)?;
    let bytes = hetier_traces::to_bytes(&recorded.trace)?;
    recorded.facts.trace = trace_facts(&recorded.trace, bytes.len() as u64)?;
    if !arguments.json {
        print_run(arguments, &recorded);
    }
    let timed = machine::replay_all(&recorded.trace, &system, &arguments.machine, &settings)?;
    machine::warn_if_near_memory_is_small(&system, &timed);
    let (results, seconds): (Vec<_>, Vec<f64>) = timed.iter().cloned().unzip();
    let mut files = compare_report(&results, &recorded.facts)?;
    files.push(OutputFile::new(format!("{}.trace", arguments.workload.network), bytes));
    crate::interrupt::check()?;
    output::write_folder(&arguments.output, &files)?;
    let host = HostTimes { replays: seconds, inference_seconds: recorded.seconds };
    if arguments.json {
        let joined = Comparison::new(&results, &recorded.facts, &host);
        println!("{}", serde_json::to_string_pretty(&joined)?);
        return Ok(());
    }
    println!("{}", comparison::table(&results).transposed().to_text());
    print_replays(arguments, &timed);
    Ok(())
}

/// Settings of every mode: DRAM only gets DRAM enough, the others the same share.
fn per_mode(arguments: &args::Compare, settings: &Settings) -> Outcome<Vec<Settings>> {
    let shared = machine::dram_size(&arguments.machine, DramSize::Fraction(DRAM_FRACTION))?;
    let default = || MODES.map(ToOwned::to_owned).to_vec();
    let modes = arguments.modes.clone().unwrap_or_else(default);
    let known = hetier_sim::mode::names();
    for mode in &modes {
        hetier_sim::pages::choose("mode", mode, &known.iter().map(|&name| (name, ())).collect::<Vec<_>>())?;
    }
    let dram = |mode: &str| if mode == "dram-only" { DramSize::Enough } else { shared };
    Ok(modes
        .into_iter()
        .map(|mode| Settings { dram: dram(&mode), mode: Some(mode), ..settings.clone() })
        .collect())
}

fn record(arguments: &args::Compare) -> Outcome<Recorded> {
    if arguments.shape {
        let prepared = workload::for_shape(&arguments.workload)?;
        let trace = shape(&prepared.program()?)?;
        return Ok(Recorded { error_estimate: None, trace, facts: base_facts(&prepared), seconds: None });
    }
    let prepared = workload::for_execution(&arguments.workload, Some(arguments.machine.seed))?;
    let program = prepared.program()?;
    let context = Context::with_seed(prepared.parameters.clone(), Seed::fixed(arguments.machine.seed));
    let bar = progress::bar("run");
    let run = Run { threads: host_threads(), record: true };
    let started = Instant::now();
    let execution =
        execute(&program, &context, &prepared.images, run, &mut Phases { bar: &bar, next: &mut Quiet });
    let seconds = started.elapsed().as_secs_f64();
    bar.finish_and_clear();
    let execution = execution?;
    let facts = judged(&prepared, &execution.outputs);
    let noise = prepared.network.noise(&prepared.parameters, LARGEST_INPUT);
    let error_estimate = noise.map(|noise| noise.deviation);
    Ok(Recorded { error_estimate, trace: execution.trace, facts, seconds: Some(seconds) })
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
fn judged(prepared: &Prepared, outputs: &[Vec<f64>]) -> Facts {
    let judgement = prepared.network.judge(&prepared.images, outputs);
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

fn print_run(arguments: &args::Compare, recorded: &Recorded) {
    let facts = &recorded.facts;
    let share = |value: Option<f64>| value.map_or_else(|| "not known".to_owned(), units::percent);
    if let (Some(seconds), Some(images)) = (recorded.seconds, facts.images) {
        println!(
            "{}: {images} images in {} slots, seed {} (fixed, so that runs repeat)",
            arguments.workload.network,
            facts.slots.unwrap_or(0),
            arguments.machine.seed
        );
        println!(
            "accuracy            encrypted {}, clear {}",
            share(facts.accuracy.encrypted),
            share(facts.accuracy.clear)
        );
        println!("same prediction     {}", share(facts.agreement));
        let estimate = recorded.error_estimate.map_or_else(String::new, |deviation| {
            format!(" (estimated standard deviation of the encryption's error: {deviation:.1e})")
        });
        println!("largest difference  {:.2e}{estimate}", facts.max_output_error.unwrap_or(0.0));
        println!(
            "real run            {} ({} an image)",
            units::seconds(seconds),
            units::seconds(seconds / images as f64)
        );
    }
    println!("security            {}", facts.security.as_deref().unwrap_or("none"));
    println!(
        "trace               {}, {} objects, {} live at most, {} loaded, {} stored\n",
        units::bytes(facts.trace.bytes),
        facts.trace.objects,
        units::bytes(facts.trace.peak_footprint_bytes),
        units::bytes(facts.trace.logical_read_bytes),
        units::bytes(facts.trace.logical_write_bytes)
    );
}

fn print_replays(arguments: &args::Compare, timed: &[Timed]) {
    for (result, seconds) in timed {
        let rate = result.accesses as f64 / seconds / 1e6;
        println!(
            "replayed {} in {}: {rate:.1} million lines a second",
            result.mode,
            units::seconds(*seconds)
        );
    }
    println!("written to {}: report.html, figures, tables, results, trace", arguments.output.display());
}
