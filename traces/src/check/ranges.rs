//! Intervals of values that loop variables and affine forms take.

use crate::grammar::{Affine, MAX_VARIABLES};

/// The values from `low` to `high`; none if they cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub low: i128,
    pub high: i128,
    /// Whether both ends are taken whatever the other variables are.
    pub is_exact: bool,
}

impl Interval {
    /// The values of `max(from) .. min(to)`.
    pub fn between(from: &[Self], to: &[Self]) -> Self {
        let low = from.iter().map(|bound| bound.low).max().unwrap_or(0);
        let high = to.iter().map(|bound| bound.high - 1).min().unwrap_or(low - 1);
        let is_exact = from.iter().chain(to).all(|bound| bound.low == bound.high);
        Self { low, high, is_exact }
    }

    /// The values of the lists that `select` may pick.
    pub fn of_lists(lists: &[Vec<u32>], select: Self) -> Self {
        let picked = || {
            let (first, last) = (select.low.max(0) as usize, select.high.min(lists.len() as i128 - 1));
            lists
                .iter()
                .take((last + 1).max(0) as usize)
                .skip(first)
                .flatten()
                .map(|value| i128::from(*value))
        };
        let is_exact = select.low == select.high;
        Self { low: picked().min().unwrap_or(0), high: picked().max().unwrap_or(-1), is_exact }
    }

    /// Fewest values that one of those lists has; none if there might be no list.
    pub fn fewest_of_lists(lists: &[Vec<u32>], select: Self) -> i128 {
        if select.outside(lists.len() as i128).is_some() {
            return 0;
        }
        let (first, count) = (select.low.max(0) as usize, (select.high - select.low + 1).max(0) as usize);
        lists.iter().skip(first).take(count).map(|list| list.len() as i128).min().unwrap_or(0)
    }

    /// A value outside `0..count` if there might be one.
    pub const fn outside(self, count: i128) -> Option<i128> {
        if self.low > self.high {
            None
        } else if self.low < 0 {
            Some(self.low)
        } else if self.high >= count {
            Some(self.high)
        } else {
            None
        }
    }

    /// A value outside `0..count` if there certainly is one.
    pub const fn refused(self, count: i128) -> Option<i128> {
        let is_disjoint = self.high < 0 || self.low >= count;
        if self.is_exact || is_disjoint { self.outside(count) } else { None }
    }
}

/// The variables in scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    intervals: Vec<Interval>,
    /// Of each variable those that its values depend on, itself included, as a bit set.
    behind: Vec<u32>,
}

impl Variables {
    pub fn len(&self) -> usize {
        self.intervals.len()
    }

    /// Whether some range never has a value, so that nothing inside runs.
    pub fn are_empty(&self) -> bool {
        self.intervals.iter().any(|interval| interval.low > interval.high)
    }

    /// Adds a variable whose range has at least `fewest` values, by the given forms; the number of variables if that is too
    /// many.
    ///
    /// If the range may be empty, what the forms depend on does not take both of its ends inside.
    pub fn push<'f>(
        &mut self,
        interval: Interval,
        fewest: i128,
        forms: impl Iterator<Item = &'f Affine>,
    ) -> Result<(), usize> {
        let variables = forms.flat_map(|form| &form.terms).map(|term| usize::from(term.0));
        let behind = variables.fold(0, |set, variable| set | self.behind.get(variable).unwrap_or(&0));
        if fewest < 1 {
            self.blur(behind);
        }
        let own = self.intervals.len();
        self.intervals.push(interval);
        self.behind.push(behind | 1_u32.checked_shl(own as u32).unwrap_or(0));
        if self.intervals.len() > MAX_VARIABLES { Err(self.intervals.len()) } else { Ok(()) }
    }

    /// Marks a set of variables as not taking both ends.
    pub fn blur(&mut self, set: u32) {
        let members = self.intervals.iter_mut().take(MAX_VARIABLES).enumerate();
        members.filter(|(at, _)| set >> at & 1 == 1).for_each(|(_, interval)| interval.is_exact = false);
    }

    /// Marks all but the first `kept` variables as not taking both ends.
    pub fn blur_from(&mut self, kept: usize) {
        self.intervals.iter_mut().skip(kept).for_each(|interval| interval.is_exact = false);
    }

    /// Least value of `to − from`.
    pub fn least_difference(&self, from: &Affine, to: &Affine) -> i128 {
        let coefficient = |form: &Affine, variable: usize| {
            let term = form.terms.iter().find(|term| usize::from(term.0) == variable);
            term.map_or(0, |term| i128::from(term.1))
        };
        let constant = i128::from(to.constant) - i128::from(from.constant);
        self.intervals.iter().enumerate().fold(constant, |least, (variable, interval)| {
            let coefficient = coefficient(to, variable) - coefficient(from, variable);
            let ends = [interval.low, interval.high].map(|end| coefficient.saturating_mul(end));
            least.saturating_add(ends[0].min(ends[1]))
        })
    }

    /// The values of a form whose variables are in scope.
    pub fn value(&self, form: &Affine) -> Interval {
        let constant = i128::from(form.constant);
        let mut sum = Interval { low: constant, high: constant, is_exact: true };
        for &(variable, coefficient) in &form.terms {
            let Some(interval) = self.intervals.get(usize::from(variable)) else { continue };
            let coefficient = i128::from(coefficient);
            let ends = [coefficient.saturating_mul(interval.low), coefficient.saturating_mul(interval.high)];
            sum.low = sum.low.saturating_add(ends[0].min(ends[1]));
            sum.high = sum.high.saturating_add(ends[0].max(ends[1]));
            sum.is_exact &= interval.is_exact;
        }
        sum
    }
}
