//! Which taps of a convolution have a weight that is zero, as ranges of the loop over its taps.

use hetier_traces::seeded::MILLION;
use hetier_traces::{Affine, Range};

use crate::network::Pruning;
use crate::program::Zeros;

/// Weights below this magnitude count as zero. Source: he-transformer, `scalar_multiply_seal`.
const ZERO: f64 = 1e-5;

/// The weights of one operation: a depthwise convolution has one operation a channel, each with lists of its own weights.
pub(super) type Among = std::ops::Range<usize>;

/// The zeros of a filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ZeroTaps {
    /// None, or treated like any other weight.
    None,
    /// Drawn, for weights that are not there.
    Drawn(Pruning),
    /// Known: for each weight, whether it is kept.
    Known(Vec<bool>),
}

impl ZeroTaps {
    /// The zeros of `values`, or drawn ones where there are no values.
    pub fn of(values: &[f64], pruning: Option<Pruning>, zeros: Zeros) -> Self {
        let kept = || values.iter().map(|value| value.abs() >= ZERO);
        match (zeros, pruning) {
            (Zeros::Multiply, _) => Self::None,
            (_, Some(pruning)) => Self::Drawn(pruning),
            _ if kept().all(|kept| kept) => Self::None,
            _ => Self::Known(kept().collect()),
        }
    }

    /// A range with one value where weight number `weight`, which is one of `among`, is not zero, and with none where it is.
    pub fn kept(&self, weight: &Affine, among: Among) -> Option<Range> {
        match self {
            Self::None => None,
            Self::Drawn(pruning) => Some(drawn(*pruning, weight)),
            Self::Known(kept) => Some(listed(kept[among.clone()].iter().copied(), weight, among.start)),
        }
    }

    /// A range with one value where the weight is zero. Drawn zeros are drawn anew: as many on average, elsewhere.
    pub fn dropped(&self, weight: &Affine, among: Among) -> Option<Range> {
        match self {
            Self::None => None,
            Self::Drawn(Pruning { zero_per_million, seed }) => {
                let kept = MILLION.saturating_sub(*zero_per_million);
                Some(drawn(Pruning { zero_per_million: kept, seed: seed.wrapping_add(1) }, weight))
            }
            Self::Known(kept) => {
                Some(listed(kept[among.clone()].iter().map(|kept| !kept), weight, among.start))
            }
        }
    }
}

fn drawn(pruning: Pruning, weight: &Affine) -> Range {
    let keep_per_million = MILLION.saturating_sub(pruning.zero_per_million);
    Range::Seeded { of: 1, keep_per_million, select: weight.clone(), seed: pruning.seed }
}

fn listed(chosen: impl Iterator<Item = bool>, weight: &Affine, first: usize) -> Range {
    let lists = chosen.map(|chosen| if chosen { vec![0] } else { Vec::new() }).collect();
    Range::Listed { lists, select: weight.clone().plus_constant(-(first as i64)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_of_one_hundred_thousandth_is_kept_and_a_smaller_one_is_zero() {
        let zeros = ZeroTaps::of(&[ZERO, 0.99 * ZERO, -1.0], None, Zeros::Skip);

        assert_eq!(zeros, ZeroTaps::Known(vec![true, false, true]));
        assert_eq!(ZeroTaps::of(&[0.0], None, Zeros::Multiply), ZeroTaps::None);
    }

    #[test]
    fn lists_of_one_channel_hold_its_weights_alone() {
        let zeros = ZeroTaps::of(&[1.0, 0.0, 0.0, 1.0, 1.0, 0.0], None, Zeros::Copy);
        let weight = Affine::constant(2).plus(0, 1);
        let expected = |lists| Some(Range::Listed { lists, select: Affine::variable(0) });

        assert_eq!(zeros.kept(&weight, 2..4), expected(vec![vec![], vec![0]]));
        assert_eq!(zeros.dropped(&weight, 2..4), expected(vec![vec![0], vec![]]));
    }
}
