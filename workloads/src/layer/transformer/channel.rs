//! Bias and scale of every channel: Add and Multiply with a broadcast constant.

use hetier_traces::{Affine, Body};

use super::ending;
use crate::Error;
use crate::layer::{Layer, Shape, mean_square, only};
use crate::network::Weights;
use crate::primitive::Operation;
use crate::program::{Addend, CHANNELS_LAST, Kernel, Layout, Lowering, Packing, Tensor, operand, run, site};
use crate::ring::Scale;
use crate::scheme::{Encoding, Noise, Signal};

/// x + b with a number for each channel: what is left of a batch norm folded into the convolution before.
///
/// - operations: Constant, Broadcast, Add.
/// - cost per element: a copy and an addition to c₀, even of zero. Under complex packing the number is first encoded as
///   a whole polynomial.
#[derive(Clone, Debug)]
pub struct ChannelAdd {
    values: Vec<f64>,
    channels: usize,
}

/// γ·x with a number for each channel: the scale of a batch norm that is not folded.
///
/// - operations: Constant, Broadcast, Multiply.
/// - cost per element: a copy and a product with a scalar, and a rescale unless it would reach chain index 0.
#[derive(Clone, Debug)]
pub struct ChannelMultiply {
    values: Vec<f64>,
    channels: usize,
}

impl ChannelAdd {
    /// Of `channels` channels with values `NAME.bias`.
    ///
    /// # Errors
    /// [`Error::Weights`] if values are given, but not these or not as many.
    pub fn new(name: &str, channels: usize, weights: &Weights) -> Result<Self, Error> {
        Ok(Self { values: weights.values(&format!("{name}.bias"), channels, 1)?, channels })
    }
}

impl ChannelMultiply {
    /// Of `channels` channels with values `NAME.scale`.
    ///
    /// # Errors
    /// [`Error::Weights`] if values are given, but not these or not as many.
    pub fn new(name: &str, channels: usize, weights: &Weights) -> Result<Self, Error> {
        Ok(Self { values: weights.values(&format!("{name}.scale"), channels, 1)?, channels })
    }
}

fn of_channels(name: &str, inputs: &[Shape], channels: usize) -> Result<Shape, Error> {
    let input = only(name, inputs)?;
    if input.channels == channels {
        return Ok(input);
    }
    Err(Error::Channels { layer: name.to_owned(), found: input.channels, needed: channels })
}

/// Places of element (row, column, channel) in a new tensor in TensorFlow's order, and in its input.
fn places(input: &Tensor, output: &Tensor) -> (Affine, Affine) {
    (input.index(CHANNELS_LAST), output.index(CHANNELS_LAST))
}

fn over_elements(shape: Shape, body: Vec<Body>) -> Body {
    Body::Parallel { nest: shape.channels_last_nest(), nowait: false, body }
}

impl Layer for ChannelAdd {
    fn operation(&self) -> &'static str {
        "Add"
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        of_channels(name, inputs, self.channels)
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let input = &inputs[0];
        let addend = lowering.addend(&format!("{name}.value"), input, &self.values, self.channels)?;
        lowering.constant_handles(&format!("{name}.broadcast"), "Broadcast");
        let output =
            lowering.tensor(&format!("{name}.sums"), input.shape, (input.limbs, input.limbs), input.scale);
        let output = Tensor { layout: Layout::ChannelsLast, ..output };
        let (from, to) = places(input, &output);
        let element = output.at(to.clone());
        let site = site(name, to.clone(), input.shape.elements());
        let mut body = vec![Body::Alloc(run(output.array, to, 1))];
        let operands = vec![input.at(from), element.clone()];
        body.extend(lowering.call(Operation::Copy { size: 2 }, input.limbs, operands, &site)?);
        let channel = Affine::variable(CHANNELS_LAST[0]);
        let array = match addend {
            Addend::Scalars(scalars) => {
                let operands = vec![scalars.at(channel), element];
                body.extend(lowering.call(Operation::AddScalar, input.limbs, operands, &site)?);
                scalars.array
            }
            Addend::Messages(messages) => {
                let bytes = lowering.parameters().plaintext_bytes(input.limbs);
                let plain = lowering.plaintexts(&format!("{name}.plain"), input.shape.elements(), bytes);
                let plain_at = operand(plain, site.index.clone());
                let encode =
                    Operation::Encode { scale: Scale::new(input.scale), packing: lowering.options().packing };
                let operands = vec![operand(messages, channel), plain_at.clone()];
                body.push(Body::Alloc(run(plain, site.index.clone(), 1)));
                body.extend(lowering.call(encode, input.limbs, operands, &site)?);
                body.extend(lowering.call(
                    Operation::AddPlain,
                    input.limbs,
                    vec![plain_at, element],
                    &site,
                )?);
                body.push(Body::Free(run(plain, site.index.clone(), 1)));
                messages
            }
        };
        lowering.server_phase(name, "Add", vec![over_elements(input.shape, body)]);
        lowering.free_constant(array, self.channels);
        Ok(output)
    }

    fn clear(&self, shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        let plane = shapes[0].height * shapes[0].width;
        inputs[0].iter().enumerate().map(|(at, value)| value + self.values[at / plane]).collect()
    }

    fn takes(&self, _packing: Packing) -> bool {
        true
    }

    fn has(&self, kernel: Kernel) -> bool {
        kernel != Kernel::AluminumShark
    }

    fn noise(&self, _noise: &Noise<'_>, inputs: &[Signal], _output: Encoding) -> f64 {
        inputs[0].variance
    }
}

impl Layer for ChannelMultiply {
    fn operation(&self) -> &'static str {
        "Multiply"
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        of_channels(name, inputs, self.channels)
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let input = &inputs[0];
        let ending = ending(lowering, name, input)?;
        let level = (input.limbs, ending.weight_scale);
        let factors = lowering.constant(&format!("{name}.value"), level, &self.values, self.channels)?;
        lowering.constant_handles(&format!("{name}.broadcast"), "Broadcast");
        let limbs = (input.limbs, ending.limbs);
        let output = lowering.tensor(&format!("{name}.products"), input.shape, limbs, ending.scale);
        let output = Tensor { layout: Layout::ChannelsLast, ..output };
        let (from, to) = places(input, &output);
        let site = site(name, to.clone(), input.shape.elements());
        let element = output.at(to.clone());
        let mut body = vec![Body::Alloc(run(output.array, to, 1))];
        let operands = vec![input.at(from), factors.at(Affine::variable(CHANNELS_LAST[0])), element.clone()];
        body.extend(lowering.call(Operation::MultiplyScalar { size: 2 }, input.limbs, operands, &site)?);
        let mut bodies = vec![over_elements(input.shape, body)];
        if ending.limbs < input.limbs {
            let body = lowering.call(Operation::Rescale { size: 2 }, input.limbs, vec![element], &site)?;
            bodies.push(over_elements(input.shape, body));
        }
        lowering.server_phase(name, "Multiply", bodies);
        lowering.free_constant(factors.array, self.channels);
        Ok(output)
    }

    fn clear(&self, shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        let plane = shapes[0].height * shapes[0].width;
        inputs[0].iter().enumerate().map(|(at, value)| value * self.values[at / plane]).collect()
    }

    fn takes(&self, _packing: Packing) -> bool {
        true
    }

    fn has(&self, kernel: Kernel) -> bool {
        kernel != Kernel::AluminumShark
    }

    fn noise(&self, noise: &Noise<'_>, inputs: &[Signal], output: Encoding) -> f64 {
        noise.weighted_sum(&inputs[0], output, (1, mean_square(&self.values)), 1)
    }

    fn multiply_accumulates(&self, shapes: &[Shape]) -> u64 {
        shapes[0].elements() as u64
    }
}
