//! A private cache as a list of object pieces in order of use: the mechanism that [`private`](super::private)
//! memoises.
//!
//! What comes to the same sets is a matter of chance, so a piece has lost a part of its lines ([`conflicts`](super::conflicts))
//! before it leaves. If it is used again these come back from the last level, where nothing has happened to them since: that
//! costs time, and no other core sees it.

use hetier_traces::Access;

use super::conflicts::QUARTERS;
use super::contents::{Contents, Parts, Piece, Shape, Slot};
use super::plan::{LanePlan, SweepPlan};

const NONE: u32 = u32::MAX;

/// When a cache says that lines have left of an object of which something stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// After the call, if they are half of the object: cheap, and right for calls that take no time against what the
    /// last level holds.
    Late,
    /// After the sweep that pushed them out, as memory sees them.
    Promptly,
}

/// What happens at the border of the private cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which way.
    pub kind: EventKind,
    /// The object.
    pub slot: u16,
    /// Lines; of an eviction, clean and dirty ones.
    pub lines: u32,
    /// Of a fetch, those fetched for a store; of an eviction, the dirty ones.
    pub marked: u32,
    /// Of an eviction, lines of the object that stay.
    pub stays: u32,
    /// Where in the object.
    pub parts: Parts,
}

/// Which way lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Into the private cache.
    Fetch,
    /// Past it, to memory: non-temporal stores.
    Bypass,
    /// Out of it; the object stays in part.
    Evict,
    /// Out of it, and nothing of the object is left.
    Leave,
}

/// What one sweep found in the private cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Lines found in the second level that the first had lost.
    pub second_level: u64,
    /// Lines that conflicts had pushed out, and that come back from the last level.
    pub returned: u64,
    /// Lines fetched from outside.
    pub fetched: u64,
    /// Lanes that those are of.
    pub lanes: u32,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    piece: Piece,
    before: u32,
    after: u32,
    /// Value of the clock at the last touch.
    stamp: u64,
}

/// A private cache at work.
#[derive(Clone, Debug)]
pub struct Cache {
    nodes: Vec<Node>,
    free: Vec<u32>,
    newest: u32,
    /// Oldest piece that still has quarter `q`, the lines from the newest to it, and how many those may be.
    oldest: [u32; QUARTERS],
    depth: [u64; QUARTERS],
    limits: [u64; QUARTERS],
    /// Node by slot and piece.
    at: Vec<Vec<u32>>,
    slots: Vec<Slot>,
    /// Resident lines by slot.
    held: Vec<u32>,
    first_level: u64,
    announces: Announce,
    /// Lines touched so far.
    clock: u64,
    /// What crossed the border.
    pub events: Vec<Event>,
}

impl Cache {
    /// Sets a cache that loses quarters beyond `limits` lines up with what it holds, behind a first level of `first_level`
    /// lines.
    pub fn new(contents: &Contents, limits: [u64; QUARTERS], first_level: u64, announces: Announce) -> Self {
        let at = contents.slots.iter().map(|slot| vec![NONE; slot.shape.pieces()]).collect();
        let mut cache = Self {
            nodes: Vec::with_capacity(contents.pieces.len() + 64),
            free: Vec::new(),
            newest: NONE,
            oldest: [NONE; QUARTERS],
            depth: [0; QUARTERS],
            limits,
            at,
            slots: contents.slots.clone(),
            held: vec![0; contents.slots.len()],
            first_level,
            announces,
            clock: first_level + 1,
            events: Vec::new(),
        };
        for piece in &contents.pieces {
            cache.held[usize::from(piece.slot)] += u32::from(piece.lines);
            cache.push(*piece, 0);
        }
        cache
    }

    /// Takes a new slot for an object that is not there.
    pub fn claim(&mut self, shape: Shape) -> u16 {
        self.slots.push(Slot { shape, clean_out: 0, dirty_out: 0, parts_out: 0 });
        self.held.push(0);
        self.at.push(vec![NONE; shape.pieces()]);
        self.slots.len() as u16 - 1
    }

    /// Runs a sweep; `slots` gives the slot of each operand of the macro, `None` for those not tracked.
    pub fn sweep(&mut self, sweep: &SweepPlan, slots: &[Option<u16>]) -> Served {
        let first_event = self.events.len();
        let lanes: Vec<(&LanePlan, u16)> = sweep
            .lanes
            .iter()
            .filter_map(|lane| {
                slots.get(usize::from(lane.operand)).copied().flatten().map(|slot| (lane, slot))
            })
            .collect();
        let ranges: Vec<(u64, u64)> = lanes.iter().map(|&(lane, slot)| self.range(lane, slot)).collect();
        let steps = ranges.iter().map(|range| range.1 - range.0).max().unwrap_or(0);
        let mut served = Served::default();
        let mut fetching = vec![false; lanes.len()];
        for step in 0..steps {
            for ((&(lane, slot), &(from, to)), fetches) in lanes.iter().zip(&ranges).zip(&mut fetching) {
                let (pieces, fetched) = (to - from, served.fetched);
                for number in from + step * pieces / steps..from + (step + 1) * pieces / steps {
                    self.touch(lane, slot, number as u16, first_event, &mut served);
                }
                *fetches |= served.fetched > fetched;
            }
        }
        served.lanes = fetching.into_iter().map(u32::from).sum();
        if self.announces == Announce::Promptly && self.events.len() > first_event {
            for slot in 0..self.slots.len() {
                if self.held[slot] > 0 {
                    self.announce(slot as u16, EventKind::Evict);
                }
            }
        }
        served
    }

    /// Pieces that a lane overlaps.
    fn range(&self, lane: &LanePlan, slot: u16) -> (u64, u64) {
        let shape = self.slots[usize::from(slot)].shape;
        let piece = u64::from(shape.piece_lines);
        let end = (lane.first_line + lane.extent_lines).min(u64::from(shape.lines));
        (lane.first_line.min(end) / piece, end.div_ceil(piece))
    }

    fn touch(&mut self, lane: &LanePlan, slot: u16, number: u16, first_event: usize, served: &mut Served) {
        let shape = self.slots[usize::from(slot)].shape;
        let lines = overlap(lane, shape, number);
        self.clock += u64::from(lines);
        if lane.bypasses {
            return self.bypass(slot, number, lines, first_event);
        }
        let is_write = lane.access.is_write();
        let node = self.at[usize::from(slot)][usize::from(number)];
        if node != NONE {
            let is_near = self.clock - self.nodes[node as usize].stamp <= self.first_level;
            let Piece { lines: held, gone, .. } = self.nodes[node as usize].piece;
            let found = lines.min(held.into());
            let returned =
                found.saturating_sub(u32::from(held) * (QUARTERS as u32 - u32::from(gone)) / QUARTERS as u32);
            served.second_level += if is_near { 0 } else { u64::from(found - returned) };
            served.returned += u64::from(returned);
        }
        let held = if node == NONE { 0 } else { u32::from(self.nodes[node as usize].piece.lines) };
        let fetched = lines.saturating_sub(held);
        if fetched > 0 {
            served.fetched += u64::from(fetched);
            self.fetch(slot, (fetched, shape.part(number)), lane.access == Access::Write, first_event);
        }
        let mut piece = if node == NONE {
            Piece { slot, number, ..Piece::default() }
        } else {
            self.unlink(node);
            self.nodes[node as usize].piece
        };
        piece.lines = piece.lines.max(lines as u16);
        piece.dirty = if is_write { piece.dirty.max(lines as u16) } else { piece.dirty };
        piece.gone = 0;
        self.held[usize::from(slot)] += fetched;
        self.push(piece, self.clock);
        self.shrink();
    }

    fn fetch(&mut self, slot: u16, (lines, parts): (u32, Parts), is_store: bool, first_event: usize) {
        let marked = if is_store { lines } else { 0 };
        self.cross(Event { kind: EventKind::Fetch, slot, lines, marked, stays: 0, parts }, first_event);
    }

    /// Stores past the cache; what it held of the piece is overwritten in memory.
    fn bypass(&mut self, slot: u16, number: u16, lines: u32, first_event: usize) {
        let node = self.at[usize::from(slot)][usize::from(number)];
        if node != NONE {
            self.held[usize::from(slot)] -= u32::from(self.nodes[node as usize].piece.lines);
            self.unlink(node);
        }
        let parts = self.slots[usize::from(slot)].shape.part(number);
        self.cross(Event { kind: EventKind::Bypass, slot, lines, marked: 0, stays: 0, parts }, first_event);
    }

    /// Adds to the event of its kind in this sweep, or starts one.
    fn cross(&mut self, crossing: Event, first_event: usize) {
        let is_same = |event: &&mut Event| event.slot == crossing.slot && event.kind == crossing.kind;
        let held = &self.slots[usize::from(crossing.slot)];
        // A sweep over more than the cache comes back to lines that it has just pushed out.
        let has_left = (held.clean_out + held.dirty_out) * 4 >= held.shape.lines;
        if !has_left && let Some(event) = self.events[first_event..].iter_mut().rev().find(is_same) {
            event.lines += crossing.lines;
            event.marked += crossing.marked;
            event.parts |= crossing.parts;
            return;
        }
        self.announce(crossing.slot, EventKind::Evict);
        self.events.push(crossing);
    }

    /// Announces what left a slot, if anything did or `kind` is `Leave`.
    fn announce(&mut self, slot: u16, kind: EventKind) {
        let held = &mut self.slots[usize::from(slot)];
        let lines = held.clean_out + held.dirty_out;
        if lines > 0 || kind == EventKind::Leave {
            let (marked, stays) = (held.dirty_out, self.held[usize::from(slot)]);
            let parts = held.parts_out;
            (held.clean_out, held.dirty_out, held.parts_out) = (0, 0, 0);
            self.events.push(Event { kind, slot, lines, marked, stays, parts });
        }
    }

    fn shrink(&mut self) {
        for quarter in 0..QUARTERS {
            while self.depth[quarter] > self.limits[quarter] && self.oldest[quarter] != self.newest {
                self.lose(quarter);
            }
        }
    }

    /// The oldest piece that has a quarter loses it; with the last one it leaves.
    fn lose(&mut self, quarter: usize) {
        let node = self.oldest[quarter];
        let Node { piece, after, .. } = &mut self.nodes[node as usize];
        piece.gone = quarter as u8 + 1;
        self.depth[quarter] -= u64::from(piece.lines);
        self.oldest[quarter] = *after;
        if quarter + 1 < QUARTERS {
            return;
        }
        let piece = *piece;
        self.unlink(node);
        let held = &mut self.slots[usize::from(piece.slot)];
        held.dirty_out += u32::from(piece.dirty);
        held.clean_out += u32::from(piece.lines - piece.dirty);
        held.parts_out |= held.shape.part(piece.number);
        self.held[usize::from(piece.slot)] -= u32::from(piece.lines);
    }

    fn push(&mut self, piece: Piece, stamp: u64) {
        let node = Node { piece, before: self.newest, after: NONE, stamp };
        let place = match self.free.pop() {
            Some(place) => {
                self.nodes[place as usize] = node;
                place
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() as u32 - 1
            }
        };
        if self.newest != NONE {
            self.nodes[self.newest as usize].after = place;
        }
        self.newest = place;
        for quarter in usize::from(piece.gone)..QUARTERS {
            self.depth[quarter] += u64::from(piece.lines);
            if self.oldest[quarter] == NONE {
                self.oldest[quarter] = place;
            }
        }
        self.at[usize::from(piece.slot)][usize::from(piece.number)] = place;
    }

    fn unlink(&mut self, place: u32) {
        let Node { piece, before, after, .. } = self.nodes[place as usize];
        for quarter in usize::from(piece.gone)..QUARTERS {
            self.depth[quarter] -= u64::from(piece.lines);
            if self.oldest[quarter] == place {
                self.oldest[quarter] = after;
            }
        }
        if before != NONE {
            self.nodes[before as usize].after = after;
        }
        match after {
            NONE => self.newest = before,
            after => self.nodes[after as usize].before = before,
        }
        self.at[usize::from(piece.slot)][usize::from(piece.number)] = NONE;
        self.free.push(place);
    }

    /// Announces objects that left in whole or by half at least; gives what remains, what crossed the border, and
    /// the slot that each new slot had during the call.
    pub fn finish(mut self) -> (Contents, Vec<Event>, Vec<u16>) {
        for slot in 0..self.slots.len() {
            let Slot { shape, clean_out, dirty_out, .. } = self.slots[slot];
            if self.held[slot] == 0 {
                self.announce(slot as u16, EventKind::Leave);
            } else if (clean_out + dirty_out) * 2 >= shape.lines {
                self.announce(slot as u16, EventKind::Evict);
            }
        }
        let (mut order, mut number) = (Vec::new(), vec![u16::MAX; self.slots.len()]);
        let mut pieces = Vec::with_capacity(self.nodes.len());
        let mut node = self.newest;
        while node != NONE {
            let Node { mut piece, before, .. } = self.nodes[node as usize];
            let number = &mut number[usize::from(piece.slot)];
            if *number == u16::MAX {
                *number = order.len() as u16;
                order.push(piece.slot);
            }
            piece.slot = *number;
            pieces.push(piece);
            node = before;
        }
        pieces.reverse();
        let slots = order.iter().map(|slot| self.slots[usize::from(*slot)]).collect();
        (Contents { pieces, slots }, self.events, order)
    }
}

/// Lines of a piece that a lane touches.
fn overlap(lane: &LanePlan, shape: Shape, number: u16) -> u32 {
    let start = u64::from(number) * u64::from(shape.piece_lines);
    let end = (start + u64::from(shape.piece_lines)).min(u64::from(shape.lines));
    let from = start.max(lane.first_line);
    let to = end.min(lane.first_line + lane.extent_lines);
    let inside = to.saturating_sub(from);
    if lane.touched_lines == lane.extent_lines {
        return inside as u32;
    }
    // Spread touched lines evenly over the extent, rounding so that the parts add up.
    let until = |line: u64| (line - lane.first_line) * lane.touched_lines / lane.extent_lines;
    if inside == 0 { 0 } else { (until(to) - until(from)) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(cache: &mut Cache, slot: u16, lines: u64) -> Served {
        let (first_line, access) = (0, Access::Read);
        let (extent_lines, touched_lines, accesses) = (lines, lines, lines);
        let lane = LanePlan {
            operand: 0,
            access,
            first_line,
            extent_lines,
            touched_lines,
            accesses,
            bypasses: false,
        };
        cache.sweep(&SweepPlan { lanes: vec![lane], compute_fs: 0 }, &[Some(slot)])
    }

    #[test]
    fn what_conflicts_push_out_comes_back_from_the_last_level_until_all_of_it_has_left() {
        // Quarters are gone at 600, 800 and 1024 lines; a piece is 16 lines.
        let limits = [600, 800, 1024, 1024];
        for (others, expected) in [(300, (0, 0)), (400, (64, 0)), (600, (128, 0)), (800, (0, 256))] {
            let mut cache = Cache::new(&Contents::default(), limits, 32, Announce::Late);
            let slots = [256, others].map(|lines| cache.claim(Shape::new(lines, 1024)));
            reading(&mut cache, slots[0], 256);
            reading(&mut cache, slots[1], others);

            let served = reading(&mut cache, slots[0], 256);

            // Its first pieces come back while the last of them are lost in turn.
            let found = (served.returned, served.fetched);
            assert!(
                found.0.abs_diff(expected.0) <= 16 && found.1.abs_diff(expected.1) <= 16,
                "{others}: {found:?}"
            );
            assert_eq!(served.returned + served.fetched + served.second_level, 256);
        }
    }

    #[test]
    fn limb_after_limb_of_a_ciphertext_fetches_every_line_once() {
        // Six limbs of 32 lines: a sixteenth of the object is 12 lines, of which limbs are no multiple.
        let mut cache = Cache::new(&Contents::default(), [1024; QUARTERS], 32, Announce::Late);
        let slot = cache.claim(Shape::new(192, 1024));
        let fetched = (0..6).map(|limb| {
            let lane = LanePlan {
                operand: 0,
                access: Access::Read,
                first_line: limb * 32,
                extent_lines: 32,
                touched_lines: 32,
                accesses: 32,
                bypasses: false,
            };
            cache.sweep(&SweepPlan { lanes: vec![lane], compute_fs: 0 }, &[Some(slot)]).fetched
        });

        assert_eq!(fetched.collect::<Vec<_>>(), [32; 6]);
    }
}
