//! Arrays and views by number: finds the object behind an element.

use crate::error::{Error, Result};
use crate::grammar::{Array, ArrayId, Class, Definition, MAX_DEPTH, MAX_ELEMENTS, Segment, View};

/// One element of one array: something that occupies memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object {
    /// The array; never a view.
    pub array: ArrayId,
    /// Which element.
    pub index: u64,
}

/// Elements of an array or view, a stride apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub array: ArrayId,
    pub start: u64,
    pub stride: i64,
    pub count: u64,
}

/// The definitions of a trace so far, checked as they come.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    Array(Array),
    View(Box<Resolved>),
}

/// A view with what its segments add up to.
#[derive(Clone, Debug)]
struct Resolved {
    view: View,
    /// Running totals of the segments' counts.
    ends: Vec<u64>,
    class: Class,
    least_capacity: u64,
    /// Views on the way to the deepest array, this one included.
    depth: usize,
}

impl Directory {
    /// No definition.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Takes all definitions of a trace.
    ///
    /// # Errors
    /// Those of [`Directory::push`].
    pub fn of(definitions: &[Definition]) -> Result<Self> {
        let mut directory = Self::new();
        for definition in definitions {
            directory.push(definition.clone())?;
        }
        Ok(directory)
    }

    /// Adds a definition under the next number.
    ///
    /// # Errors
    /// - [`Error::OutOfRange`] for an empty or oversized array or view, a used length beyond the capacity, or a
    ///   segment that leaves the array it refers to, or more than [`MAX_DEPTH`] views behind one another.
    /// - [`Error::Malformed`] for a view of several classes.
    /// - [`Error::UndefinedArray`] for a segment of an array not yet defined.
    pub fn push(&mut self, definition: Definition) -> Result<ArrayId> {
        let entry = match definition {
            Definition::Array(array) => check_array(array)?,
            Definition::View(view) => self.check_view(view)?,
        };
        let number = u32::try_from(self.entries.len());
        let number = number.map_err(|_| outside("definitions", "number", 1 << 32, 0, u32::MAX.into()))?;
        self.entries.push(entry);
        Ok(ArrayId(number))
    }

    fn check_view(&self, view: View) -> Result<Entry> {
        let place = || format!("view {}", view.label);
        let mut ends = Vec::with_capacity(view.segments.len());
        let (mut total, mut class, mut least_capacity, mut depth) = (0_u64, None, u64::MAX, 1);
        for segment in &view.segments {
            let elements = self.elements(segment.array).ok_or_else(|| Error::UndefinedArray {
                place: place(),
                array: segment.array.0,
                defined: self.entries.len(),
            })?;
            check_segment(&place, segment, elements)?;
            total = total.saturating_add(segment.count);
            ends.push(total);
            let found = self.class(segment.array);
            if class.is_some() && class != found {
                return Err(Error::Malformed {
                    place: place(),
                    rule: "found elements of several classes, need one",
                });
            }
            class = found;
            depth = depth.max(1 + self.depth(segment.array));
            least_capacity = least_capacity.min(self.least_capacity(segment.array).unwrap_or(u64::MAX));
        }
        if depth > MAX_DEPTH {
            return Err(outside(&place(), "views behind one another", depth as i128, 1, MAX_DEPTH as i128));
        }
        match class {
            Some(class) if total <= MAX_ELEMENTS => {
                Ok(Entry::View(Box::new(Resolved { view, ends, class, least_capacity, depth })))
            }
            _ => Err(outside(&place(), "elements", total.into(), 1, MAX_ELEMENTS.into())),
        }
    }

    fn depth(&self, id: ArrayId) -> usize {
        match self.entry(id) {
            Some(Entry::View(view)) => view.depth,
            Some(Entry::Array(_)) | None => 0,
        }
    }

    /// Number of definitions.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is defined.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of elements of an array or view; `None` if it is not defined.
    pub fn elements(&self, id: ArrayId) -> Option<u64> {
        match self.entry(id)? {
            Entry::Array(array) => Some(array.elements),
            Entry::View(view) => view.ends.last().copied(),
        }
    }

    /// Class of the elements of an array or view; `None` if it is not defined.
    pub fn class(&self, id: ArrayId) -> Option<Class> {
        Some(match self.entry(id)? {
            Entry::Array(array) => array.class,
            Entry::View(view) => view.class,
        })
    }

    /// Bytes that every element of an array or view has at least; `None` if it is not defined.
    pub fn least_capacity(&self, id: ArrayId) -> Option<u64> {
        Some(match self.entry(id)? {
            Entry::Array(array) => array.capacity_bytes,
            Entry::View(view) => view.least_capacity,
        })
    }

    /// Name of an array or view; a placeholder if it is not defined.
    pub fn label(&self, id: ArrayId) -> &str {
        match self.entry(id) {
            Some(Entry::Array(array)) => &array.label,
            Some(Entry::View(view)) => &view.view.label,
            None => "(undefined)",
        }
    }

    /// An array; `None` if the number is undefined or a view's.
    #[inline]
    pub fn array(&self, id: ArrayId) -> Option<&Array> {
        match self.entry(id)? {
            Entry::Array(array) => Some(array),
            Entry::View(_) => None,
        }
    }

    /// A view; `None` if the number is undefined or an array's.
    pub fn view(&self, id: ArrayId) -> Option<&View> {
        match self.entry(id)? {
            Entry::View(view) => Some(&view.view),
            Entry::Array(_) => None,
        }
    }

    /// The object behind an element; `None` if the number is undefined or the index outside. Costs a few
    /// nanoseconds for an array, one binary search for each view on the way.
    #[inline]
    pub fn resolve(&self, id: ArrayId, index: i64) -> Option<Object> {
        let index = u64::try_from(index).ok()?;
        match self.entry(id)? {
            Entry::Array(array) => (index < array.elements).then_some(Object { array: id, index }),
            Entry::View(_) => self.resolve_view(id, index),
        }
    }

    fn resolve_view(&self, mut id: ArrayId, mut index: u64) -> Option<Object> {
        // Segments refer to earlier definitions only, so this ends.
        while let Entry::View(resolved) = self.entry(id)? {
            let at = resolved.ends.partition_point(|&end| end <= index);
            let segment = resolved.view.segments.get(at)?;
            let inside = index - (resolved.ends[at] - segment.count);
            index = segment.start.wrapping_add_signed(segment.stride.wrapping_mul(inside as i64));
            id = segment.array;
        }
        Some(Object { array: id, index })
    }

    /// The objects behind elements that lie `stretch.stride` apart, as few stretches of arrays as their views allow;
    /// false, after some or none, if one is undefined or outside or `take` refuses.
    pub(crate) fn stretches(&self, stretch: Stretch, take: &mut impl FnMut(Stretch) -> bool) -> bool {
        let last = i128::from(stretch.start) + i128::from(stretch.stride) * (i128::from(stretch.count) - 1);
        let (Some(entry), Some(elements)) = (self.entry(stretch.array), self.elements(stretch.array)) else {
            return false;
        };
        if stretch.count == 0 || stretch.start >= elements || !(0..i128::from(elements)).contains(&last) {
            return stretch.count == 0;
        }
        match entry {
            Entry::Array(_) => take(stretch),
            Entry::View(resolved) => self.view_stretches(resolved, stretch, take),
        }
    }

    fn view_stretches(
        &self,
        view: &Resolved,
        mut rest: Stretch,
        take: &mut impl FnMut(Stretch) -> bool,
    ) -> bool {
        while rest.count > 0 {
            let at = view.ends.partition_point(|&end| end <= rest.start);
            let segment = &view.view.segments[at];
            let inside = rest.start - (view.ends[at] - segment.count);
            let room = if rest.stride < 0 { inside } else { segment.count - 1 - inside };
            let steps = room.checked_div(rest.stride.unsigned_abs()).map_or(rest.count, |steps| steps + 1);
            let count = steps.min(rest.count);
            let part = Stretch {
                array: segment.array,
                start: segment.start.wrapping_add_signed(segment.stride.wrapping_mul(inside as i64)),
                stride: segment.stride.wrapping_mul(rest.stride),
                count,
            };
            if !self.stretches(part, take) {
                return false;
            }
            rest.start = rest.start.wrapping_add_signed(rest.stride.wrapping_mul(count as i64));
            rest.count -= count;
        }
        true
    }

    #[inline]
    fn entry(&self, id: ArrayId) -> Option<&Entry> {
        self.entries.get(id.0 as usize)
    }
}

fn check_array(array: Array) -> Result<Entry> {
    let place = || format!("array {}", array.label);
    let most = i128::from(i64::MAX);
    if array.elements == 0 || array.elements > MAX_ELEMENTS {
        return Err(outside(&place(), "elements", array.elements.into(), 1, MAX_ELEMENTS.into()));
    }
    if array.capacity_bytes == 0 || i128::from(array.capacity_bytes) > most {
        return Err(outside(&place(), "capacity", array.capacity_bytes.into(), 1, most));
    }
    if array.used_bytes > array.capacity_bytes {
        return Err(outside(&place(), "used bytes", array.used_bytes.into(), 0, array.capacity_bytes.into()));
    }
    Ok(Entry::Array(array))
}

fn check_segment(place: &impl Fn() -> String, segment: &Segment, elements: u64) -> Result<()> {
    if segment.count == 0 || segment.count > MAX_ELEMENTS {
        return Err(outside(&place(), "references", segment.count.into(), 1, MAX_ELEMENTS.into()));
    }
    let first = i128::from(segment.start);
    let last = first + i128::from(segment.stride) * (i128::from(segment.count) - 1);
    let most = i128::from(elements) - 1;
    match [first, last].into_iter().find(|end| !(0..=most).contains(end)) {
        Some(found) => Err(outside(&place(), "index", found, 0, most)),
        None => Ok(()),
    }
}

pub(crate) fn outside(place: &str, what: &'static str, found: i128, least: i128, most: i128) -> Error {
    Error::OutOfRange { place: place.into(), what, found, least, most }
}
