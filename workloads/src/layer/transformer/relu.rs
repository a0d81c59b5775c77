//! Rectifier by the holder of the key, which in the seed paper is the same server.

use hetier_traces::{Affine, Body, Range};

use super::client::{MOST_CIPHERTEXTS, copy_to_new, serialised};
use crate::layer::{Layer, Shape, only};
use crate::primitive::Operation;
use crate::program::{Kernel, Lowering, Packing, Tensor, operand, run, site};
use crate::ring::{Activation, Scale};
use crate::scheme::Noise;
use crate::{Error, Parameters};

/// max(x, 0), bounded above if asked for.
///
/// - operation: `Relu` or `BoundedRelu`.
/// - batches of at most 1000 ciphertexts, one after the other: serialised on one thread; decrypted, decoded, rectified,
///   encoded and encrypted at the top level in parallel; copied into new ciphertexts of the output on one thread. The
///   fused kernel has no messages and one parallel region.
/// - he-transformer first brings all elements to the smallest chain index among them. All elements of a tensor are
///   at one level here, so there is nothing to bring down.
/// - needs the secret key where it runs: a stand-in for a client or an enclave, not a protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientRelu {
    bound: Option<f64>,
}

impl ClientRelu {
    /// min(max(x, 0), `bound`).
    pub const fn bounded(bound: f64) -> Self {
        Self { bound: Some(bound) }
    }

    fn activation(&self) -> Activation {
        match self.bound {
            None => Activation::Relu,
            Some(bound) => Activation::BoundedRelu { bound: Scale::new(bound) },
        }
    }

    /// Decrypts an element, rectifies its slots, and encrypts them into a new element of another tensor.
    fn rectify(
        &self,
        lowering: &mut Lowering,
        name: &str,
        (from, to): (&Tensor, &Tensor),
        at: &Affine,
    ) -> Result<Vec<Body>, Error> {
        let elements = to.shape.elements();
        let messages = lowering.message_array(&format!("{name}.messages"), elements);
        let message = operand(messages, at.clone());
        let packing = lowering.options().packing;
        let mut body = vec![Body::Alloc(run(messages, at.clone(), 1))];
        body.extend(lowering.decrypt_element(from, message.clone(), at.clone(), name)?);
        let apply = Operation::Apply { activation: self.activation(), packing };
        let site = site(name, at.clone(), elements);
        body.extend(lowering.call(apply, to.limbs, vec![message.clone()], &site)?);
        body.extend(lowering.encrypt(message, to, at.clone(), name)?);
        body.push(Body::Free(run(messages, at.clone(), 1)));
        Ok(body)
    }

    /// The batches of messages.
    fn batches(
        &self,
        lowering: &mut Lowering,
        name: &str,
        (input, output): (&Tensor, &Tensor),
    ) -> Result<Body, Error> {
        let count = input.shape.elements();
        let request = serialised(lowering, &format!("{name}.request"), count, input);
        let response = serialised(lowering, &format!("{name}.response"), count, output);
        let batch = MOST_CIPHERTEXTS.min(count);
        let at = Affine::variable(1).plus(0, batch as i64);
        let site = site(name, at.clone(), count);
        let rest = Affine::constant(count as i64).plus(0, -(batch as i64));
        let to = vec![Affine::constant(batch as i64), rest];
        let nest = vec![Range::Affine { from: vec![Affine::constant(0)], to }];
        let serial = |body| Body::Loop { nest: nest.clone(), first: Vec::new(), body };

        let send = copy_to_new(lowering, (input, at.clone()), (&request, at.clone()), &site)?;
        let mut rectify = self.rectify(lowering, name, (&request, &response), &at)?;
        rectify.push(Body::Free(run(request.array, at.clone(), 1)));
        let mut receive = copy_to_new(lowering, (&response, at.clone()), (output, at.clone()), &site)?;
        receive.push(Body::Free(run(response.array, at, 1)));
        let apply = Body::Parallel { nest: nest.clone(), nowait: false, body: rectify };
        let batches = vec![Range::count(count.div_ceil(batch) as u64)];
        Ok(Body::Loop { nest: batches, first: Vec::new(), body: vec![serial(send), apply, serial(receive)] })
    }
}

impl Layer for ClientRelu {
    fn operation(&self) -> &'static str {
        if self.bound.is_some() { "BoundedRelu" } else { "Relu" }
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        only(name, inputs)
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let input = &inputs[0];
        let (limbs, scale) = (lowering.parameters().data_limbs(), lowering.parameters().scale());
        let output = lowering.tensor(&format!("{name}.output"), input.shape, (limbs, limbs), scale);
        let output = Tensor { layout: input.layout, ..output };
        let body = match lowering.options().kernel {
            Kernel::Faithful => self.batches(lowering, name, (input, &output))?,
            Kernel::Fused => {
                let body = self.rectify(lowering, name, (input, &output), &Affine::variable(0))?;
                let nest = vec![Range::count(input.shape.elements() as u64)];
                Body::Parallel { nest, nowait: false, body }
            }
        };
        lowering.server_phase(name, self.operation(), vec![body]);
        Ok(output)
    }

    fn clear(&self, _shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        let bound = self.bound.unwrap_or(f64::INFINITY);
        inputs[0].iter().map(|value| value.clamp(0.0, bound)).collect()
    }

    fn takes(&self, _packing: Packing) -> bool {
        true
    }

    fn noise(&self, parameters: &Parameters, inputs: &[Noise]) -> Option<Noise> {
        let magnitude = self.bound.unwrap_or(f64::INFINITY).min(inputs[0].magnitude);
        let fresh = Noise::fresh(parameters, magnitude, true);
        Some(Noise { deviation: fresh.deviation.hypot(inputs[0].deviation), magnitude })
    }
}
