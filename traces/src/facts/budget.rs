//! How much walking facts may cost: what a trace makes them do has no bound of its own.

use crate::error::{Error, Result};
use crate::loops::{Nest, Scope};

use super::shape::{Matters, Runs};

/// Steps that the facts of one trace may take: iterations, nodes and elements walked one by one, and draws. Networks take up
/// to 10⁷. ResNet-50 with drawn zeros that are copied, by far the longest known, has 4·10⁹ products with some twenty each.
const MOST_STEPS: u64 = 1 << 38;

/// The steps taken so far, and where.
#[derive(Debug)]
pub(super) struct Budget {
    phase: String,
    spent: u64,
}

impl Budget {
    /// Nothing spent.
    pub fn new() -> Self {
        Self { phase: "definitions".into(), spent: 0 }
    }

    /// Whom errors name from now on.
    pub fn start_phase(&mut self, name: &str) {
        name.clone_into(&mut self.phase);
    }

    /// Takes note of steps before they are taken.
    ///
    /// # Errors
    /// - [`Error::TooManySteps`] if they are too many.
    pub fn spend(&mut self, steps: u64) -> Result<()> {
        self.spent = self.spent.saturating_add(steps);
        if self.spent <= MOST_STEPS {
            return Ok(());
        }
        Err(Error::TooManySteps { phase: self.phase.clone(), found: self.spent, most: MOST_STEPS })
    }

    /// [`Nest::level_length`].
    pub fn length(&mut self, nest: &Nest, scope: &Scope, level: usize) -> Result<u64> {
        self.spend(nest.level_draws(level))?;
        Ok(nest.level_length(scope, level))
    }

    /// [`Nest::enter_level`].
    pub fn enter(&mut self, nest: &Nest, scope: &mut Scope, level: usize) -> Result<bool> {
        self.spend(1 + nest.level_draws(level))?;
        Ok(nest.enter_level(scope, level))
    }

    /// [`Nest::step_level`]; entering paid for the draws.
    pub fn step(&mut self, nest: &Nest, scope: &mut Scope, level: usize) -> Result<bool> {
        self.spend(1)?;
        Ok(nest.step_level(scope, level))
    }

    /// Puts the ranges from `level` on at their first iteration; false if there is none.
    pub fn start(&mut self, nest: &Nest, scope: &mut Scope, level: usize) -> Result<bool> {
        if level == nest.depth() {
            return Ok(true);
        }
        // A run of listed values stands at its last one.
        let matters = if nest.is_contiguous(level) { SHAPING } else { None };
        let mut runs = Runs::default();
        while runs.next((self, scope), (nest, level), &[], matters)?.is_some() {
            if self.start(nest, scope, level + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Iterations of the ranges from `level` on; saturates. Overwrites their variables.
    pub fn count(&mut self, nest: &Nest, scope: &mut Scope, level: usize) -> Result<u64> {
        if level == nest.depth() {
            return Ok(1);
        }
        if !nest.shapes_inner(level) {
            let length = self.length(nest, scope, level)?;
            let inner = if length == 0 { 0 } else { self.count(nest, scope, level + 1)? };
            return Ok(length.saturating_mul(inner));
        }
        let (mut runs, mut total) = (Runs::default(), 0_u64);
        while let Some(times) = runs.next((self, scope), (nest, level), &[], SHAPING)? {
            total = total.saturating_add(times.saturating_mul(self.count(nest, scope, level + 1)?));
        }
        Ok(total)
    }
}

/// Only the ranges of the nest itself matter.
const SHAPING: Option<Matters> = Some(|_| false);
