//! Reference streams on which results of other simulators are published, made again here.
//!
//! - **he**: operations that each read eight 1 MiB objects line by line in turn and write four more one after the
//!   other, two reads to a write; the twelve objects are distinct ones of 1024.
//! - **hepg**: the same with its 4 KiB pages permuted, as an operating system scatters them.
//! - **rnd**: uniform lines of 4 GiB, 80 % reads.
//!
//! The shapes are those of the published streams; the random draws are our own.

use hetier_traces::seeded;

use super::ForeignAccess;
use crate::device::Kind;

/// Lines of a 1 MiB object.
const OBJECT_LINES: u64 = 1 << 14;
/// Objects of the he stream.
const OBJECTS: u64 = 1 << 10;
/// Lines of a 4 KiB page.
const PAGE_LINES: u64 = 1 << 6;
/// Lines of the rnd stream's 4 GiB.
const RANDOM_LINES: u64 = 1 << 26;

/// The draws of a seed, one after the other.
#[derive(Clone, Debug)]
struct Words {
    seed: u64,
    position: u64,
}

impl Words {
    const fn new(seed: u64) -> Self {
        Self { seed, position: 0 }
    }

    const fn next(&mut self) -> u64 {
        self.position += 1;
        seeded::draw(self.seed, self.position - 1)
    }

    /// Uniform below a bound that is small against 2⁶⁴.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// The first `count` places of a random permutation of `0..bound`.
    fn distinct(&mut self, bound: u64, count: u64) -> Vec<u64> {
        let mut places: Vec<u64> = (0..bound).collect();
        for index in 0..count {
            let other = index + self.below(bound - index);
            places.swap(index as usize, other as usize);
        }
        places.truncate(count as usize);
        places
    }
}

/// The he stream: 12 × 16384 accesses an operation. 22 operations are 4,325,376 accesses, a third of them writes.
pub fn he(operations: u64) -> impl Iterator<Item = ForeignAccess> {
    let mut words = Words::new(1);
    (0..operations).flat_map(move |_| {
        let slots = words.distinct(OBJECTS, 12);
        (0..OBJECT_LINES).flat_map(move |step| {
            let slots = slots.clone();
            (0..12).map(move |turn| he_access(&slots, step, turn))
        })
    })
}

/// Two reads, then a write; inputs are slots 0 to 7, outputs 8 to 11.
fn he_access(slots: &[u64], step: u64, turn: u64) -> ForeignAccess {
    let (pair, within) = (turn / 3, turn % 3);
    let (slot, line, kind) = if within < 2 {
        (pair * 2 + within, step, Kind::Read)
    } else {
        let output = step * 4 + pair;
        (8 + output / OBJECT_LINES, output % OBJECT_LINES, Kind::Write)
    };
    ForeignAccess::new(slots[slot as usize] * OBJECT_LINES + line, kind)
}

/// The hepg stream: he with its pages permuted inside 1 GiB.
pub fn hepg(operations: u64) -> impl Iterator<Item = ForeignAccess> {
    let pages = OBJECTS * OBJECT_LINES / PAGE_LINES;
    let permutation = Words::new(7).distinct(pages, pages);
    he(operations).map(move |access| {
        let page = permutation[(access.line / PAGE_LINES) as usize];
        ForeignAccess { line: page * PAGE_LINES + access.line % PAGE_LINES, ..access }
    })
}

/// The rnd stream; published with 4,000,000 accesses.
pub fn rnd(accesses: u64) -> impl Iterator<Item = ForeignAccess> {
    let mut words = Words::new(2);
    (0..accesses).map(move |_| {
        let line = words.below(RANDOM_LINES);
        let kind = if words.below(5) == 0 { Kind::Write } else { Kind::Read };
        ForeignAccess::new(line, kind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn he_reads_two_lines_for_each_line_written() {
        let stream: Vec<_> = he(1).collect();

        let writes = stream.iter().filter(|access| access.kind == Kind::Write).count();
        assert_eq!(stream.len(), 12 * 16384);
        assert_eq!(writes * 3, stream.len());
        let lines: std::collections::HashSet<_> = stream.iter().map(|access| access.line).collect();
        assert_eq!(lines.len(), stream.len(), "every line is touched once");
    }

    #[test]
    fn hepg_keeps_lines_together_in_pages_and_stays_one_to_one() {
        let pages = |stream: Vec<ForeignAccess>| {
            stream
                .iter()
                .map(|access| access.line / PAGE_LINES)
                .collect::<std::collections::HashSet<_>>()
                .len()
        };

        assert_eq!(pages(he(1).collect()), pages(hepg(1).collect()));
        assert!(he(1).zip(hepg(1)).any(|(plain, scattered)| plain.line != scattered.line));
    }

    #[test]
    fn rnd_reads_four_times_in_five_over_all_of_its_span() {
        let stream: Vec<_> = rnd(100_000).collect();

        let reads = stream.iter().filter(|access| access.kind == Kind::Read).count() as f64;
        let mean = stream.iter().map(|access| access.line as f64).sum::<f64>() / 1e5;
        assert!((reads / 1e5 - 0.8).abs() < 0.005, "{reads}");
        assert!((mean / RANDOM_LINES as f64 - 0.5).abs() < 0.005, "{mean}");
    }
}
