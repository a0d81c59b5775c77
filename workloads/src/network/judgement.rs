//! How well encrypted outputs match the clear model and the labels.

use super::{Images, Network};

/// Encrypted outputs held against the clear model and the labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// Share of images whose encrypted prediction is the label; `None` without labels.
    pub encrypted_accuracy: Option<f64>,
    /// The same for the clear model.
    pub clear_accuracy: Option<f64>,
    /// Share of images for which both predict the same class.
    pub agreement: f64,
    /// Largest absolute difference of an output; not a number if one is not.
    pub max_output_error: f64,
    /// Largest absolute output of the clear model.
    pub max_output: f64,
}

impl Network {
    /// Holds `outputs`, one row for each image, against the model in the clear; the largest output is the prediction.
    pub fn judge(&self, images: &Images, outputs: &[Vec<f64>]) -> Judgement {
        let clear: Vec<Vec<f64>> = images.pixels.iter().map(|image| self.clear(image)).collect();
        let pairs = || outputs.iter().flatten().zip(clear.iter().flatten());
        let same = outputs.iter().zip(&clear).filter(|(one, other)| prediction(one) == prediction(other));
        Judgement {
            encrypted_accuracy: accuracy(outputs, &images.labels),
            clear_accuracy: accuracy(&clear, &images.labels),
            agreement: same.count() as f64 / outputs.len().max(1) as f64,
            max_output_error: pairs().map(|(one, other)| (one - other).abs()).fold(0.0, larger),
            max_output: clear.iter().flatten().map(|output| output.abs()).fold(0.0, f64::max),
        }
    }
}

/// The larger of two numbers; `f64::max` would pass over one that is none, and an output that is none is no match.
fn larger(one: f64, other: f64) -> f64 {
    if one.is_nan() || one > other { one } else { other }
}

/// Number of the largest output.
fn prediction(outputs: &[f64]) -> Option<usize> {
    (0..outputs.len()).max_by(|&one, &other| outputs[one].total_cmp(&outputs[other]))
}

fn accuracy(outputs: &[Vec<f64>], labels: &[u8]) -> Option<f64> {
    let hits =
        outputs.iter().zip(labels).filter(|(row, label)| prediction(row) == Some(usize::from(**label)));
    let hits = hits.count();
    (!labels.is_empty()).then(|| hits as f64 / labels.len() as f64)
}
