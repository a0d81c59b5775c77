//! Average pooling on one thread.

use hetier_traces::{Affine, Body, Range};

use super::ending;
use crate::Error;
use crate::layer::{Layer, Shape, Window, only};
use crate::primitive::Operation;
use crate::program::{Kernel, Lowering, Packing, Tensor, run, site};
use crate::scheme::{Encoding, Noise, Signal};

/// Mean over a window of each channel. Taps in the padding count as zeros; the divisor is the whole window.
///
/// - operations: Reshape of the input, `AvgPool`, Reshape of the output.
/// - the sums are made by one thread: he-transformer has no parallel loop here. The rescale pass is parallel.
/// - the first tap is copied. he-transformer accumulates into its first input instead, which corrupts overlapping
///   windows and lets the output share the input's memory.
#[derive(Clone, Copy, Debug)]
pub struct SerialAveragePool {
    window: Window,
}

impl SerialAveragePool {
    /// A pool over `window`.
    pub const fn new(window: Window) -> Self {
        Self { window }
    }

    fn share(&self) -> f64 {
        1.0 / (self.window.size * self.window.size) as f64
    }
}

impl Layer for SerialAveragePool {
    fn operation(&self) -> &'static str {
        "AvgPool"
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        let input = only(name, inputs)?;
        let [height, width] = [input.height, input.width].map(|extent| self.window.positions(name, extent));
        Ok(Shape::new(input.channels, height?, width?))
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let ending = ending(lowering, name, &inputs[0])?;
        let input = lowering.handles(&format!("{name}.input"), "Reshape", &inputs[0]);
        let (shape, limbs) = (self.output(name, &[input.shape])?, input.limbs);
        let level = (limbs, ending.weight_scale);
        let (share, mut bodies) = lowering.encoded(&format!("{name}.share"), level, &[self.share()], 1)?;
        let output = lowering.tensor(&format!("{name}.means"), shape, (limbs, ending.limbs), ending.scale);

        // Variables: 0 channel, 1 row, 2 column of the output; 3 and 4 window row and column.
        let at = output.row_major(0);
        let site = site(name, at.clone(), shape.elements());
        let [channels, rows, columns] = input.strides();
        let source = Affine::constant(0).plus(0, channels as i64);
        let source = self.window.index(source, 1, 3, rows);
        let source = input.at(self.window.index(source, 2, 4, columns));
        let sum = output.at(at.clone());
        let nest = vec![self.window.range(1, input.shape.height), self.window.range(2, input.shape.width)];
        let first =
            lowering.call(Operation::Copy { size: 2 }, limbs, vec![source.clone(), sum.clone()], &site)?;
        let rest =
            lowering.call(Operation::AddAssign { size: 2 }, limbs, vec![source, sum.clone()], &site)?;
        let mut body = vec![Body::Alloc(run(output.array, at, 1)), Body::Loop { nest, first, body: rest }];
        let operands = vec![share.at(Affine::constant(0)), sum.clone()];
        body.extend(lowering.call(Operation::MultiplyScalarAssign { size: 2 }, limbs, operands, &site)?);
        let nest =
            || [shape.channels, shape.height, shape.width].map(|extent| Range::count(extent as u64)).to_vec();
        bodies.push(Body::Loop { nest: nest(), first: Vec::new(), body });
        if ending.limbs < limbs {
            let body = lowering.call(Operation::Rescale { size: 2 }, limbs, vec![sum], &site)?;
            bodies.push(Body::Parallel { nest: nest(), nowait: false, body });
        }
        bodies.push(Body::Free(run(share.array, Affine::constant(0), 1)));
        lowering.server_phase(name, "AvgPool", bodies);
        lowering.free_after(&input);
        Ok(lowering.moved_handles(&format!("{name}.output"), "Reshape", &output))
    }

    fn clear(&self, shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        let sums = self.window.fold(shapes[0], inputs[0], 0.0, |sum, value| sum + value);
        sums.into_iter().map(|sum| sum * self.share()).collect()
    }

    fn takes(&self, _packing: Packing) -> bool {
        true
    }

    fn has(&self, kernel: Kernel) -> bool {
        kernel != Kernel::AluminumShark
    }

    fn noise(&self, noise: &Noise<'_>, inputs: &[Signal], output: Encoding) -> f64 {
        let terms = (self.window.size * self.window.size) as u64;
        noise.weighted_sum(&inputs[0], output, (terms, self.share().powi(2)), 1)
    }
}
