//! Expansion: unrolls a trace into flat events, and checks bounds and lifetimes on the way.
//!
//! `Parallel` and `Fork` give the same events, so that a real run recorded branch by branch equals the folded loop.
//! Views vanish: events name the objects behind them, an object is born with its own allocation and dies with its
//! last reference.

mod world;

use std::ops::ControlFlow;

use crate::directory::{Directory, Object};
use crate::error::{Error, Result};
use crate::grammar::{ArrayId, Definition, Item, MacroId, PhaseHead, Sweep, Trace};
use crate::loops::Scope;
use crate::walk::{Node, Run, Step, Walk, compile};

use world::World;

/// One thing that happens, with objects resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'e> {
    /// A phase starts and ends the one before.
    PhaseStart(&'e PhaseHead),
    /// Iterations follow that threads may share.
    RegionStart {
        /// How many.
        iterations: u64,
    },
    /// An iteration of the innermost region starts; iterations come in order, from 0.
    IterationStart(u64),
    /// It ends.
    IterationEnd,
    /// The innermost region ends.
    RegionEnd {
        /// Without a barrier.
        nowait: bool,
    },
    /// An object comes to life.
    Alloc(Object),
    /// An object dies.
    Free(Object),
    /// A primitive starts; its sweeps follow.
    Call {
        /// Which macro.
        callee: MacroId,
        /// Its operands, by number.
        objects: &'e [Object],
    },
    /// One sweep of the last call.
    Sweep {
        /// Lanes and work.
        sweep: &'e Sweep,
        /// Operands of the call; a lane's object is `objects[lane.operand]`.
        objects: &'e [Object],
    },
}

/// Takes events.
pub trait Sink {
    /// Takes the next event; [`ControlFlow::Break`] ends the expansion early, without an error.
    fn push(&mut self, event: Event<'_>) -> ControlFlow<()>;
}

impl<F: FnMut(Event<'_>) -> ControlFlow<()>> Sink for F {
    fn push(&mut self, event: Event<'_>) -> ControlFlow<()> {
        self(event)
    }
}

/// Expands a whole trace into a sink.
///
/// # Errors
/// - [`Error::UndefinedArray`], [`Error::UndefinedMacro`], [`Error::OutOfRange`], [`Error::Malformed`] where a body
///   does not fit its definitions.
/// - [`Error::Dead`] for a use or release of a dead object, or a reference to one.
/// - [`Error::Alive`] for a second allocation of a live object.
pub fn expand(trace: &Trace, sink: &mut impl Sink) -> Result<()> {
    let program = Program::new(trace)?;
    let mut expansion = Expansion::new(trace, &program)?;
    while let Some(event) = expansion.next()? {
        if sink.push(event).is_break() {
            break;
        }
    }
    Ok(())
}

/// Expands a stream of items into a sink, in memory that does not grow with the number of bodies.
///
/// # Errors
/// Those of [`expand`] and of the stream, and [`Error::BodyOutsidePhase`].
pub fn expand_items(items: impl IntoIterator<Item = Result<Item>>, sink: &mut impl Sink) -> Result<()> {
    let mut world = World::default();
    let mut has_phase = false;
    for item in items {
        match item? {
            Item::Array(array) => drop(world.directory.push(Definition::Array(array))?),
            Item::View(view) => drop(world.directory.push(Definition::View(view))?),
            Item::Macro(defined) => world.macros.push(defined),
            Item::PhaseStart(head) => {
                has_phase = true;
                world.phase.clone_from(&head.name);
                if sink.push(Event::PhaseStart(&head)).is_break() {
                    return Ok(());
                }
            }
            Item::Body(_) if !has_phase => return Err(Error::BodyOutsidePhase),
            Item::Body(body) => {
                let nodes = compile(&[body], 0)?;
                let mut unrolling = Unrolling::new(&nodes);
                while let Some(taken) = unrolling.next(&mut world)? {
                    if sink.push(taken.with(&world)).is_break() {
                        return Ok(());
                    }
                }
            }
        }
    }
    Ok(())
}

/// The compiled bodies of a trace.
#[derive(Clone, Debug)]
pub struct Program {
    phases: Vec<Vec<Node>>,
}

impl Program {
    /// Compiles all phases.
    ///
    /// # Errors
    /// Those of [`compile`].
    pub fn new(trace: &Trace) -> Result<Self> {
        let phases = trace.phases.iter().map(|phase| compile(&phase.body, 0));
        Ok(Self { phases: phases.collect::<Result<_>>()? })
    }

    /// Compiled bodies by number of the phase.
    pub fn phases(&self) -> &[Vec<Node>] {
        &self.phases
    }
}

/// An expansion that gives one event at a time, for those who pull.
#[derive(Debug)]
pub struct Expansion<'t> {
    trace: &'t Trace,
    program: &'t Program,
    world: World,
    phase: usize,
    unrolling: Option<Unrolling<'t>>,
}

impl<'t> Expansion<'t> {
    /// Starts at the first phase.
    ///
    /// # Errors
    /// Those of [`Directory::push`].
    pub fn new(trace: &'t Trace, program: &'t Program) -> Result<Self> {
        let directory = Directory::of(&trace.definitions)?;
        let world = World { directory, macros: trace.macros.clone(), ..World::default() };
        Ok(Self { trace, program, world, phase: 0, unrolling: None })
    }

    /// The definitions.
    pub const fn directory(&self) -> &Directory {
        &self.world.directory
    }

    /// Number of objects that live now.
    pub const fn live_objects(&self) -> u64 {
        self.world.liveness.live()
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// Those of [`expand`].
    #[expect(clippy::should_implement_trait, reason = "events borrow from the expansion")]
    pub fn next(&mut self) -> Result<Option<Event<'_>>> {
        if let Some(unrolling) = &mut self.unrolling
            && let Some(taken) = unrolling.next(&mut self.world)?
        {
            return Ok(Some(taken.with(&self.world)));
        }
        let (Some(phase), Some(nodes)) =
            (self.trace.phases.get(self.phase), self.program.phases.get(self.phase))
        else {
            return Ok(None);
        };
        self.phase += 1;
        self.world.phase.clone_from(&phase.head.name);
        self.unrolling = Some(Unrolling::new(nodes));
        Ok(Some(Event::PhaseStart(&phase.head)))
    }
}

/// The expansion of some bodies.
#[derive(Debug)]
struct Unrolling<'n> {
    walk: Walk<'n>,
    pending: Pending,
}

/// What is left of the last step.
#[derive(Clone, Copy, Debug)]
enum Pending {
    Nothing,
    Sweeps { callee: MacroId, next: usize },
    Alloc(Elements),
    Free(Elements),
}

/// Elements still to be allocated or freed.
#[derive(Clone, Copy, Debug)]
struct Elements {
    array: ArrayId,
    next: i64,
    left: u64,
}

impl Elements {
    fn take(&mut self) -> Option<(ArrayId, i64)> {
        self.left = self.left.checked_sub(1)?;
        let index = self.next;
        self.next = index.wrapping_add(1);
        Some((self.array, index))
    }
}

impl<'n> Unrolling<'n> {
    fn new(nodes: &'n [Node]) -> Self {
        Self { walk: Walk::new(nodes, Scope::new()), pending: Pending::Nothing }
    }

    /// The next event; `None` at the end of the bodies. Steps without an event, such as references of views, are passed.
    fn next(&mut self, world: &mut World) -> Result<Option<Taken>> {
        loop {
            if let Some(taken) = self.take_pending(world)? {
                return Ok(Some(taken));
            }
            let Some(step) = self.walk.next() else { return Ok(None) };
            return Ok(Some(match step {
                Step::Call(call) => {
                    world.bind(call, self.walk.scope())?;
                    self.pending = Pending::Sweeps { callee: call.callee, next: 0 };
                    Taken::Call(call.callee)
                }
                Step::Alloc(run) => {
                    self.pending = Pending::Alloc(elements(run, self.walk.scope()));
                    continue;
                }
                Step::Free(run) => {
                    self.pending = Pending::Free(elements(run, self.walk.scope()));
                    continue;
                }
                Step::Region(region) => {
                    let iterations = region.iterations(self.walk.scope_mut());
                    self.walk.enter(region);
                    Taken::RegionStart(iterations)
                }
                Step::IterationStart(iteration) => Taken::IterationStart(iteration),
                Step::IterationEnd => Taken::IterationEnd,
                Step::RegionEnd(region) => Taken::RegionEnd { nowait: region.nowait },
            }));
        }
    }

    /// Goes on with the last step; `None` when it is done.
    fn take_pending(&mut self, world: &mut World) -> Result<Option<Taken>> {
        match &mut self.pending {
            Pending::Nothing => {}
            Pending::Sweeps { callee, next } => {
                let sweep = *next;
                *next += 1;
                if sweep < world.macros[callee.0 as usize].sweeps.len() {
                    return Ok(Some(Taken::Sweep(*callee, sweep)));
                }
            }
            Pending::Alloc(elements) => {
                while let Some((array, index)) = elements.take() {
                    if let Some(object) = world.alloc(array, index)? {
                        return Ok(Some(Taken::Alloc(object)));
                    }
                }
            }
            Pending::Free(elements) => {
                while let Some((array, index)) = elements.take() {
                    if let Some(object) = world.free(array, index)? {
                        return Ok(Some(Taken::Free(object)));
                    }
                }
            }
        }
        self.pending = Pending::Nothing;
        Ok(None)
    }
}

/// An event that does not borrow yet.
#[derive(Clone, Copy, Debug)]
enum Taken {
    Call(MacroId),
    Sweep(MacroId, usize),
    Alloc(Object),
    Free(Object),
    RegionStart(u64),
    IterationStart(u64),
    IterationEnd,
    RegionEnd { nowait: bool },
}

impl Taken {
    fn with(self, world: &World) -> Event<'_> {
        match self {
            Self::Call(callee) => Event::Call { callee, objects: &world.objects },
            Self::Sweep(callee, sweep) => Event::Sweep {
                sweep: &world.macros[callee.0 as usize].sweeps[sweep],
                objects: &world.objects,
            },
            Self::Alloc(object) => Event::Alloc(object),
            Self::Free(object) => Event::Free(object),
            Self::RegionStart(iterations) => Event::RegionStart { iterations },
            Self::IterationStart(iteration) => Event::IterationStart(iteration),
            Self::IterationEnd => Event::IterationEnd,
            Self::RegionEnd { nowait } => Event::RegionEnd { nowait },
        }
    }
}

fn elements(run: &Run, scope: &Scope) -> Elements {
    Elements { array: run.array, next: run.start.value(scope), left: run.count }
}

#[cfg(test)]
pub(crate) mod tests;
