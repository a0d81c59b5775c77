//! Runs a program with real cryptography, on real threads, and records the flat trace of what it touches.

use hetier_traces::loops::Scope;
use hetier_traces::walk::{self, Call, Node, Region, Step as WalkStep, Walk};
use hetier_traces::{Affine, ArrayId, Body, Definition, Elements, Operand, Phase, PhaseHead, Role, Trace};
use rayon::prelude::*;

use super::store::{Guard, Memory, Placement, Store};
use crate::Error;
use crate::network::Images;
use crate::program::{Content, Program};
use crate::ring::{self, Recorder, Step};
use crate::scheme::Context;

/// Iterations of a parallel loop that a thread takes at once, at most; more pieces than threads balance the load.
const PIECES_PER_THREAD: u64 = 8;

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Host threads for parallel loops, at least 1.
    pub threads: usize,
    /// Whether to record; without, the trace of the result is empty.
    pub record: bool,
}

/// What a real run gives.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The flat trace: parallel loops as forks of what each iteration did.
    pub trace: Trace,
    /// Outputs by image.
    pub outputs: Vec<Vec<f64>>,
    /// Where objects lay, for tools that watch the process from outside. Not part of the trace.
    pub placements: Vec<Placement>,
}

/// Told when phases start and end, for progress and counters. Both calls come from the calling thread.
pub trait Observer {
    /// Phase number `index` of `count` starts; false ends the run with [`Error::Interrupted`].
    fn phase_started(&mut self, index: usize, count: usize, head: &PhaseHead) -> bool;
    /// It has ended.
    fn phase_ended(&mut self, head: &PhaseHead);
}

/// An observer that does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Quiet;

impl Observer for Quiet {
    fn phase_started(&mut self, _index: usize, _count: usize, _head: &PhaseHead) -> bool {
        true
    }

    fn phase_ended(&mut self, _head: &PhaseHead) {}
}

/// Runs `program` on a batch of images.
///
/// The result does not depend on the number of threads: randomness is drawn by primitive and object, and what parallel
/// iterations record is joined in order.
///
/// # Errors
/// - [`Error::Batch`] if there are more images than the program was lowered for.
/// - [`Error::Image`] if one has not as many values as the network's input has elements.
/// - [`Error::Interrupted`] if the observer says so.
/// - [`Error::Deviation`] if a primitive touched anything but what its shape declares.
/// - What the arithmetic meets, for instance [`Error::Overflow`] while encoding.
pub fn execute(
    program: &Program,
    context: &Context,
    images: &Images,
    run: Run,
    observer: &mut dyn Observer,
) -> Result<Execution, Error> {
    execute_in(&Memory::default(), program, context, images, run, observer)
}

/// [`execute`] in memory that earlier runs may have left.
///
/// # Errors
/// Those of [`execute`].
pub fn execute_in(
    memory: &Memory,
    program: &Program,
    context: &Context,
    images: &Images,
    run: Run,
    observer: &mut dyn Observer,
) -> Result<Execution, Error> {
    let machine = Machine::new(program, context, images, run, memory)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(run.threads.max(1)).build();
    let pool = pool.map_err(|source| Error::Threads { wanted: run.threads, reason: source.to_string() })?;
    let mut phases = Vec::with_capacity(program.phases.len());
    for (index, phase) in program.phases.iter().enumerate() {
        if !observer.phase_started(index, program.phases.len(), &phase.head) {
            return Err(Error::Interrupted);
        }
        let body = pool.install(|| machine.phase(phase))?;
        observer.phase_ended(&phase.head);
        phases.push(Phase { head: phase.head.clone(), body });
    }
    let trace = if run.record { machine.trace(phases)? } else { Trace::default() };
    let placements = machine.store.placements();
    Ok(Execution { trace, outputs: machine.outputs(images.pixels.len())?, placements })
}

/// The state of a run that all threads share.
struct Machine<'p> {
    program: &'p Program,
    context: &'p Context,
    store: Store<'p>,
    /// Steps that each primitive declares, by number.
    declared: Vec<Vec<Step>>,
    roles: Vec<Vec<Role>>,
    contents: Vec<Option<Values<'p>>>,
    record: bool,
}

/// Values of a message array that come from outside.
enum Values<'p> {
    /// One value an element.
    Single(&'p [f64]),
    /// One value for every slot of an element.
    Uniform(&'p [f64]),
    /// One value an image for each element.
    Batch(&'p Images),
}

impl<'p> Machine<'p> {
    fn new(
        program: &'p Program,
        context: &'p Context,
        images: &'p Images,
        run: Run,
        memory: &'p Memory,
    ) -> Result<Self, Error> {
        if images.pixels.len() > program.options.images {
            return Err(Error::Batch { found: images.pixels.len(), most: program.options.images });
        }
        check_images(program, images)?;
        let mut contents: Vec<Option<Values<'p>>> = program.definitions.iter().map(|_| None).collect();
        for (array, content) in &program.contents {
            contents[array.0 as usize] = Some(match content {
                Content::Single(values) => Values::Single(values),
                Content::Uniform(values) => Values::Uniform(values),
                Content::Images => Values::Batch(images),
            });
        }
        let declare = |primitive: &crate::primitive::Primitive| primitive.steps(&program.parameters);
        let roles = |primitive: &crate::primitive::Primitive| -> Result<Vec<Role>, Error> {
            Ok(primitive.operands(&program.parameters)?.iter().map(|parameter| parameter.role).collect())
        };
        Ok(Self {
            program,
            context,
            store: Store::new(&program.definitions, memory)?,
            declared: program.primitives.iter().map(declare).collect::<Result<_, _>>()?,
            roles: program.primitives.iter().map(roles).collect::<Result<_, _>>()?,
            contents,
            record: run.record,
        })
    }

    fn phase(&self, phase: &Phase) -> Result<Vec<Body>, Error> {
        let nodes = walk::compile(&phase.body, 0)?;
        let mut recorder = if self.record { Recorder::on() } else { Recorder::off() };
        self.bodies(&nodes, Scope::new(), &mut recorder)
    }

    /// Runs bodies on this thread; regions inside are dealt to all threads.
    fn bodies(&self, nodes: &[Node], scope: Scope, recorder: &mut Recorder) -> Result<Vec<Body>, Error> {
        let mut record = Vec::new();
        let mut walk = Walk::new(nodes, scope);
        while let Some(step) = walk.next() {
            let body = match step {
                WalkStep::Call(call) => self.call(call, walk.scope(), recorder)?,
                WalkStep::Alloc(run) => {
                    let start = run.start.value(walk.scope());
                    self.alloc(run.array, start, run.count)?;
                    Body::Alloc(elements(run.array, start, run.count))
                }
                WalkStep::Free(run) => {
                    let start = run.start.value(walk.scope());
                    (start..start + run.count as i64)
                        .try_for_each(|index| self.store.release(run.array, index))?;
                    Body::Free(elements(run.array, start, run.count))
                }
                WalkStep::Region(region) => self.region(region, walk.scope())?,
                WalkStep::IterationStart(_) | WalkStep::IterationEnd | WalkStep::RegionEnd(_) => continue,
            };
            if self.record {
                record.push(body);
            }
        }
        Ok(record)
    }

    /// Deals the iterations of a region to the threads in contiguous pieces; records join in order.
    fn region(&self, region: &Region, scope: &Scope) -> Result<Body, Error> {
        let count = region.iterations(&mut scope.clone());
        let piece = count.div_ceil(rayon::current_num_threads() as u64 * PIECES_PER_THREAD).max(1);
        let pieces = (0..count.div_ceil(piece)).into_par_iter();
        let records =
            pieces.map(|at| self.iterations(region, scope, at * piece..((at + 1) * piece).min(count)));
        let branches: Vec<Vec<Vec<Body>>> = records.collect::<Result<_, _>>()?;
        Ok(Body::Fork { nowait: region.nowait, branches: branches.into_iter().flatten().collect() })
    }

    fn iterations(
        &self,
        region: &Region,
        scope: &Scope,
        range: std::ops::Range<u64>,
    ) -> Result<Vec<Vec<Body>>, Error> {
        let mut recorder = if self.record { Recorder::on() } else { Recorder::off() };
        let mut scope = scope.clone();
        let mut record = Vec::new();
        let mut next = region.seek(&mut scope, range.start);
        for iteration in range.clone() {
            let Some(body) = next else { break };
            let bodies = self.bodies(body, scope.clone(), &mut recorder)?;
            if self.record {
                record.push(bodies);
            }
            next = if iteration + 1 < range.end { region.advance(&mut scope, iteration + 1) } else { None };
        }
        Ok(record)
    }

    fn alloc(&self, array: ArrayId, start: i64, count: u64) -> Result<(), Error> {
        for index in start..start + count as i64 {
            if self.store.acquire(array, index)? {
                self.fill(array, index as u64)?;
            }
        }
        Ok(())
    }

    /// Puts what comes from outside into a new message. Not an event: the program has not touched it yet.
    fn fill(&self, array: ArrayId, index: u64) -> Result<(), Error> {
        match &self.contents[array.0 as usize] {
            None => Ok(()),
            Some(Values::Single(values)) => {
                let value = values.get(index as usize).copied().unwrap_or_default();
                self.store.fill(array, index, &[value])
            }
            Some(Values::Uniform(values)) => {
                let value = values.get(index as usize).copied().unwrap_or_default();
                let slots = self.context.parameters().degree();
                self.store.fill(array, index, &vec![value; slots])
            }
            Some(Values::Batch(images)) => {
                let column: Vec<f64> = images.pixels.iter().map(|image| image[index as usize]).collect();
                self.store.fill(array, index, &column)
            }
        }
    }

    fn call(&self, call: &Call, scope: &Scope, recorder: &mut Recorder) -> Result<Body, Error> {
        let number = call.callee.0 as usize;
        let primitive = &self.program.primitives[number];
        let indices: Vec<i64> = call.operands.iter().map(|place| place.index.value(scope)).collect();
        let mut guards = Vec::with_capacity(indices.len());
        for ((place, &index), role) in call.operands.iter().zip(&indices).zip(&self.roles[number]) {
            guards.push(match role {
                Role::Input => self.store.read(place.array, index)?,
                Role::Output | Role::InOut => self.store.write(place.array, index)?,
            });
        }
        let mut operands: Vec<ring::Operand<'_>> = guards.iter_mut().map(operand).collect();
        recorder.clear();
        let randomness = stream(number, call, &indices);
        primitive.execute(self.context, &mut operands, randomness, recorder)?;
        if recorder.is_on() && recorder.steps() != self.declared[number] {
            return Err(Error::Deviation { primitive: primitive.name() });
        }
        let operand = |(place, &index): (&walk::Place, &i64)| Operand {
            array: place.array,
            index: Affine::constant(index),
        };
        Ok(Body::Call {
            callee: call.callee,
            operands: call.operands.iter().zip(&indices).map(operand).collect(),
        })
    }

    fn trace(&self, phases: Vec<Phase>) -> Result<Trace, Error> {
        Ok(Trace { phases, ..super::shape(&Program { phases: Vec::new(), ..self.program.clone() })? })
    }

    fn outputs(&self, images: usize) -> Result<Vec<Vec<f64>>, Error> {
        let features: Vec<Vec<f64>> = (0..self.program.outputs.1)
            .map(|index| self.store.message(self.program.outputs.0, index))
            .collect::<Result<_, _>>()?;
        Ok((0..images).map(|image| features.iter().map(|slots| slots[image]).collect()).collect())
    }
}

/// Refuses images of another size than the input has elements.
fn check_images(program: &Program, images: &Images) -> Result<(), Error> {
    let inputs = program.contents.iter().filter(|(_, content)| *content == Content::Images);
    for (array, _) in inputs {
        let Some(Definition::Array(input)) = program.definitions.get(array.0 as usize) else { continue };
        let needed = input.elements as usize;
        if let Some((image, values)) =
            images.pixels.iter().enumerate().find(|(_, values)| values.len() != needed)
        {
            return Err(Error::Image { image, found: values.len(), needed });
        }
    }
    Ok(())
}

fn elements(array: ArrayId, start: i64, count: u64) -> Elements {
    Elements { array, start: Affine::constant(start), count }
}

fn operand<'g>(guard: &'g mut Guard<'_>) -> ring::Operand<'g> {
    match guard {
        Guard::Read(guard) => guard.as_ref().map_or(ring::Operand::Resident, ring::Operand::Read),
        Guard::Write(guard) => guard.as_mut().map_or(ring::Operand::Resident, ring::Operand::Write),
        Guard::Resident => ring::Operand::Resident,
    }
}

/// Number of the stream of randomness of one call: by primitive and operands, so that threads do not matter.
fn stream(primitive: usize, call: &Call, indices: &[i64]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ primitive as u64;
    for (place, &index) in call.operands.iter().zip(indices) {
        for part in [u64::from(place.array.0), index as u64] {
            hash = (hash ^ part).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
        }
    }
    hash
}
