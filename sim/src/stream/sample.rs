//! Sampling: of every large parallel region, windows of whole rows are simulated; what lies between is skimmed.
//!
//! A region is cut into strata of equal length, each of which begins with a window. In a window all cores go on until
//! the slowest has done its part of it, so that all of them meet in simulated time as they would; behind it every core
//! skips the same stretch of *time* at its own pace. What calls cost comes from the later part of the window, when
//! caches have settled. Regions that are too short for windows but come again and again in the same form (a depthwise
//! convolution is one for each channel) are simulated now and then, and skimmed in between.
//!
//! Near memory is carried along exactly where it matters most: objects that are touched in a gap pass through its tags
//! once, and dirty lines that this pushes out are counted from there, since most leave with the first pass over a
//! tensor. Reads that miss are counted from windows, where objects meet each other often enough.
//!
//! **Known to be wrong**: convoys that coarsen over a whole layer; last-level caches hold what the last window left.
//! Time spent waiting for dirty lines that only gaps push out is lost. `docs/sampling.md` holds the errors against
//! full runs.

use std::collections::HashMap;

use hetier_traces::loops::Scope;

use super::counters::{Counters, Ratio};
use super::engine::{CallTally, Engine, static_share};
use super::options::Pace;
use super::plan::MacroPlan;
use super::program::{Loop, Region, RegionKind};
use super::size::{calls, calls_of_loop};
use super::skim::Skim;
use crate::Error;
use crate::replay::Schedule;

/// Most windows of a region.
const WINDOWS: u64 = 8;

/// Calls of a core that a window has at least.
const SHORTEST: u64 = 128;

/// Calls of an iteration from which on it is taken for a sum over a window of inputs.
const OF_SUM: u64 = 16;

/// Calls from which on a loop of the serial thread is sampled.
const LOOP_CALLS: u64 = 1024;

/// Steps of a window, after each of which a core looks whether the window is over.
const STEPS: u64 = 16;

/// Part of a window that is not measured: a third.
const LEAD: u64 = 3;

/// Times that a short region is simulated before it is skimmed for the first time.
const REHEARSALS: u64 = 2;

/// A million, the whole of a share.
pub const WHOLE: u64 = 1_000_000;

/// Where a core is in its share of a region.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// First iteration of the share, first of the window, next one, and the end of the share.
    begin: u64,
    start: u64,
    next: u64,
    end: u64,
    started_ps: u64,
    has_led: bool,
    is_halfway: bool,
    is_done: bool,
}

/// A point of a window that the last core has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// The measured part begins.
    Begin,
    /// Half of it is over.
    Middle,
}

/// The present window of a region.
#[derive(Debug)]
pub(super) struct Window {
    length: u64,
    count: u64,
    number: u64,
    places: Vec<Place>,
    leading: usize,
    halving: usize,
    open: usize,
    before: Option<Box<Counters>>,
    /// Core time and calls at the middle of the measured part.
    middle: Option<(u64, u64)>,
    /// Over all windows: core time and calls by core.
    measured: Vec<(u64, u64)>,
    /// Core time of a call in each half of a window's measured part, femtoseconds.
    paces: Vec<u64>,
    started_ps: u64,
}

/// What a simulated region of a form counted, and how often the form came.
#[derive(Debug)]
pub(super) struct Record {
    times: u64,
    measured: Option<Box<Counters>>,
}

/// The state of sampling.
#[derive(Debug, Default)]
pub(super) struct Sampling {
    /// Share of calls to simulate, millionths; [`WHOLE`] for all.
    share: u64,
    records: HashMap<(u64, u64), Record>,
    /// Calls not simulated.
    pub skipped: u64,
    /// Variance of the run's time, square picoseconds.
    variance: f64,
}

impl Sampling {
    /// Sampling of so many millionths of all calls.
    pub fn new(share: u64) -> Self {
        Self { share: share.min(WHOLE), ..Self::default() }
    }

    /// Calls from which on loops of the serial thread are sampled.
    pub const fn loop_calls(&self) -> u64 {
        if self.share < WHOLE { LOOP_CALLS } else { u64::MAX }
    }

    /// Standard error of the run's time by the spread between halves of windows, seconds.
    pub fn error_seconds(&self) -> f64 {
        self.variance.sqrt() / 1e12
    }
}

impl Window {
    /// The window plan of a region, `None` if it is better simulated whole.
    fn plan(share: u64, each: u64, least: u64) -> Option<(u64, u64)> {
        let wanted = each * share / WHOLE;
        let length = (wanted / WINDOWS).next_multiple_of(least).max(least);
        let count = (wanted / length).clamp(1, WINDOWS);
        (share < WHOLE && 2 * length * count <= each).then_some((length, count))
    }

    /// Iterations that a core takes at once.
    const fn step(&self) -> u64 {
        let step = self.length / STEPS;
        if step == 0 { 1 } else { step }
    }

    /// The next iterations of a core.
    pub fn chunk(&self, core: usize) -> Option<(u64, u64)> {
        let place = self.places[core];
        (place.next < place.end).then(|| (place.next, (place.next + self.step()).min(place.end)))
    }

    /// Opens a window at the present places.
    fn open(&mut self) {
        let mut cores = 0;
        for place in &mut self.places {
            let has_work = place.next < place.end;
            place.start = place.next;
            (place.has_led, place.is_halfway, place.is_done) = (!has_work, !has_work, !has_work);
            cores += usize::from(has_work);
        }
        (self.leading, self.halving, self.open) = (cores, cores, cores);
        (self.before, self.middle) = (None, None);
    }

    /// Notes that a core is done with a chunk; gives the mark if it is the last to come to one.
    fn pass(&mut self, core: usize, next: u64) -> Option<Mark> {
        let place = &mut self.places[core];
        place.next = next;
        let (done, is_over) = (next - place.start, next == place.end);
        let comes = |is_past: &mut bool, cores: &mut usize, at: u64| {
            let is_here = !*is_past && (is_over || LEAD * done >= at * self.length);
            *is_past |= is_here;
            *cores -= usize::from(is_here);
            is_here && *cores == 0
        };
        let begins = comes(&mut place.has_led, &mut self.leading, 1);
        let is_middle = comes(&mut place.is_halfway, &mut self.halving, 2);
        comes(&mut place.is_done, &mut self.open, LEAD);
        match (begins, is_middle) {
            (true, _) => Some(Mark::Begin),
            (_, true) => Some(Mark::Middle),
            _ => None,
        }
    }

    /// Iterations from the start of the share to here, over all cores.
    fn done(&self) -> u64 {
        self.places.iter().map(|place| place.next - place.begin).sum()
    }

    /// Notes what a call took in each half of the measured part.
    fn note_paces(&mut self, before: &Counters, cores: impl Iterator<Item = (u64, u64)>) {
        let start = before.totals();
        let end = cores.fold((0, 0), |sum, core| (sum.0 + core.0, sum.1 + core.1));
        let middle = self.middle.unwrap_or(end);
        for (from, to) in [(start, middle), (middle, end)] {
            if to.1 > from.1 {
                self.paces.push(Ratio { skipped: 1000, measured: to.1 - from.1 }.of(to.0 - from.0));
            }
        }
    }

    fn all(&self) -> u64 {
        self.places.iter().map(|place| place.end - place.begin).sum()
    }
}

impl<'p> Engine<'p> {
    /// The window of a region that is about to be dealt, if it is to be sampled.
    pub(super) fn window(&self, region: &Region, iterations: u64, scope: &Scope) -> Option<Window> {
        if !self.may_sample(region) {
            return None;
        }
        let RegionKind::Nest { nest, body } = &region.kind else { return None };
        let mut scope = scope.clone();
        let has_rows = nest.start(&mut scope) && nest.ranges() > 1;
        let row = nest.row(&scope);
        let each = calls(body, &mut scope).max(1);
        // Sums reuse inputs along rows; what does one thing to each element has none.
        let row = if has_rows && each >= OF_SUM { row } else { 1 };
        let least = row.max(SHORTEST.div_ceil(each));
        let threads = self.cores.len() as u64;
        let (length, count) = Window::plan(self.sampling.share, iterations / threads, least)?;
        let places = (0..threads).map(|core| {
            let (begin, end) = static_share(iterations, threads, core);
            Place { begin, next: begin, end, ..Place::default() }
        });
        let mut window = Window {
            length,
            count,
            number: 0,
            places: places.collect(),
            leading: 0,
            halving: 0,
            open: 0,
            before: None,
            middle: None,
            measured: vec![(0, 0); threads as usize],
            paces: Vec::new(),
            started_ps: self.cores[0].clock_ps,
        };
        window.places.iter_mut().for_each(|place| place.started_ps = window.started_ps);
        window.open();
        Some(window)
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
        if window.open == 0 { None } else { window.chunk(core) }
    }

    /// Runs windows and gaps of a dealt region to its end.
    pub(super) fn run_windows(&mut self, dealt: usize, pace: &mut Pace<'_, '_>) -> Result<(), Error> {
        loop {
            self.run_team(None, pace)?;
            let Some(mut window) = self.dealt[dealt].window.take() else { return Ok(()) };
            if window.done() == window.all() {
                self.note_spread(&window);
                return Ok(());
            }
            if let Some(before) = window.before.take() {
                window.note_paces(&before, self.cores.iter().map(|core| (core.clock_ps, core.calls)));
                let measured = Counters::of(self).since(&before);
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
        for (sum, core) in window.measured.iter_mut().zip(&measured.cores) {
            *sum = (sum.0 + core.clock_ps, sum.1 + core.calls);
        }
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
        let reached = self.skim_all(dealt, &limits, measured, &paces(&window.measured))?;
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
    fn begin_gap(&mut self) -> Option<[u64; 3]> {
        self.seen.clear();
        self.memory.near().map(|near| near.lines)
    }

    /// Counts what a gap skipped.
    fn end_gap(
        &mut self,
        measured: &Counters,
        of_core: &[Ratio],
        of_callee: &[u64],
        near: Option<[u64; 3]>,
        (from, to): (u64, u64),
    ) {
        self.pass_pending();
        self.sampling.skipped += of_callee.iter().sum::<u64>();
        for (plan, calls) in self.plans.iter().zip(of_callee) {
            self.accesses += plan.accesses * calls;
        }
        let pushed_out = near.map(|before| {
            let now = self.memory.near().map_or(before, |near| near.lines);
            if let Some(near) = self.memory.near_mut() {
                near.lines = before;
            }
            now[2] - before[2]
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
                self.cores[core].compute_fs += self.plans[callee].compute_fs * calls;
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
        pace: &mut Pace<'_, '_>,
    ) -> Result<(), Error> {
        let iterations = repeated.nest.count(&mut scope);
        let least = SHORTEST.div_ceil(calls_of_loop(repeated, &mut scope).div_ceil(iterations).max(1));
        let plan =
            if self.outstanding == 0 { Window::plan(self.sampling.share, iterations, least) } else { None };
        let (length, count) = plan.unwrap_or((iterations, 1));
        let mut next = 0;
        let mut goes_on = repeated.nest.start(&mut scope);
        for number in 0..count {
            let (start, end) = (next, iterations * (number + 1) / count);
            let mut before = None;
            while goes_on && next < (start + length).min(end) {
                if (next - start) * LEAD >= length || length == 1 {
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
        let near = self.begin_gap();
        let mut skim = Skim::new(0, scope.clone(), self.plans.len());
        skim.threads = self.cores.len() as u64;
        for _ in 0..iterations {
            self.skim(&repeated.body, &mut skim)?;
            skim.step(&repeated.nest);
        }
        *scope = skim.scope();
        let of_callee = skim.calls;
        let all = Ratio { skipped: of_callee.iter().sum(), measured: measured.calls() };
        // All cores go on by the same time, whether they worked or waited.
        let span_ps =
            all.of(measured.cores.iter().map(|core| core.clock_ps).max().unwrap_or(0)) + skim.fault_ps;
        for (core, counts) in self.cores.iter_mut().zip(&measured.cores) {
            core.clock_ps = from + span_ps;
            core.compute_fs += all.of(counts.compute_fs);
        }
        let of_core = vec![all; self.cores.len()];
        self.end_gap(measured, &of_core, &of_callee, near, (from, from + span_ps));
        Ok(())
    }

    /// What the spread between the windows of a region adds to the error of the run's time.
    fn note_spread(&mut self, window: &Window) {
        let count = window.paces.len() as f64;
        if count < 2.0 {
            return;
        }
        let paces = || window.paces.iter().map(|pace| *pace as f64);
        let mean = paces().sum::<f64>() / count;
        let variance = paces().map(|pace| (pace - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let time_ps = self.cores.iter().map(|core| core.clock_ps).max().unwrap_or(0) - window.started_ps;
        self.sampling.variance += variance / count / mean.powi(2) * (time_ps as f64).powi(2);
    }

    fn may_sample(&self, region: &Region) -> bool {
        self.sampling.share < WHOLE
            && !region.nowait
            && self.outstanding == 0
            && self.schedule == Schedule::Static
    }

    /// What a region of the same form counted, if this one need not be simulated.
    pub(super) fn known(&mut self, region: &Region, iterations: u64) -> Option<Box<Counters>> {
        if !self.may_sample(region) || !matches!(region.kind, RegionKind::Nest { .. }) {
            return None;
        }
        let share = self.sampling.share;
        let record = self.sampling.records.entry((region.form, iterations));
        let record = record.or_insert(Record { times: 0, measured: None });
        let times = record.times;
        record.times += 1;
        let is_due = times < REHEARSALS || times * share / WHOLE > (times - 1) * share / WHOLE;
        if is_due { None } else { record.measured.take() }
    }

    /// Whether what a region counts is kept for others of its form.
    pub(super) fn is_recorded(&self, region: &Region, iterations: u64) -> bool {
        self.sampling.records.contains_key(&(region.form, iterations))
    }

    /// Keeps what a region of a form counted.
    pub(super) fn keep_record(&mut self, region: &Region, iterations: u64, measured: Box<Counters>) {
        if let Some(record) = self.sampling.records.get_mut(&(region.form, iterations)) {
            record.measured = Some(measured);
        }
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
        let spent: Vec<(u64, u64)> = measured.cores.iter().map(|core| (core.clock_ps, core.calls)).collect();
        self.skim_all(dealt, &limits, measured, &paces(&spent))?;
        Ok(())
    }
}

/// How much longer than on average a call takes each core, in millionths of the average.
fn paces(spent: &[(u64, u64)]) -> Vec<u64> {
    let (time, calls) = spent.iter().fold((0, 0), |sum, core| (sum.0 + core.0, sum.1 + core.1));
    let pace = |(own_time, own_calls): &(u64, u64)| {
        if *own_calls == 0 || time == 0 {
            return WHOLE;
        }
        let own = u128::from(*own_time) * u128::from(calls) * u128::from(WHOLE);
        (own / (u128::from(*own_calls) * u128::from(time))) as u64
    };
    spent.iter().map(pace).collect()
}
