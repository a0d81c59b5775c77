//! A small CKKS machine for tests: keys, and primitives applied by operation.
#![expect(dead_code, reason = "every test binary uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod lackey;

use hetier_workloads::ring::{Packing, Scale, Seed};
use hetier_workloads::{Buffer, Context, Dataflow, Literal, Operation, Parameters, Primitive, Recorder};

pub struct Machine {
    pub context: Context,
    pub secret: Buffer,
    pub dataflow: Dataflow,
    pub recorder: Recorder,
    next: u64,
}

impl Machine {
    pub fn new(degree: usize, prime_bits: &[u32], scale_bits: u32, dataflow: Dataflow) -> Self {
        let literal = Literal::new(degree, prime_bits, scale_bits);
        let parameters = Parameters::insecure_for_tests(&literal).unwrap();
        let secret = Buffer::with_bytes(parameters.secret_key_bytes());
        let context = Context::with_seed(parameters, Seed::fixed(7));
        let mut machine = Self { context, secret, dataflow, recorder: Recorder::on(), next: 0 };
        let mut secret = machine.secret.clone();
        machine.apply(Operation::GenerateSecretKey, machine.top(), &[], &mut [&mut secret]);
        machine.secret = secret;
        machine
    }

    pub fn parameters(&self) -> &Parameters {
        self.context.parameters()
    }

    pub fn top(&self) -> u32 {
        self.parameters().data_limbs()
    }

    pub fn primitive(&self, operation: Operation, limbs: u32) -> Primitive {
        Primitive { operation, limbs, dataflow: self.dataflow }
    }

    /// Applies an operation and checks that what it did is what it declares.
    pub fn apply(
        &mut self,
        operation: Operation,
        limbs: u32,
        inputs: &[&Buffer],
        outputs: &mut [&mut Buffer],
    ) {
        let primitive = self.primitive(operation, limbs);
        self.recorder.clear();
        self.next += 1;
        primitive.apply(&self.context, inputs, outputs, self.next, &mut self.recorder).unwrap();
        assert_eq!(
            self.recorder.steps(),
            primitive.steps(self.parameters()).unwrap(),
            "{}",
            primitive.name()
        );
        let declared = primitive.to_macro(self.parameters()).unwrap();
        assert_eq!(self.recorder.sweeps(), declared.sweeps);
    }

    pub fn ciphertext(&self, size: u32, limbs: u32) -> Buffer {
        Buffer::with_bytes(self.parameters().ciphertext_bytes(size, limbs))
    }

    pub fn encode(&mut self, values: &[f64], scale: f64, limbs: u32) -> Buffer {
        let mut plaintext = Buffer::with_bytes(self.parameters().plaintext_bytes(limbs));
        let packing = self.packing(values);
        let operation = Operation::Encode { scale: Scale::new(scale), packing };
        self.apply(operation, limbs, &[&Buffer::from_values(values)], &mut [&mut plaintext]);
        plaintext
    }

    fn packing(&self, values: &[f64]) -> Packing {
        if values.len() == self.parameters().slots() { Packing::Real } else { Packing::Complex }
    }

    pub fn encrypt(&mut self, values: &[f64], limbs: u32) -> Buffer {
        let plaintext = self.encode(values, self.parameters().scale(), limbs);
        let mut ciphertext = self.ciphertext(2, limbs);
        let secret = self.secret.clone();
        self.apply(Operation::EncryptSecret, limbs, &[&plaintext, &secret], &mut [&mut ciphertext]);
        ciphertext
    }

    pub fn decode(&mut self, plaintext: &Buffer, scale: f64, limbs: u32, packing: Packing) -> Vec<f64> {
        let words = if packing == Packing::Real { 1 } else { 2 } * self.parameters().slots() as u64;
        let mut message = Buffer::with_bytes(8 * words);
        let operation = Operation::Decode { scale: Scale::new(scale), packing };
        self.apply(operation, limbs, &[plaintext], &mut [&mut message]);
        message.values()
    }

    pub fn decrypt(&mut self, ciphertext: &Buffer, size: u32, scale: f64, limbs: u32) -> Vec<f64> {
        let mut plaintext = Buffer::with_bytes(self.parameters().plaintext_bytes(limbs));
        let secret = self.secret.clone();
        self.apply(Operation::Decrypt { size }, limbs, &[ciphertext, &secret], &mut [&mut plaintext]);
        self.decode(&plaintext, scale, limbs, Packing::Real)
    }

    pub fn scalar(&mut self, value: f64, scale: f64, limbs: u32) -> Buffer {
        let mut scalar = Buffer::with_bytes(self.parameters().scalar_bytes(limbs));
        let operation = Operation::EncodeScalar { scale: Scale::new(scale) };
        self.apply(operation, limbs, &[&Buffer::from_values(&[value])], &mut [&mut scalar]);
        scalar
    }

    pub fn relinearisation_key(&mut self) -> Buffer {
        self.key(Operation::GenerateRelinearisationKey)
    }

    pub fn galois_key(&mut self, element: u64) -> Buffer {
        self.key(Operation::GenerateGaloisKey { element })
    }

    fn key(&mut self, operation: Operation) -> Buffer {
        let mut key = Buffer::with_bytes(self.parameters().switching_key_bytes());
        let secret = self.secret.clone();
        self.apply(operation, self.top(), &[&secret], &mut [&mut key]);
        key
    }
}

/// Values in −1 … 1 that look irregular.
pub fn values(count: usize, phase: f64) -> Vec<f64> {
    (0..count).map(|index| (index as f64 * 1.7 + phase).sin()).collect()
}

pub fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

pub fn zip(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}
