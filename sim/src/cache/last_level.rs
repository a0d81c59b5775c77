//! What lies beyond the private caches: other cores, the L3s of all sockets, and the way out to memory.

use super::{Caches, Found, Intent, Word};
use crate::system::Inclusion;

impl Caches {
    /// Drops the copies of a line in the last levels that a store makes stale.
    pub(super) fn drop_stale(&mut self, core: usize, line: u64) {
        let home = self.sockets[core];
        for socket in 0..self.l3.len() {
            if socket != home || self.inclusion == Inclusion::Victim {
                self.take_l3(socket, line);
            }
        }
    }

    /// Looks beyond the core's private caches; gives where, and whether dirtiness comes along.
    pub(super) fn outside(
        &mut self,
        core: usize,
        line: u64,
        class: u8,
        intent: Intent,
        leaving: &mut Vec<Word>,
    ) -> (Found, bool) {
        let home = self.sockets[core];
        if let Some(from) = self.holder(core, line) {
            self.counters.forwarded_lines += 1;
            if intent == Intent::Store {
                self.drop_others(core, line);
                self.drop_stale(core, line);
            } else {
                self.share(from, line);
            }
            return (Found::Forwarded { from }, false);
        }
        let found = self.find_l3(home, line);
        match found {
            Some(_) => self.counters.l3.hits += 1,
            None => self.counters.l3.misses += 1,
        }
        if let Some((socket, dirty)) = found {
            if self.inclusion == Inclusion::Inclusive && socket != home {
                if intent == Intent::Store {
                    self.take_l3(socket, line);
                }
                self.fill_l3(home, Word::new(line, class), leaving);
            }
            let found = if socket == home { Found::L3 } else { Found::RemoteL3 { socket } };
            return (found, dirty);
        }
        if self.inclusion == Inclusion::Inclusive {
            self.fill_l3(home, Word::new(line, class), leaving);
        }
        (Found::Memory, false)
    }

    /// Finds a line in the own socket's L3, then in the others'; a victim cache gives it away.
    pub(super) fn find_l3(&mut self, home: usize, line: u64) -> Option<(usize, bool)> {
        let sockets = self.l3.len();
        for socket in std::iter::once(home).chain((0..sockets).filter(|socket| *socket != home)) {
            if self.inclusion == Inclusion::Victim {
                if let Some(word) = self.take_l3(socket, line) {
                    return Some((socket, word.is_dirty()));
                }
            } else if self.l3[socket].touch(line).is_some() {
                return Some((socket, false));
            }
        }
        None
    }

    pub(super) fn take_l3(&mut self, socket: usize, line: u64) -> Option<Word> {
        let word = self.l3[socket].remove(line);
        self.l3_losses += u64::from(word.is_some());
        word
    }

    /// Takes a line in as one that a core gives up, whether or not the core had it. Dirty lines that leave are appended
    /// to `leaving`.
    pub(crate) fn give_up(&mut self, core: usize, word: Word, leaving: &mut Vec<Word>) {
        self.fill_l3(self.sockets[core], word, leaving);
    }

    pub(super) fn fill_l3(&mut self, socket: usize, word: Word, leaving: &mut Vec<Word>) {
        if let Some(held) = self.l3[socket].find(word.line()) {
            *held = held.with_dirty(held.is_dirty() || word.is_dirty());
            return;
        }
        let word = if self.l3.len() > 1 { self.gather(socket, word) } else { word };
        self.l3_fills += 1;
        let Some(mut victim) = self.l3[socket].insert(word) else { return };
        self.l3_losses += 1;
        if self.inclusion == Inclusion::Inclusive {
            let held_dirty = self.drop_socket(socket, victim.line());
            victim = victim.with_dirty(victim.is_dirty() || held_dirty);
        }
        if victim.is_dirty() {
            leaving.push(victim);
        }
    }

    /// Takes the copies that other sockets' victim caches have: one copy of a line is enough.
    pub(super) fn gather(&mut self, home: usize, word: Word) -> Word {
        let mut dirty = word.is_dirty();
        if self.inclusion == Inclusion::Victim {
            for socket in (0..self.l3.len()).filter(|socket| *socket != home) {
                dirty |= self.take_l3(socket, word.line()).is_some_and(Word::is_dirty);
            }
        }
        word.with_dirty(dirty)
    }
}
