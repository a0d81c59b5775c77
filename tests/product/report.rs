//! `compare`: what it prints and writes.

use serde_json::Value;
use tempfile::TempDir;

use super::{compare, fail, files, succeed};

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
fn the_readme_shows_what_compare_prints() {
    let folder = TempDir::new().unwrap();
    let printed = succeed(folder.path(), &["compare"]);
    let readme = include_str!("../../README.md");
    let (_, shown) = readme.split_once("```text\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();

    assert!(shown.lines().count() > 20);
    // Host times differ from machine to machine.
    for line in shown.lines().filter(|line| !line.starts_with("real run")) {
        assert!(printed.lines().any(|own| own.trim_end() == line), "{line:?} is not printed:\n{printed}");
    }
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
fn compare_takes_the_modes_that_a_system_has() {
    let folder = TempDir::new().unwrap();

    let joined = compare(folder.path(), &["--shape", "--system", "bsc-8260l-32g-6t", "--threads", "2"]);

    let runs = joined["runs"].as_array().unwrap();
    let modes: Vec<&str> = runs.iter().map(|run| run["mode"].as_str().unwrap()).collect();
    assert_eq!(modes, ["memory-mode", "app-direct"]);
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
    std::fs::copy(folder.path().join("one.trace"), folder.path().join("plain")).unwrap();
    assert_eq!(seconds(&json(&["plain", "-o", "plain-out"])), seconds(&single));
    let (code, message) = fail(folder.path(), &["compare", "digits", "one.trace"]);
    assert!(code == Some(2) && message.contains("found digits among several"), "{message}");
    let (code, message) = fail(folder.path(), &["compare", "one.trace", "./one.trace"]);
    assert!(code == Some(2) && message.contains("two traces called one"), "{message}");
}
