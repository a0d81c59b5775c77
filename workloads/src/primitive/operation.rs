//! The list of primitives.

use super::Visitor;
use super::{client, key, key_switch, level, linear, message, multiply};
use crate::ring::{Activation, Packing, Scale};

/// What a primitive does, with the attributes that its steps depend on.
///
/// Operands are named in order; scratch objects follow them (see [`super::Primitive::operands`]). `size` is the number
/// of polynomials of a ciphertext, 2 or 3. "In place" means one operand that is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// secret ← a fresh secret. Operands: secret, transform table.
    GenerateSecretKey,
    /// Operands: secret, public key, transform table.
    GeneratePublicKey,
    /// Key from s² to s. Operands: secret, key, transform table.
    GenerateRelinearisationKey,
    /// Key from s(X^element) to s. Operands: secret, key, transform table, index table.
    GenerateGaloisKey {
        /// Galois element, odd, below 2N.
        element: u64,
    },
    /// Operands: message, plaintext, transform table, slot table.
    Encode {
        /// Scale of the plaintext.
        scale: Scale,
        /// What the message holds.
        packing: Packing,
    },
    /// Symmetric encryption. Operands: plaintext, secret, ciphertext, transform table.
    EncryptSecret,
    /// Operands: plaintext, public key, ciphertext, transform table.
    EncryptPublic,
    /// Operands: ciphertext, secret, plaintext.
    Decrypt {
        /// Polynomials of the ciphertext.
        size: u32,
    },
    /// Operands: plaintext, message, transform table, slot table.
    Decode {
        /// Scale of the plaintext.
        scale: Scale,
        /// What the message holds.
        packing: Packing,
    },
    /// Operands: message of one number, scalar.
    EncodeScalar {
        /// Scale of the scalar.
        scale: Scale,
    },
    /// A number in every slot as a whole plaintext. Operands: message of one number, plaintext.
    EncodeConstant {
        /// Scale of the plaintext.
        scale: Scale,
    },
    /// Operands: from, to. SEAL fills the new ciphertext with zeros first.
    Copy {
        /// Polynomials of the ciphertext.
        size: u32,
    },
    /// Operands: to.
    Zero {
        /// Polynomials of the ciphertext.
        size: u32,
    },
    /// Operands: a, b, sum.
    Add {
        /// Polynomials of the ciphertexts.
        size: u32,
    },
    /// Operands: a, sum (in place).
    AddAssign {
        /// Polynomials of the ciphertexts.
        size: u32,
    },
    /// Operands: a, b, a − b.
    Subtract {
        /// Polynomials of the ciphertexts.
        size: u32,
    },
    /// Operands: a, x (x ← x − a).
    SubtractAssign {
        /// Polynomials of the ciphertexts.
        size: u32,
    },
    /// Operands: x (in place).
    Negate {
        /// Polynomials of the ciphertext.
        size: u32,
    },
    /// Operands: plaintext, x (in place; c₀ alone).
    AddPlain,
    /// Operands: scalar at the ciphertext's scale, x (in place; c₀ alone): adds a number to every slot.
    AddScalar,
    /// Operands: a, scalar, product.
    MultiplyScalar {
        /// Polynomials of the ciphertexts.
        size: u32,
    },
    /// Operands: scalar, x (in place).
    MultiplyScalarAssign {
        /// Polynomials of the ciphertext.
        size: u32,
    },
    /// Operands: a, scalar, x (x ← x + a·scalar). SEAL makes the product in a ciphertext of its own first.
    MultiplyScalarAccumulate {
        /// Polynomials of the ciphertexts.
        size: u32,
    },
    /// One tap of he-transformer's convolution with a non-zero weight: as `MultiplyScalarAccumulate` in SEAL's
    /// dataflows, whichever is asked for, and the batch-size vectors that its wrappers fill and copy. Operands: a, scalar, x.
    HeTransformerTap {
        /// Numbers of a batch-size vector.
        images: u32,
    },
    /// Operands: a, plaintext, product.
    MultiplyPlain,
    /// Operands: plaintext, x (in place).
    MultiplyPlainAssign,
    /// Operands: a, plaintext, x (x ← x + a·plaintext).
    MultiplyPlainAccumulate,
    /// Operands: a, b, product of three polynomials.
    Multiply,
    /// Operands: a, square of three polynomials.
    Square,
    /// Three polynomials to two, in place. Operands: ciphertext, key, transform table.
    Relinearise,
    /// Divides by the last prime and drops it, in place; the object keeps its capacity. Operands: ciphertext,
    /// transform table.
    Rescale {
        /// Polynomials of the ciphertext.
        size: u32,
    },
    /// Drops the last prime, in place. Operands: ciphertext.
    ModSwitch {
        /// Polynomials of the ciphertext.
        size: u32,
    },
    /// Applies an automorphism, in place. Operands: ciphertext, key, transform table, index table.
    Rotate {
        /// Galois element, odd, below 2N; see [`crate::scheme::rotation`].
        element: u64,
    },
    /// A function of every slot of a message, in place. Operands: message.
    Apply {
        /// The function.
        activation: Activation,
        /// What the message holds; complex numbers are taken part by part.
        packing: Packing,
    },
    /// The larger of two messages, slot by slot. Operands: a, message (in place).
    Maximum {
        /// What the messages hold; complex numbers are taken part by part.
        packing: Packing,
    },
}

impl Operation {
    /// Hands the body behind the operation to a visitor: the one list of primitives.
    pub(super) fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        match *self {
            Self::GenerateSecretKey => visitor.visit(&key::GenerateSecretKey),
            Self::GeneratePublicKey => visitor.visit(&key::GeneratePublicKey),
            Self::GenerateRelinearisationKey => visitor.visit(&key::GenerateRelinearisationKey),
            Self::GenerateGaloisKey { element } => visitor.visit(&key::GenerateGaloisKey { element }),
            Self::Encode { scale, packing } => visitor.visit(&client::Encode { scale, packing }),
            Self::EncryptSecret => visitor.visit(&client::EncryptSecret),
            Self::EncryptPublic => visitor.visit(&client::EncryptPublic),
            Self::Decrypt { size } => visitor.visit(&client::Decrypt { size }),
            Self::Decode { scale, packing } => visitor.visit(&client::Decode { scale, packing }),
            Self::EncodeScalar { scale } => visitor.visit(&message::EncodeScalar { scale }),
            Self::EncodeConstant { scale } => visitor.visit(&message::EncodeConstant { scale }),
            Self::Copy { size } => visitor.visit(&linear::Copy { size }),
            Self::Zero { size } => visitor.visit(&linear::Zero { size }),
            Self::Add { size } => visitor.visit(&linear::Add { size }),
            Self::AddAssign { size } => visitor.visit(&linear::AddAssign { size }),
            Self::Subtract { size } => visitor.visit(&linear::Subtract { size }),
            Self::SubtractAssign { size } => visitor.visit(&linear::SubtractAssign { size }),
            Self::Negate { size } => visitor.visit(&linear::Negate { size }),
            Self::AddPlain => visitor.visit(&linear::AddPlain),
            Self::AddScalar => visitor.visit(&linear::AddScalar),
            Self::MultiplyScalar { size } => visitor.visit(&multiply::MultiplyScalar { size }),
            Self::MultiplyScalarAssign { size } => visitor.visit(&multiply::MultiplyScalarAssign { size }),
            Self::MultiplyScalarAccumulate { size } => {
                visitor.visit(&multiply::MultiplyScalarAccumulate { size })
            }
            Self::HeTransformerTap { images } => visitor.visit(&multiply::HeTransformerTap { images }),
            Self::MultiplyPlain => visitor.visit(&multiply::MultiplyPlain),
            Self::MultiplyPlainAssign => visitor.visit(&multiply::MultiplyPlainAssign),
            Self::MultiplyPlainAccumulate => visitor.visit(&multiply::MultiplyPlainAccumulate),
            Self::Multiply => visitor.visit(&multiply::Multiply),
            Self::Square => visitor.visit(&multiply::Square),
            Self::Relinearise => visitor.visit(&key_switch::Relinearise),
            Self::Rescale { size } => visitor.visit(&level::Rescale { size }),
            Self::ModSwitch { size } => visitor.visit(&level::ModSwitch { size }),
            Self::Rotate { element } => visitor.visit(&key_switch::Rotate { element }),
            Self::Apply { activation, packing } => visitor.visit(&message::Apply { activation, packing }),
            Self::Maximum { packing } => visitor.visit(&message::Maximum { packing }),
        }
    }
}
