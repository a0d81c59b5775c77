//! Memory devices behind one channel: a queue, a timing model and counters each.
//!
//! A device is told the time; it owns no clock. Requests may be pushed for instants in the future, in any order, as
//! long as none lies before the `until` of the last [`Device::advance`]. Queues are event-driven: nothing ticks idly.

mod arrivals;
pub mod curve;
pub mod cxl;
pub mod dram;
pub mod literal;
pub mod mapping;
pub mod place_table;
pub mod pmem;
pub mod shipped;

use crate::Picoseconds;

/// What a request asks of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 64 bytes to the controller.
    Read,
    /// 64 bytes from the controller; complete once the controller's write queue holds them.
    Write,
}

/// One 64-byte request to one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Given back on completion.
    pub token: u64,
    /// Line number inside the device: byte address ÷ 64.
    pub line: u64,
    /// Direction.
    pub kind: Kind,
    /// When it reaches the controller.
    pub at: Picoseconds,
}

/// A request that is done: data at the controller (read), or held by its write queue (write).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The request's token.
    pub token: u64,
    /// When.
    pub at: Picoseconds,
}

/// What a device has moved and done so far. Demand counts requests; media counts what the cells moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes of read requests served.
    pub read_bytes: u64,
    /// Bytes of write requests accepted.
    pub write_bytes: u64,
    /// Bytes read from the media (for PMem in 256-byte lines, read-modify-write included).
    pub media_read_bytes: u64,
    /// Bytes written to the media.
    pub media_write_bytes: u64,
    /// Requests served from an open row, or from a buffer of the DIMM.
    pub buffer_hits_read: u64,
    /// The same for writes.
    pub buffer_hits_write: u64,
    /// Row activations (DRAM).
    pub activates: u64,
    /// Refresh commands (DRAM), or wear-levelling moves (PMem).
    pub maintenance: u64,
}

/// A memory device with its controller queue.
///
/// The replay calls `push` with requests, `advance` with growing times, and reads completions. A device must complete
/// every request exactly once and never before `request.at`.
pub trait Device: Send {
    /// Takes a request. The device keeps a backlog of any length in order of arrival behind its bounded queues.
    fn push(&mut self, request: Request);

    /// The earliest instant at which something happens if nothing more is pushed; `None` when idle.
    fn next_event(&self) -> Option<Picoseconds>;

    /// Simulates everything up to and including `until`, appending completions.
    ///
    /// Each completion is appended at the latest by the call that reaches its instant, and earlier when it is already
    /// certain; it never lies before the `until` of an earlier call. Those of one call need not be sorted.
    fn advance(&mut self, until: Picoseconds, done: &mut Vec<Completion>);

    /// What was moved so far.
    fn counters(&self) -> Counters;
}
