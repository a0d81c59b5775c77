//! Everything that can go wrong when a memory system is described or replayed.

use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A TOML file has the wrong form: bad syntax, an unknown key or a missing one.
    #[error("{file}: {message}")]
    Toml {
        /// Name of the file.
        file: String,
        /// What the parser said, with line and column.
        message: String,
    },
    /// A key of a device or system file has a value that cannot be.
    #[error("{file}: {key}: found {found}, need {need}")]
    Value {
        /// Name of the file.
        file: String,
        /// The key, with its table.
        key: String,
        /// The value found.
        found: String,
        /// What would do.
        need: String,
    },
    /// A name is not on the list of shipped files or of kinds.
    #[error("{what}: found {found}, need one of {known}")]
    Unknown {
        /// What was looked for, for instance `device`.
        what: &'static str,
        /// The name given.
        found: String,
        /// The names that exist, with commas.
        known: String,
    },
    /// A name is not on a list; the nearest one that is may be what was meant.
    #[error("{what}: found {found}, need one of {known}{}", nearest.as_ref().map(|name| format!(" (did you mean {name}?)")).unwrap_or_default())]
    UnknownName {
        /// What was looked for, for instance `system`.
        what: &'static str,
        /// The name given.
        found: String,
        /// The name that was probably meant.
        nearest: Option<String>,
        /// The names that exist, with commas.
        known: String,
    },
    /// Memory is too small for what the trace keeps.
    #[error(
        "{system}: {what} needs at least {needed_bytes} bytes, {capacity_bytes} are there: {} missing (use a smaller batch, a larger tier or another mode)",
        needed_bytes.saturating_sub(*capacity_bytes)
    )]
    Capacity {
        /// Name of the system.
        system: String,
        /// Whose memory it is, for instance `mode dram-only, tier dram`.
        what: String,
        /// Bytes needed.
        needed_bytes: u64,
        /// Bytes that the tier has.
        capacity_bytes: u64,
    },
    /// The system has no part that the run needs.
    #[error("{system}: {what}: found {found}, need {need}")]
    Unsupported {
        /// Name of the system.
        system: String,
        /// What was asked for.
        what: String,
        /// What the system has.
        found: String,
        /// What it would need.
        need: String,
    },
    /// The trace is wrong.
    #[error(transparent)]
    Trace(#[from] hetier_traces::Error),
    /// A call touches an object that is not alive.
    #[error("phase {phase}: {label}[{index}] is used while it is not alive: need an allocation before")]
    Dead {
        /// The phase.
        phase: String,
        /// Array of the object.
        label: String,
        /// Which element.
        index: u64,
    },
    /// The run was told to stop.
    #[error("replay cancelled at {percent} %")]
    Cancelled {
        /// How far it was.
        percent: u32,
    },
    /// Nothing can happen any more although work is left: a fault of the simulator.
    #[error("replay stuck at {ns} ns: {waiting} of {cores} cores wait and no device has anything to do")]
    Stuck {
        /// Simulated time.
        ns: u64,
        /// Cores that wait.
        waiting: usize,
        /// Cores in use.
        cores: usize,
    },
    /// A line cannot be written for another tool.
    #[error("export: {0}")]
    Export(#[from] std::io::Error),
    /// A line of another tool's trace cannot be read.
    #[error("{file}:{line}: {format}: found {found}, need {need}")]
    Foreign {
        /// Name of the file.
        file: String,
        /// Line, from 1 (or the record, where the format has no lines).
        line: u64,
        /// Name of the format.
        format: &'static str,
        /// The text found.
        found: String,
        /// The form needed.
        need: &'static str,
    },
}

impl Error {
    /// A [`Error::Value`] from anything that prints.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass numbers and fresh text")]
    pub fn value(file: &str, key: &str, found: impl ToString, need: impl ToString) -> Self {
        Self::Value {
            file: file.to_owned(),
            key: key.to_owned(),
            found: found.to_string(),
            need: need.to_string(),
        }
    }
}

/// A number as messages show it: written out, the largest and the smallest have 300 digits.
pub(crate) fn shown(number: f64) -> String {
    if number == 0.0 || (1e-6..1e15).contains(&number.abs()) {
        number.to_string()
    } else {
        format!("{number:e}")
    }
}
