//! `mobilenetv2-WIDTH-RESOLUTION`: MobileNetV2 for `ImageNet` as he-transformer imports it.

use super::imported::Importer;
use super::{Network, Weights};
use crate::Error;
use crate::layer::transformer::{ClientRelu, ResidualAdd, SerialAveragePool};
use crate::layer::{Shape, Window};

/// Widths of the published models, in percent.
pub(super) const WIDTHS: [usize; 6] = [35, 50, 75, 100, 130, 140];
/// Resolutions of the published models.
pub(super) const RESOLUTIONS: [usize; 5] = [96, 128, 160, 192, 224];

/// Blocks of one stage: expansion, output channels at width 1, number, stride of the first.
type Stage = (usize, usize, usize, usize);

/// The bottlenecks. Source: Sandler, Howard, Zhu, Zhmoginov, Chen, `MobileNetV2`, CVPR 2018, table 2.
const STAGES: [Stage; 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

/// A `MobileNetV2` of any size.
#[derive(Clone, Debug)]
pub struct MobileNetV2 {
    /// Width in percent.
    pub width: usize,
    /// Rows and columns of an image; a multiple of the product of all strides.
    pub resolution: usize,
    /// Bottlenecks by stage: expansion, output channels at width 1, number, stride of the first.
    pub stages: Vec<(usize, usize, usize, usize)>,
    /// Channels of the last convolution at width 1.
    pub last: usize,
    /// Classes.
    pub classes: usize,
}

/// The shipped model of a width in percent and a resolution.
pub(super) fn build<const WIDTH: usize, const RESOLUTION: usize>(
    weights: &Weights,
) -> Result<Network, Error> {
    let stages = STAGES.to_vec();
    MobileNetV2 { width: WIDTH, resolution: RESOLUTION, stages, last: 1280, classes: 1001 }.build(weights)
}

impl MobileNetV2 {
    /// The network: stem, bottlenecks, last convolution, average pool, logits.
    ///
    /// Batch norms are folded into the convolutions, save those after the depthwise ones. Padding is TensorFlow's
    /// `SAME`.
    ///
    /// # Errors
    /// - [`Error::Weights`] if weights are given, but do not fit;
    /// - [`Error::Window`] if the resolution is too small for the strides.
    pub fn build(&self, weights: &Weights) -> Result<Network, Error> {
        let name = format!("mobilenetv2-{}-{}", width_name(self.width), self.resolution);
        let network = Network::new(name, Shape::new(3, self.resolution, self.resolution));
        let mut importer = Importer { network, weights };
        let relu = ClientRelu::bounded(6.0);
        let mut from = importer.network.input();
        importer.convolution("stem", from, self.channels(32), Window::same(3, 2, self.resolution))?;
        from = importer.relu("stem", relu)?;
        let mut block = 0;
        for &(expansion, channels, number, stride) in &self.stages {
            for at in 0..number {
                let (input, name) = (importer.network.shape(from), format!("block{block}"));
                if expansion > 1 {
                    let expand = format!("{name}.expand");
                    importer.convolution(&expand, from, expansion * input.channels, Window::new(1, 1, 0))?;
                    importer.relu(&expand, relu)?;
                }
                let depthwise = format!("{name}.depthwise");
                let stride = if at == 0 { stride } else { 1 };
                importer.depthwise(&depthwise, Window::same(3, stride, input.height))?;
                let rectified = importer.relu(&depthwise, relu)?;
                let outputs = self.channels(channels);
                let project = format!("{name}.project");
                let projected = importer.convolution(&project, rectified, outputs, Window::new(1, 1, 0))?;
                from = match importer.network.shape(projected) == input {
                    true => {
                        importer.network.join(&format!("{name}.residual"), ResidualAdd, &[projected, from])?
                    }
                    false => projected,
                };
                block += 1;
            }
        }
        importer.convolution("last", from, self.last * self.width.max(100) / 100, Window::new(1, 1, 0))?;
        let last = importer.relu("last", relu)?;
        let side = importer.network.shape(last).height;
        let pooled = importer.network.then("pool", SerialAveragePool::new(Window::new(side, side, 0)))?;
        importer.convolution("logits", pooled, self.classes, Window::new(1, 1, 0))?;
        Ok(importer.network)
    }

    /// Channels at this width: a multiple of 8, at least 8, and no more than 10 % below the exact number.
    ///
    /// Source: TF-slim, `_make_divisible`.
    fn channels(&self, at_width_one: usize) -> usize {
        let hundredfold = at_width_one * self.width;
        let rounded = ((hundredfold + 400) / 800 * 8).max(8);
        if rounded * 1000 < hundredfold * 9 { rounded + 8 } else { rounded }
    }
}

/// A width as names have it: `0.35`, `0.5`, `1.0`.
pub(super) fn width_name(percent: usize) -> String {
    let name = format!("{}.{:02}", percent / 100, percent % 100);
    name.strip_suffix('0').map_or(name.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_share_the_expansion_of_block_1_in_pairs() {
        let expansion = |width| {
            6 * MobileNetV2 { width, resolution: 96, stages: Vec::new(), last: 1280, classes: 1001 }
                .channels(16)
        };

        assert_eq!(WIDTHS.map(expansion), [48, 48, 96, 96, 144, 144]);
    }

    #[test]
    fn names_of_widths_have_one_or_two_decimals() {
        assert_eq!(WIDTHS.map(width_name), ["0.35", "0.5", "0.75", "1.0", "1.3", "1.4"]);
    }
}
