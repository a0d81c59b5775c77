//! An encrypted activation while a program is being written.

use hetier_traces::{Affine, ArrayId, Operand};

use crate::layer::Shape;

/// One ciphertext for every element of an activation.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The ciphertexts.
    pub array: ArrayId,
    /// Shape of one image's activation.
    pub shape: Shape,
    /// Limbs of every ciphertext.
    pub limbs: u32,
    /// Scale of the encoding: slot values are multiplied by it.
    pub scale: f64,
}

impl Tensor {
    /// The element at `index`.
    pub fn at(&self, index: Affine) -> Operand {
        Operand { array: self.array, index }
    }

    /// Flat index of the element whose channel, row and column are the variables from `first` on.
    pub fn row_major(&self, first: u8) -> Affine {
        let Shape { height, width, .. } = self.shape;
        Affine::constant(0).plus(first, (height * width) as i64).plus(first + 1, width as i64).plus(first + 2, 1)
    }
}
