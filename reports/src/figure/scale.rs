//! Axes: from values to places and to round ticks.

use crate::units::significant;

/// How an axis maps values to the share of its length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Evenly from `from` to `to`.
    Linear {
        /// Value at the start.
        from: f64,
        /// Value at the end.
        to: f64,
    },
    /// Evenly in the logarithm, from `from` > 0 to `to`.
    Logarithmic {
        /// Value at the start.
        from: f64,
        /// Value at the end.
        to: f64,
    },
    /// Evenly in the logarithm, from `from` > 0 to `to`, with ticks at powers of two.
    Binary {
        /// Value at the start.
        from: f64,
        /// Value at the end.
        to: f64,
    },
    /// Shares on the scale of nines: 0, 0.9, 0.99, … at equal distances, `nines` of them.
    Nines {
        /// Number of nines at the end.
        nines: f64,
    },
}

/// A value with the text that stands at it.
pub type Tick = (f64, String);

impl Scale {
    /// From 0 to a round number at or above `largest`: bars and areas have their base at zero.
    pub fn from_zero(largest: f64) -> Self {
        let largest = if largest > 0.0 && largest.is_finite() { largest } else { 1.0 };
        let step = round_step(largest / 4.0) / 2.0;
        Self::Linear { from: 0.0, to: (largest / step - 1e-9).ceil() * step }
    }

    /// From 0 to exactly `largest`.
    pub fn exactly(largest: f64) -> Self {
        let to = if largest > 0.0 && largest.is_finite() { largest } else { 1.0 };
        Self::Linear { from: 0.0, to }
    }

    /// A logarithmic scale that holds both values, ending at 1, 2 or 5 times a power of ten.
    pub fn logarithmic(smallest: f64, largest: f64) -> Self {
        let smallest = if smallest > 0.0 { smallest } else { 1.0 };
        let from = round_down(smallest);
        let to = -round_down_negative(largest.max(smallest));
        Self::Logarithmic { from, to: if to > from { to } else { from * 10.0 } }
    }

    /// Share of the axis at which a value stands, cut to 0 to 1.
    pub fn share(&self, value: f64) -> f64 {
        let share = match *self {
            Self::Linear { from, to } => (value - from) / (to - from),
            Self::Logarithmic { from, to } | Self::Binary { from, to } if to > from => {
                (value.max(from) / from).ln() / (to / from).ln()
            }
            Self::Logarithmic { .. } | Self::Binary { .. } => 0.5,
            Self::Nines { nines } => -(1.0 - value).max(1e-12).log10() / nines,
        };
        share.clamp(0.0, 1.0)
    }

    /// Round values with their texts, about `wanted` of them on a linear scale.
    pub fn ticks(&self, wanted: usize) -> Vec<Tick> {
        match *self {
            Self::Linear { from, to } => linear_ticks(from, to, wanted),
            Self::Logarithmic { from, to } => logarithmic_ticks(from, to, wanted),
            Self::Binary { from, to } => binary_ticks(from, to, wanted),
            Self::Nines { nines } => nine_ticks(nines),
        }
    }
}

/// 1, 2 or 5 times a power of ten, at least `value`.
fn round_step(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|&step| step >= value * 0.999_999)
        .unwrap_or(power)
}

fn round_down(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [5.0, 2.0, 1.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|&step| step <= value * 1.000_001)
        .unwrap_or(power)
}

fn round_down_negative(value: f64) -> f64 {
    -round_step(value)
}

fn linear_ticks(from: f64, to: f64, wanted: usize) -> Vec<Tick> {
    // Short enough for a second tick.
    let step = round_step((to - from) / wanted.max(1) as f64).min(round_down(to - from));
    let (unit, letter) = LARGE.into_iter().find(|(unit, _)| to >= 1e4 && to >= *unit).unwrap_or((1.0, ""));
    let decimals = (-(step / unit).log10().floor()).max(0.0) as usize;
    let first = (from / step - 1e-9).ceil() as i64;
    let last = (to / step + 1e-9).floor() as i64;
    let text = |value: f64| match value {
        0.0 => format!("{value:.decimals$}"),
        _ => format!("{:.decimals$}{letter}", value / unit),
    };
    (first..=last).map(|i| i as f64 * step).map(|value| (value, text(value))).collect()
}

fn logarithmic_ticks(from: f64, to: f64, wanted: usize) -> Vec<Tick> {
    let decades = (to / from).log10();
    let factors: &[f64] = if decades * 3.0 <= wanted as f64 * 1.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let first = from.log10().floor() as i32;
    let last = to.log10().ceil() as i32;
    let values =
        (first..=last).flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)));
    let inside = values.filter(|&value| value >= from * 0.999_999 && value <= to * 1.000_001);
    let mut ticks: Vec<Tick> = inside.map(|value| (value, short(value))).collect();
    if factors.len() == 1 {
        with_ends(&mut ticks, [(from, short(from)), (to, short(to))], 10.0);
    }
    ticks
}

/// Gives the two ends ticks of their own where they have none, in place of one that would stand too near: `step` is the
/// quotient of neighbours.
fn with_ends(ticks: &mut Vec<Tick>, [from, to]: [Tick; 2], step: f64) {
    let steps = |small: f64, large: f64| (large / small).ln() / step.ln();
    if ticks.first().is_none_or(|(first, _)| steps(from.0, *first) > 1e-9) {
        if ticks.first().is_some_and(|(first, _)| steps(from.0, *first) < 0.4) {
            ticks.remove(0);
        }
        ticks.insert(0, from);
    }
    if ticks.last().is_none_or(|(last, _)| steps(*last, to.0) > 1e-9) {
        if ticks.len() > 1 {
            ticks.pop_if(|(last, _)| steps(*last, to.0) < 0.4);
        }
        ticks.push(to);
    }
}

/// Powers of two, every first, second or further of them so that about `wanted` remain, and the two ends: 64, 4Ki,
/// 256Ki …
fn binary_ticks(from: f64, to: f64, wanted: usize) -> Vec<Tick> {
    let (first, last) = ((from.log2() - 1e-9).ceil() as i32, (to.log2() + 1e-9).floor() as i32);
    let span = (last - first).max(0) as usize;
    let step = span / wanted.max(1) + 1;
    // A somewhat longer step that meets the end, if there is one.
    let step = (step..=span / 3).find(|step| span.is_multiple_of(*step)).unwrap_or(step);
    let mut ticks: Vec<Tick> =
        (first..=last).step_by(step).map(|power| (f64::from(power).exp2(), binary_text(power))).collect();
    with_ends(&mut ticks, [(from, unit_text(from)), (to, unit_text(to))], (step as f64).exp2());
    ticks
}

/// A number of any kind in the unit of its power of two.
fn unit_text(value: f64) -> String {
    let units = [(40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")];
    let unit = units.into_iter().find(|(power, _)| value >= f64::from(*power).exp2());
    let (power, letter) = unit.unwrap_or((0, ""));
    format!("{}{letter}", (value / f64::from(power).exp2() * 10.0).round() / 10.0)
}

fn binary_text(power: i32) -> String {
    let (unit, letter) = match power {
        ..10 => (0, ""),
        10..20 => (10, "Ki"),
        20..30 => (20, "Mi"),
        30..40 => (30, "Gi"),
        _ => (40, "Ti"),
    };
    format!("{}{letter}", f64::from(power - unit).exp2())
}

/// Letters that keep ticks short.
const LARGE: [(f64, &str); 3] = [(1e9, "G"), (1e6, "M"), (1e3, "k")];

/// `1k` for a thousand and so on.
fn short(value: f64) -> String {
    match LARGE.into_iter().find(|&(size, _)| value >= size * 0.999_999) {
        Some((size, letter)) => format!("{}{letter}", significant(value / size, 1)),
        None => significant(value, 1),
    }
}

fn nine_ticks(nines: f64) -> Vec<Tick> {
    let whole = nines.floor() as i32;
    let mut ticks = vec![(0.0, "0".to_owned()), (0.5, "50".to_owned())];
    for count in 1..=whole {
        let decimals = usize::try_from(count - 2).unwrap_or(0);
        let share = 1.0 - 10f64.powi(-count);
        ticks.push((share, format!("{:.decimals$}", share * 100.0)));
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: Scale, wanted: usize) -> Vec<String> {
        scale.ticks(wanted).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn linear_axes_start_at_zero_and_hold_the_largest() {
        assert_eq!(Scale::from_zero(71.0), Scale::Linear { from: 0.0, to: 80.0 });
        assert_eq!(Scale::from_zero(100.0), Scale::Linear { from: 0.0, to: 100.0 });
        assert_eq!(Scale::from_zero(0.0), Scale::Linear { from: 0.0, to: 1.0 });
        assert_eq!(texts(Scale::from_zero(0.7), 4), ["0.0", "0.2", "0.4", "0.6"]);
        assert_eq!(texts(Scale::exactly(47.0), 1), ["0", "20", "40"]);
    }

    #[test]
    fn ticks_from_ten_thousand_on_have_four_letters() {
        assert_eq!(texts(Scale::from_zero(8000.0), 4), ["0", "2000", "4000", "6000", "8000"]);
        assert_eq!(texts(Scale::from_zero(10_000.0), 4), ["0", "5k", "10k"]);
        assert_eq!(texts(Scale::from_zero(2e6), 4), ["0.0", "0.5M", "1.0M", "1.5M", "2.0M"]);
    }

    #[test]
    fn logarithmic_axes_end_at_round_numbers() {
        assert_eq!(Scale::logarithmic(73.0, 4100.0), Scale::Logarithmic { from: 50.0, to: 5000.0 });
        assert_eq!(texts(Scale::logarithmic(73.0, 4100.0), 6), ["50", "100", "200", "500", "1k", "2k", "5k"]);
        assert_eq!(texts(Scale::logarithmic(1.0, 1e6), 6), ["1", "10", "100", "1k", "10k", "100k", "1M"]);
        let between = Scale::logarithmic(50.0, 5e4);
        assert_eq!(texts(between, 2), ["50", "1k", "10k", "50k"], "100 would stand on 50");
    }

    #[test]
    fn binary_axes_have_powers_of_two_at_equal_distances() {
        let scale = Scale::Binary { from: 64.0, to: 4096.0 };

        assert_eq!(texts(scale, 8), ["64", "128", "256", "512", "1Ki", "2Ki", "4Ki"]);
        assert_eq!(texts(scale, 4), ["64", "256", "1Ki", "4Ki"]);
        assert!((scale.share(512.0) - 0.5).abs() < 1e-9);
        assert_eq!(Scale::Binary { from: 64.0, to: 64.0 }.share(64.0), 0.5);
    }

    #[test]
    fn a_binary_axis_has_a_tick_at_its_end() {
        let ticks = |to: f64| texts(Scale::Binary { from: 1.0, to }, 8);

        assert_eq!(ticks(24.0), ["1", "2", "4", "8", "16", "24"]);
        assert_eq!(ticks(18.0), ["1", "2", "4", "8", "18"], "16 would stand on it");
        assert_eq!(ticks(32.0), ["1", "2", "4", "8", "16", "32"]);
        assert_eq!(texts(Scale::Binary { from: 1024.0, to: 6144.0 }, 8), ["1Ki", "2Ki", "4Ki", "6Ki"]);
        assert_eq!(
            texts(Scale::Binary { from: 4096.0, to: f64::from(1 << 30) }, 5),
            ["4Ki", "256Ki", "16Mi", "1Gi"]
        );
        let wide = Scale::Binary { from: 4096.0, to: 67_108_864.0 };
        assert_eq!(texts(wide, 5), ["4Ki", "32Ki", "256Ki", "2Mi", "16Mi", "64Mi"]);
    }

    #[test]
    fn a_binary_axis_between_two_powers_of_two_has_its_ends() {
        assert_eq!(texts(Scale::Binary { from: 1280.0, to: 1792.0 }, 8), ["1.3Ki", "1.8Ki"]);
        assert_eq!(texts(Scale::Binary { from: 24.0, to: 24.0 }, 8), ["24"]);
        assert_eq!(texts(Scale::Binary { from: 30.0, to: 34.0 }, 8), ["30", "34"]);
        assert_eq!(texts(Scale::Binary { from: 24.0, to: 48.0 }, 8), ["24", "32", "48"]);
        assert_eq!(texts(Scale::Binary { from: 28.0, to: 64.0 }, 8), ["28", "64"], "32 would stand on 28");
    }

    #[test]
    fn each_nine_takes_the_same_length() {
        let scale = Scale::Nines { nines: 4.0 };

        assert!((scale.share(0.9) - 0.25).abs() < 1e-9);
        assert!((scale.share(0.99) - 0.5).abs() < 1e-9);
        assert_eq!(scale.share(1.0), 1.0);
        assert_eq!(texts(scale, 0), ["0", "50", "90", "99", "99.9", "99.99"]);
    }
}
