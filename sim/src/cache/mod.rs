//! The caches of all cores: private L1 and L2 (inclusive of L1), one L3 for each socket, and who holds what.
//!
//! [`Caches`] is purely functional: it says where a line was found and which dirty lines had to leave, and counts.
//! Time is the business of [`machine`](crate::machine). Coherence keeps four states without naming them: a line may be
//! in several private caches; at most one copy in the machine is dirty (its holder owns it); a store drops all others.
//!
//! Known to be simpler than silicon: the snoop filter never evicts, a clean line handed from core to core is not put
//! into the L3, and prefetches that hit the L3 arrive at once.

mod coherence;
mod last_level;
mod sharers;
mod tags;

pub use sharers::{Holders, LineHasher, LineMap, Sharers};
pub use tags::{Index, LINE_BITS, Tags, Word};

use crate::result::{CacheResult, Level};
use crate::system::{Inclusion, System};

/// What a core wants with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Read it.
    Load,
    /// Write part or all of it: needs to be the only holder.
    Store,
}

/// What the first level says about an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstLevel {
    /// The access is done.
    Hit,
    /// The line is there, but a store needs to become its only holder first.
    NotOwned,
    /// The line is not there.
    Miss,
}

/// Where a line was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// In the core's L2 (or L1, when a store had to drop other copies first).
    L2,
    /// In the core's L2, put there by a request that may still be on its way.
    L2InFlight,
    /// In the L3 of the socket.
    L3,
    /// In the private caches of another core; it may still be on its way there.
    Forwarded {
        /// The core that had it.
        from: usize,
    },
    /// In the L3 of another socket.
    RemoteL3 {
        /// That socket.
        socket: usize,
    },
    /// Nowhere: memory must be read.
    Memory,
}

/// All caches of a machine.
#[derive(Clone, Debug)]
pub struct Caches {
    l1: Vec<Tags>,
    l2: Vec<Tags>,
    l3: Vec<Tags>,
    /// Kept while more than one core is in use.
    sharers: Option<Sharers>,
    inclusion: Inclusion,
    /// Socket of each core.
    sockets: Vec<usize>,
    counters: CacheResult,
    /// Lines that the L3 took in, for conservation checks.
    l3_fills: u64,
    l3_losses: u64,
    l2_fills: u64,
    l2_losses: u64,
}

impl Caches {
    /// Empty caches of a system with one core in use for each entry of `sockets`, on that socket.
    pub fn new(system: &System, sockets: &[usize]) -> Self {
        let cores = sockets.len();
        let private = |geometry: &crate::system::Geometry| {
            (0..cores).map(|_| Tags::new(geometry.sets, geometry.ways, Index::LowBits)).collect()
        };
        let used = sockets.iter().max().map_or(1, |last| last + 1);
        let lines = cores * system.l2.sets * system.l2.ways;
        Self {
            l1: private(&system.l1),
            l2: private(&system.l2),
            l3: (0..used).map(|_| Tags::new(system.l3.sets, system.l3.ways, Index::Hashed)).collect(),
            sharers: (cores > 1).then(|| Sharers::with_capacity(lines)),
            inclusion: system.inclusion,
            sockets: sockets.to_vec(),
            counters: CacheResult::default(),
            l3_fills: 0,
            l3_losses: 0,
            l2_fills: 0,
            l2_losses: 0,
        }
    }

    /// Counts so far.
    pub const fn counters(&self) -> &CacheResult {
        &self.counters
    }

    /// Counts a walk of the page tables.
    pub const fn count_walk(&mut self) {
        self.counters.page_walks += 1;
    }

    /// Counts a first touch of a page.
    pub const fn count_fault(&mut self) {
        self.counters.page_faults += 1;
    }

    /// Tries the first level alone. Costs a few nanoseconds and touches no heap; counts nothing but hits.
    #[inline]
    pub fn try_l1(&mut self, core: usize, line: u64, intent: Intent) -> FirstLevel {
        match self.l1[core].touch(line) {
            Some(word) if intent == Intent::Load || word.is_dirty() => {
                self.counters.l1.hits += 1;
                FirstLevel::Hit
            }
            Some(_) => FirstLevel::NotOwned,
            None => FirstLevel::Miss,
        }
    }

    /// Serves an access that [`Caches::try_l1`] did not, filling the private caches. Dirty lines that leave the
    /// last level are appended to `leaving`.
    #[inline]
    pub fn access(
        &mut self,
        core: usize,
        line: u64,
        class: u8,
        intent: Intent,
        first: FirstLevel,
        leaving: &mut Vec<Word>,
    ) -> Found {
        let in_l1 = first != FirstLevel::Miss;
        match in_l1 {
            true => self.counters.l1.hits += 1,
            false => self.counters.l1.misses += 1,
        }
        if let Some(word) = self.l2[core].touch(line) {
            self.counters.l2.hits += u64::from(!in_l1);
            let before = *word;
            if intent == Intent::Store {
                *word = before.with_dirty(true).with_sole(true);
            }
            return self.hit_l2(core, before, intent, in_l1);
        }
        self.counters.l2.misses += 1;
        let (found, dirty) = self.outside(core, line, class, intent, leaving);
        let is_sole = intent == Intent::Store || self.is_sole(found);
        let word = Word::new(line, class).with_dirty(dirty || intent == Intent::Store).with_sole(is_sole);
        let word = if found == Found::Memory { word.in_flight() } else { word };
        self.fill_l2(core, word, leaving);
        self.fill_l1(core, Word::new(line, class).with_dirty(intent == Intent::Store));
        found
    }

    /// Whether a line loaded from there has no other copy. An inclusive cache keeps what it gives, and so may that of
    /// another socket.
    const fn is_sole(&self, found: Found) -> bool {
        match found {
            Found::Forwarded { .. } => false,
            Found::L3 | Found::RemoteL3 { .. } => {
                matches!(self.inclusion, Inclusion::Victim) || self.l3.len() == 1
            }
            Found::L2 | Found::L2InFlight | Found::Memory => true,
        }
    }

    #[inline]
    fn hit_l2(&mut self, core: usize, before: Word, intent: Intent, in_l1: bool) -> Found {
        let line = before.line();
        let mut found = if before.is_in_flight() { Found::L2InFlight } else { Found::L2 };
        if intent == Intent::Store && !before.is_sole() {
            if let Some(from) = self.drop_others(core, line) {
                found = Found::Forwarded { from };
            }
            self.drop_stale(core, line);
        }
        if !in_l1 {
            self.fill_l1(core, Word::new(line, before.class()).with_dirty(intent == Intent::Store));
        } else if let Some(word) = self.l1[core].find(line) {
            *word = word.with_dirty(intent == Intent::Store || word.is_dirty());
        }
        found
    }

    /// Tells the caches that a line read from memory has arrived at a core; may come late or never.
    pub fn landed(&mut self, core: usize, line: u64) {
        if let Some(word) = self.l2[core].find(line) {
            *word = word.landed();
        }
    }

    /// Whether the core's second level holds a line.
    pub fn holds(&mut self, core: usize, line: u64) -> bool {
        self.l2[core].find(line).is_some()
    }

    /// Brings a line into the second level only, for the prefetcher; `None` if it was there or in another core.
    pub fn prefetch(&mut self, core: usize, line: u64, class: u8, leaving: &mut Vec<Word>) -> Option<Found> {
        let held_elsewhere = self.sharers.as_ref().is_some_and(|sharers| sharers.of(line).count != 0);
        if held_elsewhere || self.holds(core, line) {
            return None;
        }
        let (found, dirty) = self.outside(core, line, class, Intent::Load, leaving);
        self.counters.prefetched_lines += 1;
        let word = Word::new(line, class).with_dirty(dirty).with_sole(self.is_sole(found));
        let word = if found == Found::Memory { word.in_flight() } else { word };
        self.fill_l2(core, word, leaving);
        Some(found)
    }

    fn fill_l1(&mut self, core: usize, word: Word) {
        // Stores mark the second level dirty at once, so a line leaves the first level silently.
        self.l1[core].insert(word);
    }

    fn fill_l2(&mut self, core: usize, word: Word, leaving: &mut Vec<Word>) {
        self.l2_fills += 1;
        if let Some(sharers) = &mut self.sharers {
            sharers.add(word.line(), core);
        }
        let Some(victim) = self.l2[core].insert(word) else { return };
        self.l2_losses += 1;
        self.l1[core].remove(victim.line());
        let victim = victim.with_sole(false).landed();
        let others = self.sharers.as_mut().map_or(0, |sharers| sharers.remove(victim.line(), core));
        let socket = self.sockets[core];
        match self.inclusion {
            // A clean line that another core still holds needs no second copy.
            Inclusion::Victim if others == 0 || victim.is_dirty() => {
                self.fill_l3(socket, victim, leaving);
            }
            Inclusion::Victim => {}
            Inclusion::Inclusive => match self.l3[socket].find(victim.line()) {
                Some(word) => *word = word.with_dirty(word.is_dirty() || victim.is_dirty()),
                None if victim.is_dirty() => leaving.push(victim),
                None => {}
            },
        }
    }

    /// Dirty lines of all levels, once each.
    pub fn dirty_lines(&self) -> u64 {
        let mut lines: Vec<u64> = (self.l2.iter().chain(&self.l3))
            .flat_map(|tags| tags.lines().filter(|word| word.is_dirty()).map(Word::line))
            .collect();
        lines.sort_unstable();
        lines.dedup();
        lines.len() as u64
    }

    /// Whether lines taken in equal lines given up plus lines held, at L2 and L3.
    pub fn conserves_lines(&self) -> bool {
        let resident = |tags: &[Tags]| tags.iter().map(Tags::resident).sum::<u64>();
        self.l2_fills == self.l2_losses + resident(&self.l2)
            && self.l3_fills == self.l3_losses + resident(&self.l3)
    }

    /// Hits and misses of a level.
    pub const fn levels(&self) -> [Level; 3] {
        [self.counters.l1, self.counters.l2, self.counters.l3]
    }
}

#[cfg(test)]
mod tests;
