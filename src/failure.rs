//! Why the program stops, and with which exit code.

use std::fmt::Display;
use std::process::ExitCode;

use hetier_reports::units;
use hetier_sim::System;
use hetier_sim::replay::{DramSize, Settings};
use hetier_workloads::network::NETWORKS;

use crate::interrupt;

/// A failure with its message for the user.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something that does not exist: exit code 2.
    Usage(String),
    /// The work failed: exit code 1.
    Work(String),
    /// Ctrl-C ended the work: exit code 130.
    Interrupted {
        /// What it ended.
        what: String,
        /// Folders that were written before.
        written: Vec<String>,
    },
}

/// Result of a command.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure of the work.
    pub fn work(message: impl Display) -> Self {
        Self::Work(message.to_string())
    }

    /// Wrong usage.
    pub fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }

    /// The same failure, of the work that a file describes; the file is what is wrong, not the command line.
    #[must_use]
    pub fn in_file(self, place: &str) -> Self {
        match self {
            Self::Usage(message) | Self::Work(message) => {
                Self::Work(format!("{place}: {}", as_in_files(&message)))
            }
            interrupted @ Self::Interrupted { .. } => interrupted,
        }
    }

    /// The same failure, behind folders that are complete.
    #[must_use]
    pub fn behind(self, written: Vec<String>) -> Self {
        match self {
            Self::Interrupted { what, .. } => Self::Interrupted { what, written },
            other => other,
        }
    }

    /// Prints the message to standard error and gives the exit code.
    pub fn report(&self) -> ExitCode {
        let (message, code) = match self {
            Self::Usage(message) => (message.clone(), 2),
            Self::Work(message) => (message.clone(), 1),
            Self::Interrupted { what, written } => {
                (format!("{what}: {}", told(written)), interrupt::EXIT_CODE)
            }
        };
        tell!("error: {message}");
        ExitCode::from(code)
    }
}

/// What an interrupted command leaves.
fn told(written: &[String]) -> String {
    match written {
        [] => "nothing was written".to_owned(),
        [folder] => format!("{folder} was written before"),
        folders => format!("{} were written before", folders.join(", ")),
    }
}

/// A message that begins with an option, with the key that files have for it.
fn as_in_files(message: &str) -> String {
    match message.strip_prefix("--").and_then(|rest| rest.split_once(':')) {
        Some((option, rest)) => format!("{}:{rest}", option.replace('-', "_")),
        None => message.to_owned(),
    }
}

impl From<hetier_traces::Error> for Failure {
    fn from(source: hetier_traces::Error) -> Self {
        Self::work(source)
    }
}

impl From<hetier_reports::Error> for Failure {
    fn from(source: hetier_reports::Error) -> Self {
        match source {
            hetier_reports::Error::UnknownExperiment { .. } | hetier_reports::Error::Dash => {
                Self::usage(source)
            }
            other => Self::work(other),
        }
    }
}

impl From<hetier_workloads::Error> for Failure {
    fn from(source: hetier_workloads::Error) -> Self {
        match source {
            hetier_workloads::Error::UnknownNetwork { ref found, .. } => {
                let names: Vec<&str> = NETWORKS.iter().map(|entry| entry.name).collect();
                match hetier_sim::system::nearest(found, &names) {
                    Some(nearest) => Self::usage(format!("{source} (did you mean {nearest}?)")),
                    None => Self::usage(source),
                }
            }
            hetier_workloads::Error::Interrupted => {
                Self::Interrupted { what: source.to_string(), written: Vec::new() }
            }
            source if is_choice(&source) => Self::usage(source),
            source => Self::work(source),
        }
    }
}

/// Whether an error is about parameters, batch or variant that were asked for.
const fn is_choice(error: &hetier_workloads::Error) -> bool {
    use hetier_workloads::Error as Of;
    matches!(
        error,
        Of::UnknownVariant { .. }
            | Of::Degree { .. }
            | Of::NoPrimes
            | Of::TooManyPrimes { .. }
            | Of::PrimeBits { .. }
            | Of::Scale { .. }
            | Of::SmallScale { .. }
            | Of::SecretWeight { .. }
            | Of::Batch { .. }
    )
}

impl From<hetier_sim::Error> for Failure {
    fn from(source: hetier_sim::Error) -> Self {
        match source {
            hetier_sim::Error::Cancelled { percent } if interrupt::is_pressed() => Self::Interrupted {
                what: format!("interrupted with {percent} % of a replay done"),
                written: Vec::new(),
            },
            hetier_sim::Error::UnknownName { .. }
            | hetier_sim::Error::Unknown { .. }
            | hetier_sim::Error::Unsupported { .. } => Self::usage(source),
            hetier_sim::Error::Value { ref key, .. } if key.starts_with("--") => Self::usage(source),
            source => Self::work(explained(&source)),
        }
    }
}

/// An error of a replay as people read it: sizes with units, and machines that would do.
fn explained(error: &hetier_sim::Error) -> String {
    let hetier_sim::Error::Capacity { system, needed_bytes, .. } = error else { return error.to_string() };
    let mut holding = hetier_sim::system::holding(*needed_bytes);
    // What failed is no cure.
    holding.retain(|(name, _)| name != system);
    let machines: Vec<String> =
        holding.iter().map(|(name, modes)| format!("{name} in {}", modes.join(" or "))).collect();
    let cure = match machines.as_slice() {
        [] => "no other shipped system holds it".to_owned(),
        machines => format!("{} would hold it", machines.join(", ")),
    };
    lacking(error, &cure).unwrap_or_default()
}

/// As [`explained`], of a run whose settings are known: they may be what leaves too little.
pub fn explained_of(error: &hetier_sim::Error, system: &System, settings: &Settings) -> String {
    let flag = match settings.dram {
        DramSize::Fraction(share) => format!("--dram-fraction {share}"),
        DramSize::Bytes(bytes) => format!("--dram of {}", units::bytes(bytes)),
        DramSize::System | DramSize::Enough => return explained(error),
    };
    let hetier_sim::Error::Capacity { needed_bytes, .. } = error else { return explained(error) };
    let installed: u64 = match settings.mode_on(system) {
        "dram-only" => system.tier_bytes("dram"),
        "app-direct" => system.tiers.iter().map(|tier| system.tier_bytes(&tier.name)).sum(),
        // Near memory is not the process's own.
        _ => 0,
    };
    let is_cause = *needed_bytes <= installed;
    let cure = format!("{flag} leaves no more: need a larger one, or none");
    is_cause.then(|| lacking(error, &cure)).flatten().unwrap_or_else(|| explained(error))
}

/// How much memory lacks; `None` for any other error.
fn lacking(error: &hetier_sim::Error, cure: &str) -> Option<String> {
    let hetier_sim::Error::Capacity { system, what, needed_bytes, capacity_bytes } = error else {
        return None;
    };
    let [needed, there, missing] =
        [*needed_bytes, *capacity_bytes, needed_bytes.saturating_sub(*capacity_bytes)].map(units::bytes);
    Some(format!("{system}: {what} needs at least {needed}, {there} are there: {missing} missing ({cure})"))
}

impl From<serde_json::Error> for Failure {
    fn from(source: serde_json::Error) -> Self {
        Self::work(format!("json: {source}"))
    }
}
