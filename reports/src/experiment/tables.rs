//! The tables of an experiment.

use hetier_sim::result::{Quantiles, RunResult, Share, Spread, TierResult, TierSpread};

use super::{Cell, Experiment, Outcome, RunEntry, Sweep};
use crate::comparison::overhead_seconds;
use crate::entry::Entry;
use crate::table::Table;

const GIGA: f64 = 1e-9;

/// Where a column of the sweep is shown; each place has the columns of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// On the terminal and on the page.
    Summary,
    /// In the table of one run, in the appendix and for LaTeX.
    Run,
    /// In the CSV file.
    Data,
}

/// A column of the sweep: a number of a cell that ran.
struct Column {
    head: &'static str,
    place: Place,
    entry: fn(&Sweep, &Cell, &RunResult) -> Entry,
}

const fn column(head: &'static str, place: Place, entry: fn(&Sweep, &Cell, &RunResult) -> Entry) -> Column {
    Column { head, place, entry }
}

const COLUMNS: [Column; 16] = [
    column("inference (s)", Place::Summary, |_, _, result| {
        seconds(result.simulated_seconds).within(spread(result, |spread| spread.simulated_seconds))
    }),
    column("slowdown", Place::Summary, |sweep, cell, result| {
        let slowdown = sweep.slowdown(&cell.network, &cell.run);
        let between = slowdown.filter(|_| result.ensemble().is_some());
        Entry::number(slowdown.map(|slowdown| slowdown.median), 4).within(between)
    }),
    column("whole run (s)", Place::Run, |_, _, result| {
        seconds(result.whole_run_seconds).within(spread(result, |spread| spread.whole_run_seconds))
    }),
    column("overhead (s)", Place::Data, |_, _, result| Entry::number(overhead_seconds(result), 3)),
    column("peak (GB)", Place::Summary, |_, _, result| {
        let between = spread(result, |spread| spread.peak_footprint_bytes.scaled(GIGA));
        gigabytes(result.peak_footprint_bytes).within(between)
    }),
    column("live (GB)", Place::Data, |_, _, result| gigabytes(result.peak_live_bytes)),
    column("near-memory hits (%)", Place::Summary, |_, _, result| {
        let between = result.ensemble().and_then(|spread| spread.near_memory_hit_rate);
        Entry::percent(result.near_memory_hit_rate).within(between.map(Quantiles::percent))
    }),
    column("DRAM read (GB)", Place::Run, |_, _, result| read(result, "dram")),
    column("DRAM write (GB)", Place::Run, |_, _, result| written(result, "dram")),
    column("PMem read (GB)", Place::Run, |_, _, result| read(result, "pmem")),
    column("PMem write (GB)", Place::Run, |_, _, result| written(result, "pmem")),
    column("PMem buffered reads (%)", Place::Run, |_, _, result| {
        let rate = result.devices.get("pmem").and_then(|tier| tier.buffer_hit_rate.read);
        let between = tier_spread(result, "pmem").and_then(|tier| tier.read_buffer_hit_rate);
        Entry::percent(rate).within(between.map(Quantiles::percent))
    }),
    column("CXL read (GB)", Place::Run, |_, _, result| read(result, "cxl")),
    column("CXL write (GB)", Place::Run, |_, _, result| written(result, "cxl")),
    column("PMem buffered writes (%)", Place::Data, |_, _, result| {
        Entry::percent(result.devices.get("pmem").and_then(|tier| tier.buffer_hit_rate.write))
    }),
    column("calls simulated (%)", Place::Data, |_, _, result| Entry::percent(result.sampled_share)),
];

/// Columns that only the CSV file has, behind the others.
const LAST_HEADS: [&str; 4] = ["sampling error (s)", "seeds", "fits", "capacity (GB)"];

/// A row for each cell with every number of it. Where a network does not fit, the peak is what it needs at least.
pub fn sweep_table(sweep: &Sweep) -> Table {
    let mut table = with_columns(&["network", "run"], Place::Data);
    table.heads.extend(LAST_HEADS.map(str::to_owned));
    for cell in &sweep.cells {
        let mut row = vec![Entry::from(cell.network.as_str()), cell.run.as_str().into()];
        row.extend(entries(sweep, cell, Place::Data));
        row.extend(last_entries(cell));
        table.push(row);
    }
    table
}

/// A row for each cell with the headline numbers.
pub fn summary(sweep: &Sweep) -> Table {
    summary_of(sweep, |_| true)
}

/// A row for each cell of the networks that are drawn in detail, with the headline numbers.
pub(super) fn detailed_summary(sweep: &Sweep) -> Table {
    summary_of(sweep, |network| sweep.detailed().any(|entry| entry.label() == network))
}

fn summary_of(sweep: &Sweep, is_shown: impl Fn(&str) -> bool) -> Table {
    let mut table = with_columns(&["network", "run"], Place::Summary);
    for cell in sweep.cells.iter().filter(|cell| is_shown(&cell.network)) {
        let mut row = vec![Entry::from(cell.network.as_str()), cell.run.as_str().into()];
        row.extend(entries(sweep, cell, Place::Summary));
        table.push(row);
    }
    table
}

/// A row for each network of one run.
pub fn run_table(sweep: &Sweep, run: &RunEntry) -> Table {
    let mut table = with_columns(&["network"], Place::Run);
    for cell in sweep.cells.iter().filter(|cell| cell.run == run.name) {
        let mut row = vec![Entry::from(cell.network.as_str())];
        row.extend(entries(sweep, cell, Place::Run));
        table.push(row);
    }
    table.without_empty_columns()
}

fn columns(place: Place) -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(move |column| column.place <= place)
}

fn with_columns(first: &[&str], place: Place) -> Table {
    let heads: Vec<&str> = first.iter().copied().chain(columns(place).map(|column| column.head)).collect();
    Table::new(&heads)
}

fn entries(sweep: &Sweep, cell: &Cell, place: Place) -> Vec<Entry> {
    let of = |column: &Column| match &cell.outcome {
        Outcome::Ran(result) => (column.entry)(sweep, cell, result),
        // People see the need in the place of the time; it would be no peak.
        Outcome::DoesNotFit { needed_bytes, .. } if column.head == "peak (GB)" => gigabytes(*needed_bytes),
        Outcome::DoesNotFit { .. } if column.head == "inference (s)" && place != Place::Data => {
            "does not fit".into()
        }
        Outcome::DoesNotFit { .. } => Entry::Nothing,
    };
    columns(place).map(of).collect()
}

fn last_entries(cell: &Cell) -> [Entry; 4] {
    match &cell.outcome {
        Outcome::Ran(result) => [
            Entry::number(result.sampling_error_seconds, 3),
            Entry::count(result.seeds),
            "yes".into(),
            gigabytes(result.capacity_bytes()),
        ],
        Outcome::DoesNotFit { capacity_bytes, .. } => {
            [Entry::Nothing, Entry::Nothing, "no".into(), gigabytes(*capacity_bytes)]
        }
    }
}

fn seconds(value: f64) -> Entry {
    Entry::number(value, 4)
}

fn gigabytes(bytes: u64) -> Entry {
    Entry::number(bytes as f64 * GIGA, 4)
}

fn spread(result: &RunResult, of: fn(&Spread) -> Quantiles) -> Option<Quantiles> {
    result.ensemble().map(of)
}

fn tier_spread<'r>(result: &'r RunResult, tier: &str) -> Option<&'r TierSpread> {
    result.ensemble()?.devices.get(tier)
}

fn read(result: &RunResult, tier: &str) -> Entry {
    moved(result, tier, |tier| tier.read_bytes, |tier| tier.read_bytes)
}

fn written(result: &RunResult, tier: &str) -> Entry {
    moved(result, tier, |tier| tier.write_bytes, |tier| tier.write_bytes)
}

fn moved(
    result: &RunResult,
    tier: &str,
    bytes: fn(&TierResult) -> u64,
    between: fn(&TierSpread) -> Quantiles,
) -> Entry {
    let spread = tier_spread(result, tier).map(between);
    let bytes = result.devices.get(tier).map(|tier| bytes(tier) as f64 * GIGA);
    Entry::number(bytes, 4).within(spread.map(|spread| spread.scaled(GIGA)))
}

/// Heads of the numbers of a graph operation.
const OPERATION_HEADS: [&str; 14] = [
    "count",
    "time (s)",
    "slowdown",
    "near-memory hits (%)",
    "DRAM read (GB)",
    "DRAM write (GB)",
    "DRAM loads (10⁶)",
    "PMem read (GB)",
    "PMem write (GB)",
    "PMem loads (10⁶)",
    "CXL read (GB)",
    "CXL write (GB)",
    "CXL loads (10⁶)",
    "loads PMem ÷ DRAM",
];

/// A row for each run and graph operation of a network.
pub fn operations(sweep: &Sweep, network: &str) -> Table {
    let mut table = Table::new(&[&["run", "operation"], &OPERATION_HEADS[..]].concat());
    for run in &sweep.experiment.run {
        for (operation, entries) in operation_rows(sweep, network, &run.name) {
            let head = [Entry::from(run.name.as_str()), operation.into()];
            table.push(head.into_iter().chain(entries).collect());
        }
    }
    table
}

/// A row for each graph operation of a network on one run; empty if it did not run there.
pub fn run_operations(sweep: &Sweep, network: &str, run: &RunEntry) -> Table {
    let mut table = Table::new(&[&["operation"], &OPERATION_HEADS[..]].concat());
    for (operation, entries) in operation_rows(sweep, network, &run.name) {
        table.push(std::iter::once(Entry::from(operation)).chain(entries).collect());
    }
    // A page has no room for all of them.
    let writes = ["DRAM write (GB)", "PMem write (GB)", "CXL write (GB)"];
    writes.iter().fold(table, |table, head| table.without(head)).without_empty_columns()
}

/// Graph operations of a network on a run with their numbers, the longest first. Slowdowns are against the first run of
/// the experiment.
fn operation_rows<'s>(sweep: &'s Sweep, network: &str, run: &str) -> Vec<(&'s str, Vec<Entry>)> {
    let Some(result) = sweep.result(network, run) else { return Vec::new() };
    let base = sweep.experiment.run.first().and_then(|first| sweep.result(network, &first.name));
    let mut shares: Vec<(&String, &Share)> = result.by_operation.iter().collect();
    let seconds = |share: &Share| share.simulated_seconds.unwrap_or(0.0);
    shares.sort_by(|one, other| seconds(other.1).total_cmp(&seconds(one.1)));
    let row = |(name, share): (&'s String, &Share)| {
        let base = base.and_then(|base| base.by_operation.get(name)?.simulated_seconds);
        (name.as_str(), operation_entries(result, share, base))
    };
    shares.into_iter().map(row).collect()
}

fn operation_entries(result: &RunResult, share: &Share, base: Option<f64>) -> Vec<Entry> {
    let own = share.simulated_seconds;
    let ratio = own.zip(base).filter(|(_, base)| *base > 0.0).map(|(own, base)| own / base);
    let [dram, pmem] = ["dram", "pmem"].map(|tier| loads(result, share, tier));
    let quotient = pmem.zip(dram).filter(|(_, dram)| *dram > 0).map(|(pmem, dram)| pmem as f64 / dram as f64);
    let mut entries = vec![
        Entry::count(share.count),
        Entry::number(own, 3),
        Entry::number(ratio, 3),
        Entry::percent(share.near_memory_hit_rate),
    ];
    for tier in TIERS {
        entries.extend(traffic(result, share, tier));
        let millions = loads(result, share, tier).map(|lines| lines as f64 / 1e6);
        entries.push(Entry::number(millions, 3));
    }
    entries.push(Entry::number(quotient, 3));
    entries
}

/// Tiers in the order of their columns.
const TIERS: [&str; 3] = ["dram", "pmem", "cxl"];

/// Bytes that a share reads and writes at a tier, if the run has it.
fn traffic(result: &RunResult, share: &Share, tier: &str) -> [Entry; 2] {
    let bytes = [share.read_bytes(tier), share.write_bytes(tier)];
    let has = result.devices.contains_key(tier);
    bytes.map(|bytes| Entry::number(has.then_some(bytes as f64 * GIGA), 3))
}

/// Lines that cores were given by a tier, if the run has it.
fn loads(result: &RunResult, share: &Share, tier: &str) -> Option<u64> {
    share.loads.get(tier).copied().filter(|_| result.devices.contains_key(tier))
}

/// Classes of objects, and what they are in an encrypted network.
const CLASSES: [(&str, &str); 8] = [
    ("ciphertext", "activations"),
    ("scalar", "weights"),
    ("plaintext", "encoded vectors"),
    ("message", "slot values"),
    ("heap", "retained heap"),
    ("scratch", "scratch"),
    ("evaluation-key", "keys"),
    ("table", "transform tables"),
];

/// A row for each run of a network and class of objects: the most bytes alive, and where its lines went. Waiting is
/// what cores waited for memory and caches on behalf of the class, added up.
pub fn classes(sweep: &Sweep, network: &str) -> Table {
    let mut table = Table::new(&[
        "run",
        "class",
        "what it is",
        "most alive (GB)",
        "waiting (core s)",
        "DRAM read (GB)",
        "DRAM write (GB)",
        "PMem read (GB)",
        "PMem write (GB)",
        "CXL read (GB)",
        "CXL write (GB)",
        "PMem share of traffic (%)",
    ]);
    for run in &sweep.experiment.run {
        let Some(result) = sweep.result(network, &run.name) else { continue };
        for (class, meaning) in CLASSES {
            let Some(share) = result.by_class.get(class) else { continue };
            let head = [run.name.as_str(), class, meaning].map(Entry::from);
            table.push(head.into_iter().chain(class_entries(result, class, share)).collect());
        }
    }
    table
}

fn class_entries(result: &RunResult, class: &str, share: &Share) -> Vec<Entry> {
    let alive = result.footprint_over_time.iter().filter_map(|point| point.live_bytes.get(class)).max();
    let moved = |tier: &str| (share.read_bytes(tier) + share.write_bytes(tier)) as f64;
    let all: f64 = TIERS.iter().map(|tier| moved(tier)).sum();
    let has_pmem = all > 0.0 && result.devices.contains_key("pmem");
    let mut entries = vec![
        Entry::number(alive.map(|&alive| alive as f64 * GIGA), 3),
        Entry::number(share.simulated_seconds, 3),
    ];
    entries.extend(TIERS.iter().flat_map(|tier| traffic(result, share, tier)));
    entries.push(Entry::percent(has_pmem.then(|| moved("pmem") / all)));
    entries
}

/// A row for each published number that is not simulated.
pub fn unsimulated(experiment: &Experiment) -> Table {
    let mut table = Table::new(&["not simulated", "published", "why", "source"]);
    for of in &experiment.unsimulated {
        table.push([&of.name, &of.published, &of.reason, &of.source].map(Clone::clone).to_vec());
    }
    table
}
