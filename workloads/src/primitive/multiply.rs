//! Products with scalars, plaintexts and ciphertexts.

use hetier_traces::{Class, Parameter, Role};

use super::linear::{assign, each_limb, whole};
use super::{Body, Call, Dataflow, check_size};
use crate::Error;
use crate::ring::{Formula, Ring, Span, Step};

/// Coefficients of a tile of SEAL's ciphertext product. Source: SEAL 4.4.3, `Evaluator::ckks_multiply`.
const TILE_WORDS: u32 = 256;

fn scalar_assign<R: Ring>(call: &Call<'_>, ring: &mut R, size: u32, scalar: u8, x: u8) -> Result<(), Error> {
    let shape = &call.shape;
    each_limb(call, ring, size, |c, j| {
        Step::new(Formula::MultiplyScalarAssign, j, &[shape.scalar(scalar, j)], &[shape.component(x, c, j)])
    })
}

/// a·scalar into a fresh ciphertext, added to the sum: what SEAL's interface makes of a multiply-accumulate
/// (reads 4S, writes 4S).
fn accumulate_apart<R: Ring>(call: &Call<'_>, ring: &mut R, size: u32, product: u8) -> Result<(), Error> {
    let (from, to) = (whole(call, 0, size), whole(call, product, size));
    ring.step(Step::new(Formula::Zero, 0, &[], &[to]))?;
    ring.step(Step::new(Formula::Copy, 0, &[from], &[to]))?;
    scalar_assign(call, ring, size, 1, product)?;
    let shape = &call.shape;
    each_limb(call, ring, size, |c, j| {
        Step::new(Formula::AddAssign, j, &[shape.component(product, c, j)], &[shape.component(2, c, j)])
    })
}

pub(super) struct MultiplyScalar {
    pub size: u32,
}

impl Body for MultiplyScalar {
    const NAME: &'static str = "multiply-scalar";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        vec![
            call.ciphertext(Role::Input, self.size),
            call.scalar(Role::Input),
            call.ciphertext(Role::Output, self.size),
        ]
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        if call.dataflow.is_seal() {
            assign(call, ring, whole(call, 0, self.size), whole(call, 2, self.size))?;
            return scalar_assign(call, ring, self.size, 1, 2);
        }
        let shape = &call.shape;
        each_limb(call, ring, self.size, |c, j| {
            let reads = [shape.scalar(1, j), shape.component(0, c, j)];
            Step::new(Formula::MultiplyScalar, j, &reads, &[shape.component(2, c, j)])
        })
    }

    fn check(&self, _: &Call<'_>) -> Result<(), Error> {
        check_size(self, self.size, 1, 3)
    }
}

pub(super) struct MultiplyScalarAssign {
    pub size: u32,
}

impl Body for MultiplyScalarAssign {
    const NAME: &'static str = "multiply-scalar-assign";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        vec![call.scalar(Role::Input), call.ciphertext(Role::InOut, self.size)]
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        scalar_assign(call, ring, self.size, 0, 1)
    }

    fn check(&self, _: &Call<'_>) -> Result<(), Error> {
        check_size(self, self.size, 1, 3)
    }
}

pub(super) struct MultiplyScalarAccumulate {
    pub size: u32,
}

impl Body for MultiplyScalarAccumulate {
    const NAME: &'static str = "multiply-scalar-accumulate";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let product = call.dataflow.is_seal().then(|| call.scratch(self.size as usize * call.level()));
        let operands = [
            call.ciphertext(Role::Input, self.size),
            call.scalar(Role::Input),
            call.ciphertext(Role::InOut, self.size),
        ];
        operands.into_iter().chain(product).collect()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        if call.dataflow.is_seal() {
            return accumulate_apart(call, ring, self.size, 3);
        }
        let shape = &call.shape;
        each_limb(call, ring, self.size, |c, j| {
            let reads = [shape.scalar(1, j), shape.component(0, c, j)];
            Step::new(Formula::MultiplyScalarAdd, j, &reads, &[shape.component(2, c, j)])
        })
    }

    fn check(&self, _: &Call<'_>) -> Result<(), Error> {
        check_size(self, self.size, 1, 3)
    }
}

pub(super) struct HeTransformerTap {
    pub images: u32,
}

impl Body for HeTransformerTap {
    const NAME: &'static str = "he-transformer-tap";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let vector = Parameter { bytes: 8 * u64::from(self.images), ..call.scratch(1) };
        vec![
            call.ciphertext(Role::Input, 2),
            call.scalar(Role::Input),
            call.ciphertext(Role::InOut, 2),
            call.scratch(2 * call.level()),
            vector,
            vector,
        ]
    }

    /// Source: he-transformer, `scalar_multiply_seal` and the copies of `HEType`: a vector of one number for each image,
    /// two to a slot under complex packing, is filled with zeros and copied, then the product is made apart.
    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let vector = |operand| Span { operand, offset: 0, words: self.images };
        ring.step(Step::new(Formula::Zero, 0, &[], &[vector(4)]))?;
        ring.step(Step::new(Formula::Copy, 0, &[vector(4)], &[vector(5)]))?;
        accumulate_apart(call, ring, 2, 3)
    }

    fn check(&self, call: &Call<'_>) -> Result<(), Error> {
        let (found, most) = (self.images as usize, call.shape.parameters.degree());
        if (1..=most).contains(&found) { Ok(()) } else { Err(Error::Batch { found, most }) }
    }
}

fn plain_assign<R: Ring>(call: &Call<'_>, ring: &mut R, plain: u8, x: u8) -> Result<(), Error> {
    let shape = &call.shape;
    each_limb(call, ring, 2, |c, j| {
        Step::new(Formula::MultiplyAssign, j, &[shape.limb(plain, j)], &[shape.component(x, c, j)])
    })
}

pub(super) struct MultiplyPlain;

impl Body for MultiplyPlain {
    const NAME: &'static str = "multiply-plain";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        vec![call.ciphertext(Role::Input, 2), call.plaintext(Role::Input), call.ciphertext(Role::Output, 2)]
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        if call.dataflow.is_seal() {
            assign(call, ring, whole(call, 0, 2), whole(call, 2, 2))?;
            return plain_assign(call, ring, 1, 2);
        }
        let shape = &call.shape;
        each_limb(call, ring, 2, |c, j| {
            let reads = [shape.component(0, c, j), shape.limb(1, j)];
            Step::new(Formula::Multiply, j, &reads, &[shape.component(2, c, j)])
        })
    }
}

pub(super) struct MultiplyPlainAssign;

impl Body for MultiplyPlainAssign {
    const NAME: &'static str = "multiply-plain-assign";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        vec![call.plaintext(Role::Input), call.ciphertext(Role::InOut, 2)]
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        plain_assign(call, ring, 0, 1)
    }
}

pub(super) struct MultiplyPlainAccumulate;

impl Body for MultiplyPlainAccumulate {
    const NAME: &'static str = "multiply-plain-accumulate";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let product = call.dataflow.is_seal().then(|| call.scratch(2 * call.level()));
        let operands =
            [call.ciphertext(Role::Input, 2), call.plaintext(Role::Input), call.ciphertext(Role::InOut, 2)];
        operands.into_iter().chain(product).collect()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let shape = &call.shape;
        if call.dataflow.is_seal() {
            assign(call, ring, whole(call, 0, 2), whole(call, 3, 2))?;
            plain_assign(call, ring, 1, 3)?;
            return each_limb(call, ring, 2, |c, j| {
                Step::new(Formula::AddAssign, j, &[shape.component(3, c, j)], &[shape.component(2, c, j)])
            });
        }
        each_limb(call, ring, 2, |c, j| {
            let reads = [shape.component(0, c, j), shape.limb(1, j)];
            Step::new(Formula::MultiplyAdd, j, &reads, &[shape.component(2, c, j)])
        })
    }
}

/// What a product in place begins with, in a destination that is not a factor: `copy` is assigned the first factor, then
/// `resize` goes from two polynomials to three: a new object, the old one copied, the tail filled with zeros.
fn grow<R: Ring>(call: &Call<'_>, ring: &mut R, from: u8, copy: u8, to: u8) -> Result<(), Error> {
    assign(call, ring, whole(call, from, 2), whole(call, copy, 2))?;
    ring.step(Step::new(Formula::Copy, 0, &[whole(call, copy, 2)], &[whole(call, to, 2)]))?;
    let tail = call.shape.run(to, 2 * call.level(), call.level());
    ring.step(Step::new(Formula::Zero, 0, &[], &[tail]))
}

pub(super) struct Multiply;

impl Body for Multiply {
    const NAME: &'static str = "multiply";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let k = call.level();
        let scratch = match call.dataflow {
            Dataflow::Fused => Vec::new(),
            Dataflow::Seal4 => {
                let bytes = 8 * u64::from(call.shape.degree().min(TILE_WORDS));
                vec![call.scratch(2 * k), Parameter { class: Class::Scratch, role: Role::Output, bytes }]
            }
            Dataflow::Seal345 => [2 * k, 3 * k, 2 * k, 2 * k, k, k].map(|limbs| call.scratch(limbs)).to_vec(),
        };
        let operands = [call.ciphertext(Role::Input, 2), call.ciphertext(Role::Input, 2)];
        operands.into_iter().chain([call.ciphertext(Role::Output, 3)]).chain(scratch).collect()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        match call.dataflow {
            Dataflow::Fused => tensor(call, ring),
            Dataflow::Seal4 => tensor_tiled(call, ring),
            Dataflow::Seal345 => tensor_passes(call, ring),
        }
    }
}

fn tensor<R: Ring>(call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
    let shape = &call.shape;
    each_limb(call, ring, 1, |_, j| {
        let [a, b] = [0, 1].map(|component| shape.component(0, component, j));
        let [c, d] = [0, 1].map(|component| shape.component(1, component, j));
        let out = [0, 1, 2].map(|component| shape.component(2, component, j));
        Step::new(Formula::Tensor, j, &[a, b, c, d], &out)
    })
}

/// In place in the grown first factor, tile by tile inside each limb.
fn tensor_tiled<R: Ring>(call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
    grow(call, ring, 0, 3, 2)?;
    let degree = call.shape.degree();
    let words = degree.min(TILE_WORDS);
    let temporary = Span { operand: 4, offset: 0, words };
    for limb in 0..call.level() {
        for tile in 0..degree / words {
            let part = |operand, component| {
                let limb = call.shape.component(operand, component, limb);
                Span { offset: limb.offset + u64::from(tile * words), words, ..limb }
            };
            let (x0, x1, x2, y0, y1) = (part(2, 0), part(2, 1), part(2, 2), part(1, 0), part(1, 1));
            ring.step(Step::new(Formula::Multiply, limb, &[x1, y1], &[x2]))?;
            ring.step(Step::new(Formula::Multiply, limb, &[x1, y0], &[temporary]))?;
            ring.step(Step::new(Formula::Multiply, limb, &[x0, y1], &[x1]))?;
            ring.step(Step::new(Formula::AddAssign, limb, &[temporary], &[x1]))?;
            ring.step(Step::new(Formula::MultiplyAssign, limb, &[y0], &[x0]))?;
        }
    }
    Ok(())
}

/// Whole polynomials: copies of both factors, four products, each added to a temporary, which is copied back.
fn tensor_passes<R: Ring>(call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
    let (shape, sum, left, right) = (&call.shape, 4, 5, 6);
    grow(call, ring, 0, 3, 2)?;
    ring.step(Step::new(Formula::Copy, 0, &[whole(call, 2, 2)], &[whole(call, left, 2)]))?;
    ring.step(Step::new(Formula::Copy, 0, &[whole(call, 1, 2)], &[whole(call, right, 2)]))?;
    ring.step(Step::new(Formula::Zero, 0, &[], &[whole(call, sum, 3)]))?;
    for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let product = 7 + i as u8;
        each_limb(call, ring, 1, |_, limb| {
            let reads = [shape.component(left, i, limb), shape.component(right, j, limb)];
            Step::new(Formula::Multiply, limb, &reads, &[shape.limb(product, limb)])
        })?;
        each_limb(call, ring, 1, |_, limb| {
            Step::new(
                Formula::AddAssign,
                limb,
                &[shape.limb(product, limb)],
                &[shape.component(sum, i + j, limb)],
            )
        })?;
    }
    ring.step(Step::new(Formula::Copy, 0, &[whole(call, sum, 3)], &[whole(call, 2, 3)]))
}

pub(super) struct Square;

impl Body for Square {
    const NAME: &'static str = "square";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let k = call.level();
        let scratch = match call.dataflow {
            Dataflow::Fused => Vec::new(),
            Dataflow::Seal4 => vec![call.scratch(2 * k)],
            Dataflow::Seal345 => [2 * k, 3 * k, 3 * k].map(|limbs| call.scratch(limbs)).to_vec(),
        };
        [call.ciphertext(Role::Input, 2), call.ciphertext(Role::Output, 3)]
            .into_iter()
            .chain(scratch)
            .collect()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        match call.dataflow {
            Dataflow::Fused => {
                let shape = &call.shape;
                each_limb(call, ring, 1, |_, j| {
                    let reads = [0, 1].map(|component| shape.component(0, component, j));
                    let writes = [0, 1, 2].map(|component| shape.component(1, component, j));
                    Step::new(Formula::TensorSquare, j, &reads, &writes)
                })
            }
            Dataflow::Seal4 => square_in_place(call, ring),
            Dataflow::Seal345 => square_apart(call, ring),
        }
    }
}

fn square_in_place<R: Ring>(call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
    grow(call, ring, 0, 2, 1)?;
    let shape = &call.shape;
    let x = |component, limb| shape.component(1, component, limb);
    each_limb(call, ring, 1, |_, j| Step::new(Formula::Square, j, &[x(1, j)], &[x(2, j)]))?;
    each_limb(call, ring, 1, |_, j| Step::new(Formula::MultiplyAssign, j, &[x(0, j)], &[x(1, j)]))?;
    each_limb(call, ring, 1, |_, j| Step::new(Formula::DoubleAssign, j, &[], &[x(1, j)]))?;
    each_limb(call, ring, 1, |_, j| Step::new(Formula::SquareAssign, j, &[], &[x(0, j)]))
}

fn square_apart<R: Ring>(call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
    let (inputs, sums) = (3, 4);
    grow(call, ring, 0, 2, 1)?;
    ring.step(Step::new(Formula::Copy, 0, &[whole(call, 1, 2)], &[whole(call, inputs, 2)]))?;
    let shape = &call.shape;
    let (a, x) = (
        |component, limb| shape.component(inputs, component, limb),
        |component, limb| shape.component(sums, component, limb),
    );
    each_limb(call, ring, 1, |_, j| Step::new(Formula::Square, j, &[a(0, j)], &[x(0, j)]))?;
    each_limb(call, ring, 1, |_, j| Step::new(Formula::Multiply, j, &[a(0, j), a(1, j)], &[x(1, j)]))?;
    each_limb(call, ring, 1, |_, j| Step::new(Formula::DoubleAssign, j, &[], &[x(1, j)]))?;
    each_limb(call, ring, 1, |_, j| Step::new(Formula::Square, j, &[a(1, j)], &[x(2, j)]))?;
    ring.step(Step::new(Formula::Copy, 0, &[whole(call, sums, 3)], &[whole(call, 1, 3)]))
}
