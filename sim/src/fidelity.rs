//! How exactly a trace is replayed, and ensembles over seeds.

mod ensemble;

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use hetier_traces::{Trace, activities, facts};
use rayon::prelude::*;

use crate::replay::{self, Progress, Settings};
use crate::result::RunResult;
use crate::system::System;
use crate::{Error, stream};

pub use ensemble::{MOST_SEEDS, check_seeds};

use ensemble::Ensemble;

/// Line accesses up to which `auto` takes every line: about 15 s of one host core.
pub const LINE_LIMIT: u64 = 100_000_000;

/// How exactly a trace is replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fidelity {
    /// Line for traces of at most [`LINE_LIMIT`] line accesses, stream beyond and for samples.
    #[default]
    Auto,
    /// Every 64-byte line.
    Line,
    /// Whole calls on whole objects.
    Stream,
}

impl Fidelity {
    /// Every choice by name.
    pub const ALL: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("line", Self::Line), ("stream", Self::Stream)];

    fn is_line(self, trace: &Trace, settings: &Settings) -> Result<bool, Error> {
        Ok(match self {
            Self::Line => true,
            Self::Stream => false,
            Self::Auto if settings.sample.is_some() => false,
            Self::Auto => line_accesses(trace)? <= LINE_LIMIT,
        })
    }
}

/// Replays a trace at a fidelity.
///
/// # Errors
/// Those of [`replay::replay`].
pub fn replay(
    trace: &Trace,
    system: &System,
    settings: &Settings,
    fidelity: Fidelity,
    progress: &mut Progress<'_>,
) -> Result<RunResult, Error> {
    if fidelity.is_line(trace, settings)? {
        replay::replay(trace, system, settings, progress)
    } else {
        let cache = settings.behaviour_cache.clone();
        let options = stream::Options { cache, ..stream::Options::default() };
        stream::replay_with(trace, system, settings, &options, progress)
    }
}

fn line_accesses(trace: &Trace) -> Result<u64, Error> {
    let phases = activities(trace)?;
    Ok(phases.iter().fold(0, |sum, phase| sum.saturating_add(phase.line_accesses)))
}

/// Bytes of live objects up to which seeds are replayed side by side at stream fidelity, so that they take no more than a
/// gigabyte of host memory or two: one replay takes 0.95 GB for 592 GB alive (`MobileNetV2` 1.4/224) and 0.4 for 421
/// (ResNet-50), sampled, in Memory Mode.
const LIVE_BYTES_AT_ONCE: u64 = 1 << 40;

/// Seeds whose replays may hold their state at the same time.
fn seeds_at_once(trace: &Trace, fidelity: Fidelity, seeds: u32) -> Result<usize, Error> {
    if fidelity == Fidelity::Line || seeds == 1 {
        return Ok(usize::MAX);
    }
    let live = facts(trace, 1)?.peak_footprint_bytes.max(1);
    Ok(usize::try_from(LIVE_BYTES_AT_ONCE / live).unwrap_or(usize::MAX).max(1))
}

/// Replays a trace once for each of `seeds` seeds from that of `settings` on, on all host cores, and gives the run with
/// the median time (of an even number the shorter of the two in the middle), with the spread of all. Where a replay takes
/// much memory the seeds follow one another. Does not depend on the number of host cores. One seed gives a run whose spread
/// is itself.
///
/// # Errors
/// - [`Error::Value`] for no seed or more than [`MOST_SEEDS`].
/// - Those of [`replay()`].
pub fn ensemble(
    trace: &Trace,
    system: &System,
    settings: &Settings,
    fidelity: Fidelity,
    seeds: u32,
    progress: &(dyn Fn(f64) -> ControlFlow<()> + Sync),
) -> Result<RunResult, Error> {
    check_seeds(seeds)?;
    let fidelity = if fidelity.is_line(trace, settings)? { Fidelity::Line } else { Fidelity::Stream };
    let shares = Mutex::new(vec![0.0; seeds as usize]);
    let results = Mutex::new(Ensemble::new(seeds));
    let run = |&number: &u32| {
        let settings = Settings { seed: settings.seed.wrapping_add(u64::from(number)), ..settings.clone() };
        let result = replay(trace, system, &settings, fidelity, &mut |share| {
            let mut shares = shares.lock().unwrap_or_else(PoisonError::into_inner);
            shares[number as usize] = share;
            progress(shares.iter().sum::<f64>() / f64::from(seeds))
        })?;
        results.lock().unwrap_or_else(PoisonError::into_inner).push(number, result);
        Ok(())
    };
    let numbers: Vec<u32> = (0..seeds).collect();
    for together in numbers.chunks(seeds_at_once(trace, fidelity, seeds)?) {
        together.par_iter().map(run).collect::<Result<(), Error>>()?;
    }
    Ok(results.into_inner().unwrap_or_else(PoisonError::into_inner).median())
}
