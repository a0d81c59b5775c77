//! The client's part of a program: keys, encryption of the batch, decryption of the outputs.

use hetier_traces::{Affine, ArrayId, Body, Class, Operand, Range, Stage};

use super::lowering::{KeyKind, Lowering, operand, run, site};
use super::Tensor;
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
        self.hold_images(messages);
        let tensor = self.tensor("input", shape, (limbs, limbs), scale);
        let at = Affine::variable(0);
        let mut body = vec![Body::Alloc(run(messages, at.clone(), 1))];
        body.extend(self.encrypt(operand(messages, at.clone()), &tensor, at.clone(), "input")?);
        body.push(Body::Free(run(messages, at, 1)));
        let nest = vec![Range::count(elements as u64)];
        self.phase("encrypt", "Parameter", Stage::Client, vec![Body::Parallel { nest, nowait: false, body }]);
        Ok(tensor)
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
        let encode = Operation::Encode { scale: Scale::new(tensor.scale), packing: Packing::Real };
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
        let elements = tensor.shape.elements();
        let bytes = self.parameters().plaintext_bytes(tensor.limbs);
        let plaintexts = self.array(&format!("{name}.decrypted"), Class::Plaintext, elements, bytes);
        let site = site(&format!("{name}.decrypt"), at.clone(), elements);
        let key = self.key(KeyKind::Secret);
        let plaintext = operand(plaintexts, at.clone());
        let mut body = vec![Body::Alloc(run(plaintexts, at.clone(), 1))];
        let operands = vec![tensor.at(at.clone()), key, plaintext.clone()];
        body.extend(self.call(Operation::Decrypt { size: 2 }, tensor.limbs, operands, &site)?);
        let decode = Operation::Decode { scale: Scale::new(tensor.scale), packing: Packing::Real };
        body.extend(self.call(decode, tensor.limbs, vec![plaintext, message], &site)?);
        body.push(Body::Free(run(plaintexts, at, 1)));
        Ok(body)
    }

    /// An array of messages of one batch each.
    pub fn message_array(&mut self, label: &str, elements: usize) -> ArrayId {
        let bytes = 8 * self.parameters().slots() as u64;
        self.array(label, Class::Message, elements, bytes)
    }

    /// Appends the client phase that decrypts the outputs, and gives the array of decoded messages, left alive.
    pub(super) fn decrypt(&mut self, output: &Tensor) -> Result<ArrayId, Error> {
        let elements = output.shape.elements();
        let messages = self.message_array("output.messages", elements);
        let at = Affine::variable(0);
        let mut body = vec![Body::Alloc(run(messages, at.clone(), 1))];
        body.extend(self.decrypt_element(output, operand(messages, at.clone()), at, "output")?);
        let nest = vec![Range::count(elements as u64)];
        let bodies = vec![
            Body::Parallel { nest, nowait: false, body },
            Body::Free(run(output.array, Affine::constant(0), elements)),
        ];
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
                KeyKind::Relinearisation => (Operation::GenerateRelinearisationKey, vec![secret.clone(), key]),
            };
            bodies.extend(self.call(operation, limbs, operands, &site)?);
        }
        Ok(bodies)
    }
}
