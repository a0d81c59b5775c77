//! Copies, sums and differences.

use hetier_traces::{Parameter, Role};

use super::{Body, Call, check_size};
use crate::Error;
use crate::ring::{Formula, Ring, Span, Step};

/// `dst = src`: SEAL fills the new ciphertext with zeros, then copies (reads S, writes 2S). Source: SEAL 3.4.5 and 4.4.3, `Ciphertext::operator=`.
pub(super) fn assign<R: Ring>(call: &Call<'_>, ring: &mut R, from: Span, to: Span) -> Result<(), Error> {
    if call.dataflow.is_seal() {
        ring.step(Step::new(Formula::Zero, 0, &[], &[to]))?;
    }
    ring.step(Step::new(Formula::Copy, 0, &[from], &[to]))
}

/// One step for each limb of each polynomial, component outermost.
pub(super) fn each_limb<R: Ring>(
    call: &Call<'_>,
    ring: &mut R,
    size: u32,
    step: impl Fn(usize, usize) -> Step,
) -> Result<(), Error> {
    for component in 0..size as usize {
        for limb in 0..call.level() {
            ring.step(step(component, limb))?;
        }
    }
    Ok(())
}

/// All limbs of a ciphertext as one span.
pub(super) fn whole(call: &Call<'_>, operand: u8, size: u32) -> Span {
    call.shape.run(operand, 0, size as usize * call.level())
}

/// x ← x ∘ a over whole ciphertexts.
fn assign_each<R: Ring>(
    call: &Call<'_>,
    ring: &mut R,
    size: u32,
    formula: Formula,
    a: u8,
    x: u8,
) -> Result<(), Error> {
    let shape = &call.shape;
    each_limb(call, ring, size, |c, j| {
        Step::new(formula, j, &[shape.component(a, c, j)], &[shape.component(x, c, j)])
    })
}

/// z ← a ∘ b: SEAL copies a and works in place.
fn combine_each<R: Ring>(
    call: &Call<'_>,
    ring: &mut R,
    size: u32,
    (fused, in_place): (Formula, Formula),
) -> Result<(), Error> {
    if call.dataflow.is_seal() {
        assign(call, ring, whole(call, 0, size), whole(call, 2, size))?;
        return assign_each(call, ring, size, in_place, 1, 2);
    }
    let shape = &call.shape;
    each_limb(call, ring, size, |c, j| {
        Step::new(
            fused,
            j,
            &[shape.component(0, c, j), shape.component(1, c, j)],
            &[shape.component(2, c, j)],
        )
    })
}

pub(super) struct Copy {
    pub size: u32,
}

impl Body for Copy {
    const NAME: &'static str = "copy";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        vec![call.ciphertext(Role::Input, self.size), call.ciphertext(Role::Output, self.size)]
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        assign(call, ring, whole(call, 0, self.size), whole(call, 1, self.size))
    }

    fn check(&self, _: &Call<'_>) -> Result<(), Error> {
        check_size(self, self.size, 1, 3)
    }
}

pub(super) struct Zero {
    pub size: u32,
}

impl Body for Zero {
    const NAME: &'static str = "zero";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        vec![call.ciphertext(Role::Output, self.size)]
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        ring.step(Step::new(Formula::Zero, 0, &[], &[whole(call, 0, self.size)]))
    }

    fn check(&self, _: &Call<'_>) -> Result<(), Error> {
        check_size(self, self.size, 1, 3)
    }
}

pub(super) struct Add {
    pub size: u32,
}

impl Body for Add {
    const NAME: &'static str = "add";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        [Role::Input, Role::Input, Role::Output].map(|role| call.ciphertext(role, self.size)).to_vec()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        combine_each(call, ring, self.size, (Formula::Add, Formula::AddAssign))
    }

    fn check(&self, _: &Call<'_>) -> Result<(), Error> {
        check_size(self, self.size, 1, 3)
    }
}

pub(super) struct AddAssign {
    pub size: u32,
}

impl Body for AddAssign {
    const NAME: &'static str = "add-assign";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        [Role::Input, Role::InOut].map(|role| call.ciphertext(role, self.size)).to_vec()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        assign_each(call, ring, self.size, Formula::AddAssign, 0, 1)
    }

    fn check(&self, _: &Call<'_>) -> Result<(), Error> {
        check_size(self, self.size, 1, 3)
    }
}

pub(super) struct Subtract {
    pub size: u32,
}

impl Body for Subtract {
    const NAME: &'static str = "subtract";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        [Role::Input, Role::Input, Role::Output].map(|role| call.ciphertext(role, self.size)).to_vec()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        combine_each(call, ring, self.size, (Formula::Subtract, Formula::SubtractAssign))
    }

    fn check(&self, _: &Call<'_>) -> Result<(), Error> {
        check_size(self, self.size, 1, 3)
    }
}

pub(super) struct SubtractAssign {
    pub size: u32,
}

impl Body for SubtractAssign {
    const NAME: &'static str = "subtract-assign";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        [Role::Input, Role::InOut].map(|role| call.ciphertext(role, self.size)).to_vec()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        assign_each(call, ring, self.size, Formula::SubtractAssign, 0, 1)
    }

    fn check(&self, _: &Call<'_>) -> Result<(), Error> {
        check_size(self, self.size, 1, 3)
    }
}

pub(super) struct Negate {
    pub size: u32,
}

impl Body for Negate {
    const NAME: &'static str = "negate";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        vec![call.ciphertext(Role::InOut, self.size)]
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let shape = &call.shape;
        each_limb(call, ring, self.size, |c, j| {
            Step::new(Formula::NegateAssign, j, &[], &[shape.component(0, c, j)])
        })
    }

    fn check(&self, _: &Call<'_>) -> Result<(), Error> {
        check_size(self, self.size, 1, 3)
    }
}

pub(super) struct AddPlain;

impl Body for AddPlain {
    const NAME: &'static str = "add-plain";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        vec![call.plaintext(Role::Input), call.ciphertext(Role::InOut, 2)]
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        assign_each(call, ring, 1, Formula::AddAssign, 0, 1)
    }
}

pub(super) struct AddScalar;

impl Body for AddScalar {
    const NAME: &'static str = "add-scalar";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        vec![call.scalar(Role::Input), call.ciphertext(Role::InOut, 2)]
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let shape = &call.shape;
        each_limb(call, ring, 1, |c, j| {
            let residue = Span { words: 1, ..shape.scalar(0, j) };
            Step::new(Formula::AddScalarAssign, j, &[residue], &[shape.component(1, c, j)])
        })
    }
}
