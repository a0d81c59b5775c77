//! Set-associative tags with exact least-recently-used replacement.
//!
//! The ways of a set stand in order of use, most recent first, so that a hit in a hot line ends the search at once,
//! the victim is always the last way, and no age needs storing. Words are packed: line, class and flags in 64 bits.

use super::sharers::FIBONACCI;

/// Bits of a line number; 2⁴⁸ lines are 16 PiB.
pub const LINE_BITS: u32 = 48;
const LINE_MASK: u64 = (1 << LINE_BITS) - 1;
const CLASS_SHIFT: u32 = LINE_BITS;
const CLASS_MASK: u64 = 7;
const DIRTY: u64 = 1 << 56;
const FLIGHT: u64 = 1 << 57;
const SOLE: u64 = 1 << 58;
/// Bits of the number of a line in its 4 KiB page.
const PAGE_BITS: u32 = 6;
const EMPTY: Word = Word(u64::MAX);

/// A cached line: its number, the class of the object that it belongs to, and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(u64);

impl Word {
    /// A clean line that has arrived. `class` is below 8.
    #[inline]
    pub const fn new(line: u64, class: u8) -> Self {
        Self((line & LINE_MASK) | ((class as u64 & CLASS_MASK) << CLASS_SHIFT))
    }

    /// The same line marked dirty if `dirty` holds.
    #[inline]
    #[must_use]
    pub const fn with_dirty(self, dirty: bool) -> Self {
        if dirty { Self(self.0 | DIRTY) } else { Self(self.0 & !DIRTY) }
    }

    /// The same line marked as still on its way from memory.
    #[inline]
    #[must_use]
    pub const fn in_flight(self) -> Self {
        Self(self.0 | FLIGHT)
    }

    /// The same line without the mark of [`Word::in_flight`].
    #[inline]
    #[must_use]
    pub const fn landed(self) -> Self {
        Self(self.0 & !FLIGHT)
    }

    /// The same line marked as held by no other core, or not.
    #[inline]
    #[must_use]
    pub const fn with_sole(self, sole: bool) -> Self {
        if sole { Self(self.0 | SOLE) } else { Self(self.0 & !SOLE) }
    }

    /// Whether no other core holds the line.
    #[inline]
    pub const fn is_sole(self) -> bool {
        self.0 & SOLE != 0
    }

    /// Line number.
    #[inline]
    pub const fn line(self) -> u64 {
        self.0 & LINE_MASK
    }

    /// Class of the object, as given to [`Word::new`].
    #[inline]
    pub const fn class(self) -> u8 {
        ((self.0 >> CLASS_SHIFT) & CLASS_MASK) as u8
    }

    /// Whether memory is stale.
    #[inline]
    pub const fn is_dirty(self) -> bool {
        self.0 & DIRTY != 0
    }

    /// Whether the line may still be on its way.
    #[inline]
    pub const fn is_in_flight(self) -> bool {
        self.0 & FLIGHT != 0
    }
}

/// How a line finds its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// Low bits of the line number; needs a power of two of sets.
    LowBits,
    /// A hash of the 4 KiB page, then the line inside it; any number of sets: slices of a last-level cache.
    Hashed,
}

/// Tags of one cache.
#[derive(Clone, Debug)]
pub struct Tags {
    words: Box<[Word]>,
    sets: usize,
    ways: usize,
    index: Index,
    /// Successive lines fill so many sets, as a power of two, and how many such runs there are.
    page_bits: u32,
    pages: u64,
    resident: u64,
}

impl Tags {
    /// An empty cache of `sets × ways` lines.
    pub fn new(sets: usize, ways: usize, index: Index) -> Self {
        let index = if sets.is_power_of_two() { index } else { Index::Hashed };
        let page_bits = if sets.is_multiple_of(1 << PAGE_BITS) { PAGE_BITS } else { 0 };
        let pages = (sets >> page_bits) as u64;
        let words = vec![EMPTY; sets * ways].into_boxed_slice();
        Self { words, sets, ways, index, page_bits, pages, resident: 0 }
    }

    /// Number of lines held.
    pub const fn resident(&self) -> u64 {
        self.resident
    }

    #[inline]
    fn set_start(&self, line: u64) -> usize {
        let set = match self.index {
            Index::LowBits => line as usize & (self.sets - 1),
            // Fibonacci hashing: multiply by 2⁶⁴ ÷ golden ratio, scale the product to the number of pages of sets.
            Index::Hashed => {
                let hash = (line >> self.page_bits).wrapping_mul(FIBONACCI);
                let page = (u128::from(hash) * u128::from(self.pages)) >> 64;
                ((page as u64) << self.page_bits | line & ((1 << self.page_bits) - 1)) as usize
            }
        };
        set * self.ways
    }

    #[inline]
    fn set(&mut self, line: u64) -> &mut [Word] {
        let start = self.set_start(line);
        &mut self.words[start..start + self.ways]
    }

    /// Looks a line up and makes it the most recent; gives its word for changes of state.
    #[inline]
    pub fn touch(&mut self, line: u64) -> Option<&mut Word> {
        let set = self.set(line);
        if set[0].line() == line {
            return Some(&mut set[0]);
        }
        let way = set.iter().position(|word| word.line() == line)?;
        let word = set[way];
        set.copy_within(0..way, 1);
        set[0] = word;
        Some(&mut set[0])
    }

    /// Looks a line up without changing the order of use.
    #[inline]
    pub fn find(&mut self, line: u64) -> Option<&mut Word> {
        self.set(line).iter_mut().find(|word| word.line() == line)
    }

    /// Puts a line that is not there in as the most recent; gives the line that had to leave.
    #[inline]
    pub fn insert(&mut self, word: Word) -> Option<Word> {
        let set = self.set(word.line());
        let last = set.len() - 1;
        let victim = set[last];
        set.copy_within(0..last, 1);
        set[0] = word;
        if victim == EMPTY {
            self.resident += 1;
            return None;
        }
        Some(victim)
    }

    /// Drops a line; gives its word if it was there.
    #[inline]
    pub fn remove(&mut self, line: u64) -> Option<Word> {
        let set = self.set(line);
        let way = set.iter().position(|word| word.line() == line)?;
        let word = set[way];
        set.copy_within(way + 1.., way);
        set[set.len() - 1] = EMPTY;
        self.resident -= 1;
        Some(word)
    }

    /// Every line held, set by set.
    pub fn lines(&self) -> impl Iterator<Item = Word> {
        self.words.iter().copied().filter(|word| *word != EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_recently_used_line_leaves_first() {
        let mut tags = Tags::new(1, 2, Index::LowBits);
        tags.insert(Word::new(1, 0));
        tags.insert(Word::new(2, 0));
        tags.touch(1);

        let victim = tags.insert(Word::new(3, 0));

        assert_eq!(victim, Some(Word::new(2, 0)));
        assert_eq!(tags.resident(), 2);
    }

    #[test]
    fn finding_a_line_does_not_make_it_recent() {
        let mut tags = Tags::new(1, 2, Index::LowBits);
        tags.insert(Word::new(1, 0));
        tags.insert(Word::new(2, 0));
        tags.find(1);

        assert_eq!(tags.insert(Word::new(3, 0)), Some(Word::new(1, 0)));
    }

    #[test]
    fn word_keeps_line_class_and_flags_apart() {
        let line = (1 << LINE_BITS) - 2;
        let word = Word::new(line, 6).with_dirty(true).in_flight();

        assert_eq!((word.line(), word.class(), word.is_dirty(), word.is_in_flight()), (line, 6, true, true));
        assert!(!word.landed().is_in_flight() && word.landed().is_dirty());
    }

    #[test]
    fn a_removed_line_frees_its_way() {
        let mut tags = Tags::new(2, 2, Index::LowBits);
        tags.insert(Word::new(4, 0));
        tags.insert(Word::new(6, 0));

        assert!(tags.remove(4).is_some() && tags.remove(4).is_none());
        assert_eq!(tags.insert(Word::new(8, 0)), None);
        assert_eq!(tags.lines().count(), 2);
    }

    #[test]
    fn random_use_equals_a_list_kept_in_order_of_use() {
        let (sets, ways) = (4_usize, 3);
        let mut tags = Tags::new(sets, ways, Index::LowBits);
        let mut model: Vec<Vec<u64>> = vec![Vec::new(); sets];
        for step in 0..4000 {
            let line = hetier_traces::seeded::draw_below(5, step, 40);
            let list = &mut model[line as usize % sets];
            let known = list.iter().position(|other| *other == line);
            assert_eq!(tags.touch(line).is_some(), known.is_some());
            match known {
                Some(place) => {
                    list.remove(place);
                }
                None => {
                    let expected = if list.len() == ways { list.pop() } else { None };
                    assert_eq!(tags.insert(Word::new(line, 0)).map(Word::line), expected);
                }
            }
            list.insert(0, line);
        }
    }
}
