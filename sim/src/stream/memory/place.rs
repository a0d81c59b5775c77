//! Where blocks lie: on which server, and in which pages of near memory.

use super::near::Home;

/// A part of a block: a page in Memory Mode, otherwise all that lies on one server. A terabyte has tens of millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Entry of the page in near memory; without near memory the weight.
    entry: u32,
    /// Tag of the page in near memory, from 1; 0 without.
    tag: u16,
    /// Server of the tier on the home socket.
    server: u8,
    /// Weight of the page.
    weight: u8,
}

impl Place {
    /// A page in Memory Mode.
    pub const fn page(home: Home, server: u8, weight: u8) -> Self {
        Self { entry: home.entry, tag: home.tag, server, weight }
    }

    /// All that lies on one server.
    pub const fn on(server: u8, weight: u32) -> Self {
        Self { entry: weight, tag: 0, server, weight: 0 }
    }

    /// Where the page belongs in near memory, in Memory Mode.
    pub const fn home(self) -> Home {
        Home { entry: self.entry, tag: self.tag }
    }

    /// Server of the tier on the home socket.
    pub const fn server(self) -> usize {
        self.server as usize
    }

    /// Parts of the block's lines here, relative to the other places.
    #[inline]
    pub const fn weight(self) -> u64 {
        if self.tag == 0 { self.entry as u64 } else { self.weight as u64 }
    }

    /// Adds what lies on the same server.
    pub const fn add(&mut self, lines: u32) {
        self.entry += lines;
    }
}
