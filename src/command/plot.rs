//! `plot`: figures from results.

use std::path::Path;

use hetier_reports::{output, report};
use hetier_sim::result::{RunResult, SCHEMA};

use crate::args;
use crate::failure::{Failure, Outcome};

/// Key of the host's time in what `replay --json` prints; it is no part of a result.
pub const HOST_SECONDS: &str = "host_seconds";

/// Draws every figure that the results allow.
pub fn run(arguments: &args::Plot) -> Outcome {
    output::check_folder(&arguments.output)?;
    let results: Vec<RunResult> = arguments.results.iter().map(|path| read(path)).collect::<Outcome<_>>()?;
    let files = report::figure_files(&results)?;
    output::write_folder(&arguments.output, &files)?;
    for file in &files {
        say!("{}", arguments.output.join(&file.path).display());
    }
    Ok(())
}

/// Reads a result and refuses those of another schema.
pub fn read(path: &Path) -> Outcome<RunResult> {
    let shown = path.display();
    let text = super::read_text(path, "a result as compare and replay -o write it")?;
    let mut value: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
        Failure::work(format!(
            "{shown}: reading a result: {error}, need JSON as compare and replay -o write it"
        ))
    })?;
    let schema = value["schema"].as_str().unwrap_or("none");
    if schema != SCHEMA {
        return Err(Failure::work(format!(
            "{shown}: reading a result: found schema {schema}, need {SCHEMA} as compare and replay -o write it"
        )));
    }
    // What `replay --json` prints beside the result.
    if let Some(object) = value.as_object_mut() {
        object.remove(HOST_SECONDS);
    }
    serde_json::from_value(value)
        .map_err(|error| Failure::work(format!("{shown}: reading a result of {SCHEMA}: {error}")))
}
