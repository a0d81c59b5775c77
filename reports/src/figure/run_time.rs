//! Run time by mode: a bar for each result.

use hetier_sim::result::RunResult;

use super::Figure;
use super::canvas::{Anchor, Canvas, LINE, POINT, UNITS, draw, text_width};
use super::palette::series_fill;
use super::panel::{Legend, Panel, RIGHT_MARGIN, Sample, WIDTH, X_AXIS_ROOM};
use super::scale::Scale;
use crate::comparison::slowdowns;
use crate::labels::{distinct, labels};
use crate::table::{Table, cell};
use crate::units::{Unit, significant, time_unit};

/// Height of a bar and of the row that it stands in.
const BAR: f64 = 0.15 * UNITS;
const ROW: f64 = 0.22 * UNITS;

/// Longest label at the left, in letters.
const LABEL_LETTERS: usize = 26;

/// Inference time by mode.
pub struct RunTime;

impl Figure<[RunResult]> for RunTime {
    fn name(&self) -> &'static str {
        "run-time"
    }

    fn caption(&self) -> &'static str {
        "Simulated time of the inference by memory mode, with the slowdown against DRAM only. \
         Caps, where there are any, span the ensemble of seeds."
    }

    fn data(&self, results: &[RunResult]) -> Table {
        let mut table = Table::new(&[
            "run",
            "seconds",
            "slowdown",
            "min_slowdown",
            "max_slowdown",
            "min_seconds",
            "max_seconds",
            "whole_run_seconds",
        ]);
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        for ((label, result), slowdown) in labels(results).into_iter().zip(results).zip(slowdowns(results)) {
            let spread = result.ensemble().map(|spread| spread.simulated_seconds);
            let between = slowdown.filter(|_| spread.is_some());
            table.push(vec![
                label,
                result.simulated_seconds.to_string(),
                number(slowdown.map(|slowdown| slowdown.median)),
                number(between.map(|slowdown| slowdown.min)),
                number(between.map(|slowdown| slowdown.max)),
                number(spread.map(|spread| spread.min)),
                number(spread.map(|spread| spread.max)),
                result.whole_run_seconds.to_string(),
            ]);
        }
        table
    }

    fn svg(&self, results: &[RunResult]) -> Option<String> {
        let largest = results.iter().map(longest).fold(f64::NAN, f64::max);
        if largest.is_nan() {
            return None;
        }
        let height = legend(results).as_ref().map_or(0.0, Legend::height)
            + results.len() as f64 * ROW
            + X_AXIS_ROOM
            + 0.5 * LINE;
        Some(draw(height, "Bars of inference time by memory mode", |canvas| {
            paint(canvas, results, time_unit(largest), largest);
        }))
    }
}

fn longest(result: &RunResult) -> f64 {
    result.ensemble().map_or(result.simulated_seconds, |spread| spread.simulated_seconds.max)
}

/// Labels as they stand at the bars.
fn cut(results: &[RunResult]) -> Vec<String> {
    labels(results).iter().map(|label| label.chars().take(LABEL_LETTERS).collect()).collect()
}

/// The labels of numbered bars; `None` where bars are told apart by what stands at them.
fn legend(results: &[RunResult]) -> Option<Legend> {
    let numbers = (1..).zip(labels(results)).map(|(number, label)| (Sample::Number(number), label));
    (!distinct(&cut(results))).then(|| Legend::new(numbers))
}

fn paint(canvas: &Canvas<'_>, results: &[RunResult], unit: Unit, largest: f64) {
    let legend = legend(results);
    let names = match &legend {
        Some(_) => (1..=results.len()).map(|number| number.to_string()).collect(),
        None => cut(results),
    };
    let room = names.iter().map(|name| text_width(name)).fold(0.0, f64::max);
    let top = legend.as_ref().map_or(0.0, Legend::height) + 0.4 * LINE;
    if let Some(legend) = &legend {
        legend.draw(canvas);
    }
    // Half as much again leaves room for the number at the end of the longest bar.
    let panel = Panel {
        left: room + 8.0 * POINT,
        right: WIDTH - RIGHT_MARGIN,
        top,
        bottom: top + results.len() as f64 * ROW,
        x: Scale::exactly(largest * unit.factor * 1.55),
        y: Scale::exactly(1.0),
    };
    panel.x_grid(canvas);
    for (at, ((result, name), slowdown)) in results.iter().zip(&names).zip(slowdowns(results)).enumerate() {
        let middle = top + (at as f64 + 0.5) * ROW;
        let end = panel.across(result.simulated_seconds * unit.factor);
        canvas.text((panel.left - 3.5 * POINT, middle), name, Anchor::End);
        canvas.rectangle((panel.left, middle - BAR / 2.0), (end, middle + BAR / 2.0), series_fill(at));
        paint_caps(canvas, &panel, result, unit, middle);
        let time = significant(result.simulated_seconds * unit.factor, 3);
        let ratio = cell(slowdown, |slowdown| format!(" ({}×)", significant(slowdown.median, 3)));
        let text = if slowdown.is_some() { time + &ratio } else { time };
        canvas.text(
            (panel.across(longest(result) * unit.factor) + 4.0 * POINT, middle),
            &text,
            Anchor::Start,
        );
    }
    panel.frame(canvas);
    panel.x_axis(canvas, &format!("inference time ({})", unit.symbol));
}

fn paint_caps(canvas: &Canvas<'_>, panel: &Panel, result: &RunResult, unit: Unit, middle: f64) {
    let Some(spread) = result.ensemble().map(|spread| spread.simulated_seconds) else { return };
    let range = (spread.min * unit.factor, spread.max * unit.factor);
    panel.caps(canvas, range, middle, 0.25 * BAR);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_whose_cut_labels_are_alike_are_numbered() {
        let svg = |endings: [&str; 2]| {
            let results = endings.map(|ending| RunResult {
                mode: "app-direct".to_owned(),
                system: format!("{}{ending}", "s".repeat(LABEL_LETTERS - "app-direct, ".len() - 1)),
                simulated_seconds: 1.0,
                ..RunResult::default()
            });
            RunTime.svg(&results).unwrap()
        };

        assert!(!svg(["a", "b"]).contains("1:"));
        let numbered = svg(["xa", "xb"]);
        assert!(numbered.contains("1:") && numbered.contains("2:"), "{numbered}");
        assert!(numbered.contains("sxa") && numbered.contains("sxb"), "{numbered}");
    }
}
