use std::collections::BTreeMap;

use hetier_sim::result::{
    NearMemory, OverheadResult, PhaseResult, RunResult, Share, Stage, TierResult, Traffic,
};

use super::*;
use crate::entry::Entry;

fn refused(from: &str, to: &str) -> String {
    let text = SHIPPED[0].1;
    assert!(text.contains(from), "{from}");
    Experiment::parse("x.toml", &text.replacen(from, to, 1)).unwrap_err().to_string()
}

fn result(run: &str, seconds: f64, peak: u64) -> Outcome {
    let share = Share { count: 2644, simulated_seconds: Some(seconds / 2.0), ..Share::default() };
    let mut tier = TierResult { read_bytes: 4_000_000_000, ..TierResult::default() };
    tier.buffer_hit_rate.read = Some(0.7);
    let mut devices = BTreeMap::from([("dram".to_owned(), tier)]);
    if run != "dram-only" {
        devices.insert("pmem".to_owned(), tier);
    }
    Outcome::Ran(Box::new(RunResult {
        mode: run.to_owned(),
        simulated_seconds: seconds,
        whole_run_seconds: seconds + 10.0,
        peak_footprint_bytes: peak,
        threads: 48,
        devices,
        by_operation: BTreeMap::from([("Convolution".to_owned(), share)]),
        overhead: Some(OverheadResult { serial_seconds: seconds * 0.8, ..OverheadResult::default() }),
        ..RunResult::default()
    }))
}

/// The quick part of the shipped experiment with made-up results.
fn sweep() -> Sweep {
    let experiment = load("lloret2021").unwrap().quick();
    let cell =
        |run: &str, outcome| Cell { network: "mobilenetv2-0.35-96".to_owned(), run: run.to_owned(), outcome };
    let cells = vec![
        cell("dram-only", result("dram-only", 665.0, 71_000_000_000)),
        cell("memory-mode", result("memory-mode", 700.0, 71_000_000_000)),
    ];
    Sweep { experiment, cells, facts: BTreeMap::new() }
}

#[test]
fn the_shipped_experiment_holds_the_whole_model_sweep() {
    let experiment = load("lloret2021").unwrap();

    assert_eq!(experiment.network.iter().filter(|network| !network.trace_only).count(), 31);
    assert_eq!(Sweep::jobs(&experiment).len(), 31 * 2 + 3 * 3 + 2);
    assert_eq!(Sweep::jobs(&experiment.quick()), [(0, 0), (0, 1)]);
    assert!(load("lloret").unwrap_err().to_string().contains("lloret2021"));
}

#[test]
fn wrong_experiments_are_refused_with_file_and_reason() {
    let long = format!("[[run]]\nname = \"{}\"", "x".repeat(101));
    let cases = [
        ("seeds = 1", "seeds = 0", "settings.seeds: found 0"),
        ("threads = 48", "thread = 48", "settings: found unknown key thread"),
        ("metric = \"peak_gb\"", "metric = \"peak\"", "metric: found peak, need one of inference_seconds"),
        ("run = \"dram-only\"", "run = \"dram\"", "found run dram, need one of dram-only"),
        ("    \"cpu-use-over-time\"", "    \"cpu\"", "figures: found cpu"),
        ("against = \"dram-only\"\n", "", "goes with a slowdown"),
        (
            "against = \"dram-only\"",
            "against = \"memory-mode\"",
            "against: found memory-mode, its own run, need",
        ),
        ("parts = [", "parts = [\"dram-only\", ", "parts: found dram-only, its own run or that of `against`"),
        (
            "run = \"dram-only\"\nmetric = \"peak_gb\"",
            "metric = \"peak_gb\"",
            "peak_gb is a number of a replay",
        ),
        (
            "run = \"dram-only\"\nmetric = \"peak_gb\"",
            "run = \"dram-only\"\nmetric = \"pool_gb\"",
            "pool_gb is a number of the trace, need no `run`",
        ),
        (
            "run = \"dram-only\"\nmetric = \"peak_gb\"",
            "run = \"memory-mode\"\nmetric = \"does_not_fit\"",
            "run memory-mode ends where a network does not fit, need only_if_it_fits",
        ),
        (
            "network = \"mobilenetv2-0.35-96\"\nrun",
            "network = \"resnet50-v1\"\nrun",
            "run dram-only leaves network resnet50-v1 out",
        ),
        ("name = \"lloret2021\"", "name = \"../../x\"", "name: found \"../../x\", need one for files"),
        ("[[run]]\nname = \"dram-only\"", "[[run]]\nname = \"dram/only\"", "name: found \"dram/only\""),
        (
            "role = \"calibrated\"",
            "role = \"fitted\"",
            "point.role: found fitted, need calibrated or predicted",
        ),
        (
            "[[run]]\nname = \"dram-only\"",
            "[[run]]\nname = \"memory_mode\"",
            "run memory-mode: found the file name memory-mode of run memory_mode",
        ),
        ("[[run]]\nname = \"dram-only\"", "[[run]]\nname = \"記憶\"", "run 記憶: found no ASCII letter"),
        ("[[run]]\nname = \"dram-only\"", &long, "name: found 101 bytes"),
        (
            "[[network]]\nname = \"mobilenetv2-0.35-96\"",
            "[[network]]\nname = \"mobilenetv2-0.35-96\"\ndegree = 8192",
            "network mobilenetv2-0.35-96: found degree alone, need degree and primes together",
        ),
        ("\ntitle = \"", "\ntitle = \"two\\nlines ", "title: found '\\n' in \"two\\nlines"),
        ("\n[[point]]\nname = \"", "\n[[point]]\nname = \"\\t", "point: name: found '\\t'"),
    ];
    for (from, to, expected) in cases {
        let message = refused(from, to);

        assert!(message.starts_with("x.toml: ") && message.contains(expected), "{message}");
    }
}

#[test]
fn points_pass_up_to_their_tolerance_and_not_beyond() {
    let mut sweep = sweep();
    let of = |sweep: &Sweep, name: &str| {
        judge(sweep).into_iter().find(|judged| judged.point.name.contains(name)).unwrap()
    };

    let time = of(&sweep, "Memory Mode, inference");
    assert_eq!(time.simulated, Some(700.0));
    assert!((time.error_percent.unwrap() - (700.0 / 718.0 - 1.0) * 100.0).abs() < 1e-9 && time.passes);
    // 700 ÷ 665 is 2.5 % below 718 ÷ 665; the tolerance is 2 %.
    assert!(!of(&sweep, "over DRAM only").passes);
    let facts = TraceFacts {
        operations: BTreeMap::from([("Convolution".to_owned(), 2644)]),
        ..TraceFacts::default()
    };
    sweep.facts.insert("mobilenetv2-0.35-96".to_owned(), facts);
    assert!(of(&sweep, "operations: Convolution").passes);
    assert_eq!(of(&sweep, "operations: Slice").simulated, None);
    assert!(!of(&sweep, "operations: Slice").passes);

    sweep.experiment.point[0].tolerance_percent = 0.0;
    assert!(judge(&sweep)[0].passes);
}

#[test]
fn a_point_without_a_run_is_held_against_the_trace() {
    let mut sweep = sweep();
    let of = |sweep: &Sweep| {
        let mut judged = judge(sweep).into_iter();
        judged.find(|judged| judged.point.name == "0.35/96 outputs of convolutions").unwrap()
    };
    assert!(!of(&sweep).passes && of(&sweep).simulated.is_none());

    let facts = |count| TraceFacts {
        primitives: BTreeMap::from([("add-scalar".to_owned(), count)]),
        ..TraceFacts::default()
    };
    for (count, passes) in [(526_808, true), (526_860, true), (526_861, false)] {
        sweep.facts.insert("mobilenetv2-0.35-96".to_owned(), facts(count));
        assert_eq!(of(&sweep).passes, passes, "{count}");
    }
}

#[test]
fn calls_of_several_primitives_are_added() {
    let primitives = BTreeMap::from([("multiply".to_owned(), 3), ("square".to_owned(), 4)]);
    let facts = TraceFacts { primitives, ..TraceFacts::default() };

    assert_eq!(Metric::Calls("multiply+square".to_owned()).of_trace(&facts), Some(7.0));
    assert_eq!(Metric::Calls("multiply+rotate".to_owned()).of_trace(&facts), None);
    assert_eq!(Metric::PeakGigabytes.of_trace(&facts), None);
}

#[test]
fn calls_and_phases_are_counted_by_name() {
    let phase = |name: &str, operation: &str, adds| PhaseCounts {
        name: name.to_owned(),
        operation: operation.to_owned(),
        primitives: BTreeMap::from([("add".to_owned(), adds)]),
    };
    let phases = vec![
        phase("stem", "Convolution", 3),
        phase("block0.depthwise.0", "Convolution", 4),
        phase("block0.depthwise.0.data", "Slice", 5),
    ];
    let facts = TraceFacts { phases, ..TraceFacts::default() };
    let number = |text: &str| text.parse::<Metric>().unwrap().of_trace(&facts);

    assert_eq!(number("calls:add@stem"), Some(3.0));
    assert_eq!(number("calls:add@logits"), None);
    assert_eq!(number("phases:Convolution:.depthwise."), Some(1.0));
    assert_eq!(number("phases:Convolution:!.depthwise."), Some(1.0));
    assert_eq!(number("phases:Slice:block0"), Some(1.0));
    assert_eq!(number("phases:Slice:block1"), Some(0.0));
    assert_eq!(number("phases:Slices:block0"), None);
}

#[test]
fn network_that_does_not_fit_is_a_number_too() {
    let mut sweep =
        Sweep { experiment: load("lloret2021").unwrap(), cells: Vec::new(), facts: BTreeMap::new() };
    let of = |sweep: &Sweep| {
        let judged = judge(sweep).into_iter().find(|judged| judged.point.metric == Metric::DoesNotFit);
        judged.unwrap()
    };

    assert_eq!(of(&sweep).simulated, None);
    sweep.cells.push(Cell {
        network: "resnet50".to_owned(),
        run: "dram-only".to_owned(),
        outcome: Outcome::DoesNotFit { needed_bytes: 2, capacity_bytes: 1 },
    });
    assert!(of(&sweep).passes && of(&sweep).simulated == Some(1.0));
}

#[test]
fn only_what_a_point_needs_is_replayed() {
    for name in names() {
        let experiment = load(name).unwrap().pointed();
        let jobs = Sweep::jobs(&experiment);
        for &(network, run) in &jobs {
            let (label, run) = (experiment.network[network].label(), &experiment.run[run].name);
            let needs = |point: &Point| point.network == label && point.runs().any(|name| name == run);
            assert!(experiment.point.iter().any(needs), "{name}: {label} on {run}");
        }
        let replayed = experiment.point.iter().filter(|point| point.run.is_some()).count();
        assert_eq!(replayed > 0, !jobs.is_empty(), "{name}");
    }
}

#[test]
fn only_what_is_held_against_a_publication_has_seeds_of_its_own() {
    let experiment = load("lloret2021").unwrap();
    let network = |label: &str| experiment.network.iter().find(|network| network.label() == label).unwrap();
    let run = |name: &str| experiment.run.iter().find(|run| run.name == name).unwrap();
    let seeds = |label: &str, name: &str| experiment.seeds(network(label), run(name));

    assert_eq!(seeds("mobilenetv2-0.35-96", "memory-mode"), 3);
    assert_eq!(seeds("mobilenetv2-0.35-96", "dram-only"), 3);
    assert_eq!(seeds("mobilenetv2-0.35-96", "app-direct-by-class"), 1);
    assert_eq!(seeds("mobilenetv2-0.5-96", "memory-mode"), 1);
}

#[test]
fn metrics_read_back_as_they_are_written() {
    for text in [
        "peak_gb",
        "live_gb",
        "pool_gb",
        "does_not_fit",
        "elements:input",
        "object_kib:input",
        "phases:Convolution:!.depthwise.",
        "calls:add+copy@conv1",
        "thread_seconds:rescale",
        "core_gb_per_s:copy",
        "calls:add+copy",
        "pmem_read_buffer_hit_rate",
        "operations:Add",
        "microseconds:apply",
        "slowdown",
    ] {
        assert_eq!(text.parse::<Metric>().unwrap().to_string(), text);
    }
    assert!("seconds".parse::<Metric>().unwrap_err().contains("seconds:NAME"));
}

#[test]
fn the_report_has_page_tables_figures_and_results_and_repeats() {
    let files = report_files(&sweep()).unwrap();

    let names: Vec<String> = files.iter().map(|file| file.path.display().to_string()).collect();
    for expected in [
        "report.md",
        "tables/sweep.csv",
        "tables/points.tex",
        "tables/operations-mobilenetv2-0.35-96.csv",
        "figures/run-time-by-network.svg",
        "figures/slowdown-by-network.csv",
        "results/mobilenetv2-0.35-96-memory-mode.json",
    ] {
        assert!(names.iter().any(|name| name == expected), "{expected} in {names:?}");
    }
    let page = String::from_utf8(files[0].bytes.clone()).unwrap();
    assert!(page.contains("calibrated overhead") && page.contains(": 1.053× the time"), "{page}");
    assert_eq!(files, report_files(&sweep()).unwrap());
}

#[test]
fn loads_are_counted_once_and_tag_checks_are_not_loads() {
    let mut sweep = sweep();
    let Outcome::Ran(result) = &mut sweep.cells[1].outcome else { panic!("it ran") };
    let share = result.by_operation.get_mut("Convolution").unwrap();
    // 5 million reads hit and 3 million miss; other reads of DRAM are tag checks of writes.
    share.loads = BTreeMap::from([("dram".to_owned(), 5_000_000), ("pmem".to_owned(), 3_000_000)]);
    share.bytes.insert("dram_read_bytes".to_owned(), 64 * 10_000_000);

    let table = operations(&sweep, "mobilenetv2-0.35-96");

    let row = table.rows.iter().find(|row| row[0] == Entry::from("memory-mode")).unwrap();
    let entry = |head: &str| row[table.heads.iter().position(|own| own == head).unwrap()].raw();
    assert_eq!(
        [entry("DRAM loads (10⁶)"), entry("PMem loads (10⁶)"), entry("loads PMem ÷ DRAM")],
        ["5", "3", "0.6"]
    );
}

#[test]
fn classes_say_what_they_are_and_empty_ones_are_left_out() {
    let mut sweep = sweep();
    let Outcome::Ran(result) = &mut sweep.cells[1].outcome else { panic!("it ran") };
    let mut share = Share::default();
    share.add_traffic("dram", Traffic { read_bytes: 1_000_000_000, write_bytes: 0 });
    share.add_traffic("pmem", Traffic { read_bytes: 2_000_000_000, write_bytes: 1_000_000_000 });
    result.by_class.insert("ciphertext".to_owned(), share);

    let csv = classes(&sweep, "mobilenetv2-0.35-96").to_csv();

    // 3 of 4 GB are PMem's.
    assert_eq!(csv.lines().nth(1), Some("memory-mode,ciphertext,activations,,,1,0,2,1,,,75"), "{csv}");
    assert_eq!(csv.lines().count(), 2);
}

#[test]
fn the_page_says_why_a_peak_is_off_and_that_runs_are_samples() {
    let mut sweep = sweep();
    let Outcome::Ran(result) = &mut sweep.cells[0].outcome else { panic!("it ran") };
    result.sampled_share = Some(0.05);
    result.peak_footprint_bytes = 74_000_000_000;
    result.overhead = Some(OverheadResult {
        ciphertexts_written: 4_000_000,
        retained_bytes: 4_000_000_000,
        ..OverheadResult::default()
    });

    let page = String::from_utf8(report_files(&sweep).unwrap()[0].bytes.clone()).unwrap();

    assert!(page.contains("of their calls 5.00 % were simulated"), "{page}");
    // 71 published less 74 - 4 simulated leave 1 GB for 4 million ciphertexts; the constant gave 4 GB.
    assert!(page.contains("is 70.00 GB of the 71.00 published"), "{page}");
    assert!(page.contains("1.00 GB, would be 250 bytes for each of 4.0 million"), "{page}");
    assert!(page.contains("is 1000 bytes each, which leaves +4.2 %"), "{page}");
}

#[test]
fn what_does_not_fit_is_named_with_its_size() {
    let mut sweep = sweep();
    sweep.cells[0].outcome = Outcome::DoesNotFit { needed_bytes: 300_000_000_000, capacity_bytes: 192 << 30 };

    let table = sweep_table(&sweep);

    let entry = |head: &str| &table.rows[0][table.heads.iter().position(|own| own == head).unwrap()];
    assert_eq!(
        [entry("fits"), entry("peak (GB)"), entry("capacity (GB)")].map(Entry::raw),
        ["no", "300", "206.158430208"]
    );
    assert_eq!(summary(&sweep).rows[0][2].shown(), "does not fit");
    assert_eq!(sweep.slowdown("mobilenetv2-0.35-96", "memory-mode"), None);
    let page = String::from_utf8(report_files(&sweep).unwrap()[0].bytes.clone()).unwrap();
    assert!(page.contains("DRAM only: 1 of 1 networks do not fit 206 GB (192 GiB)"), "{page}");
}

#[test]
fn a_terminal_shows_points_in_narrow_rows_and_each_source_once() {
    let judged = judge(&sweep());
    let count = judged
        .iter()
        .map(|judged| judged.point.source.as_str())
        .collect::<std::collections::BTreeSet<_>>()
        .len();

    let text = points_text(&judged);

    let (rows, legend) = text.split_once("\n\n").unwrap();
    assert_eq!(rows.lines().count(), judged.len() + 2, "heads, a rule and a row a point");
    assert!(rows.lines().all(|row| row.chars().count() <= 130), "{rows}");
    assert_eq!(legend.lines().count(), count);
    assert!(legend.starts_with(&format!("[1] {}\n", judged[0].point.source)) && rows.contains("[1]"));
}

#[test]
fn a_run_in_dram_only_is_not_the_fastest_with_pmem() {
    let fastest = |mode: &str| {
        let mut sweep = sweep();
        for cell in &mut sweep.cells {
            let Outcome::Ran(result) = &mut cell.outcome else { panic!("it ran") };
            // The machine has PMem in every mode.
            result.devices.insert("pmem".to_owned(), TierResult::default());
            if cell.run == "dram-only" {
                mode.clone_into(&mut result.mode);
            }
        }
        let files = report_files(&sweep).unwrap();
        let page = files.iter().find(|file| file.path.ends_with("report.md")).unwrap();
        String::from_utf8(page.bytes.clone()).unwrap().contains("the fastest with PMem is")
    };

    assert!(fastest("app-direct"));
    assert!(!fastest("dram-only"));
}

/// A study of two networks on two runs.
fn study(networks: [&str; 2], runs: [&str; 2]) -> Result<Experiment, crate::Error> {
    let mut text = "name = 'x'\ntitle = 'x'\nsource = 'x'\nfigures = []\n\n\
                    [settings]\nfidelity = 'stream'\nseed = 0\nseeds = 1\n"
        .to_owned();
    for run in runs {
        text += &format!("[[run]]\nname = '{run}'\ntitle = 'x'\nsystem = 'x'\nmode = 'dram-only'\n");
    }
    for network in networks {
        text += &format!("[[network]]\nname = 'x'\nlabel = '{network}'\n");
    }
    Experiment::parse("x.toml", &text)
}

#[test]
fn names_that_would_share_a_file_are_refused() {
    let refused = |networks, runs| study(networks, runs).unwrap_err().to_string();

    assert_eq!(
        refused(["digits a", "digits_a"], ["r", "s"]),
        "x.toml: network digits_a: found the file name digits-a of network digits a, need names that differ in ASCII \
         letters or digits"
    );
    let pair = refused(["a", "a-b"], ["b-c", "c"]);
    assert!(
        pair.contains("network a-b on run c: found the file name a-b-c of network a on run b-c"),
        "{pair}"
    );
    assert!(study(["a", "b"], ["b-c", "c"]).is_ok());
}

fn replay_of<'s>(sweep: &'s mut Sweep, run: &str) -> &'s mut RunResult {
    let cell = sweep.cells.iter_mut().find(|cell| cell.run == run).unwrap();
    let Outcome::Ran(result) = &mut cell.outcome else { panic!("it ran") };
    result
}

fn page_of(sweep: &Sweep) -> String {
    String::from_utf8(report_files(sweep).unwrap()[0].bytes.clone()).unwrap()
}

#[test]
fn messages_are_more_than_near_memory_only_with_the_ciphertexts_that_they_are_made_of() {
    let page = |capacity_bytes, convolution| {
        let mut sweep = sweep();
        let of = |number| BTreeMap::from([("layer.request".to_owned(), number)]);
        let phase =
            PhaseCounts { name: "layer".to_owned(), operation: "Relu".to_owned(), ..PhaseCounts::default() };
        let facts = TraceFacts {
            elements: of(96),
            object_bytes: of(500_000_000),
            phases: vec![phase],
            ..TraceFacts::default()
        };
        sweep.facts.insert("mobilenetv2-0.35-96".to_owned(), facts);
        for (run, relu, convolution) in [("dram-only", 100.0, 200.0), ("memory-mode", 110.0, convolution)] {
            let share = |seconds| Share { simulated_seconds: Some(seconds), ..Share::default() };
            let of = [("Relu", share(relu)), ("Convolution", share(convolution))];
            replay_of(&mut sweep, run).by_operation = of.map(|(name, share)| (name.to_owned(), share)).into();
        }
        let near = NearMemory { capacity_bytes, ..NearMemory::default() };
        replay_of(&mut sweep, "memory-mode").near_memory = Some(near);
        page_of(&sweep)
    };
    let says_so = |page: &str| page.contains("they are 96.0 GB, more than near memory");

    // 96 messages of 0.5 GB, and as many ciphertexts.
    assert!(says_so(&page(95_999_999_999, 210.0)));
    assert!(!page(96_000_000_000, 210.0).contains("more than near memory"));
    let less = "loses less: 5.00 % of its time on DRAM only, Relu 10.0 %.";
    assert!(page(1, 210.0).contains(less), "{}", page(1, 210.0));
    assert!(says_so(&page(1, 220.0)) && !page(1, 220.0).contains("loses less"));
}

#[test]
fn a_penalty_that_is_none_is_not_explained() {
    let page = |seconds: f64, part: f64, published: f64| {
        let mut sweep = sweep();
        sweep.experiment.run = load("lloret2021").unwrap().run;
        let run = "memory-mode-machine-all-in-dram".to_owned();
        let outcome = result("app-direct", part, 71_000_000_000);
        sweep.cells.push(Cell { network: "mobilenetv2-0.35-96".to_owned(), run, outcome });
        replay_of(&mut sweep, "memory-mode").simulated_seconds = seconds;
        for point in sweep.experiment.point.iter_mut().filter(|point| point.metric == Metric::Slowdown) {
            (point.published, point.tolerance_percent) = (published, 0.01);
        }
        page_of(&sweep)
    };
    let parts = |seconds, part| page(seconds, part, 1.08).contains(" are left. Together");
    let missing =
        |seconds, published| page(seconds, 680.0, published).contains("s between them were overhead");

    // DRAM only takes 665 s, and 700 s are 1.053 times that.
    assert!(parts(700.0, 680.0) && !parts(660.0, 680.0) && !parts(700.0, 660.0));
    assert!(missing(700.0, 1.06) && !missing(700.0, 1.05) && !missing(660.0, 1.05));
}

#[test]
fn tables_for_people_have_what_cxl_moved() {
    let mut sweep = sweep();
    let run = replay_of(&mut sweep, "memory-mode");
    run.devices.insert("cxl".to_owned(), TierResult { read_bytes: 97_000_000_000, ..TierResult::default() });
    let bytes = BTreeMap::from([("cxl_read_bytes".to_owned(), 96_000_000_000)]);
    let share = Share { bytes, simulated_seconds: Some(1.0), ..Share::default() };
    run.by_operation.insert("Convolution".to_owned(), share.clone());
    run.by_class.insert("ciphertext".to_owned(), share);

    let appendix = String::from_utf8(report_files(&sweep).unwrap()[1].bytes.clone()).unwrap();

    let tables: Vec<&str> = appendix.split("\n## ").collect();
    for (table, number) in [
        ("Memory Mode", "97.00"),
        ("mobilenetv2-0.35-96, Memory Mode", "96.0"),
        ("mobilenetv2-0.35-96: classes", "96.0"),
    ] {
        let own = tables.iter().find(|text| text.starts_with(table)).expect(table);
        assert!(own.contains("CXL read (GB)") && own.contains(number), "{own}");
    }
}

#[test]
fn pools_of_tiers_cost_room_only_in_app_direct_and_beside_as_many_threads() {
    let says_so = |mode: &str, threads| {
        let mut sweep = sweep();
        let placed = replay_of(&mut sweep, "memory-mode");
        (placed.placement, placed.mode) = ("by-class".to_owned(), mode.to_owned());
        placed.threads = threads;
        placed.peak_footprint_bytes = 80_000_000_000;
        page_of(&sweep).contains("every tier has a pool of its own")
    };

    assert!(says_so("app-direct", 48));
    assert!(!says_so("memory-mode", 48));
    assert!(!says_so("app-direct", 96));
}

#[test]
fn only_slowdowns_over_the_first_run_are_drawn_as_published() {
    let published = |against: &str| {
        let mut sweep = sweep();
        let is_ratio = |point: &&mut Point| point.metric == Metric::Slowdown;
        for point in sweep.experiment.point.iter_mut().filter(is_ratio) {
            point.against = Some(against.to_owned());
        }
        let files = report_files(&sweep).unwrap();
        let csv = files.iter().find(|file| file.path.ends_with("slowdown-by-network.csv")).unwrap();
        let text = String::from_utf8(csv.bytes.clone()).unwrap();
        let row = text.lines().find(|row| row.contains(",memory-mode,")).unwrap();
        !row.ends_with(',')
    };

    assert!(published("dram-only"));
    assert!(!published("memory-mode"));
}

#[test]
fn the_page_says_of_which_seeds_its_numbers_are() {
    let mut sweep = sweep();
    assert!(page_of(&sweep).contains("One seed each"));

    replay_of(&mut sweep, "memory-mode").seeds = Some(4);

    let page = page_of(&sweep);
    assert!(page.contains("Of 4 seeds, numbers are those of the run of median time"), "{page}");
    assert!(page.contains("Those of the other 1 stand without a spread."), "{page}");
}

#[test]
fn the_page_says_what_of_a_slowdown_is_left_without_some_of_its_causes() {
    let mut sweep = sweep();
    sweep.experiment.run = load("lloret2021").unwrap().run;
    let outcome = result("app-direct", 680.0, 71_000_000_000);
    let run = "memory-mode-machine-all-in-dram".to_owned();
    sweep.cells.push(Cell { network: "mobilenetv2-0.35-96".to_owned(), run, outcome });

    let page = page_of(&sweep);

    assert!(page.contains("of those 35.0 s, 15.0 s in \"The machine of Memory Mode"), "{page}");
    assert!(!page.contains("the fastest with PMem is The machine"), "{page}");
}

#[test]
fn sampling_errors_are_shares_of_the_whole_run() {
    let mut sweep = sweep();
    let run = replay_of(&mut sweep, "dram-only");
    // The whole run takes 675 s, the inference 665.
    (run.sampled_share, run.sampling_error_seconds) = (Some(0.05), Some(67.5));

    let page = page_of(&sweep);

    assert!(page.contains("their whole run is 10.0 % at most"), "{page}");
}

#[test]
fn a_run_that_is_not_slower_has_no_penalty_to_explain() {
    let explains = |seconds| {
        let mut sweep = sweep();
        let run = replay_of(&mut sweep, "memory-mode");
        run.simulated_seconds = seconds;
        let phase = PhaseResult { operation: "Convolution".to_owned(), ..server_phase() };
        run.phases.push(phase);
        run.by_operation.get_mut("Convolution").unwrap().simulated_seconds = Some(500.0);
        page_of(&sweep).contains("that the simulated run takes longer than on")
    };

    assert!(explains(665.1));
    assert!(!explains(665.0));
    assert!(!explains(631.6));
}

fn server_phase() -> PhaseResult {
    PhaseResult {
        name: "conv".to_owned(),
        operation: String::new(),
        stage: Stage::Server,
        start_seconds: 0.0,
        seconds: 1.0,
        compute_seconds: 1.0,
        stall_seconds: BTreeMap::new(),
        serial_overhead_seconds: 0.0,
        tiers: BTreeMap::new(),
        accesses: 0,
        near_memory_hit_rate: None,
        loads: BTreeMap::new(),
    }
}

#[test]
fn what_has_nothing_to_say_is_no_section() {
    let mut sweep = sweep();
    assert!(page_of(&sweep).contains("\n## Memory modes\n"));

    sweep.cells.truncate(1);
    sweep.experiment.network.iter_mut().for_each(|network| network.over_time = false);

    let page = page_of(&sweep);
    assert!(!page.contains("## Memory modes") && !page.contains("| network |"), "{page}");
}

#[test]
fn an_error_that_rounds_to_nothing_has_no_sign() {
    let mut judged = judge(&sweep());
    judged[0].error_percent = Some(-0.001);

    let table = points(&judged[..1]);

    let at = table.heads.iter().position(|head| head == "error (%)").unwrap();
    assert_eq!([table.rows[0][at].shown(), table.rows[0][at].raw()], ["0.00", "-0.001"]);
}

#[test]
fn a_point_that_asks_for_what_is_not_there_says_so() {
    let mut sweep = sweep();
    let named = "0.35/96 operations: Slice";
    let facts = TraceFacts {
        operations: BTreeMap::from([("Convolution".to_owned(), 2644)]),
        ..TraceFacts::default()
    };
    sweep.facts.insert("mobilenetv2-0.35-96".to_owned(), facts);

    let judged: Vec<_> = judge(&sweep).into_iter().filter(|judged| judged.point.name == named).collect();

    assert_eq!(judged[0].reason.as_deref(), Some("found no operation Slice, need one of Convolution"));
    let text = points_text(&judged);
    assert!(
        text.ends_with("0.35/96 operations: Slice: found no operation Slice, need one of Convolution\n"),
        "{text}"
    );
}

#[test]
fn a_metric_that_names_what_a_trace_lacks_says_what_there_is() {
    let phase = PhaseCounts {
        name: "stem".to_owned(),
        operation: "Convolution".to_owned(),
        primitives: BTreeMap::from([("add".to_owned(), 3)]),
    };
    let facts = TraceFacts {
        operations: BTreeMap::from([("Convolution".to_owned(), 1)]),
        primitives: BTreeMap::from([("add".to_owned(), 3), ("rescale".to_owned(), 1)]),
        elements: (0..50).map(|number| (format!("a{number:02}"), 1)).collect(),
        object_bytes: BTreeMap::from([("weights".to_owned(), 8)]),
        phases: vec![phase],
        ..TraceFacts::default()
    };
    let cases = [
        ("elements:foo", "found no array foo, need one of a00, a01, "),
        ("object_kib:foo", "found no array foo, need one of weights"),
        ("calls:add@nophase", "found no phase nophase, need one of stem"),
        ("calls:rescale@stem", "found no primitive in phase stem: rescale, need one of add"),
        ("phases:Foo:x", "found no operation Foo, need one of Convolution"),
    ];
    for (text, expected) in cases {
        let reason = text.parse::<Metric>().unwrap().unknown_to_trace(&facts).unwrap();

        assert!(reason.starts_with(expected) && reason.len() < 300, "{reason}");
    }
    let long = Metric::Elements("foo".to_owned()).unknown_to_trace(&facts).unwrap();
    assert!(long.ends_with(", a39 and 10 more"), "{long}");
    assert_eq!("calls:add@stem".parse::<Metric>().unwrap().unknown_to_trace(&facts), None);
}

#[test]
fn nothing_is_left_of_a_peak_that_the_allocator_holds_alone() {
    let mut sweep = sweep();
    let replay = replay_of(&mut sweep, "dram-only");
    replay.overhead = Some(OverheadResult { ciphertexts_written: 1_000_000, ..OverheadResult::default() });
    replay.peak_footprint_bytes = 72_000_000_000;

    let page = page_of(&sweep);

    assert!(page.contains("Nothing is left for what 1.0 million ciphertexts written leave behind"), "{page}");
}
