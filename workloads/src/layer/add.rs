//! Addition of two activations, element by element: the residual connection.

use hetier_traces::{Affine, Body};

use super::{Layer, Shape};
use crate::Error;
use crate::primitive::Operation;
use crate::program::{Lowering, Tensor, run, site};
use crate::scheme::{Encoding, Noise, Signal};

/// Sum of two activations of equal shape, into a new tensor.
///
/// - the inputs' scales must be equal to 2 %: the sum is as far off as they are apart.
/// - cost: one addition per element; 0 levels. The input at the higher level is brought down to the other's first,
///   one modulus switch per element.
#[derive(Clone, Copy, Debug)]
pub struct Add;

impl Layer for Add {
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
        if inputs[0].layout != inputs[1].layout {
            return Err(Error::Layout { layer: name.to_owned() });
        }
        inputs[0].check_scale(name, &inputs[1])?;
        let limbs = inputs[0].limbs.min(inputs[1].limbs);
        let one = lowering.switched_down(&format!("{name}.left"), &inputs[0], limbs)?;
        let other = lowering.switched_down(&format!("{name}.right"), &inputs[1], limbs)?;
        let output = lowering.tensor(&format!("{name}.output"), one.shape, (limbs, limbs), one.scale);
        let output = Tensor { layout: one.layout, ..output };
        let at = Affine::variable(0);
        let mut body = vec![Body::Alloc(run(output.array, at.clone(), 1))];
        let operands = [&one, &other, &output].map(|tensor| tensor.at(at.clone())).to_vec();
        body.extend(lowering.call(
            Operation::Add { size: 2 },
            limbs,
            operands,
            &site(name, at, one.shape.elements()),
        )?);
        lowering.parallel_elements(name, self.operation(), &output, body);
        for (switched, input) in [(&one, &inputs[0]), (&other, &inputs[1])] {
            if switched.array != input.array {
                lowering.free_after(switched);
            }
        }
        Ok(output)
    }

    fn noise(&self, _noise: &Noise<'_>, inputs: &[Signal], _output: Encoding) -> f64 {
        Noise::sum(&inputs[0], &inputs[1])
    }

    fn clear(&self, _shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        inputs[0].iter().zip(inputs[1]).map(|(one, other)| one + other).collect()
    }
}
