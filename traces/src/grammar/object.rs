//! Objects: arrays of them, and views that refer to them.

use serde::{Deserialize, Serialize};

/// What an object holds; placement policies and reports group by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Encrypted data: `size` polynomials of `limbs` residues.
    Ciphertext,
    /// An encoded polynomial in the clear (a mask, a batch of weights).
    Plaintext,
    /// One weight, as a residue for each prime.
    Scalar,
    /// Relinearisation or Galois key.
    EvaluationKey,
    /// Constants of the transforms and permutations.
    Table,
    /// Temporary of one primitive or layer.
    Scratch,
    /// Clear data outside the scheme: slot values before encoding and after decoding.
    Message,
    /// What the process's allocator holds beside all objects: written once, hardly used.
    Heap,
}

impl Class {
    /// Every class, in the order of reports.
    pub const ALL: [Self; 8] = [
        Self::Ciphertext,
        Self::Plaintext,
        Self::Scalar,
        Self::EvaluationKey,
        Self::Table,
        Self::Scratch,
        Self::Message,
        Self::Heap,
    ];

    /// Name as written in the text form, in result files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ciphertext => "ciphertext",
            Self::Plaintext => "plaintext",
            Self::Scalar => "scalar",
            Self::EvaluationKey => "evaluation-key",
            Self::Table => "table",
            Self::Scratch => "scratch",
            Self::Message => "message",
            Self::Heap => "heap",
        }
    }
}

/// Number of an [`Array`] or [`View`]: they share one name space, in order of definition from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ArrayId(pub u32);

/// Number of a [`Macro`](super::Macro), in order of definition from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MacroId(pub u32);

/// Equal objects, addressed by index. A single object is an array of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Array {
    /// Name in reports, for instance `conv1.output`.
    pub label: String,
    /// What each element holds.
    pub class: Class,
    /// Number of elements, at least 1.
    pub elements: u64,
    /// Bytes that each element occupies, at least 1.
    pub capacity_bytes: u64,
    /// Bytes of each element that carry data, at most the capacity (a rescaled ciphertext keeps its capacity).
    pub used_bytes: u64,
}

/// References to other arrays' elements, as slices, concatenations and reshapes make them.
///
/// A view owns no memory. `Alloc` of a view element takes a reference, `Free` drops it; an object dies with its
/// last reference, its own included.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct View {
    /// Name in reports.
    pub label: String,
    /// The elements of the view, one segment after the other.
    pub segments: Vec<Segment>,
}

/// A regular run of references: `array[start]`, `array[start + stride]`, … `count` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// The array or view referred to, defined earlier.
    pub array: ArrayId,
    /// Index of the first element.
    pub start: u64,
    /// Step between elements; 0 repeats one element.
    pub stride: i64,
    /// Number of references, at least 1.
    pub count: u64,
}
