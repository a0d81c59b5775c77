//! One call of one core: the inner event of the stream engine.

use hetier_traces::Class;

use super::blocks::NONE;
use super::engine::{Core, Engine, SiteFacts};
use super::memory::Client;
use super::pieces::{Event, EventKind};
use super::private::{Key, MOST_OPERANDS, Segment, Transition, Whereabouts};
use super::shared::{ALL, Lines};
use crate::Error;
use crate::core::Source;
use crate::system::Inclusion;

/// Tracked operands of one call.
pub(super) const MOST: usize = 16;

/// What a segment's traffic cost so far.
#[derive(Clone, Copy, Debug, Default)]
struct Toll {
    /// Femtoseconds that lines hold the core's buffers for loads.
    hold_fs: u64,
    /// The same of its buffers for what is fetched to be stored to.
    own_fs: u64,
    /// When everything is there.
    done_ps: u64,
    /// Source of most of the time, by [`Source`].
    source: u8,
    /// Class of the object fetched last.
    class: u8,
    /// Picoseconds of page faults.
    fault_ps: u64,
    /// Femtoseconds of translation.
    walk_fs: u64,
    /// Page walks.
    walks: u64,
    /// Whether memory was read.
    has_read: bool,
}

impl Engine<'_> {
    /// Runs a call on the objects named, from the core's clock on.
    #[inline]
    pub(super) fn call(&mut self, number: usize, site: SiteFacts, objects: &[u32]) -> Result<(), Error> {
        self.calls += 1;
        self.cores[number].calls += 1;
        self.tallies[site.callee as usize].calls += 1;
        let me = 1_u128 << number;
        let mut blocks = [NONE; MOST];
        let mut others = 0;
        if objects.len() > MOST {
            return Err(self.crowded(site, objects.len()));
        }
        // 1. Where are the operands?
        let mut key = Key::new(site.signature);
        let mut whereabouts = [Whereabouts::Slot(0); MOST];
        let is_wide = objects.len() > MOST_OPERANDS;
        for (at, object) in objects.iter().enumerate() {
            let block = self.heap.blocks.of(*object);
            if block == NONE {
                return Err(self.dead(*object));
            }
            let entry = &self.heap.blocks[block];
            if site.written >> (at % 64) & 1 == 1 {
                others |= entry.holders & !me;
            }
            whereabouts[at] = if entry.holders & me != 0 {
                self.slot(number, at, block).map_or(Whereabouts::Absent(entry.shape), Whereabouts::Slot)
            } else {
                let earlier = blocks[..at].iter().position(|earlier| *earlier == block);
                earlier.map_or(Whereabouts::Absent(entry.shape), |earlier| Whereabouts::Same(earlier as u8))
            };
            blocks[at] = block;
            if is_wide { key.mix(whereabouts[at]) } else { key.push(whereabouts[at]) }
        }
        let blocks = &blocks[..objects.len()];
        // 2. What do the private caches make of it?
        let transition = match self.private.find(self.cores[number].state, key) {
            Some(transition) => *transition,
            None => self.learn(number, key, site, &whereabouts[..blocks.len()])?,
        };
        self.seat(number, &transition, blocks);
        // 3. Time, and traffic beyond the private caches.
        let plan = &self.plans[site.callee as usize];
        let (accesses, overhead_fs) = (plan.accesses, plan.overhead_fs);
        let tempo = self.jitter.tempo(number, self.cores[number].calls);
        let (compute_fs, inside_fs) = (tempo.of(plan.compute_fs), tempo.of(transition.inside_fs));
        self.accesses += accesses;
        self.cores[number].tempo = tempo;
        self.cores[number].compute_fs += compute_fs;
        let mut elapsed_fs = self.cores[number].carry_fs + overhead_fs + inside_fs;
        if overhead_fs > 0 {
            self.stall(number, site.callee, Source::OVERHEAD.0, overhead_fs / 1000);
        }
        let inside_stall = inside_fs.saturating_sub(tempo.of(transition.inside_compute_fs));
        if inside_stall > 0 {
            self.stall(number, site.callee, Source::CACHE.0, inside_stall / 1000);
        }
        if self.is_long(&transition) {
            self.put_under_way(number, site, transition, blocks);
            self.spend(number, site, elapsed_fs);
            return Ok(());
        }
        let segments =
            transition.segments as usize..(transition.segments + transition.segment_count) as usize;
        for segment in segments {
            let segment = self.private.segments[segment];
            elapsed_fs += self.segment(number, site, segment, elapsed_fs / 1000)?;
        }
        self.spend(number, site, elapsed_fs);
        self.end_call(number, site, &transition, blocks, others != 0);
        Ok(())
    }

    /// Moves a core's clock by the time of a call or a part of it, what was carried included.
    #[inline]
    pub(super) fn spend(&mut self, number: usize, site: SiteFacts, elapsed_fs: u64) {
        self.tallies[site.callee as usize].total_ps += elapsed_fs / 1000;
        let core = &mut self.cores[number];
        core.clock_ps += elapsed_fs / 1000;
        core.carry_fs = elapsed_fs % 1000;
    }

    /// Leaves a core in the state that a call puts it into.
    #[inline]
    pub(super) fn end_call(
        &mut self,
        number: usize,
        site: SiteFacts,
        transition: &Transition,
        blocks: &[u32],
        is_shared: bool,
    ) {
        self.caches.l2.hits += transition.second_level;
        self.caches.l2.misses += transition.fetched;
        self.leave(number, transition, blocks.len());
        // 4. Stores leave no other copy.
        if is_shared && site.written != 0 {
            self.own(number, site.written, blocks);
        }
    }

    /// Slot of a block in a core's private caches: of the same operand of the call before, if it has not moved.
    #[inline]
    fn slot(&self, number: usize, operand: usize, block: u32) -> Option<u16> {
        let Core { slots, left: (first, count), .. } = &self.cores[number];
        if operand < *count as usize {
            let slot = self.private.places[*first as usize + operand];
            if slots.get(usize::from(slot)) == Some(&block) {
                return Some(slot);
            }
        }
        slots.iter().position(|held| *held == block).map(|slot| slot as u16)
    }

    #[cold]
    fn crowded(&self, site: SiteFacts, operands: usize) -> Error {
        let name = self.names[usize::from(site.primitive)].clone();
        let (found, most) = (operands as i128, MOST as i128);
        Error::Trace(hetier_traces::Error::OutOfRange {
            place: format!("macro {name} at stream fidelity (use line)"),
            what: "operands of 1 KiB or more",
            found,
            least: 0,
            most,
        })
    }

    #[cold]
    fn learn(
        &mut self,
        number: usize,
        key: Key,
        site: SiteFacts,
        operands: &[Whereabouts],
    ) -> Result<Transition, Error> {
        if self.private.is_full() {
            self.finish_all()?;
            let mut states: Vec<u32> = self.cores.iter().map(|core| core.state).collect();
            self.private.compact(&mut states);
            self.cores
                .iter_mut()
                .zip(states)
                .for_each(|(core, state)| (core.state, core.left) = (state, (0, 0)));
        }
        let plan = &self.plans[site.callee as usize];
        let state = self.cores[number].state;
        let learnt = self.private.learn(state, key, plan, site.signature, operands);
        Ok(*self.private.transition(learnt))
    }

    /// Puts the core into its next state, in which slots have other numbers.
    #[inline]
    fn leave(&mut self, number: usize, transition: &Transition, operands: usize) {
        let core = &mut self.cores[number];
        core.state = transition.next;
        core.left = (transition.places + operands as u32 + transition.remain, operands as u32);
        let first = transition.places as usize + operands;
        let order = &self.private.places[first..first + transition.remain as usize];
        std::mem::swap(&mut core.slots, &mut self.seats);
        core.slots.clear();
        core.slots.extend(order.iter().map(|slot| self.seats[usize::from(*slot)]));
    }

    /// Puts the operands into their slots.
    #[inline]
    fn seat(&mut self, number: usize, transition: &Transition, blocks: &[u32]) {
        let core = &mut self.cores[number];
        let places = &self.private.places[transition.places as usize..];
        for (block, place) in blocks.iter().zip(places) {
            let place = usize::from(*place);
            if core.slots.len() <= place {
                core.slots.resize(place + 1, NONE);
            }
            core.slots[place] = *block;
            let entry = &mut self.heap.blocks[*block];
            entry.holders |= 1 << number;
            entry.before = entry.last;
            entry.last = number as u8;
        }
    }

    #[inline]
    fn stall(&mut self, number: usize, callee: u32, source: u8, ps: u64) {
        self.cores[number].stalls[usize::from(source)] += ps;
        self.tallies[callee as usize].stalls[usize::from(source)] += ps;
    }

    /// Femtoseconds of a segment that starts `elapsed_ps` into the call.
    pub(super) fn segment(
        &mut self,
        number: usize,
        site: SiteFacts,
        segment: Segment,
        elapsed_ps: u64,
    ) -> Result<u64, Error> {
        let now_ps = self.cores[number].clock_ps + elapsed_ps;
        let mut toll = Toll { source: Source::CACHE.0, ..Toll::default() };
        toll.hold_fs = u64::from(segment.second_level) * self.times.second_level;
        for event in segment.first as usize..(segment.first + segment.count) as usize {
            let event = self.private.events[event];
            match event.kind {
                EventKind::Fetch => self.fetch(number, site, event, now_ps, &mut toll)?,
                EventKind::Bypass => self.bypass(number, site, event, now_ps, &mut toll)?,
                EventKind::Evict | EventKind::Leave => self.evict(number, site, event, now_ps, &mut toll),
            }
        }
        let wait_fs = toll.done_ps.saturating_sub(now_ps) * 1000;
        let compute_fs = self.cores[number].tempo.of(segment.compute_fs);
        let busy_fs = compute_fs.max(toll.hold_fs).max(toll.own_fs).max(wait_fs);
        let stalled_ps = (busy_fs - compute_fs) / 1000;
        if stalled_ps > 0 {
            self.stall(number, site.callee, toll.source, stalled_ps);
            self.class_stalls[usize::from(toll.class)] += stalled_ps;
        }
        if toll.fault_ps > 0 {
            self.stall(number, site.callee, Source::FAULT.0, toll.fault_ps);
        }
        self.stall(number, site.callee, Source::TRANSLATION.0, toll.walk_fs / 1000);
        self.caches.page_walks += toll.walks;
        let total_fs = busy_fs + toll.walk_fs + toll.fault_ps * 1000;
        if toll.has_read {
            self.mark_ready(number, segment, now_ps + total_fs / 1000);
        }
        Ok(total_fs)
    }

    /// Says when the blocks that a segment fetched are complete: cores that follow cannot overtake.
    fn mark_ready(&mut self, number: usize, segment: Segment, ready_ps: u64) {
        for event in segment.first as usize..(segment.first + segment.count) as usize {
            let event = self.private.events[event];
            let block = self.cores[number].slots[usize::from(event.slot)];
            if event.kind == EventKind::Fetch && block != NONE {
                let entry = &mut self.heap.blocks[block];
                entry.ready_ps = entry.ready_ps.max(ready_ps);
            }
        }
    }

    fn client(&self, number: usize, site: SiteFacts, class: u8, now_ps: u64) -> Client {
        let socket = self.cores[number].socket;
        Client { core: number, socket, class, primitive: site.primitive, now_ps, is_noted: false }
    }

    /// Lines come into the private caches: from other cores, the last levels, or memory.
    fn fetch(
        &mut self,
        number: usize,
        site: SiteFacts,
        event: Event,
        now_ps: u64,
        toll: &mut Toll,
    ) -> Result<(), Error> {
        let block = self.cores[number].slots[usize::from(event.slot)];
        if block == NONE {
            return Ok(());
        }
        let entry = self.heap.blocks[block];
        let home = self.cores[number].socket;
        let held_fs = toll.hold_fs;
        let mut left = event.lines;
        toll.class = entry.class;
        // 1. Other cores.
        let others = entry.holders & !(1 << number);
        if others != 0 {
            left -= self.forward(number, block, others, event, toll);
        }
        // 2. Last levels, the own socket's first.
        let asked = left;
        let sockets = self.shared.len();
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
        if left < event.lines && entry.ready_ps > now_ps {
            // One who follows another core's fetch closely goes at that core's pace, which is memory's.
            let found = u64::from(event.lines - left);
            let paced_ps = now_ps + found * self.memory.pace_fs(entry.place) / 1000;
            toll.done_ps = toll.done_ps.max(entry.ready_ps.min(paced_ps));
        }
        // Pages of lines that come from memory are not in the translation buffers, others are in the second level.
        let [known_fs, walked_fs] = self.translation_fs;
        toll.walk_fs += u64::from(event.lines - left) * known_fs + u64::from(left) * walked_fs;
        // 3. Memory.
        if left > 0 {
            toll.has_read = true;
            toll.walks += u64::from(left).div_ceil(self.heap.page_lines());
            let lines = Lines { lines: left, dirty: 0, parts: event.parts };
            self.read_memory(number, site, block, lines, now_ps, toll)?;
        }
        // 4. Lines fetched for stores have buffers of their own.
        if event.marked > 0 && self.times.stores != 0 {
            let added_fs = toll.hold_fs - held_fs;
            let own_fs = added_fs * u64::from(event.marked) / u64::from(event.lines.max(1));
            toll.hold_fs -= own_fs;
            toll.own_fs += own_fs * self.times.stores / 1024;
        }
        Ok(())
    }

    /// Takes lines from the private caches of other cores; gives how many.
    fn forward(&mut self, number: usize, block: u32, others: u128, event: Event, toll: &mut Toll) -> u32 {
        let ((held, parts), sockets) = self.held_by(others, block);
        let found = (parts & event.parts).count_ones();
        let most = match () {
            () if self.cores[number].is_in_parts => self.held_of(others, block, event.parts),
            () if found == parts.count_ones() => held,
            () => held * found / parts.count_ones(),
        };
        let is_local = sockets >> self.cores[number].socket & 1 == 1;
        let lines = most.min(event.lines);
        let line_fs = if is_local { self.times.forwarded } else { self.times.remote_forwarded };
        toll.hold_fs += u64::from(lines) * line_fs;
        self.caches.forwarded_lines += u64::from(lines);
        lines
    }

    /// Lines of a block that other cores hold, with their parts, and the sockets of those cores, as a bit set. Looks at one of the
    /// two cores that used the block last, if it holds it still: its lines are the most recent.
    #[inline]
    fn held_by(&self, cores: u128, block: u32) -> ((u32, u64), u64) {
        let entry = &self.heap.blocks[block];
        let (last, before) = (usize::from(entry.last), usize::from(entry.before));
        let other = match () {
            () if cores >> last & 1 == 1 => last,
            () if cores >> before & 1 == 1 => before,
            () => cores.trailing_zeros() as usize,
        };
        let core = &self.cores[other];
        let slot = core.slots.iter().position(|held| *held == block);
        let lines = slot.map_or((0, 0), |slot| self.holds(core, slot as u16));
        let sockets = self.socket_cores.iter().enumerate();
        let mask = sockets.fold(0, |mask, (socket, own)| mask | u64::from(cores & own != 0) << socket);
        (lines, mask)
    }

    /// Finds lines in a last level; a victim cache gives them away.
    fn take_shared(&mut self, socket: usize, block: u32, wanted: u32, parts: u64) -> u32 {
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
    fn take_out(&mut self, socket: usize, block: u32, wanted: u32, parts: u64) -> (u32, u32) {
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
        lines: Lines,
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
        let cost = self.memory.read(place, places, u64::from(lines.lines), client);
        toll.hold_fs += cost.hold_fs;
        toll.done_ps = toll.done_ps.max(cost.done_ps);
        toll.source = cost.tier;
        if self.inclusion == Inclusion::Inclusive {
            self.keep(number, site, block, lines, now_ps, toll);
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
    fn evict(&mut self, number: usize, site: SiteFacts, event: Event, now_ps: u64, toll: &mut Toll) {
        let slot = usize::from(event.slot);
        let block = self.cores[number].slots[slot];
        // Another core has made these lines void.
        if block == NONE {
            return;
        }
        let entry = &mut self.heap.blocks[block];
        if event.kind == EventKind::Leave {
            entry.holders &= !(1 << number);
            self.cores[number].slots[slot] = NONE;
        }
        // Lines that came in dirty leave in proportion; those stored to since are in `marked` already.
        let share = |lines: u32, part: u32, of: u32| {
            (u64::from(lines) * u64::from(part) / u64::from(of.max(1))) as u32
        };
        let carried = share(entry.carried, event.lines, event.lines + event.stays).min(event.lines);
        entry.carried -= carried;
        let dirty = event.marked + share(carried, event.lines - event.marked, event.lines);
        let others = entry.holders & !(1 << number);
        let shape = entry.shape;
        let total = self.heap.lines(shape);
        match self.inclusion {
            // A clean line that another core still holds needs no second copy.
            Inclusion::Victim => {
                let shared = if others == 0 { 0 } else { self.held_by(others, block).0.0.min(total) };
                let clean = event.lines - dirty;
                let lines = match shared {
                    _ if others != 0 && self.cores[number].is_in_parts => {
                        event.lines - self.held_of(others, block, event.parts).min(clean)
                    }
                    0 => event.lines,
                    shared if shared == total => dirty,
                    _ => event.lines - (u64::from(clean) * u64::from(shared) / u64::from(total)) as u32,
                };
                let lines = Lines { lines, dirty, parts: event.parts };
                self.keep(number, site, block, lines, now_ps, toll);
            }
            Inclusion::Inclusive => {
                let socket = self.cores[number].socket;
                let stays = self.shared[socket].soil(block, dirty);
                if dirty > stays {
                    self.write_memory(number, site, block, dirty - stays, now_ps, toll);
                }
            }
        }
    }

    /// Puts lines into the last level of the core's socket and writes what has to leave it.
    fn keep(
        &mut self,
        number: usize,
        site: SiteFacts,
        block: u32,
        lines: Lines,
        now_ps: u64,
        toll: &mut Toll,
    ) {
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
                self.write_memory(number, site, left.block, left.dirty, now_ps, toll);
            }
        }
        self.leaving = leaving;
    }

    fn write_memory(
        &mut self,
        number: usize,
        site: SiteFacts,
        block: u32,
        lines: u32,
        now_ps: u64,
        toll: &mut Toll,
    ) {
        let entry = &mut self.heap.blocks[block];
        entry.is_remote = false;
        let (place, places, class) = (entry.place, entry.places, entry.class);
        let client = self.client(number, site, class, now_ps);
        self.send(place, places, lines, client, toll);
    }

    /// Writes lines at places to memory.
    fn send(&mut self, place: u32, places: u16, lines: u32, client: Client, toll: &mut Toll) {
        let done_ps = self.memory.write(place, places, u64::from(lines), client);
        toll.done_ps = toll.done_ps.max(done_ps);
    }

    /// Non-temporal stores: to memory, and no cache keeps a copy.
    fn bypass(
        &mut self,
        number: usize,
        site: SiteFacts,
        event: Event,
        now_ps: u64,
        toll: &mut Toll,
    ) -> Result<(), Error> {
        let block = self.cores[number].slots[usize::from(event.slot)];
        if block == NONE {
            return Ok(());
        }
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
        self.send(place, places, event.lines, client, toll);
        Ok(())
    }

    /// Makes a core the only holder of what it wrote.
    fn own(&mut self, number: usize, written: u64, blocks: &[u32]) {
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

/// Classes are kept as their position, which is their discriminant.
const _: () = assert!(Class::Message as usize + 1 == Class::ALL.len());
