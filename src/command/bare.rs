//! `replay --bare`: another tool's trace straight on memory controllers, without caches.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader};

use hetier_reports::{output, units};
use hetier_sim::System;
use hetier_sim::device::literal::DeviceConfig;
use hetier_sim::device::mapping::{self, Interleave, Mapping};
use hetier_sim::foreign::bare::{self, BareMemory, BareRun, Pace};
use hetier_sim::foreign::bare_device::{self, DeviceMemory};
use hetier_sim::foreign::{ImportFormat, read};
use hetier_sim::system::TierSpec;
use serde_json::{Value, json};

use crate::args;
use crate::failure::{Failure, Outcome};

/// Bytes of a line.
const LINE_BYTES: u64 = 64;

/// Replays a foreign trace.
pub fn run(arguments: &args::Replay, format: &str) -> Outcome {
    let system = System::load(&arguments.machine.system)?;
    let tier = tier(&system, arguments.tier.as_deref())?;
    let interleave = Interleave::new(&system.file, tier.channels_per_socket as u64, tier.interleave_lines)?;
    let format = ImportFormat::named(format)?;
    if let Some(path) = &arguments.output {
        output::check_file(path, &[&arguments.trace])?;
    }
    let shown = arguments.trace.display().to_string();
    let file = File::open(&arguments.trace)
        .map_err(|error| Failure::work(format!("{shown}: cannot be read: {error}")))?;
    let mut input = BufReader::new(file);
    if input.fill_buf().is_ok_and(|start| start.starts_with(super::GZIP)) {
        return Err(Failure::work(format!(
            "{shown}: found a file compressed by gzip, need its text (unpack it first: gzip -d)"
        )));
    }
    let lines = tier.socket_bytes() / LINE_BYTES;
    let beyond = Cell::new(0_u64);
    let source = read(format, &shown, input).inspect(|access| {
        beyond.set(beyond.get() + u64::from(access.as_ref().is_ok_and(|access| access.line >= lines)));
    });
    let pace = pace(arguments);
    let run = match DeviceConfig::load(&tier.device)? {
        DeviceConfig::Dram(mut channel) => {
            if let Some(name) = &arguments.mapping {
                channel.mapping = Mapping::check(name, &mapping::load(name)?, &channel.geometry)?;
            }
            bare::replay(source, &BareMemory { channel, interleave }, pace)?
        }
        device if arguments.mapping.is_none() => {
            bare_device::replay(source, &DeviceMemory { device, interleave }, pace)?
        }
        _ => {
            let what = format!("--mapping: found {}, need a plain DRAM device", tier.device);
            return Err(Failure::usage(what));
        }
    };
    if run.result.accesses == 0 {
        return Err(Failure::work(format!("{shown}: found no access, need at least one")));
    }
    let beyond = beyond.get();
    if beyond > 0 {
        tell!(
            "note: {beyond} accesses lie beyond the {} of {} on one socket of {}: their addresses are taken modulo that size",
            units::binary_bytes(tier.socket_bytes()),
            tier.name,
            system.name
        );
    }
    let mut value = as_json(&system, tier, &run)?;
    value["accesses_beyond_capacity"] = json!(beyond);
    if let Some(path) = &arguments.output {
        output::write_single(path, (serde_json::to_string_pretty(&value)? + "\n").as_bytes())?;
    }
    if arguments.json {
        value["host_accesses_per_s"] = json!(run.host_accesses_per_s());
        say!("{}", serde_json::to_string_pretty(&value)?);
    } else {
        print(&run);
    }
    Ok(())
}

fn pace(arguments: &args::Replay) -> Pace {
    match (arguments.pace, arguments.saturated) {
        (Some(clocks), _) => Pace::Every(clocks),
        (None, true) => Pace::Saturated,
        (None, false) => Pace::Recorded,
    }
}

/// The tier of a name, or the first.
fn tier<'s>(system: &'s System, name: Option<&str>) -> Outcome<&'s TierSpec> {
    let found = system.tiers.iter().find(|tier| name.is_none_or(|name| tier.name == name));
    found.ok_or_else(|| {
        let known: Vec<&str> = system.tiers.iter().map(|tier| tier.name.as_str()).collect();
        Failure::usage(format!(
            "{}: --tier: found {}, need one of {}",
            system.name,
            name.unwrap_or("none"),
            known.join(", ")
        ))
    })
}

/// The result as files hold it, without the host's time.
fn as_json(system: &System, tier: &TierSpec, run: &BareRun) -> Outcome<Value> {
    let mut value = serde_json::to_value(&run.result)?;
    value["schema"] = json!("hetier-bare-1");
    value["system"] = json!(system.name);
    value["tier"] = json!(tier.name);
    Ok(value)
}

fn print(run: &BareRun) {
    let result = &run.result;
    say!("{} accesses in {} simulated", result.accesses, units::seconds(result.simulated_ns * 1e-9));
    let share =
        result.peak_share.map_or_else(String::new, |share| format!(", {:.1} % of the peak", 100.0 * share));
    // A write that a queue takes at once is over at the instant at which it began.
    if result.simulated_ns > 0.0 {
        say!("{:.2} GB/s{share}", result.gb_per_s);
    } else {
        say!("– GB/s: no time passed");
    }
    for (name, latency) in [("read", &result.read_latency_ns), ("write", &result.write_latency_ns)] {
        let Some(latency) = latency else { continue };
        say!(
            "{name:5} latency ns: mean {:.1}, p50 {:.1}, p99 {:.1}, p99.9 {:.1}",
            latency.mean,
            latency.p50,
            latency.p99,
            latency.p999
        );
    }
    say!("row or buffer hits {:.1} %", 100.0 * result.row_hit_rate);
    say!("{:.2} million accesses a second on the host", run.host_accesses_per_s() / 1e6);
}
