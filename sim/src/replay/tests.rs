use std::collections::BTreeMap;

use hetier_traces::{
    Access, Affine, Arithmetic, Array, ArrayId, Body, Class, Definition, Elements, Header, Lane, Macro,
    MacroId, Operand, Order, Parameter, Phase, PhaseHead, Range, Role, Rule, Segment, Stage, Sweep, View,
    Work,
};

use super::*;
use crate::allocator::AllocatorKind;
use crate::fidelity::Fidelity;

const KIB: u64 = 1 << 10;

fn array(label: &str, class: Class, elements: u64, bytes: u64) -> Definition {
    Definition::Array(Array {
        label: label.to_owned(),
        class,
        elements,
        capacity_bytes: bytes,
        used_bytes: bytes,
    })
}

fn primitive(name: &str, lanes: Vec<Lane>, work: u64) -> Macro {
    let operands = lanes.iter().map(|lane| lane.operand).max().map_or(0, |most| most + 1);
    let parameter = Parameter { class: Class::Ciphertext, role: Role::InOut, bytes: 1 };
    Macro {
        name: name.to_owned(),
        limbs: 1,
        parameters: vec![parameter; usize::from(operands)],
        sweeps: vec![Sweep { lanes, work: vec![Work { kind: Arithmetic::MultiplyAdd, count: work }] }],
    }
}

fn call(callee: u32, operands: &[(u32, Affine)]) -> Body {
    let operand = |(array, index): &(u32, Affine)| Operand { array: ArrayId(*array), index: index.clone() };
    Body::Call { callee: MacroId(callee), operands: operands.iter().map(operand).collect() }
}

fn all(array: u32, count: u64) -> Elements {
    Elements { array: ArrayId(array), start: Affine::constant(0), count }
}

fn phase(name: &str, stage: Stage, body: Vec<Body>) -> Phase {
    Phase { head: PhaseHead { name: name.to_owned(), operation: "Test".to_owned(), stage }, body }
}

/// `count` objects of `bytes`, written one after the other, then read and updated in parallel, `passes` times.
fn sums(count: u64, bytes: u64, passes: u64, work: u64) -> Trace {
    let update = |access| Lane::sequential(0, access, 0, bytes);
    let body = Body::Parallel {
        nest: vec![Range::count(count)],
        nowait: false,
        body: vec![call(1, &[(0, Affine::variable(1))])],
    };
    Trace {
        header: Header { facts: BTreeMap::from([("images".to_owned(), "16".to_owned())]) },
        definitions: vec![array("data", Class::Ciphertext, count, bytes)],
        macros: vec![
            primitive("fill", vec![update(Access::Write)], 0),
            primitive("update", vec![update(Access::Update)], work),
        ],
        phases: vec![
            phase(
                "fill",
                Stage::Client,
                vec![
                    Body::Alloc(all(0, count)),
                    Body::Loop {
                        nest: vec![Range::count(count)],
                        first: vec![],
                        body: vec![call(0, &[(0, Affine::variable(0))])],
                    },
                ],
            ),
            phase(
                "update",
                Stage::Server,
                vec![
                    Body::Loop { nest: vec![Range::count(passes)], first: vec![], body: vec![body] },
                    Body::Free(all(0, count)),
                ],
            ),
        ],
    }
}

/// Every order of lanes, views, nested regions, forks and windows.
fn motley() -> Trace {
    let bytes = 16 * KIB;
    let lane = |operand, access, order| Lane { operand, access, offset: 0, bytes: 4 * KIB, order };
    let lanes = vec![
        lane(0, Access::Read, Order::Permuted { rule: Rule::Automorphism { element: 5 }, element_bytes: 8 }),
        lane(1, Access::Update, Order::Strided { block_bytes: 128, stride_bytes: 256 }),
        lane(0, Access::Read, Order::Rotated { start_bytes: 1000 }),
        lane(2, Access::Write, Order::Sequential),
        lane(2, Access::Read, Order::Seeded { element_bytes: 64, range_elements: 100, seed: 9 }),
    ];
    let window = Range::Affine {
        from: vec![Affine::constant(0), Affine::variable(0).plus_constant(-1)],
        to: vec![Affine::constant(6), Affine::variable(0).plus_constant(2)],
    };
    let taps = Body::Loop {
        nest: vec![window],
        first: vec![],
        body: vec![call(0, &[(0, Affine::variable(1)), (1, Affine::variable(0)), (2, Affine::variable(0))])],
    };
    let scratch = Elements { array: ArrayId(3), start: Affine::variable(0), count: 1 };
    let inner = vec![
        Body::Alloc(scratch.clone()),
        call(1, &[(3, Affine::variable(0))]),
        taps,
        Body::Parallel {
            nest: vec![Range::count(2)],
            nowait: false,
            body: vec![call(1, &[(4, Affine::variable(1))])],
        },
        Body::Free(scratch),
    ];
    Trace {
        definitions: vec![
            array("a", Class::Ciphertext, 6, bytes),
            array("b", Class::EvaluationKey, 6, bytes),
            array("c", Class::Plaintext, 6, bytes),
            array("scratch", Class::Scratch, 6, bytes),
            Definition::View(View {
                label: "some".to_owned(),
                segments: vec![Segment { array: ArrayId(0), start: 1, stride: 2, count: 3 }],
            }),
        ],
        macros: vec![
            primitive("motley", lanes, 1000),
            primitive("touch", vec![Lane::sequential(0, Access::Update, 64, 1000)], 10),
        ],
        phases: vec![phase(
            "all",
            Stage::Server,
            vec![
                Body::Alloc(all(0, 6)),
                Body::Alloc(all(1, 6)),
                Body::Alloc(all(2, 6)),
                Body::Alloc(all(4, 3)),
                Body::Parallel { nest: vec![Range::count(6)], nowait: true, body: inner },
                Body::Fork {
                    nowait: false,
                    branches: vec![
                        vec![call(1, &[(0, Affine::constant(0))])],
                        vec![call(1, &[(1, Affine::constant(0))])],
                        vec![call(1, &[(2, Affine::constant(0))])],
                    ],
                },
                Body::Free(all(0, 6)),
                call(1, &[(4, Affine::constant(1))]),
                Body::Free(all(4, 3)),
            ],
        )],
        ..Trace::default()
    }
}

/// Without jitter, so that times are those of formulas.
fn system() -> System {
    System { jitter_percent: 0.0, ..System::load("optane-slice").unwrap() }
}

fn run(trace: &Trace, settings: &Settings) -> RunResult {
    replay(trace, &system(), settings, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn settings(mode: &str, threads: usize) -> Settings {
    Settings { mode: Some(mode.to_owned()), threads: Some(threads), ..Settings::default() }
}

#[test]
fn every_access_of_the_facts_is_issued_once_whatever_the_threads_and_schedule() {
    let trace = motley();
    let facts = hetier_traces::facts(&trace, 1).unwrap();
    let schedules = [
        Schedule::Static,
        Schedule::StaticChunk(1),
        Schedule::StaticChunk(2),
        Schedule::Dynamic(1),
        Schedule::Dynamic(4),
    ];
    for threads in [1, 2, 3, 4] {
        for schedule in schedules {
            let settings = Settings { schedule, ..settings("memory-mode", threads) };
            let result = run(&trace, &settings);

            assert_eq!(result.accesses, facts.activity.line_accesses, "{threads} {schedule}");
            let calls: u64 = result.by_primitive.values().map(|share| share.count).sum();
            assert_eq!(calls, facts.activity.calls, "{threads} {schedule}");
            assert_eq!(result.caches.l1.hits + result.caches.l1.misses, result.accesses);
        }
    }
}

#[test]
fn parts_of_the_result_add_up_to_the_whole() {
    for mode in crate::mode::names() {
        let result = run(
            &sums(40, 192 * KIB, 2, 10_000),
            &Settings {
                dram: if mode == "dram-only" { DramSize::System } else { DramSize::Fraction(0.25) },
                ..settings(mode, 4)
            },
        );

        for (tier, device) in &result.devices {
            let over_classes: u64 = result.by_class.values().map(|share| share.read_bytes(tier)).sum();
            let over_phases: u64 = result.phases.iter().map(|phase| phase.tiers[tier].write_bytes).sum();
            let over_time: u64 = result.bandwidth_over_time.tiers[tier].read_bytes.iter().sum();
            let over_primitives: u64 = result.by_primitive.values().map(|share| share.read_bytes(tier)).sum();
            assert_eq!(over_classes, device.read_bytes, "{mode} {tier}");
            assert_eq!(over_time, device.read_bytes, "{mode} {tier}");
            // What devices still do after the last phase belongs to no phase, only to the whole.
            assert!(
                over_phases <= device.write_bytes && over_primitives <= device.read_bytes,
                "{mode} {tier}"
            );
        }
        let last = result.phases.last().unwrap();
        assert!((last.start_seconds + last.seconds - result.whole_run_seconds).abs() < 1e-12);
        assert_eq!(result.simulated_seconds, last.seconds);
        assert_eq!(result.images, Some(16));
        for phase in &result.phases {
            let stalls: f64 = phase.stall_seconds.values().sum();
            assert!(
                (stalls + phase.compute_seconds - 4.0 * phase.seconds).abs() < 1e-9,
                "{mode} {}",
                phase.name
            );
        }
    }
}

#[test]
fn waiting_for_classes_is_the_waiting_for_tiers_and_caches() {
    for (mode, stores) in
        crate::mode::names().into_iter().flat_map(|mode| Stores::ALL.map(|(_, stores)| (mode, stores)))
    {
        let dram = if mode == "dram-only" { DramSize::System } else { DramSize::Fraction(0.25) };
        let result = run(&motley(), &Settings { dram, stores, ..settings(mode, 3) });

        let by_class = result.by_class.values().filter_map(|share| share.simulated_seconds).sum::<f64>();
        let sources = result.by_primitive.values().flat_map(|share| &share.stall_seconds);
        let is_memory = |source: &str| source == "cache" || result.devices.contains_key(source);
        let by_source: f64 =
            sources.filter(|(source, _)| is_memory(source)).map(|(_, seconds)| seconds).sum();

        assert!(by_source > 0.0);
        assert!((by_class - by_source).abs() < 1e-12, "{mode}: {by_class} {by_source}");
    }
}

#[test]
fn arithmetic_alone_takes_its_cycles_and_four_threads_a_quarter() {
    let (count, work) = (16, 1_000_000);
    let trace = sums(count, 64, 1, work);
    let expected = system().arithmetic_fs(Arithmetic::MultiplyAdd, work) as f64 / 1e15 * count as f64;

    let one = run(&trace, &settings("dram-only", 1)).simulated_seconds;
    let four = run(&trace, &settings("dram-only", 4)).simulated_seconds;

    assert!((one / expected - 1.0).abs() < 0.01, "{one} {expected}");
    assert!((four * 4.0 / expected - 1.0).abs() < 0.01, "{four} {expected}");
}

#[test]
fn jitter_moves_the_time_of_arithmetic_by_seed_and_by_no_more_than_it_says() {
    let (count, work) = (64, 1_000_000);
    let trace = sums(count, 64, 1, work);
    let system = System { jitter_percent: 10.0, ..system() };
    let expected = system.arithmetic_fs(Arithmetic::MultiplyAdd, work) as f64 / 1e15 * count as f64;
    let time = |seed| {
        let settings = Settings { seed, ..settings("dram-only", 1) };
        replay(&trace, &system, &settings, &mut |_| ControlFlow::Continue(())).unwrap().simulated_seconds
    };

    let [first, again, second] = [time(1), time(1), time(2)];

    assert!(first == again && first != second, "{first} {again} {second}");
    // The mean of 64 calls has a standard error of 10 % / 8; four of them and 1 % for memory.
    assert!([first, second].iter().all(|time| (time / expected - 1.0).abs() < 0.06), "{first} {second}");
}

#[test]
fn streaming_through_one_channel_stays_below_its_peak_and_above_half() {
    let trace = sums(160, 192 * KIB, 2, 100);
    let result = run(&trace, &settings("dram-only", 4));
    let update = result.phases.last().unwrap();
    let bytes = update.tiers["dram"].read_bytes + update.tiers["dram"].write_bytes;

    // DDR4-2666 moves 8 bytes 2,666.7 million times a second.
    let share = bytes as f64 / update.seconds / 21.33e9;
    assert!((0.5..1.0).contains(&share), "{share}");
}

#[test]
fn slower_modes_are_slower_and_footprints_are_the_facts() {
    let trace = sums(160, 192 * KIB, 2, 100);
    let facts = hetier_traces::facts(&trace, 1).unwrap();
    let quarter = |mode| Settings { dram: DramSize::Fraction(0.25), ..settings(mode, 4) };

    let dram = run(&trace, &settings("dram-only", 4));
    let near = run(&trace, &quarter("memory-mode"));
    let pmem = run(&trace, &settings("pmem-only", 4));

    assert!(dram.simulated_seconds < near.simulated_seconds);
    assert!(dram.simulated_seconds < pmem.simulated_seconds);
    assert_eq!(dram.peak_live_bytes, facts.peak_footprint_bytes);
    assert_eq!(dram.peak_footprint_bytes, facts.peak_footprint_bytes);
    assert_eq!(near.near_memory.unwrap().capacity_bytes, facts.peak_footprint_bytes / 4);
    assert!(dram.near_memory.is_none() && dram.near_memory_hit_rate.is_none());
}

#[test]
fn loads_are_what_the_caches_ask_for_whatever_near_memory_makes_of_it() {
    let trace = sums(160, 192 * KIB, 2, 100);
    let near = Settings { dram: DramSize::Fraction(0.25), ..settings("memory-mode", 1) };
    let mut quiet = |_: f64| ControlFlow::Continue(());
    let system = System::load("optane-slice").unwrap();
    for replay in [crate::replay::replay, crate::stream::replay] {
        let loads = |result: &RunResult, tier: &str| -> u64 {
            result.phases.iter().map(|phase| phase.loads.get(tier).copied().unwrap_or(0)).sum()
        };
        // One thread asks for the same lines in every mode.
        let direct = replay(&trace, &system, &settings("dram-only", 1), &mut quiet).unwrap();
        let cached = replay(&trace, &system, &near, &mut quiet).unwrap();
        let counts = cached.near_memory.unwrap();

        assert_eq!(loads(&direct, "dram"), direct.devices["dram"].read_bytes / 64);
        assert_eq!(loads(&cached, "dram") + loads(&cached, "pmem"), loads(&direct, "dram"));
        assert_eq!([counts.read_hits, counts.read_misses], ["dram", "pmem"].map(|tier| loads(&cached, tier)));
        assert!(counts.read_misses < counts.misses_clean + counts.misses_dirty, "some writes miss as well");
        assert_eq!(
            cached.by_operation.values().map(|share| share.loads["pmem"]).sum::<u64>(),
            counts.read_misses
        );
    }
}

#[test]
fn near_memory_that_holds_everything_misses_only_at_first() {
    let trace = sums(64, 192 * KIB, 3, 0);
    let settings = Settings {
        dram: DramSize::Fraction(1.0),
        pages: Some("contiguous".to_owned()),
        ..settings("memory-mode", 2)
    };
    let cold = run(&trace, &settings).near_memory.unwrap();
    let warm =
        run(&trace, &Settings { near_start: crate::mode::NearStart::Warm, ..settings }).near_memory.unwrap();

    assert_eq!(cold.misses_clean, 64 * 192 * KIB / 64);
    assert_eq!(cold.misses_dirty, 0);
    assert_eq!((warm.misses_clean, warm.misses_dirty), (0, 0));
}

#[test]
fn app_direct_with_dram_for_all_equals_dram_only_and_without_pmem_only() {
    let trace = sums(64, 192 * KIB, 2, 100);
    let place = |placement: &str| Settings { placement: placement.to_owned(), ..settings("app-direct", 4) };

    let (dram, all_dram) = (run(&trace, &settings("dram-only", 4)), run(&trace, &place("all-dram")));
    let (pmem, all_pmem) = (run(&trace, &settings("pmem-only", 4)), run(&trace, &place("all-pmem")));

    assert_eq!(dram.simulated_seconds, all_dram.simulated_seconds);
    assert_eq!(pmem.simulated_seconds, all_pmem.simulated_seconds);
    assert_eq!(all_pmem.devices["dram"].read_bytes, 0);
    assert_eq!(all_dram.devices["pmem"].write_bytes, 0);
}

#[test]
fn footprint_that_does_not_fit_says_how_much_is_missing() {
    let trace = sums(64, 192 * KIB, 1, 0);
    let needed = 64 * 192 * KIB;
    let small = Settings { dram: DramSize::Bytes(needed - 100), ..settings("dram-only", 1) };

    let error =
        replay(&trace, &system(), &small, &mut |_| ControlFlow::Continue(())).unwrap_err().to_string();

    assert!(error.contains("100 missing") && error.contains("optane-slice"), "{error}");
    let strict = Settings {
        dram: DramSize::Bytes(needed / 2),
        placement: "all-dram".to_owned(),
        ..settings("app-direct", 1)
    };
    let error = replay(&trace, &system(), &strict, &mut |_| ControlFlow::Continue(())).unwrap_err();
    let Error::Capacity { needed_bytes, capacity_bytes, .. } = error else { panic!("{error}") };
    assert_eq!((needed_bytes, capacity_bytes), (needed, needed / 2), "all of it, before any work");
}

#[test]
fn same_settings_give_the_same_bytes_and_seeds_differ() {
    let trace = sums(100, 192 * KIB, 2, 100);
    let quarter = |seed| Settings { dram: DramSize::Fraction(0.25), seed, ..settings("memory-mode", 3) };
    let text = |seed| serde_json::to_string(&run(&trace, &quarter(seed))).unwrap();

    assert_eq!(text(1), text(1));
    assert_ne!(text(1), text(2));
}

#[test]
fn a_break_of_the_callback_cancels() {
    let trace = sums(300, 192 * KIB, 2, 100);
    let mut calls = 0;

    let error = replay(&trace, &system(), &settings("dram-only", 2), &mut |share| {
        calls += 1;
        assert!((0.0..=1.0).contains(&share));
        if calls == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });

    assert!(matches!(error, Err(Error::Cancelled { .. })));
    assert_eq!(calls, 2);
}

#[test]
fn use_of_a_dead_object_is_an_error() {
    let mut trace = sums(4, KIB, 1, 0);
    trace.phases[0].body.remove(0);

    let error = replay(&trace, &system(), &settings("dram-only", 1), &mut |_| ControlFlow::Continue(()));

    assert!(error.is_err());
}

/// A replay at each fidelity, line first.
fn at_both(trace: &Trace, settings: &Settings) -> [Result<RunResult, Error>; 2] {
    [Fidelity::Line, Fidelity::Stream].map(|fidelity| {
        let go_on = &mut |_| ControlFlow::Continue(());
        crate::fidelity::replay(trace, &system(), settings, fidelity, go_on)
    })
}

#[test]
fn second_death_or_birth_of_an_object_is_an_error_at_either_fidelity() {
    let mut freed_twice = sums(4, KIB, 1, 0);
    freed_twice.phases[1].body.push(Body::Free(all(0, 4)));
    let mut born_twice = sums(4, KIB, 1, 0);
    born_twice.phases[1].body.insert(0, Body::Alloc(all(0, 4)));

    for result in at_both(&freed_twice, &settings("dram-only", 1)) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("phase update: data[0] is used while it is not alive"), "{error}");
    }
    for result in at_both(&born_twice, &settings("dram-only", 1)) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("update: allocation of data[0]: found it alive"), "{error}");
    }
}

#[test]
fn enough_dram_is_enough_for_memory_that_is_never_used_again() {
    // One object at a time: 65 times the footprint, and more than what is installed.
    let (bytes, times) = (256 * KIB, 65);
    let once = Body::Alloc(Elements { array: ArrayId(0), start: Affine::constant(0), count: 1 });
    let gone = Body::Free(Elements { array: ArrayId(0), start: Affine::constant(0), count: 1 });
    let body = vec![once, call(0, &[(0, Affine::constant(0))]), gone];
    let mut trace = sums(1, bytes, 1, 0);
    let nest = vec![Range::count(times)];
    trace.phases = vec![phase("all", Stage::Server, vec![Body::Loop { nest, first: vec![], body }])];
    let mut small = system();
    small.tiers.iter_mut().for_each(|tier| tier.channel_bytes = 16 * 4 * KIB);
    let settings = Settings {
        allocator: AllocatorKind::Bump,
        dram: DramSize::Enough,
        pages: Some("random-4k".to_owned()),
        ..settings("dram-only", 1)
    };
    for fidelity in [Fidelity::Line, Fidelity::Stream] {
        let go_on = &mut |_| ControlFlow::Continue(());
        let result = crate::fidelity::replay(&trace, &small, &settings, fidelity, go_on).unwrap();

        assert_eq!(result.peak_footprint_bytes, times * bytes);
        assert_eq!(result.caches.page_faults, times * bytes / 4096);
    }
}

#[test]
fn more_sizes_than_a_block_can_name_are_refused_at_stream_fidelity() {
    let with = |sizes: u64| {
        let mut trace = sums(1, KIB, 1, 0);
        trace.definitions.extend((1..sizes).map(|more| array("more", Class::Scratch, 1, KIB + 64 * more)));
        at_both(&trace, &settings("dram-only", 1)).map(|result| result.map_err(|error| error.to_string()))
    };

    assert!(with(256).iter().all(Result::is_ok));
    let [line, stream] = with(257);
    assert!(line.is_ok());
    assert!(stream.unwrap_err().contains("found objects of 257 sizes, need at most 256"));
}

#[test]
fn object_of_more_pages_than_a_block_can_name_is_followed_in_part() {
    // 256 MiB are 65,536 pages of 4 KiB.
    let trace = sums(1, 256 << 20, 1, 0);
    for pages in ["contiguous", "random-4k", "random-2m"] {
        let settings = Settings { pages: Some(pages.to_owned()), ..settings("memory-mode", 1) };
        let go_on = &mut |_| ControlFlow::Continue(());
        let result = crate::stream::replay(&trace, &system(), &settings, go_on).unwrap();

        assert_eq!(result.peak_footprint_bytes, 256 << 20, "{pages}");
    }
}

#[test]
fn pool_reuses_blocks_where_mapping_faults_again() {
    let mut trace = sums(8, 64 * KIB, 1, 0);
    let again = trace.phases[0].clone();
    trace.phases.push(Phase { head: PhaseHead { name: "again".to_owned(), ..again.head }, body: again.body });
    let with = |allocator| {
        run(&trace, &Settings { allocator, pages: Some("random-4k".to_owned()), ..settings("dram-only", 1) })
    };

    let (pool, map, bump) =
        (with(AllocatorKind::SealPool), with(AllocatorKind::Map), with(AllocatorKind::Bump));

    let pages = 8 * 64 * KIB / 4096;
    assert_eq!((pool.caches.page_faults, map.caches.page_faults), (pages, 2 * pages));
    assert_eq!(pool.peak_footprint_bytes, 8 * 64 * KIB);
    assert_eq!(bump.peak_footprint_bytes, 2 * 8 * 64 * KIB);
}

/// Two threads bring eight objects to life, four each; thread 0 lets them die and asks for eight again.
fn handed_over() -> Trace {
    let mut trace = sums(8, 64 * KIB, 1, 0);
    let each = |array| Elements { array: ArrayId(array), start: Affine::variable(0), count: 1 };
    let born =
        Body::Parallel { nest: vec![Range::count(8)], nowait: false, body: vec![Body::Alloc(each(0))] };
    trace.definitions.push(array("later", Class::Ciphertext, 8, 64 * KIB));
    trace.phases = vec![
        phase("spread", Stage::Server, vec![born, Body::Free(all(0, 8))]),
        phase("again", Stage::Server, vec![Body::Alloc(all(1, 8)), Body::Free(all(1, 8))]),
    ];
    trace
}

#[test]
fn thread_takes_no_block_of_another_s_pool_at_either_fidelity() {
    let trace = handed_over();
    let peak = |allocator, threads, is_line: bool| {
        let settings = Settings { allocator, ..settings("dram-only", threads) };
        let go_on = &mut |_| ControlFlow::Continue(());
        let result = if is_line {
            replay(&trace, &system(), &settings, go_on)
        } else {
            crate::stream::replay(&trace, &system(), &settings, go_on)
        };
        result.unwrap().peak_footprint_bytes / (64 * KIB)
    };
    for is_line in [true, false] {
        assert_eq!(peak(AllocatorKind::SealPool, 2, is_line), 8);
        // Thread 0 has its own four back; the other four wait for thread 1.
        assert_eq!(peak(AllocatorKind::ThreadPools, 2, is_line), 12);
        assert_eq!(peak(AllocatorKind::ThreadPools, 1, is_line), 8);
    }
}

#[test]
fn one_thread_does_not_tell_its_pool_from_the_process_s() {
    let trace = sums(64, 64 * KIB, 2, 100);
    for fidelity in [Fidelity::Line, Fidelity::Stream] {
        let with = |allocator| {
            let settings = Settings { allocator, ..settings("memory-mode", 1) };
            let result = crate::fidelity::replay(&trace, &system(), &settings, fidelity, &mut |_| {
                ControlFlow::Continue(())
            });
            let result = result.unwrap();
            (result.simulated_seconds, result.devices, result.peak_footprint_bytes)
        };

        assert_eq!(with(AllocatorKind::ThreadPools), with(AllocatorKind::SealPool));
    }
}

#[test]
fn what_the_pool_keeps_of_the_dead_is_refused_where_it_does_not_fit_and_nowhere_else() {
    // Eight blocks of 64 KiB die before eight of 32 KiB are born: no more than 512 KiB is ever alive.
    let mut trace = sums(8, 64 * KIB, 1, 0);
    trace.definitions.push(array("smaller", Class::Ciphertext, 8, 32 * KIB));
    let body = vec![Body::Alloc(all(1, 8)), Body::Free(all(1, 8))];
    trace.phases.push(phase("after", Stage::Server, body));
    let with = |bytes| Settings { dram: DramSize::Bytes(bytes), ..settings("dram-only", 1) };
    let needed = 8 * 64 * KIB + 8 * 32 * KIB;

    assert_eq!(run(&trace, &with(needed)).peak_footprint_bytes, needed);
    let error =
        replay(&trace, &system(), &with(needed - 64), &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.to_string().contains(&format!("needs at least {needed} bytes")), "{error}");
}

#[test]
fn non_temporal_stores_read_nothing_back() {
    let trace = sums(64, 192 * KIB, 1, 0);
    let regular = run(&trace, &settings("dram-only", 1));
    let streaming = run(&trace, &Settings { stores: Stores::NonTemporal, ..settings("dram-only", 1) });

    assert_eq!(regular.phases[0].tiers["dram"].read_bytes, 64 * 192 * KIB);
    assert_eq!(streaming.phases[0].tiers["dram"].read_bytes, 0);
    assert_eq!(streaming.phases[0].tiers["dram"].write_bytes, 64 * 192 * KIB);
}

#[test]
fn prefetching_hides_latency_from_one_thread() {
    let trace = sums(64, 192 * KIB, 1, 0);
    let with = |on| run(&trace, &Settings { prefetches: Some(on), ..settings("dram-only", 1) });
    let (off, on) = (with(false), with(true));

    assert!(on.simulated_seconds < off.simulated_seconds);
    assert!(on.caches.prefetched_lines > 100_000 && off.caches.prefetched_lines == 0);
    assert_eq!(on.accesses, off.accesses);
}

#[test]
fn settings_that_a_system_cannot_serve_are_refused() {
    let trace = sums(1, 64, 1, 0);
    let refuse = |settings: Settings| {
        replay(&trace, &system(), &settings, &mut |_| ControlFlow::Continue(())).unwrap_err().to_string()
    };

    assert!(refuse(settings("dram-only", 5)).contains("5 threads"));
    assert!(refuse(settings("dram-onli", 1)).contains("did you mean dram-only?"));
    assert!(
        refuse(Settings { pages: Some("random".to_owned()), ..settings("dram-only", 1) })
            .contains("random-4k")
    );
    assert!(
        refuse(Settings { placement: "best".to_owned(), ..settings("app-direct", 1) }).contains("by-class")
    );
}
