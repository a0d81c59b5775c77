//! What a phase does: calls, loops and lifetimes over affine indices.

use serde::{Deserialize, Serialize};

use super::{ArrayId, MacroId};

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
    /// The values of list number `select`: the weights that pruning left. Lists ascend strictly. No values if there is
    /// no such list.
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
