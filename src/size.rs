//! Sizes as people write them: `64`, `4KiB`, `32GiB`, `1.5GB`.

use std::fmt;
use std::str::FromStr;

/// Units by suffix, lower case; binary and decimal are told apart by the `i`.
const UNITS: [(&str, u64); 16] = [
    ("", 1),
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("pib", 1 << 50),
    ("eib", 1 << 60),
    ("pb", 1_000_000_000_000_000),
    ("eb", 1_000_000_000_000_000_000),
    ("k", 1 << 10),
    ("m", 1 << 20),
];

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// As probes write it.
impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hetier_sim::probe::size_text(self.0))
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits =
            text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits);
        let suffix = suffix.trim().to_lowercase();
        let unit = UNITS.iter().find(|(name, _)| *name == suffix).map(|(_, unit)| *unit);
        let value: Option<f64> = number.parse().ok();
        match (value, unit) {
            (Some(value), Some(unit)) if value * unit as f64 <= (1_u64 << 60) as f64 => {
                Ok(Self((value * unit as f64).round() as u64))
            }
            _ => Err(format!("found {text}, need a size such as 64, 4KiB, 1.5GB or 32GiB, at most 1 EiB")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_and_decimal_suffixes_differ() {
        assert_eq!("4KiB".parse(), Ok(Size(4096)));
        assert_eq!("4kb".parse(), Ok(Size(4000)));
        assert_eq!("1.5GiB".parse(), Ok(Size(3 << 29)));
        assert_eq!("64".parse(), Ok(Size(64)));
        assert_eq!("1EiB".parse(), Ok(Size(1 << 60)), "the largest size that errors name");
        assert!("1.1EiB".parse::<Size>().is_err());
    }

    #[test]
    fn sizes_are_written_in_the_largest_unit_that_is_exact() {
        for (bytes, text) in [(0, "0 B"), (64, "64 B"), (4096, "4 KiB"), (1 << 30, "1 GiB"), (1025, "1025 B")]
        {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }

    #[test]
    fn nonsense_and_overflow_are_refused() {
        for text in ["", "GiB", "4 parsecs", "-1", "1e9", "9999999TiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
