//! An experiment with what its replays gave.

use std::collections::BTreeMap;

use hetier_sim::result::{Quantiles, RunResult};

use super::{Experiment, NetworkEntry, TraceFacts};

/// How a cell of a sweep came out.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It ran.
    Ran(Box<RunResult>),
    /// The network does not fit the machine.
    DoesNotFit {
        /// Bytes that it needs at least.
        needed_bytes: u64,
        /// Bytes that there are.
        capacity_bytes: u64,
    },
}

/// One network on one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Label of the network.
    pub network: String,
    /// Name of the run.
    pub run: String,
    /// What came out.
    pub outcome: Outcome,
}

/// An experiment with its cells, network by network, runs in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// The study.
    pub experiment: Experiment,
    /// Its cells.
    pub cells: Vec<Cell>,
    /// What traces alone hold, by label of the network, for the points that need it.
    pub facts: BTreeMap<String, TraceFacts>,
}

impl Sweep {
    /// The cells that an experiment asks for, as positions of network and run.
    pub fn jobs(experiment: &Experiment) -> Vec<(usize, usize)> {
        let networks = experiment.network.iter().enumerate();
        let jobs = networks.flat_map(|(network, entry)| {
            let runs = experiment.run.iter().enumerate();
            runs.filter(|(_, run)| run.takes(entry)).map(move |(run, _)| (network, run))
        });
        jobs.collect()
    }

    /// A cell; `None` if the experiment does not have it.
    pub fn cell(&self, network: &str, run: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.network == network && cell.run == run)
    }

    /// The result of a cell, if it ran.
    pub fn result(&self, network: &str, run: &str) -> Option<&RunResult> {
        match &self.cell(network, run)?.outcome {
            Outcome::Ran(result) => Some(result),
            Outcome::DoesNotFit { .. } => None,
        }
    }

    /// Labels of the networks in order.
    pub fn networks(&self) -> impl Iterator<Item = &str> {
        self.experiment.network.iter().map(NetworkEntry::label)
    }

    /// Inference time of a run over that of the first run of the experiment, with its spread.
    pub fn slowdown(&self, network: &str, run: &str) -> Option<Quantiles> {
        let base = self.result(network, &self.experiment.run.first()?.name)?;
        self.result(network, run)?.slowdown(base)
    }

    /// Networks whose figures over time are wanted and that ran somewhere.
    pub fn detailed(&self) -> impl Iterator<Item = &NetworkEntry> {
        let ran = |network: &&NetworkEntry| !self.results(network.label()).is_empty();
        self.experiment.network.iter().filter(|network| network.over_time).filter(ran)
    }

    /// All results of a network that ran, in the order of the runs.
    pub fn results(&self, network: &str) -> Vec<RunResult> {
        let runs = self.experiment.run.iter();
        runs.filter_map(|run| self.result(network, &run.name)).cloned().collect()
    }
}
