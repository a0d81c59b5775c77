//! Whose way of moving data a primitive follows.

use crate::Parameters;

/// How a primitive moves data; the arithmetic is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dataflow {
    /// What the arithmetic needs and no more: ours.
    #[default]
    Fused,
    /// SEAL 4.x: tiled products, key switching with the modulus outermost.
    Seal4,
    /// SEAL 3.4.5, which he-transformer pins: whole-polynomial passes, key switching with the digit outermost.
    Seal345,
}

impl Dataflow {
    /// Every dataflow.
    pub const ALL: [Self; 3] = [Self::Fused, Self::Seal4, Self::Seal345];

    /// Name in traces and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fused => "fused",
            Self::Seal4 => "seal-4",
            Self::Seal345 => "seal-3.4.5",
        }
    }

    /// Limbs of each of the two polynomials of the public key: SEAL encrypts modulo the special prime as well.
    pub fn public_key_limbs(self, parameters: &Parameters) -> u32 {
        if self.is_seal() { parameters.key_limbs() } else { parameters.data_limbs() }
    }

    /// Bytes of the public key.
    pub fn public_key_bytes(self, parameters: &Parameters) -> u64 {
        parameters.ciphertext_bytes(2, self.public_key_limbs(parameters))
    }

    /// Whether it is one of SEAL's.
    pub const fn is_seal(self) -> bool {
        !matches!(self, Self::Fused)
    }
}
