//! A checked builder of traces in memory.

use std::collections::HashMap;

use crate::check::Checker;
use crate::error::Result;
use crate::grammar::{Array, ArrayId, Body, Header, Item, Macro, MacroId, PhaseHead, Trace, View};

/// Builds a [`Trace`]; refuses what the [`Checker`] refuses, at once.
///
/// Macros are deduplicated by content: defining one twice gives the same number.
#[derive(Debug, Default)]
pub struct Builder {
    checker: Checker,
    trace: Trace,
    macros: HashMap<Macro, MacroId>,
}

impl Builder {
    /// An empty trace with facts about the run.
    pub fn new(header: Header) -> Self {
        Self { trace: Trace { header, ..Trace::default() }, ..Self::default() }
    }

    /// Sets one fact about the run.
    pub fn fact(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.trace.header.facts.insert(key.into(), value.into());
    }

    /// Defines an array.
    ///
    /// # Errors
    /// Those of [`Checker::push`].
    pub fn array(&mut self, array: Array) -> Result<ArrayId> {
        self.push(Item::Array(array))?;
        Ok(self.last_definition())
    }

    /// Defines a view.
    ///
    /// # Errors
    /// Those of [`Checker::push`].
    pub fn view(&mut self, view: View) -> Result<ArrayId> {
        self.push(Item::View(view))?;
        Ok(self.last_definition())
    }

    /// Defines a macro, or finds the equal one defined before.
    ///
    /// # Errors
    /// Those of [`Checker::push`].
    pub fn define(&mut self, defined: Macro) -> Result<MacroId> {
        if let Some(&id) = self.macros.get(&defined) {
            return Ok(id);
        }
        let id = MacroId(self.trace.macros.len() as u32);
        self.push(Item::Macro(defined.clone()))?;
        self.macros.insert(defined, id);
        Ok(id)
    }

    /// Starts a phase and ends the one before.
    ///
    /// # Errors
    /// Those of [`Checker::push`].
    pub fn phase(&mut self, head: PhaseHead) -> Result<()> {
        self.push(Item::PhaseStart(head))
    }

    /// Adds a body to the current phase.
    ///
    /// # Errors
    /// Those of [`Checker::push`].
    pub fn body(&mut self, body: Body) -> Result<()> {
        self.push(Item::Body(body))
    }

    /// What was built so far.
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The trace.
    pub fn finish(self) -> Trace {
        self.trace
    }

    fn push(&mut self, item: Item) -> Result<()> {
        self.checker.push(&item)?;
        self.trace.push(item)
    }

    fn last_definition(&self) -> ArrayId {
        ArrayId(self.trace.definitions.len() as u32 - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expand::tests::copy;

    #[test]
    fn equal_macros_get_one_number_and_refused_ones_none() {
        let mut builder = Builder::new(Header::default());
        let mut other = copy();
        other.limbs = 2;
        let mut wrong = copy();
        wrong.sweeps[0].lanes[0].operand = 2;

        let first = builder.define(copy()).unwrap();
        assert!(builder.define(wrong.clone()).is_err());
        let second = builder.define(other).unwrap();
        assert!(builder.define(wrong).is_err());

        assert_eq!((first, second), (MacroId(0), MacroId(1)));
        assert_eq!(builder.define(copy()).unwrap(), first);
        assert_eq!(builder.finish().macros.len(), 2);
    }
}
