//! Writes the words that one simulated core executes, ahead of simulated time.
//!
//! A feeder depends on the trace and its share of the iterations alone, never on time, so a second host thread can
//! run it ahead of the engine without changing a result. Straight loops cost about 5 ns an iteration: operands step
//! by constants, no affine form is evaluated.

use hetier_traces::Result;
use hetier_traces::loops::Scope;

use super::size::calls_of_loop;
use super::{Code, Emit, Loop, Map, Region, RegionKind, Template};

/// Why a feeder stopped writing.
#[derive(Clone, Copy, Debug)]
pub enum Status<'p> {
    /// The limit is reached.
    Full,
    /// The serial thread came to iterations that threads share; the feeder goes on behind them.
    Region(&'p Region),
    /// The serial thread came to a loop that is to be sampled; the feeder goes on behind it.
    Loop(&'p Loop),
    /// Nothing is left.
    Done,
}

/// A resumable writer of words.
#[derive(Clone, Debug)]
pub struct Feeder<'p> {
    scope: Scope,
    stack: Vec<Frame<'p>>,
    odometer: Odometer,
    /// Whether regions are walked by this core alone (inside another region).
    is_member: bool,
    /// Calls from which on a loop of the serial thread is handed over.
    handed_over: u64,
}

#[derive(Clone, Copy, Debug)]
struct Frame<'p> {
    codes: &'p [Code],
    at: usize,
    then: Then<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Then<'p> {
    Leave,
    Repeat(&'p Loop),
    /// The first iteration of a loop with a template was something else.
    Turn(&'p Template),
    /// Scratch of the iterations to come is due.
    Begin(&'p Template),
    Spin(&'p Template),
    Iterate {
        region: &'p Region,
        next: u64,
        end: u64,
    },
}

/// State of the innermost template loop.
#[derive(Clone, Debug, Default)]
pub(in crate::stream) struct Odometer {
    /// Levels of more than one iteration, outermost first: number in the nest, iterations, place.
    levels: Vec<(usize, i64, i64)>,
    /// Current index of each field.
    indices: Vec<i64>,
    /// What a step of each level adds to each index, with the levels inside it going back to their beginning.
    steps: Vec<i64>,
    /// The words of the present iteration.
    words: Vec<u32>,
    /// What a step of each level adds to each word.
    word_steps: Vec<u32>,
    /// Whether words are looked up in tables as well.
    has_tables: bool,
}

impl<'p> Feeder<'p> {
    /// The thread that runs serial codes. Loops of at least `handed_over` calls and two iterations are handed over.
    pub fn serial(codes: &'p [Code], scope: Scope, handed_over: u64) -> Self {
        Self {
            scope,
            stack: vec![Frame { codes, at: 0, then: Then::Leave }],
            odometer: Odometer::default(),
            is_member: false,
            handed_over,
        }
    }

    /// A member of a team: iterations `begin..end` of a region whose enclosing variables are set in `scope`.
    pub fn member(region: &'p Region, scope: Scope, begin: u64, end: u64) -> Self {
        let then = Then::Iterate { region, next: begin, end };
        let (stack, odometer) = (Vec::new(), Odometer::default());
        let mut feeder = Self { scope, stack, odometer, is_member: true, handed_over: u64::MAX };
        if begin < end && begin > 0 {
            feeder.seek(region, begin - 1);
        }
        feeder.stack.push(Frame { codes: &[], at: 0, then });
        feeder
    }

    /// The variables at the last word.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    fn seek(&mut self, region: &'p Region, iteration: u64) {
        if let RegionKind::Nest { nest, .. } = &region.kind {
            nest.seek(&mut self.scope, iteration);
        }
    }

    /// Appends words until `out` holds `limit` of them or more.
    ///
    /// # Errors
    /// - [`OutOfRange`](hetier_traces::Error::OutOfRange) for an operand that leaves its array.
    pub fn fill(&mut self, out: &mut Vec<u32>, limit: usize) -> Result<Status<'p>> {
        loop {
            if out.len() >= limit {
                return Ok(Status::Full);
            }
            let Some(frame) = self.stack.last_mut() else { return Ok(Status::Done) };
            let codes = frame.codes;
            let Some(code) = codes.get(frame.at) else {
                self.turn(out, limit)?;
                continue;
            };
            frame.at += 1;
            match code {
                Code::Emit(emit) => write(emit, &self.scope, out)?,
                Code::Loop(repeated) if self.is_large(repeated) => return Ok(Status::Loop(repeated)),
                Code::Loop(repeated) => self.enter_loop(repeated)?,
                Code::Region(region) if self.is_member => {
                    let end = region.iterations(&mut self.scope.clone());
                    let then = Then::Iterate { region, next: 0, end };
                    self.stack.push(Frame { codes: &[], at: 0, then });
                }
                Code::Region(region) => return Ok(Status::Region(region)),
            }
        }
    }

    fn is_large(&mut self, repeated: &Loop) -> bool {
        self.handed_over < u64::MAX
            && repeated.nest.count(&mut self.scope) >= 2
            && calls_of_loop(repeated, &mut self.scope) >= self.handed_over
    }

    fn enter_loop(&mut self, repeated: &'p Loop) -> Result<()> {
        if !repeated.nest.start(&mut self.scope) {
            return Ok(());
        }
        let frame = match &repeated.template {
            Some(template) => {
                self.odometer.start(template, &self.scope)?;
                match repeated.first.as_slice() {
                    [] => Frame { codes: &[], at: 0, then: Then::Begin(template) },
                    first => Frame { codes: first, at: 0, then: Then::Turn(template) },
                }
            }
            None if repeated.first.is_empty() => {
                Frame { codes: &repeated.body, at: 0, then: Then::Repeat(repeated) }
            }
            None => Frame { codes: &repeated.first, at: 0, then: Then::Repeat(repeated) },
        };
        self.stack.push(frame);
        Ok(())
    }

    /// Handles the end of the top frame's codes: begins them, or what follows on them, again, or leaves the frame.
    fn turn(&mut self, out: &mut Vec<u32>, limit: usize) -> Result<()> {
        let Some(mut frame) = self.stack.pop() else { return Ok(()) };
        let goes_on = match frame.then {
            Then::Leave => false,
            Then::Repeat(repeated) => {
                frame.codes = &repeated.body;
                !repeated.body.is_empty() && repeated.nest.advance(&mut self.scope)
            }
            Then::Turn(template) => self.after_first(template, &mut frame)?,
            Then::Begin(template) => {
                frame.then = Then::Spin(template);
                template.scratch.iter().try_for_each(|birth| write(birth, &self.scope, out))?;
                true
            }
            Then::Spin(template) => {
                let goes_on = self.odometer.spin(template, out, limit);
                if !goes_on {
                    template.leftovers.iter().try_for_each(|death| write(death, &self.scope, out))?;
                }
                goes_on
            }
            Then::Iterate { next, end, .. } if next >= end => false,
            Then::Iterate { region, next, end } => {
                frame.codes = self.iterate(region, next);
                frame.then = Then::Iterate { region, next: next + 1, end };
                true
            }
        };
        if goes_on {
            frame.at = 0;
            self.stack.push(frame);
        }
        Ok(())
    }

    /// Goes from a loop's first iteration, which was something else, to its template; false if there is no other iteration.
    fn after_first(&mut self, template: &'p Template, frame: &mut Frame<'p>) -> Result<bool> {
        // A first part that itself holds a template loop has spun the odometer: set it up again.
        if frame.codes.iter().any(|code| !matches!(code, Code::Emit(_))) {
            self.odometer.start(template, &self.scope)?;
        }
        frame.codes = &[];
        frame.then = Then::Begin(template);
        Ok(self.odometer.advance(template))
    }

    /// Codes of an iteration of a region; the variables stand at the one before it.
    fn iterate(&mut self, region: &'p Region, place: u64) -> &'p [Code] {
        match &region.kind {
            RegionKind::Branches(branches) => branches.get(place as usize).map_or(&[], Vec::as_slice),
            RegionKind::Nest { nest, body } => {
                // The iterations were counted: there is one.
                let _ = if place == 0 { nest.start(&mut self.scope) } else { nest.advance(&mut self.scope) };
                body
            }
        }
    }
}

/// Writes a call, birth or death.
#[inline]
pub(in crate::stream) fn write(emit: &Emit, scope: &Scope, out: &mut Vec<u32>) -> Result<()> {
    for repetition in 0..emit.repeat {
        out.push(emit.header);
        for field in &emit.fields {
            out.push(field.object(field.index(scope)? + repetition as i64));
        }
        out.extend_from_slice(&emit.tail);
    }
    Ok(())
}

impl Odometer {
    /// Number of iterations.
    pub(in crate::stream) fn length(&self) -> u64 {
        self.levels.iter().map(|level| level.1 as u64).product()
    }

    /// Index of a field at the first iteration, and how it moves: step and iterations of each level that moves it,
    /// innermost last. Right after [`Odometer::start`] alone.
    pub(in crate::stream) fn course(&self, field: usize, coefficients: &[i64]) -> (i64, Vec<(i64, i64)>) {
        let moving = self.levels.iter().map(|level| (coefficients[level.0], level.1));
        (self.indices[field], moving.filter(|(step, _)| *step != 0).collect())
    }

    /// Stands at the first iteration, which `scope` holds.
    pub(in crate::stream) fn start(&mut self, template: &Template, scope: &Scope) -> Result<()> {
        self.levels.clear();
        for (number, (from, to)) in template.bounds.iter().enumerate() {
            let low = from.iter().map(|form| form.value(scope)).max().unwrap_or(0);
            let high = to.iter().map(|form| form.value(scope)).min().unwrap_or(low);
            if high - low > 1 {
                self.levels.push((number, high - low, 0));
            }
        }
        self.indices.clear();
        for ((_, field), coefficients) in template.fields.iter().zip(&template.coefficients) {
            let start = field.form.value(scope);
            let (mut least, mut most) = (start, start);
            for &(level, length, _) in &self.levels {
                let reach = coefficients[level] * (length - 1);
                (least, most) = (least + reach.min(0), most + reach.max(0));
            }
            field.check(least)?;
            field.check(most)?;
            self.indices.push(start);
        }
        self.set_steps(template);
        self.words.clear();
        self.words.extend_from_slice(&template.words);
        self.write(template, |_| true);
        Ok(())
    }

    /// Works out what a step of each level adds.
    fn set_steps(&mut self, template: &Template) {
        let words = template.words.len();
        self.steps.clear();
        self.word_steps.clear();
        self.word_steps.resize(self.levels.len() * words, 0);
        for (at, &(level, ..)) in self.levels.iter().enumerate() {
            let inner = &self.levels[at + 1..];
            for (number, coefficients) in template.coefficients.iter().enumerate() {
                let back: i64 =
                    inner.iter().map(|(level, length, _)| coefficients[*level] * (length - 1)).sum();
                let step = coefficients[level] - back;
                self.steps.push(step);
                let (position, field) = &template.fields[number];
                if let Map::Linear { stride, .. } = field.map {
                    self.word_steps[at * words + position] = (stride * step) as u32;
                }
            }
        }
        self.has_tables = template.fields.iter().any(|(_, field)| matches!(field.map, Map::Table(_)));
    }

    /// Writes the words of fields that are chosen by how they are mapped.
    fn write(&mut self, template: &Template, is_chosen: impl Fn(&Map) -> bool) {
        let fields = template.fields.iter().zip(&self.indices);
        for ((position, field), index) in fields.filter(|((_, field), _)| is_chosen(&field.map)) {
            self.words[*position] = match &field.map {
                Map::Linear { base, stride } => (base + stride * index) as u32,
                Map::Table(table) => table[*index as usize],
                Map::Small => 0,
            };
        }
    }

    /// Moves to the next iteration; false if there is none.
    #[inline]
    fn advance(&mut self, template: &Template) -> bool {
        for (level, (_, length, place)) in self.levels.iter_mut().enumerate().rev() {
            *place += 1;
            if *place < *length {
                self.step(level, template);
                return true;
            }
            *place = 0;
        }
        false
    }

    /// Takes a step of a level.
    #[inline]
    fn step(&mut self, level: usize, template: &Template) {
        let steps = &self.word_steps[level * self.words.len()..];
        self.words.iter_mut().zip(steps).for_each(|(word, step)| *word = word.wrapping_add(*step));
        if self.has_tables {
            let steps = &self.steps[level * self.indices.len()..];
            self.indices.iter_mut().zip(steps).for_each(|(index, step)| *index += step);
            self.write(template, |map| matches!(map, Map::Table(_)));
        }
    }

    /// Writes iterations until the limit; false after the last.
    pub(super) fn spin(&mut self, template: &Template, out: &mut Vec<u32>, limit: usize) -> bool {
        while out.len() < limit && !self.words.is_empty() {
            out.extend_from_slice(&self.words);
            if !self.advance(template) {
                return false;
            }
        }
        !self.words.is_empty()
    }
}
