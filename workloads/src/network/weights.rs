//! Where a network's weights come from: nowhere (shape only), a seed, or a file.

use std::collections::BTreeMap;
use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Error;

/// Source of the weights and biases of every layer, by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    /// None: for traces that are only shaped.
    Absent,
    /// Uniform random weights of variance 1 ÷ fan-in, zero-mean biases of a tenth; equal for equal seeds and names.
    Seeded(u64),
    /// Given values, for instance `conv1.weights` and `conv1.bias`.
    Given(BTreeMap<String, Vec<f64>>),
}

impl Weights {
    /// Reads a JSON object that maps names to flat lists of numbers (row-major `[out][in][row][column]`).
    ///
    /// # Errors
    /// - [`Error::Read`] if the file cannot be read.
    /// - [`Error::Weights`] if it is not such an object, with line and column.
    pub fn from_json(path: &Path) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::Read { path: shown.clone(), reason: source.to_string() })?;
        let values = serde_json::from_str(&text)
            .map_err(|source| Error::Weights { name: shown, reason: source.to_string() })?;
        Ok(Self::Given(values))
    }

    /// `length` values of `name`, each an average of `fan_in` products in use; empty when absent.
    ///
    /// # Errors
    /// [`Error::Weights`] if values were given but not these, or not as many.
    pub fn values(&self, name: &str, length: usize, fan_in: usize) -> Result<Vec<f64>, Error> {
        match self {
            Self::Absent => Ok(Vec::new()),
            Self::Seeded(seed) => Ok(seeded(*seed, name, length, fan_in)),
            Self::Given(values) => given(values, name, length),
        }
    }
}

/// Uniform in ±√(3 ÷ fan-in), so that sums of `fan_in` products keep the variance of their inputs.
fn seeded(seed: u64, name: &str, length: usize, fan_in: usize) -> Vec<f64> {
    let stream = name.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut random = ChaCha8Rng::seed_from_u64(stream);
    let bound = (3.0 / fan_in.max(1) as f64).sqrt();
    let bound = if name.ends_with(".bias") { 0.1 * bound } else { bound };
    (0..length).map(|_| random.random_range(-bound..bound)).collect()
}

fn given(values: &BTreeMap<String, Vec<f64>>, name: &str, length: usize) -> Result<Vec<f64>, Error> {
    let found = values.get(name).ok_or_else(|| Error::Weights {
        name: name.to_owned(),
        reason: format!("missing, the file has {}", values.keys().cloned().collect::<Vec<_>>().join(", ")),
    })?;
    if found.len() != length {
        return Err(Error::Weights {
            name: name.to_owned(),
            reason: format!("found {} values, need {length}", found.len()),
        });
    }
    Ok(found.clone())
}
