//! The threads of a phase: who runs which iterations, and who waits for whom.
//!
//! Core 0 walks the phase. A region is dealt to all cores; core 0 takes its own share and then waits for the others,
//! unless the region is `nowait`. Regions inside a share are run in order by its thread, as OpenMP does by default.

use std::collections::VecDeque;

use hetier_traces::loops::Scope;
use hetier_traces::walk::{Call, Node, Region, Run, Step, Walk};

use super::Engine;
use super::calls::{CallState, Progress};
use crate::core::Source;
use crate::machine::{Activity, Issue, Port, Workload};
use crate::{Error, Picoseconds};

/// A region being run by all threads.
struct Dealt<'n> {
    region: &'n Region,
    /// Variables around the region.
    scope: Scope,
    iterations: u64,
    /// Next iteration to be dealt, for dynamic schedules.
    next: u64,
}

/// A thread's part of a dealt region.
#[derive(Clone, Copy, Debug)]
struct Share {
    /// Number of the dealt region.
    dealt: usize,
    /// Next iteration, and the first past the current chunk.
    next: u64,
    end: u64,
    /// Whether the walk stands inside an iteration.
    is_inside: bool,
}

/// One thread.
struct Thread<'n> {
    queue: VecDeque<Share>,
    share: Option<Share>,
    walk: Walk<'n>,
    call: CallState,
    is_calling: bool,
}

/// What core 0 is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Master {
    Walking,
    /// Waits until all shares are done, then goes on.
    AtBarrier,
    /// Waits until all shares are done, then ends the phase.
    AtEnd,
    Ended,
}

/// The threads of one phase.
pub(super) struct Team<'e, 'n> {
    engine: &'e mut Engine,
    threads: Vec<Thread<'n>>,
    main: Walk<'n>,
    master: Master,
    dealt: Vec<Dealt<'n>>,
    /// Shares not done yet.
    outstanding: usize,
    /// Latest end of a share.
    latest: Picoseconds,
}

impl<'e, 'n> Team<'e, 'n> {
    /// Threads at the start of a phase.
    pub fn new(engine: &'e mut Engine, nodes: &'n [Node], threads: usize) -> Self {
        let thread = || Thread {
            queue: VecDeque::new(),
            share: None,
            walk: Walk::new(&[], Scope::new()),
            call: CallState::default(),
            is_calling: false,
        };
        Self {
            engine,
            threads: (0..threads).map(|_| thread()).collect(),
            main: Walk::new(nodes, Scope::new()),
            master: Master::Walking,
            dealt: Vec::new(),
            outstanding: 0,
            latest: Picoseconds::ZERO,
        }
    }

    /// What all threads share.
    pub const fn engine(&mut self) -> &mut Engine {
        self.engine
    }

    /// Goes on with a thread's call.
    fn run_call(&mut self, port: &mut Port<'_>, until: Picoseconds) -> Result<Progress, Error> {
        let thread = &mut self.threads[port.core()];
        let progress = self.engine.run_call(&mut thread.call, port, until)?;
        if progress == Progress::Done {
            thread.is_calling = false;
            self.engine.finish_call(&thread.call, port);
        }
        Ok(progress)
    }

    /// One step of core 0 outside any share.
    fn step_main(&mut self, port: &mut Port<'_>) -> Result<Option<Activity>, Error> {
        match self.main.next() {
            Some(Step::Region(region)) => return self.meet(region, port),
            Some(Step::Call(call)) => self.begin_call(call, port, true)?,
            Some(Step::Alloc(run)) => self.engine.alloc(run, self.main.scope(), port)?,
            Some(Step::Free(run)) => self.engine.free(run, self.main.scope(), port)?,
            Some(Step::IterationStart(_) | Step::IterationEnd | Step::RegionEnd(_)) => {}
            None => self.master = Master::AtEnd,
        }
        Ok(None)
    }

    /// One step of a share's walk; false at the end of an iteration.
    fn step_share(&mut self, port: &mut Port<'_>) -> Result<bool, Error> {
        let thread = &mut self.threads[port.core()];
        match thread.walk.next() {
            Some(Step::Region(region)) => thread.walk.enter(region),
            Some(Step::Call(call)) => self.begin_call(call, port, false)?,
            Some(Step::Alloc(run)) => {
                let scope = thread.walk.scope().clone();
                self.engine.alloc(run, &scope, port)?;
            }
            Some(Step::Free(run)) => {
                let scope = thread.walk.scope().clone();
                self.engine.free(run, &scope, port)?;
            }
            Some(Step::IterationStart(_) | Step::IterationEnd | Step::RegionEnd(_)) => {}
            None => return Ok(false),
        }
        Ok(true)
    }

    fn begin_call(&mut self, call: &Call, port: &mut Port<'_>, is_main: bool) -> Result<(), Error> {
        let thread = &mut self.threads[port.core()];
        let scope = if is_main { self.main.scope() } else { thread.walk.scope() };
        self.engine.begin_call(&mut thread.call, call, scope, port)?;
        thread.is_calling = true;
        Ok(())
    }

    /// Core 0 meets a region: alone it walks in, otherwise it deals.
    fn meet(&mut self, region: &'n Region, port: &mut Port<'_>) -> Result<Option<Activity>, Error> {
        let threads = self.threads.len();
        if threads == 1 {
            self.main.enter(region);
            return Ok(None);
        }
        let iterations = region.iterations(self.main.scope_mut());
        let number = self.dealt.len();
        self.dealt.push(Dealt { region, scope: self.main.scope().clone(), iterations, next: 0 });
        let clock = port.clock();
        for core in 0..threads {
            let (next, end) = self.engine.schedule.first(core as u64, threads as u64, iterations);
            self.threads[core].queue.push_back(Share { dealt: number, next, end, is_inside: false });
            self.outstanding += 1;
            if core != port.core() {
                port.unpark(core, clock);
            }
        }
        if !region.nowait {
            self.master = Master::AtBarrier;
        }
        Ok(None)
    }

    /// Moves a share to its next iteration; false if it has none left.
    fn next_iteration(&mut self, core: usize, share: &mut Share) -> bool {
        let mut is_successor = share.is_inside;
        if share.next >= share.end {
            let (schedule, threads) = (self.engine.schedule, self.threads.len() as u64);
            let Dealt { iterations, next: dealt, .. } = &mut self.dealt[share.dealt];
            let Some((next, end)) = schedule.next(share.end, threads, *iterations, dealt) else {
                return false;
            };
            (share.next, share.end) = (next, end);
            is_successor = false;
        }
        let dealt = &self.dealt[share.dealt];
        let region: &'n Region = dealt.region;
        let walk = &mut self.threads[core].walk;
        let nodes = if is_successor {
            region.advance(walk.scope_mut(), share.next)
        } else {
            walk.scope_mut().clone_from(&dealt.scope);
            region.seek(walk.scope_mut(), share.next)
        };
        walk.restart(nodes.unwrap_or_default());
        share.next += 1;
        share.is_inside = true;
        nodes.is_some()
    }

    /// Ends a share once its loads have come.
    fn end_share(&mut self, port: &mut Port<'_>) -> bool {
        if port.settle() == Issue::Blocked {
            return false;
        }
        self.threads[port.core()].share = None;
        self.outstanding -= 1;
        self.latest = self.latest.max(port.clock());
        if self.outstanding == 0 && port.core() != 0 {
            let latest = self.latest;
            port.unpark(0, latest);
        }
        true
    }

    /// Runs one thread's current share until it has to stop; `None` when the thread has no share.
    fn run_share(&mut self, port: &mut Port<'_>) -> Result<Option<Activity>, Error> {
        let core = port.core();
        let Some(mut share) =
            self.threads[core].share.take().or_else(|| self.threads[core].queue.pop_front())
        else {
            return Ok(None);
        };
        let has_step = share.is_inside && {
            self.threads[core].share = Some(share);
            self.step_share(port)?
        };
        if has_step {
            return Ok(Some(Activity::Ready));
        }
        let has_iteration = self.next_iteration(core, &mut share);
        self.threads[core].share = Some(share);
        if !has_iteration && !self.end_share(port) {
            return Ok(Some(Activity::Blocked));
        }
        Ok(Some(Activity::Ready))
    }

    /// What core 0 does when it has no share.
    fn run_master(&mut self, port: &mut Port<'_>) -> Result<Option<Activity>, Error> {
        match self.master {
            Master::Walking => self.step_main(port),
            Master::AtBarrier | Master::AtEnd if self.outstanding > 0 => Ok(Some(Activity::Parked)),
            Master::AtBarrier => {
                self.leave_barrier(port);
                self.master = Master::Walking;
                Ok(None)
            }
            Master::AtEnd => {
                self.leave_barrier(port);
                if port.settle() == Issue::Blocked {
                    return Ok(Some(Activity::Blocked));
                }
                self.master = Master::Ended;
                let clock = port.clock();
                (1..self.threads.len()).for_each(|core| port.unpark(core, clock));
                Ok(Some(Activity::Finished))
            }
            Master::Ended => Ok(Some(Activity::Finished)),
        }
    }

    fn leave_barrier(&mut self, port: &mut Port<'_>) {
        let clock = port.clock();
        port.wait(self.latest.saturating_sub(clock), Source::IDLE);
    }
}

impl Workload for Team<'_, '_> {
    fn run(&mut self, port: &mut Port<'_>, until: Picoseconds) -> Result<Activity, Error> {
        let core = port.core();
        while port.clock() <= until {
            if self.threads[core].is_calling {
                match self.run_call(port, until)? {
                    Progress::Done => continue,
                    Progress::Paused => return Ok(Activity::Ready),
                    Progress::Blocked => return Ok(Activity::Blocked),
                }
            }
            match self.run_share(port)? {
                Some(Activity::Ready) => continue,
                Some(stopped) => return Ok(stopped),
                None => {}
            }
            let activity = match core {
                0 => self.run_master(port)?,
                _ if self.master == Master::Ended => Some(Activity::Finished),
                _ => Some(Activity::Parked),
            };
            if let Some(stopped) = activity {
                return Ok(stopped);
            }
        }
        Ok(Activity::Ready)
    }
}

/// Elements of a run, by index.
pub(super) fn indices(run: &Run, scope: &Scope) -> std::ops::Range<i64> {
    let start = run.start.value(scope);
    start..start.saturating_add_unsigned(run.count)
}
