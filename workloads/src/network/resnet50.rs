//! `resnet50` and `resnet50-v1`: ResNet-50 for `ImageNet` as he-transformer would import it.

use super::imported::Importer;
use super::{Network, Weights};
use crate::Error;
use crate::layer::transformer::{ClientMaxPool, ClientRelu, ResidualAdd, SerialAveragePool};
use crate::layer::{Shape, Window};

/// Channels, blocks and stride of the four stages.
///
/// Source: He, Zhang, Ren, Sun, Deep residual learning for image recognition, CVPR 2016, table 1.
const STAGES: [(usize, usize, usize); 4] = [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)];

/// Output channels of a bottleneck over its inner ones.
const EXPANSION: usize = 4;

/// Which convolution of a stage's first block has the stage's stride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strided {
    /// The first, 1×1, as the paper has it ("v1").
    Reduction,
    /// The second, 3×3, as models that were pre-trained in TensorFlow and `PyTorch` have it ("v1.5").
    Spatial,
}

/// A residual network of bottlenecks of any size.
#[derive(Clone, Debug)]
pub struct ResNet {
    /// Name of the network.
    pub name: String,
    /// Rows and columns of an image.
    pub resolution: usize,
    /// Channels of the stem.
    pub stem: usize,
    /// Inner channels, blocks and stride of the first block, by stage.
    pub stages: Vec<(usize, usize, usize)>,
    /// Place of the stride.
    pub strided: Strided,
    /// Classes.
    pub classes: usize,
}

/// ResNet-50 at 224×224, version 1.5: 3.946·10⁹ multiply-accumulates in convolutions, padding skipped.
pub(super) fn build(weights: &Weights) -> Result<Network, Error> {
    resnet50("resnet50", Strided::Spatial, weights)
}

/// ResNet-50 at 224×224, version 1: 3.697·10⁹ multiply-accumulates in convolutions, padding skipped.
pub(super) fn build_v1(weights: &Weights) -> Result<Network, Error> {
    resnet50("resnet50-v1", Strided::Reduction, weights)
}

fn resnet50(name: &str, strided: Strided, weights: &Weights) -> Result<Network, Error> {
    let (name, stages) = (name.to_owned(), STAGES.to_vec());
    ResNet { name, resolution: 224, stem: 64, stages, strided, classes: 1000 }.build(weights)
}

impl ResNet {
    /// The network: 7×7 stem, 3×3 maximum, bottlenecks, average pool, one dense layer. Batch norms are folded.
    ///
    /// # Errors
    /// - [`Error::Weights`] if weights are given, but do not fit;
    /// - [`Error::Window`] if the resolution is too small for the strides.
    pub fn build(&self, weights: &Weights) -> Result<Network, Error> {
        let network = Network::new(self.name.clone(), Shape::new(3, self.resolution, self.resolution));
        let mut importer = Importer { network, weights };
        let (relu, point) = (ClientRelu::default(), Window::new(1, 1, 0));
        let input = importer.network.input();
        importer.convolution("stem", input, self.stem, Window::new(7, 2, 3))?;
        let stem = importer.relu("stem", relu)?;
        let side = importer.network.shape(stem).height;
        let mut from = importer.network.then("maximum", ClientMaxPool::new(Window::same(3, 2, side)))?;
        for (stage, &(channels, blocks, stride)) in self.stages.iter().enumerate() {
            for block in 0..blocks {
                let part = |part: &str| format!("stage{}.block{block}.{part}", stage + 1);
                let (first, stride) = (from, if block == 0 { stride } else { 1 });
                let (reduction, spatial) = match self.strided {
                    Strided::Reduction => (stride, 1),
                    Strided::Spatial => (1, stride),
                };
                importer.convolution(&part("a"), first, channels, Window::new(1, reduction, 0))?;
                let a = importer.relu(&part("a"), relu)?;
                importer.convolution(&part("b"), a, channels, Window::new(3, spatial, 1))?;
                let b = importer.relu(&part("b"), relu)?;
                let c = importer.convolution(&part("c"), b, EXPANSION * channels, point)?;
                let shortcut = match block {
                    0 => {
                        let window = Window::new(1, stride, 0);
                        importer.convolution(&part("shortcut"), first, EXPANSION * channels, window)?
                    }
                    _ => first,
                };
                importer.network.join(&part("residual"), ResidualAdd, &[c, shortcut])?;
                from = importer.relu(&part("residual"), relu)?;
            }
        }
        let side = importer.network.shape(from).height;
        importer.network.then("pool", SerialAveragePool::new(Window::new(side, side, 0)))?;
        importer.dot("dense", self.classes)?;
        Ok(importer.network)
    }
}
