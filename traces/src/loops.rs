//! The iteration engine: evaluates affine forms and walks collapsed loop nests in row-major order.
//!
//! Expansion, the real executor and the replay all iterate through this file, so they cannot disagree about the
//! order or the number of iterations. A step costs a few nanoseconds and allocates nothing: the values of all
//! variables in scope, and the place inside each range, live in one fixed-size [`Scope`].

use crate::error::{Error, Result};
use crate::grammar::{Affine, MAX_VARIABLES, Range};
use crate::seeded;

/// Terms of a [`Form`] that are kept inline.
const INLINE_TERMS: usize = 6;

/// Values of the loop variables in scope, and the state of the ranges that they walk.
#[derive(Clone, Debug)]
pub struct Scope {
    values: [i64; MAX_VARIABLES],
    /// Affine: the exclusive end. Listed: the list's number. Seeded: the draw's seed.
    bounds: [i64; MAX_VARIABLES],
    /// Listed: the place in the list.
    places: [u64; MAX_VARIABLES],
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

    fn set(&mut self, variable: usize, value: i64) {
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

    /// The variables that the value depends on, as a bit set.
    pub fn dependencies(&self) -> u32 {
        let inline = self.variables[..usize::from(self.length)].iter().copied();
        inline.chain(self.rest.iter().map(|term| term.0)).fold(0, |set, variable| set | 1 << variable)
    }
}

/// A compiled [`Range`].
#[derive(Clone, Debug)]
enum Steps {
    Affine { from: Box<[Form]>, to: Box<[Form]> },
    Listed { lists: Box<[Box<[u32]>]>, select: Form },
    Seeded { of: u64, keep_per_million: u32, select: Form, seed: u64 },
}

impl Steps {
    fn new(range: &Range, in_scope: usize) -> Result<Self> {
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

    fn dependencies(&self) -> u32 {
        match self {
            Self::Affine { from, to } => from.iter().chain(to).fold(0, |set, form| set | form.dependencies()),
            Self::Listed { select, .. } | Self::Seeded { select, .. } => select.dependencies(),
        }
    }

    /// Puts the variable at the first value; false if there is none.
    #[inline]
    fn enter(&self, scope: &mut Scope, variable: usize) -> bool {
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
    fn step(&self, scope: &mut Scope, variable: usize) -> bool {
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

    /// Number of values. Costs one draw per candidate for seeded ranges, O(1) otherwise.
    fn length(&self, scope: &Scope) -> u64 {
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
    fn enter_at(&self, scope: &mut Scope, variable: usize, place: u64) -> bool {
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

/// One range of a nest.
#[derive(Clone, Debug)]
struct Level {
    steps: Steps,
    /// Whether the bounds of a deeper range of the same nest depend on this range's variable.
    shapes_inner: bool,
}

/// A compiled nest of ranges, walked in row-major order (the last range fastest).
///
/// The nest owns the variables `base .. base + ranges` of a [`Scope`]; the variables below `base` must be set by the
/// enclosing loops. A nest without ranges has exactly one iteration.
///
/// ```
/// use hetier_traces::{Range, loops::{Nest, Scope}};
///
/// let nest = Nest::new(&[Range::count(2), Range::count(3)], 0)?;
/// let mut scope = Scope::new();
/// let mut visited = Vec::new();
/// let mut more = nest.start(&mut scope);
/// while more {
///     visited.push((scope.values()[0], scope.values()[1]));
///     more = nest.advance(&mut scope);
/// }
/// assert_eq!(visited, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
/// # Ok::<(), hetier_traces::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Nest {
    base: usize,
    levels: Box<[Level]>,
}

impl Nest {
    /// Compiles a nest below `base` variables already in scope.
    ///
    /// # Errors
    /// - [`Error::OutOfRange`] if a bound names a variable that is not in scope at its range, or if more than
    ///   [`MAX_VARIABLES`] variables would be in scope.
    pub fn new(ranges: &[Range], base: usize) -> Result<Self> {
        let variables = base + ranges.len();
        if variables > MAX_VARIABLES {
            let (found, most) = (variables as i128, MAX_VARIABLES as i128);
            return Err(Error::OutOfRange {
                place: "nest of loops".into(),
                what: "number of variables",
                found,
                least: 0,
                most,
            });
        }
        let steps = ranges.iter().enumerate().map(|(at, range)| Steps::new(range, base + at));
        let steps = steps.collect::<Result<Vec<_>>>()?;
        let dependencies: Vec<u32> = steps.iter().map(Steps::dependencies).collect();
        let shapes_inner =
            |at: usize| dependencies[at + 1..].iter().any(|set| (u64::from(*set) >> (base + at)) & 1 == 1);
        let levels = steps
            .into_iter()
            .enumerate()
            .map(|(at, steps)| Level { steps, shapes_inner: shapes_inner(at) })
            .collect();
        Ok(Self { base, levels })
    }

    /// Number of variables in scope inside the nest.
    pub fn in_scope(&self) -> usize {
        self.base + self.levels.len()
    }

    /// The variables that the bounds depend on, the nest's own included, as a bit set.
    pub fn dependencies(&self) -> u32 {
        self.levels.iter().fold(0, |set, level| set | level.steps.dependencies())
    }

    /// Number of ranges.
    pub(crate) const fn depth(&self) -> usize {
        self.levels.len()
    }

    /// Whether bounds of ranges deeper than `level` depend on the variable of that level.
    pub(crate) fn shapes_inner(&self, level: usize) -> bool {
        self.levels[level].shapes_inner
    }

    /// The variable of a level.
    pub(crate) const fn variable(&self, level: usize) -> usize {
        self.base + level
    }

    /// Number of values of one level under the variables outside of it.
    pub(crate) fn level_length(&self, scope: &Scope, level: usize) -> u64 {
        self.levels[level].steps.length(scope)
    }

    /// Puts one level's variable at its first value; false if there is none.
    pub(crate) fn enter_level(&self, scope: &mut Scope, level: usize) -> bool {
        self.levels[level].steps.enter(scope, self.base + level)
    }

    /// Puts one level's variable at its next value; false if there is none.
    pub(crate) fn step_level(&self, scope: &mut Scope, level: usize) -> bool {
        self.levels[level].steps.step(scope, self.base + level)
    }

    /// Puts the variables at the first iteration; false if there is none.
    #[inline]
    pub fn start(&self, scope: &mut Scope) -> bool {
        self.settle(scope, 0)
    }

    /// Puts the variables at the next iteration; false, and the variables meaningless, if there is none.
    #[inline]
    pub fn advance(&self, scope: &mut Scope) -> bool {
        let mut level = self.levels.len();
        while level > 0 {
            level -= 1;
            if self.levels[level].steps.step(scope, self.base + level) {
                return self.settle(scope, level + 1);
            }
        }
        false
    }

    /// Enters the ranges from `level` on, stepping the outer ones past empty inner ranges.
    #[inline]
    fn settle(&self, scope: &mut Scope, mut level: usize) -> bool {
        while level < self.levels.len() {
            if self.levels[level].steps.enter(scope, self.base + level) {
                level += 1;
                continue;
            }
            loop {
                if level == 0 {
                    return false;
                }
                level -= 1;
                if self.levels[level].steps.step(scope, self.base + level) {
                    level += 1;
                    break;
                }
            }
        }
        true
    }

    /// Number of iterations under the enclosing variables; saturates at 2⁶⁴ − 1. Overwrites the nest's own
    /// variables.
    ///
    /// Costs one step per range where bounds do not depend on the nest's own variables; ranges whose variables
    /// shape deeper ones are enumerated.
    pub fn count(&self, scope: &mut Scope) -> u64 {
        self.count_from(scope, 0)
    }

    fn count_from(&self, scope: &mut Scope, at: usize) -> u64 {
        let Some(level) = self.levels.get(at) else { return 1 };
        if !level.shapes_inner {
            let length = level.steps.length(scope);
            return if length == 0 { 0 } else { length.saturating_mul(self.count_from(scope, at + 1)) };
        }
        let mut total = 0_u64;
        let mut more = level.steps.enter(scope, self.base + at);
        while more {
            total = total.saturating_add(self.count_from(scope, at + 1));
            more = level.steps.step(scope, self.base + at);
        }
        total
    }

    /// Puts the variables at iteration number `iteration`, from 0; false if there are fewer. Costs like
    /// [`Nest::count`]; [`Nest::advance`] goes on from there.
    pub fn seek(&self, scope: &mut Scope, iteration: u64) -> bool {
        let mut left = iteration;
        for (at, level) in self.levels.iter().enumerate() {
            let variable = self.base + at;
            if level.shapes_inner {
                let mut more = level.steps.enter(scope, variable);
                loop {
                    if !more {
                        return false;
                    }
                    let inner = self.count_from(scope, at + 1);
                    if left < inner {
                        break;
                    }
                    left -= inner;
                    more = level.steps.step(scope, variable);
                }
            } else {
                let inner = self.count_from(scope, at + 1);
                if inner == 0 || !level.steps.enter_at(scope, variable, left / inner) {
                    return false;
                }
                left %= inner;
            }
        }
        left == 0
    }
}

#[cfg(test)]
mod tests;
