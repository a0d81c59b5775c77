//! Classes in order of use per byte: keys, tables and scratch first; ciphertexts take what is left, and heap what they leave.
//!
//! The peaks of all classes are known from the trace, so room for a class that comes first is kept free even if its
//! objects are born late. Blocks of the class that wait in a pool are such room, unless a ciphertext of the same size takes
//! them.

use std::collections::HashMap;

use hetier_traces::{ArrayId, Class};

use super::{Choice, Foresight, Newborn, Placement};
use crate::Error;

/// Classes that come first, first.
const ORDER: [Class; Class::ALL.len()] = [
    Class::EvaluationKey,
    Class::Table,
    Class::Scratch,
    Class::Scalar,
    Class::Plaintext,
    Class::Message,
    Class::Ciphertext,
    Class::Heap,
];

struct ByClass {
    /// Bytes that each class will want at most, in order of [`ORDER`].
    wanted: [u64; ORDER.len()],
    /// Bytes that it has in fast memory.
    held: [u64; ORDER.len()],
    /// Bytes of blocks in fast memory that it has freed and that wait in a pool.
    idle: [u64; ORDER.len()],
    /// Ranks of the classes that freed those, by size, the last one last; nothing where freed memory does not wait.
    freed: HashMap<u64, Vec<usize>>,
    /// Whether freed blocks wait for requests of exactly their size.
    is_pool: bool,
}

impl ByClass {
    /// Bytes of fast memory that the classes before a rank do not have yet, in use or waiting. Classes of one size use
    /// the same blocks by turns, so what one has beyond its share is that of those behind it; but what a later class
    /// leaves is no room for an earlier one, whose blocks have other sizes.
    fn kept(&self, rank: usize) -> u64 {
        let (mut wanted, mut had, mut kept) = (0_u64, 0_u64, 0);
        for class in 0..rank {
            wanted += self.wanted[class];
            had += self.held[class] + self.idle[class];
            kept = kept.max(wanted.saturating_sub(had));
        }
        kept
    }

    /// Takes the block that was freed last of a size; gives the rank of the class that had it.
    fn reuse(&mut self, bytes: u64) -> Option<usize> {
        let rank = self.freed.get_mut(&bytes)?.pop()?;
        self.idle[rank] -= bytes;
        Some(rank)
    }

    /// Leaves a block of a class to whoever asks for its size next.
    fn leave(&mut self, rank: usize, bytes: u64) {
        self.idle[rank] += bytes;
        self.freed.entry(bytes).or_default().push(rank);
    }
}

fn rank(class: Class) -> usize {
    ORDER.iter().position(|other| *other == class).expect("ORDER lists every class")
}

impl Placement for ByClass {
    fn choose(&mut self, newborn: Newborn) -> Choice {
        let rank = rank(newborn.class);
        let bytes = newborn.bytes;
        // A block that it takes is no longer there for the class that left it.
        let owner = if newborn.is_reused { self.reuse(bytes) } else { None };
        if bytes.saturating_add(self.kept(rank)) > newborn.fast_room {
            if let Some(owner) = owner {
                self.leave(owner, bytes);
            }
            return Choice::Slow;
        }
        self.held[rank] += bytes;
        Choice::Fast
    }

    fn died(&mut self, _: ArrayId, class: Class, bytes: u64, choice: Choice) {
        if choice == Choice::Fast {
            let rank = rank(class);
            self.held[rank] -= bytes;
            if self.is_pool {
                self.leave(rank, bytes);
            }
        }
    }
}

pub(super) fn build(foresight: &Foresight<'_>) -> Result<Box<dyn Placement>, Error> {
    let peak = |class: Class| {
        let position = Class::ALL.iter().position(|other| *other == class);
        foresight.peak_by_class[position.expect("ALL lists every class")]
    };
    Ok(Box::new(ByClass {
        wanted: ORDER.map(peak),
        held: [0; ORDER.len()],
        idle: [0; ORDER.len()],
        freed: HashMap::new(),
        is_pool: foresight.allocator.is_pool(),
    }))
}
