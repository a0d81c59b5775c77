//! Lines between a core's private caches and all beyond: other cores, last levels, memory.

use super::Engine;
use super::cores::Core;
use super::waited::{CACHES, Waited};
use crate::Error;
use crate::stream::caches::contents::Parts;
use crate::stream::caches::pieces::{Event, EventKind};
use crate::stream::caches::shared::{ALL, Lines};
use crate::stream::memory::{Client, MOST_TIERS};
use crate::system::Inclusion;

/// For whom a segment's lines move, and what that cost so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Toll {
    /// The core, and the class of the object fetched last.
    pub client: Client,
    /// The core as a set.
    pub bit: u128,
    /// Whether its call runs in parts.
    pub is_in_parts: bool,
    /// Femtoseconds that lines hold the core's buffers for loads.
    pub hold_fs: u64,
    /// The same of its buffers for what is fetched to be stored to.
    pub own_fs: u64,
    /// Both of lines from memory, by tier, if those of several are met.
    pub by_tier: [[u64; MOST_TIERS]; 2],
    /// When everything is there.
    pub done_ps: u64,
    /// What all that is made of.
    pub waited: Waited,
    /// Picoseconds of page faults.
    pub fault_ps: u64,
    /// Femtoseconds of translation.
    pub walk_fs: u64,
    /// Page walks.
    pub walks: u64,
    /// Whether memory was read.
    pub has_read: bool,
}

impl Toll {
    /// Nothing so far, for a core from an instant on.
    #[inline]
    pub fn new(number: usize, core: &Core<'_>, primitive: u16, lanes: u32, now_ps: u64) -> Self {
        let Core { socket, bit, is_in_parts, .. } = *core;
        Self {
            client: Client { core: number, socket, lanes, class: 0, primitive, now_ps, is_noted: false },
            bit,
            is_in_parts,
            hold_fs: 0,
            own_fs: 0,
            by_tier: [[0; MOST_TIERS]; 2],
            done_ps: 0,
            waited: Waited::default(),
            fault_ps: 0,
            walk_fs: 0,
            walks: 0,
            has_read: false,
        }
    }
}

impl Engine<'_> {
    /// Lines come into the private caches: from other cores, the last levels, or memory.
    pub(super) fn fetch(&mut self, block: u32, event: Event, toll: &mut Toll) -> Result<(), Error> {
        let entry = &self.heap.blocks[block];
        let others = entry.holders & !toll.bit;
        let held_fs = toll.hold_fs;
        toll.client.class = entry.class;
        let mut left = event.lines;
        if others != 0 {
            left -= self.forward(block, others, event, toll);
        }
        if left > 0 {
            left = self.take_last_levels(block, event, left, toll);
        }
        let found = event.lines - left;
        if found > 0 {
            let found_fs = toll.hold_fs - held_fs;
            toll.waited.add(CACHES, toll.client.class, found_fs);
            self.follow(block, event, others, (found, found_fs), toll);
        }
        // Pages of lines that come from memory are not in the translation buffers, others are in the second level.
        let [known_fs, walked_fs] = self.translation_fs;
        toll.walk_fs += u64::from(found) * known_fs + u64::from(left) * walked_fs;
        if left > 0 {
            toll.has_read = true;
            toll.walks += u64::from(left).div_ceil(self.heap.page_lines());
            let lines = Lines { lines: left, dirty: 0, parts: event.parts };
            let stores = u64::from(share(left, event.marked, event.lines));
            self.read_memory(block, (lines, stores), toll)?;
        }
        // Lines fetched for stores have buffers of their own.
        let added_fs = toll.hold_fs - held_fs;
        let mut own_fs = 0;
        if event.marked > 0 && self.times.stores != 0 {
            let stored_fs = added_fs * u64::from(event.marked) / u64::from(event.lines.max(1));
            toll.hold_fs -= stored_fs;
            own_fs = stored_fs * self.times.stores / 1024;
            toll.own_fs += own_fs;
        }
        if left > 0 && !self.copies.is_empty() {
            let tier = self.memory.tier_of(self.heap.blocks[block].place);
            let held = [toll.hold_fs - held_fs, own_fs];
            held.iter().zip(&mut toll.by_tier).for_each(|(fs, by_tier)| by_tier[tier] += fs);
        }
        Ok(())
    }

    /// What a core loses that loads from one tier and stores to another, beyond the longer of both times.
    #[inline]
    pub(super) fn copy_fs(&self, toll: &Toll) -> u64 {
        let [loads, stores] = &toll.by_tier;
        let of_tier = |(losses, load_fs): (&Vec<u64>, &u64)| -> u64 {
            losses.iter().zip(stores).map(|(loss, store_fs)| store_fs.min(load_fs) * loss / 1_000_000).sum()
        };
        self.copies.iter().zip(loads).map(of_tier).sum()
    }

    /// Takes lines from the last levels, the own socket's first; gives how many are still wanted.
    fn take_last_levels(&mut self, block: u32, event: Event, asked: u32, toll: &mut Toll) -> u32 {
        let (home, sockets) = (toll.client.socket, self.shared.len());
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
    fn follow(&self, block: u32, event: Event, others: u128, (found, found_fs): (u32, u64), toll: &mut Toll) {
        let (found, entry, now_ps) = (u64::from(found), &self.heap.blocks[block], toll.client.now_ps);
        if toll.is_in_parts {
            if let Some((parts, ready_ps)) = self.coming(others, block, event.parts, now_ps) {
                let lines = found * u64::from(parts.count_ones()) / u64::from(event.parts.count_ones());
                let paced_fs = (lines * self.memory.pace_fs(entry.place)).min((ready_ps - now_ps) * 1000);
                let more_fs = paced_fs.saturating_sub(found_fs * lines / found);
                toll.hold_fs += more_fs;
                toll.waited.add(self.memory.tier_of(entry.place), entry.class, more_fs);
            }
        } else if entry.ready_ps > now_ps {
            // Other lines of a call that runs whole come meanwhile.
            let paced_ps = found * self.memory.pace_fs(entry.place) / 1000;
            let paced_ps = paced_ps.min(entry.ready_ps - now_ps);
            toll.done_ps = toll.done_ps.max(now_ps + paced_ps);
            toll.waited.add(self.memory.tier_of(entry.place), entry.class, paced_ps * 1000);
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
    fn forward(&mut self, block: u32, others: u128, event: Event, toll: &mut Toll) -> u32 {
        let most = if toll.is_in_parts {
            self.held_of(others, block, event.parts)
        } else {
            let (held, parts) = self.held_by(others, block);
            match parts & event.parts {
                found if found == parts => held,
                found => held * found.count_ones() / parts.count_ones(),
            }
        };
        let is_local = others & self.socket_cores[toll.client.socket] != 0;
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
        let [last, before] = self.heap.blocks[block].used;
        let core = match () {
            () if contains(cores, last) => last.into(),
            () if contains(cores, before) => before.into(),
            () => cores.trailing_zeros() as usize,
        };
        let core = &self.cores[core];
        core.slots.find(block).map_or((0, 0), |slot| self.holds(core, slot))
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
        block: u32,
        (lines, stores): (Lines, u64),
        toll: &mut Toll,
    ) -> Result<(), Error> {
        let mut client = toll.client;
        self.touch(block, client.socket, toll)?;
        let entry = &mut self.heap.blocks[block];
        let (place, places) = (entry.place, entry.places);
        client.is_noted = !entry.is_remote
            && self.memory.has_memory_directory()
            && self.memory.is_remote(place, places, client.socket);
        entry.is_remote |= client.is_noted;
        let all = u64::from(lines.lines);
        toll.done_ps = toll.done_ps.max(self.memory.end_writes(client));
        let cost = self.memory.read(place, places, (all, all - stores), client);
        toll.hold_fs += cost.hold_fs;
        toll.done_ps = toll.done_ps.max(cost.done_ps);
        for (tier, fs) in cost.waited_fs.into_iter().enumerate() {
            toll.waited.add(tier, client.class, fs);
        }
        if self.inclusion == Inclusion::Inclusive {
            self.keep(block, lines, client);
        }
        Ok(())
    }

    /// Maps a block's pages at its first touch.
    #[inline]
    fn touch(&mut self, block: u32, socket: usize, toll: &mut Toll) -> Result<(), Error> {
        if !self.heap.blocks.is_mapped(block) {
            let faults = self.heap.map(block, socket, &mut self.memory)?;
            self.caches.page_faults += faults;
            toll.fault_ps += faults * self.fault_ps;
        }
        Ok(())
    }

    /// Lines leave the private caches.
    pub(super) fn evict(&mut self, block: u32, event: Event, toll: &Toll) {
        let entry = &mut self.heap.blocks[block];
        if event.kind == EventKind::Leave {
            entry.holders &= !toll.bit;
            self.cores[toll.client.core].slots.clear(event.slot);
        }
        // Lines that came in dirty leave in proportion; those stored to since are in `marked` already.
        let carried = share(entry.carried, event.lines, event.lines + event.stays).min(event.lines);
        entry.carried -= carried;
        let dirty = event.marked + share(carried, event.lines - event.marked, event.lines);
        let others = entry.holders & !toll.bit;
        match self.inclusion {
            Inclusion::Victim => {
                let spared = if others == 0 { 0 } else { self.spared(block, event, dirty, others, toll) };
                let lines = Lines { lines: event.lines - spared, dirty, parts: event.parts };
                self.keep(block, lines, toll.client);
            }
            Inclusion::Inclusive => {
                let stays = self.shared[toll.client.socket].soil(block, dirty);
                if dirty > stays {
                    self.write_memory(block, dirty - stays, toll.client);
                }
            }
        }
    }

    /// Clean lines among those that leave of which other cores hold copies: the last level needs no second one.
    fn spared(&self, block: u32, event: Event, dirty: u32, others: u128, toll: &Toll) -> u32 {
        let clean = event.lines - dirty;
        if toll.is_in_parts {
            return self.held_of(others, block, event.parts).min(clean);
        }
        let total = self.heap.lines(self.heap.blocks[block].shape);
        let shared = self.held_by(others, block).0;
        if shared >= total { clean } else { share(clean, shared, total) }
    }

    /// Puts lines into the last level of the core's socket and writes what has to leave it.
    fn keep(&mut self, block: u32, lines: Lines, client: Client) {
        if lines.lines == 0 {
            return;
        }
        let Client { socket, .. } = client;
        let mut leaving = std::mem::take(&mut self.leaving);
        let entry = &mut self.heap.blocks[block];
        entry.shared |= 1 << socket;
        let shape = entry.shape;
        let most = self.heap.lines(shape);
        self.shared[socket].insert(block, lines, most, &mut leaving);
        for left in &leaving {
            if left.is_last {
                self.heap.blocks[left.block].shared &= !(1 << socket);
            }
            if left.dirty > 0 {
                self.write_memory(left.block, left.dirty, client);
            }
        }
        leaving.clear();
        self.leaving = leaving;
    }

    fn write_memory(&mut self, block: u32, lines: u32, client: Client) {
        let entry = &mut self.heap.blocks[block];
        entry.is_remote = false;
        let (place, places, class) = (entry.place, entry.places, entry.class);
        self.memory.write(place, places, u64::from(lines), Client { class, ..client });
    }

    /// Non-temporal stores: to memory, and no cache keeps a copy.
    pub(super) fn bypass(&mut self, block: u32, event: Event, toll: &mut Toll) -> Result<(), Error> {
        self.touch(block, toll.client.socket, toll)?;
        for socket in 0..self.shared.len() {
            self.take_out(socket, block, event.lines, event.parts);
        }
        let entry = &mut self.heap.blocks[block];
        entry.is_remote = false;
        let (place, places, class) = (entry.place, entry.places, entry.class);
        let client = Client { class, is_noted: self.memory.has_memory_directory(), ..toll.client };
        let lines = u64::from(event.lines);
        let hits = self.memory.write(place, places, lines, client);
        for (tier, store_fs) in self.memory.stores_fs(place, [hits, lines - hits]) {
            toll.hold_fs += store_fs;
            toll.waited.add(tier, class, store_fs);
        }
        Ok(())
    }

    /// Makes a core the only holder of what it wrote.
    pub(super) fn own(&mut self, number: usize, written: u64, blocks: &[u32]) {
        let me = self.cores[number].bit;
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
        let Some(slot) = core.slots.find(block) else { return };
        core.slots.clear(slot);
        self.caches.invalidated_lines += u64::from(self.holds(&self.cores[other], slot).0);
    }
}

/// Whether a core is in a set; a shift of 128 bits takes three times as long.
#[inline]
const fn contains(cores: u128, core: u8) -> bool {
    let half = if core < 64 { cores as u64 } else { (cores >> 64) as u64 };
    half >> (core % 64) & 1 == 1
}

/// `part` of `of` lines; most objects have none to share, and a division takes as long as all else here.
#[inline]
fn share(lines: u32, part: u32, of: u32) -> u32 {
    if lines == 0 { 0 } else { (u64::from(lines) * u64::from(part) / u64::from(of.max(1))) as u32 }
}
