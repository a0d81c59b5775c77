//! `probe`: micro-benchmarks of a simulated machine.

mod bandwidth;
mod curves;
mod hotspot;
mod latency;
mod loaded;

use std::sync::{Mutex, PoisonError};

use hetier_sim::probe::LatencyTail;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;

use crate::args::probe::Probe;
use crate::failure::Outcome;
use crate::{interrupt, progress};

/// Runs one micro-benchmark, or one for each point of a range.
pub fn run(arguments: &Probe) -> Outcome {
    match arguments {
        Probe::Latency(arguments) => latency::run(arguments),
        Probe::Bandwidth(arguments) => bandwidth::run(arguments),
        Probe::Loaded(arguments) => loaded::run(arguments),
        Probe::Hotspot(arguments) => hotspot::run(arguments),
    }
}

/// Shows the share of a point that is done.
type Told<'t> = &'t (dyn Fn(f64) + Sync);

/// Checks all points, then measures them on all host cores with a bar; reports come in the order of points. Ctrl-C ends
/// the program at once: nothing is written before the last point is measured.
fn measure<P: Sync, R: Send>(
    points: &[P],
    check: impl Fn(&P) -> Result<(), hetier_sim::Error>,
    probe: impl Fn(&P, Told<'_>) -> Result<R, hetier_sim::Error> + Sync,
) -> Outcome<Vec<R>> {
    points.iter().try_for_each(check)?;
    let bar = progress::bar("probe");
    let shares = Mutex::new(vec![0.0; points.len()]);
    let measured = points.par_iter().enumerate().map(|(at, point)| {
        let tell = |share: f64| {
            let mut shares = shares.lock().unwrap_or_else(PoisonError::into_inner);
            shares[at] = share;
            progress::show(&bar, shares.iter().sum::<f64>() / points.len() as f64);
        };
        let report = probe(point, &tell)?;
        tell(1.0);
        Ok(report)
    });
    let measured = interrupt::ending_at_once(|| measured.collect::<Result<Vec<R>, hetier_sim::Error>>());
    bar.finish_and_clear();
    Ok(measured?)
}

/// One report as itself, several as a list.
fn print_json(reports: &[impl Serialize]) -> Outcome {
    let text = match reports {
        [report] => serde_json::to_string_pretty(report)?,
        reports => {
            serde_json::to_string_pretty(&json!({ "schema": "hetier-probe-sweep-1", "reports": reports }))?
        }
    };
    say!("{text}");
    Ok(())
}

fn print_tail(tail: &LatencyTail) {
    let LatencyTail { p50, p99, p999, p9999, p99999, max, .. } = tail;
    say!(
        "latency ns: p50 {p50:.1}, p99 {p99:.1}, p99.9 {p999:.1}, p99.99 {p9999:.1}, p99.999 {p99999:.1}, max {max:.1}"
    );
}
