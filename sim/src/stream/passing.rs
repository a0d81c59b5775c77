//! Arrays whose objects never outlive the iteration that makes them: scratch, messages, plaintexts.

use hetier_traces::{Body, Definition, Trace};

/// For each definition, whether all objects of it die in the same list of bodies that brought them to life. Where the
/// allocator gives back at once what was freed last, such objects leave nothing behind.
pub fn passing(trace: &Trace) -> Vec<bool> {
    let mut lasts = vec![false; trace.definitions.len()];
    for phase in &trace.phases {
        note(&phase.body, &mut lasts);
    }
    let mut passing: Vec<bool> = Vec::with_capacity(lasts.len());
    for (definition, lasts) in trace.definitions.iter().zip(lasts) {
        let is_passing = match definition {
            Definition::Array(_) => !lasts,
            Definition::View(view) => {
                let inner = |array: usize| passing.get(array).copied().unwrap_or(false);
                view.segments.iter().all(|segment| inner(segment.array.0 as usize))
            }
        };
        passing.push(is_passing);
    }
    passing
}

/// Notes the arrays with a birth or death whose counterpart is not in the same list.
fn note(bodies: &[Body], lasts: &mut [bool]) {
    for body in bodies {
        match body {
            Body::Alloc(run) | Body::Free(run) => {
                let is_other = |other: &&Body| match (body, other) {
                    (Body::Alloc(_), Body::Free(other)) | (Body::Free(_), Body::Alloc(other)) => other == run,
                    _ => false,
                };
                if bodies.iter().find(is_other).is_none()
                    && let Some(lasts) = lasts.get_mut(run.array.0 as usize)
                {
                    *lasts = true;
                }
            }
            Body::Loop { first, body, .. } => {
                note(first, lasts);
                note(body, lasts);
            }
            Body::Parallel { body, .. } => note(body, lasts),
            Body::Fork { branches, .. } => branches.iter().for_each(|branch| note(branch, lasts)),
            Body::Call { .. } => {}
        }
    }
}
