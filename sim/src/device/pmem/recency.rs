//! A fully associative buffer with least-recently-used replacement, every entry with the instant it is ready.

use super::hash::NumberMap;
use crate::Picoseconds;

/// No neighbour.
const END: u32 = u32::MAX;

/// Entries by number, newest first in a linked list. Every operation is O(1).
#[derive(Clone, Debug)]
pub(super) struct Recency {
    capacity: usize,
    places: NumberMap<u32>,
    slots: Vec<Slot>,
    newest: u32,
    oldest: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    number: u64,
    ready: Picoseconds,
    newer: u32,
    older: u32,
}

impl Recency {
    /// An empty buffer of `capacity` entries, at least 1.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, places: NumberMap::default(), slots: Vec::new(), newest: END, oldest: END }
    }

    /// When the entry is ready, if the buffer has it; makes it the newest.
    pub(super) fn touch(&mut self, number: u64) -> Option<Picoseconds> {
        let place = *self.places.get(&number)?;
        self.unlink(place);
        self.link(place);
        Some(self.slots[place as usize].ready)
    }

    /// Whether the buffer has the entry; its age stays.
    pub(super) fn has(&self, number: u64) -> bool {
        self.places.contains_key(&number)
    }

    /// Puts an entry in as the newest, over the oldest if the buffer is full.
    pub(super) fn insert(&mut self, number: u64, ready: Picoseconds) {
        if let Some(&place) = self.places.get(&number) {
            self.slots[place as usize].ready = ready;
            self.unlink(place);
            self.link(place);
            return;
        }
        let slot = Slot { number, ready, newer: END, older: END };
        let place = if self.places.len() == self.capacity {
            let oldest = self.oldest;
            self.places.remove(&self.slots[oldest as usize].number);
            self.unlink(oldest);
            self.slots[oldest as usize] = slot;
            oldest
        } else {
            self.slots.push(slot);
            self.slots.len() as u32 - 1
        };
        self.places.insert(number, place);
        self.link(place);
    }

    fn link(&mut self, place: u32) {
        let older = self.newest;
        self.slots[place as usize].older = older;
        self.slots[place as usize].newer = END;
        self.newest = place;
        match older {
            END => self.oldest = place,
            _ => self.slots[older as usize].newer = place,
        }
    }

    fn unlink(&mut self, place: u32) {
        let Slot { newer, older, .. } = self.slots[place as usize];
        match newer {
            END => self.newest = older,
            _ => self.slots[newer as usize].older = older,
        }
        match older {
            END => self.oldest = newer,
            _ => self.slots[older as usize].newer = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_touched_entry_leaves_first() {
        let mut buffer = Recency::new(2);
        buffer.insert(1, Picoseconds(10));
        buffer.insert(2, Picoseconds(20));

        assert_eq!(buffer.touch(1), Some(Picoseconds(10)));
        buffer.insert(3, Picoseconds(30));

        assert!(buffer.has(1) && buffer.has(3) && !buffer.has(2));
    }
}
