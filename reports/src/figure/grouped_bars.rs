//! Level bars in groups, with published numbers as diamonds.

use super::Figure;
use super::canvas::{Anchor, Canvas, LINE, POINT, UNITS, draw, text_width};
use super::names::{fitting, letters};
use super::palette::{Dash, INK, Stroke, series_fill};
use super::panel::{Legend, Panel, RIGHT_MARGIN, Sample, WIDTH, X_AXIS_ROOM};
use super::scale::Scale;
use crate::labels::distinct;
use crate::table::Table;

/// Height of a bar.
const BAR: f64 = 0.075 * UNITS;
/// Room between two groups.
const GAP: f64 = 0.05 * UNITS;

/// Room beside the names.
const NAME_MARGIN: f64 = 8.0 * POINT;

/// One bar of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bar {
    /// Length; `None` leaves its place empty.
    pub value: Option<f64>,
    /// Least and largest of the ensemble that it stands for, drawn as caps.
    pub range: Option<(f64, f64)>,
    /// The published number for it.
    pub published: Option<f64>,
}

/// Groups of bars, all with the same series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    /// Names of the series, in the order of the bars.
    pub series: Vec<String>,
    /// Name of each group, and a bar for each series.
    pub groups: Vec<(String, Vec<Bar>)>,
    /// A value marked by an upright line, and what it is.
    pub line: Option<(f64, String)>,
}

/// A figure of grouped bars.
#[derive(Clone, Copy, Debug)]
pub struct GroupedBars {
    /// Name of its files.
    pub name: &'static str,
    /// What it shows.
    pub caption: &'static str,
    /// Label of the axis, with the unit.
    pub axis: &'static str,
    /// Head of its values in files, which says the unit.
    pub column: &'static str,
}

impl Figure<Groups> for GroupedBars {
    fn name(&self) -> &'static str {
        self.name
    }

    fn caption(&self) -> &'static str {
        self.caption
    }

    fn data(&self, groups: &Groups) -> Table {
        let heads = ["min", "max", "published"].map(|what| format!("{what}_{}", self.column));
        let [min, max, published] = heads.each_ref().map(String::as_str);
        let mut table = Table::new(&["group", "series", self.column, min, max, published]);
        let text = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        for (name, bars) in &groups.groups {
            for (series, bar) in groups.series.iter().zip(bars).filter(|(_, bar)| **bar != Bar::default()) {
                let range = [bar.range.map(|range| range.0), bar.range.map(|range| range.1)];
                let numbers = [bar.value, range[0], range[1], bar.published].map(text);
                table.push([name.clone(), series.clone()].into_iter().chain(numbers).collect());
            }
        }
        table
    }

    fn svg(&self, data: &Groups) -> Option<String> {
        let rows = rows(data);
        let bars = || rows.iter().flat_map(|row| row.bars.iter().map(|(_, bar)| *bar));
        let most = |bar: &Bar| bar.range.map(|range| range.1);
        let values = || bars().flat_map(|bar| [bar.value, most(bar), bar.published]).flatten();
        let largest = values().chain(data.line.iter().map(|(at, _)| *at)).fold(0.0, f64::max);
        if largest <= 0.0 || bars().all(|bar| bar.value.is_none()) {
            return None;
        }
        let smallest = values().filter(|value| *value > 0.0).fold(largest, f64::min);
        let is_wide = largest > SPAN * smallest;
        let legend = legend(data, &rows);
        let names = fitting(&short(&rows), letters(NAME_SHARE * WIDTH - NAME_MARGIN));
        let room = names.iter().map(|name| text_width(name)).fold(0.0, f64::max);
        let top = legend.height() + 0.2 * LINE;
        let panel = Panel {
            left: room + NAME_MARGIN,
            right: WIDTH - RIGHT_MARGIN,
            top,
            bottom: top + rows.iter().map(Row::height).sum::<f64>() + GAP,
            x: if is_wide { Scale::logarithmic(smallest / 2.0, largest) } else { Scale::from_zero(largest) },
            y: Scale::exactly(1.0),
        };
        Some(draw(panel.bottom + X_AXIS_ROOM, self.caption, |canvas| {
            legend.draw(canvas);
            panel.x_grid(canvas);
            let mut from = top + GAP;
            for (row, name) in rows.iter().zip(&names) {
                let middle = from + (row.height() - GAP) / 2.0;
                canvas.text((panel.left - 3.5 * POINT, middle), name, Anchor::End);
                row.draw(canvas, &panel, middle);
                from += row.height();
            }
            if let Some((at, _)) = &data.line {
                let x = panel.across(*at);
                canvas.line(&[(x, panel.top), (x, panel.bottom)], MARK);
            }
            panel.frame(canvas);
            let suffix = if is_wide { ", logarithmic" } else { "" };
            panel.x_axis(canvas, &format!("{}{suffix}", self.axis));
        }))
    }
}

/// Values further apart than this stand on a logarithmic axis: short bars could not be told apart.
const SPAN: f64 = 30.0;

/// A group with the bars that there are, each with the number of its series.
struct Row<'g> {
    name: &'g str,
    bars: Vec<(usize, &'g Bar)>,
}

impl Row<'_> {
    fn height(&self) -> f64 {
        (self.bars.len() as f64 * BAR).max(0.9 * LINE - GAP) + GAP
    }

    fn draw(&self, canvas: &Canvas<'_>, panel: &Panel, middle: f64) {
        let first = middle - self.bars.len() as f64 * BAR / 2.0;
        for (place, (series, bar)) in self.bars.iter().enumerate() {
            let upper = first + place as f64 * BAR;
            if let Some(value) = bar.value {
                let end = (panel.across(value), upper + BAR - 4.0);
                canvas.rectangle((panel.left, upper + 4.0), end, series_fill(*series));
            }
            if let Some((least, most)) = bar.range {
                panel.caps(canvas, (least, most), upper + BAR / 2.0, 0.25 * BAR);
            }
            if let Some(published) = bar.published {
                canvas.diamond((panel.across(published), upper + BAR / 2.0), INK);
            }
        }
    }
}

/// The groups that have bars.
fn rows(data: &Groups) -> Vec<Row<'_>> {
    data.groups
        .iter()
        .map(|(name, bars)| Row {
            name,
            bars: bars.iter().enumerate().filter(|(_, bar)| **bar != Bar::default()).collect(),
        })
        .filter(|row| row.bars.iter().any(|(_, bar)| bar.value.is_some()))
        .collect()
}

const MARK: Stroke = Stroke { colour: INK, points: 0.9, dash: Dash::Long };

/// The series that have bars, the diamonds and the line.
fn legend(data: &Groups, rows: &[Row<'_>]) -> Legend {
    let is_drawn = |number: usize| rows.iter().flat_map(|row| &row.bars).any(|(series, _)| *series == number);
    let series = data.series.iter().enumerate().filter(|(number, _)| is_drawn(*number));
    let series = series.map(|(number, name)| (Sample::Box(series_fill(number)), name.clone()));
    let is_published = rows.iter().flat_map(|row| &row.bars).any(|(_, bar)| bar.published.is_some());
    let published = is_published.then(|| (Sample::Diamond(INK), "published".to_owned()));
    let line = data.line.iter().map(|(_, name)| (Sample::Line(MARK), name.clone()));
    Legend::new(series.chain(published).chain(line))
}

/// Names without a family's name that several of them begin with.
fn short(rows: &[Row<'_>]) -> Vec<String> {
    let family = |name: &str| name.split_once('-').map(|(family, _)| family.to_owned());
    let is_shared = |of: &str| rows.iter().filter(|row| family(row.name).as_deref() == Some(of)).count() > 1;
    let shortened = rows.iter().map(|row| match row.name.split_once('-') {
        Some((family, rest)) if is_shared(family) => rest.to_owned(),
        _ => row.name.to_owned(),
    });
    let shortened: Vec<String> = shortened.collect();
    if distinct(&shortened) { shortened } else { rows.iter().map(|row| row.name.to_owned()).collect() }
}

/// Largest share of the page that names take.
const NAME_SHARE: f64 = 0.55;

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURE: GroupedBars = GroupedBars { name: "x", caption: "x", axis: "x", column: "seconds" };

    fn groups() -> Groups {
        let bar = |value| Bar { value, published: Some(2.0), ..Bar::default() };
        Groups {
            series: vec!["a".to_owned(), "b".to_owned()],
            groups: vec![
                ("net-1".to_owned(), vec![bar(Some(1.0)), Bar::default()]),
                ("net-2".to_owned(), vec![bar(None), bar(Some(3.0))]),
                ("other-1".to_owned(), vec![bar(None), Bar::default()]),
            ],
            line: None,
        }
    }

    #[test]
    fn rows_hold_what_there_is() {
        let rows = FIGURE.data(&groups()).shown();

        assert_eq!(rows[0], ["net-1", "a", "1", "", "", "2"]);
        assert_eq!(rows.len(), 4);
        let csv = FIGURE.data(&groups()).to_csv();
        let head = "group,series,seconds,min_seconds,max_seconds,published_seconds";
        assert_eq!(csv.lines().next(), Some(head), "files say the unit");
    }

    #[test]
    fn an_ensemble_has_caps_and_its_ends_in_the_numbers() {
        let mut ensemble = groups();
        ensemble.groups[0].1[0].range = Some((0.5, 9.0));

        assert_eq!(FIGURE.data(&ensemble).shown()[0][2..5], ["1", "0.5", "9"]);
        let lines = |groups: &Groups| FIGURE.svg(groups).unwrap().matches("<polyline").count();
        // The longer axis that the cap needs has ticks of its own; the caps are three lines more.
        let mut longer = groups();
        longer.groups[0].1[0].published = Some(9.0);
        assert_eq!(lines(&ensemble), lines(&longer) + 3);
    }

    #[test]
    fn a_shared_family_name_is_left_out() {
        let groups = groups();

        // The third group has a published number and no bar.
        assert_eq!(short(&rows(&groups)), ["1", "2"]);
    }

    fn named(names: [&str; 2]) -> Groups {
        let bar = || vec![Bar { value: Some(1.0), ..Bar::default() }];
        Groups {
            series: vec!["a".to_owned()],
            groups: names.map(|name| (name.to_owned(), bar())).to_vec(),
            line: None,
        }
    }

    #[test]
    fn a_family_name_stays_where_rows_would_be_alike_without_it() {
        let names = ["multiply-4096", "multiply-8192", "add-4096", "add-8192"];
        let mut groups = named([names[0], names[1]]);
        groups.groups.extend(named([names[2], names[3]]).groups);

        assert_eq!(short(&rows(&groups)), names);
    }

    #[test]
    fn long_names_leave_room_for_the_bars_and_stay_apart() {
        let long = "x".repeat(80);
        let ends = |one: &str, other: &str| {
            let groups = named([one, other]);
            let names = fitting(&short(&rows(&groups)), letters(NAME_SHARE * WIDTH - NAME_MARGIN));
            assert!(
                names.iter().all(|name| text_width(name) + NAME_MARGIN <= NAME_SHARE * WIDTH),
                "{names:?}"
            );
            assert!(FIGURE.svg(&groups).unwrap().contains(&names[0]));
            names
        };

        let start = ends(&format!("a{long}"), &format!("b{long}"));
        assert!(
            start[0].starts_with("ax") && start[0].contains("x…x") && start[1].starts_with('b'),
            "{start:?}"
        );
        let end = ends(&format!("{long}a"), &format!("{long}b"));
        assert!(end[0].contains("x…x") && end[0].ends_with("xa") && end[1].ends_with('b'), "{end:?}");
    }

    #[test]
    fn bars_that_are_not_there_take_no_room() {
        let few = groups();
        let mut more = groups();
        more.groups[0].1[1] = Bar { value: Some(1.0), ..Bar::default() };
        let height = |groups: &Groups| {
            let svg = FIGURE.svg(groups).unwrap();
            let (_, rest) = svg.split_once("viewBox=\"0 0 3330 ").unwrap();
            rest.split('"').next().unwrap().parse::<f64>().unwrap()
        };

        // Two bars of the first network instead of one, which takes the room of its name.
        assert!((height(&more) - height(&few) - (2.0 * BAR + GAP - 0.9 * LINE).max(0.0)).abs() <= 1.0);
        assert!(!FIGURE.svg(&few).unwrap().contains("other"));
    }

    #[test]
    fn values_far_apart_stand_on_a_logarithmic_axis() {
        let mut wide = groups();
        wide.groups[1].1[1].value = Some(3000.0);

        assert!(FIGURE.svg(&wide).unwrap().contains("x, logarithmic"));
        assert!(!FIGURE.svg(&groups()).unwrap().contains("logarithmic"));
    }

    #[test]
    fn without_values_nothing_is_drawn() {
        assert!(FIGURE.svg(&groups()).is_some());
        assert!(FIGURE.svg(&Groups::default()).is_none());
    }
}
