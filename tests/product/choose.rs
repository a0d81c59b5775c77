//! `place` and `sweep`.

use serde_json::Value;
use tempfile::TempDir;

use super::{SMALL, fail, succeed};

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
    for own in [["--schedule", "dynamic,1"], ["--sample", "0.5"]] {
        let settings = ["--fidelity", "stream", "--pages", "random-4k", "--allocator", "map", "--json"];
        let settings = [&settings[..], &own].concat();

        let swept =
            succeed(folder.path(), &[&["sweep", "d.trace", "--modes", "dram-only"][..], &settings].concat());
        let alone =
            succeed(folder.path(), &[&["replay", "d.trace", "--mode", "dram-only"][..], &settings].concat());

        let [swept, alone] = [swept, alone].map(|text| serde_json::from_str::<Value>(&text).unwrap());
        for key in ["simulated_seconds", "sampled_share", "sampling_error_seconds"] {
            assert_eq!(swept["rows"][0][key].as_f64(), alone[key].as_f64(), "{key}");
        }
        assert!(alone["sampled_share"].is_number());
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
    let rows: Vec<Vec<&str>> = plan.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str| rows[0].iter().position(|head| *head == name).unwrap();
    let (peak, fast) = (column("peak_bytes"), column("fast_bytes"));
    let bytes = |row: &[&str], column: usize| row[column].parse::<u64>().unwrap();
    // None has more of fast memory than there is; some lie in it whole, one in part, others not at all.
    assert!(rows[1..].iter().all(|row| bytes(row, fast) <= 4 << 20), "{plan}");
    let has =
        |does: fn(u64, u64) -> bool| rows[1..].iter().any(|row| does(bytes(row, fast), bytes(row, peak)));
    assert!(has(|fast, peak| fast >= peak) && has(|fast, _| fast == 0), "{plan}");
    assert!(has(|fast, peak| fast > 0 && fast < peak), "{plan}");
}

/// A trace whose only phase is the client's; what it does stands for `{}`.
const CLIENT_ONLY: &str = r#"hetier-trace 1
array a0 "a" ciphertext [1] capacity 65536 used 65536
macro m0 "touch" limbs 1 (in-out ciphertext 65536) { sweep { update p0 @0 +65536 work move 8192 } }
phase "p" "o" client { {} }
"#;

#[test]
fn place_ranks_a_trace_without_server_phases_by_its_whole_run_and_refuses_one_without_time() {
    let folder = TempDir::new().unwrap();
    let script = |body: &str| {
        std::fs::write(folder.path().join("t.txt"), CLIENT_ONLY.replace("{}", body)).unwrap();
        succeed(folder.path(), &["script", "--parse", "t.txt", "-o", "t.trace"]);
    };

    script("alloc a0[0] loop (v0 in 0..9) { call m0(a0[0]) }");
    let ranked: Value =
        serde_json::from_str(&succeed(folder.path(), &["place", "t.trace", "--json"])).unwrap();
    let told = succeed(folder.path(), &["place", "t.trace"]);
    script("");
    let (code, message) = fail(folder.path(), &["place", "t.trace", "-o", "best.json"]);

    assert_eq!(ranked["ranked_by"], "whole_run_seconds");
    let entries = ranked["placements"].as_array().unwrap();
    let seconds: Vec<f64> = entries.iter().filter_map(|entry| entry["whole_run_seconds"].as_f64()).collect();
    assert!(seconds.len() >= 4 && seconds[0] > 0.0 && seconds.is_sorted(), "{ranked}");
    assert!(told.contains("whole run") && !told.contains("NaN"), "{told}");
    assert_eq!(code, Some(1));
    assert!(message.contains("t.trace: found phases that take 0 s under every policy"), "{message}");
    assert!(!folder.path().join("best.json").exists());
}

#[test]
fn the_plan_made_from_the_trace_is_faster_than_policies_that_see_classes_or_first_touch() {
    let folder = TempDir::new().unwrap();
    let rank = |network: &str, fraction: &str, sample: &str| -> Value {
        let arguments = ["--dram-fraction", fraction, "--fidelity", "stream", "--sample", sample, "--json"];
        let ranked = succeed(folder.path(), &[&["place", network][..], &arguments].concat());
        serde_json::from_str(&ranked).unwrap()
    };
    succeed(folder.path(), &["record", "digits", "-o", "digits.trace"]);
    succeed(folder.path(), &["record", "cryptonets", "-o", "cryptonets.trace"]);

    for (network, fraction, sample) in
        [("digits.trace", "0.1", "1e9"), ("digits.trace", "0.5", "1e9"), ("cryptonets.trace", "0.25", "0.02")]
    {
        let ranked = rank(network, fraction, sample);
        assert_eq!(ranked["best"], "by-density", "{network} {fraction}: {ranked}");
    }
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
fn a_trace_whose_name_is_a_number_has_a_text_in_a_sweep() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &[&["record", "digits", "-o", "123"][..], &SMALL].concat());

    let swept = succeed(folder.path(), &["sweep", "123", "--modes", "dram-only", "--json"]);

    let row = &serde_json::from_str::<Value>(&swept).unwrap()["rows"][0];
    assert_eq!(row["trace"], "123");
    assert!(row["threads"].is_u64() && row["simulated_seconds"].is_f64(), "{row}");
}

#[test]
fn the_command_that_place_prints_replays_the_best_policy() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &[&["record", "digits", "-o", "my d.trace"][..], &SMALL].concat());

    let told = succeed(folder.path(), &["place", "my d.trace", "--dram", "4MiB", "--plan", "plan.csv"]);

    let command = told.trim_end().lines().next_back().unwrap();
    let words = command.strip_prefix("hetier ").unwrap().replace("'my d.trace'", "my\u{a0}d.trace");
    let words: Vec<String> = words.split(' ').map(|word| word.replace('\u{a0}', " ")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["--json"]).collect();
    let result: Value = serde_json::from_str(&succeed(folder.path(), &words)).unwrap();
    let best = told.lines().find_map(|line| line.strip_prefix("best: ")).unwrap();
    assert_eq!((result["placement"].as_str(), result["mode"].as_str()), (Some(best), Some("app-direct")));
}
