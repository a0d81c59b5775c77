//! The grammar of a trace: definitions, macros, sweeps, loops and phases.

mod body;
mod object;
mod sweep;
mod trace;

pub use body::{Affine, Body, Elements, Operand, Range};
pub use object::{Array, ArrayId, Class, MacroId, Segment, View};
pub use sweep::{Access, Arithmetic, Lane, Macro, Order, Parameter, Role, Rule, Sweep, Work};
pub use trace::{Definition, Header, Item, Phase, PhaseHead, Stage, Trace};

/// Bytes of one cache line, the granule in which replay counts accesses.
pub const LINE_BYTES: u64 = 64;

/// Most lanes that one [`Sweep`] may advance together.
pub const MAX_LANES: usize = 8;

/// Most arithmetic operations of one kind in a sweep: seconds of a core, a thousand times the largest transform's.
pub const MAX_WORK: u64 = 1 << 32;

/// Most loop variables that may be in scope at one place.
pub const MAX_VARIABLES: usize = 32;

/// Most bodies that may enclose one another, and most views that may lie behind one another.
pub const MAX_DEPTH: usize = 64;

/// Most elements of one array or view.
pub const MAX_ELEMENTS: u64 = 1 << 32;
