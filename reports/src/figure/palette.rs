//! Colours, hatches and dashes, the same for a tier, a class or a mode in every figure.
//!
//! Colours are those of Okabe and Ito, which the colour-blind tell apart (M. Okabe, K. Ito, *Color Universal Design*,
//! 2008). Hatches and dashes repeat the distinction for print in grey.

/// Red, green and blue; the lowest three bits of blue are not kept.
pub type Colour = (u8, u8, u8);

const BLUE: Colour = (0x00, 0x72, 0xB0);
const VERMILLION: Colour = (0xD5, 0x5E, 0x00);
const GREEN: Colour = (0x00, 0x9E, 0x70);
const ORANGE: Colour = (0xE6, 0x9F, 0x00);
const SKY: Colour = (0x56, 0xB4, 0xE8);
const PURPLE: Colour = (0xCC, 0x79, 0xA0);
const YELLOW: Colour = (0xF0, 0xE4, 0x40);
const GREY: Colour = (0x80, 0x80, 0x80);
const PALE: Colour = (0xC8, 0xC8, 0xC8);
const OLIVE: Colour = (0x99, 0x99, 0x30);

/// Axes and text.
pub const INK: Colour = (0, 0, 0);
/// Grid lines.
pub const GRID: Colour = (0xDD, 0xDD, 0xD8);
/// Every other band behind a curve.
pub const BAND: Colour = (0xEE, 0xEE, 0xE8);

/// The pattern of a filled shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Hatch {
    /// Plain colour.
    None = 0,
    /// Lines that rise to the right.
    Rising = 1,
    /// Lines that fall to the right.
    Falling = 2,
    /// Upright lines.
    Upright = 3,
    /// Level lines.
    Level = 4,
    /// Rising and falling lines.
    Crossed = 5,
    /// Dots.
    Dotted = 6,
    /// Upright and level lines.
    Grid = 7,
}

impl Hatch {
    /// All, the plain one first.
    const ALL: [Self; 8] = [
        Self::None,
        Self::Rising,
        Self::Falling,
        Self::Level,
        Self::Crossed,
        Self::Upright,
        Self::Dotted,
        Self::Grid,
    ];

    /// Side of the tile that repeats, and the path of its lines, in units of the page.
    pub(super) const fn tile(self) -> (u32, &'static str) {
        match self {
            Self::None => (60, ""),
            Self::Rising => (60, "M-15 15L15 -15M0 60L60 0M45 75L75 45"),
            Self::Falling => (60, "M-15 45L15 75M0 0L60 60M45 -15L75 15"),
            Self::Upright => (45, "M22 0V45"),
            Self::Level => (45, "M0 22H45"),
            Self::Crossed => (70, "M0 0L70 70M0 70L70 0"),
            Self::Dotted => (44, "M4 11H17M26 33H39"),
            Self::Grid => (60, "M30 0V60M0 30H60"),
        }
    }
}

/// The pattern of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Dash {
    /// Unbroken.
    None = 0,
    /// Long dashes.
    Long = 1,
    /// Dots.
    Dotted = 2,
    /// A dash, a dot.
    Mixed = 3,
    /// Short dashes.
    Short = 4,
    /// Dots far apart.
    Sparse = 5,
    /// A dash, two dots.
    Double = 6,
    /// Very long dashes.
    Broken = 7,
}

impl Dash {
    /// All, the unbroken one first.
    const ALL: [Self; 8] = [
        Self::None,
        Self::Short,
        Self::Mixed,
        Self::Dotted,
        Self::Long,
        Self::Sparse,
        Self::Double,
        Self::Broken,
    ];

    /// Lengths of strokes and gaps, in units of the page.
    pub(super) const fn array(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Long => "75 35",
            Self::Dotted => "18 26",
            Self::Mixed => "75 30 18 30",
            Self::Short => "38 28",
            Self::Sparse => "22 62",
            Self::Double => "70 26 18 26 18 26",
            Self::Broken => "150 30",
        }
    }
}

/// How a shape is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fill {
    /// Its colour.
    pub colour: Colour,
    /// White lines over it.
    pub hatch: Hatch,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    /// Its colour.
    pub colour: Colour,
    /// Its width in points.
    pub points: f64,
    /// Its pattern.
    pub dash: Dash,
}

/// Direction of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the device.
    Read,
    /// To the device.
    Write,
}

impl Direction {
    /// Both, in the order of reports.
    pub const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// Name in legends and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

const fn plain(colour: Colour) -> Fill {
    Fill { colour, hatch: Hatch::None }
}

const fn hatched(colour: Colour, hatch: Hatch) -> Fill {
    Fill { colour, hatch }
}

/// The colour of a tier.
fn tier_colour(tier: &str) -> Colour {
    match tier {
        "dram" => BLUE,
        "pmem" => VERMILLION,
        "cxl" => GREEN,
        _ => PURPLE,
    }
}

/// Name of a tier as the field writes it.
pub fn tier_name(tier: &str) -> String {
    match tier {
        "dram" => "DRAM".to_owned(),
        "pmem" => "PMem".to_owned(),
        "cxl" => "CXL".to_owned(),
        other => other.to_owned(),
    }
}

/// Bars of traffic. No tier and direction shares its hatch with another: in print their greys are near each other.
pub fn traffic_fill(tier: &str, direction: Direction) -> Fill {
    let [read, write] = match tier {
        "dram" => [Hatch::None, Hatch::Rising],
        "pmem" => [Hatch::Level, Hatch::Falling],
        "cxl" => [Hatch::Upright, Hatch::Dotted],
        _ => [Hatch::Grid, Hatch::Crossed],
    };
    hatched(tier_colour(tier), if direction == Direction::Read { read } else { write })
}

/// Curves of traffic. No tier and direction shares its dashes with another.
pub fn traffic_stroke(tier: &str, direction: Direction) -> Stroke {
    let [read, write] = match tier {
        "dram" => [Dash::None, Dash::Short],
        "pmem" => [Dash::Long, Dash::Dotted],
        "cxl" => [Dash::Mixed, Dash::Sparse],
        _ => [Dash::Broken, Dash::Double],
    };
    let dash = if direction == Direction::Read { read } else { write };
    Stroke { colour: tier_colour(tier), points: 0.9, dash }
}

/// Parts of time: `compute`, or what a core waited for. A tier has its colour and the hatch of its writes.
pub fn time_fill(part: &str) -> Fill {
    match part {
        "compute" => plain(GREY),
        "cache" => hatched(SKY, Hatch::Level),
        "fault" => hatched(ORANGE, Hatch::Crossed),
        "idle" => hatched(PALE, Hatch::Upright),
        "overhead" => hatched(OLIVE, Hatch::Grid),
        "translation" => plain(YELLOW),
        tier => traffic_fill(tier, Direction::Write),
    }
}

/// Classes of objects in the order of stacks, with their fills.
pub const CLASSES: [(&str, Fill); 8] = [
    ("ciphertext", plain(BLUE)),
    ("plaintext", hatched(ORANGE, Hatch::Rising)),
    ("scalar", hatched(GREEN, Hatch::Dotted)),
    ("evaluation-key", hatched(VERMILLION, Hatch::Falling)),
    ("table", hatched(YELLOW, Hatch::Crossed)),
    ("scratch", hatched(SKY, Hatch::Level)),
    ("message", hatched(PURPLE, Hatch::Grid)),
    ("heap", hatched(PALE, Hatch::Upright)),
];

/// Colours of results that stand side by side, by number.
const SERIES: [Colour; 8] = [BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, GREY, OLIVE];

/// Which pattern the series of this number has, with its colour: the eight of a round have one each, and every round
/// shifts the patterns by one, so that the first 64 series differ.
const fn pattern(number: usize) -> usize {
    (number + number / SERIES.len()) % SERIES.len()
}

/// Fill of the series of this number.
pub const fn series_fill(number: usize) -> Fill {
    hatched(SERIES[number % SERIES.len()], Hatch::ALL[pattern(number)])
}

/// Curve of the series of this number.
pub const fn series_stroke(number: usize) -> Stroke {
    Stroke { colour: SERIES[number % SERIES.len()], points: 1.2, dash: Dash::ALL[pattern(number)] }
}

/// A thin line of ink.
pub const fn ink(points: f64) -> Stroke {
    Stroke { colour: INK, points, dash: Dash::None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_distinct<T: PartialEq>(list: &[T]) -> bool {
        list.iter().enumerate().all(|(at, one)| !list[..at].contains(one))
    }

    /// Each tier and direction of traffic.
    fn traffic() -> Vec<(&'static str, Direction)> {
        let tiers = ["dram", "pmem", "cxl", "another"];
        tiers.into_iter().flat_map(|tier| Direction::ALL.map(|direction| (tier, direction))).collect()
    }

    #[test]
    fn eight_series_differ_in_colour_and_pattern_and_sixty_four_in_either() {
        let fills: Vec<Fill> = (0..64).map(series_fill).collect();
        let strokes: Vec<(Colour, Dash)> =
            (0..64).map(series_stroke).map(|stroke| (stroke.colour, stroke.dash)).collect();

        assert!(are_distinct(&fills) && are_distinct(&strokes));
        for round in fills.chunks(8) {
            assert!(are_distinct(&round.iter().map(|fill| fill.colour).collect::<Vec<_>>()));
            assert!(are_distinct(&round.iter().map(|fill| fill.hatch).collect::<Vec<_>>()));
        }
        for round in strokes.chunks(8) {
            assert!(are_distinct(&round.iter().map(|stroke| stroke.1).collect::<Vec<_>>()));
        }
    }

    #[test]
    fn every_tier_and_direction_has_a_hatch_and_dashes_of_its_own() {
        let hatches: Vec<Hatch> =
            traffic().into_iter().map(|(tier, direction)| traffic_fill(tier, direction).hatch).collect();
        let dashes: Vec<Dash> =
            traffic().into_iter().map(|(tier, direction)| traffic_stroke(tier, direction).dash).collect();

        assert!(are_distinct(&hatches) && are_distinct(&dashes));
        assert_eq!((hatches[0], dashes[0]), (Hatch::None, Dash::None), "reads of DRAM are plain");
    }

    #[test]
    fn a_tier_has_one_colour_in_every_figure() {
        for (tier, direction) in traffic() {
            let colours = [traffic_fill(tier, direction).colour, traffic_stroke(tier, direction).colour];
            assert_eq!(colours, [time_fill(tier).colour; 2], "{tier}");
        }
    }

    #[test]
    fn causes_of_waiting_differ_in_colour_and_hatch() {
        let parts = ["cache", "fault", "idle", "overhead", "translation", "dram", "pmem", "cxl"];

        let fills = parts.map(time_fill);

        assert!(are_distinct(&fills.map(|fill| fill.colour)));
        assert!(are_distinct(&fills.map(|fill| fill.hatch)));
    }

    #[test]
    fn every_class_has_a_colour_and_a_hatch_of_its_own() {
        assert!(are_distinct(&CLASSES.map(|(_, fill)| fill.colour)));
        assert!(are_distinct(&CLASSES.map(|(_, fill)| fill.hatch)));
    }
}
