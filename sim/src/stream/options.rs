//! What stream fidelity can be told beyond the settings of a run.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::behaviour::{Behaviour, Conditions, Wanted};
use crate::Error;
use crate::system::System;

/// Choices of stream fidelity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Folder in which derived behaviours are kept; none by default. Safe to lose.
    pub cache: Option<PathBuf>,
    /// One page in how many is followed, a power of two; decided by the size of the trace if not given.
    pub sample_pages: Option<u64>,
}

/// Behaviours derived by this process.
static DERIVED: Mutex<Option<HashMap<String, Behaviour>>> = Mutex::new(None);

impl Options {
    /// The behaviour of a system under these options.
    ///
    /// # Errors
    /// Those of [`Behaviour::derive`].
    pub(super) fn behaviour(
        &self,
        system: &System,
        conditions: Conditions<'_>,
        is_wanted: &Wanted<'_>,
    ) -> Result<Behaviour, Error> {
        let key = format!("{system:?} {conditions:?}");
        let known = DERIVED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .and_then(|all| all.get(&key).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let derived = Behaviour::cached(system, conditions, self.cache.as_deref(), is_wanted)?;
        let mut all = DERIVED.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_or_insert_default().insert(key, derived.clone());
        Ok(derived)
    }
}
