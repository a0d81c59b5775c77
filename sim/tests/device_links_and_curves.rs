//! The CXL card and the curve device in closed loop: a requester with so many requests under way.

#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hetier_sim::Picoseconds;
use hetier_sim::device::curve::{BandwidthUnit, CurveConfig, LatencyUnit, OneCurveLiteral};
use hetier_sim::device::cxl::CxlConfig;
use hetier_sim::device::literal::DeviceConfig;
use hetier_sim::device::{Device, Kind, Request};

/// Keeps `depth` requests under way, every `write_every`-th a write (0: none): GB/s and mean read latency in ns.
fn closed_loop(
    config: &DeviceConfig,
    depth: u64,
    write_every: u64,
    total: u64,
    line: impl Fn(u64) -> u64,
) -> (f64, f64) {
    let mut device = config.build();
    let kind = |token: u64| match write_every {
        0 => Kind::Read,
        every if token.is_multiple_of(every) => Kind::Write,
        _ => Kind::Read,
    };
    let mut pushed_at = Vec::new();
    let push = |device: &mut dyn Device, at: Picoseconds, pushed_at: &mut Vec<Picoseconds>| {
        let token = pushed_at.len() as u64;
        device.push(Request { token, line: line(token), kind: kind(token), at });
        pushed_at.push(at);
    };
    for _ in 0..depth {
        push(device.as_mut(), Picoseconds::ZERO, &mut pushed_at);
    }
    let (mut done, mut ready) = (Vec::new(), BinaryHeap::new());
    let (mut completed, mut latency, mut reads, mut last) = (0, 0.0, 0_u64, Picoseconds::ZERO);
    while completed < total {
        let event = device.next_event();
        let answer = ready.peek().map(|Reverse((at, _))| *at);
        if let Some(at) = answer.filter(|at| event.is_none_or(|event| *at <= event)) {
            let Some(Reverse((_, token))) = ready.pop() else { unreachable!() };
            completed += 1;
            last = at;
            if kind(token) == Kind::Read {
                latency += (at - pushed_at[token as usize]).as_ns();
                reads += 1;
            }
            push(device.as_mut(), at, &mut pushed_at);
            continue;
        }
        device.advance(event.unwrap(), &mut done);
        ready.extend(done.drain(..).map(|completion| Reverse((completion.at, completion.token))));
    }
    (total as f64 * 64.0 / last.as_ns(), latency / reads.max(1) as f64)
}

/// Lines all over the device.
fn scattered(token: u64) -> u64 {
    token.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 37
}

fn card() -> (DeviceConfig, CxlConfig) {
    let config = DeviceConfig::load("cxl-ddr5-x8").unwrap();
    let DeviceConfig::Cxl(card) = config.clone() else { unreachable!() };
    (config, card)
}

#[test]
fn an_unloaded_read_of_the_card_takes_link_dram_and_link() {
    let (config, card) = card();

    let (_, latency) = closed_loop(&config, 1, 0, 1, |_| 0);

    let formula = card.closed_latency().as_ns();
    // The memory's clock may have to be waited for.
    assert!((formula..formula + 0.5).contains(&latency), "{latency} ns, formula {formula} ns");
}

#[test]
fn reads_alone_move_what_one_direction_of_the_link_moves() {
    let (config, card) = card();

    let (gb_per_s, _) = closed_loop(&config, 128, 0, 60_000, scattered);

    assert!((gb_per_s / card.read_gb_per_s() - 1.0).abs() < 0.02, "refresh apart: {gb_per_s} GB/s");
    assert!((gb_per_s / 17.8 - 1.0).abs() < 0.02, "measured cards: 17.8 GB/s, here {gb_per_s}");
}

#[test]
fn reads_and_writes_use_both_directions_of_the_link() {
    let (config, card) = card();

    let (gb_per_s, _) = closed_loop(&config, 128, 2, 60_000, scattered);

    assert!(gb_per_s <= card.mixed_gb_per_s() * 1.01, "{gb_per_s} GB/s");
    assert!((gb_per_s / 27.0 - 1.0).abs() < 0.1, "measured cards: about 27 GB/s, here {gb_per_s}");
}

#[test]
fn a_read_takes_its_turn_among_writes_that_came_before() {
    let (config, card) = card();
    let mut device = config.build();
    for token in 0..1000 {
        device.push(Request { token, line: scattered(token), kind: Kind::Write, at: Picoseconds::ZERO });
    }
    let read_at = Picoseconds::from_ns(10.0);
    device.push(Request { token: 1000, line: scattered(1000), kind: Kind::Read, at: read_at });
    let mut done = Vec::new();

    while let Some(event) = device.next_event() {
        device.advance(event, &mut done);
    }

    // Before it one write is on the link; 1,000 of them take 3.6 us. The rest is the card's memory, which has its own queue.
    let latency = done.iter().find(|completion| completion.token == 1000).unwrap().at - read_at;
    assert!(latency.as_ns() < card.closed_latency().as_ns() + 250.0, "{} ns", latency.as_ns());
}

#[test]
fn the_queue_of_the_card_bounds_what_is_under_way() {
    let text = |queue: usize| {
        let file =
            hetier_sim::device::shipped::SHIPPED.iter().find(|(name, _)| *name == "cxl-ddr5-x8").unwrap().1;
        DeviceConfig::parse("card.toml", &file.replace("queue = 128", &format!("queue = {queue}"))).unwrap()
    };

    let (one, one_latency) = closed_loop(&text(1), 64, 0, 2_000, scattered);
    let (four, _) = closed_loop(&text(4), 64, 0, 2_000, scattered);

    // One at a time: 64 bytes each unloaded latency, whatever waits outside.
    let (_, unloaded) = closed_loop(&text(1), 1, 0, 2_000, scattered);
    assert!((one / (64.0 / unloaded) - 1.0).abs() < 0.02, "{one} GB/s at {unloaded} ns");
    assert!((one_latency / (64.0 * unloaded) - 1.0).abs() < 0.05, "{one_latency} ns");
    // Four at a time, and a little more: a row closes early for the next request only if that waits already.
    assert!((3.5..=4.2).contains(&(four / one)), "{four} GB/s");
}

fn curves() -> (DeviceConfig, CurveConfig) {
    let config = DeviceConfig::load("curve-xeon-6240").unwrap();
    let DeviceConfig::Curve(curves) = config.clone() else { unreachable!() };
    (config, curves)
}

#[test]
fn a_closed_loop_settles_where_the_curve_and_littles_law_meet() {
    let (config, curves) = curves();

    for depth in [1, 8, 24, 48] {
        let (gb_per_s, latency) = closed_loop(&config, depth, 0, 40_000, |token| token);

        let little = depth as f64 * 64.0 / latency;
        let curve = curves.latency_ns(gb_per_s, 1.0);
        assert!((gb_per_s / little - 1.0).abs() < 0.02, "depth {depth}: {gb_per_s} GB/s, Little {little}");
        assert!((latency / curve - 1.0).abs() < 0.03, "depth {depth}: {latency} ns, curve {curve} ns");
    }
}

#[test]
fn no_load_passes_the_peak_of_the_curve() {
    let (config, curves) = curves();

    let (gb_per_s, latency) = closed_loop(&config, 1_000, 0, 100_000, |token| token);

    assert!((gb_per_s / curves.peak_gb_per_s(1.0) - 1.0).abs() < 0.01, "{gb_per_s} GB/s");
    assert!(latency > 400.0, "requests wait for their turn: {latency} ns");
}

#[test]
fn mess_files_are_read_in_their_units_up_to_the_highest_bandwidth() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bwlat_100.txt");
    std::fs::write(&path, "1000 210\n20000 252\n\n18000 420\n15000\t630\n").unwrap();

    let curve =
        OneCurveLiteral::read_mess(&path, 100.0, BandwidthUnit::MbPerS, LatencyUnit::CyclesAtGhz(2.1))
            .unwrap();

    assert_eq!(curve.points, [[1.0, 100.0], [20.0, 120.0]]);
    assert_eq!(curve.peak_gb_per_s, 20.0);
}

#[test]
fn a_bad_line_of_a_mess_file_is_refused_with_its_number() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bwlat_50.txt");
    std::fs::write(&path, "1 100\n-2 110\n").unwrap();

    let error =
        OneCurveLiteral::read_mess(&path, 50.0, BandwidthUnit::GbPerS, LatencyUnit::Nanoseconds).unwrap_err();

    let message = error.to_string();
    assert!(message.contains("bwlat_50.txt:2: mess: found -2 110, need two positive numbers"), "{message}");
}
