//! The figures of an experiment.

use hetier_sim::result::{Quantiles, RunResult, Spread};

use super::{Metric, NetworkEntry, Point, Sweep};
use crate::figure::{Bar, Drawing, Figure, GroupedBars, Groups, RUN_FIGURES, draw};
use crate::labels::file_stem;

/// A number of a run of a network, with its spread where an ensemble was run.
type Value = fn(&Sweep, &str, &str) -> Option<(f64, Option<Quantiles>)>;

/// Bars by network: how they are drawn, what they show, which points belong beside them.
struct ByNetwork {
    figure: GroupedBars,
    value: Value,
    metric: fn() -> Metric,
    line: fn(&Sweep) -> Option<(f64, String)>,
}

const BY_NETWORK: [ByNetwork; 4] = [
    ByNetwork {
        figure: GroupedBars {
            name: "run-time-by-network",
            caption: "Simulated time of the inference by network and run. Diamonds: published.",
            axis: "inference time (s)",
        },
        value: |sweep, network, run| {
            let result = sweep.result(network, run)?;
            Some((result.simulated_seconds, spread(result, |spread| Some(spread.simulated_seconds))))
        },
        metric: || Metric::InferenceSeconds,
        line: |_| None,
    },
    ByNetwork {
        figure: GroupedBars {
            name: "peak-memory-by-network",
            caption: "Most bytes that the process held (GB = 10⁹ bytes). Diamonds: published; dashed: DRAM of the \
                      reference machine.",
            axis: "peak memory (GB)",
        },
        value: |sweep, network, run| {
            let result = sweep.result(network, run)?;
            let between = spread(result, |spread| Some(spread.peak_footprint_bytes.scaled(1e-9)));
            Some((result.peak_footprint_bytes as f64 / 1e9, between))
        },
        metric: || Metric::PeakGigabytes,
        line: reference_dram,
    },
    ByNetwork {
        figure: GroupedBars {
            name: "slowdown-by-network",
            caption: "Inference time over that of the reference run, for the networks that fit it. Diamonds: published.",
            axis: "slowdown",
        },
        value: |sweep, network, run| {
            let slowdown = sweep.slowdown(network, run)?;
            let is_ensemble = sweep.result(network, run)?.ensemble().is_some();
            Some((slowdown.median, is_ensemble.then_some(slowdown)))
        },
        metric: || Metric::Slowdown,
        line: |_| None,
    },
    ByNetwork {
        figure: GroupedBars {
            name: "buffer-hits-by-network",
            caption: "Share of PMem reads that a buffer of the DIMM served. Dashed: three of the four lines of a \
                      256-byte block, the ideal of one sequential stream.",
            axis: "buffer hit rate of reads",
        },
        value: |sweep, network, run| {
            let result = sweep.result(network, run)?;
            let between = spread(result, |spread| spread.devices.get("pmem")?.read_buffer_hit_rate);
            Some((result.devices.get("pmem")?.buffer_hit_rate.read?, between))
        },
        metric: || Metric::ReadBufferHitRate("pmem".to_owned()),
        line: |_| Some((0.75, "sequential ideal".to_owned())),
    },
];

/// Figures over time, each drawn for every network that asks for them.
const OVER_TIME: [&str; 3] = ["bandwidth-over-time", "footprint-over-time", "cpu-use-over-time"];

/// Names of all figures.
pub(super) fn names() -> Vec<&'static str> {
    BY_NETWORK.iter().map(|figure| figure.figure.name).chain(OVER_TIME).collect()
}

/// A drawing with the name of its files.
pub(super) struct Named {
    /// Below `figures/`, without ending.
    pub stem: String,
    /// What it shows.
    pub caption: String,
    /// The drawing.
    pub drawing: Drawing,
}

/// Draws the figures that the experiment names.
pub(super) fn draw_all(sweep: &Sweep) -> Vec<Named> {
    let is_wanted = |name: &str| sweep.experiment.figures.iter().any(|wanted| wanted == name);
    let mut drawn = Vec::new();
    for kind in BY_NETWORK.iter().filter(|kind| is_wanted(kind.figure.name)) {
        let list: [&dyn Figure<Groups>; 1] = [&kind.figure];
        let drawing = draw(&list, &groups(sweep, kind)).pop();
        drawn.extend(drawing.map(|drawing| Named {
            stem: drawing.name.to_owned(),
            caption: drawing.caption.to_owned(),
            drawing,
        }));
    }
    for network in sweep.detailed() {
        let results = sweep.results(network.label());
        drawn.extend(over_time(network, &results, &is_wanted));
    }
    drawn
}

fn over_time(network: &NetworkEntry, results: &[RunResult], is_wanted: &dyn Fn(&str) -> bool) -> Vec<Named> {
    let wanted = |name: &str| OVER_TIME.contains(&name) && is_wanted(name);
    let figures: Vec<&dyn Figure<[RunResult]>> =
        RUN_FIGURES.into_iter().filter(|figure| wanted(figure.name())).collect();
    let named = draw(&figures, results).into_iter().map(|drawing| Named {
        stem: format!("{}-{}", drawing.name, file_stem(network.label())),
        caption: format!("{}: {}", network.label(), drawing.caption),
        drawing,
    });
    named.collect()
}

fn spread(result: &RunResult, of: fn(&Spread) -> Option<Quantiles>) -> Option<Quantiles> {
    result.ensemble().and_then(of)
}

fn groups(sweep: &Sweep, kind: &ByNetwork) -> Groups {
    let runs = &sweep.experiment.run;
    let bar = |network: &str, run: &str| {
        let value = (kind.value)(sweep, network, run);
        Bar {
            value: value.map(|(value, _)| value),
            range: value.and_then(|(_, spread)| spread).map(|spread| (spread.min, spread.max)),
            published: published(sweep, network, run, &(kind.metric)()),
        }
    };
    let group = |network: &str| {
        let bars = runs.iter().map(|run| bar(network, &run.name));
        (network.to_owned(), bars.collect())
    };
    Groups {
        series: runs.iter().map(|run| run.name.clone()).collect(),
        groups: sweep.networks().map(group).collect(),
        line: (kind.line)(sweep),
    }
}

fn published(sweep: &Sweep, network: &str, run: &str, metric: &Metric) -> Option<f64> {
    let points = sweep.experiment.point.iter();
    // Bars of slowdowns are over the first run; a ratio over another one is no number for them.
    let reference = sweep.experiment.run.first().map(|run| &run.name);
    let is_over_reference = |point: &Point| point.against.is_none() || point.against.as_ref() == reference;
    let mut own = points.filter(|point| {
        point.network == network
            && point.run.as_deref() == Some(run)
            && point.metric == *metric
            && is_over_reference(point)
    });
    own.next().map(|point| point.published)
}

/// DRAM of the reference run, where it ran.
fn reference_dram(sweep: &Sweep) -> Option<(f64, String)> {
    let run = &sweep.experiment.run.first()?.name;
    let bytes =
        sweep.networks().find_map(|network| sweep.result(network, run))?.devices.get("dram")?.capacity_bytes;
    Some((bytes as f64 / 1e9, format!("DRAM of {run}")))
}
