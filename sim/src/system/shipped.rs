//! The list of shipped system files.

use super::nearest;
use crate::Error;

/// File name and text of every shipped system; the first is the default.
const SHIPPED: &[(&str, &str)] = &[
    ("optane-slice.toml", include_str!("../../systems/optane-slice.toml")),
    ("xeon-8260-optane.toml", include_str!("../../systems/xeon-8260-optane.toml")),
    ("bsc-8260l-32g-6t.toml", include_str!("../../systems/bsc-8260l-32g-6t.toml")),
    ("bsc-8260l-192g.toml", include_str!("../../systems/bsc-8260l-192g.toml")),
    ("bsc-8260l-192g-6t.toml", include_str!("../../systems/bsc-8260l-192g-6t.toml")),
    ("xeon-8180.toml", include_str!("../../systems/xeon-8180.toml")),
    ("xeon-6240-dram.toml", include_str!("../../systems/xeon-6240-dram.toml")),
    ("ddr4-2666-1ch.toml", include_str!("../../systems/ddr4-2666-1ch.toml")),
    ("optane-1dimm.toml", include_str!("../../systems/optane-1dimm.toml")),
    ("xeon-8470-cxl.toml", include_str!("../../systems/xeon-8470-cxl.toml")),
];

/// Names of the shipped systems; the first is the default.
pub fn names() -> Vec<&'static str> {
    SHIPPED.iter().map(|(file, _)| file.trim_end_matches(".toml")).collect()
}

/// File name and text of a shipped system.
pub(super) fn find(name: &str) -> Result<(&'static str, &'static str), Error> {
    let known = names();
    match known.iter().position(|known| *known == name) {
        Some(position) => Ok(SHIPPED[position]),
        None => Err(Error::UnknownName {
            what: "system",
            found: name.to_owned(),
            nearest: nearest(name, &known).map(ToOwned::to_owned),
            known: known.join(", "),
        }),
    }
}
