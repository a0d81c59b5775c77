//! How deep in the order of use a set-associative cache still has what it was given.
//!
//! With true least-recently-used replacement a line is there as long as fewer younger lines than there are ways came to
//! its set. Pages of 4 KiB come to groups of 64 sets (page colours) at random, so the number of younger pages in the
//! same group is a binomial variable of the number of all younger pages. Caches of stream fidelity let go of an object
//! in four quarters, at the depths where that many of its lines are gone: of a cache with 16 ways and 16 groups at
//! 0.73, 0.91, 1.06 and 1.28 of its capacity.

/// Parts in which an object leaves.
pub const QUARTERS: usize = 4;

/// Lines of a page.
const PAGE_LINES: u64 = 64;

/// Depths, in lines, at which quarters of what lies so deep are gone, for a cache of `sets` sets of `ways` ways whose
/// pages come to sets at random.
pub fn depths(sets: u64, ways: u64) -> [u64; QUARTERS] {
    // Lines of a page that share no group of sets come to sets one by one.
    let page = if sets.is_multiple_of(PAGE_LINES) { PAGE_LINES } else { 1 };
    let groups = sets / page;
    std::array::from_fn(|quarter| {
        let survival = 1.0 - (quarter as f64 + 0.5) / QUARTERS as f64;
        (younger(groups, ways, survival) * page as f64).round() as u64
    })
}

/// Depths of a cache to which pages come in turn: all is there up to its capacity, and nothing beyond.
pub const fn even(sets: u64, ways: u64) -> [u64; QUARTERS] {
    [sets * ways; QUARTERS]
}

/// Pages used since, of which fewer than `ways` came to the same of so many groups with probability `survival`.
fn younger(groups: u64, ways: u64, survival: f64) -> f64 {
    if groups <= 1 {
        return ways as f64;
    }
    let here = 1.0 / groups as f64;
    // Of `ways - 1` younger pages none is too many; `edge` is the logarithm of the probability that just as many of them
    // came here.
    let (mut pages, mut survives) = (ways - 1, 1.0);
    let mut edge = here.ln() * pages as f64;
    loop {
        let lost = here * edge.exp();
        if survives - lost <= survival {
            // Half a page: that of which it is asked lies in the middle of itself.
            return pages as f64 + (survives - survival) / lost + 0.5;
        }
        survives -= lost;
        pages += 1;
        edge += ((1.0 - here) * pages as f64 / (pages + 1 - ways) as f64).ln();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_group_of_sets_is_least_recently_used_over_all_of_it() {
        assert_eq!(depths(64, 16), even(64, 16));
    }

    #[test]
    fn many_groups_come_near_the_poisson_distribution_of_the_ways() {
        // The rates at which a Poisson variable is below 11 with probability 7/8, 5/8, 3/8 and 1/8, over 11.
        let expected = [0.668, 0.879, 1.067, 1.352];
        let sets = 64 * 1024;

        for (depth, expected) in depths(sets, 11).iter().zip(expected) {
            let found = *depth as f64 / (sets * 11) as f64;
            assert!((found - expected).abs() < 0.01, "{found} for {expected}");
        }
    }

    #[test]
    fn depths_are_where_random_pages_are_lost() {
        // Counted: younger pages until the sixteenth comes to group 0 of 4, over many draws.
        let mut draws = (0..).map(|at| hetier_traces::seeded::draw(7, at) >> 62);
        let mut lost_after: Vec<u64> = (0..20_000)
            .map(|_| {
                let mut here = 0;
                let younger = draws.by_ref().take_while(|group| {
                    here += u64::from(*group == 0);
                    here < 16
                });
                younger.count() as u64 + 1
            })
            .collect();
        lost_after.sort_unstable();

        for (quarter, depth) in depths(256, 16).iter().enumerate() {
            let counted = lost_after[lost_after.len() * (2 * quarter + 1) / 8];
            assert!(depth.abs_diff(counted * 64) <= 64, "{depth} for {counted} pages");
        }
    }
}
