//! Every formula on every vector unit equals arithmetic in 128 bits.

use super::super::vector::run_on;
use super::*;
use crate::ring::prime;

const UNITS: [&str; 4] = ["scalar", "avx2", "avx512", "avx512-ifma"];
const WORDS: usize = 64;
const DEGREE: usize = 32;

/// Residues with the extremes among them.
fn residues(p: u64, seed: u64) -> Vec<u64> {
    let mut state = seed;
    (0..WORDS)
        .map(|index| {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            match (index as u64 + seed) % 8 {
                0 => p - 1,
                1 => 0,
                2 => 1,
                _ => state % p,
            }
        })
        .collect()
}

struct Case {
    modulus: Modulus,
    factor: Factor,
    reads: [Vec<u64>; 4],
    writes: [Vec<u64>; 3],
}

impl Case {
    fn new(bits: u32) -> Self {
        let p = prime::chain(DEGREE, &[bits]).unwrap()[0];
        let modulus = Modulus::new(p);
        Self {
            factor: Factor::new(p / 3, &modulus),
            reads: [0, 1, 2, 3].map(|seed| residues(p, seed)),
            writes: [4, 5, 6].map(|seed| residues(p, seed)),
            modulus,
        }
    }

    /// What the formula leaves in the written slices; `None` if the unit is missing.
    fn run(&self, unit: &str, formula: Formula) -> Option<[Vec<u64>; 3]> {
        let mut writes = self.writes.clone();
        let kernel = Elementwise {
            formula,
            modulus: &self.modulus,
            factor: self.factor,
            reads: self.reads.each_ref().map(Vec::as_slice),
            writes: writes.each_mut().map(Vec::as_mut_slice),
        };
        run_on(unit, kernel).then_some(writes)
    }
}

/// The written elements for reads a, b, c, d, old values x, y, factor w, all modulo p, by the definition.
#[rustfmt::skip]
fn by_definition(formula: Formula, [a, b, c, d]: [u128; 4], [x, y, z]: [u128; 3], w: u128, p: u128) -> [u128; 3] {
    use Formula as F;
    let result = match formula {
        F::Add => [a + b, y, z],
        F::AddAssign => [x + a, y, z],
        F::Subtract => [a + p - b, y, z],
        F::SubtractAssign => [x + p - a, y, z],
        F::SubtractFrom => [a + p - x, y, z],
        F::NegateAssign => [p - x, y, z],
        F::DoubleAssign => [2 * x, y, z],
        F::AddScalarAssign | F::AddConstant(_) => [x + w, y, z],
        F::SubtractConstant(_) => [x + p - w, y, z],
        F::MultiplyScalar => [w * b, y, z],
        F::MultiplyScalarAssign | F::MultiplyConstant(_) => [w * x, y, z],
        F::MultiplyScalarAdd => [x + w * b, y, z],
        F::NormaliseAddHalf => [w * x + p / 2, y, z],
        F::SubtractDivide(_) => [w * (x + p - a), y, z],
        F::SubtractDivideTo(_) => [w * (a + p - b), y, z],
        F::SubtractDivideAdd(_) => [x + w * (a + p - b), y, z],
        F::SubtractDividePlus(_) => [c + w * (a + p - b), y, z],
        F::Multiply => [a * b, y, z],
        F::MultiplyAssign => [x * a, y, z],
        F::MultiplyAdd => [x + a * b, y, z],
        F::MultiplySubtract => [x + p * p - a * b, y, z],
        F::MultiplyPlus => [a * b + c, y, z],
        F::MultiplyAssignPlus => [x * a + b, y, z],
        F::Square => [a * a, y, z],
        F::SquareAssign => [x * x, y, z],
        F::Tensor => [a * c, a * d + b * c, b * d],
        F::TensorSquare => [a * a, 2 * (a * b), b * b],
        F::KeyProduct => [a * b, a * c, z],
        F::KeyProductAdd => [x + a * b, y + a * c, z],
        other => panic!("{other:?} is not element-wise"),
    };
    result.map(|value| value % p)
}

const FORMULAS: [Formula; 29] = [
    Formula::Add,
    Formula::AddAssign,
    Formula::Subtract,
    Formula::SubtractAssign,
    Formula::SubtractFrom,
    Formula::NegateAssign,
    Formula::DoubleAssign,
    Formula::AddScalarAssign,
    Formula::SubtractConstant(Constant::Half(0)),
    Formula::MultiplyScalar,
    Formula::MultiplyScalarAssign,
    Formula::MultiplyConstant(Constant::InverseDegree),
    Formula::MultiplyScalarAdd,
    Formula::NormaliseAddHalf,
    Formula::SubtractDivide(0),
    Formula::SubtractDivideTo(0),
    Formula::SubtractDivideAdd(0),
    Formula::SubtractDividePlus(0),
    Formula::Multiply,
    Formula::MultiplyAssign,
    Formula::MultiplyAdd,
    Formula::MultiplySubtract,
    Formula::MultiplyPlus,
    Formula::MultiplyAssignPlus,
    Formula::Square,
    Formula::Tensor,
    Formula::TensorSquare,
    Formula::KeyProduct,
    Formula::KeyProductAdd,
];

#[test]
fn every_formula_equals_its_definition_on_every_unit() {
    for bits in [20, 40, 50, 51, 60] {
        let case = Case::new(bits);
        let p = u128::from(case.modulus.value);
        for unit in UNITS {
            if unit == "avx512-ifma" && !case.modulus.is_narrow() {
                continue;
            }
            for formula in FORMULAS.into_iter().chain([Formula::SquareAssign]) {
                assert!(is_elementwise(formula));
                let Some(found) = case.run(unit, formula) else { continue };
                for index in 0..WORDS {
                    let at = |words: &Vec<u64>| u128::from(words[index]);
                    let (reads, writes) = (case.reads.each_ref().map(at), case.writes.each_ref().map(at));
                    let expected = by_definition(formula, reads, writes, u128::from(case.factor.value), p);
                    assert_eq!(
                        found.each_ref().map(at),
                        expected,
                        "{unit} {bits} bits {formula:?} at {index}"
                    );
                }
            }
        }
    }
}

#[test]
fn reduction_takes_any_word_below_2_to_62() {
    let words: Vec<u64> = residues(1 << 62, 9);
    for bits in [20, 50, 60] {
        let modulus = Modulus::new(prime::chain(DEGREE, &[bits]).unwrap()[0]);
        let subtract = modulus.value / 2;
        for unit in &UNITS[..3] {
            let mut to = vec![0; WORDS];
            if !run_on(unit, Reduction { modulus: &modulus, subtract, from: &words, to: &mut to }) {
                continue;
            }
            for (found, word) in to.iter().zip(&words) {
                assert_eq!(
                    *found,
                    (word % modulus.value + modulus.value - subtract) % modulus.value,
                    "{unit} {bits}"
                );
            }
        }
    }
}

#[test]
fn moves_copy_and_fill_lengths_that_are_no_whole_lines() {
    let from: Vec<u64> = (1..=21).collect();
    for unit in UNITS {
        let mut to = vec![9; 21];
        if run_on(unit, Move { from: Some(&from), to: &mut to }) {
            assert_eq!(to, from);
            run_on(unit, Move { from: None, to: &mut to });
            assert_eq!(to, vec![0; 21]);
        }
    }
}
