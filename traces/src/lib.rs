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
//! and [`Event`] (one sweep with its operands resolved).
//!
//! ```text
//! Builder, text::parse ─> Trace ─> check, facts, equal, text::dump
//!                          │  ^
//!      binary::Writer <─ Item  └─ binary::Reader
//!                          │ compile
//!                         Walk (loops in order) ─> expand ─> Event
//! ```
//!
//! A layer that doubles eight ciphertexts on all threads:
//!
//! ```
//! use hetier_traces::*;
//!
//! let mut builder = Builder::new(Header::default());
//! let bytes = 2 * 3 * 4096 * 8; // two polynomials of three residues modulo 4096 coefficients
//! let array = |label: &str| Array {
//!     label: label.into(), class: Class::Ciphertext, elements: 8, capacity_bytes: bytes, used_bytes: bytes,
//! };
//! let (input, output) = (builder.array(array("input"))?, builder.array(array("output"))?);
//! let operand = |role| Parameter { class: Class::Ciphertext, role, bytes };
//! let add = builder.define(Macro {
//!     name: "add".into(),
//!     limbs: 3,
//!     parameters: vec![operand(Role::Input), operand(Role::Output)],
//!     sweeps: vec![Sweep {
//!         lanes: vec![Lane::sequential(0, Access::Read, 0, bytes), Lane::sequential(1, Access::Write, 0, bytes)],
//!         work: vec![Work { kind: Arithmetic::Add, count: bytes / 8 }],
//!     }],
//! })?;
//! builder.phase(PhaseHead { name: "double".into(), operation: "Add".into(), stage: Stage::Server })?;
//! let all = |array| Elements { array, start: Affine::constant(0), count: 8 };
//! builder.body(Body::Alloc(all(input)))?;
//! builder.body(Body::Alloc(all(output)))?;
//! let each = |array| Operand { array, index: Affine::variable(0) };
//! let call = Body::Call { callee: add, operands: vec![each(input), each(output)] };
//! builder.body(Body::Parallel { nest: vec![Range::count(8)], nowait: false, body: vec![call] })?;
//! builder.body(Body::Free(all(input)))?;
//! let trace = builder.finish();
//!
//! let facts = facts(&trace, 1)?;
//! assert_eq!(facts.peak_footprint_bytes, 16 * bytes);
//! assert_eq!(facts.activity.primitives["add"], 8);
//! assert_eq!(facts.activity.line_accesses, 8 * 2 * bytes / LINE_BYTES);
//! # Ok::<(), Error>(())
//! ```
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
pub mod text;
mod touches;
pub mod walk;

pub use binary::{ContentHash, content_hash, file_hash, read_file, to_bytes, write_file};
pub use build::Builder;
pub use check::{Checker, check};
pub use compare::{Difference, equal};
pub use directory::{Directory, Object};
pub use error::{Error, Result};
pub use expand::{Event, Sink, expand};
pub use facts::{Facts, Residency, activities, facts, residency};
pub use grammar::*;
