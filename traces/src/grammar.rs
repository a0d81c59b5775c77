//! The grammar of a trace: definitions, macros, sweeps, loops and phases.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Bytes of one cache line, the granule in which replay counts accesses.
pub const LINE_BYTES: u64 = 64;

/// Most lanes that one [`Sweep`] may advance together.
pub const MAX_LANES: usize = 8;

/// Most loop variables that may be in scope at one place.
pub const MAX_VARIABLES: usize = 32;

/// Most bodies that may enclose one another.
pub const MAX_DEPTH: usize = 64;

/// Most elements of one array or view.
pub const MAX_ELEMENTS: u64 = 1 << 32;

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
}

impl Class {
    /// Every class, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::Ciphertext,
        Self::Plaintext,
        Self::Scalar,
        Self::EvaluationKey,
        Self::Table,
        Self::Scratch,
        Self::Message,
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
        }
    }
}

/// Number of an [`Array`] or [`View`]: they share one name space, in order of definition from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ArrayId(pub u32);

/// Number of a [`Macro`], in order of definition from 0.
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
}

impl Arithmetic {
    /// Every kind, in order of its code in the binary form.
    pub const ALL: [Self; 10] = [
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

/// Up to [`MAX_LANES`] lanes that advance together, and the arithmetic done on the way; without lanes, pure work.
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

/// `constant + Σ coefficient · variable`, with variables numbered from the outermost loop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Affine {
    /// The constant.
    pub constant: i64,
    /// Pairs of variable and coefficient, ascending by variable, no zero coefficient.
    pub terms: Vec<(u8, i64)>,
}

impl Affine {
    /// A constant.
    pub const fn constant(constant: i64) -> Self {
        Self { constant, terms: Vec::new() }
    }

    /// The variable itself.
    pub fn variable(variable: u8) -> Self {
        Self { constant: 0, terms: vec![(variable, 1)] }
    }

    /// This plus `coefficient · variable`.
    #[must_use]
    pub fn plus(mut self, variable: u8, coefficient: i64) -> Self {
        match self.terms.binary_search_by_key(&variable, |term| term.0) {
            Ok(at) => {
                self.terms[at].1 += coefficient;
                if self.terms[at].1 == 0 {
                    self.terms.remove(at);
                }
            }
            Err(at) if coefficient != 0 => self.terms.insert(at, (variable, coefficient)),
            Err(_) => {}
        }
        self
    }

    /// This times a factor.
    #[must_use]
    pub fn times(mut self, factor: i64) -> Self {
        self.constant *= factor;
        self.terms.iter_mut().for_each(|term| term.1 *= factor);
        self.terms.retain(|term| term.1 != 0);
        self
    }

    /// This plus a constant.
    #[must_use]
    pub fn plus_constant(mut self, constant: i64) -> Self {
        self.constant += constant;
        self
    }

    /// Value under an assignment of the variables. Variables out of scope count as 0 and overflow wraps; the
    /// checker refuses both.
    pub fn value(&self, variables: &[i64]) -> i64 {
        self.terms.iter().fold(self.constant, |sum, &(variable, coefficient)| {
            let value = variables.get(usize::from(variable)).copied().unwrap_or(0);
            sum.wrapping_add(coefficient.wrapping_mul(value))
        })
    }
}

/// The values that one loop variable takes, ascending.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Range {
    /// `max(from) .. min(to)`, both over affine terms of outer variables: windows clipped at borders. Empty if
    /// the bounds cross.
    Affine {
        /// Lower bounds, at least one; the largest counts.
        from: Vec<Affine>,
        /// Upper bounds (exclusive), at least one; the smallest counts.
        to: Vec<Affine>,
    },
    /// The values of list number `select`: the weights that pruning left. Lists ascend strictly.
    Listed {
        /// The lists.
        lists: Vec<Vec<u32>>,
        /// Which list, by outer variables.
        select: Affine,
    },
    /// Those values of `0..of` that a seeded draw keeps, each with probability `keep_per_million` / 10⁶.
    Seeded {
        /// Number of candidates.
        of: u64,
        /// Chance of a candidate to be kept, in millionths.
        keep_per_million: u32,
        /// Distinguishes draws by outer variables.
        select: Affine,
        /// Seed of the draw.
        seed: u64,
    },
}

impl Range {
    /// `0..count`.
    pub fn count(count: u64) -> Self {
        Self::Affine { from: vec![Affine::constant(0)], to: vec![Affine::constant(count as i64)] }
    }
}

/// An operand of a call: an element chosen by affine index.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Operand {
    /// The array or view.
    pub array: ArrayId,
    /// Which element.
    pub index: Affine,
}

/// A run of elements of one array or view.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Elements {
    /// The array or view.
    pub array: ArrayId,
    /// First element.
    pub start: Affine,
    /// How many.
    pub count: u64,
}

/// What a phase does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// Apply a macro.
    Call {
        /// Which macro.
        callee: MacroId,
        /// Its operands, as many as the macro has parameters.
        operands: Vec<Operand>,
    },
    /// A collapsed nest of loops, run in order by one thread. Each range brings a variable into scope.
    Loop {
        /// The ranges, outermost first.
        nest: Vec<Range>,
        /// Replaces `body` in the very first iteration if not empty (the first term of a sum is not added).
        first: Vec<Body>,
        /// What every other iteration does.
        body: Vec<Body>,
    },
    /// A collapsed nest whose iterations, in row-major order, are dealt to the threads of the run.
    Parallel {
        /// The ranges, outermost first.
        nest: Vec<Range>,
        /// Without a barrier at the end.
        nowait: bool,
        /// What an iteration does.
        body: Vec<Body>,
    },
    /// Unlike bodies dealt to the threads like the iterations of a `Parallel`.
    Fork {
        /// Without a barrier at the end.
        nowait: bool,
        /// The bodies, in order.
        branches: Vec<Vec<Body>>,
    },
    /// Objects come to life (of a view: references are taken). An element may live again after its death.
    Alloc(Elements),
    /// Objects die (of a view: references are dropped).
    Free(Elements),
}

/// Whose time a phase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Key generation, tables, weights: before any input.
    SetUp,
    /// Encryption of inputs and decryption of results.
    Client,
    /// Inference on the server.
    Server,
}

impl Stage {
    /// Every stage, in order of its code in the binary form.
    pub const ALL: [Self; 3] = [Self::SetUp, Self::Client, Self::Server];

    /// Name as written in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SetUp => "set-up",
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// A layer, or one operation of the network's graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PhaseHead {
    /// Unique name, for instance `conv1`.
    pub name: String,
    /// Graph operation, for instance `Convolution`; reports count and group by it.
    pub operation: String,
    /// Whose time it is.
    pub stage: Stage,
}

/// A phase with its body.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Phase {
    /// Name, operation and stage.
    pub head: PhaseHead,
    /// What it does.
    pub body: Vec<Body>,
}

/// Facts about the run that a reader may want and replay does not need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Free keys: `network`, `producer`, `security`, `degree`, `primes`, `images`, `dataflow` …
    pub facts: BTreeMap<String, String>,
}

/// One element of a trace, in stream order. Definitions precede their first use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Item {
    /// The next [`ArrayId`] is an array.
    Array(Array),
    /// The next [`ArrayId`] is a view.
    View(View),
    /// The next [`MacroId`].
    Macro(Macro),
    /// A phase starts; its body follows as [`Item::Body`]. It ends with the next `PhaseStart` or the end of the trace.
    PhaseStart(PhaseHead),
    /// One top-level body of the current phase.
    Body(Body),
}

/// A definition in the shared name space of arrays and views.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Definition {
    /// Objects.
    Array(Array),
    /// References.
    View(View),
}

impl Definition {
    /// Name in reports.
    pub fn label(&self) -> &str {
        match self {
            Self::Array(array) => &array.label,
            Self::View(view) => &view.label,
        }
    }
}

/// A whole trace in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Facts about the run.
    pub header: Header,
    /// Arrays and views, by [`ArrayId`].
    pub definitions: Vec<Definition>,
    /// Macros, by [`MacroId`].
    pub macros: Vec<Macro>,
    /// Phases in order.
    pub phases: Vec<Phase>,
}

impl Trace {
    /// The trace as a stream: definitions first, then the phases.
    pub fn items(&self) -> impl Iterator<Item = Item> {
        let definitions = self.definitions.iter().map(|definition| match definition {
            Definition::Array(array) => Item::Array(array.clone()),
            Definition::View(view) => Item::View(view.clone()),
        });
        let macros = self.macros.iter().cloned().map(Item::Macro);
        let phases = self.phases.iter().flat_map(|phase| {
            let start = std::iter::once(Item::PhaseStart(phase.head.clone()));
            start.chain(phase.body.iter().cloned().map(Item::Body))
        });
        definitions.chain(macros).chain(phases)
    }
}

impl Trace {
    /// Adds the next item of a stream, unchecked.
    ///
    /// # Errors
    /// - [`Error::BodyOutsidePhase`](crate::Error::BodyOutsidePhase) for a body before the first phase.
    pub fn push(&mut self, item: Item) -> crate::Result<()> {
        match item {
            Item::Array(array) => self.definitions.push(Definition::Array(array)),
            Item::View(view) => self.definitions.push(Definition::View(view)),
            Item::Macro(defined) => self.macros.push(defined),
            Item::PhaseStart(head) => self.phases.push(Phase { head, body: Vec::new() }),
            Item::Body(body) => self.phases.last_mut().ok_or(crate::Error::BodyOutsidePhase)?.body.push(body),
        }
        Ok(())
    }
}
