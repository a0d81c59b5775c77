//! One direction of a link: so many lines a time, in whichever order they are asked for.

use crate::Picoseconds;

/// Lines of a bucket. Within a bucket lines queue behind those that were noted before.
const BUCKET_LINES: u64 = 8;

/// Buckets kept: 42 µs of a link of 50 GB/s, far more than requests are asked for out of order.
const BUCKETS: usize = 1 << 12;

/// A server of lines that keeps what each slice of its time has left.
///
/// Cores and devices are simulated some way ahead of one another, so lines are not noted in the order in which they
/// pass. With a single next-free time a line noted first for a later instant would shut out earlier ones.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    line: Picoseconds,
    /// Number of the bucket that a place holds, and its lines.
    buckets: Box<[(u64, u64)]>,
}

impl Lane {
    /// A free lane on which a line takes `line`.
    pub(super) fn new(line: Picoseconds) -> Self {
        Self { line, buckets: vec![(0, 0); BUCKETS].into() }
    }

    /// When a line that is ready at `at` has passed.
    pub(super) fn pass(&mut self, at: Picoseconds) -> Picoseconds {
        let width = (self.line.0 * BUCKET_LINES).max(1);
        let mut number = at.0 / width;
        loop {
            let (held, lines) = &mut self.buckets[number as usize % BUCKETS];
            if *held != number {
                (*held, *lines) = (number, 0);
            }
            if *lines < BUCKET_LINES {
                let start = at.0.max(number * width + *lines * self.line.0);
                *lines += 1;
                return Picoseconds(start + self.line.0);
            }
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_noted_late_for_an_earlier_time_finds_the_gap() {
        let mut lane = Lane::new(Picoseconds(10));

        assert_eq!(lane.pass(Picoseconds(1_000)), Picoseconds(1_010));
        assert_eq!(lane.pass(Picoseconds(100)), Picoseconds(110));
    }

    #[test]
    fn no_more_lines_pass_than_there_is_time() {
        let mut lane = Lane::new(Picoseconds(10));
        let last = (0..1_000u64).map(|line| lane.pass(Picoseconds(line * 7 % 100))).max();

        assert_eq!(last, Some(Picoseconds(10_000)));
    }
}
