//! From reports of a probe to the curves of its figure, and the figure to its files.

use std::collections::BTreeMap;
use std::path::Path;

use hetier_reports::figure::{self, Curve, Figure, Measured, ProbeFigure, draw};
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
