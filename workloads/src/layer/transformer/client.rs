//! What the server sends to the holder of the key and gets back: messages of serialised ciphertexts.

use hetier_traces::{Affine, Body};

use crate::Error;
use crate::layer::Shape;
use crate::primitive::Operation;
use crate::program::{Lowering, Site, Tensor};

/// Most ciphertexts of a message. Source: he-transformer, `handle_server_relu_op` ("tune").
pub(super) const MOST_CIPHERTEXTS: usize = 1000;

/// `count` serialised ciphertexts with `limbs` limbs: full ones, as SEAL writes them.
pub(super) fn serialised(lowering: &mut Lowering, label: &str, count: usize, like: &Tensor) -> Tensor {
    lowering.tensor(label, Shape::flat(count), (like.limbs, like.limbs), like.scale)
}

/// Copies an element into a new one: serialisation and its inverse.
pub(super) fn copy_to_new(
    lowering: &mut Lowering,
    (from, from_index): (&Tensor, Affine),
    (to, to_index): (&Tensor, Affine),
    site: &Site,
) -> Result<Vec<Body>, Error> {
    let operands = vec![from.at(from_index), to.at(to_index.clone())];
    let mut bodies = vec![Body::Alloc(crate::program::run(to.array, to_index, 1))];
    bodies.extend(lowering.call(Operation::Copy { size: 2 }, from.limbs, operands, site)?);
    Ok(bodies)
}
