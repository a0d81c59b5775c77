//! `record`: the trace of a network, from a real run or by shape.

use std::path::PathBuf;

use hetier_reports::{Table, output, units};
use hetier_traces::{Facts, Trace, facts, to_bytes};
use hetier_workloads::Context;
use hetier_workloads::counters::Counters;
use hetier_workloads::interpret::{Observer, Quiet, Run, execute, shape};
use hetier_workloads::ring::Seed;
use serde_json::json;

use crate::args::{self, Workload};
use crate::failure::Outcome;
use crate::progress::{self, Phases};
use crate::workload::{self, Prepared};
use crate::{real_run, unused};

/// Records a network.
pub fn run(arguments: &args::Record) -> Outcome {
    let Workload { images, labels, weights, .. } = &arguments.workload;
    let inputs = [images, labels, weights].into_iter().flatten().map(PathBuf::as_path);
    output::check_file(&arguments.output, &inputs.collect::<Vec<_>>())?;
    let mut counters = arguments.counters.then(Counters::open);
    let trace = if arguments.execute {
        let prepared = workload::for_execution(&arguments.workload, arguments.seed)?;
        // The trace is all that is left of the run.
        unused::of_zero_share(arguments.workload.zero_share, prepared.options.zeros)?;
        let seed = match arguments.seed {
            Some(seed) => Seed::fixed(seed),
            None => Seed::from_system()?,
        };
        match &mut counters {
            Some(counters) => run_real(&prepared, seed, counters)?,
            None => run_real(&prepared, seed, &mut Quiet)?,
        }
    } else {
        unused::of_shape_seed(arguments)?;
        shape(&workload::for_shape(&arguments.workload, arguments.seed)?.program()?)?
    };
    crate::interrupt::check()?;
    let bytes = to_bytes(&trace)?;
    output::write_single(&arguments.output, &bytes)?;
    report(arguments, (&trace, bytes.len() as u64), counters.as_ref())
}

/// Runs a network for real, with a bar, and gives its trace.
fn run_real(prepared: &Prepared, seed: Seed, observer: &mut dyn Observer) -> Outcome<Trace> {
    let program = prepared.program()?;
    real_run::check(&program)?;
    let context = Context::with_seed(prepared.parameters.clone(), seed);
    let bar = progress::bar("run");
    let run = Run { threads: host_threads(), record: true };
    let mut phases = Phases { bar: &bar, next: observer };
    let execution = execute(&program, &context, &prepared.images, run, &mut phases);
    bar.finish_and_clear();
    let execution = execution?;
    real_run::judge(prepared, &program, &execution.outputs);
    real_run::folded(&program, execution.trace)
}

/// Threads of the host.
pub fn host_threads() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

fn report(arguments: &args::Record, (trace, bytes): (&Trace, u64), counters: Option<&Counters>) -> Outcome {
    let facts = facts(trace, 1)?;
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&as_json(&facts, bytes, counters))?);
        return Ok(());
    }
    say!(
        "{}: {}, {} objects, {} live at most, {} line accesses",
        arguments.output.display(),
        units::bytes(bytes),
        facts.objects,
        units::bytes(facts.peak_footprint_bytes),
        facts.activity.line_accesses
    );
    if let Some(counters) = counters {
        say!("\n{}", counter_table(counters).to_text());
        for (name, reason) in counters.unavailable() {
            say!("{name}: unavailable ({reason})");
        }
    }
    Ok(())
}

fn as_json(facts: &Facts, bytes: u64, counters: Option<&Counters>) -> serde_json::Value {
    let counters = counters
        .map(|counters| json!({ "phases": counters.phases(), "unavailable": counters.unavailable() }));
    json!({
        "schema": "hetier-record-1",
        "trace_bytes": bytes,
        "objects": facts.objects,
        "peak_footprint_bytes": facts.peak_footprint_bytes,
        "line_accesses": facts.activity.line_accesses,
        "counters": counters,
    })
}

fn counter_table(counters: &Counters) -> Table {
    let names = ["task_clock_ns", "page_faults", "cycles", "last_level_cache_misses"];
    let mut table = Table::new(&["phase", "task clock ns", "page faults", "cycles", "LLC misses"]);
    let unavailable = |name: &str| match counters.unavailable().get(name) {
        // What the reason means stands below the table.
        Some(reason) => format!("unavailable ({})", reason.split(':').next().unwrap_or(reason)),
        None => "unavailable".to_owned(),
    };
    for phase in counters.phases() {
        let cell = |name: &&str| phase.counts.get(*name).map_or_else(|| unavailable(name), u64::to_string);
        table.push(std::iter::once(phase.phase.clone()).chain(names.iter().map(cell)).collect());
    }
    table
}
