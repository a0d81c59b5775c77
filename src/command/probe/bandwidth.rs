//! `probe bandwidth`: threads that keep as much in flight as a core can.

use hetier_reports::{Table, figure, output};
use hetier_sim::System;
use hetier_sim::probe::{BandwidthProbe, BandwidthReport, DrawRange, DrawSpread, Pin, bandwidth};
use hetier_sim::size::Size;

use super::{curves, measure, print_json};
use crate::args::probe::{Bandwidth, Switch};
use crate::failure::Outcome;
use crate::range::Values;

/// Bytes of an access where nothing else is asked for: the media line of PMem.
const ACCESS: Size = Size(256);

/// Measures bandwidth for every access size and number of threads.
pub fn run(arguments: &Bandwidth) -> Outcome {
    let system = System::load(&arguments.place.system)?;
    if let Some(folder) = &arguments.place.figure {
        output::check_folder(folder)?;
    }
    let check = |probe: &BandwidthProbe| probe.check(&system);
    let reports = measure(&probes(arguments, &system), check, |probe, _| bandwidth(&system, probe))?;
    match (&reports[..], arguments.place.json) {
        (reports, true) => print_json(reports)?,
        ([report], false) => print(report),
        (reports, false) => say!("{}", table(reports).to_text()),
    }
    if let Some(folder) = &arguments.place.figure {
        curves::write(folder, &on(&reports[0]), figures(&reports), arguments.place.json)?;
    }
    Ok(())
}

/// What was measured, without what the curves and axes say.
fn on(report: &BandwidthReport) -> String {
    let probe = &report.probe;
    let more = [
        Some(probe.operation.to_string()),
        probe.mix.map(|mix| format!("loads to stores {mix}")),
        Some(format!("{} blocks", probe.order)),
        Some(format!("region of {}", Size(probe.region_bytes))),
        probe.fence_bytes.map(|bytes| format!("a fence every {}", Size(bytes))),
        curves::channels(probe.dimms),
        (probe.pin != Pin::None)
            .then(|| format!("pinned to a {}", if probe.pin == Pin::Dimm { "DIMM" } else { "controller" })),
        probe.is_remote.then(|| "remote".to_owned()),
        report.prefetches.then(|| "hardware prefetch".to_owned()),
        probe.power_w.map(|watts| format!("{watts} W a DIMM")),
    ];
    curves::on(&report.system, &probe.tier, more)
}

fn probes(arguments: &Bandwidth, system: &System) -> Vec<BandwidthProbe> {
    let place = &arguments.place;
    let accesses = arguments.access.clone().unwrap_or(Values(vec![ACCESS]));
    let is_figure_of_threads = place.figure.is_some() && accesses.0.len() == 1;
    let most = if is_figure_of_threads { system.cores_per_socket } else { 1 };
    let threads = arguments.threads.clone().unwrap_or_else(|| Values::doubling(1, most));
    let probe = |access: Size, threads: usize| BandwidthProbe {
        tier: place.tier.clone(),
        operation: arguments.op,
        mix: arguments.mix,
        access_bytes: access.0,
        threads,
        order: arguments.order,
        region_bytes: arguments.region.0,
        dimms: place.dimms,
        fence_bytes: arguments.fence_every.map(|size| size.0),
        pin: arguments.pin,
        is_remote: arguments.remote,
        prefetch: arguments.prefetch.map(Switch::is_on),
        power_w: arguments.power_w,
    };
    accesses
        .0
        .iter()
        .flat_map(|&access| threads.0.iter().map(move |&threads| probe(access, threads)))
        .collect()
}

fn print(report: &BandwidthReport) {
    let prefetch = if report.prefetches { " with hardware prefetch" } else { "" };
    say!("{:.2} GB/s{prefetch}, {} of where threads begin", report.gb_per_s, draws(report));
    if let Some(efficiency) = report.write_efficiency {
        say!("write efficiency {efficiency:.3} (bytes stored / bytes written by the media)");
    }
}

/// How far single draws lie apart.
fn draws(report: &BandwidthReport) -> String {
    let DrawSpread { draws, gb_per_s: DrawRange { min, max } } = report.spread;
    format!("{min:.2} to {max:.2} in {draws} draws")
}

fn table(reports: &[BandwidthReport]) -> Table {
    let mut table =
        Table::new(&["threads", "access", "GB/s", "of draws", "write efficiency", "read efficiency"]);
    let share = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |share| format!("{share:.3}"));
    for report in reports {
        table.push(vec![
            report.probe.threads.to_string(),
            Size(report.probe.access_bytes).to_string(),
            format!("{:.2}", report.gb_per_s),
            format!("{:.2}–{:.2}", report.spread.gb_per_s.min, report.spread.gb_per_s.max),
            share(report.write_efficiency),
            share(report.read_efficiency),
        ]);
    }
    table
}

/// A figure for each variable that has several values, with a curve for each value of the other.
fn figures(reports: &[BandwidthReport]) -> Vec<(&'static figure::ProbeFigure, Vec<figure::Curve>)> {
    let threads = |report: &BandwidthReport| report.probe.threads as u64;
    let access = |report: &BandwidthReport| report.probe.access_bytes;
    let thread_label = |count: u64| format!("{count} thread{}", if count == 1 { "" } else { "s" });
    let varies =
        |of: &dyn Fn(&BandwidthReport) -> u64| reports.iter().any(|report| of(report) != of(&reports[0]));
    let curves = |x: &dyn Fn(&BandwidthReport) -> u64, label: &dyn Fn(&BandwidthReport) -> String| {
        curves::grouped(reports.iter().map(|report| (label(report), (x(report) as f64, report.gb_per_s))))
    };
    let mut drawn = Vec::new();
    if varies(&threads) || !varies(&access) {
        let label = |report: &BandwidthReport| format!("accesses of {}", Size(access(report)));
        drawn.push((&figure::BANDWIDTH_OVER_THREADS, curves(&threads, &label)));
    }
    if varies(&access) {
        drawn
            .push((&figure::BANDWIDTH_OVER_ACCESS, curves(&access, &|report| thread_label(threads(report)))));
    }
    drawn
}
