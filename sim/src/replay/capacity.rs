//! Whether a process fits its tiers, found out before any work.

use std::collections::BTreeMap;

use hetier_traces::{Class, Facts, Residency, Trace, residency};

use super::objects::Budget;
use super::settings::Resolved;
use crate::Error;
use crate::allocator::padded;
use crate::placement::{self, Choice};
use crate::system::System;

/// Refuses a trace whose process cannot fit: its live objects, and what its pool keeps of objects that died.
///
/// # Errors
/// - [`Error::Capacity`] with the bytes that the process needs at least.
/// - [`Error::Trace`] if the trace is wrong.
pub(crate) fn check(
    trace: &Trace,
    system: &System,
    settings: &Resolved,
    budgets: &[Budget],
    facts: &Facts,
) -> Result<(), Error> {
    let (usable, what) = usable(settings, budgets);
    let capacity_bytes = usable.iter().fold(0_u64, |sum, budget| sum.saturating_add(budget.bytes));
    let live = facts.peak_footprint_bytes;
    let sizes = sizes(trace) as u64;
    // No size has more than all objects together: most traces need no closer look.
    let is_roomy = live.saturating_mul(sizes.max(1)) <= capacity_bytes;
    let needed_bytes = if is_roomy || !settings.allocator.is_pool() {
        live
    } else {
        live.max(least_of_pool(&residency(trace, settings.threads as u64, 0)?))
    };
    if needed_bytes <= capacity_bytes {
        return Ok(());
    }
    Err(Error::Capacity { system: system.name.clone(), what, needed_bytes, capacity_bytes })
}

/// The tiers that the process may fill, and whose they are.
fn usable<'b>(settings: &Resolved, budgets: &'b [Budget]) -> (&'b [Budget], String) {
    let Resolved { mode, placement, .. } = settings;
    let named = || format!("mode {mode}, placement {placement}: the process");
    match (placement::only(placement), budgets) {
        (Some(Choice::Fast), [fast, _, ..]) => (std::slice::from_ref(fast), named()),
        (Some(Choice::Slow), [_, slow, ..]) => (std::slice::from_ref(slow), named()),
        _ => (budgets, format!("mode {mode}: the process")),
    }
}

/// Bytes that a pool of exact sizes holds at least for the objects of a class, of which no size serves another class.
///
/// # Errors
/// - [`Error::Trace`] if the trace is wrong.
pub fn pool_bytes(trace: &Trace, class: Class) -> Result<u64, Error> {
    let Residency { mut arrays, instants } = residency(trace, 1, 0)?;
    arrays.retain(|array| array.class == class);
    Ok(least_of_pool(&Residency { arrays, instants }))
}

/// Number of sizes that objects have.
fn sizes(trace: &Trace) -> usize {
    let arrays = trace.definitions.iter().filter_map(|definition| match definition {
        hetier_traces::Definition::Array(array) => Some(padded(array.capacity_bytes)),
        hetier_traces::Definition::View(_) => None,
    });
    arrays.collect::<std::collections::BTreeSet<u64>>().len()
}

/// Bytes that a pool of exact sizes holds at least: of each size, the most that is alive at the end of a body of the
/// trace. Within a body there may be more, and pools by thread hold no less together.
fn least_of_pool(residency: &Residency) -> u64 {
    let mut changes: BTreeMap<u64, BTreeMap<usize, i128>> = BTreeMap::new();
    for array in &residency.arrays {
        let size = padded(array.capacity_bytes);
        let by_instant = changes.entry(size).or_default();
        let mut before = 0;
        // The first of a body's two instants is the most of each array by itself.
        for (bytes, instant) in ends(&array.held, residency.instants) {
            let padded = i128::from(bytes / array.capacity_bytes * size);
            *by_instant.entry(instant).or_default() += padded - before;
            before = padded;
        }
    }
    let most = |by_instant: BTreeMap<usize, i128>| {
        let mut live = 0;
        by_instant
            .values()
            .map(|change| {
                live += change;
                live
            })
            .max()
            .unwrap_or(0)
    };
    let sum: i128 = changes.into_values().map(most).sum();
    u64::try_from(sum.max(0)).unwrap_or(u64::MAX)
}

/// Live bytes at the ends of bodies where they changed.
fn ends(held: &[(usize, u64)], instants: usize) -> impl Iterator<Item = (u64, usize)> {
    held.iter().enumerate().filter_map(move |(at, (instant, bytes))| {
        let end = instant | 1;
        let next = held.get(at + 1).map_or(instants, |(next, _)| *next);
        (next > end).then_some((*bytes, end))
    })
}

#[cfg(test)]
mod tests {
    use hetier_traces::ArrayId;
    use hetier_traces::facts::ArrayUse;

    use super::*;

    fn array(id: u32, capacity_bytes: u64, held: &[(usize, u64)]) -> ArrayUse {
        ArrayUse {
            id: ArrayId(id),
            label: String::new(),
            class: Class::Ciphertext,
            capacity_bytes,
            touched: Vec::new(),
            held: held.to_vec(),
        }
    }

    #[test]
    fn pool_needs_the_sum_of_each_size_s_own_peak() {
        // Ten of 64 bytes die before ten of 128 are born; two arrays of one size overlap at the third body's end.
        let arrays = vec![
            array(0, 64, &[(1, 640), (3, 0)]),
            array(1, 128, &[(3, 1280), (7, 0)]),
            array(2, 128, &[(5, 256), (7, 0)]),
        ];

        assert_eq!(least_of_pool(&Residency { arrays, instants: 8 }), 640 + 1280 + 256);
    }

    #[test]
    fn what_lives_within_a_body_only_is_left_out() {
        // Instant 2 is the most of the second body, 3 its end.
        let arrays = vec![array(0, 64, &[(0, 64), (2, 6400), (3, 128)])];

        assert_eq!(least_of_pool(&Residency { arrays, instants: 4 }), 128);
    }
}
