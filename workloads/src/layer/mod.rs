//! The shelf of layers under batch-axis packing: each lowers to loops of primitives and computes itself in the clear.
//!
//! Batch-axis packing keeps one ciphertext for every element of one image's activation; the slots hold the images of
//! the batch. Layers therefore need no rotations, and every output element is independent of the others.

mod add;
mod average_pool;
mod convolution;
mod dense;
mod polynomial;
mod relu;
mod repeated;
mod shape;
mod square;
pub mod transformer;

use std::fmt::Debug;

pub use add::Add;
pub use average_pool::AveragePool;
pub use convolution::Convolution;
pub use dense::Dense;
pub use polynomial::Polynomial;
pub use relu::Relu;
pub use repeated::{Repeated, Repetition};
pub use shape::{Shape, Window};
pub use square::Square;

use crate::Error;
use crate::program::{Kernel, Lowering, Packing, Tensor};
use crate::scheme::{Encoding, Noise, Signal};

/// One layer of a network.
///
/// [`crate::network::Network`] calls `output` when a node is added, `lower` once per program in graph order, and
/// `clear` for the model in the clear. `lower` must touch exactly what its primitives declare and leave every tensor
/// it was given alive; the network frees them after their last use.
pub trait Layer: Debug + Send + Sync {
    /// Name of the graph operation, as reports count it.
    fn operation(&self) -> &'static str;

    /// Shape of the output for inputs of these shapes.
    ///
    /// # Errors
    /// If the layer cannot take such inputs; `name` is the node's name for the message.
    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error>;

    /// Levels that the layer must find in its input; it consumes as many.
    fn depth(&self) -> usize {
        0
    }

    /// Appends the layer's phases to a program and gives its output tensor.
    ///
    /// # Errors
    /// If the levels of the inputs do not suffice.
    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error>;

    /// The layer on one image in the clear; activations are flat, row-major `[channel][row][column]`.
    fn clear(&self, shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64>;

    /// Whether the layer can work on ciphertexts of this packing.
    fn takes(&self, packing: Packing) -> bool {
        packing == Packing::Real
    }

    /// Whether the layer has these kernels.
    fn has(&self, kernel: Kernel) -> bool {
        let _ = kernel;
        true
    }

    /// Variance of the error of a value of its output, in squared units of the message.
    fn noise(&self, noise: &Noise<'_>, inputs: &[Signal], output: Encoding) -> f64;

    /// Multiplications of a ciphertext element by a weight, for one image; 0 for layers without weights.
    fn multiply_accumulates(&self, shapes: &[Shape]) -> u64 {
        let _ = shapes;
        0
    }
}

/// The shape of a layer's only input.
///
/// # Errors
/// [`Error::Inputs`] if it has not exactly one.
fn only(name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
    match inputs {
        [shape] => Ok(*shape),
        _ => Err(Error::Inputs { layer: name.to_owned(), found: inputs.len(), needed: 1 }),
    }
}

/// A convolution in the clear of a shape and its values, with weights `[out][in / groups][size][size]`; output channels
/// are dealt to `groups` equal groups of input channels.
fn clear_convolution(
    (shape, input): (Shape, &[f64]),
    window: Window,
    filter: &[f64],
    outputs: usize,
    groups: usize,
) -> Vec<f64> {
    let size = window.size * window.size;
    let depth = shape.channels / groups;
    let plane = shape.height * shape.width;
    let mut values = Vec::new();
    for (channel, filter) in filter.chunks_exact(depth * size).enumerate() {
        let first = channel * groups / outputs * depth;
        let sums = (0..depth).map(|inside| {
            let values = &input[(first + inside) * plane..][..plane];
            window.weighted_sums(shape, values, &filter[inside * size..][..size])
        });
        values.extend(
            sums.reduce(|sum, next| sum.iter().zip(&next).map(|(a, b)| a + b).collect()).unwrap_or_default(),
        );
    }
    values
}

/// Mean of the squares; 0 without values.
pub(crate) fn mean_square(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>() / values.len().max(1) as f64
}
