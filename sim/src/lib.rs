//! Replays traces on described memory systems.

pub mod device;
pub mod error;
pub mod time;

pub use error::Error;
pub use time::Picoseconds;
