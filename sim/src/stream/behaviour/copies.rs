//! Copies from one tier to another: what a core loses because neither tier is steady.
//!
//! Loads and fetches for stores have buffers of their own, so a core would go at the pace of the slower of the two. But
//! while a channel drains writes, fetches for stores wait; their buffers fill, the core stops at the next store, and the
//! loads behind it are not under way either. So some of the time of the faster comes on top of that of the slower.

use rayon::prelude::*;

use super::crowd::Holds;
use super::micro::{Measured, Mix};
use super::{LEAST_LANES, TierBehaviour};
use crate::Error;

/// A million, the whole of a part.
const WHOLE: f64 = 1e6;

/// What each pair of tiers loses, in millionths of the shorter time, by the tier that is loaded from and the one that is
/// stored to. `copy` runs a core that copies from the first of two tiers to the second.
pub(super) fn losses(
    tiers: &[TierBehaviour],
    holds: Holds,
    copy: impl Fn(usize, usize) -> Result<Measured, Error> + Sync,
) -> Result<Vec<Vec<u64>>, Error> {
    let of_pair = |from: usize, to: usize| match from == to {
        true => Ok(0),
        false => Ok(loss(&copy(from, to)?, &tiers[from], &tiers[to], holds)),
    };
    let of_tier = |from: usize| (0..tiers.len()).map(|to| of_pair(from, to)).collect();
    (0..tiers.len()).into_par_iter().map(of_tier).collect()
}

/// The mix of a copy: as many stores as loads.
pub(super) const COPY: Mix = Mix::Stores(super::micro::MIX_PERIOD / 2);

/// What was lost in a run of one core, of the time of the tier that alone would have been faster.
fn loss(run: &Measured, from: &TierBehaviour, to: &TierBehaviour, holds: Holds) -> u64 {
    // A line loaded and a line stored; the second tier reads and writes the one that is stored.
    let pair_fs = (2 * run.line_fs()) as f64;
    let busy_fs = 2 * to.service_fs(0.5, LEAST_LANES);
    let loads_fs = from.load(1.0, 0, 0.0)[0].line_fs as f64;
    let store = to.load(0.5, 0, busy_fs as f64 / pair_fs.max(1.0))[0];
    let stores_fs = (store.line_fs * holds.loads as u64 / holds.ownership as u64) as f64;
    let lost = (pair_fs - loads_fs.max(stores_fs)) / loads_fs.min(stores_fs).max(1.0);
    (lost.clamp(0.0, 1.0) * WHOLE).round() as u64
}
