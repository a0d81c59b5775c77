//! Private caches as a finite automaton: a state is what a core holds, a transition is one call.
//!
//! The slots of [`Contents`] are numbers, not objects, so the same call on other objects in the same situation is
//! the same transition. A convolution settles into a handful of them; each is worked out once by
//! [`pieces`](super::pieces) (10–100 µs) and looked up afterwards (about 5 ns).

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::conflicts::QUARTERS;
use super::contents::{Contents, Parts, Shape};
use super::key::{Key, Mixer, Whereabouts};
use super::pieces::{Announce, Cache, Event, EventKind};
use super::plan::MacroPlan;

/// Pieces stored over all states before the memory is cleared: 64 MiB.
const MOST_PIECES: usize = 8 << 20;

/// Calls are long that fetch more than one in so many lines of a private cache. Of 1, 2 and 4 the one with which stream
/// agrees best with line: `cargo test --release --test fidelity` prints the table for another value.
const LONG_SHARE: u64 = 2;

/// Transitions searched one by one before a state gets a hash table.
const LINEAR: usize = 12;

/// No slot.
pub const GONE: u16 = u16::MAX;

/// A macro with the choice of operands that are tracked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The macro.
    pub callee: u32,
    /// Macro operand of each tracked one.
    pub operands: Box<[u8]>,
}

/// A part of a call between two points where the core and memory meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Femtoseconds of arithmetic.
    pub compute_fs: u64,
    /// Lines from the second level.
    pub second_level: u32,
    /// Lines back from the last level, where conflicts in the second had pushed them.
    pub returned: u32,
    /// Lanes whose lines are fetched.
    pub lanes: u32,
    /// Events `first .. first + count` of the arena.
    pub first: u32,
    /// Number of events.
    pub count: u32,
}

/// What a call does in a state.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    /// The state afterwards.
    pub next: u32,
    /// First in the arena of places: the slot of each tracked operand, then of each object that is there afterwards, then
    /// the slot afterwards of each tracked operand ([`GONE`] for none).
    pub places: u32,
    /// Objects that are there afterwards.
    pub remain: u32,
    /// First segment in the arena.
    pub segments: u32,
    /// Number of segments.
    pub segment_count: u32,
    /// Femtoseconds of sweeps that no other core sees, arithmetic or caches, whichever is longer.
    pub inside_fs: u64,
    /// Arithmetic in `inside_fs`.
    pub inside_compute_fs: u64,
    /// Lines from the second level, segments included.
    pub second_level: u64,
    /// Lines back from the last level, segments included.
    pub returned: u64,
    /// Lines fetched.
    pub fetched: u64,
}

#[derive(Clone, Debug)]
struct State {
    contents: Arc<Contents>,
    entries: Vec<(Key, u32)>,
    more: HashMap<Key, u32, BuildHasherDefault<Mixer>>,
    /// First in the arena of residents, and number of slots.
    residents: (u32, u32),
}

/// Geometry and speed of the private caches.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Lines of the second level.
    pub lines: u64,
    /// Depths at which quarters of what it holds are gone.
    pub limits: [u64; QUARTERS],
    /// Lines of the first level.
    pub first_level_lines: u64,
    /// Femtoseconds per line from the second level, in a stream.
    pub second_level_fs: u64,
    /// The same from the last level.
    pub last_level_fs: u64,
}

/// A segment in the making.
#[derive(Clone, Debug)]
struct Part {
    compute_fs: u64,
    second_level: u32,
    returned: u32,
    /// Lanes that fetch, at once.
    lanes: u32,
    /// Sweeps in it.
    sweeps: u64,
    events: Vec<Event>,
}

impl Part {
    /// Whether another sweep fetches and computes the same as each of this part's: limb after limb of a loop.
    fn is_like(&self, next: &Self) -> bool {
        let comes = |event: &&Event| matches!(event.kind, EventKind::Fetch | EventKind::Bypass);
        let mine = self.events.iter().filter(comes);
        let others = || next.events.iter().filter(comes);
        let is_same = |(mine, other): (&Event, &Event)| {
            mine.slot == other.slot
                && mine.kind == other.kind
                && u64::from(mine.lines) == u64::from(other.lines) * self.sweeps
        };
        self.compute_fs == next.compute_fs * self.sweeps
            && mine.clone().count() == others().count()
            && mine.zip(others()).all(is_same)
    }

    fn absorb(&mut self, next: Self) {
        self.compute_fs += next.compute_fs;
        self.second_level += next.second_level;
        self.returned += next.returned;
        self.lanes = self.lanes.max(next.lanes);
        self.sweeps += 1;
        for event in next.events {
            let is_same = |held: &&mut Event| held.slot == event.slot && held.kind == event.kind;
            match self.events.iter_mut().find(is_same) {
                Some(held) => {
                    (held.lines, held.marked) = (held.lines + event.lines, held.marked + event.marked);
                    (held.stays, held.parts) = (event.stays, held.parts | event.parts);
                }
                None => self.events.push(event),
            }
        }
    }
}

/// What a call did in a private cache.
#[derive(Clone, Debug)]
struct Walk {
    cache: Cache,
    /// Slot of each tracked operand.
    places: Vec<u16>,
    /// Sweeps that crossed the border of the cache.
    parts: Vec<Part>,
    inside_fs: u64,
    inside_compute_fs: u64,
    second_level: u64,
    returned: u64,
    fetched: u64,
}

/// Sweeps that are alike are one segment, also if others lie between, as with each limb of an encryption: they would cost
/// the same one by one.
fn merged(parts: Vec<Part>) -> Vec<Part> {
    let mut merged: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match merged.iter_mut().rev().find(|earlier| earlier.is_like(&part)) {
            Some(earlier) => earlier.absorb(part),
            None => merged.push(part),
        }
    }
    merged
}

/// All states seen so far, shared by all cores.
#[derive(Clone, Debug)]
pub struct Private {
    geometry: Geometry,
    shapes: Vec<Shape>,
    signatures: Vec<Signature>,
    states: Vec<State>,
    numbers: HashMap<Arc<Contents>, u32, BuildHasherDefault<Mixer>>,
    transitions: Vec<Transition>,
    /// Segments of transitions.
    pub segments: Vec<Segment>,
    /// Events of segments.
    pub events: Vec<Event>,
    /// Slots of tracked operands, and of what is left, by its new slot.
    pub places: Vec<u16>,
    /// Resident lines of every slot of a state, and the parts that they are of.
    residents: Vec<(u32, Parts)>,
    stored: usize,
}

impl Private {
    /// The empty state alone, number 0.
    pub fn new(geometry: Geometry, shapes: Vec<Shape>, signatures: Vec<Signature>) -> Self {
        let mut private = Self {
            geometry,
            shapes,
            signatures,
            states: Vec::new(),
            numbers: HashMap::default(),
            transitions: Vec::new(),
            segments: Vec::new(),
            events: Vec::new(),
            places: Vec::new(),
            residents: Vec::new(),
            stored: 0,
        };
        private.intern(Contents::default());
        private
    }

    /// Looks the transition up; `None` if it was never worked out.
    #[inline]
    pub fn find(&self, state: u32, key: Key) -> Option<&Transition> {
        let state = &self.states[state as usize];
        let entry = match state.entries.iter().find(|entry| entry.0 == key) {
            Some(entry) => entry.1,
            None => *state.more.get(&key)?,
        };
        Some(&self.transitions[entry as usize])
    }

    /// Works a transition out and keeps it.
    #[cold]
    pub fn learn(
        &mut self,
        state: u32,
        key: Key,
        call: &MacroPlan,
        signature: u32,
        operands: &[Whereabouts],
    ) -> u32 {
        let contents = Arc::clone(&self.states[state as usize].contents);
        let mut walk = self.walk(&contents, call, signature, operands, Announce::Late);
        let is_long = self.is_long(walk.fetched);
        if is_long {
            walk = self.walk(&contents, call, signature, operands, Announce::Promptly);
        }
        let mut transition = self.blank(&walk);
        let during = walk.cache.events.len();
        let (contents, events, order) = walk.cache.finish();
        // What was announced at the end left while the last lines came in.
        match walk.parts.last_mut() {
            Some(part) => part.events.extend_from_slice(&events[during..]),
            None if events.len() > during => {
                walk.parts.push(Part {
                    compute_fs: 0,
                    second_level: 0,
                    returned: 0,
                    lanes: 0,
                    sweeps: 1,
                    events: events[during..].to_vec(),
                });
            }
            None => {}
        }
        transition.remain = order.len() as u32;
        self.places.extend_from_slice(&order);
        let after = walk.places.iter().map(|place| order.iter().position(|held| held == place));
        self.places.extend(after.map(|slot| slot.map_or(GONE, |slot| slot as u16)));
        let parts = if is_long { walk.parts } else { merged(walk.parts) };
        self.store(state, key, transition, &parts, contents)
    }

    /// Runs a call's sweeps through a cache.
    fn walk(
        &self,
        contents: &Contents,
        call: &MacroPlan,
        signature: u32,
        operands: &[Whereabouts],
        announces: Announce,
    ) -> Walk {
        let Geometry { limits, first_level_lines, second_level_fs, last_level_fs, .. } = self.geometry;
        let mut cache = Cache::new(contents, limits, first_level_lines, announces);
        let places = self.seat(&mut cache, operands);
        let mut slots = vec![None; 64];
        for (place, operand) in places.iter().zip(&self.signatures[signature as usize].operands) {
            slots[usize::from(*operand) % 64] = Some(*place);
        }
        let (mut inside_fs, mut inside_compute_fs) = (0, 0);
        let (mut second_level, mut returned, mut fetched) = (0, 0, 0);
        let mut parts: Vec<Part> = Vec::new();
        for sweep in &call.sweeps {
            let before = cache.events.len();
            let mut served = cache.sweep(sweep, &slots);
            served.second_level += sweep.revisits(first_level_lines);
            second_level += served.second_level;
            returned += served.returned;
            fetched += served.fetched;
            if cache.events.len() == before {
                let hold_fs = served.second_level * second_level_fs + served.returned * last_level_fs;
                inside_fs += sweep.compute_fs.max(hold_fs);
                inside_compute_fs += sweep.compute_fs;
            } else {
                let (second_level, returned) = (served.second_level as u32, served.returned as u32);
                let events = cache.events[before..].to_vec();
                let (compute_fs, lanes) = (sweep.compute_fs, served.lanes);
                parts.push(Part { compute_fs, second_level, returned, lanes, sweeps: 1, events });
            }
        }
        Walk { cache, places, parts, inside_fs, inside_compute_fs, second_level, returned, fetched }
    }

    fn blank(&mut self, walk: &Walk) -> Transition {
        let first = self.places.len() as u32;
        self.places.extend_from_slice(&walk.places);
        Transition {
            next: 0,
            places: first,
            remain: 0,
            segments: self.segments.len() as u32,
            segment_count: 0,
            inside_fs: walk.inside_fs,
            inside_compute_fs: walk.inside_compute_fs,
            second_level: walk.second_level,
            returned: walk.returned,
            fetched: walk.fetched,
        }
    }

    /// Gives every operand a slot.
    fn seat(&self, cache: &mut Cache, operands: &[Whereabouts]) -> Vec<u16> {
        let mut places: Vec<u16> = Vec::with_capacity(operands.len());
        for operand in operands {
            let place = operand.seat(&places, |shape| cache.claim(self.shapes[shape]));
            places.push(place);
        }
        places
    }

    fn store(
        &mut self,
        state: u32,
        key: Key,
        mut transition: Transition,
        parts: &[Part],
        contents: Contents,
    ) -> u32 {
        for Part { compute_fs, second_level, returned, lanes, events, .. } in parts {
            let (first, count) = (self.events.len() as u32, events.len() as u32);
            self.events.extend_from_slice(events);
            let (compute_fs, second_level, returned) = (*compute_fs, *second_level, *returned);
            let segment = Segment { compute_fs, second_level, returned, lanes: *lanes, first, count };
            self.segments.push(segment);
        }
        transition.segment_count = parts.len() as u32;
        transition.next = self.intern(contents);
        let number = self.transitions.len() as u32;
        self.transitions.push(transition);
        let state = &mut self.states[state as usize];
        if state.entries.len() < LINEAR {
            state.entries.push((key, number));
        } else {
            state.more.insert(key, number);
        }
        number
    }

    /// Whether a call that fetches so many lines is so long that other cores have to get a turn in between.
    pub const fn is_long(&self, fetched: u64) -> bool {
        fetched * LONG_SHARE > self.geometry.lines
    }

    /// A transition by the number that [`Private::learn`] gave.
    pub fn transition(&self, number: u32) -> &Transition {
        &self.transitions[number as usize]
    }

    /// Where a call left its operands, by the first and number that say so in the arena of places.
    #[inline]
    pub fn left(&self, (first, count): (u32, u32)) -> &[u16] {
        &self.places[first as usize..(first + count) as usize]
    }

    /// Resident lines of a slot, and the parts that they are of.
    #[inline]
    pub fn resident(&self, state: u32, slot: u16) -> (u32, Parts) {
        let (first, count) = self.states[state as usize].residents;
        if u32::from(slot) < count { self.residents[first as usize + usize::from(slot)] } else { (0, 0) }
    }

    fn intern(&mut self, contents: Contents) -> u32 {
        if let Some(&number) = self.numbers.get(&contents) {
            return number;
        }
        let number = self.states.len() as u32;
        let contents = Arc::new(contents);
        let residents = (self.residents.len() as u32, contents.slots.len() as u32);
        self.residents.extend(contents.residents());
        self.stored += contents.pieces.len() + 64;
        self.numbers.insert(Arc::clone(&contents), number);
        self.states.push(State { contents, entries: Vec::new(), more: HashMap::default(), residents });
        number
    }

    /// Whether [`Private::compact`] is due.
    pub const fn is_full(&self) -> bool {
        self.stored > MOST_PIECES
    }

    /// Forgets everything but the states named, and renumbers those.
    pub fn compact(&mut self, states: &mut [u32]) {
        let kept: Vec<Arc<Contents>> =
            states.iter().map(|state| Arc::clone(&self.states[*state as usize].contents)).collect();
        let (geometry, shapes, signatures) =
            (self.geometry, std::mem::take(&mut self.shapes), std::mem::take(&mut self.signatures));
        *self = Self::new(geometry, shapes, signatures);
        for (state, contents) in states.iter_mut().zip(kept) {
            *state = self.intern(Contents::clone(&contents));
        }
    }
}
