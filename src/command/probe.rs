//! `probe`: micro-benchmarks of a simulated machine.

mod bandwidth;
mod curves;
mod hotspot;
mod latency;
mod loaded;

use hetier_sim::probe::LatencyTail;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;

use crate::args::probe::Probe;
use crate::failure::Outcome;
use crate::interrupt;

/// Runs one micro-benchmark, or one for each point of a range.
pub fn run(arguments: &Probe) -> Outcome {
    match arguments {
        Probe::Latency(arguments) => latency::run(arguments),
        Probe::Bandwidth(arguments) => bandwidth::run(arguments),
        Probe::Loaded(arguments) => loaded::run(arguments),
        Probe::Hotspot(arguments) => hotspot::run(arguments),
    }
}

/// Measures all points on all host cores; reports come in the order of points.
fn measure<P: Sync, R: Send>(
    points: &[P],
    probe: impl Fn(&P) -> Result<R, hetier_sim::Error> + Sync,
) -> Outcome<Vec<R>> {
    let measured = points.par_iter().map(|point| {
        interrupt::check()?;
        Ok(probe(point)?)
    });
    measured.collect()
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
