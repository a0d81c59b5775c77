//! How often each call happens, and what that adds up to.

use std::collections::{BTreeMap, HashMap};

use super::budget::Budget;
use super::shape::Runs;
use super::{Activity, Traffic};
use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::grammar::{ArrayId, Macro};
use crate::loops::{Nest, Scope};
use crate::walk::{Call, Iterations, Loop, Node, Region, Run};

/// What one call of a macro does.
#[derive(Clone, Debug, Default)]
pub(super) struct MacroCost {
    line_accesses: u64,
    /// By operand.
    traffic: Vec<Traffic>,
    /// Lines read and written, by operand.
    lines: Vec<[u64; 2]>,
    arithmetic: BTreeMap<&'static str, u64>,
}

impl MacroCost {
    /// # Errors
    /// - [`Error::TooManySteps`] if its lanes have too many elements to look at one by one.
    pub fn of(defined: &Macro, budget: &mut Budget) -> Result<Self> {
        let mut cost = Self {
            traffic: vec![Traffic::default(); defined.parameters.len()],
            lines: vec![[0; 2]; defined.parameters.len()],
            ..Self::default()
        };
        for lane in defined.sweeps.iter().flat_map(|sweep| &sweep.lanes) {
            budget.spend(lane.counted_pieces())?;
            let lines = [lane.access.is_read(), lane.access.is_write()]
                .map(|is_taken| u64::from(is_taken) * lane.line_touches());
            cost.line_accesses = cost.line_accesses.saturating_add(lines[0] + lines[1]);
            if let Some(sums) = cost.lines.get_mut(usize::from(lane.operand)) {
                *sums = [0, 1].map(|way| sums[way].saturating_add(lines[way]));
            }
            if let Some(traffic) = cost.traffic.get_mut(usize::from(lane.operand)) {
                traffic.add(Traffic {
                    read_bytes: if lane.access.is_read() { lane.bytes } else { 0 },
                    write_bytes: if lane.access.is_write() { lane.bytes } else { 0 },
                });
            }
        }
        for work in defined.sweeps.iter().flat_map(|sweep| &sweep.work) {
            let sum = cost.arithmetic.entry(work.kind.name()).or_default();
            *sum = sum.saturating_add(work.count);
        }
        Ok(cost)
    }
}

/// Everything that `nodes` do, and by how many each array's live elements change.
pub(super) fn activity(
    nodes: &[Node],
    directory: &Directory,
    macros: &[Macro],
    costs: &[MacroCost],
    budget: &mut Budget,
) -> Result<(Activity, HashMap<ArrayId, i128>)> {
    let mut counter = Counter::new(None, budget);
    counter.visit(nodes, 1)?;
    let mut activity = Activity::default();
    each_call(nodes, &mut |call| {
        let executions = counter.executions.get(call.site as usize).copied().unwrap_or(0);
        let executions = u64::try_from(executions.max(0)).unwrap_or(u64::MAX);
        let callee = call.callee.0 as usize;
        let (Some(defined), Some(cost)) = (macros.get(callee), costs.get(callee)) else {
            let (place, defined) = ("calls of the phase".into(), macros.len());
            return Err(Error::UndefinedMacro { place, callee: call.callee.0, defined });
        };
        add_call(&mut activity, (call, executions), (defined, cost), directory)
    })?;
    for (array, births) in &counter.births {
        // A view brings nothing to life.
        let Some(array) = directory.array(*array) else { continue };
        let births = u64::try_from((*births).max(0)).unwrap_or(u64::MAX);
        let sum = activity.births_by_class.entry(array.class.name().into()).or_default();
        *sum = sum.saturating_add(births);
    }
    Ok((activity, counter.lifetimes))
}

/// Caches that touches go through, and who shares them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sharing {
    /// Iterations of parallel regions that run at once.
    pub threads: u64,
    /// Bytes of cache that each has for what its calls touch again and again.
    pub cache_bytes: u64,
}

/// Lines of each array or view that everything that `nodes` do reads and writes. Not counted are those of an object that
/// the same call touched in the iteration before, if all that the call touches fits into a cache; and iterations that run
/// at once and touch the same object, of which one brings it for all: they are taken to be in step.
pub(super) fn touches_by_array(
    nodes: &[Node],
    costs: &[MacroCost],
    directory: &Directory,
    sharing: Sharing,
    budget: &mut Budget,
) -> Result<BTreeMap<ArrayId, [u64; 2]>> {
    let touches = Touches { costs, directory, sharing, sums: BTreeMap::new() };
    let mut counter = Counter::new(Some(touches), budget);
    counter.visit(nodes, 1)?;
    let sums = counter.touches.map(|touches| touches.sums).unwrap_or_default();
    let whole = |sum: i128| u64::try_from(sum.max(0)).unwrap_or(u64::MAX);
    Ok(sums.into_iter().map(|(array, sums)| (array, sums.map(whole))).collect())
}

fn add_call(
    activity: &mut Activity,
    (call, executions): (&Call, u64),
    (defined, cost): (&Macro, &MacroCost),
    directory: &Directory,
) -> Result<()> {
    if executions == 0 {
        return Ok(());
    }
    activity.calls = activity.calls.saturating_add(executions);
    let lines = cost.line_accesses.saturating_mul(executions);
    activity.line_accesses = activity.line_accesses.saturating_add(lines);
    let count = activity.primitives.entry(defined.name.clone()).or_default();
    *count = count.saturating_add(executions);
    for (kind, amount) in &cost.arithmetic {
        let sum = activity.arithmetic.entry((*kind).into()).or_default();
        *sum = sum.saturating_add(amount.saturating_mul(executions));
    }
    let by_primitive = activity.bytes_by_primitive.entry(defined.name.clone()).or_default();
    for (operand, traffic) in call.operands.iter().zip(&cost.traffic) {
        let class = directory.class(operand.array).ok_or_else(|| Error::UndefinedArray {
            place: format!("call of {}", defined.name),
            array: operand.array.0,
            defined: directory.len(),
        })?;
        let traffic = Traffic {
            read_bytes: traffic.read_bytes.saturating_mul(executions),
            write_bytes: traffic.write_bytes.saturating_mul(executions),
        };
        activity.logical.add(traffic);
        by_primitive.add(traffic);
        activity.bytes_by_class.entry(class.name().into()).or_default().add(traffic);
    }
    Ok(())
}

fn each_call(nodes: &[Node], take: &mut impl FnMut(&Call) -> Result<()>) -> Result<()> {
    for node in nodes {
        match node {
            Node::Call(call) => take(call)?,
            Node::Loop(Loop { first, body, .. }) => {
                each_call(first, take)?;
                each_call(body, take)?;
            }
            Node::Region(Region { iterations: Iterations::Nest { body, .. }, .. }) => each_call(body, take)?,
            Node::Region(Region { iterations: Iterations::Branches(branches), .. }) => {
                branches.iter().try_for_each(|branch| each_call(branch, take))?;
            }
            Node::Alloc(_) | Node::Free(_) => {}
        }
    }
    Ok(())
}

/// Counts executions of calls by site. Weights are signed: the body of a first iteration is taken back.
struct Counter<'c> {
    budget: &'c mut Budget,
    scope: Scope,
    executions: Vec<i128>,
    lifetimes: HashMap<ArrayId, i128>,
    births: BTreeMap<ArrayId, i128>,
    /// Ranges around, from outside, and which of them run in parallel.
    levels: Vec<Level>,
    parallel: std::ops::Range<usize>,
    touches: Option<Touches<'c>>,
}

/// A range around the nodes at hand.
struct Level {
    variable: usize,
    /// Iterations that are visited as one.
    times: i128,
    /// Whether they are the first.
    is_first: bool,
}

/// Lines read and written, by array.
struct Touches<'c> {
    costs: &'c [MacroCost],
    directory: &'c Directory,
    sharing: Sharing,
    sums: BTreeMap<ArrayId, [i128; 2]>,
}

impl Touches<'_> {
    /// Whether the cache still holds what a call touched when it comes again.
    fn holds(&self, call: &Call) -> bool {
        let bytes = |array: ArrayId| self.directory.least_capacity(array).unwrap_or(0);
        call.operands.iter().map(|operand| bytes(operand.array)).fold(0, u64::saturating_add)
            <= self.sharing.cache_bytes
    }
}

impl<'c> Counter<'c> {
    fn new(touches: Option<Touches<'c>>, budget: &'c mut Budget) -> Self {
        Self {
            budget,
            scope: Scope::new(),
            executions: Vec::new(),
            lifetimes: HashMap::new(),
            births: BTreeMap::new(),
            levels: Vec::new(),
            parallel: 0..0,
            touches,
        }
    }

    fn visit(&mut self, nodes: &[Node], weight: i128) -> Result<()> {
        self.budget.spend(nodes.len() as u64)?;
        for node in nodes {
            match node {
                Node::Call(call) => {
                    self.add(call.site as usize, weight);
                    self.touch(call, weight);
                }
                Node::Alloc(run) => {
                    self.live(run, weight);
                    let births = self.births.entry(run.array).or_default();
                    *births = births.saturating_add(weight.saturating_mul(run.count.into()));
                }
                Node::Free(run) => self.live(run, weight.saturating_neg()),
                Node::Loop(repeated) => self.visit_loop(repeated, weight)?,
                Node::Region(region) => match &region.iterations {
                    Iterations::Nest { nest, body } => {
                        // Who runs an iteration runs the regions inside it alone.
                        let outer = self.parallel.clone();
                        if outer.is_empty() {
                            self.parallel = self.levels.len()..self.levels.len() + nest.depth();
                        }
                        self.visit_nest(nest, 0, region.inside.bounds, weight, body)?;
                        self.parallel = outer;
                    }
                    Iterations::Branches(branches) => {
                        branches.iter().try_for_each(|branch| self.visit(branch, weight))?;
                    }
                },
            }
        }
        Ok(())
    }

    fn visit_loop(&mut self, repeated: &Loop, weight: i128) -> Result<()> {
        let Loop { nest, first, body, inside } = repeated;
        self.visit_nest(nest, 0, inside.bounds, weight, body)?;
        if !first.is_empty() && self.budget.start(nest, &mut self.scope, 0)? {
            self.visit(body, weight.saturating_neg())?;
            self.visit(first, weight)?;
        }
        Ok(())
    }

    /// Visits `body` for all iterations of the ranges from `level` on: multiplies by ranges whose variable shapes
    /// nothing inside, enumerates the others. Of successive iterations of equal shape one is visited for all.
    fn visit_nest(
        &mut self,
        nest: &Nest,
        level: usize,
        inside: u32,
        weight: i128,
        body: &[Node],
    ) -> Result<()> {
        if level == nest.depth() {
            return self.visit(body, weight);
        }
        let is_shaping = nest.shapes_inner(level) || inside >> nest.variable(level) & 1 == 1;
        if !is_shaping {
            let length = i128::from(self.budget.length(nest, &self.scope, level)?);
            if length > 0 {
                self.visit_level((nest, level), inside, (weight, length, true), body)?;
            }
            return Ok(());
        }
        let (mut runs, mut is_first) = (Runs::default(), true);
        while let Some(times) =
            runs.next((self.budget, &mut self.scope), (nest, level), body, Some(|_| true))?
        {
            self.visit_level((nest, level), inside, (weight, times.into(), is_first), body)?;
            is_first = false;
        }
        Ok(())
    }

    /// Visits the ranges below a level for `times` of its iterations.
    fn visit_level(
        &mut self,
        (nest, level): (&Nest, usize),
        inside: u32,
        (weight, times, is_first): (i128, i128, bool),
        body: &[Node],
    ) -> Result<()> {
        self.levels.push(Level { variable: nest.variable(level), times, is_first });
        self.visit_nest(nest, level + 1, inside, weight.saturating_mul(times), body)?;
        self.levels.pop();
        Ok(())
    }

    /// Counts touches of a call's operands. Ranges around the call that do not choose the operand, from inside out,
    /// touch the same object again and again: once counts if a cache holds it meanwhile. Of parallel ranges further out
    /// that do not choose it either, those that run at once count once.
    fn touch(&mut self, call: &Call, weight: i128) {
        let Some(touches) = &mut self.touches else { return };
        let is_held = touches.holds(call);
        let lines = touches.costs.get(call.callee.0 as usize).map_or(&[][..], |cost| &cost.lines);
        for (operand, lines) in call.operands.iter().zip(lines) {
            let dependencies = u64::from(operand.index.dependencies());
            let chooses = |level: &Level| dependencies >> level.variable & 1 == 1;
            let idle = self.levels.iter().rev().take_while(|level| is_held && !chooses(level)).count();
            let (outer, idle) = self.levels.split_at(self.levels.len() - idle);
            let count = idle.iter().rev().fold(weight, |count, level| match level.is_first {
                true => count / level.times,
                false => 0,
            });
            let outer =
                outer.iter().enumerate().filter(|(at, level)| self.parallel.contains(at) && !chooses(level));
            let together = outer.fold(1_i128, |product, (_, level)| product.saturating_mul(level.times));
            let count = count / together.clamp(1, touches.sharing.threads.max(1).into());
            let sums = touches.sums.entry(operand.array).or_default();
            *sums = [0, 1].map(|way| sums[way].saturating_add(count.saturating_mul(lines[way].into())));
        }
    }

    fn live(&mut self, run: &Run, weight: i128) {
        let change = self.lifetimes.entry(run.array).or_default();
        *change = change.saturating_add(weight.saturating_mul(run.count.into()));
    }

    fn add(&mut self, site: usize, weight: i128) {
        if self.executions.len() <= site {
            self.executions.resize(site + 1, 0);
        }
        self.executions[site] = self.executions[site].saturating_add(weight);
    }
}
