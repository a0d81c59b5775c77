//! Products with weights: their scales, their encoding, their sums.

use hetier_traces::{Affine, ArrayId, Body, Class, Operand, Range, Stage};

use super::lowering::{Lowering, Site, operand, run, site};
use super::{Content, Kernel, Tensor};
use crate::Error;
use crate::layer::Shape;
use crate::primitive::Operation;
use crate::ring::Scale;

/// Bits that values at the last level may need above their scale: outputs stay below 2⁹ in magnitude.
const MESSAGE_BITS: f64 = 10.0;
/// Fewest bits of a weight's scale that keep its rounding below the errors of encryption.
const LEAST_WEIGHT_BITS: f64 = 16.0;

/// How a product with encoded weights ends: with a rescale, or at the last level without.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ending {
    /// Scale of the weights.
    pub weight_scale: f64,
    /// Limbs of the result.
    pub limbs: u32,
    /// Scale of the result.
    pub scale: f64,
}

/// Weights or biases of a layer: scalars, or, with Aluminum Shark's kernels, plaintexts or numbers to be encoded.
#[derive(Clone, Debug)]
pub struct Weighted {
    /// The objects.
    pub array: ArrayId,
    /// Scale of their encoding.
    pub scale: f64,
}

impl Weighted {
    /// The weight at `index`.
    pub fn at(&self, index: Affine) -> Operand {
        Operand { array: self.array, index }
    }
}

impl Lowering {
    /// How a product of `input` with weights ends. Above the last level it is rescaled, and weights have the scale of
    /// the prime dropped, so that the product keeps the scale of `input`. At the last level the rescale is left out
    /// if the first prime has room for the product, as he-transformer does.
    ///
    /// # Errors
    /// [`Error::Levels`] at the last level if the first prime has no room.
    pub fn ending(&self, name: &str, input: &Tensor) -> Result<Ending, Error> {
        let prime = self.parameters().primes()[input.limbs as usize - 1] as f64;
        if input.limbs > 1 {
            return Ok(Ending { weight_scale: prime, limbs: input.limbs - 1, scale: input.scale });
        }
        let bits = (prime.log2() - input.scale.log2() - MESSAGE_BITS).floor();
        if bits < LEAST_WEIGHT_BITS {
            return Err(Error::levels(name, (0, 1), self.parameters()));
        }
        Ok(Ending { weight_scale: bits.exp2(), limbs: 1, scale: input.scale * bits.exp2() })
    }

    /// The weights of a layer that multiplies `input`, encoded once: scalars in a set-up phase.
    ///
    /// # Errors
    /// Those of [`Lowering::ending`].
    pub fn weights(
        &mut self,
        name: &str,
        input: &Tensor,
        values: &[f64],
        count: usize,
    ) -> Result<Weighted, Error> {
        let (scale, label) = (self.ending(name, input)?.weight_scale, format!("{name}.weights"));
        match self.options().kernel {
            Kernel::AluminumShark => self.plaintext_weights(&label, (input.limbs, scale), values, count),
            Kernel::Faithful | Kernel::Fused => self.scalars(&label, input.limbs, scale, values, count),
        }
    }

    /// A number that every element of a layer's sums of `input` is multiplied by.
    ///
    /// # Errors
    /// Those of [`Lowering::ending`].
    pub fn factor(&mut self, name: &str, input: &Tensor, value: f64) -> Result<Weighted, Error> {
        let scale = self.ending(name, input)?.weight_scale;
        match self.options().kernel {
            Kernel::AluminumShark => Ok(self.numbers(&format!("{name}.factor"), scale, &[value], 1)),
            Kernel::Faithful | Kernel::Fused => self.weights(name, input, &[value], 1),
        }
    }

    /// An element times a factor, rescaled where levels are left.
    ///
    /// # Errors
    /// If the primitives cannot run at this level.
    pub fn scaled(
        &mut self,
        limbs: u32,
        factor: &Weighted,
        element: &Operand,
        site: &Site,
    ) -> Result<Vec<Body>, Error> {
        let at = Affine::constant(0);
        let mut bodies = match self.options().kernel {
            Kernel::AluminumShark => {
                let operands = |plaintext| vec![plaintext, element.clone()];
                self.with_plaintext(limbs, (factor, at), (Operation::MultiplyPlainAssign, operands), site)?
            }
            Kernel::Faithful | Kernel::Fused => {
                let operands = vec![factor.at(at), element.clone()];
                self.call(Operation::MultiplyScalarAssign { size: 2 }, limbs, operands, site)?
            }
        };
        bodies.extend(self.rescale(limbs, element.clone(), site)?);
        Ok(bodies)
    }

    /// The biases that are added to products of `input` and its weights, before the rescale or, with Aluminum Shark's
    /// kernels, after it.
    ///
    /// # Errors
    /// Those of [`Lowering::ending`].
    pub fn bias(
        &mut self,
        name: &str,
        input: &Tensor,
        values: &[f64],
        count: usize,
    ) -> Result<Weighted, Error> {
        let (ending, label) = (self.ending(name, input)?, format!("{name}.bias"));
        if self.options().kernel == Kernel::AluminumShark {
            return Ok(self.numbers(&label, ending.scale, values, count));
        }
        self.scalars(&label, input.limbs, input.scale * ending.weight_scale, values, count)
    }

    /// A new tensor for products of `input` with weights, rescaled where levels are left.
    ///
    /// # Errors
    /// Those of [`Lowering::ending`].
    pub fn weighted_tensor(&mut self, name: &str, input: &Tensor, shape: Shape) -> Result<Tensor, Error> {
        let ending = self.ending(name, input)?;
        Ok(self.tensor(&format!("{name}.output"), shape, (input.limbs, ending.limbs), ending.scale))
    }

    /// The rescale that ends a product with weights, or nothing at the last level.
    ///
    /// # Errors
    /// If the primitive cannot run at this level.
    pub fn rescale(&mut self, limbs: u32, element: Operand, site: &Site) -> Result<Vec<Body>, Error> {
        if limbs == 1 {
            Ok(Vec::new())
        } else {
            self.call(Operation::Rescale { size: 2 }, limbs, vec![element], site)
        }
    }

    /// `count` values encoded as scalars of `limbs` residues, in parallel in a set-up phase.
    pub fn scalars(
        &mut self,
        label: &str,
        limbs: u32,
        scale: f64,
        values: &[f64],
        count: usize,
    ) -> Result<Weighted, Error> {
        let (weighted, mut bodies) = self.encoded(label, (limbs, scale), values, count)?;
        if let Some(Body::Loop { nest, body, .. }) = bodies.get_mut(2) {
            bodies[2] =
                Body::Parallel { nest: std::mem::take(nest), nowait: false, body: std::mem::take(body) };
        }
        self.phase(&format!("{label}.encode"), "Constant", Stage::SetUp, bodies);
        Ok(weighted)
    }

    /// `count` values encoded as scalars of `limbs` residues, and the bodies that do it one after the other: two
    /// allocations, the loop, the release of the numbers in the clear.
    pub fn encoded(
        &mut self,
        label: &str,
        (limbs, scale): (u32, f64),
        values: &[f64],
        count: usize,
    ) -> Result<(Weighted, Vec<Body>), Error> {
        let messages = self.array(label, Class::Message, count, 8);
        let bytes = self.parameters().scalar_bytes(limbs);
        let array = self.array(&format!("{label}.scalars"), Class::Scalar, count, bytes);
        if !values.is_empty() {
            self.hold(messages, Content::Single(values.to_vec()));
        }
        let at = Affine::variable(0);
        let encode = Operation::EncodeScalar { scale: Scale::new(scale) };
        let operands = vec![operand(messages, at.clone()), operand(array, at.clone())];
        let body = self.call(encode, limbs, operands, &site(label, at, count))?;
        let all = Affine::constant(0);
        let bodies = vec![
            Body::Alloc(run(messages, all.clone(), count)),
            Body::Alloc(run(array, all.clone(), count)),
            Body::Loop { nest: vec![Range::count(count as u64)], first: Vec::new(), body },
            Body::Free(run(messages, all, count)),
        ];
        Ok((Weighted { array, scale }, bodies))
    }

    /// `Σ source · weight + bias` over `nest`, rescaled where levels are left: the body of one output element, which it allocates.
    pub fn weighted_sum(
        &mut self,
        limbs: u32,
        nest: Vec<Range>,
        [source, weight, output]: [Operand; 3],
        (bias, channel): (&Weighted, Affine),
        site: &Site,
    ) -> Result<Vec<Body>, Error> {
        if self.options().kernel == Kernel::AluminumShark {
            let element = output.clone();
            let mut bodies = self.sum_of_rescaled(limbs, nest, [source, weight, output], site)?;
            let operands = |plaintext| vec![plaintext, element];
            let after = limbs.saturating_sub(1).max(1);
            bodies.extend(self.with_plaintext(
                after,
                (bias, channel),
                (Operation::AddPlain, operands),
                site,
            )?);
            return Ok(bodies);
        }
        let products = vec![source, weight, output.clone()];
        let first = self.call(Operation::MultiplyScalar { size: 2 }, limbs, products.clone(), site)?;
        let body = self.call(self.tap(), limbs, products, site)?;
        let mut bodies =
            vec![Body::Alloc(run(output.array, output.index.clone(), 1)), Body::Loop { nest, first, body }];
        bodies.extend(self.call(
            Operation::AddScalar,
            limbs,
            vec![bias.at(channel), output.clone()],
            site,
        )?);
        bodies.extend(self.rescale(limbs, output, site)?);
        Ok(bodies)
    }

    /// The multiply-accumulate of the kernels asked for.
    pub fn tap(&self) -> Operation {
        match self.options().kernel {
            Kernel::Faithful => Operation::HeTransformerTap { images: self.options().images as u32 },
            Kernel::Fused | Kernel::AluminumShark => Operation::MultiplyScalarAccumulate { size: 2 },
        }
    }
}
