//! Rectifier by the holder of the key, which in the seed paper is the same server.

use hetier_traces::{Affine, Body, Range};

use super::client::{MOST_CIPHERTEXTS, copy_to_new, serialised};
use crate::Error;
use crate::layer::{Layer, Shape, only};
use crate::primitive::Operation;
use crate::program::{Kernel, Lowering, Packing, Tensor, operand, run, site};
use crate::ring::{Activation, Scale};
use crate::scheme::{Encoding, Noise, Signal};

/// max(x, 0), bounded above if asked for.
///
/// - operation: `Relu` or `BoundedRelu`.
/// - messages of at most 1000 ciphertexts. One thread serialises them all into a queue, without waiting for answers. Then
///   one message after the other is packed into the session's write buffer on one thread; decrypted, decoded, rectified,
///   encoded and encrypted at the top level in parallel; serialised again on one thread; and loaded into new ciphertexts
///   of the output in parallel. Without a client, and with the fused kernel, there is one parallel region.
/// - known to be wrong: in the original three threads (the server's, its session's, the client's) work on different
///   messages at once; here one thing happens after the other. That is why so much of the queue is there at once:
///   all of it.
/// - left out: the further copies of a message between buffers that every message uses again (protobuf's own, the
///   socket's, parsing).
/// - source: he-transformer, `handle_server_relu_op`, `TCPSession`, `handle_bounded_relu_request`.
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

    /// Decrypts an element, rectifies its slots, and encrypts them into new element `at` of another tensor.
    fn rectify(
        &self,
        lowering: &mut Lowering,
        name: &str,
        (from, element): (&Tensor, &Affine),
        (to, at): (&Tensor, &Affine),
    ) -> Result<Vec<Body>, Error> {
        let elements = to.shape.elements();
        let messages = lowering.message_array(&format!("{name}.messages"), elements);
        let message = operand(messages, at.clone());
        let packing = lowering.options().packing;
        let mut body = vec![Body::Alloc(run(messages, at.clone(), 1))];
        let iterations = (at.clone(), elements);
        body.extend(lowering.decrypt_at(from, element.clone(), message.clone(), iterations, name)?);
        let apply = Operation::Apply { activation: self.activation(), packing };
        let site = site(name, at.clone(), elements);
        body.extend(lowering.call(apply, to.limbs, vec![message.clone()], &site)?);
        body.extend(lowering.encrypt(message, to, at.clone(), name)?);
        body.push(Body::Free(run(messages, at.clone(), 1)));
        Ok(body)
    }

    /// All requests are serialised, then each message is sent, rectified, serialised again and loaded.
    fn messages(
        &self,
        lowering: &mut Lowering,
        name: &str,
        (input, output): (&Tensor, &Tensor),
    ) -> Result<Vec<Body>, Error> {
        let count = input.shape.elements();
        let batch = MOST_CIPHERTEXTS.min(count);
        let label = |what: &str| format!("{name}.{what}");
        let request = serialised(lowering, &label("request"), count, input);
        let sent = serialised(lowering, &label("sent"), batch, input);
        let response =
            lowering.tensor(&label("response"), input.shape, (output.limbs, output.limbs), output.scale);
        let received = serialised(lowering, &label("received"), batch, output);

        let each = Affine::variable(0);
        let queue =
            copy_to_new(lowering, (input, &each), (&request, &each), &site(name, each.clone(), count))?;
        let inside = Affine::variable(1);
        let at = inside.clone().plus(0, batch as i64);
        let site = site(name, at.clone(), count);
        let mut send = copy_to_new(lowering, (&request, &at), (&sent, &inside), &site)?;
        send.push(Body::Free(run(request.array, at.clone(), 1)));
        let mut rectify = self.rectify(lowering, name, (&sent, &inside), (&response, &at))?;
        rectify.push(Body::Free(run(sent.array, inside.clone(), 1)));
        let mut answer = copy_to_new(lowering, (&response, &at), (&received, &inside), &site)?;
        answer.push(Body::Free(run(response.array, at.clone(), 1)));
        let mut load = copy_to_new(lowering, (&received, &inside), (output, &at), &site)?;
        load.push(Body::Free(run(received.array, inside, 1)));

        let rest = Affine::constant(count as i64).plus(0, -(batch as i64));
        let to = vec![Affine::constant(batch as i64), rest];
        let nest = vec![Range::Affine { from: vec![Affine::constant(0)], to }];
        let serial = |nest: &[Range], body| Body::Loop { nest: nest.to_vec(), first: Vec::new(), body };
        let parallel = |body| Body::Parallel { nest: nest.clone(), nowait: false, body };
        let message = vec![serial(&nest, send), parallel(rectify), serial(&nest, answer), parallel(load)];
        Ok(vec![
            serial(&[Range::count(count as u64)], queue),
            serial(&[Range::count(count.div_ceil(batch) as u64)], message),
        ])
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
        let body = if lowering.options().has_messages() {
            self.messages(lowering, name, (input, &output))?
        } else {
            let at = Affine::variable(0);
            let body = self.rectify(lowering, name, (input, &at), (&output, &at))?;
            let nest = vec![Range::count(input.shape.elements() as u64)];
            vec![Body::Parallel { nest, nowait: false, body }]
        };
        lowering.server_phase(name, self.operation(), body);
        Ok(output)
    }

    fn clear(&self, _shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        let bound = self.bound.unwrap_or(f64::INFINITY);
        inputs[0].iter().map(|value| value.clamp(0.0, bound)).collect()
    }

    fn takes(&self, _packing: Packing) -> bool {
        true
    }

    fn has(&self, kernel: Kernel) -> bool {
        kernel != Kernel::AluminumShark
    }

    fn noise(&self, noise: &Noise<'_>, inputs: &[Signal], output: Encoding) -> f64 {
        inputs[0].variance + noise.encryption(output)
    }
}
