//! Limbs read and written by each dataflow, against the counts read in SEAL's sources.
//!
//! "R a W b" means limbs of 8N bytes read and written outside the transforms.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hetier_traces::{Access, Class};
use hetier_workloads::ring::Formula;
use hetier_workloads::{Dataflow, Literal, Operation, Parameters, Primitive};

const DEGREE: usize = 1024;

fn parameters() -> Parameters {
    Parameters::insecure_for_tests(&Literal::new(DEGREE, &[50, 40, 40, 40, 60], 40)).unwrap()
}

fn is_transform(formula: Formula) -> bool {
    matches!(formula, Formula::Ntt | Formula::InverseNtt)
}

/// Limbs read and written outside transforms, scalars and tables left out.
fn limbs(primitive: Primitive) -> [u64; 2] {
    let parameters = parameters();
    let operands = primitive.operands(&parameters).unwrap();
    let mut words = [0, 0];
    for step in primitive.steps(&parameters).unwrap() {
        let sweeps = step.sweeps();
        let lanes = sweeps.iter().filter(|_| !is_transform(step.formula)).flat_map(|sweep| &sweep.lanes);
        for lane in lanes {
            let class = operands[usize::from(lane.operand)].class;
            if matches!(class, Class::Scalar | Class::Table) {
                continue;
            }
            words[0] += if lane.access == Access::Write { 0 } else { lane.bytes / 8 };
            words[1] += if lane.access == Access::Read { 0 } else { lane.bytes / 8 };
        }
    }
    words.map(|words| words / DEGREE as u64)
}

/// Forward and inverse transforms.
fn transforms(primitive: Primitive) -> [usize; 2] {
    let steps = primitive.steps(&parameters()).unwrap();
    [Formula::Ntt, Formula::InverseNtt]
        .map(|wanted| steps.iter().filter(|step| step.formula == wanted).count())
}

fn at(operation: Operation, limbs: u64, dataflow: Dataflow) -> Primitive {
    Primitive { operation, limbs: limbs as u32, dataflow }
}

/// Limbs of all scratch objects together.
fn scratch(primitive: Primitive) -> u64 {
    primitive.scratch(&parameters()).unwrap().iter().sum::<u64>() / (8 * DEGREE as u64)
}

#[test]
fn element_wise_operations_touch_what_seal_touches() {
    for k in 1..=4 {
        for dataflow in Dataflow::ALL {
            for (operation, expected) in [
                (Operation::AddAssign { size: 2 }, [4 * k, 2 * k]),
                (Operation::SubtractAssign { size: 2 }, [4 * k, 2 * k]),
                (Operation::AddPlain, [2 * k, k]),
                (Operation::MultiplyPlainAssign, [4 * k, 2 * k]),
                (Operation::Negate { size: 2 }, [2 * k, 2 * k]),
                (Operation::MultiplyScalarAssign { size: 2 }, [2 * k, 2 * k]),
            ] {
                assert_eq!(limbs(at(operation, k, dataflow)), expected, "{operation:?}");
                assert_eq!(scratch(at(operation, k, dataflow)), 0);
            }
        }
    }
}

#[test]
fn seal_copies_before_it_works_in_place() {
    for k in 1..=4 {
        let s = 2 * k;
        for dataflow in [Dataflow::Seal4, Dataflow::Seal345] {
            assert_eq!(limbs(at(Operation::Copy { size: 2 }, k, dataflow)), [s, 2 * s]);
            assert_eq!(limbs(at(Operation::Add { size: 2 }, k, dataflow)), [s + 2 * s, 2 * s + s]);
            // A multiply-accumulate: R 4S W 4S.
            let tap = Operation::MultiplyScalarAccumulate { size: 2 };
            assert_eq!(limbs(at(tap, k, dataflow)), [4 * s, 4 * s]);
            // And two vectors of 8 bytes an image, one filled, the other copied from it: R 1 W 2, with two images in a
            // slot limbs of the degree.
            let images = DEGREE as u32;
            let tap = at(Operation::HeTransformerTap { images }, k, dataflow);
            assert_eq!(limbs(tap), [4 * s + 1, 4 * s + 2]);
            let vectors = |images| {
                at(Operation::HeTransformerTap { images }, k, dataflow).scratch(&parameters()).unwrap()[1..]
                    .to_vec()
            };
            assert_eq!([vectors(1), vectors(100)], [vec![8; 2], vec![800; 2]]);
        }
        assert_eq!(limbs(at(Operation::Copy { size: 2 }, k, Dataflow::Fused)), [s, s]);
        assert_eq!(limbs(at(Operation::Add { size: 2 }, k, Dataflow::Fused)), [2 * s, s]);
        assert_eq!(
            limbs(at(Operation::MultiplyScalarAccumulate { size: 2 }, k, Dataflow::Fused)),
            [2 * s, s]
        );
    }
}

#[test]
fn products_of_ciphertexts() {
    for k in 1..=4 {
        // The destination is zeros, then the first factor (R 2k W 4k), then grows to three polynomials (R 2k W 3k).
        let grow = [4 * k, 7 * k];
        let plus = |[r, w]: [u64; 2]| [grow[0] + r, grow[1] + w];

        assert_eq!(limbs(at(Operation::Multiply, k, Dataflow::Fused)), [4 * k, 3 * k]);
        assert_eq!(limbs(at(Operation::Square, k, Dataflow::Fused)), [2 * k, 3 * k]);
        // Five passes over each tile: four products, one sum.
        assert_eq!(limbs(at(Operation::Multiply, k, Dataflow::Seal4)), plus([10 * k, 5 * k]));
        assert_eq!(limbs(at(Operation::Square, k, Dataflow::Seal4)), plus([5 * k, 4 * k]));
        // Copies R 4k W 4k, zeros W 3k, products R 16k W 8k, back R 3k W 3k.
        assert_eq!(
            limbs(at(Operation::Multiply, k, Dataflow::Seal345)),
            plus([(4 + 16 + 3) * k, (4 + 3 + 8 + 3) * k])
        );
        assert_eq!(scratch(at(Operation::Multiply, k, Dataflow::Seal345)), 9 * k + 2 * k);
        // Copy R 2k W 2k, passes R 5k W 4k, back R 3k W 3k.
        assert_eq!(limbs(at(Operation::Square, k, Dataflow::Seal345)), plus([10 * k, 9 * k]));
    }
}

#[test]
fn tiles_touch_main_memory_once() {
    let primitive = at(Operation::Multiply, 3, Dataflow::Seal4);
    let steps = primitive.steps(&parameters()).unwrap();
    let tiles = steps.iter().filter(|step| !matches!(step.formula, Formula::Copy | Formula::Zero));
    let [mut read, mut written] = [(); 2].map(|()| std::collections::BTreeSet::new());
    for step in tiles {
        read.extend(
            step.reads().iter().filter(|span| span.operand < 3).map(|span| (span.operand, span.offset)),
        );
        written.extend(
            step.writes().iter().filter(|span| span.operand < 3).map(|span| (span.operand, span.offset)),
        );
    }

    // R 4k W 3k in tiles of 256 of 1,024 coefficients.
    assert_eq!([read.len(), written.len()], [4 * 3 * 4, 3 * 3 * 4]);
}

#[test]
fn level_changes() {
    for k in 2..=4 {
        let kept = k - 1;
        for dataflow in [Dataflow::Seal4, Dataflow::Seal345] {
            assert_eq!(limbs(at(Operation::ModSwitch { size: 2 }, k, dataflow)), [4 * kept, 4 * kept]);
        }
        assert_eq!(limbs(at(Operation::ModSwitch { size: 2 }, k, Dataflow::Fused)), [kept, kept]);

        let rescale = |dataflow| at(Operation::Rescale { size: 2 }, k, dataflow);
        // Copy W 2k R 2k W 2k; half R 2 W 2; each kept limb R 5 W 4; out R 2(k−1) W 2(k−1).
        let seal = [2 * k + 2 + 2 * kept * 5 + 2 * kept, 4 * k + 2 + 2 * kept * 4 + 2 * kept];
        assert_eq!(limbs(rescale(Dataflow::Seal4)), seal);
        assert_eq!(transforms(rescale(Dataflow::Seal4)), [2 * kept as usize, 2]);
        assert_eq!(transforms(rescale(Dataflow::Fused)), [2 * kept as usize, 2]);
        // Half R 2 W 2; each kept limb R 1 W 1 into the rounding, R 2 W 1 out.
        assert_eq!(limbs(rescale(Dataflow::Fused)), [2 + 2 * kept * 3, 2 + 2 * kept * 2]);
        assert_eq!(transforms(rescale(Dataflow::Seal345)), [2 * kept as usize, 2 * k as usize]);
        assert_eq!(scratch(rescale(Dataflow::Seal345)), 2 * k + 2 * kept + 1);
    }
}

#[test]
fn key_switches_read_the_key_once_and_transform_alike() {
    for k in 1..=4_u64 {
        for dataflow in Dataflow::ALL {
            let primitive = at(Operation::Relinearise, k, dataflow);
            let declared = primitive.to_macro(&parameters()).unwrap();
            let lanes = declared.sweeps.iter().flat_map(|sweep| &sweep.lanes);
            let key: u64 = lanes.filter(|lane| lane.operand == 1).map(|lane| lane.bytes).sum();

            assert_eq!(key, 2 * k * (k + 1) * 8 * DEGREE as u64);
            assert_eq!(transforms(primitive), [(k * k + 2 * k) as usize, (k + 2) as usize]);
        }
        let seal_4 = at(Operation::Relinearise, k, Dataflow::Seal4);
        let seal_345 = at(Operation::Relinearise, k, Dataflow::Seal345);
        assert_eq!(scratch(seal_4), k + 2 * (k + 1) + 4 + 1);
        assert_eq!(scratch(seal_345), 4 * (k + 1) + 4);
        for primitive in [seal_4, seal_345] {
            let steps = primitive.steps(&parameters()).unwrap();
            let count = |wanted| steps.iter().filter(|step| step.formula == wanted).count() as u64;
            // Each of 2k(k+1) products updates two words a coefficient: R = W = 4k(k+1).
            assert_eq!(count(Formula::LazyProductAdd), 2 * k * (k + 1));
            // k² digits and 2k roundings.
            assert_eq!(count(Formula::Reduce), k * k + 2 * k);
            assert_eq!(count(Formula::LazyReduce), 2 * (k + 1));
        }
    }
}

#[test]
fn loop_orders_differ_in_how_the_accumulator_is_walked() {
    let order = |dataflow| -> Vec<u8> {
        let steps = at(Operation::Relinearise, 3, dataflow).steps(&parameters()).unwrap();
        steps.iter().filter(|step| step.formula == Formula::LazyProductAdd).map(|step| step.prime).collect()
    };

    // The special prime is number 4.
    let twice = |primes: &[u8]| primes.iter().flat_map(|&prime| [prime; 2]).collect::<Vec<u8>>();
    assert_eq!(order(Dataflow::Seal4), twice(&[0, 0, 0, 1, 1, 1, 2, 2, 2, 4, 4, 4]));
    assert_eq!(order(Dataflow::Seal345), twice(&[0, 1, 2, 4, 0, 1, 2, 4, 0, 1, 2, 4]));
}

#[test]
fn transforms_are_declared_depth_first_with_their_tables() {
    // Twice the block of 1,024 words: one pass over all, then a block each.
    let parameters = Parameters::insecure_for_tests(&Literal::new(2048, &[40, 40], 30)).unwrap();
    let steps = Primitive::fused(Operation::GenerateSecretKey, 1).steps(&parameters).unwrap();
    let sweeps = steps.iter().find(|step| step.formula == Formula::Ntt).unwrap().sweeps();

    assert_eq!(sweeps.len(), 3);
    let limb: Vec<_> =
        sweeps.iter().flat_map(|sweep| &sweep.lanes).filter(|lane| lane.operand == 0).collect();
    assert_eq!(limb.iter().map(|lane| lane.bytes).sum::<u64>(), 2 * 8 * 2048);
    let table: u64 = sweeps
        .iter()
        .flat_map(|sweep| &sweep.lanes)
        .filter(|lane| lane.operand == 1)
        .map(|lane| lane.bytes)
        .sum();
    assert_eq!(table, 16 * 2048);
    let butterflies: u64 = sweeps.iter().flat_map(|sweep| &sweep.work).map(|work| work.count).sum();
    assert_eq!(butterflies, 1024 * 11);
    assert_eq!(hetier_workloads::ring::transform_ratio(2048), (11, 2));
}

#[test]
fn seal_encrypts_modulo_one_more_prime_and_divides_it_out() {
    for k in 1..=parameters().data_limbs() {
        let encrypt = |dataflow| at(Operation::EncryptPublic, k.into(), dataflow);
        let more = k as usize + 1;

        // The secret and two errors modulo k + 1 primes; what rounding takes away modulo k, for both polynomials.
        for dataflow in [Dataflow::Seal345, Dataflow::Seal4] {
            assert_eq!(transforms(encrypt(dataflow)), [3 * more + 2 * k as usize, 2]);
        }
        assert_eq!(transforms(encrypt(Dataflow::Fused)), [3 * k as usize, 0]);
    }
    let parameters = parameters();
    let limbs = |dataflow: Dataflow| dataflow.public_key_limbs(&parameters);
    assert_eq!(
        [limbs(Dataflow::Seal345), limbs(Dataflow::Fused)],
        [parameters.key_limbs(), parameters.data_limbs()]
    );
}
