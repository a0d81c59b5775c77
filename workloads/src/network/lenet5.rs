//! `lenet5`: LeNet-5 for 28×28 digits, average pooling and square activations.

use super::{Network, Weights};
use crate::Error;
use crate::layer::{AveragePool, Convolution, Dense, Shape, Square, Window};

/// Convolutions 6@5×5 (padding 2) and 16@5×5, each with square and 2×2 average pool; dense 120, 84, 10 with squares
/// between: 10 levels and room in the first prime for the last layer.
///
/// Source: `LeCun` et al., Gradient-based learning applied to document recognition, Proc. IEEE 86(11), 1998, §II.B;
/// hyperbolic tangents replaced by squares and trainable subsampling by plain averages, as encrypted versions do.
pub(super) fn build(weights: &Weights) -> Result<Network, Error> {
    let pool = AveragePool::new(Window::new(2, 2, 0));
    let mut network = Network::new("lenet5", Shape::new(1, 28, 28));
    network.then("conv1", Convolution::new("conv1", (1, 6), Window::new(5, 1, 2), weights)?)?;
    network.then("square1", Square)?;
    network.then("pool1", pool)?;
    network.then("conv2", Convolution::new("conv2", (6, 16), Window::new(5, 1, 0), weights)?)?;
    network.then("square2", Square)?;
    network.then("pool2", pool)?;
    network.then("dense1", Dense::new("dense1", (400, 120), weights)?)?;
    network.then("square3", Square)?;
    network.then("dense2", Dense::new("dense2", (120, 84), weights)?)?;
    network.then("square4", Square)?;
    network.then("dense3", Dense::new("dense3", (84, 10), weights)?)?;
    Ok(network)
}
