//! `probe` and `calibrate`.

use serde_json::Value;
use tempfile::TempDir;

use super::{fail, succeed};

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
    let shipped = include_str!("../../docs/calibration.md");

    assert!(written == shipped, "run `hetier calibrate -o docs/calibration.md`");
}

#[test]
fn probes_refuse_what_a_system_cannot_serve_by_flag_and_system_at_once() {
    let folder = TempDir::new().unwrap();
    let on = "--system xeon-6240-dram --tier dram";
    let cases = [
        (
            format!("bandwidth {on} --threads 1..64"),
            "probe on xeon-6240-dram: --threads: found 64, need 1 to 36",
        ),
        (format!("bandwidth {on} --access 2GiB"), "--access: found 2 GiB, need a --region of at least 2 GiB"),
        (format!("bandwidth {on} --region 1EiB"), "--region: found 1048576 TiB, need at most 192 GiB"),
        (format!("latency {on} --writer-duty -1"), "--writer-duty: found -1, need 0 to 100"),
        (format!("latency {on} --region -1"), "found -1, need a size"),
        (format!("loaded {on} --mix -1:2"), "found -1:2, need two numbers"),
        (format!("hotspot {on}"), "--tier: found dram, need a tier of persistent memory"),
    ];
    for (line, text) in cases {
        let arguments: Vec<&str> = std::iter::once("probe").chain(line.split(' ')).collect();
        let (code, message) = fail(folder.path(), &arguments);

        assert!(code == Some(2) && message.contains(text), "{line}: {code:?} {message}");
    }
}

#[test]
fn a_loaded_curve_says_that_sockets_count_together() {
    let folder = TempDir::new().unwrap();
    let probe =
        ["probe", "loaded", "--system", "xeon-6240-dram", "--tier", "dram", "--dimms", "1", "-o", "drawn"];

    let told = succeed(folder.path(), &probe);

    assert!(
        told.starts_with("xeon-6240-dram, dram: bandwidth of 2 sockets together, channels: 1 of each\n"),
        "{told}"
    );
    let drawn = std::fs::read_to_string(folder.path().join("drawn/figures/loaded-latency.svg")).unwrap();
    assert!(drawn.contains("xeon-6240-dram, dram, 2 sockets together"), "{drawn}");
}
