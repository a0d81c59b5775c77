use super::*;
use crate::expand::tests::{array, call, copy, run, trace};
use crate::grammar::{
    Access, Arithmetic, Array, Class, Lane, MAX_LANES, MAX_WORK, Order, Rule, Segment, View, Work,
};

fn check_body(body: Body) -> Result<()> {
    check(&trace(vec![array("a", 10)], vec![body]))
}

fn use_index(index: Affine) -> Body {
    call((0, index.clone()), (0, index))
}

fn looped(nest: Vec<Range>, body: Vec<Body>) -> Body {
    Body::Loop { nest, first: vec![], body }
}

/// Checks a macro whose input lane is replaced.
fn check_lane(lane: Lane) -> Result<()> {
    let mut defined = copy();
    defined.sweeps[0].lanes[0] = lane;
    macros::check(&defined)
}

fn ordered(bytes: u64, order: Order) -> Lane {
    Lane { order, ..Lane::sequential(0, Access::Read, 0, bytes) }
}

#[test]
fn index_at_the_end_of_a_loop_is_accepted_and_one_beyond_refused() {
    let body = |count, offset| {
        looped(vec![Range::count(count)], vec![use_index(Affine::variable(0).plus_constant(offset))])
    };

    assert!(check_body(body(10, 0)).is_ok());
    assert!(matches!(check_body(body(11, 0)), Err(Error::OutOfRange { found: 10, most: 9, .. })));
    assert!(matches!(check_body(body(10, -1)), Err(Error::OutOfRange { found: -1, .. })));
    assert!(check_body(body(0, 100)).is_ok());
}

#[test]
fn clipped_windows_are_left_to_expansion_unless_always_outside() {
    let window = Range::Affine {
        from: vec![Affine::constant(0), Affine::constant(1).plus(0, -1)],
        to: vec![Affine::constant(3), Affine::constant(11).plus(0, -1)],
    };
    let body = |constant| {
        let index = Affine::constant(constant).plus(0, 1).plus(1, 1);
        looped(vec![Range::count(10), window.clone()], vec![use_index(index)])
    };

    assert!(check_body(body(-1)).is_ok());
    assert!(check_body(body(10)).is_err());
}

/// Uses index `v0 + offset` of ten elements under `v0 in 0..20` and another range.
fn guarded(inner: Range, offset: i64) -> Result<()> {
    let body = vec![use_index(Affine::variable(0).plus_constant(offset))];
    check_body(looped(vec![Range::count(20)], vec![looped(vec![inner], body)]))
}

fn affine(from: Affine, to: Affine) -> Range {
    Range::Affine { from: vec![from], to: vec![to] }
}

#[test]
fn index_inside_a_range_that_is_empty_where_it_would_be_outside_is_accepted() {
    let guard = affine(Affine::variable(0), Affine::constant(10));
    let lists = (0..20).map(|list| if list < 10 { vec![0] } else { vec![] }).collect();
    let listed = Range::Listed { lists, select: Affine::variable(0) };

    assert!(guarded(guard.clone(), 0).is_ok());
    assert!(guarded(listed, 0).is_ok());
    // Outside for every value all the same.
    assert!(matches!(guarded(guard, 10), Err(Error::OutOfRange { found: 29, .. })));
}

#[test]
fn index_inside_a_range_that_is_never_empty_is_refused_where_it_is_outside() {
    let window = affine(Affine::variable(0), Affine::variable(0).plus_constant(1));

    assert!(guarded(window, 0).is_err());
    assert!(guarded(Range::count(1), 0).is_err());
    assert!(guarded(Range::Listed { lists: vec![vec![3]], select: Affine::constant(0) }, 0).is_err());
}

#[test]
fn what_only_later_iterations_do_is_refused_only_if_there_are_some() {
    let body = |to: Affine| {
        let inner = Body::Loop {
            nest: vec![affine(Affine::constant(0), to)],
            first: vec![use_index(Affine::variable(0))],
            body: vec![use_index(Affine::variable(0).plus_constant(1))],
        };
        check_body(looped(vec![Range::count(10)], vec![inner]))
    };

    assert!(body(Affine::constant(1)).is_ok());
    assert!(body(Affine::constant(10).plus(0, -1)).is_ok());
    assert!(body(Affine::constant(2)).is_err());
}

#[test]
fn bodies_of_a_loop_with_a_first_iteration_may_leave_it_out() {
    let index = Affine::variable(0).plus_constant(-1);
    let nest = vec![Range::count(11)];
    let body = Body::Loop { nest, first: vec![use_index(Affine::constant(0))], body: vec![use_index(index)] };

    assert!(check_body(body).is_ok());
}

#[test]
fn allocations_stay_inside_their_array() {
    assert!(check_body(Body::Alloc(run(0, 0, 10))).is_ok());
    assert!(matches!(check_body(Body::Alloc(run(0, 1, 10))), Err(Error::OutOfRange { found: 10, .. })));
    assert!(check_body(Body::Free(run(0, 0, 0))).is_err());
    assert!(matches!(check_body(Body::Free(run(1, 0, 1))), Err(Error::UndefinedArray { array: 1, .. })));
}

#[test]
fn lists_ascend_and_are_selected_inside() {
    let body = |lists, select| looped(vec![Range::count(2), Range::Listed { lists, select }], vec![]);

    assert!(check_body(body(vec![vec![1, 2], vec![]], Affine::variable(0))).is_ok());
    assert!(check_body(body(vec![vec![1, 2]], Affine::variable(0))).is_err());
    assert!(check_body(body(vec![vec![1, 1], vec![]], Affine::variable(0))).is_err());
}

#[test]
fn the_number_of_a_list_may_leave_the_lists_where_a_clipped_variable_does_not_go() {
    // Ten channels in blocks of four: the last block ends with the tenth.
    let rest = Affine::constant(10).plus(0, -4);
    let blocks = Range::Affine { from: vec![Affine::constant(0)], to: vec![Affine::constant(4), rest] };
    let body = |inner: Range, select| {
        let listed = Range::Listed { lists: vec![vec![0]; 10], select };
        check_body(looped(vec![Range::count(3), inner, listed], vec![]))
    };

    assert!(body(blocks.clone(), Affine::variable(1).plus(0, 4)).is_ok());
    assert!(body(Range::count(4), Affine::variable(1).plus(0, 4)).is_err());
    assert!(body(blocks, Affine::variable(1).plus(0, 4).plus_constant(10)).is_err());
}

#[test]
fn seeded_chances_go_up_to_one() {
    let body = |chance| {
        let range = Range::Seeded { of: 5, keep_per_million: chance, select: Affine::constant(0), seed: 1 };
        looped(vec![range], vec![])
    };

    assert!(check_body(body(1_000_000)).is_ok());
    assert!(check_body(body(1_000_001)).is_err());
}

#[test]
fn variables_must_be_in_scope_and_forms_must_not_overflow() {
    let body = |form: Affine| {
        looped(
            vec![Range::count(3)],
            vec![looped(vec![Range::Affine { from: vec![form], to: vec![Affine::constant(0)] }], vec![])],
        )
    };

    assert!(check_body(body(Affine::variable(0))).is_ok());
    assert!(check_body(body(Affine::variable(1))).is_err());
    assert!(check_body(body(Affine::constant(0).plus(0, i64::MAX / 2))).is_ok());
    assert!(check_body(body(Affine::constant(0).plus(0, i64::MAX / 2 + 1))).is_err());
    let unsorted = Affine { constant: 0, terms: vec![(0, 1), (0, 1)] };
    assert!(check_body(body(unsorted)).is_err());
    assert!(check_body(looped(vec![Range::count(1); 32], vec![])).is_ok());
    assert!(check_body(looped(vec![Range::count(1); 33], vec![])).is_err());
}

#[test]
fn operands_must_be_as_large_as_their_parameters() {
    let sized = |capacity_bytes| {
        let array =
            Array { label: "a".into(), class: Class::Ciphertext, elements: 1, capacity_bytes, used_bytes: 0 };
        check(&trace(vec![Definition::Array(array)], vec![use_index(Affine::constant(0))]))
    };

    assert!(sized(128).is_ok());
    assert!(matches!(sized(127), Err(Error::OutOfRange { found: 127, least: 128, .. })));
}

#[test]
fn lanes_stay_inside_their_parameter() {
    let lane = |offset, bytes| check_lane(Lane::sequential(0, Access::Read, offset, bytes));

    assert!(lane(0, 128).is_ok());
    assert!(lane(1, 128).is_err());
    assert!(lane(128, 1).is_err());
    assert!(lane(0, 0).is_err());
    assert!(check_lane(Lane::sequential(2, Access::Read, 0, 1)).is_err());
    assert!(check_lane(Lane::sequential(0, Access::Write, 0, 1)).is_err());
    let mut wide = copy();
    wide.sweeps[0].lanes = vec![Lane::sequential(0, Access::Read, 0, 8); MAX_LANES];
    assert!(macros::check(&wide).is_ok());
    wide.sweeps[0].lanes.push(Lane::sequential(0, Access::Read, 0, 8));
    assert!(macros::check(&wide).is_err());
}

#[test]
fn work_of_a_sweep_is_at_most_what_clocks_can_hold() {
    let with = |count| {
        let mut defined = copy();
        defined.sweeps[0].work = vec![Work { kind: Arithmetic::Add, count }];
        macros::check(&defined)
    };

    assert!(with(MAX_WORK).is_ok());
    assert!(with(MAX_WORK + 1).is_err());
}

#[test]
fn parameters_are_at_most_as_large_as_an_array_element() {
    let with = |bytes, lane| {
        let mut defined = copy();
        defined.parameters[0].bytes = bytes;
        defined.sweeps[0].lanes[0] = lane;
        macros::check(&defined)
    };
    // Its last block would begin beyond 64 bits.
    let beyond = ordered(1 << 62, Order::Strided { block_bytes: 1 << 60, stride_bytes: i64::MAX as u64 });
    let plain = Lane::sequential(0, Access::Read, 0, 8);

    assert!(with(i64::MAX as u64, plain.clone()).is_ok());
    assert!(with(i64::MAX as u64 + 1, plain).is_err());
    assert!(with(u64::MAX, beyond).is_err());
}

#[test]
fn orders_fit_their_ranges() {
    let strided = |block_bytes, stride_bytes| Order::Strided { block_bytes, stride_bytes };
    let automorphism = |element| Order::Permuted { rule: Rule::Automorphism { element }, element_bytes: 8 };
    let seeded = |range_elements| Order::Seeded { element_bytes: 8, range_elements, seed: 0 };
    let accepted = [
        ordered(64, strided(8, 16)),
        ordered(64, automorphism(15)),
        ordered(64, Order::Rotated { start_bytes: 63 }),
        ordered(16, Order::Indexed { element_bytes: 8, positions: vec![15, 15] }),
        ordered(1024, seeded(16)),
    ];
    let refused = [
        ordered(72, strided(8, 16)),
        ordered(64, strided(8, 7)),
        ordered(64, strided(0, 8)),
        ordered(64, automorphism(17)),
        ordered(64, automorphism(2)),
        ordered(72, automorphism(3)),
        ordered(64, Order::Rotated { start_bytes: 64 }),
        ordered(16, Order::Indexed { element_bytes: 8, positions: vec![16, 0] }),
        ordered(24, Order::Indexed { element_bytes: 8, positions: vec![1, 0] }),
        ordered(1024, seeded(17)),
        ordered(1024, seeded(0)),
    ];

    for lane in accepted {
        assert!(check_lane(lane.clone()).is_ok(), "{lane:?}");
    }
    for lane in refused {
        assert!(check_lane(lane.clone()).is_err(), "{lane:?}");
    }
}

#[test]
fn views_stay_inside_their_arrays_and_have_one_class() {
    let view = |segments| {
        check(&trace(
            vec![array("a", 4), other(), Definition::View(View { label: "v".into(), segments })],
            vec![],
        ))
    };
    let segment = |array, start, stride, count| Segment { array: ArrayId(array), start, stride, count };

    assert!(view(vec![segment(0, 3, -1, 4), segment(0, 0, 0, 9)]).is_ok());
    assert!(view(vec![segment(0, 3, -1, 5)]).is_err());
    assert!(view(vec![segment(0, 4, 1, 1)]).is_err());
    assert!(view(vec![segment(2, 0, 1, 1)]).is_err());
    assert!(view(vec![]).is_err());
    assert!(view(vec![segment(0, 0, 1, 1), segment(1, 0, 1, 1)]).is_err());
}

#[test]
fn views_lie_behind_one_another_up_to_the_depth_of_bodies() {
    let chain = |depth: u32| {
        let view = |behind| {
            let segments = vec![Segment { array: ArrayId(behind), start: 0, stride: 1, count: 4 }];
            Definition::View(View { label: "v".into(), segments })
        };
        check(&trace(std::iter::once(array("a", 4)).chain((0..depth).map(view)).collect(), vec![]))
    };

    assert!(chain(64).is_ok());
    assert!(matches!(chain(65), Err(Error::OutOfRange { found: 65, most: 64, .. })));
    assert!(chain(100_000).is_err());
}

fn other() -> Definition {
    Definition::Array(Array {
        label: "k".into(),
        class: Class::EvaluationKey,
        elements: 1,
        capacity_bytes: 8,
        used_bytes: 8,
    })
}

#[test]
fn phases_have_unique_names_and_hold_all_bodies() {
    let mut twice = trace(vec![], vec![]);
    twice.phases.push(twice.phases[0].clone());

    assert!(matches!(check(&twice), Err(Error::Malformed { .. })));
    let body = Item::Body(Body::Fork { nowait: false, branches: vec![] });
    assert!(matches!(Checker::new().push(&body), Err(Error::BodyOutsidePhase)));
}
