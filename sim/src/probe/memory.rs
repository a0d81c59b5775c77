//! The memory that a probe sees: the channels of one tier and the way to them.

use super::walk::Permutation;
use crate::device::{Completion, Counters, Device, Kind, Request, literal::DeviceConfig};
use crate::machine::Links;
use crate::pages::Pages;
use crate::system::{LinkLimits, TierSpec};
use crate::{Error, Picoseconds, System};

/// Marks the tokens of writes, whose answers carry no data.
const WRITE: u64 = 1 << 63;
/// Marks the tokens of reads of the directory state on which a store waits at its home.
const LOOKUP: u64 = 1 << 62;
/// Token of writes of directory state, for which nobody waits.
const DIRECTORY: u64 = u64::MAX;

/// Which part of the machine a probe uses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scope<'a> {
    /// Name of the tier.
    pub tier: &'a str,
    /// Sockets whose memory is used.
    pub sockets: usize,
    /// Channels of each; all if not given.
    pub dimms: Option<usize>,
    /// Whether threads use the memory of the other socket.
    pub is_remote: bool,
    /// Another power budget for PMem.
    pub power_w: Option<f64>,
}

/// What a request does to the directory state of its line, if that is kept in the home memory of another socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directory {
    /// Nothing: the state is right already, or comes with the data.
    Keeps,
    /// Changes it: the line is written.
    Changes,
    /// Asks for it first: the line is read before it is stored.
    Asks,
}

/// Devices, and the delays and the link on the way to them.
pub(super) struct Memory {
    devices: Vec<Box<dyn Device>>,
    events: Vec<Option<Picoseconds>>,
    dimms: usize,
    interleave_lines: u64,
    capacity_lines: u64,
    /// Lines of a page, if pages are scattered.
    page_lines: Option<u64>,
    /// From the core to the controller's queue.
    pub(super) request: Picoseconds,
    /// Back to the core.
    pub(super) response: Picoseconds,
    /// The link to the other socket.
    link: Option<Links>,
    /// Lines of stores by token, and how many of each device wait for the state of their line.
    stored: Vec<u64>,
    asked: Vec<usize>,
}

/// The home socket of all memory of a probe, in the links' count.
const HOME: usize = 0;

impl Memory {
    /// Builds idle devices.
    ///
    /// # Errors
    /// - [`Error::Value`] if the system has no such tier, fewer DIMMs, no second socket, or devices without a budget.
    /// - Those of [`DeviceConfig::load`].
    pub(super) fn new(system: &System, scope: Scope<'_>) -> Result<Self, Error> {
        let tier = find_tier(system, scope.tier)?;
        let dimms = scope.dimms.unwrap_or(tier.channels_per_socket);
        if dimms == 0 || dimms > tier.channels_per_socket {
            let need = format!("1 to {}", tier.channels_per_socket);
            return Err(Error::value(&system.file, "--dimms", dimms, need));
        }
        let link = if scope.is_remote { Some(find_link(system)?) } else { None };
        let device = with_power(DeviceConfig::load(&tier.device)?, scope.power_w)?;
        let devices: Vec<_> = (0..scope.sockets.max(1) * dimms).map(|_| device.build()).collect();
        let (there, back) = link.map_or_else(Default::default, |link| (link.request, link.response));
        Ok(Self {
            events: vec![None; devices.len()],
            asked: vec![0; devices.len()],
            stored: Vec::new(),
            devices,
            dimms,
            interleave_lines: tier.interleave_lines,
            capacity_lines: tier.channel_bytes.min(device.capacity_bytes()) / hetier_traces::LINE_BYTES,
            page_lines: (system.probe_pages != Pages::Contiguous)
                .then(|| system.probe_pages.bytes() / hetier_traces::LINE_BYTES),
            request: system.l3.latency + system.request + tier.extra_request + there,
            response: system.response + tier.extra_response + back,
            link: link.map(|limits| Links::new(limits, 1)),
        })
    }

    /// Channels of a socket.
    pub(super) const fn dimms(&self) -> usize {
        self.dimms
    }

    /// Lines that `dimms` channels hold.
    pub(super) const fn capacity_lines(&self, dimms: usize) -> u64 {
        self.capacity_lines * dimms as u64
    }

    /// The device and the line in it of a line interleaved over `count` channels from `first`.
    pub(super) const fn route(&self, line: u64, first: usize, count: usize) -> (usize, u64) {
        let line = self.scatter(line, count);
        let granule = line / self.interleave_lines;
        let channel = first + (granule % count as u64) as usize;
        (channel, granule / count as u64 * self.interleave_lines + line % self.interleave_lines)
    }

    /// Where the page of a line lies among all of `count` channels.
    const fn scatter(&self, line: u64, count: usize) -> u64 {
        let Some(page_lines) = self.page_lines else { return line };
        let frames = Permutation::new(self.capacity_lines(count) / page_lines);
        frames.at(line / page_lines) * page_lines + line % page_lines
    }

    /// Sends a request that leaves the core at `now`.
    pub(super) fn send(
        &mut self,
        device: usize,
        mut request: Request,
        now: Picoseconds,
        directory: Directory,
    ) {
        request.at = now + self.request;
        if request.kind == Kind::Write {
            request.token |= WRITE;
            if let Some(link) = &mut self.link {
                request.at = link.pass_write(HOME, request.at);
            }
        }
        let keeps_state = self.link.as_ref().is_some_and(Links::has_memory_directory);
        match directory {
            Directory::Asks if keeps_state => self.ask(device, request),
            Directory::Changes if keeps_state => {
                self.devices[device].push(request);
                self.devices[device].push(Request { token: DIRECTORY, kind: Kind::Write, ..request });
            }
            _ => self.devices[device].push(request),
        }
        self.events[device] = self.devices[device].next_event();
    }

    /// Reads the line of a store; the store follows when it is there.
    fn ask(&mut self, device: usize, store: Request) {
        let token = store.token & !WRITE;
        let place = token as usize;
        self.stored.resize(self.stored.len().max(place + 1), 0);
        self.stored[place] = store.line;
        self.asked[device] += 1;
        self.devices[device].push(Request { token: token | LOOKUP, kind: Kind::Read, ..store });
    }

    /// The earliest instant at which a device does something.
    pub(super) fn next_event(&self) -> Option<Picoseconds> {
        self.events.iter().flatten().min().copied()
    }

    /// Simulates every device up to `until` and fills `done`, which is empty; completions carry the instant at
    /// which the core knows.
    pub(super) fn advance(&mut self, until: Picoseconds, done: &mut Vec<Completion>) {
        for number in 0..self.devices.len() {
            while self.events[number].is_some_and(|event| event <= until) {
                // A store whose state becomes known enters in between, so nothing may be simulated past that.
                let event = self.events[number].filter(|_| self.asked[number] > 0).unwrap_or(until);
                let before = done.len();
                self.devices[number].advance(event, done);
                if self.asked[number] > 0 {
                    self.let_stores_in(number, before, done);
                }
                self.events[number] = self.devices[number].next_event();
            }
        }
        done.retain(|completion| completion.token != DIRECTORY);
        for completion in done {
            let is_write = completion.token & WRITE != 0;
            if let (Some(link), false) = (&mut self.link, is_write) {
                completion.at = link.pass_read(HOME, completion.at);
            }
            completion.token &= !WRITE;
            completion.at += self.response;
        }
    }

    /// Takes the answers to [`Directory::Asks`] out of `done` from a position on, and sends their stores.
    fn let_stores_in(&mut self, number: usize, from: usize, done: &mut Vec<Completion>) {
        let mut place = from;
        while let Some(&Completion { token, at }) = done.get(place) {
            if token == DIRECTORY || token & WRITE != 0 || token & LOOKUP == 0 {
                place += 1;
                continue;
            }
            done.swap_remove(place);
            let token = token & !LOOKUP;
            let line = self.stored[token as usize];
            self.asked[number] -= 1;
            self.devices[number].push(Request { token: token | WRITE, line, kind: Kind::Write, at });
        }
    }

    /// What all devices have moved so far.
    pub(super) fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for counters in self.devices.iter().map(|device| device.counters()) {
            sum.read_bytes += counters.read_bytes;
            sum.write_bytes += counters.write_bytes;
            sum.media_read_bytes += counters.media_read_bytes;
            sum.media_write_bytes += counters.media_write_bytes;
            sum.maintenance += counters.maintenance;
        }
        sum
    }
}

/// The tier of a name.
pub(super) fn find_tier<'a>(system: &'a System, name: &str) -> Result<&'a TierSpec, Error> {
    system.tier(name).map(|tier| &system.tiers[tier]).ok_or_else(|| {
        let names: Vec<&str> = system.tiers.iter().map(|tier| tier.name.as_str()).collect();
        Error::value(&system.file, "--tier", name, format!("one of {}", names.join(", ")))
    })
}

fn find_link(system: &System) -> Result<LinkLimits, Error> {
    system.link.ok_or_else(|| Error::value(&system.file, "--remote", "1 socket", "a system with a link"))
}

fn with_power(device: DeviceConfig, power_w: Option<f64>) -> Result<DeviceConfig, Error> {
    match (device, power_w) {
        (device, None) => Ok(device),
        (DeviceConfig::Pmem(config), Some(watts)) => Ok(DeviceConfig::Pmem(config.with_power(watts)?)),
        (_, Some(watts)) => {
            Err(Error::value("probe", "--power-w", watts, "a tier with a power budget (pmem)"))
        }
    }
}
