//! Lines between a core's private caches and all beyond: other cores, last levels, memory.

use super::cores::Core;
use super::{Engine, SiteFacts};
use crate::Error;
use crate::stream::caches::contents::Parts;
use crate::stream::caches::pieces::{Event, EventKind};
use crate::stream::caches::shared::{ALL, Lines};
use crate::stream::heap::blocks::NONE;
use crate::stream::memory::Client;
use crate::system::Inclusion;

/// What a segment's traffic cost so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Toll {
    /// Femtoseconds that lines hold the core's buffers for loads.
    pub hold_fs: u64,
    /// The same of its buffers for what is fetched to be stored to.
    pub own_fs: u64,
    /// When everything is there.
    pub done_ps: u64,
    /// Source of most of the time, by [`Source`].
    pub source: u8,
    /// Class of the object fetched last.
    pub class: u8,
    /// Picoseconds of page faults.
    pub fault_ps: u64,
    /// Femtoseconds of translation.
    pub walk_fs: u64,
    /// Page walks.
    pub walks: u64,
    /// Whether memory was read.
    pub has_read: bool,
}

impl Engine<'_> {
    pub(super) fn client(&self, number: usize, site: SiteFacts, class: u8, now_ps: u64) -> Client {
        let Core { socket, lanes, .. } = self.cores[number];
        Client { core: number, socket, lanes, class, primitive: site.primitive, now_ps, is_noted: false }
    }

    /// Lines come into the private caches: from other cores, the last levels, or memory.
    pub(super) fn fetch(
        &mut self,
        number: usize,
        site: SiteFacts,
        (block, event): (u32, Event),
        now_ps: u64,
        toll: &mut Toll,
    ) -> Result<(), Error> {
        let entry = &self.heap.blocks[block];
        let others = entry.holders & !(1 << number);
        let held_fs = toll.hold_fs;
        toll.class = entry.class;
        let mut left = event.lines;
        if others != 0 {
            left -= self.forward(number, block, others, event, toll);
        }
        left = self.take_last_levels(number, block, event, left, toll);
        let found = event.lines - left;
        if found > 0 {
            let found_fs = toll.hold_fs - held_fs;
            self.follow(number, (block, event), others, (found, found_fs), now_ps, toll);
        }
        // Pages of lines that come from memory are not in the translation buffers, others are in the second level.
        let [known_fs, walked_fs] = self.translation_fs;
        toll.walk_fs += u64::from(found) * known_fs + u64::from(left) * walked_fs;
        if left > 0 {
            toll.has_read = true;
            toll.walks += u64::from(left).div_ceil(self.heap.page_lines());
            let lines = Lines { lines: left, dirty: 0, parts: event.parts };
            let stores = u64::from(left) * u64::from(event.marked) / u64::from(event.lines);
            self.read_memory(number, site, block, (lines, stores), now_ps, toll)?;
        }
        // Lines fetched for stores have buffers of their own.
        if event.marked > 0 && self.times.stores != 0 {
            let added_fs = toll.hold_fs - held_fs;
            let own_fs = added_fs * u64::from(event.marked) / u64::from(event.lines.max(1));
            toll.hold_fs -= own_fs;
            toll.own_fs += own_fs * self.times.stores / 1024;
        }
        Ok(())
    }

    /// Takes lines from the last levels, the own socket's first; gives how many are still wanted.
    fn take_last_levels(
        &mut self,
        number: usize,
        block: u32,
        event: Event,
        asked: u32,
        toll: &mut Toll,
    ) -> u32 {
        let (home, sockets) = (self.cores[number].socket, self.shared.len());
        let mut left = asked;
        for step in 0..sockets {
            if left == 0 {
                break;
            }
            let socket = if home + step < sockets { home + step } else { home + step - sockets };
            let found = self.take_shared(socket, block, left, event.parts);
            left -= found;
            let line_fs = if step == 0 { self.times.last_level } else { self.times.remote_last_level };
            toll.hold_fs += u64::from(found) * line_fs;
        }
        self.caches.l3.hits += u64::from(asked - left);
        self.caches.l3.misses += u64::from(left);
        left
    }

    /// One who follows another core's fetch closely goes at that core's pace, which is memory's: the same lines, `found` of
    /// which cost `found_fs` otherwise, are on their way to both, and hold the buffers of both.
    fn follow(
        &self,
        number: usize,
        (block, event): (u32, Event),
        others: u128,
        (found, found_fs): (u32, u64),
        now_ps: u64,
        toll: &mut Toll,
    ) {
        let (found, entry) = (u64::from(found), &self.heap.blocks[block]);
        if self.cores[number].is_in_parts {
            if let Some((parts, ready_ps)) = self.coming(others, block, event.parts, now_ps) {
                let lines = found * u64::from(parts.count_ones()) / u64::from(event.parts.count_ones());
                let paced_fs = (lines * self.memory.pace_fs(entry.place)).min((ready_ps - now_ps) * 1000);
                toll.hold_fs += paced_fs.saturating_sub(found_fs * lines / found);
            }
        } else if entry.ready_ps > now_ps {
            // Other lines of a call that runs whole come meanwhile.
            let paced_ps = found * self.memory.pace_fs(entry.place) / 1000;
            toll.done_ps = toll.done_ps.max(now_ps + paced_ps.min(entry.ready_ps - now_ps));
        }
    }

    /// Parts of a block that are on their way from memory to one of these cores, and when they are there. Limbs of a key
    /// that have come already hold nobody up: those who are behind catch up, and cores that share a key stay together.
    fn coming(&self, mut cores: u128, block: u32, wanted: Parts, now_ps: u64) -> Option<(Parts, u64)> {
        let (mut coming, mut ready_ps) = (0, 0);
        while cores != 0 {
            let core = &self.cores[cores.trailing_zeros() as usize];
            cores &= cores - 1;
            let of_block = core.on_the_way.iter().filter(|way| way.0 == block && way.2 > now_ps);
            for (_, parts, at_ps) in of_block.filter(|way| way.1 & wanted != 0) {
                (coming, ready_ps) = (coming | parts & wanted, ready_ps.max(*at_ps));
            }
        }
        (coming != 0).then_some((coming, ready_ps))
    }

    /// Takes lines from the private caches of other cores; gives how many.
    fn forward(&mut self, number: usize, block: u32, others: u128, event: Event, toll: &mut Toll) -> u32 {
        let (held, parts) = self.held_by(others, block);
        let most = match parts & event.parts {
            _ if self.cores[number].is_in_parts => self.held_of(others, block, event.parts),
            found if found == parts => held,
            found => held * found.count_ones() / parts.count_ones(),
        };
        let is_local = others & self.socket_cores[self.cores[number].socket] != 0;
        let lines = most.min(event.lines);
        let line_fs = if is_local { self.times.forwarded } else { self.times.remote_forwarded };
        toll.hold_fs += u64::from(lines) * line_fs;
        self.caches.forwarded_lines += u64::from(lines);
        lines
    }

    /// Lines of a block that other cores hold, with their parts. Looks at one of the two cores that used the block last, if
    /// it holds it still: its lines are the most recent.
    #[inline]
    pub(super) fn held_by(&self, cores: u128, block: u32) -> (u32, Parts) {
        let entry = &self.heap.blocks[block];
        let (last, before) = (usize::from(entry.last), usize::from(entry.before));
        let other = match () {
            () if cores >> last & 1 == 1 => last,
            () if cores >> before & 1 == 1 => before,
            () => cores.trailing_zeros() as usize,
        };
        let core = &self.cores[other];
        let slot = core.slots.iter().position(|held| *held == block);
        slot.map_or((0, 0), |slot| self.holds(core, slot as u16))
    }

    /// Finds lines in a last level; a victim cache gives them away.
    fn take_shared(&mut self, socket: usize, block: u32, wanted: u32, parts: Parts) -> u32 {
        if self.inclusion == Inclusion::Inclusive {
            let shared = &mut self.shared[socket];
            shared.refresh(block);
            return shared.lines(block).0.min(wanted);
        }
        let (lines, dirty) = self.take_out(socket, block, wanted, parts);
        self.heap.blocks[block].carried += dirty;
        lines
    }

    /// Takes lines out of a last level; gives how many, and how many of them were dirty.
    #[inline]
    fn take_out(&mut self, socket: usize, block: u32, wanted: u32, parts: Parts) -> (u32, u32) {
        let entry = &mut self.heap.blocks[block];
        if entry.shared >> socket & 1 == 0 {
            return (0, 0);
        }
        let taken = self.shared[socket].take(block, wanted, parts);
        if !self.shared[socket].holds(block) {
            entry.shared &= !(1 << socket);
        }
        taken
    }

    fn read_memory(
        &mut self,
        number: usize,
        site: SiteFacts,
        block: u32,
        (lines, stores): (Lines, u64),
        now_ps: u64,
        toll: &mut Toll,
    ) -> Result<(), Error> {
        let socket = self.cores[number].socket;
        self.touch(block, socket, toll)?;
        let entry = &mut self.heap.blocks[block];
        let (place, places, class) = (entry.place, entry.places, entry.class);
        let is_new_reader = !entry.is_remote
            && self.memory.has_memory_directory()
            && self.memory.is_remote(place, places, socket);
        entry.is_remote |= is_new_reader;
        let mut client = self.client(number, site, class, now_ps);
        client.is_noted = is_new_reader;
        let all = u64::from(lines.lines);
        toll.done_ps = toll.done_ps.max(self.memory.end_writes(client));
        let cost = self.memory.read(place, places, (all, all - stores), client);
        toll.hold_fs += cost.hold_fs;
        toll.done_ps = toll.done_ps.max(cost.done_ps);
        toll.source = cost.tier;
        if self.inclusion == Inclusion::Inclusive {
            self.keep(number, site, block, lines, now_ps);
        }
        Ok(())
    }

    /// Maps a block's pages at its first touch.
    #[inline]
    fn touch(&mut self, block: u32, socket: usize, toll: &mut Toll) -> Result<(), Error> {
        if !self.heap.blocks[block].is_mapped() {
            let faults = self.heap.map(block, socket, &mut self.memory)?;
            self.caches.page_faults += faults;
            toll.fault_ps += faults * self.fault_ps;
        }
        Ok(())
    }

    /// Lines leave the private caches.
    pub(super) fn evict(
        &mut self,
        number: usize,
        site: SiteFacts,
        (block, event): (u32, Event),
        now_ps: u64,
    ) {
        let entry = &mut self.heap.blocks[block];
        if event.kind == EventKind::Leave {
            entry.holders &= !(1 << number);
            self.cores[number].slots[usize::from(event.slot)] = NONE;
        }
        // Lines that came in dirty leave in proportion; those stored to since are in `marked` already.
        let carried = share(entry.carried, event.lines, event.lines + event.stays).min(event.lines);
        entry.carried -= carried;
        let dirty = event.marked + share(carried, event.lines - event.marked, event.lines);
        let others = entry.holders & !(1 << number);
        let shape = entry.shape;
        let total = self.heap.lines(shape);
        match self.inclusion {
            // A clean line that another core still holds needs no second copy.
            Inclusion::Victim => {
                let shared = if others == 0 { 0 } else { self.held_by(others, block).0.min(total) };
                let clean = event.lines - dirty;
                let lines = match shared {
                    _ if others != 0 && self.cores[number].is_in_parts => {
                        event.lines - self.held_of(others, block, event.parts).min(clean)
                    }
                    0 => event.lines,
                    shared if shared == total => dirty,
                    _ => event.lines - share(clean, shared, total),
                };
                let lines = Lines { lines, dirty, parts: event.parts };
                self.keep(number, site, block, lines, now_ps);
            }
            Inclusion::Inclusive => {
                let socket = self.cores[number].socket;
                let stays = self.shared[socket].soil(block, dirty);
                if dirty > stays {
                    self.write_memory(number, site, block, dirty - stays, now_ps);
                }
            }
        }
    }

    /// Puts lines into the last level of the core's socket and writes what has to leave it.
    fn keep(&mut self, number: usize, site: SiteFacts, block: u32, lines: Lines, now_ps: u64) {
        let socket = self.cores[number].socket;
        let mut leaving = std::mem::take(&mut self.leaving);
        let entry = &mut self.heap.blocks[block];
        entry.shared |= u8::from(lines.lines > 0) << socket;
        let shape = entry.shape;
        self.shared[socket].insert(block, lines, self.heap.lines(shape), &mut leaving);
        for left in leaving.drain(..) {
            if left.is_last {
                self.heap.blocks[left.block].shared &= !(1 << socket);
            }
            if left.dirty > 0 {
                self.write_memory(number, site, left.block, left.dirty, now_ps);
            }
        }
        self.leaving = leaving;
    }

    fn write_memory(&mut self, number: usize, site: SiteFacts, block: u32, lines: u32, now_ps: u64) {
        let entry = &mut self.heap.blocks[block];
        entry.is_remote = false;
        let (place, places, class) = (entry.place, entry.places, entry.class);
        let client = self.client(number, site, class, now_ps);
        self.memory.write(place, places, u64::from(lines), client);
    }

    /// Non-temporal stores: to memory, and no cache keeps a copy.
    pub(super) fn bypass(
        &mut self,
        number: usize,
        site: SiteFacts,
        (block, event): (u32, Event),
        now_ps: u64,
        toll: &mut Toll,
    ) -> Result<(), Error> {
        let socket = self.cores[number].socket;
        self.touch(block, socket, toll)?;
        for socket in 0..self.shared.len() {
            self.take_out(socket, block, event.lines, event.parts);
        }
        let entry = &mut self.heap.blocks[block];
        entry.is_remote = false;
        let (place, places, class) = (entry.place, entry.places, entry.class);
        toll.hold_fs += u64::from(event.lines) * self.memory.store_fs(place);
        let mut client = self.client(number, site, class, now_ps);
        client.is_noted = self.memory.has_memory_directory();
        self.memory.write(place, places, u64::from(event.lines), client);
        Ok(())
    }

    /// Makes a core the only holder of what it wrote.
    pub(super) fn own(&mut self, number: usize, written: u64, blocks: &[u32]) {
        let me = 1_u128 << number;
        for (at, block) in blocks.iter().enumerate() {
            if written >> (at % 64) & 1 == 0 {
                continue;
            }
            let mut others = self.heap.blocks[*block].holders & !me;
            if others == 0 {
                continue;
            }
            self.heap.blocks[*block].holders &= me;
            while others != 0 {
                let other = others.trailing_zeros() as usize;
                others &= others - 1;
                self.drop_private(other, *block);
            }
            for socket in 0..self.shared.len() {
                self.take_out(socket, *block, u32::MAX, ALL);
            }
        }
    }

    /// Takes a block out of a core's private caches. Its lines are void there but keep their place until they are the
    /// oldest, although real caches fill invalid lines first: otherwise every pattern of losses would be a state of
    /// its own.
    fn drop_private(&mut self, other: usize, block: u32) {
        let core = &mut self.cores[other];
        let Some(slot) = core.slots.iter().position(|held| *held == block) else { return };
        core.slots[slot] = NONE;
        self.caches.invalidated_lines += u64::from(self.holds(&self.cores[other], slot as u16).0);
    }
}

/// `part` of `of` lines; most objects have none to share, and a division takes as long as all else here.
#[inline]
fn share(lines: u32, part: u32, of: u32) -> u32 {
    if lines == 0 { 0 } else { (u64::from(lines) * u64::from(part) / u64::from(of.max(1))) as u32 }
}
