//! Classes in order of use per byte: keys, tables and scratch first; ciphertexts take what is left.
//!
//! The peaks of all classes are known from the trace, so room for a class that comes first is kept free even if its
//! objects are born late.

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
];

struct ByClass {
    /// Bytes that each class will want at most, in order of [`ORDER`].
    wanted: [u64; ORDER.len()],
    /// Bytes that it has in fast memory.
    held: [u64; ORDER.len()],
}

fn rank(class: Class) -> usize {
    ORDER.iter().position(|other| *other == class).expect("ORDER lists every class")
}

impl Placement for ByClass {
    fn choose(&mut self, newborn: Newborn) -> Choice {
        let rank = rank(newborn.class);
        let kept: u64 = (0..rank).map(|first| self.wanted[first].saturating_sub(self.held[first])).sum();
        if newborn.bytes.saturating_add(kept) > newborn.fast_room {
            return Choice::Slow;
        }
        self.held[rank] += newborn.bytes;
        Choice::Fast
    }

    fn died(&mut self, _: ArrayId, class: Class, bytes: u64, choice: Choice) {
        if choice == Choice::Fast {
            self.held[rank(class)] -= bytes;
        }
    }
}

pub(super) fn build(foresight: &Foresight<'_>) -> Result<Box<dyn Placement>, Error> {
    let peak = |class: Class| {
        let position = Class::ALL.iter().position(|other| *other == class);
        foresight.peak_by_class[position.expect("ALL lists every class")]
    };
    Ok(Box::new(ByClass { wanted: ORDER.map(peak), held: [0; ORDER.len()] }))
}
