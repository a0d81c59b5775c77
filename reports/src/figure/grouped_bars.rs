//! Level bars in groups, with published numbers as diamonds.

use super::Figure;
use super::canvas::{Anchor, LINE, POINT, UNITS, draw, text_width};
use super::palette::{Dash, INK, Stroke, series_fill};
use super::panel::{Legend, Panel, RIGHT_MARGIN, Sample, WIDTH, X_AXIS_ROOM};
use super::scale::Scale;
use crate::table::Table;

/// Height of a bar.
const BAR: f64 = 0.075 * UNITS;
/// Room between two groups.
const GAP: f64 = 0.05 * UNITS;

/// One bar of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bar {
    /// Length; `None` leaves its place empty.
    pub value: Option<f64>,
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
}

impl Figure<Groups> for GroupedBars {
    fn name(&self) -> &'static str {
        self.name
    }

    fn caption(&self) -> &'static str {
        self.caption
    }

    fn data(&self, groups: &Groups) -> Table {
        let mut table = Table::new(&["group", "series", "value", "published"]);
        let text = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        for (name, bars) in &groups.groups {
            for (series, bar) in groups.series.iter().zip(bars).filter(|(_, bar)| **bar != Bar::default()) {
                table.push(vec![name.clone(), series.clone(), text(bar.value), text(bar.published)]);
            }
        }
        table
    }

    fn svg(&self, data: &Groups) -> Option<String> {
        let bars = || data.groups.iter().flat_map(|(_, bars)| bars);
        let values = bars().flat_map(|bar| [bar.value, bar.published]).flatten();
        let largest = values.chain(data.line.iter().map(|(at, _)| *at)).fold(0.0, f64::max);
        if largest <= 0.0 || bars().all(|bar| bar.value.is_none()) {
            return None;
        }
        let legend = legend(data);
        let names = short(&data.groups);
        let room = names.iter().map(|name| text_width(name)).fold(0.0, f64::max);
        let pitch = (data.series.len() as f64 * BAR + GAP).max(0.9 * LINE);
        let top = legend.height() + 0.2 * LINE;
        let panel = Panel {
            left: room + 8.0 * POINT,
            right: WIDTH - RIGHT_MARGIN,
            top,
            bottom: top + data.groups.len() as f64 * pitch + GAP,
            x: Scale::from_zero(largest),
            y: Scale::exactly(1.0),
        };
        Some(draw(panel.bottom + X_AXIS_ROOM, self.caption, |canvas| {
            legend.draw(canvas);
            panel.x_grid(canvas);
            for (at, ((_, bars), name)) in data.groups.iter().zip(&names).enumerate() {
                let from = top + GAP + at as f64 * pitch;
                let middle = from + bars.len() as f64 * BAR / 2.0;
                canvas.text((panel.left - 3.5 * POINT, middle), name, Anchor::End);
                for (number, bar) in bars.iter().enumerate() {
                    let upper = from + number as f64 * BAR;
                    if let Some(value) = bar.value {
                        let end = panel.across(value);
                        canvas.rectangle(
                            (panel.left, upper + 4.0),
                            (end, upper + BAR - 4.0),
                            series_fill(number),
                        );
                    }
                    if let Some(published) = bar.published {
                        canvas.diamond((panel.across(published), upper + BAR / 2.0), INK);
                    }
                }
            }
            if let Some((at, _)) = &data.line {
                let x = panel.across(*at);
                canvas.line(&[(x, panel.top), (x, panel.bottom)], MARK);
            }
            panel.frame(canvas);
            panel.x_axis(canvas, self.axis);
        }))
    }
}

const MARK: Stroke = Stroke { colour: INK, points: 0.9, dash: Dash::Long };

fn legend(data: &Groups) -> Legend {
    let series = data.series.iter().enumerate();
    let series = series.map(|(number, name)| (Sample::Box(series_fill(number)), name.clone()));
    let line = data.line.iter().map(|(_, name)| (Sample::Line(MARK), name.clone()));
    Legend::new(series.chain(line))
}

/// Names without a family's name that several of them begin with.
fn short(groups: &[(String, Vec<Bar>)]) -> Vec<String> {
    let family = |name: &str| name.split_once('-').map(|(family, _)| family.to_owned());
    let is_shared =
        |of: &str| groups.iter().filter(|(name, _)| family(name).as_deref() == Some(of)).count() > 1;
    let shortened = groups.iter().map(|(name, _)| match name.split_once('-') {
        Some((family, rest)) if is_shared(family) => rest.to_owned(),
        _ => name.clone(),
    });
    shortened.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURE: GroupedBars = GroupedBars { name: "x", caption: "x", axis: "x" };

    fn groups() -> Groups {
        let bar = |value| Bar { value, published: Some(2.0) };
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
        let rows = FIGURE.data(&groups()).rows;

        assert_eq!(rows[0], ["net-1", "a", "1", "2"]);
        assert_eq!(rows.len(), 4);
    }

    #[test]
    fn a_shared_family_name_is_left_out() {
        assert_eq!(short(&groups().groups), ["1", "2", "other-1"]);
    }

    #[test]
    fn without_values_nothing_is_drawn() {
        assert!(FIGURE.svg(&groups()).is_some());
        assert!(FIGURE.svg(&Groups::default()).is_none());
    }
}
