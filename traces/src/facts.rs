//! Facts of a trace alone: objects, footprint, bytes, line accesses, primitives and arithmetic.
//!
//! Facts are computed on the folded form: counts are multiplied by the iterations of loops, and only variables that
//! shape inner loops (clipped windows, pruned lists) are enumerated, iterations that do the same at once. A network of 10⁹
//! calls takes milliseconds. What has to be walked one by one has a budget (`budget.rs`), beyond which a trace is refused.

mod budget;
mod counts;
mod footprint;
mod residency;
mod shape;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::grammar::{Class, Definition, Item, Macro, PhaseHead, Stage, Trace};
use crate::walk::compile;

pub use footprint::ByClass;
pub use residency::{ArrayUse, Residency, residency};

/// Bytes in both directions, as the lanes of sweeps declare them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Bytes loaded.
    pub read_bytes: u64,
    /// Bytes stored.
    pub write_bytes: u64,
}

impl Traffic {
    fn add(&mut self, other: Self) {
        self.read_bytes = self.read_bytes.saturating_add(other.read_bytes);
        self.write_bytes = self.write_bytes.saturating_add(other.write_bytes);
    }
}

/// What some part of a trace does. Sums saturate at 2⁶⁴ − 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Calls of primitives.
    pub calls: u64,
    /// Touches of 64-byte lines: the lines that each lane reads plus those that it writes
    /// (see [`Lane::line_touches`](crate::Lane::line_touches)).
    pub line_accesses: u64,
    /// Bytes loaded and stored.
    pub logical: Traffic,
    /// HE primitive → calls.
    pub primitives: BTreeMap<String, u64>,
    /// HE primitive → bytes.
    pub bytes_by_primitive: BTreeMap<String, Traffic>,
    /// Class of the objects → bytes.
    pub bytes_by_class: BTreeMap<String, Traffic>,
    /// Kind of arithmetic → count.
    pub arithmetic: BTreeMap<String, u64>,
    /// Class → objects brought to life.
    pub births_by_class: BTreeMap<String, u64>,
}

impl Activity {
    fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.line_accesses = self.line_accesses.saturating_add(other.line_accesses);
        self.logical.add(other.logical);
        add_counts(&mut self.primitives, &other.primitives);
        add_counts(&mut self.arithmetic, &other.arithmetic);
        add_counts(&mut self.births_by_class, &other.births_by_class);
        add_traffic(&mut self.bytes_by_primitive, &other.bytes_by_primitive);
        add_traffic(&mut self.bytes_by_class, &other.bytes_by_class);
    }
}

fn add_counts(sums: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (name, count) in more {
        let sum = sums.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*count);
    }
}

fn add_traffic(sums: &mut BTreeMap<String, Traffic>, more: &BTreeMap<String, Traffic>) {
    for (name, traffic) in more {
        sums.entry(name.clone()).or_default().add(*traffic);
    }
}

/// Facts of one phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseFacts {
    /// Name of the phase.
    pub name: String,
    /// Its graph operation.
    pub operation: String,
    /// Whose time it is.
    pub stage: Stage,
    /// What it does.
    #[serde(flatten)]
    pub activity: Activity,
    /// Most live bytes during the phase.
    pub peak_footprint_bytes: u64,
    /// Live bytes at its end.
    pub end_footprint_bytes: u64,
}

/// Live bytes around one top-level body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FootprintPoint {
    /// Number of the phase, from 0.
    pub phase: usize,
    /// Number of the body in the phase, from 0.
    pub step: usize,
    /// Live bytes when the total is largest during the body, by class.
    pub peak: ByClass,
    /// Live bytes after the body, by class.
    pub end: ByClass,
}

/// Facts of a whole trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Objects: elements of all arrays (views own none).
    pub objects: u64,
    /// Objects by class.
    pub objects_by_class: BTreeMap<String, u64>,
    /// Most live bytes at once: sum of the capacities of live objects, allocator not included.
    pub peak_footprint_bytes: u64,
    /// Live bytes by class at that instant.
    pub peak_footprint_by_class: BTreeMap<String, u64>,
    /// Concurrent iterations that the footprint of parallel regions counts.
    pub threads: u64,
    /// What all phases do together.
    #[serde(flatten)]
    pub activity: Activity,
    /// Graph operation → phases.
    pub operations: BTreeMap<String, u64>,
    /// Graph operation → bytes.
    pub bytes_by_operation: BTreeMap<String, Traffic>,
    /// The phases in order.
    pub phases: Vec<PhaseFacts>,
    /// Footprint over time: one point for each top-level body that changes or exceeds the footprint before it.
    pub footprint: Vec<FootprintPoint>,
}

/// Collects the facts of a stream of items. Memory grows with phases and footprint points only.
#[derive(Debug)]
pub struct Collector {
    directory: Directory,
    macros: Vec<Macro>,
    costs: Vec<counts::MacroCost>,
    /// Nothing if only counts are asked for.
    live: Option<footprint::Footprint<footprint::Delta>>,
    budget: budget::Budget,
    facts: Facts,
    step: usize,
}

impl Collector {
    /// Starts with nothing. Objects that an iteration of a parallel region both allocates and frees are counted for
    /// `threads` iterations at once (at least 1).
    pub fn new(threads: u64) -> Self {
        let threads = threads.max(1);
        Self { live: Some(footprint::Footprint::new(threads)), ..Self::of_counts(threads) }
    }

    /// Starts with nothing, and does not follow which objects live.
    fn of_counts(threads: u64) -> Self {
        Self {
            directory: Directory::new(),
            macros: Vec::new(),
            costs: Vec::new(),
            live: None,
            budget: budget::Budget::new(),
            facts: Facts { threads, ..Facts::default() },
            step: 0,
        }
    }

    /// Takes the next item.
    ///
    /// # Errors
    /// - [`Error::BodyOutsidePhase`], and the errors of [`Directory::push`] and [`compile`].
    /// - [`Error::UndefinedMacro`], [`Error::UndefinedArray`], [`Error::Dead`], [`Error::Alive`] for a wrong body.
    /// - [`Error::TooManySteps`] for loops that cannot be multiplied and are too long to be walked.
    /// - [`Error::OutOfRange`] for objects behind views, too many of which live unlike their neighbours.
    pub fn push(&mut self, item: &Item) -> Result<()> {
        match item {
            Item::Array(array) => {
                self.directory.push(Definition::Array(array.clone()))?;
                self.facts.objects += array.elements;
                *self.facts.objects_by_class.entry(array.class.name().into()).or_default() += array.elements;
            }
            Item::View(view) => {
                let id = self.directory.push(Definition::View(view.clone()))?;
                if let Some(live) = &mut self.live {
                    live.add_view(id, view, &self.directory)?;
                }
            }
            Item::Macro(defined) => {
                self.costs.push(counts::MacroCost::of(defined, &mut self.budget)?);
                self.macros.push(defined.clone());
            }
            Item::PhaseStart(head) => self.start_phase(head),
            Item::Body(body) => {
                let nodes = compile(std::slice::from_ref(body), 0)?;
                let (activity, lifetimes) =
                    counts::activity(&nodes, &self.directory, &self.macros, &self.costs, &mut self.budget)?;
                let phase = self.facts.phases.last_mut().ok_or(Error::BodyOutsidePhase)?;
                phase.activity.add(&activity);
                let Some(live) = &mut self.live else { return Ok(()) };
                let (peak, end) = live.apply(&nodes, &self.directory, (&phase.name, &mut self.budget))?;
                live.note(&lifetimes);
                self.record((peak.bytes(), end.bytes()));
            }
        }
        Ok(())
    }

    fn start_phase(&mut self, head: &PhaseHead) {
        let live = self.live.as_ref().map_or(0, |live| live.live().bytes().total());
        self.step = 0;
        self.budget.start_phase(&head.name);
        *self.facts.operations.entry(head.operation.clone()).or_default() += 1;
        self.facts.phases.push(PhaseFacts {
            name: head.name.clone(),
            operation: head.operation.clone(),
            stage: head.stage,
            activity: Activity::default(),
            peak_footprint_bytes: live,
            end_footprint_bytes: live,
        });
    }

    fn record(&mut self, (peak, end): (ByClass, ByClass)) {
        let step = self.step;
        self.step += 1;
        let Some(phase) = self.facts.phases.last_mut() else { return };
        phase.peak_footprint_bytes = phase.peak_footprint_bytes.max(peak.total());
        phase.end_footprint_bytes = end.total();
        if peak.total() > self.facts.peak_footprint_bytes {
            self.facts.peak_footprint_bytes = peak.total();
            self.facts.peak_footprint_by_class = peak.named();
        }
        let is_new = self.facts.footprint.last().is_none_or(|last| last.end != end || peak != end);
        if is_new {
            let phase = self.facts.phases.len() - 1;
            self.facts.footprint.push(FootprintPoint { phase, step, peak, end });
        }
    }

    /// The facts of everything taken so far.
    pub fn finish(mut self) -> Facts {
        for phase in &self.facts.phases {
            self.facts.activity.add(&phase.activity);
            let bytes = self.facts.bytes_by_operation.entry(phase.operation.clone()).or_default();
            bytes.add(phase.activity.logical);
        }
        self.facts
    }
}

/// The facts of a trace in memory; `threads` as in [`Collector::new`].
///
/// # Errors
/// Those of [`Collector::push`].
pub fn facts(trace: &Trace, threads: u64) -> Result<Facts> {
    let mut collector = Collector::new(threads);
    for item in trace.items() {
        collector.push(&item)?;
    }
    Ok(collector.finish())
}

/// What each phase does. Costs a quarter of [`facts`], which follow the footprint too.
///
/// # Errors
/// Those of [`Collector::push`], but for objects that are used when they do not live.
pub fn activities(trace: &Trace) -> Result<Vec<Activity>> {
    let mut collector = Collector::of_counts(1);
    for item in trace.items() {
        collector.push(&item)?;
    }
    Ok(collector.facts.phases.into_iter().map(|phase| phase.activity).collect())
}

/// Position of a class in arrays indexed by class.
const fn class_index(class: Class) -> usize {
    class as usize
}

#[cfg(test)]
mod tests;
