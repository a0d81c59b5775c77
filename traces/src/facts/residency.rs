//! How long and how much memory each array holds, and how often it is touched: what a placement needs to know.

use serde::{Deserialize, Serialize};

use super::budget::Budget;
use super::counts::{self, MacroCost, Sharing};
use super::footprint::{Change, Footprint};
use crate::directory::{Directory, Stretch};
use crate::error::Result;
use crate::grammar::{ArrayId, Class, Definition, Trace};
use crate::walk::compile;

/// One array over a whole trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayUse {
    /// The array.
    pub id: ArrayId,
    /// Its name.
    pub label: String,
    /// What its elements hold.
    pub class: Class,
    /// Bytes of an element.
    pub capacity_bytes: u64,
    /// 64-byte lines of its elements that each body reads and writes, under the body's first instant. What a call touches
    /// again in the next iteration counts once if a cache holds it meanwhile, and what threads touch at once counts once:
    /// they are taken to be in step. Touches through a view count for the arrays
    /// behind it by their share of its elements.
    pub touched: Vec<(usize, [u64; 2])>,
    /// Live bytes from an instant on, until the next entry; before the first, none. The first instant of a body shows the
    /// most that each array holds during it; the arrays need not reach that together.
    pub held: Vec<(usize, u64)>,
}

impl ArrayUse {
    /// Touches of lines by all bodies.
    pub fn touched_lines(&self) -> u64 {
        self.touched.iter().flat_map(|(_, lines)| lines).fold(0, |sum, lines| sum.saturating_add(*lines))
    }

    /// Most bytes alive at once.
    pub fn peak_bytes(&self) -> u64 {
        self.held.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0)
    }
}

/// All arrays of a trace that ever hold memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residency {
    /// The arrays, by number.
    pub arrays: Vec<ArrayUse>,
    /// Number of instants: two for each top-level body, the most of each array and its end.
    pub instants: usize,
}

/// Live bytes of each array, ascending by number; none is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ByArray(Vec<(u32, i128)>);

impl Change for ByArray {
    const NAMES_ARRAYS: bool = true;

    fn of(array: ArrayId, _: Class, bytes: i128) -> Self {
        Self(if bytes == 0 { Vec::new() } else { vec![(array.0, bytes)] })
    }

    fn total(&self) -> i128 {
        self.0.iter().fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes))
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn growth(&self) -> Self {
        Self(self.0.iter().filter(|(_, bytes)| *bytes > 0).copied().collect())
    }

    /// Array by array.
    fn higher(self, other: Self) -> Self {
        let more = other.plus(&self, -1).growth();
        self.plus(&more, 1)
    }

    fn plus(&self, other: &Self, times: i128) -> Self {
        let mut sum = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            let (array, bytes) = match (ours.peek(), theirs.peek()) {
                (None, None) => return Self(sum),
                (Some(&&our), Some(their)) if our.0 == their.0 => {
                    let bytes = our.1.saturating_add(their.1.saturating_mul(times));
                    ours.next();
                    theirs.next();
                    (our.0, bytes)
                }
                (Some(&&our), their) if their.is_none_or(|their| our.0 < their.0) => {
                    ours.next();
                    our
                }
                (_, Some(&&(array, bytes))) => {
                    theirs.next();
                    (array, bytes.saturating_mul(times))
                }
                (Some(_), None) => unreachable!("the arm before takes it"),
            };
            if bytes != 0 {
                sum.push((array, bytes));
            }
        }
    }
}

/// What each array of a trace holds and how often it is touched, `threads` iterations of parallel regions at once, each
/// with `cache_bytes` of cache for what its calls touch again and again.
///
/// Costs a few times [`facts`](super::facts()); memory grows with the number of changes.
///
/// # Errors
/// Those of [`super::Collector::push`].
pub fn residency(trace: &Trace, threads: u64, cache_bytes: u64) -> Result<Residency> {
    let directory = Directory::of(&trace.definitions)?;
    let mut budget = Budget::new();
    let costs = trace.macros.iter().map(|defined| MacroCost::of(defined, &mut budget));
    let costs = costs.collect::<Result<Vec<_>>>()?;
    let sharing = Sharing { threads, cache_bytes };
    let mut live = Footprint::<ByArray>::new(threads.max(1));
    for (number, definition) in trace.definitions.iter().enumerate() {
        if let Definition::View(view) = definition {
            live.add_view(ArrayId(number as u32), view, &directory)?;
        }
    }
    let arrays = directory.len();
    let mut history = History {
        held: vec![Vec::new(); arrays],
        touched: vec![Vec::new(); arrays],
        last: ByArray::default(),
        instants: 0,
    };
    for phase in &trace.phases {
        budget.start_phase(&phase.head.name);
        for body in &phase.body {
            let nodes = compile(std::slice::from_ref(body), 0)?;
            for (array, lines) in counts::touches_by_array(&nodes, &costs, &directory, sharing, &mut budget)?
            {
                history.touch(&directory, array, lines, &mut budget)?;
            }
            let (peak, end) = live.apply(&nodes, &directory, (&phase.head.name, &mut budget))?;
            budget.spend(peak.size() + end.size())?;
            history.push(peak);
            history.push(end);
        }
    }
    let arrays = history.held.into_iter().zip(history.touched).enumerate();
    let arrays = arrays.filter(|(_, (held, _))| !held.is_empty()).filter_map(|(number, (held, touched))| {
        let array = directory.array(ArrayId(number as u32))?;
        Some(ArrayUse {
            id: ArrayId(number as u32),
            label: array.label.clone(),
            class: array.class,
            capacity_bytes: array.capacity_bytes,
            touched,
            held,
        })
    });
    Ok(Residency { arrays: arrays.collect(), instants: history.instants })
}

/// Live bytes of each array, noted when they change, and touches of its lines.
struct History {
    held: Vec<Vec<(usize, u64)>>,
    touched: Vec<Vec<(usize, [u64; 2])>>,
    last: ByArray,
    instants: usize,
}

impl History {
    fn push(&mut self, now: ByArray) {
        for (array, _) in now.plus(&self.last, -1).0 {
            let place = now.0.binary_search_by_key(&array, |(array, _)| *array);
            let bytes = place.map_or(0, |place| u64::try_from(now.0[place].1.max(0)).unwrap_or(u64::MAX));
            self.held[array as usize].push((self.instants, bytes));
        }
        self.last = now;
        self.instants += 1;
    }

    /// Notes accesses of a body whose instants come next; those of a view go to the arrays behind it.
    fn touch(
        &mut self,
        directory: &Directory,
        array: ArrayId,
        lines: [u64; 2],
        budget: &mut Budget,
    ) -> Result<()> {
        let count = directory.elements(array).unwrap_or(1);
        let (instant, mut before, mut spent) = (self.instants, 0, Ok(()));
        directory.stretches(Stretch { array, start: 0, stride: 1, count }, &mut |stretch| {
            spent = budget.spend(1);
            let until = before + stretch.count;
            // What division leaves goes to the next.
            let part = |lines: u64, until: u64| u128::from(lines) * u128::from(until) / u128::from(count);
            let share = lines
                .map(|lines| u64::try_from(part(lines, until) - part(lines, before)).unwrap_or(u64::MAX));
            before = until;
            let touched = &mut self.touched[stretch.array.0 as usize];
            match touched.last_mut().filter(|(at, _)| *at == instant) {
                Some((_, sums)) => *sums = [0, 1].map(|way| sums[way].saturating_add(share[way])),
                None => touched.push((instant, share)),
            }
            spent.is_ok()
        });
        spent
    }
}
