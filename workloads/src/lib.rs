//! hetier workloads.
