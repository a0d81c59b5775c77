//! Which channel holds which physical line.
//!
//! A physical line number carries its tier and home socket in its high bits; the rest counts lines of that socket's
//! part of the tier. Lines go round the channels of the socket in granules.

use crate::cache::LINE_BITS;
use crate::system::System;

const SOCKET_SHIFT: u32 = 41;
const TIER_SHIFT: u32 = 44;
const LOCAL_MASK: u64 = (1 << SOCKET_SHIFT) - 1;
const _: () = assert!(TIER_SHIFT + 2 < LINE_BITS);

/// A physical line, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Position of the tier in the system.
    pub tier: usize,
    /// Home socket.
    pub socket: usize,
    /// Number among the lines of that socket's part of the tier; 2⁴¹ lines are 128 TiB.
    pub local: u64,
}

impl Line {
    /// The physical line number.
    #[inline]
    pub const fn pack(self) -> u64 {
        (self.tier as u64) << TIER_SHIFT | (self.socket as u64) << SOCKET_SHIFT | (self.local & LOCAL_MASK)
    }

    /// The parts of a physical line number.
    #[inline]
    pub const fn unpack(line: u64) -> Self {
        Self {
            tier: (line >> TIER_SHIFT) as usize & 3,
            socket: (line >> SOCKET_SHIFT) as usize & 7,
            local: line & LOCAL_MASK,
        }
    }
}

/// One tier's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierLayout {
    /// Number of the first channel among all channels of the machine.
    pub first_channel: usize,
    /// Channels of a socket.
    pub channels: u64,
    /// Lines on one channel before the next takes over.
    pub granule: u64,
}

impl TierLayout {
    /// Channel and line inside its device.
    #[inline]
    pub const fn route(&self, socket: usize, local: u64) -> (usize, u64) {
        let (granule, within) = divide(local, self.granule);
        let (row, channel) = divide(granule, self.channels);
        let first = self.first_channel + socket * self.channels as usize;
        (first + channel as usize, row * self.granule + within)
    }

    /// Line of its socket's part of the tier, from channel (of the tier, sockets in order) and line inside the device.
    #[inline]
    const fn origin(&self, channel: u64, line: u64) -> (usize, u64) {
        let granule = line / self.granule * self.channels + channel % self.channels;
        ((channel / self.channels) as usize, granule * self.granule + line % self.granule)
    }
}

/// Channels of all tiers and sockets, tiers in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// By position of the tier in the system.
    pub tiers: Vec<TierLayout>,
}

impl Layout {
    /// Numbers the channels of a system.
    pub fn new(system: &System) -> Self {
        let mut first_channel = 0;
        let tiers = system.tiers.iter().map(|tier| {
            let channels = tier.channels_per_socket as u64;
            let layout = TierLayout { first_channel, channels, granule: tier.interleave_lines };
            first_channel += tier.channels_per_socket * system.sockets;
            layout
        });
        Self { tiers: tiers.collect() }
    }

    /// Channel and line inside its device.
    #[inline]
    pub fn route(&self, line: Line) -> (usize, u64) {
        self.tiers[line.tier].route(line.socket, line.local)
    }

    /// The line behind a channel and a line inside its device: the inverse of [`Layout::route`].
    pub fn origin(&self, channel: usize, line: u64) -> Line {
        let tier = self.tiers.iter().rposition(|tier| tier.first_channel <= channel).unwrap_or(0);
        let (socket, local) =
            self.tiers[tier].origin((channel - self.tiers[tier].first_channel) as u64, line);
        Line { tier, socket, local }
    }
}

/// Quotient and remainder. Most divisors are powers of two, which a shift divides by in a tenth of the time.
#[inline]
pub(crate) const fn divide(number: u64, by: u64) -> (u64, u64) {
    if by.is_power_of_two() {
        return (number >> by.trailing_zeros(), number & (by - 1));
    }
    (number / by, number % by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_keeps_all_parts() {
        let line = Line { tier: 2, socket: 7, local: LOCAL_MASK };

        assert_eq!(Line::unpack(line.pack()), line);
    }

    #[test]
    fn six_channels_take_turns_by_granule_and_share_no_line() {
        let system = System::load("xeon-8260-optane").unwrap();
        let layout = Layout::new(&system);
        let pmem = system.tier("pmem").unwrap();
        let granule = system.tiers[pmem].interleave_lines;
        let mut seen = std::collections::BTreeSet::new();

        for local in 0..granule * 18 {
            let (channel, line) = layout.route(Line { tier: pmem, socket: 1, local });

            assert_eq!(channel as u64, 12 + 6 + local / granule % 6);
            assert!(seen.insert((channel, line)) && line < granule * 3);
            assert_eq!(layout.origin(channel, line), Line { tier: pmem, socket: 1, local });
        }
    }
}
