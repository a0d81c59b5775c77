//! Run time by mode: a bar for each result.

use hetier_sim::result::{Quantiles, RunResult};

use super::Figure;
use super::canvas::{Anchor, Canvas, LINE, POINT, UNITS, draw, text_width};
use super::names::{apart, letters};
use super::palette::series_fill;
use super::panel::{Legend, Panel, RIGHT_MARGIN, Sample, WIDTH, X_AXIS_ROOM};
use super::scale::Scale;
use crate::comparison::slowdowns;
use crate::labels::labels;
use crate::table::Table;
use crate::units::{Unit, significant, time_unit};

/// Height of a bar and of the row that it stands in.
const BAR: f64 = 0.15 * UNITS;
const ROW: f64 = 0.22 * UNITS;

/// Longest label at the left, in letters.
const LABEL_LETTERS: usize = 30;

/// Room beside the names.
const NAME_MARGIN: f64 = 8.0 * POINT;

/// Room before the texts behind the bars, and together with that at the edge of the page.
const END_GAP: f64 = 4.0 * POINT;
const END_MARGIN: f64 = END_GAP + 3.0 * POINT;

/// Length of the axis that long names leave.
const LEAST_AXIS: f64 = 0.15 * WIDTH;

/// Inference time by mode.
pub struct RunTime;

impl Figure<[RunResult]> for RunTime {
    fn name(&self) -> &'static str {
        "run-time"
    }

    fn caption(&self) -> &'static str {
        "Simulated time of the inference by memory mode, with the slowdown against DRAM only of the same settings, or \
         against the first run where none is of that mode. \
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
        let bars = Bars::new(results, largest);
        let height = bars.panel().bottom + X_AXIS_ROOM + 0.1 * LINE;
        Some(draw(height, "Bars of inference time by memory mode", |canvas| bars.paint(canvas)))
    }
}

fn longest(result: &RunResult) -> f64 {
    result.ensemble().map_or(result.simulated_seconds, |spread| spread.simulated_seconds.max)
}

/// What stands behind each bar: its length and the slowdown.
fn ends(results: &[RunResult], unit: Unit) -> Vec<String> {
    let text = |(result, slowdown): (&RunResult, Option<Quantiles>)| {
        let time = significant(result.simulated_seconds * unit.factor, 3);
        let ratio = |slowdown: Quantiles| format!("{time} ({}×)", significant(slowdown.median, 3));
        slowdown.map_or_else(|| time.clone(), ratio)
    };
    results.iter().zip(slowdowns(results)).map(text).collect()
}

/// Room of the widest text.
fn widest(texts: &[String]) -> f64 {
    texts.iter().map(|text| text_width(text)).fold(0.0, f64::max)
}

/// Labels cut to what the texts behind the bars and the shortest axis leave; `None` where cuts would be alike.
fn names(results: &[RunResult], ends: &[String]) -> Option<Vec<String>> {
    let room = WIDTH - NAME_MARGIN - LEAST_AXIS - END_MARGIN - widest(ends);
    apart(&labels(results), letters(room).min(LABEL_LETTERS))
}

/// What the bars are drawn from.
struct Bars<'r> {
    results: &'r [RunResult],
    /// At the left.
    names: Vec<String>,
    /// Behind the bars.
    ends: Vec<String>,
    /// What the names stand for, where they are numbers.
    legend: Option<Legend>,
    unit: Unit,
    largest: f64,
}

impl<'r> Bars<'r> {
    fn new(results: &'r [RunResult], largest: f64) -> Self {
        let unit = time_unit(largest);
        let ends = ends(results, unit);
        let names = names(results, &ends);
        let numbers = (1..).zip(labels(results)).map(|(number, label)| (Sample::Number(number), label));
        let legend = names.is_none().then(|| Legend::new(numbers));
        let names = names.unwrap_or_else(|| (1..=results.len()).map(|number| number.to_string()).collect());
        Self { results, names, ends, legend, unit, largest }
    }

    /// As wide as keeps every text behind a bar on the page.
    fn panel(&self) -> Panel {
        let left = widest(&self.names) + NAME_MARGIN;
        let length = |(result, end): (&RunResult, &String)| {
            let room = WIDTH - END_MARGIN - text_width(end) - left;
            room * self.largest / longest(result)
        };
        let lengths = self.results.iter().zip(&self.ends).map(length).filter(|length| length.is_finite());
        let top = self.legend.as_ref().map_or(0.0, Legend::height) + 0.4 * LINE;
        Panel {
            left,
            right: left + lengths.fold(WIDTH - RIGHT_MARGIN - left, f64::min),
            top,
            bottom: top + self.results.len() as f64 * ROW,
            x: Scale::exactly(self.largest * self.unit.factor),
            y: Scale::exactly(1.0),
        }
    }

    fn paint(&self, canvas: &Canvas<'_>) {
        if let Some(legend) = &self.legend {
            legend.draw(canvas);
        }
        let panel = self.panel();
        panel.x_grid(canvas);
        for (at, result) in self.results.iter().enumerate() {
            let middle = panel.top + (at as f64 + 0.5) * ROW;
            let across = |seconds: f64| panel.across(seconds * self.unit.factor);
            canvas.text((panel.left - 3.5 * POINT, middle), &self.names[at], Anchor::End);
            let end = (across(result.simulated_seconds), middle + BAR / 2.0);
            canvas.rectangle((panel.left, middle - BAR / 2.0), end, series_fill(at));
            paint_caps(canvas, &panel, result, self.unit, middle);
            canvas.text((across(longest(result)) + END_GAP, middle), &self.ends[at], Anchor::Start);
        }
        panel.frame(canvas);
        panel.x_axis(canvas, &format!("inference time ({})", self.unit.symbol));
    }
}

fn paint_caps(canvas: &Canvas<'_>, panel: &Panel, result: &RunResult, unit: Unit, middle: f64) {
    let Some(spread) = result.ensemble().map(|spread| spread.simulated_seconds) else { return };
    let range = (spread.min * unit.factor, spread.max * unit.factor);
    panel.caps(canvas, range, middle, 0.25 * BAR);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(systems: [String; 2]) -> [RunResult; 2] {
        systems.map(|system| RunResult {
            mode: "dram-only".to_owned(),
            system,
            simulated_seconds: 123_456.0,
            ..RunResult::default()
        })
    }

    #[test]
    fn names_and_numbers_stay_on_the_page_with_long_names() {
        let long = "s".repeat(100);
        let results = results([format!("{long}a"), format!("{long}b")]);

        let bars = Bars::new(&results, results[0].simulated_seconds);

        let panel = bars.panel();
        for (name, end) in bars.names.iter().zip(&bars.ends) {
            assert!(end.contains("(1.00×)"), "{end}");
            assert!(panel.left - 3.5 * POINT - text_width(name) >= 0.0, "{name}");
            let bar = panel.across(results[0].simulated_seconds * bars.unit.factor);
            assert!(bar + END_GAP + text_width(end) <= WIDTH, "{end}");
        }
        assert!(panel.right - panel.left >= LEAST_AXIS);
        assert!(bars.names[0].ends_with("sa") && bars.names[1].ends_with("sb") && bars.legend.is_none());
    }

    #[test]
    fn a_longer_bar_with_a_shorter_text_takes_the_room_that_it_has() {
        let mut results = results(["a", "b"].map(str::to_owned));
        results[1].mode = "memory-mode".to_owned();
        results[1].trace_hash = "another".to_owned();
        let axis = |results: &[RunResult]| {
            let panel = Bars::new(results, longest(&results[1])).panel();
            panel.right - panel.left
        };

        let alike = axis(&results);
        results[1].simulated_seconds *= 10.0;
        let unlike = axis(&results);

        assert!(unlike > alike, "{unlike} {alike}");
    }

    #[test]
    fn bars_whose_cut_labels_are_alike_are_numbered() {
        let long = "s".repeat(LABEL_LETTERS);
        let results = results(["a", "b"].map(|middle| format!("{long}{middle}{long}")));

        let bars = Bars::new(&results, 1.0);

        assert_eq!(bars.names, ["1", "2"]);
        assert!(bars.legend.is_some());
        let svg = RunTime.svg(&results).unwrap();
        assert!(svg.contains("1:") && svg.contains("2:"), "{svg}");
    }
}
