//! The probes against the numbers of the device and system files.

use super::*;

fn system(name: &str) -> System {
    System::load(name).expect("a shipped system")
}

fn chase(region_bytes: u64) -> f64 {
    let probe = LatencyProbe { region_bytes, ..LatencyProbe::new("pmem") };
    latency(&system("optane-1dimm"), &probe).expect("a valid probe").ns_per_access
}

fn gb_per_s(probe: &BandwidthProbe) -> f64 {
    bandwidth(&system("xeon-8260-optane"), probe).expect("a valid probe").gb_per_s
}

fn one_dimm() -> BandwidthProbe {
    BandwidthProbe { dimms: Some(1), ..BandwidthProbe::new("pmem") }
}

#[test]
fn a_chase_shows_each_level_of_the_dimm_and_the_mixtures_between() {
    // Path of the bench and its caches: 21 + 53 + 53 ns; read buffer 48; translation 41 or 108; media 94.
    let path = 46.0 / 2.2 + 106.0;
    let [buffered, translated, missed] =
        [48.0, 48.0 + 41.0 + 94.0, 48.0 + 108.0 + 94.0].map(|dimm| path + dimm);

    let near =
        |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected}");
    near(chase(4 << 10), buffered);
    near(chase(1 << 20), translated);
    near(chase(32 << 20), (translated + missed) / 2.0);
    near(chase(1 << 30), missed);
}

#[test]
fn loads_of_many_threads_reach_the_power_budget_and_follow_it() {
    let threads = BandwidthProbe { threads: 4, ..one_dimm() };
    let [low, high] =
        [12.0, 18.0].map(|watts| gb_per_s(&BandwidthProbe { power_w: Some(watts), ..threads.clone() }));

    // 256 B ÷ (2,048 bits × 270 pJ ÷ watts).
    assert!((low / (256.0 * 12.0 / (2048.0 * 0.27)) - 1.0).abs() < 0.01, "{low}");
    assert!((high / low - 1.5).abs() < 0.05, "{high} ÷ {low}");
}

#[test]
fn parts_of_media_lines_cost_whole_ones() {
    let probe = BandwidthProbe { access_bytes: 64, threads: 4, ..one_dimm() };
    let strided = BandwidthProbe { order: Order::Stride(256), ..probe.clone() };
    let stored = BandwidthProbe { operation: Operation::Ntstore, threads: 1, ..probe.clone() };

    for loads in [probe, strided] {
        let report = bandwidth(&system("xeon-8260-optane"), &loads).expect("a valid probe");
        assert!((report.read_efficiency.expect("loads") - 0.25).abs() < 0.01);
        assert_eq!(report.write_efficiency, None);
    }
    let report = bandwidth(&system("xeon-8260-optane"), &stored).expect("a valid probe");
    assert!((report.write_efficiency.expect("stores") - 0.245).abs() < 0.005);
}

#[test]
fn writers_beyond_the_first_cost_bandwidth_and_efficiency() {
    let [one, eight] = [1, 8].map(|threads| {
        let probe = BandwidthProbe { operation: Operation::Ntstore, threads, ..one_dimm() };
        bandwidth(&system("xeon-8260-optane"), &probe).expect("a valid probe")
    });

    // FAST'20, section 5.3: eight threads reach 69 % of one.
    let ratio = eight.gb_per_s / one.gb_per_s;
    assert!((0.62..0.76).contains(&ratio), "{ratio}");
    assert!(eight.write_efficiency < one.write_efficiency);
}

#[test]
fn blocks_of_the_interleave_size_load_dimms_unevenly() {
    let all = BandwidthProbe { threads: 16, dimms: Some(6), ..BandwidthProbe::new("pmem") };
    let [small, interleave, large] =
        [256, 4096, 65_536].map(|access_bytes| gb_per_s(&BandwidthProbe { access_bytes, ..all.clone() }));

    assert!(interleave < 0.95 * small && interleave < 0.95 * large, "{small} {interleave} {large}");
}

#[test]
fn fences_pins_prefetch_and_distance_change_what_they_should() {
    let store = BandwidthProbe { operation: Operation::Ntstore, order: Order::Sequential, ..one_dimm() };
    let fenced = BandwidthProbe { fence_bytes: Some(64), ..store.clone() };
    // 90.4 ns a line on M1.
    assert!((gb_per_s(&fenced) * 90.4 / 64.0 - 1.0).abs() < 0.06, "{}", gb_per_s(&fenced));

    let dram = BandwidthProbe { order: Order::Sequential, ..BandwidthProbe::new("dram") };
    let ahead = BandwidthProbe { prefetch: Some(true), ..dram.clone() };
    let remote = BandwidthProbe { is_remote: true, ..dram.clone() };
    assert!(gb_per_s(&ahead) > 1.3 * gb_per_s(&dram));
    assert!(gb_per_s(&remote) < 0.8 * gb_per_s(&dram));

    let pinned = BandwidthProbe { pin: Pin::Dimm, threads: 6, dimms: None, ..store };
    assert!(gb_per_s(&pinned) > 13.0);
}

#[test]
fn reads_for_ownership_run_ahead_with_prefetch_and_stores_past_the_caches_do_not() {
    let base = BandwidthProbe { order: Order::Sequential, ..BandwidthProbe::new("dram") };
    let with = |operation, prefetch| BandwidthProbe { operation, prefetch, ..base.clone() };
    let on = system("xeon-8260-optane");

    let [without, ahead] =
        [Some(false), Some(true)].map(|prefetch| gb_per_s(&with(Operation::Store, prefetch)));
    assert!(ahead > 1.3 * without, "{without} and {ahead}");
    for prefetch in [true, false] {
        let message = with(Operation::Ntstore, Some(prefetch)).check(&on).expect_err("no line is read");
        assert_eq!(
            message.to_string(),
            "probe: --prefetch: found ntstore alone, need loads, or stores by --op clwb or store"
        );
    }
    assert!(with(Operation::Ntstore, None).check(&on).is_ok());
    let mixed =
        BandwidthProbe { mix: Some(Mix { reads: 1, writes: 1 }), ..with(Operation::Ntstore, Some(true)) };
    assert!(mixed.check(&on).is_ok());
}

#[test]
fn overwriting_one_block_stalls_rarely_and_long() {
    let probe = HotspotProbe { tier: "pmem".to_owned(), region_bytes: 256, dimms: None };
    let report = hotspot(&system("optane-1dimm"), &probe).expect("a valid probe");

    // USENIX Security'23: 267 ns; 49–54 µs every 2.4–4.8 MB.
    assert!((report.latency_ns.p50 / 267.0 - 1.0).abs() < 0.03, "{}", report.latency_ns.p50);
    assert!((49_000.0..54_000.0).contains(&report.latency_ns.max), "{}", report.latency_ns.max);
    assert!(report.bytes_between_stalls.is_some_and(|bytes| (2.4e6..4.8e6).contains(&bytes)));
}

#[test]
fn a_background_writer_lengthens_the_tail_of_loads() {
    let quiet = LatencyProbe { region_bytes: 1 << 28, ..LatencyProbe::new("pmem") };
    let busy = LatencyProbe { writer_duty_percent: 50.0, ..quiet.clone() };
    let [quiet, busy] = [quiet, busy]
        .map(|probe| latency(&system("optane-1dimm"), &probe).expect("a valid probe").latency_ns);

    assert!(busy.p50 >= quiet.p50 && busy.p99 > quiet.p99 + 50.0, "{quiet:?} {busy:?}");
}

#[test]
fn the_loaded_curve_rises_from_the_idle_latency() {
    let probe = LoadedProbe { tier: "dram".to_owned(), mix: Mix::READS, dimms: None, is_remote: false };
    let curve = loaded(&system("ddr4-2666-1ch"), &probe, &|_| ()).expect("a valid probe").points;

    let (first, last) = (curve[0], curve[curve.len() - 1]);
    assert!(first.gb_per_s < 1.0 && last.gb_per_s > 15.0, "{first:?} {last:?}");
    assert!(last.ns_per_access > 1.05 * first.ns_per_access, "{first:?} {last:?}");
}

#[test]
fn a_chaser_gets_through_among_writes_that_saturate_dram() {
    for (name, idle_ns) in [("ddr4-2666-1ch", 79.0), ("xeon-8260-optane", 101.5)] {
        let probe = LoadedProbe { tier: "dram".to_owned(), mix: Mix::WRITES, dimms: None, is_remote: false };
        let curve = loaded(&system(name), &probe, &|_| ()).expect("a valid probe").points;

        // A drain of 20 writes (the other: 6), none slower than a row cycle of 46.5 ns over four banks at least.
        let drain_ns = 20.0 * 46.5 / 4.0;
        let last = curve[curve.len() - 1];
        assert!(last.ns_per_access > 1.2 * curve[0].ns_per_access, "{name} {curve:?}");
        for point in &curve {
            let rise = point.ns_per_access - idle_ns;
            assert!(rise < drain_ns && point.p99_ns >= point.ns_per_access, "{name} {point:?}");
        }
    }
}

#[test]
fn blocks_of_gibibytes_end_and_measure_what_sequential_blocks_do() {
    let at = |access_bytes| {
        let probe = BandwidthProbe { access_bytes, threads: 2, region_bytes: 1 << 37, ..one_dimm() };
        gb_per_s(&BandwidthProbe { order: Order::Sequential, ..probe })
    };
    assert!((at(1 << 36) / at(1 << 20) - 1.0).abs() < 0.02);
}

#[test]
fn reads_that_buffers_answer_have_no_efficiency() {
    let probe = BandwidthProbe { threads: 1, region_bytes: 4096, ..one_dimm() };
    let report = bandwidth(&system("xeon-8260-optane"), &probe).expect("a valid probe");
    assert_eq!(report.read_efficiency, None, "{report:?}");
}

#[test]
fn a_machine_of_a_measured_curve_measures_that_curve() {
    let mut machine = system("xeon-6240-dram");
    let tier = &mut machine.tiers[0];
    (tier.device, tier.channels_per_socket) = ("curve-xeon-6240".to_owned(), 1);
    let probe = LoadedProbe { tier: "dram".to_owned(), mix: Mix::READS, dimms: None, is_remote: false };

    let curve = loaded(&machine, &probe, &|_| ()).expect("a valid probe").points;

    // Intel MLC: GB/s of both sockets and ns.
    for (gb_per_s, published) in [(12.3, 90.4), (29.1, 93.1), (55.2, 97.3), (87.3, 102.4), (120.5, 106.8)] {
        let after = curve.partition_point(|point| point.gb_per_s < gb_per_s);
        let (low, high) = (curve[after - 1], curve[after]);
        let share = (gb_per_s - low.gb_per_s) / (high.gb_per_s - low.gb_per_s);
        let found = low.ns_per_access + share * (high.ns_per_access - low.ns_per_access);
        assert!((found / published - 1.0).abs() < 0.06, "{gb_per_s} GB/s: {found} ns, published {published}");
    }
}

#[test]
fn the_mean_of_draws_moves_little_with_where_threads_begin() {
    let at = |region_bytes: u64| {
        let store = BandwidthProbe {
            operation: Operation::Ntstore,
            order: Order::Sequential,
            threads: 24,
            region_bytes,
            ..BandwidthProbe::new("dram")
        };
        bandwidth(&system("xeon-8260-optane"), &store).expect("a valid probe")
    };

    let reports = [1024, 1023, 1021].map(|mebibytes| at(mebibytes << 20));

    // Single draws of the same three: 80.1, 91.8 and 79.5 GB/s.
    let means = reports.clone().map(|report| report.gb_per_s);
    let mean = means.iter().sum::<f64>() / 3.0;
    assert!(means.iter().all(|one| (one / mean - 1.0).abs() < 0.05), "{means:?}");
    for BandwidthReport { gb_per_s, spread, .. } in reports {
        assert!(spread.gb_per_s.min < gb_per_s && gb_per_s < spread.gb_per_s.max, "{gb_per_s} {spread:?}");
        assert!(spread.gb_per_s.max / spread.gb_per_s.min > 1.05, "draws begin elsewhere: {spread:?}");
    }
}

#[test]
fn probes_of_six_dimms_meet_wear_levelling_alike_whatever_the_threads() {
    let at = |threads| {
        let mix = Some(Mix { reads: 4, writes: 1 });
        let probe = BandwidthProbe { mix, order: Order::Sequential, threads, ..BandwidthProbe::new("pmem") };
        bandwidth(&system("xeon-8260-optane"), &probe).expect("a valid probe")
    };

    let reports = [19, 20, 21, 24].map(at);

    // One window each: 24.0, 19.2, 25.6 and 16.7 GB/s, with moves in two of them.
    let gb_per_s = reports.clone().map(|report| report.gb_per_s);
    let mean = gb_per_s.iter().sum::<f64>() / 4.0;
    assert!(gb_per_s.iter().all(|one| (one / mean - 1.0).abs() < 0.07), "{gb_per_s:?}");
    for report in reports {
        let efficiency = report.write_efficiency.expect("stores");
        // A block moves for every 56 written: 0.982 of whole lines.
        assert!((0.96..0.985).contains(&efficiency), "{efficiency}");
    }
}

#[test]
fn equal_probes_give_equal_bytes() {
    let probe = BandwidthProbe { mix: Some(Mix { reads: 2, writes: 1 }), threads: 3, ..one_dimm() };
    assert_eq!(gb_per_s(&probe).to_bits(), gb_per_s(&probe).to_bits());
}

#[test]
fn options_that_do_not_fit_are_refused_with_the_range() {
    let refuse = |probe: BandwidthProbe, expected: &str| {
        let error = bandwidth(&system("xeon-8260-optane"), &probe).expect_err("refused").to_string();
        assert!(error.contains(expected), "{error}");
    };
    let base = BandwidthProbe::new("pmem");
    refuse(
        BandwidthProbe { tier: "cxl".into(), ..base.clone() },
        "--tier: found cxl, need one of dram, pmem",
    );
    refuse(BandwidthProbe { threads: 49, ..base.clone() }, "--threads: found 49, need 1 to 48");
    refuse(BandwidthProbe { threads: 0, ..base.clone() }, "--threads: found 0, need 1 to 48");
    refuse(BandwidthProbe { dimms: Some(7), ..base.clone() }, "--dimms: found 7, need 1 to 6");
    refuse(
        BandwidthProbe { access_bytes: 100, ..base.clone() },
        "--access: found 100, need a multiple of 64",
    );
    refuse(
        BandwidthProbe { order: Order::Stride(128), ..base.clone() },
        "need a stride of at least --access, 256",
    );
    refuse(
        BandwidthProbe { region_bytes: 64, ..base.clone() },
        "--access: found 256 B, need a --region of at least 256 B (found 64 B)",
    );
    refuse(
        BandwidthProbe { power_w: Some(11.0), ..base.clone() },
        "--power-w: found 11, need 12 to 18 in steps of 0.25",
    );
    refuse(
        BandwidthProbe { tier: "dram".into(), power_w: Some(15.0), ..base },
        "--power-w: found 15, need a tier",
    );

    let crowded =
        BandwidthProbe { threads: 24, region_bytes: 512, dimms: Some(1), ..BandwidthProbe::new("pmem") };
    assert!(bandwidth(&system("xeon-8260-optane"), &crowded).is_ok(), "random threads share two blocks");

    let store = LatencyProbe { operation: Operation::Store, ..LatencyProbe::new("pmem") };
    assert!(latency(&system("optane-1dimm"), &store).is_err());
}

#[test]
fn stores_are_reported_with_a_fence_and_without_whatever_the_pattern() {
    let report = |pattern, operation| {
        let probe = LatencyProbe { pattern, operation, region_bytes: 1 << 20, ..LatencyProbe::new("pmem") };
        latency(&system("optane-1dimm"), &probe).expect("a valid probe")
    };

    let sequential = report(Pattern::Sequential, Operation::Ntstore);
    let random = report(Pattern::Random, Operation::Ntstore);
    let load = report(Pattern::Random, Operation::Load);

    assert_eq!(Some(sequential.ns_per_access), sequential.fenced_ns_per_access);
    assert_eq!(Some(random.ns_per_access), random.sustained_ns_per_access);
    for store in [sequential, random] {
        assert_eq!(store.fenced_ns_per_access, Some(store.latency_ns.mean));
        assert!(store.sustained_ns_per_access < store.fenced_ns_per_access, "{store:?}");
    }
    assert_eq!((load.fenced_ns_per_access, load.sustained_ns_per_access), (None, None));
}

#[test]
fn fences_among_loads_alone_are_refused() {
    let loads = BandwidthProbe { fence_bytes: Some(256), ..BandwidthProbe::new("pmem") };

    let message = bandwidth(&system("optane-1dimm"), &loads).unwrap_err().to_string();

    assert_eq!(message, "probe: --fence-every: found loads alone, need stores, by --op or --mix");
    let mixed = BandwidthProbe { mix: Some(Mix { reads: 1, writes: 1 }), ..loads };
    assert!(bandwidth(&system("optane-1dimm"), &mixed).is_ok());
}

/// Yang et al., FAST'20, section 5.4: on the other socket, idle random reads take 1.20 times as long, stores past the
/// caches 2.53 times, stores with clwb 1.68 times; ten threads read 59 % of the local best, four write 62 %.
#[test]
fn another_sockets_pmem_is_as_far_away_as_measured() {
    let idle = |operation, pattern, is_remote| {
        let base = LatencyProbe { operation, pattern, is_remote, ..LatencyProbe::new("pmem") };
        let probe = LatencyProbe { dimms: Some(1), ..base };
        latency(&system("xeon-8260-optane"), &probe).expect("a valid probe").ns_per_access
    };
    let best = |operation, threads, is_remote| {
        let order = Order::Sequential;
        gb_per_s(&BandwidthProbe { operation, threads, is_remote, order, ..BandwidthProbe::new("pmem") })
    };

    for (operation, pattern, published) in [
        (Operation::Load, Pattern::Random, 1.20),
        (Operation::Ntstore, Pattern::Sequential, 2.53),
        (Operation::Clwb, Pattern::Sequential, 1.68),
    ] {
        let ratio = idle(operation, pattern, true) / idle(operation, pattern, false);
        assert!((ratio / published - 1.0).abs() < 0.15, "{operation:?} {ratio}");
    }
    let reads = best(Operation::Load, 10, true) / best(Operation::Load, 16, false);
    let writes = best(Operation::Ntstore, 4, true) / best(Operation::Ntstore, 4, false);
    assert!((reads / 0.592 - 1.0).abs() < 0.15, "{reads}");
    assert!((writes / 0.617 - 1.0).abs() < 0.15, "{writes}");
}

#[test]
fn loads_of_lines_that_are_never_stored_write_nothing_to_another_sockets_memory() {
    let mixed =
        BandwidthProbe { mix: Some(Mix { reads: 4, writes: 1 }), threads: 8, ..BandwidthProbe::new("pmem") };
    let efficiency = |order| {
        let probe = BandwidthProbe { order, is_remote: true, ..mixed.clone() };
        let report = bandwidth(&system("xeon-8260-optane"), &probe).expect("a valid probe");
        report.write_efficiency.expect("stores")
    };

    // In order, loads and stores have halves of their own. At random a fifth of the four loads for each store write
    // state besides.
    assert!(efficiency(Order::Sequential) > 0.9, "{}", efficiency(Order::Sequential));
    assert!(efficiency(Order::Random) < 1.0 / 1.8, "{}", efficiency(Order::Random));
}

#[test]
fn remote_write_backs_in_order_pile_up_on_one_dimm_and_lose_combining_there() {
    let base = BandwidthProbe {
        operation: Operation::Clwb,
        order: Order::Sequential,
        ..BandwidthProbe::new("pmem")
    };
    let [together, apart] = [Pin::None, Pin::Dimm].map(|pin| {
        let probe = BandwidthProbe { threads: 24, is_remote: true, pin, ..base.clone() };
        bandwidth(&system("xeon-8260-optane"), &probe).expect("a valid probe")
    });

    // Every line is written twice, once for its state.
    assert!(apart.write_efficiency.is_some_and(|share| (0.4..0.5).contains(&share)), "{apart:?}");
    assert!(together.write_efficiency < apart.write_efficiency, "{together:?}");
    assert!(together.gb_per_s < apart.gb_per_s, "{together:?} {apart:?}");
}

#[test]
fn what_a_system_cannot_serve_is_refused_before_any_run_with_flag_and_system() {
    let cores = system("xeon-6240-dram").cores();
    let dram = |threads| BandwidthProbe { threads, ..BandwidthProbe::new("dram") };
    assert!(dram(cores).check(&system("xeon-6240-dram")).is_ok());
    let large = BandwidthProbe { access_bytes: 2 << 30, ..dram(1) };
    let wide = BandwidthProbe { region_bytes: 1 << 50, ..dram(1) };
    let few = LoadedProbe { tier: "dram".to_owned(), mix: Mix::READS, dimms: Some(7), is_remote: false };
    let blocks = LatencyProbe { block_bytes: 2 << 30, ..LatencyProbe::new("dram") };
    let on = system("xeon-6240-dram");

    let refusals = [
        (
            dram(cores + 1).check(&on),
            format!("probe on xeon-6240-dram: --threads: found {}, need 1 to {cores}", cores + 1),
        ),
        (
            large.check(&on),
            "probe on xeon-6240-dram: --access: found 2 GiB, need a --region of at least 2 GiB (found 1 GiB)"
                .to_owned(),
        ),
        (
            wide.check(&on),
            "probe on xeon-6240-dram: --region: found 1024 TiB, need at most 192 GiB".to_owned(),
        ),
        (few.check(&on), "probe on xeon-6240-dram: --dimms: found 7, need 1 to 6".to_owned()),
        (blocks.check(&on), "probe: --block: found 2 GiB, need at most --region, 1 GiB".to_owned()),
        (
            BandwidthProbe::new("pmem").check(&on),
            "probe on xeon-6240-dram: --tier: found pmem, need one of dram".to_owned(),
        ),
    ];

    for (refusal, expected) in refusals {
        let message = refusal.expect_err(&expected).to_string();
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn regions_that_are_no_whole_blocks_are_refused() {
    let hot = HotspotProbe { tier: "pmem".to_owned(), region_bytes: 320, dimms: None };
    let chase = LatencyProbe { region_bytes: 320, block_bytes: 256, ..LatencyProbe::new("pmem") };
    let on = system("optane-1dimm");

    for refusal in [hot.check(&on), chase.check(&on)] {
        let message = refusal.expect_err("a block and a quarter").to_string();
        assert_eq!(message, "probe: --region: found 320 B, need a multiple of the block, 256 B");
    }
    assert!(HotspotProbe { region_bytes: 512, ..hot }.check(&on).is_ok());
    assert!(LatencyProbe { block_bytes: 64, ..chase }.check(&on).is_ok());
}

#[test]
fn only_memory_that_wears_has_a_hot_spot() {
    let on = |tier: &str| HotspotProbe { tier: tier.to_owned(), region_bytes: 256, dimms: None };

    assert!(on("pmem").check(&system("optane-1dimm")).is_ok());
    for (name, tier) in [("ddr4-2666-1ch", "dram"), ("xeon-8470-cxl", "cxl")] {
        let message = hotspot(&system(name), &on(tier)).expect_err("nothing wears").to_string();
        assert!(
            message.starts_with(&format!("probe on {name}: --tier: found {tier}, need a tier of persistent")),
            "{message}"
        );
    }
}

#[test]
fn a_loaded_curve_says_how_many_sockets_it_adds_up_and_tells_its_progress() {
    let probe = LoadedProbe { tier: "dram".to_owned(), mix: Mix::READS, dimms: Some(1), is_remote: false };
    let shares = std::sync::Mutex::new(Vec::new());
    let two = system("xeon-8260-optane");
    let one = System { sockets: 1, ..two.clone() };

    let curve =
        loaded(&two, &probe, &|share| shares.lock().expect("no panic").push(share)).expect("a valid probe");
    let half = loaded(&one, &probe, &|_| ()).expect("a valid probe");

    assert_eq!((curve.sockets, half.sockets), (2, 1));
    let last = |report: &LoadedReport| report.points.last().expect("points").gb_per_s;
    assert!((last(&curve) / last(&half) - 2.0).abs() < 1e-9);
    let shares = shares.into_inner().expect("no panic");
    assert_eq!(shares.len(), curve.points.len());
    assert!(shares.contains(&1.0) && shares.iter().all(|share| *share > 0.0));
}
