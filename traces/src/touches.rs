//! What a lane touches, in order: contiguous pieces of bytes, and the 64-byte lines under them.
//!
//! This is the one definition of the orders of the grammar; replay walks the same pieces that facts count.

use crate::grammar::{LINE_BYTES, Lane, Order, Rule};
use crate::seeded;

impl Rule {
    /// Where the element that a lane touches in step `step` lies, among `count` (a power of two) elements.
    pub const fn source(self, step: u64, count: u64) -> u64 {
        match self {
            Self::BitReversal => reversed(step, count),
            Self::Automorphism { element } => {
                let exponent =
                    (element as u128 * (2 * reversed(step, count) as u128 + 1)) % (2 * count as u128);
                reversed((exponent as u64 - 1) / 2, count)
            }
        }
    }
}

/// The low log2(count) bits of `index` reversed.
const fn reversed(index: u64, count: u64) -> u64 {
    if count <= 1 { 0 } else { index.reverse_bits() >> (64 - count.trailing_zeros()) }
}

impl Lane {
    /// Bytes of the range from [`Lane::offset`] in which all touches lie; saturates.
    pub fn extent(&self) -> u64 {
        match &self.order {
            Order::Sequential | Order::Permuted { .. } | Order::Rotated { .. } => self.bytes,
            &Order::Strided { block_bytes, stride_bytes } => {
                let blocks = self.bytes / block_bytes.max(1);
                blocks.saturating_sub(1).saturating_mul(stride_bytes).saturating_add(block_bytes)
            }
            Order::Indexed { element_bytes, positions } => {
                positions.iter().max().map_or(0, |&most| (u64::from(most) + 1).saturating_mul(*element_bytes))
            }
            Order::Seeded { element_bytes, range_elements, .. } => {
                range_elements.saturating_mul(*element_bytes)
            }
        }
    }

    /// Number of pieces.
    pub fn piece_count(&self) -> u64 {
        match &self.order {
            Order::Sequential => 1,
            Order::Rotated { start_bytes } => 1 + u64::from(*start_bytes > 0),
            Order::Strided { block_bytes: size, .. }
            | Order::Permuted { element_bytes: size, .. }
            | Order::Indexed { element_bytes: size, .. }
            | Order::Seeded { element_bytes: size, .. } => self.bytes / (*size).max(1),
        }
    }

    /// Pieces that [`Lane::line_touches`] looks at one by one.
    pub(crate) fn counted_pieces(&self) -> u64 {
        match &self.order {
            Order::Sequential | Order::Rotated { .. } | Order::Strided { .. } => 1,
            Order::Permuted { .. } | Order::Indexed { .. } | Order::Seeded { .. } => self.piece_count(),
        }
    }

    /// Piece number `step`, below [`Lane::piece_count`]: its first byte inside the object and its length.
    pub fn piece(&self, step: u64) -> (u64, u64) {
        match &self.order {
            Order::Sequential => (self.offset, self.bytes),
            &Order::Rotated { start_bytes } if step == 0 => {
                (self.offset + start_bytes, self.bytes - start_bytes)
            }
            &Order::Rotated { start_bytes } => (self.offset, start_bytes),
            &Order::Strided { block_bytes, stride_bytes } => (self.offset + step * stride_bytes, block_bytes),
            &Order::Permuted { rule, element_bytes } => {
                let count = self.bytes / element_bytes.max(1);
                (self.offset + rule.source(step, count) * element_bytes, element_bytes)
            }
            Order::Indexed { element_bytes, positions } => {
                let position = usize::try_from(step).ok().and_then(|step| positions.get(step)).copied();
                (self.offset + u64::from(position.unwrap_or(0)) * element_bytes, *element_bytes)
            }
            &Order::Seeded { element_bytes, range_elements, seed } => {
                (self.offset + seeded::draw_below(seed, step, range_elements) * element_bytes, element_bytes)
            }
        }
    }

    /// All pieces in order.
    pub fn pieces(&self) -> impl Iterator<Item = (u64, u64)> {
        (0..self.piece_count()).map(|step| self.piece(step))
    }

    /// Number of line touches in one direction, for an object that starts at a line: a touch is a run of
    /// successive bytes of the walk inside one line. Costs O(1) for sequential, rotated and strided lanes, one step
    /// per element otherwise.
    pub fn line_touches(&self) -> u64 {
        match &self.order {
            Order::Strided { block_bytes, stride_bytes } => self.strided_touches(*block_bytes, *stride_bytes),
            _ => count_touches(self.pieces()),
        }
    }

    /// The pattern of blocks against lines repeats after 64 blocks at the latest, since 64 strides are whole lines.
    fn strided_touches(&self, block_bytes: u64, stride_bytes: u64) -> u64 {
        let blocks = self.piece_count();
        let touches = |first: u64, count: u64| {
            let offset = self.offset % LINE_BYTES;
            count_touches((first..first + count).map(|step| (offset + step * stride_bytes, block_bytes)))
        };
        if blocks <= 2 * LINE_BYTES || stride_bytes == 0 {
            return touches(0, blocks.min(if stride_bytes == 0 { 1 } else { blocks }));
        }
        // A block that shares its first line with the block before does so in every period.
        let period = touches(0, 2 * LINE_BYTES) - touches(0, LINE_BYTES);
        let (periods, rest) = ((blocks - LINE_BYTES) / LINE_BYTES, (blocks - LINE_BYTES) % LINE_BYTES);
        let tail = touches(0, LINE_BYTES + rest) - touches(0, LINE_BYTES);
        touches(0, LINE_BYTES) + periods * period + tail
    }
}

fn count_touches(pieces: impl Iterator<Item = (u64, u64)>) -> u64 {
    let (mut touches, mut last) = (0, None);
    for (offset, bytes) in pieces {
        if bytes == 0 {
            continue;
        }
        let (first, end) = (offset / LINE_BYTES, (offset + bytes - 1) / LINE_BYTES);
        touches += end - first + u64::from(last != Some(first));
        last = Some(end);
    }
    touches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Access;

    fn lane(offset: u64, bytes: u64, order: Order) -> Lane {
        Lane { operand: 0, access: Access::Read, offset, bytes, order }
    }

    #[test]
    fn permuted_lanes_cover_their_range_once() {
        for rule in
            [Rule::BitReversal, Rule::Automorphism { element: 5 }, Rule::Automorphism { element: 127 }]
        {
            let lane = lane(128, 64 * 8, Order::Permuted { rule, element_bytes: 8 });

            let mut offsets: Vec<u64> = lane.pieces().map(|piece| piece.0).collect();
            offsets.sort_unstable();

            assert_eq!(offsets, (0..64).map(|at| 128 + 8 * at).collect::<Vec<_>>());
        }
    }

    #[test]
    fn automorphism_moves_evaluations_to_the_powers_that_it_names() {
        // Position i holds the exponent 2·rev(i)+1; after X → X^g it must hold what was at g times that exponent.
        let (count, element) = (16_u64, 11);
        let exponent = |position: u64| 2 * reversed(position, count) + 1;

        for step in 0..count {
            let source = Rule::Automorphism { element }.source(step, count);
            assert_eq!(exponent(source), element * exponent(step) % (2 * count));
        }
    }

    #[test]
    fn strided_touches_equal_the_plain_count_for_every_alignment() {
        for (offset, block, stride) in
            [(0, 8, 8), (0, 8, 24), (4, 16, 40), (60, 8, 72), (0, 64, 128), (8, 100, 1000)]
        {
            for blocks in [1, 2, 63, 64, 65, 128, 129, 130, 200, 1000, 1027] {
                let order = Order::Strided { block_bytes: block, stride_bytes: stride };
                let lane = lane(offset, block * blocks, order);

                assert_eq!(
                    lane.line_touches(),
                    count_touches(lane.pieces()),
                    "{offset} {block} {stride} {blocks}"
                );
            }
        }
    }

    #[test]
    fn sequential_touches_are_the_lines_under_the_range() {
        assert_eq!(lane(0, 64, Order::Sequential).line_touches(), 1);
        assert_eq!(lane(0, 65, Order::Sequential).line_touches(), 2);
        assert_eq!(lane(63, 2, Order::Sequential).line_touches(), 2);
        assert_eq!(lane(64, 128, Order::Rotated { start_bytes: 32 }).line_touches(), 3);
        assert_eq!(
            lane(0, 64 * 8, Order::Permuted { rule: Rule::BitReversal, element_bytes: 8 }).line_touches(),
            64
        );
    }

    #[test]
    fn extents_hold_every_piece() {
        let lanes = [
            lane(8, 80, Order::Strided { block_bytes: 8, stride_bytes: 24 }),
            lane(0, 32, Order::Indexed { element_bytes: 8, positions: vec![4, 0, 9, 9] }),
            lane(16, 800, Order::Seeded { element_bytes: 8, range_elements: 10, seed: 3 }),
            lane(16, 96, Order::Rotated { start_bytes: 40 }),
        ];

        for lane in lanes {
            let end = lane.pieces().map(|(offset, bytes)| offset + bytes).max().unwrap();
            let sum: u64 = lane.pieces().map(|piece| piece.1).sum();
            assert_eq!((end, sum), (lane.offset + lane.extent(), lane.bytes), "{lane:?}");
        }
    }
}
