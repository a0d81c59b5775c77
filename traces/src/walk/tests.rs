use super::*;
use crate::grammar::{Affine, Operand, Range};

fn call(callee: u32, index: Affine) -> Body {
    Body::Call { callee: MacroId(callee), operands: vec![Operand { array: ArrayId(0), index }] }
}

/// Callees and indices in order of the walk, entering regions.
fn calls(bodies: &[Body]) -> Vec<(u32, i64)> {
    let nodes = compile(bodies, 0).unwrap();
    let mut walk = Walk::new(&nodes, Scope::new());
    let mut found = Vec::new();
    while let Some(step) = walk.next() {
        match step {
            Step::Call(call) => found.push((call.callee.0, call.operands[0].index.value(walk.scope()))),
            Step::Region(region) => walk.enter(region),
            _ => {}
        }
    }
    found
}

#[test]
fn first_body_replaces_the_body_in_the_very_first_iteration_only() {
    let nest = vec![Range::count(2), Range::count(2)];
    let index = Affine::variable(0).plus(0, 9).plus(1, 1);
    let body = Body::Loop { nest, first: vec![call(7, index.clone())], body: vec![call(8, index)] };

    assert_eq!(calls(&[body]), [(7, 0), (8, 1), (8, 10), (8, 11)]);
}

#[test]
fn loops_without_iterations_or_bodies_are_passed_over() {
    let empty =
        Body::Loop { nest: vec![Range::count(0)], first: vec![], body: vec![call(1, Affine::constant(0))] };
    let idle = Body::Loop { nest: vec![Range::count(u64::MAX >> 1)], first: vec![], body: vec![] };
    let once = Body::Loop {
        nest: vec![Range::count(u64::MAX >> 1)],
        first: vec![call(2, Affine::constant(5))],
        body: vec![],
    };

    assert_eq!(calls(&[empty, idle, once]), [(2, 5)]);
}

#[test]
fn dealt_iterations_equal_those_of_an_entered_region() {
    let inner = Range::Affine { from: vec![Affine::constant(0)], to: vec![Affine::variable(0)] };
    let index = Affine::variable(0).plus(0, 9).plus(1, 1);
    let parallel =
        Body::Parallel { nest: vec![Range::count(4), inner], nowait: false, body: vec![call(3, index)] };
    let nodes = compile(std::slice::from_ref(&parallel), 0).unwrap();
    let Node::Region(region) = &nodes[0] else { panic!("a parallel loop compiles to a region") };

    let mut scope = Scope::new();
    let iterations = region.iterations(&mut scope);
    let dealt = (0..iterations).rev().map(|iteration| {
        let nodes = region.seek(&mut scope, iteration).unwrap();
        let mut walk = Walk::new(nodes, scope.clone());
        let Some(Step::Call(call)) = walk.next() else { panic!("each iteration is one call") };
        (3, call.operands[0].index.value(walk.scope()))
    });
    let mut dealt: Vec<_> = dealt.collect();
    dealt.reverse();

    assert_eq!(iterations, 6);
    assert_eq!(dealt, calls(&[parallel]));
}

#[test]
fn regions_are_passed_over_unless_entered() {
    let parallel = Body::Parallel { nest: vec![Range::count(3)], nowait: true, body: vec![] };
    let nodes = compile(&[parallel, call(1, Affine::constant(0))], 0).unwrap();
    let mut walk = Walk::new(&nodes, Scope::new());

    assert!(matches!(walk.next(), Some(Step::Region(_))));
    assert!(matches!(walk.next(), Some(Step::Call(_))));
    assert!(walk.next().is_none());
}

#[test]
fn bodies_nest_as_deep_as_the_limit_and_no_deeper() {
    let nested = |depth: usize| {
        (1..depth).fold(call(0, Affine::constant(0)), |body, _| Body::Fork {
            nowait: false,
            branches: vec![vec![body]],
        })
    };

    assert!(compile(&[nested(MAX_DEPTH)], 0).is_ok());
    assert!(compile(&[nested(MAX_DEPTH + 1)], 0).is_err());
}
