//! Memory of one object.

use std::ops::{Deref, DerefMut};

use aligned_vec::{AVec, ConstAlign};

/// Words of a cache line.
const LINE_WORDS: usize = 8;

/// The 64-bit words of one object, zero at first, aligned to 64 bytes and padded to whole lines so that no two
/// objects share one. Messages hold the bits of `f64`.
#[derive(Clone, Debug)]
pub struct Buffer {
    lines: AVec<u64, ConstAlign<64>>,
    words: usize,
}

impl Buffer {
    /// An object of that many bytes, rounded up to whole words.
    pub fn with_bytes(bytes: u64) -> Self {
        let words = usize::try_from(bytes.div_ceil(8)).unwrap_or(usize::MAX);
        let padded = words.next_multiple_of(LINE_WORDS);
        let mut lines = AVec::with_capacity(0, padded);
        lines.resize(padded, 0);
        Self { lines, words }
    }

    /// A message.
    pub fn from_values(values: &[f64]) -> Self {
        let mut buffer = Self::with_bytes(8 * values.len() as u64);
        buffer.iter_mut().zip(values).for_each(|(word, value)| *word = value.to_bits());
        buffer
    }

    /// The words as numbers, for messages.
    pub fn values(&self) -> Vec<f64> {
        self.iter().map(|&word| f64::from_bits(word)).collect()
    }

    /// Bytes without padding.
    pub fn bytes(&self) -> u64 {
        8 * self.words as u64
    }
}

impl Deref for Buffer {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.lines[..self.words]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.lines[..self.words]
    }
}
