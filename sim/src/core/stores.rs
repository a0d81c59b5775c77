//! Explicit write-backs in program order, from the instruction to the flush buffer.

use std::collections::VecDeque;

use crate::Picoseconds;

/// A line to write back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteBack {
    /// Physical line.
    pub line: u64,
    /// Class of the object.
    pub class: u8,
    /// When its data is in the core; [`Picoseconds::NEVER`] while that is not known.
    pub ready: Picoseconds,
}

/// The part of the store buffer that waits to be written back: a line leaves when its data is there and all before it
/// have left.
#[derive(Clone, Debug)]
pub struct Stores {
    waiting: VecDeque<WriteBack>,
    first: u64,
    limit: usize,
    /// When the last one left.
    left: Picoseconds,
}

impl Stores {
    /// Room for `limit` lines.
    pub const fn new(limit: usize) -> Self {
        Self { waiting: VecDeque::new(), first: 0, limit, left: Picoseconds::ZERO }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether nothing more may be pushed.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= self.limit
    }

    /// The number that the next line will have.
    pub fn next_number(&self) -> u64 {
        self.first + self.waiting.len() as u64
    }

    /// Takes a line.
    pub fn push(&mut self, write_back: WriteBack) {
        self.waiting.push_back(write_back);
    }

    /// Notes that the data of a line has come.
    pub fn arrived(&mut self, number: u64, at: Picoseconds) {
        let place = number.wrapping_sub(self.first) as usize;
        if let Some(write_back) = self.waiting.get_mut(place) {
            write_back.ready = at;
        }
    }

    /// The instant from which the first line may leave, if that is known.
    pub fn due(&self) -> Option<Picoseconds> {
        let first = self.waiting.front()?;
        (first.ready < Picoseconds::NEVER).then(|| first.ready.max(self.left))
    }

    /// Takes the first line out at an instant.
    pub fn pop(&mut self, at: Picoseconds) -> Option<WriteBack> {
        let first = self.waiting.pop_front()?;
        self.first += 1;
        self.left = at;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_leave_in_program_order_however_their_data_comes() {
        let mut stores = Stores::new(2);
        for line in [7, 8] {
            stores.push(WriteBack { line, class: 0, ready: Picoseconds::NEVER });
        }
        assert!(stores.is_full());

        stores.arrived(1, Picoseconds(5));
        assert_eq!(stores.due(), None);
        stores.arrived(0, Picoseconds(9));

        assert_eq!(stores.due(), Some(Picoseconds(9)));
        assert_eq!(stores.pop(Picoseconds(20)).map(|store| store.line), Some(7));
        // Not before the one in front of it.
        assert_eq!(stores.due(), Some(Picoseconds(20)));
        assert_eq!(stores.pop(Picoseconds(20)).map(|store| store.line), Some(8));
        assert!(stores.is_empty() && !stores.is_full());
    }
}
