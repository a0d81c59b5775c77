//! The windows of a sampled region: which iterations of each core are simulated, and which of those are measured.

use hetier_traces::loops::{Nest, Scope};

use super::WHOLE;
use super::counters::{Counters, Ratio};
use crate::replay::schedule::static_share;
use crate::stream::program::Code;
use crate::stream::program::size::calls;

/// Most windows of a region.
const WINDOWS: u64 = 8;

/// Calls of a core that a window has at least.
const SHORTEST: u64 = 128;

/// Calls of an iteration from which on it is taken for a sum over a window of inputs.
const OF_SUM: u64 = 16;

/// Steps of a window, after each of which a core looks whether the window is over.
const STEPS: u64 = 16;

/// Part of a window that is not measured: a third.
pub const LEAD: u64 = 3;

/// Where a core is in its share of a region.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// First iteration of the share.
    begin: u64,
    /// First of the window.
    pub start: u64,
    /// Next one.
    pub next: u64,
    /// End of the share.
    pub end: u64,
    /// When the core began the window.
    pub started_ps: u64,
    has_led: bool,
    is_halfway: bool,
    is_done: bool,
}

/// A point of a window that the last core has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The measured part begins.
    Begin,
    /// Half of it is over.
    Middle,
}

/// The present window of a region.
#[derive(Debug)]
pub struct Window {
    length: u64,
    /// Windows of the region.
    pub count: u64,
    /// Number of this one.
    pub number: u64,
    /// By core.
    pub places: Vec<Place>,
    leading: usize,
    halving: usize,
    open: usize,
    /// What was counted when the measured part began.
    pub before: Option<Box<Counters>>,
    /// Core time and calls at the middle of the measured part.
    pub middle: Option<(u64, u64)>,
    /// What the measured parts of all windows counted.
    pub measured: Option<Box<Counters>>,
    /// Core time of a call in each half of a window's measured part, femtoseconds.
    paces: Vec<u64>,
}

impl Window {
    /// Length and number of windows among `each` iterations of a core; `None` if it is better to simulate all.
    pub fn plan(share: u64, each: u64, least: Least) -> Option<(u64, u64)> {
        let wanted = each * share / WHOLE;
        let length = (wanted / WINDOWS).next_multiple_of(least.length).max(least.length);
        let count = (wanted / length).clamp(least.windows, WINDOWS);
        (share < WHOLE && 2 * length * count <= each).then_some((length, count))
    }

    /// The first window of a region of so many iterations, dealt to `threads` cores.
    pub fn new((length, count): (u64, u64), iterations: u64, threads: u64, started_ps: u64) -> Self {
        let places = (0..threads).map(|core| {
            let (begin, end) = static_share(iterations, threads, core);
            Place { begin, next: begin, end, started_ps, ..Place::default() }
        });
        let mut window = Self {
            length,
            count,
            number: 0,
            places: places.collect(),
            leading: 0,
            halving: 0,
            open: 0,
            before: None,
            middle: None,
            measured: None,
            paces: Vec::new(),
        };
        window.open();
        window
    }

    /// Iterations that a core takes at once.
    const fn step(&self) -> u64 {
        let step = self.length / STEPS;
        if step == 0 { 1 } else { step }
    }

    /// Whether cores are still in it.
    pub const fn is_open(&self) -> bool {
        self.open > 0
    }

    /// The next iterations of a core.
    pub fn chunk(&self, core: usize) -> Option<(u64, u64)> {
        let place = self.places[core];
        (place.next < place.end).then(|| (place.next, (place.next + self.step()).min(place.end)))
    }

    /// Opens a window at the present places.
    pub fn open(&mut self) {
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
    pub fn pass(&mut self, core: usize, next: u64) -> Option<Mark> {
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
    pub fn done(&self) -> u64 {
        self.places.iter().map(|place| place.next - place.begin).sum()
    }

    /// Iterations of the region.
    pub fn all(&self) -> u64 {
        self.places.iter().map(|place| place.end - place.begin).sum()
    }

    /// Takes what the measured part of the window counted, `cores` being each core's time and calls at its end.
    pub fn take(&mut self, measured: &Counters, before: &Counters, cores: impl Iterator<Item = (u64, u64)>) {
        let start = before.totals();
        let end = cores.fold((0, 0), |sum, core| (sum.0 + core.0, sum.1 + core.1));
        let middle = self.middle.unwrap_or(end);
        for (from, to) in [(start, middle), (middle, end)] {
            if to.1 > from.1 {
                self.paces.push(Ratio { skipped: 1000, measured: to.1 - from.1 }.of(to.0 - from.0));
            }
        }
        match &mut self.measured {
            Some(sum) => sum.add(measured),
            None => self.measured = Some(Box::new(measured.clone())),
        }
    }

    /// Variance of the mean pace by the spread between halves of windows, relative to its square.
    pub fn relative_variance(&self) -> f64 {
        let count = self.paces.len() as f64;
        if count < 2.0 {
            return 0.0;
        }
        let paces = || self.paces.iter().map(|pace| *pace as f64);
        let mean = paces().sum::<f64>() / count;
        let variance = paces().map(|pace| (pace - mean).powi(2)).sum::<f64>() / (count - 1.0);
        variance / count / mean.powi(2)
    }
}

/// What windows need at least.
#[derive(Clone, Copy, Debug)]
pub struct Least {
    /// Iterations of a window, of which its length is a multiple.
    pub length: u64,
    /// Windows: one place may be unlike the others.
    pub windows: u64,
}

impl Least {
    /// Of a nest over a body: enough calls, a lead and two halves; of sums a whole row, because outputs share inputs with
    /// their neighbours, or with other cores at the same place of other channels. It is at another place for every core.
    pub fn of(nest: &Nest, body: &[Code], scope: &mut Scope) -> Self {
        let has_rows = nest.start(scope) && nest.ranges() > 1;
        let length = shortest(calls(body, scope)).max(2 * LEAD);
        if has_rows && calls(body, scope) >= OF_SUM {
            Self { length: length.max(nest.row(scope)), windows: 1 }
        } else {
            Self { length, windows: 2 }
        }
    }

    /// Of a serial loop with so many calls in an iteration: a lead, and one to measure.
    pub fn of_loop(calls: u64) -> Self {
        Self { length: shortest(calls).max(2), windows: 1 }
    }
}

/// Iterations of so many calls that a window has at least.
fn shortest(calls: u64) -> u64 {
    SHORTEST.div_ceil(calls.max(1))
}
