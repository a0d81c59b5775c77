//! A few buffers, each busy until an instant that may not be known yet.

use crate::Picoseconds;

/// Most buffers of one kind.
pub const MAX_SLOTS: usize = 64;

/// What happened to a request for a free buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// This one is free now.
    Free(usize),
    /// All are busy; one becomes free at the instant given.
    At(Picoseconds, Source),
    /// All are busy, and which becomes free first is not known yet: not before the instant given, if any is known.
    Unknown(Picoseconds),
}

/// Where the data came from that a core waited for; the keys of `stall_seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(pub u8);

impl Source {
    /// A cache, or another core's.
    pub const CACHE: Self = Self(4);
    /// Page faults.
    pub const FAULT: Self = Self(5);
    /// Address translation.
    pub const TRANSLATION: Self = Self(6);
    /// Nothing to do: barriers and serial parts.
    pub const IDLE: Self = Self(7);
    /// Calibrated overhead of the traced program.
    pub const OVERHEAD: Self = Self(8);
    /// Number of sources; the lowest are tiers by position in the system.
    pub const COUNT: usize = 9;

    /// A tier by position, in [0, 3].
    pub const fn tier(tier: usize) -> Self {
        Self(tier as u8 & 3)
    }
}

/// Buffers of one kind.
#[derive(Clone, Debug)]
pub struct Slots {
    ready: [Picoseconds; MAX_SLOTS],
    sources: [Source; MAX_SLOTS],
    limit: usize,
    next: usize,
    /// The buffer that the last search found.
    found: usize,
    unknown: usize,
}

impl Slots {
    /// `limit` free buffers, in [1, [`MAX_SLOTS`]].
    pub fn new(limit: usize) -> Self {
        let limit = limit.clamp(1, MAX_SLOTS);
        Self {
            ready: [Picoseconds::ZERO; MAX_SLOTS],
            sources: [Source::CACHE; MAX_SLOTS],
            limit,
            next: 0,
            found: 0,
            unknown: 0,
        }
    }

    /// Looks for a free buffer at `now`, the least recently used first. Nothing that is unknown can become free
    /// before `certain`.
    #[inline]
    pub fn reserve(&mut self, now: Picoseconds, certain: Picoseconds) -> Reserve {
        match self.reserve_next(now) {
            Some(slot) => Reserve::Free(slot),
            None => self.search(now, certain),
        }
    }

    /// What [`Slots::reserve`] finds at the instant that its [`Reserve::At`] gave, if nothing was filled or resolved
    /// since.
    #[inline]
    pub fn reserve_found(&mut self, at: Picoseconds) -> usize {
        self.reserve_next(at).unwrap_or(self.found)
    }

    /// The least recently used buffer, if it is free.
    #[inline]
    pub(super) fn reserve_next(&mut self, now: Picoseconds) -> Option<usize> {
        let slot = self.next;
        let is_free = self.ready[slot] <= now;
        if is_free {
            self.next = if slot + 1 == self.limit { 0 } else { slot + 1 };
        }
        is_free.then_some(slot)
    }

    /// What [`Slots::reserve`] finds when the least recently used buffer is busy.
    pub(super) fn search(&mut self, now: Picoseconds, certain: Picoseconds) -> Reserve {
        let (mut earliest, mut at) = (0, Picoseconds::NEVER);
        for slot in 0..self.limit {
            let ready = self.ready[slot % MAX_SLOTS];
            if ready < at {
                (earliest, at) = (slot, ready);
            }
        }
        self.found = earliest;
        if at <= now {
            return Reserve::Free(earliest);
        }
        if self.unknown > 0 && at > certain {
            Reserve::Unknown(at)
        } else {
            Reserve::At(at, self.sources[earliest])
        }
    }

    /// Makes a buffer busy until a known instant.
    #[inline]
    pub fn fill(&mut self, slot: usize, ready: Picoseconds, source: Source) {
        self.ready[slot] = ready;
        self.sources[slot] = source;
    }

    /// Makes a buffer busy until [`Slots::resolve`].
    #[inline]
    pub fn fill_unknown(&mut self, slot: usize) {
        self.ready[slot] = Picoseconds::NEVER;
        self.unknown += 1;
    }

    /// Says when a buffer becomes free.
    #[inline]
    pub fn resolve(&mut self, slot: usize, ready: Picoseconds, source: Source) {
        if self.ready[slot] == Picoseconds::NEVER {
            self.unknown -= 1;
        }
        self.fill(slot, ready, source);
    }

    /// When all buffers are free, and what the last one waited for; `None` if that is not known yet.
    pub fn all_free(&self) -> Option<(Picoseconds, Source)> {
        if self.unknown > 0 {
            return None;
        }
        let last = (0..self.limit).max_by_key(|slot| self.ready[*slot])?;
        Some((self.ready[last], self.sources[last]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ps: u64) -> Picoseconds {
        Picoseconds(ps)
    }

    #[test]
    fn third_request_waits_for_the_first_of_two_buffers() {
        let mut slots = Slots::new(2);
        for ready in [at(50), at(70)] {
            let Reserve::Free(slot) = slots.reserve(at(0), at(0)) else { panic!("free") };
            slots.fill(slot, ready, Source::CACHE);
        }

        assert_eq!(slots.reserve(at(49), at(0)), Reserve::At(at(50), Source::CACHE));
        assert_eq!(slots.reserve(at(50), at(0)), Reserve::Free(0));
    }

    #[test]
    fn unknown_buffers_hide_which_is_first_until_it_is_certain() {
        let mut slots = Slots::new(2);
        slots.fill(0, at(50), Source::CACHE);
        slots.fill_unknown(1);

        assert_eq!(slots.reserve(at(10), at(40)), Reserve::Unknown(at(50)));
        assert_eq!(slots.reserve(at(10), at(50)), Reserve::At(at(50), Source::CACHE));
        assert_eq!(slots.all_free(), None);
        slots.resolve(1, at(45), Source::tier(1));
        assert_eq!(slots.reserve(at(10), at(0)), Reserve::At(at(45), Source::tier(1)));
        assert_eq!(slots.all_free(), Some((at(50), Source::CACHE)));
    }
}
