//! A trace compiled for replay: operands become dense object numbers, straight-line loops become word templates.
//!
//! Everything that a simulated core does is a stream of 32-bit words (see [`Op`]); [`feeder`](super::feeder) writes
//! it, the engine reads it. Objects smaller than [`SMALL_BYTES`] have no number: they live in the private caches
//! for all that matters (a weight of three residues beside ciphertexts of thousands of lines), so their traffic
//! beyond the private caches is left out. That is known to be wrong by the few lines they would miss.

use std::sync::Arc;

use hetier_traces::loops::{Form, Nest, Scope};
use hetier_traces::{
    Affine, Array, ArrayId, Body, Class, Definition, Directory, Elements, Error, Operand, Range, Result,
    Trace, View,
};

use super::form::form;
use super::passing::passing;
use crate::system::WRITTEN;

/// Objects below this size are not tracked one by one.
pub const SMALL_BYTES: u64 = 1024;

/// What a header word asks for; it stands in the top four bits, a payload in the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Op {
    /// Payload: site; one word for each tracked operand follows.
    Call = 0,
    /// Words: first object, count, stride.
    Birth = 1,
    /// Words: first object, count, stride.
    Death = 2,
    /// Words: first object, count, stride: references taken by views.
    Refer = 3,
    /// Words: first object, count, stride.
    Release = 4,
    /// Payload: array; word: count.
    SmallBirth = 5,
    /// Payload: array; word: count.
    SmallDeath = 6,
}

impl Op {
    /// The header word.
    pub const fn word(self, payload: u32) -> u32 {
        (self as u32) << 28 | payload
    }

    /// The operation of a header word.
    #[inline]
    pub const fn of(word: u32) -> Self {
        match word >> 28 {
            0 => Self::Call,
            1 => Self::Birth,
            2 => Self::Death,
            3 => Self::Refer,
            4 => Self::Release,
            5 => Self::SmallBirth,
            _ => Self::SmallDeath,
        }
    }
}

/// Payload of a header word.
#[inline]
pub const fn payload(word: u32) -> u32 {
    word & 0x0fff_ffff
}

/// One place of the text where a macro is called.
#[derive(Clone, Debug)]
pub struct Site {
    /// Number of the macro.
    pub callee: u32,
    /// The macro's operand behind each word of the call.
    pub operands: Box<[u8]>,
}

/// How the elements of an array or view become object numbers.
#[derive(Clone, Debug)]
pub enum Map {
    /// `base + stride · index`.
    Linear {
        /// Number of element 0.
        base: i64,
        /// Step between elements.
        stride: i64,
    },
    /// Looked up: views of several segments.
    Table(Arc<[u32]>),
    /// Elements have no numbers.
    Small,
}

/// What replay needs to know of an array.
#[derive(Clone, Debug)]
pub struct ArrayFacts {
    /// What the elements hold.
    pub class: Class,
    /// Bytes of an element.
    pub capacity_bytes: u64,
    /// Number of the first element, if elements have numbers.
    pub first: Option<u32>,
    /// Its place in the trace's name space.
    pub id: ArrayId,
}

/// The compiled trace.
#[derive(Clone, Debug)]
pub struct Program {
    /// Bodies by phase.
    pub phases: Vec<Vec<Code>>,
    /// Numbers of the [`form`](super::form::form)s of phases.
    pub forms: Vec<u64>,
    /// Call sites.
    pub sites: Vec<Site>,
    /// Arrays that own objects, ascending by `first`; small arrays stand at the end.
    pub arrays: Vec<ArrayFacts>,
    /// Number of tracked objects.
    pub objects: u32,
}

/// A compiled body.
#[derive(Clone, Debug)]
pub enum Code {
    /// A call, birth or death.
    Emit(Emit),
    /// A loop of one thread.
    Loop(Box<Loop>),
    /// Iterations that threads may share.
    Region(Box<Region>),
}

/// Words with operands to be filled in.
#[derive(Clone, Debug)]
pub struct Emit {
    /// Header word.
    pub header: u32,
    /// Operands.
    pub fields: Box<[Field]>,
    /// Words behind the operands (count and stride of a birth).
    pub tail: Box<[u32]>,
    /// How often to repeat with the index one higher; above 1 only for table maps.
    pub repeat: u64,
    /// Ciphertexts that count as written with the birth.
    pub written: u64,
}

/// An operand.
#[derive(Clone, Debug)]
pub struct Field {
    /// Index as an affine form.
    pub form: Form,
    /// From index to object number.
    pub map: Map,
    /// Elements of the array or view less those that a run needs beyond the first.
    pub limit: i64,
    /// For messages.
    pub array: ArrayId,
    /// Whether the object leaves nothing behind; see [`passing`].
    pub is_passing: bool,
}

impl Field {
    /// Coefficient of a variable.
    pub fn coefficient(&self, variable: usize) -> i64 {
        self.form.coefficient(variable)
    }

    /// Object number of an index that was checked.
    #[inline]
    pub fn object(&self, index: i64) -> u32 {
        match &self.map {
            Map::Linear { base, stride } => (base + stride * index) as u32,
            Map::Table(table) => table[index as usize],
            Map::Small => 0,
        }
    }

    /// Evaluates and checks the index.
    ///
    /// # Errors
    /// - [`Error::OutOfRange`] if it leaves the array.
    #[inline]
    pub fn index(&self, scope: &Scope) -> Result<i64> {
        let index = self.form.value(scope);
        self.check(index)?;
        Ok(index)
    }

    /// Checks an index.
    ///
    /// # Errors
    /// - [`Error::OutOfRange`] if it leaves the array.
    #[inline]
    pub fn check(&self, index: i64) -> Result<()> {
        if (0..self.limit).contains(&index) {
            return Ok(());
        }
        let (found, most) = (i128::from(index), i128::from(self.limit) - 1);
        let place = format!("array {}", self.array.0);
        Err(Error::OutOfRange { place, what: "index", found, least: 0, most })
    }
}

/// A compiled loop.
#[derive(Clone, Debug)]
pub struct Loop {
    /// Its ranges.
    pub nest: Nest,
    /// Replaces the body in the first iteration if not empty.
    pub first: Vec<Code>,
    /// The body.
    pub body: Vec<Code>,
    /// The same as a template, if the body is straight and the ranges do not shape one another.
    pub template: Option<Template>,
}

/// Lower and upper bounds of one loop variable.
type Bounds = (Box<[Form]>, Box<[Form]>);

/// A loop of straight-line words over a box of iterations.
#[derive(Clone, Debug)]
pub struct Template {
    /// Bounds of each range; they depend on enclosing variables alone.
    pub bounds: Box<[Bounds]>,
    /// Births of what every iteration but the first would allocate and free again, the same objects each time. A pool
    /// of exact sizes that takes back last what it gives out first hands out the same blocks each time.
    pub scratch: Box<[Emit]>,
    /// The deaths that belong to `scratch`.
    pub leftovers: Box<[Emit]>,
    /// Words of one iteration, operands left 0.
    pub words: Box<[u32]>,
    /// Whether nothing that lasts is born or dies inside.
    pub leaves_nothing: bool,
    /// Ciphertexts that count as written in an iteration with what is born inside.
    pub written: u64,
    /// Operands: position in `words`, and which.
    pub fields: Box<[(usize, Field)]>,
    /// Coefficients `[field][level]`.
    pub coefficients: Box<[Box<[i64]>]>,
}

/// Iterations that threads may share.
#[derive(Clone, Debug)]
pub struct Region {
    /// Without a barrier at the end.
    pub nowait: bool,
    /// Number of its [`form`](super::form::form).
    pub form: u64,
    /// What is iterated.
    pub kind: RegionKind,
}

/// A `Parallel` or a `Fork`.
#[derive(Clone, Debug)]
pub enum RegionKind {
    /// One body for each point of a nest.
    Nest {
        /// The ranges.
        nest: Nest,
        /// The body.
        body: Vec<Code>,
    },
    /// Unlike bodies.
    Branches(Vec<Vec<Code>>),
}

impl Region {
    /// Number of iterations under the enclosing variables.
    pub fn iterations(&self, scope: &mut Scope) -> u64 {
        match &self.kind {
            RegionKind::Nest { nest, .. } => nest.count(scope),
            RegionKind::Branches(branches) => branches.len() as u64,
        }
    }
}

impl Program {
    /// Compiles a trace; `reuses` says that the allocator gives back at once what was freed last, so that scratch of a
    /// loop can stay.
    ///
    /// # Errors
    /// - Those of [`Directory::push`] and [`Nest::new`].
    /// - [`Error::UndefinedArray`] and [`Error::UndefinedMacro`] for names that do not exist.
    /// - [`Error::OutOfRange`] beyond 2³² − 2 tracked objects, or with a wrong number of operands.
    pub fn new(trace: &Trace, reuses: bool) -> Result<Self> {
        let mut compiler = Compiler::new(trace, reuses)?;
        let phases = trace.phases.iter().map(|phase| compiler.bodies(&phase.body, 0));
        let phases = phases.collect::<Result<_>>()?;
        let forms = trace.phases.iter().map(|phase| form(&phase.body, &trace.definitions)).collect();
        let Compiler { sites, arrays, objects, .. } = compiler;
        Ok(Self { phases, forms, sites, arrays, objects })
    }
}

struct Compiler<'t> {
    trace: &'t Trace,
    reuses: bool,
    /// By definition: whether its objects leave nothing behind.
    passing: Vec<bool>,
    maps: Vec<(Map, u64)>,
    /// Index into `arrays` by number of the definition.
    owners: Vec<u32>,
    sites: Vec<Site>,
    arrays: Vec<ArrayFacts>,
    objects: u32,
}

impl<'t> Compiler<'t> {
    fn new(trace: &'t Trace, reuses: bool) -> Result<Self> {
        let directory = Directory::of(&trace.definitions)?;
        let mut compiler = Self {
            trace,
            reuses,
            passing: if reuses { passing(trace) } else { vec![false; trace.definitions.len()] },
            maps: Vec::new(),
            owners: Vec::new(),
            sites: Vec::new(),
            arrays: Vec::new(),
            objects: 0,
        };
        let is_big = |array: &Array| array.capacity_bytes >= SMALL_BYTES;
        for (number, definition) in trace.definitions.iter().enumerate() {
            let id = ArrayId(number as u32);
            let elements = directory.elements(id).unwrap_or(0);
            let map = match definition {
                Definition::Array(array) if is_big(array) => compiler.own(array, id)?,
                Definition::Array(_) => Map::Small,
                Definition::View(view) => compiler.view(view, elements),
            };
            compiler.maps.push((map, elements));
        }
        let small =
            trace.definitions.iter().enumerate().filter_map(|(number, definition)| match definition {
                Definition::Array(array) if !is_big(array) => {
                    Some(facts(array, ArrayId(number as u32), None))
                }
                _ => None,
            });
        compiler.arrays.extend(small);
        compiler.owners = vec![0; trace.definitions.len()];
        for (place, array) in compiler.arrays.iter().enumerate() {
            compiler.owners[array.id.0 as usize] = place as u32;
        }
        Ok(compiler)
    }

    fn own(&mut self, array: &Array, id: ArrayId) -> Result<Map> {
        let first = self.objects;
        let end = u64::from(first) + array.elements;
        let most = u64::from(u32::MAX) - 1;
        if end > most {
            let (found, most) = (i128::from(end), i128::from(most));
            let place = format!("array {}", array.label);
            return Err(Error::OutOfRange { place, what: "objects so far", found, least: 0, most });
        }
        self.objects = end as u32;
        self.arrays.push(facts(array, id, Some(first)));
        Ok(Map::Linear { base: i64::from(first), stride: 1 })
    }

    /// A view of one segment of a linear map is linear; others are looked up.
    fn view(&self, view: &View, elements: u64) -> Map {
        if let [segment] = view.segments.as_slice() {
            match &self.maps[segment.array.0 as usize].0 {
                Map::Linear { base, stride } => {
                    return Map::Linear {
                        base: base + stride * segment.start as i64,
                        stride: stride * segment.stride,
                    };
                }
                Map::Small => return Map::Small,
                Map::Table(_) => {}
            }
        }
        let mut table = Vec::with_capacity(elements as usize);
        for segment in &view.segments {
            let indices =
                (0..segment.count as i64).map(|place| segment.start as i64 + place * segment.stride);
            match &self.maps[segment.array.0 as usize].0 {
                Map::Linear { base, stride } => {
                    table.extend(indices.map(|index| (base + stride * index) as u32));
                }
                Map::Table(inner) => table.extend(indices.map(|index| inner[index as usize])),
                Map::Small => return Map::Small,
            }
        }
        Map::Table(table.into())
    }

    fn bodies(&mut self, bodies: &[Body], in_scope: usize) -> Result<Vec<Code>> {
        let mut codes = Vec::with_capacity(bodies.len());
        for body in bodies {
            if let Some(code) = self.body(body, in_scope)? {
                codes.push(code);
            }
        }
        Ok(codes)
    }

    fn body(&mut self, body: &Body, in_scope: usize) -> Result<Option<Code>> {
        let form = || form(std::slice::from_ref(body), &self.trace.definitions);
        Ok(match body {
            Body::Call { callee, operands } => Some(self.call(callee.0, operands, in_scope)?),
            Body::Loop { nest, first, body } => Some(self.repeated(nest, first, body, in_scope)?),
            Body::Parallel { nest, nowait, body } => {
                let form = form();
                let nest = Nest::new(nest, in_scope)?;
                let body = self.bodies(body, nest.in_scope())?;
                Some(Code::Region(Box::new(Region {
                    nowait: *nowait,
                    form,
                    kind: RegionKind::Nest { nest, body },
                })))
            }
            Body::Fork { nowait, branches } => {
                let form = form();
                let branches = branches.iter().map(|branch| self.bodies(branch, in_scope));
                let kind = RegionKind::Branches(branches.collect::<Result<_>>()?);
                Some(Code::Region(Box::new(Region { nowait: *nowait, form, kind })))
            }
            Body::Alloc(run) => self.lifetime(run, in_scope, [Op::Birth, Op::Refer, Op::SmallBirth])?,
            Body::Free(run) => self.lifetime(run, in_scope, [Op::Death, Op::Release, Op::SmallDeath])?,
        })
    }

    fn call(&mut self, callee: u32, operands: &[Operand], in_scope: usize) -> Result<Code> {
        let undefined =
            || Error::UndefinedMacro { place: "call".into(), callee, defined: self.trace.macros.len() };
        let called = self.trace.macros.get(callee as usize).ok_or_else(undefined)?;
        if called.parameters.len() != operands.len() {
            let (found, need) = (operands.len() as i128, called.parameters.len() as i128);
            let place = format!("call of {}", called.name);
            return Err(Error::OutOfRange {
                place,
                what: "number of operands",
                found,
                least: need,
                most: need,
            });
        }
        let (mut numbers, mut fields) = (Vec::new(), Vec::new());
        for (number, operand) in operands.iter().enumerate() {
            let field = self.field(operand.array, &operand.index, in_scope, 1)?;
            if !matches!(field.map, Map::Small) {
                numbers.push(number as u8);
                fields.push(field);
            }
        }
        let site = self.sites.len() as u32;
        self.sites.push(Site { callee, operands: numbers.into() });
        Ok(Code::Emit(Emit {
            header: Op::Call.word(site),
            fields: fields.into(),
            tail: Box::default(),
            repeat: 1,
            written: 0,
        }))
    }

    /// Births or deaths of objects, of references, or of small objects.
    fn lifetime(
        &self,
        run: &Elements,
        in_scope: usize,
        [own, refer, small]: [Op; 3],
    ) -> Result<Option<Code>> {
        let is_view = matches!(self.trace.definitions.get(run.array.0 as usize), Some(Definition::View(_)));
        let field = self.field(run.array, &run.start, in_scope, run.count)?;
        let op = if is_view { refer } else { own };
        let (header, tail, repeat) = match &field.map {
            Map::Small if is_view => return Ok(None),
            Map::Small => {
                let array = self.owners[run.array.0 as usize];
                let count = u32::try_from(run.count).unwrap_or(u32::MAX);
                let emit = Emit {
                    header: small.word(array),
                    fields: [].into(),
                    tail: [count].into(),
                    repeat: 1,
                    written: 0,
                };
                return Ok(Some(Code::Emit(emit)));
            }
            Map::Linear { stride, .. } => (op.word(0), [run.count as u32, *stride as i32 as u32], 1),
            Map::Table(_) => (op.word(0), [1, 1], run.count),
        };
        let written = match self.trace.definitions.get(run.array.0 as usize) {
            Some(Definition::Array(array)) if op == Op::Birth && array.class == WRITTEN => run.count,
            _ => 0,
        };
        Ok(Some(Code::Emit(Emit { header, fields: [field].into(), tail: tail.into(), repeat, written })))
    }

    fn field(&self, array: ArrayId, index: &Affine, in_scope: usize, count: u64) -> Result<Field> {
        let undefined =
            || Error::UndefinedArray { place: "operand".into(), array: array.0, defined: self.maps.len() };
        let (map, elements) = self.maps.get(array.0 as usize).ok_or_else(undefined)?;
        let limit = (*elements as i64 + 1).saturating_sub_unsigned(count.max(1));
        let form = Form::new(index, in_scope)?;
        let is_passing = self.passing[array.0 as usize];
        Ok(Field { form, map: map.clone(), limit, array, is_passing })
    }

    fn repeated(&mut self, ranges: &[Range], first: &[Body], body: &[Body], in_scope: usize) -> Result<Code> {
        let nest = Nest::new(ranges, in_scope)?;
        let inside = nest.in_scope();
        let (first, body) = (self.bodies(first, inside)?, self.bodies(body, inside)?);
        let template = template(ranges, &body, in_scope, self.reuses)?;
        Ok(Code::Loop(Box::new(Loop { nest, first, body, template })))
    }
}

fn facts(array: &Array, id: ArrayId, first: Option<u32>) -> ArrayFacts {
    ArrayFacts { class: array.class, capacity_bytes: array.capacity_bytes, first, id }
}

/// The template of a loop, if it has one: affine ranges whose bounds depend on variables below `in_scope` alone,
/// and a straight body.
fn template(ranges: &[Range], body: &[Code], in_scope: usize, reuses: bool) -> Result<Option<Template>> {
    let mut bounds = Vec::with_capacity(ranges.len());
    for range in ranges {
        let Range::Affine { from, to } = range else { return Ok(None) };
        let is_outer = |affine: &Affine| affine.terms.iter().all(|term| usize::from(term.0) < in_scope);
        if !from.iter().chain(to).all(is_outer) {
            return Ok(None);
        }
        let compile =
            |forms: &[Affine]| forms.iter().map(|form| Form::new(form, in_scope)).collect::<Result<_>>();
        bounds.push((compile(from)?, compile(to)?));
    }
    let mut emits = Vec::with_capacity(body.len());
    for code in body {
        let Code::Emit(emit @ Emit { repeat: 1, .. }) = code else { return Ok(None) };
        emits.push(emit);
    }
    let levels = in_scope..in_scope + ranges.len();
    let kept = if reuses { scratch(&emits, levels.clone()) } else { 0 };
    let own = |emits: &[&Emit]| emits.iter().copied().cloned().collect();
    let (scratch, leftovers) = (own(&emits[..kept]), own(&emits[emits.len() - kept..]));
    let (mut words, mut fields) = (Vec::new(), Vec::new());
    let inner = &emits[kept..emits.len() - kept];
    let is_passing = |emit: &&Emit| emit.fields.iter().all(|field| field.is_passing);
    let leaves_nothing = inner.iter().all(|emit| Op::of(emit.header) == Op::Call || is_passing(emit));
    let written = inner.iter().map(|emit| emit.written).sum();
    for Emit { header, fields: operands, tail, .. } in inner {
        words.push(*header);
        for field in operands {
            fields.push((words.len(), field.clone()));
            words.push(0);
        }
        words.extend_from_slice(tail);
    }
    let coefficients = fields.iter().map(|(_, field): &(usize, Field)| {
        levels.clone().map(|variable| field.coefficient(variable)).collect()
    });
    let coefficients = coefficients.collect();
    let (words, fields) = (words.into(), fields.into());
    let bounds = bounds.into();
    Ok(Some(Template { bounds, scratch, leftovers, words, leaves_nothing, written, fields, coefficients }))
}

/// How many births a body begins with whose deaths, last born first, it ends with, of objects that are the same in
/// all iterations.
fn scratch(emits: &[&Emit], levels: std::ops::Range<usize>) -> usize {
    let is_steady = |emit: &Emit| {
        let [field] = &*emit.fields else { return false };
        levels.clone().all(|variable| field.coefficient(variable) == 0)
    };
    let is_pair = |(birth, death): &(&&Emit, &&Emit)| {
        birth.header == Op::Birth.word(0)
            && death.header == Op::Death.word(0)
            && is_steady(birth)
            && is_steady(death)
            && birth.fields[0].array == death.fields[0].array
            && birth.fields[0].form == death.fields[0].form
            && birth.tail == death.tail
    };
    let pairs = emits.iter().zip(emits.iter().rev()).take(emits.len() / 2);
    pairs.take_while(is_pair).count()
}
