//! Macros as the private caches see them: which lines of which operand every sweep touches.

use hetier_traces::{Access, LINE_BYTES, Lane, Macro, Order};

use crate::Error;
use crate::replay::Stores;
use crate::system::System;

/// A lane over the lines of an operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanePlan {
    /// Operand of the macro.
    pub operand: u8,
    /// What it does.
    pub access: Access,
    /// First line of the extent.
    pub first_line: u64,
    /// Lines from the first to the last, gaps included.
    pub extent_lines: u64,
    /// Lines touched, each once.
    pub touched_lines: u64,
    /// Line requests at the first level.
    pub accesses: u64,
    /// Whether stores go past the caches.
    pub bypasses: bool,
}

/// A sweep.
#[derive(Clone, Debug)]
pub struct SweepPlan {
    /// The lanes in order.
    pub lanes: Vec<LanePlan>,
    /// Femtoseconds of arithmetic.
    pub compute_fs: u64,
}

impl SweepPlan {
    /// Requests beyond the first of each line that miss a first level of so many lines: elements in a scattered
    /// order come back to lines that are gone if the range is longer than the level.
    pub fn revisits(&self, first_level_lines: u64) -> u64 {
        let of = |lane: &LanePlan| {
            let again = (lane.accesses / directions(lane.access)).saturating_sub(lane.touched_lines);
            again * lane.extent_lines.saturating_sub(first_level_lines) / lane.extent_lines
        };
        self.lanes.iter().map(of).sum()
    }
}

/// A macro.
#[derive(Clone, Debug)]
pub struct MacroPlan {
    /// The sweeps in order.
    pub sweeps: Vec<SweepPlan>,
    /// Femtoseconds of arithmetic.
    pub compute_fs: u64,
    /// Line requests at the first level.
    pub accesses: u64,
    /// Operands that are written, as a bit set.
    pub written: u64,
    /// Femtoseconds of calibrated overhead.
    pub overhead_fs: u64,
}

/// Femtoseconds of arithmetic that a call may have: 77 minutes, so that clocks do not wrap.
const MOST_COMPUTE_FS: u64 = 1 << 62;

impl MacroPlan {
    /// Plans a macro for a system.
    ///
    /// # Errors
    /// - [`Error::Unsupported`] if a call computes for more than an hour.
    pub fn new(called: &Macro, system: &System, stores: Stores) -> Result<Self, Error> {
        let sweeps: Vec<SweepPlan> = called
            .sweeps
            .iter()
            .map(|sweep| SweepPlan {
                lanes: sweep.lanes.iter().map(|lane| LanePlan::new(lane, stores)).collect(),
                compute_fs: added(sweep.work.iter().map(|work| system.arithmetic_fs(work.kind, work.count))),
            })
            .collect();
        let lanes = || sweeps.iter().flat_map(|sweep| &sweep.lanes);
        let writers = lanes().filter(|lane| lane.access.is_write());
        let written = writers.fold(0_u64, |set, lane| set | 1 << (lane.operand % 64));
        let compute_fs = added(sweeps.iter().map(|sweep| sweep.compute_fs));
        let accesses = lanes().map(|lane| lane.accesses).sum();
        if compute_fs > MOST_COMPUTE_FS {
            return Err(Error::Unsupported {
                system: system.name.clone(),
                what: format!("macro {} at stream fidelity", called.name),
                found: format!("more than {} s of arithmetic in a call", MOST_COMPUTE_FS / FS_PER_SECOND),
                need: "less (line fidelity takes more)".to_owned(),
            });
        }
        Ok(Self { sweeps, compute_fs, accesses, written, overhead_fs: 0 })
    }
}

/// Femtoseconds of a second.
const FS_PER_SECOND: u64 = 1_000_000_000_000_000;

/// A sum that does not wrap.
fn added(fs: impl Iterator<Item = u64>) -> u64 {
    fs.fold(0, u64::saturating_add)
}

impl LanePlan {
    /// Plans a lane, as if the object started at a line.
    pub fn new(lane: &Lane, stores: Stores) -> Self {
        let (extent, touched) = match &lane.order {
            Order::Sequential | Order::Rotated { .. } | Order::Permuted { .. } => {
                let lines = lines_of(lane.offset, lane.bytes);
                (lines, lines)
            }
            Order::Strided { block_bytes, stride_bytes } => strided(lane, *block_bytes, *stride_bytes),
            Order::Indexed { element_bytes, positions } => indexed(*element_bytes, positions),
            Order::Seeded { element_bytes, range_elements, .. } => {
                seeded(lane.bytes, *element_bytes, *range_elements)
            }
        };
        Self {
            operand: lane.operand,
            access: lane.access,
            first_line: lane.offset / LINE_BYTES,
            extent_lines: extent.max(1),
            touched_lines: touched.clamp(1, extent.max(1)),
            accesses: lane.line_touches() * directions(lane.access),
            bypasses: stores == Stores::NonTemporal && covers_lines(lane),
        }
    }
}

/// Requests for each touch.
const fn directions(access: Access) -> u64 {
    match access {
        Access::Update => 2,
        Access::Read | Access::Write => 1,
    }
}

/// Lines that a range of bytes overlaps.
const fn lines_of(offset: u64, bytes: u64) -> u64 {
    if bytes == 0 { 0 } else { (offset + bytes).div_ceil(LINE_BYTES) - offset / LINE_BYTES }
}

/// Whether a lane overwrites whole lines in ascending order.
fn covers_lines(lane: &Lane) -> bool {
    let is_whole = lane.offset.is_multiple_of(LINE_BYTES) && lane.bytes.is_multiple_of(LINE_BYTES);
    lane.order == Order::Sequential && lane.access == Access::Write && is_whole
}

const fn element_lines(bytes: u64) -> u64 {
    bytes.div_ceil(LINE_BYTES)
}

fn strided(lane: &Lane, block: u64, stride: u64) -> (u64, u64) {
    let blocks = lane.bytes.div_ceil(block.max(1)).max(1);
    let extent = lines_of(lane.offset, (blocks - 1) * stride + block);
    (extent, (blocks * lines_of(lane.offset, block)).min(extent))
}

fn indexed(element_bytes: u64, positions: &[u32]) -> (u64, u64) {
    let line = |position: &u32| u64::from(*position) * element_bytes / LINE_BYTES;
    let mut lines: Vec<u64> = positions.iter().map(line).collect();
    lines.sort_unstable();
    lines.dedup();
    let each = element_lines(element_bytes);
    (lines.last().map_or(1, |last| last + each), lines.len() as u64 * each)
}

/// Expected number of different lines of uniform draws: n·(1 − (1 − 1/n)^k).
fn seeded(bytes: u64, element_bytes: u64, range_elements: u64) -> (u64, u64) {
    let draws = bytes / element_bytes.max(1);
    let extent = lines_of(0, range_elements * element_bytes).max(1);
    let lines = extent as f64;
    let touched = lines * (1.0 - (1.0 - 1.0 / lines).powf((draws * element_lines(element_bytes)) as f64));
    (extent, (touched.round() as u64).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequential_lane_touches_every_line_it_overlaps_once() {
        let plan = LanePlan::new(&Lane::sequential(0, Access::Update, 32, 128), Stores::Regular);

        assert_eq!((plan.extent_lines, plan.touched_lines, plan.accesses), (3, 3, 6));
    }

    #[test]
    fn strided_lane_skips_the_lines_between_blocks() {
        let order = Order::Strided { block_bytes: 64, stride_bytes: 256 };
        let plan = LanePlan::new(
            &Lane { operand: 0, access: Access::Read, offset: 0, bytes: 256, order },
            Stores::Regular,
        );

        assert_eq!((plan.extent_lines, plan.touched_lines), (13, 4));
    }

    #[test]
    fn listed_elements_of_one_line_are_one_line() {
        let order = Order::Indexed { element_bytes: 8, positions: vec![0, 1, 7, 9] };
        let lane = Lane { operand: 0, access: Access::Read, offset: 0, bytes: 32, order };

        assert_eq!(LanePlan::new(&lane, Stores::Regular).touched_lines, 2);
    }
}
