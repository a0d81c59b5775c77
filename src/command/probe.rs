//! `probe`: micro-benchmarks of a simulated machine.

use hetier_sim::System;
use hetier_sim::probe::{
    BandwidthProbe, HotspotProbe, LatencyProbe, LatencyTail, LoadedProbe, Mix, bandwidth, hotspot, latency,
    loaded,
};
use serde::Serialize;

use crate::args::probe::{Bandwidth, Hotspot, Latency, Loaded, Probe, Switch};
use crate::failure::Outcome;

/// Runs one micro-benchmark.
pub fn run(arguments: &Probe) -> Outcome {
    match arguments {
        Probe::Latency(arguments) => run_latency(arguments),
        Probe::Bandwidth(arguments) => run_bandwidth(arguments),
        Probe::Loaded(arguments) => run_loaded(arguments),
        Probe::Hotspot(arguments) => run_hotspot(arguments),
    }
}

/// Prints a report as JSON if that was asked for; true if so.
fn printed_json(is_json: bool, report: &impl Serialize) -> Outcome<bool> {
    if is_json {
        println!("{}", serde_json::to_string_pretty(report)?);
    }
    Ok(is_json)
}

fn run_latency(arguments: &Latency) -> Outcome {
    let place = &arguments.place;
    let probe = LatencyProbe {
        tier: place.tier.clone(),
        pattern: arguments.pattern,
        region_bytes: arguments.region.0,
        block_bytes: arguments.block.0,
        operation: arguments.op,
        dimms: place.dimms,
        is_remote: arguments.remote,
        writer_duty_percent: arguments.writer_duty,
    };
    let report = latency(&System::load(&place.system)?, &probe)?;
    if !printed_json(place.json, &report)? {
        println!("{:.1} ns per access of 64 bytes", report.ns_per_access);
        print_tail(&report.latency_ns);
    }
    Ok(())
}

fn print_tail(tail: &LatencyTail) {
    let LatencyTail { p50, p99, p999, p9999, p99999, max, .. } = tail;
    println!(
        "latency ns: p50 {p50:.1}, p99 {p99:.1}, p99.9 {p999:.1}, p99.99 {p9999:.1}, p99.999 {p99999:.1}, max {max:.1}"
    );
}

fn run_bandwidth(arguments: &Bandwidth) -> Outcome {
    let place = &arguments.place;
    let probe = BandwidthProbe {
        tier: place.tier.clone(),
        operation: arguments.op,
        mix: arguments.mix,
        access_bytes: arguments.access.0,
        threads: arguments.threads,
        order: arguments.order,
        region_bytes: arguments.region.0,
        dimms: place.dimms,
        fence_bytes: arguments.fence_every.map(|size| size.0),
        pin: arguments.pin,
        is_remote: arguments.remote,
        prefetch: arguments.prefetch.map(Switch::is_on),
        power_w: arguments.power_w,
    };
    let report = bandwidth(&System::load(&place.system)?, &probe)?;
    if !printed_json(place.json, &report)? {
        println!("{:.2} GB/s", report.gb_per_s);
        if let Some(efficiency) = report.write_efficiency {
            println!("write efficiency {efficiency:.3} (bytes stored / bytes written by the media)");
        }
    }
    Ok(())
}

fn run_loaded(arguments: &Loaded) -> Outcome {
    let place = &arguments.place;
    let probe = LoadedProbe {
        tier: place.tier.clone(),
        mix: arguments.mix.unwrap_or(Mix::READS),
        dimms: place.dimms,
        is_remote: arguments.remote,
    };
    let report = loaded(&System::load(&place.system)?, &probe)?;
    if !printed_json(place.json, &report)? {
        println!("{:>10} {:>10} {:>10}", "GB/s", "mean ns", "p99 ns");
        for point in &report.points {
            println!("{:10.2} {:10.1} {:10.1}", point.gb_per_s, point.ns_per_access, point.p99_ns);
        }
    }
    Ok(())
}

fn run_hotspot(arguments: &Hotspot) -> Outcome {
    let probe = HotspotProbe {
        tier: arguments.tier.clone(),
        region_bytes: arguments.region.0,
        dimms: arguments.dimms,
    };
    let report = hotspot(&System::load(&arguments.system)?, &probe)?;
    if !printed_json(arguments.json, &report)? {
        print_tail(&report.latency_ns);
        println!("{} stalls of more than 10 us", report.stalls);
        if let Some(bytes) = report.bytes_between_stalls {
            println!("one every {:.2} MB written", bytes / 1e6);
        }
    }
    Ok(())
}
