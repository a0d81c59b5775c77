//! Line fidelity: every 64-byte line of every sweep goes through caches, modes and devices.
//!
//! The recipe of [`replay`]: (1) facts of the trace give footprint and line count; (2) the settings are resolved
//! against the system; (3) mode, placement, allocator, page tables and machine are built; (4) each phase is run by a
//! `Team` of simulated threads, with a barrier between phases; (5) counters become a [`RunResult`].

mod calls;
pub(crate) mod capacity;
pub(crate) mod cpu_use;
pub(crate) mod engine;
mod footprint;
mod lanes;
mod memory_map;
pub(crate) mod objects;
pub(crate) mod report;
mod sample;
pub(crate) mod schedule;
pub(crate) mod settings;
mod team;

use std::borrow::Cow;
use std::ops::ControlFlow;

use hetier_traces::expand::Program;
use hetier_traces::{Directory, Facts, Trace};

pub use calls::Stores;
pub use capacity::pool_bytes;
pub use footprint::Footprint;
pub use sample::Sample;
pub use schedule::Schedule;
pub use settings::{DramSize, Pinning, Settings};

use engine::Engine;

use crate::machine::{Layout, Machine, MachineSettings, Take, Tap};
use crate::mode::{self, ModeSettings};
use crate::result::RunResult;
use crate::system::{Charges, System};
use crate::{Error, Picoseconds};

/// Hears from a replay how far it is, in [0, 1], and may stop it.
pub type Progress<'p> = dyn FnMut(f64) -> ControlFlow<()> + Send + 'p;

/// Replays a trace on a system at line fidelity.
///
/// Costs about 0.1–0.2 µs of host time per line access on one host core. The same trace, system and settings give the
/// same result, on any host.
///
/// # Errors
/// - [`Error::UnknownName`], [`Error::Unsupported`] for settings that the system cannot serve.
/// - [`Error::Capacity`] if the objects do not fit, with what is missing.
/// - [`Error::Trace`] and [`Error::Dead`] if the trace is wrong.
/// - [`Error::Cancelled`] if `progress` breaks.
pub fn replay(
    trace: &Trace,
    system: &System,
    settings: &Settings,
    progress: &mut Progress<'_>,
) -> Result<RunResult, Error> {
    observe(trace, system, settings, None, progress)
}

/// Replays a trace as [`replay`] does, and shows `take` every line that reaches a memory controller.
///
/// # Errors
/// Those of [`replay`].
pub fn observe(
    trace: &Trace,
    system: &System,
    settings: &Settings,
    take: Option<Take>,
    progress: &mut Progress<'_>,
) -> Result<RunResult, Error> {
    let settings = settings.resolve(system)?;
    if settings.sample.is_some() {
        return Err(Error::Unsupported {
            system: system.name.clone(),
            what: "sampling of calls at line fidelity".to_owned(),
            found: "every line is simulated there".to_owned(),
            need: "stream fidelity, or no sampling".to_owned(),
        });
    }
    let (charges, retaining, facts) = charge(trace, system, settings.threads)?;
    let (original, trace) = (trace, retaining.as_ref());
    let sockets = settings.pinning.sockets(system, settings.threads)?;
    let mut machine = build_machine(system, &settings, &sockets, &facts)?;
    let budgets = settings.budgets(system, machine.memory.mode().tiers(), facts.peak_footprint_bytes);
    capacity::check(trace, system, &settings, &budgets, &facts)?;
    if let Some(take) = take {
        machine.memory.observe(Tap::new(Layout::new(system), take));
    }

    let directory = Directory::of(&trace.definitions)?;
    let program = Program::new(trace)?;
    let mut engine = Engine::new(trace, directory, system, &settings, &facts, charges, &machine)?;
    let mut phases = Vec::new();
    let mut start = Picoseconds::ZERO;
    let mut watched = Watched::new(progress, facts.activity.line_accesses);
    for (phase, nodes) in trace.phases.iter().zip(program.phases()) {
        let before = engine.snapshot(&machine);
        engine.run_phase(&phase.head, nodes, &mut machine, start, &mut watched)?;
        let end = engine.end_phase(&mut machine, start);
        phases.push(report::phase(&phase.head, start, end, &before, &engine.snapshot(&machine), system));
        start = end;
    }
    machine.finish();
    let run = report::Run { fidelity: "line", original, trace, system, settings: &settings, phases };
    Ok(report::of_lines(run, &engine, &machine))
}

/// What the system's calibrated constants charge a trace, the trace with the memory that its process retains, and the
/// facts of that one.
pub(crate) fn charge<'t>(
    trace: &'t Trace,
    system: &System,
    threads: usize,
) -> Result<(Charges, Cow<'t, Trace>, Facts), Error> {
    let charges = Charges::new(system.overhead.as_ref(), trace);
    let retaining = charges.retain(trace)?;
    let facts = hetier_traces::facts(&retaining, threads as u64)?;
    Ok((charges, retaining, facts))
}

/// A caller's progress callback with the whole of the work.
pub(crate) struct Watched<'w, 'p> {
    progress: &'w mut Progress<'p>,
    total: u64,
}

impl<'w, 'p> Watched<'w, 'p> {
    /// Progress towards so many line accesses.
    pub(crate) fn new(progress: &'w mut Progress<'p>, total: u64) -> Self {
        Self { progress, total: total.max(1) }
    }

    /// Tells the caller how far the replay is.
    ///
    /// # Errors
    /// - [`Error::Cancelled`] if the caller wants no more.
    pub(crate) fn report(&mut self, accesses: u64) -> Result<(), Error> {
        let share = (accesses as f64 / self.total as f64).min(1.0);
        match (self.progress)(share) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled { percent: (share * 100.0) as u32 }),
        }
    }
}

fn build_machine(
    system: &System,
    settings: &settings::Resolved,
    sockets: &[usize],
    facts: &Facts,
) -> Result<Machine, Error> {
    let near_bytes = settings.dram.bytes(facts.peak_footprint_bytes, system.tier_bytes("dram"));
    let mode_settings = ModeSettings {
        near_bytes,
        write_miss_fetches: settings.write_miss_fetches,
        near_start: settings.near_start,
    };
    let mode = mode::build(&settings.mode, system, &Layout::new(system), &mode_settings)?;
    let machine_settings = MachineSettings {
        sockets,
        prefetches: settings.prefetches,
        has_huge_pages: settings.pages == crate::pages::Pages::Random2m,
    };
    Machine::new(system, &machine_settings, mode)
}

#[cfg(test)]
mod tests;
