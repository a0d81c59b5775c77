//! What stream fidelity can be told beyond the settings of a run.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::behaviour::{Behaviour, Conditions};
use crate::Error;
use crate::replay::Progress;
use crate::system::System;

/// Choices of stream fidelity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Folder in which derived behaviours are kept; none by default. Safe to lose.
    pub cache: Option<PathBuf>,
    /// Behaviour to use instead of a derived one, for measured curves.
    pub behaviour: Option<Arc<Behaviour>>,
    /// One page in how many is followed, a power of two; decided by the size of the trace if not given.
    pub sample_pages: Option<u64>,
}

/// Behaviours derived by this process.
static DERIVED: Mutex<Option<HashMap<String, Arc<Behaviour>>>> = Mutex::new(None);

impl Options {
    /// The behaviour of a system under these options.
    ///
    /// # Errors
    /// Those of [`Behaviour::derive`].
    pub(super) fn behaviour(&self, system: &System, conditions: Conditions<'_>) -> Result<Behaviour, Error> {
        if let Some(given) = &self.behaviour {
            return Ok(Behaviour::clone(given));
        }
        let key = format!("{system:?} {conditions:?}");
        let known = DERIVED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .and_then(|all| all.get(&key).cloned());
        if let Some(known) = known {
            return Ok(Behaviour::clone(&known));
        }
        let derived = Behaviour::cached(system, conditions, self.cache.as_deref())?;
        let mut all = DERIVED.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_or_insert_default().insert(key, Arc::new(derived.clone()));
        Ok(derived)
    }
}

/// A caller's progress callback with the whole of the work.
pub struct Pace<'w, 'p> {
    pub(super) progress: &'w mut Progress<'p>,
    pub(super) total: u64,
}

impl<'w, 'p> Pace<'w, 'p> {
    /// Progress towards so many line accesses.
    pub fn new(progress: &'w mut Progress<'p>, total: u64) -> Self {
        Self { progress, total: total.max(1) }
    }
}
