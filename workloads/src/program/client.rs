//! The client's part of a program: keys, encryption of the batch, decryption of the outputs.

use hetier_traces::{Affine, ArrayId, Body, Class, Operand, Range, Stage};

use super::lowering::{KeyKind, Lowering, operand, run, site};
use super::{CHANNELS_LAST, Content, Kernel, Tensor};
use crate::Error;
use crate::layer::Shape;
use crate::primitive::Operation;
use crate::ring::{Packing, Scale};

impl Lowering {
    /// The encrypted batch at the top level: element i holds value i of every image in its slots.
    ///
    /// # Errors
    /// If the parameters cannot encrypt.
    pub fn input(&mut self, shape: Shape) -> Result<Tensor, Error> {
        let limbs = self.parameters().data_limbs();
        let scale = self.parameters().scale();
        let elements = shape.elements();
        let messages = self.message_array("input.messages", elements);
        self.hold(messages, Content::Images);
        let tensor = self.tensor("input", shape, (limbs, limbs), scale);
        let at = Affine::variable(0);
        let mut body = vec![Body::Alloc(run(messages, at.clone(), 1))];
        body.extend(self.encrypt(operand(messages, at.clone()), &tensor, at.clone(), "input")?);
        body.push(Body::Free(run(messages, at, 1)));
        let nest = vec![Range::count(elements as u64)];
        let body = self.client_loop(nest, body);
        self.phase("encrypt", "Parameter", Stage::Client, vec![body]);
        Ok(tensor)
    }

    /// The client's loops run on one thread in he-transformer.
    fn client_loop(&self, nest: Vec<Range>, body: Vec<Body>) -> Body {
        match self.options().kernel {
            Kernel::Faithful => Body::Loop { nest, first: Vec::new(), body },
            Kernel::Fused | Kernel::AluminumShark => Body::Parallel { nest, nowait: false, body },
        }
    }

    /// Encodes a message and encrypts it into element `at` of a tensor at the top level, which it allocates.
    ///
    /// # Errors
    /// If the parameters cannot encrypt.
    pub fn encrypt(
        &mut self,
        message: Operand,
        tensor: &Tensor,
        at: Affine,
        name: &str,
    ) -> Result<Vec<Body>, Error> {
        let elements = tensor.shape.elements();
        let bytes = self.parameters().plaintext_bytes(tensor.limbs);
        let plaintexts = self.array(&format!("{name}.plaintexts"), Class::Plaintext, elements, bytes);
        let site = site(&format!("{name}.encrypt"), at.clone(), elements);
        let key = self.key(KeyKind::Public);
        let encode = Operation::Encode { scale: Scale::new(tensor.scale), packing: self.options().packing };
        let plaintext = operand(plaintexts, at.clone());
        let mut body = vec![Body::Alloc(run(plaintexts, at.clone(), 1))];
        body.extend(self.call(encode, tensor.limbs, vec![message, plaintext.clone()], &site)?);
        body.push(Body::Alloc(run(tensor.array, at.clone(), 1)));
        let operands = vec![plaintext, key, tensor.at(at.clone())];
        body.extend(self.call(Operation::EncryptPublic, tensor.limbs, operands, &site)?);
        body.push(Body::Free(run(plaintexts, at, 1)));
        Ok(body)
    }

    /// Decrypts and decodes element `at` of a tensor into a message.
    ///
    /// # Errors
    /// If the tensor's level does not fit.
    pub fn decrypt_element(
        &mut self,
        tensor: &Tensor,
        message: Operand,
        at: Affine,
        name: &str,
    ) -> Result<Vec<Body>, Error> {
        let iterations = (at.clone(), tensor.shape.elements());
        self.decrypt_at(tensor, at, message, iterations, name)
    }

    /// The same in an iteration with another number than the element's, of so many.
    ///
    /// # Errors
    /// If the tensor's level does not fit.
    pub fn decrypt_at(
        &mut self,
        tensor: &Tensor,
        element: Affine,
        message: Operand,
        (at, iterations): (Affine, usize),
        name: &str,
    ) -> Result<Vec<Body>, Error> {
        let bytes = self.parameters().plaintext_bytes(tensor.limbs);
        let plaintexts = self.plaintexts(&format!("{name}.decrypted"), iterations, bytes);
        let site = site(&format!("{name}.decrypt"), at.clone(), iterations);
        let key = self.key(KeyKind::Secret);
        let plaintext = operand(plaintexts, at.clone());
        let mut body = vec![Body::Alloc(run(plaintexts, at.clone(), 1))];
        let operands = vec![tensor.at(element), key, plaintext.clone()];
        body.extend(self.call(Operation::Decrypt { size: 2 }, tensor.limbs, operands, &site)?);
        let decode = Operation::Decode { scale: Scale::new(tensor.scale), packing: self.options().packing };
        body.extend(self.call(decode, tensor.limbs, vec![plaintext, message], &site)?);
        body.push(Body::Free(run(plaintexts, at, 1)));
        Ok(body)
    }

    /// Temporary plaintexts of a layer, one for each iteration.
    pub fn plaintexts(&mut self, label: &str, iterations: usize, bytes: u64) -> ArrayId {
        self.array(label, Class::Plaintext, iterations, bytes)
    }

    /// An array of messages of one batch each.
    pub fn message_array(&mut self, label: &str, elements: usize) -> ArrayId {
        let words = match self.options().packing {
            Packing::Real => self.parameters().slots(),
            Packing::Complex => self.parameters().degree(),
        };
        self.array(label, Class::Message, elements, 8 * words as u64)
    }

    /// Appends the client phase that decrypts the outputs, and gives the array of decoded messages, left alive.
    /// Messages are in order of channels, rows and columns, whatever the tensor's.
    pub(super) fn decrypt(&mut self, output: &Tensor) -> Result<ArrayId, Error> {
        let elements = output.shape.elements();
        let messages = self.message_array("output.messages", elements);
        let at = output.index(CHANNELS_LAST);
        let [channel, row, column] = CHANNELS_LAST;
        let Shape { height, width, .. } = output.shape;
        let place = Affine::variable(column).plus(row, width as i64).plus(channel, (height * width) as i64);
        let mut body = vec![Body::Alloc(run(messages, place.clone(), 1))];
        body.extend(self.decrypt_element(output, operand(messages, place), at, "output")?);
        let mut bodies = vec![self.client_loop(output.shape.channels_last_nest(), body)];
        bodies.extend(self.release(run(output.holder, Affine::constant(0), elements)));
        bodies.extend(self.deferred());
        self.phase("decrypt", "Result", Stage::Client, bodies);
        Ok(messages)
    }

    /// Makes the keys that the program uses, the secret one first.
    pub(super) fn generate_keys(&mut self) -> Result<Vec<Body>, Error> {
        let secret = self.key(KeyKind::Secret);
        let limbs = self.parameters().data_limbs();
        let site = site("keys", Affine::constant(0), 1);
        let mut kinds = self.key_kinds();
        kinds.sort_unstable();
        let mut bodies = Vec::new();
        for kind in kinds {
            let key = self.key(kind);
            bodies.push(Body::Alloc(run(key.array, Affine::constant(0), 1)));
            let (operation, operands) = match kind {
                KeyKind::Secret => (Operation::GenerateSecretKey, vec![secret.clone()]),
                KeyKind::Public => (Operation::GeneratePublicKey, vec![secret.clone(), key]),
                KeyKind::Relinearisation => {
                    (Operation::GenerateRelinearisationKey, vec![secret.clone(), key])
                }
            };
            bodies.extend(self.call(operation, limbs, operands, &site)?);
        }
        Ok(bodies)
    }
}
