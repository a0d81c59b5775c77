//! What a trace alone holds of a published number.

use std::collections::BTreeMap;

/// Counts of a trace, as the caller found them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFacts {
    /// Graph operation → phases.
    pub operations: BTreeMap<String, u64>,
    /// HE primitive → calls.
    pub primitives: BTreeMap<String, u64>,
    /// Label of an array → objects.
    pub elements: BTreeMap<String, u64>,
    /// Most bytes alive at one time, scratch of parallel loops counted for one thread.
    pub peak_live_bytes: u64,
}
