//! Which objects live: owners' own references and those that views hold.

use crate::directory::{Object, Stretch, outside};
use crate::error::Result;
use crate::grammar::ArrayId;

/// Elements of one page of reference counts.
const PAGE_ELEMENTS: u64 = 4096;

const PAGE_BYTES: u64 = PAGE_ELEMENTS * size_of::<u32>() as u64;

/// The bit that stands for an element's own allocation; the bits below count references of views.
pub(crate) const OWN: u32 = 1 << 31;

/// Most references of views to one object.
const MOST_REFERENCES: u32 = OWN - 1;

/// Most bytes of counts. All sums of ResNet-50 that live at once are 10⁶ elements, all its objects 3·10⁸.
const MOST_BYTES: u64 = if cfg!(test) { 64 << 20 } else { 2 << 30 };

/// Counts of neighbouring elements.
#[derive(Clone, Debug)]
enum Page {
    /// All the same: an array that lives or dies as a whole costs 16 bytes a page.
    Alike(u32),
    /// One by one.
    Apart(Box<[u32]>),
}

/// Reference counts of every element of every array and view, in pages that come as elements come to life.
#[derive(Clone, Debug, Default)]
pub(crate) struct Liveness {
    arrays: Vec<Vec<Page>>,
    live: u64,
    /// Bytes of pages and their tables.
    bytes: u64,
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
        match page {
            None => 0,
            Some(Page::Alike(count)) => *count,
            Some(Page::Apart(counts)) => counts[(index % PAGE_ELEMENTS) as usize],
        }
    }

    /// The page with that number.
    fn page(&mut self, array: ArrayId, page: usize) -> Result<&mut Page> {
        let array = array.0 as usize;
        if self.arrays.len() <= array {
            self.arrays.resize_with(array + 1, Vec::new);
        }
        let more = (page + 1).saturating_sub(self.arrays[array].len());
        self.take(more as u64 * size_of::<Page>() as u64)?;
        let pages = &mut self.arrays[array];
        pages.resize(pages.len() + more, Page::Alike(0));
        Ok(&mut pages[page])
    }

    /// The counts of a page, told apart from now on.
    fn apart(&mut self, array: ArrayId, page: usize) -> Result<&mut [u32]> {
        if let Page::Alike(count) = *self.page(array, page)? {
            self.take(PAGE_BYTES)?;
            *self.page(array, page)? = Page::Apart(vec![count; PAGE_ELEMENTS as usize].into());
        }
        match self.page(array, page)? {
            Page::Apart(counts) => Ok(counts),
            Page::Alike(_) => unreachable!("the lines above told its counts apart"),
        }
    }

    fn take(&mut self, bytes: u64) -> Result<()> {
        let bytes = self.bytes + bytes;
        if bytes > MOST_BYTES {
            let place = "following which objects live";
            return Err(outside(place, "bytes of counts", bytes.into(), 0, MOST_BYTES.into()));
        }
        self.bytes = bytes;
        Ok(())
    }

    fn count_mut(&mut self, array: ArrayId, index: u64) -> Result<&mut u32> {
        let counts = self.apart(array, (index / PAGE_ELEMENTS) as usize)?;
        Ok(&mut counts[(index % PAGE_ELEMENTS) as usize])
    }

    /// # Errors
    /// - [`Error::OutOfRange`](crate::Error::OutOfRange) if the counts of too many elements would have to be told apart;
    ///   here and below.
    pub fn alloc(&mut self, object: Object) -> Result<Change> {
        let count = self.count_mut(object.array, object.index)?;
        if *count != 0 {
            return Ok(Change::Refused);
        }
        *count = OWN;
        self.live += 1;
        Ok(Change::Born)
    }

    pub fn free(&mut self, object: Object) -> Result<Change> {
        if self.count(object.array, object.index) & OWN == 0 {
            return Ok(Change::Refused);
        }
        *self.count_mut(object.array, object.index)? &= !OWN;
        Ok(self.after_drop(object))
    }

    /// A view's element takes a reference of the object behind it.
    pub fn refer(&mut self, view: ArrayId, index: u64, object: Object) -> Result<Change> {
        if self.count(view, index) != 0 || !self.is_live(object) {
            return Ok(Change::Refused);
        }
        *self.count_mut(view, index)? = OWN;
        add_reference(self.count_mut(object.array, object.index)?)?;
        Ok(Change::Lives)
    }

    /// A view's element drops its reference.
    pub fn release(&mut self, view: ArrayId, index: u64, object: Object) -> Result<Change> {
        if self.count(view, index) == 0 {
            return Ok(Change::Refused);
        }
        *self.count_mut(view, index)? = 0;
        *self.count_mut(object.array, object.index)? -= 1;
        Ok(self.after_drop(object))
    }

    /// Whether all counts of a stretch pass a test: references, and [`OWN`] for an own allocation.
    pub fn all(&self, stretch: Stretch, test: impl Fn(u32) -> bool) -> bool {
        let Some(pages) = self.arrays.get(stretch.array.0 as usize) else { return test(0) };
        chunks(stretch).all(|chunk| match pages.get(chunk.page) {
            None => test(0),
            Some(Page::Alike(count)) => test(*count),
            Some(Page::Apart(page)) if chunk.step == 1 => {
                page[chunk.first..chunk.first + chunk.count].iter().all(|&count| test(count))
            }
            Some(Page::Apart(page)) => {
                page[chunk.first..].iter().step_by(chunk.step).take(chunk.count).all(|&count| test(count))
            }
        })
    }

    /// Changes all counts of a stretch; `change` gets a count and of how many elements it is.
    fn change(
        &mut self,
        stretch: Stretch,
        mut change: impl FnMut(&mut u32, u64) -> Result<()>,
    ) -> Result<()> {
        for chunk in chunks(stretch) {
            if chunk.is_whole()
                && let Page::Alike(count) = self.page(stretch.array, chunk.page)?
            {
                change(count, PAGE_ELEMENTS)?;
                continue;
            }
            let page = self.apart(stretch.array, chunk.page)?;
            if chunk.step == 1 {
                let mut counts = page[chunk.first..chunk.first + chunk.count].iter_mut();
                counts.try_for_each(|count| change(count, 1))?;
            } else {
                let mut counts = page[chunk.first..].iter_mut().step_by(chunk.step).take(chunk.count);
                counts.try_for_each(|count| change(count, 1))?;
            }
        }
        Ok(())
    }

    /// [`Liveness::change`] that takes references away; pages without any go too.
    fn lessen(&mut self, stretch: Stretch, change: impl FnMut(&mut u32, u64) -> Result<()>) -> Result<()> {
        self.change(stretch, change)?;
        for chunk in chunks(stretch) {
            let page = &mut self.arrays[stretch.array.0 as usize][chunk.page];
            if matches!(page, Page::Apart(counts) if counts.iter().all(|count| *count == 0)) {
                *page = Page::Alike(0);
                self.bytes -= PAGE_BYTES;
            }
        }
        Ok(())
    }

    /// [`Liveness::alloc`] of dead elements.
    pub fn alloc_all(&mut self, stretch: Stretch) -> Result<()> {
        self.live += stretch.count;
        self.change(stretch, |count, _| {
            *count = OWN;
            Ok(())
        })
    }

    /// [`Liveness::free`] of owned elements; gives how many died.
    pub fn free_all(&mut self, stretch: Stretch) -> Result<u64> {
        let mut died = 0;
        self.lessen(stretch, |count, elements| {
            *count &= !OWN;
            died += if *count == 0 { elements } else { 0 };
            Ok(())
        })?;
        self.live -= died;
        Ok(died)
    }

    /// Marks elements of a view that refer to nothing as referring.
    pub fn mark_all(&mut self, view: Stretch) -> Result<()> {
        self.change(view, |count, _| {
            *count = OWN;
            Ok(())
        })
    }

    /// Marks elements of a view as referring to nothing.
    pub fn clear_all(&mut self, view: Stretch) -> Result<()> {
        self.lessen(view, |count, _| {
            *count = 0;
            Ok(())
        })
    }

    /// Gives each of the live objects one reference more.
    pub fn refer_all(&mut self, objects: Stretch) -> Result<()> {
        self.change(objects, |count, _| add_reference(count))
    }

    /// Takes one reference of each; gives how many died.
    pub fn release_all(&mut self, objects: Stretch) -> Result<u64> {
        let mut died = 0;
        self.lessen(objects, |count, elements| {
            *count -= 1;
            died += if *count == 0 { elements } else { 0 };
            Ok(())
        })?;
        self.live -= died;
        Ok(died)
    }

    fn after_drop(&mut self, object: Object) -> Change {
        if self.is_live(object) {
            return Change::Lives;
        }
        self.live -= 1;
        Change::Died
    }
}

fn add_reference(count: &mut u32) -> Result<()> {
    if *count & MOST_REFERENCES == MOST_REFERENCES {
        let (found, most) = (i128::from(MOST_REFERENCES) + 1, MOST_REFERENCES.into());
        return Err(outside("following which objects live", "references to an object", found, 0, most));
    }
    *count += 1;
    Ok(())
}

/// The part of a stretch inside one page.
struct Chunk {
    page: usize,
    first: usize,
    step: usize,
    count: usize,
}

impl Chunk {
    const fn is_whole(&self) -> bool {
        self.step == 1 && self.count == PAGE_ELEMENTS as usize
    }
}

impl Stretch {
    /// Pages or elements to be looked at, whichever is less.
    pub fn steps(self) -> u64 {
        let pages = u64::try_from(self.stride).ok().filter(|stride| *stride > 0);
        let pages = pages.map(|stride| self.count.saturating_mul(stride) / PAGE_ELEMENTS + 1);
        pages.map_or(self.count, |pages| pages.min(self.count))
    }
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
