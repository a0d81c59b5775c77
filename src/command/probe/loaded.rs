//! `probe loaded`: the bandwidth-latency curve.

use hetier_reports::{figure, output};
use hetier_sim::System;
use hetier_sim::probe::{LoadedProbe, LoadedReport, Mix, loaded};

use super::{curves, measure, print_json};
use crate::args::probe::Loaded;
use crate::failure::Outcome;

/// Measures one curve for every mix.
pub fn run(arguments: &Loaded) -> Outcome {
    let system = System::load(&arguments.place.system)?;
    if let Some(folder) = &arguments.place.figure {
        output::check_folder(folder)?;
    }
    let check = |probe: &LoadedProbe| probe.check(&system);
    let reports = measure(&probes(arguments), check, |probe, tell| loaded(&system, probe, tell))?;
    if arguments.place.json {
        print_json(&reports)?;
    } else {
        reports.iter().for_each(print);
    }
    if let Some(folder) = &arguments.place.figure {
        let drawn = vec![(&figure::LOADED_LATENCY, curves(&reports))];
        curves::write(folder, &on(&reports[0]), drawn, arguments.place.json)?;
    }
    Ok(())
}

/// What was measured, without what the curves and axes say.
fn on(report: &LoadedReport) -> String {
    let more = [
        (report.sockets > 1).then(|| format!("{} sockets together", report.sockets)),
        Some("sequential loads and ntstores".to_owned()),
        curves::channels(report.probe.dimms),
        report.probe.is_remote.then(|| "remote".to_owned()),
    ];
    curves::on(&report.system, &report.probe.tier, more)
}

fn probes(arguments: &Loaded) -> Vec<LoadedProbe> {
    let place = &arguments.place;
    let mixes = if arguments.mix.is_empty() { &[Mix::READS][..] } else { &arguments.mix };
    let probe = |&mix: &Mix| LoadedProbe {
        tier: place.tier.clone(),
        mix,
        dimms: place.dimms,
        is_remote: arguments.remote,
    };
    mixes.iter().map(probe).collect()
}

fn print(report: &LoadedReport) {
    let Mix { reads, writes } = report.probe.mix;
    let channels =
        report.probe.dimms.map_or_else(|| "all channels".to_owned(), |dimms| format!("channels: {dimms}"));
    match report.sockets {
        1 => say!("{}, {}: bandwidth of the socket, {channels}", report.system, report.probe.tier),
        count => say!(
            "{}, {}: bandwidth of {count} sockets together, {channels} of each",
            report.system,
            report.probe.tier
        ),
    }
    say!("{:>10} {:>10} {:>10}   reads {reads} : writes {writes}", "GB/s", "mean ns", "p99 ns");
    for point in &report.points {
        say!("{:10.2} {:10.1} {:10.1}", point.gb_per_s, point.ns_per_access, point.p99_ns);
    }
}

fn curves(reports: &[LoadedReport]) -> Vec<figure::Curve> {
    let curve = |report: &LoadedReport| figure::Curve {
        label: format!("{} reads : {} writes", report.probe.mix.reads, report.probe.mix.writes),
        points: report.points.iter().map(|point| (point.gb_per_s, point.ns_per_access)).collect(),
    };
    reports.iter().map(curve).collect()
}
