//! `replay --bare`: another tool's trace straight on memory controllers, without caches.

use std::fs::File;
use std::io::BufReader;

use hetier_sim::System;
use hetier_sim::device::literal::DeviceConfig;
use hetier_sim::device::mapping::{self, Interleave, Mapping};
use hetier_sim::foreign::bare::{self, BareMemory, BareRun, Pace};
use hetier_sim::foreign::{ImportFormat, read};
use serde_json::json;

use crate::args;
use crate::failure::{Failure, Outcome};

/// Replays a foreign trace.
pub fn run(arguments: &args::Replay, format: &str) -> Outcome {
    let system = System::load(&arguments.machine.system)?;
    let memory = memory(&system, arguments.mapping.as_deref())?;
    let format = ImportFormat::named(format)?;
    let shown = arguments.trace.display().to_string();
    let file = File::open(&arguments.trace)
        .map_err(|error| Failure::work(format!("{shown}: cannot be read: {error}")))?;
    let pace = match (arguments.pace, arguments.saturated) {
        (Some(clocks), _) => Pace::Every(clocks),
        (None, true) => Pace::Saturated,
        (None, false) => Pace::Recorded,
    };
    let run = bare::replay(read(format, &shown, BufReader::new(file)), &memory, pace)?;
    print(arguments, &system, &run)
}

/// The DRAM channels of a system's first socket, perhaps under another address mapping.
fn memory(system: &System, mapping: Option<&str>) -> Outcome<BareMemory> {
    let tier = system.tiers.iter().find(|tier| tier.name == "dram");
    let tier = tier.ok_or_else(|| Failure::work(format!("{}: has no DRAM to replay on", system.name)))?;
    let DeviceConfig::Dram(mut channel) = DeviceConfig::load(&tier.device)? else {
        return Err(Failure::work(format!("{}: {} is no plain DRAM device", system.name, tier.device)));
    };
    if let Some(name) = mapping {
        let literal = mapping::shipped(name)?;
        channel.mapping = Mapping::check(name, &literal, &channel.geometry)?;
    }
    let interleave = Interleave::new(&system.file, tier.channels_per_socket as u64, tier.interleave_lines)?;
    Ok(BareMemory { channel, interleave })
}

fn print(arguments: &args::Replay, system: &System, run: &BareRun) -> Outcome {
    if arguments.json {
        let mut value = serde_json::to_value(&run.result)?;
        value["schema"] = json!("hetier-bare-1");
        value["system"] = json!(system.name);
        value["host_accesses_per_s"] = json!(run.host_accesses_per_s());
        say!("{}", serde_json::to_string_pretty(&value)?);
        return Ok(());
    }
    let result = &run.result;
    say!("{} accesses in {:.3} ms simulated", result.accesses, result.simulated_ns / 1e6);
    say!("{:.2} GB/s, {:.1} % of the peak", result.gb_per_s, 100.0 * result.peak_share);
    for (name, latency) in [("read", &result.read_latency_ns), ("write", &result.write_latency_ns)] {
        say!(
            "{name:5} latency ns: mean {:.1}, p50 {:.1}, p99 {:.1}, p99.9 {:.1}",
            latency.mean,
            latency.p50,
            latency.p99,
            latency.p999
        );
    }
    say!("row hits {:.1} %", 100.0 * result.row_hit_rate);
    say!("{:.2} million accesses a second on the host", run.host_accesses_per_s() / 1e6);
    Ok(())
}
