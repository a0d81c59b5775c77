//! Text to traces, checked item by item.

mod tokens;

use std::collections::BTreeMap;

use super::VERSION;
use super::scan::{Place, Scanner, Token};
use crate::check::Checker;
use crate::error::Result;
use crate::grammar::{
    Access, Affine, Arithmetic, Array, ArrayId, Body, Class, Elements, Item, Lane, MAX_DEPTH, Macro, MacroId,
    Operand, Order, Parameter, PhaseHead, Range, Role, Rule, Segment, Stage, Sweep, Trace, View, Work,
};

/// Parses and checks a trace in text form.
///
/// # Errors
/// - [`Error::Syntax`](crate::Error::Syntax) with line and column, for text that does not parse and for items that
///   the [`Checker`] refuses.
pub fn parse(text: &str) -> Result<Trace> {
    let mut scanner = Scanner::new(text);
    let (token, place) = scanner.next()?;
    let parser =
        Parser { scanner, token, place, variables: 0, checker: Checker::new(), trace: Trace::default() };
    parser.trace()
}

struct Parser<'t> {
    scanner: Scanner<'t>,
    token: Token,
    place: Place,
    /// Loop variables in scope.
    variables: u64,
    checker: Checker,
    trace: Trace,
}

impl Parser<'_> {
    fn trace(mut self) -> Result<Trace> {
        self.keyword("hetier-trace")?;
        let place = self.place;
        let version = self.number()?;
        if version != VERSION {
            return Err(place.error(format!("found version {version} of the text form, need {VERSION}")));
        }
        while self.token != Token::End {
            let place = self.place;
            match self.word("fact, array, view, macro or phase")?.as_str() {
                "fact" => self.fact()?,
                "array" => self.array(place)?,
                "view" => self.view(place)?,
                "macro" => self.define(place)?,
                "phase" => self.phase(place)?,
                other => {
                    return Err(place.error(format!("found {other}, need fact, array, view, macro or phase")));
                }
            }
        }
        Ok(self.trace)
    }

    fn push(&mut self, place: Place, item: Item) -> Result<()> {
        self.checker.push(&item).map_err(|error| place.error(error.to_string()))?;
        self.trace.push(item)
    }

    fn fact(&mut self) -> Result<()> {
        let place = self.place;
        let key = self.text()?;
        if self.trace.header.facts.contains_key(&key) {
            return Err(place.error(format!("found a second fact {key:?}, need each once")));
        }
        self.sign("=")?;
        let value = self.text()?;
        self.trace.header.facts.insert(key, value);
        Ok(())
    }

    /// The number behind a letter, which must be the next of its kind.
    fn next_number(&mut self, letter: char, need: usize) -> Result<()> {
        let place = self.place;
        let found = self.numbered(letter)?;
        if found as usize == need {
            return Ok(());
        }
        Err(place.error(format!("found {letter}{found}, need {letter}{need}: numbers go up from 0")))
    }

    fn array(&mut self, place: Place) -> Result<()> {
        self.next_number('a', self.trace.definitions.len())?;
        let label = self.text()?;
        let class = self.named("class", &Class::ALL, Class::name)?;
        self.sign("[")?;
        let elements = self.number()?;
        self.sign("]")?;
        self.keyword("capacity")?;
        let capacity_bytes = self.number()?;
        self.keyword("used")?;
        let used_bytes = self.number()?;
        self.push(place, Item::Array(Array { label, class, elements, capacity_bytes, used_bytes }))
    }

    fn view(&mut self, place: Place) -> Result<()> {
        self.next_number('a', self.trace.definitions.len())?;
        let label = self.text()?;
        let segments = self.braced(|parser| {
            let array = ArrayId(parser.numbered('a')?);
            parser.sign("[")?;
            let start = parser.number()?;
            parser.sign("]")?;
            parser.keyword("step")?;
            let stride = parser.integer()?;
            parser.keyword("count")?;
            Ok(Segment { array, start, stride, count: parser.number()? })
        })?;
        self.push(place, Item::View(View { label, segments }))
    }

    fn define(&mut self, place: Place) -> Result<()> {
        self.next_number('m', self.trace.macros.len())?;
        let name = self.text()?;
        self.keyword("limbs")?;
        let limbs = self.small("limbs")?;
        let parameters = self.parenthesised(|parser| {
            let role = parser.named("role", &Role::ALL, Role::name)?;
            let class = parser.named("class", &Class::ALL, Class::name)?;
            Ok(Parameter { class, role, bytes: parser.number()? })
        })?;
        let sweeps = self.braced(Self::sweep)?;
        self.push(place, Item::Macro(Macro { name, limbs, parameters, sweeps }))
    }

    fn sweep(&mut self) -> Result<Sweep> {
        self.keyword("sweep")?;
        let mut sweep = Sweep { lanes: Vec::new(), work: Vec::new() };
        self.sign("{")?;
        while !self.is_sign("}") {
            if self.take_word("work")? {
                let kind = self.named("arithmetic", &Arithmetic::ALL, Arithmetic::name)?;
                sweep.work.push(Work { kind, count: self.number()? });
            } else {
                sweep.lanes.push(self.lane()?);
            }
        }
        self.sign("}")?;
        Ok(sweep)
    }

    fn lane(&mut self) -> Result<Lane> {
        let access = self.named("access", &Access::ALL, Access::name)?;
        let place = self.place;
        let operand = self.numbered('p')?;
        let operand =
            u8::try_from(operand).map_err(|_| place.error(format!("found p{operand}, need p0 to p255")))?;
        self.sign("@")?;
        let offset = self.number()?;
        self.sign("+")?;
        let bytes = self.number()?;
        Ok(Lane { operand, access, offset, bytes, order: self.order()? })
    }

    fn order(&mut self) -> Result<Order> {
        if self.take_word("strided")? {
            let block_bytes = self.number()?;
            self.keyword("by")?;
            return Ok(Order::Strided { block_bytes, stride_bytes: self.number()? });
        }
        if self.take_word("permuted")? {
            let rule = self.rule()?;
            return Ok(Order::Permuted { rule, element_bytes: self.number()? });
        }
        if self.take_word("rotated")? {
            return Ok(Order::Rotated { start_bytes: self.number()? });
        }
        if self.take_word("indexed")? {
            let element_bytes = self.number()?;
            return Ok(Order::Indexed { element_bytes, positions: self.list()? });
        }
        if self.take_word("seeded")? {
            let element_bytes = self.number()?;
            self.keyword("below")?;
            let range_elements = self.number()?;
            self.keyword("seed")?;
            return Ok(Order::Seeded { element_bytes, range_elements, seed: self.number()? });
        }
        Ok(Order::Sequential)
    }

    fn rule(&mut self) -> Result<Rule> {
        if self.take_word("bit-reversal")? {
            return Ok(Rule::BitReversal);
        }
        self.keyword("automorphism")?;
        Ok(Rule::Automorphism { element: self.number()? })
    }

    fn phase(&mut self, place: Place) -> Result<()> {
        let (name, operation) = (self.text()?, self.text()?);
        let stage = self.named("stage", &Stage::ALL, Stage::name)?;
        self.push(place, Item::PhaseStart(PhaseHead { name, operation, stage }))?;
        self.sign("{")?;
        while !self.is_sign("}") {
            let place = self.place;
            let body = self.body(1)?;
            self.push(place, Item::Body(body))?;
        }
        self.sign("}")
    }

    fn body(&mut self, depth: usize) -> Result<Body> {
        let place = self.place;
        if depth > MAX_DEPTH {
            return Err(place.error(format!("found bodies nested more than {MAX_DEPTH} deep")));
        }
        let outside = self.variables;
        let need = "call, loop, parallel, fork, alloc or free";
        let body = match self.word(need)?.as_str() {
            "call" => self.call()?,
            "loop" => {
                let nest = self.parenthesised(Self::range)?;
                let body = self.bodies(depth + 1)?;
                let first = if self.take_word("first")? { self.bodies(depth + 1)? } else { Vec::new() };
                Body::Loop { nest, first, body }
            }
            "parallel" => {
                let nest = self.parenthesised(Self::range)?;
                let nowait = self.take_word("nowait")?;
                Body::Parallel { nest, nowait, body: self.bodies(depth + 1)? }
            }
            "fork" => {
                let nowait = self.take_word("nowait")?;
                Body::Fork { nowait, branches: self.braced(|parser| parser.bodies(depth + 1))? }
            }
            "alloc" => Body::Alloc(self.elements()?),
            "free" => Body::Free(self.elements()?),
            other => return Err(place.error(format!("found {other}, need {need}"))),
        };
        self.variables = outside;
        Ok(body)
    }

    fn bodies(&mut self, depth: usize) -> Result<Vec<Body>> {
        self.braced(|parser| parser.body(depth))
    }

    fn call(&mut self) -> Result<Body> {
        let callee = MacroId(self.numbered('m')?);
        let operands = self.parenthesised(|parser| {
            let (array, index) = parser.element()?;
            Ok(Operand { array, index })
        })?;
        Ok(Body::Call { callee, operands })
    }

    fn elements(&mut self) -> Result<Elements> {
        let (array, start) = self.element()?;
        let count = if self.take_word("x")? { self.number()? } else { 1 };
        Ok(Elements { array, start, count })
    }

    fn element(&mut self) -> Result<(ArrayId, Affine)> {
        let array = ArrayId(self.numbered('a')?);
        self.sign("[")?;
        let index = self.form()?;
        self.sign("]")?;
        Ok((array, index))
    }

    fn range(&mut self) -> Result<Range> {
        let place = self.place;
        let (found, need) = (self.numbered('v')?, self.variables);
        if u64::from(found) != need {
            return Err(
                place.error(format!("found v{found}, need v{need}: variables count from the outermost loop"))
            );
        }
        self.keyword("in")?;
        let range = if self.take_word("lists")? {
            let mut lists = Vec::new();
            while self.is_sign("[") {
                lists.push(self.list()?);
            }
            self.keyword("at")?;
            Range::Listed { lists, select: self.form()? }
        } else if self.take_word("seeded")? {
            self.keyword("of")?;
            let of = self.number()?;
            self.keyword("keep")?;
            let keep_per_million = self.small("chance in millionths")?;
            self.keyword("seed")?;
            let seed = self.number()?;
            self.keyword("at")?;
            Range::Seeded { of, keep_per_million, select: self.form()?, seed }
        } else {
            let from = self.bounds("max")?;
            self.sign("..")?;
            Range::Affine { from, to: self.bounds("min")? }
        };
        self.variables += 1;
        Ok(range)
    }

    fn bounds(&mut self, function: &str) -> Result<Vec<Affine>> {
        if self.take_word(function)? { self.parenthesised(Self::form) } else { Ok(vec![self.form()?]) }
    }

    fn form(&mut self) -> Result<Affine> {
        let place = self.place;
        let (mut constant, mut terms) = (0_i128, BTreeMap::<u8, i128>::new());
        let mut is_negative = self.take_sign("-")?;
        loop {
            let (variable, size) = self.term()?;
            let size = if is_negative { -size } else { size };
            let sum = variable.map_or(&mut constant, |variable| terms.entry(variable).or_default());
            *sum = sum.saturating_add(size);
            is_negative = self.is_sign("-");
            if !self.take_sign("+")? && !self.take_sign("-")? {
                break;
            }
        }
        let narrow =
            |value: i128| i64::try_from(value).map_err(|_| place.error("found a form beyond 64 bits"));
        let terms = terms.into_iter().filter(|(_, coefficient)| *coefficient != 0);
        let terms = terms.map(|(variable, coefficient)| Ok((variable, narrow(coefficient)?)));
        Ok(Affine { constant: narrow(constant)?, terms: terms.collect::<Result<_>>()? })
    }

    /// `3`, `v0` or `3*v0`.
    fn term(&mut self) -> Result<(Option<u8>, i128)> {
        if !matches!(self.token, Token::Number(_)) {
            return Ok((Some(self.variable()?), 1));
        }
        let size = i128::from(self.number()?);
        let variable = if self.take_sign("*")? { Some(self.variable()?) } else { None };
        Ok((variable, size))
    }

    fn variable(&mut self) -> Result<u8> {
        let place = self.place;
        let variable = self.numbered('v')?;
        u8::try_from(variable).map_err(|_| place.error(format!("found v{variable}, need v0 to v31")))
    }

    fn list(&mut self) -> Result<Vec<u32>> {
        self.sign("[")?;
        let mut numbers = Vec::new();
        while !self.is_sign("]") {
            numbers.push(self.small("number of a list")?);
        }
        self.sign("]")?;
        Ok(numbers)
    }

    fn braced<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.sign("{")?;
        let mut elements = Vec::new();
        while !self.is_sign("}") {
            elements.push(one(self)?);
        }
        self.sign("}")?;
        Ok(elements)
    }

    fn parenthesised<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.sign("(")?;
        let mut elements = Vec::new();
        while !self.is_sign(")") {
            elements.push(one(self)?);
            if !self.take_sign(",")? {
                break;
            }
        }
        self.sign(")")?;
        Ok(elements)
    }
}
