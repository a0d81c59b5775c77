//! From reports of a probe to the curves of its figure, and the figure to its files.

use std::collections::BTreeMap;
use std::path::Path;

use hetier_reports::figure::{self, Curve, Figure, Measured, ProbeFigure, draw};
use hetier_reports::output;

use crate::failure::Outcome;

/// Groups points into curves: by label, in order of first appearance, each from left to right in whatever order it was
/// measured.
pub fn grouped(points: impl IntoIterator<Item = (String, (f64, f64))>) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    let mut places = BTreeMap::new();
    for (label, point) in points {
        let place = *places.entry(label.clone()).or_insert_with(|| {
            curves.push(Curve { label, points: Vec::new() });
            curves.len() - 1
        });
        curves[place].points.push(point);
    }
    curves.iter_mut().for_each(|curve| curve.points.sort_by(|one, other| one.0.total_cmp(&other.0)));
    curves
}

/// What was measured, in words: system and tier, then what all points share.
pub fn on(system: &str, tier: &str, more: impl IntoIterator<Item = Option<String>>) -> String {
    let head = [system.to_owned(), tier.to_owned()].into_iter().map(Some);
    head.chain(more).flatten().collect::<Vec<_>>().join(", ")
}

/// Channels of a socket, if fewer than all.
pub fn channels(dimms: Option<usize>) -> Option<String> {
    dimms.map(|dimms| format!("{dimms} channel{} of each socket", if dimms == 1 { "" } else { "s" }))
}

/// Draws figures of what was measured `on` a machine and names the files.
pub fn write(folder: &Path, on: &str, figures: Vec<(&ProbeFigure, Vec<Curve>)>, is_json: bool) -> Outcome {
    let drawn = figures.into_iter().flat_map(|(figure, curves)| {
        let figure: &dyn Figure<Measured> = figure;
        draw(&[figure], &Measured { on: on.to_owned(), curves })
    });
    let files = figure::files(&drawn.collect::<Vec<_>>())?;
    output::write_folder(folder, &files)?;
    for file in files.iter().filter(|_| !is_json) {
        say!("{}", folder.join(&file.path).display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_go_from_left_to_right_and_stand_as_they_first_came() {
        let points = [("b", 8.0), ("a", 2.0), ("b", 1.0), ("b", 24.0), ("b", 4.0)];

        let curves = grouped(points.map(|(label, x)| (label.to_owned(), (x, -x))));

        let along = |at: usize| curves[at].points.iter().map(|point| point.0).collect::<Vec<_>>();
        assert_eq!((curves[0].label.as_str(), along(0)), ("b", vec![1.0, 4.0, 8.0, 24.0]));
        assert_eq!((curves[1].label.as_str(), along(1)), ("a", vec![2.0]));
    }
}
