//! The pieces of networks that he-transformer imports from TensorFlow.

use super::{Network, NodeId, Weights};
use crate::Error;
use crate::layer::Window;
use crate::layer::transformer::{
    ChannelAdd, ChannelMultiply, ClientRelu, DepthwiseConvolution, GraphConvolution,
};
use crate::parameters::Literal;
use crate::program::Options;

/// Images of a batch in the experiments that are redone: every slot of degree 4096.
pub(super) const IMAGES: usize = 2048;

/// Parameter set `N12_L4` of he-transformer. Default scale: its second-last prime.
pub(super) fn literal() -> Literal {
    Literal::new(4096, &[30, 22, 22, 30], 22)
}

/// The original's kernels over the SEAL that it pins.
pub(super) fn options() -> Options {
    Options::he_transformer(IMAGES)
}

/// A network while it is being written.
pub(super) struct Importer<'w> {
    pub network: Network,
    pub weights: &'w Weights,
}

impl Importer<'_> {
    /// A convolution of `size`×`size` with the batch norm folded in: Convolution, Add.
    pub fn convolution(
        &mut self,
        name: &str,
        from: NodeId,
        outputs: usize,
        window: Window,
    ) -> Result<NodeId, Error> {
        let inputs = self.network.shape(from).channels;
        let layer = GraphConvolution::new(name, (inputs, outputs), window, self.weights)?;
        self.network.join(name, layer, &[from])?;
        self.network.then(&format!("{name}.add"), ChannelAdd::new(name, outputs, self.weights)?)
    }

    /// A depthwise convolution with its batch norm apart: Convolutions, Multiply, Add.
    pub fn depthwise(&mut self, name: &str, window: Window) -> Result<NodeId, Error> {
        let channels = self.network.shape(self.network.last()).channels;
        self.network.then(name, DepthwiseConvolution::new(name, channels, window, self.weights)?)?;
        let multiply = ChannelMultiply::new(name, channels, self.weights)?;
        self.network.then(&format!("{name}.multiply"), multiply)?;
        self.network.then(&format!("{name}.add"), ChannelAdd::new(name, channels, self.weights)?)
    }

    /// Rectifies what was added last.
    pub fn relu(&mut self, name: &str, relu: ClientRelu) -> Result<NodeId, Error> {
        self.network.then(&format!("{name}.relu"), relu)
    }

    /// A fully connected layer: Dot, Add.
    pub fn dot(&mut self, name: &str, outputs: usize) -> Result<NodeId, Error> {
        let input = self.network.shape(self.network.last());
        self.network.then(name, GraphConvolution::dot(name, input, outputs, self.weights)?)?;
        self.network.then(&format!("{name}.add"), ChannelAdd::new(name, outputs, self.weights)?)
    }
}
