//! Fully connected layer: a 1×1 convolution over the flattened input.

use super::{Convolution, Layer, Shape, Window, only};
use crate::Error;
use crate::network::Weights;
use crate::program::{Layout, Lowering, Tensor};
use crate::scheme::{Encoding, Noise, Signal};

/// Fully connected layer with bias.
///
/// - input of any shape, taken flat in row-major order; output `outputs×1×1`; weights `[outputs][inputs]`.
/// - cost: `inputs` multiply-accumulates, one bias addition and one rescale per output; 1 level, or none at the last.
#[derive(Clone, Debug)]
pub struct Dense {
    flat: Convolution,
}

impl Dense {
    /// A layer from `inputs` to `outputs` features, with weights `NAME.weights` and `NAME.bias`.
    ///
    /// # Errors
    /// [`Error::Weights`] if they are given, but missing or not as many as needed.
    pub fn new(name: &str, (inputs, outputs): (usize, usize), weights: &Weights) -> Result<Self, Error> {
        let flat = Convolution::new(name, (inputs, outputs), Window::new(1, 1, 0), weights)?;
        Ok(Self { flat: flat.counted_as("Dot") })
    }
}

impl Layer for Dense {
    fn operation(&self) -> &'static str {
        self.flat.operation()
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        self.flat.output(name, &[Shape::flat(only(name, inputs)?.elements())])
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let Shape { height, width, .. } = inputs[0].shape;
        if inputs[0].layout == Layout::ChannelsLast && height * width > 1 {
            return Err(Error::Layout { layer: name.to_owned() });
        }
        let flat = Tensor { shape: Shape::flat(inputs[0].shape.elements()), ..inputs[0].clone() };
        self.flat.lower(name, &[flat], lowering)
    }

    fn noise(&self, noise: &Noise<'_>, inputs: &[Signal], output: Encoding) -> f64 {
        self.flat.noise(noise, inputs, output)
    }

    fn clear(&self, shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        self.flat.clear(&[Shape::flat(shapes[0].elements())], inputs)
    }

    fn multiply_accumulates(&self, shapes: &[Shape]) -> u64 {
        self.flat.multiply_accumulates(&[Shape::flat(shapes[0].elements())])
    }
}
