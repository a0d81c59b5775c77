//! Stream fidelity against line fidelity: the same trace, the same machine, the same answer.

mod synthetic;

use std::ops::ControlFlow;

use hetier_sim::replay::{self, DramSize, Settings};
use hetier_sim::{RunResult, System, stream};
use hetier_traces::Trace;
use synthetic::{Builder, Convolution, Kernel};

/// Caches scaled down so that ciphertexts of 24 KiB hit and miss as 192 KiB do in the real machine.
fn small_machine(l3_kib: u32) -> System {
    let text = include_str!("../systems/optane-slice.toml")
        .replace("capacity_kib = 32\n", "capacity_kib = 4\n")
        .replace("capacity_kib = 1024\n", "capacity_kib = 64\n")
        .replace("capacity_kib = 5632\n", &format!("capacity_kib = {l3_kib}\n"));
    System::parse("small.toml", &text).unwrap()
}

fn convolutions(kernel: Kernel, channels: u64, side: u64) -> Trace {
    let bytes = 12 << 10;
    let mut builder = Builder::new("convolutions");
    let count = channels * side * side;
    let input = synthetic::encrypt(&mut builder, count, bytes);
    let first = Convolution { inputs: channels, outputs: channels, height: side, width: side, window: 3, bytes, kernel };
    let middle = first.add(&mut builder, "conv1", input);
    let added = synthetic::elementwise(&mut builder, "add1", middle, count, bytes, true);
    let second = Convolution { window: 1, outputs: 2 * channels, ..first };
    let output = second.add(&mut builder, "conv2", added);
    let _ = synthetic::elementwise(&mut builder, "pool", output, 2 * count, bytes, false);
    builder.trace
}

fn key_switches() -> Trace {
    let (limbs, limb) = (3, 8 << 10);
    let mut builder = Builder::new("key-switches");
    let data = synthetic::encrypt(&mut builder, 64, 2 * limbs * limb);
    synthetic::key_switch(&mut builder, "relinearise", data, 64, limbs, limb);
    builder.trace
}

fn run(trace: &Trace, system: &System, mode: &str, dram: DramSize) -> (RunResult, RunResult) {
    let settings = Settings { mode: Some(mode.to_owned()), dram, ..Settings::default() };
    let mut quiet = |_: f64| ControlFlow::Continue(());
    let started = std::time::Instant::now();
    let line = replay::replay(trace, system, &settings, &mut quiet).unwrap();
    let between = std::time::Instant::now();
    let stream = stream::replay(trace, system, &settings, &mut quiet).unwrap();
    println!("    line {:?} stream {:?}", between - started, between.elapsed());
    (line, stream)
}

fn compare(name: &str, line: &RunResult, stream: &RunResult) -> (f64, f64) {
    let ratio = |found: f64, expected: f64| if expected == 0.0 { f64::from(found != 0.0) } else { found / expected - 1.0 };
    let time = ratio(stream.whole_run_seconds, line.whole_run_seconds);
    println!(
        "{name}: accesses {} {} time {:.6} {:.6} ({:+.2} %)",
        line.accesses, stream.accesses, line.whole_run_seconds, stream.whole_run_seconds, time * 100.0
    );
    let mut worst: f64 = 0.0;
    let total: u64 = line.devices.values().map(|tier| tier.read_bytes + tier.write_bytes).sum();
    for (tier, expected) in &line.devices {
        let found = &stream.devices[tier];
        for (direction, expected, found) in
            [("read", expected.read_bytes, found.read_bytes), ("write", expected.write_bytes, found.write_bytes)]
        {
            let error = ratio(found as f64, expected as f64);
            println!("    {tier} {direction}: {expected} {found} ({:+.2} %)", error * 100.0);
            if expected * 50 > total {
                worst = worst.max(error.abs());
            }
        }
    }
    for (expected, found) in line.phases.iter().zip(&stream.phases) {
        let time = ratio(found.seconds, expected.seconds);
        println!("    {}: {:.6} {:.6} ({:+.2} %)", expected.name, expected.seconds, found.seconds, time * 100.0);
        println!("        line   compute {:.6} {:?}", expected.compute_seconds, expected.stall_seconds);
        println!("        stream compute {:.6} {:?}", found.compute_seconds, found.stall_seconds);
        for (tier, traffic) in &expected.tiers {
            println!("        {tier} {traffic:?} {:?}", found.tiers[tier]);
        }
    }
    println!("    near {:?} {:?}", line.near_memory, stream.near_memory);
    println!("    caches {:?}\n           {:?}", line.caches, stream.caches);
    (time, worst)
}

#[test]
fn explore() {
    let wanted = std::env::var("WANT").unwrap_or_default();
    for (name, trace, l3_kib) in [
        ("faithful", convolutions(Kernel::Faithful, 4, 6), 352),
        ("fused", convolutions(Kernel::Fused, 4, 6), 352),
        ("faithful176", convolutions(Kernel::Faithful, 4, 6), 176),
        ("fused704", convolutions(Kernel::Fused, 4, 6), 704),
        ("keys", key_switches(), 1056),
        ("keys176", key_switches(), 176),
    ] {
        let system = small_machine(l3_kib);
        for (mode, dram) in [
            ("dram-only", DramSize::System),
            ("memory-mode", DramSize::Fraction(0.5)),
            ("app-direct", DramSize::Fraction(0.3)),
            ("pmem-only", DramSize::System),
        ] {
            if !format!("{name} {mode}").contains(&wanted) {
                continue;
            }
            let (line, stream) = run(&trace, &system, mode, dram);
            let (time, bytes) = compare(&format!("{name} {mode}"), &line, &stream);
            println!("SUMMARY {name} {mode}: time {:+.2} % bytes {:.2} %", time * 100.0, bytes * 100.0);
        }
    }
}

#[test]
fn speed() {
    let system = System::load("bsc-8260l-32g-6t").unwrap();
    for (name, kernel, window) in [("faithful3", Kernel::Faithful, 3), ("fused3", Kernel::Fused, 3), ("faithful1", Kernel::Faithful, 1)] {
        let bytes = 192 << 10;
        let mut builder = Builder::new("resnet-stage");
        let shape = Convolution { inputs: 16, outputs: 96, height: 14, width: 14, window, bytes, kernel };
        let input = synthetic::encrypt(&mut builder, 16 * 14 * 14, bytes);
        shape.add(&mut builder, "conv", input);
        let settings = Settings { mode: Some("memory-mode".to_owned()), ..Settings::default() };
        let mut quiet = |_: f64| ControlFlow::Continue(());
        stream::replay(&builder.trace, &system, &settings, &mut quiet).unwrap();
        let started = std::time::Instant::now();
        let result = stream::replay(&builder.trace, &system, &settings, &mut quiet).unwrap();
        let ns = started.elapsed().as_nanos() as f64 / shape.taps() as f64;
        println!("SPEED {name} {} taps {ns:.1} ns each, {} s simulated, l3 {:?}", shape.taps(), result.simulated_seconds, result.caches.l3);
    }
}
