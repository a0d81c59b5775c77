//! What the server sends to the holder of the key and gets back: messages of serialised ciphertexts.

use hetier_traces::{Affine, Body};

use crate::Error;
use crate::primitive::Operation;
use crate::program::{Lowering, Site, Tensor};

/// Most ciphertexts of a message. Source: he-transformer, `handle_server_relu_op` ("tune").
pub(super) const MOST_CIPHERTEXTS: usize = 1000;

/// Bytes before the limbs of a serialised ciphertext: identity of the parameters 32, form 1, and size, degree, limbs
/// and scale 8 each. Source: he-transformer, `save` of a ciphertext.
const HEADER_BYTES: u64 = 32 + 1 + 4 * 8;

/// `count` serialised ciphertexts: strings of the C library's heap, which SEAL's pool does not reuse for ciphertexts.
pub(super) fn serialised(lowering: &mut Lowering, label: &str, count: usize, like: &Tensor) -> Tensor {
    lowering.serialised(label, count, like, HEADER_BYTES)
}

/// Copies an element into a new one: serialisation and its inverse.
pub(super) fn copy_to_new(
    lowering: &mut Lowering,
    (from, from_index): (&Tensor, &Affine),
    (to, to_index): (&Tensor, &Affine),
    site: &Site,
) -> Result<Vec<Body>, Error> {
    let operands = vec![from.at(from_index.clone()), to.at(to_index.clone())];
    let mut bodies = vec![Body::Alloc(crate::program::run(to.array, to_index.clone(), 1))];
    bodies.extend(lowering.call(Operation::Copy { size: 2 }, from.limbs, operands, site)?);
    Ok(bodies)
}
