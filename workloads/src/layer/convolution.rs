//! Convolution: one scalar multiplication and one addition for every tap that falls inside the image.

use hetier_traces::{Affine, Range};

use super::{Layer, Shape, Window, mean_square, only};
use crate::Error;
use crate::network::Weights;
use crate::program::{Lowering, Tensor, site};
use crate::scheme::{Encoding, Noise, Signal};

/// Two-dimensional convolution with bias over all input channels.
///
/// - input `Cin×H×W`, output `Cout×Ho×Wo`, one ciphertext an element; weights `[Cout][Cin][size][size]`.
/// - cost: one [`MultiplyScalarAccumulate`](crate::primitive::Operation::MultiplyScalarAccumulate) per tap inside the image, one bias addition and
///   one rescale per output; 1 level, or none at the last. With Aluminum Shark's kernels a product with a plaintext, a
///   rescale and an addition per tap.
/// - outputs are dealt to the threads in row-major order, a thread getting a contiguous run.
#[derive(Clone, Debug)]
pub struct Convolution {
    operation: &'static str,
    inputs: usize,
    outputs: usize,
    window: Window,
    kernel: Vec<f64>,
    bias: Vec<f64>,
}

impl Convolution {
    /// A layer of `outputs` channels over `inputs` channels, with weights `NAME.weights` and `NAME.bias`.
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
        let kernel = weights.values(&format!("{name}.weights"), outputs * fan_in, fan_in)?;
        let bias = weights.values(&format!("{name}.bias"), outputs, fan_in)?;
        Ok(Self { operation: "Convolution", inputs, outputs, window, kernel, bias })
    }

    /// The same layer under another name of its graph operation.
    pub(super) fn counted_as(self, operation: &'static str) -> Self {
        Self { operation, ..self }
    }
}

impl Layer for Convolution {
    fn operation(&self) -> &'static str {
        self.operation
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        let input = only(name, inputs)?;
        if input.channels != self.inputs {
            return Err(Error::Channels {
                layer: name.to_owned(),
                found: input.channels,
                needed: self.inputs,
            });
        }
        let height = self.window.positions(name, input.height)?;
        let width = self.window.positions(name, input.width)?;
        Ok(Shape::new(self.outputs, height, width))
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let input = inputs[0].clone();
        let shape = self.output(name, &[input.shape])?;
        let size = self.window.size;
        let taps = input.shape.channels * size * size;
        let weights = lowering.weights(name, &input, &self.kernel, self.outputs * taps)?;
        let bias = lowering.bias(name, &input, &self.bias, self.outputs)?;
        let output = lowering.weighted_tensor(name, &input, shape)?;

        // Variables: 0 output channel, 1 row, 2 column, 3 input channel, 4 and 5 window row and column.
        let at = output.row_major(0);
        let [channels, rows, columns] = input.strides();
        let source = Affine::variable(3).times(channels as i64);
        let source = self.window.index(source, 1, 4, rows);
        let source = self.window.index(source, 2, 5, columns);
        let weight = Affine::constant(0)
            .plus(0, taps as i64)
            .plus(3, (size * size) as i64)
            .plus(4, size as i64)
            .plus(5, 1);
        let operands = [input.at(source), weights.at(weight), output.at(at.clone())];
        let nest = vec![
            Range::count(input.shape.channels as u64),
            self.window.range(1, input.shape.height),
            self.window.range(2, input.shape.width),
        ];
        let site = site(name, at, shape.elements());
        let body = lowering.weighted_sum(input.limbs, nest, operands, (&bias, Affine::variable(0)), &site)?;
        lowering.parallel_outputs(name, self.operation(), &output, body);
        Ok(output)
    }

    fn noise(&self, noise: &Noise<'_>, inputs: &[Signal], output: Encoding) -> f64 {
        let terms = (self.inputs * self.window.size * self.window.size) as u64;
        let weights = (terms, mean_square(&self.kernel));
        noise.weighted_sum(&inputs[0], output, weights, noise.rescales_of_sum(terms))
    }

    fn clear(&self, shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        let shape = shapes[0];
        let window = self.window;
        let rows =
            (shape.height + window.padding_before + window.padding_after - window.size) / window.stride + 1;
        let columns =
            (shape.width + window.padding_before + window.padding_after - window.size) / window.stride + 1;
        let mut outputs = Vec::with_capacity(self.outputs * rows * columns);
        for channel in 0..self.outputs {
            for row in 0..rows {
                for column in 0..columns {
                    outputs.push(self.sum_at(shape, inputs[0], (channel, row, column)));
                }
            }
        }
        outputs
    }

    fn multiply_accumulates(&self, shapes: &[Shape]) -> u64 {
        let shape = shapes[0];
        let taps = |extent: usize| -> usize {
            let positions = self.window.positions("", extent).unwrap_or(0);
            (0..positions).map(|position| self.window.taps(position, extent).len()).sum()
        };
        (self.outputs * shape.channels * taps(shape.height) * taps(shape.width)) as u64
    }
}

impl Convolution {
    fn sum_at(&self, shape: Shape, input: &[f64], (channel, row, column): (usize, usize, usize)) -> f64 {
        let window = self.window;
        let size = window.size;
        let mut sum = self.bias[channel];
        for source in 0..shape.channels {
            for i in window.taps(row, shape.height) {
                let y = row * window.stride + i - window.padding_before;
                for j in window.taps(column, shape.width) {
                    let x = column * window.stride + j - window.padding_before;
                    let weight = self.kernel[((channel * shape.channels + source) * size + i) * size + j];
                    sum += weight * input[(source * shape.height + y) * shape.width + x];
                }
            }
        }
        sum
    }
}
