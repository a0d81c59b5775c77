//! Products with weights as Aluminum Shark makes them.
//!
//! - A weight is encoded at its first use, at the level and scale of the ciphertext that it meets, and kept as a whole
//!   plaintext of k limbs; here all weights of a layer are encoded just before it.
//! - Every product is a ciphertext of its own, which is rescaled before it is added: the first becomes the sum.
//! - Numbers that are added, and factors of whole tensors, are encoded anew for every element.
//!
//! Source: Aluminum Shark, `SEALCtxt::operator*`, `multInPlace` and `addInPlace` of its SEAL backend,
//! `BatchLayout::convolution` of its TensorFlow plugin (<https://github.com/inspire-lab/aluminum_shark>).

use hetier_traces::{Affine, Body, Class, Operand, Range, Stage};

use super::lowering::{Lowering, Site, operand, run, site};
use super::{Content, Weighted};
use crate::Error;
use crate::primitive::Operation;
use crate::ring::Scale;

impl Lowering {
    /// `count` values as whole plaintexts of `limbs` limbs, encoded in a server phase and kept to the end of the run.
    pub(super) fn plaintext_weights(
        &mut self,
        label: &str,
        (limbs, scale): (u32, f64),
        values: &[f64],
        count: usize,
    ) -> Result<Weighted, Error> {
        let numbers = self.array(label, Class::Message, count, 8);
        let bytes = self.parameters().plaintext_bytes(limbs);
        let array = self.array(&format!("{label}.plaintexts"), Class::Plaintext, count, bytes);
        if !values.is_empty() {
            self.hold(numbers, Content::Single(values.to_vec()));
        }
        let at = Affine::variable(0);
        let encode = Operation::EncodeConstant { scale: Scale::new(scale) };
        let operands = vec![operand(numbers, at.clone()), operand(array, at.clone())];
        let mut body = vec![Body::Alloc(run(array, at.clone(), 1))];
        body.extend(self.call(encode, limbs, operands, &site(label, at, count))?);
        let (all, nest) = (Affine::constant(0), vec![Range::count(count as u64)]);
        let bodies = vec![
            Body::Alloc(run(numbers, all.clone(), count)),
            Body::Parallel { nest, nowait: false, body },
            Body::Free(run(numbers, all, count)),
        ];
        self.phase(&format!("{label}.encode"), "Constant", Stage::Server, bodies);
        Ok(Weighted { array, scale })
    }

    /// Numbers in the clear that are encoded at `scale` wherever they are used.
    pub(crate) fn numbers(&mut self, label: &str, scale: f64, values: &[f64], count: usize) -> Weighted {
        let array = self.array(label, Class::Message, count, 8);
        if !values.is_empty() {
            self.hold(array, Content::Single(values.to_vec()));
        }
        let bodies = vec![Body::Alloc(run(array, Affine::constant(0), count))];
        self.phase(label, "Constant", Stage::SetUp, bodies);
        Weighted { array, scale }
    }

    /// An operation at `limbs` limbs on a plaintext that is encoded for it from a number, and freed.
    pub(crate) fn with_plaintext(
        &mut self,
        limbs: u32,
        (numbers, at): (&Weighted, Affine),
        (operation, operands): (Operation, impl FnOnce(Operand) -> Vec<Operand>),
        site: &Site,
    ) -> Result<Vec<Body>, Error> {
        let bytes = self.parameters().plaintext_bytes(limbs);
        let plaintexts =
            self.plaintexts(&format!("{}.plaintexts", site.name), site.iterations as usize, bytes);
        let plaintext = operand(plaintexts, site.index.clone());
        let encode = Operation::EncodeConstant { scale: Scale::new(numbers.scale) };
        let mut bodies = vec![Body::Alloc(run(plaintexts, site.index.clone(), 1))];
        bodies.extend(self.call(encode, limbs, vec![numbers.at(at), plaintext.clone()], site)?);
        bodies.extend(self.call(operation, limbs, operands(plaintext), site)?);
        bodies.push(Body::Free(run(plaintexts, site.index.clone(), 1)));
        Ok(bodies)
    }

    /// `Σ source · weight` over `nest`, each product rescaled where levels are left: the body of one output element,
    /// which it allocates.
    pub(super) fn sum_of_rescaled(
        &mut self,
        limbs: u32,
        nest: Vec<Range>,
        [source, weight, output]: [Operand; 3],
        site: &Site,
    ) -> Result<Vec<Body>, Error> {
        let products =
            self.scratch_ciphertexts(&format!("{}.product", site.name), site.iterations as usize, limbs);
        let product = operand(products, site.index.clone());
        let rescaled = |lowering: &mut Self, to: &Operand| -> Result<Vec<Body>, Error> {
            let operands = vec![source.clone(), weight.clone(), to.clone()];
            let mut bodies = lowering.call(Operation::MultiplyPlain, limbs, operands, site)?;
            bodies.extend(lowering.rescale(limbs, to.clone(), site)?);
            Ok(bodies)
        };
        let first = rescaled(self, &output)?;
        let mut body = vec![Body::Alloc(run(products, site.index.clone(), 1))];
        body.extend(rescaled(self, &product)?);
        let operands = vec![product, output.clone()];
        let after = limbs.saturating_sub(1).max(1);
        body.extend(self.call(Operation::AddAssign { size: 2 }, after, operands, site)?);
        body.push(Body::Free(run(products, site.index.clone(), 1)));
        Ok(vec![Body::Alloc(run(output.array, output.index.clone(), 1)), Body::Loop { nest, first, body }])
    }
}
