//! The form of an experiment file, and its checks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::figures;
use super::{Metric, Sweep};
use crate::Error;
use crate::labels::file_stem;

/// A study: every network on every run, with figures and published points. Unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name of its files.
    pub name: String,
    /// One line for the head of the page.
    pub title: String,
    /// Whose study it is.
    pub source: String,
    /// Figures to draw, by name.
    pub figures: Vec<String>,
    /// Settings of all runs.
    pub settings: SharedSettings,
    /// On what; the first is the reference of slowdowns.
    #[serde(default)]
    pub run: Vec<RunEntry>,
    /// What.
    #[serde(default)]
    pub network: Vec<NetworkEntry>,
    /// Published points to be held against the simulation.
    #[serde(default)]
    pub point: Vec<Point>,
    /// Published points that are not simulated, and why.
    #[serde(default)]
    pub unsimulated: Vec<Unsimulated>,
    /// Name of its file in messages.
    #[serde(skip)]
    pub file: String,
}

/// Settings of all runs of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedSettings {
    /// Simulated threads; as many as the system has cores if left out.
    pub threads: Option<u32>,
    /// `line`, `stream` or `auto`.
    pub fidelity: String,
    /// Calls to simulate of each run, a share or a number as for `hetier replay --sample`; all if left out.
    pub sample: Option<String>,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// Seeds of an ensemble, at least 1.
    pub seeds: u32,
}

/// A machine and mode, with settings that differ from the system's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunEntry {
    /// Name in tables and points.
    pub name: String,
    /// Name in prose.
    pub title: String,
    /// System, by name or file.
    pub system: String,
    /// Memory mode.
    pub mode: String,
    /// Simulated threads; those of the settings if left out.
    pub threads: Option<u32>,
    /// Placement policy of App Direct.
    pub placement: Option<String>,
    /// DRAM in GiB that the run may use, over all sockets; what the system has if left out.
    pub dram_gib: Option<f64>,
    /// DRAM as a share of the peak of live bytes.
    pub dram_fraction: Option<f64>,
    /// Page placement.
    pub pages: Option<String>,
    /// NUMA policy.
    pub numa: Option<String>,
    /// Schedule of parallel loops.
    pub schedule: Option<String>,
    /// Allocator of the process: `seal-pool`, `thread-pools`, `bump` or `map`.
    pub allocator: Option<String>,
    /// Whether near memory starts full of dirty lines.
    #[serde(default)]
    pub warm: bool,
    /// Networks that it is for; all if left out.
    pub networks: Option<Vec<String>>,
    /// Whether a network that does not fit the machine is left out instead of being an error.
    #[serde(default)]
    pub only_if_it_fits: bool,
    /// Whether it is part of a quick run.
    #[serde(default)]
    pub quick: bool,
}

/// A network with the choices of its lowering; what is left out is the network's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkEntry {
    /// Name on the shelf of networks.
    pub name: String,
    /// Name in tables and points, where one network stands in several variants.
    pub label: Option<String>,
    /// Images in the batch.
    pub batch: Option<usize>,
    /// Degree N of the ring; with `primes`.
    pub degree: Option<usize>,
    /// Bits of the primes, the special one last.
    pub primes: Option<Vec<u32>>,
    /// Bits of the scale.
    pub scale_bits: Option<u32>,
    /// Accept parameters that are not 128-bit secure.
    #[serde(default)]
    pub insecure: bool,
    /// `fused`, `seal-4` or `seal-3.4.5`.
    pub dataflow: Option<String>,
    /// `fused`, `faithful` or `aluminum-shark`.
    pub kernel: Option<String>,
    /// `multiply`, `copy` or `skip`.
    pub zeros: Option<String>,
    /// Share of convolution weights that are zero.
    pub zero_share: Option<f64>,
    /// Two images in a slot.
    #[serde(default)]
    pub complex: bool,
    /// Output channels computed together.
    pub block: Option<usize>,
    /// `after-last-use` or `at-end`.
    pub liveness: Option<String>,
    /// `process` or `none`.
    pub client: Option<String>,
    /// Seeds of its replays that points hold against a published number; those of the settings if left out, and of all others.
    pub seeds: Option<u32>,
    /// Whether it is only lowered, for points of its trace, and replayed nowhere.
    #[serde(default)]
    pub trace_only: bool,
    /// Whether its figures over time are drawn and its results kept whole.
    #[serde(default)]
    pub over_time: bool,
    /// Whether it is part of a quick run.
    #[serde(default)]
    pub quick: bool,
}

/// A published number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Name in tables.
    pub name: String,
    /// Label of a network.
    pub network: String,
    /// Name of a run; a fact of the trace alone if left out.
    pub run: Option<String>,
    /// What is compared; see [`Metric`].
    pub metric: Metric,
    /// Run that a ratio is taken against.
    pub against: Option<String>,
    /// Runs that tell causes of a slowdown apart: each leaves some of them out.
    #[serde(default)]
    pub parts: Vec<String>,
    /// The number.
    pub published: f64,
    /// Largest distance of the simulation, in percent of the number, that passes.
    pub tolerance_percent: f64,
    /// Whether a constant was set by it.
    pub role: Role,
    /// Who published it.
    pub source: String,
    /// What is known of a distance that does not pass.
    pub note: Option<String>,
}

/// A published number that the simulation has nothing to hold against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unsimulated {
    /// Name in tables.
    pub name: String,
    /// The number, with its unit.
    pub published: String,
    /// Why it is not simulated.
    pub reason: String,
    /// Who published it.
    pub source: String,
}

/// What a point is to the models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A constant of the system files was set by it.
    Calibrated,
    /// No constant was.
    Predicted,
}

impl Role {
    /// As in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calibrated => "calibrated",
            Self::Predicted => "predicted",
        }
    }
}

impl Point {
    /// The runs whose results it needs.
    pub fn runs(&self) -> impl Iterator<Item = &String> {
        self.run.iter().chain(&self.against)
    }
}

impl NetworkEntry {
    /// Name in tables and points.
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.name)
    }
}

impl RunEntry {
    /// Whether a network is run on it.
    pub fn takes(&self, network: &NetworkEntry) -> bool {
        let is_named = |networks: &Vec<String>| networks.iter().any(|name| name == network.label());
        !network.trace_only && self.networks.as_ref().is_none_or(is_named)
    }
}

impl Experiment {
    /// Parses and checks a file; `file` is its name in messages.
    ///
    /// # Errors
    /// - [`Error::ExperimentForm`] for bad syntax, unknown and missing keys.
    /// - [`Error::Experiment`] for values that cannot be, names that are not there or twice there.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let refuse = |message: String| Error::Experiment { file: file.to_owned(), message };
        let mut experiment: Self = hetier_sim::toml_error::read(file, text)
            .map_err(|error| Error::ExperimentForm(error.to_string()))?;
        experiment.check().map_err(refuse)?;
        file.clone_into(&mut experiment.file);
        Ok(experiment)
    }

    /// The quick part of it.
    #[must_use]
    pub fn quick(mut self) -> Self {
        self.run.retain(|run| run.quick);
        self.network.retain(|network| network.quick);
        self.drop_points();
        self
    }

    /// Without the networks, runs and replays that no point needs, and with the seeds of the settings.
    #[must_use]
    pub fn pointed(mut self) -> Self {
        let points = self.point.clone();
        self.network.retain(|network| points.iter().any(|point| point.network == network.label()));
        self.network.iter_mut().for_each(|network| network.seeds = None);
        for run in &mut self.run {
            let needing = points.iter().filter(|point| point.runs().any(|name| *name == run.name));
            let mut needing: Vec<String> = needing.map(|point| point.network.clone()).collect();
            needing.dedup();
            run.networks = Some(needing);
        }
        self.run.retain(|run| points.iter().any(|point| point.runs().any(|name| *name == run.name)));
        self.drop_points();
        self
    }

    /// Seeds of a network's replay on a run.
    pub fn seeds(&self, network: &NetworkEntry, run: &RunEntry) -> u32 {
        let is_held =
            |point: &Point| point.network == network.label() && point.runs().any(|name| *name == run.name);
        let own = network.seeds.filter(|_| self.point.iter().any(is_held));
        own.unwrap_or(self.settings.seeds)
    }

    /// Networks that a point is about whose number the trace alone holds.
    pub fn traced(&self) -> impl Iterator<Item = &NetworkEntry> {
        let is_traced = |point: &Point, label: &str| point.run.is_none() && point.network == label;
        self.network
            .iter()
            .filter(move |network| self.point.iter().any(|point| is_traced(point, network.label())))
    }

    /// Whether a point holds this number of a network against its trace.
    pub fn asks(&self, network: &NetworkEntry, metric: &Metric) -> bool {
        self.point.iter().any(|point| point.network == network.label() && point.metric == *metric)
    }

    /// Drops the points of networks and runs that are not there.
    fn drop_points(&mut self) {
        let (networks, runs) = (self.labels(), self.runs());
        self.point.retain(|point| {
            networks.contains(&point.network) && point.runs().all(|name| runs.contains(name))
        });
    }

    fn labels(&self) -> Vec<String> {
        self.network.iter().map(|network| network.label().to_owned()).collect()
    }

    fn runs(&self) -> Vec<String> {
        self.run.iter().map(|run| run.name.clone()).collect()
    }

    fn check(&self) -> Result<(), String> {
        let (labels, runs) = (self.labels(), self.runs());
        let of_study = std::slice::from_ref(&self.name);
        of_study.iter().chain(&labels).chain(&runs).try_for_each(|name| file_name(name))?;
        unique("network", &labels)?;
        unique("run", &runs)?;
        self.check_texts()?;
        self.check_file_names()?;
        self.check_settings()?;
        for run in &self.run {
            if run.dram_gib.is_some() && run.dram_fraction.is_some() {
                return Err(format!("run {}: found dram_gib and dram_fraction, need one of them", run.name));
            }
            for (key, size) in [("dram_gib", run.dram_gib), ("dram_fraction", run.dram_fraction)] {
                if let Some(size) = size.filter(|size| !(*size > 0.0 && size.is_finite())) {
                    return Err(format!("run {}: {key}: found {size}, need a number above 0", run.name));
                }
            }
            if run.networks.as_ref().is_some_and(Vec::is_empty) {
                return Err(format!(
                    "run {}: networks: found none, need at least 1 (all if left out)",
                    run.name
                ));
            }
            if let Some(name) = twice(run.networks.as_deref().unwrap_or_default()) {
                return Err(format!("run {}: networks: found {name} twice, need it once", run.name));
            }
            for network in run.networks.iter().flatten() {
                known("network", &run.name, network, &labels)?;
            }
        }
        for point in &self.point {
            known("network", &point.name, &point.network, &labels)?;
            point.runs().chain(&point.parts).try_for_each(|run| known("run", &point.name, run, &runs))?;
            check_own_runs(point)?;
            self.check_cells(point)?;
            if point.run.is_none() && !point.metric.is_of_trace() {
                return Err(format!(
                    "point {}: {} is a number of a replay, need `run`",
                    point.name, point.metric
                ));
            }
            if point.run.is_some() && point.metric.is_of_trace_alone() {
                return Err(format!(
                    "point {}: {} is a number of the trace, need no `run`",
                    point.name, point.metric
                ));
            }
            if point.metric.is_ratio() != point.against.is_some() {
                return Err(format!(
                    "point {}: `against` goes with a slowdown, and only with it",
                    point.name
                ));
            }
            if !(point.published > 0.0 && point.published.is_finite()) {
                return Err(format!(
                    "point {}: found published = {}, need a finite number above 0",
                    point.name, point.published
                ));
            }
            if !(0.0..=100.0).contains(&point.tolerance_percent) {
                return Err(format!(
                    "point {}: found tolerance_percent = {}, need 0 to 100",
                    point.name, point.tolerance_percent
                ));
            }
        }
        self.check_figures()
    }

    /// Refuses control characters in what tables and pages show: a line break would end a row.
    fn check_texts(&self) -> Result<(), String> {
        one_line("title", &self.title)?;
        one_line("source", &self.source)?;
        for run in &self.run {
            one_line(&format!("run {}: title", run.name), &run.title)?;
        }
        for point in &self.point {
            one_line("point: name", &point.name)?;
            one_line(&format!("point {}: source", point.name), &point.source)?;
            let note = point.note.as_deref().unwrap_or_default();
            one_line(&format!("point {}: note", point.name), note)?;
        }
        for of in &self.unsimulated {
            one_line("unsimulated: name", &of.name)?;
            let texts = [("published", &of.published), ("reason", &of.reason), ("source", &of.source)];
            for (key, text) in texts {
                one_line(&format!("unsimulated {}: {key}", of.name), text)?;
            }
        }
        Ok(())
    }

    /// Whether networks, runs and replays have files of their own: what is no letter, digit or dot is a dash in their names.
    fn check_file_names(&self) -> Result<(), String> {
        let replays = Sweep::jobs(self).into_iter().map(|(network, run)| {
            let (network, run) = (self.network[network].label(), &self.run[run].name);
            (format!("{network}-{run}"), format!("network {network} on run {run}"))
        });
        let named = |what: &str, names: Vec<String>| -> Vec<(String, String)> {
            names.into_iter().map(|name| (name.clone(), format!("{what} {name}"))).collect()
        };
        own_files(named("network", self.labels()))?;
        own_files(named("run", self.runs()))?;
        own_files(replays)
    }

    fn check_settings(&self) -> Result<(), String> {
        for network in &self.network {
            if network.seeds == Some(0) {
                return Err(format!("network {}: seeds: found 0, need at least 1", network.label()));
            }
            if network.degree.is_some() != network.primes.is_some() {
                let there = if network.degree.is_some() { "degree" } else { "primes" };
                return Err(format!(
                    "network {}: found {there} alone, need degree and primes together",
                    network.label()
                ));
            }
        }
        match self.settings.seeds {
            0 => Err("settings.seeds: found 0, need at least 1".to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether the study has the replays that a point needs.
    fn check_cells(&self, point: &Point) -> Result<(), String> {
        let network = self.network.iter().find(|network| network.label() == point.network);
        let name = &point.name;
        for run in self.run.iter().filter(|run| point.runs().any(|name| *name == run.name)) {
            if point.metric == Metric::DoesNotFit && !run.only_if_it_fits {
                let run = &run.name;
                return Err(format!(
                    "point {name}: run {run} ends where a network does not fit, need only_if_it_fits"
                ));
            }
            if let Some(network) = network.filter(|network| !run.takes(network)) {
                let (run, network) = (&run.name, network.label());
                return Err(format!("point {name}: run {run} leaves network {network} out, need its replay"));
            }
        }
        Ok(())
    }

    fn check_figures(&self) -> Result<(), String> {
        let drawn = figures::names();
        if let Some(name) = twice(&self.figures) {
            return Err(format!("figures: found {name} twice, need it once"));
        }
        let name = self.figures.iter().find(|name| !drawn.contains(&name.as_str()));
        name.map_or(Ok(()), |name| Err(format!("figures: found {name}, need one of {}", drawn.join(", "))))
    }
}

/// Refuses a point that compares a run with itself: a ratio of 1 by definition, and a cause that explains nothing.
fn check_own_runs(point: &Point) -> Result<(), String> {
    let Point { name, run, against, parts, .. } = point;
    if let Some(other) = against.as_ref().filter(|other| Some(*other) == run.as_ref()) {
        return Err(format!("point {name}: against: found {other}, its own run, need another"));
    }
    match parts.iter().find(|part| point.runs().any(|own| own == *part)) {
        Some(part) => {
            Err(format!("point {name}: parts: found {part}, its own run or that of `against`, need others"))
        }
        None => Ok(()),
    }
}

/// Most bytes of a name: a file is named by two of them, and file systems take 255.
const LONGEST_NAME: usize = 100;

/// Refuses a name that files cannot have: those of a study are named by it, its networks and its runs.
fn file_name(name: &str) -> Result<(), String> {
    if name.len() > LONGEST_NAME {
        return Err(format!(
            "name: found {} bytes ({name:.20}…), need at most {LONGEST_NAME} for names of files",
            name.len()
        ));
    }
    let is_path = name.contains(['/', '\\']) || name.starts_with('.') || name.trim().is_empty();
    if is_path || name.chars().any(char::is_control) {
        return Err(format!(
            "name: found {name:?}, need one for files: not empty, no slash, no dot in front"
        ));
    }
    Ok(())
}

/// Refuses a text of more than one line, and with other control characters.
fn one_line(key: &str, text: &str) -> Result<(), String> {
    match text.chars().find(|letter| letter.is_control()) {
        Some(letter) => Err(format!("{key}: found {letter:?} in {text:?}, need one line of plain text")),
        None => Ok(()),
    }
}

/// Refuses names that make no file name, or the same one as another; each with what it is the name of.
fn own_files(names: impl IntoIterator<Item = (String, String)>) -> Result<(), String> {
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for (name, of) in names {
        let stem = file_stem(&name);
        if stem.is_empty() {
            return Err(format!("{of}: found no ASCII letter or digit, need one for the names of its files"));
        }
        if let Some(other) = owners.get(&stem) {
            return Err(format!(
                "{of}: found the file name {stem} of {other}, need names that differ in ASCII letters or digits"
            ));
        }
        owners.insert(stem, of);
    }
    Ok(())
}

fn unique(what: &str, names: &[String]) -> Result<(), String> {
    if names.is_empty() {
        return Err(format!("{what}: found none, need at least 1 table [[{what}]]"));
    }
    twice(names).map_or(Ok(()), |name| Err(format!("{what}: found {name} twice, need different names")))
}

/// The first name that stands there a second time.
fn twice(names: &[String]) -> Option<&String> {
    names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| name)
}

fn known(what: &str, place: &str, name: &str, names: &[String]) -> Result<(), String> {
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    Err(format!("{place}: found {what} {name}, need one of {}", names.join(", ")))
}
