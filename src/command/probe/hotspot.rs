//! `probe hotspot`: the tail of overwriting a small region.

use hetier_sim::System;
use hetier_sim::probe::{HotspotProbe, hotspot};

use super::{print_json, print_tail};
use crate::args::probe::Hotspot;
use crate::failure::Outcome;

/// Overwrites a region until its tail shows.
pub fn run(arguments: &Hotspot) -> Outcome {
    let probe = HotspotProbe {
        tier: arguments.tier.clone(),
        region_bytes: arguments.region.0,
        dimms: arguments.dimms,
    };
    let report = hotspot(&System::load(&arguments.system)?, &probe)?;
    if arguments.json {
        return print_json(&[report]);
    }
    print_tail(&report.latency_ns);
    println!("{} stalls of more than 10 us", report.stalls);
    if let Some(bytes) = report.bytes_between_stalls {
        println!("one every {:.2} MB written", bytes / 1e6);
    }
    Ok(())
}
