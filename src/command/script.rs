//! `script`: a trace as text, and back.

use hetier_reports::output;
use hetier_traces::{check, read_file, text, to_bytes};

use crate::args;
use crate::failure::{Failure, Outcome};

/// Prints a trace as text, or parses text into a trace.
pub fn run(arguments: &args::Script) -> Outcome {
    if let Some(path) = &arguments.output {
        output::check_file(path, &[&arguments.file])?;
    }
    if arguments.parse {
        return parse(arguments);
    }
    let trace = read_file(&arguments.file)?;
    let mut script = String::new();
    text::dump(&mut script, &trace).map_err(Failure::work)?;
    match &arguments.output {
        Some(path) => Ok(output::write_single(path, script.as_bytes())?),
        None => {
            say!("{}", script.trim_end());
            Ok(())
        }
    }
}

fn parse(arguments: &args::Script) -> Outcome {
    let shown = arguments.file.display();
    let script = super::read_text(&arguments.file, "its text as hetier script prints it")?;
    let trace = text::parse(&script).map_err(|error| Failure::work(format!("{shown}: {error}")))?;
    check(&trace)?;
    if let Some(path) = &arguments.output {
        output::write_single(path, &to_bytes(&trace)?)?;
    }
    Ok(())
}
