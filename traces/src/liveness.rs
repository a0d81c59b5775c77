//! Which objects live: owners' own references and those that views hold.

use crate::directory::Object;
use crate::grammar::ArrayId;

/// Elements of one page of reference counts.
const PAGE_ELEMENTS: u64 = 4096;

/// The bit that stands for an element's own allocation; the bits below count references of views.
const OWN: u32 = 1 << 31;

/// Reference counts of every element of every array and view, paged in as elements come to life.
#[derive(Clone, Debug, Default)]
pub(crate) struct Liveness {
    arrays: Vec<Vec<Option<Box<[u32]>>>>,
    live: u64,
}

/// What a change of references did to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It came to life.
    Born,
    /// It died.
    Died,
    /// It lives on.
    Lives,
    /// The change was invalid: the element was dead (a use, a release) or alive (an allocation).
    Refused,
}

impl Liveness {
    pub fn is_live(&self, object: Object) -> bool {
        self.count(object.array, object.index) != 0
    }

    /// Number of objects that live.
    pub const fn live(&self) -> u64 {
        self.live
    }

    fn count(&self, array: ArrayId, index: u64) -> u32 {
        let page =
            self.arrays.get(array.0 as usize).and_then(|pages| pages.get((index / PAGE_ELEMENTS) as usize));
        page.and_then(Option::as_ref).map_or(0, |page| page[(index % PAGE_ELEMENTS) as usize])
    }

    fn count_mut(&mut self, array: ArrayId, index: u64) -> &mut u32 {
        let (array, page) = (array.0 as usize, (index / PAGE_ELEMENTS) as usize);
        if self.arrays.len() <= array {
            self.arrays.resize_with(array + 1, Vec::new);
        }
        let pages = &mut self.arrays[array];
        if pages.len() <= page {
            pages.resize_with(page + 1, || None);
        }
        let counts = pages[page].get_or_insert_with(|| vec![0; PAGE_ELEMENTS as usize].into());
        &mut counts[(index % PAGE_ELEMENTS) as usize]
    }

    pub fn alloc(&mut self, object: Object) -> Change {
        let count = self.count_mut(object.array, object.index);
        if *count != 0 {
            return Change::Refused;
        }
        *count = OWN;
        self.live += 1;
        Change::Born
    }

    pub fn free(&mut self, object: Object) -> Change {
        let count = self.count_mut(object.array, object.index);
        if *count & OWN == 0 {
            return Change::Refused;
        }
        *count &= !OWN;
        self.after_drop(object)
    }

    /// A view's element takes a reference of the object behind it.
    pub fn refer(&mut self, view: ArrayId, index: u64, object: Object) -> Change {
        if self.count(view, index) != 0 || !self.is_live(object) {
            return Change::Refused;
        }
        *self.count_mut(view, index) = OWN;
        *self.count_mut(object.array, object.index) += 1;
        Change::Lives
    }

    /// A view's element drops its reference.
    pub fn release(&mut self, view: ArrayId, index: u64, object: Object) -> Change {
        if self.count(view, index) == 0 {
            return Change::Refused;
        }
        *self.count_mut(view, index) = 0;
        *self.count_mut(object.array, object.index) -= 1;
        self.after_drop(object)
    }

    fn after_drop(&mut self, object: Object) -> Change {
        if self.is_live(object) {
            return Change::Lives;
        }
        self.live -= 1;
        Change::Died
    }
}
