//! Rescaling and dropping of primes.

use hetier_traces::{Parameter, Role};

use super::linear::{assign, whole};
use super::{Body, Call, Dataflow, check_size};
use crate::Error;
use crate::ring::{Constant, Formula, Ring, Span, Step};

pub(super) struct Rescale {
    pub size: u32,
}

impl Body for Rescale {
    const NAME: &'static str = "rescale";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let (size, k) = (self.size as usize, call.level());
        let scratch = match call.dataflow {
            Dataflow::Fused => vec![call.scratch(1)],
            Dataflow::Seal4 => vec![call.scratch(size * k), call.scratch(1)],
            Dataflow::Seal345 => vec![call.scratch(size * k), call.scratch(size * (k - 1)), call.scratch(1)],
        };
        [call.ciphertext(Role::InOut, self.size), call.ntt_table()].into_iter().chain(scratch).collect()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let size = self.size as usize;
        match call.dataflow {
            Dataflow::Fused => (0..size).try_for_each(|component| fused(call, ring, component)),
            Dataflow::Seal4 => transformed(call, ring, self.size),
            Dataflow::Seal345 => coefficients(call, ring, self.size),
        }
    }

    fn least_limbs(&self) -> u32 {
        2
    }

    fn check(&self, _: &Call<'_>) -> Result<(), Error> {
        check_size(self, self.size, 1, 3)
    }
}

/// Limb of a ciphertext that has already lost its last prime.
fn shrunk(call: &Call<'_>, operand: u8, component: usize, limb: usize) -> Span {
    call.shape.limb(operand, component * (call.level() - 1) + limb)
}

/// The last limb in coefficient form, plus half its prime.
fn open<R: Ring>(call: &Call<'_>, ring: &mut R, limb: Span) -> Result<(), Error> {
    let prime = call.level() - 1;
    ring.step(Step::new(Formula::InverseNtt, prime, &[call.shape.ntt_table(1, prime, true)], &[limb]))?;
    ring.step(Step::new(Formula::NormaliseAddHalf, prime, &[], &[limb]))
}

/// The last limb is transformed where it is; later polynomials move down as they are written.
fn fused<R: Ring>(call: &Call<'_>, ring: &mut R, component: usize) -> Result<(), Error> {
    let (shape, dropped, rounding) = (&call.shape, call.level() - 1, call.shape.limb(2, 0));
    let last = shape.component(0, component, dropped);
    open(call, ring, last)?;
    for limb in 0..dropped {
        ring.step(Step::new(Formula::ReduceSubtractHalf(dropped as u8), limb, &[last], &[rounding]))?;
        ring.step(Step::new(Formula::Ntt, limb, &[shape.ntt_table(1, limb, false)], &[rounding]))?;
        let (from, to) = (shape.component(0, component, limb), shrunk(call, 0, component, limb));
        let step = if from == to {
            Step::new(Formula::SubtractDivide(dropped as u8), limb, &[rounding], &[to])
        } else {
            Step::new(Formula::SubtractDivideTo(dropped as u8), limb, &[from, rounding], &[to])
        };
        ring.step(step)?;
    }
    Ok(())
}

/// `rounding` ← the remainder modulo another prime, in two passes.
fn remainder<R: Ring>(
    call: &Call<'_>,
    ring: &mut R,
    limb: usize,
    last: Span,
    rounding: Span,
) -> Result<(), Error> {
    let half = Constant::Half(call.level() as u8 - 1);
    ring.step(Step::new(Formula::Reduce, limb, &[last], &[rounding]))?;
    ring.step(Step::new(Formula::SubtractConstant(half), limb, &[], &[rounding]))
}

/// SEAL 4: on a copy, in transformed form, pass by pass. Source: SEAL 4.4.3, `divide_and_round_q_last_ntt_inplace`.
fn transformed<R: Ring>(call: &Call<'_>, ring: &mut R, size: u32) -> Result<(), Error> {
    let (shape, dropped, rounding) = (&call.shape, call.level() - 1, call.shape.limb(3, 0));
    assign(call, ring, whole(call, 0, size), whole(call, 2, size))?;
    for component in 0..size as usize {
        let last = shape.component(2, component, dropped);
        open(call, ring, last)?;
        for limb in 0..dropped {
            let x = shape.component(2, component, limb);
            remainder(call, ring, limb, last, rounding)?;
            ring.step(Step::new(Formula::Ntt, limb, &[shape.ntt_table(1, limb, false)], &[rounding]))?;
            ring.step(Step::new(Formula::SubtractAssign, limb, &[rounding], &[x]))?;
            let inverse = Constant::InversePrime(dropped as u8);
            ring.step(Step::new(Formula::MultiplyConstant(inverse), limb, &[], &[x]))?;
        }
        let kept = shape.run(2, component * call.level(), dropped);
        ring.step(Step::new(Formula::Copy, 0, &[kept], &[shape.run(0, component * dropped, dropped)]))?;
    }
    Ok(())
}

/// SEAL 3.4.5: on a copy, with every limb in coefficient form. Source: SEAL 3.4.5, `mod_switch_scale_to_next`.
fn coefficients<R: Ring>(call: &Call<'_>, ring: &mut R, size: u32) -> Result<(), Error> {
    let (shape, dropped, rounding) = (&call.shape, call.level() - 1, call.shape.limb(4, 0));
    assign(call, ring, whole(call, 0, size), whole(call, 2, size))?;
    for component in 0..size as usize {
        for limb in 0..dropped {
            let x = shape.component(2, component, limb);
            ring.step(Step::new(Formula::InverseNtt, limb, &[shape.ntt_table(1, limb, true)], &[x]))?;
            ring.step(Step::new(Formula::MultiplyConstant(Constant::InverseDegree), limb, &[], &[x]))?;
        }
        open(call, ring, shape.component(2, component, dropped))?;
    }
    for component in 0..size as usize {
        let last = shape.component(2, component, dropped);
        for limb in 0..dropped {
            let (x, quotient) = (shape.component(2, component, limb), shrunk(call, 3, component, limb));
            remainder(call, ring, limb, last, rounding)?;
            ring.step(Step::new(Formula::Subtract, limb, &[x, rounding], &[quotient]))?;
            let inverse = Constant::InversePrime(dropped as u8);
            ring.step(Step::new(Formula::MultiplyConstant(inverse), limb, &[], &[quotient]))?;
        }
    }
    let kept = size as usize * dropped;
    ring.step(Step::new(Formula::Copy, 0, &[shape.run(3, 0, kept)], &[shape.run(0, 0, kept)]))?;
    for index in 0..kept {
        let limb = index % dropped;
        ring.step(Step::new(
            Formula::Ntt,
            limb,
            &[shape.ntt_table(1, limb, false)],
            &[shape.limb(0, index)],
        ))?;
    }
    Ok(())
}

pub(super) struct ModSwitch {
    pub size: u32,
}

impl Body for ModSwitch {
    const NAME: &'static str = "mod-switch";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let kept = self.size as usize * (call.level() - 1);
        let scratch = call.dataflow.is_seal().then(|| call.scratch(kept));
        [call.ciphertext(Role::InOut, self.size)].into_iter().chain(scratch).collect()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let (shape, kept, size) = (&call.shape, call.level() - 1, self.size as usize);
        if call.dataflow.is_seal() {
            for component in 0..size {
                let (from, to) =
                    (shape.run(0, component * call.level(), kept), shape.run(1, component * kept, kept));
                ring.step(Step::new(Formula::Copy, 0, &[from], &[to]))?;
            }
            let all = size * kept;
            return ring.step(Step::new(Formula::Copy, 0, &[shape.run(1, 0, all)], &[shape.run(0, 0, all)]));
        }
        for component in 1..size {
            for limb in 0..kept {
                let (from, to) = (shape.component(0, component, limb), shrunk(call, 0, component, limb));
                ring.step(Step::new(Formula::Copy, 0, &[from], &[to]))?;
            }
        }
        Ok(())
    }

    fn least_limbs(&self) -> u32 {
        2
    }

    fn check(&self, _: &Call<'_>) -> Result<(), Error> {
        check_size(self, self.size, 1, 3)
    }
}
