//! Changes of many followed elements at once.

use super::{Change, Pass};
use crate::directory::Stretch;
use crate::error::Result;
use crate::grammar::ArrayId;
use crate::liveness::OWN;
use crate::loops::Nest;
use crate::walk::{Node, Run};

/// Elements from which on a run is worth the preparations.
const LEAST: u64 = 8;

/// Pieces of arrays from which on elements of a view are followed one by one instead.
const MOST_PIECES: usize = 1 << 20;

/// A run over all iterations of a nest: it treats every element of the stretch once, and all alike.
struct Settled<'n, C> {
    run: &'n Run,
    is_alloc: bool,
    stretch: Stretch,
    /// The objects behind it, if it is a view's.
    objects: Option<Vec<Stretch>>,
    /// What one execution of the run does.
    change: C,
}

impl<C> Settled<'_, C> {
    /// Arrays and views that it touches, each once.
    fn touched(&self) -> Vec<ArrayId> {
        let behind = self.objects.iter().flatten().map(|stretch| stretch.array);
        let mut touched: Vec<ArrayId> = std::iter::once(self.stretch.array).chain(behind).collect();
        touched.sort_unstable();
        touched.dedup();
        touched
    }
}

impl<C: Change> Pass<'_, C> {
    /// What one execution of a settled run does.
    pub(super) fn settled_change(&self, run: &Run) -> Option<&C> {
        self.settled.iter().find(|(settled, _)| std::ptr::eq(*settled, run)).map(|(_, change)| change)
    }

    /// Applies the changes of followed elements in a nest in bulk, if its runs treat disjoint stretches and each of them
    /// all of its elements alike. Otherwise nothing happens, and the nest has to be walked.
    pub(super) fn settle(&mut self, nest: &Nest, body: &[Node]) -> Result<()> {
        if !nest.is_box() || !self.has_followed(body) {
            return Ok(());
        }
        let Some(runs) = self.settled_runs(nest, body)? else { return Ok(()) };
        let mut touched: Vec<ArrayId> = runs.iter().flat_map(Settled::touched).collect();
        touched.sort_unstable();
        if touched.windows(2).any(|pair| pair[0] == pair[1]) {
            return Ok(());
        }
        for settled in &runs {
            self.apply_settled(settled)?;
            self.settled.push((settled.run, settled.change.clone()));
        }
        Ok(())
    }

    /// The runs of followed arrays among the nodes of a nest's body; `None` if any is deeper or treats elements unlike.
    fn settled_runs<'n>(&mut self, nest: &Nest, body: &'n [Node]) -> Result<Option<Vec<Settled<'n, C>>>> {
        let mut runs = Vec::new();
        for node in body {
            match node {
                Node::Alloc(run) | Node::Free(run) if self.followed.contains(run.array) => {
                    let Some(run) = self.settled_run(nest, run, matches!(node, Node::Alloc(_)))? else {
                        return Ok(None);
                    };
                    runs.push(run);
                }
                node if self.has_followed(std::slice::from_ref(node)) => return Ok(None),
                _ => {}
            }
        }
        Ok(Some(runs))
    }

    fn settled_run<'n>(
        &mut self,
        nest: &Nest,
        run: &'n Run,
        is_alloc: bool,
    ) -> Result<Option<Settled<'n, C>>> {
        let Some(stretch) = self.image(nest, run) else { return Ok(None) };
        let Some(objects) = self.objects(stretch)? else { return Ok(None) };
        Ok(self.alike(run, is_alloc, stretch, objects))
    }

    /// The settled run, if it treats all elements alike.
    fn alike<'n>(
        &self,
        run: &'n Run,
        is_alloc: bool,
        stretch: Stretch,
        objects: Vec<Stretch>,
    ) -> Option<Settled<'n, C>> {
        let is_view = self.directory.view(run.array).is_some();
        let is = |stretch: &Stretch, test: fn(u32) -> bool| self.liveness.all(*stretch, test);
        let are = |test: fn(u32) -> bool| objects.iter().all(|stretch| is(stretch, test));
        let sign = match (is_view, is_alloc) {
            (false, true) if is(&stretch, |count| count == 0) => 1,
            (false, false) if is(&stretch, |count| count == OWN) => -1,
            (false, false) if is(&stretch, |count| count > OWN) => 0,
            (true, true) if is(&stretch, |count| count == 0) && are(|count| count != 0) => 0,
            (true, false) if is(&stretch, |count| count != 0) && are(|count| count == 1) => -1,
            // One stretch names no object twice.
            (true, false)
                if is(&stretch, |count| count != 0)
                    && are(|count| count > 1 && count != OWN)
                    && matches!(&objects[..], [one] if one.stride != 0) =>
            {
                0
            }
            _ => return None,
        };
        let first = objects.first()?.array;
        let array = self.directory.array(first)?;
        let is_uniform = objects.iter().all(|stretch| {
            let other = self.directory.array(stretch.array);
            other.is_some_and(|other| other.capacity_bytes == array.capacity_bytes)
                && (!C::NAMES_ARRAYS || stretch.array == first)
        });
        let bytes = i128::from(array.capacity_bytes) * i128::from(run.count);
        let change = C::of(first, array.class, sign * bytes);
        let objects = is_view.then_some(objects);
        is_uniform.then_some(Settled { run, is_alloc, stretch, objects, change })
    }

    fn apply_settled(&mut self, settled: &Settled<'_, C>) -> Result<()> {
        match (&settled.objects, settled.is_alloc) {
            (None, true) => self.liveness.alloc_all(settled.stretch),
            (None, false) => self.liveness.free_all(settled.stretch).map(drop),
            (Some(objects), is_alloc) => self.change_view(settled.stretch, objects, is_alloc).map(drop),
        }
    }

    /// Lets elements of a view refer, or stop to; gives what dies.
    fn change_view(&mut self, view: Stretch, objects: &[Stretch], is_alloc: bool) -> Result<C> {
        if is_alloc {
            self.liveness.mark_all(view)?;
            objects.iter().try_for_each(|&stretch| self.liveness.refer_all(stretch))?;
            return Ok(C::default());
        }
        self.liveness.clear_all(view)?;
        objects.iter().try_fold(C::default(), |sum, &stretch| {
            let died = self.liveness.release_all(stretch)?;
            Ok(sum.plus(&self.lost(stretch, died), 1))
        })
    }

    fn lost(&self, stretch: Stretch, died: u64) -> C {
        self.directory.array(stretch.array).map_or_else(C::default, |array| {
            C::of(stretch.array, array.class, -i128::from(array.capacity_bytes) * i128::from(died))
        })
    }

    /// All elements that a run treats in the iterations of a nest, if it treats each once and they lie side by side.
    fn image(&mut self, nest: &Nest, run: &Run) -> Option<Stretch> {
        let mut steps = Vec::with_capacity(nest.depth());
        for level in 0..nest.depth() {
            let length = nest.level_length(&self.scope, level);
            if !nest.enter_level(&mut self.scope, level) {
                return None;
            }
            if length > 1 {
                steps.push((run.start.coefficient(nest.variable(level)), length));
            }
        }
        steps.sort_unstable();
        let mut count = run.count;
        for (coefficient, length) in steps {
            if u64::try_from(coefficient) != Ok(count) {
                return None;
            }
            count = count.checked_mul(length)?;
        }
        let start = u64::try_from(run.start.value(&self.scope)).ok()?;
        Some(Stretch { array: run.array, start, stride: 1, count })
    }

    /// The objects behind a stretch; `None` if any is outside or if they lie in too many pieces.
    ///
    /// # Errors
    /// - [`Error::TooManySteps`](crate::Error::TooManySteps) if following them would take too many.
    fn objects(&mut self, stretch: Stretch) -> Result<Option<Vec<Stretch>>> {
        let (mut objects, mut steps) = (Vec::new(), stretch.steps());
        let is_inside = self.directory.stretches(stretch, &mut |stretch| {
            objects.push(stretch);
            steps = steps.saturating_add(stretch.steps());
            objects.len() <= MOST_PIECES
        });
        self.budget.spend(steps)?;
        Ok(is_inside.then_some(objects))
    }

    /// Applies one run at one place in bulk and gives what it does; `None`, and nothing happens, if any of its elements
    /// would be refused.
    pub(super) fn whole_run(&mut self, run: &Run, start: i64, is_alloc: bool) -> Result<Option<C>> {
        let Ok(start) = u64::try_from(start) else { return Ok(None) };
        if run.count < LEAST {
            return Ok(None);
        }
        let stretch = Stretch { array: run.array, start, stride: 1, count: run.count };
        let Some(objects) = self.objects(stretch)? else { return Ok(None) };
        let Some(array) = self.directory.array(run.array) else {
            let all_live = |stretch: &Stretch| self.liveness.all(*stretch, |count| count != 0);
            let is_allowed = if is_alloc {
                self.liveness.all(stretch, |count| count == 0) && objects.iter().all(all_live)
            } else {
                all_live(&stretch)
            };
            return is_allowed.then(|| self.change_view(stretch, &objects, is_alloc)).transpose();
        };
        if is_alloc {
            if !self.liveness.all(stretch, |count| count == 0) {
                return Ok(None);
            }
            self.liveness.alloc_all(stretch)?;
            let bytes = i128::from(array.capacity_bytes) * i128::from(run.count);
            return Ok(Some(C::of(run.array, array.class, bytes)));
        }
        if !self.liveness.all(stretch, |count| count & OWN != 0) {
            return Ok(None);
        }
        let died = self.liveness.free_all(stretch)?;
        Ok(Some(self.lost(stretch, died)))
    }
}
