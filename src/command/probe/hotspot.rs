//! `probe hotspot`: the tail of overwriting a small region.

use hetier_reports::{Table, figure, output};
use hetier_sim::System;
use hetier_sim::probe::{HotspotProbe, HotspotReport, hotspot};
use hetier_sim::size::Size;

use super::{curves, measure, print_json, print_tail};
use crate::args::probe::Hotspot;
use crate::failure::Outcome;

/// The region of a single measurement.
const REGION: Size = Size(256);
/// The regions of a figure: one media line, one wear-levelling block, more than one.
const REGIONS: [Size; 3] = [REGION, Size(64 << 10), Size(1 << 20)];

/// Overwrites every region until its tail shows.
pub fn run(arguments: &Hotspot) -> Outcome {
    let system = System::load(&arguments.system)?;
    if let Some(folder) = &arguments.figure {
        output::check_folder(folder)?;
    }
    let check = |probe: &HotspotProbe| probe.check(&system);
    let reports = measure(&probes(arguments), check, |probe, _| hotspot(&system, probe))?;
    match (&reports[..], arguments.json) {
        (reports, true) => print_json(reports)?,
        ([report], false) => print_one(report),
        (reports, false) => say!("{}", table(reports).to_text()),
    }
    if let Some(folder) = &arguments.figure {
        let [report, ..] = &reports[..] else { return Ok(()) };
        let more = [Some("ntstores of 256 B".to_owned()), curves::channels(report.probe.dimms)];
        let on = curves::on(&report.system, &report.probe.tier, more);
        curves::write(folder, &on, vec![(&figure::OVERWRITE_TAIL, tails(&reports))], arguments.json)?;
    }
    Ok(())
}

fn probes(arguments: &Hotspot) -> Vec<HotspotProbe> {
    let regions = match (&arguments.region, &arguments.figure) {
        (Some(regions), _) => regions.0.clone(),
        (None, Some(_)) => REGIONS.to_vec(),
        (None, None) => vec![REGION],
    };
    let probe = |region: Size| HotspotProbe {
        tier: arguments.tier.clone(),
        region_bytes: region.0,
        dimms: arguments.dimms,
    };
    regions.into_iter().map(probe).collect()
}

fn print_one(report: &HotspotReport) {
    print_tail(&report.latency_ns);
    say!("{} stalls of more than 10 us", report.stalls);
    if let Some(bytes) = report.bytes_between_stalls {
        say!("one every {:.2} MB written", bytes / 1e6);
    }
}

fn table(reports: &[HotspotReport]) -> Table {
    let mut table = Table::new(&[
        "region",
        "p50 (ns)",
        "p99 (ns)",
        "p99.9 (ns)",
        "p99.99 (ns)",
        "p99.999 (ns)",
        "max (ns)",
        "stalls",
    ]);
    for HotspotReport { probe, latency_ns: tail, stalls, .. } in reports {
        let mut row = vec![Size(probe.region_bytes).to_string()];
        let times = [tail.p50, tail.p99, tail.p999, tail.p9999, tail.p99999, tail.max];
        row.extend(times.map(|ns| format!("{ns:.1}")));
        row.push(stalls.to_string());
        table.push(row);
    }
    table
}

fn tails(reports: &[HotspotReport]) -> Vec<figure::Curve> {
    let points = reports.iter().flat_map(|report| {
        let (label, tail) = (Size(report.probe.region_bytes).to_string(), report.latency_ns);
        let shares =
            [(2.0, tail.p50), (1e2, tail.p99), (1e3, tail.p999), (1e4, tail.p9999), (1e5, tail.p99999)];
        shares.map(|point| (label.clone(), point))
    });
    curves::grouped(points)
}
