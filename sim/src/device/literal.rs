//! Device files: from TOML text to a checked configuration.

use std::path::Path;

use serde::Deserialize;

use super::Device;
use super::curve::{Curve, CurveConfig, CurveLiteral};
use super::cxl::{Cxl, CxlConfig, CxlLiteral};
use super::dram::{Dram, DramConfig, DramLiteral};
use super::pmem::{Pmem, PmemConfig, PmemLiteral};
use super::shipped::SHIPPED;
use crate::Error;

/// A device file, unchecked. `kind` says which mechanism it describes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DeviceLiteral {
    /// DRAM behind one channel.
    Dram(DramLiteral),
    /// Persistent memory on the memory bus.
    Pmem(PmemLiteral),
    /// DRAM behind a CXL link.
    Cxl(CxlLiteral),
    /// A tier of measured bandwidth–latency curves.
    Curve(CurveLiteral),
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
        let text = std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        Self::parse(name, &text)
    }

    /// Reads and checks the text of a device file; `file` names it in errors.
    ///
    /// # Errors
    /// - [`Error::Toml`] for bad syntax, unknown and missing keys.
    /// - [`Error::Value`] for values that cannot be.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let literal: DeviceLiteral = toml::from_str(text)
            .map_err(|error| Error::Toml { file: file.to_owned(), message: error.to_string() })?;
        Ok(match literal {
            DeviceLiteral::Dram(literal) => Self::Dram(literal.check(file)?),
            DeviceLiteral::Pmem(literal) => Self::Pmem(literal.check(file)?),
            DeviceLiteral::Cxl(literal) => Self::Cxl(literal.check(file)?),
            DeviceLiteral::Curve(literal) => Self::Curve(literal.check(file)?),
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
