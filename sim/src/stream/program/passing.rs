//! Arrays whose objects never outlive the iteration that makes them: scratch, messages, plaintexts.

use hetier_traces::{Body, Definition, Trace};

/// For each definition, whether all objects of it die in the same list of bodies that brought them to life, and no view
/// holds on to them. Where the allocator gives back at once what was freed last, such objects leave nothing behind.
pub fn passing(trace: &Trace) -> Vec<bool> {
    let mut lasts = vec![false; trace.definitions.len()];
    for phase in &trace.phases {
        note(&phase.body, &mut lasts);
    }
    // Views are defined after what they show.
    for (number, definition) in trace.definitions.iter().enumerate().rev() {
        if let Definition::View(view) = definition
            && lasts[number]
        {
            view.segments.iter().for_each(|segment| mark(&mut lasts, segment.array.0, false));
        }
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

/// Notes the arrays with a birth without its death behind it in the same list, or a death without its birth before it.
fn note(bodies: &[Body], lasts: &mut [bool]) {
    for (at, body) in bodies.iter().enumerate() {
        match body {
            Body::Alloc(run) => {
                let dies = bodies[at..].iter().any(|later| matches!(later, Body::Free(of) if of == run));
                mark(lasts, run.array.0, dies);
            }
            Body::Free(run) => {
                let is_born =
                    bodies[..at].iter().any(|earlier| matches!(earlier, Body::Alloc(of) if of == run));
                mark(lasts, run.array.0, is_born);
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

fn mark(lasts: &mut [bool], array: u32, has_counterpart: bool) {
    if let Some(lasts) = lasts.get_mut(array as usize) {
        *lasts |= !has_counterpart;
    }
}

#[cfg(test)]
mod tests {
    use hetier_traces::{Affine, ArrayId, Elements};

    use super::*;

    fn run(array: u32) -> Elements {
        Elements { array: ArrayId(array), start: Affine::constant(0), count: 1 }
    }

    #[test]
    fn object_passes_only_if_its_death_comes_behind_its_birth_in_the_same_list() {
        let cases = [
            (vec![Body::Alloc(run(0)), Body::Free(run(0))], false),
            (vec![Body::Free(run(0)), Body::Alloc(run(0))], true),
            (vec![Body::Alloc(run(0))], true),
            (vec![Body::Free(run(0))], true),
        ];
        for (bodies, expected) in cases {
            let mut lasts = vec![false];
            note(&bodies, &mut lasts);
            assert_eq!(lasts, [expected], "{bodies:?}");
        }
    }
}
