//! Shapes of activations and the geometry of sliding windows.

use hetier_traces::{Affine, Range};

use crate::Error;

/// Channels × height × width of one image's activation; every element is one ciphertext under batch-axis packing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Channels, or features of a flat vector.
    pub channels: usize,
    /// Rows; 1 for a flat vector.
    pub height: usize,
    /// Columns; 1 for a flat vector.
    pub width: usize,
}

impl Shape {
    /// A volume.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width }
    }

    /// A flat vector of `features`.
    pub const fn flat(features: usize) -> Self {
        Self::new(features, 1, 1)
    }

    /// Number of elements.
    pub const fn elements(&self) -> usize {
        self.channels * self.height * self.width
    }
}

/// A square sliding window: size, stride and zero padding on the side of the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows and columns of the window.
    pub size: usize,
    /// Step between outputs.
    pub stride: usize,
    /// Rows and columns of zeros before the first.
    pub padding_before: usize,
    /// Rows and columns of zeros after the last.
    pub padding_after: usize,
}

impl Window {
    /// A window with equal padding on all sides.
    pub const fn new(size: usize, stride: usize, padding: usize) -> Self {
        Self { size, stride, padding_before: padding, padding_after: padding }
    }

    /// TensorFlow's `SAME`: output is ⌈extent ÷ stride⌉, the odd zero goes after.
    pub const fn same(size: usize, stride: usize, extent: usize) -> Self {
        let outputs = extent.div_ceil(stride);
        let padding = ((outputs - 1) * stride + size).saturating_sub(extent);
        Self { size, stride, padding_before: padding / 2, padding_after: padding - padding / 2 }
    }

    /// Number of positions along an axis of `extent` elements.
    ///
    /// # Errors
    /// - [`Error::Window`] if the window is larger than the padded axis, or size or stride is 0;
    /// - [`Error::Padding`] if there is as much padding as window, so that an output would be a sum of nothing, which no
    ///   primitive writes.
    pub fn positions(&self, layer: &str, extent: usize) -> Result<usize, Error> {
        let padded = extent + self.padding_before + self.padding_after;
        if self.size == 0 || self.stride == 0 || self.size > padded {
            return Err(Error::Window {
                layer: layer.to_owned(),
                size: self.size,
                stride: self.stride,
                padded,
            });
        }
        let padding = self.padding_before.max(self.padding_after);
        if padding >= self.size {
            return Err(Error::Padding { layer: layer.to_owned(), size: self.size, padding });
        }
        Ok((padded - self.size) / self.stride + 1)
    }

    /// Offsets inside the window at output `position` that fall on real elements of an axis of `extent`.
    pub fn taps(&self, position: usize, extent: usize) -> std::ops::Range<usize> {
        let origin = position * self.stride;
        let from = self.padding_before.saturating_sub(origin);
        let to = self.size.min((extent + self.padding_before).saturating_sub(origin));
        from..to.max(from)
    }

    /// Taps of all positions over one channel that fall on real elements.
    pub fn all_taps(&self, shape: Shape) -> u64 {
        let along = |extent: usize| -> u64 {
            let positions = self.positions("", extent).unwrap_or(0);
            (0..positions).map(|position| self.taps(position, extent).len() as u64).sum()
        };
        along(shape.height) * along(shape.width)
    }

    /// Folds the real elements under each position, channel by channel, in the clear.
    pub(super) fn fold(
        &self,
        shape: Shape,
        input: &[f64],
        start: f64,
        fold: impl Fn(f64, f64) -> f64,
    ) -> Vec<f64> {
        let plane = (shape.height * shape.width).max(1);
        input
            .chunks_exact(plane)
            .flat_map(|values| self.each(shape, values, start, |sum, _, value| fold(sum, value)))
            .collect()
    }

    /// Sums of one channel's elements times the weights of the window, in the clear.
    pub(super) fn weighted_sums(&self, shape: Shape, values: &[f64], weights: &[f64]) -> Vec<f64> {
        self.each(shape, values, 0.0, |sum, tap, value| sum + weights[tap] * value)
    }

    fn each(
        &self,
        shape: Shape,
        values: &[f64],
        start: f64,
        fold: impl Fn(f64, usize, f64) -> f64,
    ) -> Vec<f64> {
        let mut folded = Vec::new();
        for row in 0..self.positions("", shape.height).unwrap_or(0) {
            for column in 0..self.positions("", shape.width).unwrap_or(0) {
                let mut result = start;
                for i in self.taps(row, shape.height) {
                    let y = row * self.stride + i - self.padding_before;
                    for j in self.taps(column, shape.width) {
                        let x = column * self.stride + j - self.padding_before;
                        result = fold(result, i * self.size + j, values[y * shape.width + x]);
                    }
                }
                folded.push(result);
            }
        }
        folded
    }

    /// The same as a loop range, with the output position in variable `position`.
    pub fn range(&self, position: u8, extent: usize) -> Range {
        let stride = self.stride as i64;
        let before = self.padding_before as i64;
        Range::Affine {
            from: vec![Affine::constant(0), Affine::constant(before).plus(position, -stride)],
            to: vec![
                Affine::constant(self.size as i64),
                Affine::constant(extent as i64 + before).plus(position, -stride),
            ],
        }
    }

    /// Index along the input axis, `position · stride + tap − padding`, times `pitch`, added to `index`.
    pub fn index(&self, index: Affine, position: u8, tap: u8, pitch: usize) -> Affine {
        let pitch = pitch as i64;
        index
            .plus(position, self.stride as i64 * pitch)
            .plus(tap, pitch)
            .plus_constant(-(self.padding_before as i64) * pitch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_halves_an_even_axis_at_stride_two() {
        let window = Window::same(3, 2, 96);
        assert_eq!((window.padding_before, window.padding_after), (0, 1));
        assert_eq!(window.positions("w", 96).unwrap(), 48);
    }

    #[test]
    fn loop_range_and_taps_agree_at_every_position() {
        for window in
            [Window::new(3, 2, 1), Window::same(3, 2, 7), Window::new(5, 1, 2), Window::new(7, 2, 3)]
        {
            for position in 0..window.positions("w", 7).unwrap() {
                let Range::Affine { from, to } = window.range(0, 7) else { unreachable!() };
                let variables = [position as i64];
                let from = from.iter().map(|bound| bound.value(&variables)).max().unwrap();
                let to = to.iter().map(|bound| bound.value(&variables)).min().unwrap();
                let taps = window.taps(position, 7);
                assert_eq!((taps.start as i64, taps.end as i64), (from, to));
            }
        }
    }

    #[test]
    fn padding_as_wide_as_the_window_is_refused_and_one_less_leaves_an_element_under_every_window() {
        for (size, stride) in [(1, 1), (2, 1), (3, 2), (3, 3)] {
            let window = Window::new(size, stride, size - 1);
            let positions = window.positions("w", 4).unwrap();
            assert!((0..positions).all(|position| !window.taps(position, 4).is_empty()), "{window:?}");

            let error = Window { padding_after: size, ..window }.positions("w", 4).unwrap_err();
            assert_eq!(error, Error::Padding { layer: "w".to_owned(), size, padding: size });
        }
    }

    #[test]
    fn window_as_large_as_the_padded_axis_fits_and_one_larger_is_refused() {
        assert_eq!(Window::new(9, 1, 1).positions("w", 7).unwrap(), 1);
        assert!(Window::new(10, 1, 1).positions("w", 7).is_err());
    }
}
