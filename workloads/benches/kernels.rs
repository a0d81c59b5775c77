//! HE kernels of dataflow `fused` at N = 8192, primes {60, 40, 40, 60}, one thread; beside each a copy of the bytes
//! that it reads and writes.
//!
//! `cargo bench -p hetier-workloads --bench kernels` prints a table: microseconds, the target (SEAL 4.4.3 with HEXL on
//! a machine with AVX-512 IFMA, times 1.7 for the cheap kernels and 1.1 for the product), the copy, their ratio.

use std::hint::black_box;
use std::time::Instant;

use hetier_traces::Access;
use hetier_workloads::host::fastest_call;
use hetier_workloads::ring::{Packing, Scale, Seed, unit_name};
use hetier_workloads::scheme::rotation;
use hetier_workloads::{Buffer, Context, Literal, Operation, Parameters, Primitive};

const DEGREE: usize = 8192;
const ROUNDS: usize = 400;

fn main() {
    let parameters =
        Parameters::new(&Literal::new(DEGREE, &[60, 40, 40, 60], 40)).expect("200 bits are secure");
    let context = Context::with_seed(parameters, Seed::fixed(1));
    let limbs = context.parameters().data_limbs();
    let rotate = Operation::Rotate { element: rotation(DEGREE, 1) };
    let encode = Operation::Encode { scale: Scale::new(2.0_f64.powi(40)), packing: Packing::Real };
    println!("N = {DEGREE}, {{60, 40, 40, 60}}, {limbs} data limbs, fused, vector unit {}", unit_name());
    println!("{:28} {:>10} {:>10} {:>10} {:>8}", "primitive", "µs", "target µs", "copy µs", "ratio");
    for (operation, target) in [
        (Operation::Add { size: 2 }, Some(9.2)),
        (Operation::MultiplyPlain, Some(17.2)),
        (Operation::MultiplyScalar { size: 2 }, Some(14.5)),
        (Operation::MultiplyScalarAccumulate { size: 2 }, None),
        (Operation::Multiply, Some(34.0)),
        (Operation::Square, None),
        (Operation::Relinearise, Some(546.0)),
        (Operation::Rescale { size: 2 }, Some(83.4)),
        (rotate, Some(566.0)),
        (encode, None),
        (Operation::EncryptSecret, None),
        (Operation::EncryptPublic, None),
    ] {
        let primitive = Primitive::fused(operation, limbs);
        let time = fastest_call(&context, &primitive, ROUNDS).expect("the benchmark's primitives fit") * 1e6;
        let copy = copy_of(&context, &primitive);
        let target = target.map_or_else(|| "-".to_owned(), |target| format!("{target:.1}"));
        println!("{:28} {time:10.1} {target:>10} {copy:10.1} {:8.2}", primitive.name(), time / copy);
    }
}

/// Words below every prime of the set.
fn residues(bytes: u64) -> Buffer {
    let mut buffer = Buffer::with_bytes(bytes);
    buffer.iter_mut().enumerate().for_each(|(index, word)| {
        *word = (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 25;
    });
    buffer
}

/// Microseconds to copy half of the bytes that the primitive's sweeps touch (a copy reads and writes each).
fn copy_of(context: &Context, primitive: &Primitive) -> f64 {
    let declared = primitive.to_macro(context.parameters()).expect("the benchmark's primitives fit");
    let lanes = declared.sweeps.iter().flat_map(|sweep| &sweep.lanes);
    let touched: u64 = lanes.map(|lane| lane.bytes * if lane.access == Access::Update { 2 } else { 1 }).sum();
    let from = residues(touched / 2);
    let mut to = from.clone();
    (0..ROUNDS / 4)
        .map(|_| {
            let start = Instant::now();
            to.copy_from_slice(black_box(&from));
            black_box(&mut to);
            1e6 * start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}
