//! The shelf of networks, and what feeds them: weights and images.

mod cryptonets;
mod digits;
mod graph;
mod images;
mod lenet5;
mod weights;

pub use graph::{Network, NodeId};
pub use images::Images;
pub use weights::Weights;

use crate::Error;
use crate::parameters::Literal;

/// A network that can be asked for by name.
pub struct Entry {
    /// Name on the command line.
    pub name: &'static str,
    /// One line for `list networks`.
    pub summary: &'static str,
    build: fn(&Weights) -> Result<Network, Error>,
    literal: fn() -> Literal,
    weights: Option<fn() -> Weights>,
    images: Option<fn() -> Images>,
}

/// Every shipped network.
pub const NETWORKS: &[Entry] = &[
    Entry {
        name: "digits",
        summary: "trained, 8x8 handwritten digits: convolution 6@3x3, square, dense 10",
        build: digits::build,
        literal: || Literal::new(8192, &[60, 30, 30, 60], 30),
        weights: Some(digits::weights),
        images: Some(digits::images),
    },
    Entry {
        name: "cryptonets",
        summary: "CryptoNets for 28x28 digits: convolution 5@5x5, square, dense 100, square, dense 10",
        build: cryptonets::build,
        literal: || Literal::new(16384, &[60, 34, 34, 34, 34, 60], 34),
        weights: None,
        images: None,
    },
    Entry {
        name: "lenet5",
        summary: "LeNet-5 for 28x28 digits: two convolutions with average pools, three dense layers",
        build: lenet5::build,
        literal: || Literal::new(16384, &[60, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 60], 31),
        weights: None,
        images: None,
    },
];

impl Entry {
    /// The network called `name`.
    ///
    /// # Errors
    /// [`Error::UnknownNetwork`] with the names there are.
    pub fn find(name: &str) -> Result<&'static Self, Error> {
        NETWORKS.iter().find(|entry| entry.name == name).ok_or_else(|| Error::UnknownNetwork {
            found: name.to_owned(),
            known: NETWORKS.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", "),
        })
    }

    /// The network with these weights.
    ///
    /// # Errors
    /// [`Error::Weights`] if they are given, but do not fit.
    pub fn build(&self, weights: &Weights) -> Result<Network, Error> {
        (self.build)(weights)
    }

    /// The parameters that the network is shipped with: enough levels, 128-bit secure.
    pub fn literal(&self) -> Literal {
        (self.literal)()
    }

    /// The trained weights, if the network is shipped with some.
    pub fn weights(&self) -> Option<Weights> {
        self.weights.map(|weights| weights())
    }

    /// Test images with labels, if the network is shipped with some.
    pub fn images(&self) -> Option<Images> {
        self.images.map(|images| images())
    }
}
