//! What can be asked of a probe: operations, orders, mixes and sizes, and how they are written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::machine::Steady;
use crate::size::Size;

/// What a probe does to each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// A load that misses every cache.
    Load,
    /// A non-temporal store.
    Ntstore,
    /// A store to a line that no cache holds, and its write-back by clwb.
    Clwb,
    /// A store to a line that no cache holds, written back when the cache evicts it.
    Store,
}

/// How a latency probe walks over its region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Every block once per pass, in the order of one random cycle.
    Chase,
    /// Ascending.
    Sequential,
    /// Blocks drawn at random.
    Random,
}

/// Order of the blocks of a bandwidth probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Ascending, every thread in its own part of the region.
    Sequential,
    /// Drawn at random from the whole region.
    Random,
    /// Each block this many bytes after the one before, every thread in its own part of the region.
    Stride(u64),
}

/// Where the memory of a thread lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pin {
    /// Interleaved over all DIMMs of the socket.
    #[default]
    None,
    /// On one DIMM for each thread, in turn.
    Dimm,
    /// Interleaved over the DIMMs of one controller for each thread, in turn.
    Controller,
}

/// Bytes loaded to bytes stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mix {
    /// Parts that are loaded.
    pub reads: u32,
    /// Parts that are stored.
    pub writes: u32,
}

impl Mix {
    /// Loads alone.
    pub const READS: Self = Self { reads: 1, writes: 0 };
    /// Stores alone.
    pub const WRITES: Self = Self { reads: 0, writes: 1 };

    /// The state of lines among which blocks are drawn in this mix for ever.
    pub(super) const fn on_shared_lines(self) -> Steady {
        Steady::Shared { stores: self.writes as u64, whole: self.reads as u64 + self.writes as u64 }
    }
}

/// Reads a [`Size`].
///
/// # Errors
/// - [`Error::Value`] naming `key` for anything else.
pub fn parse_size(key: &str, text: &str) -> Result<u64, Error> {
    let size: Result<Size, _> = text.trim().parse();
    size.map(|size| size.0).map_err(|_| Error::value("probe", key, text, "a size such as 64, 4KiB or 1GiB"))
}

/// Turns a word into a value, or says which words there are.
fn choose<T: Copy>(key: &str, text: &str, known: &[(&str, T)]) -> Result<T, Error> {
    let found = known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        Error::value("probe", key, text, format!("one of {}", names.join(", ")))
    })
}

/// Names of the operations.
const OPERATIONS: [(&str, Operation); 4] = [
    ("load", Operation::Load),
    ("ntstore", Operation::Ntstore),
    ("clwb", Operation::Clwb),
    ("store", Operation::Store),
];

/// Names of the patterns.
const PATTERNS: [(&str, Pattern); 3] =
    [("chase", Pattern::Chase), ("sequential", Pattern::Sequential), ("random", Pattern::Random)];

/// The word that [`choose`] takes for a value.
fn word<T: Copy + PartialEq>(value: T, known: &[(&'static str, T)]) -> &'static str {
    known.iter().find(|(_, choice)| *choice == value).map_or("", |(name, _)| name)
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(word(*self, &OPERATIONS))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(word(*self, &PATTERNS))
    }
}

impl fmt::Display for Order {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequential => formatter.write_str("sequential"),
            Self::Random => formatter.write_str("random"),
            Self::Stride(bytes) => write!(formatter, "stride={bytes}"),
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.reads, self.writes)
    }
}

impl FromStr for Operation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        choose("--op", text, &OPERATIONS)
    }
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        choose("--pattern", text, &PATTERNS)
    }
}

impl FromStr for Order {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(size) = text.strip_prefix("stride=") {
            return parse_size("--order", size).map(Self::Stride);
        }
        match text {
            "sequential" => Ok(Self::Sequential),
            "random" => Ok(Self::Random),
            _ => Err(Error::value("probe", "--order", text, "sequential, random or stride=SIZE")),
        }
    }
}

impl FromStr for Pin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        choose("--pin", text, &[("none", Self::None), ("dimm", Self::Dimm), ("controller", Self::Controller)])
    }
}

impl FromStr for Mix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts = text
            .split_once(':')
            .and_then(|(reads, writes)| Some((reads.parse().ok()?, writes.parse().ok()?)));
        match parts {
            Some((reads, writes)) if reads <= 1000 && writes <= 1000 && reads + writes > 0 => {
                Ok(Self { reads, writes })
            }
            _ => Err(Error::value("probe", "--mix", text, "two numbers up to 1000 such as 2:1, not both 0")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_written_as_they_are_read() {
        for (_, operation) in OPERATIONS {
            assert_eq!(operation.to_string().parse::<Operation>().ok(), Some(operation));
        }
        for (_, pattern) in PATTERNS {
            assert_eq!(pattern.to_string().parse::<Pattern>().ok(), Some(pattern));
        }
        for order in [Order::Sequential, Order::Random, Order::Stride(4096)] {
            assert_eq!(order.to_string().parse::<Order>().ok(), Some(order));
        }
        assert_eq!(
            Mix { reads: 2, writes: 1 }.to_string().parse::<Mix>().ok(),
            Some(Mix { reads: 2, writes: 1 })
        );
    }

    #[test]
    fn words_parse_and_errors_list_them() {
        assert_eq!("stride=256".parse::<Order>().ok(), Some(Order::Stride(256)));
        assert_eq!("stride=1.5kB".parse::<Order>().ok(), Some(Order::Stride(1500)), "as everywhere else");
        assert_eq!("2:1".parse::<Mix>().ok(), Some(Mix { reads: 2, writes: 1 }));
        assert!("0:0".parse::<Mix>().is_err());
        let error = "lod".parse::<Operation>().expect_err("refused").to_string();
        assert_eq!(error, "probe: --op: found lod, need one of load, ntstore, clwb, store");
    }
}
