//! Sum of two activations.

use hetier_traces::Body;

use crate::Error;
use crate::layer::{Layer, Shape};
use crate::primitive::Operation;
use crate::program::{CHANNELS_LAST, Kernel, Layout, Lowering, Packing, Tensor, run, site};
use crate::scheme::{Encoding, Noise, Signal};

/// a + b, a new tensor.
///
/// - operation: Add.
/// - the input with more limbs is first brought down to the level of the other: in place, as he-transformer does, if
///   nothing uses it later; else in a temporary copy. he-transformer rescales it where that brings its scale to the
///   other's; here the scales must be equal to 2 %.
#[derive(Clone, Copy, Debug)]
pub struct ResidualAdd;

impl Layer for ResidualAdd {
    fn operation(&self) -> &'static str {
        "Add"
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        match inputs {
            [one, other] if one == other => Ok(*one),
            [one, other] => Err(Error::Channels {
                layer: name.to_owned(),
                found: other.elements(),
                needed: one.elements(),
            }),
            _ => Err(Error::Inputs { layer: name.to_owned(), found: inputs.len(), needed: 2 }),
        }
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        inputs[0].check_scale(name, &inputs[1])?;
        let limbs = inputs[0].limbs.min(inputs[1].limbs);
        let (shape, elements) = (inputs[0].shape, inputs[0].shape.elements());
        let output = lowering.tensor(&format!("{name}.sums"), shape, (limbs, limbs), inputs[0].scale);
        let output = Tensor { layout: Layout::ChannelsLast, ..output };
        let to = output.index(CHANNELS_LAST);
        let site = site(name, to.clone(), elements);
        let (mut body, mut temporaries, mut operands) = (Vec::new(), Vec::new(), Vec::new());
        for input in inputs {
            let mut element = input.at(input.index(CHANNELS_LAST));
            if input.limbs > limbs && !lowering.is_last_use(input) {
                let copies = lowering.scratch_ciphertexts(&format!("{name}.copied"), elements, input.limbs);
                let copied = crate::program::operand(copies, to.clone());
                body.push(Body::Alloc(run(copies, to.clone(), 1)));
                temporaries.push(Body::Free(run(copies, to.clone(), 1)));
                let copy = vec![element, copied.clone()];
                body.extend(lowering.call(Operation::Copy { size: 2 }, input.limbs, copy, &site)?);
                element = copied;
            }
            for level in (limbs + 1..=input.limbs).rev() {
                body.extend(lowering.call(
                    Operation::ModSwitch { size: 2 },
                    level,
                    vec![element.clone()],
                    &site,
                )?);
            }
            operands.push(element);
        }
        body.push(Body::Alloc(run(output.array, to.clone(), 1)));
        operands.push(output.at(to));
        body.extend(lowering.call(Operation::Add { size: 2 }, limbs, operands, &site)?);
        body.extend(temporaries);
        let body = Body::Parallel { nest: shape.channels_last_nest(), nowait: false, body };
        lowering.server_phase(name, "Add", vec![body]);
        Ok(output)
    }

    fn clear(&self, _shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        inputs[0].iter().zip(inputs[1]).map(|(one, other)| one + other).collect()
    }

    fn takes(&self, _packing: Packing) -> bool {
        true
    }

    fn has(&self, kernel: Kernel) -> bool {
        kernel != Kernel::AluminumShark
    }

    fn noise(&self, _noise: &Noise<'_>, inputs: &[Signal], _output: Encoding) -> f64 {
        Noise::sum(&inputs[0], &inputs[1])
    }
}
