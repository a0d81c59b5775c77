//! One range: its values one after the other.

use super::form::{Form, Scope};
use crate::error::Result;
use crate::grammar::{Affine, Range};
use crate::seeded;

/// A compiled [`Range`].
#[derive(Clone, Debug)]
pub(super) enum Steps {
    Affine { from: Box<[Form]>, to: Box<[Form]> },
    Listed { lists: Box<[Box<[u32]>]>, select: Form },
    Seeded { of: u64, keep_per_million: u32, select: Form, seed: u64 },
}

impl Steps {
    pub fn new(range: &Range, in_scope: usize) -> Result<Self> {
        let form = |affine: &Affine| Form::new(affine, in_scope);
        Ok(match range {
            Range::Affine { from, to } => Self::Affine {
                from: from.iter().map(form).collect::<Result<_>>()?,
                to: to.iter().map(form).collect::<Result<_>>()?,
            },
            Range::Listed { lists, select } => Self::Listed {
                lists: lists.iter().map(|list| list.as_slice().into()).collect(),
                select: form(select)?,
            },
            &Range::Seeded { of, keep_per_million, ref select, seed } => {
                Self::Seeded { of, keep_per_million, select: form(select)?, seed }
            }
        })
    }

    pub fn dependencies(&self) -> u32 {
        match self {
            Self::Affine { from, to } => from.iter().chain(to).fold(0, |set, form| set | form.dependencies()),
            Self::Listed { select, .. } | Self::Seeded { select, .. } => select.dependencies(),
        }
    }

    /// Puts the variable at the first value; false if there is none.
    #[inline]
    pub fn enter(&self, scope: &mut Scope, variable: usize) -> bool {
        match self {
            Self::Affine { from, to } => {
                let (low, high) = bounds(from, to, scope);
                scope.set(variable, low);
                scope.bounds[variable] = high;
                low < high
            }
            Self::Listed { lists, select } => {
                scope.bounds[variable] = select.value(scope);
                scope.places[variable] = 0;
                put_listed(lists, scope, variable)
            }
            &Self::Seeded { of, keep_per_million, ref select, seed } => {
                let draw = seeded::family(seed, select.value(scope));
                scope.bounds[variable] = draw as i64;
                put_kept(draw, 0..of, keep_per_million, scope, variable)
            }
        }
    }

    /// Puts the variable at the next value; false if there is none.
    #[inline]
    pub fn step(&self, scope: &mut Scope, variable: usize) -> bool {
        match self {
            Self::Affine { .. } => {
                let next = scope.values[variable] + 1;
                if next >= scope.bounds[variable] {
                    return false;
                }
                scope.values[variable] = next;
                true
            }
            Self::Listed { lists, .. } => {
                scope.places[variable] += 1;
                put_listed(lists, scope, variable)
            }
            &Self::Seeded { of, keep_per_million, .. } => {
                let next = scope.values[variable] as u64 + 1;
                let draw = scope.bounds[variable] as u64;
                put_kept(draw, next..of, keep_per_million, scope, variable)
            }
        }
    }

    /// Whether the values are successive integers.
    pub const fn is_contiguous(&self) -> bool {
        matches!(self, Self::Affine { .. })
    }

    /// Draws that a pass over the values costs.
    pub const fn draws(&self) -> u64 {
        match self {
            Self::Affine { .. } | Self::Listed { .. } => 0,
            Self::Seeded { of, .. } => *of,
        }
    }

    /// Two numbers that settle which values there are.
    pub fn shape(&self, scope: &Scope) -> (i64, i64) {
        match self {
            Self::Affine { from, to } => bounds(from, to, scope),
            Self::Listed { select, .. } | Self::Seeded { select, .. } => (select.value(scope), 0),
        }
    }

    /// Number of values. Costs one draw per candidate for seeded ranges, O(1) otherwise.
    pub fn length(&self, scope: &Scope) -> u64 {
        match self {
            Self::Affine { from, to } => {
                let (low, high) = bounds(from, to, scope);
                u64::try_from(i128::from(high) - i128::from(low)).unwrap_or(0)
            }
            Self::Listed { lists, select } => {
                listed(lists, select.value(scope)).map_or(0, |list| list.len() as u64)
            }
            &Self::Seeded { of, keep_per_million, ref select, seed } => {
                let draw = seeded::family(seed, select.value(scope));
                (0..of).filter(|&candidate| seeded::is_kept(draw, candidate, keep_per_million)).count() as u64
            }
        }
    }

    /// Puts the variable at value number `place`; false if there are fewer.
    pub fn enter_at(&self, scope: &mut Scope, variable: usize, place: u64) -> bool {
        match self {
            Self::Affine { .. } => {
                self.enter(scope, variable);
                let target = i128::from(scope.values[variable]) + i128::from(place);
                scope.values[variable] = i64::try_from(target).unwrap_or(i64::MAX);
                target < i128::from(scope.bounds[variable])
            }
            Self::Listed { lists, .. } => {
                self.enter(scope, variable);
                scope.places[variable] = place;
                put_listed(lists, scope, variable)
            }
            Self::Seeded { .. } => {
                self.enter(scope, variable) && (0..place).all(|_| self.step(scope, variable))
            }
        }
    }
}

#[inline]
fn bounds(from: &[Form], to: &[Form], scope: &Scope) -> (i64, i64) {
    let low = from.iter().map(|form| form.value(scope)).max().unwrap_or(0);
    let high = to.iter().map(|form| form.value(scope)).min().unwrap_or(low);
    (low, high)
}

fn listed(lists: &[Box<[u32]>], number: i64) -> Option<&[u32]> {
    usize::try_from(number).ok().and_then(|number| lists.get(number)).map(AsRef::as_ref)
}

#[inline]
fn put_listed(lists: &[Box<[u32]>], scope: &mut Scope, variable: usize) -> bool {
    let list = listed(lists, scope.bounds[variable]).unwrap_or_default();
    match list.get(scope.places[variable] as usize) {
        Some(&value) => {
            scope.set(variable, i64::from(value));
            true
        }
        None => false,
    }
}

#[inline]
fn put_kept(
    draw: u64,
    mut candidates: std::ops::Range<u64>,
    chance: u32,
    scope: &mut Scope,
    variable: usize,
) -> bool {
    match candidates.find(|&candidate| seeded::is_kept(draw, candidate, chance)) {
        Some(candidate) => {
            scope.set(variable, candidate as i64);
            true
        }
        None => false,
    }
}
