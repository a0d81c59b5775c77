//! Parallel regions: dealt to the cores by the schedule, and run whole, by windows, or as one of their form was.

use super::Engine;
use crate::Error;
use crate::replay::Watched;
use crate::stream::program::Region;
use crate::stream::program::feeder::Feeder;
use crate::stream::sample::counters::Counters;
use crate::stream::sample::window::Window;

/// A core's part of a region.
pub(in crate::stream) struct Share<'p> {
    pub dealt: usize,
    pub feeder: Feeder<'p>,
    pub is_done: bool,
    /// First iteration past the present chunk.
    pub end: u64,
    /// When it was dealt.
    pub from_ps: u64,
}

/// A region that was dealt.
pub(in crate::stream) struct Dealt<'p> {
    pub region: &'p Region,
    pub feeder: Feeder<'p>,
    pub iterations: u64,
    pub next: u64,
    /// When it was dealt.
    pub from_ps: u64,
    /// Of a region that is sampled.
    pub window: Option<Window>,
}

impl<'p> Engine<'p> {
    /// Deals a region and runs it to its end: as one of its form that was simulated before, by windows, or whole.
    pub(super) fn run_region(
        &mut self,
        region: &'p Region,
        serial: &Feeder<'p>,
        pace: &mut Watched<'_, '_>,
    ) -> Result<(), Error> {
        let iterations = region.iterations(&mut serial.scope().clone());
        let (number, started_ps) = (self.dealt.len(), self.clock_ps());
        let (measured, relative) = if let Some(known) = self.known(region, iterations) {
            self.put_forward(region, serial, iterations);
            self.skim_whole(number, &known)?;
            pace.report(self.accesses)?;
            (Some(known), None)
        } else if let Some(window) = self.window(region, iterations, serial.scope()) {
            self.deal(region, serial, Some(window));
            let last = self.run_windows(number, pace)?;
            let relative = last.as_ref().map(Window::relative_variance);
            (last.and_then(|window| window.measured), relative)
        } else {
            self.deal(region, serial, None);
            let before = self.is_recorded(region, iterations).then(|| Counters::of(self));
            self.run_team(None, pace)?;
            (before.map(|before| Box::new(Counters::of(self).since(&before))), None)
        };
        let time_ps = self.clock_ps() - started_ps;
        self.keep_record(region, iterations, measured, (time_ps, relative));
        Ok(())
    }

    /// Deals a region to all cores from core 0's present clock on.
    pub(super) fn deal(&mut self, region: &'p Region, serial: &Feeder<'p>, window: Option<Window>) {
        let mut scope = serial.scope().clone();
        let iterations = region.iterations(&mut scope);
        let number = self.dealt.len();
        self.put_forward(region, serial, iterations);
        self.dealt[number].window = window;
        for core in 0..self.cores.len() {
            let Some((begin, end)) = self.first_chunk(core, number) else { continue };
            let share = self.share(number, begin, end);
            self.hand(core, share);
        }
    }

    /// Notes a region and its start.
    pub(super) fn put_forward(&mut self, region: &'p Region, serial: &Feeder<'p>, iterations: u64) {
        let feeder = Feeder::member(region, serial.scope().clone(), 0, 0);
        let now = self.cores[0].clock_ps;
        self.dealt.push(Dealt { region, feeder, iterations, next: 0, from_ps: now, window: None });
        if self.outstanding == 0 {
            self.cpu_use.alone(now, self.cores.len() as u64);
        }
        self.memory.rest(now, self.cores.len());
    }

    /// Gives a core a share, to run now or behind those that it has.
    pub(in crate::stream) fn hand(&mut self, core: usize, share: Share<'p>) {
        self.outstanding += 1;
        let own = &mut self.cores[core];
        let is_idle = own.share.is_none();
        own.waiting.push_back(share);
        if is_idle {
            own.next_share();
            let clock = own.clock_ps;
            self.queue.set(core, clock);
        }
    }

    pub(in crate::stream) fn share(&self, dealt: usize, begin: u64, end: u64) -> Share<'p> {
        let Dealt { region, feeder, from_ps, .. } = &self.dealt[dealt];
        let feeder = Feeder::member(region, feeder.scope().clone(), begin, end);
        Share { dealt, feeder, is_done: false, end, from_ps: *from_ps }
    }

    /// The first iterations of a core; `None` if it has none.
    pub(super) fn first_chunk(&mut self, core: usize, dealt: usize) -> Option<(u64, u64)> {
        if let Some(window) = &self.dealt[dealt].window {
            return window.chunk(core);
        }
        let (schedule, threads) = (self.schedule, self.cores.len() as u64);
        let Dealt { iterations, next, .. } = &mut self.dealt[dealt];
        let (begin, end) = schedule.first(core as u64, threads, *iterations);
        if begin < end { Some((begin, end)) } else { schedule.next(end, threads, *iterations, next) }
    }

    /// The chunk after one that a core has finished.
    pub(super) fn next_chunk(&mut self, core: usize, dealt: usize, end: u64) -> Option<(u64, u64)> {
        if self.dealt[dealt].window.is_some() {
            return self.next_in_window(core, dealt, end);
        }
        let (schedule, threads) = (self.schedule, self.cores.len() as u64);
        let Dealt { iterations, next, .. } = &mut self.dealt[dealt];
        schedule.next(end, threads, *iterations, next)
    }
}
