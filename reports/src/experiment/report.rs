//! The files of an experiment, in memory.

use super::figures::{self, Named};
use super::{Outcome, Sweep, judge, operations, points, prose, sweep_table, unsimulated};
use crate::Error;
use crate::labels::file_stem;
use crate::output::OutputFile;
use crate::report::result_json;
use crate::table::Table;

/// `report.md`, `tables/NAME.{csv,tex}`, `figures/NAME.{svg,csv}` and the whole results of the networks whose figures
/// over time are drawn, as `results/NETWORK-RUN.json`. The same sweep gives the same bytes.
///
/// # Errors
/// - [`Error::Json`] for a result that JSON cannot hold.
pub fn report_files(sweep: &Sweep) -> Result<Vec<OutputFile>, Error> {
    let (judged, drawn) = (judge(sweep), figures::draw_all(sweep));
    let mut files = vec![OutputFile::new("report.md", prose::page(sweep, &judged, &drawn))];
    files.extend(table_files("sweep", &sweep_table(sweep)));
    if !judged.is_empty() {
        files.extend(table_files("points", &points(&judged)));
    }
    if !sweep.experiment.unsimulated.is_empty() {
        files.extend(table_files("not-simulated", &unsimulated(&sweep.experiment)));
    }
    for network in sweep.detailed() {
        let stem = format!("operations-{}", file_stem(network.label()));
        files.extend(table_files(&stem, &operations(sweep, network.label())));
    }
    for Named { stem, drawing, .. } in &drawn {
        files.push(OutputFile::new(format!("figures/{stem}.svg"), drawing.svg.as_bytes()));
        files.push(OutputFile::new(format!("figures/{stem}.csv"), drawing.csv.as_bytes()));
    }
    files.extend(results(sweep)?);
    Ok(files)
}

fn table_files(stem: &str, table: &Table) -> [OutputFile; 2] {
    [
        OutputFile::new(format!("tables/{stem}.csv"), table.to_csv()),
        OutputFile::new(format!("tables/{stem}.tex"), table.to_latex()),
    ]
}

fn results(sweep: &Sweep) -> Result<Vec<OutputFile>, Error> {
    let mut files = Vec::new();
    for network in sweep.detailed() {
        for cell in sweep.cells.iter().filter(|cell| cell.network == network.label()) {
            if let Outcome::Ran(result) = &cell.outcome {
                let stem = file_stem(&format!("{}-{}", cell.network, cell.run));
                files.push(OutputFile::new(format!("results/{stem}.json"), result_json(result)?));
            }
        }
    }
    Ok(files)
}
