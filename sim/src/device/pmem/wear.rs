//! Wear levelling: a block that was written often moves to another place.
//!
//! Each block counts the media lines written to it. A DIMM in use has blocks at every stage, so a block's count starts
//! at a number drawn from its address. Thus one block moves for every `move_after` lines written anywhere, which is
//! what the two per cent of media writes beyond the user's are (write efficiency 0.981 for whole lines).
//!
//! A short run meets few moves and by chance one more or less, each of which holds up all threads whose lines are
//! interleaved over DIMMs. There a DIMM may count the lines of all its blocks together ([`WearCount::Dimm`]): as many
//! moves, in even steps, each of the block that is being written.

use super::hash::{NumberMap, mix};

/// Whose written lines are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WearCount {
    /// Those of each block.
    Block,
    /// Those of all blocks together, from a number on.
    Dimm(u64),
}

/// Write counts of the blocks that were written.
#[derive(Clone, Debug)]
pub(super) struct Wear {
    block_lines: u64,
    move_after: u64,
    counts: NumberMap<u64>,
    /// The count of all blocks together, if they have no counts of their own.
    common: Option<u64>,
}

impl Wear {
    /// Blocks of `block_lines` media lines that move after `move_after` lines written.
    pub(super) fn new(block_lines: u64, move_after: u64, count: WearCount) -> Self {
        let common = match count {
            WearCount::Block => None,
            WearCount::Dimm(counted) => Some(counted),
        };
        Self { block_lines, move_after, counts: NumberMap::default(), common }
    }

    /// The block of a media line.
    pub(super) const fn block(&self, xpline: u64) -> u64 {
        xpline / self.block_lines
    }

    /// Counts one written line; returns its block if that has to move now.
    pub(super) fn count(&mut self, xpline: u64) -> Option<u64> {
        let block = self.block(xpline);
        let move_after = self.move_after;
        let count = match &mut self.common {
            Some(common) => common,
            None => self.counts.entry(block).or_insert_with(|| mix(block) % move_after),
        };
        *count += 1;
        if *count < move_after {
            return None;
        }
        *count = 0;
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::super::PmemConfig;
    use super::*;
    use crate::device::literal::DeviceConfig;

    #[test]
    fn a_hot_block_moves_every_threshold_and_not_one_write_earlier() {
        let mut wear = Wear::new(256, 1000, WearCount::Block);
        let first = (1..=1000).find(|_| wear.count(5).is_some());
        assert!(first.is_some());

        for _ in 1..1000 {
            assert_eq!(wear.count(5), None);
        }
        assert_eq!(wear.count(5), Some(0));
    }

    #[test]
    fn even_wear_moves_as_many_lines_in_steps_of_one() {
        let DeviceConfig::Pmem(config) = DeviceConfig::load("optane-pmem-100").unwrap() else {
            panic!("PMem is PMem")
        };
        let moved = |config: &PmemConfig| config.wear_block_lines as f64 / config.wear_move_after as f64;

        let even = config.clone().with_even_wear();

        assert_eq!(even.wear_block_lines, 1);
        assert!((moved(&even) / moved(&config) - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_common_count_moves_the_block_being_written_every_threshold_from_where_it_starts() {
        let mut wear = Wear::new(256, 1000, WearCount::Dimm(400));

        let moved: Vec<(u64, u64)> = (0..2_600u64)
            .filter_map(|write| wear.count(write * 256).map(|block| (write + 1, block)))
            .collect();

        assert_eq!(moved, [(600, 599), (1_600, 1_599), (2_600, 2_599)]);
    }

    #[test]
    fn spread_writes_move_one_block_a_threshold_on_average() {
        let mut wear = Wear::new(256, 1000, WearCount::Block);
        let moves =
            (0..1_000_000u64).filter(|&write| wear.count(mix(write) % (256 * 4096)).is_some()).count();

        assert!((900..=1100).contains(&moves), "{moves} moves of about 1000");
    }
}
