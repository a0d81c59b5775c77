//! `list`: the shelves by name.

use hetier_reports::figure::RUN_FIGURES;
use hetier_sim::{System, device, mode, placement, system};
use hetier_workloads::network::NETWORKS;
use serde_json::json;

use crate::args::{self, Listed};
use crate::failure::Outcome;

/// Prints a list.
pub fn run(arguments: &args::List) -> Outcome {
    let rows = rows(arguments.what)?;
    if arguments.json {
        let entries: Vec<_> =
            rows.iter().map(|(name, summary)| json!({ "name": name, "summary": summary })).collect();
        println!(
            "{}",
            serde_json::to_string_pretty(&json!({ "schema": "hetier-list-1", "entries": entries }))?
        );
        return Ok(());
    }
    for (name, summary) in rows {
        println!("{name:24} {summary}");
    }
    Ok(())
}

/// Name of every entry, and one line where the shelf has one.
fn rows(what: Listed) -> Outcome<Vec<(String, String)>> {
    let named = |(name, summary): (&str, &str)| (name.to_owned(), summary.to_owned());
    let bare = |name: &str| (name.to_owned(), String::new());
    Ok(match what {
        Listed::Networks => NETWORKS.iter().map(|entry| named((entry.name, entry.summary))).collect(),
        Listed::Systems => systems()?,
        Listed::Devices => device::shipped::SHIPPED.iter().map(|(name, _)| bare(name)).collect(),
        Listed::Modes => mode::names().into_iter().map(bare).collect(),
        Listed::Placements => placement::names().into_iter().map(bare).collect(),
        Listed::Figures => {
            RUN_FIGURES.iter().map(|figure| named((figure.name(), figure.caption()))).collect()
        }
    })
}

fn systems() -> Outcome<Vec<(String, String)>> {
    let load = |name| System::load(name).map(|system| (system.name, system.summary));
    Ok(system::names().into_iter().map(load).collect::<Result<_, _>>()?)
}
