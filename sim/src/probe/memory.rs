//! The memory that a probe sees: that of a machine with the channels of one tier, and where lines lie in it.

use super::draws::DRAWS;
use super::engine::Channels;
use super::refused;
use super::thread::{Purpose, Sent};
use super::walk::Permutation;
use crate::device::{Counters, Kind, literal::DeviceConfig};
use crate::machine::{self, Answer, Layout, Line, Steady, Submission, TierLayout, Waiter};
use crate::mode::{LineRequest, Mode, Plan};
use crate::pages::Pages;
use crate::system::TierSpec;
use crate::{Error, Picoseconds, System};

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
    /// Whether one of them is on the socket of that memory all the same.
    pub has_home_thread: bool,
    /// Another power budget for PMem.
    pub power_w: Option<f64>,
    /// Number of the draw, of several that together meet as much wear levelling as a long run; without it every block
    /// counts what is written to it.
    pub draw: Option<u64>,
}

/// Channels, and the way to them.
pub(super) struct Memory {
    inner: machine::Memory,
    dimms: usize,
    is_remote: bool,
    sockets: usize,
    interleave_lines: u64,
    capacity_lines: u64,
    /// Lines of a page, if pages are scattered.
    page_lines: Option<u64>,
    /// Least time from the core to the controller's queue.
    pub(super) request: Picoseconds,
    /// Least time back to the core.
    pub(super) response: Picoseconds,
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
            return Err(refused(system, "--dimms", dimms, need));
        }
        if scope.is_remote && system.link.is_none() {
            return Err(refused(system, "--remote", "1 socket", "a system with a link"));
        }
        let device = with_power(DeviceConfig::load(&tier.device)?, scope.power_w)?;
        let sockets = if scope.is_remote { system.sockets } else { scope.sockets.max(1) };
        let part = part(system, tier, dimms, sockets);
        let routes = Routes { tiers: [0], layout: Layout::new(&part).tiers[0], dimms };
        let device = worn(&device, scope.draw);
        let inner = machine::Memory::new(&part, Box::new(routes), &mut |_| Ok(device.clone().build()))?;
        let (there, back) = match system.link.filter(|_| scope.is_remote && !scope.has_home_thread) {
            Some(link) => (link.request, link.response),
            None => Default::default(),
        };
        Ok(Self {
            request: inner.request() + tier.extra_request + there,
            response: inner.response() + tier.extra_response + back,
            inner,
            dimms,
            is_remote: scope.is_remote,
            sockets,
            interleave_lines: tier.interleave_lines,
            capacity_lines: tier.channel_bytes.min(device.capacity_bytes()) / hetier_traces::LINE_BYTES,
            page_lines: (system.probe_pages != Pages::Contiguous)
                .then(|| system.probe_pages.bytes() / hetier_traces::LINE_BYTES),
        })
    }

    /// The same memory after threads have used it for ever.
    pub(super) fn after(mut self, steady: Steady) -> Self {
        self.inner.assume_steady_directory(steady);
        self
    }

    /// Channels of a socket.
    pub(super) const fn dimms(&self) -> usize {
        self.dimms
    }

    /// Lines that `dimms` channels hold.
    pub(super) const fn capacity_lines(&self, dimms: usize) -> u64 {
        self.capacity_lines * dimms as u64
    }

    /// The channel, and the line in its device, of a line interleaved over `count` channels from `first`.
    const fn route(&self, line: u64, first: usize, count: usize) -> (usize, u64) {
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

    /// Sends what leaves a core for a line interleaved over some channels; [`Memory::advance`] gives the token back.
    pub(super) fn send(&mut self, token: u64, sent: Sent, channels: Channels) {
        let (channel, local) = self.route(sent.line, channels.first, channels.count);
        let home = channel / self.dimms;
        let socket = if self.is_remote && !channels.is_home { (home + 1) % self.sockets } else { home };
        let kind = if sent.purpose.is_read() { Kind::Read } else { Kind::Write };
        let line = Routes::pack(home, channel % self.dimms, local);
        self.inner.submit(Submission {
            request: LineRequest { line, kind, is_non_temporal: sent.purpose == Purpose::Combining },
            at: sent.at,
            issued: None,
            is_ownership: matches!(sent.purpose, Purpose::Ownership(_)),
            socket,
            class: 0,
            primitive: 0,
            waiter: Waiter::Flight(token),
        });
    }

    /// The earliest instant at which a device does something.
    pub(super) fn next_event(&self) -> Option<Picoseconds> {
        Some(self.inner.next_event()).filter(|at| *at < Picoseconds::NEVER)
    }

    /// Simulates every device up to `until` and appends answers, with the instant at which the core knows.
    pub(super) fn advance(&mut self, until: Picoseconds, answers: &mut Vec<Answer>) {
        self.inner.advance(until, answers);
    }

    /// What all devices have moved so far.
    pub(super) fn counters(&self) -> Counters {
        self.inner.counters(0)
    }
}

/// The device as a draw finds it: draws are at even stages of wear. DIMMs of an interleaved set are at one stage, as they
/// are always written alike.
fn worn(device: &DeviceConfig, draw: Option<u64>) -> DeviceConfig {
    draw.map_or(device.clone(), |draw| device.clone().with_common_wear(draw, DRAWS))
}

/// The part of a system that a probe uses.
fn part(system: &System, tier: &TierSpec, dimms: usize, sockets: usize) -> System {
    let tier = TierSpec { channels_per_socket: dimms, ..tier.clone() };
    System { tiers: vec![tier], sockets, ..system.clone() }
}

/// Lines that say themselves on which channel they lie.
struct Routes {
    tiers: [usize; 1],
    layout: TierLayout,
    dimms: usize,
}

impl Routes {
    /// Lines of a channel: 1 TiB; of the 41 bits of a line's number that leaves 128 channels a socket.
    const LINE_BITS: u32 = 34;

    const fn pack(socket: usize, channel: usize, line: u64) -> u64 {
        Line { tier: 0, socket, local: (channel as u64) << Self::LINE_BITS | line }.pack()
    }
}

impl Mode for Routes {
    fn tiers(&self) -> &[usize] {
        &self.tiers
    }

    fn plan(&mut self, request: LineRequest) -> Plan {
        let Line { socket, local, .. } = Line::unpack(request.line);
        let channel = (local >> Self::LINE_BITS) as usize;
        let line = local & ((1 << Self::LINE_BITS) - 1);
        let number = self.layout.first_channel + socket * self.dimms + channel;
        Plan::single((number, line), request.kind)
    }
}

/// The tier of a name.
pub(super) fn find_tier<'a>(system: &'a System, name: &str) -> Result<&'a TierSpec, Error> {
    system.tier(name).map(|tier| &system.tiers[tier]).ok_or_else(|| {
        let names: Vec<&str> = system.tiers.iter().map(|tier| tier.name.as_str()).collect();
        refused(system, "--tier", name, format!("one of {}", names.join(", ")))
    })
}

/// What a device's file would be told of its power budget, as the option that asks for it.
fn of_option(error: Error) -> Error {
    match error {
        Error::Value { file, found, need, .. } => {
            Error::Value { file, key: "--power-w".to_owned(), found, need }
        }
        other => other,
    }
}

fn with_power(device: DeviceConfig, power_w: Option<f64>) -> Result<DeviceConfig, Error> {
    match (device, power_w) {
        (device, None) => Ok(device),
        (DeviceConfig::Pmem(config), Some(watts)) => {
            config.with_power(watts).map(DeviceConfig::Pmem).map_err(of_option)
        }
        (_, Some(watts)) => {
            Err(Error::value("probe", "--power-w", watts, "a tier with a power budget (pmem)"))
        }
    }
}
