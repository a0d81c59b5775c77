use super::*;
use crate::grammar::{
    Access, Affine, Array, Body, Class, Lane, Macro, Operand, Parameter, Phase, Range, Role, Segment, Stage,
    View,
};

pub(crate) fn array(label: &str, elements: u64) -> Definition {
    let array = Array {
        label: label.into(),
        class: Class::Ciphertext,
        elements,
        capacity_bytes: 256,
        used_bytes: 128,
    };
    Definition::Array(array)
}

pub(crate) fn copy() -> Macro {
    let parameter = |role| Parameter { class: Class::Ciphertext, role, bytes: 128 };
    Macro {
        name: "copy".into(),
        limbs: 1,
        parameters: vec![parameter(Role::Input), parameter(Role::Output)],
        sweeps: vec![Sweep {
            lanes: vec![
                Lane::sequential(0, Access::Read, 0, 128),
                Lane::sequential(1, Access::Write, 0, 128),
            ],
            work: vec![],
        }],
    }
}

pub(crate) fn call(from: (u32, Affine), to: (u32, Affine)) -> Body {
    let operand = |(array, index)| Operand { array: ArrayId(array), index };
    Body::Call { callee: MacroId(0), operands: vec![operand(from), operand(to)] }
}

pub(crate) fn run(array: u32, start: i64, count: u64) -> crate::Elements {
    crate::Elements { array: ArrayId(array), start: Affine::constant(start), count }
}

pub(crate) fn trace(definitions: Vec<Definition>, body: Vec<Body>) -> Trace {
    let head = PhaseHead { name: "conv1".into(), operation: "Convolution".into(), stage: Stage::Server };
    Trace { definitions, macros: vec![copy()], phases: vec![Phase { head, body }], ..Trace::default() }
}

fn events(trace: &Trace) -> Result<Vec<String>> {
    let mut found = Vec::new();
    expand(trace, &mut |event: Event<'_>| {
        found.push(match event {
            Event::PhaseStart(head) => head.name.clone(),
            Event::RegionStart { iterations } => format!("region {iterations}"),
            Event::IterationStart(iteration) => format!("iteration {iteration}"),
            Event::IterationEnd => "end".into(),
            Event::RegionEnd { nowait } => format!("region end {nowait}"),
            Event::Alloc(object) => format!("alloc {}[{}]", object.array.0, object.index),
            Event::Free(object) => format!("free {}[{}]", object.array.0, object.index),
            Event::Call { objects, .. } => format!("call {}", objects.len()),
            Event::Sweep { sweep, objects } => {
                let object = objects[sweep.lanes[1].operand as usize];
                format!("sweep to {}[{}]", object.array.0, object.index)
            }
        });
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

#[test]
fn events_of_a_parallel_loop_come_in_order() {
    let body = vec![
        Body::Alloc(run(0, 0, 2)),
        Body::Parallel {
            nest: vec![Range::count(2)],
            nowait: true,
            body: vec![
                Body::Alloc(crate::Elements { array: ArrayId(1), start: Affine::variable(0), count: 1 }),
                call((0, Affine::variable(0)), (1, Affine::variable(0))),
            ],
        },
        Body::Free(run(0, 1, 1)),
    ];

    let found = events(&trace(vec![array("a", 2), array("b", 2)], body)).unwrap();

    assert_eq!(
        found,
        [
            "conv1",
            "alloc 0[0]",
            "alloc 0[1]",
            "region 2",
            "iteration 0",
            "alloc 1[0]",
            "call 2",
            "sweep to 1[0]",
            "end",
            "iteration 1",
            "alloc 1[1]",
            "call 2",
            "sweep to 1[1]",
            "end",
            "region end true",
            "free 0[1]",
        ]
    );
}

#[test]
fn streamed_items_expand_like_the_whole_trace() {
    let body = vec![Body::Alloc(run(0, 0, 2)), call((0, Affine::constant(0)), (0, Affine::constant(1)))];
    let trace = trace(vec![array("a", 2)], body);
    let (mut streamed, mut whole) = (Vec::new(), Vec::new());

    let items = trace.items().map(Ok);
    expand_items(items, &mut |event: Event<'_>| {
        streamed.push(format!("{event:?}"));
        ControlFlow::Continue(())
    })
    .unwrap();
    expand(&trace, &mut |event: Event<'_>| {
        whole.push(format!("{event:?}"));
        ControlFlow::Continue(())
    })
    .unwrap();

    assert_eq!(streamed, whole);
    assert_eq!(whole.len(), 5);
}

#[test]
fn an_object_dies_with_its_last_reference() {
    let segment = Segment { array: ArrayId(0), start: 2, stride: -1, count: 3 };
    let view = Definition::View(View { label: "reversed".into(), segments: vec![segment] });
    let slice = Segment { array: ArrayId(1), start: 0, stride: 1, count: 1 };
    let view_of_view = Definition::View(View { label: "last".into(), segments: vec![slice] });
    let body = vec![
        Body::Alloc(run(0, 0, 3)),
        Body::Alloc(run(1, 0, 2)),
        Body::Alloc(run(2, 0, 1)),
        Body::Free(run(0, 0, 3)),
        Body::Free(run(1, 0, 2)),
        call((2, Affine::constant(0)), (2, Affine::constant(0))),
        Body::Free(run(2, 0, 1)),
    ];

    let found = events(&trace(vec![array("a", 3), view, view_of_view], body)).unwrap();

    let expected = [
        "conv1",
        "alloc 0[0]",
        "alloc 0[1]",
        "alloc 0[2]",
        "free 0[0]",
        "free 0[1]",
        "call 2",
        "sweep to 0[2]",
        "free 0[2]",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_phase_that_ends_with_references_is_not_the_last() {
    let all = Segment { array: ArrayId(0), start: 0, stride: 1, count: 2 };
    let view = Definition::View(View { label: "handles".into(), segments: vec![all] });
    let mut trace =
        trace(vec![array("a", 2), view], vec![Body::Alloc(run(0, 0, 2)), Body::Alloc(run(1, 0, 2))]);
    let then = |name: &str, body| {
        let head = PhaseHead { name: name.into(), operation: "Reshape".into(), stage: Stage::Server };
        Phase { head, body }
    };
    trace.phases.push(then("drop", vec![Body::Free(run(0, 0, 2))]));
    trace.phases.push(then("empty", Vec::new()));
    trace.phases.push(then("end", vec![Body::Free(run(1, 0, 2))]));

    let expected = ["conv1", "alloc 0[0]", "alloc 0[1]", "drop", "empty", "end", "free 0[0]", "free 0[1]"];
    assert_eq!(events(&trace).unwrap(), expected);
    let mut streamed = 0;
    expand_items(trace.items().map(Ok), &mut |_: Event<'_>| {
        streamed += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(streamed, expected.len());
}

#[test]
fn use_of_dead_double_alloc_and_double_free_are_refused() {
    let try_body = |body| events(&trace(vec![array("a", 2)], body)).map(drop);
    let use_both = || call((0, Affine::constant(0)), (0, Affine::constant(1)));

    assert!(try_body(vec![Body::Alloc(run(0, 0, 2)), use_both()]).is_ok());
    let dead = try_body(vec![Body::Alloc(run(0, 0, 1)), use_both()]);
    assert!(matches!(dead, Err(Error::Dead { index: 1, action: "use", .. })));
    let twice = try_body(vec![Body::Alloc(run(0, 0, 1)), Body::Alloc(run(0, 0, 1))]);
    assert!(matches!(twice, Err(Error::Alive { index: 0, .. })));
    assert!(try_body(vec![Body::Alloc(run(0, 0, 1)), Body::Free(run(0, 0, 1))]).is_ok());
    let freed = try_body(vec![Body::Alloc(run(0, 0, 1)), Body::Free(run(0, 0, 1)), Body::Free(run(0, 0, 1))]);
    assert!(matches!(freed, Err(Error::Dead { index: 0, action: "release", .. })));
}

#[test]
fn indices_outside_an_array_and_unknown_numbers_are_refused() {
    let try_body = |body| events(&trace(vec![array("a", 2)], vec![body])).map(drop);

    assert!(try_body(Body::Alloc(run(0, 1, 1))).is_ok());
    assert!(matches!(try_body(Body::Alloc(run(0, 1, 2))), Err(Error::OutOfRange { found: 2, most: 1, .. })));
    assert!(matches!(try_body(Body::Alloc(run(0, -1, 1))), Err(Error::OutOfRange { found: -1, .. })));
    assert!(matches!(try_body(Body::Alloc(run(1, 0, 1))), Err(Error::UndefinedArray { array: 1, .. })));
    let unknown = Body::Call { callee: MacroId(1), operands: vec![] };
    assert!(matches!(try_body(unknown), Err(Error::UndefinedMacro { callee: 1, .. })));
    let missing = Body::Call { callee: MacroId(0), operands: vec![] };
    assert!(matches!(try_body(missing), Err(Error::OutOfRange { found: 0, least: 2, .. })));
}
