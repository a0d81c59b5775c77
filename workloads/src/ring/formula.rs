//! The kernels by name, with their lanes and their arithmetic.

use hetier_traces::{Access, Arithmetic};

/// A scale, kept as the bits of a positive finite `f64` so that primitives can be compared and hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scale(u64);

impl Scale {
    /// From its value.
    pub const fn new(value: f64) -> Self {
        Self(value.to_bits())
    }

    /// Its value.
    pub const fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// What the slots of a message hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packing {
    /// N/2 real numbers, 8 bytes each.
    Real,
    /// N/2 complex numbers, 16 bytes each: real, imaginary.
    Complex,
}

/// A function of one real number, for decrypt–apply–encrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), bound).
    BoundedRelu {
        /// The bound.
        bound: Scale,
    },
    /// x².
    Square,
    /// c₀ + c₁x + c₂x² + c₃x³.
    Polynomial {
        /// c₀ to c₃.
        coefficients: [Scale; 4],
    },
}

impl Activation {
    /// Its value.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Self::Relu => x.max(0.0),
            Self::BoundedRelu { bound } => x.max(0.0).min(bound.value()),
            Self::Square => x * x,
            Self::Polynomial { coefficients } => {
                coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient.value())
            }
        }
    }
}

/// A residue known before the call, modulo the prime of its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Constant {
    /// 1/N, which the inverse transform leaves out.
    InverseDegree,
    /// Another prime.
    Prime(u8),
    /// The inverse of another prime.
    InversePrime(u8),
    /// ⌊prime / 2⌋.
    Half(u8),
}

/// What a step computes. Arguments a, b, … are the spans read, x, y, z those written, in order; everything is
/// element by element modulo the step's prime unless said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Formula {
    /// x ← a.
    Copy,
    /// x ← 0.
    Zero,
    /// x ← a + b.
    Add,
    /// x ← x + a.
    AddAssign,
    /// x ← a − b.
    Subtract,
    /// x ← x − a.
    SubtractAssign,
    /// x ← a − x.
    SubtractFrom,
    /// x ← −x.
    NegateAssign,
    /// x ← 2x.
    DoubleAssign,
    /// x ← a·b, a a scalar (residue, Shoup quotient).
    MultiplyScalar,
    /// x ← a·x, a a scalar.
    MultiplyScalarAssign,
    /// x ← x + a·b, a a scalar.
    MultiplyScalarAdd,
    /// x ← x + a, a the residue of a scalar.
    AddScalarAssign,
    /// x ← c·x.
    MultiplyConstant(Constant),
    /// x ← x + c.
    AddConstant(Constant),
    /// x ← x − c.
    SubtractConstant(Constant),
    /// x ← x/N + ⌊p/2⌋, with p the step's prime: an inverse transform made ready for rounding.
    NormaliseAddHalf,
    /// x ← a·b.
    Multiply,
    /// x ← x·a.
    MultiplyAssign,
    /// x ← x + a·b.
    MultiplyAdd,
    /// x ← x − a·b.
    MultiplySubtract,
    /// x ← a·b + c.
    MultiplyPlus,
    /// x ← x·a + b.
    MultiplyAssignPlus,
    /// x ← a².
    Square,
    /// x ← x².
    SquareAssign,
    /// (x, y, z) ← (a·c, a·d + b·c, b·d) for ciphertexts (a, b) and (c, d).
    Tensor,
    /// (x, y, z) ← (a², 2ab, b²).
    TensorSquare,
    /// (x, y) ← (a·b, a·c): a digit times both halves of a key.
    KeyProduct,
    /// (x, y) ← (x + a·b, y + a·c).
    KeyProductAdd,
    /// x ← x + a·b without reduction, x of 128-bit words (2N words).
    LazyProductAdd,
    /// x ← a, a of 128-bit words.
    LazyReduce,
    /// x ← a modulo the step's prime, a below 2⁶².
    Reduce,
    /// x ← (a mod p) − ⌊q/2⌋ for the other prime q, a below q.
    ReduceSubtractHalf(u8),
    /// x ← (x − a)/q.
    SubtractDivide(u8),
    /// x ← (a − b)/q.
    SubtractDivideTo(u8),
    /// x ← x + (a − b)/q.
    SubtractDivideAdd(u8),
    /// x ← c + (a − b)/q.
    SubtractDividePlus(u8),
    /// x ← NTT(x), natural order to bit-reversed; a is the table.
    Ntt,
    /// x ← N·NTT⁻¹(x); a is the table.
    InverseNtt,
    /// x ← a with the automorphism X → X^element applied in the transformed domain; b is the index table.
    Permute {
        /// The Galois element.
        element: u64,
    },
    /// x ← uniform residues.
    Uniform,
    /// x ← signed words of a centred binomial with variance 21/2.
    SampleError,
    /// x ← signed words of a secret with this many non-zero coefficients, 0 for uniform ternary.
    SampleSecret {
        /// Non-zero coefficients, or 0.
        weight: u32,
    },
    /// x ← signed words a as residues.
    Lift,
    /// x ← slot values a as complex numbers.
    LoadSlots(Packing),
    /// x ← complex numbers a in bit-reversed order.
    ReverseSlots,
    /// x ← values at the roots of the polynomial x, bit-reversed to natural order; a is the table.
    SlotTransform,
    /// x ← n · coefficients of the polynomial with values x, natural to bit-reversed order; a is the table.
    InverseSlotTransform,
    /// x ← coefficients a (complex: coefficient i and i + n), times scale/n, rounded, as residues.
    Quantise {
        /// The scale.
        scale: Scale,
        /// Limbs of the plaintext, which bound the coefficients.
        limbs: u8,
    },
    /// x ← (x − a)/q with a centred modulo q: a digit of a number in mixed radix.
    MixedRadix(u8),
    /// x ← centred a as floating-point coefficients.
    StartSlots,
    /// x ← x·p + centred a, p the step's prime.
    ExtendSlots,
    /// x ← complex numbers a over the scale, as slot values.
    StoreSlots {
        /// What the message holds.
        packing: Packing,
        /// The scale.
        scale: Scale,
    },
    /// x ← the number a times the scale, rounded, as residue and Shoup quotient for each prime.
    EncodeScalar {
        /// The scale.
        scale: Scale,
    },
    /// x ← f(x), slot by slot.
    Apply(Activation),
    /// x ← max(x, a), slot by slot.
    Maximum,
}

impl Formula {
    /// Whether what it writes is also read.
    pub(crate) const fn target_access(self) -> Access {
        match self {
            Self::AddAssign
            | Self::SubtractAssign
            | Self::SubtractFrom
            | Self::NegateAssign
            | Self::DoubleAssign
            | Self::MultiplyScalarAssign
            | Self::MultiplyScalarAdd
            | Self::AddScalarAssign
            | Self::MultiplyConstant(_)
            | Self::AddConstant(_)
            | Self::SubtractConstant(_)
            | Self::NormaliseAddHalf
            | Self::MultiplyAssign
            | Self::MultiplyAdd
            | Self::MultiplySubtract
            | Self::MultiplyAssignPlus
            | Self::SquareAssign
            | Self::KeyProductAdd
            | Self::LazyProductAdd
            | Self::SubtractDivide(_)
            | Self::SubtractDivideAdd(_)
            | Self::Ntt
            | Self::InverseNtt
            | Self::SlotTransform
            | Self::InverseSlotTransform
            | Self::MixedRadix(_)
            | Self::ExtendSlots
            | Self::Apply(_)
            | Self::Maximum => Access::Update,
            _ => Access::Write,
        }
    }

    /// Arithmetic for each element of the first span written (for the transforms, see [`super::Step::sweeps`]).
    pub(crate) const fn work(self) -> &'static [(Arithmetic, u64)] {
        use Arithmetic::{
            Add, AddConstant, Float, Move, Multiply, MultiplyAdd, MultiplyConstant, Random, Reduce,
        };
        match self {
            Self::Copy | Self::Zero | Self::Permute { .. } => &[(Move, 1)],
            Self::LoadSlots(_) | Self::ReverseSlots => &[(Move, 1)],
            Self::Add
            | Self::AddAssign
            | Self::Subtract
            | Self::SubtractAssign
            | Self::SubtractFrom
            | Self::NegateAssign
            | Self::DoubleAssign
            | Self::AddConstant(_)
            | Self::SubtractConstant(_)
            | Self::Lift => &[(Add, 1)],
            Self::AddScalarAssign => &[(AddConstant, 1)],
            Self::MultiplyScalar | Self::MultiplyScalarAssign | Self::MultiplyConstant(_) => {
                &[(MultiplyConstant, 1)]
            }
            Self::MultiplyScalarAdd | Self::NormaliseAddHalf => &[(MultiplyConstant, 1), (Add, 1)],
            Self::Multiply | Self::MultiplyAssign | Self::Square | Self::SquareAssign => &[(Multiply, 1)],
            Self::MultiplyAdd | Self::MultiplySubtract | Self::MultiplyPlus | Self::MultiplyAssignPlus => {
                &[(MultiplyAdd, 1)]
            }
            Self::Tensor => &[(Multiply, 3), (MultiplyAdd, 1)],
            Self::TensorSquare => &[(Multiply, 3), (Add, 1)],
            Self::KeyProduct => &[(Multiply, 2)],
            Self::KeyProductAdd => &[(MultiplyAdd, 2)],
            Self::LazyProductAdd => &[(MultiplyAdd, 1)],
            Self::LazyReduce => &[(Reduce, 2)],
            Self::Reduce => &[(Reduce, 1)],
            Self::ReduceSubtractHalf(_) => &[(Reduce, 1), (Add, 1)],
            Self::SubtractDivide(_) | Self::SubtractDivideTo(_) | Self::MixedRadix(_) => {
                &[(Add, 1), (MultiplyConstant, 1)]
            }
            Self::SubtractDivideAdd(_) | Self::SubtractDividePlus(_) => &[(Add, 2), (MultiplyConstant, 1)],
            Self::Ntt | Self::InverseNtt | Self::SlotTransform | Self::InverseSlotTransform => &[],
            Self::Uniform | Self::SampleError | Self::SampleSecret { .. } => &[(Random, 1)],
            Self::Quantise { .. } => &[(Float, 2), (Reduce, 1)],
            Self::StartSlots | Self::StoreSlots { .. } => &[(Float, 1)],
            Self::ExtendSlots => &[(Float, 2)],
            Self::EncodeScalar { .. } => &[(Reduce, 1)],
            Self::Apply(_) | Self::Maximum => &[(Float, 1)],
        }
    }
}
