//! Where a network's weights come from: nowhere (shape only), a seed, or a file.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use hetier_traces::seeded;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Error;

/// Source of the weights and biases of every layer, by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    /// None: for traces that are only shaped.
    Absent,
    /// None, but the names that layers ask for are noted here.
    Noted(Rc<RefCell<BTreeSet<String>>>),
    /// Uniform random weights of variance 1 ÷ fan-in, zero-mean biases of a tenth; equal for equal seeds and names.
    Seeded(u64),
    /// Given values, for instance `conv1.weights` and `conv1.bias`.
    Given(BTreeMap<String, Vec<f64>>),
    /// Others, of whose convolution filters a drawn share is zero.
    Pruned {
        /// The others.
        weights: Box<Self>,
        /// The draw.
        pruning: Pruning,
    },
}

/// A seeded draw of zero weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pruning {
    /// Chance of a weight to be zero, in millionths.
    pub zero_per_million: u32,
    /// Seed of the draw.
    pub seed: u64,
}

impl Pruning {
    /// Whether the draw keeps weight number `index`. The same draw as a trace's
    /// [`Range::Seeded`](hetier_traces::Range::Seeded) makes.
    pub const fn keeps(&self, index: usize) -> bool {
        let keep_per_million = seeded::MILLION.saturating_sub(self.zero_per_million);
        seeded::is_kept(seeded::family(self.seed, index as i64), 0, keep_per_million)
    }
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
        let values = serde_json::from_str(&text).map_err(|source| Error::Weights {
            name: shown,
            reason: format!(
                "{source}, need a JSON object of flat lists such as \"conv1.weights\": [0.5, -1]"
            ),
        })?;
        Ok(Self::Given(values))
    }

    /// `length` values of `name`, each an average of `fan_in` products in use; empty when absent.
    ///
    /// # Errors
    /// [`Error::Weights`] if values were given but not these, or not as many.
    pub fn values(&self, name: &str, length: usize, fan_in: usize) -> Result<Vec<f64>, Error> {
        match self {
            Self::Absent => Ok(Vec::new()),
            Self::Noted(names) => {
                names.borrow_mut().insert(name.to_owned());
                Ok(Vec::new())
            }
            Self::Seeded(seed) => Ok(drawn(*seed, name, length, fan_in)),
            Self::Given(values) => given(values, name, length),
            Self::Pruned { weights, .. } => {
                let mut values = weights.values(name, length, fan_in)?;
                if let Some(pruning) = self.pruning(name) {
                    values
                        .iter_mut()
                        .enumerate()
                        .filter(|(at, _)| !pruning.keeps(*at))
                        .for_each(|(_, value)| *value = 0.0);
                }
                Ok(values)
            }
        }
    }

    /// Refuses given values that none of `names` asks for: a misspelt name, or the file of another network.
    ///
    /// # Errors
    /// [`Error::Weights`] with those that are left over, and with `names`.
    pub(super) fn check_used(&self, network: &str, names: &BTreeSet<String>) -> Result<(), Error> {
        let values = match self {
            Self::Given(values) => values,
            Self::Pruned { weights, .. } => return weights.check_used(network, names),
            Self::Absent | Self::Noted(_) | Self::Seeded(_) => return Ok(()),
        };
        let unused: Vec<&str> =
            values.keys().filter(|name| !names.contains(*name)).map(String::as_str).collect();
        if unused.is_empty() {
            return Ok(());
        }
        let needed: Vec<&str> = names.iter().map(String::as_str).collect();
        let needed = if needed.is_empty() { "none".to_owned() } else { needed.join(", ") };
        Err(Error::Weights {
            name: unused.join(", "),
            reason: format!("found in no layer of {network}, need {needed}"),
        })
    }

    /// The zeros drawn for the filter `name`; every filter has a draw of its own.
    pub fn pruning(&self, name: &str) -> Option<Pruning> {
        match self {
            Self::Pruned { pruning, .. } if name.ends_with(".weights") => {
                Some(Pruning { seed: stream(pruning.seed, name), ..*pruning })
            }
            _ => None,
        }
    }
}

/// A seed of its own for every name.
fn stream(seed: u64, name: &str) -> u64 {
    name.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Uniform in ±√(3 ÷ fan-in), so that sums of `fan_in` products keep the variance of their inputs.
fn drawn(seed: u64, name: &str, length: usize, fan_in: usize) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(stream(seed, name));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_weights_that_no_layer_asks_for_are_refused_by_name() {
        let entry = crate::network::Entry::find("digits").unwrap();
        let Some(Weights::Given(mut values)) = entry.weights() else { panic!("trained weights") };
        assert!(entry.build(&Weights::Given(values.clone())).is_ok());
        values.insert("extra.weights".to_owned(), vec![1.0]);
        let pruning = Pruning { zero_per_million: 300_000, seed: 5 };
        let given = Weights::Given(values);

        for weights in [given.clone(), Weights::Pruned { weights: Box::new(given), pruning }] {
            let refused = entry.build(&weights).unwrap_err().to_string();
            let needed = "conv1.bias, conv1.weights, dense1.bias, dense1.weights";
            assert_eq!(refused, format!("weights extra.weights: found in no layer of digits, need {needed}"));
        }
    }

    #[test]
    fn pruned_weights_are_zero_where_the_draw_says_and_biases_stay() {
        let pruning = Pruning { zero_per_million: 300_000, seed: 5 };
        let pruned = Weights::Pruned { weights: Box::new(Weights::Seeded(1)), pruning };

        let values = pruned.values("conv.weights", 1000, 9).unwrap();
        let draw = pruned.pruning("conv.weights").unwrap();

        assert!(values.iter().enumerate().all(|(at, value)| (*value == 0.0) != draw.keeps(at)));
        let zeros = values.iter().filter(|value| **value == 0.0).count();
        assert!((228..372).contains(&zeros), "{zeros} zeros, five deviations are 72");
        assert_eq!(pruned.values("conv.bias", 9, 9), Weights::Seeded(1).values("conv.bias", 9, 9));
    }
}
