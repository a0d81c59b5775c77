//! Published numbers beside the simulated ones.

use serde::Serialize;

use super::{Metric, Outcome, Point, Sweep};

/// A point and what the simulation says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// The published number.
    #[serde(flatten)]
    pub point: Point,
    /// The simulated one; `null` if the run did not fit or does not have it.
    pub simulated: Option<f64>,
    /// Signed distance in percent of the published number.
    pub error_percent: Option<f64>,
    /// Whether the distance is within the tolerance.
    pub passes: bool,
    /// Why nothing was simulated, where the study asks for what is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Holds every point of a sweep against its results. A point without a simulated number fails.
pub fn judge(sweep: &Sweep) -> Vec<Judged> {
    sweep.experiment.point.iter().map(|point| judge_one(sweep, point)).collect()
}

fn judge_one(sweep: &Sweep, point: &Point) -> Judged {
    let result = |run: &Option<String>| sweep.result(&point.network, run.as_ref()?);
    let simulated = match &point.run {
        Some(run) if point.metric == Metric::DoesNotFit => {
            let cell = sweep.cell(&point.network, run);
            cell.map(|cell| f64::from(u8::from(matches!(cell.outcome, Outcome::DoesNotFit { .. }))))
        }
        None => sweep.facts.get(&point.network).and_then(|facts| point.metric.of_trace(facts)),
        run => result(run).and_then(|found| point.metric.of(found, result(&point.against))),
    };
    let error_percent = simulated.map(|simulated| error_percent(simulated, point.published));
    // Rounding of the quotient must not fail a number that is equal to the last digit.
    let passes = error_percent.is_some_and(|error| error.abs() <= point.tolerance_percent + 1e-9);
    let reason = match (simulated, &point.run) {
        (Some(_), _) => None,
        (None, None) => {
            sweep.facts.get(&point.network).and_then(|facts| point.metric.unknown_to_trace(facts))
        }
        (None, run) => result(run).and_then(|found| point.metric.unknown_to(found)),
    };
    Judged { point: point.clone(), simulated, error_percent, passes, reason }
}

fn error_percent(simulated: f64, published: f64) -> f64 {
    if simulated == published { 0.0 } else { (simulated / published - 1.0) * 100.0 }
}
