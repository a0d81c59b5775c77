//! The bare controller against published results of other simulators on the same streams: DDR4-2666, one channel, one
//! rank of 8 Gb x8, 19-19-19.
//!
//! Peers: Ramulator 2.1 and `DRAMsim3`, measured on streams of the same shape. With 1 MiB-aligned objects (he) they
//! differ by mapping and scheduling; with scattered pages (hepg) and at random (rnd) they agree.

#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use hetier_sim::device::literal::DeviceConfig;
use hetier_sim::device::mapping::{self, Interleave};
use hetier_sim::foreign::bare::{self, BareMemory, BareResult, Pace};
use hetier_sim::foreign::{ForeignAccess, streams};

fn replay(mapping_name: &str, stream: impl Iterator<Item = ForeignAccess>, pace: Pace) -> BareResult {
    let DeviceConfig::Dram(channel) = DeviceConfig::load("ddr4-2666").unwrap() else { unreachable!() };
    let channel = channel.with_mapping(mapping_name, &mapping::shipped(mapping_name).unwrap()).unwrap();
    let memory = BareMemory { channel, interleave: Interleave::ONE };
    bare::replay(stream.map(Ok), &memory, pace).unwrap().result
}

fn near(what: &str, found: f64, peer: f64, share: f64) {
    let error = found / peer - 1.0;
    assert!(error.abs() <= share, "{what}: {found:.2}, peer {peer}: {:+.1} %", error * 100.0);
}

#[test]
fn saturated_bandwidth_and_latency_are_those_of_ramulator_2() {
    // Stream, mapping, GB/s and mean read latency in ns of Ramulator 2.1.
    let cases = [
        ("he", "ro-ba-ra-co-ch", 7.94, 406.0),
        ("hepg", "ro-ba-ra-co-ch", 14.73, 228.0),
        ("rnd", "ro-ba-ra-co-ch", 11.29, 259.0),
        ("he", "mop4-clxor", 11.80, 288.0),
        ("hepg", "mop4-clxor", 15.91, 221.0),
        ("rnd", "mop4-clxor", 11.29, 259.0),
    ];
    for (stream, mapping, gb_per_s, latency) in cases {
        let result = match stream {
            "he" => replay(mapping, streams::he(5), Pace::Saturated),
            "hepg" => replay(mapping, streams::hepg(5), Pace::Saturated),
            _ => replay(mapping, streams::rnd(600_000), Pace::Saturated),
        };
        near(&format!("{stream} {mapping} GB/s"), result.gb_per_s, gb_per_s, 0.04);
        near(&format!("{stream} {mapping} latency"), result.read_latency_ns.unwrap().mean, latency, 0.04);
    }
}

#[test]
fn paced_latency_lies_between_ramulator_2_and_dramsim3() {
    // One access every 12 clocks: mean read latency in ns of both, and GB/s of Ramulator 2.1, of 7.11 offered.
    let cases = [("he", 323.0, 1011.0, 6.82), ("hepg", 66.1, 70.5, 7.07), ("rnd", 79.4, 105.0, 7.04)];
    for (stream, low, high, gb_per_s) in cases {
        let pace = Pace::Every(12);
        let result = match stream {
            "he" => replay("ro-ba-ra-co-ch", streams::he(5), pace),
            "hepg" => replay("ro-ba-ra-co-ch", streams::hepg(5), pace),
            _ => replay("ro-ba-ra-co-ch", streams::rnd(600_000), pace),
        };
        let latency = result.read_latency_ns.unwrap().mean;
        assert!((low * 0.9..=high * 1.1).contains(&latency), "{stream}: {latency:.1} ns of {low} to {high}");
        near(&format!("{stream} GB/s"), result.gb_per_s, gb_per_s, 0.01);
    }
}

#[test]
fn a_stream_paced_slower_than_it_drains_sees_unloaded_latencies() {
    let result = replay("ro-ba-ra-co-ch", streams::rnd(20_000), Pace::Every(400));

    // Rows of other accesses are open or closed: between closed and conflict, apart from refreshes.
    let (closed, conflict) = ((19 + 19 + 4) as f64 * 0.75, (19 + 19 + 19 + 4) as f64 * 0.75);
    assert!(
        (closed..=conflict).contains(&result.read_latency_ns.unwrap().p50),
        "{:?}",
        result.read_latency_ns
    );
}
