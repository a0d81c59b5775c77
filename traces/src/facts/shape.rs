//! When two iterations of a nest do the same: when all ranges inside run over the same values.

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
