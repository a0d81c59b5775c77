//! A machine at work: cores and caches on one side, memory on the other, and the loop that keeps their time.
//!
//! The simulation is conservative. The core with the lowest clock runs until it blocks, or until its clock passes the
//! next core's by a quantum. Devices are advanced only when the lowest core is blocked, and never past the instant
//! at which a request of any core could still reach them: the way from a core to a controller and back is the
//! lookahead. Nothing depends on the host, so the same input gives the same result.
//!
//! Two threads that touch one line within a quantum may be served in the other order; that is the only inexactness.

mod histogram;
mod lane;
mod layout;
mod link;
mod memory;
mod port;
mod tap;
mod traffic;

pub use histogram::Histogram;
pub(crate) use layout::divide;
pub use layout::{Layout, Line, TierLayout};
pub use link::{Links, Steady};
pub use memory::{Answer, BuildDevice, Memory, Submission, Waiter};
pub use port::{Issue, Port};
pub use tap::{Take, Tap, Tapped};
pub use traffic::{LineCounts, TrafficCounters};

use crate::cache::{Caches, Word};
use crate::core::{Core, State};
use crate::device::literal::DeviceConfig;
use crate::mode::Mode;
use crate::system::System;
use crate::{Error, Picoseconds};

/// Without an answer for so long, while all cores wait since before, something is lost: no device keeps a line for 10 ms.
const PATIENCE: Picoseconds = Picoseconds(10_000_000_000);

/// What a thread says when it gives its core back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It ran as long as it was allowed to.
    Ready,
    /// An operation was [`Issue::Blocked`].
    Blocked,
    /// It waits for another thread to [`Port::unpark`] it.
    Parked,
    /// It has nothing left to do.
    Finished,
}

/// The threads of a run, one for each core in use.
pub trait Workload {
    /// Runs the thread of `port`'s core until its clock passes `until`, an operation is blocked, or it has to wait.
    ///
    /// # Errors
    /// Whatever is wrong with the work; it ends the run.
    fn run(&mut self, port: &mut Port<'_>, until: Picoseconds) -> Result<Activity, Error>;
}

/// How a machine is set up for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineSettings<'s> {
    /// Socket of each core in use, one for each thread; at most 128.
    pub sockets: &'s [usize],
    /// Whether the prefetcher is on.
    pub prefetches: bool,
    /// Whether pages have 2 MiB.
    pub has_huge_pages: bool,
}

/// Cores, caches and memory.
pub struct Machine {
    /// The cores in use.
    pub cores: Vec<Core>,
    /// Their caches.
    pub caches: Caches,
    /// Everything behind them.
    pub memory: Memory,
    l1_latency: Picoseconds,
    l2_latency: Picoseconds,
    l3_latency: Picoseconds,
    forward: Picoseconds,
    link_round_trip: Picoseconds,
    clwb_keeps_line: bool,
    combining_path: Picoseconds,
    leaving: Vec<Word>,
    answers: Vec<Answer>,
    /// When an answer came last, or a core could run.
    alive: Picoseconds,
}

impl Machine {
    /// A machine with the devices that the system names.
    ///
    /// # Errors
    /// Those of the device files.
    pub fn new(system: &System, settings: &MachineSettings<'_>, mode: Box<dyn Mode>) -> Result<Self, Error> {
        let configs = system.tiers.iter().map(|tier| DeviceConfig::load(&tier.device));
        let configs = configs.collect::<Result<Vec<_>, _>>()?;
        Self::with_devices(system, settings, mode, &mut |tier| Ok(configs[tier].build()))
    }

    /// A machine with devices of the caller's choice.
    ///
    /// # Errors
    /// Those of `build`.
    pub fn with_devices(
        system: &System,
        settings: &MachineSettings<'_>,
        mode: Box<dyn Mode>,
        build: &mut BuildDevice<'_>,
    ) -> Result<Self, Error> {
        let core = |socket: &usize| Core::new(system, *socket, settings.prefetches, settings.has_huge_pages);
        let link = system.link.map_or(Picoseconds::ZERO, |link| link.request + link.response);
        Ok(Self {
            cores: settings.sockets.iter().map(core).collect(),
            caches: Caches::new(system, settings.sockets),
            memory: Memory::new(system, mode, build)?,
            l1_latency: system.l1.latency,
            l2_latency: system.l2.latency,
            l3_latency: system.l3.latency,
            forward: system.forward,
            link_round_trip: link,
            clwb_keeps_line: system.clwb_keeps_line,
            combining_path: system.limits.combining_path,
            leaving: Vec::with_capacity(64),
            answers: Vec::new(),
            alive: Picoseconds::ZERO,
        })
    }

    /// The port of a core.
    pub const fn port(&mut self, core: usize) -> Port<'_> {
        Port { machine: self, core }
    }

    /// Runs a workload until all its threads have finished and memory is idle.
    ///
    /// # Errors
    /// - Those of the workload.
    /// - [`Error::Stuck`] if nothing can happen although threads wait.
    pub fn run(&mut self, workload: &mut impl Workload) -> Result<(), Error> {
        self.proceed(workload)?;
        self.finish();
        Ok(())
    }

    /// Runs a workload until all its threads have finished; memory may still be at work on their last stores.
    ///
    /// # Errors
    /// As [`Machine::run`].
    pub fn proceed(&mut self, workload: &mut impl Workload) -> Result<(), Error> {
        // 1. Take the core that is furthest behind.
        while let Some((core, limit)) = self.lowest() {
            // 2. If it can run, let it run a little past the next one.
            if self.cores[core].state == State::Ready {
                let until = limit + self.quantum();
                let activity = workload.run(&mut self.port(core), until)?;
                self.note(core, activity);
            } else {
                // 3. Otherwise let memory get on until it can.
                self.advance(core)?;
            }
        }
        let parked = self.cores.iter().filter(|core| core.state == State::Parked).count();
        if parked > 0 {
            return Err(self.stuck(parked));
        }
        Ok(())
    }

    fn note(&mut self, core: usize, activity: Activity) {
        let state = &mut self.cores[core].state;
        match activity {
            Activity::Parked => *state = State::Parked,
            Activity::Finished => *state = State::Finished,
            // A blocked operation has set the state itself.
            Activity::Ready | Activity::Blocked => {}
        }
    }

    /// A quarter of the lookahead: enough for a batch of hits, little against any latency.
    fn quantum(&self) -> Picoseconds {
        Picoseconds(self.memory.lookahead().0 / 4)
    }

    /// The core that is furthest behind, and the instant of the next one.
    fn lowest(&self) -> Option<(usize, Picoseconds)> {
        let (mut lowest, mut first, mut second) = (None, Picoseconds::NEVER, Picoseconds::NEVER);
        for (number, core) in self.cores.iter().enumerate() {
            let at = match core.state {
                State::Ready => core.clock,
                State::Blocked { bound, .. } => bound,
                State::Parked | State::Finished => continue,
            };
            if at < first {
                (lowest, first, second) = (Some(number), at, first);
            } else if at < second {
                second = at;
            }
        }
        // A core alone still stops now and then, so that the caller can look in.
        lowest.map(|core| (core, second.min(first + Picoseconds(1_000_000))))
    }

    /// Lets memory get on, for the sake of a blocked core.
    fn advance(&mut self, core: usize) -> Result<(), Error> {
        let ready = self.cores.iter().filter(|core| core.state == State::Ready).map(|core| core.clock).min();
        let before = self.memory.horizon();
        let event = self.memory.next_event();
        if event == Picoseconds::NEVER && ready.is_none() {
            let waiting =
                self.cores.iter().filter(|core| matches!(core.state, State::Blocked { .. })).count();
            return Err(self.stuck(waiting));
        }
        // No request that is still to come can arrive before either limit.
        let by_answers = event.max(before).0.saturating_add(self.memory.lookahead().0);
        let by_cores = ready.map_or(u64::MAX, |clock| (clock + self.memory.request()).0);
        let until = Picoseconds(by_answers.min(by_cores)).max(before);
        let mut answers = std::mem::take(&mut self.answers);
        self.memory.advance(until, &mut answers);
        // Cores that computed for long have not waited meanwhile.
        let waiting_since = self.cores.iter().map(|core| core.clock).fold(self.alive, Picoseconds::max);
        if !answers.is_empty() || ready.is_some() {
            self.alive = until;
        } else if until.saturating_sub(waiting_since) > PATIENCE {
            return Err(self.stuck(self.cores.len()));
        }
        self.answers = answers;
        self.deliver();
        let certain = self.certain();
        for other in &mut self.cores {
            if let State::Blocked { bound, known } = &mut other.state {
                if *known <= certain {
                    other.state = State::Ready;
                } else {
                    *bound = certain.max(*bound);
                }
            }
        }
        // Without progress, let the cores that can run go first.
        if let (State::Blocked { bound, .. }, Some(ready)) = (&mut self.cores[core].state, ready)
            && until == before
        {
            *bound = (*bound).max(ready) + Picoseconds(1);
        }
        Ok(())
    }

    fn stuck(&self, waiting: usize) -> Error {
        let latest = self.cores.iter().map(|core| core.clock.0).max().unwrap_or(0);
        Error::Stuck { ns: latest / 1000, waiting, cores: self.cores.len() }
    }

    /// Lets memory finish what is under way.
    pub fn finish(&mut self) {
        while self.memory.next_event() < Picoseconds::NEVER {
            let until = self.memory.next_event().max(self.memory.horizon()) + self.memory.lookahead();
            let mut answers = std::mem::take(&mut self.answers);
            self.memory.advance(until, &mut answers);
            self.answers = answers;
            self.deliver();
        }
    }
}

#[cfg(test)]
mod tests;
