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
    /// Label of an array → bytes that each of its objects uses.
    pub object_bytes: BTreeMap<String, u64>,
    /// Phases in order.
    pub phases: Vec<PhaseCounts>,
    /// Bytes that a pool of exact sizes keeps of the ciphertexts: of each size, the most that is alive at one time. Only
    /// for networks with a point about it: it takes as long as the rest together.
    pub pool_bytes: Option<u64>,
    /// Most bytes alive at one time, scratch of parallel loops counted for one thread.
    pub peak_live_bytes: u64,
}

/// One phase of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhaseCounts {
    /// Its name.
    pub name: String,
    /// Its graph operation.
    pub operation: String,
    /// HE primitive → calls.
    pub primitives: BTreeMap<String, u64>,
}
