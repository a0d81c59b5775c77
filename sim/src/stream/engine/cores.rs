//! A simulated core.

use std::collections::VecDeque;

use super::regions::Share;
use super::under_way::UnderWay;
use crate::core::{Source, Tempo};
use crate::stream::caches::contents::Parts;
use crate::stream::caches::key::MOST_SLOTS;
use crate::stream::heap::blocks::NONE;

/// Which block each slot of a core's private caches stands for. A cache of more than 2,048 objects is not followed to the
/// last: those beyond count as void.
#[derive(Clone, Debug)]
pub(in crate::stream) struct Slots {
    /// [`NONE`] for lines that another core has made void.
    blocks: Box<[u32; MOST_SLOTS as usize]>,
    /// Those from here on mean nothing.
    count: usize,
}

impl Slots {
    /// No slot.
    pub fn new() -> Self {
        Self { blocks: Box::new([NONE; MOST_SLOTS as usize]), count: 0 }
    }

    /// Number of slots.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The block of a slot; [`NONE`] if it has none.
    #[inline]
    pub fn block(&self, slot: u16) -> u32 {
        self.blocks.get(usize::from(slot)).copied().unwrap_or(NONE)
    }

    /// Slot of a block. Those used last come first.
    #[inline]
    pub fn find(&self, block: u32) -> Option<u16> {
        self.blocks[..self.count].iter().position(|held| *held == block).map(|slot| slot as u16)
    }

    /// Gives a slot a block.
    #[inline]
    pub fn set(&mut self, slot: u16, block: u32) {
        if let Some(held) = self.blocks.get_mut(usize::from(slot)) {
            *held = block;
            self.count = self.count.max(usize::from(slot) + 1);
        }
    }

    /// Takes a slot's block away.
    #[inline]
    pub fn clear(&mut self, slot: u16) {
        if let Some(held) = self.blocks.get_mut(usize::from(slot)) {
            *held = NONE;
        }
    }

    /// Takes the blocks that others had, in an order by their slots there.
    #[inline]
    pub fn reorder(&mut self, others: &Self, order: &[u16]) {
        for (block, slot) in self.blocks.iter_mut().zip(order) {
            *block = others.block(*slot);
        }
        self.count = order.len().min(self.blocks.len());
    }
}

/// A simulated core.
pub(in crate::stream) struct Core<'p> {
    pub socket: usize,
    /// The core as a set.
    pub bit: u128,
    pub clock_ps: u64,
    /// Femtoseconds not yet in `clock_ps`, below 1000.
    pub carry_fs: u64,
    /// State of the private caches.
    pub state: u32,
    /// Block by slot of the private caches.
    pub slots: Slots,
    /// Where the latest call left its operands: first and number in the arena of places.
    pub left: (u32, u32),
    pub compute_fs: u128,
    /// Of the present call.
    pub tempo: Tempo,
    pub stalls: [u64; Source::COUNT],
    /// Calls, whether simulated or counted by others.
    pub calls: u64,
    /// A long call that goes on in the core's next turns.
    pub under_way: Option<Box<UnderWay>>,
    /// What the latest part of that call fetched from memory: block, parts, and when they are complete.
    pub on_the_way: Vec<(u32, Parts, u64)>,
    /// Whether the call that it is in is such a one.
    pub is_in_parts: bool,
    pub words: Vec<u32>,
    pub at: usize,
    pub share: Option<Share<'p>>,
    pub waiting: VecDeque<Share<'p>>,
}

impl Core<'_> {
    pub fn new(number: usize, socket: usize) -> Self {
        Self {
            socket,
            bit: 1 << number,
            clock_ps: 0,
            carry_fs: 0,
            state: 0,
            slots: Slots::new(),
            left: (0, 0),
            compute_fs: 0,
            tempo: Tempo::default(),
            stalls: [0; Source::COUNT],
            calls: 0,
            under_way: None,
            on_the_way: Vec::new(),
            is_in_parts: false,
            words: Vec::new(),
            at: usize::MAX,
            share: None,
            waiting: VecDeque::new(),
        }
    }

    pub(in crate::stream) fn idle_until(&mut self, at_ps: u64) {
        if at_ps > self.clock_ps {
            self.stalls[usize::from(Source::IDLE.0)] += at_ps - self.clock_ps;
            self.clock_ps = at_ps;
        }
    }

    /// Goes on to the share dealt next, not before it was dealt.
    pub(super) fn next_share(&mut self) {
        self.share = self.waiting.pop_front();
        if let Some(from_ps) = self.share.as_ref().map(|share| share.from_ps) {
            self.idle_until(from_ps);
        }
        self.words.clear();
        self.at = usize::MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_found_by_block_until_cleared_and_beyond_the_last_are_void() {
        let (mut slots, mut after) = (Slots::new(), Slots::new());
        for (slot, block) in [(0, 7), (1, 8), (MOST_SLOTS - 1, 9), (MOST_SLOTS, 10)] {
            slots.set(slot, block);
        }

        assert_eq!(
            [7, 8, 9, 10].map(|block| slots.find(block)),
            [Some(0), Some(1), Some(MOST_SLOTS - 1), None]
        );
        assert_eq!((slots.block(MOST_SLOTS), slots.count()), (NONE, MOST_SLOTS.into()));
        slots.clear(1);
        slots.clear(MOST_SLOTS);
        after.reorder(&slots, &[MOST_SLOTS - 1, 0, 1, MOST_SLOTS]);
        assert_eq!([0, 1, 2, 3].map(|slot| after.block(slot)), [9, 7, NONE, NONE]);
        assert_eq!((after.find(8), after.count()), (None, 4));
    }
}
