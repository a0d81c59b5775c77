//! A simulated core.

use std::collections::VecDeque;

use super::regions::Share;
use super::under_way::UnderWay;
use crate::core::{Source, Tempo};
use crate::stream::caches::contents::Parts;

/// A simulated core.
pub(in crate::stream) struct Core<'p> {
    pub socket: usize,
    pub clock_ps: u64,
    /// Femtoseconds not yet in `clock_ps`, below 1000.
    pub carry_fs: u64,
    /// State of the private caches.
    pub state: u32,
    /// Block by slot of the private caches.
    pub slots: Vec<u32>,
    /// Where the latest call left its operands: first and number in the arena of places.
    pub left: (u32, u32),
    pub compute_fs: u64,
    /// Of the present call.
    pub tempo: Tempo,
    /// Lanes that fetch in the present segment.
    pub lanes: u32,
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
    pub fn new(socket: usize) -> Self {
        Self {
            socket,
            clock_ps: 0,
            carry_fs: 0,
            state: 0,
            slots: Vec::new(),
            left: (0, 0),
            compute_fs: 0,
            tempo: Tempo::default(),
            lanes: 0,
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

    pub(super) fn next_share(&mut self) {
        self.share = self.waiting.pop_front();
        self.words.clear();
        self.at = usize::MAX;
    }
}
