//! Device files: every shipped one loads, and what cannot be is refused with file, key, found and need.

#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use hetier_sim::device::literal::DeviceConfig;
use hetier_sim::device::shipped::SHIPPED;

fn shipped(name: &str) -> &'static str {
    SHIPPED.iter().find(|(known, _)| *known == name).unwrap().1
}

/// The error of a shipped file in which a piece of text is exchanged.
fn refusal(name: &str, from: &str, to: &str) -> String {
    let text = shipped(name);
    assert!(text.contains(from), "{name} has {from}");
    DeviceConfig::parse("bad.toml", &text.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn every_shipped_file_loads_and_every_table_of_numbers_has_a_source() {
    for (name, text) in SHIPPED {
        let config = DeviceConfig::load(name).unwrap();
        assert!(config.capacity_bytes().is_multiple_of(1 << 30), "{name}");
        let tables: toml::Table = text.parse().unwrap();
        for (key, value) in &tables {
            let has_numbers = |table: &toml::Table| table.values().any(|v| v.is_integer() || v.is_float());
            if let Some(table) = value.as_table().filter(|table| has_numbers(table)) {
                assert!(
                    table.get("source").is_some_and(|source| source.as_str().unwrap().len() > 10),
                    "{name}: {key}"
                );
            }
        }
    }
}

#[test]
fn impossible_timings_are_refused() {
    let cases = [
        ("clock_ps = 750", "clock_ps = 0", "bad.toml: timing.clock_ps: found 0, need at least 1"),
        ("ras_clocks = 43", "ras_clocks = 28", "timing.ras_clocks: found 28, need at least 29"),
        ("ccd_s_clocks = 4", "ccd_s_clocks = 3", "timing.ccd_s_clocks: found 3, need at least 4 (the burst"),
        ("ccd_l_clocks = 7", "ccd_l_clocks = 3", "timing.ccd_l_clocks: found 3, need at least 4"),
        ("rrd_l_clocks = 7", "rrd_l_clocks = 3", "timing.rrd_l_clocks: found 3, need at least 4"),
        ("faw_clocks = 28", "faw_clocks = 3", "timing.faw_clocks: found 3, need at least 4"),
        ("wtr_l_clocks = 10", "wtr_l_clocks = 3", "timing.wtr_l_clocks: found 3, need at least 4"),
        ("refi_clocks = 10398", "refi_clocks = 500", "timing.refi_clocks: found 500, need at least 529"),
        (
            "rfc_clocks = 467",
            "rfc_clocks = 9223372036854775807",
            "timing.rfc_clocks: found 9223372036854775807, need at most",
        ),
        ("rfc_clocks = 467", "rfc_clocks = 18", "timing.rfc_clocks: found 18, need at least 19"),
    ];
    for (from, to, expected) in cases {
        let message = refusal("ddr4-2666", from, to);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_source_that_names_none_is_refused_in_every_device_file() {
    for (name, text) in SHIPPED {
        let start = text.find("source = \"").unwrap();
        let end = start + text[start..].find('\n').unwrap();

        let message = refusal(name, &text[start..end], "source = \"\"");

        assert!(message.contains("source: found \"\", need where the numbers come from"), "{message}");
    }
}

#[test]
fn latencies_and_bandwidths_that_would_wrap_are_refused() {
    let cases = [
        ("curve-xeon-6240", "[1.1, 88.2]", "[1.1, 1e300]", "curve[0].points: found 1e300 ns, need more than"),
        ("curve-xeon-6240", "= 112.85", "= 1e300", "curve[0].peak_gb_per_s: found 1e300, need at least"),
        (
            "curve-xeon-6240",
            "core_path_ns = 53.7",
            "core_path_ns = -1.0",
            "core_path_ns: found -1, need 0 to",
        ),
        (
            "cxl-ddr5-x8",
            "gb_per_s = 22.25",
            "gb_per_s = 1e-300",
            "link.gb_per_s: found 1e-300, need at least 0.1",
        ),
        (
            "cxl-ddr5-x8",
            "kind = \"cxl\"",
            "kind = 1",
            "line 1, column 8: kind: found 1, need a name in quotation",
        ),
    ];
    for (name, from, to, expected) in cases {
        let message = refusal(name, from, to);
        assert!(message.contains(expected) && message.len() < 200, "{message}");
    }
}

#[test]
fn timings_at_their_limits_are_accepted() {
    let accept = |from: &str, to: &str| {
        let text = shipped("ddr4-2666").replacen(from, to, 1);
        DeviceConfig::parse("edge.toml", &text).unwrap_or_else(|error| panic!("{to}: {error}"));
    };

    accept("ras_clocks = 43", "ras_clocks = 29");
    accept("refi_clocks = 10398", "refi_clocks = 529");
    accept("rrd_l_clocks = 7", "rrd_l_clocks = 4");
}

#[test]
fn impossible_organisations_and_controllers_are_refused() {
    let cases = [
        ("banks = 4", "banks = 3", "organisation.banks: found 3, need a power of two"),
        ("ranks = 1", "ranks = 0", "organisation.ranks: found 0, need a power of two"),
        ("ranks = 1", "ranks = 8", "organisation.ranks: found 8, need at most 8 ranks and 64 banks"),
        (
            "burst_length = 8",
            "burst_length = 16",
            "organisation.burst_length: found 16, need data_bits × burst_length = 512",
        ),
        ("sub_channels = 1", "sub_channels = 512", "organisation.sub_channels: found 512, need at most 256"),
        ("columns = 1024", "columns = 4", "organisation.columns: found 4, need rows of whole 64-byte lines"),
        ("read_queue = 32", "read_queue = 65", "controller.read_queue: found 65, need 1 to 64"),
        (
            "drain_above = 25",
            "drain_above = 32",
            "controller.drain_above: found 32, need less than write_queue = 32",
        ),
        (
            "drain_below = 7",
            "drain_below = 26",
            "controller.drain_below: found 26, need 1 to drain_above = 25",
        ),
        (
            "page = \"open\"",
            "page = { timeout_clocks = 0 }",
            "controller.page.timeout_clocks: found 0, need 1 to",
        ),
        (
            "\"ro-ba-ra-co-ch\"",
            "\"co-ro\"",
            "bad.toml: mapping: found co-ro, need one of ro-ba-ra-co-ch, mop4-clxor",
        ),
    ];
    for (from, to, expected) in cases {
        let message = refusal("ddr4-2666", from, to);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn organisations_whose_products_would_wrap_are_refused() {
    let burst = "organisation.burst_length: found 8, need data_bits × burst_length = 512";
    let banks = "organisation.ranks: found 4, need at most 8 ranks and 64 banks";
    let cases = [
        // Products of 64 bits would be those of the shipped file, or nothing.
        ("data_bits = 64".to_owned(), format!("data_bits = {}", (1_u64 << 61) + 64), burst),
        ("data_bits = 64".to_owned(), "data_bits = 65".to_owned(), burst),
        (
            "columns = 1024".to_owned(),
            format!("columns = {}", (1_u64 << 58) + 1024),
            "columns: found 288230376151712768, need at most 65536 lines",
        ),
        (
            "columns = 1024".to_owned(),
            format!("columns = {}", (1_u64 << 35) + 1024),
            "columns: found 34359739392, need at most 65536 lines",
        ),
        (
            "ranks = 1\ngroups = 4\nbanks = 4".to_owned(),
            format!("ranks = 4\ngroups = {0}\nbanks = {0}", 1_u32 << 31),
            banks,
        ),
    ];
    for (from, to, expected) in cases {
        let message = refusal("ddr4-2666", &from, &to);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn organisations_at_their_limits_are_accepted_and_the_next_refused() {
    let with = |pairs: &[(&str, &str)]| {
        let text =
            pairs.iter().fold(shipped("ddr4-2666").to_owned(), |text, (from, to)| text.replacen(from, to, 1));
        DeviceConfig::parse("edge.toml", &text).map_err(|error| error.to_string())
    };
    let wide = [("data_bits = 64", "data_bits = 256"), ("burst_length = 8", "burst_length = 2")];
    let single = [("data_bits = 64", "data_bits = 512"), ("burst_length = 8", "burst_length = 1")];
    // 65,536 lines in a row; with as many rows in 16 banks of 256 sub-channels 2⁴⁴ lines.
    let columns = ("columns = 1024", "columns = 524288");
    let next = ("columns = 1024", "columns = 1048576");
    let many = ("sub_channels = 1", "sub_channels = 256");
    let rows = |rows: &'static str| ("rows = 65536", rows);

    assert!(with(&wide).is_ok());
    assert!(with(&single).unwrap_err().contains("burst_length: found 1, need at least 2"));
    assert!(with(&[columns]).is_ok());
    assert!(with(&[next]).unwrap_err().contains("columns: found 1048576, need at most 65536 lines"));
    let most = with(&[columns, many, rows("rows = 65536")]).unwrap();
    assert_eq!(most.capacity_bytes(), 1 << 50);
    let message = with(&[columns, many, rows("rows = 131072")]).unwrap_err();
    assert!(
        message.contains("organisation.rows: found 131072, need at most 1 PiB in a channel"),
        "{message}"
    );
}

#[test]
fn an_address_mapping_can_be_a_name_a_table_or_a_file() {
    let (_, shipped) = SHIPPED.iter().find(|(name, _)| *name == "ddr4-2666").unwrap();
    let table = include_str!("../mappings/mop4-clxor.toml").replace("[[xor]]", "[[mapping.xor]]");
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, include_str!("../mappings/mop4-clxor.toml")).unwrap();
    let name = "mapping = \"ro-ba-ra-co-ch\"";
    let with = |mapping: &str| DeviceConfig::parse("x.toml", &shipped.replace(name, mapping)).unwrap();
    let inline = DeviceConfig::parse("x.toml", &format!("{}\n[mapping]\n{table}", shipped.replace(name, "")));

    let named = with("mapping = \"mop4-clxor\"");

    assert_ne!(named, with(name));
    assert_eq!(named, inline.unwrap());
    assert_eq!(named, with(&format!("mapping = {:?}", path.display())));
}

#[test]
fn a_bad_table_of_an_address_mapping_is_refused_by_key() {
    let with = |mapping: &str| refusal("ddr4-2666", "mapping = \"ro-ba-ra-co-ch\"", mapping);

    assert!(with("mapping = { source = \"me\", order = [\"row\"] }").contains("mapping.order: found"));
    assert!(with("mapping = { source = \"me\", orders = [] }").contains("found unknown key orders"));
    assert!(with("mapping = 3").contains("mapping: found integer `3`, need the name of an address mapping"));
    assert!(with("mapping = \"nowhere.toml\"").starts_with("nowhere.toml: cannot be read"));
}

#[test]
fn unknown_and_missing_keys_are_refused_by_name() {
    assert!(refusal("ddr4-2666", "ranks = 1", "ranks = 1\ncolour = 3").contains("found unknown key colour"));
    assert!(refusal("ddr4-2666", "rcd_clocks = 19\n", "").contains("timing: found no key rcd_clocks"));
    assert!(
        refusal("ddr4-2666", "rcd_clocks = 19", "rcd_clocks = -19")
            .contains("timing.rcd_clocks: found integer `-19`, need a whole number from 0 to ")
    );
    assert!(refusal("ddr4-2666", "kind = \"dram\"", "kind = \"core\"").contains("kind: found core, need"));
    assert!(
        DeviceConfig::load("ddr9")
            .unwrap_err()
            .to_string()
            .starts_with("device: found ddr9, need one of ddr4-2400")
    );
    assert!(DeviceConfig::load("/nowhere/x.toml").unwrap_err().to_string().starts_with("/nowhere/x.toml: "));
}

#[test]
fn impossible_links_and_curves_are_refused() {
    let cases = [
        ("cxl-ddr5-x8", "gb_per_s = 22.25", "gb_per_s = 0.0", "link.gb_per_s: found 0, need at least 0.1"),
        ("cxl-ddr5-x8", "latency_ns = 57.0", "latency_ns = nan", "link.latency_ns: found NaN"),
        ("cxl-ddr5-x8", "queue = 128", "queue = 0", "link.queue: found 0, need 1 to 65536"),
        ("cxl-ddr5-x8", "data_bytes = 80", "data_bytes = 63", "link.data_bytes: found 63, need 64 to 1024"),
        (
            "cxl-ddr5-x8",
            "\"ddr5-4800-rdimm-32g\"",
            "\"cxl-ddr5-x8\"",
            "device: found cxl-ddr5-x8, need a device of kind dram",
        ),
        (
            "curve-xeon-6240",
            "[1.1, 88.2]",
            "[-1.1, 88.2]",
            "curve[0].points: found -1.1 GB/s, need more than 0 GB/s",
        ),
        (
            "curve-xeon-6240",
            "[6.15, 90.4]",
            "[1.1, 90.4]",
            "curve[0].points: found 1.1 GB/s, need more than 1.1 GB/s",
        ),
        (
            "curve-xeon-6240",
            "88.2",
            "39.0",
            "curve[0].points: found 39 ns, need more than core_path_ns = 53.7",
        ),
        (
            "curve-xeon-6240",
            "[1.1, 88.2]",
            "[1.1, 88.2, 3.0]",
            "a point: found 3 numbers, need 2, [GB/s, ns]",
        ),
        ("curve-xeon-6240", "[1.1, 88.2]", "[1.1]", "a point: found 1 numbers, need 2, [GB/s, ns]"),
        (
            "curve-xeon-6240",
            "112.85",
            "60.0",
            "curve[0].peak_gb_per_s: found 60, need at least the last point's 60.25",
        ),
        (
            "curve-xeon-6240",
            "read_percent = 100.0",
            "read_percent = 101.0",
            "curve[0].read_percent: found 101, need 0 to 100",
        ),
        ("curve-xeon-6240", "capacity_gib = 192", "capacity_gib = 0", "capacity_gib: found 0, need 1 to"),
    ];
    for (name, from, to, expected) in cases {
        let message = refusal(name, from, to);
        assert!(message.contains(expected), "{message}");
    }
}
