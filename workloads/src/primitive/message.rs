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
