//! Arrays in order of what slow memory would cost more, per byte and time: the densest in fast memory, each with a quota
//! that fits at every instant.
//!
//! Encrypted inference is oblivious, so what every array holds over time and how often calls touch it is known exactly from
//! the trace. How much of that reaches memory is an estimate, as below. The plan is a greedy knapsack:
//!
//! 1. *Accesses that reach memory.* What a call touches again in the next iteration stays in the thread's caches if all of
//!    the call's operands fit. What threads touch at once comes once for all of them. An array that is no larger than the
//!    last-level caches while a body runs is fetched and written back once by that body; a larger one at every other touch.
//! 2. *Cost.* How much longer slow memory is busy with them than fast memory: writes to PMem take three times as long as
//!    reads.
//! 3. *Density.* That cost, over the bytes that the array holds times how long it holds them. Memory of the dead serves
//!    others, so that a short life is cheap. Time is counted in the same cost, of all arrays.
//! 4. *Pools.* The pool allocator keeps what it has for blocks of one size, so each size of block is a pool of its own;
//!    otherwise there is one pool. Fast memory goes to the pools in [`STEPS`] steps, each to the one whose arrays save the
//!    most with it over the whole run.
//! 5. *Quotas.* Within a pool arrays by density, the older first where equal. Each gets as many bytes as it holds, or as
//!    are left at the instants at which it lives. An array that gets part of what it wants keeps its first-born elements
//!    there.
//!
//! Not considered: whether accesses wait or overlap, and how far threads drift apart. So another policy may still be
//! faster: `hetier place` tries all.

use std::collections::BTreeMap;

use hetier_traces::facts::ArrayUse;
use hetier_traces::{ArrayId, Class, LINE_BYTES, Residency, residency};

use super::{Choice, Foresight, Newborn, Placement};
use crate::Error;
use crate::allocator::AllocatorKind;

/// Steps in which fast memory is dealt to pools: each is 0.4 % of it, and the time of a plan grows with their number.
const STEPS: u64 = 256;

/// What the plan gives an array.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The array and its use.
    pub array: ArrayUse,
    /// Line accesses that reach memory.
    pub memory_accesses: u64,
    /// Seconds that slow memory would be busier with them.
    pub extra_seconds: f64,
    /// Their cost over bytes held and time, relative to the densest array: in [0, 1].
    pub density: f64,
    /// Bytes of fast memory that the blocks of its elements may hold at once.
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
    deal(&mut planned, instants, foresight.fast_bytes, Blocks::of(foresight));
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
        Planned { array, memory_accesses, extra_seconds: gain / 1e9, density, fast_bytes: 0 }
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

/// Gives fast memory to pools, and theirs to arrays.
fn deal(planned: &mut [Planned], instants: usize, fast_bytes: u64, blocks: Blocks) {
    let mut pools = pools(planned, instants, fast_bytes, blocks);
    let mut left = fast_bytes;
    let mut rates: Vec<f64> = pools.iter().map(|pool| pool.rate(planned, left)).collect();
    loop {
        // The first of those that save the most for each byte.
        let best = (0..pools.len()).rev().max_by(|one, other| rates[*one].total_cmp(&rates[*other]));
        let Some(best) = best.filter(|best| rates[*best] > 0.0) else { break };
        let step = pools[best].next_step(left);
        pools[best].level += step;
        pools[best].saved += rates[best] * step as f64;
        left -= step;
        for (number, pool) in pools.iter().enumerate() {
            if number == best || pool.step > left {
                rates[number] = pool.rate(planned, left);
            }
        }
    }
    let quotas: Vec<(usize, u64)> = pools.iter().flat_map(|pool| pool.quotas(planned, pool.level)).collect();
    for (number, quota) in quotas {
        planned[number].fast_bytes = quota;
    }
}

/// The pools of an allocator, nothing given yet.
fn pools(planned: &[Planned], instants: usize, fast_bytes: u64, blocks: Blocks) -> Vec<Pool> {
    let mut pools: BTreeMap<u64, Pool> = BTreeMap::new();
    for (number, Planned { array, .. }) in planned.iter().enumerate() {
        let block = if blocks.is_mapped { blocks.unit } else { blocks.of_element(array) };
        let step = fast_bytes.div_ceil(STEPS).next_multiple_of(block);
        let empty = || Pool { block, step, level: 0, saved: 0.0, instants, blocks, members: Vec::new() };
        pools.entry(block).or_insert_with(empty).members.push(number);
    }
    pools.into_values().collect()
}

/// What an allocator makes of elements.
#[derive(Clone, Copy, Debug)]
struct Blocks {
    /// Bytes of which every block is a multiple.
    unit: u64,
    /// Whether the memory of a freed block serves every other one, whatever its size.
    is_mapped: bool,
}

impl Blocks {
    fn of(foresight: &Foresight<'_>) -> Self {
        Self { unit: foresight.unit_bytes, is_mapped: foresight.allocator == AllocatorKind::Map }
    }

    /// Bytes of the block of an element of an array.
    const fn of_element(self, array: &ArrayUse) -> u64 {
        array.capacity_bytes.next_multiple_of(self.unit)
    }

    /// Bytes of the blocks that hold so many bytes of an array.
    const fn holding(self, array: &ArrayUse, bytes: u64) -> u64 {
        (bytes / array.capacity_bytes).saturating_mul(self.of_element(array))
    }
}

/// Blocks that can take each other's place in fast memory.
struct Pool {
    /// Bytes of a block.
    block: u64,
    /// Bytes that it is given at once.
    step: u64,
    /// Bytes that it was given, and the seconds that those save.
    level: u64,
    saved: f64,
    instants: usize,
    blocks: Blocks,
    /// Arrays, by density.
    members: Vec<usize>,
}

impl Pool {
    /// Bytes that it is given next, of those left.
    fn next_step(&self, left: u64) -> u64 {
        self.step.min(left / self.block * self.block)
    }

    /// Seconds saved for each byte of the next step.
    fn rate(&self, planned: &[Planned], left: u64) -> f64 {
        let step = self.next_step(left);
        if step == 0 {
            return 0.0;
        }
        let saved = |(number, quota): (usize, u64)| {
            let Planned { array, extra_seconds, .. } = &planned[number];
            extra_seconds * quota as f64 / self.blocks.holding(array, array.peak_bytes()).max(1) as f64
        };
        let all: f64 = self.quotas(planned, self.level + step).map(saved).sum();
        (all - self.saved) / step as f64
    }

    /// What each array gets of so many bytes: whole elements.
    fn quotas<'p>(&'p self, planned: &'p [Planned], level: u64) -> impl Iterator<Item = (usize, u64)> + 'p {
        let mut sums = vec![0; self.instants];
        self.members
            .iter()
            .map(move |&number| (number, give(&planned[number].array, self.blocks, level, &mut sums)))
    }
}

/// Gives an array what is left for it of a level, of which `sums` is taken at each instant.
fn give(array: &ArrayUse, blocks: Blocks, level: u64, sums: &mut [u64]) -> u64 {
    let held = |bytes| blocks.holding(array, bytes);
    let mut quota = held(array.peak_bytes());
    for (span, bytes) in spans(array, sums.len()) {
        let tight = sums[span].iter().filter(|&&sum| sum.saturating_add(held(bytes)) > level);
        quota = tight.map(|&sum| level.saturating_sub(sum)).fold(quota, u64::min);
    }
    let block = blocks.of_element(array);
    quota = quota / block * block;
    for (span, bytes) in spans(array, sums.len()) {
        sums[span].iter_mut().for_each(|sum| *sum += held(bytes).min(quota));
    }
    quota
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

    /// Blocks of whole lines: each size for itself, or all of one map.
    const SIZED: Blocks = Blocks { unit: 64, is_mapped: false };
    const MAPPED: Blocks = Blocks { unit: 64, is_mapped: true };

    fn dealt(arrays: Vec<ArrayUse>, fast_bytes: u64, blocks: Blocks) -> Vec<u64> {
        let mut planned = ranked(arrays, 4, 0, [1.0, 3.0]);
        deal(&mut planned, 4, fast_bytes, blocks);
        planned.sort_by_key(|planned| planned.array.id);
        planned.iter().map(|planned| planned.fast_bytes).collect()
    }

    #[test]
    fn arrays_that_never_live_together_share_the_same_memory() {
        let mut sums = [0; 4];
        let mut give = |held: &[(usize, u64)]| give(&used(0, 64, 1, held), SIZED, 256, &mut sums);

        assert_eq!(give(&[(0, 256), (2, 0)]), 256);
        assert_eq!(give(&[(2, 192), (3, 0)]), 192);
        assert_eq!(give(&[(1, 64), (3, 0)]), 0, "the first array lives at instant 1");
        assert_eq!(give(&[(2, 640)]), 64, "one element fits beside the second");
    }

    #[test]
    fn the_pool_keeps_memory_for_blocks_of_its_size_and_a_map_gives_it_back() {
        // The second array is touched less, and lives when the first is dead.
        let first = used(0, 64, 100, &[(0, 256), (1, 0)]);
        let second = ArrayUse { touched: vec![(2, [50, 0])], ..used(1, 128, 0, &[(2, 256)]) };
        let arrays = vec![first, second];

        assert_eq!(dealt(arrays.clone(), 256, SIZED), [256, 0]);
        assert_eq!(dealt(arrays, 256, MAPPED), [256, 256]);
    }

    #[test]
    fn mapped_elements_take_whole_pages() {
        let array = used(0, 64, 100, &[(0, 256)]);
        let pages = Blocks { unit: 4096, ..MAPPED };

        assert_eq!(dealt(vec![array.clone()], 3 * 4096, pages), [3 * 4096]);
        assert_eq!(dealt(vec![array], 4095, pages), [0]);
    }

    #[test]
    fn a_pool_that_serves_one_array_after_the_other_goes_before_a_denser_one() {
        // Two arrays of 64-byte blocks save 60 together, one of 128-byte blocks 40.
        let one = used(0, 64, 30, &[(0, 256), (1, 0)]);
        let other = ArrayUse { touched: vec![(2, [30, 0])], ..used(1, 64, 0, &[(2, 256)]) };
        let alone = used(2, 128, 40, &[(0, 256), (1, 0)]);

        assert_eq!(dealt(vec![one, other, alone], 256, SIZED), [256, 256, 0]);
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
        let newborn = |array, fast_room| Newborn {
            class: Class::Scratch,
            array: ArrayId(array),
            bytes: 64,
            fast_room,
            is_reused: false,
        };

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
