//! What can go wrong in this crate.

use thiserror::Error;

use crate::Parameters;

/// Errors of parameters, primitives, layers and networks.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The degree is not a supported power of two.
    #[error("parameters: found degree {degree}, need a power of two from {least} to {most}")]
    Degree {
        /// What was asked for.
        degree: usize,
        /// Smallest degree allowed here.
        least: usize,
        /// Largest degree allowed.
        most: usize,
    },
    /// No prime was asked for.
    #[error("parameters: found no primes, need at least one")]
    NoPrimes,
    /// More primes than steps can number.
    #[error("parameters: found {found} primes, need at most {most} (use larger ones)")]
    TooManyPrimes {
        /// How many were asked for.
        found: usize,
        /// Most that steps can number.
        most: usize,
    },
    /// A prime size that the arithmetic cannot hold.
    #[error("parameters: found a prime of {bits} bits, need {least} to {most}")]
    PrimeBits {
        /// What was asked for.
        bits: u32,
        /// Smallest size: a prime must be 1 modulo 2N.
        least: u32,
        /// Largest size that the arithmetic holds.
        most: u32,
    },
    /// There are not enough primes of a size.
    #[error(
        "parameters: found {found} primes of {bits} bits that are 1 modulo {twice_degree}, need {needed} (use another size)"
    )]
    TooFewPrimes {
        /// How many exist.
        found: usize,
        /// Size.
        bits: u32,
        /// 2N.
        twice_degree: usize,
        /// How many were asked for.
        needed: usize,
    },
    /// The scale is not a number that can be used.
    #[error("parameters: found scale {scale}, need a finite number of at least 1")]
    Scale {
        /// What was asked for.
        scale: f64,
    },
    /// A rescale would leave a scale below 1, at which nothing of the values is left.
    #[error(
        "parameters: found scale 2^{scale_bits:.1}, need at least 2^{least}: a rescale divides its square by a prime of {prime_bits} bits (use a scale of as many bits as the primes)"
    )]
    SmallScale {
        /// log2 of the scale.
        scale_bits: f64,
        /// The least log2 that would do.
        least: u32,
        /// Bits of the largest prime that is divided out.
        prime_bits: u32,
    },
    /// The modulus is too large for the degree.
    #[error(
        "parameters: log2(Q·P) = {bits:.2} at degree {degree}, need at most {limit} for 128-bit security with a ternary secret ({cure})"
    )]
    Insecure {
        /// Exact log2 of the product of all primes.
        bits: f64,
        /// Degree.
        degree: usize,
        /// The limit of the table, 0 if it has no row for the degree.
        limit: u32,
        /// Nearest secure choice.
        cure: String,
    },
    /// The security table does not cover sparse secrets.
    #[error(
        "parameters: found a sparse secret of weight {weight}, need a ternary one (the security table does not cover sparse secrets)"
    )]
    SparseSecret {
        /// Non-zero coefficients.
        weight: usize,
    },
    /// A sparse secret with more non-zero coefficients than there are.
    #[error("parameters: found a secret of weight {weight}, need 1 to {degree}")]
    SecretWeight {
        /// Non-zero coefficients.
        weight: usize,
        /// Degree.
        degree: usize,
    },
    /// The primitive cannot run at this level.
    #[error("{primitive}: found {found} limbs, need {least} to {most}")]
    Limbs {
        /// Name of the primitive.
        primitive: &'static str,
        /// What was asked for.
        found: u32,
        /// Fewest limbs that it works with.
        least: u32,
        /// Most limbs that the parameters have.
        most: u32,
    },
    /// Key switching without a special prime.
    #[error("{primitive}: found no special prime, need one (use parameters with one more prime)")]
    NoSpecialPrime {
        /// Name of the primitive.
        primitive: &'static str,
    },
    /// Ciphertexts of a size that the primitive does not know.
    #[error("{primitive}: found ciphertexts of {found} polynomials, need {least} to {most}")]
    Size {
        /// Name of the primitive.
        primitive: &'static str,
        /// What was asked for.
        found: u32,
        /// Fewest polynomials.
        least: u32,
        /// Most polynomials.
        most: u32,
    },
    /// A Galois element that is no automorphism.
    #[error("{primitive}: found galois element {element}, need an odd number below {twice_degree}")]
    Galois {
        /// Name of the primitive.
        primitive: &'static str,
        /// What was asked for.
        element: u64,
        /// 2N.
        twice_degree: usize,
    },
    /// The wrong number of operands.
    #[error("{primitive}: found {found} operands, need {needed}")]
    OperandCount {
        /// Name of the primitive.
        primitive: &'static str,
        /// How many were given.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// An operand that does not fit its parameter.
    #[error("{primitive}: operand {operand}: found {found}, need {needed}")]
    Operand {
        /// Name of the primitive.
        primitive: &'static str,
        /// Number of the operand.
        operand: usize,
        /// What was given.
        found: String,
        /// What it takes.
        needed: String,
    },
    /// A value that the modulus cannot hold.
    #[error(
        "encode: found a coefficient of 2^{bits:.1}, need less than 2^{limit:.1} (use a smaller scale or more primes)"
    )]
    Overflow {
        /// log2 of the coefficient.
        bits: f64,
        /// log2 of half the modulus.
        limit: f64,
    },
    /// A slot that is not finite.
    #[error("encode: found a value that is not finite, need finite values")]
    NotFinite,
    /// The operating system gave no randomness.
    #[error("randomness: the operating system gave none: {reason}")]
    Randomness {
        /// Its reason.
        reason: String,
    },
    /// A primitive touched something else than it declares: a defect of this crate.
    #[error("{primitive}: the run touched other ranges than the primitive declares (please report this)")]
    Deviation {
        /// Name of the primitive.
        primitive: &'static str,
    },
    /// The caller asked to stop.
    #[error("run: interrupted")]
    Interrupted,
    /// An object was used outside its life, or by two at once: a defect of a layer.
    #[error("{object}: {found}")]
    Object {
        /// Label and index.
        object: String,
        /// What happened.
        found: &'static str,
    },
    /// A batch that does not fit.
    #[error(
        "batch: found {found} images, need 1 to {most} (one slot each, or half of one in complex packing)"
    )]
    Batch {
        /// Images given.
        found: usize,
        /// Most that fit.
        most: usize,
    },
    /// A window that does not fit its input.
    #[error(
        "{layer}: window of size {size} and stride {stride} on a padded axis of {padded}, need size and stride from 1 and a size of at most {padded}"
    )]
    Window {
        /// Name of the layer.
        layer: String,
        /// Size of the window.
        size: usize,
        /// Its stride.
        stride: usize,
        /// Extent of the axis with its padding.
        padded: usize,
    },
    /// Padding that leaves an output without any element under its window.
    #[error(
        "{layer}: window of size {size} on an axis padded by {padding} on one side, need less padding than the window is wide"
    )]
    Padding {
        /// Name of the layer.
        layer: String,
        /// Size of the window.
        size: usize,
        /// Padding of the side that has more.
        padding: usize,
    },
    /// Summands whose encodings multiply values by different scales.
    #[error(
        "{layer}: found summands of scales 2^{left_bits:.2} and 2^{right_bits:.2}, need equal ones (use primes of the bits of the scale, and so many that every product is rescaled)"
    )]
    Scales {
        /// Name of the layer.
        layer: String,
        /// log2 of the scale of the first summand.
        left_bits: f64,
        /// log2 of the scale of the second summand.
        right_bits: f64,
    },
    /// An image that does not fit the network.
    #[error("images: found image {image} of {found} values, need {needed}")]
    Image {
        /// Number of the image, from 0.
        image: usize,
        /// Its values.
        found: usize,
        /// Elements of the network's input.
        needed: usize,
    },
    /// Channels or elements that do not match.
    #[error("{layer}: found {found} channels or elements, need {needed}")]
    Channels {
        /// Name of the layer.
        layer: String,
        /// What comes in.
        found: usize,
        /// What the layer takes.
        needed: usize,
    },
    /// The wrong number of inputs.
    #[error("{layer}: found {found} inputs, need {needed}")]
    Inputs {
        /// Name of the layer.
        layer: String,
        /// How many were given.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// The level budget is too short.
    #[error(
        "{layer}: input has {found} levels left, needs {needed}: found primes of {} bits, need {cure}",
        join(prime_bits)
    )]
    Levels {
        /// Name of the layer.
        layer: String,
        /// Levels left.
        found: usize,
        /// Levels that the layer consumes.
        needed: usize,
        /// Bits of the primes asked for, the special one last.
        prime_bits: Vec<u32>,
        /// Parameters that the whole network can do with.
        cure: String,
    },
    /// Values that the modulus cannot hold at their scale: they would come back modulo it.
    #[error(
        "{layer}: modulus of 2^{modulus_bits:.1} at level {level} for values at a scale of 2^{scale_bits:.1}: found {found:.1} bits above the scale, need {needed:.1}: found primes of {} bits, need {cure}",
        join(prime_bits)
    )]
    Room {
        /// Name of the layer.
        layer: String,
        /// Level of its output: its limbs but one.
        level: usize,
        /// log2 of the modulus there.
        modulus_bits: f64,
        /// log2 of the scale there.
        scale_bits: f64,
        /// Bits of the modulus above the scale.
        found: f64,
        /// Bits that values may take, sign included.
        needed: f64,
        /// Bits of the primes asked for, the special one last.
        prime_bits: Vec<u32>,
        /// Parameters that the whole network can do with.
        cure: String,
    },
    /// A scale so small that the errors of the layer's primitives drown the values.
    #[error(
        "{layer}: error that the layer adds to values at level {level} and a scale of 2^{scale_bits:.1}: found a standard deviation of 2^{found:.1}, need at most 2^{most:.0}: found primes of {} bits, need {cure}",
        join(prime_bits)
    )]
    Precision {
        /// Name of the layer.
        layer: String,
        /// Level of its output: its limbs but one.
        level: usize,
        /// log2 of the scale there.
        scale_bits: f64,
        /// log2 of the standard deviation of the error.
        found: f64,
        /// The most that is allowed.
        most: f64,
        /// Bits of the primes asked for, the special one last.
        prime_bits: Vec<u32>,
        /// Parameters that the whole network can do with.
        cure: String,
    },
    /// A layer that cannot work on two images in a slot.
    #[error("{layer}: found complex packing, need real packing")]
    Packing {
        /// Name of the layer.
        layer: String,
    },
    /// A layer of he-transformer's graph under other kernels than its own.
    #[error("{layer}: found kernel {found}, need faithful or fused")]
    Kernel {
        /// Name of the layer.
        layer: String,
        /// Name of the kernels.
        found: &'static str,
    },
    /// Elements in an order that the layer does not work on.
    #[error("{layer}: found elements in order row, column, channel, need channel, row, column")]
    Layout {
        /// Name of the layer.
        layer: String,
    },
    /// A width or resolution that a family of networks does not have.
    #[error(
        "network: found {found}, need {family}-WIDTH-RESOLUTION with width {widths} and resolution {resolutions}"
    )]
    UnknownVariant {
        /// What was asked for.
        found: String,
        /// The family.
        family: &'static str,
        /// The widths there are.
        widths: String,
        /// The resolutions there are.
        resolutions: String,
    },
    /// A name that no network has.
    #[error("network: found {found}, need one of {known}")]
    UnknownNetwork {
        /// What was asked for.
        found: String,
        /// The names there are.
        known: String,
    },
    /// Weights that are missing, malformed or of the wrong number.
    #[error("weights {name}: {reason}")]
    Weights {
        /// Name of the values, or of the file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A file that cannot be read.
    #[error("{path}: cannot be read: {reason}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A file that is not an idx file of the right shape.
    #[error("{path}: {reason}")]
    Idx {
        /// The file.
        path: String,
        /// What was found and needed.
        reason: String,
    },
    /// Threads that the operating system did not give.
    #[error("threads: {wanted} asked for: {reason}")]
    Threads {
        /// How many.
        wanted: usize,
        /// Why not.
        reason: String,
    },
    /// A program that breaks the grammar of traces: a defect of a layer.
    #[error("program: {reason}")]
    Program {
        /// What the grammar says.
        reason: String,
    },
}

impl Error {
    /// The error with other primes as its cure, if it is one that primes cure.
    pub(crate) fn cured(mut self, find: impl FnOnce() -> String) -> Self {
        if let Self::Levels { cure, .. } | Self::Room { cure, .. } | Self::Precision { cure, .. } = &mut self
        {
            *cure = find();
        }
        self
    }

    /// An [`Error::Levels`] of one layer; the network that it is part of knows the cure.
    pub(crate) fn levels(layer: &str, (found, needed): (usize, usize), parameters: &Parameters) -> Self {
        let prime_bits = parameters.literal().prime_bits.clone();
        Self::Levels { layer: layer.to_owned(), found, needed, prime_bits, cure: "more of them".to_owned() }
    }
}

/// Numbers with commas, as the command line takes them.
pub(crate) fn join(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

impl From<hetier_traces::Error> for Error {
    fn from(source: hetier_traces::Error) -> Self {
        Self::Program { reason: source.to_string() }
    }
}
