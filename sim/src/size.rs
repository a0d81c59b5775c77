//! Sizes as people write them: `64`, `4KiB`, `1.5GB`, `24k`.
//!
//! Units are those of IEC 80000-13: `KiB`, `MiB`, `GiB`, `TiB`, `PiB` and `EiB` are powers of 1,024, `kB` to `EB` powers of
//! 1,000. A letter alone is a power of 1,024, as in fio and the C library's tools. Case does not matter.

use std::fmt;
use std::str::FromStr;

/// Letters of the units, by power.
const LETTERS: &str = "kmgtpe";

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// In the largest binary unit in which it is a whole number: `4 KiB`, `1000 B`.
impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        let fits = |&&(shift, _): &&(u32, _)| self.0 > 0 && self.0.trailing_zeros() >= shift;
        let (shift, unit) = units.iter().find(fits).copied().unwrap_or((0, "B"));
        write!(formatter, "{} {unit}", self.0 >> shift)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits =
            text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits);
        let value: Option<f64> = number.parse().ok();
        match (value, unit(&suffix.trim().to_lowercase())) {
            (Some(value), Some(1)) if value.fract() != 0.0 => Err(format!(
                "found {text}, part of a byte, need whole bytes or a unit: 64, 4KiB, 1.5GB or 32GiB"
            )),
            (Some(value), Some(unit)) if value * unit as f64 <= (1_u64 << 60) as f64 => {
                Ok(Self((value * unit as f64).round() as u64))
            }
            _ => Err(format!("found {text}, need a size such as 64, 4KiB, 1.5GB or 32GiB, at most 1 EiB")),
        }
    }
}

/// Bytes of a unit in lower case.
fn unit(suffix: &str) -> Option<u64> {
    let mut letters = suffix.chars();
    let power = match letters.next() {
        None => return Some(1),
        Some('b') if suffix == "b" => return Some(1),
        Some(letter) => LETTERS.find(letter)? as u32 + 1,
    };
    match letters.as_str() {
        "" | "ib" => Some(1 << (10 * power)),
        "b" => Some(1000_u64.pow(power)),
        _ => None,
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
        assert_eq!("64 B".parse(), Ok(Size(64)));
        assert_eq!("2TB".parse(), Ok(Size(2_000_000_000_000)));
        assert_eq!("1EiB".parse(), Ok(Size(1 << 60)), "the largest size that errors name");
        assert!("1.1EiB".parse::<Size>().is_err());
    }

    #[test]
    fn letters_alone_are_powers_of_1024() {
        for (text, shift) in [("3k", 10), ("3M", 20), ("3g", 30), ("3T", 40), ("3p", 50)] {
            assert_eq!(text.parse(), Ok(Size(3 << shift)));
        }
    }

    #[test]
    fn sizes_are_written_in_the_largest_unit_that_is_exact() {
        for (bytes, text) in [(0, "0 B"), (64, "64 B"), (4096, "4 KiB"), (1 << 30, "1 GiB"), (1025, "1025 B")]
        {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }

    #[test]
    fn fractions_of_a_byte_are_refused() {
        for text in ["0.5", "0.25B", "1.5 b"] {
            assert!(text.parse::<Size>().unwrap_err().contains("part of a byte"), "{text}");
        }
        assert_eq!("64.0".parse(), Ok(Size(64)));
    }

    #[test]
    fn nonsense_and_overflow_are_refused() {
        for text in ["", "GiB", "4 parsecs", "4XiB", "4bb", "-1", "1e9", "9999999TiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
