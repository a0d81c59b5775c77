//! The files of an experiment, in memory.

use super::figures::{self, Named};
use super::page::{appendix, page};
use super::tables::{classes, run_operations, run_table};
use super::{NetworkEntry, Outcome, Sweep, judge, operations, points, sweep_table, unsimulated};
use crate::Error;
use crate::labels::file_stem;
use crate::output::OutputFile;
use crate::report::result_json;
use crate::table::Table;

/// `report.md` and its tables in `appendix.md`, `tables/NAME.csv` with the numbers and `tables/NAME.tex` with a table
/// for each run that fits a page, `figures/NAME.{svg,csv}` and the whole results of the networks whose figures over time
/// are drawn, as `results/NETWORK-RUN.json`. The same sweep gives the same bytes.
///
/// # Errors
/// - [`Error::Json`] for a result that JSON cannot hold.
pub fn report_files(sweep: &Sweep) -> Result<Vec<OutputFile>, Error> {
    let (judged, drawn) = (judge(sweep), figures::draw_all(sweep));
    let mut files = vec![
        OutputFile::new("report.md", page(sweep, &judged, &drawn)),
        OutputFile::new("appendix.md", appendix(sweep, &judged)),
        csv("sweep", &sweep_table(sweep)),
    ];
    let runs = &sweep.experiment.run;
    files.extend(runs.iter().filter_map(|run| latex(&["sweep", &run.name], &run_table(sweep, run))));
    if !judged.is_empty() {
        let points = points(&judged);
        files.push(csv("points", &points));
        // With the sources the table would be longer than a page.
        files.extend(latex(&["points"], &points.without("source")));
    }
    if !sweep.experiment.unsimulated.is_empty() {
        let table = unsimulated(&sweep.experiment);
        files.push(csv("not-simulated", &table));
        files.extend(latex(&["not-simulated"], &table));
    }
    for network in sweep.detailed().map(NetworkEntry::label) {
        files.push(csv(&format!("operations-{}", file_stem(network)), &operations(sweep, network)));
        files.extend(runs.iter().filter_map(|run| {
            latex(&["operations", network, &run.name], &run_operations(sweep, network, run))
        }));
        let classes = classes(sweep, network);
        files.push(csv(&format!("classes-{}", file_stem(network)), &classes));
        files.extend(latex(&["classes", network], &classes));
    }
    for Named { stem, drawing, .. } in &drawn {
        files.extend(drawing.files_named(stem)?);
    }
    files.extend(results(sweep)?);
    Ok(files)
}

fn csv(stem: &str, table: &Table) -> OutputFile {
    OutputFile::new(format!("tables/{stem}.csv"), table.to_csv())
}

/// A table without rows is no file.
fn latex(names: &[&str], table: &Table) -> Option<OutputFile> {
    let stem = file_stem(&names.join("-"));
    (!table.rows.is_empty()).then(|| OutputFile::new(format!("tables/{stem}.tex"), table.to_latex()))
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
