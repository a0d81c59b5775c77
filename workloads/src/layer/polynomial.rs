//! Quadratic activation with general coefficients.

use hetier_traces::{Affine, Body, Class};

use super::{Layer, Shape, Square, only};
use crate::Error;
use crate::primitive::Operation;
use crate::program::{Kernel, Lowering, Tensor, Weighted, operand, run, site};
use crate::scheme::{Encoding, Noise, Signal};

/// c₀ + c₁x + c₂x², evaluated as (c₂x + c₁)·x + c₀, or term by term with Aluminum Shark's kernels.
///
/// - cost per element: one scalar product, one modulus switch, one ciphertext product with relinearisation, two
///   rescales, two scalar additions; 2 levels.
/// - with Aluminum Shark's kernels: an operation of the graph for the square, for the product of each term, for the sum and
///   for c₀. One square with relinearisation, three products with plaintexts, four rescales, two additions; 2 levels. The
///   third product, by one, brings c₁x down to the level of c₂x².
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

/// Name of the graph operation.
const OPERATION: &str = "Polynomial";

impl Layer for Polynomial {
    fn operation(&self) -> &'static str {
        OPERATION
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        only(name, inputs)
    }

    fn depth(&self) -> usize {
        2
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        match lowering.options().kernel {
            Kernel::AluminumShark => self.by_terms(name, &inputs[0], lowering),
            Kernel::Faithful | Kernel::Fused => self.by_horner(name, &inputs[0], lowering),
        }
    }

    fn noise(&self, noise: &Noise<'_>, inputs: &[Signal], output: Encoding) -> f64 {
        let [_, c1, c2] = self.coefficients;
        let Encoding { limbs, scale } = inputs[0].encoding;
        // The slope is c₁ + 2c₂x, over values of either sign.
        let passed = (c1 * c1 + 4.0 * c2 * c2 * inputs[0].power) * inputs[0].variance;
        let squared = |limbs| noise.key_switch(Encoding { limbs, scale: scale * scale });
        let added = match noise.kernel() {
            Kernel::AluminumShark => {
                c2 * c2 * (squared(limbs) + noise.rescale(scale)) + 3.0 * noise.rescale(output.scale)
            }
            Kernel::Faithful | Kernel::Fused => {
                inputs[0].power * noise.rescale(scale)
                    + squared(limbs.saturating_sub(1))
                    + noise.rescale(output.scale)
            }
        };
        passed + added
    }

    fn clear(&self, _shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        let [c0, c1, c2] = self.coefficients;
        inputs[0].iter().map(|x| c0 + x * (c1 + x * c2)).collect()
    }
}

impl Polynomial {
    /// By Horner's rule, element by element.
    fn by_horner(&self, name: &str, input: &Tensor, lowering: &mut Lowering) -> Result<Tensor, Error> {
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
        lowering.parallel_elements(name, OPERATION, &output, body);
        Ok(output)
    }

    /// Term by term, one phase over the whole tensor for each operation of the graph.
    ///
    /// Source: Aluminum Shark, `SEALCtxt::addInPlace`, which multiplies a summand of too high a level by one.
    fn by_terms(&self, name: &str, input: &Tensor, lowering: &mut Lowering) -> Result<Tensor, Error> {
        let (limbs, scale, shape) = (input.limbs, input.scale, input.shape);
        let prime = |limbs: u32| lowering.parameters().primes()[limbs as usize - 1] as f64;
        let (high, low) = (prime(limbs), prime(limbs - 1));
        let [c0, c1, c2] = self.coefficients;
        let mut number =
            |part: &str, scale, value| lowering.numbers(&format!("{name}.{part}"), scale, &[value], 1);
        let c0 = number("c0", scale, c0);
        let c1 = number("c1", high, c1);
        let one = number("one", low, 1.0);

        let square = Square.lower(&format!("{name}.square"), std::slice::from_ref(input), lowering)?;
        let c2 = lowering.numbers(&format!("{name}.c2"), scale * low / square.scale, &[c2], 1);
        let mut empty = |part: &str, limbs| {
            let tensor = lowering.tensor(&format!("{name}.{part}"), shape, limbs, scale);
            Tensor { layout: input.layout, ..tensor }
        };
        let quadratic = empty("c2x2", (limbs - 1, limbs - 2));
        let linear = empty("output", (limbs, limbs - 2));
        term(&format!("{name}.quadratic"), (&square, &c2), &quadratic, lowering)?;
        lowering.free_after(&square);
        term(&format!("{name}.linear"), (input, &c1), &linear, lowering)?;

        let (at, only) = (Affine::variable(0), Affine::constant(0));
        let sum = format!("{name}.sum");
        let at_sum = site(&sum, at.clone(), shape.elements());
        let element = linear.at(at.clone());
        let mut body = lowering.scaled(limbs - 1, &one, &element, &at_sum)?;
        let operands = vec![quadratic.at(at.clone()), element.clone()];
        body.extend(lowering.call(Operation::AddAssign { size: 2 }, limbs - 2, operands, &at_sum)?);
        lowering.parallel_elements(&sum, "Add", &linear, body);
        lowering.free_after(&quadratic);

        let operation = (Operation::AddPlain, |plaintext| vec![plaintext, element]);
        let at_end = site(name, at, shape.elements());
        let body = lowering.with_plaintext(limbs - 2, (&c0, only), operation, &at_end)?;
        lowering.parallel_elements(name, OPERATION, &linear, body);
        Ok(linear)
    }
}

/// Appends the phase of one product, rescaled: `to` ← `from` times a number.
fn term(
    name: &str,
    (from, number): (&Tensor, &Weighted),
    to: &Tensor,
    lowering: &mut Lowering,
) -> Result<(), Error> {
    let at = Affine::variable(0);
    let site = site(name, at.clone(), from.shape.elements());
    let (source, product) = (from.at(at.clone()), to.at(at.clone()));
    let target = product.clone();
    let operands = |plaintext| vec![source, plaintext, target];
    let operation = (Operation::MultiplyPlain, operands);
    let mut body = vec![Body::Alloc(run(to.array, at, 1))];
    body.extend(lowering.with_plaintext(from.limbs, (number, Affine::constant(0)), operation, &site)?);
    body.extend(lowering.rescale(from.limbs, product, &site)?);
    lowering.parallel_elements(name, "Multiply", to, body);
    Ok(())
}
