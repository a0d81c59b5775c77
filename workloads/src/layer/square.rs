//! Square activation: one ciphertext product per element.

use hetier_traces::{Affine, Body};

use super::{Layer, Shape, only};
use crate::Error;
use crate::primitive::Operation;
use crate::program::{Lowering, Tensor, run, site};
use crate::scheme::{Encoding, Noise, Signal};

/// x², element by element.
///
/// - cost: one square, one relinearisation and one rescale per element; 1 level.
/// - the output objects have room for the three polynomials that the square leaves before relinearisation, and keep it.
#[derive(Clone, Copy, Debug)]
pub struct Square;

impl Layer for Square {
    fn operation(&self) -> &'static str {
        "Multiply"
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        only(name, inputs)
    }

    fn depth(&self) -> usize {
        1
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let input = &inputs[0];
        let limbs = input.limbs;
        let output = lowering.product(&format!("{name}.output"), input, input.scale * input.scale);
        let at = Affine::variable(0);
        let site = site(name, at.clone(), input.shape.elements());
        let key = lowering.relinearisation_key();
        let mut body = vec![Body::Alloc(run(output.array, at.clone(), 1))];
        let operands = vec![input.at(at.clone()), output.at(at.clone())];
        body.extend(lowering.call(Operation::Square, limbs, operands, &site)?);
        body.extend(lowering.call(Operation::Relinearise, limbs, vec![output.at(at.clone()), key], &site)?);
        body.extend(lowering.call(Operation::Rescale { size: 2 }, limbs, vec![output.at(at)], &site)?);
        lowering.parallel_elements(name, self.operation(), &output, body);
        Ok(output)
    }

    fn noise(&self, noise: &Noise<'_>, inputs: &[Signal], output: Encoding) -> f64 {
        noise.square(&inputs[0], output)
    }

    fn clear(&self, _shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        inputs[0].iter().map(|value| value * value).collect()
    }
}
