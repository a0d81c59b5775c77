//! A plot area with two axes, and the legend above it.

use super::canvas::{Anchor, COLUMN_INCHES, Canvas, LINE, POINT, Place, UNITS, text_width};
use super::names::{fitting, letters};
use super::palette::{Colour, Dash, Fill, GRID, Stroke, ink};
use super::scale::{Scale, Tick};
use crate::units::Unit;

/// Width of a page in units.
pub const WIDTH: f64 = COLUMN_INCHES * UNITS;

/// Free margin at the right, wide enough for half of the last tick's text.
pub const RIGHT_MARGIN: f64 = 150.0;

/// Room below a plot area for ticks and the axis label.
pub const X_AXIS_ROOM: f64 = 2.0 * LINE + 5.0 * POINT;

/// Room to the left of a plot area for ticks of four letters and the axis label.
pub const Y_AXIS_ROOM: f64 = 430.0;

/// A plot area: its edges on the page, in units, and its scales.
#[derive(Clone, Copy, Debug)]
pub struct Panel {
    /// Left edge.
    pub left: f64,
    /// Right edge.
    pub right: f64,
    /// Upper edge.
    pub top: f64,
    /// Lower edge.
    pub bottom: f64,
    /// Scale of the horizontal axis.
    pub x: Scale,
    /// Scale of the vertical axis.
    pub y: Scale,
}

impl Panel {
    /// A panel of a page's whole width between two heights.
    pub fn wide(top: f64, bottom: f64, x: Scale, y: Scale) -> Self {
        Self { left: Y_AXIS_ROOM, right: WIDTH - RIGHT_MARGIN, top, bottom, x, y }
    }

    /// Place of a point.
    pub fn place(&self, x: f64, y: f64) -> Place {
        (self.across(x), self.up(y))
    }

    /// Horizontal place of a value.
    pub fn across(&self, x: f64) -> f64 {
        self.left + self.x.share(x) * (self.right - self.left)
    }

    /// Vertical place of a value.
    pub fn up(&self, y: f64) -> f64 {
        self.bottom - self.y.share(y) * (self.bottom - self.top)
    }

    /// Level grid lines with the ticks and label of the vertical axis. Draw before the data.
    pub fn y_axis(&self, canvas: &Canvas<'_>, label: &str) {
        let wanted = ((self.bottom - self.top) / (2.2 * LINE)).max(2.0) as usize;
        let ticks = self.y.ticks(wanted);
        let rooms: Vec<Room> =
            ticks.iter().map(|(value, _)| Room::around(-self.up(*value), 0.75 * LINE)).collect();
        let labelled = labelled(&rooms);
        for (at, (value, text)) in ticks.iter().enumerate() {
            let y = self.up(*value);
            canvas.line(&[(self.left, y), (self.right, y)], grid());
            canvas.line(&[(self.left - 2.0 * POINT, y), (self.left, y)], ink(0.5));
            if labelled.contains(&at) {
                canvas.text((self.left - 3.0 * POINT, y), text, Anchor::End);
            }
        }
        canvas.upward_text((0.45 * LINE, f64::midpoint(self.top, self.bottom)), label);
    }

    /// Upright grid lines with the ticks of the horizontal axis. Draw before the data.
    pub fn x_grid(&self, canvas: &Canvas<'_>) {
        for (value, _) in self.x_ticks() {
            let x = self.across(value);
            canvas.line(&[(x, self.top), (x, self.bottom)], grid());
        }
    }

    /// Ticks and label of the horizontal axis.
    pub fn x_axis(&self, canvas: &Canvas<'_>, label: &str) {
        let ticks = self.x_ticks();
        let rooms: Vec<Room> = ticks.iter().map(|tick| self.below(tick)).collect();
        let labelled = labelled(&rooms);
        for (at, (value, text)) in ticks.iter().enumerate() {
            let x = self.across(*value);
            canvas.line(&[(x, self.bottom), (x, self.bottom + 2.0 * POINT)], ink(0.5));
            if labelled.contains(&at) {
                let place = (rooms[at].middle, self.bottom + 2.5 * POINT + 0.5 * LINE);
                canvas.text(place, text, Anchor::Middle);
            }
        }
        let half = text_width(label) / 2.0;
        let middle = f64::midpoint(self.left, self.right).min(WIDTH - half).max(half);
        canvas.text((middle, self.bottom + 2.5 * POINT + 1.55 * LINE), label, Anchor::Middle);
    }

    /// The two axis lines. Draw after the data.
    pub fn frame(&self, canvas: &Canvas<'_>) {
        canvas.line(&[(self.left, self.top), (self.left, self.bottom), (self.right, self.bottom)], ink(0.6));
    }

    /// A curve of constant pieces: `y` holds from its `x` to the next, the last to `end`.
    pub fn steps(&self, points: &[(f64, f64)], end: f64) -> Vec<Place> {
        let mut places = Vec::with_capacity(2 * points.len());
        for (at, &(x, y)) in points.iter().enumerate() {
            let next = points.get(at + 1).map_or(end, |point| point.0);
            places.push(self.place(x, y));
            places.push(self.place(next, y));
        }
        places.dedup();
        places
    }

    /// A level line between two values with caps at its ends, `reach` units up and down: the range of an ensemble.
    pub fn caps(&self, canvas: &Canvas<'_>, (least, most): (f64, f64), y: f64, reach: f64) {
        let (from, to) = (self.across(least), self.across(most));
        canvas.line(&[(from, y), (to, y)], ink(0.7));
        for end in [from, to] {
            canvas.line(&[(end, y - reach), (end, y + reach)], ink(0.7));
        }
    }

    fn x_ticks(&self) -> Vec<Tick> {
        self.x.ticks(((self.right - self.left) / 480.0).max(2.0) as usize)
    }

    /// Room of the text at a tick of the horizontal axis; a long one at the right end stays on the page.
    fn below(&self, (value, text): &Tick) -> Room {
        let width = text_width(text);
        Room::around(self.across(*value).min(WIDTH - width / 2.0), width + 3.0 * POINT)
    }
}

/// What a text takes of the length of an axis.
#[derive(Clone, Copy)]
struct Room {
    middle: f64,
    length: f64,
}

impl Room {
    const fn around(middle: f64, length: f64) -> Self {
        Self { middle, length }
    }

    /// Whether the next one begins behind it.
    fn is_clear_of(self, next: Self) -> bool {
        next.middle - self.middle >= (self.length + next.length) / 2.0 - 1e-6
    }
}

/// Which ticks of an axis have room for their texts: both ends and, from the start, every first, second or further one
/// between them.
fn labelled(rooms: &[Room]) -> Vec<usize> {
    let Some(last) = rooms.len().checked_sub(1) else { return Vec::new() };
    let every = |step: usize| -> Vec<usize> {
        let mut kept: Vec<usize> = (0..last).step_by(step).collect();
        // The end has its text before the one next to it has.
        kept.pop_if(|at| *at > 0 && !rooms[*at].is_clear_of(rooms[last]));
        kept.push(last);
        kept
    };
    let is_clear = |kept: &Vec<usize>| kept.windows(2).all(|pair| rooms[pair[0]].is_clear_of(rooms[pair[1]]));
    (1..=last).map(every).find(is_clear).unwrap_or_else(|| vec![last])
}

const fn grid() -> Stroke {
    Stroke { colour: GRID, points: 0.4, dash: Dash::None }
}

/// The sample of a legend's entry.
#[derive(Clone, Copy, Debug)]
pub enum Sample {
    /// A filled box.
    Box(Fill),
    /// A piece of a line.
    Line(Stroke),
    /// A diamond.
    Diamond(Colour),
    /// The number that stands for it in the figure.
    Number(usize),
}

impl Sample {
    fn width(self) -> f64 {
        match self {
            Self::Number(number) => text_width(&numbered(number)).max(0.6 * SAMPLE_WIDTH),
            Self::Diamond(_) => 0.6 * SAMPLE_WIDTH,
            _ => SAMPLE_WIDTH,
        }
    }
}

/// A number as it stands before the text of its entry.
fn numbered(number: usize) -> String {
    format!("{number}:")
}

const SAMPLE_WIDTH: f64 = 190.0;
const SAMPLE_GAP: f64 = 45.0;
const ENTRY_GAP: f64 = 110.0;
const LEGEND_WIDTH: f64 = WIDTH - 60.0;

/// Room for the text of an entry in a line of its own, behind a sample of usual width.
const ENTRY_ROOM: f64 = LEGEND_WIDTH - SAMPLE_WIDTH - SAMPLE_GAP;

/// Titles of panels that stand one above the other, as wide as a panel at most: their names, and the unit of the time
/// axis where panels differ in it.
pub fn titles(names: &[String], units: &[Unit]) -> Vec<String> {
    let room = WIDTH - RIGHT_MARGIN - Y_AXIS_ROOM;
    if units.iter().all(|unit| *unit == units[0]) {
        return fitting(names, letters(room));
    }
    let suffix = |unit: &Unit| format!(" (time in {})", unit.symbol);
    let widest = units.iter().map(|unit| text_width(&suffix(unit))).fold(0.0, f64::max);
    let names = fitting(names, letters(room - widest));
    names.into_iter().zip(units).map(|(name, unit)| name + &suffix(unit)).collect()
}

/// Entries set in lines from the left edge of the page, as many to a line as fit.
pub struct Legend {
    entries: Vec<(f64, usize, Sample, String)>,
    lines: usize,
}

impl Legend {
    /// Sets the entries; texts wider than the page are shortened.
    pub fn new(entries: impl IntoIterator<Item = (Sample, String)>) -> Self {
        let (samples, texts): (Vec<Sample>, Vec<String>) = entries.into_iter().unzip();
        let (mut x, mut line, mut set) = (0.0, 0, Vec::new());
        let widest = samples.iter().map(|sample| sample.width()).fold(SAMPLE_WIDTH, f64::max);
        let room = ENTRY_ROOM - (widest - SAMPLE_WIDTH);
        for (sample, text) in samples.into_iter().zip(fitting(&texts, letters(room))) {
            let width = sample.width() + SAMPLE_GAP + text_width(&text);
            if x > 0.0 && x + width > LEGEND_WIDTH {
                (x, line) = (0.0, line + 1);
            }
            set.push((x, line, sample, text));
            x += width + ENTRY_GAP;
        }
        let lines = if set.is_empty() { 0 } else { line + 1 };
        Self { entries: set, lines }
    }

    /// Whether an entry with this text stays on the page.
    pub fn fits(text: &str) -> bool {
        text.chars().count() <= letters(ENTRY_ROOM)
    }

    /// Room above the first panel.
    pub fn height(&self) -> f64 {
        self.lines as f64 * LINE + 0.6 * LINE
    }

    /// Draws the entries at the top of the page.
    pub fn draw(&self, canvas: &Canvas<'_>) {
        for (x, line, sample, text) in &self.entries {
            let left = x + 40.0;
            let y = (*line as f64 + 0.6) * LINE;
            match *sample {
                Sample::Box(fill) => {
                    let reach = 0.33 * LINE;
                    canvas.rectangle((left, y - reach), (left + SAMPLE_WIDTH, y + reach), fill);
                }
                Sample::Line(stroke) => canvas.line(&[(left, y), (left + SAMPLE_WIDTH, y)], stroke),
                Sample::Diamond(colour) => canvas.diamond((left + sample.width() / 2.0, y), colour),
                Sample::Number(number) => {
                    canvas.text((left + sample.width(), y), &numbered(number), Anchor::End);
                }
            }
            canvas.text((left + sample.width() + SAMPLE_GAP, y), text, Anchor::Start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::canvas::draw;
    use super::*;
    use crate::units::time_unit;

    const ENTRY: Sample = Sample::Box(Fill { colour: GRID, hatch: super::super::palette::Hatch::None });

    #[test]
    fn entries_of_a_legend_end_on_the_page_and_show_both_ends() {
        let long = |end: &str| (ENTRY, format!("memory-mode, {}{end}", "x".repeat(100)));

        let legend = Legend::new([long("a.toml"), long("b.toml"), (ENTRY, "short".to_owned())]);

        for (x, _, sample, text) in &legend.entries {
            assert!(40.0 + x + sample.width() + SAMPLE_GAP + text_width(text) <= WIDTH, "{text}");
        }
        let text = |at: usize| legend.entries[at].3.as_str();
        assert!(text(0).starts_with("memory-mode, x") && text(0).ends_with("xa.toml"), "{}", text(0));
        assert!(text(1).ends_with("xb.toml") && text(2) == "short");
        assert!(Legend::fits("short") && !Legend::fits(&long("").1));
    }

    #[test]
    fn titles_of_panels_stay_on_the_page_with_the_unit_where_panels_differ_in_it() {
        let names = ["a", "b"].map(|end| "x".repeat(100) + end);
        let of = |seconds: [f64; 2]| titles(&names, &seconds.map(time_unit));
        let (alike, unlike) = (of([1.0, 2.0]), of([1.0, 1e-3]));

        for title in alike.iter().chain(&unlike) {
            assert!(Y_AXIS_ROOM + text_width(title) <= WIDTH - RIGHT_MARGIN, "{title}");
        }
        assert!(alike[0].ends_with("xa") && alike[1].ends_with("xb"), "{alike:?}");
        assert!(
            unlike[0].ends_with("xa (time in s)") && unlike[1].ends_with("xb (time in ms)"),
            "{unlike:?}"
        );
    }

    #[test]
    fn numbers_of_a_legend_begin_on_the_page() {
        for number in [1, 9, 10, 12, 100] {
            let legend = Legend::new([(Sample::Number(number), "x".repeat(200))]);
            let (x, _, sample, text) = &legend.entries[0];

            assert!(text_width(&numbered(number)) <= sample.width(), "{number}");
            assert!(40.0 + x + sample.width() + SAMPLE_GAP + text_width(text) <= WIDTH, "{number}");
        }
    }

    #[test]
    fn both_ends_of_an_axis_have_texts_and_every_so_many_ticks_between_them() {
        let rooms = |count: usize, length: f64| -> Vec<Room> {
            (0..count).map(|at| Room::around(at as f64, length)).collect()
        };

        assert_eq!(labelled(&rooms(5, 1.0)), [0, 1, 2, 3, 4]);
        assert_eq!(labelled(&rooms(5, 1.5)), [0, 2, 4]);
        assert_eq!(labelled(&rooms(6, 1.5)), [0, 2, 5], "4 would stand on the end");
        assert_eq!(labelled(&rooms(5, 3.0)), [0, 4]);
        assert_eq!(labelled(&rooms(2, 3.0)), [1]);
        assert_eq!(labelled(&rooms(1, 3.0)), [0]);
        assert!(labelled(&[]).is_empty());
    }

    #[test]
    fn the_label_of_an_axis_stays_on_the_page() {
        let label = "buffer hit rate of reads, logarithmic";
        let panel = Panel {
            left: 0.6 * WIDTH,
            right: WIDTH - RIGHT_MARGIN,
            top: 0.0,
            bottom: UNITS,
            x: Scale::exactly(1.0),
            y: Scale::exactly(1.0),
        };

        let svg = draw(2.0 * UNITS, "", |canvas| panel.x_axis(canvas, label));

        let element = svg.split("<text").find(|element| element.contains(label)).unwrap();
        let (_, x) = element.split_once("x=\"").unwrap();
        let middle: f64 = x.split('"').next().unwrap().parse().unwrap();
        assert!(middle + text_width(label) / 2.0 <= WIDTH + 0.5, "{middle}");
    }
}
