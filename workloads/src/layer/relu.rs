//! Rectifier by decryption, as the seed paper does it on the server: decrypt, apply, encrypt again at the top level.

use hetier_traces::{Affine, Body};

use super::{Layer, Shape, only};
use crate::Error;
use crate::primitive::Operation;
use crate::program::{Lowering, Tensor, operand, run, site};
use crate::ring::{Activation, Packing, Scale};
use crate::scheme::{Encoding, Noise, Signal};

/// max(x, 0), bounded above if asked for.
///
/// - cost per element: decryption, decoding, the function on every slot, encoding, encryption; 0 levels, and the
///   output is back at the top level and the default scale.
/// - needs the secret key where it runs: a stand-in for a client or an enclave, not a protocol.
///
/// Source: Lloret-Talavera et al., IEEE TC 71, 2021, which runs both sides on one server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Relu {
    bound: Option<f64>,
}

impl Relu {
    /// min(max(x, 0), `bound`), nGraph's `BoundedRelu`.
    pub const fn bounded(bound: f64) -> Self {
        Self { bound: Some(bound) }
    }

    fn activation(&self) -> Activation {
        match self.bound {
            None => Activation::Relu,
            Some(bound) => Activation::BoundedRelu { bound: Scale::new(bound) },
        }
    }
}

impl Layer for Relu {
    fn operation(&self) -> &'static str {
        if self.bound.is_some() { "BoundedRelu" } else { "Relu" }
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        only(name, inputs)
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let input = &inputs[0];
        let elements = input.shape.elements();
        let (limbs, scale) = (lowering.parameters().data_limbs(), lowering.parameters().scale());
        let output = lowering.tensor(&format!("{name}.output"), input.shape, (limbs, limbs), scale);
        let output = Tensor { layout: input.layout, ..output };
        let messages = lowering.message_array(&format!("{name}.messages"), elements);
        let at = Affine::variable(0);
        let message = operand(messages, at.clone());
        let mut body = vec![Body::Alloc(run(messages, at.clone(), 1))];
        body.extend(lowering.decrypt_element(input, message.clone(), at.clone(), name)?);
        let apply = Operation::Apply { activation: self.activation(), packing: Packing::Real };
        body.extend(lowering.call(apply, limbs, vec![message.clone()], &site(name, at.clone(), elements))?);
        body.extend(lowering.encrypt(message, &output, at.clone(), name)?);
        body.push(Body::Free(run(messages, at, 1)));
        lowering.parallel_elements(name, self.operation(), &output, body);
        Ok(output)
    }

    fn noise(&self, noise: &Noise<'_>, inputs: &[Signal], output: Encoding) -> f64 {
        inputs[0].variance + noise.encryption(output)
    }

    fn clear(&self, _shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        let bound = self.bound.unwrap_or(f64::INFINITY);
        inputs[0].iter().map(|value| value.clamp(0.0, bound)).collect()
    }
}
