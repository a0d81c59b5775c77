//! Long calls in parts.
//!
//! A call that fetches as much as a private cache holds comes back to lines that it has given to the last level. Run
//! whole, it would find all of them, because no other core got a turn in between; in the machine all cores use the last
//! level meanwhile. And what cores want of memory at once would be given to one after the other, so that cores that began
//! together would not stay together, as they do in the machine where they read the same key. So a call that fetches more
//! than half of a private cache (a key switch, a square of large ciphertexts) takes a turn for each of its sweeps. Where the
//! limit lies is seen in LeNet-5: `LONG_SHARE` of `caches::private`, `docs/fidelity.md`.

use super::call::MOST;
use super::cores::Core;
use super::{Engine, SiteFacts};
use crate::Error;
use crate::stream::caches::contents::Parts;
use crate::stream::caches::pieces::EventKind;
use crate::stream::caches::private::{Segment, Transition};
use crate::stream::heap::blocks::NONE;

/// A call of which parts are still to come.
#[derive(Clone, Debug)]
pub(in crate::stream) struct UnderWay {
    /// Its site.
    pub site: SiteFacts,
    /// What it does.
    pub transition: Transition,
    /// Its tracked operands, and how many.
    pub blocks: [u32; MOST],
    /// Number of operands.
    pub operands: usize,
    /// Next of its segments.
    segment: u32,
    /// What the private caches hold by now: lines by slot, and the parts that they are of.
    held: Vec<(u32, Parts)>,
}

impl UnderWay {
    /// Notes what a segment brought into the private caches and what it pushed out.
    fn note(&mut self, kind: EventKind, slot: u16, (lines, stays, parts): (u32, u32, Parts)) {
        let slot = usize::from(slot);
        if self.held.len() <= slot {
            self.held.resize(slot + 1, (0, 0));
        }
        let held = &mut self.held[slot];
        *held = match kind {
            EventKind::Fetch => (held.0 + lines, held.1 | parts),
            EventKind::Evict => (stays, held.1 & !parts),
            EventKind::Leave => (0, 0),
            EventKind::Bypass => *held,
        };
    }
}

impl Engine<'_> {
    /// Whether a call is to be run in parts.
    #[inline]
    pub(super) fn is_long(&self, transition: &Transition) -> bool {
        transition.segment_count > 1 && self.private.is_long(transition.fetched) && self.cores.len() > 1
    }

    /// Leaves the segments of a call to later turns.
    pub(super) fn put_under_way(
        &mut self,
        number: usize,
        site: SiteFacts,
        transition: Transition,
        operands: &[u32],
    ) {
        let core = &mut self.cores[number];
        let slots = 0..core.slots.count() as u16;
        let mut blocks = [NONE; MOST];
        blocks[..operands.len()].copy_from_slice(operands);
        core.is_in_parts = true;
        core.under_way = Some(Box::new(UnderWay {
            site,
            transition,
            blocks,
            operands: operands.len(),
            segment: transition.segments,
            held: slots.map(|slot| self.private.resident(core.state, slot)).collect(),
        }));
    }

    /// Runs the next segment of the call that a core has under way; false if it has none.
    pub(super) fn go_on(&mut self, number: usize) -> Result<bool, Error> {
        let Some(mut way) = self.cores[number].under_way.take() else { return Ok(false) };
        let segment = self.private.segments[way.segment as usize];
        let elapsed_fs = self.cores[number].carry_fs + self.segment(number, way.site, segment, 0)?;
        self.spend(number, way.site, elapsed_fs);
        let Segment { first, count, .. } = segment;
        for event in &self.private.events[first as usize..(first + count) as usize] {
            way.note(event.kind, event.slot, (event.lines, event.stays, event.parts));
        }
        way.segment += 1;
        if way.segment < way.transition.segments + way.transition.segment_count {
            self.cores[number].under_way = Some(way);
        } else {
            self.cores[number].is_in_parts = false;
            self.end_call(number, way.site, &way.transition, &way.blocks[..way.operands], true);
        }
        Ok(true)
    }

    /// Runs all calls under way to their ends.
    pub(super) fn finish_all(&mut self) -> Result<(), Error> {
        (0..self.cores.len()).try_for_each(|core| {
            while self.go_on(core)? {}
            Ok(())
        })
    }

    /// Lines of some parts of a block that other cores hold, each counted once.
    pub(super) fn held_of(&self, mut cores: u128, block: u32, wanted: Parts) -> u32 {
        let (mut lines, mut left) = (0, wanted);
        while cores != 0 && left != 0 {
            let core = &self.cores[cores.trailing_zeros() as usize];
            cores &= cores - 1;
            let Some(slot) = core.slots.find(block) else { continue };
            let (held, parts) = self.holds(core, slot);
            let found = parts & left;
            if found != 0 {
                lines +=
                    (u64::from(held) * u64::from(found.count_ones()) / u64::from(parts.count_ones())) as u32;
                left &= !found;
            }
        }
        lines
    }

    /// Lines that a core's private caches hold in a slot, and the parts that they are of.
    #[inline]
    pub(super) fn holds(&self, core: &Core<'_>, slot: u16) -> (u32, Parts) {
        match &core.under_way {
            None => self.private.resident(core.state, slot),
            Some(way) => way.held.get(usize::from(slot)).copied().unwrap_or_default(),
        }
    }
}
