//! Quadratic activation with general coefficients.

use hetier_traces::{Affine, Body, Class};

use super::{Layer, Shape, only};
use crate::Error;
use crate::parameters::Parameters;
use crate::primitive::Operation;
use crate::program::{Lowering, Tensor, operand, run, site};
use crate::scheme::Noise;

/// c₀ + c₁x + c₂x², evaluated as (c₂x + c₁)·x + c₀.
///
/// - cost per element: one scalar product, one modulus switch, one ciphertext product with relinearisation, two
///   rescales, two scalar additions; 2 levels.
#[derive(Clone, Copy, Debug)]
pub struct Polynomial {
    coefficients: [f64; 3],
}

impl Polynomial {
    /// With coefficients c₀, c₁, c₂.
    pub const fn new(coefficients: [f64; 3]) -> Self {
        Self { coefficients }
    }
}

impl Layer for Polynomial {
    fn operation(&self) -> &'static str {
        "Polynomial"
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        only(name, inputs)
    }

    fn depth(&self) -> usize {
        2
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let input = &inputs[0];
        let (limbs, elements) = (input.limbs, input.shape.elements());
        let [c0, c1, c2] = self.coefficients;
        let quadratic = lowering.weights(&format!("{name}.quadratic"), input, &[c2], 1)?;
        let linear = lowering.scalars(&format!("{name}.linear"), limbs - 1, input.scale, &[c1], 1)?;
        let lower = Tensor { limbs: limbs - 1, ..input.clone() };
        let output = lowering.product(&format!("{name}.output"), &lower, input.scale * input.scale);
        let sum_scale = output.scale;
        let constant = lowering.scalars(&format!("{name}.constant"), limbs - 2, sum_scale, &[c0], 1)?;
        let bytes = lowering.parameters().ciphertext_bytes(2, limbs);
        let inner = lowering.array(&format!("{name}.inner"), Class::Scratch, elements, bytes);
        let switched = lowering.array(&format!("{name}.switched"), Class::Scratch, elements, bytes);

        let at = Affine::variable(0);
        let site = site(name, at.clone(), elements);
        let only = Affine::constant(0);
        let (inner_at, switched_at) = (operand(inner, at.clone()), operand(switched, at.clone()));
        let result = output.at(at.clone());
        let key = lowering.relinearisation_key();
        let mut body: Vec<Body> = [inner, switched, output.array]
            .iter()
            .map(|&array| Body::Alloc(run(array, at.clone(), 1)))
            .collect();
        let steps = [
            (
                Operation::MultiplyScalar { size: 2 },
                limbs,
                vec![input.at(at.clone()), quadratic.at(only.clone()), inner_at.clone()],
            ),
            (Operation::Rescale { size: 2 }, limbs, vec![inner_at.clone()]),
            (Operation::AddScalar, limbs - 1, vec![linear.at(only.clone()), inner_at.clone()]),
            (Operation::Copy { size: 2 }, limbs, vec![input.at(at.clone()), switched_at.clone()]),
            (Operation::ModSwitch { size: 2 }, limbs, vec![switched_at.clone()]),
            (Operation::Multiply, limbs - 1, vec![inner_at, switched_at, result.clone()]),
            (Operation::Relinearise, limbs - 1, vec![result.clone(), key]),
            (Operation::Rescale { size: 2 }, limbs - 1, vec![result.clone()]),
            (Operation::AddScalar, limbs - 2, vec![constant.at(only), result]),
        ];
        for (operation, limbs, operands) in steps {
            body.extend(lowering.call(operation, limbs, operands, &site)?);
        }
        body.extend([switched, inner].iter().map(|&array| Body::Free(run(array, at.clone(), 1))));
        lowering.parallel_elements(name, self.operation(), &output, body);
        Ok(output)
    }

    fn noise(&self, parameters: &Parameters, inputs: &[Noise]) -> Option<Noise> {
        let [c0, c1, c2] = self.coefficients.map(f64::abs);
        let inner = inputs[0].weighted_sum(parameters, 1, c2);
        let inner = Noise { magnitude: inner.magnitude + c1, ..inner };
        let product = inner.multiply(parameters, inputs[0], parameters.data_limbs());
        Some(Noise { magnitude: product.magnitude + c0, ..product })
    }

    fn clear(&self, _shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        let [c0, c1, c2] = self.coefficients;
        inputs[0].iter().map(|x| c0 + x * (c1 + x * c2)).collect()
    }
}
