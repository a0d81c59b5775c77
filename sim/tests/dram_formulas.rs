//! What a DRAM device delivers equals the formulas of its table: latency, bandwidth, refresh. Over every shipped DRAM.

#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use hetier_sim::Picoseconds;
use hetier_sim::device::dram::{Dram, DramConfig, Page};
use hetier_sim::device::literal::DeviceConfig;
use hetier_sim::device::mapping::Interleave;
use hetier_sim::device::shipped::SHIPPED;
use hetier_sim::device::{Completion, Device, Kind, Request};
use hetier_sim::foreign::ForeignAccess;
use hetier_sim::foreign::bare::{self, BareMemory, BareResult, Pace};

fn devices() -> Vec<(&'static str, DramConfig)> {
    let configs = SHIPPED.iter().map(|(name, _)| (*name, DeviceConfig::load(name).unwrap()));
    configs
        .filter_map(|(name, config)| match config {
            DeviceConfig::Dram(dram) => Some((name, dram)),
            _ => None,
        })
        .collect()
}

/// Latency of the last of some reads, each pushed when the one before is done and some time has passed.
fn chase(config: &DramConfig, lines: &[u64], idle: Picoseconds) -> Picoseconds {
    let mut device = Dram::new(config);
    let mut at = Picoseconds::ZERO;
    let mut latency = Picoseconds::ZERO;
    for (token, line) in lines.iter().enumerate() {
        // On a clock of the device, so that no part of a clock is waited for.
        at = Picoseconds(at.0.next_multiple_of(config.timing.clock_ps));
        device.push(Request { token: token as u64, line: *line, kind: Kind::Read, at });
        let mut done: Vec<Completion> = Vec::new();
        while let Some(next) = device.next_event() {
            device.advance(next, &mut done);
        }
        latency = done[0].at - at;
        at = done[0].at + idle;
    }
    latency
}

/// The line at the same place of the next row.
fn next_row(config: &DramConfig) -> u64 {
    let first = config.mapping.place(0);
    let is_next = |line: &u64| {
        let place = config.mapping.place(*line);
        place.row == 1 && place.bank == first.bank && place.sub_channel == first.sub_channel
    };
    (0..).step_by(2).find(is_next).unwrap()
}

/// The first other line of line 0's row.
fn same_row(config: &DramConfig) -> u64 {
    let first = config.mapping.place(0);
    let is_same = |line: &u64| {
        let place = config.mapping.place(*line);
        place.row == first.row && place.bank == first.bank && place.sub_channel == first.sub_channel
    };
    (1..).find(is_same).unwrap()
}

#[test]
fn unloaded_reads_take_the_formula_for_hit_closed_and_conflict() {
    for (name, mut config) in devices() {
        config.controller.page = Page::Open;
        let timing = &config.timing;
        let clocks = |clocks: u64| Picoseconds(clocks * timing.clock_ps);

        let (hit, conflict, none) = (same_row(&config), next_row(&config), Picoseconds::ZERO);

        assert_eq!(chase(&config, &[0], none), clocks(timing.rcd + timing.cl + timing.burst), "{name}");
        assert_eq!(chase(&config, &[0, hit], none), clocks(timing.cl + timing.burst), "{name}");
        // Hits until tRAS is over, so that the conflict waits for tRP alone.
        let late = [0, hit, hit, hit, conflict];
        assert_eq!(
            chase(&config, &late, none),
            clocks(timing.rp + timing.rcd + timing.cl + timing.burst),
            "{name}"
        );
    }
}

#[test]
fn a_closed_page_makes_every_unloaded_read_take_an_activate() {
    for (name, mut config) in devices() {
        config.controller.page = Page::Closed;
        let hit = same_row(&config);

        // Later than tRC, before the first refresh.
        let idle = Picoseconds::from_ns(100.0);
        assert_eq!(chase(&config, &[0, hit, hit, hit], idle), config.timing.closed_latency(), "{name}");
    }
}

#[test]
fn a_timeout_closes_a_row_that_was_idle_so_long_and_not_sooner() {
    for (name, config) in devices() {
        let hit = same_row(&config);
        let latency_after = |idle: u64| {
            let mut config = config.clone();
            config.controller.page = Page::Timeout(500);
            let mut device = Dram::new(&config);
            let mut done = Vec::new();
            let ck = config.timing.clock_ps;
            device.push(Request { token: 0, line: 0, kind: Kind::Read, at: Picoseconds::ZERO });
            // The column command goes out at tRCD.
            let at = Picoseconds((config.timing.rcd + idle) * ck);
            device.push(Request { token: 1, line: hit, kind: Kind::Read, at });
            device.advance(Picoseconds(at.0 + 1_000 * ck), &mut done);
            done[1].at - at
        };

        assert_eq!(latency_after(500), config.timing.hit_latency(), "{name}");
        let reopened = latency_after(501);
        let (least, most) = (config.timing.closed_latency(), config.timing.conflict_latency());
        assert!(least < reopened && reopened <= most, "{name}: {reopened:?}");
        assert_eq!(latency_after(1_000), least, "{name}");
    }
}

fn saturate(config: &DramConfig, stream: impl Iterator<Item = ForeignAccess>) -> BareResult {
    let memory = BareMemory { channel: config.clone(), interleave: Interleave::ONE };
    bare::replay(stream.map(Ok), &memory, Pace::Saturated).unwrap().result
}

fn reads(lines: impl Iterator<Item = u64>) -> impl Iterator<Item = ForeignAccess> {
    lines.map(|line| ForeignAccess::new(line, Kind::Read))
}

/// Lines of one row of each of two bank groups in turn, in every sub-channel: bursts back to back.
fn two_open_rows(config: &DramConfig) -> Vec<u64> {
    let banks = config.geometry.banks;
    let of = |group: u32| {
        (0..config.geometry.lines()).filter(move |line| {
            let place = config.mapping.place(*line);
            place.row == 0 && place.bank == group * banks
        })
    };
    let take = (config.geometry.columns * config.geometry.sub_channels) as usize;
    of(0).take(take).zip(of(1).take(take)).flat_map(|(one, other)| [one, other]).collect()
}

#[test]
fn open_rows_of_two_groups_reach_the_peak_less_refresh() {
    for (name, config) in devices() {
        let timing = &config.timing;
        let lines = two_open_rows(&config);
        // 40 refresh intervals.
        let per_interval = timing.refi / timing.burst * u64::from(config.geometry.sub_channels);
        let accesses = 40 * per_interval as usize;

        let result = saturate(&config, reads(lines.iter().copied().cycle().take(accesses)));

        // Each interval loses the refresh, closing and opening the rows around it, and the burst that is cut.
        let most = timing.refresh_share();
        let around = timing.rfc + timing.rtp + timing.rp + timing.rcd + timing.rrd_s + 2 * timing.burst;
        let least = 1.0 - around as f64 / timing.refi as f64;
        let share = result.peak_share.unwrap();
        assert!((least..=most).contains(&share), "{name}: {share} of {least}..{most}");
        let peak = 64e3 / (timing.burst * timing.clock_ps) as f64 * f64::from(config.geometry.sub_channels);
        assert!((config.peak_gb_per_s() - peak).abs() < 1e-9);
        assert!((result.gb_per_s / share - peak).abs() < 1e-6, "{name}");
    }
}

#[test]
fn one_open_row_is_limited_by_ccd_long() {
    for (name, config) in devices() {
        let timing = &config.timing;
        let place = config.mapping.place(0);
        let row = |line: &u64| config.mapping.place(*line).bank == 0 && config.mapping.place(*line).row == 0;
        let one = |line: &u64| row(line) && config.mapping.place(*line).sub_channel == place.sub_channel;
        let lines: Vec<_> =
            (0..config.geometry.lines()).filter(one).take(config.geometry.columns as usize).collect();

        let result = saturate(&config, reads(lines.iter().copied().cycle().take(50_000)));

        let formula = 64e3 / (timing.ccd_l * timing.clock_ps) as f64;
        let share = result.gb_per_s / formula;
        let least = 1.0 - (timing.rfc + timing.rc() + timing.cl) as f64 / timing.refi as f64;
        assert!((least..=timing.refresh_share() + 0.001).contains(&share), "{name}: {share}");
    }
}

#[test]
fn rows_of_one_bank_in_turn_are_limited_by_row_cycles() {
    for (name, config) in devices() {
        let timing = &config.timing;
        let place = |line: u64| config.mapping.place(line);
        let first = place(0);
        let one_bank = |line: &u64| {
            let place = place(*line);
            (place.bank, place.column, place.sub_channel) == (first.bank, first.column, first.sub_channel)
        };
        let rows: Vec<u64> = (0..).step_by(next_row(&config) as usize).filter(one_bank).take(64).collect();

        let result = saturate(&config, reads(rows.iter().copied().cycle().take(20_000)));

        let formula = 64e3 / (timing.rc() * timing.clock_ps) as f64;
        let share = result.gb_per_s / formula;
        let least = 1.0 - (timing.rfc + 2 * timing.rc()) as f64 / timing.refi as f64;
        assert!((least..=timing.refresh_share() + 0.001).contains(&share), "{name}: {share}");
        assert_eq!(result.row_hit_rate, 0.0, "{name}");
    }
}

#[test]
fn an_idle_device_refreshes_once_every_interval_and_rank() {
    for (name, config) in devices() {
        let mut device = Dram::new(&config);
        let until = config.timing.refi * config.timing.clock_ps * 1_000_000;

        device.advance(Picoseconds(until), &mut Vec::new());

        let ranks = u64::from(config.geometry.ranks * config.geometry.sub_channels);
        let refreshes = device.counters().maintenance;
        assert!(refreshes.abs_diff(1_000_000 * ranks) <= ranks, "{name}: {refreshes}");
    }
}

#[test]
fn a_refresh_delays_the_read_that_meets_it() {
    for (name, config) in devices() {
        let timing = &config.timing;
        let mut device = Dram::new(&config);
        // Ranks fall due in turn; line 0 lies on the first.
        let at = Picoseconds(timing.refi / u64::from(config.geometry.ranks) * timing.clock_ps);
        let mut done = Vec::new();

        device.push(Request { token: 0, line: 0, kind: Kind::Read, at });
        device.advance(at + Picoseconds::from_ns(2_000.0), &mut done);

        let clocks = timing.rfc + timing.rcd + timing.cl + timing.burst;
        assert_eq!(done[0].at - at, Picoseconds(clocks * timing.clock_ps), "{name}");
    }
}

#[test]
fn six_channels_move_six_times_as_much() {
    let (_, config) = devices().remove(1);
    let stream = |lines| reads((0..lines).map(|line| line * 7919 % (1 << 24)));
    let gb_per_s = |channels, accesses| {
        let interleave = Interleave::new("test", channels, 4).unwrap();
        let memory = BareMemory { channel: config.clone(), interleave };
        let result = bare::replay(stream(accesses).map(Ok), &memory, Pace::Saturated).unwrap().result;
        assert_eq!(result.accesses, accesses);
        result.gb_per_s
    };

    let ratio = gb_per_s(6, 600_000) / gb_per_s(1, 100_000);

    // One access a clock is offered to each channel, and no full queue holds up another: six but for uneven ends.
    assert!((5.8..6.1).contains(&ratio), "{ratio}");
}
