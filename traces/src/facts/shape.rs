//! When two iterations of a nest do the same: when all ranges inside run over the same values.

use super::budget::Budget;
use crate::error::Result;
use crate::loops::{Nest, Scope};
use crate::walk::{Inside, Iterations, Loop, Node};

/// Values of the ranges inside, two numbers each.
pub(super) type Shape = Vec<(i64, i64)>;

/// Which nests inside matter.
pub(super) type Matters = fn(&Inside) -> bool;

/// What settles the values of all ranges inside, as far as the variable of `level` shapes them: iterations of equal
/// shape do the same. `None` if that takes variables further in.
pub(super) fn of_iteration(
    scope: &Scope,
    (nest, level): (&Nest, usize),
    body: &[Node],
    matters: Matters,
) -> Option<Shape> {
    let variable = nest.variable(level);
    let mut shape = Vec::new();
    let is_known = nest.shape(scope, (level + 1, variable), &mut shape)
        && of_nodes(scope, variable, body, matters, &mut shape);
    is_known.then_some(shape)
}

fn of_nodes(scope: &Scope, variable: usize, nodes: &[Node], matters: Matters, shape: &mut Shape) -> bool {
    nodes.iter().all(|node| match node {
        Node::Loop(Loop { nest, first, body, inside }) if matters(inside) => {
            nest.shape(scope, (0, variable), shape)
                && of_nodes(scope, variable, first, matters, shape)
                && of_nodes(scope, variable, body, matters, shape)
        }
        Node::Region(region) if matters(&region.inside) => match &region.iterations {
            Iterations::Nest { nest, body } => {
                nest.shape(scope, (0, variable), shape) && of_nodes(scope, variable, body, matters, shape)
            }
            Iterations::Branches(branches) => {
                branches.iter().all(|branch| of_nodes(scope, variable, branch, matters, shape))
            }
        },
        _ => true,
    })
}

/// Runs of successive iterations of one level that do the same.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// Iterations passed, and how many of the next are known to differ each from the one before.
    passed: u64,
    unlike: u64,
    length: Option<u64>,
    /// Where a level that is no run of successive integers goes on.
    ahead: Option<Box<Scope>>,
}

impl Runs {
    /// Puts the variable of the level at an iteration of the next run, the first if its values are successive integers, and
    /// gives how many it has; `None` at the end.
    /// Without `matters` every iteration is a run of its own.
    ///
    /// Costs some 60 evaluations of the bounds inside for a run of any length, and nothing more for each iteration of a
    /// run of one if bounds are affine.
    ///
    /// # Errors
    /// - [`Error::TooManySteps`](crate::Error::TooManySteps), as soon as it is known that there will be too many.
    pub fn next(
        &mut self,
        (budget, scope): (&mut Budget, &mut Scope),
        (nest, level): (&Nest, usize),
        body: &[Node],
        matters: Option<Matters>,
    ) -> Result<Option<u64>> {
        if !nest.is_contiguous(level) {
            return self.next_listed((budget, scope), (nest, level), body, matters);
        }
        let length = *self.length.get_or_insert_with(|| nest.level_length(scope, level));
        if self.passed == length {
            return Ok(None);
        }
        if self.unlike == 0 {
            let (count, is_alike) = self.run(scope, (nest, level), length, body, matters);
            budget.spend(if is_alike { 1 } else { count })?;
            if is_alike {
                nest.enter_level_at(scope, level, self.passed);
                self.passed += count;
                return Ok(Some(count));
            }
            self.unlike = count;
        }
        nest.enter_level_at(scope, level, self.passed);
        self.passed += 1;
        self.unlike -= 1;
        Ok(Some(1))
    }

    /// How many iterations from here on do the same, or each something else than the one before.
    ///
    /// Bounds are maxima or minima of affine forms, so convex or concave: one that lies on a line at v, v + 1 and v + k does
    /// so in between as well. Numbers of lists and draws are affine themselves.
    fn run(
        &self,
        scope: &mut Scope,
        (nest, level): (&Nest, usize),
        length: u64,
        body: &[Node],
        matters: Option<Matters>,
    ) -> (u64, bool) {
        let left = length - self.passed;
        let mut at = |step: u64| {
            nest.enter_level_at(scope, level, self.passed + step);
            matters.and_then(|matters| of_iteration(scope, (nest, level), body, matters))
        };
        if left == 1 {
            return (1, true);
        }
        let Some(first) = at(0) else { return (left, false) };
        let second = at(1).unwrap_or_default();
        let mut is_straight = |steps: u64| {
            let third = at(steps).unwrap_or_default();
            let pairs = first.iter().zip(&second).zip(&third);
            pairs.fold(true, |is_straight, ((first, second), third)| {
                is_straight
                    && is_on_line([first.0, second.0, third.0], steps)
                    && is_on_line([first.1, second.1, third.1], steps)
            })
        };
        let mut most = left - 1;
        if most > 1 && !is_straight(most) {
            let mut least = 1;
            while most - least > 1 {
                let middle = least + (most - least) / 2;
                if is_straight(middle) {
                    least = middle;
                } else {
                    most = middle;
                }
            }
            most = least;
        }
        // The last one on a line of differing ones may begin a run of equal ones.
        let is_alike = first == second;
        (if is_alike || most + 1 == left { most + 1 } else { most }, is_alike)
    }

    /// [`Runs::next`] for values of any distance: the last iteration of the run.
    fn next_listed(
        &mut self,
        (budget, scope): (&mut Budget, &mut Scope),
        (nest, level): (&Nest, usize),
        body: &[Node],
        matters: Option<Matters>,
    ) -> Result<Option<u64>> {
        let is_first = self.length.replace(0).is_none();
        if is_first && !budget.enter(nest, scope, level)? {
            return Ok(None);
        }
        if !is_first {
            let Some(ahead) = self.ahead.take() else { return Ok(None) };
            *scope = *ahead;
        }
        let shape =
            |scope: &Scope| matters.and_then(|matters| of_iteration(scope, (nest, level), body, matters));
        let this = shape(scope);
        let mut times = 0;
        loop {
            let here = scope.clone();
            let has_more = budget.step(nest, scope, level)?;
            times += 1;
            if has_more && this.is_some() && this == shape(scope) {
                continue;
            }
            let ahead = std::mem::replace(scope, here);
            self.ahead = has_more.then(|| Box::new(ahead));
            return Ok(Some(times));
        }
    }
}

/// Whether values at 0, 1 and `steps` lie on a line.
fn is_on_line([first, second, third]: [i64; 3], steps: u64) -> bool {
    let [first, second, third] = [first, second, third].map(i128::from);
    (second - first).checked_mul(steps.into()) == Some(third - first)
}
