//! `calibrate --host`: what arithmetic costs on the machine that this runs on.

use hetier_reports::Table;
use hetier_sim::System;
use hetier_traces::Arithmetic;
use hetier_workloads::host::{HostCosts, measure};
use serde_json::{Map, Value, json};

use crate::args;
use crate::failure::Outcome;
use crate::interrupt;

/// Nanoseconds of one operation of each kind.
type Costs = [f64; Arithmetic::ALL.len()];

/// Measures this machine and prints its costs, beside those of a system if one is named.
pub fn run(arguments: &args::Calibrate) -> Outcome {
    let system = arguments.system.as_deref().map(System::load).transpose()?;
    let theirs = system.as_ref().map(|system| {
        let cost = |kind| system.arithmetic_fs(kind, 1) as f64 / 1e6;
        (system.name.as_str(), Arithmetic::ALL.map(cost))
    });
    let host = interrupt::ending_at_once(measure)?;
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&as_json(&host, theirs)?)?);
        return Ok(());
    }
    say!("{}, {:.2} GHz, vector unit {}\n", host.processor, host.clock_ghz, host.vector_unit);
    say!("{}", primitives(&host, theirs).to_text());
    say!("{}", kinds(&host, theirs).to_text());
    say!("{}", toml(&host));
    Ok(())
}

/// Primitives as measured, as the fitted costs give them, and as a system's costs do.
fn primitives(host: &HostCosts, theirs: Option<(&str, Costs)>) -> Table {
    let system = theirs.map(|(name, _)| format!("{name} µs"));
    let heads = ["primitive", "measured µs", "fitted µs"].into_iter().chain(system.as_deref());
    let mut table = Table::new(&heads.collect::<Vec<_>>());
    for primitive in &host.primitives {
        let fitted = primitive.at(&host.costs_ns);
        let system = theirs.map(|(_, costs)| primitive.at(&costs));
        let times = [primitive.microseconds, fitted].into_iter().chain(system);
        let name = std::iter::once(primitive.name.to_owned());
        table.push(name.chain(times.map(|time| format!("{time:.1}"))).collect());
    }
    table
}

/// Costs by kind of arithmetic.
fn kinds(host: &HostCosts, theirs: Option<(&str, Costs)>) -> Table {
    let system = theirs.map(|(name, _)| format!("{name} ns"));
    let heads = ["arithmetic", "cycles", "ns"].into_iter().chain(system.as_deref());
    let mut table = Table::new(&heads.collect::<Vec<_>>());
    for (at, kind) in Arithmetic::ALL.into_iter().enumerate() {
        let ns = host.costs_ns[at];
        let costs = [ns * host.clock_ghz, ns].into_iter().chain(theirs.map(|(_, costs)| costs[at]));
        let name = std::iter::once(kind.name().to_owned());
        table.push(name.chain(costs.map(|cost| format!("{cost:.3}"))).collect());
    }
    table
}

/// Name of a kind's key in a system file.
fn key(kind: Arithmetic) -> String {
    format!("{}_cycles", kind.name().replace('-', "_"))
}

/// The table of a system file, with its source.
fn toml(host: &HostCosts) -> String {
    let line = |(at, kind)| format!("{} = {:.3}\n", key(kind), host.costs_ns[at] * host.clock_ghz);
    let lines: String = Arithmetic::ALL.into_iter().enumerate().map(line).collect();
    format!("[arithmetic]\n{lines}jitter_percent = {:.1}\nsource = \"{}\"", host.jitter_percent, source(host))
}

fn source(host: &HostCosts) -> String {
    format!(
        "hetier calibrate --host on {}, {:.2} GHz under load, vector unit {}: {} primitives at N = {} with {} data primes, \
         dataflow fused, one thread, the fastest of many calls, fitted by costs per kind with a median error of {:.0} %; data \
         in the private caches is part of it; reduce as multiply by a constant",
        host.processor.replace(['"', '\\'], ""),
        host.clock_ghz,
        host.vector_unit,
        host.primitives.len(),
        host.degree,
        host.limbs,
        host.median_error_percent()
    )
}

fn as_json(host: &HostCosts, theirs: Option<(&str, Costs)>) -> Outcome<Value> {
    let cycles = Arithmetic::ALL.into_iter().enumerate();
    let cycles: Map<String, Value> =
        cycles.map(|(at, kind)| (key(kind), json!(host.costs_ns[at] * host.clock_ghz))).collect();
    let by_kind = |costs: Costs| -> Map<String, Value> {
        Arithmetic::ALL.iter().zip(costs).map(|(kind, cost)| (kind.name().to_owned(), json!(cost))).collect()
    };
    let primitives = host.primitives.iter().map(|primitive| {
        json!({
            "name": primitive.name,
            "microseconds": primitive.microseconds,
            "fitted_microseconds": primitive.at(&host.costs_ns),
            "system_microseconds": theirs.map(|(_, costs)| primitive.at(&costs)),
        })
    });
    Ok(json!({
        "schema": "hetier-host-1",
        "processor": host.processor,
        "vector_unit": host.vector_unit,
        "clock_ghz": host.clock_ghz,
        "primitives": primitives.collect::<Vec<_>>(),
        "median_fit_error_percent": host.median_error_percent(),
        "arithmetic": cycles,
        "jitter_percent": host.jitter_percent,
        "arithmetic_ns": by_kind(host.costs_ns),
        "system": theirs.map(|(name, _)| name),
        "system_arithmetic_ns": theirs.map(|(_, costs)| by_kind(costs)),
        "source": source(host),
    }))
}
