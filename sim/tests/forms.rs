//! Traces of forms that no shipped network has, at both fidelities: what a person or another tool may write.

use std::ops::ControlFlow;

use hetier_sim::allocator::AllocatorKind;
use hetier_sim::replay::{self, DramSize, Settings, Stores};
use hetier_sim::{RunResult, System, stream};

/// Replays a text line by line and call by call.
fn both(text: &str, system: &str, settings: &Settings) -> (RunResult, RunResult) {
    let trace = hetier_traces::text::parse(&format!("hetier-trace 1\n{text}")).expect("it is a trace");
    let system = System::load(system).expect("it is shipped");
    let mut quiet = |_: f64| ControlFlow::Continue(());
    let line = replay::replay(&trace, &system, settings, &mut quiet).expect("the trace fits");
    let stream = stream::replay(&trace, &system, settings, &mut quiet).expect("the trace fits");
    (line, stream)
}

fn settings(mode: &str, threads: usize) -> Settings {
    Settings { mode: Some(mode.to_owned()), threads: Some(threads), ..Settings::default() }
}

/// How far stream is from line, as a part of line.
fn apart(line: &RunResult, stream: &RunResult) -> f64 {
    stream.whole_run_seconds / line.whole_run_seconds - 1.0
}

#[test]
fn calls_without_tracked_operands_are_not_taken_for_others() {
    let text = r#"
        array a0 "large" ciphertext [2] capacity 65536 used 65536
        array a1 "small" scalar [1] capacity 512 used 512
        macro m0 "read" limbs 1 (input ciphertext 65536) { sweep { read p0 @0 +65536 work butterfly 100 } }
        macro m1 "work" limbs 1 (in-out scalar 512) { sweep { update p0 @0 +512 work butterfly 1000000 } }
        phase "p" "Add" server {
            alloc a0[0] x 2 alloc a1[0]
            loop (v0 in 0..4) { loop (v1 in 0..2) { call m0(a0[v1]) } }
            loop (v0 in 0..10) { call m1(a1[0]) }
        }"#;
    let (line, stream) = both(text, "optane-slice", &settings("dram-only", 1));

    assert!(apart(&line, &stream).abs() < 0.01, "{}", apart(&line, &stream));
}

#[test]
fn every_ciphertext_that_a_loop_writes_is_charged() {
    let text = r#"
        fact "kernel" = "faithful"
        array a0 "inputs" ciphertext [16] capacity 393216 used 393216
        array a1 "sums" ciphertext [16] capacity 393216 used 393216
        macro m0 "work" limbs 1 (input ciphertext 393216, output ciphertext 393216) {
            sweep { read p0 @0 +393216 write p1 @0 +393216 work butterfly 20000 }
        }
        phase "p" "Convolution" server {
            alloc a0[0] x 16
            parallel (v0 in 0..16) { loop (v1 in 0..20) { alloc a1[v0] call m0(a0[v0], a1[v0]) free a1[v0] } }
        }"#;
    let (line, stream) = both(text, "bsc-8260l-192g", &settings("dram-only", 4));

    // 16 inputs and 16 times 20 sums.
    let least = 336.0 * System::load("bsc-8260l-192g").unwrap().overhead.unwrap().ciphertext.0 as f64 / 1e12;
    assert!(line.whole_run_seconds > least && stream.whole_run_seconds > least, "{least}");
    assert!(apart(&line, &stream).abs() < 0.02, "{}", apart(&line, &stream));
}

#[test]
fn caches_keep_what_the_frames_of_the_dead_held() {
    let text = r#"
        array a0 "scratch" scratch [4] capacity 65536 used 65536
        macro m0 "fill" limbs 1 (output scratch 65536) { sweep { write p0 @0 +65536 work move 8192 } }
        macro m1 "read" limbs 1 (input scratch 65536) { sweep { read p0 @0 +65536 work add 8192 } }
        phase "p" "Add" server {
            loop (v0 in 0..200) { alloc a0[0] x 4 loop (v1 in 0..4) { call m0(a0[v1]) call m1(a0[v1]) } free a0[0] x 4 }
        }"#;
    for mode in ["dram-only", "pmem-only"] {
        let mapped = Settings { allocator: AllocatorKind::Map, ..settings(mode, 1) };
        let (line, stream) = both(text, "optane-slice", &mapped);

        // Four objects of 16 pages are new to the process 200 times, but fit the second level.
        assert_eq!([line.caches.page_faults, stream.caches.page_faults], [12_800; 2]);
        assert!(stream.devices.values().all(|device| device.write_bytes == 0));
        assert!(apart(&line, &stream).abs() < 0.05, "{mode}: {}", apart(&line, &stream));
    }
}

#[test]
fn non_temporal_stores_take_the_time_of_the_memory_that_has_the_line() {
    let text = r#"
        array a0 "outputs" ciphertext [64] capacity 393216 used 393216
        macro m0 "fill" limbs 1 (output ciphertext 393216) { sweep { write p0 @0 +393216 work move 100 } }
        phase "p" "Add" server {
            alloc a0[0] x 64
            loop (v0 in 0..8) { loop (v1 in 0..64) { call m0(a0[v1]) } }
        }"#;
    for dram in [64 << 20, 16 << 20] {
        let near = DramSize::Bytes(dram);
        let stores = Settings { stores: Stores::NonTemporal, dram: near, ..settings("memory-mode", 1) };
        let (line, stream) = both(text, "optane-slice", &stores);

        assert!(apart(&line, &stream).abs() < 0.1, "{dram}: {}", apart(&line, &stream));
    }
}

#[test]
fn cores_at_work_do_not_wait_for_regions_dealt_meanwhile() {
    let text = r#"
        array a0 "inputs" ciphertext [64] capacity 393216 used 393216
        macro m0 "work" limbs 1 (input ciphertext 393216) { sweep { read p0 @0 +393216 work butterfly 2000000 } }
        macro m1 "serial" limbs 1 (input ciphertext 393216) { sweep { read p0 @0 +393216 work butterfly 100000000 } }
        phase "p" "Add" server {
            alloc a0[0] x 64
            parallel (v0 in 0..4) nowait { loop (v1 in 0..20*v0) { call m0(a0[v0]) } }
            call m1(a0[63])
            parallel (v0 in 0..4) { call m0(a0[v0]) }
        }"#;
    let (line, stream) = both(text, "optane-slice", &settings("dram-only", 4));

    assert!(apart(&line, &stream).abs() < 0.01, "{}", apart(&line, &stream));
}

#[test]
fn both_fidelities_draw_the_same_jitter() {
    let text = r#"
        macro m0 "work" limbs 1 () { sweep { work butterfly 1000000 } }
        phase "p" "Add" server { call m0() }"#;
    let (line, stream) = both(text, "bsc-8260l-192g", &settings("dram-only", 1));

    assert!(apart(&line, &stream).abs() < 1e-6, "{}", apart(&line, &stream));
}

#[test]
fn loops_around_nothing_take_no_time() {
    let text = r#"
        macro m0 "work" limbs 1 () { sweep { work butterfly 1000 } }
        phase "p" "Add" server {
            loop (v0 in 0..1000000000000) { loop (v1 in 0..1000000000000) { } }
            parallel (v0 in 0..1000000000000) { }
            loop (v0 in 0..1000000000000) { } first { call m0() }
            call m0()
        }"#;
    let (line, stream) = both(text, "optane-slice", &settings("dram-only", 2));

    assert!(apart(&line, &stream).abs() < 1e-6, "{}", apart(&line, &stream));
}

#[test]
fn objects_may_have_more_references_than_sixteen_bits_count() {
    let text = r#"
        array a0 "inputs" ciphertext [1] capacity 65536 used 65536
        view a1 "again" { a0[0] step 0 count 70000 }
        macro m0 "read" limbs 1 (input ciphertext 65536) { sweep { read p0 @0 +65536 work add 100 } }
        phase "p" "Add" server {
            alloc a0[0] alloc a1[0] x 70000 free a0[0] free a1[0] x 69999
            call m0(a1[69999])
        }"#;
    let (line, stream) = both(text, "optane-slice", &settings("dram-only", 1));

    assert_eq!((line.accesses, stream.accesses), (1024, 1024));
}

#[test]
fn what_is_never_given_back_grows_with_small_objects_too() {
    let text = r#"
        array a0 "scratch" scratch [1] capacity 512 used 512
        macro m0 "fill" limbs 1 (output scratch 512) { sweep { write p0 @0 +512 work move 64 } }
        phase "p" "Add" server { loop (v0 in 0..10000) { alloc a0[0] call m0(a0[0]) free a0[0] } }"#;
    let bump = Settings { allocator: AllocatorKind::Bump, ..settings("dram-only", 1) };
    let (line, stream) = both(text, "optane-slice", &bump);

    assert_eq!([line.peak_footprint_bytes, stream.peak_footprint_bytes], [512 * 10_000; 2]);
}
