//! An encrypted activation while a program is being written.

use hetier_traces::{Affine, ArrayId, Operand, Range};

use crate::Error;
use crate::layer::Shape;
use crate::scheme::Encoding;

/// How far the scales of two summands may be apart: their sum is as far off. Source: he-transformer,
/// `within_rescale_tolerance`.
const SCALE_TOLERANCE: f64 = 1.02;

/// How the elements of a tensor follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Channel, row, column: nGraph's NCHW.
    #[default]
    ChannelsFirst,
    /// Row, column, channel: TensorFlow's NHWC.
    ChannelsLast,
}

/// One ciphertext for every element of an activation.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The ciphertexts.
    pub array: ArrayId,
    /// What keeps them alive: the array itself, or a view whose references are freed instead.
    pub holder: ArrayId,
    /// Shape of one image's activation.
    pub shape: Shape,
    /// Order of the elements.
    pub layout: Layout,
    /// Limbs of every ciphertext.
    pub limbs: u32,
    /// Scale of the encoding: slot values are multiplied by it.
    pub scale: f64,
}

impl Tensor {
    /// Limbs and scale.
    pub const fn encoding(&self) -> Encoding {
        Encoding { limbs: self.limbs, scale: self.scale }
    }

    /// The element at `index`.
    pub fn at(&self, index: Affine) -> Operand {
        Operand { array: self.array, index }
    }

    /// Refuses to add tensors whose values are multiplied by different scales.
    ///
    /// # Errors
    /// [`Error::Scales`] if they are more than 2 % apart.
    pub fn check_scale(&self, layer: &str, other: &Self) -> Result<(), Error> {
        let ratio = self.scale / other.scale;
        if ratio.max(1.0 / ratio) <= SCALE_TOLERANCE {
            return Ok(());
        }
        let [left_bits, right_bits] = [self.scale, other.scale].map(f64::log2);
        Err(Error::Scales { layer: layer.to_owned(), left_bits, right_bits })
    }

    /// Flat index of the element whose channel, row and column are the variables from `first` on, channels first.
    pub fn row_major(&self, first: u8) -> Affine {
        let Shape { height, width, .. } = self.shape;
        Affine::constant(0)
            .plus(first, (height * width) as i64)
            .plus(first + 1, width as i64)
            .plus(first + 2, 1)
    }

    /// Elements from one channel, row and column to the next.
    pub const fn strides(&self) -> [usize; 3] {
        let Shape { channels, height, width } = self.shape;
        match self.layout {
            Layout::ChannelsFirst => [height * width, width, 1],
            Layout::ChannelsLast => [1, width * channels, channels],
        }
    }

    /// Flat index of the element whose channel, row and column are these variables.
    pub fn index(&self, [channel, row, column]: [u8; 3]) -> Affine {
        let [channels, rows, columns] = self.strides().map(|stride| stride as i64);
        Affine::constant(0).plus(channel, channels).plus(row, rows).plus(column, columns)
    }
}

impl Shape {
    /// A nest over rows, columns and channels (variables 0, 1, 2): TensorFlow's order of elements.
    pub(crate) fn channels_last_nest(self) -> Vec<Range> {
        [self.height, self.width, self.channels].map(|extent| Range::count(extent as u64)).to_vec()
    }
}

/// Channel, row and column as variables of [`Shape::channels_last_nest`].
pub(crate) const CHANNELS_LAST: [u8; 3] = [2, 0, 1];
