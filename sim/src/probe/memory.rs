//! The memory that a probe sees: the channels of one tier and the way to them.

use super::walk::Permutation;
use crate::device::{Completion, Counters, Device, Kind, Request, literal::DeviceConfig};
use crate::pages::Pages;
use crate::system::{DirectoryPlace, LinkLimits, TierSpec};
use crate::{Error, Picoseconds, System};

/// Marks the tokens of writes, whose answers carry no data.
const WRITE: u64 = 1 << 63;
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
    link: Option<Link>,
}

/// The link to the other socket, busy with one line after the other in each direction.
struct Link {
    limits: LinkLimits,
    to_home: Picoseconds,
    from_home: Picoseconds,
}

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
            devices,
            dimms,
            interleave_lines: tier.interleave_lines,
            capacity_lines: tier.channel_bytes.min(device.capacity_bytes()) / hetier_traces::LINE_BYTES,
            page_lines: (system.probe_pages != Pages::Contiguous)
                .then(|| system.probe_pages.bytes() / hetier_traces::LINE_BYTES),
            request: system.l3.latency + system.request + tier.extra_request + there,
            response: system.response + tier.extra_response + back,
            link: link.map(|limits| Link {
                limits,
                to_home: Picoseconds::ZERO,
                from_home: Picoseconds::ZERO,
            }),
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

    /// Sends a request that leaves the core at `now`. A remote read whose directory state in the home memory
    /// changes writes the line there as well.
    pub(super) fn send(
        &mut self,
        device: usize,
        mut request: Request,
        now: Picoseconds,
        changes_directory: bool,
    ) {
        request.at = now + self.request;
        if request.kind == Kind::Write {
            request.token |= WRITE;
            if let Some(link) = &mut self.link {
                request.at = cross(&mut link.to_home, link.limits.write_line, request.at);
            }
        }
        self.devices[device].push(request);
        let keeps_state =
            self.link.as_ref().is_some_and(|link| link.limits.directory == DirectoryPlace::Memory);
        if changes_directory && keeps_state && request.kind == Kind::Read {
            self.devices[device].push(Request { token: DIRECTORY, kind: Kind::Write, ..request });
        }
        self.events[device] = self.devices[device].next_event();
    }

    /// The earliest instant at which a device does something.
    pub(super) fn next_event(&self) -> Option<Picoseconds> {
        self.events.iter().flatten().min().copied()
    }

    /// Simulates every device up to `until` and fills `done`, which is empty; completions carry the instant at
    /// which the core knows.
    pub(super) fn advance(&mut self, until: Picoseconds, done: &mut Vec<Completion>) {
        for (device, event) in self.devices.iter_mut().zip(&mut self.events) {
            if event.is_some_and(|event| event <= until) {
                device.advance(until, done);
                *event = device.next_event();
            }
        }
        done.retain(|completion| completion.token != DIRECTORY);
        for completion in done {
            let is_write = completion.token & WRITE != 0;
            if let (Some(link), false) = (&mut self.link, is_write) {
                completion.at = cross(&mut link.from_home, link.limits.read_line, completion.at);
            }
            completion.token &= !WRITE;
            completion.at += self.response;
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

/// One line over a direction of the link; returns when it is through.
fn cross(free: &mut Picoseconds, line: Picoseconds, at: Picoseconds) -> Picoseconds {
    let start = at.max(*free);
    *free = start + line;
    start
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
