//! Compiled bodies, and the resumable walk over them that expansion and every simulated thread use.

use crate::error::{Error, Result};
use crate::grammar::{ArrayId, Body, Elements, MAX_DEPTH, MacroId, Operand};
use crate::loops::{Form, Nest, Scope};

/// A compiled [`Body`].
#[derive(Clone, Debug)]
pub enum Node {
    /// Apply a macro.
    Call(Call),
    /// A nest run in order.
    Loop(Loop),
    /// A `Parallel` or a `Fork`.
    Region(Region),
    /// Objects come to life.
    Alloc(Run),
    /// Objects die.
    Free(Run),
}

impl Node {
    /// Whether it is a loop around nothing.
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Loop(Loop { first, body, .. }) if first.is_empty() && body.is_empty())
    }
}

/// A compiled call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which macro.
    pub callee: MacroId,
    /// Its operands.
    pub operands: Box<[Place]>,
    /// Number of the call among the calls compiled together, from 0 in order of the text.
    pub site: u32,
}

/// An element chosen by a compiled affine index.
#[derive(Clone, Debug)]
pub struct Place {
    /// The array or view.
    pub array: ArrayId,
    /// Which element.
    pub index: Form,
}

/// Compiled [`Elements`].
#[derive(Clone, Debug)]
pub struct Run {
    /// The array or view.
    pub array: ArrayId,
    /// First element.
    pub start: Form,
    /// How many.
    pub count: u64,
}

/// A compiled loop.
#[derive(Clone, Debug)]
pub struct Loop {
    pub(crate) nest: Nest,
    pub(crate) first: Vec<Node>,
    pub(crate) body: Vec<Node>,
    pub(crate) inside: Inside,
}

/// What bodies contain, so that facts can multiply instead of walking.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Inside {
    /// Variables that bounds of loops inside depend on, as a bit set.
    pub bounds: u32,
    /// The same for loops that allocate or free.
    pub lifetime_bounds: u32,
    /// Whether anything inside allocates or frees.
    pub has_lifetimes: bool,
}

impl Inside {
    /// What `nodes` contain.
    pub fn of(nodes: &[Node]) -> Self {
        nodes.iter().fold(Self::default(), |sum, node| {
            sum.with(match node {
                Node::Call(_) => Self::default(),
                Node::Alloc(_) | Node::Free(_) => Self { has_lifetimes: true, ..Self::default() },
                Node::Loop(Loop { nest, inside, .. }) => inside.under(nest),
                Node::Region(region) => match &region.iterations {
                    Iterations::Nest { nest, .. } => region.inside.under(nest),
                    Iterations::Branches(_) => region.inside,
                },
            })
        })
    }

    fn with(self, other: Self) -> Self {
        Self {
            bounds: self.bounds | other.bounds,
            lifetime_bounds: self.lifetime_bounds | other.lifetime_bounds,
            has_lifetimes: self.has_lifetimes || other.has_lifetimes,
        }
    }

    fn under(mut self, nest: &Nest) -> Self {
        self.bounds |= nest.dependencies();
        if self.has_lifetimes {
            self.lifetime_bounds |= nest.dependencies();
        }
        self
    }
}

/// Iterations that threads may share.
#[derive(Clone, Debug)]
pub struct Region {
    /// Without a barrier at the end.
    pub nowait: bool,
    pub(crate) iterations: Iterations,
    pub(crate) inside: Inside,
}

#[derive(Clone, Debug)]
pub(crate) enum Iterations {
    Nest { nest: Nest, body: Vec<Node> },
    Branches(Vec<Vec<Node>>),
}

impl Region {
    /// Number of iterations under the enclosing variables, none if they do nothing. Costs like [`Nest::count`].
    pub fn iterations(&self, scope: &mut Scope) -> u64 {
        match &self.iterations {
            Iterations::Nest { body, .. } if body.is_empty() => 0,
            Iterations::Nest { nest, .. } => nest.count(scope),
            Iterations::Branches(branches) => branches.len() as u64,
        }
    }

    /// Puts the variables at an iteration and gives what it does; `None` past the last. Costs like [`Nest::seek`].
    pub fn seek(&self, scope: &mut Scope, iteration: u64) -> Option<&[Node]> {
        match &self.iterations {
            Iterations::Nest { body, .. } if body.is_empty() => None,
            Iterations::Nest { nest, body } => nest.seek(scope, iteration).then_some(body.as_slice()),
            Iterations::Branches(branches) => branch(branches, iteration),
        }
    }

    /// Puts the variables, which stand at the iteration before, at `iteration`; `None` past the last. Costs a few
    /// nanoseconds.
    pub fn advance(&self, scope: &mut Scope, iteration: u64) -> Option<&[Node]> {
        match &self.iterations {
            Iterations::Nest { nest, body } => nest.advance(scope).then_some(body.as_slice()),
            Iterations::Branches(branches) => branch(branches, iteration),
        }
    }

    fn start(&self, scope: &mut Scope) -> Option<&[Node]> {
        match &self.iterations {
            Iterations::Nest { body, .. } if body.is_empty() => None,
            Iterations::Nest { nest, body } => nest.start(scope).then_some(body.as_slice()),
            Iterations::Branches(branches) => branch(branches, 0),
        }
    }
}

fn branch(branches: &[Vec<Node>], number: u64) -> Option<&[Node]> {
    usize::try_from(number).ok().and_then(|number| branches.get(number)).map(Vec::as_slice)
}

/// Compiles bodies below `in_scope` variables; 0 at the top of a phase.
///
/// # Errors
/// - [`Error::OutOfRange`] if a form names a variable out of scope, or if bodies or variables nest too deeply.
pub fn compile(bodies: &[Body], in_scope: usize) -> Result<Vec<Node>> {
    Compiler { sites: 0 }.bodies(bodies, in_scope, 1)
}

struct Compiler {
    sites: u32,
}

impl Compiler {
    fn bodies(&mut self, bodies: &[Body], in_scope: usize, depth: usize) -> Result<Vec<Node>> {
        if depth > MAX_DEPTH {
            let (found, most) = (depth as i128, MAX_DEPTH as i128);
            return Err(Error::OutOfRange { place: "body".into(), what: "depth", found, least: 1, most });
        }
        let nodes = bodies.iter().map(|body| self.body(body, in_scope, depth));
        nodes.filter(|node| !node.as_ref().is_ok_and(Node::is_nothing)).collect()
    }

    fn body(&mut self, body: &Body, in_scope: usize, depth: usize) -> Result<Node> {
        Ok(match body {
            Body::Call { callee, operands } => {
                let place = |operand: &Operand| -> Result<Place> {
                    Ok(Place { array: operand.array, index: Form::new(&operand.index, in_scope)? })
                };
                let site = self.sites;
                self.sites += 1;
                let operands = operands.iter().map(place).collect::<Result<_>>()?;
                Node::Call(Call { callee: *callee, operands, site })
            }
            Body::Loop { nest, first, body } => {
                let nest = Nest::new(nest, in_scope)?;
                let first = self.bodies(first, nest.in_scope(), depth + 1)?;
                let body = self.bodies(body, nest.in_scope(), depth + 1)?;
                let inside = Inside::of(&first).with(Inside::of(&body));
                Node::Loop(Loop { nest, first, body, inside })
            }
            Body::Parallel { nest, nowait, body } => {
                let nest = Nest::new(nest, in_scope)?;
                let body = self.bodies(body, nest.in_scope(), depth + 1)?;
                let inside = Inside::of(&body);
                Node::Region(Region { nowait: *nowait, iterations: Iterations::Nest { nest, body }, inside })
            }
            Body::Fork { nowait, branches } => {
                let branches = branches.iter().map(|branch| self.bodies(branch, in_scope, depth + 1));
                let branches = branches.collect::<Result<Vec<_>>>()?;
                let inside =
                    branches.iter().fold(Inside::default(), |sum, branch| sum.with(Inside::of(branch)));
                Node::Region(Region { nowait: *nowait, iterations: Iterations::Branches(branches), inside })
            }
            Body::Alloc(elements) => Node::Alloc(compile_run(elements, in_scope)?),
            Body::Free(elements) => Node::Free(compile_run(elements, in_scope)?),
        })
    }
}

fn compile_run(elements: &Elements, in_scope: usize) -> Result<Run> {
    Ok(Run { array: elements.array, start: Form::new(&elements.start, in_scope)?, count: elements.count })
}

/// What a walk comes across.
#[derive(Clone, Copy, Debug)]
pub enum Step<'n> {
    /// A call; its operands' forms hold in the walk's scope.
    Call(&'n Call),
    /// An allocation.
    Alloc(&'n Run),
    /// A release.
    Free(&'n Run),
    /// A region. The walk goes on behind it unless [`Walk::enter`] is called now.
    Region(&'n Region),
    /// An iteration of an entered region starts.
    IterationStart(u64),
    /// It ends.
    IterationEnd,
    /// An entered region ends.
    RegionEnd(&'n Region),
}

/// A resumable walk over bodies in order, by one thread. A step costs a few nanoseconds; memory grows with the
/// depth of the bodies only.
#[derive(Clone, Debug)]
pub struct Walk<'n> {
    scope: Scope,
    stack: Vec<Frame<'n>>,
}

#[derive(Clone, Debug)]
struct Frame<'n> {
    nodes: &'n [Node],
    at: usize,
    then: Then<'n>,
}

/// What follows when a frame's nodes are done.
#[derive(Clone, Copy, Debug)]
enum Then<'n> {
    Leave,
    Repeat(&'n Loop),
    Start(&'n Region, u64),
    End(&'n Region, u64),
    LeaveRegion(&'n Region),
}

impl<'n> Walk<'n> {
    /// A walk over `nodes` with the enclosing variables set in `scope`.
    pub fn new(nodes: &'n [Node], scope: Scope) -> Self {
        Self { scope, stack: vec![Frame { nodes, at: 0, then: Then::Leave }] }
    }

    /// Starts again over other nodes, keeping memory. The scope may be changed through [`Walk::scope_mut`].
    pub fn restart(&mut self, nodes: &'n [Node]) {
        self.stack.clear();
        self.stack.push(Frame { nodes, at: 0, then: Then::Leave });
    }

    /// The variables at the last step.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The variables, to be set between two walks.
    pub const fn scope_mut(&mut self) -> &mut Scope {
        &mut self.scope
    }

    /// Walks through the iterations of a region in order. To be called right after its [`Step::Region`].
    pub fn enter(&mut self, region: &'n Region) {
        let frame = match region.start(&mut self.scope) {
            Some(_) => Then::Start(region, 0),
            None => Then::LeaveRegion(region),
        };
        self.stack.push(Frame { nodes: &[], at: 0, then: frame });
    }

    /// The next step; `None` at the end.
    #[expect(
        clippy::should_implement_trait,
        reason = "steps are read together with the walk's scope between calls"
    )]
    #[inline]
    pub fn next(&mut self) -> Option<Step<'n>> {
        loop {
            let frame = self.stack.last_mut()?;
            let nodes = frame.nodes;
            let Some(node) = nodes.get(frame.at) else {
                if let Some(step) = self.turn() {
                    return Some(step);
                }
                continue;
            };
            frame.at += 1;
            match node {
                Node::Call(call) => return Some(Step::Call(call)),
                Node::Alloc(run) => return Some(Step::Alloc(run)),
                Node::Free(run) => return Some(Step::Free(run)),
                Node::Region(region) => return Some(Step::Region(region)),
                Node::Loop(entered) => self.enter_loop(entered),
            }
        }
    }

    fn enter_loop(&mut self, entered: &'n Loop) {
        if !entered.nest.start(&mut self.scope) {
            return;
        }
        let nodes = if entered.first.is_empty() { &entered.body } else { &entered.first };
        self.stack.push(Frame { nodes, at: 0, then: Then::Repeat(entered) });
    }

    /// Handles the end of the top frame's nodes: repeats, leaves, or yields an event of a region.
    #[inline]
    fn turn(&mut self) -> Option<Step<'n>> {
        let frame = self.stack.last_mut()?;
        match frame.then {
            Then::Repeat(repeated) if !repeated.body.is_empty() && repeated.nest.advance(&mut self.scope) => {
                frame.nodes = &repeated.body;
                frame.at = 0;
                None
            }
            Then::Repeat(_) | Then::Leave => {
                self.stack.pop();
                None
            }
            Then::Start(region, iteration) => {
                // The variables already stand at this iteration.
                frame.nodes = match &region.iterations {
                    Iterations::Nest { body, .. } => body,
                    Iterations::Branches(branches) => branch(branches, iteration).unwrap_or_default(),
                };
                frame.at = 0;
                frame.then = Then::End(region, iteration);
                Some(Step::IterationStart(iteration))
            }
            Then::End(region, iteration) => {
                frame.nodes = &[];
                frame.at = 0;
                frame.then = match region.advance(&mut self.scope, iteration + 1) {
                    Some(_) => Then::Start(region, iteration + 1),
                    None => Then::LeaveRegion(region),
                };
                Some(Step::IterationEnd)
            }
            Then::LeaveRegion(region) => {
                self.stack.pop();
                Some(Step::RegionEnd(region))
            }
        }
    }
}

#[cfg(test)]
mod tests;
