//! The iteration engine: evaluates affine forms and walks collapsed loop nests in row-major order.
//!
//! Expansion, the real executor and the replay all iterate through this file, so they cannot disagree about the
//! order or the number of iterations. A step costs a few nanoseconds and allocates nothing: the values of all
//! variables in scope, and the place inside each range, live in one fixed-size [`Scope`].

mod form;
mod steps;

use crate::error::{Error, Result};
use crate::grammar::{MAX_VARIABLES, Range};

pub use form::{Form, Scope};
use steps::Steps;

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

    /// Number of ranges.
    pub const fn ranges(&self) -> usize {
        self.levels.len()
    }

    /// The variables that the bounds depend on, the nest's own included, as a bit set.
    pub fn dependencies(&self) -> u32 {
        self.levels.iter().fold(0, |set, level| set | level.steps.dependencies())
    }

    /// Whether the iterations are all combinations of successive integers.
    pub(crate) fn is_box(&self) -> bool {
        self.levels.iter().all(|level| level.steps.is_contiguous() && !level.shapes_inner)
    }

    /// Appends what settles the values of the ranges from `level` on that depend on a variable; false if that takes
    /// variables beyond it.
    pub(crate) fn shape(
        &self,
        scope: &Scope,
        (level, variable): (usize, usize),
        shape: &mut Vec<(i64, i64)>,
    ) -> bool {
        self.levels[level..].iter().all(|level| {
            let dependencies = u64::from(level.steps.dependencies());
            if dependencies >> variable & 1 == 0 {
                return true;
            }
            shape.push(level.steps.shape(scope));
            dependencies >> (variable + 1) == 0
        })
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

    /// Number of values of the innermost range under the present variables; 1 without ranges.
    pub fn row(&self, scope: &Scope) -> u64 {
        self.levels.last().map_or(1, |level| level.steps.length(scope))
    }

    /// Number of values of one level under the variables outside of it.
    pub(crate) fn level_length(&self, scope: &Scope, level: usize) -> u64 {
        self.levels[level].steps.length(scope)
    }

    /// Puts one level's variable at its first value; false if there is none.
    pub(crate) fn enter_level(&self, scope: &mut Scope, level: usize) -> bool {
        self.levels[level].steps.enter(scope, self.base + level)
    }

    /// Puts one level's variable at value number `place`; false if there are fewer.
    pub(crate) fn enter_level_at(&self, scope: &mut Scope, level: usize, place: u64) -> bool {
        self.levels[level].steps.enter_at(scope, self.base + level, place)
    }

    /// Whether one level's values are successive integers.
    pub(crate) fn is_contiguous(&self, level: usize) -> bool {
        self.levels[level].steps.is_contiguous()
    }

    /// Draws that one pass over a level, or its length, costs.
    pub(crate) fn level_draws(&self, level: usize) -> u64 {
        self.levels[level].steps.draws()
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
