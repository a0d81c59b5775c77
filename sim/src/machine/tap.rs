//! An observer of every line that reaches a memory controller.

use super::layout::{Layout, Line};
use crate::Picoseconds;
use crate::device::Kind;
use crate::mode::Operation;

/// One line on its way to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tapped {
    /// Tier, home socket and line inside them.
    pub line: Line,
    /// Direction.
    pub kind: Kind,
    /// When it reaches the controller. Instants of successive lines may fall back by a few hundred nanoseconds.
    pub at: Picoseconds,
}

/// Takes lines. Called once for each line that a traffic counter counts.
pub type Take = Box<dyn FnMut(Tapped)>;

/// The observer with what it needs to tell lines apart.
pub struct Tap {
    layout: Layout,
    take: Take,
}

impl Tap {
    /// Observes a machine whose channels are numbered by `layout`.
    pub fn new(layout: Layout, take: Take) -> Self {
        Self { layout, take }
    }

    pub(super) fn note(&mut self, operation: &Operation, at: Picoseconds) {
        let line = self.layout.origin(usize::from(operation.channel), operation.line);
        (self.take)(Tapped { line, kind: operation.kind, at });
    }
}
