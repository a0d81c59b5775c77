//! From virtual pages to physical lines: who decides where a page lies, and when.
//!
//! A page gets its frame when it is first touched, as under an operating system. Frames of a socket are handed out in
//! order of first touch, or scattered by a seeded permutation of all frames of the socket's part of the tier.

use crate::Error;
use crate::machine::Line;

/// How frames are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pages {
    /// 4 KiB pages in consecutive frames.
    Contiguous,
    /// 4 KiB pages in random frames: a machine that has been up for a while.
    Random4k,
    /// 2 MiB pages in random frames: transparent huge pages.
    Random2m,
}

impl Pages {
    /// Every choice by name.
    pub const ALL: [(&'static str, Self); 3] =
        [("contiguous", Self::Contiguous), ("random-4k", Self::Random4k), ("random-2m", Self::Random2m)];

    /// Bytes of a page.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Contiguous | Self::Random4k => 4 << 10,
            Self::Random2m => 2 << 20,
        }
    }
}

/// On which socket a page lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Numa {
    /// That of the core that touches it first; others when that is full.
    FirstTouch,
    /// Page by page round the sockets.
    Interleave,
    /// The first socket; others when that is full.
    Bind,
}

impl Numa {
    /// Every choice by name.
    pub const ALL: [(&'static str, Self); 3] =
        [("first-touch", Self::FirstTouch), ("interleave", Self::Interleave), ("bind", Self::Bind)];
}

/// Looks a name up in a list of choices.
///
/// # Errors
/// - [`Error::UnknownName`] with the nearest name.
pub fn choose<T: Copy>(what: &'static str, name: &str, choices: &[(&'static str, T)]) -> Result<T, Error> {
    let found = choices.iter().find(|(known, _)| *known == name);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let known: Vec<&str> = choices.iter().map(|(known, _)| *known).collect();
        Error::UnknownName {
            what,
            found: name.to_owned(),
            nearest: crate::system::nearest(name, &known).map(ToOwned::to_owned),
            known: known.join(", "),
        }
    })
}

/// Frames of one socket's part of a tier.
#[derive(Clone, Debug)]
struct Frames {
    /// Frames that were ever used.
    used: u64,
    /// Those of them that are free again; the one freed last is given first, as Linux's lists of each core do.
    free: Vec<u32>,
    /// Frames that may be used.
    limit: u64,
    permutation: Option<Permutation>,
}

impl Frames {
    /// A frame that nobody has; `None` if there is none.
    #[inline]
    fn take(&mut self) -> Option<u64> {
        if let Some(frame) = self.free.pop() {
            return Some(frame.into());
        }
        let next = self.used;
        self.used += u64::from(next < self.limit);
        (next < self.limit)
            .then(|| self.permutation.as_ref().map_or(next, |permutation| permutation.apply(next)))
    }
}

/// The page table of one tier.
#[derive(Clone, Debug)]
pub struct PageTable {
    tier: usize,
    page_lines: u64,
    numa: Numa,
    sockets: Vec<Frames>,
    /// Bits of a socket's number.
    socket_bits: u32,
    /// Frame and, in the last bits, socket of each virtual page, plus one; 0 while untouched.
    mapped: Vec<u32>,
}

/// Capacity of one socket's part of a tier, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketBytes {
    /// Bytes over which frames are scattered.
    pub installed: u64,
    /// Bytes that may be used; without a limit, frames beyond what is installed follow in order.
    pub usable: Option<u64>,
}

impl PageTable {
    /// An empty table of a tier. Of a socket's frames 2³² are used at most, shared by as many sockets: 8 TiB of 4 KiB each
    /// for two.
    pub fn new(tier: usize, pages: Pages, numa: Numa, seed: u64, sockets: &[SocketBytes]) -> Self {
        let socket_bits = sockets.len().next_power_of_two().trailing_zeros();
        let frames = |(socket, bytes): (usize, &SocketBytes)| {
            let numbered = (1 << (u32::BITS - socket_bits)) - 1;
            let installed = (bytes.installed / pages.bytes()).clamp(1, numbered);
            let seed = hetier_traces::seeded::draw(seed, (tier * 64 + socket) as u64);
            let permutation = (pages != Pages::Contiguous).then(|| Permutation::new(installed, seed));
            // The last page of a budget may be begun, not only filled.
            let limit = |usable: u64| usable.div_ceil(pages.bytes()).min(installed);
            Frames { used: 0, free: Vec::new(), limit: bytes.usable.map_or(numbered, limit), permutation }
        };
        Self {
            tier,
            page_lines: pages.bytes() / hetier_traces::LINE_BYTES,
            numa,
            sockets: sockets.iter().enumerate().map(frames).collect(),
            socket_bits,
            mapped: Vec::new(),
        }
    }

    /// Lines of a page, a power of two.
    pub const fn page_lines(&self) -> u64 {
        self.page_lines
    }

    /// Bytes from the first frame of a socket to the end of the last that it may ever take.
    pub fn socket_bytes(&self) -> u64 {
        let ends = self.sockets.iter().map(|frames| {
            let scattered = frames.permutation.map_or(0, |permutation| permutation.count);
            frames.limit.max(scattered)
        });
        ends.max().unwrap_or(0) * self.page_lines * hetier_traces::LINE_BYTES
    }

    /// First physical line of a page, if it was touched.
    #[inline]
    pub fn find(&self, page: u64) -> Option<u64> {
        let place = self.mapped.get(page as usize)?.checked_sub(1)?;
        Some(self.line(u64::from(place >> self.socket_bits), place as usize & ((1 << self.socket_bits) - 1)))
    }

    /// Gives an untouched page its frame, for a core on `socket`; `None` if all frames are used.
    pub fn map(&mut self, page: u64, socket: usize) -> Option<u64> {
        let count = self.sockets.len();
        let preferred = match self.numa {
            Numa::FirstTouch => socket % count,
            Numa::Interleave => page as usize % count,
            Numa::Bind => 0,
        };
        let chosen = (0..count).map(|step| (preferred + step) % count);
        let (socket, frame) =
            chosen.into_iter().find_map(|socket| Some((socket, self.sockets[socket].take()?)))?;
        if self.mapped.len() <= page as usize {
            self.mapped.resize(page as usize + 1, 0);
        }
        self.mapped[page as usize] = (frame << self.socket_bits | socket as u64) as u32 + 1;
        Some(self.line(frame, socket))
    }

    /// First physical line of a frame.
    #[inline]
    const fn line(&self, frame: u64, socket: usize) -> u64 {
        Line { tier: self.tier, socket, local: frame * self.page_lines }.pack()
    }

    /// Takes the frames of a run of pages away; touching them again faults again.
    pub fn unmap(&mut self, pages: std::ops::Range<u64>) {
        let end = pages.end.min(self.mapped.len() as u64);
        for page in pages.start.min(end)..end {
            if let Some(place) = std::mem::take(&mut self.mapped[page as usize]).checked_sub(1) {
                let socket = place as usize & ((1 << self.socket_bits) - 1);
                self.sockets[socket].free.push(place >> self.socket_bits);
            }
        }
    }

    /// Bytes that are mapped.
    pub fn mapped_bytes(&self) -> u64 {
        let used: u64 = self.sockets.iter().map(|frames| frames.used - frames.free.len() as u64).sum();
        used * self.page_lines * hetier_traces::LINE_BYTES
    }
}

/// A seeded permutation of `0..count` that leaves larger numbers alone: four rounds of a Feistel network over the least
/// even number of bits, walked until the result lies inside (Black and Rogaway, CT-RSA 2002).
#[derive(Clone, Copy, Debug)]
struct Permutation {
    count: u64,
    half_bits: u32,
    keys: [u64; 4],
}

impl Permutation {
    fn new(count: u64, seed: u64) -> Self {
        let bits = 64 - (count.max(2) - 1).leading_zeros();
        let keys = std::array::from_fn(|round| hetier_traces::seeded::draw(seed, round as u64));
        Self { count, half_bits: bits.div_ceil(2), keys }
    }

    fn apply(&self, value: u64) -> u64 {
        if value >= self.count {
            return value;
        }
        let mut value = value;
        loop {
            value = self.rounds(value);
            if value < self.count {
                return value;
            }
        }
    }

    fn rounds(&self, value: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for key in self.keys {
            let mixed = hetier_traces::seeded::draw(key, right) & mask;
            (left, right) = (right, left ^ mixed);
        }
        left << self.half_bits | right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn table(pages: Pages, numa: Numa) -> PageTable {
        let socket = SocketBytes { installed: 4 * MIB, usable: Some(4 * MIB) };
        PageTable::new(1, pages, numa, 7, &[socket, socket])
    }

    #[test]
    fn random_frames_are_all_different_and_inside_the_tier() {
        for pages in [Pages::Random4k, Pages::Random2m, Pages::Contiguous] {
            let mut table = table(pages, Numa::FirstTouch);
            let frames = 8 * MIB / pages.bytes();
            let mut seen = std::collections::BTreeSet::new();
            for page in 0..frames {
                let line = Line::unpack(table.map(page, 0).unwrap());

                assert!(line.local < 4 * MIB / 64 && line.local.is_multiple_of(table.page_lines()));
                assert!(seen.insert((line.socket, line.local)));
            }
            assert_eq!(table.map(frames, 0), None);
        }
    }

    #[test]
    fn frames_lie_below_the_end_of_their_socket() {
        let bytes = |usable| SocketBytes { installed: 4 * MIB, usable };
        let cases = [
            (Pages::Contiguous, Some(MIB), MIB),
            (Pages::Random4k, Some(MIB), 4 * MIB),
            // What 32 bits number.
            (Pages::Random4k, None, ((1 << 32) - 1) * 4096),
        ];
        for (pages, usable, end) in cases {
            let mut table = PageTable::new(0, pages, Numa::Bind, 7, &[bytes(usable)]);

            assert_eq!(table.socket_bytes(), end);
            let lines = (0..MIB / 4096).map(|page| table.map(page, 0).unwrap());
            assert!(lines.map(|line| Line::unpack(line).local).all(|line| line < end / 64));
        }
    }

    #[test]
    fn first_touch_stays_at_home_until_it_is_full() {
        let mut table = table(Pages::Contiguous, Numa::FirstTouch);
        let sockets: Vec<usize> =
            (0..1025).map(|page| Line::unpack(table.map(page, 1).unwrap()).socket).collect();

        assert!(sockets[..1024].iter().all(|socket| *socket == 1));
        assert_eq!(sockets[1024], 0);
    }

    #[test]
    fn interleaving_goes_round_by_page() {
        let mut table = table(Pages::Random4k, Numa::Interleave);

        assert!((0..8).all(|page| Line::unpack(table.map(page, 0).unwrap()).socket == page as usize % 2));
    }

    #[test]
    fn seeds_scatter_differently() {
        let socket = [SocketBytes { installed: 64 * MIB, usable: Some(64 * MIB) }];
        let lines = |seed| {
            let mut table = PageTable::new(0, Pages::Random4k, Numa::Bind, seed, &socket);
            (0..100).map(|page| table.map(page, 0).unwrap()).collect::<Vec<_>>()
        };

        assert_eq!(lines(1), lines(1));
        assert_ne!(lines(1), lines(2));
    }

    #[test]
    fn without_a_limit_frames_go_on_behind_what_is_installed() {
        let socket = SocketBytes { installed: 4 * MIB, usable: None };
        let mut table = PageTable::new(0, Pages::Random4k, Numa::Bind, 7, &[socket]);
        let frames: std::collections::BTreeSet<u64> =
            (0..2048).map(|page| table.map(page, 0).unwrap() / table.page_lines()).collect();

        assert!(frames.into_iter().eq(0..2048));
    }

    #[test]
    fn unmapped_page_faults_again_into_the_frame_that_was_freed_last() {
        let mut table = table(Pages::Contiguous, Numa::Bind);
        let frames = [3, 4].map(|page| table.map(page, 0));
        table.unmap(3..5);

        assert_eq!((table.find(3), table.mapped_bytes()), (None, 0));
        assert_eq!([7, 8].map(|page| table.map(page, 0)), [frames[1], frames[0]]);
    }

    #[test]
    fn a_full_tier_has_room_again_when_a_page_leaves() {
        let mut table = table(Pages::Random4k, Numa::FirstTouch);
        let mut pages = 0;
        while table.map(pages, 0).is_some() {
            pages += 1;
        }
        table.unmap(0..1);

        assert!(table.map(pages, 0).is_some());
        assert!(table.map(pages + 1, 0).is_none());
    }
}
