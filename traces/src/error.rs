//! Everything that can be wrong with a trace or its files.

use std::path::PathBuf;

/// A wrong trace, an unreadable file, or a request that the trace cannot answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An array or view is used before its definition.
    #[error("{place}: found array or view {array}, need one of the {defined} defined so far")]
    UndefinedArray {
        /// Where.
        place: String,
        /// The number used.
        array: u32,
        /// How many are defined.
        defined: usize,
    },
    /// A macro is called before its definition.
    #[error("{place}: found macro {callee}, need one of the {defined} defined so far")]
    UndefinedMacro {
        /// Where.
        place: String,
        /// The number used.
        callee: u32,
        /// How many are defined.
        defined: usize,
    },
    /// A number lies outside its bounds.
    #[error("{place}: found {what} {found}, need {least} to {most}")]
    OutOfRange {
        /// Where.
        place: String,
        /// What the number counts.
        what: &'static str,
        /// The number.
        found: i128,
        /// Least that is valid.
        least: i128,
        /// Most that is valid.
        most: i128,
    },
    /// A rule of the grammar is broken that is not about one number.
    #[error("{place}: {rule}")]
    Malformed {
        /// Where.
        place: String,
        /// What was found and what is needed.
        rule: &'static str,
    },
    /// A body stands before the first phase.
    #[error("reading the trace: found a body before the first phase, need a phase first")]
    BodyOutsidePhase,
    /// An object is used, freed or referred to while it does not live.
    #[error("{phase}: {action} of {label}[{index}]: found it dead, need an allocation before")]
    Dead {
        /// Phase.
        phase: String,
        /// What was attempted.
        action: &'static str,
        /// Array or view.
        label: String,
        /// Element.
        index: u64,
    },
    /// An object is allocated while it lives.
    #[error("{phase}: allocation of {label}[{index}]: found it alive, need it freed before")]
    Alive {
        /// Phase.
        phase: String,
        /// Array or view.
        label: String,
        /// Element.
        index: u64,
    },
    /// Loops that would be walked one iteration at a time for too long.
    #[error(
        "{phase}: counting what its loops do: found {found} steps or more to take one by one, need at most {most} in a trace (loops are multiplied where no bound or list inside changes from one iteration to the next)"
    )]
    TooManySteps {
        /// Phase.
        phase: String,
        /// Steps taken and about to be taken.
        found: u64,
        /// Most that are taken.
        most: u64,
    },
    /// A damaged or truncated binary trace.
    #[error("reading trace at byte {offset}: {found}")]
    Damaged {
        /// Byte of the file.
        offset: u64,
        /// What was found and what is needed.
        found: String,
    },
    /// A binary trace of a version that this program does not know.
    #[error(
        "reading trace at byte {offset}: found format version {found}, need {need} (record it again, or use a newer hetier)"
    )]
    Version {
        /// Byte of the file.
        offset: u64,
        /// Version of the file.
        found: u16,
        /// Version that this program reads.
        need: u16,
    },
    /// A text trace that does not parse.
    #[error("{line}:{column}: {found}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What was found and what is needed.
        found: String,
    },
    /// Reading or writing failed.
    #[error("{action}: {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<Error>,
    },
}

/// What a fallible operation of this crate gives.
pub type Result<T> = std::result::Result<T, Error>;
