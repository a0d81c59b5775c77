//! `lenet5-32` and `lenet5-32-pruned`: LeNet-5 for digits padded to 32×32, before and after MOFHEI prunes it.

use super::{Network, Weights};
use crate::layer::{AveragePool, Convolution, Polynomial, Shape, Square, Window};
use crate::parameters::Literal;
use crate::program::{Kernel, Options};
use crate::{Dataflow, Error};

/// Least-squares fit of a quadratic to max(x, 0) on \[−1, 1\]: 3/32 + x/2 + 15/32·x². MOFHEI trains its own.
const ACTIVATION: Polynomial = Polynomial::new([3.0 / 32.0, 0.5, 15.0 / 32.0]);

/// Filters of the convolutions, and outputs of the first dense layer.
const DENSE: [usize; 4] = [6, 16, 120, 84];

/// The same with 1.9 % of the weights. MOFHEI takes whole filters out, and with each the inputs that it was to the next
/// layer; which, is not published. Here every layer keeps the same share of its filters, 13.4 %.
const PRUNED: [usize; 4] = [1, 2, 16, 11];

/// Convolutions 6@5×5, 16@5×5 and 120@5×5 without padding, average pools 2×2 after the first two, dense 84 and 10, an
/// activation after each but the last: 14 levels.
///
/// The published rows have activations a·x² + b·x + c; the published sums hold if the last is a bare square: ciphertext
/// products of four activations, additions and constants of three.
///
/// Source: MOFHEI (arXiv 2412.07954), table of operation counts.
pub(super) fn build(weights: &Weights) -> Result<Network, Error> {
    with_filters("lenet5-32", DENSE, weights)
}

/// The same network with 98 % of the weights pruned, the most that MOFHEI reports.
pub(super) fn build_pruned(weights: &Weights) -> Result<Network, Error> {
    with_filters("lenet5-32-pruned", PRUNED, weights)
}

fn with_filters(
    name: &str,
    [first, second, third, fourth]: [usize; 4],
    weights: &Weights,
) -> Result<Network, Error> {
    let (window, pool) = (Window::new(5, 1, 0), AveragePool::new(Window::new(2, 2, 0)));
    let dense = |name, sizes| Convolution::new(name, sizes, Window::new(1, 1, 0), weights);
    let mut network = Network::new(name, Shape::new(1, 32, 32));
    network.then("conv1", Convolution::new("conv1", (1, first), window, weights)?)?;
    network.then("activation1", ACTIVATION)?;
    network.then("pool1", pool)?;
    network.then("conv2", Convolution::new("conv2", (first, second), window, weights)?)?;
    network.then("activation2", ACTIVATION)?;
    network.then("pool2", pool)?;
    network.then("conv3", Convolution::new("conv3", (second, third), window, weights)?)?;
    network.then("activation3", ACTIVATION)?;
    network.then("dense1", dense("dense1", (third, fourth))?)?;
    network.then("activation4", Square)?;
    network.then("dense2", dense("dense2", (fourth, 10))?)?;
    Ok(network)
}

/// The parameters that MOFHEI gives for this network.
pub(super) fn literal() -> Literal {
    let mut bits = vec![30; 28];
    (bits[0], bits[27]) = (40, 40);
    Literal::new(32768, &bits, 30)
}

/// Aluminum Shark's kernels, which MOFHEI runs, over its SEAL, 3.7.2; key switches as from 3.5 on.
pub(super) fn options() -> Options {
    Options { dataflow: Dataflow::Seal4, kernel: Kernel::AluminumShark, ..Options::default() }
}
