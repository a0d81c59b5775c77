//! Sampled runs against full ones, for a layer of each type, bound by arithmetic and bound by memory.
//!
//! `docs/sampling.md` is the table that this test prints; `UPDATE_SNAPSHOTS=1 cargo test --release --test sampling`
//! rewrites it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agreement;

use std::fmt::Write as _;
use std::ops::ControlFlow;

use hetier_sim::replay::{DramSize, Sample, Settings};
use hetier_sim::{RunResult, System, stream};
use hetier_traces::Trace;
use hetier_workloads::interpret::shape;
use hetier_workloads::layer::transformer::{ClientRelu, DepthwiseConvolution, GraphConvolution};
use hetier_workloads::layer::{Shape, Window};
use hetier_workloads::network::{Network, Weights};
use hetier_workloads::program::Options;
use hetier_workloads::{Literal, Parameters};
use rayon::prelude::*;

use agreement::{byte_error, is_current, median};

/// Largest errors allowed of simulated time, and of bytes by tier and direction: what was reached, so that it gets no
/// worse.
const MOST: (f64, f64) = (0.045, 0.38);

/// Largest median of the errors of time.
const MOST_MEDIAN: f64 = 0.02;

/// Share of the calls asked for.
const SHARE: f64 = 0.05;

/// Most of the calls that may be simulated for it.
const MOST_SHARE: f64 = 0.12;

/// Tiers and directions with less than this share of all bytes are not judged.
const LEAST_SHARE: f64 = 0.05;

const WEIGHTS: Weights = Weights::Seeded(3);

/// A network of one layer as he-transformer runs it, with the ciphertexts of the seed paper.
fn layer(name: &str, input: Shape, build: impl FnOnce(&mut Network)) -> Trace {
    let mut network = Network::new(name, input);
    build(&mut network);
    let parameters = Parameters::new(&Literal::new(4096, &[30, 22, 22, 30], 22)).unwrap();
    shape(&network.lower(&parameters, &Options::he_transformer(2048)).unwrap()).unwrap()
}

fn convolution(channels: (usize, usize), window: Window, extent: usize) -> Trace {
    layer("convolution", Shape::new(channels.0, extent, extent), |network| {
        let layer = GraphConvolution::new("sum", channels, window, &WEIGHTS).unwrap();
        network.then("sum", layer).unwrap();
    })
}

fn layers() -> Vec<(&'static str, Trace)> {
    let depthwise = layer("depthwise", Shape::new(64, 32, 32), |network| {
        let layer = DepthwiseConvolution::new("sum", 64, Window::new(3, 1, 1), &WEIGHTS).unwrap();
        network.then("sum", layer).unwrap();
    });
    let relu = layer("relu", Shape::new(24, 24, 24), |network| {
        network.then("relu", ClientRelu::bounded(6.0)).unwrap();
    });
    vec![
        ("7×7, 3 → 64 channels", convolution((3, 64), Window::new(7, 2, 3), 28)),
        ("3×3, 16 → 48 channels", convolution((16, 48), Window::new(3, 1, 1), 16)),
        ("1×1, 96 → 144 channels", convolution((96, 144), Window::new(1, 1, 0), 10)),
        ("depthwise 3×3, 64 channels", depthwise),
        ("ReLU by the client", relu),
    ]
}

/// Machines and modes: what bounds the layers there.
const RUNS: [(&str, &str, &str, DramSize); 3] = [
    ("overhead and arithmetic", "bsc-8260l-192g", "dram-only", DramSize::System),
    ("near memory", "xeon-8260-optane", "memory-mode", DramSize::Fraction(0.25)),
    ("memory", "xeon-8260-optane", "pmem-only", DramSize::System),
];

struct Row {
    text: String,
    time: f64,
    bytes: f64,
    share: f64,
}

/// Largest relative error of bytes by class, tier and direction, among those with at least [`LEAST_SHARE`] of all bytes.
fn class_error(full: &RunResult, sampled: &RunResult) -> f64 {
    let all: u64 = full.by_class.values().flat_map(|share| share.bytes.values()).sum();
    let errors = full.by_class.iter().flat_map(|(class, share)| {
        let judged = share.bytes.iter().filter(|(_, bytes)| **bytes as f64 >= LEAST_SHARE * all as f64);
        judged.map(|(key, bytes)| (sampled.by_class[class].bytes[key] as f64 / *bytes as f64 - 1.0).abs())
    });
    errors.fold(0.0, f64::max)
}

fn hold(name: &str, trace: &Trace, (bound, system, mode, dram): (&str, &str, &str, DramSize)) -> Row {
    let system = System::load(system).unwrap();
    let settings = Settings { mode: Some(mode.to_owned()), dram, ..Settings::default() };
    let sampled = Settings { sample: Some(Sample::Share(SHARE)), ..settings.clone() };
    let mut quiet = |_: f64| ControlFlow::Continue(());
    let full = stream::replay(trace, &system, &settings, &mut quiet).unwrap();
    let sampled = stream::replay(trace, &system, &sampled, &mut quiet).unwrap();
    let counts = |result: &RunResult| (result.accesses, result.peak_live_bytes);
    assert_eq!(counts(&full).0, counts(&sampled).0, "{name} {bound}: every line is counted");
    let calls =
        |result: &RunResult| result.by_primitive.values().map(|primitive| primitive.count).sum::<u64>();
    assert_eq!(calls(&full), calls(&sampled), "{name} {bound}: every call is counted");
    assert!(full.sampled_share == Some(1.0) && full.sampling_error_seconds == Some(0.0));
    let time = sampled.whole_run_seconds / full.whole_run_seconds - 1.0;
    let bytes = byte_error(&full, &sampled, LEAST_SHARE);
    let share = sampled.sampled_share.unwrap();
    let text = format!(
        "| {name} | {bound} | {:.0} % | {:.1} | {:.1} | {:+.1} % | {:.1} % | {:.0} % | {:.0} % |",
        share * 100.0,
        full.whole_run_seconds * 1e3,
        sampled.whole_run_seconds * 1e3,
        time * 100.0,
        sampled.sampling_error_seconds.unwrap() / sampled.whole_run_seconds * 100.0,
        bytes * 100.0,
        class_error(&full, &sampled) * 100.0
    );
    Row { text, time: time.abs(), bytes, share }
}

#[test]
fn sampled_runs_agree_with_full_ones_on_every_type_of_layer() {
    let layers = layers();
    let runs: Vec<_> = layers.iter().flat_map(|layer| RUNS.map(|run| (layer, run))).collect();
    let rows: Vec<Row> = runs.par_iter().map(|((name, trace), run)| hold(name, trace, *run)).collect();

    let mut page = format!(
        "# Sampled runs against full ones\n\n\
         One layer each as he-transformer runs it (N = 4096, 2048 images, 48 threads), at stream fidelity with\n\
         `--sample {SHARE}` and with every call simulated. Simulated: windows have a least length, so small layers take\n\
         more than the share asked for. Expected: the standard error that the run itself prints, by the spread\n\
         between halves of windows. Bytes: the largest error by tier and direction among those with at least 5 % of all bytes;\n\
         by class: the same by class of objects as well. Behind a gap last-level caches hold what the last window left, and\n\
         dirty lines that the gap pushes out are counted for whom passes there: bytes by class, primitive and operation of\n\
         sampled runs say less than their sums.\n\
         `tests/sampling.rs` checks this page; `UPDATE_SNAPSHOTS=1 cargo test --release --test sampling` rewrites it.\n\n\
         | layer | bound by | simulated | full, ms | sampled, ms | time | expected | bytes | by class |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    rows.iter().for_each(|row| writeln!(page, "{}", row.text).unwrap());
    let median = median(rows.iter().map(|row| row.time));
    writeln!(page, "\nMedian error of time: {:.1} %.", median * 100.0).unwrap();
    println!("{page}");

    let is_current = is_current("sampling.md", &page);
    for row in &rows {
        assert!(row.share <= MOST_SHARE, "simulated more than {MOST_SHARE}: {}", row.text);
        assert!(row.time <= MOST.0 && row.bytes <= MOST.1, "beyond {MOST:?}: {}", row.text);
    }
    assert!(median <= MOST_MEDIAN, "median error of time: {median}");
    assert!(is_current, "docs/sampling.md is not current (UPDATE_SNAPSHOTS=1 rewrites it)");
}
