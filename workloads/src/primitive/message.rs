//! Scalars and functions of messages in the clear.

use hetier_traces::{Class, Parameter, Role};

use super::{Body, Call};
use crate::Error;
use crate::ring::{Activation, Formula, Packing, Ring, Scale, Span, Step};

pub(super) struct EncodeScalar {
    pub scale: Scale,
}

impl Body for EncodeScalar {
    const NAME: &'static str = "encode-scalar";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        vec![Parameter { class: Class::Message, role: Role::Input, bytes: 8 }, call.scalar(Role::Output)]
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let number = Span { operand: 0, offset: 0, words: 1 };
        let scalar = Span { operand: 1, offset: 0, words: 2 * call.shape.limbs };
        ring.step(Step::new(Formula::EncodeScalar { scale: self.scale }, 0, &[number], &[scalar]))
    }
}

/// The residue of a constant polynomial is the same at every point of the transform, so that none is needed.
pub(super) struct EncodeConstant {
    pub scale: Scale,
}

impl Body for EncodeConstant {
    const NAME: &'static str = "encode-constant";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let number = Parameter { class: Class::Message, role: Role::Input, bytes: 8 };
        let residues = Parameter { class: Class::Scratch, ..call.scalar(Role::Output) };
        vec![number, call.plaintext(Role::Output), residues]
    }

    /// SEAL fills the new plaintext with zeros, then each limb with its residue. Source: SEAL 4.4.3,
    /// `CKKSEncoder::encode_internal` of a double. Here the second pass adds, so it reads the limb it has just written.
    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let number = Span { operand: 0, offset: 0, words: 1 };
        let scalar = Span { operand: 2, offset: 0, words: 2 * call.shape.limbs };
        ring.step(Step::new(Formula::EncodeScalar { scale: self.scale }, 0, &[number], &[scalar]))?;
        for prime in 0..call.level() {
            let (limb, residue) =
                (call.shape.limb(1, prime), Span { words: 1, ..call.shape.scalar(2, prime) });
            ring.step(Step::new(Formula::Zero, 0, &[], &[limb]))?;
            ring.step(Step::new(Formula::AddScalarAssign, prime, &[residue], &[limb]))?;
        }
        Ok(())
    }
}

pub(super) struct Apply {
    pub activation: Activation,
    pub packing: Packing,
}

impl Body for Apply {
    const NAME: &'static str = "apply";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        vec![call.message(Role::InOut, self.packing)]
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        ring.step(Step::new(Formula::Apply(self.activation), 0, &[], &[call.shape.message(0, self.packing)]))
    }
}

pub(super) struct Maximum {
    pub packing: Packing,
}

impl Body for Maximum {
    const NAME: &'static str = "maximum";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        [Role::Input, Role::InOut].map(|role| call.message(role, self.packing)).to_vec()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let [a, x] = [0, 1].map(|operand| call.shape.message(operand, self.packing));
        ring.step(Step::new(Formula::Maximum, 0, &[a], &[x]))
    }
}
