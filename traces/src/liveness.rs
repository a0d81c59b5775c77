//! Which objects live: owners' own references and those that views hold.

use crate::directory::{Object, Stretch};
use crate::grammar::ArrayId;

/// Elements of one page of reference counts.
const PAGE_ELEMENTS: u64 = 4096;

/// The bit that stands for an element's own allocation; the bits below count references of views.
pub(crate) const OWN: u32 = 1 << 31;

/// Reference counts of every element of every array and view, in pages that come as elements come to life.
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

    /// Whether all counts of a stretch pass a test: references, and [`OWN`] for an own allocation.
    pub fn all(&self, stretch: Stretch, test: impl Fn(u32) -> bool) -> bool {
        let Some(pages) = self.arrays.get(stretch.array.0 as usize) else { return test(0) };
        chunks(stretch).all(|chunk| match pages.get(chunk.page).and_then(Option::as_ref) {
            None => test(0),
            Some(page) if chunk.step == 1 => {
                page[chunk.first..chunk.first + chunk.count].iter().all(|&count| test(count))
            }
            Some(page) => {
                page[chunk.first..].iter().step_by(chunk.step).take(chunk.count).all(|&count| test(count))
            }
        })
    }

    /// Changes all counts of a stretch whose pages exist or come to exist.
    fn change(&mut self, stretch: Stretch, mut change: impl FnMut(&mut u32)) {
        for chunk in chunks(stretch) {
            self.count_mut(stretch.array, chunk.page as u64 * PAGE_ELEMENTS);
            let page = &mut self.arrays[stretch.array.0 as usize][chunk.page];
            let page = page.as_mut().expect("the line above made the page");
            if chunk.step == 1 {
                page[chunk.first..chunk.first + chunk.count].iter_mut().for_each(&mut change);
            } else {
                page[chunk.first..].iter_mut().step_by(chunk.step).take(chunk.count).for_each(&mut change);
            }
        }
    }

    /// [`Liveness::change`] that takes references away; pages without any go too.
    fn lessen(&mut self, stretch: Stretch, change: impl FnMut(&mut u32)) {
        self.change(stretch, change);
        for chunk in chunks(stretch) {
            let page = &mut self.arrays[stretch.array.0 as usize][chunk.page];
            if page.as_ref().is_some_and(|counts| counts.iter().all(|count| *count == 0)) {
                *page = None;
            }
        }
    }

    /// [`Liveness::alloc`] of dead elements.
    pub fn alloc_all(&mut self, stretch: Stretch) {
        self.change(stretch, |count| *count = OWN);
        self.live += stretch.count;
    }

    /// [`Liveness::free`] of owned elements; gives how many died.
    pub fn free_all(&mut self, stretch: Stretch) -> u64 {
        let mut died = 0;
        self.lessen(stretch, |count| {
            *count &= !OWN;
            died += u64::from(*count == 0);
        });
        self.live -= died;
        died
    }

    /// Marks elements of a view that refer to nothing as referring.
    pub fn mark_all(&mut self, view: Stretch) {
        self.change(view, |count| *count = OWN);
    }

    /// Marks elements of a view as referring to nothing.
    pub fn clear_all(&mut self, view: Stretch) {
        self.lessen(view, |count| *count = 0);
    }

    /// Gives each of the live objects one reference more.
    pub fn refer_all(&mut self, objects: Stretch) {
        self.change(objects, |count| *count += 1);
    }

    /// Takes one reference of each; gives how many died.
    pub fn release_all(&mut self, objects: Stretch) -> u64 {
        let mut died = 0;
        self.lessen(objects, |count| {
            *count -= 1;
            died += u64::from(*count == 0);
        });
        self.live -= died;
        died
    }

    fn after_drop(&mut self, object: Object) -> Change {
        if self.is_live(object) {
            return Change::Lives;
        }
        self.live -= 1;
        Change::Died
    }
}

/// The part of a stretch inside one page.
struct Chunk {
    page: usize,
    first: usize,
    step: usize,
    count: usize,
}

fn chunks(mut rest: Stretch) -> impl Iterator<Item = Chunk> {
    std::iter::from_fn(move || {
        if rest.count == 0 {
            return None;
        }
        let first = rest.start % PAGE_ELEMENTS;
        // Backwards and in place element by element: no network does that.
        let step = u64::try_from(rest.stride).unwrap_or(0);
        let fit = (PAGE_ELEMENTS - 1 - first).checked_div(step).map_or(1, |steps| steps + 1);
        let count = fit.min(rest.count);
        let chunk = Chunk {
            page: (rest.start / PAGE_ELEMENTS) as usize,
            first: first as usize,
            step: step.max(1) as usize,
            count: count as usize,
        };
        rest.start = rest.start.wrapping_add_signed(rest.stride.wrapping_mul(count as i64));
        rest.count -= count;
        Some(chunk)
    })
}
