//! What all threads of a replay share: definitions, objects, page tables and tallies.

use std::collections::BTreeMap;

use hetier_traces::loops::Scope;
use hetier_traces::walk::{Call, Node, Run};
use hetier_traces::{Class, Directory, Facts, LINE_BYTES, PhaseHead, Trace};

use super::Watched;
use super::calls::{CallState, Progress};
use super::cpu_use::CpuUse;
use super::lanes::Primitive;
use super::memory_map::MemoryMap;
use super::objects::{Budget, Objects, resolve};
use super::schedule::Schedule;
use super::settings::Resolved;
use super::team::{Team, indices};
use crate::allocator::Allocator;
use crate::core::{Jitter, Source, State};
use crate::device::literal::DeviceConfig;
use crate::machine::{Activity, Machine, Port, Workload};
use crate::placement::{self, Foresight};
use crate::result::{NearMemory, Traffic};
use crate::system::{Charges, System};
use crate::{Error, Picoseconds};

/// Line accesses between two looks at the progress callback.
const REPORT_EVERY: u64 = 1 << 18;

/// Time and calls of one HE primitive, over all cores.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub calls: u64,
    pub accesses: u64,
    pub total: u64,
    pub compute: u64,
    pub stalls: [u64; Source::COUNT],
}

/// Counters of the whole machine at one instant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub compute: u64,
    pub stalls: [u64; Source::COUNT],
    /// Calibrated overhead that core 0 spent alone, ps.
    pub serial_ps: u64,
    pub accesses: u64,
    pub traffic: Vec<Traffic>,
    pub near: Option<NearMemory>,
}

/// The shared side of a replay.
pub(super) struct Engine {
    pub directory: Directory,
    primitives: Vec<Primitive>,
    /// Names of primitives, by number; 0 is everything outside calls.
    pub names: Vec<String>,
    pub objects: Objects,
    pub map: MemoryMap,
    pub schedule: Schedule,
    pub spent: Vec<Spent>,
    pub accesses: u64,
    pub class_accesses: [u64; Class::ALL.len()],
    pub class_stalls: [u64; Class::ALL.len()],
    /// What the system's calibrated constants charge.
    pub charges: Charges,
    jitter: Jitter,
    /// Calls begun by core.
    calls: Vec<u64>,
    /// Multiply-accumulates that were charged.
    pub multiplies: u64,
    /// Ciphertexts written that were charged.
    charged_ciphertexts: u64,
    /// Cores at work over time.
    pub cpu_use: CpuUse,
    /// Accesses at which the callback is due.
    report_at: u64,
    is_due: bool,
    /// Most live bytes, from the facts of the trace.
    pub peak_live: u64,
    system: String,
    phase: String,
}

impl Engine {
    pub fn new(
        trace: &Trace,
        directory: Directory,
        system: &System,
        settings: &Resolved,
        facts: &Facts,
        charges: Charges,
        machine: &Machine,
    ) -> Result<Self, Error> {
        let (names, numbers) = primitive_names(trace);
        let primitives = trace.macros.iter().zip(numbers);
        let primitives =
            primitives.map(|(source, number)| Primitive::new(source, number, system, settings.stores));
        let primitives = primitives.collect();
        let budgets = settings.budgets(system, machine.memory.mode().tiers(), facts.peak_footprint_bytes);
        let placement =
            placement::build(&settings.placement, &foresight(trace, facts, settings, (system, &budgets))?)?;
        let tables = settings.tables(system, &budgets, facts.peak_footprint_bytes);
        let page_lines = settings.pages.bytes() / hetier_traces::LINE_BYTES;
        let allocator = Allocator::new(settings.allocator, system.tiers.len(), page_lines);
        let is_huge = usize::from(settings.pages == crate::pages::Pages::Random2m);
        Ok(Self {
            objects: Objects::new(&directory, allocator, placement, budgets),
            charges,
            jitter: Jitter::new(system.jitter_percent, settings.seed),
            calls: vec![0; machine.cores.len()],
            multiplies: 0,
            charged_ciphertexts: 0,
            cpu_use: CpuUse::default(),
            directory,
            primitives,
            spent: vec![Spent::default(); names.len()],
            names,
            map: MemoryMap { tables, fault: system.translation.fault[is_huge] },
            schedule: settings.schedule,
            accesses: 0,
            class_accesses: [0; Class::ALL.len()],
            class_stalls: [0; Class::ALL.len()],
            report_at: REPORT_EVERY,
            is_due: false,
            peak_live: facts.peak_footprint_bytes,
            system: system.name.clone(),
            phase: String::new(),
        })
    }

    /// Runs one phase from an instant at which all cores are free.
    pub fn run_phase(
        &mut self,
        head: &PhaseHead,
        nodes: &[Node],
        machine: &mut Machine,
        start: Picoseconds,
        watched: &mut Watched<'_, '_>,
    ) -> Result<(), Error> {
        self.phase.clone_from(&head.name);
        for (number, core) in machine.cores.iter_mut().enumerate() {
            core.wait_until(start, Source::IDLE);
            core.primitive = 0;
            // Core 0 walks the phase and wakes the others when it has work for them.
            core.state = if number == 0 { State::Ready } else { State::Parked };
        }
        let threads = machine.cores.len();
        let mut watching = Watching { team: Team::new(self, nodes, threads), watched };
        let ran = machine.proceed(&mut watching);
        ran.map_err(|error| self.locate(error))
    }

    /// Lets all cores wait for the slowest, and charges core 0 for the ciphertexts that the phase wrote; gives the
    /// instant at which all are free.
    pub fn end_phase(&mut self, machine: &mut Machine, start: Picoseconds) -> Picoseconds {
        let meet = machine.cores.iter().map(|core| core.clock).max().unwrap_or(start);
        self.meet(machine, meet);
        let written = self.objects.ciphertexts() - self.charged_ciphertexts;
        self.charged_ciphertexts += written;
        let serial = self.charges.serial(written);
        if serial > Picoseconds::ZERO {
            machine.cores[0].wait(serial, Source::OVERHEAD);
            self.cpu_use.alone((meet + serial).0, machine.cores.len() as u64);
            self.meet(machine, meet + serial);
        }
        meet + serial
    }

    fn meet(&mut self, machine: &mut Machine, at: Picoseconds) {
        machine.cores.iter_mut().for_each(|core| core.wait_until(at, Source::IDLE));
        let idle = machine.cores.iter().map(|core| core.stalls[usize::from(Source::IDLE.0)]).sum();
        self.cpu_use.meet(at.0, machine.cores.len() as u64, idle);
    }

    /// Puts the names of system and phase into an error from deep inside.
    fn locate(&self, mut error: Error) -> Error {
        match &mut error {
            Error::Capacity { system, .. } => system.clone_from(&self.system),
            Error::Dead { phase, .. } | Error::Trace(hetier_traces::Error::Alive { phase, .. }) => {
                phase.clone_from(&self.phase);
            }
            _ => {}
        }
        error
    }

    /// Resolves a call's operands and readies its state.
    pub fn begin_call(
        &mut self,
        state: &mut CallState,
        call: &Call,
        scope: &Scope,
        port: &mut Port<'_>,
    ) -> Result<(), Error> {
        let callee = call.callee.0 as usize;
        let number = port.core();
        state.start(callee, self.jitter.tempo(number, self.calls[number]));
        self.calls[number] += 1;
        for place in &call.operands {
            let object = resolve(&self.directory, place.array, place.index.value(scope))?;
            let located = self.objects.locate(object).ok_or_else(|| Error::Dead {
                phase: self.phase.clone(),
                label: self.directory.label(object.array).to_owned(),
                index: object.index,
            })?;
            state.push(located);
        }
        port.set_primitive(self.primitives[callee].name);
        let core = &mut port.machine().cores[number];
        state.since = (core.clock, core.compute, core.stalls);
        if self.charges.is_multiply(callee) {
            self.multiplies += 1;
            core.wait(self.charges.call(callee), Source::OVERHEAD);
        }
        Ok(())
    }

    pub fn run_call(
        &mut self,
        state: &mut CallState,
        port: &mut Port<'_>,
        until: Picoseconds,
    ) -> Result<Progress, Error> {
        state.run(&self.primitives[state.callee], &mut self.map, port, until)
    }

    /// Books a finished call.
    pub fn finish_call(&mut self, state: &CallState, port: &mut Port<'_>) {
        let number = port.core();
        let core = &mut port.machine().cores[number];
        core.primitive = 0;
        let (clock, compute, stalls) = state.since;
        let spent = &mut self.spent[usize::from(self.primitives[state.callee].name)];
        spent.calls += 1;
        spent.accesses += state.accesses;
        spent.total += (core.clock - clock).0;
        spent.compute += (core.compute - compute).0;
        for (sum, (now, before)) in spent.stalls.iter_mut().zip(core.stalls.iter().zip(stalls)) {
            *sum += now - before;
        }
        for class in 0..Class::ALL.len() {
            self.class_accesses[class] += state.class_accesses[class];
            self.class_stalls[class] += state.class_stalls[class];
        }
        self.accesses += state.accesses;
        self.is_due |= self.accesses >= self.report_at;
    }

    pub fn alloc(&mut self, run: &Run, scope: &Scope, port: &mut Port<'_>) -> Result<(), Error> {
        let (at, thread) = (port.clock().0, port.core());
        let mut born = |index| self.objects.alloc(&self.directory, (run.array, index), at, thread);
        indices(run, scope).try_for_each(&mut born)
    }

    pub fn free(&mut self, run: &Run, scope: &Scope, port: &mut Port<'_>) -> Result<(), Error> {
        let at = port.clock().0;
        for index in indices(run, scope) {
            if let Some((block, bytes)) = self.objects.free(&self.directory, run.array, index, at)? {
                let table = &mut self.map.tables[block.tier];
                let first = block.line / table.page_lines();
                let lines = bytes / hetier_traces::LINE_BYTES;
                table.unmap(first..first + lines.div_ceil(table.page_lines()));
            }
        }
        Ok(())
    }

    /// Whether the progress callback is due; resets it.
    fn take_due(&mut self) -> Option<u64> {
        if !self.is_due {
            return None;
        }
        self.is_due = false;
        self.report_at = self.accesses + REPORT_EVERY;
        Some(self.accesses)
    }

    /// Counters now.
    pub fn snapshot(&self, machine: &Machine) -> Snapshot {
        let tiers = self.map.tables.len();
        let mut stalls = [0; Source::COUNT];
        for core in &machine.cores {
            for (sum, more) in stalls.iter_mut().zip(core.stalls) {
                *sum += more;
            }
        }
        Snapshot {
            compute: machine.cores.iter().map(|core| core.compute.0).sum(),
            stalls,
            serial_ps: self.charges.serial(self.charged_ciphertexts).0,
            accesses: self.accesses,
            traffic: (0..tiers).map(|tier| machine.memory.traffic().total(tier)).collect(),
            near: machine.memory.mode().near_memory(),
        }
    }
}

/// A team whose caller is told about progress between turns.
struct Watching<'a, 'e, 'n, 'w, 'p> {
    team: Team<'e, 'n>,
    watched: &'a mut Watched<'w, 'p>,
}

impl Workload for Watching<'_, '_, '_, '_, '_> {
    fn run(&mut self, port: &mut Port<'_>, until: Picoseconds) -> Result<Activity, Error> {
        if let Some(accesses) = self.team.engine().take_due() {
            self.watched.report(accesses)?;
        }
        self.team.run(port, until)
    }
}

/// Names of primitives by number, the first of which is for everything outside calls, and the number of each macro's.
pub(crate) fn primitive_names(trace: &Trace) -> (Vec<String>, Vec<u16>) {
    let mut names = vec![String::new()];
    let mut numbers: BTreeMap<&str, u16> = BTreeMap::new();
    let of = trace.macros.iter().map(|called| {
        *numbers.entry(&called.name).or_insert_with(|| {
            names.push(called.name.clone());
            names.len() as u16 - 1
        })
    });
    let of = of.collect();
    (names, of)
}

/// What is known before a replay whose process may use `budgets`, the fastest tier first.
pub(crate) fn foresight<'t>(
    trace: &'t Trace,
    facts: &Facts,
    settings: &Resolved,
    (system, budgets): (&System, &[Budget]),
) -> Result<Foresight<'t>, Error> {
    let mut peak_by_class = [0; Class::ALL.len()];
    for point in &facts.footprint {
        for (peak, class) in peak_by_class.iter_mut().zip(Class::ALL) {
            *peak = (*peak).max(point.peak.of(class)).max(point.end.of(class));
        }
    }
    let threads = settings.threads as u64;
    let cache_bytes = system.l3.capacity_bytes() * system.sockets as u64;
    Ok(Foresight {
        trace,
        threads,
        peak_by_class,
        fast_bytes: budgets.first().map_or(0, |budget| budget.bytes),
        cache_bytes,
        thread_cache_bytes: cache_bytes / threads.max(1) + system.l2.capacity_bytes(),
        extra_ns: extra_ns(system, budgets)?,
        allocator: settings.allocator,
        unit_bytes: settings.allocator.unit_bytes(settings.pages.bytes()),
    })
}

/// How much longer the second tier is busy with a line that is read, and that is written, than the first, in nanoseconds.
fn extra_ns(system: &System, budgets: &[Budget]) -> Result<[f64; 2], Error> {
    let line_ns = |budget: Option<&Budget>| -> Result<[f64; 2], Error> {
        let Some(budget) = budget else { return Ok([0.0; 2]) };
        let tier = &system.tiers[budget.tier];
        let channels = (tier.channels_per_socket * system.sockets) as f64;
        let peaks = DeviceConfig::load(&tier.device)?.peaks_gb_per_s();
        Ok(peaks.map(|gb_per_s| LINE_BYTES as f64 / (gb_per_s * channels)))
    };
    let [fast, slow] = [line_ns(budgets.first())?, line_ns(budgets.get(1))?];
    Ok([0, 1].map(|way| (slow[way] - fast[way]).max(0.0)))
}
