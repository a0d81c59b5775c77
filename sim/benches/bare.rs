//! Accesses per second of host time of a bare controller: DDR4-2666, one channel, on the reference streams.
//!
//! Limit: 10 million a second on each of he, hepg and rnd, saturated, on one otherwise idle core; 20 million is the
//! aim. Run with `cargo bench -p hetier-sim --bench bare`, or with `-- rnd` at its end for the cases with that in their name.

use hetier_sim::Error;
use hetier_sim::device::literal::DeviceConfig;
use hetier_sim::device::mapping::{self, Interleave};
use hetier_sim::foreign::bare::{self, BareMemory, Pace};
use hetier_sim::foreign::{ForeignAccess, streams};

/// Runs of each case; the fastest counts, the others were disturbed.
const RUNS: usize = 3;

fn main() -> Result<(), Error> {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    println!("{:<32} {:>9} {:>9} {:>12}", "bare/ddr4-2666", "GB/s", "read ns", "accesses/s");
    for (name, stream) in [
        ("he", streams::he(22).collect::<Vec<_>>()),
        ("hepg", streams::hepg(22).collect()),
        ("rnd", streams::rnd(4_000_000).collect()),
    ] {
        for mapping in ["ro-ba-ra-co-ch", "mop4-clxor"] {
            for (pace, label) in [(Pace::Saturated, "saturated"), (Pace::Every(12), "pace=12")] {
                let case = format!("{name}/{mapping}/{label}");
                if case.contains(&wanted) {
                    measure(&case, &memory(mapping)?, &stream, pace)?;
                }
            }
        }
    }
    Ok(())
}

fn memory(name: &str) -> Result<BareMemory, Error> {
    let DeviceConfig::Dram(channel) = DeviceConfig::load("ddr4-2666")? else {
        unreachable!("ddr4-2666 is of kind dram");
    };
    let channel = channel.with_mapping(name, &mapping::shipped(name)?)?;
    Ok(BareMemory { channel, interleave: Interleave::ONE })
}

fn measure(name: &str, memory: &BareMemory, stream: &[ForeignAccess], pace: Pace) -> Result<(), Error> {
    let mut fastest: f64 = 0.0;
    let mut line = String::new();
    for _ in 0..RUNS {
        let run = bare::replay(stream.iter().copied().map(Ok), memory, pace)?;
        fastest = fastest.max(run.host_accesses_per_s());
        let mean = run.result.read_latency_ns.map_or(f64::NAN, |latency| latency.mean);
        line = format!("{name:<32} {:>9.2} {:>9.1}", run.result.gb_per_s, mean);
    }
    println!("{line} {:>10.2} M", fastest / 1e6);
    Ok(())
}
