//! The links between sockets: extra latency, a bandwidth for each direction, and directory state in home memory.

use hetier_traces::seeded::draw_below;

use super::lane::Lane;
use crate::Picoseconds;
use crate::cache::LineMap;
use crate::system::{DirectoryPlace, LinkLimits};

/// Lines whose state is kept together.
const GROUP: u64 = 512;

/// Names the draws of steady states among all draws.
const STEADY_SEED: u64 = 7;

/// Which lines threads that go on for ever find stored last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steady {
    /// Loads and stores choose among the same lines at random: any read does as often as accesses are stores.
    Shared {
        /// Parts that are stores.
        stores: u64,
        /// All parts, at least 1.
        whole: u64,
    },
    /// A line is only loaded or only stored: every read for ownership does, and no load.
    Apart,
}

/// The link ports of all sockets.
#[derive(Clone, Debug)]
pub struct Links {
    limits: LinkLimits,
    /// The port out of each home socket (reads) and into it (writes).
    lanes: Vec<[Lane; 2]>,
    directory: Directory,
}

/// What is known of the state of lines in home memory.
#[derive(Clone, Debug)]
enum Directory {
    /// Lines whose memory says that a remote socket may hold them.
    Lines(LineMap<Box<[u64; (GROUP / 64) as usize]>>),
    /// That of lines that were accessed for ever, and how many reads there were.
    Steady {
        /// How lines are accessed.
        steady: Steady,
        /// Reads so far.
        reads: u64,
    },
}

impl Links {
    /// Idle links of so many sockets.
    pub fn new(limits: LinkLimits, sockets: usize) -> Self {
        let lanes = || [Lane::new(limits.read_line), Lane::new(limits.write_line)];
        Self {
            limits,
            lanes: (0..sockets).map(|_| lanes()).collect(),
            directory: Directory::Lines(LineMap::default()),
        }
    }

    /// Takes the state of lines as that which endless accesses lead to.
    pub(super) fn assume_steady(&mut self, steady: Steady) {
        self.directory = Directory::Steady { steady, reads: 0 };
    }

    /// Limits of the links.
    pub const fn limits(&self) -> &LinkLimits {
        &self.limits
    }

    /// Whether directory state is kept in home memory: a remote read may write it, and a remote store past the caches
    /// reads it first.
    pub const fn has_memory_directory(&self) -> bool {
        matches!(self.limits.directory, DirectoryPlace::Memory)
    }

    /// When a line that leaves its home socket at `at` has passed the link.
    pub fn pass_read(&mut self, home: usize, at: Picoseconds) -> Picoseconds {
        self.lanes[home][0].pass(at)
    }

    /// When a line that is sent to its home socket at `at` has passed the link.
    pub fn pass_write(&mut self, home: usize, at: Picoseconds) -> Picoseconds {
        self.lanes[home][1].pass(at)
    }

    /// Notes that a remote socket reads a line, for a store if `is_ownership`; true if its home memory must be written
    /// to say so.
    pub fn note_remote_read(&mut self, line: u64, is_ownership: bool) -> bool {
        if !self.has_memory_directory() {
            return false;
        }
        match &mut self.directory {
            Directory::Lines(lines) => {
                let group = lines.entry(line / GROUP).or_default();
                let (word, bit) = ((line % GROUP / 64) as usize, 1 << (line % 64));
                let is_new = group[word] & bit == 0;
                group[word] |= bit;
                is_new
            }
            Directory::Steady { steady: Steady::Apart, .. } => is_ownership,
            Directory::Steady { steady: Steady::Shared { stores, whole }, reads } => {
                *reads += 1;
                draw_below(STEADY_SEED, *reads, *whole) < *stores
            }
        }
    }

    /// Notes that a line is written to memory, which resets its state for free.
    pub fn note_write(&mut self, line: u64) {
        let Directory::Lines(lines) = &mut self.directory else { return };
        if let Some(group) = lines.get_mut(&(line / GROUP)) {
            group[(line % GROUP / 64) as usize] &= !(1 << (line % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(directory: DirectoryPlace) -> Links {
        let limits = LinkLimits {
            request: Picoseconds(0),
            response: Picoseconds(0),
            read_line: Picoseconds(10),
            write_line: Picoseconds(20),
            directory,
        };
        Links::new(limits, 2)
    }

    #[test]
    fn second_line_waits_for_the_first_in_the_same_direction_only() {
        let mut links = links(DirectoryPlace::Memory);

        // A bucket of reads lasts 80 ps.
        assert_eq!(links.pass_read(1, Picoseconds(0)), Picoseconds(10));
        assert_eq!(links.pass_read(1, Picoseconds(0)), Picoseconds(20));
        assert_eq!(links.pass_write(1, Picoseconds(0)), Picoseconds(20));
        assert_eq!(links.pass_read(0, Picoseconds(0)), Picoseconds(10));
    }

    #[test]
    fn first_remote_read_after_a_write_writes_home_memory() {
        let mut links = links(DirectoryPlace::Memory);

        assert!(links.note_remote_read(1000, false) && !links.note_remote_read(1000, true));
        assert!(links.note_remote_read(1001, false));
        links.note_write(1000);
        assert!(links.note_remote_read(1000, false) && !links.note_remote_read(1001, false));
    }

    #[test]
    fn steady_states_change_as_often_as_lines_are_stored() {
        let mut links = links(DirectoryPlace::Memory);
        links.assume_steady(Steady::Shared { stores: 1, whole: 4 });

        let changes = (0..10_000).filter(|read| links.note_remote_read(1, read % 2 == 0)).count();

        assert!((2_300..2_700).contains(&changes), "{changes}");
    }

    #[test]
    fn of_lines_apart_those_that_are_stored_change_and_no_others() {
        let mut links = links(DirectoryPlace::Memory);
        links.assume_steady(Steady::Apart);

        assert!((0..100).all(|_| links.note_remote_read(1, true) && !links.note_remote_read(2, false)));
    }

    #[test]
    fn directory_on_the_chip_writes_nothing() {
        assert!(!links(DirectoryPlace::Cache).note_remote_read(7, true));
    }
}
