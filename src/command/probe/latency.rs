//! `probe latency`: one access at a time.

use hetier_reports::{Table, figure, output};
use hetier_sim::System;
use hetier_sim::probe::{LatencyProbe, LatencyReport, latency};
use hetier_sim::size::Size;

use super::{curves, measure, print_json, print_tail};
use crate::args::probe::Latency;
use crate::failure::Outcome;
use crate::range::Values;

/// The region of a single measurement, and the last of a figure's.
const REGION: Size = Size(1 << 30);
/// The first region of a figure.
const LEAST_REGION: Size = Size(4 << 10);

/// Measures latency for every block and region.
pub fn run(arguments: &Latency) -> Outcome {
    let system = System::load(&arguments.place.system)?;
    if let Some(folder) = &arguments.place.figure {
        output::check_folder(folder)?;
    }
    let check = |probe: &LatencyProbe| probe.check(&system);
    let reports = measure(&probes(arguments), check, |probe, _| latency(&system, probe))?;
    match (&reports[..], arguments.place.json) {
        (reports, true) => print_json(reports)?,
        ([report], false) => {
            say!("{:.1} ns per access of 64 bytes", report.ns_per_access);
            if let (Some(fenced), Some(sustained)) =
                (report.fenced_ns_per_access, report.sustained_ns_per_access)
            {
                say!(
                    "{fenced:.1} ns per store and fence, {sustained:.1} ns per store back to back without fences"
                );
            }
            print_tail(&report.latency_ns);
        }
        (reports, false) => say!("{}", table(reports).to_text()),
    }
    if let Some(folder) = &arguments.place.figure {
        let drawn = vec![(&figure::LATENCY_OVER_REGION, curves(&reports))];
        curves::write(folder, &on(&reports[0]), drawn, arguments.place.json)?;
    }
    Ok(())
}

fn probes(arguments: &Latency) -> Vec<LatencyProbe> {
    let place = &arguments.place;
    let first = if place.figure.is_some() { LEAST_REGION } else { REGION };
    let regions = arguments.region.clone().unwrap_or_else(|| Values::doubling(first, REGION));
    let probe = |block: Size, region: Size| LatencyProbe {
        tier: place.tier.clone(),
        pattern: arguments.pattern,
        region_bytes: region.0,
        block_bytes: block.0,
        operation: arguments.op,
        dimms: place.dimms,
        is_remote: arguments.remote,
        writer_duty_percent: arguments.writer_duty,
    };
    let blocks = arguments.block.0.iter();
    blocks.flat_map(|&block| regions.0.iter().map(move |&region| probe(block, region))).collect()
}

fn table(reports: &[LatencyReport]) -> Table {
    let mut table =
        Table::new(&["region", "block", "ns per access", "p50 (ns)", "p99 (ns)", "p99.9 (ns)", "max (ns)"]);
    for LatencyReport { probe, ns_per_access, latency_ns: tail, .. } in reports {
        let mut row = vec![Size(probe.region_bytes).to_string(), Size(probe.block_bytes).to_string()];
        let times = [*ns_per_access, tail.p50, tail.p99, tail.p999, tail.max];
        row.extend(times.map(|ns| format!("{ns:.1}")));
        table.push(row);
    }
    table
}

/// What was measured, without what the curves and axes say.
fn on(report: &LatencyReport) -> String {
    let probe = &report.probe;
    let writer = (probe.writer_duty_percent > 0.0)
        .then(|| format!("a writer {} % of the time", probe.writer_duty_percent));
    let more = [
        Some(probe.operation.to_string()),
        Some(probe.pattern.to_string()),
        curves::channels(probe.dimms),
        probe.is_remote.then(|| "remote".to_owned()),
        writer,
    ];
    curves::on(&report.system, &probe.tier, more)
}

fn curves(reports: &[LatencyReport]) -> Vec<figure::Curve> {
    let label = |block: u64| format!("blocks of {}", Size(block));
    let point = |report: &LatencyReport| (report.probe.region_bytes as f64, report.ns_per_access);
    curves::grouped(reports.iter().map(|report| (label(report.probe.block_bytes), point(report))))
}
