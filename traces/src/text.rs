//! The text form of a trace: loops as a person would write them, and a parser that reads them back.
//!
//! ```text
//! hetier-trace 1
//! fact "network" = "digits"
//! array a0 "conv1.output" ciphertext [8] capacity 262144 used 196608
//! array a1 "weights" scalar [72] capacity 64 used 24
//! view a2 "flat" { a0[0] step 1 count 8 }
//! macro m0 "multiply-scalar" limbs 3 (in-out ciphertext 196608, input scalar 24) {
//!   sweep {
//!     update p0 @0 +196608
//!     read p1 @0 +24
//!     work multiply-constant 24576
//!   }
//! }
//! phase "conv1" "Convolution" server {
//!   alloc a0[0] x 8
//!   parallel (v0 in 0..8, v1 in max(0, 1 - v0)..min(3, 9 - v0)) {
//!     call m0(a0[v0], a1[9*v0 + v1])
//!   }
//! }
//! ```
//!
//! White space separates, `#` starts a comment up to the end of the line. Loops are `loop (…) { … } first { … }`,
//! `parallel (…) [nowait] { … }` and `fork [nowait] { { … } { … } }`; other ranges are
//! `v0 in lists [1 4] [0 2 3] at v1` and `v0 in seeded of 9 keep 250000 seed 7 at v1`; orders of lanes are
//! `strided B by S`, `permuted bit-reversal E`, `permuted automorphism G E`, `rotated B`, `indexed E [0 5 2]` and
//! `seeded E below N seed S`.

mod parse;
mod scan;
mod write;

pub use parse::parse;
pub use write::dump;

/// Version in the first line.
const VERSION: u64 = 1;

#[cfg(test)]
mod tests;
