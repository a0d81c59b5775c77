//! What a private cache holds: objects cut into pieces, in order of use.
//!
//! An object is cut into at least 16 pieces, none larger than 1/64 of the cache; a piece comes and goes as a whole.
//! Pieces are powers of two, as limbs are, so that a sweep over one limb ends where a piece does: what a second sweep
//! wants of a piece that is there in part counts as there.

use std::hash::{Hash, Hasher};

/// A set of parts of an object, from its first.
pub type Parts = u128;

/// Most parts of an object: pieces, or powers of two of them, so that parts end where limbs do. Half as many would make
/// one part of two limbs of a relinearisation key, and cores that have one would be asked for the other.
const MOST_PARTS: usize = Parts::BITS as usize;

/// How objects of one size are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Lines of the object.
    pub lines: u32,
    /// Lines of a piece; the last may be shorter.
    pub piece_lines: u32,
}

impl Shape {
    /// Cuts an object of `lines` for a cache of `cache_lines`.
    pub fn new(lines: u64, cache_lines: u64) -> Self {
        let piece = lines.div_ceil(16).min(cache_lines / 64).max(1);
        let piece = (1 << piece.ilog2()).max(lines.div_ceil(1 << 14));
        Self { lines: lines as u32, piece_lines: piece.min(u64::from(u16::MAX)) as u32 }
    }

    pub(super) fn pieces(self) -> usize {
        self.lines.div_ceil(self.piece_lines) as usize
    }

    /// The part that a piece is of, as a set.
    pub(super) fn part(self, number: u16) -> Parts {
        1 << (usize::from(number) / self.pieces().div_ceil(MOST_PARTS).next_power_of_two())
    }
}

/// A resident piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// The slot of its object.
    pub slot: u16,
    /// Its number in the object.
    pub number: u16,
    /// Lines of it that came.
    pub lines: u16,
    /// Dirty ones of them.
    pub dirty: u16,
    /// Quarters that conflicts have pushed out.
    pub gone: u8,
}

/// An object of which a piece is resident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// How the object is cut.
    pub shape: Shape,
    /// Clean lines that left and were not announced yet.
    pub clean_out: u32,
    /// Dirty lines that left and were not announced yet.
    pub dirty_out: u32,
    /// Parts of the object that those are of.
    pub parts_out: Parts,
}

/// What a private cache holds, in a form that two cores can be compared by: slots are numbered by the order of their
/// newest pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Pieces, least recently used first.
    pub pieces: Vec<Piece>,
    /// Objects by slot, each with a piece at least.
    pub slots: Vec<Slot>,
}

impl Hash for Contents {
    /// One word for each piece: hashing is half the cost of a new transition. What is gone of it follows from its depth.
    fn hash<H: Hasher>(&self, state: &mut H) {
        for &Piece { slot, number, lines, dirty, .. } in &self.pieces {
            let [slot, number, lines, dirty] = [slot, number, lines, dirty].map(u64::from);
            state.write_u64(slot << 48 | number << 32 | lines << 16 | dirty);
        }
        for slot in &self.slots {
            state.write_u64(u64::from(slot.clean_out) << 32 | u64::from(slot.dirty_out));
            state.write_u128(slot.parts_out);
            state.write_u64(u64::from(slot.shape.lines));
        }
    }
}

impl Contents {
    /// Resident lines of every slot, and the parts that they are of.
    pub fn residents(&self) -> Vec<(u32, Parts)> {
        let mut lines = vec![(0, 0); self.slots.len()];
        for piece in &self.pieces {
            let sum = &mut lines[usize::from(piece.slot)];
            let part = self.slots[usize::from(piece.slot)].shape.part(piece.number);
            *sum = (sum.0 + u32::from(piece.lines), sum.1 | part);
        }
        lines
    }
}
