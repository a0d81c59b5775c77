//! Who may keep a line when another core wants it: sharing, invalidation, overwriting and writing back on demand.

use super::{Caches, Word};

impl Caches {
    /// Another core that holds a line.
    pub(super) fn holder(&mut self, core: usize, line: u64) -> Option<usize> {
        let holders = self.sharers.as_ref()?.of(line);
        if holders.count == 0 {
            return None;
        }
        if let Some(known) = holders.core.filter(|known| *known != core) {
            return Some(known);
        }
        (0..self.l2.len()).find(|other| *other != core && self.l2[*other].find(line).is_some())
    }

    /// Tells a holder that it is no longer alone: its next store has to ask.
    pub(super) fn share(&mut self, holder: usize, line: u64) {
        if let Some(word) = self.l2[holder].find(line) {
            *word = word.with_sole(false);
        }
        if let Some(word) = self.l1[holder].find(line) {
            *word = word.with_dirty(false);
        }
    }

    /// Makes all other cores drop a line; gives one that held it.
    pub(super) fn drop_others(&mut self, core: usize, line: u64) -> Option<usize> {
        let holders = self.sharers.as_ref()?.of(line);
        if let (1, Some(known)) = (holders.count, holders.core) {
            return if known == core { None } else { self.invalidate(known, line) };
        }
        let mut first = None;
        if holders.count > 0 {
            for other in (0..self.l2.len()).filter(|other| *other != core) {
                first = first.or(self.invalidate(other, line));
            }
        }
        first
    }

    pub(super) fn invalidate(&mut self, core: usize, line: u64) -> Option<usize> {
        self.drop_private(core, line)?;
        self.counters.invalidated_lines += 1;
        Some(core)
    }

    pub(super) fn drop_private(&mut self, core: usize, line: u64) -> Option<Word> {
        self.l1[core].remove(line);
        let word = self.l2[core].remove(line)?;
        self.l2_losses += 1;
        if let Some(sharers) = &mut self.sharers {
            sharers.remove(line, core);
        }
        Some(word)
    }

    /// Makes the cores of a socket drop a line; true if one of them had it dirty.
    pub(super) fn drop_socket(&mut self, socket: usize, line: u64) -> bool {
        if self.sharers.as_ref().is_some_and(|sharers| sharers.of(line).count == 0) {
            return false;
        }
        let mut dirty = false;
        for core in 0..self.l2.len() {
            if self.sockets[core] != socket {
                continue;
            }
            if let Some(word) = self.drop_private(core, line) {
                self.counters.invalidated_lines += 1;
                dirty |= word.is_dirty();
            }
        }
        dirty
    }

    /// Drops a line everywhere because it is overwritten in memory (a non-temporal store); true if it was there.
    pub fn overwrite(&mut self, core: usize, line: u64) -> bool {
        let mut was_there = self.drop_others(core, line).is_some();
        was_there |= self.drop_private(core, line).is_some();
        for socket in 0..self.l3.len() {
            was_there |= self.take_l3(socket, line).is_some();
        }
        was_there
    }

    /// Writes a line back on demand (clwb): true if a dirty copy has to go to memory. The line stays, clean, if
    /// `keep` holds.
    pub fn flush(&mut self, core: usize, line: u64, keep: bool) -> bool {
        let mut dirty = false;
        let is_alone = self.sharers.as_ref().is_none_or(|sharers| sharers.of(line).count == 0);
        let holders = if is_alone { core..core + 1 } else { 0..self.l2.len() };
        for holder in holders {
            let Some(word) = self.l2[holder].find(line) else { continue };
            dirty |= word.is_dirty();
            *word = word.with_dirty(false);
            match keep {
                true => {
                    if let Some(word) = self.l1[holder].find(line) {
                        *word = word.with_dirty(false);
                    }
                }
                false => {
                    self.drop_private(holder, line);
                }
            }
        }
        for socket in 0..self.l3.len() {
            if let Some(word) = self.l3[socket].find(line) {
                dirty |= word.is_dirty();
                *word = word.with_dirty(false);
            }
            if !keep {
                self.take_l3(socket, line);
            }
        }
        dirty
    }
}
