//! Whether values fit between the modulus and the errors, layer by layer.

use super::{Options, Tensor};
use crate::layer::Layer;
use crate::scheme::{Noise, Signal};
use crate::{Error, Parameters};

/// Largest magnitude of an activation that room is asked for. An assumption, for inputs in [0, 1]: `ReLU6` gives 6 at most,
/// and he-transformer's 30,24,24,24,24,24,30 at a scale of 2²⁴ leave room for 32 (its parameter file `N13_L7`). The sums of
/// the magnitudes of weights would bound values, but double their bits with each square, to hundreds in `lenet5`; and a
/// shape has no weights.
pub const LARGEST_VALUE: f64 = 16.0;
/// The same of primes that a message advises: `digits` reaches 38, and `lenet5` 93 with drawn weights.
pub(crate) const LARGEST_ADVISED: f64 = 100.0;
/// Largest magnitude of an input: pixels are in [0, 1]; twice as much leaves room for the error of encryption.
const LARGEST_INPUT: f64 = 2.0;
/// Largest standard deviation of the error that one layer may add to values, whose size is near 1. An assumption: five
/// bits of a value are left, and summands may differ in scale by as much as `Tensor::check_scale` lets them.
const LARGEST_ERROR: f64 = 1.0 / 32.0;

/// Bits that values of so large a magnitude need above their scale, sign included.
pub(crate) fn value_bits(largest: f64) -> f64 {
    1.0 + largest.log2()
}

/// The check that every tensor of a network must pass, whether it is run or shaped.
///
/// - room: a ciphertext of values up to m at scale Δ decrypts to them if m·Δ is below half of the modulus Q of its level
///   (coefficients are at most as large as slots), so that log2 Q − log2 Δ must be at least 1 + log2 m. A product that is not
///   rescaled yet has the same room: a rescale takes the same prime from the modulus and the scale. SEAL's own check ("scale
///   out of bounds") asks for less: log2 Δ below the bits of Q.
/// - precision: rounding does not shrink with the scale. A rescale leaves an error of deviation N/6Δ in a value (ternary secret);
///   encryptions and key switches add theirs, as [`Noise`] has them.
///
/// Source: Cheon, Kim, Kim, Song, ASIACRYPT 2017 (ePrint 2016/421), decryption; SEAL 4,
/// `is_scale_within_bounds` of `evaluator.cpp`.
#[derive(Debug)]
pub struct Fit<'p> {
    parameters: &'p Parameters,
    noise: Noise<'p>,
}

impl<'p> Fit<'p> {
    /// The check for a lowering. All slots count, so that the batch does not decide.
    pub fn new(parameters: &'p Parameters, options: &Options) -> Self {
        let images = options.most_images(parameters.slots());
        Self { parameters, noise: Noise::new(parameters, &Options { images, ..*options }) }
    }

    /// Checks the encrypted input.
    ///
    /// # Errors
    /// [`Error::Room`] or [`Error::Precision`].
    pub fn check_input(&self, input: &Tensor) -> Result<(), Error> {
        self.check_room("input", input, value_bits(LARGEST_INPUT))?;
        self.check_precision("input", input, self.noise.encryption(input.encoding()))
    }

    /// Checks the output of a layer, of which what the layer itself adds counts as error.
    ///
    /// # Errors
    /// [`Error::Room`] or [`Error::Precision`].
    pub fn check(
        &self,
        name: &str,
        layer: &dyn Layer,
        inputs: &[Tensor],
        output: &Tensor,
    ) -> Result<(), Error> {
        self.check_room(name, output, value_bits(LARGEST_VALUE))?;
        let exact = |input: &Tensor| Signal { encoding: input.encoding(), power: 1.0, variance: 0.0 };
        let inputs: Vec<Signal> = inputs.iter().map(exact).collect();
        self.check_precision(name, output, layer.noise(&self.noise, &inputs, output.encoding()))
    }

    fn check_room(&self, layer: &str, tensor: &Tensor, needed: f64) -> Result<(), Error> {
        let modulus_bits = self.parameters.level_bits(tensor.limbs);
        let scale_bits = tensor.scale.log2();
        // Primes lie a little below powers of two: tenths of a bit count, and none is not a little less than none.
        let found = ((modulus_bits - scale_bits) * 10.0).round() / 10.0 + 0.0;
        if found >= needed {
            return Ok(());
        }
        let level = tensor.limbs as usize - 1;
        let (layer, prime_bits, cure) = self.context(layer);
        Err(Error::Room { layer, level, modulus_bits, scale_bits, found, needed, prime_bits, cure })
    }

    fn check_precision(&self, layer: &str, tensor: &Tensor, variance: f64) -> Result<(), Error> {
        if variance.sqrt() <= LARGEST_ERROR {
            return Ok(());
        }
        let (found, most, scale_bits) = (variance.log2() / 2.0, LARGEST_ERROR.log2(), tensor.scale.log2());
        let level = tensor.limbs as usize - 1;
        let (layer, prime_bits, cure) = self.context(layer);
        Err(Error::Precision { layer, level, scale_bits, found, most, prime_bits, cure })
    }

    fn context(&self, layer: &str) -> (String, Vec<u32>, String) {
        (layer.to_owned(), self.parameters.literal().prime_bits.clone(), "others".to_owned())
    }
}
