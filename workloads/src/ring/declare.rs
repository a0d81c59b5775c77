//! What each step touches: the one place where sweeps are declared.

use hetier_traces::{Access, Arithmetic, Lane, Order, Rule, Sweep, Work};

use super::{Formula, Packing, Span, Step};

/// Below this many words tfhe-ntt transforms a block pass by pass; above, it makes one pass and goes into each half.
/// Source: `RECURSION_THRESHOLD` of tfhe-ntt 0.7, `src/prime64.rs`.
pub(crate) const BLOCK_WORDS: u32 = 1024;

/// How often tfhe-ntt loads (and stores) each byte of a limb, over how often `sweeps` declares it.
///
/// A transform makes log2(N) passes. Passes over more than `BLOCK_WORDS` are declared one by one; those inside a
/// block of 8 KiB, which no cache misses but at first touch, are declared as one.
pub fn transform_ratio(degree: u32) -> (u32, u32) {
    let passes = degree.ilog2();
    (passes, 1 + passes.saturating_sub(BLOCK_WORDS.ilog2()))
}

pub(super) fn sweeps(step: &Step) -> Vec<Sweep> {
    match step.formula {
        Formula::Ntt => transform(step, false),
        Formula::InverseNtt => transform(step, true),
        Formula::SlotTransform | Formula::InverseSlotTransform => slot_transform(step),
        _ => vec![element_by_element(step)],
    }
}

/// Every span once, together.
fn element_by_element(step: &Step) -> Sweep {
    let formula = step.formula;
    let reads = step.reads().iter().enumerate().map(|(at, &span)| read_lane(formula, at, span));
    let writes = step.writes().iter().map(|&span| lane(span, formula.target_access(), Order::Sequential));
    let words = u64::from(step.writes().first().map_or(0, |span| span.words));
    let elements = if formula == Formula::LazyProductAdd { words / 2 } else { words };
    let work = formula.work().iter().map(|&(kind, each)| Work { kind, count: each * elements });
    Sweep { lanes: reads.chain(writes).collect(), work: work.collect() }
}

fn lane(span: Span, access: Access, order: Order) -> Lane {
    Lane { operand: span.operand, access, offset: 8 * span.offset, bytes: 8 * u64::from(span.words), order }
}

fn read_lane(formula: Formula, argument: usize, span: Span) -> Lane {
    let sequential = lane(span, Access::Read, Order::Sequential);
    match (formula, argument) {
        (Formula::Permute { element }, 0) => {
            let order = Order::Permuted { rule: Rule::Automorphism { element }, element_bytes: 8 };
            Lane { order, ..sequential }
        }
        (Formula::ReverseSlots, 0) if span.words > 2 => {
            Lane { order: Order::Permuted { rule: Rule::BitReversal, element_bytes: 16 }, ..sequential }
        }
        // Imaginary parts are not looked at.
        (Formula::StoreSlots { packing: Packing::Real, .. }, 0) => {
            let order = Order::Strided { block_bytes: 8, stride_bytes: 16 };
            Lane { bytes: sequential.bytes / 2, order, ..sequential }
        }
        _ => sequential,
    }
}

/// A number-theoretic transform as tfhe-ntt orders it: depth first, one pass over a block and then into its halves
/// (the inverse: halves first), down to [`BLOCK_WORDS`].
///
/// Of the table, each of the smallest blocks reads its share of roots and quotients in one piece: the right bytes in
/// all, not the order inside the library.
fn transform(step: &Step, is_inverse: bool) -> Vec<Sweep> {
    let (table, limb) = (step.reads()[0], step.writes()[0]);
    let mut sweeps = Vec::new();
    descend(&mut sweeps, table, limb, 0, limb.words, is_inverse);
    sweeps
}

fn descend(sweeps: &mut Vec<Sweep>, table: Span, limb: Span, start: u32, words: u32, is_inverse: bool) {
    if words <= BLOCK_WORDS {
        sweeps.push(block(table, limb, start, words));
        return;
    }
    let half = words / 2;
    if !is_inverse {
        sweeps.push(pass(limb, start, words));
    }
    descend(sweeps, table, limb, start, half, is_inverse);
    descend(sweeps, table, limb, start + half, half, is_inverse);
    if is_inverse {
        sweeps.push(pass(limb, start, words));
    }
}

fn part(limb: Span, start: u32, words: u32) -> Span {
    Span { offset: limb.offset + u64::from(start), words, ..limb }
}

fn butterflies(count: u64) -> Vec<Work> {
    vec![Work { kind: Arithmetic::Butterfly, count }]
}

/// All passes inside a block that stays in the nearest cache.
fn block(table: Span, limb: Span, start: u32, words: u32) -> Sweep {
    let roots = part(table, start, words);
    let quotients = part(table, limb.words + start, words);
    let lanes = vec![
        lane(roots, Access::Read, Order::Sequential),
        lane(quotients, Access::Read, Order::Sequential),
        lane(part(limb, start, words), Access::Update, Order::Sequential),
    ];
    Sweep { lanes, work: butterflies(u64::from(words / 2) * u64::from(words.ilog2())) }
}

/// One pass: the two halves advance together.
fn pass(limb: Span, start: u32, words: u32) -> Sweep {
    let half = words / 2;
    let lanes =
        [start, start + half].map(|from| lane(part(limb, from, half), Access::Update, Order::Sequential));
    Sweep { lanes: lanes.to_vec(), work: butterflies(u64::from(half)) }
}

/// log2(n) passes over n complex numbers. Every pass walks the whole table of roots of its direction once in
/// proportion to the groups it has, which is declared as the table read once in all.
fn slot_transform(step: &Step) -> Vec<Sweep> {
    let (table, slots) = (step.reads()[0], step.writes()[0]);
    let complex = slots.words / 2;
    let passes = complex.ilog2();
    (0..passes)
        .map(|pass| {
            let roots = (pass == 0).then(|| lane(table, Access::Read, Order::Sequential));
            let values = lane(slots, Access::Update, Order::Sequential);
            let work = Work { kind: Arithmetic::FloatButterfly, count: u64::from(complex / 2) };
            Sweep { lanes: roots.into_iter().chain([values]).collect(), work: vec![work] }
        })
        .collect()
}
