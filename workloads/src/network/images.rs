//! Batches of images with labels: from MNIST's idx files, or drawn at random.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Error;
use crate::layer::Shape;

/// Images as flat rows of values in [0, 1], with labels where they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Images {
    /// One row for each image, row-major `[channel][row][column]`.
    pub pixels: Vec<Vec<f64>>,
    /// The class of each image; empty if unknown.
    pub labels: Vec<u8>,
}

impl Images {
    /// Uniform noise, equal for equal seeds.
    pub fn seeded(shape: Shape, count: usize, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut row = || (0..shape.elements()).map(|_| random.random_range(0.0..1.0)).collect();
        Self { pixels: (0..count).map(|_| row()).collect(), labels: Vec::new() }
    }

    /// Reads idx files as MNIST is distributed (uncompressed): magic, big-endian extents, bytes. Labels are below `classes`.
    ///
    /// # Errors
    /// - [`Error::Read`] if a file cannot be read.
    /// - [`Error::Idx`] if one is not an idx file of bytes with the right extents, is truncated, if the numbers of images
    ///   and labels differ, or if a label is of no class.
    pub fn from_idx(
        images: &Path,
        labels: Option<&Path>,
        shape: Shape,
        classes: usize,
    ) -> Result<Self, Error> {
        let (extents, bytes) = read_idx(images, 3)?;
        if shape.channels != 1 {
            let reason = format!("found images of one channel, need {} channels", shape.channels);
            return Err(idx_error(images, reason));
        }
        if extents[1..] != [shape.height, shape.width] {
            let reason = format!(
                "found images of {}×{}, need {}×{}",
                extents[1], extents[2], shape.height, shape.width
            );
            return Err(idx_error(images, reason));
        }
        let row = |chunk: &[u8]| chunk.iter().map(|&byte| f64::from(byte) / 255.0).collect();
        let pixels: Vec<Vec<f64>> = bytes.chunks_exact(shape.elements()).map(row).collect();
        let labels =
            labels.map_or_else(|| Ok(Vec::new()), |path| read_labels(path, pixels.len(), classes))?;
        Ok(Self { pixels, labels })
    }

    /// The first `count` images, or all if there are fewer.
    #[must_use]
    pub fn first(mut self, count: usize) -> Self {
        self.pixels.truncate(count);
        self.labels.truncate(count);
        self
    }
}

/// A label below `classes` for each image.
fn read_labels(path: &Path, images: usize, classes: usize) -> Result<Vec<u8>, Error> {
    let (extents, labels) = read_idx(path, 1)?;
    if extents[0] != images {
        return Err(idx_error(path, format!("found {} labels, need {images}", extents[0])));
    }
    match labels.iter().enumerate().find(|(_, label)| usize::from(**label) >= classes) {
        None => Ok(labels),
        Some((at, label)) => {
            let last = classes.saturating_sub(1);
            Err(idx_error(path, format!("found label {label} of image {at}, need 0 to {last}")))
        }
    }
}

/// Extents and bytes of an idx file of unsigned bytes with `dimensions` dimensions.
fn read_idx(path: &Path, dimensions: u8) -> Result<(Vec<usize>, Vec<u8>), Error> {
    let file = std::fs::read(path)
        .map_err(|source| Error::Read { path: path.display().to_string(), reason: source.to_string() })?;
    let header = 4 + 4 * usize::from(dimensions);
    if file.len() < header || file[..4] != [0, 0, 8, dimensions] {
        let magic = file.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<String>();
        return Err(idx_error(
            path,
            format!(
                "found magic {magic}, need 000008{dimensions:02x}: an uncompressed IDX file of {dimensions} dimensions, as MNIST has them"
            ),
        ));
    }
    let extent = |bytes: &[u8]| bytes.iter().fold(0_usize, |value, &byte| value << 8 | usize::from(byte));
    let extents: Vec<usize> = file[4..header].chunks_exact(4).map(extent).collect();
    let needed = extents.iter().try_fold(1_usize, |product, &extent| product.checked_mul(extent));
    let found = file.len() - header;
    if needed != Some(found) {
        return Err(idx_error(path, format!("found {found} bytes of data, need the product of {extents:?}")));
    }
    Ok((extents, file[header..].to_vec()))
}

fn idx_error(path: &Path, reason: String) -> Error {
    Error::Idx { path: path.display().to_string(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idx(extents: &[u32], data: &[u8]) -> tempfile::NamedTempFile {
        let mut bytes = vec![0, 0, 8, extents.len() as u8];
        extents.iter().for_each(|extent| bytes.extend(extent.to_be_bytes()));
        bytes.extend(data);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn idx_images_and_labels_come_back_scaled_to_one() {
        let images = idx(&[2, 1, 2], &[0, 255, 51, 102]);
        let labels = idx(&[2], &[7, 3]);

        let read = Images::from_idx(images.path(), Some(labels.path()), Shape::new(1, 1, 2), 8).unwrap();

        assert_eq!(read.pixels, [vec![0.0, 1.0], vec![0.2, 0.4]]);
        assert_eq!(read.labels, [7, 3]);
    }

    #[test]
    fn labels_of_no_class_are_refused() {
        let (images, labels) = (idx(&[2, 1, 1], &[0, 255]), idx(&[2], &[7, 3]));
        let read =
            |classes| Images::from_idx(images.path(), Some(labels.path()), Shape::new(1, 1, 1), classes);

        assert!(read(8).is_ok());
        let refused = read(7).unwrap_err().to_string();
        assert!(refused.ends_with("found label 7 of image 0, need 0 to 6"), "{refused}");
    }

    #[test]
    fn truncated_idx_file_is_refused() {
        let images = idx(&[2, 1, 2], &[0, 255, 51]);
        assert!(Images::from_idx(images.path(), None, Shape::new(1, 1, 2), 10).is_err());
    }

    #[test]
    fn idx_images_of_another_size_are_refused() {
        let images = idx(&[1, 2, 2], &[0; 4]);
        assert!(Images::from_idx(images.path(), None, Shape::new(1, 1, 4), 10).is_err());
    }
}
