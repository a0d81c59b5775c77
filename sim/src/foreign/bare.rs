//! Replays lines straight on memory controllers, without caches, as other DRAM simulators do.

use std::time::{Duration, Instant};

use hetier_traces::LINE_BYTES;
use serde::{Deserialize, Serialize};

use super::ForeignAccess;
use super::latency::{Latencies, LatencySummary};
use crate::Error;
use crate::device::Kind;
use crate::device::dram::{Channel, Clock, DramConfig, Served};
use crate::device::mapping::Interleave;
use crate::device::place_table::PlaceTable;

/// Accesses that are read before they are replayed, so that reading is not part of the time of the controllers.
const BATCH: usize = 1 << 14;

/// When accesses are offered. They are accepted in order: one that finds its queue full holds up those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The next of each channel at every clock, until it is accepted: channels do not wait for one another.
    Saturated,
    /// One every so many clocks, at least 1, counted from when the one before was accepted: what a full queue holds up
    /// is not made up for (as Ramulator 2.1's paced bandwidths on the reference streams show).
    Every(Clock),
    /// At the clocks that the trace gives; where it gives none, at once, but behind idle clocks and behind the data of
    /// blocking reads.
    Recorded,
}

impl Pace {
    /// The first clock at which an access may be offered, if nothing before it is held up.
    #[inline]
    pub(super) fn first_offer(self, access: &ForeignAccess) -> Clock {
        match self {
            Self::Saturated | Self::Every(_) => 0,
            Self::Recorded => access.clock.unwrap_or(0),
        }
    }

    /// Which queue holds up those behind it: its own where all are asked for as much as they can do, else
    /// the one of the trace.
    #[inline]
    pub(super) const fn queue_of(self, channel: usize) -> usize {
        match self {
            Self::Saturated => channel,
            Self::Every(_) | Self::Recorded => 0,
        }
    }

    /// Clocks from the acceptance of an access, or from its data, to the offer of the next.
    #[inline]
    pub(super) const fn gap(self, access: &ForeignAccess) -> Clock {
        match self {
            Self::Saturated => 1,
            Self::Recorded => 1 + access.idle,
            Self::Every(clocks) => clocks,
        }
    }

    /// Whether the data of an access are waited for.
    #[inline]
    pub(super) fn waits_for(self, access: &ForeignAccess) -> bool {
        access.is_blocking && self == Self::Recorded
    }
}

/// Channels of one kind and how lines spread over them.
#[derive(Clone, Debug)]
pub struct BareMemory {
    /// What is behind each channel.
    pub channel: DramConfig,
    /// How lines spread over channels.
    pub interleave: Interleave,
}

/// What a bare replay measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BareResult {
    /// Bytes moved over the time from the first clock to the last data, in GB/s (10⁹ bytes).
    pub gb_per_s: f64,
    /// The same as a share of the peak of all channels, where the device has one.
    pub peak_share: Option<f64>,
    /// From arrival at the controller, when its queue accepts the read, to the last data; none without
    /// reads.
    pub read_latency_ns: Option<LatencySummary>,
    /// From arrival at the controller to the last data on the bus; of devices other than DRAM, until the queue has it, or
    /// until a card has answered. None without writes.
    pub write_latency_ns: Option<LatencySummary>,
    /// Share of accesses for which no row had to be opened; of devices other than DRAM, that a buffer served.
    pub row_hit_rate: f64,
    /// Accesses served.
    pub accesses: u64,
    /// Simulated time in nanoseconds.
    pub simulated_ns: f64,
}

/// What the served requests add up to.
#[derive(Default)]
struct Meter {
    reads: Latencies,
    writes: Latencies,
    last: Clock,
    /// When the data were there of a read that is waited for.
    awaited: Option<Clock>,
}

impl Meter {
    #[inline]
    fn record(&mut self, served: Served) {
        let latency = served.done - served.arrived;
        match served.kind {
            Kind::Read => self.reads.record(latency),
            Kind::Write => self.writes.record(latency),
        }
        self.last = self.last.max(served.done);
        if served.token == BLOCKING {
            self.awaited = Some(served.done);
        }
    }
}

/// Token of a read that is waited for; others have 0.
const BLOCKING: u64 = 1;

/// A finished bare replay: what it measured, and how long the host took.
#[derive(Clone, Debug, PartialEq)]
pub struct BareRun {
    /// What was measured; the same on every host.
    pub result: BareResult,
    /// Time that the host spent on the controllers, without reading the trace.
    pub host: Duration,
}

impl BareRun {
    /// Accesses for each second of [`BareRun::host`].
    pub fn host_accesses_per_s(&self) -> f64 {
        self.result.accesses as f64 / self.host.as_secs_f64().max(1e-9)
    }
}

/// Replays a stream of lines on bare controllers. Memory does not grow with the length of the stream.
///
/// # Errors
/// - The first error of the stream.
pub fn replay(
    source: impl Iterator<Item = Result<ForeignAccess, Error>>,
    memory: &BareMemory,
    pace: Pace,
) -> Result<BareRun, Error> {
    drive(source, Bare::new(memory, pace))
}

/// What a stream of accesses is driven through. Accesses are offered in order; `finish` comes once, after the last.
pub(super) trait Controllers {
    /// Offers an access at its clock, and later until it is taken.
    fn offer(&mut self, access: &ForeignAccess);

    /// Serves what is left.
    fn finish(&mut self);

    /// What was measured, after `finish`.
    fn summary(&self) -> BareResult;
}

/// Reads a stream in batches and offers it, taking the host's time without that of reading.
pub(super) fn drive(
    mut source: impl Iterator<Item = Result<ForeignAccess, Error>>,
    mut bare: impl Controllers,
) -> Result<BareRun, Error> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut host = Duration::ZERO;
    loop {
        batch.clear();
        for access in source.by_ref().take(BATCH) {
            batch.push(access?);
        }
        let start = Instant::now();
        batch.iter().for_each(|access| bare.offer(access));
        if batch.len() < BATCH {
            bare.finish();
            host += start.elapsed();
            return Ok(BareRun { result: bare.summary(), host });
        }
        host += start.elapsed();
    }
}

/// Controllers under replay.
struct Bare<'m> {
    memory: &'m BareMemory,
    places: PlaceTable,
    pace: Pace,
    channels: Vec<Channel>,
    meter: Meter,
    /// The first clock at which the next access may be offered, by [`Pace::queue_of`] the interleaved channels.
    free: Vec<Clock>,
}

impl<'m> Bare<'m> {
    fn new(memory: &'m BareMemory, pace: Pace) -> Self {
        let config = &memory.channel;
        let channel = || Channel::new(config.timing, &config.geometry, config.controller);
        let count = memory.interleave.channels() * u64::from(config.geometry.sub_channels);
        let channels = (0..count).map(|_| channel()).collect();
        let places = PlaceTable::new(&config.mapping);
        let free = vec![0; memory.interleave.channels() as usize];
        Self { memory, places, pace, channels, meter: Meter::default(), free }
    }
}

impl Controllers for Bare<'_> {
    #[inline]
    fn offer(&mut self, access: &ForeignAccess) {
        let BareMemory { channel: config, interleave } = self.memory;
        let (number, local) = interleave.split(access.line);
        let free = &mut self.free[self.pace.queue_of(number as usize)];
        let offered = self.pace.first_offer(access).max(*free);
        let place = self.places.place(local);
        let number = number as usize * config.geometry.sub_channels as usize + place.sub_channel as usize;
        let channel = &mut self.channels[number];
        let token = if self.pace.waits_for(access) { BLOCKING } else { 0 };
        let mut served = |served| self.meter.record(served);
        let mut at = offered;
        loop {
            let has_room = channel.has_room(access.kind);
            // Room is made by a command, and seen at its clock.
            if !channel.step(if has_room { offered } else { Clock::MAX }, &mut served) {
                break;
            }
            at = if has_room { at } else { offered.max(channel.latest()) };
        }
        channel.accept(token, access.kind, place, at, &mut served);
        let behind =
            if token == BLOCKING { wait_for_data(channel, &mut self.meter).unwrap_or(at) } else { at };
        *free = behind + self.pace.gap(access);
    }

    fn finish(&mut self) {
        for channel in &mut self.channels {
            while channel.step(Clock::MAX, &mut |served| self.meter.record(served)) {}
        }
    }

    fn summary(&self) -> BareResult {
        let config = &self.memory.channel;
        let sum = |of: fn(&Channel) -> u64| self.channels.iter().map(of).sum::<u64>();
        let columns = sum(|channel| channel.tally().columns.iter().sum());
        let hits = sum(|channel| channel.tally().hits.iter().sum());
        let accesses = columns + sum(|channel| channel.tally().forwarded);
        let simulated_ns = self.meter.last as f64 * config.timing.clock_ps as f64 / 1e3;
        let gb_per_s = share((accesses * LINE_BYTES) as f64, simulated_ns);
        BareResult {
            gb_per_s,
            peak_share: Some(gb_per_s / (config.peak_gb_per_s() * self.memory.interleave.channels() as f64)),
            read_latency_ns: self.meter.reads.summary(config.timing.clock_ps),
            write_latency_ns: self.meter.writes.summary(config.timing.clock_ps),
            row_hit_rate: share(hits as f64, columns as f64),
            accesses,
            simulated_ns,
        }
    }
}

/// Serves a channel until the data of the read are there that is waited for. Kept out of what every access runs through.
#[cold]
#[inline(never)]
fn wait_for_data(channel: &mut Channel, meter: &mut Meter) -> Option<Clock> {
    while meter.awaited.is_none() && channel.step(Clock::MAX, &mut |served| meter.record(served)) {}
    meter.awaited.take()
}

/// A part of a whole, 0 of nothing.
pub(super) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
