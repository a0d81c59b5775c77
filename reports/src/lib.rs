//! hetier reports.
