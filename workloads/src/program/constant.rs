//! Constants of a graph: weights and biases that an inference encodes on one thread before it uses them.

use hetier_traces::{Affine, ArrayId, Body, Stage};

use super::lowering::{Lowering, run};
use super::{Content, Packing, Tensor, Weighted};
use crate::Error;

/// A number for each channel that is added to a tensor.
#[derive(Clone, Debug)]
pub enum Addend {
    /// Encoded as scalars.
    Scalars(Weighted),
    /// One message a channel with the number in every slot, which is encoded anew for every element: in a complex
    /// slot the number stands in both parts, which no scalar does.
    Messages(ArrayId),
}

impl Lowering {
    /// Appends the phase of a constant: `count` values encoded as scalars at a level and scale.
    ///
    /// he-transformer keeps the numbers and encodes each at every use; here they are encoded once, so that a
    /// multiply-accumulate is one call. The traffic of either is a thousandth of the ciphertexts'.
    ///
    /// # Errors
    /// If the level does not fit.
    pub fn constant(
        &mut self,
        name: &str,
        level: (u32, f64),
        values: &[f64],
        count: usize,
    ) -> Result<Weighted, Error> {
        let (weighted, bodies) = self.encoded(name, level, values, count)?;
        self.phase(name, "Constant", Stage::Server, bodies);
        Ok(weighted)
    }

    /// Appends the phase of a constant that is added to `tensor`.
    ///
    /// # Errors
    /// If the level does not fit.
    pub fn addend(
        &mut self,
        name: &str,
        tensor: &Tensor,
        values: &[f64],
        count: usize,
    ) -> Result<Addend, Error> {
        if self.options().packing == Packing::Real {
            return Ok(Addend::Scalars(self.constant(name, (tensor.limbs, tensor.scale), values, count)?));
        }
        let messages = self.message_array(name, count);
        if !values.is_empty() {
            self.hold(messages, Content::Uniform(values.to_vec()));
        }
        let alloc = Body::Alloc(run(messages, Affine::constant(0), count));
        self.phase(name, "Constant", Stage::Server, vec![alloc]);
        Ok(Addend::Messages(messages))
    }

    /// Appends the death of constants to the phase that used them last.
    pub fn free_constant(&mut self, array: ArrayId, count: usize) {
        let body = self.release(run(array, Affine::constant(0), count));
        self.append(body);
    }
}
