//! Run time by mode: a bar for each result.

use hetier_sim::result::RunResult;

use super::Figure;
use super::canvas::{Anchor, Canvas, LINE, POINT, UNITS, draw, text_width};
use super::palette::series_fill;
use super::panel::{Panel, RIGHT_MARGIN, WIDTH, X_AXIS_ROOM};
use super::scale::Scale;
use crate::comparison::slowdowns;
use crate::labels::labels;
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
        let height = results.len() as f64 * ROW + X_AXIS_ROOM + 0.5 * LINE;
        Some(draw(height, "Bars of inference time by memory mode", |canvas| {
            paint(canvas, results, time_unit(largest), largest);
        }))
    }
}

fn longest(result: &RunResult) -> f64 {
    result.ensemble().map_or(result.simulated_seconds, |spread| spread.simulated_seconds.max)
}

fn paint(canvas: &Canvas<'_>, results: &[RunResult], unit: Unit, largest: f64) {
    let names: Vec<String> =
        labels(results).iter().map(|label| label.chars().take(LABEL_LETTERS).collect()).collect();
    let room = names.iter().map(|name| text_width(name)).fold(0.0, f64::max);
    let top = 0.4 * LINE;
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
