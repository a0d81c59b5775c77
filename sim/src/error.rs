//! Everything that can go wrong when a memory system is described or replayed.

use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
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
    pub fn value(file: &str, key: &str, found: impl ToString, need: impl ToString) -> Self {
        Self::Value { file: file.to_owned(), key: key.to_owned(), found: found.to_string(), need: need.to_string() }
    }
}
