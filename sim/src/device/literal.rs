//! Device files: from TOML text to a checked configuration.

use std::path::Path;

use serde::Deserialize;

use super::Device;
use super::curve::{Curve, CurveConfig, CurveLiteral};
use super::cxl::{Cxl, CxlConfig, CxlLiteral};
use super::dram::{Dram, DramConfig, DramLiteral};
use super::pmem::{Pmem, PmemConfig, PmemLiteral};
use super::shipped::SHIPPED;
use crate::{Error, toml_error};

/// The mechanisms that a device file can describe.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mechanism {
    Dram,
    Pmem,
    Cxl,
    Curve,
}

/// The key that every device file has.
#[derive(Deserialize)]
struct Kind {
    kind: Mechanism,
}

/// A checked device.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DeviceConfig {
    /// DRAM behind one channel.
    Dram(DramConfig),
    /// Persistent memory on the memory bus.
    Pmem(PmemConfig),
    /// DRAM behind a CXL link.
    Cxl(CxlConfig),
    /// A tier of measured bandwidth–latency curves.
    Curve(CurveConfig),
}

impl DeviceConfig {
    /// Reads a shipped device by name, or any `.toml` file by path.
    ///
    /// # Errors
    /// - [`Error::Unknown`] if it is neither.
    /// - [`Error::Io`] if the file cannot be read.
    /// - Those of [`DeviceConfig::parse`].
    pub fn load(name: &str) -> Result<Self, Error> {
        if let Some((_, text)) = SHIPPED.iter().find(|(known, _)| *known == name) {
            return Self::parse(&format!("{name}.toml"), text);
        }
        let path = Path::new(name);
        if path.extension().is_none_or(|extension| extension != "toml") {
            let known = SHIPPED.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
            return Err(Error::Unknown { what: "device", found: name.to_owned(), known });
        }
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        Self::parse(name, &text)
    }

    /// Reads and checks the text of a device file; `file` names it in errors.
    ///
    /// # Errors
    /// - [`Error::Toml`] for bad syntax, unknown and missing keys.
    /// - [`Error::Value`] for values that cannot be, and for a `source` that names none.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let Kind { kind } = toml_error::read(file, text)?;
        sources(file, "", &toml_error::read(file, text)?)?;
        let text = without_kind(text);
        Ok(match kind {
            Mechanism::Dram => Self::Dram(toml_error::read::<DramLiteral>(file, &text)?.check(file)?),
            Mechanism::Pmem => Self::Pmem(toml_error::read::<PmemLiteral>(file, &text)?.check(file)?),
            Mechanism::Cxl => Self::Cxl(toml_error::read::<CxlLiteral>(file, &text)?.check(file)?),
            Mechanism::Curve => Self::Curve(toml_error::read::<CurveLiteral>(file, &text)?.check(file)?),
        })
    }

    /// Builds an idle device.
    pub fn build(&self) -> Box<dyn Device> {
        match self {
            Self::Dram(config) => Box::new(Dram::new(config)),
            Self::Pmem(config) => Box::new(Pmem::new(config)),
            Self::Cxl(config) => Box::new(Cxl::new(config)),
            Self::Curve(config) => Box::new(Curve::new(config)),
        }
    }

    /// The same device with its maintenance spread evenly over its work, as far as the work causes it.
    #[must_use]
    pub fn with_even_wear(self) -> Self {
        match self {
            Self::Pmem(config) => Self::Pmem(config.with_even_wear()),
            other => other,
        }
    }

    /// The same device whose maintenance comes in even steps, so that `parts` short runs together meet as much of it as a
    /// long one; this is the `part`-th.
    #[must_use]
    pub fn with_common_wear(self, part: u64, parts: u64) -> Self {
        match self {
            Self::Pmem(config) => Self::Pmem(config.with_common_wear(part, parts)),
            other => other,
        }
    }

    /// The most that it can read, and write, in GB/s: formulas of its own file, without anything that gets in the way.
    pub fn peaks_gb_per_s(&self) -> [f64; 2] {
        match self {
            Self::Dram(config) => [config.peak_gb_per_s(); 2],
            Self::Pmem(config) => config.peaks_gb_per_s(),
            Self::Cxl(config) => [config.read_gb_per_s().min(config.memory.peak_gb_per_s()); 2],
            Self::Curve(config) => [1.0, 0.0].map(|read_share| config.peak_gb_per_s(read_share)),
        }
    }

    /// Bytes that the device holds.
    pub const fn capacity_bytes(&self) -> u64 {
        match self {
            Self::Dram(config) => config.capacity_bytes(),
            Self::Pmem(config) => config.capacity_bytes(),
            Self::Cxl(config) => config.memory.capacity_bytes(),
            Self::Curve(config) => config.capacity_bytes(),
        }
    }
}

/// Refuses a `source` that names none, in whichever table.
fn sources(file: &str, place: &str, table: &toml::Table) -> Result<(), Error> {
    for (key, value) in table {
        let key = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        match value {
            toml::Value::String(text) if key.ends_with("source") && text.trim().is_empty() => {
                return Err(Error::value(file, &key, format!("{text:?}"), toml_error::SOURCE_NEED));
            }
            toml::Value::Table(table) => sources(file, &key, table)?,
            _ => {}
        }
    }
    Ok(())
}

/// The text with its `kind` turned into a comment: the rest is read as the table of one mechanism, and messages keep
/// their lines and columns, which an enum tagged by `kind` would lose.
fn without_kind(text: &str) -> String {
    let is_kind =
        |line: &str| line.strip_prefix("kind").is_some_and(|rest| rest.trim_start().starts_with('='));
    let blank = |line: &str| if is_kind(line) { "#".to_owned() } else { line.to_owned() };
    text.lines().map(blank).collect::<Vec<_>>().join("\n")
}
