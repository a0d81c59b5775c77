//! Traces to text.

use std::fmt::{self, Write};

use super::VERSION;
use crate::grammar::{
    Affine, Array, Body, Definition, Elements, Lane, Macro, Operand, Order, Phase, Range, Rule, Sweep, Trace,
    View,
};

/// Writes a trace as text that [`parse`](super::parse()) reads back. Calls carry a comment with the primitive's name
/// and the labels of the operands.
///
/// # Errors
/// - [`fmt::Error`] if the output does not take the text; a `String` always does.
pub fn dump(output: &mut impl Write, trace: &Trace) -> fmt::Result {
    Dumper { output, trace, depth: 0, variables: 0 }.trace()
}

struct Dumper<'d, W> {
    output: &'d mut W,
    trace: &'d Trace,
    depth: usize,
    variables: usize,
}

impl<W: Write> Dumper<'_, W> {
    fn trace(&mut self) -> fmt::Result {
        let trace = self.trace;
        writeln!(self.output, "hetier-trace {VERSION}")?;
        for (key, value) in &trace.header.facts {
            writeln!(self.output, "fact {} = {}", Quoted(key), Quoted(value))?;
        }
        for (number, definition) in trace.definitions.iter().enumerate() {
            match definition {
                Definition::Array(array) => self.array(number, array)?,
                Definition::View(view) => self.view(number, view)?,
            }
        }
        for (number, defined) in trace.macros.iter().enumerate() {
            self.define(number, defined)?;
        }
        trace.phases.iter().try_for_each(|phase| self.phase(phase))
    }

    fn indent(&mut self) -> fmt::Result {
        (0..self.depth).try_for_each(|_| self.output.write_str("  "))
    }

    fn array(&mut self, number: usize, array: &Array) -> fmt::Result {
        let Array { label, class, elements, capacity_bytes, used_bytes } = array;
        let (label, class) = (Quoted(label), class.name());
        writeln!(
            self.output,
            "array a{number} {label} {class} [{elements}] capacity {capacity_bytes} used {used_bytes}"
        )
    }

    fn view(&mut self, number: usize, view: &View) -> fmt::Result {
        write!(self.output, "view a{number} {} {{", Quoted(&view.label))?;
        for segment in &view.segments {
            let (array, start, stride, count) =
                (segment.array.0, segment.start, segment.stride, segment.count);
            write!(self.output, " a{array}[{start}] step {stride} count {count}")?;
        }
        writeln!(self.output, " }}")
    }

    fn define(&mut self, number: usize, defined: &Macro) -> fmt::Result {
        write!(self.output, "macro m{number} {} limbs {} (", Quoted(&defined.name), defined.limbs)?;
        for (at, parameter) in defined.parameters.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            let (role, class) = (parameter.role.name(), parameter.class.name());
            write!(self.output, "{comma}{role} {class} {}", parameter.bytes)?;
        }
        writeln!(self.output, ") {{")?;
        defined.sweeps.iter().try_for_each(|sweep| self.sweep(sweep))?;
        writeln!(self.output, "}}")
    }

    fn sweep(&mut self, sweep: &Sweep) -> fmt::Result {
        writeln!(self.output, "  sweep {{")?;
        sweep.lanes.iter().try_for_each(|lane| self.lane(lane))?;
        for work in &sweep.work {
            writeln!(self.output, "    work {} {}", work.kind.name(), work.count)?;
        }
        writeln!(self.output, "  }}")
    }

    fn lane(&mut self, lane: &Lane) -> fmt::Result {
        let (access, operand) = (lane.access.name(), lane.operand);
        write!(self.output, "    {access} p{operand} @{} +{}", lane.offset, lane.bytes)?;
        match &lane.order {
            Order::Sequential => {}
            Order::Strided { block_bytes, stride_bytes } => {
                write!(self.output, " strided {block_bytes} by {stride_bytes}")?;
            }
            Order::Permuted { rule: Rule::BitReversal, element_bytes } => {
                write!(self.output, " permuted bit-reversal {element_bytes}")?;
            }
            Order::Permuted { rule: Rule::Automorphism { element }, element_bytes } => {
                write!(self.output, " permuted automorphism {element} {element_bytes}")?;
            }
            Order::Rotated { start_bytes } => write!(self.output, " rotated {start_bytes}")?,
            Order::Indexed { element_bytes, positions } => {
                write!(self.output, " indexed {element_bytes} {}", List(positions))?;
            }
            Order::Seeded { element_bytes, range_elements, seed } => {
                write!(self.output, " seeded {element_bytes} below {range_elements} seed {seed}")?;
            }
        }
        writeln!(self.output)
    }

    fn phase(&mut self, phase: &Phase) -> fmt::Result {
        let head = &phase.head;
        let (name, operation) = (Quoted(&head.name), Quoted(&head.operation));
        write!(self.output, "phase {name} {operation} {} ", head.stage.name())?;
        self.block(&phase.body)?;
        writeln!(self.output)
    }

    /// Bodies in braces, without a line feed behind.
    fn block(&mut self, bodies: &[Body]) -> fmt::Result {
        writeln!(self.output, "{{")?;
        self.depth += 1;
        bodies.iter().try_for_each(|body| self.body(body))?;
        self.depth -= 1;
        self.indent()?;
        self.output.write_str("}")
    }

    fn body(&mut self, body: &Body) -> fmt::Result {
        self.indent()?;
        let outside = self.variables;
        match body {
            Body::Call { callee, operands } => self.call(callee.0, operands)?,
            Body::Loop { nest, first, body } => {
                self.nest("loop", nest)?;
                self.block(body)?;
                if !first.is_empty() {
                    self.output.write_str(" first ")?;
                    self.block(first)?;
                }
            }
            Body::Parallel { nest, nowait, body } => {
                self.nest("parallel", nest)?;
                self.output.write_str(if *nowait { "nowait " } else { "" })?;
                self.block(body)?;
            }
            Body::Fork { nowait, branches } => self.fork(*nowait, branches)?,
            Body::Alloc(elements) => self.elements("alloc", elements)?,
            Body::Free(elements) => self.elements("free", elements)?,
        }
        self.variables = outside;
        writeln!(self.output)
    }

    fn call(&mut self, callee: u32, operands: &[Operand]) -> fmt::Result {
        write!(self.output, "call m{callee}(")?;
        for (at, operand) in operands.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(self.output, "{comma}a{}[{}]", operand.array.0, Form(&operand.index))?;
        }
        self.output.write_str(")")?;
        let Some(called) = self.trace.macros.get(callee as usize) else { return Ok(()) };
        write!(self.output, "  # {}", Comment(&called.name))?;
        for (at, operand) in operands.iter().enumerate() {
            let label = self.trace.definitions.get(operand.array.0 as usize).map_or("", Definition::label);
            write!(self.output, "{} {}", if at > 0 { "," } else { ":" }, Comment(label))?;
        }
        Ok(())
    }

    fn fork(&mut self, nowait: bool, branches: &[Vec<Body>]) -> fmt::Result {
        writeln!(self.output, "fork {}{{", if nowait { "nowait " } else { "" })?;
        self.depth += 1;
        for branch in branches {
            self.indent()?;
            self.block(branch)?;
            writeln!(self.output)?;
        }
        self.depth -= 1;
        self.indent()?;
        self.output.write_str("}")
    }

    fn nest(&mut self, kind: &str, nest: &[Range]) -> fmt::Result {
        write!(self.output, "{kind} (")?;
        for (at, range) in nest.iter().enumerate() {
            write!(self.output, "{}v{} in ", if at > 0 { ", " } else { "" }, self.variables)?;
            self.range(range)?;
            self.variables += 1;
        }
        self.output.write_str(") ")
    }

    fn range(&mut self, range: &Range) -> fmt::Result {
        match range {
            Range::Affine { from, to } => {
                self.bounds("max", from)?;
                self.output.write_str("..")?;
                self.bounds("min", to)
            }
            Range::Listed { lists, select } => {
                self.output.write_str("lists")?;
                lists.iter().try_for_each(|list| write!(self.output, " {}", List(list)))?;
                write!(self.output, " at {}", Form(select))
            }
            Range::Seeded { of, keep_per_million, select, seed } => {
                write!(self.output, "seeded of {of} keep {keep_per_million} seed {seed} at {}", Form(select))
            }
        }
    }

    fn bounds(&mut self, function: &str, forms: &[Affine]) -> fmt::Result {
        if let [form] = forms {
            return write!(self.output, "{}", Form(form));
        }
        write!(self.output, "{function}(")?;
        for (at, form) in forms.iter().enumerate() {
            write!(self.output, "{}{}", if at > 0 { ", " } else { "" }, Form(form))?;
        }
        self.output.write_str(")")
    }

    fn elements(&mut self, kind: &str, elements: &Elements) -> fmt::Result {
        let Elements { array, start, count } = elements;
        write!(self.output, "{kind} a{}[{}]", array.0, Form(start))?;
        if *count == 1 { Ok(()) } else { write!(self.output, " x {count}") }
    }
}

/// A string in quotes; quotes, backslashes and control characters are escaped as in JSON.
struct Quoted<'s>(&'s str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("\"")?;
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(formatter, "\\{letter}")?,
                letter if letter.is_control() => write!(formatter, "\\u{:04x}", u32::from(letter))?,
                letter => formatter.write_char(letter)?,
            }
        }
        formatter.write_str("\"")
    }
}

/// A name in a comment, without what would end the line.
struct Comment<'s>(&'s str);

impl fmt::Display for Comment<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .filter(|letter| !letter.is_control())
            .try_for_each(|letter| formatter.write_char(letter))
    }
}

/// Terms, then the constant; a positive constant comes first if the first term is negative.
struct Form<'a>(&'a Affine);

impl fmt::Display for Form<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Affine { constant, terms } = self.0;
        let is_constant_first = *constant > 0 && terms.first().is_some_and(|term| term.1 < 0);
        if terms.is_empty() || is_constant_first {
            write!(formatter, "{constant}")?;
        }
        for (at, &(variable, coefficient)) in terms.iter().enumerate() {
            let sign = match (at == 0 && !is_constant_first, coefficient < 0) {
                (true, false) => "",
                (true, true) => "-",
                (false, false) => " + ",
                (false, true) => " - ",
            };
            match coefficient.unsigned_abs() {
                1 => write!(formatter, "{sign}v{variable}")?,
                size => write!(formatter, "{sign}{size}*v{variable}")?,
            }
        }
        if terms.is_empty() || is_constant_first || *constant == 0 {
            return Ok(());
        }
        let sign = if *constant < 0 { '-' } else { '+' };
        write!(formatter, " {sign} {}", constant.unsigned_abs())
    }
}

/// Numbers in brackets.
struct List<'a>(&'a [u32]);

impl fmt::Display for List<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[")?;
        for (at, number) in self.0.iter().enumerate() {
            write!(formatter, "{}{number}", if at > 0 { " " } else { "" })?;
        }
        formatter.write_str("]")
    }
}
