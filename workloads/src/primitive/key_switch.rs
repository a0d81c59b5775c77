//! Key switching with one special prime, in both loop orders: relinearisation and rotation.
//!
//! The polynomial to be switched is cut into k digits, one for each limb. Digit j modulo every prime, times half c of
//! the key's digit j, is summed into accumulator c over k + 1 primes; the special prime is then divided out. In all
//! dataflows: k² + 2k forward transforms, k + 2 inverse ones, 2k(k + 1) limbs of the key.
//!
//! Source: SEAL 4.4.3 and 3.4.5, `Evaluator::switch_key_inplace`.

use hetier_traces::{Parameter, Role};

use super::{Body, Call, Dataflow};
use crate::Error;
use crate::ring::{Constant, Formula, Ring, Span, Step};

/// Where a key switch finds its operands.
#[derive(Clone, Copy)]
struct Switch {
    /// Operand and first limb of the polynomial to be switched, in transformed form.
    from: (u8, usize),
    ciphertext: u8,
    key: u8,
    table: u8,
    /// First of the scratch objects of [`scratch`].
    scratch: u8,
    /// Operand whose k limbs the first half of the result is added to, instead of the ciphertext, which is written.
    base: Option<u8>,
}

/// Scratch objects of a key switch.
fn scratch(call: &Call<'_>) -> Vec<Parameter> {
    let k = call.level();
    let limbs: &[usize] = match call.dataflow {
        // Coefficients, accumulators, one digit.
        Dataflow::Fused => &[k, 2 * (k + 1), 1],
        // Coefficients, accumulators, two of them unreduced, one digit.
        Dataflow::Seal4 => &[k, 2 * (k + 1), 4, 1],
        // Unreduced accumulators, one digit's coefficients, one digit, two reduced limbs.
        Dataflow::Seal345 => &[4 * (k + 1), 1, 1, 1, 1],
    };
    limbs.iter().map(|&limbs| call.scratch(limbs)).collect()
}

fn switch_key<R: Ring>(call: &Call<'_>, ring: &mut R, switch: Switch) -> Result<(), Error> {
    match call.dataflow {
        Dataflow::Fused => fused(call, ring, switch),
        Dataflow::Seal4 => modulus_outer(call, ring, switch),
        Dataflow::Seal345 => digit_outer(call, ring, switch),
    }
}

/// Spans and steps that the loop orders share.
impl Switch {
    fn input(&self, call: &Call<'_>, limb: usize) -> Span {
        call.shape.limb(self.from.0, self.from.1 + limb)
    }

    fn scratch_limb(&self, call: &Call<'_>, object: u8, limb: usize) -> Span {
        call.shape.limb(self.scratch + object, limb)
    }

    /// Accumulator `component` modulo prime number `index` of the level, the special one last.
    fn accumulator(&self, call: &Call<'_>, component: usize, index: usize) -> Span {
        self.scratch_limb(call, 1, component * (call.level() + 1) + index)
    }

    fn keys(&self, call: &Call<'_>, digit: usize, prime: usize) -> [Span; 2] {
        [0, 1].map(|component| call.shape.key_limb(self.key, digit, component, prime))
    }

    fn ntt<R: Ring>(&self, call: &Call<'_>, ring: &mut R, prime: usize, limb: Span) -> Result<(), Error> {
        ring.step(Step::new(Formula::Ntt, prime, &[call.shape.ntt_table(self.table, prime, false)], &[limb]))
    }

    fn inverse_ntt<R: Ring>(
        &self,
        call: &Call<'_>,
        ring: &mut R,
        prime: usize,
        limb: Span,
    ) -> Result<(), Error> {
        ring.step(Step::new(
            Formula::InverseNtt,
            prime,
            &[call.shape.ntt_table(self.table, prime, true)],
            &[limb],
        ))
    }

    /// Brings a limb to coefficient form.
    fn coefficients<R: Ring>(
        &self,
        call: &Call<'_>,
        ring: &mut R,
        prime: usize,
        limb: Span,
    ) -> Result<(), Error> {
        self.inverse_ntt(call, ring, prime, limb)?;
        ring.step(Step::new(Formula::MultiplyConstant(Constant::InverseDegree), prime, &[], &[limb]))
    }

    /// Copies the whole input and brings it to coefficient form.
    fn all_coefficients<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let k = call.level();
        let from = call.shape.run(self.from.0, self.from.1, k);
        ring.step(Step::new(Formula::Copy, 0, &[from], &[call.shape.run(self.scratch, 0, k)]))?;
        (0..k).try_for_each(|limb| self.coefficients(call, ring, limb, self.scratch_limb(call, 0, limb)))
    }

    /// Digit number `digit` modulo `prime` in transformed form: the input limb itself, or made in `room`.
    fn digit<R: Ring>(
        &self,
        call: &Call<'_>,
        ring: &mut R,
        (digit, prime): (usize, usize),
        (coefficients, room): (Span, Span),
    ) -> Result<Span, Error> {
        if digit == prime {
            return Ok(self.input(call, digit));
        }
        ring.step(Step::new(Formula::Reduce, prime, &[coefficients], &[room]))?;
        self.ntt(call, ring, prime, room)?;
        Ok(room)
    }
}

/// Numbers of the primes of a level with the special one last.
fn primes(call: &Call<'_>) -> impl Iterator<Item = (usize, usize)> + use<> {
    let special = call.shape.parameters.key_limbs() as usize - 1;
    (0..call.level()).chain([special]).enumerate()
}

fn special(call: &Call<'_>) -> u8 {
    call.shape.parameters.key_limbs() as u8 - 1
}

/// Ours: modulus outermost, both halves in one pass over a digit, no zero-fill, one pass for each rounding.
fn fused<R: Ring>(call: &Call<'_>, ring: &mut R, switch: Switch) -> Result<(), Error> {
    switch.all_coefficients(call, ring)?;
    let room = switch.scratch_limb(call, 2, 0);
    for (index, prime) in primes(call) {
        let accumulators = [0, 1].map(|component| switch.accumulator(call, component, index));
        for digit in 0..call.level() {
            let source = (switch.scratch_limb(call, 0, digit), room);
            let operand = switch.digit(call, ring, (digit, prime), source)?;
            let [key_0, key_1] = switch.keys(call, digit, prime);
            let formula = if digit == 0 { Formula::KeyProduct } else { Formula::KeyProductAdd };
            ring.step(Step::new(formula, prime, &[operand, key_0, key_1], &accumulators))?;
        }
    }
    (0..2).try_for_each(|component| divide_fused(call, ring, switch, component))
}

fn divide_fused<R: Ring>(
    call: &Call<'_>,
    ring: &mut R,
    switch: Switch,
    component: usize,
) -> Result<(), Error> {
    let (by, last, room) =
        (special(call), switch.accumulator(call, component, call.level()), switch.scratch_limb(call, 2, 0));
    switch.inverse_ntt(call, ring, usize::from(by), last)?;
    ring.step(Step::new(Formula::NormaliseAddHalf, usize::from(by), &[], &[last]))?;
    for limb in 0..call.level() {
        ring.step(Step::new(Formula::ReduceSubtractHalf(by), limb, &[last], &[room]))?;
        switch.ntt(call, ring, limb, room)?;
        let sum = switch.accumulator(call, component, limb);
        let to = call.shape.component(switch.ciphertext, component, limb);
        let step = match (switch.base, component) {
            (None, _) => Step::new(Formula::SubtractDivideAdd(by), limb, &[sum, room], &[to]),
            (Some(base), 0) => {
                let base = call.shape.limb(base, limb);
                Step::new(Formula::SubtractDividePlus(by), limb, &[sum, room, base], &[to])
            }
            (Some(_), _) => Step::new(Formula::SubtractDivideTo(by), limb, &[sum, room], &[to]),
        };
        ring.step(step)?;
    }
    Ok(())
}

/// SEAL 4: modulus outermost, two unreduced accumulators that stay in a cache.
fn modulus_outer<R: Ring>(call: &Call<'_>, ring: &mut R, switch: Switch) -> Result<(), Error> {
    let shape = &call.shape;
    switch.all_coefficients(call, ring)?;
    let sums = shape.run(switch.scratch + 1, 0, 2 * (call.level() + 1));
    ring.step(Step::new(Formula::Zero, 0, &[], &[sums]))?;
    let room = switch.scratch_limb(call, 3, 0);
    for (index, prime) in primes(call) {
        ring.step(Step::new(Formula::Zero, 0, &[], &[shape.run(switch.scratch + 2, 0, 4)]))?;
        let unreduced = [0, 1].map(|component| shape.run(switch.scratch + 2, 2 * component, 2));
        for digit in 0..call.level() {
            let source = (switch.scratch_limb(call, 0, digit), room);
            let operand = switch.digit(call, ring, (digit, prime), source)?;
            for (key, sum) in switch.keys(call, digit, prime).into_iter().zip(unreduced) {
                ring.step(Step::new(Formula::LazyProductAdd, prime, &[operand, key], &[sum]))?;
            }
        }
        for (component, sum) in unreduced.into_iter().enumerate() {
            let to = switch.accumulator(call, component, index);
            ring.step(Step::new(Formula::LazyReduce, prime, &[sum], &[to]))?;
        }
    }
    for component in 0..2 {
        let last = switch.accumulator(call, component, call.level());
        let sums = |limb| switch.accumulator(call, component, limb);
        open(call, ring, switch, last)?;
        for limb in 0..call.level() {
            divide(call, ring, switch, (component, limb), (last, sums(limb), room))?;
        }
    }
    Ok(())
}

/// SEAL 3.4.5: digit outermost, so that all unreduced accumulators are walked for each digit.
fn digit_outer<R: Ring>(call: &Call<'_>, ring: &mut R, switch: Switch) -> Result<(), Error> {
    let (shape, k) = (&call.shape, call.level());
    let unreduced =
        |component: usize, index: usize| shape.run(switch.scratch, 2 * (component * (k + 1) + index), 2);
    ring.step(Step::new(Formula::Zero, 0, &[], &[shape.run(switch.scratch, 0, 4 * (k + 1))]))?;
    let [coefficients, room, last, reduced] = [1, 2, 3, 4].map(|object| switch.scratch_limb(call, object, 0));
    for digit in 0..k {
        ring.step(Step::new(Formula::Copy, 0, &[switch.input(call, digit)], &[coefficients]))?;
        switch.coefficients(call, ring, digit, coefficients)?;
        for (index, prime) in primes(call) {
            let operand = switch.digit(call, ring, (digit, prime), (coefficients, room))?;
            for (component, key) in switch.keys(call, digit, prime).into_iter().enumerate() {
                let sum = unreduced(component, index);
                ring.step(Step::new(Formula::LazyProductAdd, prime, &[operand, key], &[sum]))?;
            }
        }
    }
    for component in 0..2 {
        let prime = usize::from(special(call));
        ring.step(Step::new(Formula::LazyReduce, prime, &[unreduced(component, k)], &[last]))?;
        open(call, ring, switch, last)?;
        for limb in 0..k {
            ring.step(Step::new(Formula::LazyReduce, limb, &[unreduced(component, limb)], &[reduced]))?;
            divide(call, ring, switch, (component, limb), (last, reduced, room))?;
        }
    }
    Ok(())
}

/// The sum modulo the special prime in coefficient form, plus half of it.
fn open<R: Ring>(call: &Call<'_>, ring: &mut R, switch: Switch, last: Span) -> Result<(), Error> {
    let prime = usize::from(special(call));
    switch.inverse_ntt(call, ring, prime, last)?;
    ring.step(Step::new(Formula::NormaliseAddHalf, prime, &[], &[last]))
}

/// Divides one limb of a sum by the special prime and adds it to the ciphertext, pass by pass.
fn divide<R: Ring>(
    call: &Call<'_>,
    ring: &mut R,
    switch: Switch,
    (component, limb): (usize, usize),
    (last, sum, room): (Span, Span, Span),
) -> Result<(), Error> {
    let by = special(call);
    ring.step(Step::new(Formula::Reduce, limb, &[last], &[room]))?;
    ring.step(Step::new(Formula::SubtractConstant(Constant::Half(by)), limb, &[], &[room]))?;
    switch.ntt(call, ring, limb, room)?;
    ring.step(Step::new(Formula::SubtractFrom, limb, &[sum], &[room]))?;
    ring.step(Step::new(Formula::MultiplyConstant(Constant::InversePrime(by)), limb, &[], &[room]))?;
    let to = call.shape.component(switch.ciphertext, component, limb);
    ring.step(Step::new(Formula::AddAssign, limb, &[room], &[to]))
}

/// Refuses parameters without a special prime.
pub(super) fn check_special<B: Body>(_: &B, call: &Call<'_>) -> Result<(), Error> {
    let has_special_prime = call.shape.parameters.has_special_prime();
    if has_special_prime { Ok(()) } else { Err(Error::NoSpecialPrime { primitive: B::NAME }) }
}

/// Refuses elements that are no automorphism, and parameters without a special prime.
pub(super) fn check_galois<B: Body>(body: &B, call: &Call<'_>, element: u64) -> Result<(), Error> {
    check_special(body, call)?;
    let twice_degree = 2 * call.shape.parameters.degree();
    if element % 2 == 1 && element < twice_degree as u64 {
        Ok(())
    } else {
        Err(Error::Galois { primitive: B::NAME, element, twice_degree })
    }
}

pub(super) struct Relinearise;

impl Body for Relinearise {
    const NAME: &'static str = "relinearise";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let operands = [call.ciphertext(Role::InOut, 3), call.switching_key(Role::Input), call.ntt_table()];
        operands.into_iter().chain(scratch(call)).collect()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let from = (0, 2 * call.level());
        switch_key(call, ring, Switch { from, ciphertext: 0, key: 1, table: 2, scratch: 3, base: None })
    }

    fn check(&self, call: &Call<'_>) -> Result<(), Error> {
        check_special(self, call)
    }
}

/// Known to be wrong: SEAL 3.4.5 computes the indices of an automorphism on the way; here all dataflows read a table of 4N bytes.
pub(super) struct Rotate {
    pub element: u64,
}

impl Body for Rotate {
    const NAME: &'static str = "rotate";

    fn operands(&self, call: &Call<'_>) -> Vec<Parameter> {
        let k = call.level();
        let permuted = if call.dataflow.is_seal() { vec![call.scratch(k)] } else { vec![call.scratch(k); 2] };
        let indices = call.table(call.shape.parameters.galois_table_bytes());
        let operands =
            [call.ciphertext(Role::InOut, 2), call.switching_key(Role::Input), call.ntt_table(), indices];
        operands.into_iter().chain(permuted).chain(scratch(call)).collect()
    }

    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error> {
        let k = call.level();
        let switch = Switch { from: (4, 0), ciphertext: 0, key: 1, table: 2, scratch: 5, base: None };
        self.permute(call, ring, 0, 4)?;
        if !call.dataflow.is_seal() {
            self.permute(call, ring, 1, 5)?;
            return switch_key(call, ring, Switch { from: (5, 0), scratch: 6, base: Some(4), ..switch });
        }
        ring.step(Step::new(Formula::Copy, 0, &[call.shape.run(4, 0, k)], &[call.shape.run(0, 0, k)]))?;
        self.permute(call, ring, 1, 4)?;
        ring.step(Step::new(Formula::Zero, 0, &[], &[call.shape.run(0, k, k)]))?;
        switch_key(call, ring, switch)
    }

    fn check(&self, call: &Call<'_>) -> Result<(), Error> {
        check_galois(self, call, self.element)
    }
}

impl Rotate {
    fn permute<R: Ring>(&self, call: &Call<'_>, ring: &mut R, component: usize, to: u8) -> Result<(), Error> {
        let shape = &call.shape;
        (0..call.level()).try_for_each(|limb| {
            let reads = [shape.component(0, component, limb), shape.galois_table(3)];
            ring.step(Step::new(
                Formula::Permute { element: self.element },
                limb,
                &reads,
                &[shape.limb(to, limb)],
            ))
        })
    }
}
