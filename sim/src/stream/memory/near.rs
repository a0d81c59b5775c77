//! Near memory of Memory Mode over pages: real direct-mapped tags with dirty bits, of every page or of a sample.
//!
//! At scale one virtual page in `sample` (a power of two) is followed, in near memory scaled down alike; its traffic
//! stands for its neighbours'. Placement at random keeps the odds of a conflict, contiguous placement keeps runs of
//! `sample` pages together. With `sample` 1 pages meet exactly where line fidelity lets their lines meet.

use crate::machine::TierLayout;

/// Lines of a page.
pub const PAGE_LINES: u64 = 64;

/// Lines of one access by what they found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Themselves.
    pub hits: u64,
    /// Nothing, or lines that memory has too.
    pub clean: u64,
    /// Lines that only near memory had.
    pub dirty: u64,
}

/// A page in near memory: how many of its lines are there, and how many of those are dirty.
#[derive(Clone, Copy, Debug, Default)]
struct Resident {
    /// From 1; 0 for none. Sixteen bits keep the tags of 32 GiB in the host's caches; far memory of more than 65,535
    /// times the capacity of near memory would need more, and two of its pages in so many are taken for each other.
    tag: u16,
    present: u8,
    dirty: u8,
}

/// The frame of a page: the page that came last, and what it is replacing line by line.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    now: Resident,
    before: Resident,
    /// What is left of still older pages, whichever they are: lines, and the dirty ones of them.
    rest: [u8; 2],
}

/// Where a page belongs: the entry of the tags, and what stands there when it is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// Entry, over all sockets.
    pub entry: u32,
    /// Tag, from 1.
    pub tag: u16,
}

/// The tags of all sockets.
#[derive(Clone, Debug)]
pub struct Near {
    frames: Vec<Frame>,
    /// Entries of one controller.
    entries: u64,
    controllers: u64,
    channels: u64,
    /// Pages of a far interleave granule, at least 1.
    granule_pages: u64,
    sample: u64,
    /// `sample` as a power of two.
    sample_bits: u32,
    /// Tag checks so far.
    pub checks: Checks,
}

/// Lines looked up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checks {
    /// Those that hit, missed clean and missed dirty.
    pub lines: [u64; 3],
    /// Lines read among those that hit and that missed.
    pub reads: [u64; 2],
}

impl Near {
    /// Empty near memory of `pages` pages a controller.
    pub fn new(pages: u64, sockets: usize, controllers: u64, far: &TierLayout, sample: u64) -> Self {
        let channels = far.channels;
        let granule_pages = (far.granule / PAGE_LINES).max(1);
        // A sampled page stands for a run of pages that is spread over all controllers.
        let (entries, controllers) = if sample == 1 {
            (pages.max(1), controllers)
        } else {
            ((pages * controllers / sample).max(1), 1)
        };
        let total = entries * controllers * sockets as u64;
        Self {
            frames: vec![Frame::default(); total as usize],
            entries,
            controllers,
            channels,
            granule_pages,
            sample,
            sample_bits: sample.trailing_zeros(),
            checks: Checks::default(),
        }
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
        Home { entry: (first + row % self.entries) as u32, tag: (row / self.entries % 65_535) as u16 + 1 }
    }

    /// Looks up and puts in so many lines of a page, at a page for each 64 at most.
    ///
    /// Lines of a page come in one after the other, so an access to a page that is there in part finds what has not
    /// come yet missing; one to a page that was pushed out in part finds its share of what is left.
    #[inline]
    pub fn exchange(&mut self, home: Home, is_write: bool, lines: u64) -> Found {
        // A followed page stands for `sample` in the same state: of each of them comes as much.
        let of_page = ((lines + self.sample - 1) >> self.sample_bits).min(PAGE_LINES);
        let found = self.frames[home.entry as usize].access(home.tag, is_write, of_page as u8);
        let scaled = |part: u64| if part == 0 || of_page == lines { part } else { part * lines / of_page };
        let (clean, dirty) = (scaled(found.clean), scaled(found.dirty));
        let found = Found { hits: lines - clean - dirty, clean, dirty };
        let Checks { lines, reads } = &mut self.checks;
        lines[0] += found.hits;
        lines[1] += found.clean;
        lines[2] += found.dirty;
        if !is_write {
            reads[0] += found.hits;
            reads[1] += found.clean + found.dirty;
        }
        found
    }

    /// The tag that stands at a home, to have it at hand.
    #[inline]
    pub fn peek(&self, home: Home) -> u16 {
        self.frames[home.entry as usize].now.tag
    }

    /// Puts a page in, dirty, where nothing is: what an earlier run left.
    pub fn warm(&mut self, home: Home) {
        let now = &mut self.frames[home.entry as usize].now;
        if now.tag == 0 {
            *now = Resident { tag: home.tag, present: PAGE_LINES as u8, dirty: PAGE_LINES as u8 };
        }
    }
}

impl Frame {
    fn access(&mut self, tag: u16, is_write: bool, lines: u8) -> Found {
        let full = PAGE_LINES as u8;
        let hits = if self.now.tag == tag {
            lines.saturating_sub(full - self.now.present)
        } else {
            if self.before.tag == tag && self.before.present > 0 {
                (self.before, self.now) = (self.now, self.before);
            } else {
                let Resident { present, dirty, .. } = self.before;
                self.rest = [self.rest[0] + present, self.rest[1] + dirty];
                (self.before, self.now) = (self.now, Resident { tag, present: 0, dirty: 0 });
            }
            (u16::from(lines) * u16::from(self.now.present) / u16::from(full)) as u8
        };
        let misses = lines - hits;
        let dirty = self.push_out(misses);
        self.now.present = (self.now.present + misses).min(full);
        if is_write {
            self.now.dirty = (self.now.dirty + lines).min(self.now.present);
        }
        Found { hits: hits.into(), clean: (misses - dirty).into(), dirty: dirty.into() }
    }

    /// Lines of older pages make room, of all alike; gives how many of them are dirty.
    fn push_out(&mut self, lines: u8) -> u8 {
        let room = PAGE_LINES as u8 - self.now.present.min(PAGE_LINES as u8);
        let ([rest, soiled_rest], Resident { present, dirty, .. }) = (self.rest, self.before);
        let older = rest + present;
        if older == 0 || room == 0 {
            return 0;
        }
        // The last line of the page takes the last of those before along.
        let gone = if lines >= room { older } else { share(lines, older, room) };
        let of_rest = if rest == 0 { 0 } else { share(gone, rest, older) };
        let of_before = gone - of_rest;
        let (cleaned_rest, cleaned) = (dirt(of_rest, soiled_rest, rest), dirt(of_before, dirty, present));
        self.rest = [rest - of_rest, soiled_rest - cleaned_rest];
        self.before.present -= of_before;
        self.before.dirty -= cleaned;
        (cleaned_rest + cleaned).min(lines)
    }
}

/// `part` of `of` lines.
fn share(lines: u8, part: u8, of: u8) -> u8 {
    (u16::from(lines) * u16::from(part) / u16::from(of)) as u8
}

/// Dirty ones among so many of `of` lines.
fn dirt(lines: u8, dirty: u8, of: u8) -> u8 {
    if lines == 0 { 0 } else { (u16::from(lines) * u16::from(dirty)).div_ceil(u16::from(of)) as u8 }
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
        assert_eq!(near.exchange(first, true, 64).clean, 64);
        assert_eq!(near.exchange(first, false, 64).hits, 64);
        assert_eq!(near.exchange(second, false, 64).dirty, 64);
        assert_eq!(near.exchange(first, false, 64).clean, 64);
        assert_eq!(near.checks.lines, [64, 128, 64]);
    }

    #[test]
    fn parts_of_a_page_come_in_one_after_the_other_and_push_as_many_out() {
        let mut near = near(1);
        let (first, second) = (near.home(1, 0), near.home(1, 3072));
        near.exchange(first, true, 64);

        assert_eq!(near.exchange(second, false, 16), Found { hits: 0, clean: 0, dirty: 16 });
        assert_eq!(near.exchange(second, false, 16).dirty, 16);
        // Half of the first page is left.
        assert_eq!(near.exchange(first, false, 64).hits, 32);
    }

    #[test]
    fn dirt_of_a_page_that_two_others_replace_is_written_once() {
        let mut near = near(1);
        let [first, second, third] = [0, 3072, 6144].map(|page| near.home(1, page));
        near.exchange(first, true, 64);

        // Half of the first page is left, and its dirt, when the third comes.
        assert_eq!(near.exchange(second, true, 32).dirty, 32);
        assert_eq!(near.exchange(third, false, 64).dirty, 64);
        assert_eq!(near.exchange(first, false, 64).clean, 64);
    }

    #[test]
    fn pages_of_one_capacity_never_meet() {
        for sample in [1, 8] {
            let mut near = near(sample);
            for page in (0..3072).step_by(sample as usize) {
                let home = near.home(0, page);
                assert_eq!(near.exchange(home, true, 64 * sample).clean, 64 * sample, "{sample} {page}");
            }
            assert!((0..3072).step_by(sample as usize).all(|page| {
                let home = near.home(0, page);
                near.exchange(home, false, 64 * sample).hits == 64 * sample
            }));
        }
    }

    #[test]
    fn object_that_comes_in_parts_misses_as_much_as_one_that_comes_whole() {
        for sample in [1, 8] {
            let mut near = near(sample);
            let (whole, parts) = (near.home(0, 0), near.home(0, 8));
            let lines = PAGE_LINES * sample;

            assert_eq!(near.exchange(whole, true, lines).clean, lines);
            let missed: u64 = (0..4).map(|_| near.exchange(parts, true, lines / 4).clean).sum();

            assert_eq!(missed, lines, "{sample}");
            assert_eq!(near.exchange(parts, false, lines).hits, lines);
        }
    }

    #[test]
    fn sockets_do_not_share_near_memory() {
        let mut near = near(1);
        let (left, right) = (near.home(0, 5), near.home(1, 5));
        near.exchange(left, true, 64);

        assert_eq!(near.exchange(right, false, 64).clean, 64);
    }

    #[test]
    fn warm_near_memory_gives_up_dirty_pages() {
        let mut near = near(1);
        let (first, second) = (near.home(0, 7), near.home(0, 7 + 3072));
        near.warm(first);
        near.warm(second);

        assert_eq!(near.exchange(second, false, 64).dirty, 64);
    }
}
