//! Bandwidth over time by tier and direction, a panel for each result, with bands for the layers.

use std::collections::BTreeSet;

use hetier_sim::result::{RunResult, Series};

use super::Figure;
use super::canvas::{Anchor, Canvas, LINE, POINT, UNITS, draw, text_width};
use super::palette::{BAND, Direction, Fill, Hatch, tier_name, traffic_stroke};
use super::panel::{Legend, Panel, Sample, X_AXIS_ROOM, titles};
use super::scale::Scale;
use crate::labels::labels;
use crate::table::Table;
use crate::units::{Unit, time_unit};

/// Most steps of a curve; more bins are averaged together.
const STEPS: usize = 260;

const PANEL: f64 = 0.8 * UNITS;

/// Bytes a second in GB/s (10⁹ bytes).
const GIGA: f64 = 1e-9;

/// Traffic of the tiers over simulated time.
pub struct BandwidthOverTime;

impl Figure<[RunResult]> for BandwidthOverTime {
    fn name(&self) -> &'static str {
        "bandwidth-over-time"
    }

    fn caption(&self) -> &'static str {
        "Traffic at the devices over simulated time, by tier and direction (GB = 10⁹ bytes). Bands are the layers. \
         Each panel has its own time axis. A curve has 260 steps at most, means of the bins in the numbers."
    }

    fn data(&self, results: &[RunResult]) -> Table {
        let mut table = Table::new(&["run", "seconds", "tier", "direction", "bytes", "gb_per_s"]);
        for (label, result) in labels(results).into_iter().zip(results) {
            let bin = result.bandwidth_over_time.bin_seconds;
            for (tier, series) in &result.bandwidth_over_time.tiers {
                for direction in Direction::ALL {
                    for (at, &bytes) in bytes_of(series, direction).iter().enumerate() {
                        table.push(vec![
                            label.clone(),
                            (at as f64 * bin).to_string(),
                            tier.clone(),
                            direction.name().to_owned(),
                            bytes.to_string(),
                            (bytes as f64 * GIGA / bin).to_string(),
                        ]);
                    }
                }
            }
        }
        table
    }

    fn svg(&self, results: &[RunResult]) -> Option<String> {
        let largest = results.iter().flat_map(curves).flat_map(|curve| curve.points).map(|point| point.1);
        let largest = largest.fold(0.0, f64::max);
        if largest <= 0.0 {
            return None;
        }
        let legend = legend(results);
        let pitch = LINE + PANEL + LINE + 4.0 * POINT;
        let height = legend.height() + results.len() as f64 * pitch + X_AXIS_ROOM - LINE;
        Some(draw(height, "Curves of bandwidth over time by tier and direction", |canvas| {
            legend.draw(canvas);
            let units: Vec<Unit> = results.iter().map(unit_of).collect();
            for (at, (result, title)) in results.iter().zip(titles(&labels(results), &units)).enumerate() {
                let top = legend.height() + at as f64 * pitch + LINE;
                // Room above the curves for the names of the layers.
                let y = Scale::from_zero(largest * 1.2);
                let last = at + 1 == results.len();
                paint(canvas, result, &title, (top, y, last));
            }
        }))
    }
}

/// One tier and direction: bandwidth in GB/s from each instant, in seconds, on.
struct Curve {
    tier: String,
    direction: Direction,
    points: Vec<(f64, f64)>,
}

fn bytes_of(series: &Series, direction: Direction) -> &[u64] {
    match direction {
        Direction::Read => &series.read_bytes,
        Direction::Write => &series.write_bytes,
    }
}

/// The curves of tiers that moved anything.
fn curves(result: &RunResult) -> Vec<Curve> {
    let bin = result.bandwidth_over_time.bin_seconds;
    let mut curves = Vec::new();
    for (tier, series) in &result.bandwidth_over_time.tiers {
        for direction in Direction::ALL {
            let points = averaged(bytes_of(series, direction), bin);
            if points.iter().any(|point| point.1 > 0.0) {
                curves.push(Curve { tier: tier.clone(), direction, points });
            }
        }
    }
    curves
}

fn averaged(bytes: &[u64], bin: f64) -> Vec<(f64, f64)> {
    let together = bytes.len().div_ceil(STEPS).max(1);
    let group = |(at, group): (usize, &[u64])| {
        let sum: u64 = group.iter().sum();
        ((at * together) as f64 * bin, sum as f64 * GIGA / (group.len() as f64 * bin))
    };
    bytes.chunks(together).enumerate().map(group).collect()
}

fn legend(results: &[RunResult]) -> Legend {
    let all: BTreeSet<(String, Direction)> =
        results.iter().flat_map(curves).map(|curve| (curve.tier, curve.direction)).collect();
    Legend::new(all.into_iter().map(|(tier, direction)| {
        let text = format!("{} {}", tier_name(&tier), direction.name());
        (Sample::Line(traffic_stroke(&tier, direction)), text)
    }))
}

fn paint(canvas: &Canvas<'_>, result: &RunResult, title: &str, (top, y, last): (f64, Scale, bool)) {
    let unit = unit_of(result);
    let end = end_of(result) * unit.factor;
    let panel = Panel::wide(top, top + PANEL, Scale::exactly(end), y);
    canvas.text((panel.left, top - 0.55 * LINE), title, Anchor::Start);
    paint_bands(canvas, &panel, result, unit);
    panel.y_axis(canvas, "GB/s");
    for curve in curves(result) {
        let points: Vec<(f64, f64)> = curve.points.iter().map(|&(x, y)| (x * unit.factor, y)).collect();
        canvas.line(&panel.steps(&points, end), traffic_stroke(&curve.tier, curve.direction));
    }
    panel.frame(canvas);
    let time = format!("simulated time ({})", unit.symbol);
    panel.x_axis(canvas, if last { &time } else { "" });
}

fn unit_of(result: &RunResult) -> Unit {
    time_unit(end_of(result))
}

fn end_of(result: &RunResult) -> f64 {
    let phases = result.phases.last().map_or(0.0, |phase| phase.start_seconds + phase.seconds);
    let bins =
        result.bandwidth_over_time.tiers.values().map(|series| series.read_bytes.len()).max().unwrap_or(0);
    if phases > 0.0 { phases } else { bins as f64 * result.bandwidth_over_time.bin_seconds }
}

/// Every other phase gets a band, and its name where there is room.
fn paint_bands(canvas: &Canvas<'_>, panel: &Panel, result: &RunResult, unit: Unit) {
    for (at, phase) in result.phases.iter().enumerate() {
        let from = panel.across(phase.start_seconds * unit.factor);
        let to = panel.across((phase.start_seconds + phase.seconds) * unit.factor);
        if at % 2 == 0 && to - from >= 1.0 {
            canvas.rectangle(
                (from, panel.top),
                (to, panel.bottom),
                Fill { colour: BAND, hatch: Hatch::None },
            );
        }
        if to - from > text_width(&phase.name) {
            canvas.text((f64::midpoint(from, to), panel.top + 0.55 * LINE), &phase.name, Anchor::Middle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caption_says_how_many_steps_are_drawn() {
        assert!(
            BandwidthOverTime.caption().contains(&format!("{STEPS} ")),
            "{}",
            BandwidthOverTime.caption()
        );
    }
}
