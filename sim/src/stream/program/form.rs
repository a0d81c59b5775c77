//! The form of a phase or a parallel region: what is left of it without the names of its objects.

use std::hash::{DefaultHasher, Hash, Hasher};

use hetier_traces::{ArrayId, Body, Definition};

/// A number for the form of bodies: equal for those that do the same to other objects of the same sizes and classes.
/// Unlike forms have unlike numbers but for one pair in 2⁶⁴.
pub fn form(bodies: &[Body], definitions: &[Definition]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for body in bodies {
        let mut body = body.clone();
        blank(&mut body, definitions);
        body.hash(&mut hasher);
    }
    hasher.finish()
}

/// Puts the kind of array in the place of its name, and forgets where in the array the body begins.
fn blank(body: &mut Body, definitions: &[Definition]) {
    match body {
        Body::Call { operands, .. } => {
            for operand in operands {
                operand.array = kind(operand.array, definitions);
                operand.index.constant = 0;
            }
        }
        Body::Loop { first, body, .. } => {
            first.iter_mut().chain(body).for_each(|inner| blank(inner, definitions));
        }
        Body::Parallel { body, .. } => body.iter_mut().for_each(|inner| blank(inner, definitions)),
        Body::Fork { branches, .. } => {
            branches.iter_mut().flatten().for_each(|inner| blank(inner, definitions));
        }
        Body::Alloc(run) | Body::Free(run) => {
            run.array = kind(run.array, definitions);
            run.start.constant = 0;
        }
    }
}

/// Class and size of an array's elements as a number; views are all alike.
fn kind(array: ArrayId, definitions: &[Definition]) -> ArrayId {
    match definitions.get(array.0 as usize) {
        Some(Definition::Array(array)) => {
            let mut hasher = DefaultHasher::new();
            (array.class, array.capacity_bytes).hash(&mut hasher);
            ArrayId(hasher.finish() as u32)
        }
        _ => ArrayId(0),
    }
}

#[cfg(test)]
mod tests {
    use hetier_traces::{Affine, Array, Class, Elements};

    use super::*;

    fn birth(array: u32, start: i64) -> [Body; 1] {
        [Body::Alloc(Elements { array: ArrayId(array), start: Affine::constant(start), count: 1 })]
    }

    #[test]
    fn forms_are_equal_for_other_objects_of_the_same_size_alone() {
        let array = |capacity_bytes: u64| {
            Definition::Array(Array {
                label: String::new(),
                class: Class::Ciphertext,
                capacity_bytes,
                used_bytes: capacity_bytes,
                elements: 10,
            })
        };
        let definitions = [array(4096), array(4096), array(8192)];

        assert_eq!(form(&birth(0, 3), &definitions), form(&birth(1, 5), &definitions));
        assert_ne!(form(&birth(0, 3), &definitions), form(&birth(2, 3), &definitions));
    }
}
