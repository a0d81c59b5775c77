//! Average pooling: a sum over the window, then one product with a constant.

use hetier_traces::{Affine, Body, Range};

use super::{Layer, Shape, Window, only};
use crate::Error;
use crate::primitive::Operation;
use crate::program::{Lowering, Tensor, run, site};
use crate::scheme::{Encoding, Noise, Signal};

/// Mean over a window of each channel. Taps in the padding count as zeros; the divisor is the whole window.
///
/// - cost per output: one copy, `size² − 1` additions, one scalar product, one rescale; 1 level, or none at the
///   last.
/// - the first tap is copied. he-transformer accumulates into its first input instead, which corrupts overlapping
///   windows.
#[derive(Clone, Copy, Debug)]
pub struct AveragePool {
    window: Window,
}

impl AveragePool {
    /// A pool over `window`.
    pub const fn new(window: Window) -> Self {
        Self { window }
    }

    fn divisor(&self) -> f64 {
        (self.window.size * self.window.size) as f64
    }
}

impl Layer for AveragePool {
    fn operation(&self) -> &'static str {
        "AvgPool"
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        let input = only(name, inputs)?;
        let height = self.window.positions(name, input.height)?;
        let width = self.window.positions(name, input.width)?;
        Ok(Shape::new(input.channels, height, width))
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let input = &inputs[0];
        let limbs = input.limbs;
        let shape = self.output(name, &[input.shape])?;
        let share = lowering.factor(name, input, 1.0 / self.divisor())?;
        let output = lowering.weighted_tensor(name, input, shape)?;

        // Variables: 0 channel, 1 row, 2 column of the output; 3 and 4 window row and column.
        let at = output.row_major(0);
        let site = site(name, at.clone(), shape.elements());
        let [channels, rows, columns] = input.strides();
        let source = self.window.index(Affine::constant(0).plus(0, channels as i64), 1, 3, rows);
        let source = input.at(self.window.index(source, 2, 4, columns));
        let sum = output.at(at.clone());
        let nest: Vec<Range> =
            vec![self.window.range(1, input.shape.height), self.window.range(2, input.shape.width)];
        let first =
            lowering.call(Operation::Copy { size: 2 }, limbs, vec![source.clone(), sum.clone()], &site)?;
        let rest =
            lowering.call(Operation::AddAssign { size: 2 }, limbs, vec![source, sum.clone()], &site)?;
        let mut body = vec![Body::Alloc(run(output.array, at, 1)), Body::Loop { nest, first, body: rest }];
        body.extend(lowering.scaled(limbs, &share, &sum, &site)?);
        lowering.parallel_outputs(name, self.operation(), &output, body);
        Ok(output)
    }

    fn noise(&self, noise: &Noise<'_>, inputs: &[Signal], output: Encoding) -> f64 {
        let terms = (self.window.size * self.window.size) as u64;
        noise.weighted_sum(&inputs[0], output, (terms, self.divisor().powi(-2)), 1)
    }

    fn clear(&self, shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        let (shape, window) = (shapes[0], self.window);
        let rows = window.positions("", shape.height).unwrap_or(0);
        let columns = window.positions("", shape.width).unwrap_or(0);
        let mut outputs = Vec::with_capacity(shape.channels * rows * columns);
        for channel in 0..shape.channels {
            for row in 0..rows {
                for column in 0..columns {
                    let mut sum = 0.0;
                    for i in window.taps(row, shape.height) {
                        let y = row * window.stride + i - window.padding_before;
                        for j in window.taps(column, shape.width) {
                            let x = column * window.stride + j - window.padding_before;
                            sum += inputs[0][(channel * shape.height + y) * shape.width + x];
                        }
                    }
                    outputs.push(sum / self.divisor());
                }
            }
        }
        outputs
    }
}
