//! Live bytes over time, from allocations and releases alone.
//!
//! Loops whose iterations allocate alike are multiplied. Arrays that views refer to are followed element by
//! element, because an object dies with its last reference; where a run or a nest treats all its elements alike, they are
//! taken in bulk (`bulk.rs`).
//!
//! Budget: a network has some 5·10⁷ changes of followed elements (ResNet-50: 60 convolutions, each with the allocation
//! of 2·10⁵ to 8·10⁵ sums and the references of two views). One by one each costs 0.3 µs, in bulk a few reads and writes of
//! counts that lie side by side, about 2 ns.

mod bulk;
mod profile;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::budget::Budget;
use super::class_index;
use super::shape::{Matters, Runs};
use crate::directory::{Directory, Object, Stretch};
use crate::error::{Error, Result};
use crate::grammar::{ArrayId, Class, View};
use crate::liveness::{Change as Fate, Liveness};
use crate::loops::{Nest, Scope};
use crate::walk::{Inside, Iterations, Loop, Node, Region, Run};

use profile::Profile;
pub(super) use profile::{Change, Delta};

/// Bytes by class, in the order of [`Class::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByClass(pub [u64; Class::ALL.len()]);

impl ByClass {
    /// Sum over the classes.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// Bytes of one class.
    pub const fn of(&self, class: Class) -> u64 {
        self.0[class_index(class)]
    }

    pub(super) fn named(&self) -> BTreeMap<String, u64> {
        let named = Class::ALL.into_iter().map(|class| (class.name().to_owned(), self.of(class)));
        named.filter(|(_, bytes)| *bytes > 0).collect()
    }
}

/// A set of arrays and views.
#[derive(Debug, Default)]
struct Followed(Vec<bool>);

impl Followed {
    /// Adds one; false if it was in already.
    fn insert(&mut self, id: ArrayId) -> bool {
        let number = id.0 as usize;
        if self.0.len() <= number {
            self.0.resize(number + 1, false);
        }
        !std::mem::replace(&mut self.0[number], true)
    }

    #[inline]
    fn contains(&self, id: ArrayId) -> bool {
        self.0.get(id.0 as usize).copied().unwrap_or(false)
    }
}

/// The state of the footprint after the bodies applied so far.
#[derive(Debug)]
pub(super) struct Footprint<C> {
    threads: u64,
    live: C,
    /// Arrays that views refer to, and the views.
    followed: Followed,
    liveness: Liveness,
    /// Live elements of arrays that are not followed.
    elements: HashMap<ArrayId, i128>,
}

impl<C: Change> Footprint<C> {
    pub fn new(threads: u64) -> Self {
        Self {
            threads,
            live: C::default(),
            followed: Followed::default(),
            liveness: Liveness::default(),
            elements: HashMap::new(),
        }
    }

    /// What lives.
    pub const fn live(&self) -> &C {
        &self.live
    }

    /// Follows a view and the arrays behind it from now on.
    ///
    /// # Errors
    /// - [`Error::Malformed`] if some but not all elements of an array behind it live already: which ones is not
    ///   known any more.
    pub fn add_view(&mut self, id: ArrayId, view: &View, directory: &Directory) -> Result<()> {
        self.followed.insert(id);
        for segment in &view.segments {
            let Some(array) = directory.array(segment.array) else { continue };
            if !self.followed.insert(segment.array) {
                continue;
            }
            let live = self.elements.remove(&segment.array).unwrap_or(0);
            if live == i128::from(array.elements) {
                let all = Stretch { array: segment.array, start: 0, stride: 1, count: array.elements };
                self.liveness.alloc_all(all)?;
            } else if live != 0 {
                let rule =
                    "found some elements alive before the view's definition, need it before their allocation";
                return Err(Error::Malformed { place: format!("view {}", view.label), rule });
            }
        }
        Ok(())
    }

    /// Counts what a body left alive of arrays that are not followed.
    pub fn note(&mut self, lifetimes: &HashMap<ArrayId, i128>) {
        for (array, change) in lifetimes.iter().filter(|(array, _)| !self.followed.contains(**array)) {
            let sum = self.elements.entry(*array).or_default();
            *sum = sum.saturating_add(*change);
        }
    }

    /// Applies bodies; gives live bytes at their largest and after them.
    pub fn apply(
        &mut self,
        nodes: &[Node],
        directory: &Directory,
        (phase, budget): (&str, &mut Budget),
    ) -> Result<(C, C)> {
        let mut pass = Pass::<C> {
            threads: self.threads,
            followed: &self.followed,
            liveness: &mut self.liveness,
            directory,
            phase,
            budget,
            scope: Scope::new(),
            settled: Vec::new(),
        };
        let profile = pass.bodies(nodes)?;
        let peak = self.live.plus(&profile.peak, 1);
        self.live = self.live.plus(&profile.net, 1);
        Ok((peak, self.live.clone()))
    }
}

/// One pass over bodies.
struct Pass<'f, C> {
    threads: u64,
    followed: &'f Followed,
    liveness: &'f mut Liveness,
    directory: &'f Directory,
    phase: &'f str,
    budget: &'f mut Budget,
    scope: Scope,
    /// Runs of followed arrays in the nests around whose changes were applied in bulk, with what one execution does.
    settled: Vec<(*const Run, C)>,
}

impl<C: Change> Pass<'_, C> {
    fn bodies(&mut self, nodes: &[Node]) -> Result<Profile<C>> {
        let mut sum = Profile::<C>::default();
        for node in nodes {
            self.budget.spend(1 + sum.net.size())?;
            sum.then(&self.node(node)?);
        }
        Ok(sum)
    }

    fn node(&mut self, node: &Node) -> Result<Profile<C>> {
        match node {
            Node::Call(_) => Ok(Profile::default()),
            Node::Alloc(run) => self.run(run, true),
            Node::Free(run) => self.run(run, false),
            Node::Loop(repeated) if repeated.inside.has_lifetimes => Ok(self.repeated(repeated)?.joined(1)),
            Node::Region(region) if region.inside.has_lifetimes => {
                // Who runs an iteration runs the regions inside it alone.
                let threads = std::mem::replace(&mut self.threads, 1);
                let profile = self.region(region)?;
                self.threads = threads;
                Ok(profile.joined(threads))
            }
            Node::Loop(_) | Node::Region(_) => Ok(Profile::default()),
        }
    }

    fn region(&mut self, region: &Region) -> Result<Profile<C>> {
        match &region.iterations {
            Iterations::Nest { nest, body } => self.whole_nest(nest, region.inside, body),
            Iterations::Branches(branches) => {
                let mut sum = Profile::default();
                for branch in branches {
                    sum.then(&self.bodies(branch)?.iteration());
                }
                Ok(sum)
            }
        }
    }

    fn repeated(&mut self, repeated: &Loop) -> Result<Profile<C>> {
        let Loop { nest, first, body, inside } = repeated;
        if first.is_empty() {
            return self.whole_nest(nest, *inside, body);
        }
        let is_followed = self.has_followed(body) || self.has_followed(first);
        let own = (0..nest.depth()).fold(0_u32, |set, level| set | 1 << nest.variable(level));
        let is_uniform = !is_followed && inside.lifetime_bounds & own == 0;
        let mut sum = Profile::default();
        if !is_uniform {
            self.walked(repeated, 0, &mut false, &mut sum)?;
        } else if self.budget.start(nest, &mut self.scope, 0)? {
            sum = self.bodies(first)?.iteration();
            let rest = self.budget.count(nest, &mut self.scope, 0)?.saturating_sub(1);
            sum.then(&self.bodies(body)?.iteration().repeated(rest));
        }
        Ok(sum)
    }

    /// The ranges of a loop from `level` on, iteration by iteration; the very first one is that of `first`.
    fn walked(
        &mut self,
        repeated: &Loop,
        level: usize,
        has_begun: &mut bool,
        sum: &mut Profile<C>,
    ) -> Result<()> {
        let Loop { nest, first, body, .. } = repeated;
        if level == nest.depth() {
            let nodes = if std::mem::replace(has_begun, true) { body } else { first };
            sum.then(&self.bodies(nodes)?.iteration());
            return Ok(());
        }
        let mut runs = Runs::default();
        while runs.next((self.budget, &mut self.scope), (nest, level), &[], None)?.is_some() {
            self.walked(repeated, level + 1, has_begun, sum)?;
        }
        Ok(())
    }

    fn whole_nest(&mut self, nest: &Nest, inside: Inside, body: &[Node]) -> Result<Profile<C>> {
        let before = self.settled.len();
        self.settle(nest, body)?;
        let is_followed = self.has_followed(body);
        let profile = self.nest(nest, 0, (inside, is_followed), body);
        self.settled.truncate(before);
        profile
    }

    /// The ranges of a nest from `level` on.
    fn nest(
        &mut self,
        nest: &Nest,
        level: usize,
        inside: (Inside, bool),
        body: &[Node],
    ) -> Result<Profile<C>> {
        if level == nest.depth() {
            return Ok(self.bodies(body)?.iteration());
        }
        let (Inside { lifetime_bounds, .. }, is_followed) = inside;
        let is_uniform =
            !is_followed && !nest.shapes_inner(level) && lifetime_bounds >> nest.variable(level) & 1 == 0;
        if is_uniform {
            let length = self.budget.length(nest, &self.scope, level)?;
            let once =
                if length > 0 { self.nest(nest, level + 1, inside, body)? } else { Profile::default() };
            return Ok(once.repeated(length));
        }
        let matters: Option<Matters> = (!is_followed).then_some(|inside| inside.has_lifetimes);
        let (mut sum, mut runs) = (Profile::default(), Runs::default());
        while let Some(times) = runs.next((self.budget, &mut self.scope), (nest, level), body, matters)? {
            sum.then(&self.nest(nest, level + 1, inside, body)?.repeated(times));
        }
        Ok(sum)
    }

    fn has_followed(&self, nodes: &[Node]) -> bool {
        nodes.iter().any(|node| match node {
            Node::Call(_) => false,
            Node::Alloc(run) | Node::Free(run) => {
                self.followed.contains(run.array) && self.settled_change(run).is_none()
            }
            Node::Loop(repeated) => self.has_followed(&repeated.first) || self.has_followed(&repeated.body),
            Node::Region(region) => match &region.iterations {
                Iterations::Nest { body, .. } => self.has_followed(body),
                Iterations::Branches(branches) => branches.iter().any(|branch| self.has_followed(branch)),
            },
        })
    }

    fn run(&mut self, run: &Run, is_alloc: bool) -> Result<Profile<C>> {
        let (Some(class), Some(capacity)) =
            (self.directory.class(run.array), self.directory.least_capacity(run.array))
        else {
            let (place, array) = (self.phase.to_owned(), run.array.0);
            return Err(Error::UndefinedArray { place, array, defined: self.directory.len() });
        };
        if self.followed.contains(run.array) {
            return self.followed_run(run, is_alloc);
        }
        let bytes = i128::from(run.count) * i128::from(capacity);
        Ok(Profile::change(C::of(run.array, class, if is_alloc { bytes } else { -bytes })))
    }

    fn followed_run(&mut self, run: &Run, is_alloc: bool) -> Result<Profile<C>> {
        if let Some(change) = self.settled_change(run) {
            return Ok(Profile::change(change.clone()));
        }
        let start = run.start.value(&self.scope);
        if let Some(change) = self.whole_run(run, start, is_alloc)? {
            return Ok(Profile::change(change));
        }
        self.budget.spend(run.count)?;
        let mut sum = Profile::default();
        for step in 0..run.count {
            let index = start.wrapping_add(step as i64);
            let Some(object) = self.directory.resolve(run.array, index) else {
                let most = self.directory.elements(run.array).map_or(0, |elements| i128::from(elements) - 1);
                let place = format!("{}: {}", self.phase, self.directory.label(run.array));
                return Err(Error::OutOfRange { place, what: "index", found: index.into(), least: 0, most });
            };
            sum.then(&self.followed_element(run.array, index as u64, object, is_alloc)?);
        }
        Ok(sum)
    }

    fn followed_element(
        &mut self,
        id: ArrayId,
        index: u64,
        object: Object,
        is_alloc: bool,
    ) -> Result<Profile<C>> {
        let change = match (object.array == id, is_alloc) {
            (true, true) => self.liveness.alloc(object)?,
            (true, false) => self.liveness.free(object)?,
            (false, true) => self.liveness.refer(id, index, object)?,
            (false, false) => self.liveness.release(id, index, object)?,
        };
        let Some(array) = self.directory.array(object.array) else { return Ok(Profile::default()) };
        let bytes = i128::from(array.capacity_bytes);
        match change {
            Fate::Born => Ok(Profile::change(C::of(object.array, array.class, bytes))),
            Fate::Died => Ok(Profile::change(C::of(object.array, array.class, -bytes))),
            Fate::Lives => Ok(Profile::default()),
            Fate::Refused => {
                let (phase, label) = (self.phase.to_owned(), self.directory.label(id).to_owned());
                if is_alloc && self.liveness.is_live(object) {
                    return Err(Error::Alive { phase, label, index });
                }
                let action = if is_alloc { "reference" } else { "release" };
                Err(Error::Dead { phase, action, label, index })
            }
        }
    }
}
