//! A trace compiled for replay: operands become dense object numbers, straight-line loops become word templates.
//!
//! Everything that a simulated core does is a stream of 32-bit words (see [`Op`]); [`feeder`] writes
//! it, the engine reads it. Objects smaller than [`SMALL_BYTES`] have no number: they live in the private caches
//! for all that matters (a weight of three residues beside ciphertexts of thousands of lines), so their traffic
//! beyond the private caches is left out. That is known to be wrong by the few lines they would miss.

pub(super) mod compile;
pub(super) mod feeder;
pub(super) mod form;
pub(super) mod passing;
pub(super) mod size;

use std::sync::Arc;

use hetier_traces::loops::{Form, Nest, Scope};
use hetier_traces::{ArrayId, Class, Error, Result};

/// Objects below this size are not tracked one by one.
pub const SMALL_BYTES: u64 = 1024;

/// What a header word asks for; it stands in the top four bits, a payload in the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Op {
    /// Payload: site; one word for each tracked operand follows.
    Call = 0,
    /// Payload: array; words: first object, count, stride.
    Birth = 1,
    /// Payload: array; words: first object, count, stride.
    Death = 2,
    /// Words: first object, count, stride: references taken by views.
    Refer = 3,
    /// Words: first object, count, stride.
    Release = 4,
    /// Payload: array; word: count.
    SmallBirth = 5,
    /// Payload: array; word: count.
    SmallDeath = 6,
}

impl Op {
    /// The header word.
    pub const fn word(self, payload: u32) -> u32 {
        (self as u32) << 28 | payload
    }

    /// The operation of a header word.
    #[inline]
    pub const fn of(word: u32) -> Self {
        match word >> 28 {
            0 => Self::Call,
            1 => Self::Birth,
            2 => Self::Death,
            3 => Self::Refer,
            4 => Self::Release,
            5 => Self::SmallBirth,
            _ => Self::SmallDeath,
        }
    }
}

/// Payload of a header word.
#[inline]
pub const fn payload(word: u32) -> u32 {
    word & 0x0fff_ffff
}

/// One place of the text where a macro is called.
#[derive(Clone, Debug)]
pub struct Site {
    /// Number of the macro.
    pub callee: u32,
    /// The macro's operand behind each word of the call.
    pub operands: Box<[u8]>,
}

/// How the elements of an array or view become object numbers.
#[derive(Clone, Debug)]
pub enum Map {
    /// `base + stride · index`.
    Linear {
        /// Number of element 0.
        base: i64,
        /// Step between elements.
        stride: i64,
    },
    /// Looked up: views of several segments.
    Table(Arc<[u32]>),
    /// Elements have no numbers.
    Small,
}

/// What replay needs to know of an array.
#[derive(Clone, Debug)]
pub struct ArrayFacts {
    /// What the elements hold.
    pub class: Class,
    /// Bytes of an element.
    pub capacity_bytes: u64,
    /// Number of the first element, if elements have numbers.
    pub first: Option<u32>,
    /// Its place in the trace's name space.
    pub id: ArrayId,
}

/// The compiled trace.
#[derive(Clone, Debug)]
pub struct Program {
    /// Bodies by phase.
    pub phases: Vec<Vec<Code>>,
    /// Numbers of the [`form`](form::form)s of phases.
    pub forms: Vec<u64>,
    /// Call sites.
    pub sites: Vec<Site>,
    /// Arrays that own objects, ascending by `first`; small arrays stand at the end.
    pub arrays: Vec<ArrayFacts>,
    /// Number of tracked objects.
    pub objects: u32,
}

/// A compiled body.
#[derive(Clone, Debug)]
pub enum Code {
    /// A call, birth or death.
    Emit(Emit),
    /// A loop of one thread.
    Loop(Box<Loop>),
    /// Iterations that threads may share.
    Region(Box<Region>),
}

/// Words with operands to be filled in.
#[derive(Clone, Debug)]
pub struct Emit {
    /// Header word.
    pub header: u32,
    /// Operands.
    pub fields: Box<[Field]>,
    /// Words behind the operands (count and stride of a birth).
    pub tail: Box<[u32]>,
    /// How often to repeat with the index one higher; above 1 only for table maps.
    pub repeat: u64,
    /// Ciphertexts that count as written with the birth.
    pub written: u64,
}

/// An operand.
#[derive(Clone, Debug)]
pub struct Field {
    /// Index as an affine form.
    pub form: Form,
    /// From index to object number.
    pub map: Map,
    /// Elements of the array or view less those that a run needs beyond the first.
    pub limit: i64,
    /// For messages.
    pub array: ArrayId,
    /// Whether the object leaves nothing behind; see [`passing`].
    pub is_passing: bool,
}

impl Field {
    /// Coefficient of a variable.
    pub fn coefficient(&self, variable: usize) -> i64 {
        self.form.coefficient(variable)
    }

    /// Object number of an index that was checked.
    #[inline]
    pub fn object(&self, index: i64) -> u32 {
        match &self.map {
            Map::Linear { base, stride } => (base + stride * index) as u32,
            Map::Table(table) => table[index as usize],
            Map::Small => 0,
        }
    }

    /// Evaluates and checks the index.
    ///
    /// # Errors
    /// - [`Error::OutOfRange`] if it leaves the array.
    #[inline]
    pub fn index(&self, scope: &Scope) -> Result<i64> {
        let index = self.form.value(scope);
        self.check(index)?;
        Ok(index)
    }

    /// Checks an index.
    ///
    /// # Errors
    /// - [`Error::OutOfRange`] if it leaves the array.
    #[inline]
    pub fn check(&self, index: i64) -> Result<()> {
        if (0..self.limit).contains(&index) {
            return Ok(());
        }
        let (found, most) = (i128::from(index), i128::from(self.limit) - 1);
        let place = format!("array {}", self.array.0);
        Err(Error::OutOfRange { place, what: "index", found, least: 0, most })
    }
}

/// A compiled loop.
#[derive(Clone, Debug)]
pub struct Loop {
    /// Its ranges.
    pub nest: Nest,
    /// Replaces the body in the first iteration if not empty.
    pub first: Vec<Code>,
    /// The body.
    pub body: Vec<Code>,
    /// The same as a template, if the body is straight and the ranges do not shape one another.
    pub template: Option<Template>,
}

/// Lower and upper bounds of one loop variable.
type Bounds = (Box<[Form]>, Box<[Form]>);

/// A loop of straight-line words over a box of iterations.
#[derive(Clone, Debug)]
pub struct Template {
    /// Bounds of each range; they depend on enclosing variables alone.
    pub bounds: Box<[Bounds]>,
    /// Births of what every iteration but the first would allocate and free again, the same objects each time. A pool
    /// of exact sizes that takes back last what it gives out first hands out the same blocks each time.
    pub scratch: Box<[Emit]>,
    /// The deaths that belong to `scratch`.
    pub leftovers: Box<[Emit]>,
    /// Words of one iteration, operands left 0.
    pub words: Box<[u32]>,
    /// Whether nothing that lasts is born or dies inside.
    pub leaves_nothing: bool,
    /// Ciphertexts that count as written in an iteration with what is born inside.
    pub written: u64,
    /// Operands: position in `words`, and which.
    pub fields: Box<[(usize, Field)]>,
    /// Coefficients `[field][level]`.
    pub coefficients: Box<[Box<[i64]>]>,
}

/// Iterations that threads may share.
#[derive(Clone, Debug)]
pub struct Region {
    /// Without a barrier at the end.
    pub nowait: bool,
    /// Number of its [`form`](form::form).
    pub form: u64,
    /// What is iterated.
    pub kind: RegionKind,
}

/// A `Parallel` or a `Fork`.
#[derive(Clone, Debug)]
pub enum RegionKind {
    /// One body for each point of a nest.
    Nest {
        /// The ranges.
        nest: Nest,
        /// The body.
        body: Vec<Code>,
    },
    /// Unlike bodies.
    Branches(Vec<Vec<Code>>),
}

impl Region {
    /// Number of iterations under the enclosing variables.
    pub fn iterations(&self, scope: &mut Scope) -> u64 {
        match &self.kind {
            RegionKind::Nest { body, .. } if body.is_empty() => 0,
            RegionKind::Nest { nest, .. } => nest.count(scope),
            RegionKind::Branches(branches) => branches.len() as u64,
        }
    }
}
