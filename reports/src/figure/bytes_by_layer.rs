//! Bytes by layer, split by tier and direction.

use std::collections::BTreeSet;

use hetier_sim::result::{PhaseResult, RunResult};

use super::Figure;
use super::layers::{Part, Stacks};
use super::palette::{Direction, tier_name, traffic_fill};
use crate::labels::labels;
use crate::table::Table;
use crate::units::byte_unit;

/// Traffic of each layer by tier and direction.
pub struct BytesByLayer;

impl Figure<[RunResult]> for BytesByLayer {
    fn name(&self) -> &'static str {
        "bytes-by-layer"
    }

    fn caption(&self) -> &'static str {
        "Bytes moved at the devices by layer, tier and direction (GB = 10⁹ bytes; MM = Memory Mode, AD = App Direct). \
         Drawn are the server's phases (all where there are none), those too short to see left out; of more than 12, operations with all their \
         layers, and of more operations the largest and \"other\". The numbers hold every phase."
    }

    fn data(&self, results: &[RunResult]) -> Table {
        let heads = ["run", "layer", "operation", "stage", "tier", "read_bytes", "write_bytes"];
        let mut table = Table::new(&heads);
        for (label, result) in labels(results).into_iter().zip(results) {
            for phase in &result.phases {
                for (tier, traffic) in &phase.tiers {
                    table.push(vec![
                        label.clone(),
                        phase.name.clone(),
                        phase.operation.clone(),
                        phase.stage.name().to_owned(),
                        tier.clone(),
                        traffic.read_bytes.to_string(),
                        traffic.write_bytes.to_string(),
                    ]);
                }
            }
        }
        table
    }

    fn svg(&self, results: &[RunResult]) -> Option<String> {
        let stacks = Stacks::new(results, parts(results), bytes);
        let unit = byte_unit(stacks.longest());
        stacks.svg(results, "bytes moved", unit, "Stacked bars of bytes by layer, tier and direction")
    }
}

fn parts(results: &[RunResult]) -> Vec<Part> {
    let phases = results.iter().flat_map(|result| &result.phases);
    let tiers: BTreeSet<&String> = phases.flat_map(|phase| phase.tiers.keys()).collect();
    let part = |tier: &String, direction: Direction| Part {
        key: format!("{tier} {}", direction.name()),
        name: format!("{} {}", tier_name(tier), direction.name()),
        fill: traffic_fill(tier, direction),
    };
    tiers.into_iter().flat_map(|tier| Direction::ALL.map(|direction| part(tier, direction))).collect()
}

fn bytes(phase: &PhaseResult, key: &str) -> f64 {
    let (tier, direction) = key.split_once(' ').unwrap_or((key, ""));
    let traffic = phase.tiers.get(tier).copied().unwrap_or_default();
    (if direction == "read" { traffic.read_bytes } else { traffic.write_bytes }) as f64
}
