//! `reproduce` and `validate`.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{fail, files, hetier, succeed};

#[test]
fn a_study_with_a_wrong_name_fails_as_work_with_its_file() {
    let folder = TempDir::new().unwrap();
    for (right, wrong, expected) in [
        ("mode = \"dram-only\"", "mode = \"foo\"", "small.toml: run fast: mode: found foo"),
        ("system = \"optane-slice\"", "system = \"foo\"", "small.toml: run fast: system: found foo"),
        ("name = \"digits\"", "name = \"digitz\"", "small.toml: network digitz: network: found digitz"),
        ("name = \"small\"", "name = \"../small\"", "small.toml: name: found \"../small\""),
        (
            "dram_fraction = 0.25",
            "dram_fraction = -1",
            "run near: dram_fraction: found -1, need a number above 0",
        ),
        ("dram_fraction = 0.25", "networks = []", "run near: networks: found none"),
        (
            "role = \"predicted\"",
            "role = \"guessed\"",
            "point.role: found guessed, need calibrated or predicted",
        ),
        ("batch = 32", "batch = 32\nblock = 0", "small.toml: network digits: block: found 0"),
        (
            "batch = 32",
            "batch = 32\nblock = 4",
            "small.toml: network digits: block: found network digits, no layer",
        ),
        (
            "mode = \"dram-only\"",
            "mode = \"dram-only\"\nplacement = \"first-touch\"",
            "small.toml: run fast: placement: found mode dram-only, in which it has no effect",
        ),
        (
            "mode = \"dram-only\"",
            "mode = \"dram-only\"\nwarm = true",
            "small.toml: run fast: warm: found mode dram-only",
        ),
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
fn a_run_with_more_dram_than_its_system_is_told_once() {
    let folder = TempDir::new().unwrap();
    for (gib, times) in [(32, 0), (33, 1)] {
        let with = format!("mode = \"dram-only\"\ndram_gib = {gib}.0");
        let text = STUDY.replace("PUBLISHED", "1.0").replace("mode = \"dram-only\"", &with);
        std::fs::write(folder.path().join("small.toml"), text).unwrap();

        let output = hetier(folder.path(), &["reproduce", "small.toml"]);

        let told = String::from_utf8(output.stderr).unwrap();
        let note = "note: dram-only is replayed as if optane-slice had 33.0 GiB of DRAM; it has 32.0 GiB\n";
        assert!(output.status.success(), "{told}");
        assert_eq!(told.matches(note).count(), times, "{told}");
    }
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
        "hetier-small/report.md",
        "hetier-small/tables/sweep.csv",
        "hetier-small/tables/points.tex",
        "hetier-small/figures/run-time-by-network.svg",
        "hetier-small/figures/cpu-use-over-time-digits.csv",
        "hetier-small/results/digits-near.json",
    ] {
        assert!(one.iter().any(|(name, _)| name == expected), "{expected}");
    }
    assert_eq!(one, other);
}

#[test]
fn a_study_without_a_network_names_what_is_missing() {
    let folder = TempDir::new().unwrap();
    let text = STUDY.split("[[network]]").next().unwrap();
    std::fs::write(folder.path().join("small.toml"), text).unwrap();

    let (_, message) = fail(folder.path(), &["reproduce", "small.toml"]);

    assert!(message.contains("network: found none, need at least 1 table [[network]]"), "{message}");
}

#[test]
fn a_point_that_passes_by_a_wide_tolerance_is_counted_apart() {
    let folder = TempDir::new().unwrap();
    let text =
        STUDY.replace("PUBLISHED", "1.2").replace("tolerance_percent = 0.0", "tolerance_percent = 25.0");
    std::fs::write(folder.path().join("small.toml"), text).unwrap();

    let told = succeed(folder.path(), &["validate", "--experiment", "small.toml"]);

    assert!(told.contains("predicted: 1 of 1 pass, 1 of them beyond 10 %"), "{told}");
    assert!(told.contains("(convolutions)"), "{told}");
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
fn validate_of_no_point_is_no_success() {
    let folder = TempDir::new().unwrap();
    study(folder.path(), "1.0");
    let text = std::fs::read_to_string(folder.path().join("small.toml")).unwrap();
    std::fs::write(folder.path().join("small.toml"), text.replace("quick = true\n", "")).unwrap();

    let (code, message) = fail(folder.path(), &["validate", "--experiment", "small.toml", "--quick"]);

    assert_eq!(code, Some(2));
    assert!(message.contains("found no published point that is marked quick"), "{message}");
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
    assert!(!folder.path().join("hetier-small").exists());
}
