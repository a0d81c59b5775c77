//! `repeat-PRIMITIVE`: one primitive a thousand times on one ciphertext, as nGraph-HE2's micro-benchmarks time it.

use super::{Network, Weights};
use crate::Error;
use crate::layer::{Repeated, Repetition, Shape};
use crate::parameters::Literal;
use crate::program::Options;

/// Repetitions: many enough that the first, on a cold cache, does not count.
const TIMES: u64 = 1000;

/// Products of a ciphertext and a scalar.
pub(super) fn multiply_scalar(_weights: &Weights) -> Result<Network, Error> {
    build("repeat-multiply-scalar", Repeated::MultiplyScalar)
}

/// Sums of a ciphertext and a scalar.
pub(super) fn add_scalar(_weights: &Weights) -> Result<Network, Error> {
    build("repeat-add-scalar", Repeated::AddScalar)
}

fn build(name: &str, what: Repeated) -> Result<Network, Error> {
    let mut network = Network::new(name, Shape::new(1, 1, 1));
    network.then("repeat", Repetition { what, times: TIMES })?;
    Ok(network)
}

/// Three data primes at degree 8192, the middle one of the published settings.
pub(super) fn literal() -> Literal {
    Literal::new(8192, &[60, 30, 30, 60], 30)
}

/// One image, the primitives of the SEAL that he-transformer pins.
pub(super) fn options() -> Options {
    Options::he_transformer(1)
}
