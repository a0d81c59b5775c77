//! The two interpreters of a program: [`shape`] writes its folded trace without arithmetic, [`execute`] runs it with
//! real cryptography and records what it touches.
//!
//! Expanded, the two traces are equal, event for event.

mod execute;
mod store;

pub use execute::{Execution, Observer, Quiet, Run, execute, execute_in};
pub use store::{Memory, Placement};

use hetier_traces::Trace;

use crate::Error;
use crate::program::Program;

/// The folded trace of a program. Costs one pass over its primitives' steps; the size of the network does not matter.
///
/// # Errors
/// If a primitive cannot run at its level.
pub fn shape(program: &Program) -> Result<Trace, Error> {
    let macros = program.primitives.iter().map(|primitive| primitive.to_macro(&program.parameters));
    Ok(Trace {
        header: program.header.clone(),
        definitions: program.definitions.clone(),
        macros: macros.collect::<Result<_, _>>()?,
        phases: program.phases.clone(),
    })
}
