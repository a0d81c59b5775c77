//! Stacked bars by layer, one for each result: the common form of time and bytes by layer.

use std::collections::BTreeMap;

use hetier_sim::result::{PhaseResult, RunResult};

use super::canvas::{Anchor, Canvas, POINT, UNITS, draw, text_width};
use super::names::fitting;
use super::palette::{Dash, Fill, GRID, Stroke};
use super::panel::{Legend, Panel, RIGHT_MARGIN, Sample, WIDTH, X_AXIS_ROOM};
use super::scale::Scale;
use crate::labels::{labels, marks};
use crate::units::Unit;

/// Most rows of a figure; more phases are summed by graph operation, and of more operations the smallest.
const MOST_LAYERS: usize = 12;

/// Bars of less than this share of the longest cannot be seen; layers that have no others take no room.
const LEAST_SHARE: f64 = 0.004;

const ROW: f64 = 0.125 * UNITS;
const BAR: f64 = 0.105 * UNITS;
const GAP: f64 = 0.05 * UNITS;

/// Longest name at the left, in letters.
const NAME_LETTERS: usize = 16;

/// One colour of the stacks: `key` in the results, `name` in the legend.
pub struct Part {
    /// Key that [`Measure`] is asked for.
    pub key: String,
    /// Text of the legend.
    pub name: String,
    /// Its fill.
    pub fill: Fill,
}

/// The amount of a part in a phase.
pub type Measure = fn(&PhaseResult, &str) -> f64;

/// A layer, or an operation with all its layers.
pub struct Layer {
    /// Its name.
    pub name: String,
    /// For each result, the amount of each part.
    pub bars: Vec<Vec<f64>>,
}

/// What the stacked bars of a figure are drawn from.
pub struct Stacks {
    /// The colours, from the axis outwards.
    pub parts: Vec<Part>,
    /// The rows, from the top.
    pub layers: Vec<Layer>,
}

impl Stacks {
    /// The phases of the inference, or all if none belongs to the server; parts without any amount and layers too short to
    /// see are left out.
    pub fn new(results: &[RunResult], parts: Vec<Part>, measure: Measure) -> Self {
        let amount = |phase: &PhaseResult| -> Vec<f64> {
            parts.iter().map(|part| measure(phase, &part.key)).collect()
        };
        let mut layers = collect(results, &amount, |phase| &phase.name);
        if layers.len() > MOST_LAYERS {
            layers = collect(results, &amount, |phase| &phase.operation);
        }
        if layers.len() > MOST_LAYERS {
            layers = largest(layers);
        }
        let mut stacks = Self { parts, layers };
        let visible = LEAST_SHARE * stacks.longest();
        stacks.layers.retain(|layer| layer.bars.iter().any(|bar| bar.iter().sum::<f64>() > visible));
        stacks.drop_empty_parts();
        stacks
    }

    /// The longest bar.
    pub fn longest(&self) -> f64 {
        self.layers.iter().flat_map(|layer| &layer.bars).map(|bar| bar.iter().sum()).fold(0.0, f64::max)
    }

    /// The SVG document, or `None` if all is zero. `axis` is followed by the unit.
    pub fn svg(&self, results: &[RunResult], axis: &str, unit: Unit, description: &str) -> Option<String> {
        if self.longest() <= 0.0 {
            return None;
        }
        let entries = self.parts.iter().map(|part| (Sample::Box(part.fill), part.name.clone()));
        let numbers = (1..).zip(labels(results)).map(|(number, label)| (Sample::Number(number), label));
        let is_numbered = marks(results).first().is_some_and(|mark| mark == "1") && results.len() > 1;
        let legend = Legend::new(entries.chain(numbers.filter(|_| is_numbered)));
        let rows = self.layers.len() as f64 * (results.len() as f64 * ROW + GAP) + GAP;
        let top = legend.height();
        Some(draw(top + rows + X_AXIS_ROOM, description, |canvas| {
            legend.draw(canvas);
            self.paint(canvas, &marks(results), (top, top + rows), unit);
            self.panel((top, top + rows), unit).x_axis(canvas, &format!("{axis} ({})", unit.symbol));
        }))
    }

    fn paint(&self, canvas: &Canvas<'_>, marks: &[String], (top, bottom): (f64, f64), unit: Unit) {
        let panel = self.panel((top, bottom), unit);
        panel.x_grid(canvas);
        let mut y = top + GAP;
        for (layer, name) in self.layers.iter().zip(self.names()) {
            let height = layer.bars.len() as f64 * ROW;
            canvas.text((30.0, y + height / 2.0), &name, Anchor::Start);
            for (bar, mark) in layer.bars.iter().zip(marks) {
                let middle = y + ROW / 2.0;
                if marks.len() > 1 {
                    canvas.text((panel.left - 3.0 * POINT, middle), mark, Anchor::End);
                }
                self.paint_bar(canvas, &panel, bar, middle, unit);
                y += ROW;
            }
            y += GAP;
            if y < bottom - 1.0 {
                let line = y - GAP / 2.0;
                let stroke = Stroke { colour: GRID, points: 0.4, dash: Dash::None };
                canvas.line(&[(30.0, line), (panel.right, line)], stroke);
            }
        }
        panel.frame(canvas);
    }

    fn paint_bar(&self, canvas: &Canvas<'_>, panel: &Panel, bar: &[f64], middle: f64, unit: Unit) {
        let mut sum = 0.0;
        for (part, &amount) in self.parts.iter().zip(bar) {
            let from = panel.across(sum * unit.factor);
            sum += amount;
            let to = panel.across(sum * unit.factor);
            if to - from >= 0.5 {
                canvas.rectangle((from, middle - BAR / 2.0), (to, middle + BAR / 2.0), part.fill);
            }
        }
    }

    /// Names of the rows as they stand at the left.
    fn names(&self) -> Vec<String> {
        let names: Vec<String> = self.layers.iter().map(|layer| layer.name.clone()).collect();
        fitting(&names, NAME_LETTERS)
    }

    fn panel(&self, (top, bottom): (f64, f64), unit: Unit) -> Panel {
        let names = self.names().iter().map(|name| text_width(name)).fold(0.0, f64::max);
        let mark = text_width("PMem") + 6.0 * POINT;
        Panel {
            left: 30.0 + names + mark,
            right: WIDTH - RIGHT_MARGIN,
            top,
            bottom,
            x: Scale::from_zero(self.longest() * unit.factor),
            y: Scale::exactly(1.0),
        }
    }

    fn drop_empty_parts(&mut self) {
        let used: Vec<bool> = (0..self.parts.len())
            .map(|at| self.layers.iter().flat_map(|layer| &layer.bars).any(|bar| bar[at] > 0.0))
            .collect();
        let mut keep = used.iter();
        self.parts.retain(|_| keep.next() == Some(&true));
        for bar in self.layers.iter_mut().flat_map(|layer| &mut layer.bars) {
            let mut keep = used.iter();
            bar.retain(|_| keep.next() == Some(&true));
        }
    }
}

/// Sums by name, in order of first appearance.
fn collect(
    results: &[RunResult],
    amount: &dyn Fn(&PhaseResult) -> Vec<f64>,
    name: fn(&PhaseResult) -> &String,
) -> Vec<Layer> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut layers: Vec<Layer> = Vec::new();
    for (number, result) in results.iter().enumerate() {
        for phase in shown(result) {
            let parts = amount(phase);
            let at = *places.entry(name(phase).clone()).or_insert_with(|| {
                let bars = vec![vec![0.0; parts.len()]; results.len()];
                layers.push(Layer { name: name(phase).clone(), bars });
                layers.len() - 1
            });
            for (sum, part) in layers[at].bars[number].iter_mut().zip(parts) {
                *sum += part;
            }
        }
    }
    layers
}

fn shown(result: &RunResult) -> Vec<&PhaseResult> {
    let server: Vec<&PhaseResult> =
        result.phases.iter().filter(|phase| phase.stage.name() == "server").collect();
    if server.is_empty() { result.phases.iter().collect() } else { server }
}

/// Keeps the largest in their order and sums the others.
fn largest(layers: Vec<Layer>) -> Vec<Layer> {
    let total = |layer: &Layer| layer.bars.iter().flatten().sum::<f64>();
    let mut sizes: Vec<f64> = layers.iter().map(total).collect();
    sizes.sort_by(|one, other| other.total_cmp(one));
    let limit = sizes[MOST_LAYERS - 2];
    let (mut kept, others): (Vec<Layer>, Vec<Layer>) =
        layers.into_iter().partition(|layer| total(layer) >= limit);
    let mut others = others.into_iter();
    if let Some(mut rest) = others.next() {
        rest.name = "other".to_owned();
        for layer in others {
            let amounts = layer.bars.iter().flatten();
            rest.bars.iter_mut().flatten().zip(amounts).for_each(|(sum, amount)| *sum += amount);
        }
        kept.push(rest);
    }
    kept
}

#[cfg(test)]
mod tests {
    use hetier_sim::result::Stage;

    use super::super::Figure;
    use super::super::bytes_by_layer::BytesByLayer;
    use super::super::palette::{Direction, traffic_fill};
    use super::super::time_by_layer::TimeByLayer;
    use super::*;

    fn stacks(names: &[String]) -> Stacks {
        let phase = |name: &String| PhaseResult {
            name: name.clone(),
            operation: name.clone(),
            stage: Stage::Server,
            start_seconds: 0.0,
            seconds: 1.0,
            compute_seconds: 1.0,
            stall_seconds: BTreeMap::new(),
            serial_overhead_seconds: 0.0,
            tiers: BTreeMap::new(),
            accesses: 0,
            near_memory_hit_rate: None,
            loads: BTreeMap::new(),
        };
        let run = RunResult { phases: names.iter().map(phase).collect(), ..RunResult::default() };
        let part = Part {
            key: "all".to_owned(),
            name: "all".to_owned(),
            fill: traffic_fill("dram", Direction::Read),
        };
        Stacks::new(&[run], vec![part], |phase, _| phase.seconds)
    }

    #[test]
    fn layers_of_one_family_have_names_of_their_own() {
        let names: Vec<String> =
            (0..MOST_LAYERS).map(|number| format!("MobilenetV2/expanded_conv_{number:02}/expand")).collect();

        let shown = stacks(&names).names();

        assert!(crate::labels::distinct(&shown), "{shown:?}");
        assert!(shown.iter().all(|name| name.chars().count() <= NAME_LETTERS), "{shown:?}");
    }

    #[test]
    fn more_than_twelve_layers_are_summed_as_the_captions_say() {
        let names = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>();

        assert_eq!(stacks(&names(MOST_LAYERS)).layers.len(), MOST_LAYERS);
        for figure in [&BytesByLayer as &dyn Figure<[RunResult]>, &TimeByLayer] {
            assert!(figure.caption().contains(&format!("of more than {MOST_LAYERS}, operations")));
        }
    }
}
