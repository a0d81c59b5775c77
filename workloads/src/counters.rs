//! Counters of the operating system and the processor, per phase of a real run.

use std::collections::BTreeMap;

use hetier_traces::PhaseHead;
use perf_event::events::{Event, Hardware, Software};
use perf_event::{Builder, Counter};
use serde::Serialize;

use crate::interpret::Observer;

/// What is counted, by the name that results use.
fn events() -> [(&'static str, Event); 4] {
    [
        ("task_clock_ns", Event::from(Software::TASK_CLOCK)),
        ("page_faults", Event::from(Software::PAGE_FAULTS)),
        ("cycles", Event::from(Hardware::CPU_CYCLES)),
        ("last_level_cache_misses", Event::from(Hardware::CACHE_MISSES)),
    ]
}

/// Counts of one phase; events that the machine does not have are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PhaseCounts {
    /// Name of the phase.
    pub phase: String,
    /// Event → count, all threads of the process.
    pub counts: BTreeMap<&'static str, u64>,
}

/// Reads the counters around every phase of a run, all threads that the run starts included.
///
/// Create it before the run: threads started earlier are not counted.
#[derive(Debug)]
pub struct Counters {
    counters: Vec<(&'static str, Counter)>,
    unavailable: BTreeMap<&'static str, String>,
    before: BTreeMap<&'static str, u64>,
    phases: Vec<PhaseCounts>,
}

impl Counters {
    /// Opens every event that the machine offers; an event that fails is kept with its reason, never counted as 0.
    pub fn open() -> Self {
        let mut counters = Vec::new();
        let mut unavailable = BTreeMap::new();
        for (name, event) in events() {
            match open(event) {
                Ok(counter) => counters.push((name, counter)),
                Err(reason) => {
                    unavailable.insert(name, reason);
                }
            }
        }
        Self { counters, unavailable, before: BTreeMap::new(), phases: Vec::new() }
    }

    /// Counts of the phases so far, in order.
    pub fn phases(&self) -> &[PhaseCounts] {
        &self.phases
    }

    /// Events that could not be opened, with the reason.
    pub const fn unavailable(&self) -> &BTreeMap<&'static str, String> {
        &self.unavailable
    }

    fn read(&mut self) -> BTreeMap<&'static str, u64> {
        self.counters.iter_mut().filter_map(|(name, counter)| Some((*name, counter.read().ok()?))).collect()
    }
}

/// Linux reports a missing event as a plain error number; its name is what users search for.
fn open(event: Event) -> Result<Counter, String> {
    let mut builder = Builder::new().kind(event);
    builder.inherit(true);
    let mut counter = builder.build().map_err(|error| reason(&error))?;
    counter.enable().map_err(|error| reason(&error))?;
    Ok(counter)
}

/// The error by name, and what it mostly means here.
fn reason(error: &std::io::Error) -> String {
    let name = match error.raw_os_error() {
        Some(1) => "EPERM: not permitted, see kernel.perf_event_paranoid",
        Some(2) => "ENOENT: this processor or virtual machine has none",
        Some(13) => "EACCES: not permitted, see kernel.perf_event_paranoid",
        Some(38) => "ENOSYS: the kernel has no counters",
        Some(95) => "EOPNOTSUPP: this processor has none",
        _ => return error.to_string(),
    };
    name.to_owned()
}

impl Observer for Counters {
    fn phase_started(&mut self, _index: usize, _count: usize, _head: &PhaseHead) -> bool {
        self.before = self.read();
        true
    }

    fn phase_ended(&mut self, head: &PhaseHead) {
        let after = self.read();
        let counts =
            after.iter().map(|(name, count)| (*name, count - self.before.get(name).copied().unwrap_or(0)));
        self.phases.push(PhaseCounts { phase: head.name.clone(), counts: counts.collect() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hetier_traces::Stage;

    #[test]
    fn every_event_is_either_counted_or_has_a_reason() {
        let mut counters = Counters::open();
        let head = PhaseHead { name: "spin".into(), operation: "Test".into(), stage: Stage::Server };

        counters.phase_started(0, 1, &head);
        let sum: u64 = (0..1_000_000_u64).map(std::hint::black_box).sum();
        counters.phase_ended(&head);

        assert!(sum > 0);
        let counted = counters.phases()[0].counts.len();
        assert_eq!(counted + counters.unavailable().len(), events().len());
        if let Some(&clock) = counters.phases()[0].counts.get("task_clock_ns") {
            assert!(clock > 0);
        }
    }
}
