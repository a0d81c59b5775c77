//! The figures of an experiment.

use hetier_sim::result::{Quantiles, RunResult, Spread};

use super::{Metric, NetworkEntry, Point, Sweep};
use crate::figure::{Bar, Drawing, Figure, GroupedBars, Groups, RUN_FIGURES, by_network, draw};
use crate::labels::{file_stem, of_run};

/// A number of a run of a network, with its spread where an ensemble was run.
type Value = fn(&Sweep, &str, &str) -> Option<(f64, Option<Quantiles>)>;

/// Bars by network: how they are drawn, what they show, which points belong beside them.
struct ByNetwork {
    figure: &'static GroupedBars,
    value: Value,
    metric: fn() -> Metric,
    line: fn(&Sweep) -> Option<(f64, String)>,
}

static BY_NETWORK: [ByNetwork; 4] = [
    ByNetwork {
        figure: &by_network::RUN_TIME,
        value: |sweep, network, run| {
            let result = sweep.result(network, run)?;
            Some((result.simulated_seconds, spread(result, |spread| Some(spread.simulated_seconds))))
        },
        metric: || Metric::InferenceSeconds,
        line: |_| None,
    },
    ByNetwork {
        figure: &by_network::PEAK_MEMORY,
        value: |sweep, network, run| {
            let result = sweep.result(network, run)?;
            let between = spread(result, |spread| Some(spread.peak_footprint_bytes.scaled(1e-9)));
            Some((result.peak_footprint_bytes as f64 / 1e9, between))
        },
        metric: || Metric::PeakGigabytes,
        line: reference_dram,
    },
    ByNetwork {
        figure: &by_network::SLOWDOWN,
        value: |sweep, network, run| {
            let slowdown = sweep.slowdown(network, run)?;
            let is_ensemble = sweep.result(network, run)?.ensemble().is_some();
            Some((slowdown.median, is_ensemble.then_some(slowdown)))
        },
        metric: || Metric::Slowdown,
        line: |_| None,
    },
    ByNetwork {
        figure: &by_network::BUFFER_HITS,
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
        let list: [&dyn Figure<Groups>; 1] = [kind.figure];
        let drawing = draw(&list, &groups(sweep, kind)).pop();
        drawn.extend(drawing.map(|drawing| Named {
            stem: drawing.name.to_owned(),
            caption: drawing.caption.to_owned(),
            drawing,
        }));
    }
    for network in sweep.detailed() {
        drawn.extend(over_time(network, &named_results(sweep, network), &is_wanted));
    }
    drawn
}

/// The results of a network, each with the name of its run.
fn named_results(sweep: &Sweep, network: &NetworkEntry) -> Vec<RunResult> {
    let runs = sweep.experiment.run.iter();
    runs.filter_map(|run| Some(of_run(sweep.result(network.label(), &run.name)?, &run.name))).collect()
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

/// DRAM of the reference run, if it is the same for all networks that ran there.
fn reference_dram(sweep: &Sweep) -> Option<(f64, String)> {
    let run = &sweep.experiment.run.first()?.name;
    let results = sweep.networks().filter_map(|network| sweep.result(network, run));
    let mut sizes: Vec<u64> =
        results.filter_map(|result| Some(result.devices.get("dram")?.capacity_bytes)).collect();
    sizes.dedup();
    let [bytes] = sizes[..] else { return None };
    Some((bytes as f64 / 1e9, format!("DRAM of {run}")))
}

#[cfg(test)]
mod tests {
    use hetier_sim::result::{CpuUseOverTime, TierResult};

    use super::super::{Cell, Outcome, load};
    use super::*;

    /// Every network on every run of the shipped study that takes it, with made-up numbers.
    fn sweep() -> Sweep {
        let experiment = load("lloret2021").unwrap();
        let cell = |(network, run): (usize, usize)| Cell {
            network: experiment.network[network].label().to_owned(),
            run: experiment.run[run].name.clone(),
            outcome: Outcome::Ran(Box::new(RunResult {
                mode: experiment.run[run].mode.clone(),
                threads: 1,
                cpu_use_over_time: Some(CpuUseOverTime { bin_seconds: 1.0, busy_cores: vec![1.0] }),
                devices: [(
                    "dram".to_owned(),
                    TierResult { capacity_bytes: 1 << 34, ..TierResult::default() },
                )]
                .into(),
                ..RunResult::default()
            })),
        };
        let cells = Sweep::jobs(&experiment).into_iter().map(cell).collect();
        Sweep { cells, experiment, facts: Default::default() }
    }

    #[test]
    fn figures_over_time_name_runs_as_the_tables_do() {
        let sweep = sweep();
        let network = sweep.detailed().next().unwrap().label();
        let runs = sweep.experiment.run.iter().filter(|run| sweep.result(network, &run.name).is_some());
        let expected: Vec<&str> = runs.map(|run| run.name.as_str()).collect();

        let drawn = draw_all(&sweep);

        let stem = format!("cpu-use-over-time-{}", file_stem(network));
        let drawing = &drawn.iter().find(|named| named.stem == stem).unwrap().drawing;
        let names: Vec<&str> =
            drawing.csv.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();
        assert!(expected.len() > 2 && names == expected, "{names:?}");
        assert!(names.iter().all(|name| drawing.svg.contains(name)));
    }

    #[test]
    fn dram_is_a_line_only_where_it_is_the_same_for_all_networks() {
        let mut sweep = sweep();
        let reference = sweep.experiment.run[0].name.clone();

        let line = Some(((1u64 << 34) as f64 / 1e9, format!("DRAM of {reference}")));
        assert_eq!(reference_dram(&sweep), line);

        let last = sweep.cells.iter_mut().rfind(|cell| cell.run == reference).unwrap();
        let Outcome::Ran(result) = &mut last.outcome else { panic!("it ran") };
        result.devices.get_mut("dram").unwrap().capacity_bytes += 1;
        assert_eq!(reference_dram(&sweep), None);
    }
}
