//! Caches of stream fidelity: those of a core as states and transitions, the last level of a socket as objects in order
//! of use.

pub mod conflicts;
pub mod contents;
pub mod key;
pub mod pieces;
pub mod plan;
pub mod private;
pub mod shared;
