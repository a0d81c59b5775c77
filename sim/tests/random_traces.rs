//! Traces drawn at random at both fidelities: what is counted is equal, what takes time takes nearly as much.

mod drawn;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hetier_sim::allocator::AllocatorKind;
use hetier_sim::mode::NearStart;
use hetier_sim::replay::{self, DramSize, Schedule, Settings, Stores};
use hetier_sim::result::Share;
use hetier_sim::{RunResult, System, stream};
use hetier_traces::seeded::draw_below;
use rayon::prelude::*;

/// Traces drawn.
const DRAWN: u64 = 400;

/// Those with more lines are passed over.
const MOST_LINES: u64 = 300_000;

/// Those with fewer bytes alive too: half of that would be no near memory.
const LEAST_BYTES: u64 = 4096;

/// Of those drawn, so many are held by their time at least.
const LEAST: usize = 200;

/// Runs shorter than this are not held by their time: a single queue may be all of it.
const LEAST_SECONDS: f64 = 1e-4;

/// How many times longer one fidelity may take than the other. Nothing here is like a network: objects of all sizes, partly
/// touched, stored to by several cores at once.
const MOST_TIMES: f64 = 1.75;

/// The same in the median.
const MOST_MEDIAN: f64 = 1.05;

/// A machine whose caches are sixteen times smaller, so that small traces do not fit them.
fn machine() -> System {
    let text = [32, 1024, 5632].into_iter().fold(
        include_str!("../systems/optane-slice.toml").to_owned(),
        |text: String, kib: u64| {
            text.replace(&format!("capacity_kib = {kib}\n"), &format!("capacity_kib = {}\n", kib / 16))
        },
    );
    System::parse("scaled.toml", &text).expect("it is a shipped system with other caches")
}

/// Settings drawn for a trace.
fn settings(seed: u64) -> Settings {
    let draw = |position: u64, bound: usize| draw_below(seed, 1 << 32 | position, bound as u64) as usize;
    let half = DramSize::Fraction(0.5);
    let modes = [
        ("dram-only", DramSize::System),
        ("memory-mode", half),
        ("app-direct", half),
        ("pmem-only", DramSize::System),
    ];
    let (mode, dram) = modes[draw(0, modes.len())];
    let mut settings = Settings {
        mode: Some(mode.to_owned()),
        dram,
        threads: Some([1, 2, 4][draw(1, 3)]),
        behaviour_cache: Some(concat!(env!("CARGO_TARGET_TMPDIR"), "/behaviours").into()),
        ..Settings::default()
    };
    match draw(2, 7) {
        0 => settings.allocator = AllocatorKind::Map,
        1 => settings.allocator = AllocatorKind::Bump,
        2 => settings.allocator = AllocatorKind::ThreadPools,
        3 => settings.schedule = Schedule::Dynamic(2),
        4 => settings.stores = Stores::NonTemporal,
        5 if mode == "memory-mode" => settings.near_start = NearStart::Warm,
        _ => {}
    }
    settings
}

/// What both fidelities have to count alike.
fn counts(result: &RunResult) -> impl PartialEq + std::fmt::Debug {
    let of = |shares: &BTreeMap<String, Share>, choice: fn(&Share) -> u64| {
        shares.iter().map(|(name, share)| (name.clone(), choice(share))).collect::<Vec<_>>()
    };
    (
        result.accesses,
        of(&result.by_primitive, |share| share.count),
        of(&result.by_class, |share| share.accesses),
    )
}

/// Core seconds of arithmetic and of all waiting.
fn spent(result: &RunResult) -> f64 {
    result.phases.iter().map(|phase| phase.compute_seconds + phase.stall_seconds.values().sum::<f64>()).sum()
}

/// How many times longer stream takes than line; `None` for traces that are too long, too small or over too soon.
fn held(seed: u64, system: &System) -> Option<f64> {
    let trace =
        hetier_traces::text::parse(&drawn::text(seed)).unwrap_or_else(|error| panic!("{seed}: {error}"));
    let settings = settings(seed);
    let threads = settings.threads.expect("it was drawn");
    let facts = hetier_traces::facts(&trace, threads as u64).expect("it is a trace");
    if facts.activity.line_accesses > MOST_LINES || facts.peak_footprint_bytes < LEAST_BYTES {
        return None;
    }
    let mut quiet = |_: f64| ControlFlow::Continue(());
    let line = replay::replay(&trace, system, &settings, &mut quiet).expect("the trace fits");
    let stream = stream::replay(&trace, system, &settings, &mut quiet).expect("the trace fits");
    assert_eq!(line.accesses, facts.activity.line_accesses, "seed {seed}, {settings:?}");
    assert!(
        counts(&line) == counts(&stream),
        "seed {seed}, {settings:?}:\n{:?}\n{:?}",
        counts(&line),
        counts(&stream)
    );
    // How many threads have their scratch at once depends on what each waits for.
    let at_once = (threads as u64 - 1) * drawn::MOST_BYTES;
    assert!(line.peak_live_bytes.abs_diff(stream.peak_live_bytes) <= at_once, "seed {seed}, {settings:?}");
    for result in [&line, &stream] {
        let all = result.whole_run_seconds * threads as f64;
        let off = (spent(result) - all).abs();
        assert!(
            off <= 0.02 * all + 1e-9,
            "seed {seed}, {}: {} of {all} core seconds",
            result.fidelity,
            spent(result)
        );
    }
    let times = stream.whole_run_seconds / line.whole_run_seconds;
    (line.whole_run_seconds >= LEAST_SECONDS).then_some(times)
}

#[test]
fn random_traces_count_alike_and_take_about_as_long_at_both_fidelities() {
    let system = machine();
    let mut times: Vec<(f64, u64)> = (0..DRAWN)
        .into_par_iter()
        .filter_map(|seed| held(seed, &system).map(|times| (times, seed)))
        .collect();
    times.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (least, most) = (times[0], times[times.len() - 1]);
    let median = times[times.len() / 2].0;
    println!("{} traces: {median:.3} times as long in the median, {least:?} to {most:?}", times.len());

    assert!(times.len() >= LEAST, "{} traces", times.len());
    assert!(median.max(1.0 / median) <= MOST_MEDIAN, "{median}");
    assert!(least.0 >= 1.0 / MOST_TIMES && most.0 <= MOST_TIMES, "{least:?} {most:?}");
}
