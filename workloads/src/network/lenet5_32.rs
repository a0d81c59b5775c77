//! `lenet5-32`: LeNet-5 for digits padded to 32×32, the dense network that MOFHEI prunes.

use super::{Network, Weights};
use crate::Error;
use crate::layer::{AveragePool, Convolution, Shape, Square, Window};
use crate::parameters::Literal;

/// Convolutions 6@5×5, 16@5×5 and 120@5×5 without padding, average pools 2×2 after the first two, dense 84 and 10, an
/// activation after each but the last: 11 levels.
///
/// Source: MOFHEI (arXiv 2412.07954), table of operation counts. Its activation is a·x² + b·x + c and its weights are
/// encoded as whole plaintexts; here activations are squares and weights scalars, so products and sums of the layers
/// with weights, pools and ciphertext products are as many, but not their bytes.
pub(super) fn build(weights: &Weights) -> Result<Network, Error> {
    let (window, pool) = (Window::new(5, 1, 0), AveragePool::new(Window::new(2, 2, 0)));
    let dense = |name, sizes| Convolution::new(name, sizes, Window::new(1, 1, 0), weights);
    let mut network = Network::new("lenet5-32", Shape::new(1, 32, 32));
    network.then("conv1", Convolution::new("conv1", (1, 6), window, weights)?)?;
    network.then("square1", Square)?;
    network.then("pool1", pool)?;
    network.then("conv2", Convolution::new("conv2", (6, 16), window, weights)?)?;
    network.then("square2", Square)?;
    network.then("pool2", pool)?;
    network.then("conv3", Convolution::new("conv3", (16, 120), window, weights)?)?;
    network.then("square3", Square)?;
    network.then("dense1", dense("dense1", (120, 84))?)?;
    network.then("square4", Square)?;
    network.then("dense2", dense("dense2", (84, 10))?)?;
    Ok(network)
}

/// The parameters that MOFHEI gives for this network.
pub(super) fn literal() -> Literal {
    let mut bits = vec![30; 28];
    (bits[0], bits[27]) = (40, 40);
    Literal::new(32768, &bits, 30)
}
