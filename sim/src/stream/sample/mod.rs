//! Sampling: of every large parallel region, windows are simulated; what lies between is skimmed.
//!
//! A region is cut into strata of equal length, each of which begins with a window. In a window all cores go on until
//! the slowest has done its part of it, so that all of them meet in simulated time as they would; behind it every core
//! skips the same stretch of *time* at its own pace. What calls cost comes from the later part of the window, when
//! caches have settled. A window of sums is a whole row (`window`).
//!
//! A region that comes again in a phase of the same form, behind a phase of the same form, is skimmed at the pace of the
//! first of them (`records`): a repeated block of layers, a channel of a depthwise convolution. Serial loops, as over the
//! messages of an activation, are sampled as a whole, so that what is inside finds caches and near memory as the
//! iteration before left them.
//!
//! Near memory is carried along exactly where it matters most: objects that are touched in a gap pass through its tags
//! once, and dirty lines that this pushes out are counted from there, since most leave with the first pass over a
//! tensor. Reads that miss are counted from windows, where objects meet each other often enough.
//!
//! **Known to be wrong**: convoys that coarsen over a whole layer; last-level caches hold what the last window left.
//! Time spent waiting for dirty lines that only gaps push out is lost. Outside of Memory Mode, objects that a gap only reads get no
//! pages, so that inputs which nobody wrote fault in windows alone. Reads and dirty lines of a gap come from two sources, so that
//! a phase of Memory Mode may write more PMem than it reads (0.2 % of the study's bytes, 2 % with `--sample 0.001`), and what
//! a window writes for a class of which nothing is born in the gap counts again there. `docs/sampling.md` holds the errors against
//! full runs.

pub(super) mod counters;
pub(super) mod records;
pub(super) mod skim;
pub(super) mod window;

use hetier_traces::loops::Scope;

use super::caches::plan::MacroPlan;
use super::engine::cores::Core;
use super::engine::{CallTally, Engine};
use super::memory::near::Checks;
use super::program::size::calls_of_loop;
use super::program::{Loop, Region, RegionKind};
use crate::Error;
use crate::core::Source;
use crate::replay::Watched;
use crate::replay::schedule::{Schedule, static_share};
use counters::{CoreCounts, Counters, Ratio};
use records::Records;
use skim::Skim;
use window::{LEAD, Least, Mark, Window};

/// Calls from which on a loop of the serial thread is sampled.
const LOOP_CALLS: u64 = 1024;

/// Calls of an iteration of a serial loop from which on what is inside is sampled by itself.
const LONG_CALLS: u64 = 1 << 20;

/// A million, the whole of a share.
pub const WHOLE: u64 = 1_000_000;

/// The state of sampling.
#[derive(Debug, Default)]
pub(super) struct Sampling {
    /// Share of calls to simulate in windows, millionths; [`WHOLE`] for no windows.
    share: u64,
    /// Whether repeated regions are skimmed.
    reuses: bool,
    /// What was counted by regions that may come again.
    pub records: Records,
    /// Whether a serial loop is sampled as a whole: what is inside is simulated or skimmed with it.
    pub in_loop: bool,
    /// Calls not simulated.
    pub skipped: u64,
}

impl Sampling {
    /// Windows of so many millionths of all calls; if that is all of them, whether repeated regions are skimmed.
    pub fn new(share: u64, reuses: bool) -> Self {
        Self { share: share.min(WHOLE), reuses: reuses || share < WHOLE, ..Self::default() }
    }

    /// Whether a region is simulated that came so many times before: the first time, and from time to time if only a
    /// share is wanted of each.
    pub const fn is_due(&self, times: u64) -> bool {
        let is_whole = self.share == WHOLE;
        times == 0 || !is_whole && times * self.share / WHOLE > (times - 1) * self.share / WHOLE
    }

    /// Calls from which on loops of the serial thread are sampled.
    pub const fn loop_calls(&self) -> u64 {
        if self.reuses { LOOP_CALLS } else { u64::MAX }
    }

    /// Standard error of the run's time, seconds: by the spread between halves of windows, and what windows lie beside.
    pub fn error_seconds(&self) -> f64 {
        self.records.error_ps() / 1e12
    }
}

impl<'p> Engine<'p> {
    /// The window of a region that is about to be dealt, if it is to be sampled.
    pub(super) fn window(&self, region: &Region, iterations: u64, scope: &Scope) -> Option<Window> {
        if !self.may_sample(region) {
            return None;
        }
        let RegionKind::Nest { nest, body } = &region.kind else { return None };
        let (threads, started_ps) = (self.cores.len() as u64, self.cores[0].clock_ps);
        let least = Least::of(nest, body, &mut scope.clone());
        let plan = Window::plan(self.sampling.share, iterations / threads, least)?;
        Some(Window::new(plan, iterations, threads, started_ps))
    }

    /// Notes the end of a core's chunk in a sampled region; gives the next one while the window is open.
    pub(super) fn next_in_window(&mut self, core: usize, dealt: usize, next: u64) -> Option<(u64, u64)> {
        let window = self.dealt[dealt].window.as_mut()?;
        let mark = window.pass(core, next);
        match mark {
            Some(Mark::Begin) => {
                let counters = Box::new(Counters::of(self));
                self.dealt[dealt].window.as_mut()?.before = Some(counters);
            }
            Some(Mark::Middle) => {
                let cores = self.cores.iter();
                let sums = cores.fold((0, 0), |sum, core| (sum.0 + core.clock_ps, sum.1 + core.calls));
                self.dealt[dealt].window.as_mut()?.middle = Some(sums);
            }
            None => {}
        }
        let window = self.dealt[dealt].window.as_ref()?;
        if window.is_open() { window.chunk(core) } else { None }
    }

    /// Runs windows and gaps of a dealt region to its end; gives the last window.
    pub(super) fn run_windows(
        &mut self,
        dealt: usize,
        pace: &mut Watched<'_, '_>,
    ) -> Result<Option<Window>, Error> {
        loop {
            self.run_team(None, pace)?;
            let Some(mut window) = self.dealt[dealt].window.take() else { return Ok(None) };
            if window.done() == window.all() {
                return Ok(Some(window));
            }
            if let Some(before) = window.before.take() {
                let measured = Counters::of(self).since(&before);
                window.take(&measured, &before, self.cores.iter().map(|core| (core.clock_ps, core.calls)));
                self.skim_gap(dealt, &mut window, &measured)?;
            }
            window.number += 1;
            window.open();
            self.reopen(dealt, window);
            pace.report(self.accesses)?;
        }
    }

    /// Gives every core the first chunk of the window.
    fn reopen(&mut self, dealt: usize, window: Window) {
        let chunks: Vec<_> = (0..self.cores.len()).map(|core| window.chunk(core)).collect();
        self.dealt[dealt].window = Some(window);
        for (core, chunk) in chunks.into_iter().enumerate() {
            let Some((begin, end)) = chunk else { continue };
            let share = self.share(dealt, begin, end);
            self.hand(core, share);
            if let Some(window) = &mut self.dealt[dealt].window {
                window.places[core].started_ps = self.cores[core].clock_ps;
            }
        }
    }

    /// Skims from the end of a window to the start of the next, or to the end.
    fn skim_gap(&mut self, dealt: usize, window: &mut Window, measured: &Counters) -> Result<(), Error> {
        let stratum = window.all() * (window.number + 1) / window.count;
        let gap = stratum.saturating_sub(window.done());
        let (done, spent) = self.of_window(window);
        let is_last = window.number + 1 >= window.count;
        if gap == 0 && !is_last || done == 0 {
            return Ok(());
        }
        let cores = window.places.iter().filter(|place| place.next < place.end).count() as u64;
        let span_ps = Ratio { skipped: gap, measured: done * cores.max(1) }.of(spent);
        let until = |clock: u64| if is_last { u64::MAX } else { clock + span_ps };
        let ends: Vec<u64> = self.cores.iter().map(|core| until(core.clock_ps)).collect();
        let limits = window.places.iter().zip(ends).map(|(place, until)| (place.next, place.end, until));
        let limits: Vec<_> = limits.collect();
        let reached =
            self.skim_all(dealt, &limits, measured, &paces(window.measured.as_deref().unwrap_or(measured)))?;
        window.places.iter_mut().zip(reached).for_each(|(place, next)| place.next = next);
        Ok(())
    }

    /// Iterations and core time of the window so far.
    fn of_window(&self, window: &Window) -> (u64, u64) {
        let places = window.places.iter().zip(&self.cores);
        places.fold((0, 0), |(done, spent), (place, core)| {
            let is_in = place.next > place.start;
            (
                done + (place.next - place.start),
                spent + if is_in { core.clock_ps.saturating_sub(place.started_ps) } else { 0 },
            )
        })
    }

    /// Skims every core from an iteration up to another or to an instant; gives where each stopped.
    fn skim_all(
        &mut self,
        dealt: usize,
        limits: &[(u64, u64, u64)],
        measured: &Counters,
        paces: &[u64],
    ) -> Result<Vec<u64>, Error> {
        let from = self.cores.iter().map(|core| core.clock_ps).min().unwrap_or(0);
        let rates = self.rates(measured);
        let near = self.begin_gap();
        let mut of_callee = vec![0; self.plans.len()];
        let mut reached = Vec::with_capacity(limits.len());
        let mut of_core = Vec::with_capacity(limits.len());
        for (core, limit) in limits.iter().enumerate() {
            let (next, skipped) =
                self.skim_core(dealt, core, *limit, (&rates, paces[core]), &mut of_callee)?;
            reached.push(next);
            of_core.push(Ratio { skipped, measured: measured.cores[core].calls });
        }
        let to = self.cores.iter().map(|core| core.clock_ps).max().unwrap_or(0);
        self.end_gap(measured, &of_core, &of_callee, near, (from, to));
        Ok(reached)
    }

    /// Nothing is seen yet; gives what near memory counted.
    fn begin_gap(&mut self) -> Option<Checks> {
        self.seen.clear();
        self.memory.near().map(|near| near.checks)
    }

    /// Counts what a gap skipped.
    fn end_gap(
        &mut self,
        measured: &Counters,
        of_core: &[Ratio],
        of_callee: &[u64],
        near: Option<Checks>,
        (from, to): (u64, u64),
    ) {
        self.pass_pending();
        self.sampling.skipped += of_callee.iter().sum::<u64>();
        for (plan, calls) in self.plans.iter().zip(of_callee) {
            self.accesses += plan.accesses * calls;
        }
        let pushed_out = near.and_then(|before| {
            let after = std::mem::replace(&mut self.memory.near_mut()?.checks, before);
            Some(after.lines[2] - before.lines[2])
        });
        self.count_skipped(measured, of_core, of_callee, pushed_out, (from, to));
        self.latest_ps = self.latest_ps.max(to);
        self.memory.skip(to - from);
    }

    /// Femtoseconds of a call of each macro.
    fn rates(&self, measured: &Counters) -> Vec<u64> {
        let tallies = measured.tallies.iter().zip(&self.tallies).zip(&self.plans);
        let rate = |((measured, all), plan): ((&CallTally, &CallTally), &MacroPlan)| {
            let from = if measured.calls > 0 { measured } else { all };
            if from.calls > 0 {
                Ratio { skipped: 1000, measured: from.calls }.of(from.total_ps)
            } else {
                plan.compute_fs + plan.overhead_fs
            }
        };
        tallies.map(rate).collect()
    }

    /// Skims one core; gives the iteration it stopped at and its calls.
    fn skim_core(
        &mut self,
        dealt: usize,
        core: usize,
        (mut next, end, until_ps): (u64, u64, u64),
        (rates, pace): (&[u64], u64),
        of_callee: &mut [u64],
    ) -> Result<(u64, u64), Error> {
        let region = self.dealt[dealt].region;
        let RegionKind::Nest { body, .. } = &region.kind else { return Ok((next, 0)) };
        let scope = self.dealt[dealt].feeder.scope().clone();
        let mut skim = Skim::new(core, scope, self.plans.len());
        skim.seek(region, next);
        let (mut skipped, mut carry_fs) = (0, 0);
        while next < end && self.cores[core].clock_ps < until_ps {
            skim.calls.fill(0);
            self.skim(body, &mut skim)?;
            let mut time_fs = 0;
            for (callee, calls) in skim.calls.iter().enumerate().filter(|(_, calls)| **calls > 0) {
                time_fs += rates[callee] * calls;
                of_callee[callee] += calls;
                skipped += calls;
                self.cores[core].compute_fs += u128::from(self.plans[callee].compute_fs) * u128::from(*calls);
            }
            let time_fs = (u128::from(time_fs) * u128::from(pace) / u128::from(WHOLE)) as u64 + carry_fs;
            carry_fs = time_fs % 1000;
            self.cores[core].clock_ps += time_fs / 1000 + std::mem::take(&mut skim.fault_ps);
            next += 1;
            if next < end {
                skim.advance(region);
            }
        }
        Ok((next, skipped))
    }

    /// Runs a loop of the serial thread, the regions inside included, by windows of iterations: all cores meet in each.
    pub(super) fn run_loop(
        &mut self,
        repeated: &'p Loop,
        mut scope: Scope,
        pace: &mut Watched<'_, '_>,
    ) -> Result<(), Error> {
        let iterations = repeated.nest.count(&mut scope);
        let each = calls_of_loop(repeated, &mut scope).div_ceil(iterations);
        let was_in_loop = self.sampling.in_loop;
        let is_free = self.outstanding == 0 && !self.sampling.in_loop;
        let plan =
            if is_free { Window::plan(self.sampling.share, iterations, Least::of_loop(each)) } else { None };
        self.sampling.in_loop |= each < LONG_CALLS;
        let (length, count) = plan.unwrap_or((iterations, 1));
        let mut next = 0;
        let mut goes_on = repeated.nest.start(&mut scope);
        for number in 0..count {
            let (start, end) = (next, iterations * (number + 1) / count);
            let mut before = None;
            while goes_on && next < (start + length).min(end) {
                if (next - start) * LEAD >= length {
                    before.get_or_insert_with(|| Box::new(Counters::of(self)));
                }
                let codes =
                    if next == 0 && !repeated.first.is_empty() { &repeated.first } else { &repeated.body };
                self.run_codes(codes, scope.clone(), pace)?;
                (goes_on, next) = (repeated.nest.advance(&mut scope), next + 1);
            }
            let Some(before) = before else { continue };
            let measured = Counters::of(self).since(&before);
            if next < end && measured.calls() > 0 {
                self.skim_iterations(repeated, &mut scope, end - next, &measured)?;
                (goes_on, next) = (next < iterations, end);
            }
        }
        self.sampling.in_loop = was_in_loop;
        pace.report(self.accesses)
    }

    /// Skims so many iterations of a serial loop.
    fn skim_iterations(
        &mut self,
        repeated: &Loop,
        scope: &mut Scope,
        iterations: u64,
        measured: &Counters,
    ) -> Result<(), Error> {
        let from = self.clock_ps();
        self.cores.iter_mut().for_each(|core| core.idle_until(from));
        let near = self.begin_gap();
        let faults = |core: &Core<'_>| core.stalls[usize::from(Source::FAULT.0)];
        let before: Vec<u64> = self.cores.iter().map(faults).collect();
        let mut skim = Skim::new(0, scope.clone(), self.plans.len());
        skim.threads = self.cores.len() as u64;
        // All cores go on by the same time, whether they worked or waited.
        let measured_ps = measured.cores.iter().map(|core| core.clock_ps).max().unwrap_or(0);
        let so_far = |skim: &Skim| Ratio { skipped: skim.calls.iter().sum(), measured: measured.calls() };
        for _ in 0..iterations {
            self.skim(&repeated.body, &mut skim)?;
            skim.step(&repeated.nest);
            let now_ps = from + so_far(&skim).of(measured_ps) + skim.fault_ps;
            self.cores.iter_mut().for_each(|core| core.clock_ps = now_ps);
        }
        *scope = skim.scope();
        let all = so_far(&skim);
        let of_callee = skim.calls;
        let due_ps = self.due_ps();
        self.cores[0].stalls[usize::from(Source::OVERHEAD.0)] += due_ps;
        let span_ps = all.of(measured_ps) + skim.fault_ps + due_ps;
        for (number, (core, counts)) in self.cores.iter_mut().zip(&measured.cores).enumerate() {
            core.compute_fs += u128::from(all.of(counts.compute_ps)) * 1000;
            let own_ps = all.of(counts.clock_ps) + faults(core) - before[number];
            core.clock_ps = from + own_ps + if number == 0 { due_ps } else { 0 };
            core.idle_until(from + span_ps);
            core.clock_ps = from + span_ps;
        }
        let of_core = vec![all; self.cores.len()];
        self.end_gap(measured, &of_core, &of_callee, near, (from, from + span_ps));
        self.meet();
        self.sampling.records.note_loop(span_ps - due_ps);
        Ok(())
    }

    /// Whether calls of a region may be left out.
    pub(super) fn may_sample(&self, region: &Region) -> bool {
        self.sampling.reuses
            && !self.sampling.in_loop
            && !region.nowait
            && self.outstanding == 0
            && self.schedule == Schedule::Static
    }

    /// Skims a dealt region whole.
    pub(super) fn skim_whole(&mut self, dealt: usize, measured: &Counters) -> Result<(), Error> {
        let (iterations, threads) = (self.dealt[dealt].iterations, self.cores.len() as u64);
        let limits = (0..threads).map(|core| {
            let (begin, end) = static_share(iterations, threads, core);
            (begin, end, u64::MAX)
        });
        let limits: Vec<_> = limits.collect();
        let now = self.cores[0].clock_ps;
        self.cores.iter_mut().for_each(|core| core.idle_until(now));
        self.skim_all(dealt, &limits, measured, &paces(measured))?;
        Ok(())
    }
}

/// How much longer than on average a call takes each core, in millionths of the average.
fn paces(measured: &Counters) -> Vec<u64> {
    let (time, calls) = measured.totals();
    let pace = |core: &CoreCounts| {
        if core.calls == 0 || time == 0 {
            return WHOLE;
        }
        let own = u128::from(core.clock_ps) * u128::from(calls) * u128::from(WHOLE);
        (own / (u128::from(core.calls) * u128::from(time))) as u64
    };
    measured.cores.iter().map(pace).collect()
}
