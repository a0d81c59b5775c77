//! Line accesses per second of the replay, on one host core.
//!
//! `cargo bench -p hetier-sim --bench replay` prints elements (line accesses) per second for each mode.

use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hetier_sim::System;
use hetier_sim::replay::{DramSize, Settings, replay};
use hetier_traces::{
    Access, Affine, Arithmetic, Array, ArrayId, Body, Class, Definition, Elements, Header, Lane, Macro,
    MacroId, Operand, Parameter, Phase, PhaseHead, Range, Role, Stage, Sweep, Trace, Work,
};

/// Bytes of a residue polynomial at N = 8192.
const LIMB: u64 = 8192 * 8;
/// Bytes of a ciphertext of two polynomials and three limbs.
const CIPHERTEXT: u64 = 6 * LIMB;
/// Passes of a transform over a limb, two butterfly stages each.
const PASSES: u64 = 7;

fn sweep(lanes: Vec<Lane>, kind: Arithmetic, count: u64) -> Sweep {
    Sweep { lanes, work: vec![Work { kind, count }] }
}

/// A multiply-accumulate over whole ciphertexts, and a transform that stays in the private caches.
fn macros() -> Vec<Macro> {
    let parameter = |role| Parameter { class: Class::Ciphertext, role, bytes: CIPHERTEXT };
    let lane = |operand, access| Lane::sequential(operand, access, 0, CIPHERTEXT);
    let multiply_add = Macro {
        name: "multiply-add".into(),
        limbs: 3,
        parameters: vec![parameter(Role::Input), parameter(Role::InOut)],
        sweeps: vec![sweep(
            vec![lane(0, Access::Read), lane(1, Access::Update)],
            Arithmetic::MultiplyAdd,
            CIPHERTEXT / 8,
        )],
    };
    let passes = (0..6).flat_map(|limb| (0..PASSES).map(move |_| limb)).map(|limb| {
        let lane = Lane::sequential(0, Access::Update, limb * LIMB, LIMB);
        sweep(vec![lane], Arithmetic::Butterfly, LIMB / 8)
    });
    let transform = Macro {
        name: "transform".into(),
        limbs: 3,
        parameters: vec![parameter(Role::InOut)],
        sweeps: passes.collect(),
    };
    vec![multiply_add, transform]
}

/// A small convolution: each output sums some inputs, then is transformed.
fn convolution(outputs: u64, taps: u64) -> Trace {
    let array = |label: &str, elements| {
        Definition::Array(Array {
            label: label.into(),
            class: Class::Ciphertext,
            elements,
            capacity_bytes: CIPHERTEXT,
            used_bytes: CIPHERTEXT,
        })
    };
    let operand = |array, index| Operand { array: ArrayId(array), index };
    let multiply_add = Body::Call {
        callee: MacroId(0),
        operands: vec![operand(0, Affine::variable(0).plus(1, 1)), operand(1, Affine::variable(0))],
    };
    let body = vec![
        Body::Loop { nest: vec![Range::count(taps)], first: vec![], body: vec![multiply_add] },
        Body::Call { callee: MacroId(1), operands: vec![operand(1, Affine::variable(0))] },
    ];
    let alloc =
        |array, count| Body::Alloc(Elements { array: ArrayId(array), start: Affine::constant(0), count });
    let head = PhaseHead { name: "conv".into(), operation: "Convolution".into(), stage: Stage::Server };
    Trace {
        header: Header::default(),
        definitions: vec![array("in", outputs + taps), array("out", outputs)],
        macros: macros(),
        phases: vec![Phase {
            head,
            body: vec![
                alloc(0, outputs + taps),
                alloc(1, outputs),
                Body::Parallel { nest: vec![Range::count(outputs)], nowait: false, body },
            ],
        }],
    }
}

fn benchmark(criterion: &mut Criterion) {
    let trace = convolution(8, 9);
    let system = System::load("optane-slice").expect("a shipped system");
    let mut group = criterion.benchmark_group("replay/convolution/n=2^13/limbs=3");
    for (mode, threads) in [("dram-only", 1), ("dram-only", 4), ("memory-mode", 4), ("app-direct", 4)] {
        let settings = Settings {
            mode: Some(mode.to_owned()),
            threads: Some(threads),
            dram: if mode == "dram-only" { DramSize::System } else { DramSize::Fraction(0.25) },
            ..Settings::default()
        };
        let run =
            || replay(&trace, &system, &settings, &mut |_| ControlFlow::Continue(())).expect("a valid trace");
        group.throughput(Throughput::Elements(run().accesses));
        group.sample_size(10);
        group.bench_function(format!("{mode}/threads={threads}"), |bench| bench.iter(|| black_box(run())));
    }
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
