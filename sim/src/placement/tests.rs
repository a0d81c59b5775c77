use super::*;

fn newborn(class: Class, bytes: u64, fast_room: u64) -> Newborn {
    Newborn { class, array: ArrayId(0), bytes, fast_room, is_reused: false }
}

fn foresight(trace: &Trace) -> Foresight<'_> {
    let peak_by_class = [0; Class::ALL.len()];
    let (fast_bytes, cache_bytes, allocator) = (1 << 30, 0, AllocatorKind::SealPool);
    let (thread_cache_bytes, extra_ns) = (u64::MAX, [1.0, 3.0]);
    Foresight {
        trace,
        threads: 1,
        peak_by_class,
        fast_bytes,
        cache_bytes,
        thread_cache_bytes,
        extra_ns,
        allocator,
        unit_bytes: 64,
    }
}

#[test]
fn unknown_policy_names_the_nearest() {
    let error = build("by-clas", &foresight(&Trace::default())).err().unwrap().to_string();

    assert!(error.contains("did you mean by-class?"), "{error}");
}

#[test]
fn plan_counts_what_the_process_retains() {
    let system = System::load("bsc-8260l-32g-6t").unwrap();
    let array = |label: &str| {
        hetier_traces::Definition::Array(hetier_traces::Array {
            label: label.to_owned(),
            class: crate::system::WRITTEN,
            elements: 1024,
            capacity_bytes: 64 << 10,
            used_bytes: 64 << 10,
        })
    };
    let all =
        hetier_traces::Elements { array: ArrayId(0), start: hetier_traces::Affine::constant(0), count: 1024 };
    let body = vec![hetier_traces::Body::Alloc(all)];
    let head = hetier_traces::PhaseHead {
        name: "all".to_owned(),
        operation: "Test".to_owned(),
        stage: hetier_traces::Stage::Server,
    };
    let kernel = system.overhead.as_ref().unwrap().kernel.clone();
    let trace = Trace {
        header: hetier_traces::Header { facts: [("kernel".to_owned(), kernel)].into() },
        definitions: vec![array("activations")],
        phases: vec![hetier_traces::Phase { head, body }],
        ..Trace::default()
    };
    let settings = Settings { mode: Some("app-direct".to_owned()), ..Settings::default() };

    let plan = advise(&trace, &system, &settings).unwrap();

    let planned: u64 = plan.iter().map(|planned| planned.array.peak_bytes()).sum();
    let retained = charge(&trace, &system, 1).unwrap().2.peak_footprint_bytes;
    assert!(retained > 1024 * (64 << 10));
    assert_eq!(planned, retained);
}

#[test]
fn only_all_dram_takes_fast_memory_that_is_not_there() {
    for name in names() {
        let mut policy = build(name, &foresight(&Trace::default())).unwrap();
        let choice = policy.choose(newborn(Class::Ciphertext, 100, 99));

        assert_eq!(choice == Choice::Fast, name == "all-dram", "{name}");
    }
}

#[test]
fn first_touch_fills_fast_memory_to_the_last_byte() {
    let mut policy = build("first-touch", &foresight(&Trace::default())).unwrap();

    assert_eq!(policy.choose(newborn(Class::Scratch, 100, 100)), Choice::Fast);
}

#[test]
fn ciphertexts_leave_room_for_keys_that_come_later() {
    let mut peaks = [0; Class::ALL.len()];
    peaks[Class::ALL.iter().position(|class| *class == Class::EvaluationKey).unwrap()] = 60;
    let mut policy =
        build("by-class", &Foresight { peak_by_class: peaks, ..foresight(&Trace::default()) }).unwrap();

    assert_eq!(policy.choose(newborn(Class::Ciphertext, 41, 100)), Choice::Slow);
    assert_eq!(policy.choose(newborn(Class::Ciphertext, 40, 100)), Choice::Fast);
    assert_eq!(policy.choose(newborn(Class::EvaluationKey, 60, 60)), Choice::Fast);
    // With the keys in place nothing is kept free any more.
    policy.died(ArrayId(0), Class::Ciphertext, 40, Choice::Fast);
    assert_eq!(policy.choose(newborn(Class::Ciphertext, 40, 40)), Choice::Fast);
}

fn by_class(
    trace: &Trace,
    peak_by_class: [u64; Class::ALL.len()],
    allocator: AllocatorKind,
) -> Box<dyn Placement> {
    let known = Foresight { peak_by_class, allocator, ..foresight(trace) };
    build("by-class", &known).unwrap()
}

#[test]
fn what_later_classes_left_in_the_pool_is_no_room_for_earlier_ones() {
    let mut peaks = [0; Class::ALL.len()];
    for (class, peak) in [(Class::Plaintext, 60), (Class::Ciphertext, 100)] {
        peaks[Class::ALL.iter().position(|other| *other == class).unwrap()] = peak;
    }
    let trace = Trace::default();
    let mut policy = by_class(&trace, peaks, AllocatorKind::SealPool);
    // Ciphertexts of two sizes live one after the other: the pool keeps 160 bytes for them, 60 more than live at once.
    for bytes in [100, 60] {
        assert_eq!(policy.choose(newborn(Class::Ciphertext, bytes, 300)), Choice::Fast);
        policy.died(ArrayId(0), Class::Ciphertext, bytes, Choice::Fast);
    }

    assert_eq!(policy.choose(newborn(Class::Heap, 10, 69)), Choice::Slow);
    assert_eq!(policy.choose(newborn(Class::Heap, 10, 70)), Choice::Fast);
    assert_eq!(policy.choose(newborn(Class::Plaintext, 60, 60)), Choice::Fast);
}

#[test]
fn blocks_that_scratch_left_in_the_pool_are_the_room_kept_for_it() {
    let mut peaks = [0; Class::ALL.len()];
    peaks[Class::ALL.iter().position(|class| *class == Class::Scratch).unwrap()] = 60;
    let trace = Trace::default();
    for (allocator, expected) in [(AllocatorKind::SealPool, Choice::Fast), (AllocatorKind::Map, Choice::Slow)]
    {
        let mut policy = by_class(&trace, peaks, allocator);
        assert_eq!(policy.choose(newborn(Class::Scratch, 60, 100)), Choice::Fast);
        policy.died(ArrayId(0), Class::Scratch, 60, Choice::Fast);

        // 40 of 100 bytes were never taken.
        let room = if allocator.is_pool() { 40 } else { 99 };
        assert_eq!(policy.choose(newborn(Class::Ciphertext, 40, room)), expected, "{allocator:?}");
    }

    // A ciphertext of the same size would take the block, and scratch would have to have another.
    let mut policy = by_class(&trace, peaks, AllocatorKind::SealPool);
    policy.choose(newborn(Class::Scratch, 60, 100));
    policy.died(ArrayId(0), Class::Scratch, 60, Choice::Fast);
    let taking = |room| Newborn { is_reused: true, ..newborn(Class::Ciphertext, 60, room) };
    assert_eq!(policy.choose(taking(60 + 59)), Choice::Slow);
    assert_eq!(policy.choose(taking(60 + 60)), Choice::Fast);
}
