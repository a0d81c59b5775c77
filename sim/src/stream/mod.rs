//! Stream fidelity: whole calls at a time, for networks of billions of calls.
//!
//! The inner event is one call of one core, at the granularity of ciphertexts:
//!
//! 1. `program` (its `feeder`) writes what each core does, ahead of time, from the folded trace;
//! 2. `engine` picks the core with the lowest clock (`queue`);
//! 3. `caches` (`private`) looks up what the call does inside the core's private caches: a memoised transition that says how
//!    many lines of which operand cross their border, in which sweep;
//! 4. `caches::shared` (last levels, as objects in order of use), other cores, `memory::near` (real tags of every page, or
//!    of a sample of pages) and the `servers` of the tiers see every one of those movements;
//! 5. the call's sweeps last as long as their arithmetic, as the lines in flight that a core may have, or as the
//!    queues of the tiers, whichever is longest.
//!
//! Bandwidth and latency of the tiers come from short runs of the line model of the same system ([`behaviour::micro`],
//! [`behaviour`]). Nothing is extrapolated: threads drift, convoys form and share what they fetch as in the machine.
//! State is carried from phase to phase.
//!
//! **Budget**, written down before the first line of code (ResNet-50: 3.9·10⁹ calls, 48 cores, 60 s on two host
//! cores): 30 ns a call: words 5, queue 6, transition 5, last level 5, near memory 4, servers 3, tallies 2. State: 48
//! bytes a block and 12 for each page that is followed (8 million blocks of two or three: 600 MB), 4 bytes a living object,
//! tags of the followed pages 4 MB for 32 GB of near memory, private states 64 MB at most; the compiled trace takes
//! more than 100 MB where 10,000 depthwise channels are phases of their own. **Time missed**: MobileNetV2 0.35/96 has
//! 20 million calls with 48 simulated cores and takes about 0.6 µs of host time for each on DRAM only and 0.8 µs in
//! Memory Mode (`hetier replay`, one core of a shared virtual machine). On DRAM only that is 9·10¹⁰ instructions, of which
//! no function has more than a sixth (`valgrind --tool=callgrind hetier replay`).
//!
//! Between the windows of a sampled run ([`crate::replay::Sample`]) nothing is timed, but everything happens: see
//! `sample`. ResNet-50 in Memory Mode takes about a minute of host time with 0.7 % of its calls simulated (`hetier replay
//! resnet50.trace --system bsc-8260l-32g-6t --mode memory-mode --sample 0.002`; windows of sums have a least length of a row).
//!
//! **Known to be wrong**: lines that another core makes void keep their place in private caches; who stores to one line of an object
//! that others hold takes all of it from them; objects below 1 KiB
//! never leave those; a page of near memory is dirty in parts of equal odds, not line by line;
//! what a core loses that reads one tier and stores to another is told from a core that is alone (`behaviour::copies`; two
//! cores that copy objects of 8 KiB from PMem to DRAM are 8 % too fast, of 64 KiB 4 %);
//! loads that a core makes together are delayed alike by the queue of their server, and not by what it writes at the same
//! time, which makes their mean up to half too early (`memory::waits`); PMem's buffers and wear-levelling show as averages,
//! so that buffer hit rates are those of the line model's streams. Calls that fit the private caches run whole, so that
//! what they find of shared objects in the last level is what the call before left;
//! longer ones take a turn for each of their parts (`engine::under_way`). `docs/fidelity.md` holds the errors against line
//! fidelity, for every family of networks and mode. Memory-bound phases are metastable in reality: look at the spread
//! over seeds, not at one number.

pub mod behaviour;
mod caches;
mod engine;
mod heap;
mod memory;
mod options;
mod program;
mod report;
mod sample;

use std::sync::{Mutex, PoisonError};

use hetier_traces::{Facts, LINE_BYTES, Trace};

pub use behaviour::{Behaviour, Conditions};
pub use options::Options;

use behaviour::Wanted;
use caches::plan::MacroPlan;
use engine::Engine;
use heap::{Heap, HeapParts};
use memory::Memory;
use memory::near::{Near, PAGE_LINES};
use program::{Program, SMALL_BYTES};
use sample::Sampling;

use crate::Error;
use crate::core::Jitter;
use crate::machine::Layout;
use crate::mode::{self, ModeSettings, NearStart};
use crate::pages::Pages;
use crate::placement;
use crate::replay::engine::{Snapshot, foresight};
use crate::replay::objects::Budget;
use crate::replay::report::Run;
use crate::replay::settings::Resolved;
use crate::replay::{Progress, Sample, Settings, Watched, capacity, charge};
use crate::result::RunResult;
use crate::system::{Charges, System};

/// Host seconds of one core for a call, between DRAM only and Memory Mode: to tell a user how long a replay will take.
/// From `hetier replay` of MobileNetV2 0.35/96.
pub const SECONDS_PER_CALL: f64 = 0.7e-6;

/// Replays a trace at stream fidelity, with [`Options::default`].
///
/// Costs 0.5–1 µs of host time a call. The same trace, system and settings give the same result on any host.
///
/// # Errors
/// Those of [`crate::replay::replay`].
pub fn replay(
    trace: &Trace,
    system: &System,
    settings: &Settings,
    progress: &mut Progress<'_>,
) -> Result<RunResult, Error> {
    replay_with(trace, system, settings, &Options::default(), progress)
}

/// Replays a trace at stream fidelity.
///
/// # Errors
/// Those of [`crate::replay::replay`].
pub fn replay_with(
    trace: &Trace,
    system: &System,
    settings: &Settings,
    options: &Options,
    progress: &mut Progress<'_>,
) -> Result<RunResult, Error> {
    let settings = settings.resolve(system)?;
    let (charges, retaining, facts) = charge(trace, system, settings.threads)?;
    let (original, trace) = (trace, retaining.as_ref());
    let program = Program::new(trace, settings.allocator.is_pool())?;
    let asked = Mutex::new(&mut *progress);
    let is_wanted = || asked.lock().unwrap_or_else(PoisonError::into_inner)(0.0).is_continue();
    let (mut engine, near_bytes) =
        build(trace, &program, system, &settings, (options, &is_wanted), (&facts, charges))?;
    let mut phases = Vec::with_capacity(trace.phases.len());
    let mut pace = Watched::new(progress, facts.activity.line_accesses);
    let mut before = snapshot(&engine, near_bytes);
    for (number, phase) in trace.phases.iter().enumerate() {
        let start = crate::Picoseconds(engine.clock_ps());
        engine.run_phase(number, &mut pace)?;
        let (end, after) = (crate::Picoseconds(engine.clock_ps()), snapshot(&engine, near_bytes));
        phases.push(crate::replay::report::phase(&phase.head, start, end, &before, &after, system));
        before = after;
    }
    let run = Run { fidelity: "stream", original, trace, system, settings: &settings, phases };
    Ok(report::result(run, &facts, &engine, near_bytes))
}

fn snapshot(engine: &Engine<'_>, near_bytes: u64) -> Snapshot {
    let totals = engine.totals();
    Snapshot {
        compute: (totals.compute_fs / 1000) as u64,
        stalls: totals.stalls,
        serial_ps: engine.serial_ps(),
        accesses: totals.accesses,
        traffic: totals.traffic,
        near: report::near(engine, near_bytes),
    }
}

fn build<'p>(
    trace: &'p Trace,
    program: &'p Program,
    system: &'p System,
    settings: &Resolved,
    (options, is_wanted): (&Options, &Wanted<'_>),
    (facts, charges): (&Facts, Charges),
) -> Result<(Engine<'p>, u64), Error> {
    let layout = Layout::new(system);
    let near_bytes = settings.dram.bytes(facts.peak_footprint_bytes, system.tier_bytes("dram"));
    let (write_miss_fetches, near_start) = (settings.write_miss_fetches, settings.near_start);
    let mode_settings = ModeSettings { near_bytes, write_miss_fetches, near_start };
    let mode = mode::build(&settings.mode, system, &layout, &mode_settings)?;
    let tiers = mode.tiers().to_vec();
    let budgets = settings.budgets(system, &tiers, facts.peak_footprint_bytes);
    capacity::check(trace, system, settings, &budgets, facts)?;
    let sample =
        options.sample_pages.unwrap_or_else(|| sample_of(trace, settings.pages)).max(least_sample(trace));
    let near_bytes = mode.near_memory().map(|near| near.capacity_bytes);
    let near = near_bytes.map(|bytes| near_tags(system, &layout, bytes, sample, tiers[0]));
    let sockets = settings.pinning.sockets(system, settings.threads)?;
    let conditions = Conditions::new(&settings.mode, settings.prefetches, facts.peak_footprint_bytes);
    let behaviour = options.behaviour(system, conditions, is_wanted)?;
    let memory = Memory::new(system, &behaviour, settings.threads, near, write_miss_fetches);
    // Of followed pages alone where pages have 4 KiB.
    let scale = if settings.pages == Pages::Random2m { 1 } else { sample };
    let table = |budget: &Budget| settings.table(system, *budget, facts.peak_footprint_bytes, scale);
    let parts = HeapParts {
        kind: settings.allocator,
        pools: settings.allocator.pools(settings.threads),
        limits: budgets.iter().map(|budget| budget.bytes).collect(),
        placement: placement::build(
            &settings.placement,
            &foresight(trace, facts, settings, (system, &budgets))?,
        )?,
        tables: budgets.iter().map(table).collect(),
        names: tiers.iter().map(|&tier| system.tiers[tier].name.clone()).collect(),
        tiers,
        pages: settings.pages,
        sample,
        is_warm: near_start == NearStart::Warm,
        blocks: (facts.peak_footprint_bytes / TYPICAL_BYTES) as usize,
        system: system.name.clone(),
    };
    let (heap, shapes) = Heap::new(program, parts, system.l2.capacity_bytes() / LINE_BYTES)?;
    let plan = |(callee, called)| -> Result<MacroPlan, Error> {
        let overhead_fs = charges.call(callee).0 * 1000;
        Ok(MacroPlan { overhead_fs, ..MacroPlan::new(called, system, settings.stores)? })
    };
    let plans = trace.macros.iter().enumerate().map(plan).collect::<Result<_, _>>()?;
    let fault_ps = system.translation.fault[usize::from(settings.pages == Pages::Random2m)].0;
    let schedule = settings.schedule;
    let jitter = Jitter::new(system.jitter_percent, settings.seed);
    let parts = engine::Parts {
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
        sampling: Sampling::new(
            settings.sample.map_or(sample::WHOLE, |sample| sample.millionths(facts.activity.calls)),
            settings.sample == Some(Sample::Layers),
        ),
    };
    Ok((Engine::new(parts), near_bytes.unwrap_or(0)))
}

/// Bytes of the smallest objects that networks hold many of: a ciphertext at the last level of N = 4096.
const TYPICAL_BYTES: u64 = 64 << 10;

/// Bytes of objects up to which every page is followed.
const EXACT_BYTES: u64 = 1 << 30;

/// Followed pages that the average object should have at least; the ciphertexts of the seed paper have three then. With
/// one page in 2, 8, 16 and 32 followed, times of MobileNetV2 0.35/96 in Memory Mode lay within 0.3 s of each other, and hits were 0.4
/// hundredths fewer with one in 32 (`hetier replay` on `bsc-8260l-32g-6t`, [`Options::sample_pages`]).
const FOLLOWED_PAGES: u64 = 2;

/// One page in how many is followed: all of small traces; of large ones two of an average object.
fn sample_of(trace: &Trace, pages: Pages) -> u64 {
    let arrays = trace.definitions.iter().filter_map(|definition| match definition {
        hetier_traces::Definition::Array(array) if array.capacity_bytes >= SMALL_BYTES => Some(array),
        _ => None,
    });
    let (mut bytes, mut weighted) = (0_u128, 0_u128);
    for array in arrays {
        let all = u128::from(array.capacity_bytes) * u128::from(array.elements);
        bytes += all;
        weighted += all * u128::from(array.capacity_bytes);
    }
    if bytes <= u128::from(EXACT_BYTES) || pages == Pages::Random2m && bytes <= u128::from(64 * EXACT_BYTES) {
        return 1;
    }
    let average = (weighted / bytes) as u64;
    let most = average / (PAGE_LINES * LINE_BYTES) / FOLLOWED_PAGES;
    // Runs of pages beyond 64 would be coarse against small near memories.
    if most == 0 { 1 } else { (1 << most.ilog2()).min(64) }
}

/// One page in how many may be followed at most densely: a block names no more followed pages than `u16` counts, and one
/// that begins within a page has one page more.
fn least_sample(trace: &Trace) -> u64 {
    let pages = trace.definitions.iter().map(|definition| match definition {
        hetier_traces::Definition::Array(array) => array.capacity_bytes.div_ceil(PAGE_LINES * LINE_BYTES) + 1,
        hetier_traces::Definition::View(_) => 0,
    });
    pages.max().unwrap_or(0).div_ceil(u16::MAX.into()).next_power_of_two()
}

fn near_tags(system: &System, layout: &Layout, bytes: u64, sample: u64, far: usize) -> Near {
    let wanted = system.controllers_per_socket as u64;
    let dram = system.tier("dram").unwrap_or(0);
    let divides = |tier: usize| layout.tiers[tier].channels.is_multiple_of(wanted);
    let controllers = if divides(dram) && divides(far) { wanted } else { 1 };
    let pages = bytes / LINE_BYTES / PAGE_LINES / (controllers * system.sockets as u64);
    Near::new(pages, system.sockets, controllers, &layout.tiers[far], sample)
}
