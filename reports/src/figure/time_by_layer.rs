//! Time by layer, split into arithmetic and what the cores waited for.

use std::collections::BTreeSet;

use hetier_sim::result::{PhaseResult, RunResult};

use super::Figure;
use super::layers::{Part, Stacks};
use super::palette::{tier_name, time_fill};
use crate::labels::labels;
use crate::table::Table;
use crate::units::time_unit;

const COMPUTE: &str = "compute";

/// Time of each layer by cause.
pub struct TimeByLayer;

impl Figure<[RunResult]> for TimeByLayer {
    fn name(&self) -> &'static str {
        "time-by-layer"
    }

    fn caption(&self) -> &'static str {
        "Simulated time of the layers, divided as the cores' time divides into arithmetic and waiting: for a tier, for \
         caches, for page faults, or idle; calibrated overhead of one core, in which the others wait, at its own length (MM = Memory Mode, AD = App Direct). Drawn are the server's \
         phases (all where there are none), those too short to see left out; of more than 12, operations with all their layers, and of more \
         operations the largest and \"other\". The numbers hold every phase."
    }

    fn data(&self, results: &[RunResult]) -> Table {
        let mut table =
            Table::new(&["run", "layer", "operation", "stage", "part", "seconds", "core_seconds"]);
        let parts = parts(results);
        for (label, result) in labels(results).into_iter().zip(results) {
            for phase in &result.phases {
                for part in &parts {
                    table.push(vec![
                        label.clone(),
                        phase.name.clone(),
                        phase.operation.clone(),
                        phase.stage.name().to_owned(),
                        part.key.clone(),
                        seconds(phase, &part.key).to_string(),
                        core_seconds(phase, &part.key).to_string(),
                    ]);
                }
            }
        }
        table
    }

    fn svg(&self, results: &[RunResult]) -> Option<String> {
        let stacks = Stacks::new(results, parts(results), seconds);
        let unit = time_unit(stacks.longest());
        stacks.svg(results, "simulated time", unit, "Stacked bars of time by layer and cause")
    }
}

/// Arithmetic first, then the causes of waiting in the order of their names, idleness last.
fn parts(results: &[RunResult]) -> Vec<Part> {
    let phases = results.iter().flat_map(|result| &result.phases);
    let causes: BTreeSet<&str> =
        phases.flat_map(|phase| phase.stall_seconds.keys().map(String::as_str)).collect();
    let mut keys: Vec<&str> = causes.into_iter().filter(|&cause| cause != "idle").collect();
    keys.insert(0, COMPUTE);
    keys.push("idle");
    let part = |key: &str| Part { key: key.to_owned(), name: name(key), fill: time_fill(key) };
    keys.into_iter().map(part).collect()
}

fn name(key: &str) -> String {
    match key {
        COMPUTE | "idle" => key.to_owned(),
        "cache" => "caches".to_owned(),
        "fault" => "page faults".to_owned(),
        "overhead" => "calibrated overhead".to_owned(),
        "translation" => "page walks".to_owned(),
        tier => format!("{} stall", tier_name(tier)),
    }
}

fn core_seconds(phase: &PhaseResult, key: &str) -> f64 {
    if key == COMPUTE { phase.compute_seconds } else { phase.stall_seconds.get(key).copied().unwrap_or(0.0) }
}

/// The phase's time, divided as its core seconds are; first the serial overhead is set apart at its own length, or the
/// cores that wait for it would make most of it idleness.
fn seconds(phase: &PhaseResult, key: &str) -> f64 {
    let all = phase.compute_seconds + phase.stall_seconds.values().sum::<f64>();
    if all <= 0.0 || phase.seconds <= 0.0 {
        return 0.0;
    }
    let (serial, cores) = (phase.serial_overhead_seconds, all / phase.seconds);
    let (own, alone) = match key {
        "overhead" => (serial, serial),
        "idle" => (0.0, serial * (cores - 1.0)),
        _ => (0.0, 0.0),
    };
    own + phase.seconds * (core_seconds(phase, key) - alone).max(0.0) / all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hetier_sim::result::Stage;

    use super::*;

    #[test]
    fn serial_overhead_has_its_own_length_and_the_parts_are_the_whole() {
        // Four cores: 3 s of arithmetic and 1 s of overhead each, then 2 s of one core alone.
        let stalls = [("overhead", 4.0 + 2.0), ("idle", 3.0 * 2.0)];
        let phase = PhaseResult {
            name: String::new(),
            operation: String::new(),
            stage: Stage::Server,
            start_seconds: 0.0,
            seconds: 6.0,
            compute_seconds: 12.0,
            stall_seconds: stalls.map(|(key, seconds)| (key.to_owned(), seconds)).into(),
            serial_overhead_seconds: 2.0,
            tiers: BTreeMap::new(),
            accesses: 0,
            near_memory_hit_rate: None,
            loads: BTreeMap::new(),
        };

        assert_eq!([COMPUTE, "overhead", "idle"].map(|key| seconds(&phase, key)), [3.0, 3.0, 0.0]);
    }
}
