//! `info`: facts of a trace alone.

use hetier_reports::{Table, spelt, units};
use hetier_traces::{Facts, facts, read_file};

use crate::args;
use crate::failure::Outcome;
use crate::interrupt;

/// Prints the facts of a trace.
pub fn run(arguments: &args::Info) -> Outcome {
    let trace = read_file(&arguments.trace)?;
    let facts = interrupt::ending_at_once(|| facts(&trace, arguments.threads))?;
    if arguments.json {
        let mut value = serde_json::to_value(&facts)?;
        value["schema"] = "hetier-info-1".into();
        value["header"] = serde_json::to_value(&trace.header.facts)?;
        say!("{}", serde_json::to_string_pretty(&value)?);
        return Ok(());
    }
    for (key, value) in &trace.header.facts {
        say!("{:12} {}", spelt(key), spelt(value));
    }
    print_facts(&facts);
    Ok(())
}

fn print_facts(facts: &Facts) {
    let logical = facts.activity.logical;
    say!("objects      {}", facts.objects);
    say!("peak         {} live", units::bytes(facts.peak_footprint_bytes));
    say!("loads        {}", units::bytes(logical.read_bytes));
    say!("stores       {}", units::bytes(logical.write_bytes));
    say!("accesses     {} lines of 64 bytes\n", facts.activity.line_accesses);
    let mut phases =
        Table::new(&["phase", "operation", "stage", "calls", "lines", "loads", "stores", "peak live"]);
    for phase in &facts.phases {
        phases.push(vec![
            phase.name.clone(),
            phase.operation.clone(),
            phase.stage.name().to_owned(),
            phase.activity.calls.to_string(),
            phase.activity.line_accesses.to_string(),
            units::bytes(phase.activity.logical.read_bytes),
            units::bytes(phase.activity.logical.write_bytes),
            units::bytes(phase.peak_footprint_bytes),
        ]);
    }
    say!("{}", phases.to_text());
    let mut primitives = Table::new(&["primitive", "calls", "loads", "stores"]);
    for (name, calls) in &facts.activity.primitives {
        let bytes = facts.activity.bytes_by_primitive.get(name).copied().unwrap_or_default();
        primitives.push(vec![
            name.clone(),
            calls.to_string(),
            units::bytes(bytes.read_bytes),
            units::bytes(bytes.write_bytes),
        ]);
    }
    say!("{}", primitives.to_text());
}
