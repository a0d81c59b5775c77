//! Values of loop variables, and compiled affine forms over them.

use crate::error::{Error, Result};
use crate::grammar::{Affine, MAX_VARIABLES};

/// Terms of a [`Form`] that are kept inline.
const INLINE_TERMS: usize = 6;

/// Values of the loop variables in scope, and the state of the ranges that they walk.
#[derive(Clone, Debug)]
pub struct Scope {
    pub(super) values: [i64; MAX_VARIABLES],
    /// Affine: the exclusive end. Listed: the list's number. Seeded: the draw's seed.
    pub(super) bounds: [i64; MAX_VARIABLES],
    /// Listed: the place in the list.
    pub(super) places: [u64; MAX_VARIABLES],
}

impl Scope {
    /// No variable set.
    pub const fn new() -> Self {
        Self { values: [0; MAX_VARIABLES], bounds: [0; MAX_VARIABLES], places: [0; MAX_VARIABLES] }
    }

    /// Values by variable number; those out of scope are meaningless.
    pub const fn values(&self) -> &[i64; MAX_VARIABLES] {
        &self.values
    }

    pub(super) fn set(&mut self, variable: usize, value: i64) {
        self.values[variable % MAX_VARIABLES] = value;
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self::new()
    }
}

/// A compiled [`Affine`]: evaluation takes about a nanosecond for each term. Overflow wraps; the checker refuses it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    constant: i64,
    length: u8,
    variables: [u8; INLINE_TERMS],
    coefficients: [i64; INLINE_TERMS],
    /// Terms beyond the inline ones; usually none.
    rest: Box<[(u8, i64)]>,
}

impl Form {
    /// Compiles an affine form whose variables are all below `in_scope`.
    ///
    /// # Errors
    /// - [`Error::OutOfRange`] if it names another variable.
    pub fn new(affine: &Affine, in_scope: usize) -> Result<Self> {
        let most = in_scope.min(MAX_VARIABLES);
        for &(variable, _) in &affine.terms {
            if usize::from(variable) >= most {
                let (found, most) = (i128::from(variable), most as i128 - 1);
                return Err(Error::OutOfRange {
                    place: "affine form".into(),
                    what: "variable",
                    found,
                    least: 0,
                    most,
                });
            }
        }
        let mut form = Self { constant: affine.constant, ..Self::default() };
        let split = affine.terms.len().min(INLINE_TERMS);
        for (at, &(variable, coefficient)) in affine.terms[..split].iter().enumerate() {
            form.variables[at] = variable;
            form.coefficients[at] = coefficient;
        }
        form.length = split as u8;
        form.rest = affine.terms[split..].into();
        Ok(form)
    }

    /// Value in a scope.
    #[inline]
    pub fn value(&self, scope: &Scope) -> i64 {
        let mut sum = self.constant;
        for at in 0..usize::from(self.length).min(INLINE_TERMS) {
            let value = scope.values[usize::from(self.variables[at]) % MAX_VARIABLES];
            sum = sum.wrapping_add(self.coefficients[at].wrapping_mul(value));
        }
        for &(variable, coefficient) in &self.rest {
            let value = scope.values[usize::from(variable) % MAX_VARIABLES];
            sum = sum.wrapping_add(coefficient.wrapping_mul(value));
        }
        sum
    }

    /// What the value grows by when a variable grows by 1.
    pub fn coefficient(&self, variable: usize) -> i64 {
        let inline = 0..usize::from(self.length);
        let terms =
            inline.map(|at| (self.variables[at], self.coefficients[at])).chain(self.rest.iter().copied());
        let of_variable = terms.filter(|(named, _)| usize::from(*named) == variable);
        of_variable.fold(0, |sum, (_, coefficient)| sum.wrapping_add(coefficient))
    }

    /// The variables that the value depends on, as a bit set.
    pub fn dependencies(&self) -> u32 {
        let inline = self.variables[..usize::from(self.length)].iter().copied();
        inline.chain(self.rest.iter().map(|term| term.0)).fold(0, |set, variable| set | 1 << variable)
    }
}
