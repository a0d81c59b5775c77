//! `replay`: fidelities, seeds, settings, what does not fit.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{SMALL, fail, files, hetier, succeed};

#[test]
fn no_verb_writes_over_what_it_reads() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &[&["record", "digits", "-o", "d.trace"][..], &SMALL].concat());
    let before = std::fs::read(folder.path().join("d.trace")).unwrap();

    for command in [
        "replay d.trace --mode dram-only -o d.trace",
        "sweep d.trace --modes dram-only -o ./d.trace",
        "place d.trace -o d.trace",
        "place d.trace --plan d.trace",
        "place d.trace -o new --plan new",
        "export d.trace --mode dram-only --format champsim -o d.trace",
        "script d.trace -o d.trace",
    ] {
        let (code, message) = fail(folder.path(), &command.split(' ').collect::<Vec<_>>());

        assert_eq!(code, Some(1), "{command}: {message}");
        assert!(message.contains("the same run reads or writes"), "{command}: {message}");
    }
    assert_eq!(std::fs::read(folder.path().join("d.trace")).unwrap(), before);
}

#[test]
fn replay_of_a_file_gives_a_result_that_plot_draws() {
    let folder = TempDir::new().unwrap();
    let record: Vec<&str> = ["record", "digits", "-o", "d.trace"].into_iter().chain(SMALL).collect();
    succeed(folder.path(), &record);
    let arguments = ["replay", "d.trace", "--mode", "pmem-only", "--threads", "2", "--json", "-o", "r.json"];

    let printed: Value = serde_json::from_str(&succeed(folder.path(), &arguments)).unwrap();
    succeed(folder.path(), &["plot", "r.json", "-o", "drawn"]);

    assert_eq!(printed["mode"], "pmem-only");
    assert_eq!(printed["threads"], 2);
    assert!(printed["devices"]["pmem"]["read_bytes"].as_u64().unwrap() > 0);
    assert!(folder.path().join("drawn/figures/run-time.svg").exists());
}

#[test]
fn footprint_beyond_the_machine_tells_what_is_missing() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["record", "lenet5", "-o", "l.trace"]);
    let arguments = ["replay", "l.trace", "--mode", "dram-only", "--dram", "1GiB"];

    let (code, message) = fail(folder.path(), &arguments);

    assert_eq!(code, Some(1));
    assert!(message.contains("mode dram-only: the process needs at least"), "{message}");
    assert!(message.contains("1.07 GB are there") && message.contains("missing"), "{message}");
}

#[test]
fn seeds_give_the_median_run_with_the_spread_of_all() {
    let folder = TempDir::new().unwrap();
    let record: Vec<&str> = ["record", "digits", "-o", "d.trace"].into_iter().chain(SMALL).collect();
    succeed(folder.path(), &record);
    let replay = |seeds: &str| -> Value {
        let arguments =
            ["replay", "d.trace", "--mode", "memory-mode", "--dram", "4MiB", "--seeds", seeds, "--json"];
        serde_json::from_str(&succeed(folder.path(), &arguments)).unwrap()
    };

    let (one, three) = (replay("1"), replay("3"));

    let spread = &three["spread"]["simulated_seconds"];
    let [min, median, max] = ["min", "median", "max"].map(|key| spread[key].as_f64().unwrap());
    assert!(min < median && median < max, "{spread}");
    let [mean, low, high] = ["/mean", "/mean_interval_95/low", "/mean_interval_95/high"]
        .map(|key| spread.pointer(key).unwrap().as_f64().unwrap());
    assert!((min..=max).contains(&mean) && low < mean && mean < high, "{spread}");
    assert!(one["spread"]["simulated_seconds"]["mean_interval_95"].is_null());
    assert_eq!(three["seeds"], 3);
    assert_eq!(three["simulated_seconds"].as_f64(), Some(median));
    assert!((min..=max).contains(&one["simulated_seconds"].as_f64().unwrap()));
    assert_eq!(one["seeds"], 1);
    assert_eq!(one["spread"]["simulated_seconds"]["max"], one["simulated_seconds"]);
    assert_eq!(
        three["spread"]["devices"]["pmem"]["read_bytes"]["min"].as_f64().map(|bytes| bytes > 0.0),
        Some(true)
    );
}

#[test]
fn both_fidelities_issue_the_same_accesses_and_name_themselves() {
    let folder = TempDir::new().unwrap();
    let record: Vec<&str> = ["record", "digits", "-o", "d.trace"].into_iter().chain(SMALL).collect();
    succeed(folder.path(), &record);
    let [line, stream] = ["line", "stream"].map(|fidelity| -> Value {
        let arguments = ["replay", "d.trace", "--mode", "dram-only", "--fidelity", fidelity, "--json"];
        serde_json::from_str(&succeed(folder.path(), &arguments)).unwrap()
    });

    assert_eq!((&line["fidelity"], &stream["fidelity"]), (&"line".into(), &"stream".into()));
    assert_eq!(line["accesses"], stream["accesses"]);
}

#[test]
fn every_switch_of_a_replay_is_an_option_and_echoed() {
    let folder = TempDir::new().unwrap();
    let record: Vec<&str> = ["record", "digits", "-o", "d.trace"].into_iter().chain(SMALL).collect();
    succeed(folder.path(), &record);
    let switches = [
        ("--stores", "non-temporal", "stores"),
        ("--prefetch", "on", "prefetch"),
        ("--write-miss-fetches", "off", "write_miss_fetches"),
    ];
    let replay = ["replay", "d.trace", "--mode", "memory-mode", "--dram", "16MiB", "--json"];
    let run = |more: &[&str]| -> Value {
        serde_json::from_str(&succeed(folder.path(), &[&replay[..], more].concat())).unwrap()
    };
    let plain = run(&[]);

    for (option, value, setting) in switches {
        let switched = run(&[option, value]);

        let echoed = switched["settings"][setting].as_str().unwrap();
        assert!(echoed == value || (value, echoed) == ("off", "false"), "{option}: {echoed}");
        assert_ne!(switched["settings"], plain["settings"], "{option}");
    }
    let (code, message) = fail(folder.path(), &[&replay[..], &["--stores", "fast"]].concat());
    assert!(code == Some(2) && message.contains("stores: found fast, need one of regular"), "{message}");
}

#[test]
fn what_is_derived_stays_in_the_cache_and_changes_no_result() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    succeed(path, &[&["record", "digits", "-o", "d.trace"][..], &SMALL].concat());
    let replay = |more: &[&str]| {
        let arguments = [&["replay", "d.trace", "--fidelity", "stream", "-o", "r.json"][..], more].concat();
        succeed(path, &arguments);
        std::fs::read(path.join("r.json")).unwrap()
    };
    let kept = || -> Vec<PathBuf> {
        let inside = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
        inside(path.join("kept")).flat_map(|build| inside(build.path())).map(|file| file.path()).collect()
    };

    let derived = replay(&["--no-cache"]);
    assert!(kept().is_empty());
    assert_eq!(replay(&["--cache", "kept"]), derived);
    let [file] = &kept()[..] else { panic!("{:?}", kept()) };
    let whole = std::fs::read(file).unwrap();
    assert_eq!(replay(&["--cache", "kept"]), derived);
    std::fs::write(file, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(replay(&["--cache", "kept"]), derived);
    assert_eq!(std::fs::read(file).unwrap(), whole);
    // Nobody asked for the folder of the environment.
    let mut unusable = Command::new(env!("CARGO_BIN_EXE_hetier"));
    unusable.current_dir(path).env("HETIER_CACHE_DIR", "d.trace/below-a-file");
    unusable.args(["replay", "d.trace", "--fidelity", "stream", "-o", "r.json"]);
    assert!(unusable.output().unwrap().status.success());
    assert_eq!(std::fs::read(path.join("r.json")).unwrap(), derived);
}

#[test]
fn wrong_settings_are_refused_before_any_work() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &[&["record", "digits", "-o", "d.trace"][..], &SMALL].concat());
    std::fs::write(folder.path().join("x.json"), "{}").unwrap();
    let many = [&["record", "digits", "--execute", "-o", "x"][..], &SMALL[..6], &["513"]].concat();
    let cases: [(&[&str], i32, &str); 17] = [
        (&many, 2, "--batch: found 513, need at most 512"),
        (
            &["export", "d.trace", "--format", "ramulator1", "--fidelity", "lime", "-o", "x"],
            2,
            "fidelity: found lime, need one of",
        ),
        (&["replay", "d.trace", "--mode", "foo"], 2, "mode: found foo, need one of dram-only"),
        (&["replay", "d.trace", "--placement", "foo"], 2, "placement: found foo"),
        (&["sweep", "d.trace", "--allocator", "foo"], 2, "allocator: found foo"),
        (&["sweep", "d.trace", "--sample", "0"], 2, "sample: found 0"),
        (&["record", "digits", "--block", "0", "-o", "x"], 2, "--block: found 0, need at least 1"),
        (&["replay", "d.trace", "--mode", "memory-mode", "--dram", "8TiB"], 2, "need at most"),
        (&["compare", "digits", "--modes", "app-direct", "--system", "ddr4-2666-1ch"], 2, "mode app-direct"),
        (&["place", "d.trace", "--mode", "dram-only"], 2, "need one with several"),
        (&["replay", "d.trace", "--seeds", "0"], 2, "0 is not in 1.."),
        (&["replay", "d.trace", "--system", "none.toml"], 1, "none.toml: cannot be read"),
        (&["replay", "d.trace", "--format", "vcd", "--bare"], 2, "need one of ramulator2"),
        (&["replay", "d.trace", "-o", "none/r.json"], 1, "found no folder none"),
        (&["plot", "d.trace", "-o", "d.trace"], 1, "found a file, need a folder"),
        (&["plot", "x.json"], 1, "x.json: reading a result: found schema none, need hetier-run-1"),
        (&["record", "lenet5", "--execute", "--weights", "d.trace", "-o", "l"], 1, "d.trace"),
    ];
    for (arguments, code, text) in cases {
        let (found, message) = fail(folder.path(), arguments);

        assert_eq!(found, Some(code), "{arguments:?}: {message}");
        assert!(message.contains(text), "{arguments:?}: {message}");
    }
    let full = [&["record", "digits", "-o", "/dev/full"][..], &SMALL].concat();
    let (code, message) = fail(folder.path(), &full);
    assert_eq!(code, Some(1));
    assert!(message.starts_with("error: writing /dev/full: No space left"), "{message}");
    assert_eq!(files(folder.path()).len(), 2);
}

#[test]
fn options_that_would_have_no_effect_or_no_sense_are_refused_before_any_work() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &[&["record", "digits", "-o", "d.trace"][..], &SMALL].concat());
    std::fs::write(folder.path().join("seq.r2"), "LD 0x40\nST 0x80\nLD 0xc0\n").unwrap();
    let cases = [
        (
            "replay d.trace --seeds 100000000",
            2,
            "seeds: found 100000000, need 1 to 256 (each is a whole replay",
        ),
        (
            "replay d.trace --mode dram-only --warm",
            2,
            "--warm: found mode dram-only, in which it has no effect",
        ),
        ("replay d.trace --mode dram-only --placement by-class", 2, "need app-direct"),
        ("replay d.trace --mode dram-only --write-miss-fetches off", 2, "need memory-mode"),
        ("replay d.trace --mode pmem-only --dram 1GiB", 2, "need a mode that uses DRAM"),
        ("replay d.trace --fidelity line --sample 0.1", 2, "need stream or auto"),
        ("sweep d.trace --modes dram-only --warm", 2, "--warm: found mode dram-only"),
        ("place d.trace --placement by-class", 2, "place tries every policy"),
        ("compare d.trace --batch 3", 2, "--batch: found a recorded trace"),
        ("record digits --images /nonexist.idx -o x", 2, "--images: found a network of which only the shape"),
        ("record digits --weights /nonexist.json -o x", 2, "--weights: found a network"),
        (
            "record digits --seed 3 -o x",
            2,
            "--seed: found 3 and a shape, in which nothing is drawn, need --execute",
        ),
        (
            "record digits --client none -o x",
            2,
            "--client: found kernel fused, which has none, need --kernel faithful",
        ),
        (
            "record digits --zeros skip --zero-share 0.5 -o x",
            2,
            "--zeros: found network digits, no layer of which",
        ),
        ("record digits --scale-bits 1 -o x", 2, "found scale 2^1.0, need at least 2^15"),
        ("record lenet5-32 --block 4 -o x", 2, "--block: found network lenet5-32, no layer of which"),
        (
            "record digits --kernel faithful --client none -o x",
            2,
            "--client: found network digits, no layer of which",
        ),
        ("compare digits --block 4 -o x", 2, "--block: found network digits, no layer of which"),
        ("record digits --zero-share 0.5 -o x", 2, "--zero-share: found --zeros multiply"),
        ("record digits --execute --zero-share 0.5 -o x", 2, "--zero-share: found --zeros multiply"),
        (
            "record repeat-add-scalar --zeros copy --zero-share 0.5 -o x",
            2,
            "--zero-share: found network repeat-add-scalar without weights",
        ),
        (
            "record repeat-add-scalar --kernel aluminum-shark -o x",
            2,
            "--kernel: found network repeat-add-scalar, no layer of which takes it, need one with weights",
        ),
        (
            "record mobilenetv2-0.35-96 --zeros copy -o x",
            2,
            "--zeros: found copy and a shape without zero weights",
        ),
        (
            "sweep d.trace --modes dram-only --placements first-touch",
            2,
            "--placements: found mode dram-only, in which",
        ),
        ("sweep d.trace --modes dram-only --dram-fractions 0.5", 2, "need memory-mode or app-direct"),
        ("sweep d.trace --dram-fractions 0.5,0.25,0.5", 2, "--dram-fractions: found 0.5 twice"),
        ("sweep d.trace --threads 1..4,2", 2, "--threads: found 2 twice"),
        (
            "sweep d.trace --systems xeon-6240-dram --modes app-direct",
            2,
            "--modes: found app-direct, of which no system",
        ),
        ("compare d.trace none.trace -o x", 1, "none.trace"),
        ("script d.trace -o none/text", 1, "found no folder none"),
        ("info d.trace --threads 0", 2, "0 is not in 1.."),
        ("calibrate --host --overhead", 2, "cannot be used with"),
        ("replay d.trace --sample -1", 2, "sample: found -1, need one of layers"),
        ("replay d.trace --dram -1", 2, "found -1, need a size"),
        ("sweep d.trace --dram-fractions -1", 2, "--dram-fractions: found -1, need numbers above 0"),
        ("replay seq.r2", 1, "--bare --format with one of ramulator2"),
        ("record digits -o -", 2, "-o: found -, need a name"),
        ("plot r.json -o -", 2, "-o: found -, need a name"),
        ("replay d.trace --threads 5", 2, "5 threads: found 4 cores"),
        ("record digits --batch 0 -o x", 2, "batch: found 0 images, need 1 to"),
        ("record digits --degree 1000 --primes 30,30 -o x", 2, "found degree 1000, need a power of two"),
        ("sweep d.trace --threads 0,1", 2, "--threads: found 0, need whole numbers from 1"),
        (
            "compare d.trace --modes dram-only --dram-fraction 0.01 -o x",
            2,
            "--dram-fraction: found mode dram-only, in which it has no effect, need memory-mode or app-direct",
        ),
    ];
    for (line, code, text) in cases {
        let (found, message) = fail(folder.path(), &line.split(' ').collect::<Vec<_>>());

        assert_eq!(found, Some(code), "{line}: {message}");
        assert!(message.contains(text), "{line}: {message}");
    }
    assert_eq!(files(folder.path()).len(), 2);
}

#[test]
fn network_that_fits_no_tier_of_its_placement_says_so_with_machines_that_hold_it() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["record", "resnet50", "-o", "r.trace"]);
    let on = ["--system", "bsc-8260l-32g-6t", "--mode", "app-direct", "--placement", "all-dram"];

    let (code, message) = fail(folder.path(), &[&["replay", "r.trace"][..], &on].concat());

    assert_eq!(code, Some(1));
    assert!(message.contains("placement all-dram: the process needs at least"), "{message}");
    // 421 GB live at once; the pool keeps more.
    let needed = message.split("at least ").nth(1).unwrap();
    assert!(needed.contains("GB") || needed.contains("TB"), "{message}");
    assert!(message.contains("34.4 GB are there"), "{message}");
    assert!(message.contains("bsc-8260l-192g-6t in app-direct or memory-mode"), "{message}");
}

#[test]
fn what_replay_prints_as_json_can_be_drawn() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &[&["record", "digits", "-o", "d.trace"][..], &SMALL].concat());
    let result = succeed(folder.path(), &["replay", "d.trace", "--json"]);
    std::fs::write(folder.path().join("printed.json"), result).unwrap();

    let drawn = succeed(folder.path(), &["plot", "printed.json"]);

    assert!(drawn.contains("hetier-plot/figures/run-time.svg"), "{drawn}");
}

#[test]
fn a_limit_of_dram_that_leaves_too_little_is_named_as_the_cause() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &[&["record", "digits", "-o", "d.trace"][..], &SMALL].concat());
    let replay = ["replay", "d.trace", "--mode", "dram-only", "--dram-fraction", "0.2"];

    let (code, message) = fail(folder.path(), &replay);

    assert_eq!(code, Some(1));
    let cure = "(--dram-fraction 0.2 leaves no more: need a larger one, or none)";
    assert!(message.contains(cure) && !message.contains("would hold it"), "{message}");
}

/// Objects of 64 GiB in all, of which little is touched.
const LARGE: &str = r#"hetier-trace 1
array a0 "large" ciphertext [64] capacity 1073741824 used 1073741824
macro m0 "work" limbs 1 (input ciphertext 65536) { sweep { read p0 @ 0 + 65536 work butterfly 1 } }
phase "p" "conv" server {
 alloc a0[0] x 64
 parallel (v0 in 0..64) { call m0(a0[v0]) }
 free a0[0] x 64
}
"#;

#[test]
fn dram_beyond_what_is_installed_is_told_by_every_verb() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("large.txt"), LARGE).unwrap();
    succeed(folder.path(), &["script", "--parse", "large.txt", "-o", "l.trace"]);
    let verbs: [&[&str]; 5] = [
        &["replay", "l.trace", "--mode", "app-direct", "--dram-fraction"],
        &["sweep", "l.trace", "--systems", "optane-slice", "--modes", "app-direct", "--dram-fractions"],
        &["place", "l.trace", "--dram-fraction"],
        &["compare", "l.trace", "--modes", "app-direct,pmem-only", "--dram-fraction"],
        &[
            "export",
            "l.trace",
            "--mode",
            "app-direct",
            "-o",
            "lines",
            "--format",
            "dramsim3",
            "--dram-fraction",
        ],
    ];
    for verb in verbs {
        let told = |fraction: &str| {
            let output = super::hetier(folder.path(), &[verb, &[fraction]].concat());
            assert!(output.status.success(), "{verb:?}");
            String::from_utf8(output.stderr).unwrap()
        };

        // Half of it is just what is installed.
        assert!(!told("0.5").contains("as if"), "{verb:?}");
        let told = told("0.75");
        let note = "note: app-direct is replayed as if optane-slice had 48.0 GiB of DRAM; it has 32.0 GiB\n";
        assert_eq!(told.matches("as if").count(), 1, "{told}");
        assert!(told.contains(note), "{told}");
    }
}

#[test]
fn accesses_beyond_the_memory_are_counted() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("t"), "LD 0x40\nST 0xffffffffff80\n").unwrap();
    for tier in ["dram", "pmem"] {
        let output = super::hetier(
            folder.path(),
            &["replay", "t", "--bare", "--format", "ramulator2", "--tier", tier, "--json"],
        );

        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(result["accesses_beyond_capacity"], 1);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.starts_with("note: 1 accesses lie beyond the "), "{told}");
    }
}

#[test]
fn a_replay_prints_operations_unless_phases_are_asked_for() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &[&["record", "digits", "-o", "d.trace"][..], &SMALL].concat());
    let replay = ["replay", "d.trace", "--mode", "dram-only"];

    let operations = succeed(folder.path(), &replay);
    let phases = succeed(folder.path(), &[&replay[..], &["--phases"]].concat());

    let has = |text: &str, head: &str| text.lines().any(|line| line.split_whitespace().next() == Some(head));
    assert!(has(&operations, "operation") && !has(&operations, "phase"), "{operations}");
    assert!(has(&phases, "phase") && !has(&phases, "operation"), "{phases}");
}

#[test]
fn copies_of_he_transformer_without_its_overhead_are_told() {
    let folder = TempDir::new().unwrap();
    let told = |kernel: &str| {
        succeed(
            folder.path(),
            &[&["record", "digits", "--kernel", kernel, "-o", "d.trace"][..], &SMALL].concat(),
        );
        let replay = ["replay", "d.trace", "--mode", "dram-only"];
        let told = String::from_utf8(hetier(folder.path(), &replay).stderr).unwrap();
        told.contains("has no calibrated overhead")
    };

    assert!(told("faithful"));
    assert!(!told("fused"));
}

#[test]
fn overhead_whose_names_fit_nothing_is_told() {
    let folder = TempDir::new().unwrap();
    let record = ["record", "digits", "--kernel", "faithful", "-o", "d.trace"];
    succeed(folder.path(), &[&record[..], &SMALL].concat());
    let system = include_str!("../../sim/systems/bsc-8260l-192g-6t.toml");
    let told = |from: &str, to: &str| {
        std::fs::write(folder.path().join("s.toml"), system.replacen(from, to, 1)).unwrap();
        let replay = ["replay", "d.trace", "--mode", "dram-only", "--system", "s.toml", "--threads", "1"];
        String::from_utf8(hetier(folder.path(), &replay).stderr).unwrap()
    };
    let names = "[\"he-transformer-tap\", \"multiply-scalar\"]";

    let kernel = told("\"faithful\"", "\"nope\"");
    assert!(
        kernel.contains("note: s.toml: overhead.kernel: found nope, need one of faithful, fused"),
        "{kernel}"
    );
    let none = told(names, "[\"zip\"]");
    assert!(none.contains("overhead.multiply_accumulates: found zip, the trace calls "), "{none}");
    let slip = told(names, "[\"multiply-scalar\", \"he-transformer-tab\"]");
    assert!(slip.contains("(did you mean he-transformer-tap?): it is not charged"), "{slip}");
}
