//! `list`: the shelves by name.

use hetier_reports::experiment;
use hetier_reports::figure;
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
        say!("{}", serde_json::to_string_pretty(&json!({ "schema": "hetier-list-1", "entries": entries }))?);
        return Ok(());
    }
    for (name, summary) in rows {
        say!("{name:24} {summary}");
    }
    Ok(())
}

/// Name of every entry and one line about it.
fn rows(what: Listed) -> Outcome<Vec<(String, String)>> {
    let named = |(name, summary): (&str, &str)| (name.to_owned(), summary.to_owned());
    Ok(match what {
        Listed::Networks => NETWORKS.iter().map(|entry| named((entry.name, entry.summary))).collect(),
        Listed::Systems => systems()?,
        Listed::Devices => {
            device::shipped::summaries()?.into_iter().map(|(name, title)| (name.to_owned(), title)).collect()
        }
        Listed::Modes => mode::summaries().into_iter().map(named).collect(),
        Listed::Placements => placement::summaries().into_iter().map(named).collect(),
        Listed::Figures => {
            let first =
                |caption: &'static str| caption.split_inclusive(". ").next().unwrap_or(caption).trim_end();
            figure::summaries().into_iter().map(|(name, caption)| named((name, first(caption)))).collect()
        }
        Listed::Studies => studies()?,
    })
}

fn systems() -> Outcome<Vec<(String, String)>> {
    let load = |name| System::load(name).map(|system| (system.name, system.summary));
    Ok(system::names().into_iter().map(load).collect::<Result<_, _>>()?)
}

fn studies() -> Outcome<Vec<(String, String)>> {
    let load = |name| experiment::load(name).map(|study| (study.name, study.title));
    Ok(experiment::names().into_iter().map(load).collect::<Result<_, _>>()?)
}
