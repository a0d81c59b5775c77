//! One primitive, again and again on one element: what micro-benchmarks of libraries time.

use hetier_traces::{Affine, Body, Range};

use super::{Layer, Shape, only};
use crate::Error;
use crate::primitive::Operation;
use crate::program::{Lowering, Tensor, run, site};
use crate::scheme::{Encoding, Noise, Signal};

/// A primitive with a scalar, in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// Product with the number 1, which is not rescaled.
    MultiplyScalar,
    /// Sum with the number 0.
    AddScalar,
}

/// A [`Repeated`] primitive `times` times on a copy of every element, on one thread.
#[derive(Clone, Copy, Debug)]
pub struct Repetition {
    /// Which.
    pub what: Repeated,
    /// How often.
    pub times: u64,
}

impl Repetition {
    /// The primitive, and the number that it takes.
    const fn primitive(self) -> (Operation, f64) {
        match self.what {
            Repeated::MultiplyScalar => (Operation::MultiplyScalarAssign { size: 2 }, 1.0),
            Repeated::AddScalar => (Operation::AddScalar, 0.0),
        }
    }
}

impl Layer for Repetition {
    fn operation(&self) -> &'static str {
        "Repetition"
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        only(name, inputs)
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let input = &inputs[0];
        let limbs = input.limbs;
        let (operation, value) = self.primitive();
        // The number 1 at scale 1 leaves value and scale as they are, however often it multiplies.
        let scale = if self.what == Repeated::MultiplyScalar { 1.0 } else { input.scale };
        let scalar = lowering.scalars(&format!("{name}.value"), limbs, scale, &[value], 1)?;
        let output =
            lowering.tensor(&format!("{name}.output"), input.shape, (input.limbs, limbs), input.scale);
        let at = Affine::variable(0);
        let site = site(name, at.clone(), input.shape.elements());
        let element = output.at(at.clone());
        let mut body = vec![Body::Alloc(run(output.array, at.clone(), 1))];
        let copied = vec![input.at(at), element.clone()];
        body.extend(lowering.call(Operation::Copy { size: 2 }, limbs, copied, &site)?);
        let operands = vec![scalar.at(Affine::constant(0)), element];
        let repeated = lowering.call(operation, limbs, operands, &site)?;
        body.push(Body::Loop { nest: vec![Range::count(self.times)], first: Vec::new(), body: repeated });
        let nest = vec![Range::count(input.shape.elements() as u64)];
        lowering.server_phase(name, self.operation(), vec![Body::Loop { nest, first: Vec::new(), body }]);
        Ok(output)
    }

    /// The number that multiplies is 1 and the one that is added 0, both exactly.
    fn noise(&self, _noise: &Noise<'_>, inputs: &[Signal], _output: Encoding) -> f64 {
        inputs[0].variance
    }

    fn clear(&self, _shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        inputs[0].to_vec()
    }
}
