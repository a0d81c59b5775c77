//! Replays traces on described memory systems.

pub mod allocator;
pub mod cache;
pub mod calibrate;
pub mod core;
pub mod device;
pub mod error;
pub mod foreign;
pub mod machine;
pub mod mode;
pub mod pages;
pub mod placement;
pub mod replay;
pub mod probe;
pub mod result;
pub mod stream;
pub mod system;
pub mod time;

pub use error::Error;
pub use result::RunResult;
pub use system::System;
pub use time::Picoseconds;
