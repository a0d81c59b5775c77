//! Replays traces on described memory systems.
//!
//! A [`System`] is a machine read from TOML; [`replay()`](replay::replay) runs a trace on it, line by line, and gives a
//! [`RunResult`]. What a request meets on its way, top to bottom:
//!
//! ```text
//! replay    threads deal parallel regions; sweeps become line requests at virtual addresses
//! allocator, placement, pages      objects → virtual lines → physical lines
//! core      fill buffers, prefetch, translation        cache   L1, L2, L3, who holds what
//! machine   time, links between sockets, transactions  mode    Memory Mode, App Direct …
//! device    DRAM, PMem, CXL behind one channel each
//! ```
//!
//! ```
//! use std::ops::ControlFlow;
//! use hetier_sim::{System, replay::{Settings, replay}};
//! use hetier_traces::Trace;
//!
//! let system = System::load("optane-slice")?;
//! let settings = Settings { mode: Some("memory-mode".into()), ..Settings::default() };
//! let result = replay(&Trace::default(), &system, &settings, &mut |_| ControlFlow::Continue(()))?;
//! assert_eq!(result.accesses, 0);
//! # Ok::<(), hetier_sim::Error>(())
//! ```
//!
//! Not here: what a network computes (crate `hetier-workloads`) and how results look (crate `hetier-reports`).

pub mod allocator;
pub mod cache;
pub mod calibrate;
pub mod core;
pub mod device;
pub mod error;
pub mod fidelity;
mod fnv;
pub mod foreign;
pub mod machine;
pub mod mode;
pub mod pages;
pub mod placement;
pub mod probe;
pub mod replay;
pub mod result;
pub mod size;
pub mod stream;
pub mod system;
pub mod time;
pub mod toml_error;

pub use error::Error;
pub use result::RunResult;
pub use system::System;
pub use time::Picoseconds;
