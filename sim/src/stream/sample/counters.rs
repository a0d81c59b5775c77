//! All that the engine counts, as differences between instants, so that calls which are not simulated can be counted
//! by those that are.

use hetier_traces::Class;

use crate::core::Source;
use crate::device::Kind;
use crate::machine::LineCounts;
use crate::result::CacheResult;
use crate::stream::engine::{CallTally, Engine};
use crate::stream::memory::near::Checks;
use crate::stream::memory::waits::Waits;

/// A share of calls: those not simulated to those that were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    /// Calls not simulated.
    pub skipped: u64,
    /// Calls simulated.
    pub measured: u64,
}

impl Ratio {
    /// So much of a count.
    #[inline]
    pub fn of(self, count: u64) -> u64 {
        (u128::from(count) * u128::from(self.skipped) / u128::from(self.measured.max(1))) as u64
    }
}

/// What one core counts.
#[derive(Clone, Copy, Debug)]
pub(in crate::stream) struct CoreCounts {
    pub clock_ps: u64,
    pub calls: u64,
    pub compute_ps: u64,
    pub stalls: [u64; Source::COUNT],
}

/// What the engine counts beside its cores' arithmetic and requests, which follow from the calls.
#[derive(Clone, Debug)]
pub(in crate::stream) struct Counters {
    pub cores: Vec<CoreCounts>,
    pub tallies: Vec<CallTally>,
    class_stalls: [u64; Class::ALL.len()],
    caches: CacheResult,
    servers: Vec<([u64; 2], Waits)>,
    traffic: LineCounts,
    near: Checks,
}

impl Counters {
    /// What `engine` has counted.
    pub fn of(engine: &Engine<'_>) -> Self {
        let cores = engine.cores.iter().map(|core| CoreCounts {
            clock_ps: core.clock_ps,
            calls: core.calls,
            compute_ps: (core.compute_fs / 1000) as u64,
            stalls: core.stalls,
        });
        let servers = engine.memory.servers().iter().map(|server| (server.lines, server.waits.clone()));
        Self {
            cores: cores.collect(),
            tallies: engine.tallies.clone(),
            class_stalls: engine.class_stalls,
            caches: engine.caches,
            servers: servers.collect(),
            traffic: engine.memory.traffic.counts(),
            near: engine.memory.near().map_or_else(Checks::default, |near| near.checks),
        }
    }

    /// What was counted since `before`. Faults stay out: how many pages the calls that are not simulated touch first is
    /// known exactly.
    #[must_use]
    pub fn since(mut self, before: &Self) -> Self {
        self.combine(before, |now, before| *now -= before);
        let fault = usize::from(Source::FAULT.0);
        for core in &mut self.cores {
            core.clock_ps -= std::mem::take(&mut core.stalls[fault]);
        }
        for tally in &mut self.tallies {
            tally.total_ps -= std::mem::take(&mut tally.stalls[fault]);
        }
        self
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, |sum, more| *sum += more);
    }

    /// Combines each count with the same one of `other`.
    fn combine(&mut self, other: &Self, op: impl Fn(&mut u64, u64) + Copy) {
        let all = |own: &mut [u64], other: &[u64]| {
            own.iter_mut().zip(other).for_each(|(own, other)| op(own, *other));
        };
        for (own, other) in self.cores.iter_mut().zip(&other.cores) {
            op(&mut own.clock_ps, other.clock_ps);
            op(&mut own.calls, other.calls);
            op(&mut own.compute_ps, other.compute_ps);
            all(&mut own.stalls, &other.stalls);
        }
        for (own, other) in self.tallies.iter_mut().zip(&other.tallies) {
            op(&mut own.calls, other.calls);
            op(&mut own.total_ps, other.total_ps);
            all(&mut own.stalls, &other.stalls);
        }
        all(&mut self.class_stalls, &other.class_stalls);
        let others = levels(&mut other.caches.clone()).map(|count| *count);
        levels(&mut self.caches).into_iter().zip(others).for_each(|(own, other)| op(own, other));
        for (own, other) in self.servers.iter_mut().zip(&other.servers) {
            all(&mut own.0, &other.0);
            own.1.combine(&other.1, op);
        }
        self.traffic.combine(&other.traffic, op);
        all(&mut self.near.lines, &other.near.lines);
        all(&mut self.near.reads, &other.near.reads);
    }

    /// Calls of all cores.
    pub fn calls(&self) -> u64 {
        self.cores.iter().map(|core| core.calls).sum()
    }

    /// Core time and calls of all cores.
    pub fn totals(&self) -> (u64, u64) {
        self.cores.iter().fold((0, 0), |sum, core| (sum.0 + core.clock_ps, sum.1 + core.calls))
    }
}

impl Engine<'_> {
    /// Counts calls that were not simulated by `measured`, what simulated ones counted: `of_core` and `of_callee` by
    /// their share of each core and macro, over the stretch `from..to`. Dirty lines that left near memory are known
    /// better: `pushed_out` of them.
    pub(super) fn count_skipped(
        &mut self,
        measured: &Counters,
        of_core: &[Ratio],
        of_callee: &[u64],
        pushed_out: Option<u64>,
        (from, to): (u64, u64),
    ) {
        for ((core, counts), ratio) in self.cores.iter_mut().zip(&measured.cores).zip(of_core) {
            core.calls += ratio.of(counts.calls);
            core.stalls.iter_mut().zip(counts.stalls).for_each(|(sum, stall)| *sum += ratio.of(stall));
        }
        for ((tally, counts), skipped) in self.tallies.iter_mut().zip(&measured.tallies).zip(of_callee) {
            let ratio = Ratio { skipped: *skipped, measured: counts.calls };
            tally.calls += skipped;
            tally.total_ps += ratio.of(counts.total_ps);
            tally.stalls.iter_mut().zip(counts.stalls).for_each(|(sum, stall)| *sum += ratio.of(stall));
        }
        let all = Ratio { skipped: of_callee.iter().sum(), measured: measured.calls() };
        self.class_stalls
            .iter_mut()
            .zip(measured.class_stalls)
            .for_each(|(sum, stall)| *sum += all.of(stall));
        let mut counted = measured.caches;
        let sums = levels(&mut self.caches);
        sums.into_iter().zip(levels(&mut counted)).for_each(|(sum, count)| *sum += all.of(*count));
        self.repeat_traffic(measured, all, pushed_out, (from, to));
    }

    fn repeat_traffic(
        &mut self,
        measured: &Counters,
        all: Ratio,
        pushed_out: Option<u64>,
        (from, to): (u64, u64),
    ) {
        let (sockets, near_tier) = (self.memory.sockets(), self.memory.near_tier());
        let mut traffic = measured.traffic.clone();
        let is_known = |tier: usize| pushed_out.is_some() && tier != near_tier;
        let tiers = self.memory.servers().len() / sockets;
        (0..tiers).filter(|tier| is_known(*tier)).for_each(|tier| traffic.forget(tier, Kind::Write));
        for (number, (server, (lines, waits))) in
            self.memory.servers_mut().iter_mut().zip(&measured.servers).enumerate()
        {
            server.lines[0] += all.of(lines[0]);
            if !is_known(number / sockets) {
                server.lines[1] += all.of(lines[1]);
            }
            server.waits.combine(waits, |sum, loads| *sum += all.of(loads));
        }
        self.memory.traffic.repeat(&traffic, |lines| all.of(lines), from, to);
        if let (Some(near), Some(dirty)) = (self.memory.near_mut(), pushed_out) {
            let Checks { lines: [hits, clean, missed_dirty], reads } = measured.near;
            let checks = &mut near.checks;
            checks.lines[0] += all.of(hits);
            checks.lines[1] += all.of(clean + missed_dirty).saturating_sub(dirty);
            checks.lines[2] += dirty;
            checks.reads.iter_mut().zip(reads).for_each(|(sum, lines)| *sum += all.of(lines));
        }
    }
}

/// Counters of the caches that follow the calls; those of the first level and of faults do not.
const fn levels(caches: &mut CacheResult) -> [&mut u64; 8] {
    [
        &mut caches.l2.hits,
        &mut caches.l2.misses,
        &mut caches.l3.hits,
        &mut caches.l3.misses,
        &mut caches.forwarded_lines,
        &mut caches.invalidated_lines,
        &mut caches.prefetched_lines,
        &mut caches.page_walks,
    ]
}
