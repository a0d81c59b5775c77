//! Lines of other simulators: `replay --bare` and `export`.

use serde_json::Value;
use tempfile::TempDir;

use super::{SMALL, fail, hetier, succeed};

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
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(
            told.starts_with("lines: 1,000 lines written, ") && told.contains(" of them reads and "),
            "{told}"
        );
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
