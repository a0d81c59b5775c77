//! What micro-benchmarks measured: curves over region, threads or access size, bandwidth against latency, and tails.

use super::Figure;
use super::canvas::{Anchor, LINE, UNITS, draw, text_width};
use super::palette::series_stroke;
use super::panel::{Legend, Panel, Sample, WIDTH, X_AXIS_ROOM};
use super::scale::Scale;
use crate::table::Table;

const PANEL: f64 = 1.5 * UNITS;

/// One curve of a probe's figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What tells it from the others.
    pub label: String,
    /// Places on the two axes, in the order in which they are joined.
    pub points: Vec<(f64, f64)>,
}

/// Curves of a probe's figure, and on what they were measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// System, tier, and the options that all curves share, each after a comma.
    pub on: String,
    /// The curves.
    pub curves: Vec<Curve>,
}

impl Measured {
    /// What was measured, in lines that fit the page.
    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for part in self.on.split_inclusive(", ") {
            let fits = |line: &String| text_width(&format!("{line}{}", part.trim_end())) <= WIDTH - MARGIN;
            match lines.last_mut().filter(|line| fits(line)) {
                Some(line) => line.push_str(part),
                None => lines.push(part.to_owned()),
            }
        }
        lines
    }
}

/// Room left of what was measured, as of a legend.
const MARGIN: f64 = 40.0;

/// How an axis is divided.
#[derive(Clone, Copy)]
enum Division {
    /// Evenly, from zero.
    Even,
    /// By doublings.
    Binary,
    /// By decades.
    Decades,
}

/// An axis: what stands at it, the head of its column, and how it is divided.
struct Axis {
    label: &'static str,
    column: &'static str,
    division: Division,
}

impl Axis {
    const fn linear(label: &'static str, column: &'static str) -> Self {
        Self { label, column, division: Division::Even }
    }

    const fn binary(label: &'static str, column: &'static str) -> Self {
        Self { label, column, division: Division::Binary }
    }

    const fn decades(label: &'static str, column: &'static str) -> Self {
        Self { label, column, division: Division::Decades }
    }

    fn scale(&self, values: impl Iterator<Item = f64> + Clone) -> Scale {
        let largest = values.clone().fold(0.0, f64::max);
        let smallest = values.fold(f64::INFINITY, f64::min);
        match self.division {
            Division::Even => Scale::from_zero(largest),
            Division::Binary => Scale::Binary { from: smallest, to: largest },
            Division::Decades => Scale::logarithmic(smallest, largest),
        }
    }
}

/// A figure of curves over two axes.
pub struct ProbeFigure {
    name: &'static str,
    caption: &'static str,
    x: Axis,
    y: Axis,
}

/// Latency by size of the region walked over.
pub static LATENCY_OVER_REGION: ProbeFigure = ProbeFigure {
    name: "latency-over-region",
    caption: "Time of one 64-byte access by the size of the region, one access at a time.",
    x: Axis::binary("region (bytes)", "region_bytes"),
    y: Axis::linear("latency (ns)", "ns_per_access"),
};

/// Bandwidth by number of threads.
pub static BANDWIDTH_OVER_THREADS: ProbeFigure = ProbeFigure {
    name: "bandwidth-over-threads",
    caption: "Bandwidth of user data by number of threads.",
    x: Axis::binary("threads", "threads"),
    y: Axis::linear("bandwidth (GB/s)", "gb_per_s"),
};

/// Bandwidth by size of an access.
pub static BANDWIDTH_OVER_ACCESS: ProbeFigure = ProbeFigure {
    name: "bandwidth-over-access",
    caption: "Bandwidth of user data by the size of an access.",
    x: Axis::binary("access (bytes)", "access_bytes"),
    y: Axis::linear("bandwidth (GB/s)", "gb_per_s"),
};

/// Latency under load.
pub static LOADED_LATENCY: ProbeFigure = ProbeFigure {
    name: "loaded-latency",
    caption: "Latency of one thread's loads while all other cores ask for more and more bandwidth.",
    x: Axis::linear("bandwidth (GB/s)", "gb_per_s"),
    y: Axis::linear("latency (ns)", "ns_per_access"),
};

/// Tail of overwriting the same place.
pub static OVERWRITE_TAIL: ProbeFigure = ProbeFigure {
    name: "overwrite-tail",
    caption: "The time that one overwrite in so many exceeds, of 256 bytes with a fence, by the size of the region that \
              is written over and over.",
    x: Axis::decades("one overwrite in", "one_in"),
    y: Axis::decades("takes longer than (ns)", "latency_ns"),
};

/// The figures of micro-benchmarks.
pub static PROBE_FIGURES: [&ProbeFigure; 5] =
    [&LATENCY_OVER_REGION, &BANDWIDTH_OVER_THREADS, &BANDWIDTH_OVER_ACCESS, &LOADED_LATENCY, &OVERWRITE_TAIL];

impl Figure<Measured> for ProbeFigure {
    fn name(&self) -> &'static str {
        self.name
    }

    fn caption(&self) -> &'static str {
        self.caption
    }

    fn data(&self, measured: &Measured) -> Table {
        let mut table = Table::new(&["measured", "curve", self.x.column, self.y.column]);
        for curve in &measured.curves {
            for (x, y) in &curve.points {
                table.push(vec![measured.on.clone(), curve.label.clone(), x.to_string(), y.to_string()]);
            }
        }
        table
    }

    fn svg(&self, measured: &Measured) -> Option<String> {
        let curves = &measured.curves;
        let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
        points().next()?;
        let entry =
            |(number, curve): (usize, &Curve)| (Sample::Line(series_stroke(number)), curve.label.clone());
        let legend = Legend::new(curves.iter().enumerate().map(entry));
        let lines = measured.lines();
        let top = legend.height() + (lines.len() as f64 + 0.2) * LINE;
        let (x, y) =
            (self.x.scale(points().map(|point| point.0)), self.y.scale(points().map(|point| point.1)));
        let panel = Panel::wide(top, top + PANEL, x, y);
        let description = format!("{} {}", self.caption, measured.on);
        Some(draw(top + PANEL + X_AXIS_ROOM, description.trim_end(), |canvas| {
            legend.draw(canvas);
            for (number, line) in lines.iter().enumerate() {
                let at = (MARGIN, legend.height() + (number as f64 + 0.2) * LINE);
                canvas.text(at, line.trim_end(), Anchor::Start);
            }
            panel.x_grid(canvas);
            panel.y_axis(canvas, self.y.label);
            for (number, curve) in curves.iter().enumerate() {
                let stroke = series_stroke(number);
                let places: Vec<_> = curve.points.iter().map(|&(x, y)| panel.place(x, y)).collect();
                canvas.line(&places, stroke);
                places.iter().for_each(|&place| canvas.diamond(place, stroke.colour));
            }
            panel.frame(canvas);
            panel.x_axis(canvas, self.x.label);
        }))
    }
}
