//! Replays traces on described memory systems.

pub mod device;
pub mod error;
pub mod result;
pub mod time;

pub use error::Error;
pub use result::RunResult;
pub use time::Picoseconds;
