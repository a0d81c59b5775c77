//! Everything that calls share: parameters, tables, the seed.

use crate::ring::{Seed, Tables};
use crate::{Error, Parameters};

/// What the execution of primitives needs besides their operands. Shaping needs [`Parameters`] alone.
#[derive(Debug)]
pub struct Context {
    parameters: Parameters,
    tables: Tables,
    seed: Seed,
}

impl Context {
    /// A context with a seed from the operating system.
    ///
    /// Costs 32·N·K bytes of tables, and about 2 ms per prime at N = 2¹³.
    ///
    /// # Errors
    /// [`Error::Randomness`] if the system gives none.
    pub fn new(parameters: Parameters) -> Result<Self, Error> {
        Ok(Self::with_seed(parameters, Seed::from_system()?))
    }

    /// A context with a given seed: the same seed and stream numbers give the same keys and ciphertexts.
    pub fn with_seed(parameters: Parameters, seed: Seed) -> Self {
        Self { tables: Tables::new(&parameters), parameters, seed }
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    pub(crate) fn seed(&self) -> Seed {
        self.seed
    }
}
