//! The links between sockets: lines from and to each home socket, served by a calendar of their own.

use super::calendar::Calendar;
use crate::system::{DirectoryPlace, System};

/// All links of a machine.
#[derive(Clone, Debug)]
pub struct Links {
    /// By home socket: lines from it, lines to it.
    calendars: Vec<[Calendar; 2]>,
    line_ps: [u64; 2],
    /// Lines to each home socket that wait for [`Links::pass_due`].
    due: Vec<u64>,
    /// Whether home memory keeps who reads from afar.
    pub has_memory_directory: bool,
}

impl Links {
    /// Idle links; `None` for a machine of one socket.
    pub fn new(system: &System) -> Option<Self> {
        system.link.filter(|_| system.sockets > 1).map(|link| Self {
            calendars: vec![[Calendar::new(), Calendar::new()]; system.sockets],
            line_ps: [link.read_line.0, link.write_line.0],
            due: vec![0; system.sockets],
            has_memory_directory: link.directory == DirectoryPlace::Memory,
        })
    }

    /// Lines from a home socket; gives when the last has passed.
    pub fn fetch(&mut self, home: usize, now_ps: u64, lines: u64) -> u64 {
        self.pass(home, 0, now_ps, lines)
    }

    /// Adds lines to a home socket, to pass with the next [`Links::pass_due`].
    pub fn owe(&mut self, home: usize, lines: u64) {
        self.due[home] += lines;
    }

    /// Passes all lines that are due; gives when the last has.
    pub fn pass_due(&mut self, now_ps: u64) -> u64 {
        (0..self.due.len()).fold(0, |done_ps, home| match std::mem::take(&mut self.due[home]) {
            0 => done_ps,
            lines => done_ps.max(self.pass(home, 1, now_ps, lines)),
        })
    }

    fn pass(&mut self, home: usize, direction: usize, now_ps: u64, lines: u64) -> u64 {
        self.calendars[home][direction].reserve(now_ps, lines * self.line_ps[direction], |_, _| ())
    }
}
