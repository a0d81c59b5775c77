//! Stream fidelity against line fidelity: the same trace, the same machine, nearly the same answer.

#[expect(dead_code, reason = "the benchmark uses the rest")]
mod synthetic;

use std::ops::ControlFlow;

use hetier_sim::allocator::AllocatorKind;
use hetier_sim::replay::{self, DramSize, Sample, Settings, Stores};
use hetier_sim::stream::{self, Behaviour, Conditions, Options};
use hetier_sim::{RunResult, System};
use hetier_traces::{Access, Affine, Arithmetic, Body, Class, Range, Stage, Trace};
use synthetic::{Builder, Convolution, Kernel};

/// Caches scaled down so that ciphertexts of 24 KiB hit and miss as 192 KiB do in the real machine.
fn small_machine(l3_kib: u32) -> System {
    let text = include_str!("../systems/optane-slice.toml")
        .replace("capacity_kib = 32\n", "capacity_kib = 4\n")
        .replace("capacity_kib = 1024\n", "capacity_kib = 64\n")
        .replace("capacity_kib = 5632\n", &format!("capacity_kib = {l3_kib}\n"));
    System::parse("small.toml", &text).expect("the shipped file with smaller caches is valid")
}

fn convolutions(kernel: Kernel, channels: u64, side: u64) -> Trace {
    let bytes = 12 << 10;
    let mut builder = Builder::new("convolutions");
    let count = channels * side * side;
    let input = synthetic::encrypt(&mut builder, count, bytes);
    let first = Convolution {
        inputs: channels,
        outputs: channels,
        height: side,
        width: side,
        window: 3,
        bytes,
        kernel,
    };
    let middle = first.add(&mut builder, "conv1", input);
    let added = synthetic::elementwise(&mut builder, "add1", middle, count, bytes, true);
    let second = Convolution { window: 1, outputs: 2 * channels, ..first };
    let output = second.add(&mut builder, "conv2", added);
    let _ = synthetic::elementwise(&mut builder, "pool", output, 2 * count, bytes, false);
    builder.trace
}

fn key_switches() -> Trace {
    let (limbs, limb) = (3, 8 << 10);
    let mut builder = Builder::new("key-switches");
    let data = synthetic::encrypt(&mut builder, 64, 2 * limbs * limb);
    synthetic::key_switch(&mut builder, "relinearise", data, 64, limbs, limb);
    builder.trace
}

fn run(trace: &Trace, system: &System, mode: &str, dram: DramSize) -> (RunResult, RunResult) {
    let settings = Settings { mode: Some(mode.to_owned()), dram, ..Settings::default() };
    let mut quiet = |_: f64| ControlFlow::Continue(());
    let line = replay::replay(trace, system, &settings, &mut quiet).expect("the trace fits");
    let stream = stream::replay(trace, system, &settings, &mut quiet).expect("the trace fits");
    (line, stream)
}

/// Relative errors of stream against line.
#[derive(Debug)]
struct Errors {
    /// Of the time of the whole run.
    time: f64,
    /// Largest of bytes by tier and direction, where they are at least 2 % of all.
    bytes: f64,
}

fn compare(name: &str, line: &RunResult, stream: &RunResult) -> Errors {
    let time = stream.whole_run_seconds / line.whole_run_seconds - 1.0;
    let total: u64 = line.devices.values().map(|tier| tier.read_bytes + tier.write_bytes).sum();
    let mut bytes: f64 = 0.0;
    for (tier, expected) in &line.devices {
        let found = &stream.devices[tier];
        for (expected, found) in
            [(expected.read_bytes, found.read_bytes), (expected.write_bytes, found.write_bytes)]
        {
            if expected * 50 > total {
                bytes = bytes.max((found as f64 / expected as f64 - 1.0).abs());
            }
        }
    }
    println!("| {name} | {:+.1} % | {:.1} % |", time * 100.0, bytes * 100.0);
    Errors { time: time.abs(), bytes }
}

/// What a mode's errors may be: time, bytes. The aim is 5 % and 2 %.
type Bounds = (&'static str, DramSize, f64, f64);

fn agree(name: &str, trace: &Trace, l3_kib: u32, bounds: &[Bounds]) {
    let system = small_machine(l3_kib);
    let mut beyond = Vec::new();
    for (mode, dram, time, bytes) in bounds {
        let (line, stream) = run(trace, &system, mode, *dram);
        let errors = compare(&format!("{name}, {mode}"), &line, &stream);

        assert_eq!(line.accesses, stream.accesses);
        for (expected, found) in [
            (line.peak_live_bytes, stream.peak_live_bytes),
            (line.peak_footprint_bytes, stream.peak_footprint_bytes),
        ] {
            // How many threads hold scratch at the peak is a matter of their timing.
            assert!(expected.abs_diff(found) * 100 <= expected, "{name} {mode}: {expected} {found}");
        }
        if errors.time > *time || errors.bytes > *bytes {
            beyond.push((mode, errors));
        }
    }
    assert!(beyond.is_empty(), "{name}: {beyond:?}");
}

#[test]
fn convolutions_with_copies_agree_in_every_mode() {
    let bounds = [
        ("dram-only", DramSize::System, 0.06, 0.03),
        ("memory-mode", DramSize::Fraction(0.5), 0.06, 0.05),
        ("app-direct", DramSize::Fraction(0.3), 0.05, 0.08),
        ("pmem-only", DramSize::System, 0.05, 0.03),
    ];
    let trace = convolutions(Kernel::Faithful, 4, 6);
    agree("faithful, small L3", &trace, 176, &bounds);
    agree("faithful", &trace, 352, &bounds);
}

#[test]
fn fused_convolutions_agree_in_every_mode() {
    let bounds = [
        ("dram-only", DramSize::System, 0.10, 0.05),
        ("memory-mode", DramSize::Fraction(0.5), 0.05, 0.05),
        ("app-direct", DramSize::Fraction(0.3), 0.05, 0.20),
        ("pmem-only", DramSize::System, 0.055, 0.03),
    ];
    agree("fused", &convolutions(Kernel::Fused, 4, 6), 352, &bounds);
}

#[test]
fn key_switching_on_objects_of_the_size_of_a_cache_agrees_less_in_bytes() {
    let bounds = [("dram-only", DramSize::System, 0.06, 0.065), ("pmem-only", DramSize::System, 0.08, 0.14)];
    agree("key switching", &key_switches(), 1056, &bounds);
}

#[test]
fn loads_wait_for_what_the_prefetcher_does_not_bring_at_both_fidelities() {
    let (trace, system) = (convolutions(Kernel::Fused, 4, 4), small_machine(352));
    let settings =
        Settings { mode: Some("dram-only".to_owned()), prefetches: Some(true), ..Settings::default() };
    let mut quiet = |_: f64| ControlFlow::Continue(());
    let line = replay::replay(&trace, &system, &settings, &mut quiet).expect("the trace fits");
    let stream = stream::replay(&trace, &system, &settings, &mut quiet).expect("the trace fits");

    // Of a page of 64 lines the first three are loaded before the stream is known.
    for result in [&line, &stream] {
        let latency = result.read_latency_ns.as_ref().expect("memory is read");
        let lines = result.devices["dram"].read_bytes / 64;
        assert!((lines / 100..lines / 5).contains(&latency.count), "{} of {lines}", latency.count);
        assert!(result.caches.prefetched_lines > lines / 2);
    }
}

#[test]
fn stores_past_the_caches_to_another_socket_look_up_who_has_the_line() {
    // Half of the pages are on the other socket, and its directory is in memory: every other store reads first.
    let system = System::load("xeon-8260-optane").unwrap();
    let settings = Settings {
        mode: Some("dram-only".to_owned()),
        threads: Some(4),
        numa: Some("interleave".to_owned()),
        stores: Stores::NonTemporal,
        ..Settings::default()
    };
    let trace = convolutions(Kernel::Faithful, 2, 6);
    let mut quiet = |_: f64| ControlFlow::Continue(());

    let line = replay::replay(&trace, &system, &settings, &mut quiet).unwrap();
    let stream = stream::replay(&trace, &system, &settings, &mut quiet).unwrap();

    let errors = compare("non-temporal", &line, &stream);
    assert!(errors.bytes < 0.08, "{errors:?}");
    let dram = &stream.devices["dram"];
    assert!(dram.read_bytes * 5 > dram.write_bytes * 2, "{} {}", dram.read_bytes, dram.write_bytes);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_following_a_sample_of_pages_changes_little() {
    let trace = convolutions(Kernel::Fused, 4, 6);
    let system = small_machine(176);
    let settings = Settings {
        mode: Some("memory-mode".to_owned()),
        dram: DramSize::Fraction(0.5),
        ..Settings::default()
    };
    let replay = |options: &Options| {
        let mut quiet = |_: f64| ControlFlow::Continue(());
        stream::replay_with(&trace, &system, &settings, options, &mut quiet).unwrap()
    };

    let whole = replay(&Options::default());
    assert_eq!(whole, replay(&Options::default()));
    let sampled = replay(&Options { sample_pages: Some(2), ..Options::default() });
    let rates = (whole.near_memory_hit_rate.unwrap(), sampled.near_memory_hit_rate.unwrap());
    assert!((rates.0 - rates.1).abs() < 0.1, "{rates:?}");
}

#[test]
fn behaviour_kept_on_disk_is_the_derived_one() {
    let folder = tempfile::tempdir().unwrap();
    let system = small_machine(176);
    let conditions = Conditions::new("memory-mode", false, 1 << 20);

    let derived = Behaviour::cached(&system, conditions, Some(folder.path()), &|| true).unwrap();
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    let kept = Behaviour::cached(&system, conditions, Some(folder.path()), &|| true).unwrap();

    assert_eq!((files, &kept), (1, &derived));
}

#[test]
fn behaviour_that_nobody_wants_any_more_is_not_derived() {
    let folder = tempfile::tempdir().unwrap();
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let is_wanted = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2;
    let conditions = Conditions::new("memory-mode", false, 1 << 20);

    let refused = Behaviour::cached(&small_machine(176), conditions, Some(folder.path()), &is_wanted);

    assert!(matches!(refused, Err(hetier_sim::Error::Cancelled { percent: 0 })), "{refused:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn behaviour_that_was_damaged_on_disk_is_derived_anew() {
    let folder = tempfile::tempdir().unwrap();
    let system = small_machine(176);
    let conditions = Conditions::new("memory-mode", false, 1 << 20);
    let cached = || Behaviour::cached(&system, conditions, Some(folder.path()), &|| true).unwrap();
    let derived = cached();
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read_to_string(&file).unwrap();
    let at = whole.rfind(|letter: char| letter.is_ascii_digit()).unwrap();
    let flipped = if whole.as_bytes()[at] == b'7' { "8" } else { "7" };

    // One digit is another, and half of the file is missing.
    for damaged in
        [format!("{}{flipped}{}", &whole[..at], &whole[at + 1..]), whole[..whole.len() / 2].to_owned()]
    {
        std::fs::write(&file, damaged).unwrap();

        assert_eq!(cached(), derived);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), whole);
    }
}

#[test]
fn objects_mapped_for_themselves_take_whole_pages_of_the_tier_that_they_are_placed_in() {
    // Of 40 objects with a little more than a KiB, ten pages hold ten.
    let mut builder = Builder::new("mapped");
    let _ = synthetic::encrypt(&mut builder, 40, 1088);
    let settings = Settings {
        mode: Some("app-direct".to_owned()),
        placement: "first-touch".to_owned(),
        allocator: AllocatorKind::Map,
        dram: DramSize::Bytes(10 * 4096),
        ..Settings::default()
    };
    let mut quiet = |_: f64| ControlFlow::Continue(());

    let line = replay::replay(&builder.trace, &small_machine(176), &settings, &mut quiet).unwrap();
    let stream = stream::replay(&builder.trace, &small_machine(176), &settings, &mut quiet).unwrap();

    for result in [line, stream] {
        let held = result.devices.values().map(|tier| tier.read_bytes.min(1)).sum::<u64>();
        assert_eq!((result.peak_footprint_bytes, held), (40 * 4096, 2), "both tiers are read");
    }
}

#[test]
fn frames_of_dead_objects_serve_again_where_followed_pages_stand_for_others() {
    // Twice 4 MiB, in objects of two sizes that never live together.
    let trace = hetier_traces::text::parse(
        r#"hetier-trace 1
array a0 "few" ciphertext [16] capacity 262144 used 262144
array a1 "many" ciphertext [32] capacity 131072 used 131072
macro m0 "touch" limbs 1 (in-out ciphertext 4096) { sweep { update p0 @0 +4096 } }
phase "first" "o" server {
  loop (v0 in 0..16) { alloc a0[v0] }
  loop (v0 in 0..16) { call m0(a0[v0]) }
  loop (v0 in 0..16) { free a0[v0] }
}
phase "second" "o" server {
  loop (v0 in 0..32) { alloc a1[v0] }
  loop (v0 in 0..32) { call m0(a1[v0]) }
  loop (v0 in 0..32) { free a1[v0] }
}
"#,
    )
    .unwrap();
    let settings = Settings {
        mode: Some("app-direct".to_owned()),
        placement: "first-touch".to_owned(),
        allocator: AllocatorKind::Map,
        dram: DramSize::Bytes(2 << 20),
        ..Settings::default()
    };
    let options = Options { sample_pages: Some(8), ..Options::default() };
    let mut quiet = |_: f64| ControlFlow::Continue(());

    let result = stream::replay_with(&trace, &small_machine(176), &settings, &options, &mut quiet).unwrap();

    assert_eq!(result.peak_footprint_bytes, 4 << 20);
}

#[test]
fn a_trace_without_calls_takes_no_time_and_all_of_it_is_simulated() {
    let (line, stream) =
        run(&Builder::new("empty").trace, &small_machine(176), "dram-only", DramSize::System);

    assert_eq!(stream.sampled_share, Some(1.0));
    for result in [line, stream] {
        let seconds = [result.simulated_seconds, result.whole_run_seconds];
        assert_eq!(seconds.map(f64::to_bits), [0; 2], "{seconds:?}");
    }
}

#[test]
fn use_after_death_is_named() {
    let mut trace = convolutions(Kernel::Fused, 2, 3);
    let at = trace.phases.iter().position(|phase| phase.head.name == "add1").unwrap();
    trace.phases.remove(at);
    let output = trace.phases.iter().position(|phase| phase.head.name == "conv2").unwrap();
    trace.phases.truncate(output + 1);
    let mut quiet = |_: f64| ControlFlow::Continue(());

    let error = stream::replay(&trace, &small_machine(176), &Settings::default(), &mut quiet).unwrap_err();

    assert!(error.to_string().contains("phase conv2: add1.output[0]"), "{error}");
}

#[test]
fn small_objects_die_no_more_often_than_they_are_born() {
    let mut builder = Builder::new("small");
    let small = builder.array("weights", Class::Scalar, 2, 24);
    let body = vec![synthetic::alloc(small, 2), synthetic::free(small, 2), synthetic::free(small, 1)];
    builder.phase("p", "p", Stage::Server, body);
    let trace = builder.trace;
    let mut quiet = |_: f64| ControlFlow::Continue(());

    for replay in [replay::replay, stream::replay] {
        let error = replay(&trace, &small_machine(176), &Settings::default(), &mut quiet).unwrap_err();

        assert!(error.to_string().starts_with("phase p: weights["), "{error}");
    }
}

#[test]
fn first_touches_and_sweeps_of_many_milliseconds_leave_tiers_their_bandwidth() {
    let system = System::load("optane-slice").expect("it is shipped");
    let mut builder = Builder::new("long");
    let data = synthetic::encrypt(&mut builder, 4, 16 << 20);
    let _ = synthetic::elementwise(&mut builder, "copy", data, 4, 16 << 20, true);
    for (mode, threads) in [("dram-only", 1), ("dram-only", 4), ("pmem-only", 1), ("pmem-only", 4)] {
        let settings =
            Settings { mode: Some(mode.to_owned()), threads: Some(threads), ..Settings::default() };
        let mut quiet = |_: f64| ControlFlow::Continue(());
        let line = replay::replay(&builder.trace, &system, &settings, &mut quiet).expect("the trace fits");
        let stream = stream::replay(&builder.trace, &system, &settings, &mut quiet).expect("the trace fits");

        let errors = compare(&format!("{mode}, {threads}"), &line, &stream);
        assert!(errors.time < 0.06 && errors.bytes < 0.02, "{mode}, {threads}: {errors:?}");
    }
}

/// Objects of 64 KiB that are copied, 32 MiB of them; arrays are born in an order that says which of them first-touch placement puts
/// into DRAM that has room for one.
fn copies(born: [u32; 2]) -> Trace {
    let [first, second] = born;
    let text = format!(
        "hetier-trace 1\nfact \"producer\" = \"a test\"\n\
         array a0 \"from\" ciphertext [512] capacity 65536 used 65536\n\
         array a1 \"to\" ciphertext [512] capacity 65536 used 65536\n\
         macro m0 \"fill\" limbs 1 (output ciphertext 65536) {{\n  sweep {{\n    write p0 @0 +65536\n  }}\n}}\n\
         macro m1 \"copy\" limbs 1 (input ciphertext 65536, output ciphertext 65536) {{\n  sweep {{\n\
         \x20   read p0 @0 +65536\n    write p1 @0 +65536\n    work move 8192\n  }}\n}}\n\
         phase \"fill\" \"Constant\" set-up {{\n  alloc a{first}[0] x 512\n  alloc a{second}[0] x 512\n\
         \x20 loop (v0 in 0..512) {{\n    call m0(a0[v0])\n  }}\n  loop (v0 in 0..512) {{\n    call m0(a1[v0])\n  }}\n}}\n\
         phase \"copy\" \"Copy\" server {{\n  parallel (v0 in 0..512) {{\n    call m1(a0[v0], a1[v0])\n  }}\n}}\n\
         phase \"end\" \"Copy\" server {{\n  free a0[0] x 512\n  free a1[0] x 512\n}}\n"
    );
    hetier_traces::text::parse(&text).expect("it is a trace")
}

#[test]
fn copies_between_tiers_wait_where_the_bursts_of_one_hold_up_the_other() {
    // At the pace of the slower tier alone, one core and two would copy from PMem to DRAM 8 and 11 % too fast.
    let system = System::load("optane-slice").expect("it is shipped");
    for (born, name) in [([1, 0], "PMem to DRAM"), ([0, 1], "DRAM to PMem")] {
        let trace = copies(born);
        for (threads, most) in [(1, 0.03), (2, 0.05)] {
            let settings = Settings {
                mode: Some("app-direct".to_owned()),
                dram: DramSize::Bytes(32 << 20),
                placement: "first-touch".to_owned(),
                threads: Some(threads),
                ..Settings::default()
            };
            let mut quiet = |_: f64| ControlFlow::Continue(());
            let line = replay::replay(&trace, &system, &settings, &mut quiet).expect("the trace fits");
            let stream = stream::replay(&trace, &system, &settings, &mut quiet).expect("the trace fits");

            let error = stream.phases[1].seconds / line.phases[1].seconds - 1.0;
            assert!(error.abs() < most, "{name}, {threads}: {error}");
        }
    }
}

#[test]
fn objects_of_a_sampled_loop_are_born_over_its_time() {
    let (count, bytes) = (20_000, 12 << 10);
    let mut builder = Builder::new("births");
    let output = builder.array("output", Class::Ciphertext, count, bytes);
    let write = synthetic::sweep(&[(0, Access::Write)], bytes, Arithmetic::Add);
    let callee = builder.called("fill", &[(Class::Ciphertext, bytes)], vec![write]);
    let at = Affine::variable(0);
    let body = vec![synthetic::alloc_at(output, at.clone()), synthetic::call(callee, &[(output, at)])];
    let filled = Body::Loop { nest: vec![Range::count(count)], first: Vec::new(), body };
    builder.phase("fill", "Add", Stage::Server, vec![filled]);
    let settings = Settings {
        mode: Some("dram-only".to_owned()),
        sample: Some(Sample::Share(0.02)),
        ..Settings::default()
    };
    let system = System::load("optane-slice").expect("it is shipped");

    let run = stream::replay(&builder.trace, &system, &settings, &mut |_| ControlFlow::Continue(())).unwrap();

    assert!(run.sampled_share.unwrap() < 0.5);
    let half =
        run.footprint_over_time.iter().rfind(|point| point.seconds < run.simulated_seconds / 2.0).unwrap();
    let share = half.resident_bytes as f64 / run.peak_footprint_bytes as f64;
    assert!((0.45..0.55).contains(&share), "{share}");
}
