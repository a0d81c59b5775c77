//! The report page: one HTML file that opens without a network, figures inside.

use hetier_sim::result::RunResult;
use minijinja::{Environment, Value, context};

use crate::Error;
use crate::comparison::{self, Facts};
use crate::figure::Drawing;
use crate::labels::labels;
use crate::table::{NOT_APPLICABLE, Table, cell, spelt};
use crate::units::{bytes, count, percent, significant};

const TEMPLATE: &str = include_str!("../templates/report.html");

/// Renders the page.
///
/// # Errors
/// [`Error::Page`] if the template fails: a broken invariant of this crate.
pub fn page(results: &[RunResult], facts: &Facts, drawings: &[Drawing]) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.add_template("report.html", TEMPLATE)?;
    let figures: Vec<Value> = drawings.iter().map(figure).collect();
    let page = environment.get_template("report.html")?.render(context! {
        title => spelt(&title(results, facts)),
        facts => table(&fact_rows(facts)),
        comparison => table(&comparison::table(results).transposed()),
        figures => figures,
        settings => table(&settings(results)),
        seeds => results.iter().filter_map(|result| result.seeds).max().filter(|seeds| *seeds > 1),
        version => results.first().map_or("", |result| result.program_version.as_str()),
    })?;
    Ok(page)
}

/// A figure as the template sees it. Inside HTML the name space is implied; without it the page holds no address.
fn figure(drawing: &Drawing) -> Value {
    let svg = drawing.svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", "");
    context! { name => drawing.name, caption => drawing.caption, svg => svg }
}

/// A table as the template sees it.
fn table(table: &Table) -> Value {
    context! { heads => &table.heads, rows => table.shown() }
}

fn title(results: &[RunResult], facts: &Facts) -> String {
    let network = facts.network.as_deref().or_else(|| results.first()?.network.as_deref());
    let mut systems: Vec<&str> = results.iter().map(|result| result.system.as_str()).collect();
    systems.dedup();
    match network {
        Some(network) => format!("{network} on {}", systems.join(", ")),
        None => systems.join(", "),
    }
}

fn fact_rows(facts: &Facts) -> Table {
    let mut table = Table::new(&["fact", "value"]);
    let mut push = |name: &str, value: String| table.push(vec![name.to_owned(), value]);
    push(
        "images (slots of a ciphertext)",
        format!("{} ({})", cell(facts.images, count), cell(facts.slots, count)),
    );
    push("security", cell(facts.security.clone(), |security| security));
    push("accuracy, encrypted", cell(facts.accuracy.encrypted, percent));
    push("accuracy, clear", cell(facts.accuracy.clear, percent));
    push("predictions that agree", cell(facts.agreement, percent));
    push("largest difference of outputs", cell(facts.max_output_error, |error| significant(error, 2)));
    push("objects", count(facts.trace.objects));
    push("live objects at most, scratch of one thread", bytes(facts.trace.peak_footprint_bytes));
    push("bytes read by primitives", bytes(facts.trace.logical_read_bytes));
    push("bytes written by primitives", bytes(facts.trace.logical_write_bytes));
    push("size of the trace", bytes(facts.trace.bytes));
    table
}

/// Everything that made the results, a column for each: identity first, then the settings.
fn settings(results: &[RunResult]) -> Table {
    let names = labels(results);
    let heads: Vec<&str> = std::iter::once("setting").chain(names.iter().map(String::as_str)).collect();
    let mut table = Table::new(&heads);
    type Setting = fn(&RunResult) -> String;
    let identity: [(&str, Setting); 10] = [
        ("mode", |result| result.mode.clone()),
        ("system", |result| result.system.clone()),
        ("hash of the system", |result| result.system_hash.clone()),
        ("hash of the trace", |result| result.trace_hash.clone()),
        ("fidelity", |result| result.fidelity.clone()),
        ("threads", |result| result.threads.to_string()),
        ("placement", |result| match result.mode.as_str() {
            "app-direct" => result.placement.clone(),
            _ => NOT_APPLICABLE.to_owned(),
        }),
        ("seed", |result| result.seed.to_string()),
        ("seeds of the ensemble", |result| {
            cell(result.seeds.filter(|seeds| *seeds > 1), |seeds| seeds.to_string())
        }),
        ("form of the result", |result| result.schema.clone()),
    ];
    for (name, setting) in identity {
        table.push(std::iter::once(name.to_owned()).chain(results.iter().map(setting)).collect());
    }
    let mut keys: Vec<&String> = results.iter().flat_map(|result| result.settings.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| identity.iter().all(|(name, _)| name != key));
    for key in keys {
        let values = results.iter().map(|result| cell(result.settings.get(key), Clone::clone));
        table.push(std::iter::once(key.clone()).chain(values).collect());
    }
    table
}
