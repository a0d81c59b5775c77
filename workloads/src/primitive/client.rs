//! What the client does: encoding, encryption, decryption, decoding. Encryption with the public key has two dataflows, the rest
//! one.
//!
//! Known to be wrong: SEAL transforms as many complex numbers as the ring has coefficients, slots and their conjugates, and
//! composes decoded coefficients of several words each; here both work on the slots alone, half as many.

use hetier_traces::{Parameter, Role};

use super::{Body, Call, check_size};
use crate::Error;
use crate::ring::{Constant, Formula, Packing, Ring, Scale, Span, Step};

/// The two halves of a limb: real and imaginary coefficients of complex words.
fn halves(limb: Span) -> [Span; 2] {
    let words = limb.words / 2;
    [Span { words, ..limb }, Span { offset: limb.offset + u64::from(words), words, ..limb }]
}

fn ntt<R: Ring>(call: &Call<'_>, ring: &mut R, table: u8, prime: usize, limb: Span) -> Result<(), Error> {
    ring.step(Step::new(Formula::Ntt, prime, &[call.shape.ntt_table(table, prime, false)], &[limb]))
}

pub(super) struct Encode {
    pub scale: Scale,
    pub packing: Packing,
}

impl Body for Encode {
    const NAME: &'static str = "encode";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let objects = [call.message(Role::Input, self.packing), call.plaintext(Role::Output)];
        let tables = [call.ntt_table(), call.slot_table()];
        objects.into_iter().chain(tables).chain([call.scratch(1), call.scratch(1)]).collect()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let shape = &call.shape;
        let (slots, coefficients) = (shape.limb(4, 0), shape.limb(5, 0));
        let message = shape.message(0, self.packing);
        ring.step(Step::new(Formula::LoadSlots(self.packing), 0, &[message], &[slots]))?;
        ring.step(Step::new(Formula::InverseSlotTransform, 0, &[shape.slot_table(3, true)], &[slots]))?;
        ring.step(Step::new(Formula::ReverseSlots, 0, &[slots], &[coefficients]))?;
        let quantise = Formula::Quantise { scale: self.scale, limbs: shape.limbs as u8 };
        for prime in 0..call.level() {
            let limb = shape.limb(1, prime);
            ring.step(Step::new(quantise, prime, &[coefficients], &halves(limb)))?;
            ntt(call, ring, 2, prime, limb)?;
        }
        Ok(())
    }
}

pub(super) struct EncryptSecret;

impl Body for EncryptSecret {
    const NAME: &'static str = "encrypt-secret";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let inputs = [call.plaintext(Role::Input), call.secret_key(Role::Input)];
        let others = [call.ciphertext(Role::Output, 2), call.ntt_table(), call.scratch(1)];
        inputs.into_iter().chain(others).collect()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let shape = &call.shape;
        let error = shape.limb(4, 0);
        ring.step(Step::new(Formula::SampleError, 0, &[], &[error]))?;
        for prime in 0..call.level() {
            let [c0, c1] = [0, 1].map(|component| shape.component(2, component, prime));
            ring.step(Step::new(Formula::Uniform, prime, &[], &[c1]))?;
            ring.step(Step::new(Formula::Lift, prime, &[error], &[c0]))?;
            ntt(call, ring, 3, prime, c0)?;
            ring.step(Step::new(Formula::MultiplySubtract, prime, &[c1, shape.limb(1, prime)], &[c0]))?;
            ring.step(Step::new(Formula::AddAssign, prime, &[shape.limb(0, prime)], &[c0]))?;
        }
        Ok(())
    }
}

pub(super) struct EncryptPublic;

impl Body for EncryptPublic {
    const NAME: &'static str = "encrypt-public";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let public = call.public_key(Role::Input);
        let objects =
            [call.plaintext(Role::Input), public, call.ciphertext(Role::Output, 2), call.ntt_table()];
        let scratch = match larger_prime(call) {
            None => vec![1, 1, 1, 1],
            // Draws, a polynomial, an encryption of zero, what rounding takes away.
            Some(_) => vec![1, call.level() + 1, 2 * (call.level() + 1), 1],
        };
        objects.into_iter().chain(scratch.into_iter().map(|limbs| call.scratch(limbs))).collect()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        match larger_prime(call) {
            None => encrypt_directly(call, ring),
            Some(prime) => encrypt_and_divide(call, ring, prime),
        }
    }
}

/// The prime that SEAL encrypts modulo as well and then divides by: the special one at the top level, below it the one that
/// was dropped last. None in the fused dataflow, or where there is no other prime.
fn larger_prime(call: &Call<'_>) -> Option<usize> {
    (call.dataflow.is_seal() && call.level() < call.shape.parameters.key_limbs() as usize)
        .then(|| call.level())
}

/// Limb of the public key.
fn public_limb(call: &Call<'_>, component: usize, prime: usize) -> Span {
    let limbs = call.dataflow.public_key_limbs(call.shape.parameters) as usize;
    call.shape.limb(1, component * limbs + prime)
}

/// Ours: modulo the primes of the ciphertext, limb by limb.
fn encrypt_directly<R: Ring>(call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
    let shape = &call.shape;
    let [mask, error_0, error_1, transformed] = [4, 5, 6, 7].map(|operand| shape.limb(operand, 0));
    ring.step(Step::new(Formula::SampleSecret { weight: 0 }, 0, &[], &[mask]))?;
    ring.step(Step::new(Formula::SampleError, 0, &[], &[error_0]))?;
    ring.step(Step::new(Formula::SampleError, 0, &[], &[error_1]))?;
    for prime in 0..call.level() {
        ring.step(Step::new(Formula::Lift, prime, &[mask], &[transformed]))?;
        ntt(call, ring, 3, prime, transformed)?;
        for (component, error) in [error_0, error_1].into_iter().enumerate() {
            let to = shape.component(2, component, prime);
            ring.step(Step::new(Formula::Lift, prime, &[error], &[to]))?;
            ntt(call, ring, 3, prime, to)?;
            let product = [transformed, public_limb(call, component, prime)];
            ring.step(Step::new(Formula::MultiplyAdd, prime, &product, &[to]))?;
        }
        let c0 = shape.component(2, 0, prime);
        ring.step(Step::new(Formula::AddAssign, prime, &[shape.limb(0, prime)], &[c0]))?;
    }
    Ok(())
}

/// SEAL: an encryption of zero modulo one more prime, which is divided out, polynomial by polynomial; the plaintext is
/// added last. SEAL draws straight into the limbs of a polynomial; here they are lifted from a limb of draws.
///
/// Source: SEAL 3.4.5 and 4.4.3, `Encryptor::encrypt_zero` and `encrypt_zero_asymmetric`.
fn encrypt_and_divide<R: Ring>(call: &Call<'_>, ring: &mut R, dropped: usize) -> Result<(), Error> {
    let (shape, draws) = (&call.shape, call.shape.limb(4, 0));
    let polynomial = |prime: usize| shape.limb(5, prime);
    let zero = |component: usize, prime: usize| shape.limb(6, component * (dropped + 1) + prime);
    ring.step(Step::new(Formula::SampleSecret { weight: 0 }, 0, &[], &[draws]))?;
    for prime in 0..=dropped {
        ring.step(Step::new(Formula::Lift, prime, &[draws], &[polynomial(prime)]))?;
    }
    for prime in 0..=dropped {
        ntt(call, ring, 3, prime, polynomial(prime))?;
        for component in 0..2 {
            let factors = [polynomial(prime), public_limb(call, component, prime)];
            ring.step(Step::new(Formula::Multiply, prime, &factors, &[zero(component, prime)]))?;
        }
    }
    for component in 0..2 {
        ring.step(Step::new(Formula::SampleError, 0, &[], &[draws]))?;
        for prime in 0..=dropped {
            ring.step(Step::new(Formula::Lift, prime, &[draws], &[polynomial(prime)]))?;
        }
        for prime in 0..=dropped {
            ntt(call, ring, 3, prime, polynomial(prime))?;
            let sum = zero(component, prime);
            ring.step(Step::new(Formula::AddAssign, prime, &[polynomial(prime)], &[sum]))?;
        }
    }
    for component in 0..2 {
        divide(call, ring, dropped, |prime| zero(component, prime))?;
        let kept = shape.run(6, component * (dropped + 1), dropped);
        ring.step(Step::new(Formula::Copy, 0, &[kept], &[shape.run(2, component * dropped, dropped)]))?;
    }
    for prime in 0..dropped {
        let c0 = shape.component(2, 0, prime);
        ring.step(Step::new(Formula::AddAssign, prime, &[shape.limb(0, prime)], &[c0]))?;
    }
    Ok(())
}

/// Divides a polynomial by its last prime, pass by pass, in transformed form.
fn divide<R: Ring>(
    call: &Call<'_>,
    ring: &mut R,
    dropped: usize,
    limb: impl Fn(usize) -> Span,
) -> Result<(), Error> {
    let (shape, last, rounding) = (&call.shape, limb(dropped), call.shape.limb(7, 0));
    ring.step(Step::new(Formula::InverseNtt, dropped, &[shape.ntt_table(3, dropped, true)], &[last]))?;
    ring.step(Step::new(Formula::NormaliseAddHalf, dropped, &[], &[last]))?;
    for prime in 0..dropped {
        let half = Constant::Half(dropped as u8);
        ring.step(Step::new(Formula::Reduce, prime, &[last], &[rounding]))?;
        ring.step(Step::new(Formula::SubtractConstant(half), prime, &[], &[rounding]))?;
        ntt(call, ring, 3, prime, rounding)?;
        ring.step(Step::new(Formula::SubtractAssign, prime, &[rounding], &[limb(prime)]))?;
        let inverse = Constant::InversePrime(dropped as u8);
        ring.step(Step::new(Formula::MultiplyConstant(inverse), prime, &[], &[limb(prime)]))?;
    }
    Ok(())
}

pub(super) struct Decrypt {
    pub size: u32,
}

impl Body for Decrypt {
    const NAME: &'static str = "decrypt";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let inputs = [call.ciphertext(Role::Input, self.size), call.secret_key(Role::Input)];
        inputs.into_iter().chain([call.plaintext(Role::Output)]).collect()
    }

    /// By Horner's rule in the secret.
    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let shape = &call.shape;
        let top = self.size as usize - 1;
        for prime in 0..call.level() {
            let component = |component| shape.component(0, component, prime);
            let (secret, to) = (shape.limb(1, prime), shape.limb(2, prime));
            let first = [component(top), secret, component(top - 1)];
            ring.step(Step::new(Formula::MultiplyPlus, prime, &first, &[to]))?;
            for lower in (0..top - 1).rev() {
                ring.step(Step::new(Formula::MultiplyAssignPlus, prime, &[secret, component(lower)], &[to]))?;
            }
        }
        Ok(())
    }

    fn check(&self, _: &Call<'_>) -> Result<(), Error> {
        check_size(self, self.size, 2, 3)
    }
}

pub(super) struct Decode {
    pub scale: Scale,
    pub packing: Packing,
}

impl Body for Decode {
    const NAME: &'static str = "decode";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let objects = [call.plaintext(Role::Input), call.message(Role::Output, self.packing)];
        let tables = [call.ntt_table(), call.slot_table()];
        let scratch = [call.level(), 1, 1].map(|limbs| call.scratch(limbs));
        objects.into_iter().chain(tables).chain(scratch).collect()
    }

    /// Coefficients, then their centred digits in mixed radix (Garner), then floating point from the highest digit.
    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let (shape, k) = (&call.shape, call.level());
        let digit = |prime| shape.limb(4, prime);
        ring.step(Step::new(Formula::Copy, 0, &[shape.run(0, 0, k)], &[shape.run(4, 0, k)]))?;
        for prime in 0..k {
            let table = shape.ntt_table(2, prime, true);
            ring.step(Step::new(Formula::InverseNtt, prime, &[table], &[digit(prime)]))?;
            ring.step(Step::new(
                Formula::MultiplyConstant(Constant::InverseDegree),
                prime,
                &[],
                &[digit(prime)],
            ))?;
            for lower in 0..prime {
                let step = Formula::MixedRadix(lower as u8);
                ring.step(Step::new(step, prime, &[digit(lower)], &[digit(prime)]))?;
            }
        }
        let (slots, ordered) = (shape.limb(5, 0), shape.limb(6, 0));
        ring.step(Step::new(Formula::StartSlots, k - 1, &halves(digit(k - 1)), &[slots]))?;
        for prime in (0..k - 1).rev() {
            ring.step(Step::new(Formula::ExtendSlots, prime, &halves(digit(prime)), &[slots]))?;
        }
        ring.step(Step::new(Formula::ReverseSlots, 0, &[slots], &[ordered]))?;
        ring.step(Step::new(Formula::SlotTransform, 0, &[shape.slot_table(3, false)], &[ordered]))?;
        let store = Formula::StoreSlots { packing: self.packing, scale: self.scale };
        ring.step(Step::new(store, 0, &[ordered], &[shape.message(1, self.packing)]))
    }
}
