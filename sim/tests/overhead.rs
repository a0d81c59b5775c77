//! Calibrated overhead of a system: charged alike at both fidelities, and only what the constants say.

#[expect(dead_code, reason = "other tests use the rest")]
mod synthetic;

use std::ops::ControlFlow;

use hetier_sim::replay::{self, DramSize, Settings};
use hetier_sim::{RunResult, System, stream};
use hetier_traces::Trace;
use synthetic::{Builder, Convolution, Kernel};

const MULTIPLY_NS: u64 = 50_000;
const CIPHERTEXT_NS: u64 = 70_000;
const RETAINED_BYTES: u64 = 10_000;
/// Bytes by which the heap grows: 132 KiB.
const STEP_BYTES: u64 = 132 << 10;

fn system(overhead: bool) -> System {
    let text = include_str!("../systems/optane-slice.toml");
    let section = format!(
        "[overhead]\nkernel = \"faithful\"\nmultiply_accumulates = [\"multiply-first\", \"multiply-accumulate\"]\nmultiply_accumulate_ns = {MULTIPLY_NS}.0\n\
         ciphertext_ns = {CIPHERTEXT_NS}.0\nretained_bytes_per_ciphertext = {RETAINED_BYTES}\nsource = \"test\"\n\n[[tier]]"
    );
    let text = if overhead { text.replacen("[[tier]]", &section, 1) } else { text.to_owned() };
    System::parse("test.toml", &text).expect("the shipped file with one more table is valid")
}

/// Sixteen ciphertexts encrypted one after the other, and a convolution of four threads.
fn trace(kernel: &str) -> Trace {
    let mut builder = Builder::new("overhead");
    let input = synthetic::encrypt(&mut builder, 16, 12 << 10);
    let (inputs, outputs, height, width, window, bytes) = (1, 2, 4, 4, 1, 12 << 10);
    let layer = Convolution { inputs, outputs, height, width, window, bytes, kernel: Kernel::Faithful };
    let _ = layer.add(&mut builder, "conv", input);
    let mut trace = builder.trace;
    trace.header.facts.insert("kernel".to_owned(), kernel.to_owned());
    trace
}

fn run(kernel: &str, overhead: bool) -> [RunResult; 2] {
    let (trace, system) = (trace(kernel), system(overhead));
    let mode = Some("dram-only".to_owned());
    let settings = Settings { mode, dram: DramSize::Enough, ..Settings::default() };
    let mut quiet = |_: f64| ControlFlow::Continue(());
    [
        replay::replay(&trace, &system, &settings, &mut quiet).expect("the trace fits"),
        stream::replay(&trace, &system, &settings, &mut quiet).expect("the trace fits"),
    ]
}

#[test]
fn each_ciphertext_costs_serial_time_and_memory_at_both_fidelities() {
    let (plain, charged) = (run("faithful", false), run("faithful", true));

    for (plain, charged) in plain.iter().zip(&charged) {
        let overhead = charged.overhead.expect("the constants are for this kernel");
        assert!(plain.overhead.is_none());
        assert!(overhead.ciphertexts_written >= 16 + 32, "{overhead:?}");
        let serial = overhead.ciphertexts_written as f64 * CIPHERTEXT_NS as f64 / 1e9;
        assert!((overhead.serial_seconds - serial).abs() < 1e-12);
        let threads = overhead.multiply_accumulates as f64 * MULTIPLY_NS as f64 / 1e9;
        let more = charged.whole_run_seconds - plain.whole_run_seconds;
        // Threads share the multiply-accumulates evenly: 32 outputs on 4 threads. Memory is less busy beside them.
        let growth = &charged.by_primitive["heap-growth"];
        let expected = serial + threads / 4.0 + growth.simulated_seconds.expect("primitives are timed");
        assert!((more / expected - 1.0).abs() < 0.05, "{more} for {expected}");
        let kept = charged.peak_footprint_bytes - plain.peak_footprint_bytes;
        let steps = overhead.ciphertexts_written * RETAINED_BYTES / STEP_BYTES;
        assert_eq!((overhead.retained_bytes, growth.count), (steps * STEP_BYTES, steps));
        assert!(steps > 2, "{steps}");
        // The threads may have one product more or fewer alive at once.
        assert!(kept.abs_diff(overhead.retained_bytes) <= 4 * (12 << 10), "{kept} for {overhead:?}");
    }
    let [line, stream] = charged;
    assert_eq!(line.overhead, stream.overhead);
}

#[test]
fn what_is_retained_is_written_once_and_faulted_in_by_one_core() {
    let (plain, charged) = (run("faithful", false), run("faithful", true));

    for (plain, charged) in plain.iter().zip(&charged) {
        let growth = &charged.by_primitive["heap-growth"];
        let retained = charged.overhead.expect("charged").retained_bytes;
        let lines = retained / hetier_traces::LINE_BYTES;
        assert_eq!(growth.accesses, lines);
        // Blocks begin at lines, not at pages: each may share its first page with the one before.
        let faults = charged.caches.page_faults - plain.caches.page_faults;
        assert!(faults.abs_diff(retained / 4096) <= growth.count + 4 * 3, "{faults} for {retained} bytes");
        // Every line of it misses all caches once: it is new.
        let fetched = growth.read_bytes("dram") as f64 / retained as f64;
        assert!((0.9..1.1).contains(&fetched), "{fetched}");
        let idle = charged.phases.iter().map(|phase| phase.stall_seconds["idle"]).sum::<f64>();
        assert!(idle >= 3.0 * growth.simulated_seconds.expect("primitives are timed"), "{idle}");
    }
}

#[test]
fn another_kernel_is_charged_nothing() {
    let (plain, charged) = (run("fused", false), run("fused", true));

    for (plain, charged) in plain.iter().zip(&charged) {
        assert!(charged.overhead.is_none());
        assert_eq!(plain.whole_run_seconds, charged.whole_run_seconds);
        assert_eq!(plain.peak_footprint_bytes, charged.peak_footprint_bytes);
    }
}

#[test]
fn serial_overhead_shows_as_one_core_at_work() {
    for run in run("faithful", true) {
        let cpu = run.cpu_use_over_time.expect("every replay has it");
        let bin = cpu.bin_seconds;
        let busy: f64 = cpu.busy_cores.iter().map(|cores| cores * bin).sum();
        let idle: f64 = run.phases.iter().map(|phase| phase.stall_seconds["idle"]).sum();

        let expected = f64::from(run.threads) * run.whole_run_seconds - idle;
        assert!((busy / expected - 1.0).abs() < 0.01, "{busy} for {expected}");
        assert!(cpu.busy_cores.iter().all(|cores| *cores <= f64::from(run.threads) + 1e-9));
        let serial = cpu.busy_cores.iter().filter(|cores| (**cores - 1.0).abs() < 0.01).count() as f64 * bin;
        assert!(serial > 0.8 * run.overhead.expect("charged").serial_seconds, "{serial}");
    }
}

#[test]
fn serial_overhead_of_the_phases_is_that_of_the_run() {
    for run in run("faithful", true) {
        let sum: f64 = run.phases.iter().map(|phase| phase.serial_overhead_seconds).sum();
        let whole = run.overhead.expect("charged").serial_seconds;

        assert!(whole > 0.0 && (sum / whole - 1.0).abs() < 1e-9, "{sum} for {whole}");
        for phase in &run.phases {
            let stall = phase.stall_seconds["overhead"];
            assert!(phase.serial_overhead_seconds <= stall * (1.0 + 1e-9), "{}: {stall}", phase.name);
        }
    }
}
