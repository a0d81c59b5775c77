//! `cryptonets`: the network of Gilad-Bachrach et al. (ICML 2016) for 28×28 digits, pooling folded into the dense layer.

use super::{Network, Weights};
use crate::Error;
use crate::layer::{Convolution, Dense, Shape, Square, Window};

/// Convolution 5@5×5 stride 2, square, dense 100, square, dense 10: 4 levels, or 5 with small primes.
///
/// Source: Gilad-Bachrach et al., CryptoNets, ICML 2016, §5, in the inference form that merges the linear layers
/// between the two activations (convolution over the image padded by one row and column before the first, 13×13
/// positions, then 845 → 100).
pub(super) fn build(weights: &Weights) -> Result<Network, Error> {
    let window = Window { size: 5, stride: 2, padding_before: 1, padding_after: 0 };
    let mut network = Network::new("cryptonets", Shape::new(1, 28, 28));
    network.then("conv1", Convolution::new("conv1", (1, 5), window, weights)?)?;
    network.then("square1", Square)?;
    network.then("dense1", Dense::new("dense1", (845, 100), weights)?)?;
    network.then("square2", Square)?;
    network.then("dense2", Dense::new("dense2", (100, 10), weights)?)?;
    Ok(network)
}
