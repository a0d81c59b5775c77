use std::collections::BTreeSet;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::expand::tests::{array, call, copy, run, trace};
use crate::expand::{Event, Expansion, Program};
use crate::grammar::{Affine, ArrayId, Body, Elements, LINE_BYTES, Order, Phase, Range, Segment, View};
use crate::loops::Scope;
use crate::random;
use crate::walk::{Node, Run, Step, Walk};

/// A padded, pruned convolution with local scratch and a first product, like the kernels of the project.
fn convolution() -> Trace {
    let window = |variable| Range::Affine {
        from: vec![Affine::constant(0), Affine::constant(1).plus(variable, -1)],
        to: vec![Affine::constant(3), Affine::constant(6).plus(variable, -1)],
    };
    let scratch = || Elements { array: ArrayId(2), start: Affine::variable(0).plus(1, 4), count: 1 };
    let multiply = || call((0, Affine::variable(1)), (2, Affine::variable(0).plus(1, 4)));
    let pruned = Range::Listed {
        lists: vec![vec![0, 2], vec![], vec![1], vec![0, 1, 3]],
        select: Affine::variable(0),
    };
    let inner = Body::Loop {
        nest: vec![pruned, window(1)],
        first: vec![multiply()],
        body: vec![Body::Alloc(run(3, 0, 1)), multiply(), multiply(), Body::Free(run(3, 0, 1))],
    };
    let outer = Body::Parallel {
        nest: vec![Range::count(4), Range::count(5)],
        nowait: false,
        body: vec![
            Body::Alloc(scratch()),
            inner,
            Body::Alloc(Elements { array: ArrayId(1), start: Affine::variable(0).plus(1, 4), count: 1 }),
            call((2, Affine::variable(0).plus(1, 4)), (1, Affine::variable(0).plus(1, 4))),
            Body::Free(scratch()),
        ],
    };
    let definitions = vec![array("input", 5), array("output", 20), array("scratch", 20), array("sum", 1)];
    trace(definitions, vec![Body::Alloc(run(0, 0, 5)), outer, Body::Free(run(0, 0, 5))])
}

/// Counts by expansion: calls, line touches, bytes read and written, most live bytes, births.
fn by_expansion(trace: &Trace) -> (u64, u64, Traffic, u64, u64) {
    let (mut calls, mut lines, mut traffic, mut live, mut peak) = (0, 0, Traffic::default(), 0_u64, 0);
    let mut births = 0;
    crate::expand(trace, &mut |event: Event<'_>| {
        match event {
            Event::Call { .. } => calls += 1,
            Event::Alloc(_) => {
                live += 256;
                births += 1;
            }
            Event::Free(_) => live -= 256,
            Event::Sweep { sweep, .. } => {
                for lane in &sweep.lanes {
                    let bytes: BTreeSet<u64> = (lane.offset..lane.offset + lane.bytes).collect();
                    lines += bytes.iter().map(|byte| byte / LINE_BYTES).collect::<BTreeSet<_>>().len() as u64;
                    assert_eq!(lane.order, Order::Sequential);
                    if lane.access.is_read() {
                        traffic.read_bytes += lane.bytes;
                    } else {
                        traffic.write_bytes += lane.bytes;
                    }
                }
            }
            _ => {}
        }
        peak = peak.max(live);
        ControlFlow::Continue(())
    })
    .unwrap();
    (calls, lines, traffic, peak, births)
}

#[test]
fn folded_counts_equal_the_expansion() {
    let trace = convolution();

    let found = facts(&trace, 1).unwrap();

    let (calls, lines, traffic, peak, births) = by_expansion(&trace);
    assert!(calls > 100, "{calls}");
    assert_eq!(found.activity.calls, calls);
    assert_eq!(found.activity.line_accesses, lines);
    assert_eq!(found.activity.logical, traffic);
    assert_eq!(found.peak_footprint_bytes, peak);
    assert_eq!(found.activity.primitives, BTreeMap::from([("copy".to_owned(), calls)]));
    assert_eq!(found.activity.bytes_by_class, BTreeMap::from([("ciphertext".to_owned(), traffic)]));
    assert_eq!(found.activity.births_by_class, BTreeMap::from([("ciphertext".to_owned(), births)]));
    assert_eq!(found.operations, BTreeMap::from([("Convolution".to_owned(), 1)]));
    assert_eq!(found.objects, 46);
    assert_eq!(found.phases[0].end_footprint_bytes, 20 * 256);
}

#[test]
fn activities_are_those_of_the_facts() {
    let whole = convolution();
    let of_phases: Vec<Activity> =
        facts(&whole, 3).unwrap().phases.into_iter().map(|phase| phase.activity).collect();

    assert_eq!(activities(&whole).unwrap(), of_phases);
}

#[test]
fn json_has_the_keys_that_info_promises_and_reads_back() {
    let found = facts(&convolution(), 2).unwrap();

    let json = serde_json::to_value(&found).unwrap();

    for key in ["objects", "peak_footprint_bytes", "line_accesses", "operations", "primitives", "phases"] {
        assert!(!json[key].is_null(), "{key}");
    }
    assert_eq!(json["phases"][0]["primitives"]["copy"], found.activity.calls);
    assert_eq!(serde_json::from_value::<Facts>(json).unwrap(), found);
}

#[test]
fn every_further_thread_adds_what_an_iteration_holds_and_drops() {
    let trace = convolution();
    let peak = |threads| facts(&trace, threads).unwrap().peak_footprint_bytes;

    // An iteration keeps its output and drops a scratch: one object more at once for each further thread. The
    // accumulator of the inner loop dies before the output is born.
    assert_eq!(peak(2) - peak(1), 256);
    assert_eq!(peak(20) - peak(1), 19 * 256);
    assert_eq!(peak(1000), peak(20));
}

#[test]
fn threads_of_a_region_inside_another_are_not_multiplied() {
    let at = Affine::variable(1).plus(0, 4);
    let scratch = || Elements { array: ArrayId(0), start: at.clone(), count: 1 };
    let nest = || vec![Range::count(4)];
    let inner = Body::Parallel {
        nest: nest(),
        nowait: false,
        body: vec![Body::Alloc(scratch()), Body::Free(scratch())],
    };
    let outer = Body::Parallel { nest: nest(), nowait: false, body: vec![inner] };
    let trace = trace(vec![array("scratch", 16)], vec![outer]);

    // One scratch a thread, of which the outer region has four at most.
    for (threads, most) in [(1, 1), (2, 2), (4, 4), (100, 4)] {
        assert_eq!(facts(&trace, threads).unwrap().peak_footprint_bytes, most * 256, "{threads} threads");
    }
}

#[test]
fn touches_behind_a_region_inside_another_are_shared_as_before_it() {
    let one = || (0, Affine::constant(0));
    let inner = || Body::Parallel { nest: vec![Range::count(1)], nowait: false, body: vec![] };
    let touched = |inside: Vec<Body>| {
        let nest = vec![Range::count(4)];
        let body = vec![Body::Alloc(run(0, 0, 1)), Body::Parallel { nest, nowait: false, body: inside }];
        residency(&trace(vec![array("a", 1)], body), 4, 0).unwrap().arrays[0].touched_lines()
    };

    assert_eq!(touched(vec![inner(), call(one(), one())]), touched(vec![call(one(), one())]));
}

#[test]
fn objects_live_until_their_last_view_dies() {
    let segment = Segment { array: ArrayId(0), start: 1, stride: 2, count: 2 };
    let view = Definition::View(View { label: "odd".into(), segments: vec![segment] });
    let each = |body| Body::Loop { nest: vec![Range::count(2)], first: vec![], body: vec![body] };
    let element = || Elements { array: ArrayId(1), start: Affine::variable(0), count: 1 };
    let body = vec![
        Body::Alloc(run(0, 0, 4)),
        each(Body::Alloc(element())),
        Body::Free(run(0, 0, 4)),
        each(Body::Free(element())),
    ];
    let trace = trace(vec![array("a", 4), view], body);

    let found = facts(&trace, 1).unwrap();

    let ends: Vec<(usize, u64)> =
        found.footprint.iter().map(|point| (point.step, point.end.total())).collect();
    assert_eq!(ends, [(0, 4 * 256), (2, 2 * 256), (3, 0)]);
    assert_eq!(found.peak_footprint_bytes, 4 * 256);
    assert_eq!(found.objects, 4);
    // The view's elements are references to what lives already.
    assert_eq!(found.activity.births_by_class, BTreeMap::from([("ciphertext".to_owned(), 4)]));
}

#[test]
fn a_view_defined_after_its_array_lives_is_followed_if_all_of_it_lives() {
    let stream = |allocated: u64| {
        let segment = Segment { array: ArrayId(0), start: 0, stride: 1, count: 2 };
        let head = trace(vec![], vec![]).phases[0].head.clone();
        let Definition::Array(array) = array("a", 2) else { panic!("an array is an array") };
        let mut collector = Collector::new(1);
        collector.push(&Item::Array(array)).unwrap();
        collector.push(&Item::PhaseStart(head)).unwrap();
        collector.push(&Item::Body(Body::Alloc(run(0, 0, allocated)))).unwrap();
        collector.push(&Item::View(View { label: "v".into(), segments: vec![segment] }))?;
        collector.push(&Item::Body(Body::Alloc(run(1, 0, 2)))).unwrap();
        collector.push(&Item::Body(Body::Free(run(0, 0, 2)))).unwrap();
        Ok(collector.finish().phases[0].end_footprint_bytes)
    };

    assert_eq!(stream(2).unwrap(), 2 * 256);
    let refused: Result<u64> = stream(1);
    assert!(matches!(refused, Err(Error::Malformed { .. })));
}

#[test]
fn facts_of_a_trillion_calls_come_at_once() {
    let parallel = Body::Parallel {
        nest: vec![Range::count(1_000_000), Range::count(1_000_000)],
        nowait: false,
        body: vec![
            Body::Alloc(run(1, 0, 1)),
            call((0, Affine::constant(0)), (1, Affine::constant(0))),
            Body::Free(run(1, 0, 1)),
        ],
    };
    let trace = trace(vec![array("a", 1), array("b", 1)], vec![Body::Alloc(run(0, 0, 1)), parallel]);

    let found = facts(&trace, 48).unwrap();

    assert_eq!(found.activity.calls, 1_000_000_000_000);
    assert_eq!(found.activity.logical.read_bytes, 128_000_000_000_000);
    assert_eq!(found.peak_footprint_bytes, 256 * 49);
}

#[test]
fn arithmetic_and_updates_are_counted() {
    let mut defined = copy();
    defined.sweeps[0].lanes[1].access = crate::Access::Update;
    defined.sweeps[0].work = vec![crate::Work { kind: crate::Arithmetic::Add, count: 16 }];
    let both = || call((0, Affine::constant(0)), (0, Affine::constant(1)));
    let mut trace = trace(vec![array("a", 2)], vec![Body::Alloc(run(0, 0, 2)), both(), both()]);
    trace.macros = vec![defined];

    let found = facts(&trace, 1).unwrap();

    assert_eq!(found.activity.arithmetic, BTreeMap::from([("add".to_owned(), 32)]));
    assert_eq!(found.activity.logical, Traffic { read_bytes: 512, write_bytes: 256 });
    assert_eq!(found.activity.line_accesses, 2 * (2 + 4));
}

#[test]
fn expansion_ends_with_the_objects_that_the_facts_leave_alive() {
    let trace = convolution();
    let program = Program::new(&trace).unwrap();
    let mut expansion = Expansion::new(&trace, &program).unwrap();

    while expansion.next().unwrap().is_some() {}

    assert_eq!(expansion.live_objects() * 256, facts(&trace, 1).unwrap().phases[0].end_footprint_bytes);
}

/// Live bytes while one thread walks: calls, most and last live bytes, counted one by one.
fn by_walking(nodes: &[Node], directory: &Directory, start: i128) -> (u64, i128, i128) {
    let mut walk = Walk::new(nodes, Scope::new());
    let (mut calls, mut live, mut peak) = (0, start, start);
    let bytes = |run: &Run| i128::from(run.count) * i128::from(directory.least_capacity(run.array).unwrap());
    while let Some(step) = walk.next() {
        match step {
            Step::Call(_) => calls += 1,
            Step::Alloc(run) => live += bytes(run),
            Step::Free(run) => live -= bytes(run),
            Step::Region(region) => walk.enter(region),
            Step::IterationStart(_) | Step::IterationEnd | Step::RegionEnd(_) => {}
        }
        peak = peak.max(live);
    }
    (calls, peak, live)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn folded_facts_of_random_bodies_equal_a_walk(seed: u64) {
        let trace = random::trace(seed);
        let directory = Directory::of(&trace.definitions).unwrap();
        let mut budget = budget::Budget::new();
        let costs: Vec<_> = trace.macros.iter().map(|defined| counts::MacroCost::of(defined, &mut budget).unwrap()).collect();
        let mut live = footprint::Footprint::<footprint::Delta>::new(1);
        // Random bodies free what never lived: start with plenty of every array.
        let plenty = (0..directory.len() as u32).map(|array| Body::Alloc(run(array, 0, 1 << 30)));
        let plenty: Vec<Body> = plenty.collect();
        let (_, mut end) = live.apply(&compile(&plenty, 0).unwrap(), &directory, ("plenty", &mut budget)).unwrap();

        for phase in &trace.phases {
            let nodes = compile(&phase.body, 0).unwrap();
            let expected = by_walking(&nodes, &directory, end.bytes().total().into());

            let (activity, _) = counts::activity(&nodes, &directory, &trace.macros, &costs, &mut budget).unwrap();
            let (peak, after) = live.apply(&nodes, &directory, ("phase", &mut budget)).unwrap();

            prop_assert_eq!((activity.calls, peak.bytes().total().into(), after.bytes().total().into()), expected);
            end = after;
        }
    }
}

/// A tensor whose elements views pick in strides, back to front and twice, born, referred to and freed by nests of
/// several orders, in part or whole, each in a phase of its own. Some of it is wrong: then both ways of counting have to
/// refuse it.
fn viewed(seed: u64) -> Trace {
    let mut draws = crate::seeded::family(seed, 0);
    let mut below = |bound: u64| {
        draws = crate::seeded::family(draws, 1);
        draws % bound
    };
    let segments = [
        vec![(0, 1, 24)],
        vec![(0, 2, 12), (1, 2, 12)],
        vec![(23, -1, 24)],
        vec![(0, 1, 12), (0, 1, 12)],
        vec![(0, 6, 4), (1, 6, 4), (2, 6, 4), (3, 6, 4), (4, 6, 4), (5, 6, 4)],
        vec![(5, 0, 24)],
    ];
    let segment =
        |&(start, stride, count): &(u64, i64, u64)| Segment { array: ArrayId(0), start, stride, count };
    let chosen = &segments[below(segments.len() as u64) as usize];
    let segments = chosen.iter().map(segment).collect();
    let view = Definition::View(View { label: "view".into(), segments });
    let shift = u64::from(below(20) == 0);
    let mut change = |array: u32, is_alloc: bool| {
        let nests: [(Vec<u64>, Vec<i64>, u64); 6] = [
            (vec![], vec![], 24),
            (vec![24], vec![1], 1),
            (vec![2, 3, 4], vec![12, 4, 1], 1),
            (vec![2, 3, 4], vec![1, 2, 6], 1),
            (vec![3, 2], vec![4, 12], 4),
            (vec![4, 6], vec![1, 3], 1),
        ];
        let kinds = if below(8) == 0 { 6 } else { 5 };
        let (lengths, steps, count) = &nests[below(kinds) as usize];
        let index = |start: i64| {
            let terms = steps.iter().enumerate();
            terms.fold(Affine::constant(start), |form, (at, &step)| form.plus(at as u8, step))
        };
        let run = Elements { array: ArrayId(array), start: index(shift as i64), count: *count };
        let node = if is_alloc { Body::Alloc(run) } else { Body::Free(run) };
        let scratch = || Elements { array: ArrayId(2), start: index(0), count: 1 };
        let clipped = Range::Affine {
            from: vec![Affine::constant(0), Affine::constant(1).plus(0, -1)],
            to: vec![Affine::constant(2), Affine::constant(4).plus(0, -1)],
        };
        if lengths.is_empty() {
            return node;
        }
        let inner = Body::Loop {
            nest: vec![clipped],
            first: vec![],
            body: vec![Body::Alloc(scratch()), Body::Free(scratch())],
        };
        let body = if below(2) == 0 { vec![node, inner] } else { vec![inner, node] };
        let nest = lengths.iter().map(|&length| Range::count(length)).collect();
        if below(2) == 0 {
            Body::Loop { nest, first: vec![], body }
        } else {
            Body::Parallel { nest, nowait: false, body }
        }
    };
    let is_array_first = seed.is_multiple_of(2);
    let body = vec![
        change(0, true),
        change(1, true),
        change(u32::from(!is_array_first), false),
        change(u32::from(is_array_first), false),
    ];
    let mut viewed = trace(vec![array("tensor", 24), view, array("scratch", 24)], Vec::new());
    let head = viewed.phases.remove(0).head;
    viewed.phases = (0..)
        .zip(body)
        .map(|(at, body): (usize, Body)| Phase {
            head: PhaseHead { name: at.to_string(), ..head.clone() },
            body: vec![body],
        })
        .collect();
    viewed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn elements_taken_in_bulk_live_as_long_as_one_by_one(seed: u64) {
        let trace = viewed(seed);
        let (mut live, mut peak, mut by_array) = (0_u64, 0, BTreeMap::<u32, (u64, u64)>::new());
        let mut starts = Vec::new();
        let expanded = crate::expand(&trace, &mut |event: Event<'_>| {
            match event {
                Event::Alloc(object) => {
                    live += 256;
                    let (now, most) = by_array.entry(object.array.0).or_default();
                    *now += 256;
                    *most = (*most).max(*now);
                }
                Event::Free(object) => {
                    live -= 256;
                    by_array.entry(object.array.0).or_default().0 -= 256;
                }
                Event::PhaseStart(_) => starts.push(live),
                _ => {}
            }
            peak = peak.max(live);

            ControlFlow::Continue(())
        });

        match facts(&trace, 1) {
            Ok(found) => {
                prop_assert!(expanded.is_ok());
                prop_assert_eq!(found.peak_footprint_bytes, peak);
                let ends: Vec<u64> = found.phases.iter().map(|phase| phase.end_footprint_bytes).collect();
                prop_assert_eq!(ends, [&starts[1..], &[live]].concat());
                let found = residency(&trace, 1, u64::MAX).unwrap();
                let peaks: BTreeMap<u32, u64> =
                    found.arrays.iter().map(|array| (array.id.0, array.peak_bytes())).collect();
                prop_assert_eq!(peaks, by_array.into_iter().map(|(array, (_, most))| (array, most)).collect());
            }
            Err(error) => prop_assert_eq!(error.to_string(), expanded.unwrap_err().to_string()),
        }
    }
}

#[test]
fn arrays_hold_what_they_hold_at_most_and_threads_add_scratch() {
    for threads in [1, 2, 20] {
        let residency = residency(&convolution(), threads, u64::MAX).unwrap();

        let peaks: Vec<u64> = residency.arrays.iter().map(|array| array.peak_bytes() / 256).collect();
        assert_eq!(peaks, [5, 20, threads, threads], "input, output, scratch and sum");
        let input = &residency.arrays[0];
        assert_eq!((input.label.as_str(), input.peak_bytes()), ("input", 5 * 256));
        assert_eq!(input.held.last(), Some(&(5, 0)), "freed with the last body");
    }
}

#[test]
fn accesses_through_a_view_count_for_the_arrays_behind_it_by_their_share() {
    let segment = |array, count| Segment { array: ArrayId(array), start: 0, stride: 1, count };
    let view = Definition::View(View { label: "both".into(), segments: vec![segment(0, 3), segment(1, 1)] });
    // Four lines are read and four written.
    let copies = Body::Loop {
        nest: vec![Range::count(2)],
        first: vec![],
        body: vec![call((2, Affine::variable(0)), (2, Affine::constant(2).plus(0, 1)))],
    };
    let body = vec![Body::Alloc(run(0, 0, 3)), Body::Alloc(run(1, 0, 1)), Body::Alloc(run(2, 0, 4)), copies];
    let trace = trace(vec![array("a", 3), array("b", 1), view], body);

    let found = residency(&trace, 1, u64::MAX).unwrap();

    let lines: Vec<u64> = found.arrays.iter().map(ArrayUse::touched_lines).collect();
    assert_eq!(lines.iter().sum::<u64>(), facts(&trace, 1).unwrap().activity.line_accesses);
    assert_eq!(lines[0], 3 * lines[1]);
}

#[test]
fn an_object_that_a_call_touches_in_every_iteration_counts_once() {
    let nest = |lengths: &[u64]| lengths.iter().map(|&length| Range::count(length)).collect::<Vec<_>>();
    let clipped = Range::Affine {
        from: vec![Affine::constant(0), Affine::constant(1).plus(0, -1)],
        to: vec![Affine::constant(3), Affine::constant(5).plus(0, -1)],
    };
    // Reads a[v0 + v2], adds into b[v0].
    let tap = || call((0, Affine::variable(0).plus(2, 1)), (1, Affine::variable(0)));
    let window = Body::Loop { nest: vec![Range::count(2), clipped], first: vec![tap()], body: vec![tap()] };
    let body = Body::Parallel { nest: nest(&[4]), nowait: false, body: vec![window] };
    let definitions = vec![array("a", 8), array("b", 4)];
    let trace = trace(definitions, vec![Body::Alloc(run(0, 0, 8)), Body::Alloc(run(1, 0, 4)), body]);

    let touched = |cache_bytes: u64| -> Vec<u64> {
        let residency = residency(&trace, 1, cache_bytes).unwrap();
        residency.arrays.iter().map(ArrayUse::touched_lines).collect()
    };

    // Windows have 2, 3, 3 and 2 taps, each walked twice; a copy reads two lines and writes two.
    let taps = 2 * (2 + 3 + 3 + 2);
    assert_eq!(touched(2 * 256), [2 * taps, 2 * 4]);
    assert_eq!(touched(2 * 256 - 1), [2 * taps, 2 * taps], "a cache that is too small holds nothing");
}

#[test]
fn what_threads_touch_at_once_counts_once() {
    let nest = |lengths: &[u64]| lengths.iter().map(|&length| Range::count(length)).collect::<Vec<_>>();
    // Of six outputs each walks through all four inputs.
    let walk = call((0, Affine::variable(1)), (1, Affine::variable(0)));
    let inner = Body::Loop { nest: nest(&[4]), first: vec![], body: vec![walk] };
    let body = Body::Parallel { nest: nest(&[6]), nowait: false, body: vec![inner] };
    let definitions = vec![array("a", 4), array("b", 6)];
    let trace = trace(definitions, vec![Body::Alloc(run(0, 0, 4)), Body::Alloc(run(1, 0, 6)), body]);
    let touched = |threads: u64| -> Vec<u64> {
        let residency = residency(&trace, threads, u64::MAX).unwrap();
        residency.arrays.iter().map(ArrayUse::touched_lines).collect()
    };

    assert_eq!([1, 3, 100].map(touched), [[2 * 4 * 6, 2 * 6], [2 * 4 * 2, 2 * 6], [2 * 4, 2 * 6]]);
}

/// Calls of a loop whose inner range begins and ends at maxima and minima over the outer variable.
fn calls_of_clipped(outer: u64, from: &[Affine], to: &[Affine]) -> Result<u64> {
    let inner = Range::Affine { from: from.to_vec(), to: to.to_vec() };
    let body = vec![call((0, Affine::constant(0)), (0, Affine::constant(0)))];
    let nest = vec![Range::count(outer), inner];
    let alive = Body::Alloc(run(0, 0, 1));
    let body = Body::Loop { nest, first: vec![], body };
    Ok(facts(&trace(vec![array("a", 1)], vec![alive, body]), 1)?.activity.calls)
}

#[test]
fn windows_clipped_at_both_ends_of_ten_to_the_fifteenth_positions_are_counted_without_a_walk() {
    let positions = 1_000_000_000_000_000;
    let from = [Affine::constant(0), Affine::constant(2).plus(0, -1)];
    let to = [Affine::constant(5), Affine::constant(positions + 2).plus(0, -1)];

    // Windows of five, two and one short at the first two positions and at the last two.
    assert_eq!(calls_of_clipped(positions as u64, &from, &to).unwrap(), 5 * positions as u64 - 6);
}

#[test]
fn bounds_of_several_slopes_are_counted_like_a_walk() {
    let form = |constant, coefficient| Affine::constant(constant).plus(0, coefficient);
    let from = [form(0, 0), form(9, -2), form(-35, 1), form(-170, 4)];
    let to = [form(12, 0), form(3, 2), form(70, -1)];
    for outer in 0..90_i64 {
        let value = |form: &Affine, at| form.value(&[at]);
        let inner = |at| {
            let low = from.iter().map(|form| value(form, at)).max().unwrap_or(0);
            to.iter().map(|form| value(form, at)).min().unwrap_or(low) - low
        };
        let expected: i64 = (0..outer).map(|at| inner(at).max(0)).sum();

        assert_eq!(calls_of_clipped(outer as u64, &from, &to).unwrap(), expected as u64, "{outer}");
    }
}

#[test]
fn the_first_iteration_of_listed_values_is_the_one_that_first_replaces() {
    let calls = |count: Affine| {
        let to = vec![count];
        let range = Range::Affine { from: vec![Affine::constant(0)], to };
        let one = vec![call((0, Affine::constant(0)), (0, Affine::constant(0)))];
        Body::Loop { nest: vec![range], first: vec![], body: one }
    };
    // Both values give the inner range the same three.
    let listed = Range::Listed { lists: vec![vec![2, 4]], select: Affine::constant(0) };
    let inner = Range::Affine {
        from: vec![Affine::constant(0), Affine::constant(-9).plus(0, 1)],
        to: vec![Affine::constant(3)],
    };
    let body = Body::Loop {
        nest: vec![listed, inner],
        first: vec![calls(Affine::variable(0))],
        body: vec![calls(Affine::constant(10))],
    };

    let found = facts(&trace(vec![array("a", 1)], vec![Body::Alloc(run(0, 0, 1)), body]), 1).unwrap();

    assert_eq!(found.activity.calls, 2 + 5 * 10);
}

#[test]
fn a_loop_too_long_to_be_walked_is_refused_at_once_and_says_why() {
    let triangle = |outer| calls_of_clipped(outer, &[Affine::constant(0)], &[Affine::variable(0)]);

    assert_eq!(triangle(1000).unwrap(), 999 * 1000 / 2);
    let error = triangle(1_000_000_000_000_000).unwrap_err().to_string();
    assert!(error.starts_with("conv1: counting what its loops do: found 100000000000000"), "{error}");
    assert!(error.contains("steps or more to take one by one, need at most 274877906944"), "{error}");
}

/// 2³² objects, every `stride` of them behind a view, that live and die.
fn behind_a_view(stride: i64) -> Result<Facts> {
    let elements = crate::MAX_ELEMENTS;
    let segment =
        Segment { array: ArrayId(0), start: 0, stride, count: elements / stride.unsigned_abs().max(1) };
    let view = View { label: "view".into(), segments: vec![segment] };
    let of = |array, count| Elements { array: ArrayId(array), start: Affine::constant(0), count };
    let body = vec![
        Body::Alloc(of(0, elements)),
        Body::Alloc(of(1, segment.count)),
        Body::Free(of(0, elements)),
        Body::Free(of(1, segment.count)),
    ];
    let mut objects = trace(vec![array("a", elements)], body);
    objects.definitions.push(crate::Definition::View(view));
    facts(&objects, 1)
}

#[test]
fn objects_that_views_refer_to_as_a_whole_are_followed_as_a_whole() {
    let found = behind_a_view(1).unwrap();

    assert_eq!(found.peak_footprint_bytes, crate::MAX_ELEMENTS * 256);
    assert_eq!(found.phases[0].end_footprint_bytes, 0);
}

#[test]
fn objects_that_live_unlike_their_neighbours_are_followed_up_to_a_limit() {
    let error = behind_a_view(2).unwrap_err().to_string();

    assert!(error.starts_with("following which objects live: found bytes of counts "), "{error}");
}
