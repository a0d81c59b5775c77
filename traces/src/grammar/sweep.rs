//! What a primitive touches and computes: lanes, sweeps, macros.

use serde::{Deserialize, Serialize};

use super::Class;

/// How a sweep touches a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Every byte is loaded once.
    Read,
    /// Every byte is stored once.
    Write,
    /// Every byte is loaded, then stored.
    Update,
}

impl Access {
    /// Every access, in order of its code in the binary form.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Update];

    /// Name as written in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Update => "update",
        }
    }

    /// Whether bytes are loaded.
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Read | Self::Update)
    }

    /// Whether bytes are stored.
    pub const fn is_write(self) -> bool {
        matches!(self, Self::Write | Self::Update)
    }
}

/// The order in which a lane covers its range.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Ascending addresses.
    Sequential,
    /// Blocks of `block_bytes`, each `stride_bytes` after the one before; `bytes` counts the blocks alone.
    Strided {
        /// Contiguous bytes of a block.
        block_bytes: u64,
        /// Distance from the start of a block to the start of the next.
        stride_bytes: u64,
    },
    /// Elements of `element_bytes` in the order of a named rule.
    Permuted {
        /// The rule.
        rule: Rule,
        /// Bytes of an element; divides `bytes`.
        element_bytes: u64,
    },
    /// Ascending from `start_bytes` into the range, wrapping round at its end.
    Rotated {
        /// Where the walk starts, less than `bytes`.
        start_bytes: u64,
    },
    /// Elements of `element_bytes` at the listed positions (in elements, from `offset`).
    Indexed {
        /// Bytes of an element.
        element_bytes: u64,
        /// Positions in order of access; `bytes = element_bytes × positions.len()`.
        positions: Vec<u32>,
    },
    /// Elements of `element_bytes` at uniformly random positions below `range_elements`: an access whose place
    /// depends on public randomness, as in a TFHE blind rotation.
    Seeded {
        /// Bytes of an element; divides `bytes`.
        element_bytes: u64,
        /// Positions are drawn from `0..range_elements`.
        range_elements: u64,
        /// Seed of the draw.
        seed: u64,
    },
}

/// Named permutations of the `n` elements of a [`Order::Permuted`] lane; `n` is a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Index with its bits reversed.
    BitReversal,
    /// The automorphism X → X^element in a bit-reversed number-theoretic transform: position i holds the value
    /// at ψ^(2·rev(i)+1), so the source of i is rev((element·(2·rev(i)+1) mod 2n − 1) / 2).
    Automorphism {
        /// Galois element, odd, below 2n.
        element: u64,
    },
}

/// One operand's part in a sweep.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lane {
    /// Number of the macro's operand.
    pub operand: u8,
    /// Load, store or both.
    pub access: Access,
    /// First byte of the range inside the object.
    pub offset: u64,
    /// Bytes touched, at least 1. Lanes of unlike lengths advance proportionally.
    pub bytes: u64,
    /// Order of the touches.
    pub order: Order,
}

impl Lane {
    /// A sequential lane.
    pub const fn sequential(operand: u8, access: Access, offset: u64, bytes: u64) -> Self {
        Self { operand, access, offset, bytes, order: Order::Sequential }
    }
}

/// Kinds of arithmetic whose cost a system states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arithmetic {
    /// Copy or fill of one 64-bit word.
    Move,
    /// Addition, subtraction or negation of one residue.
    Add,
    /// Multiplication by a constant known beforehand (Shoup).
    MultiplyConstant,
    /// Multiplication of two residues with reduction.
    Multiply,
    /// Multiplication of two residues added to a third, with or without reduction.
    MultiplyAdd,
    /// Reduction of one word to a residue.
    Reduce,
    /// One butterfly of a number-theoretic transform (two residues).
    Butterfly,
    /// One butterfly of a complex floating-point transform (two slots).
    FloatButterfly,
    /// One floating-point operation on a slot: scaling, rounding, an activation in the clear.
    Float,
    /// One word of randomness.
    Random,
    /// Addition of a constant known beforehand to one residue.
    AddConstant,
}

impl Arithmetic {
    /// Every kind, in order of its code in the binary form.
    pub const ALL: [Self; 11] = [
        Self::Move,
        Self::Add,
        Self::MultiplyConstant,
        Self::Multiply,
        Self::MultiplyAdd,
        Self::Reduce,
        Self::Butterfly,
        Self::FloatButterfly,
        Self::Float,
        Self::Random,
        Self::AddConstant,
    ];

    /// Name as written in the text form and in system files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Move => "move",
            Self::Add => "add",
            Self::MultiplyConstant => "multiply-constant",
            Self::Multiply => "multiply",
            Self::MultiplyAdd => "multiply-add",
            Self::Reduce => "reduce",
            Self::Butterfly => "butterfly",
            Self::FloatButterfly => "float-butterfly",
            Self::Float => "float",
            Self::Random => "random",
            Self::AddConstant => "add-constant",
        }
    }
}

/// An amount of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Work {
    /// Which operation.
    pub kind: Arithmetic,
    /// How many of it.
    pub count: u64,
}

/// Up to [`MAX_LANES`](super::MAX_LANES) lanes that advance together, and the arithmetic done on the way; without lanes, pure work.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sweep {
    /// The lanes; within 64 bytes of progress reads precede writes, and reads go in lane order.
    pub lanes: Vec<Lane>,
    /// The arithmetic, spread evenly over the sweep.
    pub work: Vec<Work>,
}

/// What a primitive does with an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Only read.
    Input,
    /// Written (and perhaps read back).
    Output,
    /// Read, then written.
    InOut,
}

impl Role {
    /// Every role, in order of its code in the binary form.
    pub const ALL: [Self; 3] = [Self::Input, Self::Output, Self::InOut];

    /// Name as written in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::InOut => "in-out",
        }
    }
}

/// An operand that a macro expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parameter {
    /// Class of the object.
    pub class: Class,
    /// What the macro does with it.
    pub role: Role,
    /// Bytes that the object must at least have.
    pub bytes: u64,
}

/// One homomorphic primitive at one level: its sweeps over numbered operands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Macro {
    /// Name of the primitive, for instance `multiply-scalar`; reports group by it.
    pub name: String,
    /// Limbs of the level that it works at; 0 where levels mean nothing.
    pub limbs: u32,
    /// The operands, by number.
    pub parameters: Vec<Parameter>,
    /// The sweeps, in order.
    pub sweeps: Vec<Sweep>,
}
