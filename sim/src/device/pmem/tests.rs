//! Timing of the DIMM against the numbers of its device file, and conservation.

use super::*;
use crate::device::literal::DeviceConfig;

const NS: u64 = 1_000;

fn config() -> PmemConfig {
    match DeviceConfig::load("optane-pmem-100") {
        Ok(DeviceConfig::Pmem(config)) => config,
        other => panic!("the shipped device is PMem, found {other:?}"),
    }
}

/// Serves one request on a DIMM and returns the instant of completion.
fn serve(dimm: &mut Pmem, line: u64, kind: Kind, at: Picoseconds) -> Picoseconds {
    let mut done = Vec::new();
    dimm.push(Request { token: line, line, kind, at });
    while done.is_empty() {
        let next = dimm.next_event().expect("a request is under way");
        dimm.advance(next, &mut done);
    }
    assert_eq!(done.len(), 1);
    done[0].at
}

/// Pushes everything at once and returns the last completion.
fn drain(dimm: &mut Pmem, requests: impl Iterator<Item = (u64, Kind)>) -> Picoseconds {
    let mut count = 0;
    for (token, (line, kind)) in requests.enumerate() {
        dimm.push(Request { token: token as u64, line, kind, at: Picoseconds::ZERO });
        count += 1;
    }
    let mut done = Vec::new();
    dimm.advance(Picoseconds(u64::MAX / 4), &mut done);
    let mut tokens: Vec<u64> = done.iter().map(|completion| completion.token).collect();
    tokens.sort_unstable();
    assert!(tokens.into_iter().eq(0..count), "every request completes once");
    done.iter().map(|completion| completion.at).max().unwrap_or_default()
}

/// Distinct lines that look random: a full-period walk over 2³⁰ lines.
fn scattered(index: u64) -> u64 {
    index.wrapping_mul(0x9E37_79B1).wrapping_add(12_345) % (1 << 30)
}

#[test]
fn unloaded_reads_take_the_levels_of_the_device_file() {
    let mut dimm = Pmem::new(&config());

    let miss = serve(&mut dimm, 0, Kind::Read, Picoseconds::ZERO);
    let buffered = serve(&mut dimm, 1, Kind::Read, Picoseconds(1_000 * NS));
    let translated = serve(&mut dimm, 4, Kind::Read, Picoseconds(2_000 * NS));

    assert_eq!(miss, Picoseconds((108 + 94 + 48) * NS));
    assert_eq!(buffered, Picoseconds((1_000 + 48) * NS));
    assert_eq!(translated, Picoseconds((2_000 + 41 + 94 + 48) * NS));
}

#[test]
fn read_bandwidth_is_the_energy_budget_over_the_energy_of_a_line() {
    for watts in [12.0, 15.0, 18.0] {
        let mut dimm = Pmem::new(&config().with_power(watts).expect("in range"));
        let lines = 40_000;
        let end = drain(&mut dimm, (0..lines).map(|index| (scattered(index), Kind::Read)));

        let expected = lines as f64 * 2048.0 * 270.0 / watts; // pJ ÷ W = ps
        let ratio = end.0 as f64 / expected;
        assert!((0.99..1.01).contains(&ratio), "{watts} W: {ratio}");
        assert_eq!(dimm.counters().media_read_bytes, lines * XPLINE_BYTES);
    }
}

#[test]
fn write_bandwidth_is_the_energy_budget_over_writes_and_moves() {
    let mut dimm = Pmem::new(&config());
    let lines = 120_000;
    let end = drain(&mut dimm, (0..lines).map(|index| (scattered(index), Kind::Write)));

    // 256 reads and writes of a move for every 14,336 lines written.
    let expected = lines as f64 * 2048.0 / 15.0 * (785.0 + 256.0 / 14_336.0 * (785.0 + 270.0));
    let ratio = end.0 as f64 / expected;
    assert!((0.98..1.01).contains(&ratio), "{ratio}");
    let efficiency = (lines * 64) as f64 / dimm.counters().media_write_bytes as f64;
    assert!((efficiency - 0.25 / (1.0 + 256.0 / 14_336.0)).abs() < 0.003, "{efficiency}");
}

#[test]
fn one_sequential_writer_writes_whole_lines_and_hits_three_times_in_four() {
    let mut dimm = Pmem::new(&config());
    let lines = 200_000;
    drain(&mut dimm, (0..lines).map(|line| (line, Kind::Write)));

    let counters = dimm.counters();
    let moved = counters.maintenance * 64 * 1024;
    assert!(counters.media_write_bytes - moved <= lines * 64);
    assert_eq!(counters.buffer_hits_write, lines / 4 * 3);
    assert!(counters.media_read_bytes <= moved + 64 * 1024, "whole lines are not read first");
}

#[test]
fn interleaved_writers_lose_combining_the_more_the_more_there_are() {
    let efficiency = |writers: u64| {
        let mut dimm = Pmem::new(&config());
        let lines = 60_000;
        let line = |index: u64| (index % writers) * (1 << 24) + index / writers;
        drain(&mut dimm, (0..lines).map(|index| (line(index), Kind::Write)));
        (lines * 64) as f64 / dimm.counters().media_write_bytes as f64
    };

    let [one, four, eight, many] = [1, 4, 8, 24].map(efficiency);
    assert!(one > 0.97, "{one}");
    assert!(one > four && four > eight && eight > many, "{one} {four} {eight} {many}");
    assert!(many < 0.65, "{many}");
}

#[test]
fn a_deeper_pending_queue_combines_no_less() {
    let efficiency = |write_queue: usize, writers: u64| {
        let mut dimm = Pmem::new(&PmemConfig { write_queue, ..config() });
        let lines = 60_000;
        let line = |index: u64| (index % writers) * (1 << 24) + index / writers;
        drain(&mut dimm, (0..lines).map(|index| (line(index), Kind::Write)));
        (lines * 64) as f64 / dimm.counters().media_write_bytes as f64
    };

    for entries in [1, 8, 32, 64] {
        assert!(efficiency(entries, 1) > 0.97, "{entries} {}", efficiency(entries, 1));
        let [deeper, shipped] = [entries, 8].map(|entries| efficiency(entries, 4));
        assert!((deeper / shipped - 1.0).abs() < 0.03, "{entries} {deeper} {shipped}");
    }
}

#[test]
fn the_pending_queue_takes_its_entries_at_once_and_not_one_more() {
    let mut dimm = Pmem::new(&config());
    let mut done = Vec::new();
    // Fill the combining queue with lines of different media lines, then some; the media has begun with none.
    for line in 0..80 {
        dimm.push(Request { token: line, line: line * 4, kind: Kind::Write, at: Picoseconds::ZERO });
    }
    dimm.advance(Picoseconds::ZERO, &mut done);
    assert_eq!(done.len(), 8 + 1, "512 B of the pending queue, and the line on the bus");

    dimm.advance(Picoseconds(3 * NS - 1), &mut done);
    assert_eq!(done.len(), 9);
    dimm.advance(Picoseconds(3 * NS), &mut done);
    assert_eq!(done.len(), 10, "one more after a bus time");
}

#[test]
fn an_overwrite_waits_until_the_media_has_the_old_block() {
    let mut dimm = Pmem::new(&config());
    for line in 0..4 {
        assert_eq!(serve(&mut dimm, line, Kind::Write, Picoseconds(1_000 * NS)), Picoseconds(1_000 * NS));
    }

    let again = serve(&mut dimm, 0, Kind::Write, Picoseconds(2_000 * NS));

    assert_eq!(again, Picoseconds((2_000 + 107) * NS));
}

#[test]
fn a_hot_block_stalls_its_writers_for_the_copies_and_nobody_else() {
    let mut dimm = Pmem::new(&config());
    let mut now = Picoseconds::ZERO;
    let mut stalls = Vec::new();
    for _ in 0..2 * 14_336 + 100 {
        let start = now;
        for line in 0..4 {
            now = now.max(serve(&mut dimm, line, Kind::Write, start));
        }
        if (now - start).0 > 10_000 * NS {
            stalls.push((now - start).as_ns());
            let other = serve(&mut dimm, 1 << 20, Kind::Read, now);
            assert!((other - now).0 < 1_000 * NS);
        }
    }

    assert_eq!(stalls.len(), 2, "every 14,336 writes of 256 B, 3.67 MB");
    for stall in stalls {
        assert!((49_000.0..54_000.0).contains(&stall), "{stall} ns");
    }
}

#[test]
fn a_writer_slows_reads_down_but_does_not_starve_them() {
    let mut dimm = Pmem::new(&config());
    let mut done = Vec::new();
    for index in 0..20_000 {
        dimm.push(Request {
            token: u64::MAX,
            line: scattered(index),
            kind: Kind::Write,
            at: Picoseconds::ZERO,
        });
    }
    let mut slowest = 0;
    let mut total = 0;
    for index in 0..500 {
        let at = Picoseconds(index * 1_000 * NS);
        dimm.push(Request { token: index, line: scattered(1_000_000 + index), kind: Kind::Read, at });
        dimm.advance(at + Picoseconds(999 * NS), &mut done);
        let completion = done.iter().find(|completion| completion.token == index).expect("read within 1 us");
        let latency = (completion.at - at).0;
        total += latency;
        slowest = slowest.max(latency);
        done.clear();
    }

    assert!(total / 500 > 260 * NS, "{total}");
    assert!(slowest < 900 * NS, "{slowest}");
}

#[test]
fn bad_values_are_refused_with_key_and_range() {
    let text = include_str!("../../../devices/optane-pmem-100.toml");
    let cases = [
        ("budget_w = 15.0", "budget_w = 15.1", "energy.budget_w: found 15.1, need 12 to 18 in steps of 0.25"),
        ("budget_w = 15.0", "budget_w = 18.25", "energy.budget_w: found 18.25, need"),
        (
            "write_queue_entries = 8",
            "write_queue_entries = 0",
            "controller.write_queue_entries: found 0, need 1 to",
        ),
        ("miss_ns = 108.0", "miss_ns = 40.0", "translation.miss_ns: found 40, need 41"),
        ("banks = 16", "banks = 16\nbans = 3", "found unknown key bans, need"),
        ("banks = 16", "", "found no key banks"),
    ];
    for (from, to, expected) in cases {
        let error = DeviceConfig::parse("x.toml", &text.replace(from, to)).expect_err("refused").to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(DeviceConfig::parse("x.toml", &text.replace("budget_w = 15.0", "budget_w = 17.75")).is_ok());
}
