//! Generation of keys.

use hetier_traces::{Parameter, Role};

use super::key_switch::{check_galois, check_special};
use super::{Body, Call};
use crate::Error;
use crate::parameters::Secret;
use crate::ring::{Constant, Formula, Ring, Shape, Span, Step};

/// One encryption of zero, (−a·s + e, a), modulo one prime; `error` holds e as signed words.
fn encrypt_zero<R: Ring>(
    shape: &Shape<'_>,
    ring: &mut R,
    (prime, table): (usize, u8),
    (secret, error): (Span, Span),
    [c0, c1]: [Span; 2],
) -> Result<(), Error> {
    ring.step(Step::new(Formula::Uniform, prime, &[], &[c1]))?;
    ring.step(Step::new(Formula::Lift, prime, &[error], &[c0]))?;
    ring.step(Step::new(Formula::Ntt, prime, &[shape.ntt_table(table, prime, false)], &[c0]))?;
    ring.step(Step::new(Formula::MultiplySubtract, prime, &[c1, secret], &[c0]))
}

pub(super) struct GenerateSecretKey;

impl Body for GenerateSecretKey {
    const NAME: &'static str = "generate-secret-key";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        vec![call.secret_key(Role::Output), call.ntt_table(), call.scratch(1)]
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let shape = &call.shape;
        let weight = match shape.parameters.secret() {
            Secret::Ternary => 0,
            Secret::Sparse { weight } => weight as u32,
        };
        let signed = shape.limb(2, 0);
        ring.step(Step::new(Formula::SampleSecret { weight }, 0, &[], &[signed]))?;
        for prime in 0..shape.parameters.key_limbs() as usize {
            let limb = shape.limb(0, prime);
            ring.step(Step::new(Formula::Lift, prime, &[signed], &[limb]))?;
            ring.step(Step::new(Formula::Ntt, prime, &[shape.ntt_table(1, prime, false)], &[limb]))?;
        }
        Ok(())
    }
}

pub(super) struct GeneratePublicKey;

impl Body for GeneratePublicKey {
    const NAME: &'static str = "generate-public-key";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let public = call.public_key(Role::Output);
        vec![call.secret_key(Role::Input), public, call.ntt_table(), call.scratch(1)]
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let shape = &call.shape;
        let limbs = call.dataflow.public_key_limbs(shape.parameters) as usize;
        let error = shape.limb(3, 0);
        ring.step(Step::new(Formula::SampleError, 0, &[], &[error]))?;
        (0..limbs).try_for_each(|prime| {
            let halves = [shape.limb(1, prime), shape.limb(1, limbs + prime)];
            encrypt_zero(shape, ring, (prime, 2), (shape.limb(0, prime), error), halves)
        })
    }
}

/// Every digit of a switching key: an encryption of zero over all primes, plus P times the old secret in the digit's
/// own limb. `old` makes a limb of the old secret in the span that it is given.
fn generate_switching_key<R: Ring>(
    call: &Call<'_>,
    ring: &mut R,
    scratch: u8,
    old: impl Fn(usize, Span) -> Step,
) -> Result<(), Error> {
    let shape = &call.shape;
    let primes = shape.parameters.key_limbs() as usize;
    let (error, product) = (shape.limb(scratch, 0), shape.limb(scratch + 1, 0));
    for digit in 0..primes - 1 {
        ring.step(Step::new(Formula::SampleError, 0, &[], &[error]))?;
        for prime in 0..primes {
            let halves = [0, 1].map(|component| shape.key_limb(1, digit, component, prime));
            encrypt_zero(shape, ring, (prime, 2), (shape.limb(0, prime), error), halves)?;
        }
        ring.step(old(digit, product))?;
        let special = Constant::Prime(primes as u8 - 1);
        ring.step(Step::new(Formula::MultiplyConstant(special), digit, &[], &[product]))?;
        ring.step(Step::new(Formula::AddAssign, digit, &[product], &[shape.key_limb(1, digit, 0, digit)]))?;
    }
    Ok(())
}

pub(super) struct GenerateRelinearisationKey;

impl Body for GenerateRelinearisationKey {
    const NAME: &'static str = "generate-relinearisation-key";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let keys = [call.secret_key(Role::Input), call.switching_key(Role::Output)];
        keys.into_iter().chain([call.ntt_table(), call.scratch(1), call.scratch(1)]).collect()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        generate_switching_key(call, ring, 3, |digit, to| {
            Step::new(Formula::Square, digit, &[call.shape.limb(0, digit)], &[to])
        })
    }

    fn check(&self, call: &Call<'_>) -> Result<(), Error> {
        check_special(self, call)
    }
}

pub(super) struct GenerateGaloisKey {
    pub element: u64,
}

impl Body for GenerateGaloisKey {
    const NAME: &'static str = "generate-galois-key";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let keys = [call.secret_key(Role::Input), call.switching_key(Role::Output)];
        let tables = [call.ntt_table(), call.table(call.shape.parameters.galois_table_bytes())];
        keys.into_iter().chain(tables).chain([call.scratch(1), call.scratch(1)]).collect()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let permute = Formula::Permute { element: self.element };
        generate_switching_key(call, ring, 4, |digit, to| {
            Step::new(permute, digit, &[call.shape.limb(0, digit), call.shape.galois_table(3)], &[to])
        })
    }

    fn check(&self, call: &Call<'_>) -> Result<(), Error> {
        check_galois(self, call, self.element)
    }
}
