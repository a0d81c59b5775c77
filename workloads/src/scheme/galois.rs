//! Which automorphism does what to the slots.

/// The Galois element that rotates slots to the left by `steps`: slot j of the result is slot j + steps.
///
/// Powers of 5, as the slots are ordered by them.
pub fn rotation(degree: usize, steps: i64) -> u64 {
    let order = 2 * degree as u64;
    let steps = steps.rem_euclid((degree / 2) as i64);
    (0..steps).fold(1, |element, _| element * 5 % order)
}

/// The Galois element that conjugates every slot: 2N − 1.
pub const fn conjugation(degree: usize) -> u64 {
    2 * degree as u64 - 1
}
