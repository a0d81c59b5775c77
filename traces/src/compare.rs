//! Compares the expansions of two traces event by event.

use std::collections::HashMap;
use std::fmt;

use crate::directory::{Directory, Object};
use crate::error::Error;
use crate::expand::{Event, Expansion, Program};
use crate::grammar::{ArrayId, Macro, Trace};

/// Why two traces are not equal.
#[derive(Debug)]
#[non_exhaustive]
pub enum Difference {
    /// The first events that differ.
    Event {
        /// How many equal events precede.
        number: u64,
        /// Phase in which they happen.
        phase: String,
        /// Left trace's event.
        left: String,
        /// Right trace's event.
        right: String,
    },
    /// The left trace does not expand.
    Left(Error),
    /// The right trace does not expand.
    Right(Error),
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { number, phase, left, right } => {
                write!(formatter, "comparing event {number} (phase {phase}): left {left}, right {right}")
            }
            Self::Left(error) => write!(formatter, "expanding the left trace: {error}"),
            Self::Right(error) => write!(formatter, "expanding the right trace: {error}"),
        }
    }
}

impl std::error::Error for Difference {}

/// Compares two expansions event by event, in time proportional to their length and constant memory.
///
/// Arrays are equal if label, class and sizes are, and if they pair one to one; macros if their contents are.
/// Headers, numbers of definitions and unused definitions do not matter.
///
/// # Errors
/// The first [`Difference`].
pub fn equal(left: &Trace, right: &Trace) -> Result<(), Difference> {
    let left_program = Program::new(left).map_err(Difference::Left)?;
    let right_program = Program::new(right).map_err(Difference::Right)?;
    let mut left_expansion = Expansion::new(left, &left_program).map_err(Difference::Left)?;
    let mut right_expansion = Expansion::new(right, &right_program).map_err(Difference::Right)?;
    let directories = (left_expansion.directory().clone(), right_expansion.directory().clone());
    let mut pairing = Pairing {
        left: Side { directory: &directories.0, macros: &left.macros, pairs: HashMap::new() },
        right: Side { directory: &directories.1, macros: &right.macros, pairs: HashMap::new() },
        calls: HashMap::new(),
    };
    let mut phase = String::from("none");
    for number in 0.. {
        let left = left_expansion.next().map_err(Difference::Left)?;
        let right = right_expansion.next().map_err(Difference::Right)?;
        if !pairing.is_equal(left, right) {
            let left = pairing.left.describe(left);
            return Err(Difference::Event { number, phase, left, right: pairing.right.describe(right) });
        }
        match left {
            None => break,
            Some(Event::PhaseStart(head)) => phase.clone_from(&head.name),
            Some(_) => {}
        }
    }
    Ok(())
}

/// One of the two traces.
struct Side<'t> {
    directory: &'t Directory,
    macros: &'t [Macro],
    /// The other side's array for each array met so far.
    pairs: HashMap<ArrayId, ArrayId>,
}

/// What is known to correspond.
struct Pairing<'t> {
    left: Side<'t>,
    right: Side<'t>,
    /// Whether two macros' contents are equal.
    calls: HashMap<(u32, u32), bool>,
}

impl Pairing<'_> {
    fn is_equal(&mut self, left: Option<Event<'_>>, right: Option<Event<'_>>) -> bool {
        match (left, right) {
            (Some(Event::Alloc(left)), Some(Event::Alloc(right)))
            | (Some(Event::Free(left)), Some(Event::Free(right))) => self.is_same(left, right),
            (Some(Event::Call { callee, objects }), Some(Event::Call { callee: other, objects: others })) => {
                let (macros, other_macros) = (self.left.macros, self.right.macros);
                let is_known = self
                    .calls
                    .entry((callee.0, other.0))
                    .or_insert_with(|| macros.get(callee.0 as usize) == other_macros.get(other.0 as usize));
                *is_known && self.are_same(objects, others)
            }
            // The call before had equal objects.
            (Some(Event::Sweep { sweep, .. }), Some(Event::Sweep { sweep: other, .. })) => sweep == other,
            (left, right) => left == right,
        }
    }

    fn are_same(&mut self, left: &[Object], right: &[Object]) -> bool {
        left.len() == right.len() && left.iter().zip(right).all(|(left, right)| self.is_same(*left, *right))
    }

    fn is_same(&mut self, left: Object, right: Object) -> bool {
        if left.index != right.index {
            return false;
        }
        match (self.left.pairs.get(&left.array), self.right.pairs.get(&right.array)) {
            (Some(&pair), Some(&back)) => pair == right.array && back == left.array,
            (None, None) => {
                let is_same =
                    self.left.directory.array(left.array) == self.right.directory.array(right.array);
                if is_same {
                    self.left.pairs.insert(left.array, right.array);
                    self.right.pairs.insert(right.array, left.array);
                }
                is_same
            }
            _ => false,
        }
    }
}

impl Side<'_> {
    fn name(&self, object: Object) -> String {
        format!("{}[{}]", self.directory.label(object.array), object.index)
    }

    fn names(&self, objects: &[Object]) -> String {
        objects.iter().map(|object| self.name(*object)).collect::<Vec<_>>().join(", ")
    }

    fn describe(&self, event: Option<Event<'_>>) -> String {
        match event {
            None => "end of the trace".into(),
            Some(Event::PhaseStart(head)) => {
                format!("phase {} ({}, {})", head.name, head.operation, head.stage.name())
            }
            Some(Event::RegionStart { iterations }) => {
                format!("start of a region of {iterations} iterations")
            }
            Some(Event::IterationStart(iteration)) => format!("start of iteration {iteration}"),
            Some(Event::IterationEnd) => "end of an iteration".into(),
            Some(Event::RegionEnd { nowait }) => {
                format!("end of a region {} barrier", if nowait { "without" } else { "with" })
            }
            Some(Event::Alloc(object)) => format!("allocation of {}", self.describe_object(object)),
            Some(Event::Free(object)) => format!("release of {}", self.name(object)),
            Some(Event::Call { callee, objects }) => match self.macros.get(callee.0 as usize) {
                Some(callee) => {
                    format!("{} at {} limbs of ({})", callee.name, callee.limbs, self.names(objects))
                }
                None => "an undefined macro".into(),
            },
            Some(Event::Sweep { sweep, objects }) => format!("{sweep:?} of ({})", self.names(objects)),
        }
    }

    fn describe_object(&self, object: Object) -> String {
        match self.directory.array(object.array) {
            Some(array) => format!(
                "{} ({}, {} of {} bytes)",
                self.name(object),
                array.class.name(),
                array.used_bytes,
                array.capacity_bytes
            ),
            None => self.name(object),
        }
    }
}

#[cfg(test)]
mod tests;
