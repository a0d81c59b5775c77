//! The load/store queue of the DIMM: 64-byte writes wait here to be combined to 256-byte media lines.

use super::hash::{NumberMap, mix};
use super::{LINES_PER_XPLINE, XPLine};

/// Entries that are kept free or on their way out: two whole media lines, one that the media writes and one that
/// follows, so that the media never wait for the next. The DIMM decides so by itself: it sees nothing of the
/// controller's pending queue.
const LEAVING_LINES: usize = 2 * LINES_PER_XPLINE as usize;

/// The waiting lines of one media line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Number of the media line.
    pub xpline: XPLine,
    /// Which of its four lines wait.
    pub mask: u8,
}

impl Group {
    /// Lines that wait.
    pub(super) const fn lines(self) -> usize {
        self.mask.count_ones() as usize
    }

    /// Whether the whole media line is new, so that nothing need be read to write it.
    pub(super) const fn is_whole(self) -> bool {
        self.mask == (1 << LINES_PER_XPLINE) - 1
    }

    const fn holds(self, line: u64) -> bool {
        self.xpline == line / LINES_PER_XPLINE && self.mask & bit(line) != 0
    }
}

const fn bit(line: u64) -> u8 {
    1 << (line % LINES_PER_XPLINE)
}

/// What [`Combining::put`] did with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// The line opened a group.
    Opened,
    /// The line joined the waiting lines of its media line.
    Joined,
}

/// Groups that still combine, and groups that leave. Lines of both hold entries until the media has them.
#[derive(Clone, Debug)]
pub(super) struct Combining {
    entries: usize,
    used: usize,
    open: Vec<Group>,
    places: NumberMap<usize>,
    leaving: Vec<Group>,
    leaving_lines: usize,
    draws: u64,
    last: XPLine,
    whole: usize,
}

impl Combining {
    /// An empty queue of `entries` lines.
    pub(super) fn new(entries: usize) -> Self {
        Self {
            entries,
            used: 0,
            open: Vec::new(),
            places: NumberMap::default(),
            leaving: Vec::new(),
            leaving_lines: 0,
            draws: 0,
            last: 0,
            whole: 0,
        }
    }

    /// Whether one more line fits.
    pub(super) const fn has_room(&self) -> bool {
        self.used < self.entries
    }

    /// Whether a group has to leave: fewer entries are free, or will be once leaving groups have left, than are kept.
    /// A queue of a few lines keeps half of them.
    pub(super) fn is_short(&self) -> bool {
        self.entries - self.used + self.leaving_lines < LEAVING_LINES.min(self.entries / 2)
    }

    /// Whether the line waits in an open group.
    pub(super) fn holds_open(&self, line: u64) -> bool {
        self.places.get(&(line / LINES_PER_XPLINE)).is_some_and(|&place| self.open[place].holds(line))
    }

    /// Whether the line waits at all.
    pub(super) fn holds(&self, line: u64) -> bool {
        self.holds_open(line) || self.leaving.iter().any(|group| group.holds(line))
    }

    /// Takes a line in; there must be room, and it must not already wait in an open group.
    pub(super) fn put(&mut self, line: u64) -> Put {
        let xpline = line / LINES_PER_XPLINE;
        self.used += 1;
        self.last = xpline;
        if let Some(&place) = self.places.get(&xpline) {
            self.open[place].mask |= bit(line);
            self.whole += usize::from(self.open[place].is_whole());
            return Put::Joined;
        }
        self.places.insert(xpline, self.open.len());
        self.open.push(Group { xpline, mask: bit(line) });
        Put::Opened
    }

    /// Closes the group of a line, so that it leaves.
    pub(super) fn close(&mut self, line: u64) -> Option<Group> {
        let place = *self.places.get(&(line / LINES_PER_XPLINE))?;
        Some(self.close_at(place))
    }

    /// Closes a group drawn at random; the one that was filled last only if it is alone.
    pub(super) fn close_any(&mut self) -> Option<Group> {
        if self.open.is_empty() {
            return None;
        }
        self.draws += 1;
        let count = self.open.len() as u64;
        let mut place = (mix(self.draws) % count) as usize;
        if self.open[place].xpline == self.last {
            place = (place + 1) % self.open.len();
        }
        Some(self.close_at(place))
    }

    /// Whether an open group is a whole media line.
    pub(super) const fn has_whole(&self) -> bool {
        self.whole > 0
    }

    /// Closes all groups that are whole media lines.
    pub(super) fn close_whole(&mut self) -> Vec<Group> {
        let whole = |queue: &Self| queue.open.iter().position(|group| group.is_whole());
        let mut closed = Vec::with_capacity(self.whole);
        while let Some(place) = whole(self) {
            closed.push(self.close_at(place));
        }
        closed
    }

    fn close_at(&mut self, place: usize) -> Group {
        let group = self.open.swap_remove(place);
        self.places.remove(&group.xpline);
        self.whole -= usize::from(group.is_whole());
        if let Some(moved) = self.open.get(place) {
            self.places.insert(moved.xpline, place);
        }
        self.leaving.push(group);
        self.leaving_lines += group.lines();
        group
    }

    /// Frees the entries of a closed group that the media now has.
    pub(super) fn left(&mut self, group: Group) {
        let place = self.leaving.iter().position(|&other| other == group).expect("only closed groups leave");
        self.leaving.remove(place);
        self.leaving_lines -= group.lines();
        self.used -= group.lines();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_lines_of_a_media_line_make_one_whole_group() {
        let mut queue = Combining::new(64);
        assert_eq!(queue.put(4), Put::Opened);
        for line in 5..8 {
            assert_eq!(queue.put(line), Put::Joined);
        }

        let group = queue.close(6).expect("the group is open");

        assert!(group.is_whole());
        assert_eq!(group.xpline, 1);
    }

    #[test]
    fn entries_stay_taken_until_the_media_has_the_group() {
        let mut queue = Combining::new(2);
        queue.put(0);
        queue.put(1);
        assert!(!queue.has_room());

        let group = queue.close_any().expect("a group is open");
        assert!(!queue.has_room());
        assert!(queue.holds(1) && !queue.holds_open(1));
        queue.left(group);
        assert!(queue.has_room() && !queue.holds(1));
    }

    #[test]
    fn two_media_lines_of_entries_are_kept_free_or_leaving() {
        let mut queue = Combining::new(64);
        for line in 0..56 {
            queue.put(line);
        }
        assert!(!queue.is_short(), "8 entries are free");

        queue.put(56);
        assert!(queue.is_short());

        queue.close_any().expect("groups are open");
        assert!(!queue.is_short());
    }
}
