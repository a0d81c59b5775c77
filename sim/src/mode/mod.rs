//! Memory modes.
/// Names of the modes.
pub fn names() -> Vec<&'static str> {
    vec!["dram-only", "memory-mode", "app-direct", "pmem-only"]
}
