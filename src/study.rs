//! Runs the cells of an experiment on all host cores.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use hetier_reports::experiment::{
    Cell, Experiment, Metric, NetworkEntry, Outcome as CellOutcome, PhaseCounts, RunEntry, Sweep, TraceFacts,
};
use hetier_sim::System;
use hetier_sim::fidelity::{Fidelity, ensemble};
use hetier_sim::pages::choose;
use hetier_sim::replay::{DramSize, Settings};
use hetier_sim::size::Size;
use hetier_traces::facts::PhaseFacts;
use hetier_traces::{Class, Definition, Trace};
use hetier_workloads::interpret::shape;
use rayon::prelude::*;

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::{interrupt, machine, progress, unused, workload};

/// Runs every cell. The sweep does not depend on the number of host cores; beside it stand the host seconds of each
/// cell. `adjust` may change a system before it is used.
pub fn run(experiment: &Experiment, adjust: &(dyn Fn(&mut System) + Sync)) -> Outcome<(Sweep, Vec<f64>)> {
    let jobs = Sweep::jobs(experiment);
    let machines = experiment.run.iter().map(|run| {
        let place = format!("{}: run {}", experiment.file, run.name);
        prepare(experiment, run, adjust).map_err(|failure| failure.in_file(&place))
    });
    let machines: Vec<Prepared> = machines.collect::<Outcome<_>>()?;
    let traces: Vec<OnceLock<Trace>> = experiment.network.iter().map(|_| OnceLock::new()).collect();
    let bar = progress::bar(&experiment.name);
    let shares = Mutex::new(vec![0.0; jobs.len()]);
    let tell = |job: usize, share: f64| {
        let mut shares = shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares[job] = share;
        progress::show(&bar, shares.iter().sum::<f64>() / jobs.len() as f64);
        if interrupt::is_pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let cell = |job: usize| {
        let (network, run) = jobs[job];
        let (entry, of_run, machine) = (&experiment.network[network], &experiment.run[run], &machines[run]);
        let started = Instant::now();
        let trace = trace_of(&traces[network], experiment, entry)?;
        let place = || format!("{}: run {}, network {}", experiment.file, of_run.name, entry.label());
        let seeds = experiment.seeds(entry, of_run);
        let outcome = replay(trace, machine, of_run, seeds, &|share| tell(job, share))
            .map_err(|failure| failure.in_file(&place()))?;
        let _ = tell(job, 1.0);
        let outcome = if entry.over_time { outcome } else { trimmed(outcome) };
        let cell = Cell { network: entry.label().to_owned(), run: of_run.name.clone(), outcome };
        Ok((job, cell, started.elapsed().as_secs_f64()))
    };
    // Studies list small networks first; the longest jobs start first.
    let cells = || (0..jobs.len()).rev().par_bridge().map(cell).collect::<Outcome<Vec<_>>>();
    let (cells, facts) = rayon::join(cells, || facts(experiment, &traces));
    bar.finish_and_clear();
    let (mut cells, facts) = (cells?, facts?);
    cells.sort_by_key(|(job, _, _)| *job);
    machine::note_if_dram_is_exceeded(cells.iter().filter_map(|(job, cell, _)| match &cell.outcome {
        CellOutcome::Ran(result) => Some((&machines[jobs[*job].1].system, &**result)),
        CellOutcome::DoesNotFit { .. } => None,
    }));
    let seconds = cells.iter().map(|(_, _, seconds)| *seconds).collect();
    let cells = cells.into_iter().map(|(_, cell, _)| cell).collect();
    Ok((Sweep { experiment: experiment.clone(), cells, facts }, seconds))
}

/// What the traces alone say of the networks that have points of theirs.
fn facts(experiment: &Experiment, traces: &[OnceLock<Trace>]) -> Outcome<BTreeMap<String, TraceFacts>> {
    let facts = experiment.traced().map(|entry| {
        let place = experiment.network.iter().position(|other| other.label() == entry.label());
        let trace = trace_of(&traces[place.expect("it is one of them")], experiment, entry)?;
        let mut facts = trace_facts(trace)?;
        if experiment.asks(entry, &Metric::PoolGigabytes) {
            facts.pool_bytes = Some(hetier_sim::replay::pool_bytes(trace, Class::Ciphertext)?);
        }
        Ok((entry.label().to_owned(), facts))
    });
    facts.collect()
}

fn trace_facts(trace: &Trace) -> Outcome<TraceFacts> {
    let facts = hetier_traces::facts(trace, 1)?;
    let array = |definition: &Definition| match definition {
        Definition::Array(array) => Some((array.label.clone(), array.elements)),
        _ => None,
    };
    let used = |definition: &Definition| match definition {
        Definition::Array(array) => Some((array.label.clone(), array.used_bytes)),
        _ => None,
    };
    let phase = |phase: PhaseFacts| PhaseCounts {
        name: phase.name,
        operation: phase.operation,
        primitives: phase.activity.primitives,
    };
    Ok(TraceFacts {
        operations: facts.operations,
        primitives: facts.activity.primitives,
        elements: trace.definitions.iter().filter_map(array).collect(),
        object_bytes: trace.definitions.iter().filter_map(used).collect(),
        phases: facts.phases.into_iter().map(phase).collect(),
        pool_bytes: None,
        peak_live_bytes: facts.peak_footprint_bytes,
    })
}

/// A run with its system loaded and its settings checked.
struct Prepared {
    system: System,
    settings: Settings,
    fidelity: Fidelity,
}

fn prepare(
    experiment: &Experiment,
    run: &RunEntry,
    adjust: &(dyn Fn(&mut System) + Sync),
) -> Outcome<Prepared> {
    let shared = &experiment.settings;
    let arguments = args::Machine {
        system: run.system.clone(),
        threads: run.threads.or(shared.threads),
        dram_fraction: run.dram_fraction,
        dram: run.dram_gib.map(|gib| Size((gib * (1_u64 << 30) as f64).round() as u64)),
        placement: run.placement.clone(),
        run: args::Run {
            fidelity: shared.fidelity.clone(),
            pages: run.pages.clone(),
            numa: run.numa.clone(),
            schedule: run.schedule.clone(),
            allocator: run.allocator.clone(),
            warm: run.warm,
            cold: false,
            write_miss_fetches: None,
            stores: None,
            pinning: None,
            prefetch: None,
            sample: shared.sample.clone(),
            seed: shared.seed,
            seeds: shared.seeds,
        },
    };
    let (mut system, settings) = machine::load(&arguments)?;
    adjust(&mut system);
    let dram = machine::dram_size(&arguments, DramSize::System)?;
    let fidelity = choose("fidelity", &arguments.run.fidelity, &Fidelity::ALL)?;
    let settings = Settings { mode: Some(run.mode.clone()), dram, ..settings };
    settings.check(&system)?;
    unused::of_machine(&arguments, &[settings.mode_on(&system)])?;
    Ok(Prepared { system, settings, fidelity })
}

/// The trace of a network, shaped by the first job that needs it.
fn trace_of<'t>(
    place: &'t OnceLock<Trace>,
    experiment: &Experiment,
    entry: &NetworkEntry,
) -> Outcome<&'t Trace> {
    if let Some(trace) = place.get() {
        return Ok(trace);
    }
    let arguments = args::Workload {
        network: entry.name.clone(),
        images: None,
        labels: None,
        weights: None,
        batch: entry.batch,
        degree: entry.degree,
        primes: entry.primes.clone(),
        scale_bits: entry.scale_bits,
        insecure: entry.insecure,
        dataflow: entry.dataflow.clone(),
        kernel: entry.kernel.clone(),
        zeros: entry.zeros.clone(),
        zero_share: entry.zero_share,
        complex: entry.complex,
        block: entry.block,
        liveness: entry.liveness.clone(),
        client: entry.client.clone(),
    };
    let shaped = || Ok(shape(&workload::for_shape(&arguments, None)?.program()?)?);
    let named =
        |failure: Failure| failure.in_file(&format!("{}: network {}", experiment.file, entry.label()));
    let trace = shaped().map_err(named)?;
    Ok(place.get_or_init(|| trace))
}

fn replay(
    trace: &Trace,
    machine: &Prepared,
    run: &RunEntry,
    seeds: u32,
    tell: &(dyn Fn(f64) -> ControlFlow<()> + Sync),
) -> Outcome<CellOutcome> {
    let Prepared { system, settings, fidelity } = machine;
    match ensemble(trace, system, settings, *fidelity, seeds, tell) {
        Ok(result) => {
            let (needed_bytes, capacity_bytes) = (result.peak_footprint_bytes, result.capacity_bytes());
            if run.only_if_it_fits && needed_bytes > capacity_bytes {
                return Ok(CellOutcome::DoesNotFit { needed_bytes, capacity_bytes });
            }
            Ok(CellOutcome::Ran(Box::new(result)))
        }
        Err(hetier_sim::Error::Capacity { needed_bytes, capacity_bytes, .. }) if run.only_if_it_fits => {
            Ok(CellOutcome::DoesNotFit { needed_bytes, capacity_bytes })
        }
        Err(error) => Err(Failure::from(error)),
    }
}

/// Without what only figures over time need: a network has thousands of phases.
fn trimmed(outcome: CellOutcome) -> CellOutcome {
    match outcome {
        CellOutcome::Ran(mut result) => {
            result.phases = Vec::new();
            result.footprint_over_time = Vec::new();
            result.bandwidth_over_time = hetier_sim::result::BandwidthOverTime::default();
            result.cpu_use_over_time = None;
            CellOutcome::Ran(result)
        }
        other => other,
    }
}
