//! Programs: loop nests of HE primitives over numbered objects, and how layers write them.
//!
//! A [`Program`] is a trace whose macros are still primitives: [`crate::interpret`] runs it or shapes it.

mod aluminum_shark;
mod client;
mod constant;
mod fit;
mod handles;
mod lowering;
mod options;
mod product;
mod tensor;

use hetier_traces::{ArrayId, Definition, Header, Phase};

pub use crate::ring::Packing;
pub use constant::Addend;
pub use fit::LARGEST_VALUE;
pub(crate) use fit::{Fit, LARGEST_ADVISED, value_bits};
pub use lowering::{Lowering, Site, operand, run, site};
pub use options::{Client, Kernel, Liveness, Options, Zeros};
pub use product::{Ending, Weighted};
pub(crate) use tensor::CHANNELS_LAST;
pub use tensor::{Layout, Tensor};

use crate::parameters::Parameters;
use crate::primitive::Primitive;
use crate::scheme::Encoding;

/// Where the values of a message array come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// One value for each element, such as weights.
    Single(Vec<f64>),
    /// One value for each element, in every slot.
    Uniform(Vec<f64>),
    /// The batch: element i holds value i of every image.
    Images,
}

/// An encrypted inference, ready to be run or shaped.
#[derive(Clone, Debug)]
pub struct Program {
    /// Facts for the reader of the trace.
    pub header: Header,
    /// Arrays and views by number.
    pub definitions: Vec<Definition>,
    /// Primitives by the number that calls name as their macro.
    pub primitives: Vec<Primitive>,
    /// Set-up, client and server phases in order.
    pub phases: Vec<Phase>,
    /// Parameters of the scheme.
    pub parameters: Parameters,
    /// Choices that it was lowered with, the most images of a batch among them.
    pub options: Options,
    /// Encoding of the input and of every layer's output, in order of the network's nodes.
    pub encodings: Vec<Encoding>,
    /// Message arrays that are filled from outside.
    pub contents: Vec<(ArrayId, Content)>,
    /// The decoded outputs: a message array and its number of elements.
    pub outputs: (ArrayId, u64),
}
