//! What regions counted that were simulated, for those that come again.
//!
//! Regions of one form, in phases of one form behind phases of one form, start from the same class of state: the same
//! operations have left the caches and near memory to them. So a network of repeated blocks is simulated block by block
//! as long as the blocks are new, and one of a thousand channels of a depthwise convolution stands for the others.

use std::collections::BTreeMap;

use super::counters::Counters;
use crate::stream::engine::Engine;
use crate::stream::program::{Region, RegionKind};

/// What a region is recognised by: the forms of the phase before and of its own, its form, and its iterations.
type Key = ([u64; 2], u64, u64);

/// What a simulated region counted, and how often such a one came.
#[derive(Debug, Default)]
struct Record {
    times: u64,
    measured: Option<Box<Counters>>,
    /// Variance of the pace measured, relative to its square.
    relative: f64,
    /// Time of all of them, picoseconds.
    time_ps: u64,
    /// Whether any of them was not simulated whole.
    is_sampled: bool,
}

/// How far off windows are beyond their own spread, relative to the time that they stand for, and mostly to the same side:
/// `docs/sampling.md`.
const BIAS: f64 = 0.01;

/// All records of a run.
#[derive(Debug, Default)]
pub struct Records {
    of: BTreeMap<Key, Record>,
    /// Time of serial loops that was not simulated, picoseconds.
    loops_ps: u64,
    /// Forms of the phase before and of the present one.
    phases: [u64; 2],
}

impl Records {
    /// Standard error of the run's time, picoseconds: by the spread of paces, what regions have in common erring in common,
    /// and by what windows lie beside.
    pub fn error_ps(&self) -> f64 {
        let sampled = || self.of.values().filter(|record| record.is_sampled);
        let variance: f64 = sampled().map(|record| record.relative * (record.time_ps as f64).powi(2)).sum();
        let time_ps = self.loops_ps + sampled().map(|record| record.time_ps).sum::<u64>();
        variance.sqrt() + BIAS * time_ps as f64
    }

    /// Notes time of a serial loop that was not simulated.
    pub const fn note_loop(&mut self, time_ps: u64) {
        self.loops_ps += time_ps;
    }

    /// A phase of a form begins.
    pub const fn begin(&mut self, form: u64) {
        self.phases = [self.phases[1], form];
    }

    const fn key(&self, region: &Region, iterations: u64) -> Key {
        (self.phases, region.form, iterations)
    }
}

impl Engine<'_> {
    /// What a region of the same form counted, if this one need not be simulated.
    pub(in crate::stream) fn known(&mut self, region: &Region, iterations: u64) -> Option<Box<Counters>> {
        if !self.may_sample(region) || !matches!(region.kind, RegionKind::Nest { .. }) {
            return None;
        }
        let records = &mut self.sampling.records;
        let record = records.of.entry(records.key(region, iterations)).or_default();
        record.times += 1;
        let (earlier, measured) = (record.times - 1, record.measured.take());
        measured.filter(|_| !self.sampling.is_due(earlier))
    }

    /// Whether what a region counts is kept for others of its form.
    pub(in crate::stream) fn is_recorded(&self, region: &Region, iterations: u64) -> bool {
        let records = &self.sampling.records;
        records.of.contains_key(&records.key(region, iterations))
    }

    /// Keeps what a region counted that took so long, with the relative variance of its pace if that was measured.
    pub(in crate::stream) fn keep_record(
        &mut self,
        region: &Region,
        iterations: u64,
        measured: Option<Box<Counters>>,
        (time_ps, relative): (u64, Option<f64>),
    ) {
        let records = &mut self.sampling.records;
        if let Some(record) = records.of.get_mut(&records.key(region, iterations)) {
            record.measured = measured;
            record.time_ps += time_ps;
            record.relative = relative.unwrap_or(record.relative);
            record.is_sampled |= relative.is_some() || record.times > 1;
        }
    }
}
