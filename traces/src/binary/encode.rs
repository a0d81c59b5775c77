//! Items to bytes. Numbers are LEB128 varints, signed ones zigzag first; strings and lists carry their length.

use crate::grammar::{
    Affine, Array, Body, Class, Elements, Header, Item, Lane, Macro, Operand, Order, PhaseHead, Range, Rule,
    Sweep, View,
};

pub(super) const ARRAY: u8 = 1;
pub(super) const VIEW: u8 = 2;
pub(super) const MACRO: u8 = 3;
pub(super) const PHASE: u8 = 4;
pub(super) const BODY: u8 = 5;

pub(super) const CALL: u8 = 1;
pub(super) const LOOP: u8 = 2;
pub(super) const PARALLEL: u8 = 3;
pub(super) const FORK: u8 = 4;
pub(super) const ALLOC: u8 = 5;
pub(super) const FREE: u8 = 6;

pub(super) const SEQUENTIAL: u8 = 1;
pub(super) const STRIDED: u8 = 2;
pub(super) const PERMUTED: u8 = 3;
pub(super) const ROTATED: u8 = 4;
pub(super) const INDEXED: u8 = 5;
pub(super) const SEEDED: u8 = 6;

pub(super) const BIT_REVERSAL: u8 = 1;
pub(super) const AUTOMORPHISM: u8 = 2;

pub(super) const AFFINE_RANGE: u8 = 1;
pub(super) const LISTED_RANGE: u8 = 2;
pub(super) const SEEDED_RANGE: u8 = 3;

/// First byte of an item.
#[cfg(test)]
pub(super) const fn item_kind(item: &Item) -> u8 {
    match item {
        Item::Array(_) => ARRAY,
        Item::View(_) => VIEW,
        Item::Macro(_) => MACRO,
        Item::PhaseStart(_) => PHASE,
        Item::Body(_) => BODY,
    }
}

pub(super) fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn signed(out: &mut Vec<u8>, value: i64) {
    unsigned(out, (value << 1 ^ value >> 63) as u64);
}

fn string(out: &mut Vec<u8>, text: &str) {
    unsigned(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn list<T>(out: &mut Vec<u8>, elements: &[T], mut one: impl FnMut(&mut Vec<u8>, &T)) {
    unsigned(out, elements.len() as u64);
    elements.iter().for_each(|element| one(out, element));
}

/// Differences, so that ascending lists become small numbers.
fn numbers(out: &mut Vec<u8>, numbers: &[u32]) {
    let mut last = 0;
    list(out, numbers, |out, &number| {
        signed(out, i64::from(number) - last);
        last = i64::from(number);
    });
}

pub(super) fn header(out: &mut Vec<u8>, header: &Header) {
    unsigned(out, header.facts.len() as u64);
    for (key, value) in &header.facts {
        string(out, key);
        string(out, value);
    }
}

pub(super) fn item(out: &mut Vec<u8>, item: &Item) {
    match item {
        Item::Array(defined) => array(out, defined),
        Item::View(defined) => view(out, defined),
        Item::Macro(defined) => define_macro(out, defined),
        Item::PhaseStart(head) => phase(out, head),
        Item::Body(contained) => {
            out.push(BODY);
            body(out, contained);
        }
    }
}

fn array(out: &mut Vec<u8>, array: &Array) {
    out.push(ARRAY);
    string(out, &array.label);
    out.push(class(array.class));
    unsigned(out, array.elements);
    unsigned(out, array.capacity_bytes);
    unsigned(out, array.used_bytes);
}

/// Codes are positions in the `ALL` lists of the grammar, whose order is part of the format.
const fn class(class: Class) -> u8 {
    class as u8
}

fn view(out: &mut Vec<u8>, view: &View) {
    out.push(VIEW);
    string(out, &view.label);
    list(out, &view.segments, |out, segment| {
        unsigned(out, segment.array.0.into());
        unsigned(out, segment.start);
        signed(out, segment.stride);
        unsigned(out, segment.count);
    });
}

fn define_macro(out: &mut Vec<u8>, defined: &Macro) {
    out.push(MACRO);
    string(out, &defined.name);
    unsigned(out, defined.limbs.into());
    list(out, &defined.parameters, |out, parameter| {
        out.push(class(parameter.class));
        out.push(parameter.role as u8);
        unsigned(out, parameter.bytes);
    });
    list(out, &defined.sweeps, sweep);
}

fn sweep(out: &mut Vec<u8>, sweep: &Sweep) {
    list(out, &sweep.lanes, lane);
    list(out, &sweep.work, |out, work| {
        out.push(work.kind as u8);
        unsigned(out, work.count);
    });
}

fn lane(out: &mut Vec<u8>, lane: &Lane) {
    out.push(lane.operand);
    out.push(lane.access as u8);
    unsigned(out, lane.offset);
    unsigned(out, lane.bytes);
    order(out, &lane.order);
}

fn order(out: &mut Vec<u8>, order: &Order) {
    match order {
        Order::Sequential => out.push(SEQUENTIAL),
        Order::Strided { block_bytes, stride_bytes } => {
            out.push(STRIDED);
            unsigned(out, *block_bytes);
            unsigned(out, *stride_bytes);
        }
        Order::Permuted { rule, element_bytes } => {
            out.push(PERMUTED);
            match rule {
                Rule::BitReversal => out.push(BIT_REVERSAL),
                Rule::Automorphism { element } => {
                    out.push(AUTOMORPHISM);
                    unsigned(out, *element);
                }
            }
            unsigned(out, *element_bytes);
        }
        Order::Rotated { start_bytes } => {
            out.push(ROTATED);
            unsigned(out, *start_bytes);
        }
        Order::Indexed { element_bytes, positions } => {
            out.push(INDEXED);
            unsigned(out, *element_bytes);
            numbers(out, positions);
        }
        Order::Seeded { element_bytes, range_elements, seed } => {
            out.push(SEEDED);
            unsigned(out, *element_bytes);
            unsigned(out, *range_elements);
            unsigned(out, *seed);
        }
    }
}

fn phase(out: &mut Vec<u8>, head: &PhaseHead) {
    out.push(PHASE);
    string(out, &head.name);
    string(out, &head.operation);
    out.push(head.stage as u8);
}

fn body(out: &mut Vec<u8>, contained: &Body) {
    match contained {
        Body::Call { callee, operands } => {
            out.push(CALL);
            unsigned(out, callee.0.into());
            list(out, operands, operand);
        }
        Body::Loop { nest, first, body: inner } => {
            out.push(LOOP);
            list(out, nest, range);
            list(out, first, body);
            list(out, inner, body);
        }
        Body::Parallel { nest, nowait, body: inner } => {
            out.push(PARALLEL);
            list(out, nest, range);
            out.push((*nowait).into());
            list(out, inner, body);
        }
        Body::Fork { nowait, branches } => {
            out.push(FORK);
            out.push((*nowait).into());
            list(out, branches, |out, branch| list(out, branch, body));
        }
        Body::Alloc(run) => {
            out.push(ALLOC);
            elements(out, run);
        }
        Body::Free(run) => {
            out.push(FREE);
            elements(out, run);
        }
    }
}

fn operand(out: &mut Vec<u8>, operand: &Operand) {
    unsigned(out, operand.array.0.into());
    affine(out, &operand.index);
}

fn elements(out: &mut Vec<u8>, run: &Elements) {
    unsigned(out, run.array.0.into());
    affine(out, &run.start);
    unsigned(out, run.count);
}

fn affine(out: &mut Vec<u8>, affine: &Affine) {
    signed(out, affine.constant);
    list(out, &affine.terms, |out, &(variable, coefficient)| {
        out.push(variable);
        signed(out, coefficient);
    });
}

fn range(out: &mut Vec<u8>, range: &Range) {
    match range {
        Range::Affine { from, to } => {
            out.push(AFFINE_RANGE);
            list(out, from, affine);
            list(out, to, affine);
        }
        Range::Listed { lists, select } => {
            out.push(LISTED_RANGE);
            list(out, lists, |out, values| numbers(out, values));
            affine(out, select);
        }
        Range::Seeded { of, keep_per_million, select, seed } => {
            out.push(SEEDED_RANGE);
            unsigned(out, *of);
            unsigned(out, (*keep_per_million).into());
            affine(out, select);
            unsigned(out, *seed);
        }
    }
}
