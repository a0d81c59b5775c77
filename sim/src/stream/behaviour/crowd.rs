//! Tables of load: what reading costs a core where other cores are at the same tier.

use super::micro::{MIX_PERIOD, Measured, Mix};
use super::{Conditions, LOAD_STEPS, Load, Loads, MIXES, READ_MIXES, RUNS, Saturated, at_share};
use crate::system::System;

/// What holds lines on their way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holds {
    /// Buffers for loads.
    pub loads: usize,
    /// Buffers for what is fetched to be stored to.
    pub ownership: usize,
    /// Whether the prefetcher is on.
    pub prefetches: bool,
}

impl Holds {
    /// Those of a system.
    pub fn new(system: &System, conditions: Conditions<'_>) -> Self {
        let limits = &system.limits;
        Self { loads: limits.loads, ownership: limits.ownership, prefetches: conditions.prefetches }
    }

    /// Femtoseconds that a load holds one of so many cores in a run. Loads and fetches for stores have buffers of
    /// their own; what the prefetcher fetches is in the same ones, whichever it is for.
    fn line_fs(self, threads: usize, mix: Mix, run: &Measured) -> u64 {
        let line_fs = run.line_fs() * threads as u64;
        match mix {
            _ if self.prefetches => line_fs,
            Mix::Stores(MIX_PERIOD) => line_fs * self.ownership as u64 / self.loads as u64,
            Mix::Stores(stores) => line_fs * MIX_PERIOD / (MIX_PERIOD - stores),
            Mix::NonTemporal => line_fs,
        }
    }
}

/// Tables of load for the mixes with reads, by rising share. `runs` has the runs of each mix by number of cores.
pub(super) fn load_rows(
    runs: &[Vec<(usize, Measured)>],
    saturated: &[Saturated; MIXES],
    holds: Holds,
) -> [Loads; READ_MIXES] {
    let alone = &runs[MIXES - 1][0].1;
    let load = |mix: usize, (threads, run): &(usize, Measured)| {
        // Runs in which all lines were prefetched tell nothing of lines that are waited for.
        let told = if run.latency_ps.is_some() { run } else { alone };
        Load {
            line_fs: holds.line_fs(*threads, RUNS[mix], run),
            latency_ps: told.latency_ps.unwrap_or(0),
            quantiles_ps: told.quantiles_ps,
            waited_ppm: if holds.prefetches { run.waited_ppm } else { 1_000_000 },
        }
    };
    // Where one core saturates a channel.
    let idle = load(MIXES - 1, &runs[MIXES - 1][0]);
    let mut rows: [Loads; READ_MIXES] = std::array::from_fn(|mix| {
        let runs = &runs[mix + 1];
        let points = runs.iter().filter_map(|run| {
            let busy_fs = at_share(saturated, run.1.read_share()) as f64;
            let utilisation = busy_fs / run.1.interface_fs().max(1) as f64;
            // At saturation the time per line is the queue's, which servers keep themselves.
            (utilisation < KNEE).then(|| (crowding(utilisation, run.0), load(mix + 1, run)))
        });
        let mut points: Vec<(f64, Load)> = points.collect();
        if points.first().is_none_or(|first| first.0 > 0.0) {
            points.insert(0, (0.0, idle));
        }
        let step = |step: usize| interpolate(&points, (step as f64 + 0.5) / LOAD_STEPS as f64);
        let read_share = runs[runs.len() - 1].1.read_share();
        let alone =
            at_share(saturated, runs[0].1.read_share()) as f64 / runs[0].1.interface_fs().max(1) as f64;
        Loads { read_share, alone: (alone * 1e6).round() / 1e6, steps: std::array::from_fn(step) }
    });
    rows.sort_by(|one, other| one.read_share.total_cmp(&other.read_share));
    rows
}

/// How crowded so many cores make a channel for each of them, in [0, 1]: `w / (1 + w)` where lines wait for the others in
/// proportion to `w`, the utilisation by the others over what the utilisation by all leaves. Nobody crowds a core that is alone,
/// whether it fetches all the time or now and then; among many cores it is the utilisation.
pub fn crowding(utilisation: f64, cores: usize) -> f64 {
    let (utilisation, cores) = (utilisation.clamp(0.0, 1.0), cores.max(1) as f64);
    if cores > 1.0 { utilisation * (cores - 1.0) / (cores - utilisation) } else { 0.0 }
}

/// Utilisation from which a run counts as saturated.
const KNEE: f64 = 0.93;

/// The value where a channel is so crowded, between points of which there is one at least: what lines wait is linear in
/// `w` of [`crowding`].
fn interpolate(points: &[(f64, Load)], at: f64) -> Load {
    let above = points.iter().position(|point| point.0 >= at);
    let (low, high) = match above {
        Some(0) => return points[0].1,
        Some(above) => (points[above - 1], points[above]),
        None => return points[points.len() - 1].1,
    };
    let [low_wait, wait, high_wait] =
        [low.0, at, high.0].map(|crowding| crowding / (1.0 - crowding).max(0.01));
    let part = (wait - low_wait) / (high_wait - low_wait).max(f64::MIN_POSITIVE);
    low.1.towards(high.1, part)
}

/// The same loads from another socket: what an idle remote read costs more is added throughout.
pub(super) fn farther(local: [Loads; READ_MIXES], near: &Measured, far: &Measured) -> [Loads; READ_MIXES] {
    let line_fs = far.line_fs().saturating_sub(near.line_fs());
    let latency_ps = far.latency_ps.zip(near.latency_ps).map_or(0, |(far, near)| far.saturating_sub(near));
    let add = |load: Load| Load {
        line_fs: load.line_fs + line_fs,
        latency_ps: load.latency_ps + latency_ps,
        quantiles_ps: load.quantiles_ps.map(|quantile_ps| quantile_ps + latency_ps),
        ..load
    };
    local.map(|row| Loads { steps: row.steps.map(add), ..row })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_crowds_a_core_that_is_alone_and_many_crowd_by_their_utilisation() {
        assert_eq!(crowding(0.9, 1), 0.0);
        // Two cores at 0.8: the other's 0.4 over the 0.2 that is left, w = 2.
        assert!((crowding(0.8, 2) - 2.0 / 3.0).abs() < 1e-12);
        assert!((crowding(0.8, 1_000_000) - 0.8).abs() < 1e-6);
        assert_eq!(crowding(1.7, 4), 1.0);
    }

    #[test]
    fn waits_between_points_grow_with_the_others_over_what_is_left() {
        let load = |line_fs| Load { line_fs, ..Load::default() };
        let points = [(0.0, load(1000)), (0.8, load(5000))];

        // w is 1 at a crowding of 0.5 and 4 at 0.8.
        assert_eq!(interpolate(&points, 0.5).line_fs, 2000);
        assert_eq!(interpolate(&points, 0.9).line_fs, 5000);
    }
}
