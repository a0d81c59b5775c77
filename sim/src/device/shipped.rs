//! The device files that are shipped.

/// Name and text of every device file, in order of listing.
pub const SHIPPED: &[(&str, &str)] = &[
    ("ddr4-2400", include_str!("../../devices/ddr4-2400.toml")),
    ("ddr4-2666", include_str!("../../devices/ddr4-2666.toml")),
    ("ddr4-2933", include_str!("../../devices/ddr4-2933.toml")),
    ("ddr4-3200", include_str!("../../devices/ddr4-3200.toml")),
    ("ddr5-4800", include_str!("../../devices/ddr5-4800.toml")),
    ("optane-pmem-100", include_str!("../../devices/optane-pmem-100.toml")),
    ("optane-pmem-200", include_str!("../../devices/optane-pmem-200.toml")),
    ("cxl-ddr5-x8", include_str!("../../devices/cxl-ddr5-x8.toml")),
    ("curve-xeon-6240", include_str!("../../devices/curve-xeon-6240.toml")),
];
