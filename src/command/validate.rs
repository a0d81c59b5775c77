//! `validate`: every published number beside the simulated one.

use hetier_reports::Table;
use hetier_reports::experiment::{self, Judged};
use hetier_sim::calibrate::{Calibrated, calibrate};
use serde_json::{Value, json};

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::study;

/// Largest distance of a micro-benchmark, in percent of the published number, that passes: measurements of different
/// machines of one kind differ by as much.
const DEVICE_TOLERANCE_PERCENT: f64 = 10.0;

/// A published number of either kind, and its verdict.
struct Verdict {
    name: String,
    published: [f64; 2],
    simulated: Option<f64>,
    error_percent: Option<f64>,
    tolerance_percent: f64,
    role: &'static str,
    source: String,
    passes: bool,
}

/// Simulates everything that has a published number, and fails if one is out of its tolerance.
pub fn run(arguments: &args::Validate) -> Outcome {
    let mut verdicts = Vec::new();
    if !arguments.quick && arguments.experiment.is_none() {
        verdicts.extend(calibrate()?.into_iter().map(device));
    }
    let names = match &arguments.experiment {
        Some(name) => vec![name.clone()],
        None => experiment::names().into_iter().map(str::to_owned).collect(),
    };
    for name in names {
        let experiment = experiment::load(&name)?;
        let experiment = if arguments.quick { experiment.quick() } else { experiment }.pointed();
        if experiment.point.is_empty() {
            continue;
        }
        let (sweep, _) = study::run(&experiment, &|_| {})?;
        verdicts.extend(experiment::judge(&sweep).into_iter().map(published));
    }
    crate::interrupt::check()?;
    let failed = verdicts.iter().filter(|verdict| !verdict.passes).count();
    if arguments.json {
        let points: Vec<Value> = verdicts.iter().map(value).collect();
        let joined = json!({
            "schema": "hetier-validate-1",
            "program_version": env!("CARGO_PKG_VERSION"),
            "points": points,
            "failed": failed,
        });
        println!("{}", serde_json::to_string_pretty(&joined)?);
    } else {
        println!("{}", table(&verdicts).to_text());
        println!("{} of {} points pass", verdicts.len() - failed, verdicts.len());
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::work(format!(
            "validating {} published numbers: found {failed} out of tolerance, need none",
            verdicts.len()
        ))),
    }
}

/// A micro-benchmark. The device and system files are fitted to these.
fn device(calibrated: Calibrated) -> Verdict {
    let Calibrated { point, simulated, error_percent } = calibrated;
    Verdict {
        name: point.id,
        published: [point.low, point.high],
        simulated: Some(simulated),
        error_percent: Some(error_percent),
        tolerance_percent: DEVICE_TOLERANCE_PERCENT,
        role: experiment::Role::Calibrated.name(),
        source: point.source,
        passes: error_percent.abs() <= DEVICE_TOLERANCE_PERCENT,
    }
}

fn published(judged: Judged) -> Verdict {
    let Judged { point, simulated, error_percent, passes } = judged;
    Verdict {
        name: point.name,
        published: [point.published; 2],
        simulated,
        error_percent,
        tolerance_percent: point.tolerance_percent,
        role: point.role.name(),
        source: point.source,
        passes,
    }
}

fn value(verdict: &Verdict) -> Value {
    json!({
        "name": verdict.name,
        "published": { "low": verdict.published[0], "high": verdict.published[1] },
        "simulated": verdict.simulated,
        "error_percent": verdict.error_percent,
        "tolerance_percent": verdict.tolerance_percent,
        "role": verdict.role,
        "passes": verdict.passes,
        "source": verdict.source,
    })
}

fn table(verdicts: &[Verdict]) -> Table {
    let mut table =
        Table::new(&["point", "published", "simulated", "error", "tolerance", "role", "verdict", "source"]);
    for verdict in verdicts {
        let [low, high] = verdict.published;
        let published = if low == high { format!("{low}") } else { format!("{low}–{high}") };
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        table.push(vec![
            verdict.name.clone(),
            published,
            or_none(verdict.simulated.map(|value| hetier_reports::units::significant(value, 4))),
            or_none(verdict.error_percent.map(|error| format!("{error:+.1} %"))),
            format!("{} %", verdict.tolerance_percent),
            verdict.role.to_owned(),
            if verdict.passes { "pass" } else { "FAIL" }.to_owned(),
            verdict.source.clone(),
        ]);
    }
    table
}
