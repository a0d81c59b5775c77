//! HE primitives: which objects each takes, and the steps that it makes of them.
//!
//! A [`Primitive`] is an [`Operation`] at a level in a [`Dataflow`]. It is written once, as a sequence of steps on
//! numbered operands for any [`Ring`]: [`Primitive::execute`] performs them, [`Primitive::to_macro`] declares them.

mod client;
mod dataflow;
mod key;
mod key_switch;
mod level;
mod linear;
mod message;
mod multiply;
mod operation;

pub use dataflow::Dataflow;
pub use operation::Operation;

use hetier_traces::{Class, Macro, Parameter, Role};

use crate::ring::{self, Buffer, Executor, Operand, Recorder, Ring, Shape, Shaper, Step};
use crate::scheme::Context;
use crate::{Error, Parameters};

/// One homomorphic primitive at one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Primitive {
    /// What it does.
    pub operation: Operation,
    /// k, limbs of the ciphertexts and plaintexts that it takes; where levels mean nothing, the data limbs.
    pub limbs: u32,
    /// Whose way of moving data.
    pub dataflow: Dataflow,
}

/// What a primitive's body sees.
#[derive(Clone, Copy, Debug)]
struct Call<'a> {
    shape: Shape<'a>,
    dataflow: Dataflow,
}

/// A primitive as written: its operands, and its steps on them.
trait Body {
    /// Name in traces and reports.
    const NAME: &'static str;

    /// The operands in order: objects of the scheme, keys, tables, scratch. Scratch objects live for the call alone.
    fn operands(&self, call: &Call<'_>) -> Vec<Parameter>;

    /// The steps. Depends on nothing but `self` and `call`.
    fn run<R: Ring>(&self, call: &Call<'_>, ring: &mut R) -> Result<(), Error>;

    /// Fewest limbs that it works with.
    fn least_limbs(&self) -> u32 {
        1
    }

    /// Refuses attributes that make no sense with these parameters.
    fn check(&self, _call: &Call<'_>) -> Result<(), Error> {
        Ok(())
    }
}

/// Something to do with the body behind an operation.
trait Visitor {
    type Output;
    fn visit<B: Body>(self, body: &B) -> Self::Output;
}

impl Primitive {
    /// A primitive in dataflow `fused`.
    pub const fn fused(operation: Operation, limbs: u32) -> Self {
        Self { operation, limbs, dataflow: Dataflow::Fused }
    }

    /// Name in traces and reports, for instance `multiply-scalar`.
    pub fn name(&self) -> &'static str {
        struct Name;
        impl Visitor for Name {
            type Output = &'static str;
            fn visit<B: Body>(self, _: &B) -> &'static str {
                B::NAME
            }
        }
        self.operation.visit(Name)
    }

    /// The operands it takes, in order: objects of the scheme, keys, tables, scratch.
    ///
    /// # Errors
    /// - [`Error::Limbs`], [`Error::Size`], [`Error::Galois`] if the level or an attribute does not fit;
    /// - [`Error::NoSpecialPrime`] for a key switch with a single prime.
    pub fn operands(&self, parameters: &Parameters) -> Result<Vec<Parameter>, Error> {
        struct Operands<'a>(Call<'a>);
        impl Visitor for Operands<'_> {
            type Output = Result<Vec<Parameter>, Error>;
            fn visit<B: Body>(self, body: &B) -> Self::Output {
                check(body, &self.0)?;
                Ok(body.operands(&self.0))
            }
        }
        self.operation.visit(Operands(self.call(parameters)))
    }

    /// Bytes of the scratch objects, the last operands, that the caller allocates for the call.
    ///
    /// # Errors
    /// As [`Primitive::operands`].
    pub fn scratch(&self, parameters: &Parameters) -> Result<Vec<u64>, Error> {
        let operands = self.operands(parameters)?;
        Ok(operands
            .iter()
            .filter(|operand| operand.class == Class::Scratch)
            .map(|operand| operand.bytes)
            .collect())
    }

    /// The steps, without performing them.
    ///
    /// # Errors
    /// As [`Primitive::operands`].
    pub fn steps(&self, parameters: &Parameters) -> Result<Vec<Step>, Error> {
        struct Steps<'a>(Call<'a>);
        impl Visitor for Steps<'_> {
            type Output = Result<Vec<Step>, Error>;
            fn visit<B: Body>(self, body: &B) -> Self::Output {
                check(body, &self.0)?;
                let mut shaper = Shaper::default();
                body.run(&self.0, &mut shaper)?;
                Ok(shaper.into_steps())
            }
        }
        self.operation.visit(Steps(self.call(parameters)))
    }

    /// The macro of a trace: name, operands, sweeps. Costs some microseconds per limb product, so keep it.
    ///
    /// # Errors
    /// As [`Primitive::operands`].
    pub fn to_macro(&self, parameters: &Parameters) -> Result<Macro, Error> {
        Ok(Macro {
            name: self.name().to_owned(),
            limbs: self.limbs,
            parameters: self.operands(parameters)?,
            sweeps: ring::sweeps(&self.steps(parameters)?),
        })
    }

    /// Performs the primitive on `operands`, in the order of [`Primitive::operands`], and notes its steps.
    ///
    /// Input operands may be given as [`Operand::Read`] or [`Operand::Write`], tables as [`Operand::Resident`], all
    /// others as [`Operand::Write`]. Random primitives draw from stream number `randomness` of the context's seed:
    /// give every call of a run its own number.
    ///
    /// # Errors
    /// - as [`Primitive::operands`];
    /// - [`Error::OperandCount`], [`Error::Operand`] if the operands do not fit;
    /// - [`Error::Overflow`], [`Error::NotFinite`] while encoding; outputs are then undefined.
    pub fn execute(
        &self,
        context: &Context,
        operands: &mut [Operand<'_>],
        randomness: u64,
        recorder: &mut Recorder,
    ) -> Result<(), Error> {
        struct Execute<'c, 'e, 'o>(Call<'c>, &'e mut Executor<'c, 'o>);
        impl Visitor for Execute<'_, '_, '_> {
            type Output = Result<(), Error>;
            fn visit<B: Body>(self, body: &B) -> Self::Output {
                body.run(&self.0, self.1)
            }
        }
        let parameters = context.parameters();
        fits(self.name(), &self.operands(parameters)?, operands)?;
        let randomness = (context.seed(), randomness);
        let mut executor = Executor::new(context.tables(), operands, recorder, randomness);
        self.operation.visit(Execute(self.call(parameters), &mut executor))
    }

    /// As [`Primitive::execute`], with the operands sorted by role: `inputs` are those only read, `outputs` those
    /// written, each in the order of the operation's documentation. Tables are resident, scratch is allocated here.
    ///
    /// # Errors
    /// As [`Primitive::execute`].
    pub fn apply(
        &self,
        context: &Context,
        inputs: &[&Buffer],
        outputs: &mut [&mut Buffer],
        randomness: u64,
        recorder: &mut Recorder,
    ) -> Result<(), Error> {
        let parameters = self.operands(context.parameters())?;
        let mut scratch: Vec<Buffer> =
            self.scratch(context.parameters())?.into_iter().map(Buffer::with_bytes).collect();
        let (mut inputs, mut outputs, mut scratch) = (inputs.iter(), outputs.iter_mut(), scratch.iter_mut());
        let mut operands = Vec::with_capacity(parameters.len());
        for parameter in &parameters {
            operands.extend(match (parameter.class, parameter.role) {
                (Class::Table, _) => Some(Operand::Resident),
                (Class::Scratch, _) => scratch.next().map(Operand::Write),
                (_, Role::Input) => inputs.next().map(|buffer| Operand::Read(buffer)),
                _ => outputs.next().map(|buffer| Operand::Write(buffer)),
            });
        }
        self.execute(context, &mut operands, randomness, recorder)
    }

    fn call<'a>(&self, parameters: &'a Parameters) -> Call<'a> {
        Call { shape: Shape { parameters, limbs: self.limbs }, dataflow: self.dataflow }
    }
}

fn check<B: Body>(body: &B, call: &Call<'_>) -> Result<(), Error> {
    let (found, least, most) = (call.shape.limbs, body.least_limbs(), call.shape.parameters.data_limbs());
    if !(least..=most).contains(&found) {
        return Err(Error::Limbs { primitive: B::NAME, found, least, most });
    }
    body.check(call)
}

fn fits(primitive: &'static str, needed: &[Parameter], given: &[Operand<'_>]) -> Result<(), Error> {
    if needed.len() != given.len() {
        return Err(Error::OperandCount { primitive, found: given.len(), needed: needed.len() });
    }
    for (operand, (parameter, given)) in needed.iter().zip(given).enumerate() {
        let (found, is_right) = match given {
            Operand::Resident => ("a resident table".to_owned(), parameter.class == Class::Table),
            Operand::Read(buffer) => {
                let is_right = parameter.role == Role::Input && buffer.bytes() >= parameter.bytes;
                (format!("{} bytes to read", buffer.bytes()), is_right)
            }
            Operand::Write(buffer) => {
                (format!("{} bytes", buffer.bytes()), buffer.bytes() >= parameter.bytes)
            }
        };
        if !is_right {
            let needed =
                format!("{} bytes of {} as {:?}", parameter.bytes, parameter.class.name(), parameter.role);
            return Err(Error::Operand { primitive, operand, found, needed });
        }
    }
    Ok(())
}

impl Call<'_> {
    /// k.
    fn level(&self) -> usize {
        self.shape.level()
    }

    fn ciphertext(&self, role: Role, size: u32) -> Parameter {
        self.ciphertext_at(role, size, self.shape.limbs)
    }

    fn ciphertext_at(&self, role: Role, size: u32, limbs: u32) -> Parameter {
        Parameter {
            class: Class::Ciphertext,
            role,
            bytes: self.shape.parameters.ciphertext_bytes(size, limbs),
        }
    }

    fn plaintext(&self, role: Role) -> Parameter {
        Parameter {
            class: Class::Plaintext,
            role,
            bytes: self.shape.parameters.plaintext_bytes(self.shape.limbs),
        }
    }

    fn scalar(&self, role: Role) -> Parameter {
        Parameter { class: Class::Scalar, role, bytes: self.shape.parameters.scalar_bytes(self.shape.limbs) }
    }

    fn key(&self, role: Role, bytes: u64) -> Parameter {
        Parameter { class: Class::EvaluationKey, role, bytes }
    }

    fn secret_key(&self, role: Role) -> Parameter {
        self.key(role, self.shape.parameters.secret_key_bytes())
    }

    fn public_key(&self, role: Role) -> Parameter {
        self.key(role, self.dataflow.public_key_bytes(self.shape.parameters))
    }

    fn switching_key(&self, role: Role) -> Parameter {
        self.key(role, self.shape.parameters.switching_key_bytes())
    }

    fn table(&self, bytes: u64) -> Parameter {
        Parameter { class: Class::Table, role: Role::Input, bytes }
    }

    fn ntt_table(&self) -> Parameter {
        self.table(self.shape.parameters.ntt_table_bytes())
    }

    fn slot_table(&self) -> Parameter {
        self.table(self.shape.parameters.slot_table_bytes())
    }

    /// Scratch of whole limbs. Its role is `Output`: every primitive writes it before it reads it.
    fn scratch(&self, limbs: usize) -> Parameter {
        let bytes = self.shape.parameters.limb_bytes() * limbs as u64;
        Parameter { class: Class::Scratch, role: Role::Output, bytes }
    }

    fn message(&self, role: Role, packing: ring::Packing) -> Parameter {
        Parameter { class: Class::Message, role, bytes: 8 * u64::from(self.shape.message(0, packing).words) }
    }
}

/// Refuses sizes outside `least..=most`.
fn check_size<B: Body>(_: &B, found: u32, least: u32, most: u32) -> Result<(), Error> {
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        Err(Error::Size { primitive: B::NAME, found, least, most })
    }
}
