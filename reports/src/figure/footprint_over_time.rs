//! Footprint over time: live bytes stacked by class of object, resident bytes above, the modes' DRAM beside.

use hetier_sim::result::{FootprintPoint, RunResult};

use super::Figure;
use super::canvas::{Anchor, Canvas, LINE, UNITS, draw};
use super::palette::{CLASSES, Dash, Fill, INK, Stroke};
use super::panel::{Legend, Panel, Sample, X_AXIS_ROOM};
use super::scale::Scale;
use crate::labels::labels;
use crate::table::Table;
use crate::units::{byte_unit, bytes, time_unit};

/// Most steps of the stack; of more points, each step shows the highest.
const STEPS: usize = 300;

const PANEL: f64 = 1.35 * UNITS;

const RESIDENT: Stroke = Stroke { colour: INK, points: 0.9, dash: Dash::None };
const CAPACITY: Stroke = Stroke { colour: INK, points: 1.0, dash: Dash::Long };

/// What is alive, by class, over simulated time.
pub struct FootprintOverTime;

impl Figure<[RunResult]> for FootprintOverTime {
    fn name(&self) -> &'static str {
        "footprint-over-time"
    }

    fn caption(&self) -> &'static str {
        "Live bytes by class of object over simulated time of the first run (GB = 10⁹ bytes); the black line adds what \
         the allocator keeps. Dashed: DRAM of the runs whose DRAM is smaller than the peak. Of more than 300 \
         points in the numbers, the highest of each of 300 spans of time is drawn."
    }

    fn data(&self, results: &[RunResult]) -> Table {
        let mut table = Table::new(&["run", "seconds", "class", "bytes"]);
        for (label, result) in labels(results).into_iter().zip(results) {
            for point in &result.footprint_over_time {
                let resident = ("resident".to_owned(), point.resident_bytes);
                let classes = point.live_bytes.iter().map(|(class, &bytes)| (class.clone(), bytes));
                for (class, bytes) in classes.chain([resident]) {
                    table.push(vec![label.clone(), point.seconds.to_string(), class, bytes.to_string()]);
                }
            }
        }
        table
    }

    fn svg(&self, results: &[RunResult]) -> Option<String> {
        let result = results.iter().find(|result| !result.footprint_over_time.is_empty())?;
        let stack = Stack::of(result);
        if stack.peak() == 0 {
            return None;
        }
        let legend = Legend::new(stack.legend().into_iter().chain(capacity_legend(results, stack.peak())));
        let top = legend.height() + LINE;
        let height = top + PANEL + X_AXIS_ROOM;
        Some(draw(height, "Stacked live bytes by class over time", |canvas| {
            legend.draw(canvas);
            stack.paint(canvas, result, top, &capacities(results, stack.peak()));
        }))
    }
}

/// What part of the peak a layer has at least that can be seen: its height is half a point.
const THINNEST: u64 = 200;

/// Layers of the stack at each of at most [`STEPS`] instants.
struct Stack {
    classes: Vec<(String, Fill)>,
    points: Vec<FootprintPoint>,
    end: f64,
}

impl Stack {
    fn of(result: &RunResult) -> Self {
        let points = &result.footprint_over_time;
        let end = points.last().map_or(0.0, |point| point.seconds).max(result.whole_run_seconds);
        let used = |class: &str| {
            points.iter().any(|point| point.live_bytes.get(class).is_some_and(|&bytes| bytes > 0))
        };
        let classes =
            CLASSES.iter().filter(|(class, _)| used(class)).map(|&(class, fill)| (class.to_owned(), fill));
        Self { classes: classes.collect(), points: highest(points, end), end }
    }

    fn peak(&self) -> u64 {
        self.points.iter().map(|point| live(point).max(point.resident_bytes)).max().unwrap_or(0)
    }

    fn legend(&self) -> Vec<(Sample, String)> {
        let most = |class: &str| {
            self.points.iter().filter_map(|point| point.live_bytes.get(class)).max().copied().unwrap_or(0)
        };
        let seen = self.classes.iter().filter(|(class, _)| most(class) >= self.peak() / THINNEST);
        let classes = seen.map(|(class, fill)| (Sample::Box(*fill), name_of(class)));
        classes.chain([(Sample::Line(RESIDENT), "resident".to_owned())]).collect()
    }

    fn paint(&self, canvas: &Canvas<'_>, result: &RunResult, top: f64, capacities: &[u64]) {
        let (unit, time) = (byte_unit(self.peak() as f64), time_unit(self.end));
        let y = Scale::from_zero(self.peak() as f64 * unit.factor);
        let panel = Panel::wide(top, top + PANEL, Scale::exactly(self.end * time.factor), y);
        panel.y_axis(canvas, &format!("footprint ({})", unit.symbol));
        let mut floor = vec![0u64; self.points.len()];
        for (class, fill) in &self.classes {
            let ceiling: Vec<u64> = self
                .points
                .iter()
                .zip(&floor)
                .map(|(point, &below)| below + point.live_bytes.get(class).copied().unwrap_or(0))
                .collect();
            let edge = |heights: &[u64]| self.edge(&panel, heights, time.factor, unit.factor);
            let outline: Vec<_> = edge(&ceiling).into_iter().chain(edge(&floor).into_iter().rev()).collect();
            canvas.polygon(&outline, *fill);
            floor = ceiling;
        }
        let resident: Vec<u64> = self.points.iter().map(|point| point.resident_bytes).collect();
        canvas.line(&self.edge(&panel, &resident, time.factor, unit.factor), RESIDENT);
        for &capacity in capacities {
            let at = panel.up(capacity as f64 * unit.factor);
            canvas.line(&[(panel.left, at), (panel.right, at)], CAPACITY);
        }
        let (live, resident) = (bytes(result.peak_live_bytes), bytes(result.peak_footprint_bytes));
        let peaks = format!("peak: {live} live, {resident} resident");
        canvas.text((panel.right, top - 0.6 * LINE), &peaks, Anchor::End);
        panel.frame(canvas);
        panel.x_axis(canvas, &format!("simulated time ({})", time.symbol));
    }

    fn edge(&self, panel: &Panel, heights: &[u64], x: f64, y: f64) -> Vec<super::canvas::Place> {
        let points: Vec<(f64, f64)> = self
            .points
            .iter()
            .zip(heights)
            .map(|(point, &bytes)| (point.seconds * x, bytes as f64 * y))
            .collect();
        panel.steps(&points, self.end * x)
    }
}

/// Name of a class in the legend.
fn name_of(class: &str) -> String {
    match class {
        "heap" => "retained heap".to_owned(),
        other => other.replace('-', " "),
    }
}

fn live(point: &FootprintPoint) -> u64 {
    point.live_bytes.values().sum()
}

/// The highest point of each of [`STEPS`] equal spans of time, at the start of its span; spans without a point go on
/// as before.
fn highest(points: &[FootprintPoint], end: f64) -> Vec<FootprintPoint> {
    if points.len() <= STEPS || end <= 0.0 {
        return points.to_vec();
    }
    let span = |point: &FootprintPoint| ((point.seconds / end * STEPS as f64) as usize).min(STEPS - 1);
    let mut kept = Vec::with_capacity(STEPS);
    for group in points.chunk_by(|one, next| span(one) == span(next)) {
        let highest = group.iter().max_by_key(|point| live(point)).expect("a chunk is never empty");
        kept.push(FootprintPoint { seconds: span(highest) as f64 / STEPS as f64 * end, ..highest.clone() });
    }
    kept
}

/// DRAM sizes below the peak, of those that read the same one.
fn capacities(results: &[RunResult], peak: u64) -> Vec<u64> {
    let mut sizes: Vec<u64> = results.iter().filter_map(|result| dram_below(result, peak)).collect();
    sizes.sort_unstable();
    sizes.dedup_by_key(|size| bytes(*size));
    sizes
}

fn dram_below(result: &RunResult, peak: u64) -> Option<u64> {
    let size = result.devices.get("dram")?.capacity_bytes;
    (size > 0 && size < peak).then_some(size)
}

fn capacity_legend(results: &[RunResult], peak: u64) -> Vec<(Sample, String)> {
    let names = labels(results);
    let entry = |size: u64| {
        let of: Vec<&str> = results
            .iter()
            .zip(&names)
            .filter(|(result, _)| dram_below(result, peak).is_some_and(|own| bytes(own) == bytes(size)))
            .map(|(_, name)| name.as_str())
            .collect();
        let text = |whose: &str| format!("DRAM, {whose} ({})", bytes(size));
        let shown = match of.len() {
            // The legend shortens a long name.
            1 => text(of[0]),
            count => {
                let ways = [of.join(", "), format!("{} and {} more", of[0], count - 1)];
                let fits = ways.iter().map(|whose| text(whose)).find(|text| Legend::fits(text));
                fits.unwrap_or_else(|| text(&format!("{count} runs")))
            }
        };
        (Sample::Line(CAPACITY), shown)
    };
    capacities(results, peak).into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use hetier_sim::result::TierResult;

    use super::*;

    #[test]
    fn the_caption_says_how_many_steps_are_drawn() {
        assert!(
            FootprintOverTime.caption().contains(&format!("{STEPS} ")),
            "{}",
            FootprintOverTime.caption()
        );
    }

    #[test]
    fn a_line_of_dram_names_its_run_however_long_the_name() {
        let run = |share: f64, bytes| RunResult {
            mode: "memory-mode".to_owned(),
            settings: [("dram".to_owned(), format!("{share} of the peak of live bytes"))].into(),
            devices: [("dram".to_owned(), TierResult { capacity_bytes: bytes, ..TierResult::default() })]
                .into(),
            ..RunResult::default()
        };
        let entries = |runs: &[RunResult]| -> Vec<String> {
            capacity_legend(runs, 100_000_000).into_iter().map(|(_, text)| text).collect()
        };

        let different = entries(&[run(0.2, 20_000_000), run(0.5, 50_000_000)]);
        assert_eq!(different[0], "DRAM, memory-mode, DRAM 0.2 of peak (20.0 MB)");
        assert_eq!(different[1], "DRAM, memory-mode, DRAM 0.5 of peak (50.0 MB)");
        let equal = entries(&[run(0.2, 20_000_000), run(0.25, 20_000_000), run(0.5, 20_000_000)]);
        assert_eq!(equal, ["DRAM, 3 runs (20.0 MB)"]);
    }
}
