//! Depthwise convolution, which he-transformer only knows as one convolution for each channel.

use super::ending;
use super::taps::Taps;
use super::zeros::ZeroTaps;
use crate::Error;
use crate::layer;
use crate::layer::{Layer, Shape, Window, only};
use crate::network::{Pruning, Weights};
use crate::program::{Kernel, Lowering, Packing, Tensor, run};
use crate::scheme::{Encoding, Noise, Signal};
use hetier_traces::{Affine, Body};

/// A convolution of every channel with a filter of its own, without bias.
///
/// - operations: Constant, Reshape of the filter, Reshape of the input; for each channel Slice of the input, Slice of
///   the filter and a Convolution of one channel; Concat, Reshape of the output.
/// - input `C×H×W`, output `C×Ho×Wo`; weights `[C][size][size]`.
/// - every channel is a parallel region of its own over `Ho·Wo` outputs, and a rescale pass.
#[derive(Clone, Debug)]
pub struct DepthwiseConvolution {
    channels: usize,
    window: Window,
    filter: Vec<f64>,
    pruning: Option<Pruning>,
}

impl DepthwiseConvolution {
    /// A convolution of `channels` channels with weights `NAME.weights`.
    ///
    /// # Errors
    /// [`Error::Weights`] if they are given, but missing or not as many as the geometry says.
    pub fn new(name: &str, channels: usize, window: Window, weights: &Weights) -> Result<Self, Error> {
        let size = window.size * window.size;
        let name = format!("{name}.weights");
        let filter = weights.values(&name, channels * size, size)?;
        Ok(Self { channels, window, filter, pruning: weights.pruning(&name) })
    }
}

impl Layer for DepthwiseConvolution {
    fn operation(&self) -> &'static str {
        "Convolution"
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        let input = only(name, inputs)?;
        if input.channels != self.channels {
            return Err(Error::Channels {
                layer: name.to_owned(),
                found: input.channels,
                needed: self.channels,
            });
        }
        let [height, width] = [input.height, input.width].map(|extent| self.window.positions(name, extent));
        Ok(Shape::new(self.channels, height?, width?))
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let ending = ending(lowering, name, &inputs[0])?;
        let shape = self.output(name, &[inputs[0].shape])?;
        let size = self.window.size * self.window.size;
        let count = self.channels * size;
        let level = (inputs[0].limbs, ending.weight_scale);
        let weights = lowering.constant(&format!("{name}.filter"), level, &self.filter, count)?;
        lowering.constant_handles(&format!("{name}.filter.reshape"), "Reshape");
        let input = lowering.handles(&format!("{name}.input"), "Reshape", &inputs[0]);
        let slices = lowering.channel_slices(&format!("{name}.slices"), &input);
        let limbs = (input.limbs, ending.limbs);
        let output = lowering.tensor(&format!("{name}.sums"), shape, limbs, ending.scale);
        let zeros = ZeroTaps::of(&self.filter, self.pruning, lowering.options().zeros);
        let plane = input.shape.height * input.shape.width;
        for channel in 0..self.channels {
            let at = format!("{name}.{channel}");
            lowering.slice(&format!("{at}.data"), slices, channel, plane);
            lowering.constant_handles(&format!("{at}.filter"), "Slice");
            let taps = Taps {
                name,
                input: &input,
                output: &output,
                ending,
                window: self.window,
                weights: &weights,
                zeros: &zeros,
                inputs: (channel, 1),
                outputs: (channel, 1),
                first_weight: channel * size,
            };
            let mut bodies = taps.lower(lowering)?;
            let slice = run(slices, Affine::constant((channel * plane) as i64), plane);
            bodies.extend(lowering.release(slice).into_iter().collect::<Vec<Body>>());
            lowering.server_phase(&at, "Convolution", bodies);
        }
        lowering.free_after(&input);
        lowering.free_constant(weights.array, count);
        let joined = lowering.moved_handles(&format!("{name}.concat"), "Concat", &output);
        Ok(lowering.moved_handles(&format!("{name}.output"), "Reshape", &joined))
    }

    fn clear(&self, shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        layer::clear_convolution(
            (shapes[0], inputs[0]),
            self.window,
            &self.filter,
            self.channels,
            self.channels,
        )
    }

    fn takes(&self, _packing: Packing) -> bool {
        true
    }

    fn has(&self, kernel: Kernel) -> bool {
        kernel != Kernel::AluminumShark
    }

    fn noise(&self, noise: &Noise<'_>, inputs: &[Signal], output: Encoding) -> f64 {
        let terms = (self.window.size * self.window.size) as u64;
        noise.weighted_sum(&inputs[0], output, (terms, layer::mean_square(&self.filter)), 1)
    }

    fn multiply_accumulates(&self, shapes: &[Shape]) -> u64 {
        self.channels as u64 * self.window.all_taps(shapes[0])
    }
}
