//! Convolution and Dot as graph operations, with the reshapes that the import from TensorFlow puts around them.

use super::ending;
use super::taps::Taps;
use super::zeros::ZeroTaps;
use crate::Error;
use crate::layer;
use crate::layer::{Layer, Shape, Window, only};
use crate::network::{Pruning, Weights};
use crate::program::{Kernel, Lowering, Packing, Tensor};
use crate::scheme::{Encoding, Noise, Signal};

/// A convolution over all input channels, without bias.
///
/// - operations: Constant, Reshape of the filter, Reshape of the input, Convolution, Reshape of the output.
/// - input `Cin×H×W`, output `Cout×Ho×Wo`, one ciphertext an element; weights `[Cout][Cin][size][size]`.
/// - outputs are dealt to the threads in row-major order, a thread getting a contiguous run; per tap a product in a
///   ciphertext of its own, the first of which becomes the sum; then a rescale pass over all outputs. There is no
///   blocking over output channels unless [`Options::block`](crate::program::Options::block) asks for it.
/// - outputs keep the capacity of the products: a rescale in place does not shrink them.
#[derive(Clone, Debug)]
pub struct GraphConvolution {
    operation: &'static str,
    channels: (usize, usize),
    window: Window,
    filter: Vec<f64>,
    pruning: Option<Pruning>,
}

impl GraphConvolution {
    /// A convolution from `inputs` to `outputs` channels with weights `NAME.weights`.
    ///
    /// # Errors
    /// [`Error::Weights`] if they are given, but missing or not as many as the geometry says.
    pub fn new(
        name: &str,
        (inputs, outputs): (usize, usize),
        window: Window,
        weights: &Weights,
    ) -> Result<Self, Error> {
        let fan_in = inputs * window.size * window.size;
        let name = format!("{name}.weights");
        Ok(Self {
            operation: "Convolution",
            channels: (inputs, outputs),
            window,
            filter: weights.values(&name, outputs * fan_in, fan_in)?,
            pruning: weights.pruning(&name),
        })
    }

    /// A matrix product with all elements of a square input, weights `[outputs][C][H][W]`: operations Constant, Reshape
    /// (which flattens the input), Dot.
    ///
    /// # Errors
    /// As [`GraphConvolution::new`].
    pub fn dot(name: &str, input: Shape, outputs: usize, weights: &Weights) -> Result<Self, Error> {
        let window = Window::new(input.height, 1, 0);
        Ok(Self { operation: "Dot", ..Self::new(name, (input.channels, outputs), window, weights)? })
    }

    fn is_dot(&self) -> bool {
        self.operation == "Dot"
    }

    fn weight_count(&self) -> usize {
        self.channels.0 * self.channels.1 * self.window.size * self.window.size
    }
}

impl Layer for GraphConvolution {
    fn operation(&self) -> &'static str {
        self.operation
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        let input = only(name, inputs)?;
        if input.channels != self.channels.0 {
            return Err(Error::Channels {
                layer: name.to_owned(),
                found: input.channels,
                needed: self.channels.0,
            });
        }
        let [height, width] = [input.height, input.width].map(|extent| self.window.positions(name, extent));
        Ok(Shape::new(self.channels.1, height?, width?))
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let ending = ending(lowering, name, &inputs[0])?;
        let shape = self.output(name, &[inputs[0].shape])?;
        let count = self.weight_count();
        let level = (inputs[0].limbs, ending.weight_scale);
        let weights = lowering.constant(&format!("{name}.filter"), level, &self.filter, count)?;
        if !self.is_dot() {
            lowering.constant_handles(&format!("{name}.filter.reshape"), "Reshape");
        }
        let input = lowering.handles(&format!("{name}.input"), "Reshape", &inputs[0]);
        let limbs = (input.limbs, ending.limbs);
        let output = lowering.tensor(&format!("{name}.sums"), shape, limbs, ending.scale);
        let zeros = ZeroTaps::of(&self.filter, self.pruning, lowering.options().zeros);
        let taps = Taps {
            name,
            input: &input,
            output: &output,
            ending,
            window: self.window,
            weights: &weights,
            zeros: &zeros,
            inputs: (0, self.channels.0),
            outputs: (0, self.channels.1),
            first_weight: 0,
        };
        let bodies = taps.lower(lowering)?;
        lowering.server_phase(name, self.operation, bodies);
        lowering.free_after(&input);
        lowering.free_constant(weights.array, count);
        if self.is_dot() {
            return Ok(output);
        }
        Ok(lowering.moved_handles(&format!("{name}.output"), "Reshape", &output))
    }

    fn clear(&self, shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        layer::clear_convolution((shapes[0], inputs[0]), self.window, &self.filter, self.channels.1, 1)
    }

    fn takes(&self, _packing: Packing) -> bool {
        true
    }

    fn has(&self, kernel: Kernel) -> bool {
        kernel != Kernel::AluminumShark
    }

    fn noise(&self, noise: &Noise<'_>, inputs: &[Signal], output: Encoding) -> f64 {
        let terms = (self.channels.0 * self.window.size * self.window.size) as u64;
        noise.weighted_sum(&inputs[0], output, (terms, layer::mean_square(&self.filter)), 1)
    }

    fn multiply_accumulates(&self, shapes: &[Shape]) -> u64 {
        (self.channels.0 * self.channels.1) as u64 * self.window.all_taps(shapes[0])
    }
}
