use super::*;
use crate::expand::tests::{array, call, run, trace};
use crate::grammar::{
    Affine, Array, ArrayId, Body, Definition, Phase, PhaseHead, Range, Segment, Stage, View,
};

fn folded() -> Trace {
    let body = vec![call((0, Affine::variable(0)), (1, Affine::constant(0)))];
    let parallel = Body::Parallel { nest: vec![Range::count(2)], nowait: false, body };
    trace(
        vec![array("a", 2), array("b", 1)],
        vec![Body::Alloc(run(0, 0, 2)), Body::Alloc(run(1, 0, 1)), parallel],
    )
}

/// What a recorder of a real run writes: one branch for each iteration, definitions in another order.
fn flat() -> Trace {
    let branch = |index| vec![call((1, Affine::constant(index)), (0, Affine::constant(0)))];
    let fork = Body::Fork { nowait: false, branches: vec![branch(0), branch(1)] };
    trace(
        vec![array("b", 1), array("a", 2)],
        vec![Body::Alloc(run(1, 0, 2)), Body::Alloc(run(0, 0, 1)), fork],
    )
}

#[test]
fn fork_of_unlike_bodies_equals_the_folded_parallel() {
    equal(&folded(), &flat()).unwrap();
}

#[test]
fn what_follows_a_phase_of_references_alone_is_compared() {
    let all = Segment { array: ArrayId(0), start: 0, stride: 1, count: 2 };
    let view = Definition::View(View { label: "handles".into(), segments: vec![all] });
    let with = |after: Vec<Body>| {
        let mut trace = trace(vec![array("a", 2), view.clone()], vec![Body::Alloc(run(0, 0, 2))]);
        for (name, body) in [("reshape", vec![Body::Alloc(run(1, 0, 2))]), ("after", after)] {
            let head = PhaseHead { name: name.into(), operation: name.into(), stage: Stage::Server };
            trace.phases.push(Phase { head, body });
        }
        trace
    };
    let use_of = |to| with(vec![call((0, Affine::constant(0)), (1, Affine::constant(to)))]);

    equal(&use_of(1), &use_of(1)).unwrap();
    for other in [use_of(0), with(Vec::new())] {
        let difference = equal(&use_of(1), &other).unwrap_err().to_string();
        // Two phases and two allocations precede the last phase.
        assert!(difference.starts_with("comparing event 5 (phase after): left copy"), "{difference}");
    }
}

#[test]
fn first_difference_is_told_with_number_and_names() {
    let mut other = flat();
    let Body::Fork { branches, .. } = &mut other.phases[0].body[2] else { panic!("flat ends with a fork") };
    branches[1] = vec![call((1, Affine::constant(0)), (0, Affine::constant(0)))];

    let difference = equal(&folded(), &other).unwrap_err();

    // Phase, three allocations, region, iteration, call, sweep, end, iteration precede.
    let expected = "comparing event 10 (phase conv1): left copy at 1 limbs of (a[1], b[0]), \
                    right copy at 1 limbs of (a[0], b[0])";
    assert_eq!(difference.to_string(), expected);
}

#[test]
fn arrays_of_other_size_barriers_sweeps_and_lengths_differ() {
    let mut sized = flat();
    if let Definition::Array(Array { used_bytes, .. }) = &mut sized.definitions[1] {
        *used_bytes += 1;
    }
    let mut unbarred = flat();
    if let Body::Fork { nowait, .. } = &mut unbarred.phases[0].body[2] {
        *nowait = true;
    }
    let mut swept = flat();
    swept.macros[0].sweeps[0].lanes[0].bytes -= 64;
    let mut shorter = flat();
    shorter.phases[0].body.pop();

    for other in [sized, unbarred, swept, shorter] {
        assert!(matches!(equal(&folded(), &other), Err(Difference::Event { .. })));
        assert!(matches!(equal(&other, &folded()), Err(Difference::Event { .. })));
    }
}

#[test]
fn two_arrays_of_one_label_pair_one_to_one() {
    let two = |first: u32, second: u32| {
        let allocs = vec![Body::Alloc(run(0, 0, 1)), Body::Alloc(run(1, 0, 1))];
        let calls = vec![call((first, Affine::constant(0)), (second, Affine::constant(0)))];
        trace(vec![array("a", 1), array("a", 1)], [allocs, calls].concat())
    };

    assert!(equal(&two(0, 1), &two(0, 1)).is_ok());
    assert!(equal(&two(0, 1), &two(1, 0)).is_err());
}
