//! Bytes at the devices: by tier, direction, class and primitive, and over time.

use crate::Picoseconds;
use crate::device::Kind;
use crate::result::Traffic;

const LINE: u64 = hetier_traces::LINE_BYTES;

/// Most bins of the record over time; more makes them twice as wide.
const BINS: usize = 1024;

/// Width of the first bins: 2²⁰ ps, about a microsecond.
const FIRST_SHIFT: u32 = 20;

/// Most classes and tiers.
const CLASSES: usize = 8;

/// Traffic of one tier in bins of equal width.
#[derive(Clone, Debug, Default)]
struct Bins {
    lines: [Vec<u64>; 2],
}

/// Lines by tier and class, and by tier and primitive: what was counted up to an instant.
#[derive(Clone, Debug)]
pub struct LineCounts {
    by_class: Vec<[[u64; 2]; CLASSES]>,
    by_primitive: Vec<Vec<[u64; 2]>>,
}

impl LineCounts {
    /// Combines each count with the same one of `other`.
    pub fn combine(&mut self, other: &Self, op: impl Fn(&mut u64, u64) + Copy) {
        let all = |own: &mut [[u64; 2]], other: &[[u64; 2]]| {
            own.iter_mut().flatten().zip(other.iter().flatten()).for_each(|(own, other)| op(own, *other));
        };
        for (own, other) in self.by_class.iter_mut().zip(&other.by_class) {
            all(own, other);
        }
        for (own, other) in self.by_primitive.iter_mut().zip(&other.by_primitive) {
            own.resize(own.len().max(other.len()), [0; 2]);
            all(own, other);
        }
    }

    /// Leaves one direction of a tier out.
    pub fn forget(&mut self, tier: usize, kind: Kind) {
        let direction = direction(kind);
        self.by_class[tier].iter_mut().for_each(|lines| lines[direction] = 0);
        self.by_primitive[tier].iter_mut().for_each(|lines| lines[direction] = 0);
    }
}

/// Counters of demand at the devices.
#[derive(Clone, Debug)]
pub struct TrafficCounters {
    by_class: Vec<[[u64; 2]; CLASSES]>,
    by_primitive: Vec<Vec<[u64; 2]>>,
    bins: Vec<Bins>,
    shift: u32,
}

const fn direction(kind: Kind) -> usize {
    match kind {
        Kind::Read => 0,
        Kind::Write => 1,
    }
}

const fn traffic(lines: [u64; 2]) -> Traffic {
    Traffic { read_bytes: lines[0] * LINE, write_bytes: lines[1] * LINE }
}

impl TrafficCounters {
    /// Counters for so many tiers.
    pub fn new(tiers: usize) -> Self {
        Self {
            by_class: vec![[[0; 2]; CLASSES]; tiers],
            by_primitive: vec![Vec::new(); tiers],
            bins: vec![Bins::default(); tiers],
            shift: FIRST_SHIFT,
        }
    }

    /// Counts one line at a device.
    #[inline(always)]
    pub fn count(&mut self, tier: usize, kind: Kind, class: u8, primitive: u16, at: Picoseconds) {
        self.count_lines(tier, kind, class, primitive, at, 1);
    }

    /// Counts so many lines at a device.
    #[inline(always)]
    pub fn count_lines(
        &mut self,
        tier: usize,
        kind: Kind,
        class: u8,
        primitive: u16,
        at: Picoseconds,
        lines: u64,
    ) {
        let direction = direction(kind);
        let mut both = [0; 2];
        both[direction] = lines;
        self.attribute(tier, class, primitive, both);
        self.put(tier, direction, at.0, lines);
    }

    /// Counts lines by direction for a class and a primitive, but at no instant: see [`TrafficCounters::spread`].
    #[inline]
    pub fn attribute(&mut self, tier: usize, class: u8, primitive: u16, lines: [u64; 2]) {
        let add = |sums: &mut [u64; 2]| *sums = [sums[0] + lines[0], sums[1] + lines[1]];
        add(&mut self.by_class[tier][usize::from(class) % CLASSES]);
        let primitives = &mut self.by_primitive[tier];
        if primitives.len() <= usize::from(primitive) {
            primitives.resize(usize::from(primitive) + 1, [0; 2]);
        }
        add(&mut primitives[usize::from(primitive)]);
    }

    /// What was counted so far.
    pub fn counts(&self) -> LineCounts {
        LineCounts { by_class: self.by_class.clone(), by_primitive: self.by_primitive.clone() }
    }

    /// Counts lines again, as many as `share` makes of each count, spread evenly over a stretch of time.
    pub fn repeat(&mut self, counts: &LineCounts, share: impl Fn(u64) -> u64, from: u64, to: u64) {
        for (tier, classes) in counts.by_class.iter().enumerate() {
            let mut sums = [0; 2];
            for (class, lines) in classes.iter().enumerate() {
                for (direction, lines) in lines.iter().enumerate() {
                    let lines = share(*lines);
                    self.by_class[tier][class][direction] += lines;
                    sums[direction] += lines;
                }
            }
            for (primitive, lines) in counts.by_primitive[tier].iter().enumerate() {
                for (direction, lines) in lines.iter().enumerate() {
                    self.by_primitive[tier][primitive][direction] += share(*lines);
                }
            }
            self.spread(tier, (from, to), sums);
        }
    }

    /// Puts lines by direction into bins, evenly over a stretch of time.
    #[inline]
    pub fn spread(&mut self, tier: usize, (from, to): (u64, u64), lines: [u64; 2]) {
        let last = to.max(from + 1) - 1;
        while (last >> self.shift) as usize >= BINS {
            self.widen();
        }
        let is_one_bin = from >> self.shift == last >> self.shift;
        for (direction, &lines) in lines.iter().enumerate() {
            if lines > 0 && is_one_bin {
                self.put(tier, direction, from, lines);
            } else if lines > 0 {
                self.deal(tier, direction, (from, last + 1), lines);
            }
        }
    }

    /// Deals lines to several bins.
    fn deal(&mut self, tier: usize, direction: usize, (from, to): (u64, u64), lines: u64) {
        let until = |at: u64| (u128::from(lines) * u128::from(at - from) / u128::from(to - from)) as u64;
        let mut at = from;
        while at < to {
            let end = (((at >> self.shift) + 1) << self.shift).min(to);
            self.put(tier, direction, at, until(end) - until(at));
            at = end;
        }
    }

    /// Puts lines into the bin of an instant.
    #[inline(always)]
    fn put(&mut self, tier: usize, direction: usize, at: u64, lines: u64) {
        let mut bin = (at >> self.shift) as usize;
        while bin >= BINS {
            self.widen();
            bin = (at >> self.shift) as usize;
        }
        let bins = &mut self.bins[tier].lines[direction];
        if bins.len() <= bin {
            bins.resize(bin + 1, 0);
        }
        bins[bin] += lines;
    }

    fn widen(&mut self) {
        self.shift += 1;
        for bins in self.bins.iter_mut().flat_map(|bins| &mut bins.lines) {
            *bins = bins.chunks(2).map(|pair| pair.iter().sum()).collect();
        }
    }

    /// Bytes of a tier so far.
    pub fn total(&self, tier: usize) -> Traffic {
        let lines =
            self.by_class[tier].iter().fold([0; 2], |sum, class| [sum[0] + class[0], sum[1] + class[1]]);
        traffic(lines)
    }

    /// Bytes of a tier for objects of a class.
    pub fn of_class(&self, tier: usize, class: u8) -> Traffic {
        traffic(self.by_class[tier][usize::from(class) % CLASSES])
    }

    /// Bytes of a tier while a primitive ran.
    pub fn of_primitive(&self, tier: usize, primitive: u16) -> Traffic {
        traffic(self.by_primitive[tier].get(usize::from(primitive)).copied().unwrap_or_default())
    }

    /// Width of a bin.
    pub const fn bin_width(&self) -> Picoseconds {
        Picoseconds(1 << self.shift)
    }

    /// Number of bins up to the last that saw traffic in any tier.
    pub fn bin_count(&self) -> usize {
        self.bins.iter().flat_map(|bins| &bins.lines).map(Vec::len).max().unwrap_or(0)
    }

    /// Bytes of a tier in a bin.
    pub fn in_bin(&self, tier: usize, bin: usize) -> Traffic {
        let lines = |direction: usize| self.bins[tier].lines[direction].get(bin).copied().unwrap_or(0);
        traffic([lines(0), lines(1)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeating_counts_adds_the_same_lines_once_more_over_a_stretch() {
        let mut counters = TrafficCounters::new(2);
        counters.count_lines(1, Kind::Read, 3, 1, Picoseconds(5), 1000);
        let before = counters.counts();
        counters.count_lines(1, Kind::Read, 3, 1, Picoseconds(6), 300);
        counters.count_lines(0, Kind::Write, 2, 0, Picoseconds(7), 60);
        let mut more = counters.counts();
        more.combine(&before, |now, before| *now -= before);
        more.forget(0, Kind::Write);

        counters.repeat(&more, |lines| 2 * lines, 3 << 20, 9 << 20);

        assert_eq!(counters.total(1), traffic([1900, 0]));
        assert_eq!(counters.of_primitive(1, 1), counters.of_class(1, 3));
        assert_eq!(counters.total(0), traffic([0, 60]));
        assert_eq!((3..9).map(|bin| counters.in_bin(1, bin)).collect::<Vec<_>>(), [traffic([100, 0]); 6]);
    }

    #[test]
    fn widening_bins_loses_no_byte() {
        let mut counters = TrafficCounters::new(1);
        for step in 0..10_000_u64 {
            let kind = if step % 3 == 0 { Kind::Write } else { Kind::Read };
            counters.count(0, kind, 1, 2, Picoseconds(step * step * 1000));
        }

        let bins = (0..counters.bin_count()).map(|bin| counters.in_bin(0, bin));
        let sums = bins.fold((0, 0), |sum, bin| (sum.0 + bin.read_bytes, sum.1 + bin.write_bytes));

        assert!(counters.bin_count() <= BINS);
        assert_eq!(sums, (6666 * LINE, 3334 * LINE));
        assert_eq!(counters.total(0), counters.of_primitive(0, 2));
        assert_eq!(counters.total(0), counters.of_class(0, 1));
    }
}
