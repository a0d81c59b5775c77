//! Phases, stream items and whole traces.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Array, Body, Macro, View};

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
    /// The next [`ArrayId`](super::ArrayId) is an array.
    Array(Array),
    /// The next [`ArrayId`](super::ArrayId) is a view.
    View(View),
    /// The next [`MacroId`](super::MacroId).
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
    /// Arrays and views, by [`ArrayId`](super::ArrayId).
    pub definitions: Vec<Definition>,
    /// Macros, by [`MacroId`](super::MacroId).
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
