use super::*;

const SLICE: &str = include_str!("../../systems/optane-slice.toml");

fn refused(from: &str, to: &str) -> String {
    assert!(SLICE.contains(from), "{from}");
    System::parse("x.toml", &SLICE.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn every_shipped_system_parses_and_is_called_as_its_file() {
    for name in names() {
        let system = System::load(name).unwrap_or_else(|error| panic!("{error}"));

        assert_eq!(system.name, name);
        assert!(system.arithmetic_fs.iter().all(|cost| *cost > 0));
    }
}

#[test]
fn slice_has_a_sixth_of_the_socket() {
    let slice = System::load("optane-slice").unwrap();
    let whole = System::load("xeon-8260-optane").unwrap();

    assert_eq!(slice.cores() * 6, whole.cores_per_socket);
    assert_eq!(slice.l3.capacity_bytes() * 6, whole.l3.capacity_bytes());
    assert_eq!(slice.tier_bytes("pmem") * 12, whole.tier_bytes("pmem"));
}

#[test]
fn unknown_system_names_the_nearest() {
    let message = System::load("optane-slise").unwrap_err().to_string();

    assert!(message.contains("did you mean optane-slice?") && message.contains("xeon-8470-cxl"), "{message}");
}

#[test]
fn wrong_values_are_refused_with_file_key_found_and_need() {
    let cases = [
        ("channels_per_socket = 1", "channels_per_socket = 0", "tier.dram.channels_per_socket: found 0"),
        (
            "controllers_per_socket = 1",
            "controllers_per_socket = 2",
            "tier.dram.channels_per_socket: found 1, need a multiple of processor.controllers_per_socket, 2",
        ),
        ("clock_ghz = 2.2", "clock_ghz = -1.0", "processor.clock_ghz: found -1"),
        ("interleave_bytes = 256", "interleave_bytes = 100", "tier.dram.interleave_bytes: found 100"),
        ("capacity_kib = 32\n", "capacity_kib = 0\n", "l1.capacity_kib: found 0"),
        (
            "capacity_kib = 32\n",
            "capacity_kib = 33\n",
            "l1.capacity_kib: found 33, 66 sets, need a power of two",
        ),
        ("name = \"optane-slice\"", "name = \"\"", "x.toml: name: found \"\", need a name"),
        ("clock_ghz = 2.2", "clock_ghz = 1e300", "processor.clock_ghz: found 1e300, need 0.1 to 10"),
        (
            "\"optane-pmem-100\"",
            "\"missing.toml\"",
            "x.toml: tier.pmem.device: found missing.toml, need a file that can be read",
        ),
        ("name = \"pmem\"", "name = \"dram\"", "tier.name: found dram"),
        ("ways = 11", "ways = 13", "l3.capacity_kib: found 5632"),
        ("sockets = 1", "sockets = 2", "link: found no table"),
        ("\"app-direct\"", "\"app-indirect\"", "defaults.modes: found app-indirect"),
        (
            "latency_cycles = 46",
            "latency_cycles = 0",
            "l3.latency_cycles: found 0, need more than l2.latency_cycles",
        ),
        (
            "latency_cycles = 46",
            "latency_cycles = 14",
            "l3.latency_cycles: found 14, need more than l2.latency_cycles",
        ),
        (
            "forward_cycles = 106",
            "forward_cycles = 46",
            "l3.forward_cycles: found 46, need more than l3.latency_cycles = 46",
        ),
        ("forward_cycles = 106", "forward_cycles = 0", "l3.forward_cycles: found 0, need more"),
        (
            "interleave_bytes = 256",
            "interleave_bytes = 17592186044416",
            "tier.dram.interleave_bytes: found 17592186044416, need a divisor of capacity_per_channel_gib, 34359738368",
        ),
        ("latency_cycles = 4\n", "latency_cycles = 0\n", "l1.latency_cycles: found 0, need more than 0"),
        ("\"ddr4-2666-rdimm-32g\"", "\"nosuch\"", "tier.dram.device: found nosuch, need one of ddr4-2400"),
        ("\npages = \"random-4k\"", "\npages = \"foo\"", "defaults.pages: found foo, need one of contiguous"),
        ("probe_pages = \"", "probe_pages = \"foo", "defaults.probe_pages: found foo"),
        ("numa = \"", "numa = \"foo", "defaults.numa: found foo"),
        (
            "clock_ghz = 2.2",
            "clock_ghz = \"fast\"",
            "processor.clock_ghz: found string \"fast\", need a number",
        ),
        ("jitter_percent = 3.0\n", "", "arithmetic: found no key jitter_percent, need one"),
        (
            "fault_4k_ns = 500.0",
            "fault_4k_ns = 1e7",
            "translation.fault_4k_ns: found 10000000, need 0 to 1000000",
        ),
        (
            "fault_2m_ns = 100000.0",
            "fault_2m_ns = 1e9",
            "translation.fault_2m_ns: found 1000000000, need 0 to",
        ),
        ("\nrequest_ns = ", "\nrequest_ns = 1e9 # ", "path.request_ns: found 1000000000, need 0 to 1000000"),
        (
            "modes = [",
            "modes = [\"dram-only\", ",
            "defaults.modes: found dram-only twice, need each mode once",
        ),
        (
            "[defaults]",
            "[link]\nrequest_ns = 1.0\nresponse_ns = 1.0\nread_gb_per_s = 1.0\nwrite_gb_per_s = 1.0\n\
            directory = \"cache\"\nsource = \"a test\"\n\n[defaults]",
            "link: found a table, need none: one socket",
        ),
        ("sockets = 1", "sockets = -1", "processor.sockets: found integer `-1`, need a whole number"),
    ];
    for (from, to, expected) in cases {
        let message = refused(from, to);

        assert!(message.starts_with("x.toml: ") && message.contains(expected), "{message}");
        assert!(message.contains("need"), "{message}");
    }
}

#[test]
fn a_granule_of_a_whole_channel_is_accepted_and_a_larger_one_refused() {
    let granule =
        |bytes: u64| SLICE.replacen("interleave_bytes = 256", &format!("interleave_bytes = {bytes}"), 1);

    assert!(System::parse("x.toml", &granule(32 << 30)).is_ok());
    assert!(System::parse("x.toml", &granule(64 << 30)).is_err());
}

#[test]
fn a_tier_is_as_large_as_its_device_and_of_its_kind() {
    let cases = [
        ("gib = 32", "gib = 7", "tier.dram.capacity_per_channel_gib: found 7, need 32"),
        ("gib = 32", "gib = 33", "tier.dram.capacity_per_channel_gib: found 33, need 32"),
        ("gib = 256", "gib = 128", "tier.pmem.capacity_per_channel_gib: found 128, need 256"),
        (
            "\"ddr4-2666-rdimm-32g\"",
            "\"optane-pmem-100\"",
            "tier.dram.device: found optane-pmem-100 of kind pmem, need a device for a tier dram",
        ),
        (
            "\"optane-pmem-100\"",
            "\"ddr4-2666-rdimm-32g\"",
            "tier.pmem.device: found ddr4-2666-rdimm-32g of kind",
        ),
    ];
    for (from, to, expected) in cases {
        let message = refused(from, to);

        assert!(message.contains(expected), "{message}");
    }
    let part_of_a_curve = SLICE.replace("ddr4-2666-rdimm-32g", "curve-xeon-6240");
    assert!(System::parse("x.toml", &part_of_a_curve).is_ok());
}

#[test]
fn a_mode_whose_tier_is_missing_is_refused() {
    let (start, end) = (SLICE.rfind("[[tier]]").unwrap(), SLICE.find("[defaults]").unwrap());

    let message = System::parse("x.toml", &format!("{}{}", &SLICE[..start], &SLICE[end..])).unwrap_err();

    let expected =
        "x.toml: defaults.modes: found mode memory-mode beside tiers dram, need a tier pmem or cxl";
    assert_eq!(message.to_string(), expected);
}

#[test]
fn unknown_and_missing_keys_are_refused() {
    assert!(refused("sockets = 1", "sockets = 1\ncolour = 3").contains("colour"));
    assert!(refused("sockets = 1\n", "").contains("sockets"));
}

#[test]
fn a_number_without_a_source_is_refused() {
    let start = SLICE.find("[path]").unwrap();
    let text = format!(
        "{}{}",
        &SLICE[..start],
        SLICE[start..].replacen("source = \"core", "source = \"\" # \"core", 1)
    );

    assert!(System::parse("x.toml", &text).unwrap_err().to_string().contains("path.source"));
}

#[test]
fn arithmetic_cost_is_cycles_over_clock() {
    let system = System::load("optane-slice").unwrap();

    // 0.79 cycles at 2.2 GHz, in femtoseconds.
    let expected = (1000.0 * 0.79 / 2.2 * 1e6_f64).round();
    let found = system.arithmetic_fs(Arithmetic::Butterfly, 1000) as f64;
    assert!((found - expected).abs() < 1000.0, "{found} {expected}");
}

#[test]
fn identity_changes_with_the_file_and_with_the_device() {
    let hash = |text: &str| System::parse("x.toml", text).unwrap().hash;

    assert_eq!(hash(SLICE), System::load("optane-slice").unwrap().hash);
    assert_ne!(hash(SLICE), hash(&SLICE.replace("ddr4-2666-rdimm-32g", "ddr4-2933-rdimm-32g")));
    assert_ne!(hash(SLICE), hash(&SLICE.replace("walk_4k_cycles = 35", "walk_4k_cycles = 36")));
}

#[test]
fn identity_changes_with_what_devices_refer_to() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let shipped = |name: &str| {
        let found = crate::device::shipped::SHIPPED.iter().find(|(known, _)| *known == name);
        found.unwrap().1.to_owned()
    };
    let system = include_str!("../../systems/xeon-8470-cxl.toml").replace("cxl-ddr5-x8", &path("card.toml"));
    let hash = |inner: &str, mapping: &str| {
        let card = shipped("cxl-ddr5-x8").replace("ddr5-4800-rdimm-32g", &path("inner.toml"));
        let inner = inner.replace("mop4-clxor", &path("mapping.toml"));
        let files = [("card.toml", card.as_str()), ("inner.toml", &inner), ("mapping.toml", mapping)];
        files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
        System::parse("x.toml", &system).unwrap().hash
    };
    let inner = shipped("ddr5-4800-rdimm-32g");
    let order =
        |last: &str| format!("source = \"test\"\norder = [\"row\", \"bank\", \"group\", \"rank\", {last}]\n");
    let mappings = [order("\"column\", \"sub-channel\""), order("\"sub-channel\", \"column\"")];

    let first = hash(&inner, &mappings[0]);

    assert_eq!(first, hash(&inner, &mappings[0]));
    assert_ne!(first, hash(&inner.replace("cl_clocks = 40", "cl_clocks = 42"), &mappings[0]));
    assert_ne!(first, hash(&inner, &mappings[1]));
}

#[test]
fn overhead_that_could_charge_nothing_is_refused() {
    let text = include_str!("../../systems/bsc-8260l-32g-6t.toml");
    let cases = [
        ("kernel = \"faithful\"", "kernel = \"\"", "overhead.kernel: found \"\", need the kernel"),
        (
            "[\"he-transformer-tap\", \"multiply-scalar\"]",
            "[]",
            "overhead.multiply_accumulates: found none, need",
        ),
        ("\"multiply-scalar\"]", "\"\"]", "overhead.multiply_accumulates: found \"\", need names"),
        ("\"multiply-scalar\"]", "\"he-transformer-tap\"]", "found he-transformer-tap twice, need names"),
    ];
    for (from, to, expected) in cases {
        assert!(text.contains(from), "{from}");

        let message = System::parse("x.toml", &text.replacen(from, to, 1)).unwrap_err().to_string();

        assert!(message.contains(expected), "{message}");
    }
}
