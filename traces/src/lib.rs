//! The narrow waist of hetier: what an encrypted computation touches, as a loop-nest program over objects.
//!
//! A trace names *objects* (ciphertexts, keys, scratch …), the byte ranges of them that every primitive of
//! homomorphic encryption sweeps, and the loops around those primitives. It holds no address, thread, time or
//! cache line: the replay adds those, so one trace serves every machine, thread count and placement.
//!
//! ```text
//! Trace := Header, (Definition | Phase)*
//! Phase := Body*      Body := Call | Loop | Parallel | Fork | Alloc | Free
//! Call  := Macro applied to operands; Macro := Sweep*; Sweep := lanes that advance together + arithmetic
//! ```
//!
//! The principal types are [`Trace`] (a whole program in memory), [`Item`] (one element of a streamed trace)
//! and [`Event`](expand::Event) (one sweep with its operands resolved).
//!
//! Not here: caches, devices and placement (crate `hetier-sim`), cryptography (crate `hetier-workloads`).

pub mod binary;
mod build;
pub mod check;
pub mod compare;
pub mod directory;
pub mod error;
pub mod expand;
pub mod facts;
pub mod grammar;
mod liveness;
pub mod loops;
#[cfg(test)]
mod random;
pub mod seeded;
mod touches;
pub mod walk;

pub use binary::{ContentHash, content_hash, file_hash, read_file, write_file};
pub use build::Builder;
pub use check::{Checker, check};
pub use compare::{Difference, equal};
pub use directory::{Directory, Object};
pub use error::{Error, Result};
pub use expand::{Event, Sink, expand};
pub use facts::{Facts, facts};
pub use grammar::*;
