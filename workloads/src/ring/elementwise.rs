//! Element-wise kernels modulo one prime, over any vector unit.

mod whole;

pub(super) use whole::{Move, Reduction};

use super::vector::{Kernel, Unit};
use super::{Constant, Factor, Formula, Modulus};

/// One element-wise step with its slices.
pub(super) struct Elementwise<'a> {
    pub formula: Formula,
    pub modulus: &'a Modulus,
    /// The constant or scalar of the formula.
    pub factor: Factor,
    pub reads: [&'a [u64]; 4],
    pub writes: [&'a mut [u64]; 3],
}

/// A prime and a factor as machine words.
#[derive(Clone, Copy)]
struct Residues<U: Unit> {
    unit: U,
    p: U::Word,
    twice_p: U::Word,
    barrett: U::Word,
    shift: u32,
    value: U::Word,
    quotient: U::Word,
}

impl<U: Unit> Residues<U> {
    #[inline(always)]
    fn new(unit: U, modulus: &Modulus, factor: Factor) -> Self {
        let barrett = if U::RADIX == 64 { modulus.barrett_64 } else { modulus.barrett_52 };
        Self {
            unit,
            p: unit.splat(modulus.value),
            twice_p: unit.splat(2 * modulus.value),
            barrett: unit.splat(barrett),
            shift: modulus.bits - 1,
            value: unit.splat(factor.value),
            quotient: unit.splat(factor.quotient >> (64 - U::RADIX)),
        }
    }

    #[inline(always)]
    fn add(&self, a: U::Word, b: U::Word) -> U::Word {
        self.unit.subtract_once(self.unit.add(a, b), self.p)
    }

    #[inline(always)]
    fn sub(&self, a: U::Word, b: U::Word) -> U::Word {
        self.unit.add_once(self.unit.sub(a, b), self.p)
    }

    #[inline(always)]
    fn wide(&self, a: U::Word, b: U::Word) -> (U::Word, U::Word) {
        (self.unit.high(a, b), self.unit.low(a, b))
    }

    /// Barrett reduction of a product of two residues, or the sum of two such products.
    ///
    /// With x < 2^(2b+1) and c = ⌊x / 2^(b−1)⌋, the quotient ⌊c·⌊R·2^(b−1)/p⌋ / R⌋ is at most 2 too small, so that the
    /// rest is below 3p, or 5p with a quotient of slack 2.
    #[inline(always)]
    fn reduce(&self, wide: (U::Word, U::Word)) -> U::Word {
        let unit = self.unit;
        let quotient = unit.quotient(unit.shift_right(wide, self.shift), self.barrett);
        let mut rest = unit.low_difference(wide.1, quotient, self.p);
        if U::SLACK > 0 {
            rest = unit.subtract_once(rest, unit.add(self.twice_p, self.twice_p));
        }
        unit.subtract_once(unit.subtract_once(rest, self.twice_p), self.p)
    }

    #[inline(always)]
    fn mul(&self, a: U::Word, b: U::Word) -> U::Word {
        self.reduce(self.wide(a, b))
    }

    /// Product with the factor: Shoup's quotient is at most 1 too small, so that the rest is below 2p, or 4p.
    #[inline(always)]
    fn scale(&self, x: U::Word) -> U::Word {
        self.finish(self.unit.low(x, self.value), self.unit.quotient(x, self.quotient))
    }

    /// A word modulo p, when the factor is 1.
    #[inline(always)]
    fn remainder(&self, x: U::Word) -> U::Word {
        self.finish(x, self.unit.quotient(x, self.quotient))
    }

    #[inline(always)]
    fn finish(&self, low: U::Word, quotient: U::Word) -> U::Word {
        let unit = self.unit;
        let mut rest = unit.low_difference(low, quotient, self.p);
        if U::SLACK > 0 {
            rest = unit.subtract_once(rest, self.twice_p);
        }
        unit.subtract_once(rest, self.p)
    }
}

/// What is done to a word, inlined into the loop over all of them: only there the compiler knows the vector unit.
macro_rules! lane {
    (|$($word:ident),+| $value:expr) => {
        #[inline(always)]
        |$($word),+| $value
    };
}

impl Kernel for Elementwise<'_> {
    #[inline(always)]
    fn run<U: Unit>(self, unit: U) {
        let Self { formula, modulus, factor, reads: [a, b, c, d], writes: [x, y, z] } = self;
        let r = Residues::new(unit, modulus, factor);
        match formula {
            Formula::Add => map2::<U>(a, b, x, lane!(|a, b| r.add(a, b))),
            Formula::AddAssign => update1::<U>(a, x, lane!(|a, x| r.add(x, a))),
            Formula::Subtract => map2::<U>(a, b, x, lane!(|a, b| r.sub(a, b))),
            Formula::SubtractAssign => update1::<U>(a, x, lane!(|a, x| r.sub(x, a))),
            Formula::SubtractFrom => update1::<U>(a, x, lane!(|a, x| r.sub(a, x))),
            Formula::NegateAssign => update::<U>(x, lane!(|x| r.sub(unit.splat(0), x))),
            Formula::DoubleAssign => update::<U>(x, lane!(|x| r.add(x, x))),
            Formula::AddScalarAssign | Formula::AddConstant(_) => {
                update::<U>(x, lane!(|x| r.add(x, r.value)));
            }
            Formula::SubtractConstant(_) => update::<U>(x, lane!(|x| r.sub(x, r.value))),
            Formula::MultiplyScalar => map1::<U>(b, x, lane!(|b| r.scale(b))),
            Formula::MultiplyScalarAssign | Formula::MultiplyConstant(_) => {
                update::<U>(x, lane!(|x| r.scale(x)));
            }
            Formula::MultiplyScalarAdd => update1::<U>(b, x, lane!(|b, x| r.add(x, r.scale(b)))),
            Formula::NormaliseAddHalf => {
                let half = unit.splat(modulus.value >> 1);
                update::<U>(x, lane!(|x| r.add(r.scale(x), half)));
            }
            Formula::SubtractDivide(_) => update1::<U>(a, x, lane!(|a, x| r.scale(r.sub(x, a)))),
            Formula::SubtractDivideTo(_) => map2::<U>(a, b, x, lane!(|a, b| r.scale(r.sub(a, b)))),
            Formula::SubtractDivideAdd(_) => {
                update2::<U>(a, b, x, lane!(|a, b, x| r.add(x, r.scale(r.sub(a, b)))));
            }
            Formula::SubtractDividePlus(_) => {
                map3::<U>(a, b, c, x, lane!(|a, b, c| r.add(c, r.scale(r.sub(a, b)))));
            }
            Formula::Multiply => map2::<U>(a, b, x, lane!(|a, b| r.mul(a, b))),
            Formula::MultiplyAssign => update1::<U>(a, x, lane!(|a, x| r.mul(x, a))),
            Formula::MultiplyAdd => update2::<U>(a, b, x, lane!(|a, b, x| r.add(x, r.mul(a, b)))),
            Formula::MultiplySubtract => update2::<U>(a, b, x, lane!(|a, b, x| r.sub(x, r.mul(a, b)))),
            Formula::MultiplyPlus => map3::<U>(a, b, c, x, lane!(|a, b, c| r.add(r.mul(a, b), c))),
            Formula::MultiplyAssignPlus => update2::<U>(a, b, x, lane!(|a, b, x| r.add(r.mul(x, a), b))),
            Formula::Square => map1::<U>(a, x, lane!(|a| r.mul(a, a))),
            Formula::SquareAssign => update::<U>(x, lane!(|x| r.mul(x, x))),
            Formula::Tensor => tensor(&r, [a, b, c, d], [x, y, z]),
            Formula::TensorSquare => tensor_square(&r, [a, b], [x, y, z]),
            Formula::KeyProduct => key_product(&r, [a, b, c], [x, y]),
            Formula::KeyProductAdd => key_product_add(&r, [a, b, c], [x, y]),
            _ => {}
        }
    }
}

/// Whether [`Elementwise`] knows the formula.
#[rustfmt::skip]
pub(super) fn is_elementwise(formula: Formula) -> bool {
    use Formula as F;
    matches!(
        formula,
        F::Add | F::AddAssign | F::Subtract | F::SubtractAssign | F::SubtractFrom | F::NegateAssign | F::DoubleAssign
        | F::MultiplyScalar | F::MultiplyScalarAssign | F::MultiplyScalarAdd | F::AddScalarAssign
        | F::MultiplyConstant(_) | F::AddConstant(_) | F::SubtractConstant(_) | F::NormaliseAddHalf
        | F::SubtractDivide(_) | F::SubtractDivideTo(_) | F::SubtractDivideAdd(_) | F::SubtractDividePlus(_)
        | F::Multiply | F::MultiplyAssign | F::MultiplyAdd | F::MultiplySubtract | F::MultiplyPlus
        | F::MultiplyAssignPlus | F::Square | F::SquareAssign | F::Tensor | F::TensorSquare
        | F::KeyProduct | F::KeyProductAdd
    )
}

/// The built-in constant of an element-wise formula.
pub(super) const fn constant(formula: Formula) -> Option<Constant> {
    match formula {
        Formula::MultiplyConstant(constant)
        | Formula::AddConstant(constant)
        | Formula::SubtractConstant(constant) => Some(constant),
        Formula::NormaliseAddHalf => Some(Constant::InverseDegree),
        Formula::SubtractDivide(by)
        | Formula::SubtractDivideTo(by)
        | Formula::SubtractDivideAdd(by)
        | Formula::SubtractDividePlus(by) => Some(Constant::InversePrime(by)),
        _ => None,
    }
}

#[inline(always)]
fn update<U: Unit>(x: &mut [u64], f: impl Fn(U::Word) -> U::Word) {
    for x in U::words_mut(x) {
        *x = f(*x);
    }
}

#[inline(always)]
fn update1<U: Unit>(a: &[u64], x: &mut [u64], f: impl Fn(U::Word, U::Word) -> U::Word) {
    for (x, &a) in U::words_mut(x).iter_mut().zip(U::words(a)) {
        *x = f(a, *x);
    }
}

#[inline(always)]
fn update2<U: Unit>(a: &[u64], b: &[u64], x: &mut [u64], f: impl Fn(U::Word, U::Word, U::Word) -> U::Word) {
    for ((x, &a), &b) in U::words_mut(x).iter_mut().zip(U::words(a)).zip(U::words(b)) {
        *x = f(a, b, *x);
    }
}

#[inline(always)]
fn map1<U: Unit>(a: &[u64], x: &mut [u64], f: impl Fn(U::Word) -> U::Word) {
    for (x, &a) in U::words_mut(x).iter_mut().zip(U::words(a)) {
        *x = f(a);
    }
}

#[inline(always)]
fn map2<U: Unit>(a: &[u64], b: &[u64], x: &mut [u64], f: impl Fn(U::Word, U::Word) -> U::Word) {
    for ((x, &a), &b) in U::words_mut(x).iter_mut().zip(U::words(a)).zip(U::words(b)) {
        *x = f(a, b);
    }
}

#[inline(always)]
fn map3<U: Unit>(
    a: &[u64],
    b: &[u64],
    c: &[u64],
    x: &mut [u64],
    f: impl Fn(U::Word, U::Word, U::Word) -> U::Word,
) {
    for (((x, &a), &b), &c) in U::words_mut(x).iter_mut().zip(U::words(a)).zip(U::words(b)).zip(U::words(c)) {
        *x = f(a, b, c);
    }
}

#[inline(always)]
fn tensor<U: Unit>(r: &Residues<U>, [a, b, c, d]: [&[u64]; 4], [x, y, z]: [&mut [u64]; 3]) {
    let inputs = U::words(a).iter().zip(U::words(b)).zip(U::words(c).iter().zip(U::words(d)));
    let outputs = U::words_mut(x).iter_mut().zip(U::words_mut(y)).zip(U::words_mut(z));
    for (((&a, &b), (&c, &d)), ((x, y), z)) in inputs.zip(outputs) {
        *x = r.mul(a, c);
        *y = r.reduce(r.unit.wide_add(r.wide(a, d), r.wide(b, c)));
        *z = r.mul(b, d);
    }
}

#[inline(always)]
fn tensor_square<U: Unit>(r: &Residues<U>, [a, b]: [&[u64]; 2], [x, y, z]: [&mut [u64]; 3]) {
    let outputs = U::words_mut(x).iter_mut().zip(U::words_mut(y)).zip(U::words_mut(z));
    for ((&a, &b), ((x, y), z)) in U::words(a).iter().zip(U::words(b)).zip(outputs) {
        let product = r.mul(a, b);
        *x = r.mul(a, a);
        *y = r.add(product, product);
        *z = r.mul(b, b);
    }
}

#[inline(always)]
fn key_product<U: Unit>(r: &Residues<U>, [a, b, c]: [&[u64]; 3], [x, y]: [&mut [u64]; 2]) {
    let inputs = U::words(a).iter().zip(U::words(b)).zip(U::words(c));
    for (((&a, &b), &c), (x, y)) in inputs.zip(U::words_mut(x).iter_mut().zip(U::words_mut(y))) {
        *x = r.mul(a, b);
        *y = r.mul(a, c);
    }
}

#[inline(always)]
fn key_product_add<U: Unit>(r: &Residues<U>, [a, b, c]: [&[u64]; 3], [x, y]: [&mut [u64]; 2]) {
    let inputs = U::words(a).iter().zip(U::words(b)).zip(U::words(c));
    for (((&a, &b), &c), (x, y)) in inputs.zip(U::words_mut(x).iter_mut().zip(U::words_mut(y))) {
        *x = r.add(*x, r.mul(a, b));
        *y = r.add(*y, r.mul(a, c));
    }
}

#[cfg(test)]
mod tests;
