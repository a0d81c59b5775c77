//! Turns the arguments of a machine into a system and the settings of a run, and replays on it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Instant;

use hetier_sim::allocator::AllocatorKind;
use hetier_sim::fidelity::{Fidelity, check_seeds, ensemble};
use hetier_sim::mode::{self, NearStart};
use hetier_sim::pages::choose;
use hetier_sim::replay::{DramSize, Pinning, Sample, Schedule, Settings, Stores};
use hetier_sim::system::Overhead;
use hetier_sim::{RunResult, System};
use hetier_traces::Trace;
use hetier_workloads::program::Kernel;
use rayon::prelude::*;

use crate::args;
use crate::args::probe::Switch;
use crate::failure::{Failure, Outcome, explained_of};
use crate::{cache, interrupt, progress, unused};

/// A system with the settings that the command line names, without mode and DRAM size, for a verb that starts near
/// memory in one way.
pub fn load(arguments: &args::Machine) -> Outcome<(System, Settings)> {
    check_one_start(&arguments.run)?;
    load_for_any_start(arguments)
}

/// As [`load`], for a verb that makes a run of each of [`near_starts`]; the settings hold the first.
pub fn load_for_any_start(arguments: &args::Machine) -> Outcome<(System, Settings)> {
    let system = System::load(&arguments.system)?;
    unused::of_one_socket(&arguments.run, system.sockets)?;
    let threads = arguments.threads.map(|threads| threads as usize);
    let mut settings = Settings { threads, ..settings_for_any_start(&arguments.run)? };
    if let Some(placement) = &arguments.placement {
        settings.placement.clone_from(placement);
    }
    Ok((system, settings))
}

/// States of near memory that are asked for, cold first.
pub fn near_starts(arguments: &args::Run) -> Vec<NearStart> {
    let cold = (arguments.cold || !arguments.warm).then_some(NearStart::Cold);
    cold.into_iter().chain(arguments.warm.then_some(NearStart::Warm)).collect()
}

fn check_one_start(arguments: &args::Run) -> Outcome {
    match near_starts(arguments).len() {
        1 => Ok(()),
        _ => Err(Failure::usage("found --cold and --warm, need one of them (hetier compare shows both)")),
    }
}

/// The settings of a replay that do not depend on the machine.
pub fn settings(arguments: &args::Run) -> Outcome<Settings> {
    check_one_start(arguments)?;
    settings_for_any_start(arguments)
}

fn settings_for_any_start(arguments: &args::Run) -> Outcome<Settings> {
    check_seeds(arguments.seeds).map_err(Failure::usage)?;
    let mut settings = Settings {
        pages: arguments.pages.clone(),
        numa: arguments.numa.clone(),
        seed: arguments.seed,
        behaviour_cache: cache::folder(),
        ..Settings::default()
    };
    if let Some(schedule) = &arguments.schedule {
        settings.schedule = Schedule::parse(schedule)?;
    }
    if let Some(allocator) = &arguments.allocator {
        settings.allocator = choose("allocator", allocator, &AllocatorKind::ALL)?;
    }
    if let Some(sample) = &arguments.sample {
        settings.sample = Some(Sample::parse(sample)?);
    }
    if let Some(stores) = &arguments.stores {
        settings.stores = choose("stores", stores, &Stores::ALL)?;
    }
    if let Some(pinning) = &arguments.pinning {
        settings.pinning = choose("pinning", pinning, &Pinning::ALL)?;
    }
    if let Some(fetches) = arguments.write_miss_fetches {
        settings.write_miss_fetches = fetches.is_on();
    }
    settings.prefetches = arguments.prefetch.map(Switch::is_on);
    settings.near_start = near_starts(arguments)[0];
    Ok(settings)
}

/// DRAM of Memory Mode and App Direct: what the command line says, or `default`.
pub fn dram_size(arguments: &args::Machine, default: DramSize) -> Outcome<DramSize> {
    match (arguments.dram, arguments.dram_fraction) {
        (Some(size), _) => Ok(DramSize::Bytes(size.0)),
        (None, Some(share)) if share > 0.0 && share.is_finite() => Ok(DramSize::Fraction(share)),
        (None, Some(share)) => {
            Err(Failure::usage(format!("--dram-fraction: found {share}, need a number above 0")))
        }
        (None, None) => Ok(default),
    }
}

/// One replay: its result and the host seconds that it took.
pub type Timed = (RunResult, f64);

/// Replays a trace under several settings, on all host cores, with a bar each. Results come in the order of settings.
pub fn replay_all(
    trace: &Trace,
    system: &System,
    arguments: &args::Machine,
    settings: &[Settings],
) -> Outcome<Vec<Timed>> {
    let fidelity = choose("fidelity", &arguments.run.fidelity, &Fidelity::ALL)?;
    settings.iter().try_for_each(|settings| settings.check(system))?;
    note_if_long(trace, fidelity, arguments.run.sample.as_deref())?;
    let bars = indicatif::MultiProgress::new();
    let seeds = arguments.run.seeds;
    let replays = settings.par_iter().map(|settings| {
        let bar = bars.add(progress::bar(settings.mode.as_deref().unwrap_or("replay")));
        replay_one(trace, system, settings, (fidelity, seeds), &bar).map_err(|error| match error {
            error @ hetier_sim::Error::Capacity { .. } => {
                Failure::Work(explained_of(&error, system, settings))
            }
            error => error.into(),
        })
    });
    replays.collect()
}

/// Calls from which on a whole replay takes minutes.
const MANY_CALLS: u64 = 100_000_000;

/// Tells on standard error how long a replay of all calls takes, if it is long, and what would be shorter.
pub fn note_if_long(trace: &Trace, fidelity: Fidelity, sample: Option<&str>) -> Outcome {
    if fidelity == Fidelity::Line || sample.is_some() {
        return Ok(());
    }
    let calls = calls(trace)?;
    if calls >= MANY_CALLS {
        let minutes = calls as f64 * hetier_sim::stream::SECONDS_PER_CALL / 60.0;
        tell!(
            "note: all {} calls are simulated, about {} minutes of one core for each replay; --sample 1e7 simulates 10 \
             million of them (docs/sampling.md has the error)",
            hetier_reports::units::count(calls),
            minutes.ceil()
        );
    }
    Ok(())
}

/// Calls of all phases together.
pub fn calls(trace: &Trace) -> Outcome<u64> {
    Ok(hetier_traces::activities(trace)?.iter().fold(0, |sum, phase| sum.saturating_add(phase.calls)))
}

/// Replays a trace under one setting with a bar of its own.
pub fn replay_one(
    trace: &Trace,
    system: &System,
    settings: &Settings,
    (fidelity, seeds): (Fidelity, u32),
    bar: &indicatif::ProgressBar,
) -> Result<Timed, hetier_sim::Error> {
    let started = Instant::now();
    let result = ensemble(trace, system, settings, fidelity, seeds, &|fraction| {
        progress::show(bar, fraction);
        if interrupt::is_pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    Ok((result?, started.elapsed().as_secs_f64()))
}

/// Tells on standard error that times hold no overhead where others of such traces do, or where the names of the system's
/// file fit nothing.
pub fn note_if_not_charged(trace: &Trace, system: &System) {
    let kernel = trace.header.facts.get("kernel");
    if let Some(overhead) = &system.overhead {
        if let Some(reason) = not_charged(trace, overhead) {
            tell!("note: {}: {reason}", system.file);
        }
    } else if kernel.is_some_and(|kernel| kernel == Kernel::Faithful.name()) {
        tell!(
            "note: {} has no calibrated overhead of he-transformer (bsc-8260l-* have): its times are those of arithmetic, copies \
             and memory alone, and do not compare with runs on those",
            system.name
        );
    }
}

/// Why constants of overhead charge less than they say: names that no kernel or primitive has. Only here are they known.
fn not_charged(trace: &Trace, overhead: &Overhead) -> Option<String> {
    let kernels = Kernel::ALL.map(Kernel::name);
    if !kernels.contains(&overhead.kernel.as_str()) {
        let (found, need) = (&overhead.kernel, kernels.join(", "));
        return Some(format!("overhead.kernel: found {found}, need one of {need}: nothing is charged"));
    }
    if trace.header.facts.get("kernel") != Some(&overhead.kernel) {
        return None;
    }
    let called: Vec<&str> = trace.macros.iter().map(|called| called.name.as_str()).collect();
    let key = "overhead.multiply_accumulates";
    let names = &overhead.multiply_accumulates;
    if !names.iter().any(|name| called.contains(&name.as_str())) {
        let (found, need) = (names.join(", "), called.join(", "));
        return Some(format!(
            "{key}: found {found}, the trace calls {need}: no multiply-accumulate is charged"
        ));
    }
    let is_missing = |name: &&String| !called.contains(&name.as_str());
    let meant =
        |found: &String| called.iter().find(|name| is_slip(found, name)).map(|meant| (found.clone(), *meant));
    let (found, meant) = names.iter().filter(is_missing).find_map(meant)?;
    Some(format!(
        "{key}: found {found}, which the trace does not call (did you mean {meant}?): it is not charged"
    ))
}

/// Whether two names differ by a letter or two in one place. Names of primitives that are near in the usual sense are
/// different primitives, which a trace need not call.
fn is_slip(one: &str, other: &str) -> bool {
    let longer = one.len().max(other.len());
    let same = |pairs: &mut dyn Iterator<Item = (u8, u8)>| pairs.take_while(|(a, b)| a == b).count();
    let begin = same(&mut one.bytes().zip(other.bytes()));
    let end = same(&mut one.bytes().rev().zip(other.bytes().rev()));
    begin + end + 2 >= longer
}

/// Tells on standard error which runs had more DRAM than their system, each once.
pub fn note_if_dram_is_exceeded<'r>(runs: impl IntoIterator<Item = (&'r System, &'r RunResult)>) {
    let exceeded = runs.into_iter().filter_map(|(system, result)| {
        dram_note(system, &result.mode, result.devices.get("dram")?.capacity_bytes)
    });
    let notes: BTreeSet<String> = exceeded.collect();
    notes.iter().for_each(|note| tell!("{note}"));
}

/// What to tell of a run with so much DRAM; nothing if the system has as much, or the mode leaves DRAM unused.
pub fn dram_note(system: &System, mode: &str, bytes: u64) -> Option<String> {
    let installed = system.tier_bytes("dram");
    let dram = system.tier("dram")?;
    let is_used = mode::used_tiers(mode, system).is_ok_and(|tiers| tiers.contains(&dram));
    (is_used && bytes > installed).then(|| {
        let [bytes, installed] = [bytes, installed].map(hetier_reports::units::binary_bytes);
        let name = &system.name;
        format!("note: {mode} is replayed as if {name} had {bytes} of DRAM; it has {installed}")
    })
}

/// Tells on standard error when near memory is too small to tell anything.
pub fn warn_if_near_memory_is_small(system: &System, results: &[Timed]) {
    let cache = system.l3.capacity_bytes() * system.sockets as u64;
    for near in results.iter().filter_map(|(result, _)| result.near_memory) {
        if near.capacity_bytes < 4 * cache {
            tell!(
                "warning: near memory of {} is less than four times the last-level cache of {}: this compares caches, \
                 not memories (use a larger --dram-fraction, or a larger batch or degree)",
                hetier_reports::units::binary_bytes(near.capacity_bytes),
                hetier_reports::units::binary_bytes(cache)
            );
        }
    }
}
