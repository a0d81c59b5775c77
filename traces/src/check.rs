//! Checks a stream of items against the rules of the grammar, without unrolling loops.
//!
//! Indices are bounded by interval arithmetic. Where every variable of an index has constant bounds, and no range further
//! in that depends on one of them may be empty, this is exact and an index outside its array is refused. Where a variable
//! is clipped, listed, thinned or guarded so, only an index that is outside for every value is refused, and
//! [expansion](mod@crate::expand) finds the rest. Lifetimes are left to expansion as well.
//!
//! Numbers of lists are checked like indices; one outside that is not seen picks no list.
//!
//! Refused although no iteration does it, because intervals do not see it: an index that is outside for every value, in a
//! loop that never runs; a form beyond 64 bits at values of clipped or listed variables that do not come together. No
//! lowering writes such bodies.

mod macros;
mod ranges;

use std::collections::HashSet;

use crate::directory::{Directory, outside};
use crate::error::{Error, Result};
use crate::grammar::{
    Affine, ArrayId, Body, Definition, Elements, Item, MAX_DEPTH, MAX_ELEMENTS, Macro, MacroId, Operand,
    PhaseHead, Range, Trace,
};

use ranges::{Interval, Variables};

/// Checks items in stream order. Memory grows with definitions and phases only.
#[derive(Debug, Default)]
pub struct Checker {
    directory: Directory,
    macros: Vec<Macro>,
    phases: HashSet<String>,
    phase: Option<String>,
}

impl Checker {
    /// Starts with an empty trace.
    pub fn new() -> Self {
        Self::default()
    }

    /// The arrays and views so far.
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The macros so far.
    pub fn macros(&self) -> &[Macro] {
        &self.macros
    }

    /// Checks the next item and takes it; a refused item leaves no trace.
    ///
    /// # Errors
    /// - [`Error::UndefinedArray`], [`Error::UndefinedMacro`] for a use before the definition.
    /// - [`Error::OutOfRange`] for numbers outside their bounds, [`Error::Malformed`] for other broken rules.
    /// - [`Error::BodyOutsidePhase`] for a body before the first phase.
    pub fn push(&mut self, item: &Item) -> Result<()> {
        match item {
            Item::Array(array) => self.directory.push(Definition::Array(array.clone())).map(drop),
            Item::View(view) => self.directory.push(Definition::View(view.clone())).map(drop),
            Item::Macro(defined) => {
                macros::check(defined)?;
                self.macros.push(defined.clone());
                Ok(())
            }
            Item::PhaseStart(head) => self.start_phase(head),
            Item::Body(body) => {
                let phase = self.phase.as_deref().ok_or(Error::BodyOutsidePhase)?;
                let pass = Pass { phase, directory: &self.directory, macros: &self.macros };
                pass.body(body, &Variables::default(), 1)
            }
        }
    }

    fn start_phase(&mut self, head: &PhaseHead) -> Result<()> {
        if !self.phases.insert(head.name.clone()) {
            let rule = "found a second phase of this name, need unique names";
            return Err(Error::Malformed { place: format!("phase {}", head.name), rule });
        }
        self.phase = Some(head.name.clone());
        Ok(())
    }
}

/// Checks a whole trace.
///
/// # Errors
/// Those of [`Checker::push`].
pub fn check(trace: &Trace) -> Result<()> {
    let mut checker = Checker::new();
    trace.items().try_for_each(|item| checker.push(&item))
}

/// One body's check.
struct Pass<'c> {
    phase: &'c str,
    directory: &'c Directory,
    macros: &'c [Macro],
}

impl Pass<'_> {
    fn body(&self, body: &Body, variables: &Variables, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(self.outside("depth of bodies", depth as i128, 1, MAX_DEPTH as i128));
        }
        let all = |bodies: &[Body], variables: &Variables| {
            bodies.iter().try_for_each(|body| self.body(body, variables, depth + 1))
        };
        match body {
            Body::Call { callee, operands } => self.call(*callee, operands, variables),
            Body::Loop { nest, first, body } => {
                let (mut inside, fewest) = self.nest(nest, variables)?;
                if !first.is_empty() {
                    // Neither body sees every combination of values.
                    inside.blur_from(variables.len());
                    all(first, &inside)?;
                    if fewest < 2 {
                        inside.blur_from(0);
                    }
                }
                all(body, &inside)
            }
            Body::Parallel { nest, body, .. } => all(body, &self.nest(nest, variables)?.0),
            Body::Fork { branches, .. } => branches.iter().try_for_each(|branch| all(branch, variables)),
            Body::Alloc(elements) | Body::Free(elements) => self.elements(elements, variables),
        }
    }

    /// The variables inside a nest, and how many iterations it has at least.
    fn nest(&self, nest: &[Range], variables: &Variables) -> Result<(Variables, i128)> {
        let (mut inside, mut iterations) = (variables.clone(), 1_i128);
        for range in nest {
            let (interval, fewest) = self.range(range, &inside)?;
            let added = match range {
                Range::Affine { from, to } => inside.push(interval, fewest, from.iter().chain(to)),
                Range::Listed { select, .. } | Range::Seeded { select, .. } => {
                    inside.push(interval, fewest, std::iter::once(select))
                }
            };
            added.map_err(|count| {
                self.outside("number of loop variables", count as i128, 0, crate::MAX_VARIABLES as i128)
            })?;
            iterations = iterations.saturating_mul(fewest.max(0));
        }
        Ok((inside, iterations))
    }

    /// The values of a range, and how many it has at least.
    fn range(&self, range: &Range, variables: &Variables) -> Result<(Interval, i128)> {
        match range {
            Range::Affine { from, to } => {
                if from.is_empty() || to.is_empty() {
                    return Err(
                        self.malformed("found a range without bounds, need at least one on each side")
                    );
                }
                let intervals = |forms: &[Affine]| {
                    forms.iter().map(|form| self.form(form, variables)).collect::<Result<Vec<_>>>()
                };
                let interval = Interval::between(&intervals(from)?, &intervals(to)?);
                let pairs = from.iter().flat_map(|from| to.iter().map(move |to| (from, to)));
                let fewest = pairs.map(|(from, to)| variables.least_difference(from, to)).min();
                Ok((interval, fewest.unwrap_or(0)))
            }
            Range::Listed { lists, select } => {
                let select = self.form(select, variables)?;
                if let Some(found) = select.refused(lists.len() as i128) {
                    return Err(self.outside("number of a list", found, 0, lists.len() as i128 - 1));
                }
                if lists.iter().any(|list| !list.is_sorted_by(|a, b| a < b)) {
                    return Err(
                        self.malformed("found a list that does not ascend, need strictly ascending values")
                    );
                }
                Ok((Interval::of_lists(lists, select), Interval::fewest_of_lists(lists, select)))
            }
            Range::Seeded { of, keep_per_million, select, .. } => {
                self.form(select, variables)?;
                let (chance, million) = (i128::from(*keep_per_million), i128::from(crate::seeded::MILLION));
                if chance > million {
                    return Err(self.outside("chance in millionths", chance, 0, million));
                }
                if *of > MAX_ELEMENTS {
                    return Err(self.outside("number of candidates", (*of).into(), 0, MAX_ELEMENTS.into()));
                }
                let (of, is_exact) = (i128::from(*of), chance == million);
                Ok((Interval { low: 0, high: of - 1, is_exact }, if is_exact { of } else { 0 }))
            }
        }
    }

    fn form(&self, form: &Affine, variables: &Variables) -> Result<Interval> {
        if !form.terms.is_sorted_by(|a, b| a.0 < b.0) || form.terms.iter().any(|term| term.1 == 0) {
            return Err(
                self.malformed("found affine terms out of order or zero, need ascending variables, no zero")
            );
        }
        if let Some(&(variable, _)) = form.terms.iter().find(|term| usize::from(term.0) >= variables.len()) {
            return Err(self.outside("loop variable", variable.into(), 0, variables.len() as i128 - 1));
        }
        let interval = variables.value(form);
        let most = i128::from(i64::MAX);
        match [interval.low, interval.high].into_iter().find(|end| !(-most..=most).contains(end)) {
            Some(found) => Err(self.outside("value of an affine form", found, -most, most)),
            None => Ok(interval),
        }
    }

    fn call(&self, callee: MacroId, operands: &[Operand], variables: &Variables) -> Result<()> {
        let Some(called) = self.macros.get(callee.0 as usize) else {
            let (place, defined) = (self.place(), self.macros.len());
            return Err(Error::UndefinedMacro { place, callee: callee.0, defined });
        };
        let (found, need) = (operands.len() as i128, called.parameters.len() as i128);
        if found != need {
            return Err(self.outside("number of operands", found, need, need));
        }
        for (parameter, operand) in called.parameters.iter().zip(operands) {
            self.index(operand.array, &operand.index, 1, variables)?;
            // Elements of a view may differ: expansion checks each.
            let capacity = self.directory.array(operand.array).map_or(u64::MAX, |array| array.capacity_bytes);
            if capacity < parameter.bytes {
                let place =
                    format!("{}: {} in {}", self.phase, self.directory.label(operand.array), called.name);
                let most = i64::MAX.into();
                return Err(outside(
                    &place,
                    "bytes of an operand",
                    capacity.into(),
                    parameter.bytes.into(),
                    most,
                ));
            }
        }
        Ok(())
    }

    fn elements(&self, elements: &Elements, variables: &Variables) -> Result<()> {
        if elements.count == 0 || elements.count > MAX_ELEMENTS {
            return Err(self.outside("number of elements", elements.count.into(), 1, MAX_ELEMENTS.into()));
        }
        self.index(elements.array, &elements.start, elements.count, variables)
    }

    /// Checks `count` elements from an index on.
    fn index(&self, array: ArrayId, index: &Affine, count: u64, variables: &Variables) -> Result<()> {
        let Some(elements) = self.directory.elements(array) else {
            let (place, defined) = (self.place(), self.directory.len());
            return Err(Error::UndefinedArray { place, array: array.0, defined });
        };
        let interval = self.form(index, variables)?;
        if variables.are_empty() {
            return Ok(());
        }
        let starts = i128::from(elements) - i128::from(count) + 1;
        match interval.refused(starts) {
            Some(start) => {
                let found = if start < 0 { start } else { start + i128::from(count) - 1 };
                let place = format!("{}: {}", self.phase, self.directory.label(array));
                Err(outside(&place, "index", found, 0, i128::from(elements) - 1))
            }
            None => Ok(()),
        }
    }

    fn place(&self) -> String {
        self.phase.to_owned()
    }

    fn outside(&self, what: &'static str, found: i128, least: i128, most: i128) -> Error {
        outside(self.phase, what, found, least, most)
    }

    fn malformed(&self, rule: &'static str) -> Error {
        Error::Malformed { place: self.place(), rule }
    }
}

#[cfg(test)]
mod tests;
