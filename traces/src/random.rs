//! Random well-formed traces for property tests: every kind of the grammar, drawn from a seed.

use crate::build::Builder;
use crate::grammar::*;
use crate::seeded;

/// A stream of draws.
struct Dice {
    seed: u64,
    next: u64,
}

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.next += 1;
        seeded::draw_below(self.seed, self.next, bound)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    fn text(&mut self) -> String {
        let letters: Vec<char> = "ab.\"\\ \n\tπ-#7{".chars().collect();
        (0..self.below(8)).map(|_| self.pick(&letters)).collect()
    }

    fn number(&mut self) -> u64 {
        let bits = self.below(64);
        self.below(2 << bits)
    }
}

/// A trace that the checker accepts. Lifetimes are not kept.
pub(crate) fn trace(seed: u64) -> Trace {
    let mut dice = Dice { seed, next: 0 };
    let mut builder = Builder::new(Header::default());
    for _ in 0..dice.below(4) {
        let (key, value) = (dice.text(), dice.text());
        builder.fact(key, value);
    }
    for _ in 0..=dice.below(5) {
        define_array(&mut dice, &mut builder);
    }
    for _ in 0..=dice.below(4) {
        let defined = random_macro(&mut dice);
        builder.define(defined).expect("lanes stay inside parameters");
    }
    for phase in 0..dice.below(4) {
        let (name, operation) = (format!("{phase}{}", dice.text()), dice.text());
        let stage = dice.pick(&Stage::ALL);
        builder.phase(PhaseHead { name, operation, stage }).expect("names are numbered");
        for _ in 0..dice.below(5) {
            let body = body(&mut dice, builder.trace(), 0, 3);
            // Lists, indices and sizes are drawn freely: the checker sorts out what does not fit.
            drop(builder.body(body));
        }
    }
    builder.finish()
}

fn define_array(dice: &mut Dice, builder: &mut Builder) {
    let capacity_bytes = 64 + dice.below(4000);
    let array = Array {
        label: dice.text(),
        class: dice.pick(&Class::ALL),
        elements: 1 + dice.below(20),
        capacity_bytes,
        used_bytes: dice.below(capacity_bytes + 1),
    };
    let elements = array.elements;
    let target = builder.array(array).expect("sizes are in range");
    if dice.chance(40) {
        let segment = |start, stride, count| Segment { array: target, start, stride, count };
        let segments = vec![segment(0, 1, elements), segment(elements - 1, -1, elements), segment(0, 0, 3)];
        builder.view(View { label: dice.text(), segments }).expect("segments stay inside");
    }
}

fn random_macro(dice: &mut Dice) -> Macro {
    let bytes = 64;
    let parameters = (0..=dice.below(3)).map(|_| Parameter {
        class: dice.pick(&Class::ALL),
        role: dice.pick(&[Role::Output, Role::InOut]),
        bytes,
    });
    let parameters: Vec<Parameter> = parameters.collect();
    let sweeps = (0..dice.below(4)).map(|_| {
        let lanes = (0..dice.below(9)).map(|_| lane(dice, parameters.len() as u64));
        let lanes = lanes.collect();
        let work = (0..dice.below(3))
            .map(|_| Work { kind: dice.pick(&Arithmetic::ALL), count: dice.number() % (MAX_WORK + 1) });
        Sweep { lanes, work: work.collect() }
    });
    let sweeps = sweeps.collect();
    Macro { name: dice.text(), limbs: dice.below(1 << 32) as u32, parameters, sweeps }
}

fn lane(dice: &mut Dice, operands: u64) -> Lane {
    let order = match dice.below(7) {
        0 => Order::Strided { block_bytes: 4, stride_bytes: 4 + dice.below(4) },
        1 => Order::Permuted { rule: Rule::BitReversal, element_bytes: 4 },
        2 => {
            Order::Permuted { rule: Rule::Automorphism { element: 1 + 2 * dice.below(8) }, element_bytes: 4 }
        }
        3 => Order::Rotated { start_bytes: dice.below(32) },
        4 => Order::Indexed { element_bytes: 8, positions: (0..4).map(|_| dice.below(4) as u32).collect() },
        5 => Order::Seeded { element_bytes: 1, range_elements: 1 + dice.below(32), seed: dice.number() },
        _ => Order::Sequential,
    };
    let access = dice.pick(&Access::ALL);
    Lane { operand: dice.below(operands) as u8, access, offset: dice.below(4), bytes: 32, order }
}

fn body(dice: &mut Dice, trace: &Trace, variables: u8, depth: u64) -> Body {
    let array = ArrayId(dice.below(trace.definitions.len() as u64) as u32);
    let kind = if depth == 0 { dice.below(3) } else { dice.below(9) };
    let bodies = |dice: &mut Dice, inside: u8| -> Vec<Body> {
        (0..dice.below(4)).map(|_| body(dice, trace, inside, depth.saturating_sub(1))).collect()
    };
    match kind {
        0 => Body::Alloc(Elements { array, start: affine(dice, variables), count: 1 }),
        1 => Body::Free(Elements { array, start: affine(dice, variables), count: 1 }),
        2 | 3 => {
            let callee = dice.below(trace.macros.len() as u64);
            let operands = trace.macros[callee as usize].parameters.iter().map(|_| {
                let array = ArrayId(dice.below(trace.definitions.len() as u64) as u32);
                Operand { array, index: affine(dice, variables) }
            });
            Body::Call { callee: MacroId(callee as u32), operands: operands.collect() }
        }
        4 => {
            let nowait = dice.chance(50);
            Body::Fork { nowait, branches: (0..dice.below(4)).map(|_| bodies(dice, variables)).collect() }
        }
        5 | 6 => {
            let (nest, inside) = nest(dice, variables);
            Body::Loop { nest, first: bodies(dice, inside), body: bodies(dice, inside) }
        }
        _ => {
            let (nest, inside) = nest(dice, variables);
            Body::Parallel { nest, nowait: dice.chance(50), body: bodies(dice, inside) }
        }
    }
}

fn nest(dice: &mut Dice, mut variables: u8) -> (Vec<Range>, u8) {
    let ranges = (0..dice.below(3)).map(|_| {
        let range = range(dice, variables);
        variables += 1;
        range
    });
    let ranges: Vec<Range> = ranges.collect();
    (ranges, variables)
}

/// A range of at most ten values, so that random nests can be walked; its bounds use numbers of any size.
fn range(dice: &mut Dice, variables: u8) -> Range {
    match dice.below(5) {
        0 => {
            let far = Affine::constant(-(dice.number() as i64 >> 4));
            Range::Affine {
                from: vec![affine(dice, variables), Affine::constant(-2), far],
                to: vec![Affine::constant(3), affine(dice, variables)],
            }
        }
        1 => {
            let list = |dice: &mut Dice| (0..10).filter(|_| dice.chance(40)).collect();
            Range::Listed { lists: (0..3).map(|_| list(dice)).collect(), select: Affine::constant(2) }
        }
        2 => Range::Seeded {
            of: dice.below(10),
            keep_per_million: dice.below(1_000_001) as u32,
            select: affine(dice, variables),
            seed: dice.number(),
        },
        _ => Range::count(dice.below(5)),
    }
}

fn affine(dice: &mut Dice, variables: u8) -> Affine {
    let mut form = Affine::constant(dice.below(4) as i64);
    for variable in 0..variables {
        if dice.chance(25) {
            form = form.plus(variable, dice.below(7) as i64 - 3);
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_traces_are_checked_and_use_every_kind_of_body() {
        let mut text = String::new();
        for seed in 0..200 {
            let trace = trace(seed);
            crate::check(&trace).unwrap();
            text += &format!("{:?}", trace.phases);
        }

        for kind in ["Call", "Loop", "Parallel", "Fork", "Alloc", "Free", "Listed", "Seeded", "Affine"] {
            assert!(text.contains(kind), "{kind}");
        }
    }
}
