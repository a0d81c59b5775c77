//! Near memory of Memory Mode over pages: real direct-mapped tags with dirty bits, of every page or of a sample.
//!
//! At scale one virtual page in `sample` (a power of two) is followed, in near memory scaled down alike; its traffic
//! stands for its neighbours'. Placement at random keeps the odds of a conflict, contiguous placement keeps runs of
//! `sample` pages together. With `sample` 1 pages meet exactly where line fidelity lets their lines meet.

use crate::machine::TierLayout;

/// Lines of a page.
pub const PAGE_LINES: u64 = 64;

/// What a page found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Itself.
    Hit,
    /// Nothing, or a page that memory has too.
    Clean,
    /// A page that only near memory had.
    Dirty,
}

/// Where a page belongs: the entry of the tags, and what stands there when it is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// Entry, over all sockets.
    pub entry: u32,
    /// Tag, from 1.
    pub tag: u32,
}

/// The tags of all sockets.
#[derive(Clone, Debug)]
pub struct Near {
    tags: Vec<u32>,
    /// Entries of one controller.
    entries: u64,
    controllers: u64,
    channels: u64,
    /// Pages of a far interleave granule, at least 1.
    granule_pages: u64,
    sample: u64,
    /// Lines that hit, missed clean and missed dirty.
    pub lines: [u64; 3],
}

impl Near {
    /// Empty near memory of `pages` pages a controller.
    pub fn new(pages: u64, sockets: usize, controllers: u64, far: &TierLayout, sample: u64) -> Self {
        let channels = far.channels;
        let granule_pages = (far.granule / PAGE_LINES).max(1);
        // A sampled page stands for a run of pages that is spread over all controllers.
        let (entries, controllers) =
            if sample == 1 { (pages.max(1), controllers) } else { ((pages * controllers / sample).max(1), 1) };
        let total = entries * controllers * sockets as u64;
        Self { tags: vec![0; total as usize], entries, controllers, channels, granule_pages, sample, lines: [0; 3] }
    }

    /// Where page number `page` of a socket's far memory belongs.
    pub const fn home(&self, socket: usize, page: u64) -> Home {
        let (controller, row) = if self.sample == 1 {
            let granule = page / self.granule_pages;
            let per = self.channels / self.controllers;
            let channel = granule % self.channels;
            let row = granule / self.channels * per + channel % per;
            (channel / per, row * self.granule_pages + page % self.granule_pages)
        } else {
            (0, page / self.sample)
        };
        let first = (socket as u64 * self.controllers + controller) * self.entries;
        Home { entry: (first + row % self.entries) as u32, tag: (row / self.entries) as u32 + 1 }
    }

    /// Looks a page up and puts it in, for so many lines.
    #[inline]
    pub fn exchange(&mut self, home: Home, is_write: bool, lines: u64) -> Found {
        let entry = &mut self.tags[home.entry as usize];
        let before = *entry;
        let is_hit = before >> 1 == home.tag;
        *entry = home.tag << 1 | u32::from(is_write || (is_hit && before & 1 == 1));
        let found = match (is_hit, before & 1) {
            (true, _) => Found::Hit,
            (false, 0) => Found::Clean,
            (false, _) => Found::Dirty,
        };
        self.lines[found as usize] += lines;
        found
    }

    /// Puts a page in, dirty, where nothing is: what an earlier run left.
    pub fn warm(&mut self, home: Home) {
        let entry = &mut self.tags[home.entry as usize];
        if *entry == 0 {
            *entry = home.tag << 1 | 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(sample: u64) -> Near {
        let far = TierLayout { first_channel: 0, channels: 6, granule: PAGE_LINES };
        Near::new(1536, 2, 2, &far, sample)
    }

    #[test]
    fn pages_a_capacity_apart_evict_each_other_and_dirt_is_seen() {
        let mut near = near(1);
        let (first, second) = (near.home(1, 0), near.home(1, 3072));

        assert_eq!(first.entry, second.entry);
        assert_eq!(near.exchange(first, true, 64), Found::Clean);
        assert_eq!(near.exchange(first, false, 64), Found::Hit);
        assert_eq!(near.exchange(second, false, 64), Found::Dirty);
        assert_eq!(near.exchange(first, false, 64), Found::Clean);
        assert_eq!(near.lines, [64, 128, 64]);
    }

    #[test]
    fn pages_of_one_capacity_never_meet() {
        for sample in [1, 8] {
            let mut near = near(sample);
            for page in (0..3072).step_by(sample as usize) {
                let home = near.home(0, page);
                assert_eq!(near.exchange(home, true, 1), Found::Clean, "{sample} {page}");
            }
            assert!((0..3072).step_by(sample as usize).all(|page| {
                let home = near.home(0, page);
                near.exchange(home, false, 1) == Found::Hit
            }));
        }
    }

    #[test]
    fn sockets_do_not_share_near_memory() {
        let mut near = near(1);
        let (left, right) = (near.home(0, 5), near.home(1, 5));
        near.exchange(left, true, 1);

        assert_eq!(near.exchange(right, false, 1), Found::Clean);
    }

    #[test]
    fn warm_near_memory_gives_up_dirty_pages() {
        let mut near = near(1);
        let (first, second) = (near.home(0, 7), near.home(0, 7 + 3072));
        near.warm(first);
        near.warm(second);

        assert_eq!(near.exchange(second, false, 1), Found::Dirty);
    }
}
