//! One call of one core: the inner event of the stream engine.

use hetier_traces::Class;

use super::cores::Core;
use super::exchange::Toll;
use super::{Engine, SiteFacts};
use crate::Error;
use crate::core::Source;
use crate::stream::caches::pieces::EventKind;
use crate::stream::caches::private::{Key, MOST_OPERANDS, Segment, Transition, Whereabouts};
use crate::stream::heap::blocks::NONE;

/// Tracked operands of one call.
pub(super) const MOST: usize = 16;

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
        self.caches.l2.misses += transition.fetched + transition.returned;
        self.caches.l3.hits += transition.returned;
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
        self.cores[number].lanes = segment.lanes;
        self.cores[number].on_the_way.clear();
        let mut toll = Toll { source: Source::CACHE.0, ..Toll::default() };
        toll.hold_fs = u64::from(segment.second_level) * self.times.second_level
            + u64::from(segment.returned) * self.times.last_level;
        for event in segment.first as usize..(segment.first + segment.count) as usize {
            let event = self.private.events[event];
            let block = self.cores[number].slots[usize::from(event.slot)];
            // Another core has made these lines void.
            if block == NONE {
                continue;
            }
            let what = (block, event);
            match event.kind {
                EventKind::Fetch => self.fetch(number, site, what, now_ps, &mut toll)?,
                EventKind::Bypass => self.bypass(number, site, what, now_ps, &mut toll)?,
                EventKind::Evict | EventKind::Leave => self.evict(number, site, what, now_ps),
            }
        }
        let client = self.client(number, site, toll.class, now_ps);
        toll.done_ps = toll.done_ps.max(self.memory.end_writes(client));
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
            self.memory.end_fetches();
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
                if self.cores[number].is_in_parts {
                    self.cores[number].on_the_way.push((block, event.parts, ready_ps));
                }
                let entry = &mut self.heap.blocks[block];
                entry.ready_ps = entry.ready_ps.max(ready_ps);
            }
        }
    }
}

/// Classes are kept as their position, which is their discriminant.
const _: () = assert!(Class::Message as usize + 1 == Class::ALL.len());
