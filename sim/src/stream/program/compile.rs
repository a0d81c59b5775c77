//! Compiles a trace into words: see [`program`](super).

use hetier_traces::loops::{Form, Nest};
use hetier_traces::{
    Affine, Array, ArrayId, Body, Definition, Directory, Elements, Error, Operand, Range, Result, Trace, View,
};

use super::form::form;
use super::passing::passing;
use super::{
    ArrayFacts, Code, Emit, Field, Loop, Map, Op, Program, Region, RegionKind, SMALL_BYTES, Site, Template,
};
use crate::system::WRITTEN;

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
            Body::Loop { nest, first, body } => self.repeated(nest, first, body, in_scope)?,
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
        let header = op.word(if is_view { 0 } else { self.owners[run.array.0 as usize] });
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
            Map::Linear { stride, .. } => (header, [run.count as u32, *stride as i32 as u32], 1),
            Map::Table(_) => (header, [1, 1], run.count),
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

    /// A loop, unless there is nothing in it.
    fn repeated(
        &mut self,
        ranges: &[Range],
        first: &[Body],
        body: &[Body],
        in_scope: usize,
    ) -> Result<Option<Code>> {
        let nest = Nest::new(ranges, in_scope)?;
        let inside = nest.in_scope();
        let (first, body) = (self.bodies(first, inside)?, self.bodies(body, inside)?);
        if first.is_empty() && body.is_empty() {
            return Ok(None);
        }
        let template = template(ranges, &body, in_scope, self.reuses)?;
        Ok(Some(Code::Loop(Box::new(Loop { nest, first, body, template }))))
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
        Op::of(birth.header) == Op::Birth
            && Op::of(death.header) == Op::Death
            && is_steady(birth)
            && is_steady(death)
            && birth.fields[0].array == death.fields[0].array
            && birth.fields[0].form == death.fields[0].form
            && birth.tail == death.tail
            // Each iteration is charged for the ciphertext that it writes.
            && birth.written == 0
    };
    let pairs = emits.iter().zip(emits.iter().rev()).take(emits.len() / 2);
    pairs.take_while(is_pair).count()
}
