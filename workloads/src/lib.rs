//! hetier workloads.

pub mod counters;
mod error;
pub mod host;
pub mod interpret;
pub mod layer;
pub mod network;
pub mod parameters;
pub mod primitive;
pub mod program;
pub mod ring;
pub mod scheme;
pub mod security;

pub use error::Error;
pub use parameters::{Literal, Parameters, Secret};
pub use primitive::{Dataflow, Operation, Primitive};
pub use ring::{Buffer, Operand, Recorder};
pub use scheme::Context;
