//! Replays traces on described memory systems.

pub mod device;
pub mod time;

pub use time::Picoseconds;
