//! `digits`: a small trained network for the 8×8 UCI handwritten digits, the default of every command.

use std::collections::BTreeMap;

use super::{Images, Network, Weights};
use crate::Error;
use crate::layer::{Convolution, Dense, Shape, Square, Window};

/// Weights and test images, laid out as `workloads/data/README.md` says.
static DATA: &[u8] = include_bytes!("../../data/digits.bin");

/// Channels of the convolution.
const CHANNELS: usize = 7;
/// Rows and columns of an image.
const SIDE: usize = 8;
/// Rows and columns of the convolution's output.
const OUTPUT_SIDE: usize = 4;
/// Rows and columns of the convolution's kernel.
const KERNEL: usize = 3;
/// Classes.
const CLASSES: usize = 10;
/// Bytes before the first array of the data file.
const HEADER_BYTES: usize = 40;

/// Convolution 7@3×3 stride 2, square, dense 10: 1,967 multiply-accumulates; 2 levels and room in the first
/// prime for the last layer.
pub(super) fn build(weights: &Weights) -> Result<Network, Error> {
    let mut network = Network::new("digits", Shape::new(1, SIDE, SIDE));
    network.then("conv1", Convolution::new("conv1", (1, CHANNELS), Window::new(KERNEL, 2, 1), weights)?)?;
    network.then("square1", Square)?;
    let features = CHANNELS * OUTPUT_SIDE * OUTPUT_SIDE;
    network.then("dense1", Dense::new("dense1", (features, CLASSES), weights)?)?;
    Ok(network)
}

/// The trained weights.
pub(super) fn weights() -> Weights {
    let mut rest = &DATA[HEADER_BYTES..];
    let features = CHANNELS * OUTPUT_SIDE * OUTPUT_SIDE;
    let lengths = [
        ("conv1.weights", CHANNELS * KERNEL * KERNEL),
        ("conv1.bias", CHANNELS),
        ("dense1.weights", CLASSES * features),
        ("dense1.bias", CLASSES),
    ];
    let mut values = BTreeMap::new();
    for (name, length) in lengths {
        let (bytes, after) = rest.split_at(4 * length);
        let value = |chunk: &[u8]| f64::from(f32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]));
        values.insert(name.to_owned(), bytes.chunks_exact(4).map(value).collect());
        rest = after;
    }
    Weights::Given(values)
}

/// The 500 test images, which the training has not seen, with their labels.
pub(super) fn images() -> Images {
    let pixels = SIDE * SIDE;
    let count = usize::from(u16::from_le_bytes([DATA[36], DATA[37]]));
    let labels = &DATA[DATA.len() - count..];
    let bytes = &DATA[DATA.len() - count * (pixels + 1)..DATA.len() - count];
    let row = |image: &[u8]| image.iter().map(|&byte| f64::from(byte) / 16.0).collect();
    Images { pixels: bytes.chunks_exact(pixels).map(row).collect(), labels: labels.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_model_reaches_96_percent_on_the_test_images() {
        let network = build(&weights()).unwrap();
        let images = images();

        let hits = images.pixels.iter().zip(&images.labels).filter(|(image, label)| {
            let outputs = network.clear(image);
            let best = (0..CLASSES).max_by(|&a, &b| outputs[a].total_cmp(&outputs[b]));
            best == Some(usize::from(**label))
        });

        let accuracy = hits.count() as f64 / images.labels.len() as f64;
        assert_eq!(images.labels.len(), 500);
        assert!(accuracy >= 0.96, "accuracy {accuracy}");
    }

    #[test]
    fn multiply_accumulates_are_the_documented_1967() {
        assert_eq!(build(&Weights::Absent).unwrap().multiply_accumulates(), 1967);
    }
}
