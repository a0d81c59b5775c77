//! The device files that are shipped.

use serde::Deserialize;

use crate::Error;

/// The key of a device file that is for people.
#[derive(Deserialize)]
struct Title {
    title: String,
}

/// Name of every shipped device and one line about it.
///
/// # Errors
/// - [`Error::Toml`] for a file without a title.
pub fn summaries() -> Result<Vec<(&'static str, String)>, Error> {
    let summary = |&(name, text): &(&'static str, &str)| match toml::from_str::<Title>(text) {
        Ok(Title { title }) => Ok((name, title)),
        Err(error) => Err(Error::Toml { file: name.to_owned(), message: error.to_string() }),
    };
    SHIPPED.iter().map(summary).collect()
}

/// Name and text of every device file, in order of listing.
pub const SHIPPED: &[(&str, &str)] = &[
    ("ddr4-2400", include_str!("../../devices/ddr4-2400.toml")),
    ("ddr4-2666", include_str!("../../devices/ddr4-2666.toml")),
    ("ddr4-2666-rdimm-8g", include_str!("../../devices/ddr4-2666-rdimm-8g.toml")),
    ("ddr4-2666-rdimm-16g", include_str!("../../devices/ddr4-2666-rdimm-16g.toml")),
    ("ddr4-2666-rdimm-32g", include_str!("../../devices/ddr4-2666-rdimm-32g.toml")),
    ("ddr4-2933", include_str!("../../devices/ddr4-2933.toml")),
    ("ddr4-2933-rdimm-32g", include_str!("../../devices/ddr4-2933-rdimm-32g.toml")),
    ("ddr4-3200", include_str!("../../devices/ddr4-3200.toml")),
    ("ddr5-4800", include_str!("../../devices/ddr5-4800.toml")),
    ("ddr5-4800-rdimm-32g", include_str!("../../devices/ddr5-4800-rdimm-32g.toml")),
    ("optane-pmem-100", include_str!("../../devices/optane-pmem-100.toml")),
    ("optane-pmem-100-512g", include_str!("../../devices/optane-pmem-100-512g.toml")),
    ("optane-pmem-200", include_str!("../../devices/optane-pmem-200.toml")),
    ("cxl-ddr5-x8", include_str!("../../devices/cxl-ddr5-x8.toml")),
    ("curve-xeon-6240", include_str!("../../devices/curve-xeon-6240.toml")),
];
