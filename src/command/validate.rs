//! `validate`: every published number beside the simulated one.

use hetier_reports::Table;
use hetier_reports::experiment::{self, Experiment, Judged, Role, Unsimulated};
use serde_json::{Value, json};

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::{published_memory, study};

/// A published number of any kind, and its verdict.
pub struct Verdict {
    /// Name in tables.
    pub name: String,
    /// Unit of the numbers; empty for counts and shares.
    pub unit: String,
    /// Least and largest published value.
    pub published: [f64; 2],
    /// What the simulation says; `None` if the run did not fit or does not have it.
    pub simulated: Option<f64>,
    /// Signed distance in percent.
    pub error_percent: Option<f64>,
    /// Largest distance that passes.
    pub tolerance_percent: f64,
    /// Whether a constant was set by it.
    pub role: Role,
    /// Who published it.
    pub source: String,
    /// Whether the distance is within the tolerance.
    pub passes: bool,
    /// What is known of a distance that is not, or that is larger than most may be.
    pub note: Option<String>,
}

/// Largest distance in percent that passes unless a point has a tolerance of its own: measurements of different machines
/// of one kind differ by as much.
pub const USUAL_TOLERANCE_PERCENT: f64 = 10.0;

impl Verdict {
    /// Whether it passes only because its tolerance is wider than that of the others.
    fn is_strained(&self) -> bool {
        self.passes && self.error_percent.is_some_and(|error| error.abs() > USUAL_TOLERANCE_PERCENT)
    }

    fn word(&self) -> &'static str {
        match (self.passes, self.is_strained()) {
            (false, _) => "FAIL",
            (true, false) => "pass",
            (true, true) => "pass, beyond 10 %",
        }
    }
}

/// Simulates everything that has a published number, and fails if one is out of its tolerance.
pub fn run(arguments: &args::Validate) -> Outcome {
    let mut verdicts = Vec::new();
    let mut unsimulated = Vec::new();
    if arguments.experiment.is_none() {
        unsimulated.extend(published_memory::unsimulated());
        if !arguments.quick {
            verdicts.extend(published_memory::verdicts()?);
        }
    }
    let names = match &arguments.experiment {
        Some(name) => vec![name.clone()],
        None => experiment::names().into_iter().map(str::to_owned).collect(),
    };
    for name in names {
        let experiment = experiment::load(&name)?;
        unsimulated.extend(experiment.unsimulated.iter().cloned());
        verdicts.extend(judged(experiment, arguments.quick)?);
    }
    crate::interrupt::check()?;
    if let (Some(name), true) = (&arguments.experiment, verdicts.is_empty()) {
        let quick = if arguments.quick { " that is marked quick" } else { "" };
        return Err(Failure::usage(format!(
            "validating {name}: found no published point{quick}, need at least 1"
        )));
    }
    let failed = verdicts.iter().filter(|verdict| !verdict.passes).count();
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&joined(&verdicts, &unsimulated, failed))?);
    } else {
        print(&verdicts, &unsimulated, failed);
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::work(format!(
            "validating {} published numbers: found {failed} out of tolerance, need none",
            verdicts.len()
        ))),
    }
}

fn judged(experiment: Experiment, is_quick: bool) -> Outcome<Vec<Verdict>> {
    let experiment = if is_quick { experiment.quick() } else { experiment }.pointed();
    if experiment.point.is_empty() {
        return Ok(Vec::new());
    }
    let (sweep, _) = study::run(&experiment, &|_| {})?;
    Ok(experiment::judge(&sweep).into_iter().map(published).collect())
}

fn published(judged: Judged) -> Verdict {
    let Judged { point, simulated, error_percent, passes, reason } = judged;
    Verdict {
        name: point.name,
        unit: point.metric.unit().to_owned(),
        published: [point.published; 2],
        simulated,
        error_percent,
        tolerance_percent: point.tolerance_percent,
        role: point.role,
        source: point.source,
        passes,
        note: reason.or(point.note),
    }
}

fn joined(verdicts: &[Verdict], unsimulated: &[Unsimulated], failed: usize) -> Value {
    let points: Vec<Value> = verdicts.iter().map(value).collect();
    json!({
        "schema": "hetier-validate-2",
        "program_version": env!("CARGO_PKG_VERSION"),
        "points": points,
        "not_simulated": unsimulated,
        "failed": failed,
        "beyond_usual_tolerance": verdicts.iter().filter(|verdict| verdict.is_strained()).count(),
    })
}

fn value(verdict: &Verdict) -> Value {
    json!({
        "name": verdict.name,
        "unit": verdict.unit,
        "published": { "low": verdict.published[0], "high": verdict.published[1] },
        "simulated": verdict.simulated,
        "error_percent": verdict.error_percent,
        "tolerance_percent": verdict.tolerance_percent,
        "role": verdict.role.name(),
        "passes": verdict.passes,
        "source": verdict.source,
        "note": verdict.note,
    })
}

fn print(verdicts: &[Verdict], unsimulated: &[Unsimulated], failed: usize) {
    say!("{}", table(verdicts).to_text_with_notes());
    let noted = verdicts.iter().filter(|verdict| !verdict.passes || verdict.is_strained());
    for (verdict, note) in noted.filter_map(|verdict| Some((verdict, verdict.note.as_ref()?))) {
        say!("{}: {note}", verdict.name);
    }
    say!("");
    for of in unsimulated {
        say!("not simulated: {}, {} ({}): {}", of.name, of.published, of.source, of.reason);
    }
    if !unsimulated.is_empty() {
        say!("");
    }
    for role in [Role::Calibrated, Role::Predicted] {
        let own: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.role == role).collect();
        let passed = own.iter().filter(|verdict| verdict.passes).count();
        say!("{}: {passed} of {} pass{}", role.name(), own.len(), strained(&own));
    }
    say!("{} of {} points pass", verdicts.len() - failed, verdicts.len());
}

/// How many of those that pass do so only by a wide tolerance.
fn strained(verdicts: &[&Verdict]) -> String {
    let names: Vec<&str> = verdicts
        .iter()
        .filter(|verdict| verdict.is_strained())
        .map(|verdict| verdict.name.as_str())
        .collect();
    match names.len() {
        0 => String::new(),
        number => format!(
            ", {number} of them beyond {USUAL_TOLERANCE_PERCENT} %, by wider tolerances of their own ({})",
            names.join("; ")
        ),
    }
}

fn table(verdicts: &[Verdict]) -> Table {
    let mut table = Table::new(&[
        "point",
        "published",
        "simulated",
        "unit",
        "error",
        "tolerance",
        "role",
        "verdict",
        "source",
    ]);
    for verdict in verdicts {
        let [low, high] = verdict.published;
        let published = if low == high { format!("{low}") } else { format!("{low}–{high}") };
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        table.push(vec![
            verdict.name.clone(),
            published,
            or_none(verdict.simulated.map(|value| hetier_reports::units::significant(value, 4))),
            verdict.unit.clone(),
            or_none(verdict.error_percent.map(|error| format!("{error:+.1} %"))),
            format!("{} %", hetier_reports::units::significant(verdict.tolerance_percent, 2)),
            verdict.role.name().to_owned(),
            verdict.word().to_owned(),
            verdict.source.clone(),
        ]);
    }
    table
}
