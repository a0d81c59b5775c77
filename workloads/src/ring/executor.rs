//! The ring that computes, and notes what it computes.

use rand_chacha::ChaCha20Rng;

use super::sample::Seed;
use super::{Buffer, Recorder, Ring, Span, Step, Tables};
use crate::Error;

/// An operand of a call.
#[derive(Debug)]
pub enum Operand<'a> {
    /// An object that is only read.
    Read(&'a Buffer),
    /// An object that is written, or read and written.
    Write(&'a mut Buffer),
    /// A table that the context holds.
    Resident,
}

/// Performs steps on the operands of one call and notes them.
#[derive(Debug)]
pub struct Executor<'c, 'o> {
    tables: &'c Tables,
    operands: &'c mut [Operand<'o>],
    recorder: &'c mut Recorder,
    generator: ChaCha20Rng,
}

impl<'c, 'o> Executor<'c, 'o> {
    /// For one call, which draws its randomness from stream number `randomness` of the seed.
    pub(crate) fn new(
        tables: &'c Tables,
        operands: &'c mut [Operand<'o>],
        recorder: &'c mut Recorder,
        (seed, randomness): (Seed, u64),
    ) -> Self {
        Self { tables, operands, recorder, generator: seed.stream(randomness) }
    }
}

impl Ring for Executor<'_, '_> {
    fn step(&mut self, step: Step) -> Result<(), Error> {
        self.recorder.note(&step);
        let (reads, writes) = slices(self.operands, &step);
        self.tables.perform(&step, &mut self.generator, reads, writes)
    }
}

/// The slices of a step's spans. Spans of one written operand must be disjoint; those of tables are empty.
fn slices<'b>(operands: &'b mut [Operand<'_>], step: &Step) -> ([&'b [u64]; 4], [&'b mut [u64]; 3]) {
    let mut reads: [&[u64]; 4] = Default::default();
    let mut writes: [&mut [u64]; 3] = Default::default();
    for (number, operand) in operands.iter_mut().enumerate() {
        match operand {
            Operand::Resident => {}
            Operand::Read(buffer) => {
                for (slot, span) in reads.iter_mut().zip(step.reads()) {
                    if usize::from(span.operand) == number {
                        *slot = &buffer[range(span)];
                    }
                }
            }
            Operand::Write(buffer) => carve(number, buffer, step, &mut reads, &mut writes),
        }
    }
    (reads, writes)
}

fn range(span: &Span) -> std::ops::Range<usize> {
    let start = span.offset as usize;
    start..start + span.words as usize
}

/// Splits one written operand into the disjoint spans that a step names, in ascending order.
fn carve<'b>(
    number: usize,
    buffer: &'b mut [u64],
    step: &Step,
    reads: &mut [&'b [u64]; 4],
    writes: &mut [&'b mut [u64]; 3],
) {
    let spans = step
        .reads()
        .iter()
        .map(|span| (span, true))
        .zip(0..)
        .chain(step.writes().iter().map(|span| (span, false)).zip(0..));
    let mut rest = buffer;
    let mut position = 0;
    let mut last = None;
    let total = step.reads().len() + step.writes().len();
    for _ in 0..total {
        // The next span by offset; there are at most seven.
        let next = spans
            .clone()
            .filter(|((span, _), _)| {
                usize::from(span.operand) == number && last.is_none_or(|last| span.offset > last)
            })
            .min_by_key(|((span, _), _)| span.offset);
        let Some(((span, is_read), slot)) = next else { return };
        let skip = span.offset as usize - position;
        let (part, tail) = std::mem::take(&mut rest)[skip..].split_at_mut(span.words as usize);
        if is_read {
            reads[slot] = part;
        } else {
            writes[slot] = part;
        }
        rest = tail;
        position = span.offset as usize + span.words as usize;
        last = Some(span.offset);
    }
}
