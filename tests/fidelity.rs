//! Stream fidelity against line fidelity over reduced instances of every shipped family of networks, in every mode.
//!
//! `docs/fidelity.md` is the table that this test prints; `UPDATE_SNAPSHOTS=1 cargo test --release --test fidelity`
//! rewrites it. Caches and near memory are scaled down with the ciphertexts, so that both hits and misses occur.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agreement;

use std::fmt::Write as _;
use std::ops::ControlFlow;

use hetier_sim::replay::{self, DramSize, Settings};
use hetier_sim::{RunResult, System, stream};
use hetier_traces::Trace;
use hetier_workloads::interpret::shape;
use hetier_workloads::layer::{AveragePool, Convolution, Dense, Shape, Square, Window};
use hetier_workloads::network::{Entry, MobileNetV2, Network, ResNet, Strided, Weights};
use hetier_workloads::program::{Kernel, Options};
use hetier_workloads::{Dataflow, Literal, Parameters};
use rayon::prelude::*;

use agreement::{byte_error, is_current, median};

/// How far stream is from line: of simulated time, of bytes by tier and direction, of the mean latency of reads and its
/// 99th percentile (the larger over the smaller, less one), and of the shares of all waiting that tiers and caches have.
#[derive(Clone, Copy, Debug)]
struct Apart {
    time: f64,
    bytes: f64,
    mean: f64,
    p99: f64,
    waits: f64,
}

/// What was reached, so that it gets no worse. The aim is 0.05 and 0.02 for time and bytes; the table shows where it is
/// missed.
const MOST: Apart = Apart { time: 0.085, bytes: 0.155, mean: 0.9, p99: 1.15, waits: 0.2 };

/// GB/s that a tier of the machine can do at most, reads and writes together: a channel of DDR4-2666, and a DIMM of
/// Optane PMem 100 that is only read (36 ns for each 256 bytes, and what the buffers still hold).
const PEAKS: [(&str, f64); 2] = [("dram", 21.34), ("pmem", 7.2)];

/// Seeds of which times in Memory Mode are means: which pages meet in near memory is chance.
const SEEDS: u64 = 3;

/// Largest median of the errors of time.
const MOST_MEDIAN: f64 = 0.02;

/// Lines of an instance, so that line fidelity takes seconds.
const MOST_LINES: u64 = 20_000_000;

/// Tiers and directions with less than this share of all bytes are not judged.
const LEAST_SHARE: f64 = 0.02;

/// Name, trace and how many times smaller than the shipped machine its caches are.
struct Case {
    name: &'static str,
    trace: Trace,
    caches_divided_by: u64,
}

fn parameters(degree: usize, bits: &[u32], scale: u32) -> Parameters {
    Parameters::insecure_for_tests(&Literal::new(degree, bits, scale)).unwrap()
}

fn case(
    name: &'static str,
    network: &Network,
    parameters: &Parameters,
    options: &Options,
    divided: u64,
) -> Case {
    let trace = shape(&network.lower(parameters, options).unwrap()).unwrap();
    Case { name, trace, caches_divided_by: divided }
}

const WEIGHTS: Weights = Weights::Seeded(3);

/// CryptoNets over 10×10 pixels.
fn cryptonets() -> Network {
    let window = Window { size: 5, stride: 2, padding_before: 1, padding_after: 0 };
    let mut network = Network::new("cryptonets", Shape::new(1, 10, 10));
    network.then("conv1", Convolution::new("conv1", (1, 5), window, &WEIGHTS).unwrap()).unwrap();
    network.then("square1", Square).unwrap();
    network.then("dense1", Dense::new("dense1", (80, 10), &WEIGHTS).unwrap()).unwrap();
    network.then("square2", Square).unwrap();
    network.then("dense2", Dense::new("dense2", (10, 10), &WEIGHTS).unwrap()).unwrap();
    network
}

/// LeNet-5 over 8×8 pixels.
fn lenet5() -> Network {
    let pool = AveragePool::new(Window::new(2, 2, 0));
    let mut network = Network::new("lenet5", Shape::new(1, 8, 8));
    network
        .then("conv1", Convolution::new("conv1", (1, 2), Window::new(3, 1, 1), &WEIGHTS).unwrap())
        .unwrap();
    network.then("square1", Square).unwrap();
    network.then("pool1", pool).unwrap();
    network
        .then("conv2", Convolution::new("conv2", (2, 4), Window::new(3, 1, 0), &WEIGHTS).unwrap())
        .unwrap();
    network.then("square2", Square).unwrap();
    network.then("dense1", Dense::new("dense1", (16, 8), &WEIGHTS).unwrap()).unwrap();
    network
}

/// A 3×3 layer alone, for ciphertexts of the size that shipped networks have.
fn layer() -> Network {
    let mut network = Network::new("layer", Shape::new(4, 3, 3));
    network
        .then("conv1", Convolution::new("conv1", (4, 4), Window::new(3, 1, 1), &WEIGHTS).unwrap())
        .unwrap();
    network
}

fn cases() -> Vec<Case> {
    let digits = Entry::find("digits").unwrap().build(&WEIGHTS).unwrap();
    let transformer = parameters(256, &[30, 22, 22, 30], 22);
    let square = Options { images: 32, ..Options::default() };
    // An image in every slot.
    let he_transformer = Options::he_transformer(transformer.slots());
    let fused = Options { kernel: Kernel::Fused, dataflow: Dataflow::Fused, ..he_transformer };
    let shipped = parameters(4096, &[30, 22, 22, 30], 22);
    let whole = Options { images: shipped.slots(), ..fused };
    let mobilenet = MobileNetV2 {
        width: 35,
        resolution: 6,
        stages: vec![(1, 16, 1, 1), (2, 16, 1, 2)],
        last: 7,
        classes: 4,
    };
    let mobilenet = mobilenet.build(&WEIGHTS).unwrap();
    let resnet = |resolution| ResNet {
        name: "resnet-small".to_owned(),
        resolution,
        stem: 2,
        stages: vec![(2, 1, 1), (2, 1, 2)],
        strided: Strided::Spatial,
        classes: 5,
    };
    let [resnet, smaller] = [12, 10].map(|resolution| resnet(resolution).build(&WEIGHTS).unwrap());
    vec![
        case("digits, N = 2048", &digits, &parameters(2048, &[60, 30, 30, 60], 30), &square, 4),
        case(
            "cryptonets reduced",
            &cryptonets(),
            &parameters(1024, &[60, 33, 33, 33, 33, 60], 33),
            &square,
            8,
        ),
        case(
            "lenet5 reduced",
            &lenet5(),
            &parameters(512, &[60, 31, 31, 31, 31, 31, 31, 60], 31),
            &square,
            8,
        ),
        case("mobilenetv2 reduced, faithful", &mobilenet, &transformer, &he_transformer, 16),
        case("mobilenetv2 reduced, fused", &mobilenet, &transformer, &fused, 16),
        case("resnet reduced, faithful", &smaller, &transformer, &he_transformer, 16),
        case("resnet reduced, fused", &resnet, &transformer, &fused, 16),
        case("layer of N = 4096", &layer(), &shipped, &whole, 1),
    ]
}

fn machine(divided: u64) -> System {
    let scaled = |text: String, kib: u64| {
        text.replace(&format!("capacity_kib = {kib}\n"), &format!("capacity_kib = {}\n", kib / divided))
    };
    let text = [32, 1024, 5632]
        .into_iter()
        .fold(include_str!("../sim/systems/optane-slice.toml").to_owned(), scaled);
    System::parse("scaled.toml", &text).unwrap()
}

const MODES: [(&str, DramSize); 4] = [
    ("dram-only", DramSize::System),
    ("memory-mode", DramSize::Fraction(0.5)),
    ("app-direct", DramSize::Fraction(0.3)),
    ("pmem-only", DramSize::System),
];

struct Row {
    text: String,
    apart: Apart,
}

/// How much the larger of two is above the smaller.
fn above(a: f64, b: f64) -> f64 {
    a.max(b) / a.min(b) - 1.0
}

/// Largest difference of the shares that tiers and caches have of all that cores wait for them.
fn waits_apart(line: &RunResult, stream: &RunResult) -> f64 {
    let shares = |result: &RunResult| {
        let of = |source: &str| {
            result.by_primitive.values().filter_map(|spent| spent.stall_seconds.get(source)).sum::<f64>()
        };
        let seconds = ["dram", "pmem", "cache"].map(of);
        seconds.map(|waited| waited / seconds.iter().sum::<f64>())
    };
    shares(line).into_iter().zip(shares(stream)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Most live bytes at a point of the footprint over time.
fn highest(result: &RunResult) -> u64 {
    let live = result.footprint_over_time.iter().map(|point| point.live_bytes.values().sum());
    live.max().unwrap_or(0)
}

fn hold(case: &Case, mode: &str, dram: DramSize) -> Row {
    let system = machine(case.caches_divided_by);
    let settings = Settings { mode: Some(mode.to_owned()), dram, ..Settings::default() };
    let mut quiet = |_: f64| ControlFlow::Continue(());
    let line = replay::replay(&case.trace, &system, &settings, &mut quiet).unwrap();
    let stream = stream::replay(&case.trace, &system, &settings, &mut quiet).unwrap();
    assert_eq!(line.accesses, stream.accesses, "{} {mode}", case.name);
    let mut seconds = [line.whole_run_seconds, stream.whole_run_seconds];
    if mode == "memory-mode" {
        for seed in settings.seed + 1..settings.seed + SEEDS {
            let settings = Settings { seed, ..settings.clone() };
            seconds[0] +=
                replay::replay(&case.trace, &system, &settings, &mut quiet).unwrap().whole_run_seconds;
            seconds[1] +=
                stream::replay(&case.trace, &system, &settings, &mut quiet).unwrap().whole_run_seconds;
        }
        seconds = seconds.map(|seconds| seconds / SEEDS as f64);
    }
    let [of_line_seconds, of_stream_seconds] = seconds;
    let time = of_stream_seconds / of_line_seconds - 1.0;
    let bytes = byte_error(&line, &stream, LEAST_SHARE);
    let latency = |result: &RunResult| result.read_latency_ns.clone().unwrap();
    let [of_line, of_stream] = [&line, &stream].map(latency);
    let apart = Apart {
        time: time.abs(),
        bytes,
        mean: above(of_line.mean, of_stream.mean),
        p99: above(of_line.p99, of_stream.p99),
        waits: waits_apart(&line, &stream),
    };
    for result in [&line, &stream] {
        let (highest, peak) = (highest(result), result.peak_live_bytes);
        assert!(highest * 100 >= peak * 99, "{} {mode}: {highest} of {peak} bytes over time", case.name);
    }
    for (tier, most) in PEAKS {
        let peak = stream.devices[tier].peak_gb_per_s;
        assert!(peak <= most, "{} {mode}: {tier} at {peak} GB/s", case.name);
    }
    let text = format!(
        "| {} | {mode} | {:.1} | {:.3} | {:.3} | {:+.1} % | {:.1} % | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
        case.name,
        line.accesses as f64 / 1e6,
        of_line_seconds * 1e3,
        of_stream_seconds * 1e3,
        time * 100.0,
        bytes * 100.0,
        of_line.mean,
        of_stream.mean,
        of_line.p99,
        of_stream.p99,
        apart.waits * 100.0
    );
    Row { text, apart }
}

#[test]
fn stream_agrees_with_line_on_every_family_of_networks() {
    let cases = cases();
    let runs: Vec<(&Case, &str, DramSize)> =
        cases.iter().flat_map(|case| MODES.map(|(mode, dram)| (case, mode, dram))).collect();
    for case in &cases {
        let lines = hetier_traces::facts(&case.trace, 4).unwrap().activity.line_accesses;
        assert!(lines <= MOST_LINES, "{}: {lines} lines", case.name);
    }
    let rows: Vec<Row> = runs.par_iter().map(|(case, mode, dram)| hold(case, mode, *dram)).collect();

    let mut page = format!(
        "# Stream fidelity against line fidelity\n\n\
         Reduced instances of every family of networks on `optane-slice`, caches divided with the ciphertexts (a layer\n\
         of whole ones on whole caches stands last), DRAM for half of the footprint in Memory Mode and 0.3 of it in App\n\
         Direct. Time is the whole run's, in Memory Mode the mean of {SEEDS} placements of pages; bytes are the largest error by tier and direction among those with at least\n\
         2 % of all bytes. Aim: 5 % of time, 2 % of bytes. Latency is what loads wait for memory, in ns. Waits is the\n\
         largest difference of the shares, in hundredths, that DRAM, PMem and caches have of all that cores wait for them.\n\
         `tests/fidelity.rs` checks this page; `UPDATE_SNAPSHOTS=1 cargo test --release --test fidelity` rewrites it.\n\n\
         | network | mode | million lines | line, ms | stream, ms | time | bytes | mean, line | stream | p99, line | stream \
         | waits |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    rows.iter().for_each(|row| writeln!(page, "{}", row.text).unwrap());
    let of = |choice: fn(&Apart) -> f64| median(rows.iter().map(|row| choice(&row.apart)));
    let middle = of(|apart| apart.time);
    let medians = [middle, of(|apart| apart.mean), of(|apart| apart.p99)].map(|error| error * 100.0);
    let [time, mean, p99] = medians;
    writeln!(
        page,
        "\nMedian error of time: {time:.1} %, of mean latency: {mean:.0} %, of its p99: {p99:.0} %."
    )
    .unwrap();
    println!("{page}");

    let is_current = is_current("fidelity.md", &page);
    for row in &rows {
        let Apart { time, bytes, mean, p99, waits } = row.apart;
        let is_alike = time <= MOST.time && bytes <= MOST.bytes && waits <= MOST.waits;
        assert!(is_alike && mean <= MOST.mean && p99 <= MOST.p99, "beyond {MOST:?}: {:?}", row.apart);
    }
    assert!(middle <= MOST_MEDIAN, "median error of time: {middle}");
    assert!(is_current, "docs/fidelity.md is not current (UPDATE_SNAPSHOTS=1 rewrites it)");
}
