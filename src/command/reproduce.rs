//! `reproduce`: a published study, or one's own, from its file.

use std::path::PathBuf;

use hetier_reports::experiment::{self, Cell, Judged, Outcome as CellOutcome, Sweep};
use hetier_reports::labels::file_stem;
use hetier_reports::{output, units};
use serde_json::{Value, json};

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::study;

/// Runs every cell of a study, writes its files and prints its tables.
pub fn run(arguments: &args::Reproduce) -> Outcome {
    let experiment = experiment::load(&arguments.experiment)?;
    let experiment = if arguments.quick { experiment.quick() } else { experiment };
    let missing = match (experiment.network.is_empty(), experiment.run.is_empty()) {
        (true, _) => Some("network"),
        // Points of traces need no run.
        (false, true) if experiment.traced().next().is_none() => Some("run"),
        _ => None,
    };
    if let Some(what) = missing {
        return Err(Failure::usage(format!(
            "--quick: found no {what} that the study marks as quick, need one"
        )));
    }
    let own = PathBuf::from(format!("hetier-{}", file_stem(&experiment.name)));
    let folder = arguments.output.as_ref().unwrap_or(&own);
    output::check_folder(folder)?;
    let (sweep, seconds) = study::run(&experiment, &|_| {})?;
    let files = experiment::report_files(&sweep)?;
    crate::interrupt::check()?;
    output::write_folder(folder, &files)?;
    let judged = experiment::judge(&sweep);
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&joined(&sweep, &judged, &seconds))?);
        return Ok(());
    }
    if !sweep.cells.is_empty() {
        say!("{}", experiment::summary(&sweep).without_empty_columns().to_text());
    }
    if !judged.is_empty() {
        say!("{}", experiment::points_text(&judged));
    }
    // An empty sum of floating-point numbers is minus zero.
    let total = seconds.iter().sum::<f64>() + 0.0;
    let replays = if seconds.len() == 1 { "replay" } else { "replays" };
    say!("{} {replays} in {} of one host core", seconds.len(), units::seconds(total));
    say!("written to {}: {}", folder.display(), output::heads(&files).join(", "));
    Ok(())
}

fn joined(sweep: &Sweep, judged: &[Judged], seconds: &[f64]) -> Value {
    let cells: Vec<Value> =
        sweep.cells.iter().zip(seconds).map(|(of, seconds)| cell(sweep, of, *seconds)).collect();
    json!({
        "schema": "hetier-reproduce-1",
        "program_version": env!("CARGO_PKG_VERSION"),
        "experiment": sweep.experiment.name,
        "source": sweep.experiment.source,
        "cells": cells,
        "points": judged,
    })
}

fn cell(sweep: &Sweep, of: &Cell, host_seconds: f64) -> Value {
    let head = json!({ "network": of.network, "run": of.run, "host_seconds": host_seconds });
    let tail = match &of.outcome {
        CellOutcome::DoesNotFit { needed_bytes, capacity_bytes } => {
            json!({ "fits": false, "needed_bytes": needed_bytes, "capacity_bytes": capacity_bytes })
        }
        CellOutcome::Ran(result) => json!({
            "fits": true,
            "mode": result.mode,
            "system": result.system,
            "placement": result.placement,
            "simulated_seconds": result.simulated_seconds,
            "whole_run_seconds": result.whole_run_seconds,
            "slowdown": sweep.slowdown(&of.network, &of.run).map(|slowdown| slowdown.median),
            "slowdown_spread": sweep.slowdown(&of.network, &of.run),
            "peak_footprint_bytes": result.peak_footprint_bytes,
            "peak_live_bytes": result.peak_live_bytes,
            "near_memory_hit_rate": result.near_memory_hit_rate,
            "devices": result.devices,
            "by_operation": result.by_operation,
            "overhead": result.overhead,
            "sampled_share": result.sampled_share,
            "seeds": result.seeds,
            "spread": result.spread,
        }),
    };
    let (mut object, more) = (head, tail);
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
    object
}
