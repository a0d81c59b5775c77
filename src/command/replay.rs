//! `compare`.
use crate::args;
use crate::failure::Outcome;
/// x
pub fn run(_: &args::Replay) -> Outcome { Ok(()) }
