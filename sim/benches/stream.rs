//! Speed of stream fidelity on a ResNet-like convolution: line-equivalents (and calls) for each second of host time.

#[path = "../tests/synthetic/mod.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod synthetic;

use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hetier_sim::replay::Settings;
use hetier_sim::{System, stream};
use hetier_traces::Trace;
use synthetic::{Builder, Convolution, Kernel};

/// Ciphertexts of N = 4096 and three primes.
const BYTES: u64 = 192 << 10;

fn convolution(kernel: Kernel, window: u64) -> (Trace, u64) {
    let mut builder = Builder::new("resnet-stage");
    let shape = Convolution { inputs: 64, outputs: 96, height: 28, width: 28, window, bytes: BYTES, kernel };
    let count = shape.inputs * shape.height * shape.width;
    let input = synthetic::encrypt(&mut builder, count, BYTES);
    shape.add(&mut builder, "conv", input);
    (builder.trace, shape.taps())
}

fn replays(criterion: &mut Criterion) {
    let system = System::load("bsc-8260l-32g-6t").expect("the system is shipped");
    let mut group = criterion.benchmark_group("stream");
    group.sample_size(10);
    for (name, kernel, window) in [
        ("faithful-3x3", Kernel::Faithful, 3),
        ("fused-3x3", Kernel::Fused, 3),
        ("faithful-1x1", Kernel::Faithful, 1),
    ] {
        let (trace, taps) = convolution(kernel, window);
        let settings = Settings { mode: Some("memory-mode".to_owned()), ..Settings::default() };
        let mut replay = || {
            let mut quiet = |_: f64| ControlFlow::Continue(());
            stream::replay(&trace, &system, &settings, &mut quiet).expect("the trace fits")
        };
        // The first run derives the behaviour of the system; it is kept.
        let accesses = replay().accesses;
        println!("{name}: {taps} multiply-accumulates, {accesses} line accesses");
        group.throughput(Throughput::Elements(accesses));
        group.bench_function(format!("{name}/threads=48/channels=64x96/size=28"), |bencher| {
            bencher.iter(&mut replay);
        });
    }
    group.finish();
}

criterion_group!(benches, replays);
criterion_main!(benches);
