use std::collections::BTreeMap;

use super::*;
use crate::machine::Line;

fn memory_mode(near_bytes: u64, fetches: bool, start: NearStart) -> (MemoryMode, Layout) {
    let system = System::load("xeon-8260-optane").unwrap();
    let layout = Layout::new(&system);
    let settings =
        ModeSettings { near_bytes: Some(near_bytes), write_miss_fetches: fetches, near_start: start };
    (MemoryMode::new(&system, &layout, &settings).unwrap(), layout)
}

/// DRAM reads, DRAM writes, far reads, far writes of a plan.
fn counts(layout: &Layout, plan: &Plan) -> [usize; 4] {
    let far = layout.tiers[1].first_channel;
    let count = |is_far: bool, kind: Kind| {
        plan.operations()
            .iter()
            .filter(|op| (usize::from(op.channel) >= far) == is_far && op.kind == kind)
            .count()
    };
    [count(false, Kind::Read), count(false, Kind::Write), count(true, Kind::Read), count(true, Kind::Write)]
}

fn request(local: u64, kind: Kind) -> LineRequest {
    LineRequest { line: Line { tier: 1, socket: 0, local }.pack(), kind, is_non_temporal: false }
}

/// A line that shares its place in near memory with line 0: one near memory further behind the same controller.
fn conflicting(near_bytes: u64) -> u64 {
    let behind = near_bytes / 64 / 4;
    let (granule, per_controller) = (64, 3);
    let (row, inside) = (behind / granule, behind % granule);
    (row / per_controller * 6 + row % per_controller) * granule + inside
}

/// Name of an event, the requests that lead to it, whether write misses fetch, and its device accesses.
type Case<'c> = (&'static str, &'c [(u64, Kind)], bool, [usize; 4]);

#[test]
fn events_ask_the_devices_as_the_published_table_says() {
    let near_bytes = 4 * 3 * 64 * 64;
    let other = conflicting(near_bytes);
    let cases: [Case<'_>; 8] = [
        ("read hit", &[(0, Kind::Read), (0, Kind::Read)], true, [1, 0, 0, 0]),
        ("read miss, clean", &[(0, Kind::Read)], true, [1, 1, 1, 0]),
        ("read miss, dirty", &[(other, Kind::Write), (0, Kind::Read)], true, [1, 1, 1, 1]),
        ("write hit", &[(0, Kind::Read), (0, Kind::Write)], true, [1, 1, 0, 0]),
        ("write miss, clean", &[(other, Kind::Read), (0, Kind::Write)], true, [1, 2, 1, 0]),
        ("write miss, dirty", &[(other, Kind::Write), (0, Kind::Write)], true, [1, 2, 1, 1]),
        ("write miss without fetch, clean", &[(0, Kind::Write)], false, [1, 1, 0, 0]),
        ("write miss without fetch, dirty", &[(other, Kind::Write), (0, Kind::Write)], false, [1, 1, 0, 1]),
    ];
    for (event, requests, fetches, expected) in cases {
        let (mut mode, layout) = memory_mode(near_bytes, fetches, NearStart::Cold);
        let plans: Vec<Plan> =
            requests.iter().map(|&(local, kind)| mode.plan(request(local, kind))).collect();

        let last = plans.last().unwrap();
        assert_eq!(counts(&layout, last), expected, "{event}");
        assert!(last.operations().is_sorted_by_key(|op| op.stage), "{event}");
        assert_eq!(last.operations()[usize::from(last.answer)].kind, requests.last().unwrap().1, "{event}");
    }
}

#[test]
fn far_reads_go_where_app_direct_would_and_victims_where_they_were_read_from() {
    let (mut mode, layout) = memory_mode(4 * 3 * 64 * 64 * 5, true, NearStart::Cold);
    let mut held = BTreeMap::new();
    for step in 0..20_000 {
        let local = hetier_traces::seeded::draw_below(1, step, 1 << 20);
        let plan = mode.plan(request(local, Kind::Write));
        let place = layout.route(Line { tier: 1, socket: 0, local });
        let near = plan.operations()[0];
        if plan.operations().len() == 2 {
            assert_eq!(held.get(&(near.channel, near.line)), Some(&place));
            continue;
        }
        let fetch = plan.operations()[1];
        assert_eq!((usize::from(fetch.channel), fetch.line), place);
        let victim = held.insert((near.channel, near.line), place);
        let written = plan.operations().iter().find(|op| op.stage == 1 && op.kind == Kind::Write);
        assert_eq!(written.map(|op| (usize::from(op.channel), op.line)), victim);
    }
    let near = mode.near_memory().unwrap();
    assert_eq!(near.hits + near.misses_clean + near.misses_dirty, 20_000);
}

#[test]
fn warm_near_memory_hits_the_first_page_mapped_and_not_its_rival() {
    let near_bytes = 4 * 3 * 64 * 64;
    let (mut mode, _) = memory_mode(near_bytes, true, NearStart::Warm);
    mode.mapped(request(0, Kind::Read).line, 64);
    mode.mapped(request(conflicting(near_bytes), Kind::Read).line, 64);

    assert_eq!(mode.plan(request(0, Kind::Read)).operations().len(), 1);
    assert_eq!(mode.plan(request(conflicting(near_bytes), Kind::Read)).operations().len(), 4);
}

#[test]
fn every_mode_is_refused_where_its_tier_is_missing() {
    let dram = System::load("xeon-6240-dram").unwrap();
    let pmem = System::load("optane-1dimm").unwrap();
    for (name, system) in
        [("memory-mode", &dram), ("pmem-only", &dram), ("app-direct", &pmem), ("dram-only", &pmem)]
    {
        let error = build(name, system, &Layout::new(system), &ModeSettings::default()).err().unwrap();

        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn near_memory_beyond_the_dram_of_the_system_is_refused() {
    let system = System::load("xeon-8260-optane").unwrap();
    let installed = system.tier_bytes("dram");
    let with = |bytes: u64| {
        let settings = ModeSettings { near_bytes: Some(bytes), ..ModeSettings::default() };
        MemoryMode::new(&system, &Layout::new(&system), &settings).map_err(|error| error.to_string())
    };

    assert!(with(installed).is_ok());
    let error = with(installed + 1).err().unwrap();
    assert!(error.contains("need at most the 384 GiB of DRAM that the system has"), "{error}");
    // More than PMem too, which has more than DRAM.
    assert!(with(4 << 40).err().unwrap().contains("need at most the 384 GiB of DRAM that the system has"));
}

#[test]
fn near_memory_beyond_a_smaller_far_tier_is_refused() {
    let mut system = System::load("xeon-8260-optane").unwrap();
    let far = system.tier("pmem").unwrap();
    system.tiers[far].channel_bytes = 16 << 30;
    let with = |bytes: u64| {
        let settings = ModeSettings { near_bytes: Some(bytes), ..ModeSettings::default() };
        MemoryMode::new(&system, &Layout::new(&system), &settings).map_err(|error| error.to_string())
    };
    let behind = 2 * 6 * (16 << 30);

    assert!(with(behind).is_ok());
    for bytes in [behind + 1, 4 << 40] {
        assert!(with(bytes).err().unwrap().contains("need at most the 192 GiB behind it"));
    }
}

#[test]
fn near_memory_without_a_tag_for_every_far_line_is_refused() {
    let mut system = System::load("xeon-8260-optane").unwrap();
    let far = system.tier("pmem").unwrap();
    // Two lines of near memory behind each of four controllers, for just fewer than 2³² far lines each, and for 2³².
    let with = |system: &System| {
        let settings = ModeSettings { near_bytes: Some(4 * 2 * 64), ..ModeSettings::default() };
        MemoryMode::new(system, &Layout::new(system), &settings).map_err(|error| error.to_string())
    };
    system.tiers[far].channel_bytes = ((1 << 32) - 3) / 3 * 64;
    assert!(with(&system).is_ok());
    system.tiers[far].channel_bytes = (1 << 32) / 3 * 64 + 64;

    let error = with(&system).err().unwrap();

    assert!(error.contains("found 512 bytes of near memory, need at least 768 bytes"), "{error}");
}

#[test]
fn unknown_mode_names_the_nearest() {
    let system = System::load("optane-slice").unwrap();
    let error = build("memorymode", &system, &Layout::new(&system), &ModeSettings::default()).err().unwrap();

    assert!(error.to_string().contains("did you mean memory-mode?"), "{error}");
}
