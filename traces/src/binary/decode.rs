//! Bytes to items. Every number is checked against its type, every list grows only as its bytes arrive.

use super::{MAX_STRING_BYTES, encode};
use crate::error::{Error, Result};
use crate::grammar::{
    Access, Affine, Arithmetic, Array, ArrayId, Body, Class, Elements, Header, Item, Lane, MAX_DEPTH, Macro,
    MacroId, Operand, Order, Parameter, PhaseHead, Range, Role, Rule, Segment, Stage, Sweep, View, Work,
};

/// Most elements for which a list reserves memory before they arrive.
const RESERVED_ELEMENTS: usize = 1024;

/// Where raw bytes come from.
pub(super) trait Source {
    /// The next byte.
    fn byte(&mut self) -> Result<u8>;

    /// Takes note of memory that decoded content occupies, before it does.
    fn charge(&mut self, bytes: usize) -> Result<()>;

    /// An error at the current place.
    fn damaged(&self, found: String) -> Error;
}

/// One item's bytes, whose memory is counted.
struct Counted<'b> {
    bytes: std::slice::Iter<'b, u8>,
    decoded: u64,
}

impl Source for Counted<'_> {
    fn byte(&mut self) -> Result<u8> {
        self.bytes.next().copied().ok_or_else(|| self.damaged("found the end inside an item".into()))
    }

    fn charge(&mut self, bytes: usize) -> Result<()> {
        self.decoded += bytes as u64;
        Ok(())
    }

    fn damaged(&self, found: String) -> Error {
        Error::Damaged { offset: 0, found }
    }
}

/// Memory of one encoded item as a reader counts it.
///
/// # Errors
/// Those of reading it.
pub(super) fn decoded_bytes(raw: &[u8]) -> Result<u64> {
    let mut source = Counted { bytes: raw.iter(), decoded: 0 };
    let kind = source.byte()?;
    item(&mut source, kind)?;
    Ok(source.decoded)
}

fn refused<S: Source, T>(source: &S, what: &str, code: impl Into<u64>, most: usize) -> Result<T> {
    let code = code.into();
    Err(source.damaged(format!("found {what} {code}, need 1 to {most}")))
}

pub(super) fn unsigned(source: &mut impl Source) -> Result<u64> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let byte = source.byte()?;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return Err(source.damaged("found a number beyond 64 bits".into()));
        }
        value |= bits << shift;
        if byte < 0x80 {
            // A number has one spelling, so that equal traces have equal bytes.
            let is_padded = byte == 0 && shift > 0;
            return if is_padded {
                Err(source.damaged("found a number with padding".into()))
            } else {
                Ok(value)
            };
        }
        shift += 7;
        if shift > 63 {
            return Err(source.damaged("found a number of more than 10 bytes".into()));
        }
    }
}

fn signed(source: &mut impl Source) -> Result<i64> {
    let coded = unsigned(source)?;
    Ok((coded >> 1) as i64 ^ -((coded & 1) as i64))
}

fn small(source: &mut impl Source) -> Result<u32> {
    let value = unsigned(source)?;
    u32::try_from(value).map_err(|_| source.damaged(format!("found {value}, need a number below 2^32")))
}

fn boolean(source: &mut impl Source) -> Result<bool> {
    match source.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(source.damaged(format!("found truth value {other}, need 0 or 1"))),
    }
}

/// A value whose code is its position in a list of the grammar.
fn coded<T: Copy>(source: &mut impl Source, what: &str, all: &[T]) -> Result<T> {
    let code = source.byte()?;
    let need = all.len() - 1;
    let value = all.get(usize::from(code)).copied();
    value.ok_or_else(|| source.damaged(format!("found {what} {code}, need 0 to {need}")))
}

fn string(source: &mut impl Source) -> Result<String> {
    let length = unsigned(source)?;
    if length > MAX_STRING_BYTES {
        return Err(
            source.damaged(format!("found a string of {length} bytes, need at most {MAX_STRING_BYTES}"))
        );
    }
    source.charge(length as usize)?;
    let bytes = (0..length).map(|_| source.byte()).collect::<Result<Vec<u8>>>()?;
    String::from_utf8(bytes).map_err(|_| source.damaged("found a string that is not UTF-8".into()))
}

fn list<S: Source, T>(source: &mut S, mut one: impl FnMut(&mut S) -> Result<T>) -> Result<Vec<T>> {
    let length = unsigned(source)?;
    let mut elements =
        Vec::with_capacity(usize::try_from(length).unwrap_or(usize::MAX).min(RESERVED_ELEMENTS));
    for _ in 0..length {
        source.charge(size_of::<T>())?;
        elements.push(one(source)?);
    }
    // Growth by doubling leaves up to half of the memory unused.
    elements.shrink_to_fit();
    Ok(elements)
}

fn numbers(source: &mut impl Source) -> Result<Vec<u32>> {
    let mut last = 0_i64;
    list(source, |source| {
        let value = last.checked_add(signed(source)?).and_then(|value| u32::try_from(value).ok());
        let value = value.ok_or_else(|| source.damaged("found a list's number outside 32 bits".into()))?;
        last = i64::from(value);
        Ok(value)
    })
}

pub(super) fn header(source: &mut impl Source) -> Result<Header> {
    let mut header = Header::default();
    for _ in 0..unsigned(source)? {
        source.charge(2 * size_of::<String>())?;
        let (key, value) = (string(source)?, string(source)?);
        if header.facts.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(source.damaged(format!("found header key {key} out of order")));
        }
        header.facts.insert(key, value);
    }
    Ok(header)
}

/// The rest of an item whose first byte was `kind`.
pub(super) fn item<S: Source>(source: &mut S, kind: u8) -> Result<Item> {
    source.charge(size_of::<Item>())?;
    Ok(match kind {
        encode::ARRAY => Item::Array(Array {
            label: string(source)?,
            class: coded(source, "class", &Class::ALL)?,
            elements: unsigned(source)?,
            capacity_bytes: unsigned(source)?,
            used_bytes: unsigned(source)?,
        }),
        encode::VIEW => Item::View(View { label: string(source)?, segments: list(source, segment)? }),
        encode::MACRO => Item::Macro(Macro {
            name: string(source)?,
            limbs: small(source)?,
            parameters: list(source, parameter)?,
            sweeps: list(source, sweep)?,
        }),
        encode::PHASE => Item::PhaseStart(PhaseHead {
            name: string(source)?,
            operation: string(source)?,
            stage: coded(source, "stage", &Stage::ALL)?,
        }),
        encode::BODY => Item::Body(body(source, 1)?),
        other => return refused(source, "item kind", other, 5),
    })
}

fn segment(source: &mut impl Source) -> Result<Segment> {
    Ok(Segment {
        array: ArrayId(small(source)?),
        start: unsigned(source)?,
        stride: signed(source)?,
        count: unsigned(source)?,
    })
}

fn parameter(source: &mut impl Source) -> Result<Parameter> {
    Ok(Parameter {
        class: coded(source, "class", &Class::ALL)?,
        role: coded(source, "role", &Role::ALL)?,
        bytes: unsigned(source)?,
    })
}

fn sweep<S: Source>(source: &mut S) -> Result<Sweep> {
    let work = |source: &mut S| {
        Ok(Work { kind: coded(source, "arithmetic", &Arithmetic::ALL)?, count: unsigned(source)? })
    };
    Ok(Sweep { lanes: list(source, lane)?, work: list(source, work)? })
}

fn lane<S: Source>(source: &mut S) -> Result<Lane> {
    Ok(Lane {
        operand: source.byte()?,
        access: coded(source, "access", &Access::ALL)?,
        offset: unsigned(source)?,
        bytes: unsigned(source)?,
        order: order(source)?,
    })
}

fn order<S: Source>(source: &mut S) -> Result<Order> {
    Ok(match source.byte()? {
        encode::SEQUENTIAL => Order::Sequential,
        encode::STRIDED => Order::Strided { block_bytes: unsigned(source)?, stride_bytes: unsigned(source)? },
        encode::PERMUTED => Order::Permuted { rule: rule(source)?, element_bytes: unsigned(source)? },
        encode::ROTATED => Order::Rotated { start_bytes: unsigned(source)? },
        encode::INDEXED => Order::Indexed { element_bytes: unsigned(source)?, positions: numbers(source)? },
        encode::SEEDED => Order::Seeded {
            element_bytes: unsigned(source)?,
            range_elements: unsigned(source)?,
            seed: unsigned(source)?,
        },
        other => return refused(source, "order kind", other, 6),
    })
}

fn rule<S: Source>(source: &mut S) -> Result<Rule> {
    match source.byte()? {
        encode::BIT_REVERSAL => Ok(Rule::BitReversal),
        encode::AUTOMORPHISM => Ok(Rule::Automorphism { element: unsigned(source)? }),
        other => refused(source, "permutation rule", other, 2),
    }
}

fn body<S: Source>(source: &mut S, depth: usize) -> Result<Body> {
    if depth > MAX_DEPTH {
        return Err(source.damaged(format!("found bodies nested more than {MAX_DEPTH} deep")));
    }
    let inner = |source: &mut S| list(source, |source| body(source, depth + 1));
    Ok(match source.byte()? {
        encode::CALL => Body::Call { callee: MacroId(small(source)?), operands: list(source, operand)? },
        encode::LOOP => {
            Body::Loop { nest: list(source, range)?, first: inner(source)?, body: inner(source)? }
        }
        encode::PARALLEL => {
            Body::Parallel { nest: list(source, range)?, nowait: boolean(source)?, body: inner(source)? }
        }
        encode::FORK => Body::Fork { nowait: boolean(source)?, branches: list(source, inner)? },
        encode::ALLOC => Body::Alloc(elements(source)?),
        encode::FREE => Body::Free(elements(source)?),
        other => return refused(source, "body kind", other, 6),
    })
}

fn operand(source: &mut impl Source) -> Result<Operand> {
    Ok(Operand { array: ArrayId(small(source)?), index: affine(source)? })
}

fn elements(source: &mut impl Source) -> Result<Elements> {
    Ok(Elements { array: ArrayId(small(source)?), start: affine(source)?, count: unsigned(source)? })
}

fn affine(source: &mut impl Source) -> Result<Affine> {
    let constant = signed(source)?;
    let terms = list(source, |source| Ok((source.byte()?, signed(source)?)))?;
    Ok(Affine { constant, terms })
}

fn range<S: Source>(source: &mut S) -> Result<Range> {
    Ok(match source.byte()? {
        encode::AFFINE_RANGE => Range::Affine { from: list(source, affine)?, to: list(source, affine)? },
        encode::LISTED_RANGE => Range::Listed { lists: list(source, numbers)?, select: affine(source)? },
        encode::SEEDED_RANGE => Range::Seeded {
            of: unsigned(source)?,
            keep_per_million: small(source)?,
            select: affine(source)?,
            seed: unsigned(source)?,
        },
        other => return refused(source, "range kind", other, 3),
    })
}
