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
         caches, for page faults, or idle (MM = Memory Mode, AD = App Direct). Drawn are the server's \
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

/// The phase's time, divided as its core seconds are.
fn seconds(phase: &PhaseResult, key: &str) -> f64 {
    let all = phase.compute_seconds + phase.stall_seconds.values().sum::<f64>();
    if all > 0.0 { phase.seconds * core_seconds(phase, key) / all } else { 0.0 }
}
