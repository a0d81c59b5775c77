//! From reports of a probe to the curves of its figure, and the figure to its files.

use std::collections::BTreeMap;
use std::path::Path;

use hetier_reports::figure::{self, Curve, Figure, ProbeFigure, draw};
use hetier_reports::output;

use crate::failure::Outcome;

/// Groups points into curves: by label, in order of first appearance.
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
    curves
}

/// Draws figures and names the files.
pub fn write(folder: &Path, figures: &[(&ProbeFigure, Vec<Curve>)], is_json: bool) -> Outcome {
    let drawn = figures.iter().flat_map(|(figure, curves)| {
        let figure: &dyn Figure<[Curve]> = *figure;
        draw(&[figure], &curves[..])
    });
    let files = figure::files(&drawn.collect::<Vec<_>>())?;
    output::write_folder(folder, &files)?;
    for file in files.iter().filter(|_| !is_json) {
        say!("{}", folder.join(&file.path).display());
    }
    Ok(())
}
