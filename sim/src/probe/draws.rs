//! Several draws of chance, and how far apart they lie.
//!
//! Where streams of a probe begin decides for its whole length which of them meet in a bank: 24 threads that store to six
//! channels of M1's DRAM lie between 72 and 100 GB/s by nothing else. So chance is drawn several times, and what all draws
//! did in the time that all took is reported, with the least and the largest of them.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Draws of a probe. Single ones of those stores differ by a standard deviation of some 7 %, so their mean by 3 %.
pub(super) const DRAWS: u64 = 6;

/// Least and largest of the draws.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrawRange {
    /// Least.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// What lies between draws.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrawSpread {
    /// Number of draws.
    pub draws: u64,
    /// Of the bandwidth.
    pub gb_per_s: DrawRange,
}

/// Does something for each draw, on as many host cores as there are; results come in the order of draws.
///
/// # Errors
/// - The first of any draw.
pub(super) fn each<R: Send>(draw: impl Fn(u64) -> Result<R, Error> + Send + Sync) -> Result<Vec<R>, Error> {
    (0..DRAWS).into_par_iter().map(draw).collect()
}

impl DrawSpread {
    /// Of the bandwidth of each draw.
    pub(super) fn of(gb_per_s: &[f64]) -> Self {
        let min = gb_per_s.iter().copied().fold(f64::INFINITY, f64::min);
        let max = gb_per_s.iter().copied().fold(0.0, f64::max);
        Self { draws: gb_per_s.len() as u64, gb_per_s: DrawRange { min, max } }
    }
}
