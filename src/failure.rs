//! Why the program stops, and with which exit code.

use std::fmt::Display;
use std::process::ExitCode;

use hetier_reports::units;
use hetier_workloads::network::NETWORKS;

use crate::interrupt;

/// A failure with its message for the user.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something that does not exist: exit code 2.
    Usage(String),
    /// The work failed: exit code 1.
    Work(String),
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
        let (Self::Usage(message) | Self::Work(message)) = self;
        Self::Work(format!("{place}: {message}"))
    }

    /// Prints the message to standard error and gives the exit code.
    pub fn report(&self) -> ExitCode {
        let (message, code) = match self {
            Self::Usage(message) => (message, 2),
            Self::Work(message) => (message, 1),
        };
        tell!("error: {message}");
        ExitCode::from(code)
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
            hetier_reports::Error::UnknownExperiment { .. } => Self::usage(source),
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
            hetier_workloads::Error::UnknownVariant { .. } => Self::usage(source),
            source => Self::work(source),
        }
    }
}

impl From<hetier_sim::Error> for Failure {
    fn from(source: hetier_sim::Error) -> Self {
        match source {
            hetier_sim::Error::Cancelled { percent } if interrupt::is_pressed() => {
                Self::work(format!("interrupted with {percent} % of a replay done: nothing was written"))
            }
            hetier_sim::Error::UnknownName { .. } | hetier_sim::Error::Unknown { .. } => Self::usage(source),
            hetier_sim::Error::Value { ref key, .. } if key.starts_with("--") => Self::usage(source),
            source => Self::work(explained(&source)),
        }
    }
}

/// An error of a replay as people read it: sizes with units, and machines that would do.
pub fn explained(error: &hetier_sim::Error) -> String {
    let hetier_sim::Error::Capacity { system, what, needed_bytes, capacity_bytes } = error else {
        return error.to_string();
    };
    let [needed, there, missing] =
        [*needed_bytes, *capacity_bytes, needed_bytes.saturating_sub(*capacity_bytes)].map(units::bytes);
    let holding = hetier_sim::system::holding(*needed_bytes);
    let machines: Vec<String> =
        holding.iter().map(|(name, modes)| format!("{name} in {}", modes.join(" or "))).collect();
    let cure = if machines.is_empty() {
        "no shipped system holds it".to_owned()
    } else {
        format!("{} would hold it", machines.join(", "))
    };
    format!("{system}: {what} needs at least {needed}, {there} are there: {missing} missing ({cure})")
}

impl From<serde_json::Error> for Failure {
    fn from(source: serde_json::Error) -> Self {
        Self::work(format!("json: {source}"))
    }
}
