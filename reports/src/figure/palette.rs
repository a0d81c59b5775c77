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
}

impl Hatch {
    /// Side of the tile that repeats, and the path of its lines, in units of the page.
    pub(super) const fn tile(self) -> (u32, &'static str) {
        match self {
            Self::None => (60, ""),
            Self::Rising => (60, "M-15 15L15 -15M0 60L60 0M45 75L75 45"),
            Self::Falling => (60, "M-15 45L15 75M0 0L60 60M45 -15L75 15"),
            Self::Upright => (45, "M22 0V45"),
            Self::Level => (45, "M0 22H45"),
            Self::Crossed => (70, "M0 0L70 70M0 70L70 0"),
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
}

impl Dash {
    /// Lengths of strokes and gaps, in units of the page.
    pub(super) const fn array(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Long => "75 35",
            Self::Dotted => "18 26",
            Self::Mixed => "75 30 18 30",
            Self::Short => "38 28",
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

/// Bars of traffic: plain for reads, hatched for writes.
pub fn traffic_fill(tier: &str, direction: Direction) -> Fill {
    match direction {
        Direction::Read => plain(tier_colour(tier)),
        Direction::Write => hatched(tier_colour(tier), Hatch::Rising),
    }
}

/// Curves of traffic: unbroken for reads, dashed for writes.
pub fn traffic_stroke(tier: &str, direction: Direction) -> Stroke {
    let dash = match direction {
        Direction::Read => Dash::None,
        Direction::Write => Dash::Short,
    };
    Stroke { colour: tier_colour(tier), points: 0.9, dash }
}

/// Parts of time: `compute`, or what a core waited for.
pub fn time_fill(part: &str) -> Fill {
    match part {
        "compute" => plain(GREY),
        "cache" => hatched(SKY, Hatch::Level),
        "fault" => hatched(ORANGE, Hatch::Crossed),
        "idle" => hatched(PALE, Hatch::Upright),
        "overhead" => hatched(GREEN, Hatch::Falling),
        "translation" => hatched(YELLOW, Hatch::Rising),
        "dram" => hatched(BLUE, Hatch::Rising),
        "pmem" => hatched(VERMILLION, Hatch::Falling),
        _ => hatched(PURPLE, Hatch::Crossed),
    }
}

/// Classes of objects in the order of stacks, with their fills.
pub const CLASSES: [(&str, Fill); 8] = [
    ("ciphertext", plain(BLUE)),
    ("plaintext", hatched(ORANGE, Hatch::Rising)),
    ("scalar", plain(GREEN)),
    ("evaluation-key", hatched(VERMILLION, Hatch::Falling)),
    ("table", plain(YELLOW)),
    ("scratch", hatched(SKY, Hatch::Level)),
    ("message", plain(PURPLE)),
    ("heap", hatched(PALE, Hatch::Upright)),
];

/// Bars and curves of results that stand side by side: the mode's own where the modes are known and differ, by number
/// otherwise.
const SERIES: [(Fill, Dash); 6] = [
    (plain(BLUE), Dash::None),
    (hatched(ORANGE, Hatch::Rising), Dash::Short),
    (hatched(GREEN, Hatch::Falling), Dash::Mixed),
    (hatched(VERMILLION, Hatch::Level), Dash::Dotted),
    (hatched(PURPLE, Hatch::Crossed), Dash::Long),
    (hatched(SKY, Hatch::Upright), Dash::Short),
];

/// Fill of the series of this number; from the seventh on they repeat.
pub const fn series_fill(number: usize) -> Fill {
    SERIES[number % SERIES.len()].0
}

/// Curve of the series of this number.
pub const fn series_stroke(number: usize) -> Stroke {
    let (fill, dash) = SERIES[number % SERIES.len()];
    Stroke { colour: fill.colour, points: 1.2, dash }
}

/// A thin line of ink.
pub const fn ink(points: f64) -> Stroke {
    Stroke { colour: INK, points, dash: Dash::None }
}
