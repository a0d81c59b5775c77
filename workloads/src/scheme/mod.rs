//! The scheme around the primitives: shared context, rotations, estimates of noise.

mod context;
mod galois;
mod noise;

pub use context::Context;
pub use galois::{conjugation, rotation};
pub use noise::{Encoding, Noise, Signal};
