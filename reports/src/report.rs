//! The files of a report, in memory; [`crate::output::write_folder`] puts them on disk.

use hetier_sim::result::RunResult;

use crate::Error;
use crate::comparison::{self, Facts};
use crate::figure::{self, RUN_FIGURES, draw};
use crate::html;
use crate::labels::{distinct, file_stem, labels};
use crate::output::OutputFile;

/// All that `compare` writes besides the trace: `report.html`, the files of figures, `tables/comparison.{csv,tex}`
/// and each result as `MODE.json`. The same results and facts give the same bytes.
///
/// # Errors
/// - [`Error::NoResults`] without results.
/// - [`Error::Json`] for a result that JSON cannot hold (a time that is not finite).
/// - [`Error::Page`] if the page cannot be rendered.
pub fn compare_report(results: &[RunResult], facts: &Facts) -> Result<Vec<OutputFile>, Error> {
    if results.is_empty() {
        return Err(Error::NoResults);
    }
    let drawings = draw(&RUN_FIGURES, results);
    let table = comparison::table(results);
    let mut files = vec![
        OutputFile::new("report.html", html::page(results, facts, &drawings)?),
        OutputFile::new("tables/comparison.csv", table.to_csv()),
        // Runs side by side: a page has room for more rows than columns.
        OutputFile::new("tables/comparison.tex", table.transposed().to_latex()),
    ];
    files.extend(figure::files(&drawings)?);
    files.extend(result_files(results)?);
    Ok(files)
}

/// The figures of results alone, as `plot` writes them.
///
/// # Errors
/// [`Error::NoResults`] without results.
pub fn figure_files(results: &[RunResult]) -> Result<Vec<OutputFile>, Error> {
    if results.is_empty() {
        return Err(Error::NoResults);
    }
    figure::files(&draw(&RUN_FIGURES, results))
}

/// Each result as `MODE.json`, or by its label where modes repeat, with its number where labels make equal file names.
///
/// # Errors
/// [`Error::Json`] for a result that JSON cannot hold.
pub fn result_files(results: &[RunResult]) -> Result<Vec<OutputFile>, Error> {
    let mut stems: Vec<String> = labels(results).iter().map(|label| file_stem(label)).collect();
    if !distinct(&stems) {
        stems.iter_mut().zip(1..).for_each(|(stem, number)| stem.push_str(&format!("-{number}")));
    }
    let named = stems.into_iter().zip(results);
    named.map(|(stem, result)| Ok(OutputFile::new(stem + ".json", result_json(result)?))).collect()
}

pub(crate) fn result_json(result: &RunResult) -> Result<String, Error> {
    Ok(serde_json::to_string_pretty(result)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_whose_labels_make_one_file_name_are_numbered() {
        let result = |system: &str| RunResult {
            mode: "dram-only".to_owned(),
            system: system.to_owned(),
            ..RunResult::default()
        };
        let names = |results: &[RunResult]| -> Vec<String> {
            result_files(results).unwrap().iter().map(|file| file.path.display().to_string()).collect()
        };

        assert_eq!(names(&[result("a"), result("b")]), ["dram-only-a.json", "dram-only-b.json"]);
        assert_eq!(names(&[result("a b"), result("a_b")]), ["dram-only-a-b-1.json", "dram-only-a-b-2.json"]);
    }
}
