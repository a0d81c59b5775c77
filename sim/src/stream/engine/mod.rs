//! The event loop: simulated cores in order of their clocks, one call at a time.

mod call;
pub(super) mod cores;
mod exchange;
mod lifetimes;
mod meeting;
pub(super) mod queue;
pub(super) mod regions;
mod under_way;
mod waited;

use hetier_traces::loops::Scope;
use hetier_traces::{Class, Trace};

use super::behaviour::{Behaviour, CacheTimes};

use super::caches::conflicts::{depths, even};
use super::caches::plan::MacroPlan;
use super::caches::private::{Geometry, Private, Signature};
use super::caches::shared::{Leaving, Shared};
use super::heap::Heap;
use super::memory::Memory;
use super::program::feeder::{Feeder, Status};
use super::program::{Code, Op, Program, payload};
use super::sample::Sampling;
use super::sample::skim::Seen;
use crate::Error;
use crate::core::{Jitter, Source};
use crate::replay::Watched;
use crate::replay::cpu_use::CpuUse;
use crate::replay::engine::primitive_names;
use crate::replay::{Footprint, Schedule};
use crate::result::CacheResult;
use crate::system::{Charges, Inclusion, System};
use cores::{Core, Slots};
use queue::{NEVER, Queue};
use regions::Dealt;

/// Words that a core reads ahead; few, so that those of all cores stay in the host's cache.
const WORDS: usize = 256;

/// Turns between two looks at the progress callback.
const REPORT_EVERY: u32 = 1 << 20;

/// A call site, ready for use.
#[derive(Clone, Copy, Debug)]
pub(super) struct SiteFacts {
    /// Number of its [`Signature`].
    pub signature: u32,
    /// Macro.
    pub callee: u32,
    /// Number of the macro's name.
    pub primitive: u16,
    /// Tracked operands.
    pub count: u8,
    /// Tracked operands that are written, as a bit set.
    pub written: u64,
}

/// What the calls of one macro added up to.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallTally {
    /// Calls.
    pub calls: u64,
    /// Core time, picoseconds.
    pub total_ps: u64,
    /// Core time waited, picoseconds, by source.
    pub stalls: [u64; Source::COUNT],
}

/// Totals at one instant, for differences between phases.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Core time of arithmetic.
    pub compute_fs: u128,
    /// Core time waited, by source.
    pub stalls: [u64; Source::COUNT],
    /// Line requests at the first level.
    pub accesses: u64,
    /// Lines by tier and direction.
    pub traffic: Vec<crate::result::Traffic>,
}

/// What an engine is built from.
pub(super) struct Parts<'p> {
    pub trace: &'p Trace,
    pub program: &'p Program,
    pub system: &'p System,
    pub plans: Vec<MacroPlan>,
    pub behaviour: Behaviour,
    pub heap: Heap,
    pub shapes: Vec<super::caches::contents::Shape>,
    pub memory: Memory,
    /// Socket of each thread.
    pub sockets: Vec<usize>,
    pub schedule: Schedule,
    pub jitter: Jitter,
    /// Picoseconds of a page fault.
    pub fault_ps: u64,
    /// What the system's calibrated constants charge.
    pub charges: Charges,
    pub sampling: Sampling,
}

/// The engine.
pub(super) struct Engine<'p> {
    pub(super) program: &'p Program,
    pub(super) trace: &'p Trace,
    pub(super) plans: Vec<MacroPlan>,
    /// Names of primitives, and the number of the name of each macro.
    pub(super) names: Vec<String>,
    pub(super) name_of: Vec<u16>,
    pub(super) sites: Vec<SiteFacts>,
    pub(super) heap: Heap,
    pub(super) private: Private,
    pub(super) shared: Vec<Shared>,
    pub(super) memory: Memory,
    pub(super) cores: Vec<Core<'p>>,
    pub(super) times: CacheTimes,
    /// Losses of copies between tiers, as in [`Behaviour`].
    pub(super) copies: Vec<Vec<u64>>,
    pub(super) inclusion: Inclusion,
    /// Cores of each socket, as bit sets.
    pub(super) socket_cores: Vec<u128>,
    pub(super) jitter: Jitter,
    pub(super) fault_ps: u64,
    /// Femtoseconds of translation per line touched and per line fetched.
    pub(super) translation_fs: [u64; 2],
    pub(super) tallies: Vec<CallTally>,
    pub(super) class_stalls: [u64; Class::ALL.len()],
    pub(super) caches: CacheResult,
    pub(super) accesses: u64,
    pub(super) leaving: Vec<Leaving>,
    /// Blocks by slot as they were during a call.
    pub(super) seats: Slots,
    /// Live and resident bytes over time.
    pub footprint: Footprint,
    /// Births and deaths so far, and when the next point of the footprint is due.
    pub(super) lifetimes: u64,
    pub(super) footprint_due: u64,
    pub(super) queue: Queue,
    pub(super) schedule: Schedule,
    pub(super) dealt: Vec<Dealt<'p>>,
    pub(super) outstanding: usize,
    pub(super) latest_ps: u64,
    pub(super) phase: usize,
    /// Calls simulated.
    pub calls: u64,
    /// What the system's calibrated constants charge.
    pub charges: Charges,
    /// Ciphertexts written that were charged.
    pub(super) charged_ciphertexts: u64,
    /// Cores at work over time.
    pub cpu_use: CpuUse,
    /// Which calls are simulated.
    pub sampling: Sampling,
    /// Objects met in a gap.
    pub(super) seen: Seen,
}

impl<'p> Engine<'p> {
    pub(super) fn new(parts: Parts<'p>) -> Self {
        let Parts {
            trace,
            program,
            system,
            plans,
            behaviour,
            heap,
            shapes,
            memory,
            sockets,
            schedule,
            jitter,
            fault_ps,
            charges,
            sampling,
        } = parts;
        let (names, name_of) = primitive_names(trace);
        let (sites, signatures) = sites(program, &plans, &name_of);
        let lines = |geometry: &crate::system::Geometry| (geometry.sets * geometry.ways) as u64;
        let (sets, ways) = (system.l2.sets as u64, system.l2.ways as u64);
        let limits = if heap.has_random_pages() { depths(sets, ways) } else { even(sets, ways) };
        // What conflicts spare beyond the capacity is not kept: all cores together would hold more than there is room for.
        let limits = limits.map(|limit| limit.min(sets * ways));
        let geometry = Geometry {
            lines: lines(&system.l2),
            limits,
            first_level_lines: lines(&system.l1),
            second_level_fs: behaviour.caches.second_level,
            last_level_fs: behaviour.caches.last_level,
        };
        let used = sockets.iter().max().map_or(1, |last| last + 1);
        let numbered = sockets.iter().enumerate();
        let cores: Vec<Core<'p>> = numbered.map(|(number, socket)| Core::new(number, *socket)).collect();
        let page = heap.page_lines();
        let of_socket = |socket| {
            let own = sockets.iter().enumerate().filter(|(_, of)| **of == socket);
            own.fold(0, |set, (core, _)| set | 1 << core)
        };
        let costs = &system.translation;
        let walk = costs.walk[usize::from(heap.has_huge_pages())].0;
        Self {
            program,
            trace,
            tallies: vec![CallTally::default(); plans.len()],
            plans,
            names,
            sites,
            private: Private::new(geometry, shapes, signatures),
            name_of,
            shared: (0..used).map(|_| Shared::new(system.l3.sets as u64, system.l3.ways as u64)).collect(),
            heap,
            memory,
            queue: Queue::new(cores.len()),
            cores,
            times: behaviour.caches,
            copies: behaviour.copies,
            inclusion: system.inclusion,
            socket_cores: (0..used).map(of_socket).collect(),
            jitter,
            fault_ps,
            translation_fs: [costs.second_level.0 * 1000 / page, walk * 1000 / page],
            class_stalls: [0; Class::ALL.len()],
            caches: CacheResult::default(),
            accesses: 0,
            leaving: Vec::new(),
            seats: Slots::new(),
            footprint: Footprint::default(),
            lifetimes: 0,
            footprint_due: 0,
            schedule,
            dealt: Vec::new(),
            outstanding: 0,
            latest_ps: 0,
            phase: 0,
            calls: 0,
            charges,
            charged_ciphertexts: 0,
            cpu_use: CpuUse::default(),
            sampling,
            seen: Seen::new(program.objects),
        }
    }

    /// The latest clock.
    pub(super) fn clock_ps(&self) -> u64 {
        self.cores.iter().map(|core| core.clock_ps).max().unwrap_or(0)
    }

    /// Name of the present phase.
    pub(super) fn phase_name(&self) -> &str {
        self.trace.phases.get(self.phase).map_or("", |phase| &phase.head.name)
    }

    /// Totals so far.
    pub(super) fn totals(&self) -> Totals {
        let mut stalls = [0; Source::COUNT];
        for core in &self.cores {
            stalls.iter_mut().zip(&core.stalls).for_each(|(sum, stall)| *sum += stall);
        }
        let tiers = self.memory.servers().len() / self.memory.sockets();
        Totals {
            compute_fs: self.cores.iter().map(|core| core.compute_fs).sum(),
            stalls,
            accesses: self.accesses,
            traffic: (0..tiers).map(|tier| self.memory.traffic.total(tier)).collect(),
        }
    }

    /// Runs a phase to its end; all cores leave it at the same instant.
    pub(super) fn run_phase(&mut self, phase: usize, pace: &mut Watched<'_, '_>) -> Result<(), Error> {
        self.phase = phase;
        let program = self.program;
        self.sampling.records.begin(program.forms[phase]);
        self.run_codes(&program.phases[phase], Scope::new(), pace)?;
        // All meet at the end.
        self.run_team(None, pace)?;
        self.meet();
        self.charge_written();
        self.dealt.clear();
        self.note_footprint(self.cores[0].clock_ps);
        Ok(())
    }

    /// Runs serial codes with the regions in them.
    pub(super) fn run_codes(
        &mut self,
        codes: &'p [Code],
        scope: Scope,
        pace: &mut Watched<'_, '_>,
    ) -> Result<(), Error> {
        let mut serial = Feeder::serial(codes, scope, self.sampling.loop_calls());
        loop {
            // 1. Core 0 runs up to the next region or the end.
            pace.report(self.accesses)?;
            match self.run_serial(&mut serial)? {
                Status::Full => {}
                Status::Done => return Ok(()),
                Status::Loop(repeated) => self.run_loop(repeated, serial.scope().clone(), pace)?,
                // 2. The region is dealt; without a barrier only core 0's own share is run now.
                Status::Region(region) if region.nowait => {
                    self.deal(region, &serial, None);
                    self.run_team(Some(0), pace)?;
                }
                Status::Region(region) => {
                    self.run_region(region, &serial, pace)?;
                    self.meet();
                    self.charge_written();
                }
            }
        }
    }

    /// One buffer of serial words on core 0, shares of earlier regions running beside.
    fn run_serial(&mut self, serial: &mut Feeder<'p>) -> Result<Status<'p>, Error> {
        let mut words = std::mem::take(&mut self.cores[0].words);
        words.clear();
        let status = serial.fill(&mut words, WORDS)?;
        let mut at = 0;
        while at < words.len() {
            if self.outstanding > 0 {
                self.run_others_until(self.cores[0].clock_ps)?;
            }
            at = self.step(0, &words, at)?;
            while self.go_on(0)? {}
        }
        self.cores[0].words = words;
        self.cores[0].at = usize::MAX;
        Ok(status)
    }

    /// Runs shares until none is left, or until a core has none left.
    pub(super) fn run_team(
        &mut self,
        until_idle: Option<usize>,
        pace: &mut Watched<'_, '_>,
    ) -> Result<(), Error> {
        let mut turns = 0_u32;
        while let Some((core, _)) = self.queue.first() {
            if until_idle.is_some_and(|core| self.cores[core].share.is_none()) {
                break;
            }
            self.turn(core)?;
            turns = turns.wrapping_add(1);
            if turns.is_multiple_of(REPORT_EVERY) {
                pace.report(self.accesses)?;
            }
        }
        Ok(())
    }

    /// Runs shares of other cores up to an instant.
    fn run_others_until(&mut self, until_ps: u64) -> Result<(), Error> {
        while let Some((core, clock)) = self.queue.first() {
            if clock > until_ps {
                break;
            }
            self.turn(core)?;
        }
        Ok(())
    }

    /// One event of a core: everything up to the end of its next call, or a part of a long one.
    #[inline]
    fn turn(&mut self, number: usize) -> Result<(), Error> {
        if self.cores[number].under_way.is_some() {
            self.go_on(number)?;
            self.queue.set(number, self.cores[number].clock_ps);
            return Ok(());
        }
        let core = &mut self.cores[number];
        if core.at >= core.words.len() && !self.refill(number)? {
            let core = &mut self.cores[number];
            self.latest_ps = self.latest_ps.max(core.clock_ps);
            self.outstanding -= 1;
            core.next_share();
            let clock = if core.share.is_some() { core.clock_ps } else { NEVER };
            self.queue.set(number, clock);
            return Ok(());
        }
        let words = std::mem::take(&mut self.cores[number].words);
        let from = self.cores[number].at;
        let result = self.step(number, &words, from);
        if let Ok(at) = result {
            self.look_ahead(&words, (from, at));
        }
        let core = &mut self.cores[number];
        core.words = words;
        core.at = result?;
        let clock = core.clock_ps;
        self.queue.set(number, clock);
        Ok(())
    }

    /// Brings what is known of the next call's blocks into the host's caches: until a core's next turn comes, all others
    /// have had theirs. What the call before it used is there.
    #[inline]
    fn look_ahead(&self, words: &[u32], (from, at): (usize, usize)) {
        let (used, next) = (&words[from..at], self.next_operands(words, at));
        let new = next.iter().rev().zip(used.iter().rev()).filter(|(next, used)| next != used);
        let shape = |object: &u32| self.heap.blocks.at(*object).map_or(0, |block| block.shape);
        std::hint::black_box(new.fold(0, |seen, (next, _)| seen ^ shape(next)));
    }

    /// Operands of the next call in words from a position on; none if there is no call.
    #[inline]
    fn next_operands<'w>(&self, words: &'w [u32], mut at: usize) -> &'w [u32] {
        while let Some(&header) = words.get(at) {
            at += match Op::of(header) {
                Op::Call => {
                    let count = usize::from(self.sites[payload(header) as usize].count);
                    return &words[at + 1..at + 1 + count];
                }
                Op::SmallBirth | Op::SmallDeath => 2,
                _ => 4,
            };
        }
        &[]
    }

    /// Gets a core more words; false if its share is done.
    fn refill(&mut self, number: usize) -> Result<bool, Error> {
        loop {
            let core = &mut self.cores[number];
            let Some(share) = &mut core.share else { return Ok(false) };
            core.words.clear();
            core.at = 0;
            if !share.is_done {
                let status = share.feeder.fill(&mut core.words, WORDS)?;
                share.is_done = matches!(status, Status::Done);
            }
            if !core.words.is_empty() {
                return Ok(true);
            }
            let (dealt, end) = (share.dealt, share.end);
            let Some((begin, end)) = self.next_chunk(number, dealt, end) else { return Ok(false) };
            let share = self.share(dealt, begin, end);
            self.cores[number].share = Some(share);
        }
    }

    /// Does what words say, up to and including the next call; gives the position behind.
    #[inline]
    fn step(&mut self, number: usize, words: &[u32], mut at: usize) -> Result<usize, Error> {
        while at < words.len() {
            let header = words[at];
            match Op::of(header) {
                Op::Call => {
                    let site = self.sites[payload(header) as usize];
                    let end = at + 1 + usize::from(site.count);
                    self.call(number, site, &words[at + 1..end])?;
                    return Ok(end);
                }
                _ => at = self.lifetime(number, words, at)?,
            }
        }
        Ok(at)
    }
}

/// Call sites ready for use, and what differs between them.
fn sites(program: &Program, plans: &[MacroPlan], name_of: &[u16]) -> (Vec<SiteFacts>, Vec<Signature>) {
    let mut signatures: Vec<Signature> = Vec::new();
    let sites = program.sites.iter().map(|site| {
        let signature = Signature { callee: site.callee, operands: site.operands.clone() };
        let found = signatures.iter().position(|known| *known == signature);
        let number = found.unwrap_or_else(|| {
            signatures.push(signature);
            signatures.len() - 1
        });
        let written = plans[site.callee as usize].written;
        let is_written = |operand: &u8| written >> (operand % 64) & 1;
        let written =
            site.operands.iter().enumerate().map(|(at, operand)| is_written(operand) << (at % 64)).sum();
        SiteFacts {
            signature: number as u32,
            callee: site.callee,
            primitive: name_of[site.callee as usize],
            count: site.operands.len() as u8,
            written,
        }
    });
    let sites = sites.collect();
    (sites, signatures)
}
