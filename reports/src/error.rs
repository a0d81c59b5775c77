//! The errors of this crate.

use std::path::PathBuf;

/// Why a report could not be made or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The output folder cannot take files.
    #[error("writing to {}: {source} ({})", folder.display(), cure(source))]
    Folder {
        /// The folder asked for.
        folder: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Standard output is for what a command tells.
    #[error("-o: found -, need a name (standard output is for what the command tells)")]
    Dash,
    /// The output folder exists and is something else.
    #[error("writing to {}: found a file, need a folder (choose another name with -o)", folder.display())]
    NotAFolder {
        /// The path asked for.
        folder: PathBuf,
    },
    /// One file could not be written; nothing of the set was published.
    #[error("writing {}: {source}, nothing was published ({})", file.display(), cure(source))]
    File {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file to be written is one that the same run reads or writes besides.
    #[error("writing {}: found a file that the same run reads or writes, need another (choose another name)", file.display())]
    Overwrites {
        /// The file.
        file: PathBuf,
    },
    /// The folder of a file does not exist.
    #[error("writing {}: found no folder {}, need one (create it, or choose another name with -o)", file.display(), folder.display())]
    NoFolder {
        /// The file.
        file: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// A file name that leads out of the output folder.
    #[error("writing {}: found an absolute path or `..`, need a path below the output folder", file.display())]
    Escape {
        /// The path.
        file: PathBuf,
    },
    /// Two files of one name.
    #[error("writing {}: found two files of this name, need one (choose names that differ in letters or digits)", file.display())]
    Repeated {
        /// The path.
        file: PathBuf,
    },
    /// A figure could not be converted.
    #[cfg(feature = "pdf")]
    #[error("converting a figure to PDF: {reason}")]
    Pdf {
        /// What the converter said.
        reason: String,
    },
    /// There is nothing to draw.
    #[error("drawing a report: found no results, need at least 1")]
    NoResults,
    /// A figure that is not on the list.
    #[error("unknown figure `{name}`: known are {known} (nearest: {nearest})")]
    UnknownFigure {
        /// The name asked for.
        name: String,
        /// All names.
        known: String,
        /// The nearest name.
        nearest: String,
    },
    /// An experiment that is not shipped.
    #[error("unknown experiment `{name}`: shipped are {known} (or give a file that ends in .toml)")]
    UnknownExperiment {
        /// The name asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// An experiment file that cannot be read.
    #[error("reading the study {}: {source} (hetier list studies names those that are shipped)", file.display())]
    ExperimentFile {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// An experiment that is not what one looks like.
    #[error("{file}: {message}")]
    Experiment {
        /// The file.
        file: String,
        /// What is wrong, and where.
        message: String,
    },
    /// An experiment file of a wrong form: bad syntax, an unknown key or a missing one; with file, line and key.
    #[error("{0}")]
    ExperimentForm(String),
    /// A result could not be written as JSON.
    #[error("writing a result as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The page could not be rendered.
    #[error("rendering the report page: {0}")]
    Page(#[from] minijinja::Error),
}

/// What helps against an error of the operating system.
fn cure(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::StorageFull => "make room on the disk, or choose another place with -o",
        _ => "choose another place with -o",
    }
}
