//! Arrays in order of accesses per byte and time: the densest in fast memory, each with a quota that fits at every
//! instant.
//!
//! What every array holds over time, and how often it is touched, is known from the trace: encrypted inference is
//! oblivious, so a plan made beforehand is exact. The plan is a greedy knapsack:
//!
//! 1. *Accesses that reach memory.* What a call touches again in the next iteration stays in the thread's caches if all of
//!    the call's operands fit. An array that is no larger than the last-level caches while a body runs is fetched and
//!    written back once by that body; a larger one at every other touch.
//! 2. *Cost.* How much longer slow memory is busy with them than fast memory: writes to PMem take three times as long as
//!    reads.
//! 3. *Density.* That cost, over the bytes that the array holds times how long it holds them. Memory of the dead serves
//!    others, so that a short life is cheap. Time is counted in the same cost, of all arrays.
//! 4. *Quotas.* Arrays by density, the older first where equal. Each gets as many bytes of fast memory as it holds, or as
//!    are left at the instants at which it lives. With the pool allocator memory is left only for blocks of the same size, so
//!    that each size of block counts by its own largest sum; otherwise what died is free for all. An array that gets part
//!    of what it wants keeps its first-born elements there.
//!
//! Not considered: whether accesses wait or overlap. So another policy may still be faster: `hetier place` tries all.

use std::collections::BTreeMap;

use hetier_traces::facts::ArrayUse;
use hetier_traces::{ArrayId, Class, LINE_BYTES, Residency, residency};

use super::{Choice, Foresight, Newborn, Placement};
use crate::Error;
use crate::allocator::{AllocatorKind, padded};

/// What the plan gives an array.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The array and its use.
    pub array: ArrayUse,
    /// Line accesses that reach memory.
    pub memory_accesses: u64,
    /// Their cost over bytes held and time, relative to the densest array: in [0, 1].
    pub density: f64,
    /// Bytes of fast memory that its elements may hold at once, padded to lines.
    pub fast_bytes: u64,
}

/// The plan for a trace, the densest array first.
///
/// # Errors
/// - [`Error::Trace`] if the trace is wrong.
pub fn plan(foresight: &Foresight<'_>) -> Result<Vec<Planned>, Error> {
    let Foresight { trace, threads, thread_cache_bytes, .. } = *foresight;
    let Residency { arrays, instants } = residency(trace, threads, thread_cache_bytes)?;
    let mut planned = ranked(arrays, instants, foresight.cache_bytes, foresight.extra_ns);
    let mut room = Room { bytes: foresight.fast_bytes, taken: 0, by_size: BTreeMap::new(), instants };
    for planned in &mut planned {
        planned.fast_bytes = room.give(&planned.array, foresight.allocator);
    }
    Ok(planned)
}

/// Arrays by density, no memory given yet.
fn ranked(arrays: Vec<ArrayUse>, instants: usize, cache_bytes: u64, extra_ns: [f64; 2]) -> Vec<Planned> {
    let reaching: Vec<_> = arrays.iter().map(|array| reaching(array, cache_bytes)).collect();
    let cost = |[reads, writes]: [u64; 2]| reads as f64 * extra_ns[0] + writes as f64 * extra_ns[1];
    // Time up to each instant.
    let mut clock = vec![0.0; instants + 1];
    for &(instant, lines) in reaching.iter().flatten() {
        clock[instant + 1] += cost(lines);
    }
    for instant in 0..instants {
        clock[instant + 1] += clock[instant];
    }
    let rank = |(array, reaching): (ArrayUse, &Vec<(usize, [u64; 2])>)| {
        let memory_accesses = reaching.iter().flat_map(|(_, lines)| lines).sum();
        let gain: f64 = reaching.iter().map(|(_, lines)| cost(*lines)).sum();
        let held = |(span, bytes): (std::ops::Range<usize>, u64)| {
            bytes as f64 * (clock[span.end] - clock[span.start])
        };
        let price: f64 = spans(&array, instants).map(held).sum();
        let density = if gain > 0.0 { gain / price.max(f64::MIN_POSITIVE) } else { 0.0 };
        Planned { array, memory_accesses, density, fast_bytes: 0 }
    };
    let mut planned: Vec<Planned> = arrays.into_iter().zip(&reaching).map(rank).collect();
    planned.sort_by(|one, other| {
        other.density.total_cmp(&one.density).then_with(|| one.array.id.cmp(&other.array.id))
    });
    let densest = planned.first().map_or(1.0, |planned| planned.density).max(f64::MIN_POSITIVE);
    planned.iter_mut().for_each(|planned| planned.density /= densest);
    planned
}

/// Lines of an array that are read from and written to memory, by instant.
fn reaching(array: &ArrayUse, cache_bytes: u64) -> Vec<(usize, [u64; 2])> {
    let held = |instant: usize| {
        let after = array.held.partition_point(|(from, _)| *from <= instant);
        after.checked_sub(1).map_or(0, |at| array.held[at].1)
    };
    let reach = |&(instant, lines): &(usize, [u64; 2])| {
        let bytes = held(instant);
        let once = bytes.div_ceil(LINE_BYTES);
        (instant, if bytes <= cache_bytes { lines.map(|lines| lines.min(once)) } else { lines })
    };
    array.touched.iter().map(reach).collect()
}

/// Fast memory over time.
struct Room {
    bytes: u64,
    /// Sum of the largest sums of all sizes.
    taken: u64,
    /// Size of block (0 where all share) → its largest sum, and its sum at each instant.
    by_size: BTreeMap<u64, (u64, Vec<u64>)>,
    instants: usize,
}

impl Room {
    /// Gives an array what is left for it: whole elements.
    fn give(&mut self, array: &ArrayUse, allocator: AllocatorKind) -> u64 {
        let block = padded(array.capacity_bytes);
        let size = if allocator == AllocatorKind::Map { 0 } else { block };
        let (most, sums) = self.by_size.entry(size).or_insert_with(|| (0, vec![0; self.instants]));
        let level = *most + self.bytes.saturating_sub(self.taken);
        let held = |bytes: u64| (bytes / array.capacity_bytes).saturating_mul(block);
        let mut quota = held(array.peak_bytes());
        for (span, bytes) in spans(array, sums.len()) {
            let tight = sums[span].iter().filter(|&&sum| sum.saturating_add(held(bytes)) > level);
            quota = tight.map(|&sum| level.saturating_sub(sum)).fold(quota, u64::min);
        }
        quota = quota / block * block;
        let before = *most;
        for (span, bytes) in spans(array, sums.len()) {
            for sum in &mut sums[span] {
                *sum += held(bytes).min(quota);
                *most = (*most).max(*sum);
            }
        }
        self.taken += *most - before;
        quota
    }
}

/// Instants between changes, with the bytes held.
fn spans(array: &ArrayUse, instants: usize) -> impl Iterator<Item = (std::ops::Range<usize>, u64)> {
    let ends = array.held.iter().skip(1).map(|(at, _)| *at).chain([instants]);
    let spans = array.held.iter().zip(ends).map(|(&(from, bytes), to)| (from..to, bytes));
    spans.filter(|(_, bytes)| *bytes > 0)
}

struct ByDensity {
    /// By array: bytes that it may hold in fast memory, and bytes that it does.
    quotas: Vec<(u64, u64)>,
}

impl Placement for ByDensity {
    fn choose(&mut self, newborn: Newborn) -> Choice {
        let Some((quota, held)) = self.quotas.get_mut(newborn.array.0 as usize) else { return Choice::Slow };
        if newborn.bytes > newborn.fast_room || *held + newborn.bytes > *quota {
            return Choice::Slow;
        }
        *held += newborn.bytes;
        Choice::Fast
    }

    fn died(&mut self, array: ArrayId, _: Class, bytes: u64, choice: Choice) {
        if let (Choice::Fast, Some((_, held))) = (choice, self.quotas.get_mut(array.0 as usize)) {
            *held -= bytes;
        }
    }
}

pub(super) fn build(foresight: &Foresight<'_>) -> Result<Box<dyn Placement>, Error> {
    let planned = plan(foresight)?;
    let arrays = planned.iter().map(|planned| planned.array.id.0 as usize + 1).max().unwrap_or(0);
    let mut quotas = vec![(0, 0); arrays];
    for Planned { array, fast_bytes, .. } in planned {
        quotas[array.id.0 as usize].0 = fast_bytes;
    }
    Ok(Box::new(ByDensity { quotas }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(id: u32, capacity_bytes: u64, line_accesses: u64, held: &[(usize, u64)]) -> ArrayUse {
        let (id, class, label) = (ArrayId(id), Class::Ciphertext, format!("a{id}"));
        let touched = vec![(0, [line_accesses, 0])];
        ArrayUse { id, label, class, capacity_bytes, touched, held: held.to_vec() }
    }

    fn room(bytes: u64) -> Room {
        Room { bytes, taken: 0, by_size: BTreeMap::new(), instants: 4 }
    }

    #[test]
    fn arrays_that_never_live_together_share_the_same_memory() {
        let mut room = room(256);
        let give = |room: &mut Room, held: &[(usize, u64)]| {
            room.give(&used(0, 64, 1, held), AllocatorKind::SealPool)
        };

        assert_eq!(give(&mut room, &[(0, 256), (2, 0)]), 256);
        assert_eq!(give(&mut room, &[(2, 192), (3, 0)]), 192);
        assert_eq!(give(&mut room, &[(1, 64), (3, 0)]), 0, "the first array lives at instant 1");
        assert_eq!(give(&mut room, &[(2, 640)]), 64, "one element fits beside the second");
    }

    #[test]
    fn the_pool_keeps_memory_for_blocks_of_its_size_and_a_map_gives_it_back() {
        for (kind, second) in [(AllocatorKind::SealPool, 128), (AllocatorKind::Map, 256)] {
            let mut room = room(256);

            assert_eq!(room.give(&used(0, 64, 1, &[(0, 128), (1, 0)]), kind), 128);
            assert_eq!(room.give(&used(1, 128, 1, &[(2, 256)]), kind), second, "{kind:?}");
        }
    }

    #[test]
    fn what_caches_hold_reaches_memory_once_a_body() {
        let array = used(0, 64, 100, &[(0, 640), (2, 1280)]);
        let touched = vec![(0, [100, 7]), (2, [100, 7]), (4, [5, 90])];
        let array = ArrayUse { touched, ..array };

        assert_eq!(reaching(&array, 1000), [(0, [10, 7]), (2, [100, 7]), (4, [5, 90])]);
    }

    #[test]
    fn a_short_life_is_denser_than_a_long_one_with_as_many_accesses() {
        let long = used(0, 64, 100, &[(0, 6400)]);
        let short = used(1, 64, 100, &[(0, 6400), (2, 0)]);
        let other = ArrayUse { touched: vec![(2, [300, 0])], ..used(2, 64, 0, &[(2, 6400)]) };

        let ranked = ranked(vec![long, short, other], 4, 0, [1.0, 3.0]);

        // Time is 200 accesses of the first body and 300 of the second.
        let order: Vec<u32> = ranked.iter().map(|planned| planned.array.id.0).collect();
        assert_eq!(order, [2, 1, 0]);
        let expected = [1.0, (100.0 / 200.0) / (300.0 / 300.0), (100.0 / 500.0) / (300.0 / 300.0)];
        for (planned, expected) in ranked.iter().zip(expected) {
            assert!((planned.density - expected).abs() < 1e-12, "{planned:?}");
        }
    }

    #[test]
    fn writes_weigh_what_they_cost_more_than_reads() {
        let read = used(0, 64, 100, &[(0, 6400)]);
        let written = ArrayUse { touched: vec![(0, [0, 40])], ..used(1, 64, 0, &[(0, 6400)]) };
        let first = |extra_ns| ranked(vec![read.clone(), written.clone()], 1, 0, extra_ns)[0].array.id.0;

        assert_eq!([[1.0, 2.0], [1.0, 3.0]].map(first), [0, 1]);
    }

    #[test]
    fn quotas_are_kept_and_come_back_with_the_dead() {
        let mut policy = ByDensity { quotas: vec![(0, 0), (128, 0)] };
        let newborn =
            |array, fast_room| Newborn { class: Class::Scratch, array: ArrayId(array), bytes: 64, fast_room };

        assert_eq!(policy.choose(newborn(0, 1000)), Choice::Slow);
        assert_eq!(policy.choose(newborn(1, 63)), Choice::Slow);
        assert_eq!(
            [0, 1, 2].map(|_| policy.choose(newborn(1, 64))),
            [Choice::Fast, Choice::Fast, Choice::Slow]
        );
        policy.died(ArrayId(1), Class::Scratch, 64, Choice::Fast);
        assert_eq!(policy.choose(newborn(1, 64)), Choice::Fast);
    }
}
