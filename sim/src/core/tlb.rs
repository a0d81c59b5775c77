//! Translation buffers of a core.

use crate::Picoseconds;
use crate::cache::{Index, Tags, Word};
use crate::system::TranslationCosts;

/// What a translation cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Time that the core waits.
    pub cost: Picoseconds,
    /// Whether the page tables had to be walked.
    pub walked: bool,
}

/// First level for the page size in use, second level shared by all sizes.
#[derive(Clone, Debug)]
pub struct Tlb {
    first: Tags,
    second: Tags,
    second_level: Picoseconds,
    walk: Picoseconds,
}

/// Ways of the first level; the last level has three times as many where its entries allow (Skylake: 4 and 12).
const FIRST_WAYS: usize = 4;
const SECOND_WAYS: usize = 12;

impl Tlb {
    /// Empty buffers. `is_huge` says that pages have 2 MiB.
    pub fn new(costs: &TranslationCosts, is_huge: bool) -> Self {
        let first = costs.first_level_entries[usize::from(is_huge)];
        let second = costs.second_level_entries;
        let ways = |entries: usize, ways: usize| if entries.is_multiple_of(ways) { ways } else { 1 };
        let buffer = |entries: usize, most: usize| {
            let ways = ways(entries, most);
            Tags::new(entries / ways, ways, Index::LowBits)
        };
        Self {
            first: buffer(first, FIRST_WAYS),
            second: buffer(second, SECOND_WAYS),
            second_level: costs.second_level,
            walk: costs.walk[usize::from(is_huge)],
        }
    }

    /// Looks a page up and makes it known.
    #[inline]
    pub fn translate(&mut self, page: u64) -> Translation {
        if self.first.touch(page).is_some() {
            return Translation { cost: Picoseconds::ZERO, walked: false };
        }
        self.first.insert(Word::new(page, 0));
        if self.second.touch(page).is_some() {
            return Translation { cost: self.second_level, walked: false };
        }
        self.second.insert(Word::new(page, 0));
        Translation { cost: self.walk, walked: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::System;

    #[test]
    fn pages_beyond_the_first_level_hit_the_second_and_beyond_that_walk() {
        let system = System::load("optane-slice").unwrap();
        let costs = system.translation;
        let mut tlb = Tlb::new(&costs, false);

        assert!((0..1000).all(|page| tlb.translate(page).walked));
        let again = tlb.translate(0);
        assert_eq!(again, Translation { cost: costs.second_level, walked: false });
        assert_eq!(tlb.translate(0).cost, Picoseconds::ZERO);
    }
}
