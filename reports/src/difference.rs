//! Two results side by side, with the ratio of the second to the first.

use std::collections::BTreeSet;

use hetier_sim::result::RunResult;

use crate::table::{NOT_APPLICABLE, Table, cell};
use crate::units::{binary_bytes, bytes, count, percent, seconds, significant};

/// The table of `diff`: headline numbers, traffic by tier, time of each phase that both have, then the settings in
/// which the two differ.
pub fn table(first: &RunResult, second: &RunResult) -> Table {
    let mut table = Table::new(&["", "first", "second", "second / first"]);
    push_headline(&mut table, first, second);
    push_traffic(&mut table, first, second);
    push_phases(&mut table, first, second);
    push_settings(&mut table, first, second);
    table
}

/// One number of a result with its form.
struct Row<'a> {
    name: &'a str,
    values: [Option<f64>; 2],
    form: fn(f64) -> String,
}

fn push(table: &mut Table, row: &Row<'_>) {
    let [first, second] = row.values;
    let ratio = match (first, second) {
        (Some(first), Some(second)) if first != 0.0 => Some(second / first),
        _ => None,
    };
    table.push(vec![
        row.name.to_owned(),
        cell(first, row.form),
        cell(second, row.form),
        cell(ratio, |ratio| format!("{}×", significant(ratio, 4))),
    ]);
}

fn push_headline(table: &mut Table, first: &RunResult, second: &RunResult) {
    type Number = fn(&RunResult) -> Option<f64>;
    type Form = fn(f64) -> String;
    let whole = |value: f64| count(value as u64);
    let capacity = |value: f64| binary_bytes(value as u64);
    let nanoseconds = |value: f64| format!("{} ns", significant(value, 3));
    let rows: [(&str, Number, Form); 9] = [
        ("simulated time", |result| Some(result.simulated_seconds), seconds),
        ("whole run", |result| Some(result.whole_run_seconds), seconds),
        ("accesses", |result| Some(result.accesses as f64), whole),
        ("near-memory hit rate", |result| result.near_memory_hit_rate, percent),
        ("peak footprint", |result| Some(result.peak_footprint_bytes as f64), capacity),
        ("peak live", |result| Some(result.peak_live_bytes as f64), capacity),
        ("read latency p50", |result| Some(result.read_latency_ns.as_ref()?.p50), nanoseconds),
        ("read latency p99", |result| Some(result.read_latency_ns.as_ref()?.p99), nanoseconds),
        ("read latency p99.9", |result| Some(result.read_latency_ns.as_ref()?.p999), nanoseconds),
    ];
    for (name, number, form) in rows {
        push(table, &Row { name, values: [number(first), number(second)], form });
    }
}

fn push_traffic(table: &mut Table, first: &RunResult, second: &RunResult) {
    let tiers: BTreeSet<&String> = first.devices.keys().chain(second.devices.keys()).collect();
    let traffic = |value: f64| bytes(value as u64);
    for tier in tiers {
        let pair = [first.devices.get(tier), second.devices.get(tier)];
        let read = pair.map(|tier| Some(tier?.read_bytes as f64));
        let write = pair.map(|tier| Some(tier?.write_bytes as f64));
        push(table, &Row { name: &format!("{tier} read"), values: read, form: traffic });
        push(table, &Row { name: &format!("{tier} write"), values: write, form: traffic });
    }
}

fn push_phases(table: &mut Table, first: &RunResult, second: &RunResult) {
    for phase in &first.phases {
        if let Some(other) = second.phases.iter().find(|other| other.name == phase.name) {
            let values = [Some(phase.seconds), Some(other.seconds)];
            push(table, &Row { name: &format!("time of {}", phase.name), values, form: seconds });
        }
    }
}

fn push_settings(table: &mut Table, first: &RunResult, second: &RunResult) {
    let names: BTreeSet<&String> = first.settings.keys().chain(second.settings.keys()).collect();
    let set = |result: &RunResult, name: &str| result.settings.get(name).cloned();
    let settings = names.into_iter().map(|name| (name.as_str(), set(first, name), set(second, name)));
    for (name, one, other) in
        identity(first, second).into_iter().chain(settings).filter(|(_, one, other)| one != other)
    {
        let cells = [one, other].map(|value| value.unwrap_or_else(|| NOT_APPLICABLE.to_owned()));
        let [one, other] = cells;
        table.push(vec![name.to_owned(), one, other, NOT_APPLICABLE.to_owned()]);
    }
}

fn identity<'a>(first: &RunResult, second: &RunResult) -> Vec<(&'a str, Option<String>, Option<String>)> {
    type Name = fn(&RunResult) -> Option<String>;
    let names: [(&str, Name); 9] = [
        ("mode", |result| Some(result.mode.clone())),
        ("system", |result| Some(result.system.clone())),
        ("system hash", |result| Some(result.system_hash.clone())),
        ("network", |result| result.network.clone()),
        ("trace hash", |result| Some(result.trace_hash.clone())),
        ("fidelity", |result| Some(result.fidelity.clone())),
        ("threads", |result| Some(result.threads.to_string())),
        ("placement", |result| Some(result.placement.clone())),
        ("seed", |result| Some(result.seed.to_string())),
    ];
    names.into_iter().map(|(name, of)| (name, of(first), of(second))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_settings_are_left_out_and_unlike_ones_shown() {
        let first =
            RunResult { mode: "dram-only".to_owned(), simulated_seconds: 2.0, ..RunResult::default() };
        let second =
            RunResult { mode: "memory-mode".to_owned(), simulated_seconds: 3.0, ..RunResult::default() };

        let table = table(&first, &second);

        let rows = table.shown();
        assert_eq!(rows[0], ["simulated time", "2.00 s", "3.00 s", "1.500×"]);
        assert!(rows.contains(&["mode", "dram-only", "memory-mode", "–"].map(str::to_owned).to_vec()));
        assert!(!rows.iter().any(|row| row[0] == "system"));
    }
}
