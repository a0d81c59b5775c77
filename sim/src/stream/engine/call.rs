//! One call of one core: the inner event of the stream engine.

use hetier_traces::Class;

use super::cores::Core;
use super::exchange::Toll;
use super::waited::{CACHES, Waited, deal};
use super::{Engine, SiteFacts};
use crate::Error;
use crate::core::Source;
use crate::stream::caches::key::{Key, Whereabouts};
use crate::stream::caches::pieces::EventKind;
use crate::stream::caches::private::{GONE, Segment, Transition};
use crate::stream::heap::blocks::{Block, NONE};

/// Tracked operands of one call.
pub(super) const MOST: usize = 16;

/// Tracked operands of a call: their blocks, and what the private caches know of them.
struct Operands {
    blocks: [u32; MOST],
    whereabouts: [Whereabouts; MOST],
    /// Whether other cores hold what is written.
    is_shared: bool,
}

impl Engine<'_> {
    /// Runs a call on the objects named, from the core's clock on.
    #[inline]
    pub(super) fn call(&mut self, number: usize, site: SiteFacts, objects: &[u32]) -> Result<(), Error> {
        self.calls += 1;
        // 1. Where are the operands?
        let whereabouts = [Whereabouts::slot(0); MOST];
        let mut operands = Operands { blocks: [NONE; MOST], whereabouts, is_shared: false };
        self.locate(number, site, objects, &mut operands)?;
        let Operands { blocks, whereabouts, is_shared } = operands;
        let (blocks, whereabouts) = (&blocks[..objects.len()], &whereabouts[..objects.len()]);
        let remapped_ps = match self.heap.blocks.are_all_mapped() {
            true => 0,
            false => self.remap(number, site, blocks)?,
        };
        // 2. What do the private caches make of it?
        let key = Key::of(site.signature, whereabouts);
        let transition = match self.private.find(self.cores[number].state, key) {
            Some(transition) => *transition,
            None => self.learn(number, key, site, whereabouts)?,
        };
        let (core, tally) = (&mut self.cores[number], &mut self.tallies[site.callee as usize]);
        let places = &self.private.places[transition.places as usize..];
        for ((block, place), whereabouts) in blocks.iter().zip(places).zip(whereabouts) {
            // Those that were there stay where they were.
            if *whereabouts != Whereabouts::slot(*place) {
                core.slots.set(*place, *block);
                self.heap.blocks[*block].holders |= core.bit;
            }
        }
        // 3. Time, and traffic beyond the private caches.
        let plan = &self.plans[site.callee as usize];
        self.accesses += plan.accesses;
        tally.calls += 1;
        core.tempo = self.jitter.tempo(number, core.calls);
        core.calls += 1;
        core.compute_fs += u128::from(core.tempo.of(plan.compute_fs));
        let inside_fs = core.tempo.of(transition.inside_fs);
        let mut elapsed_fs = core.carry_fs + plan.overhead_fs + inside_fs + remapped_ps * 1000;
        let inside_stall_fs = inside_fs.saturating_sub(core.tempo.of(transition.inside_compute_fs));
        for (source, fs) in [(Source::OVERHEAD, plan.overhead_fs), (Source::CACHE, inside_stall_fs)] {
            core.stalls[usize::from(source.0)] += fs / 1000;
            tally.stalls[usize::from(source.0)] += fs / 1000;
        }
        if self.is_long(&transition) {
            self.put_under_way(number, site, transition, blocks);
            self.spend(number, site, elapsed_fs);
            return Ok(());
        }
        for segment in transition.segments..transition.segments + transition.segment_count {
            let segment = self.private.segments[segment as usize];
            elapsed_fs += self.segment(number, site, segment, elapsed_fs / 1000)?;
        }
        self.spend(number, site, elapsed_fs);
        self.end_call(number, site, &transition, blocks, is_shared);
        Ok(())
    }

    /// Finds the blocks of a call's operands, and where in the core's private caches they are; the core is the last that
    /// uses them.
    #[inline]
    fn locate(
        &mut self,
        number: usize,
        site: SiteFacts,
        objects: &[u32],
        operands: &mut Operands,
    ) -> Result<(), Error> {
        if objects.len() > MOST {
            return Err(self.crowded(site, objects.len()));
        }
        let core = &self.cores[number];
        let left = self.private.left(core.left);
        for (at, object) in objects.iter().enumerate() {
            let block = self.heap.blocks.of(*object);
            if block == NONE {
                return Err(self.dead(*object));
            }
            let entry = &mut self.heap.blocks[block];
            entry.used = [number as u8, entry.used[0]];
            if site.written >> (at % 64) & 1 == 1 {
                operands.is_shared |= entry.holders & !core.bit != 0;
            }
            // Most are where the same operand of the call before was left.
            let before = left.get(at).copied().unwrap_or(GONE);
            operands.whereabouts[at] = match core.slots.block(before) == block {
                true => Whereabouts::slot(before),
                false => search(core, &operands.blocks[..at], block, entry),
            };
            operands.blocks[at] = block;
        }
        Ok(())
    }

    /// Maps the blocks of operands that came back without their pages, whether caches hold what is there or not; gives the
    /// time of the faults.
    #[cold]
    fn remap(&mut self, number: usize, site: SiteFacts, blocks: &[u32]) -> Result<u64, Error> {
        let (mut faults, socket) = (0, self.cores[number].socket);
        for block in blocks {
            if self.heap.blocks[*block].places > 0 && !self.heap.blocks.is_mapped(*block) {
                faults += self.heap.map(*block, socket, &mut self.memory)?;
            }
        }
        let fault_ps = faults * self.fault_ps;
        self.caches.page_faults += faults;
        for stalls in [&mut self.cores[number].stalls, &mut self.tallies[site.callee as usize].stalls] {
            stalls[usize::from(Source::FAULT.0)] += fault_ps;
        }
        Ok(fault_ps)
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
        core.slots.reorder(&self.seats, order);
    }

    /// Femtoseconds of a segment that starts `elapsed_ps` into the call.
    pub(super) fn segment(
        &mut self,
        number: usize,
        site: SiteFacts,
        segment: Segment,
        elapsed_ps: u64,
    ) -> Result<u64, Error> {
        let core = &mut self.cores[number];
        core.on_the_way.clear();
        let compute_fs = core.tempo.of(segment.compute_fs);
        let now_ps = core.clock_ps + elapsed_ps;
        let mut toll = Toll::new(number, core, site.primitive, segment.lanes, now_ps);
        toll.hold_fs = u64::from(segment.second_level) * self.times.second_level
            + u64::from(segment.returned) * self.times.last_level;
        toll.waited.by_source[CACHES] = toll.hold_fs;
        for event in segment.first..segment.first + segment.count {
            let event = self.private.events[event as usize];
            let block = self.cores[number].slots.block(event.slot);
            // Another core has made these lines void.
            if block == NONE {
                continue;
            }
            match event.kind {
                EventKind::Fetch => self.fetch(block, event, &mut toll)?,
                EventKind::Bypass => self.bypass(block, event, &mut toll)?,
                EventKind::Evict | EventKind::Leave => self.evict(block, event, &toll),
            }
        }
        toll.done_ps = toll.done_ps.max(self.memory.end_writes(toll.client));
        let wait_fs = toll.done_ps.saturating_sub(now_ps) * 1000;
        // Queues go on while the core walks page tables and takes faults.
        let kernel_fs = toll.walk_fs + toll.fault_ps * 1000;
        let held_fs = toll.hold_fs.max(toll.own_fs) + self.copy_fs(&toll);
        let busy_fs = compute_fs.max(held_fs).max(wait_fs.saturating_sub(kernel_fs));
        self.book(number, site, &toll, (busy_fs - compute_fs) / 1000);
        let total_fs = busy_fs + kernel_fs;
        if toll.has_read {
            self.memory.end_fetches();
            self.mark_ready(number, segment, now_ps + total_fs / 1000);
        }
        Ok(total_fs)
    }

    /// Books what a segment waited.
    #[inline]
    fn book(&mut self, number: usize, site: SiteFacts, toll: &Toll, stalled_ps: u64) {
        let (core, tally) = (&mut self.cores[number], &mut self.tallies[site.callee as usize]);
        let mut add = |source: usize, ps: u64| {
            core.stalls[source] += ps;
            tally.stalls[source] += ps;
        };
        add(usize::from(Source::FAULT.0), toll.fault_ps);
        add(usize::from(Source::TRANSLATION.0), toll.walk_fs / 1000);
        if stalled_ps > 0 {
            let Waited { by_source, by_class } = &toll.waited;
            deal(stalled_ps, by_source, CACHES, add);
            let class_stalls = &mut self.class_stalls;
            deal(stalled_ps, by_class, usize::from(toll.client.class), |class, ps| class_stalls[class] += ps);
        }
        self.caches.page_walks += toll.walks;
    }

    /// Says when the blocks that a segment fetched are complete: cores that follow cannot overtake.
    fn mark_ready(&mut self, number: usize, segment: Segment, ready_ps: u64) {
        let core = &mut self.cores[number];
        for event in &self.private.events[segment.first as usize..(segment.first + segment.count) as usize] {
            let block = core.slots.block(event.slot);
            if event.kind == EventKind::Fetch && block != NONE {
                if core.is_in_parts {
                    core.on_the_way.push((block, event.parts, ready_ps));
                }
                let entry = &mut self.heap.blocks[block];
                entry.ready_ps = entry.ready_ps.max(ready_ps);
            }
        }
    }
}

/// Where a block is that is not where the call before left the same operand; `earlier` are those of the operands before it.
fn search(core: &Core<'_>, earlier: &[u32], block: u32, entry: &Block) -> Whereabouts {
    let found = if entry.holders & core.bit == 0 {
        earlier.iter().position(|earlier| *earlier == block).map(Whereabouts::same)
    } else {
        core.slots.find(block).map(Whereabouts::slot)
    };
    found.unwrap_or(Whereabouts::absent(entry.shape))
}

/// Classes are kept as their position, which is their discriminant.
const _: () = assert!(Class::Heap as usize + 1 == Class::ALL.len());
