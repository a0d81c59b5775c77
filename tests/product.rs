//! The program as a user runs it: verbs, files, JSON keys, bad input.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A degree at which a whole comparison takes a second.
const SMALL: [&str; 7] = ["--degree", "1024", "--primes", "60,30,30,60", "--insecure", "--batch", "32"];

fn hetier(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hetier"));
    command.env("HETIER_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = hetier(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fail(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = hetier(folder, arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn compare(folder: &Path, more: &[&str]) -> Value {
    let arguments: Vec<&str> =
        ["compare", "digits", "--json"].into_iter().chain(SMALL).chain(more.iter().copied()).collect();
    serde_json::from_str(&succeed(folder, &arguments)).unwrap()
}

/// Names of all files below a folder, with their bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn compare_prints_the_promised_keys_and_consistent_numbers() {
    let folder = TempDir::new().unwrap();

    let joined = compare(folder.path(), &[]);

    assert!(joined["schema"].is_string());
    assert!(joined["accuracy"]["encrypted"].as_f64().unwrap() >= 0.8);
    assert_eq!(joined["accuracy"]["encrypted"], joined["accuracy"]["clear"]);
    assert!(joined["max_output_error"].as_f64().unwrap() < 0.05);
    assert_eq!(joined["security"], "none");
    for key in ["bytes", "objects", "peak_footprint_bytes", "logical_read_bytes", "logical_write_bytes"] {
        assert!(joined["trace"][key].as_u64().unwrap() > 0, "{key}");
    }
    let runs = joined["runs"].as_array().unwrap();
    let modes: Vec<&str> = runs.iter().map(|run| run["mode"].as_str().unwrap()).collect();
    assert_eq!(modes, ["dram-only", "memory-mode", "app-direct"]);
    for run in runs {
        assert_eq!(run["system"], "optane-slice");
        assert!(run["simulated_seconds"].as_f64().unwrap() > 0.0);
        assert!(run["whole_run_seconds"].as_f64() >= run["simulated_seconds"].as_f64());
        assert!(run["slowdown"].as_f64().unwrap() >= 1.0);
        assert!(run["host_seconds"].as_f64().unwrap() > 0.0);
        assert!(run["accesses"].as_u64().unwrap() > 1_000_000);
        assert!(run["devices"]["dram"]["read_bytes"].as_u64().unwrap() > 0);
        for key in ["mean", "p50", "p99", "p999"] {
            assert!(run["read_latency_ns"][key].as_f64().unwrap() > 0.0, "{key}");
        }
    }
    assert!(runs[0]["near_memory_hit_rate"].is_null());
    assert!(runs[1]["near_memory_hit_rate"].as_f64().unwrap() > 0.0);
    assert_eq!(runs[0]["accesses"], runs[1]["accesses"]);
}

#[test]
fn compare_twice_writes_the_same_bytes() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    compare(one.path(), &["--modes", "memory-mode"]);
    compare(other.path(), &["--modes", "memory-mode"]);

    let (one, other) = (files(one.path()), files(other.path()));

    let names: Vec<&str> = one.iter().map(|(name, _)| name.as_str()).collect();
    for expected in
        ["report.html", "digits.trace", "memory-mode.json", "figures/run-time.svg", "figures/run-time.csv"]
    {
        assert!(names.contains(&format!("hetier-out/{expected}").as_str()), "{expected} in {names:?}");
    }
    assert_eq!(one, other);
}

#[test]
fn shaped_trace_has_the_same_facts_as_the_recorded_one() {
    let folder = TempDir::new().unwrap();
    let record = |how: &str, name: &str| {
        let arguments: Vec<&str> = ["record", "digits", how, "-o", name].into_iter().chain(SMALL).collect();
        succeed(folder.path(), &arguments);
        serde_json::from_str::<Value>(&succeed(folder.path(), &["info", "--json", name])).unwrap()
    };

    let (real, shaped) = (record("--execute", "real.trace"), record("--shape", "shaped.trace"));

    for key in ["objects", "peak_footprint_bytes", "line_accesses", "operations", "primitives", "phases"] {
        assert!(!real[key].is_null(), "{key}");
        assert_eq!(real[key], shaped[key], "{key}");
    }
}

#[test]
fn script_parses_back_to_the_same_trace() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["record", "lenet5", "-o", "a.trace"]);
    succeed(folder.path(), &["script", "a.trace", "-o", "a.txt"]);
    succeed(folder.path(), &["script", "--parse", "a.txt", "-o", "b.trace"]);

    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();

    assert_eq!(read("a.trace"), read("b.trace"));
    assert!(read("a.trace").len() <= 100_000);
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
fn unknown_names_are_wrong_usage_and_list_what_there_is() {
    let folder = TempDir::new().unwrap();
    for (arguments, expected) in [
        (vec!["record", "digitz", "-o", "x"], "digits"),
        (vec!["compare", "--system", "optane-slize"], "optane-slice"),
        (vec!["compare", "--modes", "memorymode"], "memory-mode"),
    ] {
        let (code, message) = fail(folder.path(), &arguments);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn insecure_parameters_are_refused_with_limit_and_cure() {
    let folder = TempDir::new().unwrap();
    let arguments = ["record", "digits", "--degree", "2048", "--primes", "60,30,30,60", "-o", "x"];

    let (code, message) = fail(folder.path(), &arguments);

    assert_eq!(code, Some(1));
    assert!(message.contains("54") && message.contains("degree 8192"), "{message}");
}

#[test]
fn damaged_traces_are_refused_with_the_place() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["record", "digits", "-o", "d.trace"]);
    let whole = std::fs::read(folder.path().join("d.trace")).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for bytes in [&whole[..whole.len() / 2], &whole[..whole.len() - 1], &flipped, b"not a trace"] {
        std::fs::write(folder.path().join("bad.trace"), bytes).unwrap();
        let (code, message) = fail(folder.path(), &["replay", "bad.trace", "-o", "r.json"]);
        assert_eq!(code, Some(1));
        assert!(message.contains("bad.trace") && message.contains("byte"), "{message}");
    }
    assert!(!folder.path().join("r.json").exists());
}

#[test]
fn output_that_cannot_be_written_fails_before_the_work_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("taken"), "mine").unwrap();

    let (code, message) = fail(folder.path(), &["compare", "-o", "taken/out"]);

    assert_eq!(code, Some(1));
    assert!(message.contains("taken"), "{message}");
    assert_eq!(files(folder.path()), [("taken".to_owned(), b"mine".to_vec())]);
}

#[test]
fn footprint_beyond_the_machine_tells_what_is_missing() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["record", "lenet5", "-o", "l.trace"]);
    let arguments = ["replay", "l.trace", "--mode", "dram-only", "--dram", "1GiB"];

    let (code, message) = fail(folder.path(), &arguments);

    assert_eq!(code, Some(1));
    assert!(message.contains("missing") || message.contains("need"), "{message}");
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
fn exported_lines_are_the_traffic_of_the_replay_and_replay_bare() {
    let folder = TempDir::new().unwrap();
    let record: Vec<&str> = ["record", "digits", "-o", "d.trace"].into_iter().chain(SMALL).collect();
    succeed(folder.path(), &record);
    let json =
        |arguments: &[&str]| -> Value { serde_json::from_str(&succeed(folder.path(), arguments)).unwrap() };

    for (mode, tier) in [("dram-only", "dram"), ("memory-mode", "dram"), ("memory-mode", "pmem")] {
        let on = ["--mode", mode, "--dram", "16MiB"];
        let export = ["export", "d.trace", "--format", "ramulator1", "--tier", tier, "-o", "lines", "--json"];
        let exported = json(&[&export[..], &on].concat());
        let replayed = json(&[&["replay", "d.trace", "--fidelity", "line", "--json"][..], &on].concat());

        let device = &replayed["devices"][tier];
        let lines = |key: &str| device[key].as_u64().unwrap() / 64;
        assert_eq!(exported["reads"], lines("read_bytes"), "{mode} {tier}");
        assert_eq!(exported["writes"], lines("write_bytes"), "{mode} {tier}");
        assert_eq!(exported["is_capped"], false);
        assert_eq!(exported["simulated_seconds"], replayed["simulated_seconds"]);
        let bare = ["replay", "lines", "--format", "ramulator1", "--bare", "--saturated", "--json"];
        let bare = json(&[&bare[..], &["--system", "ddr4-2666-1ch"]].concat());
        assert_eq!(bare["accesses"], lines("read_bytes") + lines("write_bytes"));
        let text = std::fs::read_to_string(folder.path().join("lines")).unwrap();
        let reads = text.lines().filter(|line| line.ends_with(" R")).count() as u64;
        assert_eq!(reads, lines("read_bytes"));
    }
}

#[test]
fn a_bare_replay_writes_its_result_and_refuses_what_it_has_no_use_for() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("lines"), "0x40 R\n0x80 W\n").unwrap();
    let bare = ["replay", "lines", "--format", "ramulator1", "--bare", "--system", "ddr4-2666-1ch"];
    let with = |more: &[&'static str]| [&bare[..], more].concat();
    let printed: Value =
        serde_json::from_str(&succeed(folder.path(), &with(&["--json", "-o", "bare.json"]))).unwrap();

    let written = std::fs::read_to_string(folder.path().join("bare.json")).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();

    assert_eq!((&written["accesses"], &written["schema"]), (&2.into(), &"hetier-bare-1".into()));
    assert_eq!(written["read_latency_ns"], printed["read_latency_ns"]);
    assert!(written["host_accesses_per_s"].is_null() && printed["host_accesses_per_s"].is_number());
    assert_eq!(fail(folder.path(), &with(&["-o", "nowhere/x.json"])).0, Some(1));
    for option in [
        &["--threads", "3"][..],
        &["--fidelity", "line"],
        &["--seeds", "2"],
        &["--warm"],
        &["--cold"],
        &["--mode", "dram-only"],
        &["--stores", "regular"],
    ] {
        let (code, message) = fail(folder.path(), &with(option));
        assert_eq!(code, Some(2), "{option:?}");
        assert!(message.contains(option[0]) && message.contains("--bare"), "{message}");
    }
}

#[test]
fn a_bare_replay_runs_on_an_optane_dimm() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("lines"), "0x40 R\n0x1080 W\n").unwrap();
    let bare = ["replay", "lines", "--format", "ramulator1", "--bare", "--json", "--system", "optane-1dimm"];

    let result: Value = serde_json::from_str(&succeed(folder.path(), &bare)).unwrap();

    assert_eq!((&result["accesses"], &result["tier"]), (&2.into(), &"pmem".into()));
    assert!(result["read_latency_ns"]["mean"].as_f64().unwrap() > 200.0, "{result}");
    assert!(result["peak_share"].is_null());
    let (code, message) = fail(folder.path(), &[&bare[..], &["--mapping", "mop4-clxor"]].concat());
    assert_eq!(code, Some(2));
    assert!(message.contains("need a plain DRAM device"), "{message}");
    let (code, message) = fail(folder.path(), &[&bare[..], &["--tier", "dram"]].concat());
    assert!(code == Some(2) && message.contains("--tier: found dram, need one of pmem"), "{message}");
}

#[test]
fn an_address_mapping_of_ones_own_is_read_from_a_file() {
    let folder = TempDir::new().unwrap();
    let lines: String = (0..512_u64).map(|line| format!("{:#x} R\n", line << 6)).collect();
    std::fs::write(folder.path().join("lines"), lines).unwrap();
    let order = "order = [\"column\", \"row\", \"bank\", \"group\", \"rank\", \"sub-channel\"]";
    std::fs::write(folder.path().join("mine.toml"), format!("source = \"test\"\n{order}\n")).unwrap();
    let hits = |mapping: &str| {
        let bare = ["replay", "lines", "--format", "ramulator1", "--bare", "--system", "ddr4-2666-1ch"];
        let result = succeed(folder.path(), &[&bare[..], &["--json", "--mapping", mapping]].concat());
        serde_json::from_str::<Value>(&result).unwrap()["row_hit_rate"].as_f64().unwrap()
    };

    // Row bits below all but bank bits: no two lines share a row; the other way round 128 do.
    assert_eq!(hits("mine.toml"), 0.0);
    assert!(hits("ro-ba-ra-co-ch") > 0.9);
}

#[test]
fn near_memory_starts_cold_warm_or_both_in_a_comparison() {
    let folder = TempDir::new().unwrap();

    let both = compare(folder.path(), &["--modes", "dram-only,memory-mode", "--cold", "--warm"]);

    let starts: Vec<_> =
        both["runs"].as_array().unwrap().iter().map(|run| &run["near_memory_start"]).collect();
    assert_eq!(starts, [&Value::Null, &"cold".into(), &"warm".into()]);
    let rate = |at: usize| both["runs"][at]["near_memory_hit_rate"].as_f64().unwrap();
    assert!(rate(2) > rate(1), "{} {}", rate(1), rate(2));
    for file in ["memory-mode-cold.json", "memory-mode-warm.json"] {
        assert!(folder.path().join("hetier-out").join(file).exists(), "{file}");
    }
    let replay = ["replay", "hetier-out/digits.trace", "--mode", "memory-mode", "--cold"];
    succeed(folder.path(), &replay);
    let (code, message) = fail(folder.path(), &[&replay[..], &["--warm"]].concat());
    assert!(code == Some(2) && message.contains("found --cold and --warm"), "{message}");
}

#[test]
fn every_switch_of_a_replay_is_an_option_and_echoed() {
    let folder = TempDir::new().unwrap();
    let record: Vec<&str> = ["record", "digits", "-o", "d.trace"].into_iter().chain(SMALL).collect();
    succeed(folder.path(), &record);
    let switches = [
        ("--stores", "non-temporal", "stores"),
        ("--pinning", "scatter", "pinning"),
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
fn a_reader_of_standard_error_that_closes_changes_no_exit_code() {
    use std::process::Stdio;

    let mut child = Command::new(env!("CARGO_BIN_EXE_hetier"))
        .args(["replay", "nowhere.trace"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());

    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_foreign_trace_without_an_access_is_refused() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("lines"), "# nothing\n").unwrap();
    let bare = ["replay", "lines", "--format", "ramulator1", "--bare", "--system", "ddr4-2666-1ch"];

    let (code, message) = fail(folder.path(), &bare);

    assert!(code == Some(1) && message.contains("lines: found no access"), "{message}");
}

#[test]
fn an_export_is_cut_where_it_is_told_to_and_says_so() {
    let folder = TempDir::new().unwrap();
    let record: Vec<&str> = ["record", "digits", "-o", "d.trace"].into_iter().chain(SMALL).collect();
    succeed(folder.path(), &record);
    let export = |format: &str| {
        let arguments = ["export", "d.trace", "--format", format, "--max-lines", "1000", "-o", "lines"];
        let output = hetier(folder.path(), &arguments);
        assert!(output.status.success());
        assert!(String::from_utf8(output.stderr).unwrap().contains("cut after 1000 lines"));
        std::fs::read(folder.path().join("lines")).unwrap()
    };

    let text = String::from_utf8(export("dramsim3")).unwrap();
    let clocks: Vec<u64> =
        text.lines().map(|line| line.split(' ').nth(2).unwrap().parse().unwrap()).collect();

    assert_eq!(clocks.len(), 1000);
    assert!(clocks.is_sorted());
    assert_eq!(export("champsim").len(), 64 * 1000);
    assert_eq!(&export("gem5")[..4], b"gem5");
    let (code, message) =
        fail(folder.path(), &["export", "d.trace", "--format", "ramulator3", "-o", "other"]);
    assert_eq!(code, Some(2));
    assert!(message.contains("did you mean ramulator"), "{message}");
    assert!(!folder.path().join("other").exists());
}

#[test]
fn ranges_of_probes_give_a_report_a_point_and_a_figure_with_its_numbers() {
    let folder = TempDir::new().unwrap();
    let on = ["--system", "optane-1dimm", "--tier", "pmem", "--json", "-o", "drawn"];
    let cases: [(&[&str], &str, usize); 3] = [
        (&["latency", "--region", "4KiB..16KiB", "--block", "64,256"], "latency-over-region", 6),
        (&["bandwidth", "--threads", "1..2", "--access", "64,256"], "bandwidth-over-threads", 4),
        (&["bandwidth", "--access", "64..256"], "bandwidth-over-access", 3),
    ];
    for (probe, figure, points) in cases {
        let arguments = [&["probe"][..], probe, &on].concat();
        let swept: Value = serde_json::from_str(&succeed(folder.path(), &arguments)).unwrap();

        let reports = swept["reports"].as_array().unwrap();
        assert_eq!((swept["schema"].as_str(), reports.len()), (Some("hetier-probe-sweep-1"), points));
        let drawn = |extension: &str| {
            std::fs::read_to_string(folder.path().join(format!("drawn/figures/{figure}.{extension}")))
                .unwrap()
        };
        assert!(drawn("svg").starts_with("<svg"));
        assert_eq!(drawn("csv").lines().count(), points + 1, "a head and a row a point");
        let number = |key: &str| reports[0][key].as_f64();
        let first = number("ns_per_access").or(number("gb_per_s")).unwrap().to_string();
        assert_eq!(drawn("csv").lines().nth(1).unwrap().split(',').next_back(), Some(first.as_str()));
    }
    let tails = ["probe", "hotspot", "--region", "256,4KiB", "--json", "-o", "drawn"];
    let tails: Value = serde_json::from_str(&succeed(folder.path(), &tails)).unwrap();
    assert_eq!(tails["reports"].as_array().unwrap().len(), 2);
    let drawn = std::fs::read_to_string(folder.path().join("drawn/figures/overwrite-tail.csv")).unwrap();
    assert_eq!(drawn.lines().count(), 1 + 2 * 5, "a head and five shares a region");
    let single =
        ["probe", "latency", "--system", "optane-1dimm", "--tier", "pmem", "--region", "4KiB", "--json"];
    let single: Value = serde_json::from_str(&succeed(folder.path(), &single)).unwrap();
    assert!(single["ns_per_access"].is_f64() && single["latency_ns"]["p999"].is_f64());
    let (code, message) =
        fail(folder.path(), &["probe", "latency", "--system", "x", "--tier", "y", "--region", "0..4"]);
    assert_eq!(code, Some(2));
    assert!(message.contains("need a range"), "{message}");
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
    assert_eq!(replay(&["--cache", "d.trace/below-a-file"]), derived);
}

#[test]
fn wrong_settings_are_refused_before_any_work() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &[&["record", "digits", "-o", "d.trace"][..], &SMALL].concat());
    std::fs::write(folder.path().join("x.json"), "{}").unwrap();
    let cases: [(&[&str], i32, &str); 15] = [
        (&["replay", "d.trace", "--mode", "foo"], 2, "mode: found foo, need one of dram-only"),
        (&["replay", "d.trace", "--placement", "foo"], 2, "placement: found foo"),
        (&["sweep", "d.trace", "--allocator", "foo"], 2, "allocator: found foo"),
        (&["sweep", "d.trace", "--sample", "0"], 2, "sample: found 0"),
        (&["record", "digits", "--block", "0", "-o", "x"], 2, "--block: found 0, need at least 1"),
        (&["replay", "d.trace", "--mode", "memory-mode", "--dram", "8TiB"], 1, "need at most"),
        (&["compare", "digits", "--modes", "app-direct", "--system", "ddr4-2666-1ch"], 1, "mode app-direct"),
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
fn sweep_refuses_what_the_dram_of_a_system_cannot_hold_in_its_row() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["record", "resnet50", "-o", "r.trace"]);
    let on = ["--systems", "bsc-8260l-192g", "--modes", "dram-only", "--sample", "1e5", "--json"];

    let swept = succeed(folder.path(), &[&["sweep", "r.trace"][..], &on].concat());

    let row = &serde_json::from_str::<Value>(&swept).unwrap()["rows"][0];
    assert!(row["simulated_seconds"].is_null());
    assert!(row["note"].as_str().unwrap().contains("206 GB are there"), "{row}");
}

#[test]
fn sweep_takes_the_settings_of_a_replay() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &[&["record", "digits", "-o", "d.trace"][..], &SMALL].concat());
    let settings = ["--fidelity", "stream", "--pages", "random-4k", "--schedule", "dynamic,1"];
    let settings = [&settings[..], &["--allocator", "map", "--sample", "0.5", "--json"]].concat();

    let swept =
        succeed(folder.path(), &[&["sweep", "d.trace", "--modes", "dram-only"][..], &settings].concat());
    let alone =
        succeed(folder.path(), &[&["replay", "d.trace", "--mode", "dram-only"][..], &settings].concat());

    let [swept, alone] = [swept, alone].map(|text| serde_json::from_str::<Value>(&text).unwrap());
    assert_eq!(swept["rows"][0]["simulated_seconds"], alone["simulated_seconds"]);
}

#[test]
fn compare_takes_the_modes_that_a_system_has() {
    let folder = TempDir::new().unwrap();

    let joined = compare(folder.path(), &["--shape", "--system", "bsc-8260l-32g-6t", "--threads", "2"]);

    let runs = joined["runs"].as_array().unwrap();
    let modes: Vec<&str> = runs.iter().map(|run| run["mode"].as_str().unwrap()).collect();
    assert_eq!(modes, ["memory-mode", "app-direct"]);
}

#[test]
fn scale_is_that_of_the_second_last_prime_unless_it_is_given() {
    let folder = TempDir::new().unwrap();
    let scale = |more: &[&str]| -> String {
        let primes = ["--degree", "1024", "--primes", "60,31,24,31,60", "--insecure", "-o", "d.trace"];
        succeed(folder.path(), &[&["record", "digits"][..], &primes, more].concat());
        let text = succeed(folder.path(), &["info", "d.trace"]);
        let line = text.lines().find(|line| line.starts_with("scale")).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };

    assert_eq!(scale(&[]), "2^31");
    assert_eq!(scale(&["--scale-bits", "28"]), "2^28");
}

#[test]
fn a_study_with_a_wrong_name_fails_as_work_with_its_file() {
    let folder = TempDir::new().unwrap();
    for (right, wrong, expected) in [
        ("mode = \"dram-only\"", "mode = \"foo\"", "small.toml: run fast: mode: found foo"),
        ("system = \"optane-slice\"", "system = \"foo\"", "small.toml: run fast: system: found foo"),
        ("name = \"digits\"", "name = \"digitz\"", "small.toml: network digitz: network: found digitz"),
        ("batch = 32", "batch = 32\nblock = 0", "small.toml: network digits: --block: found 0"),
        ("published = 1.0", "published = -1.0", "small.toml: point convolutions: found published = -1"),
    ] {
        let text = STUDY.replace("PUBLISHED", "1.0");
        let text = if wrong.contains("digitz") {
            text.replace("network = \"digits\"", "network = \"digitz\"").replacen(right, wrong, 1)
        } else {
            text.replacen(right, wrong, 1)
        };
        std::fs::write(folder.path().join("small.toml"), text).unwrap();

        let (code, message) = fail(folder.path(), &["reproduce", "small.toml"]);

        assert_eq!(code, Some(1), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn several_traces_are_compared_one_after_the_other() {
    let folder = TempDir::new().unwrap();
    for (name, batch) in [("one", "8"), ("two", "16")] {
        let file = format!("{name}.trace");
        let small = ["--degree", "1024", "--primes", "60,30,30,60", "--insecure", "--batch", batch];
        succeed(folder.path(), &[&["record", "digits", "-o", &file][..], &small].concat());
    }
    let json = |arguments: &[&str]| -> Value {
        let arguments = [&["compare", "--json", "--modes", "dram-only,pmem-only"][..], arguments].concat();
        serde_json::from_str(&succeed(folder.path(), &arguments)).unwrap()
    };

    let single = json(&["one.trace", "-o", "single"]);
    let both = json(&["one.trace", "./two.trace", "-o", "both"]);

    assert_eq!((single["schema"].as_str(), single["images"].as_u64()), (Some("hetier-compare-1"), Some(8)));
    assert_eq!(both["schema"], "hetier-comparisons-1");
    let seconds = |comparison: &Value| comparison["runs"][1]["simulated_seconds"].as_f64().unwrap();
    assert_eq!(seconds(&both["comparisons"][0]), seconds(&single));
    assert_eq!(both["comparisons"][1]["images"], 16);
    for file in ["single/report.html", "single/one.trace", "both/one/report.html", "both/two/two.trace"] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
    let (code, message) = fail(folder.path(), &["compare", "digits", "one.trace"]);
    assert!(code == Some(2) && message.contains("found digits among several"), "{message}");
    let (code, message) = fail(folder.path(), &["compare", "one.trace", "./one.trace"]);
    assert!(code == Some(2) && message.contains("two traces called one"), "{message}");
}

#[test]
fn a_reader_that_closes_early_is_no_failure_and_a_full_disk_is_one() {
    let folder = TempDir::new().unwrap();
    let run = |stdout: std::process::Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hetier"));
        let command = command.current_dir(folder.path()).args(["list", "networks"]);
        command.stdout(stdout).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };

    let mut closed = run(std::process::Stdio::piped());
    drop(closed.stdout.take());
    let closed = closed.wait_with_output().unwrap();
    let full = run(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into());
    let full = full.wait_with_output().unwrap();

    assert!(closed.status.success() && closed.stderr.is_empty());
    assert_eq!(full.status.code(), Some(1));
    let message = String::from_utf8(full.stderr).unwrap();
    assert!(message.starts_with("error: writing to standard output: No space left"), "{message}");
}

#[test]
fn every_shelf_is_listed_with_a_line_about_each_entry() {
    let folder = TempDir::new().unwrap();
    for shelf in ["networks", "systems", "devices", "modes", "placements", "figures"] {
        let listed: Value =
            serde_json::from_str(&succeed(folder.path(), &["list", shelf, "--json"])).unwrap();
        let entries = listed["entries"].as_array().unwrap();
        assert!(entries.len() >= 4, "{shelf}");
        assert!(entries.iter().all(|entry| entry["summary"].as_str().unwrap().len() > 8), "{shelf}");
    }
}

#[test]
fn place_ranks_every_policy_and_plans_within_the_memory_there_is() {
    let folder = TempDir::new().unwrap();
    let record: Vec<&str> = ["record", "digits", "-o", "d.trace"].into_iter().chain(SMALL).collect();
    succeed(folder.path(), &record);
    let arguments =
        ["place", "d.trace", "--dram", "4MiB", "--fidelity", "line", "--json", "--plan", "plan.csv"];

    let ranked: Value = serde_json::from_str(&succeed(folder.path(), &arguments)).unwrap();

    let entries = ranked["placements"].as_array().unwrap();
    let names: Vec<&str> = entries.iter().map(|entry| entry["placement"].as_str().unwrap()).collect();
    for name in ["all-dram", "all-pmem", "first-touch", "by-class", "by-density"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let fits = entries.iter().filter(|entry| entry["fits"] == true);
    let seconds: Vec<f64> = fits.map(|entry| entry["simulated_seconds"].as_f64().unwrap()).collect();
    assert!(seconds.len() >= 4 && seconds.is_sorted(), "{seconds:?}");
    assert_eq!(ranked["best"], entries[0]["placement"]);
    let all_dram = entries.iter().find(|entry| entry["placement"] == "all-dram").unwrap();
    assert_eq!(all_dram["fits"], false);
    let plan = std::fs::read_to_string(folder.path().join("plan.csv")).unwrap();
    let fast = plan.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse::<u64>().unwrap());
    assert!(fast.sum::<u64>() > 0);
}

#[test]
fn a_sweep_has_a_row_for_every_combination_that_matters() {
    let folder = TempDir::new().unwrap();
    let record: Vec<&str> = ["record", "digits", "-o", "d.trace"].into_iter().chain(SMALL).collect();
    succeed(folder.path(), &record);
    let vary = ["--dram-fractions", "0.25,0.5", "--threads", "2..4", "--placements", "by-class,by-density"];
    let to = ["--systems", "optane-slice,ddr4-2666-1ch", "--json", "-o", "rows.csv"];

    let swept = succeed(folder.path(), &[&["sweep", "d.trace"][..], &vary, &to].concat());
    let swept: Value = serde_json::from_str(&swept).unwrap();

    let rows = swept["rows"].as_array().unwrap();
    let count =
        |mode: &str| rows.iter().filter(|row| row["system"] == "optane-slice" && row["mode"] == mode).count();
    assert_eq!([count("dram-only"), count("memory-mode"), count("app-direct")], [2, 4, 8]);
    let csv = std::fs::read_to_string(folder.path().join("rows.csv")).unwrap();
    assert_eq!(csv.lines().count(), rows.len() + 1);
    let row = rows.iter().find(|row| row["mode"] == "memory-mode" && row["dram_fraction"] == 0.5).unwrap();
    let alone =
        ["replay", "d.trace", "--mode", "memory-mode", "--dram-fraction", "0.5", "--threads", "2", "--json"];
    let alone: Value = serde_json::from_str(&succeed(folder.path(), &alone)).unwrap();
    assert_eq!((row["threads"].as_u64(), &row["simulated_seconds"]), (Some(2), &alone["simulated_seconds"]));
    assert_eq!(row["pmem_read_bytes"], alone["devices"]["pmem"]["read_bytes"]);
}

#[test]
fn the_host_s_costs_come_as_a_table_of_a_system_file() {
    let folder = TempDir::new().unwrap();
    let arguments = ["calibrate", "--host", "--system", "xeon-8260-optane", "--json"];

    let host: Value = serde_json::from_str(&succeed(folder.path(), &arguments)).unwrap();

    assert!((0.5..10.0).contains(&host["clock_ghz"].as_f64().unwrap()), "{}", host["clock_ghz"]);
    for key in ["move_cycles", "multiply_add_cycles", "butterfly_cycles", "random_cycles"] {
        assert!((0.0..1000.0).contains(&host["arithmetic"][key].as_f64().unwrap()), "{key}");
    }
    assert!(host["primitives"][0]["system_microseconds"].is_f64());
    assert!(host["source"].as_str().unwrap().contains("calibrate --host"));
}

#[test]
fn calibration_table_in_the_documents_is_current() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["calibrate", "-o", "table.md"]);

    let written = std::fs::read_to_string(folder.path().join("table.md")).unwrap();
    let shipped = include_str!("../docs/calibration.md");

    assert!(written == shipped, "run `hetier calibrate -o docs/calibration.md`");
}

/// A study that takes seconds; `PUBLISHED` stands for the number of its one point.
const STUDY: &str = r#"
name = "small"
title = "Digits on two modes"
source = "made up"
figures = ["run-time-by-network", "bandwidth-over-time", "cpu-use-over-time"]

[settings]
fidelity = "stream"
seed = 1
seeds = 1

[[run]]
name = "fast"
title = "DRAM only"
system = "optane-slice"
mode = "dram-only"
only_if_it_fits = true
quick = true

[[run]]
name = "near"
title = "Memory Mode"
system = "optane-slice"
mode = "memory-mode"
dram_fraction = 0.25

[[network]]
name = "digits"
degree = 1024
primes = [60, 30, 30, 60]
insecure = true
batch = 32
over_time = true
quick = true

[[network]]
name = "digits"
label = "digits-faithful"
kernel = "faithful"
degree = 1024
primes = [60, 30, 30, 60]
insecure = true
batch = 32

[[point]]
name = "convolutions"
network = "digits"
run = "fast"
metric = "operations:Convolution"
published = PUBLISHED
tolerance_percent = 0.0
role = "predicted"
source = "one in the network"

[[unsimulated]]
name = "energy"
published = "3 J"
reason = "no energy is reported"
source = "made up"
"#;

fn study(folder: &Path, published: &str) {
    std::fs::write(folder.join("small.toml"), STUDY.replace("PUBLISHED", published)).unwrap();
}

#[test]
fn reproduce_writes_the_same_page_tables_and_figures_twice() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for folder in [&one, &other] {
        study(folder.path(), "1.0");
    }

    let text = succeed(one.path(), &["reproduce", "small.toml", "--json"]);
    succeed(other.path(), &["reproduce", "small.toml"]);

    let joined: Value = serde_json::from_str(&text).unwrap();
    let cells = joined["cells"].as_array().unwrap();
    let names: Vec<(&str, &str)> =
        cells.iter().map(|cell| (cell["network"].as_str().unwrap(), cell["run"].as_str().unwrap())).collect();
    let expected =
        [("digits", "fast"), ("digits", "near"), ("digits-faithful", "fast"), ("digits-faithful", "near")];
    assert_eq!(names, expected);
    assert!(cells[1]["slowdown"].as_f64().unwrap() > 1.0);
    assert!(cells[1]["near_memory_hit_rate"].as_f64().unwrap() > 0.0);
    assert_eq!(joined["points"][0]["passes"], true);
    let (one, other) = (files(one.path()), files(other.path()));
    for expected in [
        "hetier-out/report.md",
        "hetier-out/tables/sweep.csv",
        "hetier-out/tables/points.tex",
        "hetier-out/figures/run-time-by-network.svg",
        "hetier-out/figures/cpu-use-over-time-digits.csv",
        "hetier-out/results/digits-near.json",
    ] {
        assert!(one.iter().any(|(name, _)| name == expected), "{expected}");
    }
    assert_eq!(one, other);
}

#[test]
fn quick_study_runs_only_what_is_marked() {
    let folder = TempDir::new().unwrap();
    study(folder.path(), "1.0");

    let joined: Value =
        serde_json::from_str(&succeed(folder.path(), &["reproduce", "small.toml", "--quick", "--json"]))
            .unwrap();

    assert_eq!(joined["cells"].as_array().unwrap().len(), 1);
}

#[test]
fn validate_fails_with_code_1_if_a_point_is_out_of_tolerance() {
    let folder = TempDir::new().unwrap();
    study(folder.path(), "1.0");
    let passed = succeed(folder.path(), &["validate", "--experiment", "small.toml"]);
    study(folder.path(), "2.0");

    let output = hetier(folder.path(), &["validate", "--experiment", "small.toml", "--json"]);

    assert!(passed.contains("1 of 1 points pass"), "{passed}");
    assert!(passed.contains("not simulated: energy, 3 J (made up): no energy is reported"), "{passed}");
    assert_eq!(output.status.code(), Some(1));
    let joined: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(joined["failed"], 1);
    assert_eq!(joined["points"][0]["simulated"], 1.0);
    assert_eq!(joined["not_simulated"][0]["reason"], "no energy is reported");
    assert!((joined["points"][0]["error_percent"].as_f64().unwrap() + 50.0).abs() < 1e-9);
}

#[test]
fn an_unknown_study_or_key_is_refused_before_any_work() {
    let folder = TempDir::new().unwrap();
    study(folder.path(), "1.0\ncolour = 3");

    assert!(succeed(folder.path(), &["list", "studies"]).contains("lloret2021"));
    let (code, message) = fail(folder.path(), &["reproduce", "lloret"]);
    assert_eq!(code, Some(2));
    assert!(message.contains("lloret2021"), "{message}");

    let (code, message) = fail(folder.path(), &["reproduce", "small.toml"]);
    assert_eq!(code, Some(1));
    assert!(message.contains("small.toml") && message.contains("colour"), "{message}");
    assert!(!folder.path().join("hetier-out").exists());
}
