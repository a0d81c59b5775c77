//! Replays lines straight on devices that are no plain DRAM, without caches: an Optane DIMM, a CXL card, a curve.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use hetier_traces::LINE_BYTES;

use super::bare::{BareResult, BareRun, Controllers, Pace, drive, share};
use super::latency::Latencies;
use super::{ForeignAccess, OTHER_CLOCK_PS};
use crate::device::literal::DeviceConfig;
use crate::device::mapping::Interleave;
use crate::device::{Completion, Counters, Device, Kind, Request};
use crate::{Error, Picoseconds};

/// Reads under way behind one channel whose device says nothing of it: as the read queues of the shipped DRAM controllers.
const READS: usize = 32;

/// What lets the next access be offered.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// Reads under way behind one channel; one more holds up all that come after it.
    reads: usize,
    /// Writes under way behind one channel of a device that answers when they are done; of the others, a write holds up
    /// what comes after it until the device's queue has it.
    writes: Option<usize>,
}

impl Room {
    fn of(device: &DeviceConfig) -> Self {
        match device {
            DeviceConfig::Cxl(card) => Self { reads: card.queue(), writes: Some(card.queue()) },
            _ => Self { reads: READS, writes: None },
        }
    }

    /// How many requests may be under way of a kind, or of which other where the kind has no number of its own: one
    /// queue takes all in order.
    const fn most(self, kind: Kind) -> (Kind, usize) {
        match (kind, self.writes) {
            (Kind::Write, Some(writes)) => (kind, writes),
            _ => (Kind::Read, self.reads),
        }
    }

    /// Whether what comes after a request waits until the device's queue has it.
    const fn waits_for(self, kind: Kind) -> bool {
        matches!((kind, self.writes), (Kind::Write, None))
    }
}

/// Latencies are counted in tenths of a nanosecond.
const TICK_PS: u64 = 100;

/// Equal devices and how lines spread over them.
#[derive(Clone, Debug)]
pub struct DeviceMemory {
    /// What is behind each channel.
    pub device: DeviceConfig,
    /// How lines spread over channels.
    pub interleave: Interleave,
}

/// Replays a stream of lines on bare devices; a clock is 1 ns. A write is over when its queue holds it, or when a card has
/// answered; a read when the data are at the controller. The share of row hits is that of buffers of the device; there is
/// no peak to take a share of.
///
/// # Errors
/// - The first error of the stream.
pub fn replay(
    source: impl Iterator<Item = Result<ForeignAccess, Error>>,
    memory: &DeviceMemory,
    pace: Pace,
) -> Result<BareRun, Error> {
    drive(source, Devices::new(memory, pace))
}

/// Devices under replay.
struct Devices<'m> {
    memory: &'m DeviceMemory,
    pace: Pace,
    channels: Vec<Channel>,
    /// The first instant at which the next access may be offered, by [`Pace::queue_of`] the channels.
    free: Vec<Picoseconds>,
    room: Room,
    index: u64,
    /// The read whose data are waited for, and when those of the last such read were there.
    awaited: Option<u64>,
    awaited_end: Picoseconds,
    reads: Latencies,
    writes: Latencies,
    last: Picoseconds,
}

struct Channel {
    device: Box<dyn Device>,
    under_way: HashMap<u64, (Kind, Picoseconds)>,
    /// How many of them are of each kind.
    open: [usize; 2],
    /// When those end that are known to end, by kind.
    ends: [BinaryHeap<Reverse<Picoseconds>>; 2],
    done: Vec<Completion>,
}

impl Channel {
    /// Requests of a kind that have not ended at an instant up to which the device was advanced.
    fn under_way(&mut self, kind: Kind, at: Picoseconds) -> usize {
        let ends = &mut self.ends[kind as usize];
        while ends.peek().is_some_and(|Reverse(end)| *end <= at) {
            ends.pop();
        }
        self.open[kind as usize] + ends.len()
    }

    /// When the next request of a kind ends, or something else happens.
    fn next(&self, kind: Kind) -> Option<Picoseconds> {
        let end = self.ends[kind as usize].peek().map(|Reverse(end)| *end);
        end.into_iter().chain(self.device.next_event()).min()
    }
}

impl<'m> Devices<'m> {
    fn new(memory: &'m DeviceMemory, pace: Pace) -> Self {
        let channel = |_| Channel {
            device: memory.device.build(),
            under_way: HashMap::new(),
            open: [0; 2],
            ends: Default::default(),
            done: Vec::new(),
        };
        Self {
            memory,
            pace,
            channels: (0..memory.interleave.channels()).map(channel).collect(),
            free: vec![Picoseconds::ZERO; memory.interleave.channels() as usize],
            room: Room::of(&memory.device),
            index: 0,
            awaited: None,
            awaited_end: Picoseconds::ZERO,
            reads: Latencies::default(),
            writes: Latencies::default(),
            last: Picoseconds::ZERO,
        }
    }

    /// Simulates a channel up to an instant and records what ended.
    fn advance(&mut self, number: usize, until: Picoseconds) {
        let channel = &mut self.channels[number];
        channel.device.advance(until, &mut channel.done);
        for completion in channel.done.drain(..) {
            let Some((kind, from)) = channel.under_way.remove(&completion.token) else { continue };
            let ticks = (completion.at.0 - from.0).div_ceil(TICK_PS);
            match kind {
                Kind::Read => self.reads.record(ticks),
                Kind::Write => self.writes.record(ticks),
            }
            channel.open[kind as usize] -= 1;
            if !self.room.waits_for(kind) {
                channel.ends[kind as usize].push(Reverse(completion.at));
            }
            self.last = self.last.max(completion.at);
            if self.awaited == Some(completion.token) {
                self.awaited_end = completion.at;
            }
        }
    }

    /// Waits until a channel has room for another request of a kind, from an instant on.
    fn room(&mut self, number: usize, kind: Kind, from: Picoseconds) -> Picoseconds {
        let (kind, most) = self.room.most(kind);
        let mut at = from;
        self.advance(number, at);
        while self.channels[number].under_way(kind, at) >= most {
            let Some(next) = self.channels[number].next(kind) else { return at };
            at = at.max(next);
            self.advance(number, at);
        }
        at
    }

    /// Waits until the data of a read are there.
    fn data(&mut self, number: usize, token: u64, from: Picoseconds) -> Picoseconds {
        self.awaited = Some(token);
        let known = self.ended(number, token, from);
        self.awaited = None;
        // A device may tell of an end that lies ahead.
        known.max(self.awaited_end)
    }

    /// Waits until a request has ended, as far as its device says.
    fn ended(&mut self, number: usize, token: u64, from: Picoseconds) -> Picoseconds {
        let mut at = from;
        self.advance(number, at);
        while self.channels[number].under_way.contains_key(&token) {
            let Some(next) = self.channels[number].device.next_event() else { return at };
            at = at.max(next);
            self.advance(number, at);
        }
        at
    }
}

impl Controllers for Devices<'_> {
    fn offer(&mut self, access: &ForeignAccess) {
        let offered = Picoseconds(self.pace.first_offer(access).saturating_mul(OTHER_CLOCK_PS));
        let (channel, local) = self.memory.interleave.split(access.line);
        let number = channel as usize;
        let queue = self.pace.queue_of(number);
        let at = self.room(number, access.kind, offered.max(self.free[queue]));
        let token = self.index;
        self.index += 1;
        self.channels[number].under_way.insert(token, (access.kind, at));
        self.channels[number].open[access.kind as usize] += 1;
        let line = local % (self.memory.device.capacity_bytes() / LINE_BYTES);
        self.channels[number].device.push(Request { token, line, kind: access.kind, at });
        let until = match access.kind {
            Kind::Read if self.pace.waits_for(access) => self.data(number, token, at),
            kind if self.room.waits_for(kind) => self.ended(number, token, at),
            _ => at,
        };
        self.free[queue] = until + Picoseconds(self.pace.gap(access).saturating_mul(OTHER_CLOCK_PS));
    }

    fn finish(&mut self) {
        for number in 0..self.channels.len() {
            while !self.channels[number].under_way.is_empty() {
                let Some(next) = self.channels[number].device.next_event() else { break };
                self.advance(number, next);
            }
        }
    }

    fn summary(&self) -> BareResult {
        let sum = |of: fn(&Counters) -> u64| {
            self.channels.iter().map(|channel| of(&channel.device.counters())).sum::<u64>()
        };
        let hits = sum(|counters| counters.buffer_hits_read + counters.buffer_hits_write);
        let simulated_ns = self.last.as_ns();
        BareResult {
            gb_per_s: share((self.index * LINE_BYTES) as f64, simulated_ns),
            peak_share: None,
            read_latency_ns: self.reads.summary(TICK_PS),
            write_latency_ns: self.writes.summary(TICK_PS),
            row_hit_rate: share(hits as f64, self.index as f64),
            accesses: self.index,
            simulated_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(device: &str, lines: &[(u64, Kind)], pace: Pace) -> BareResult {
        let memory =
            DeviceMemory { device: DeviceConfig::load(device).unwrap(), interleave: Interleave::ONE };
        let access = |&(line, kind): &(u64, Kind)| Ok(ForeignAccess::new(line, kind));
        replay(lines.iter().map(access), &memory, pace).unwrap().result
    }

    #[test]
    fn a_lone_read_of_optane_takes_translation_and_media() {
        let result = run("optane-pmem-100", &[(0, Kind::Read)], Pace::Saturated);

        // From the device's file: a miss of the translation buffer, a media read and a hit in the read buffer.
        let mean = result.read_latency_ns.unwrap().mean;
        assert!((108.0 + 94.0 + 48.0..=256.0).contains(&mean), "{mean}");
        assert_eq!((result.accesses, result.peak_share), (1, None));
    }

    #[test]
    fn writes_wait_until_the_queue_takes_them() {
        let lines: Vec<(u64, Kind)> = (0..100_000).map(|line| (line * 4, Kind::Write)).collect();

        let result = run("optane-pmem-100", &lines, Pace::Saturated);

        // A media write for each line: 2,048 bits at 785 pJ/bit are 107.2 ns of 15 W.
        let media_gb_per_s = 64.0 / 107.2;
        assert!((result.gb_per_s / media_gb_per_s - 1.0).abs() < 0.1, "{}", result.gb_per_s);
    }

    #[test]
    fn no_more_reads_are_under_way_than_the_queue_holds() {
        let lines: Vec<(u64, Kind)> = (0..20_000).map(|line| (line * 4096, Kind::Read)).collect();

        let DeviceConfig::Cxl(card) = DeviceConfig::load("cxl-ddr5-x8").unwrap() else { unreachable!() };
        let result = run("cxl-ddr5-x8", &lines, Pace::Saturated);

        let in_flight = result.gb_per_s / 64.0 * result.read_latency_ns.unwrap().mean;
        let most = card.queue() as f64;
        assert!((most - 1.0..=most + 0.1).contains(&in_flight), "{in_flight}");
    }

    #[test]
    fn a_card_takes_writes_while_it_has_not_answered_others() {
        use crate::probe::{BandwidthProbe, Operation, Order, bandwidth};
        let lines: Vec<(u64, Kind)> = (0..100_000).map(|line| (line, Kind::Write)).collect();
        let probe = BandwidthProbe {
            operation: Operation::Ntstore,
            order: Order::Sequential,
            threads: 26,
            ..BandwidthProbe::new("cxl")
        };

        let saturated = run("cxl-ddr5-x8", &lines, Pace::Saturated);
        let paced = run("cxl-ddr5-x8", &lines, Pace::Every(10));

        let probed = bandwidth(&crate::System::load("xeon-8470-cxl").unwrap(), &probe).unwrap().gb_per_s;
        assert!((saturated.gb_per_s / probed - 1.0).abs() < 0.05, "{} and {probed}", saturated.gb_per_s);
        assert!((paced.gb_per_s / 6.4 - 1.0).abs() < 0.01, "{}", paced.gb_per_s);
        let write = paced.write_latency_ns.unwrap();
        // Link there and back, and the card's queue in between, as for a write alone.
        let alone = run("cxl-ddr5-x8", &lines[..1], Pace::Saturated).write_latency_ns.unwrap();
        assert!(write.p50 >= alone.p50, "{write:?} {alone:?}");
    }

    #[test]
    fn paced_accesses_come_at_their_instants() {
        let lines: Vec<(u64, Kind)> = (0..1_000).map(|line| (line * 4, Kind::Read)).collect();

        let result = run("optane-pmem-100", &lines, Pace::Every(500));

        let expected = 64.0 / 500.0;
        assert!((result.gb_per_s / expected - 1.0).abs() < 0.01, "{}", result.gb_per_s);
    }
}
