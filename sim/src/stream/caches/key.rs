//! A call as seen from a private cache, in one word: what is called, and where its operands are.

use std::hash::Hasher;

/// Slots that keys can name.
pub const MOST_SLOTS: u16 = 2048;

/// Tracked operands that a key can hold beside the signature and the mark before it.
const MOST_OPERANDS: usize = 8;

/// Bits of an operand, and of a signature.
const OPERAND_BITS: u32 = 12;
const SIGNATURE_BITS: u32 = 20;

/// Where an operand of a call is, as keys name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whereabouts(u16);

/// First number that says of what shape an object is that is not resident.
const SHAPES: u16 = MOST_SLOTS;

/// First number that says with which earlier operand an object is one.
const EARLIER: u16 = MOST_SLOTS + 1024;

impl Whereabouts {
    /// Resident, in part at least.
    #[inline]
    pub const fn slot(slot: u16) -> Self {
        Self(slot)
    }

    /// Not resident; objects of this shape number.
    pub const fn absent(shape: u8) -> Self {
        Self(SHAPES + shape as u16)
    }

    /// The same object as an earlier tracked operand of the call.
    pub const fn same(operand: usize) -> Self {
        Self(EARLIER + operand as u16)
    }

    /// The slot that an operand has or gets: `claim` takes one for a shape, `earlier` are those of the operands before.
    pub fn seat(self, earlier: &[u16], claim: impl FnOnce(usize) -> u16) -> u16 {
        match self.0 {
            slot if slot < SHAPES => slot,
            shape if shape < EARLIER => claim(usize::from(shape - SHAPES)),
            operand => earlier[usize::from(operand - EARLIER)],
        }
    }
}

/// A call as seen from a private cache: signature and whereabouts of its operands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Key(u128);

impl Key {
    /// The number of a [`Signature`](super::private::Signature), below 2²⁰, and where its operands are.
    #[inline]
    pub fn of(signature: u32, operands: &[Whereabouts]) -> Self {
        // The mark tells a call without an operand from one whose signature is 0.
        let mut key = Self(1 << SIGNATURE_BITS | u128::from(signature));
        if operands.len() > MOST_OPERANDS {
            operands.iter().for_each(|operand| key.mix(*operand));
        } else {
            operands.iter().for_each(|operand| key.push(*operand));
        }
        key
    }

    /// Adds the next operand of a call with more than [`MOST_OPERANDS`]: 128 bits of hash (FNV-1a's prime).
    const fn mix(&mut self, whereabouts: Whereabouts) {
        let hashed = (self.0 ^ whereabouts.0 as u128).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        self.0 = hashed | 1 << 127;
    }

    /// Adds the next operand.
    #[inline]
    const fn push(&mut self, whereabouts: Whereabouts) {
        self.0 = self.0 << OPERAND_BITS | whereabouts.0 as u128;
    }
}

/// A fast hash of words: rotate, add, multiply by an odd constant (2⁶⁴ ÷ golden ratio). Not meant against attacks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        (self.0 ^ self.0 >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u128(&mut self, word: u128) {
        self.write_u64(word as u64);
        self.write_u64((word >> 64) as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn calls_of_other_signatures_or_numbers_of_operands_have_other_keys() {
        let slots =
            |count: usize, first: u16| (0..count as u16).map(move |at| Whereabouts::slot(first * (at + 1)));
        let mut keys = HashSet::new();
        let mut calls = 0;
        for signature in [0, 1, 2, 12, 1 << 12, (1 << SIGNATURE_BITS) - 1] {
            keys.insert(Key::of(signature, &[]));
            calls += 1;
            for (count, first) in
                (1..=MOST_OPERANDS + 1).flat_map(|count| (0..3).map(move |first| (count, first)))
            {
                keys.insert(Key::of(signature, &slots(count, first).collect::<Vec<_>>()));
                calls += 1;
            }
        }

        assert_eq!(keys.len(), calls);
    }
}
