//! Several values in one word: `64`, `64,256`, `4KiB..1GiB` (doubling from the first to the last).

use std::fmt::Display;
use std::str::FromStr;

use hetier_sim::size::Size;

/// A value that ranges can go through.
pub trait Ranged: Copy + FromStr<Err: Display> {
    /// As a number.
    fn number(self) -> u64;

    /// From a number.
    fn of(number: u64) -> Self;
}

impl Ranged for Size {
    fn number(self) -> u64 {
        self.0
    }

    fn of(number: u64) -> Self {
        Self(number)
    }
}

impl Ranged for usize {
    fn number(self) -> u64 {
        self as u64
    }

    fn of(number: u64) -> Self {
        number as Self
    }
}

/// The values of a range, at least one, as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values<T>(pub Vec<T>);

impl<T: Ranged> Values<T> {
    /// From one value to another by doubling; the last counts even if doubling passes it.
    pub fn doubling(first: T, last: T) -> Self {
        let doubled = std::iter::successors(Some(first.number()), |number| number.checked_mul(2));
        let mut numbers: Vec<u64> = doubled.take_while(|&number| number < last.number()).collect();
        numbers.push(last.number());
        Self(numbers.into_iter().map(T::of).collect())
    }
}

impl<T: Ranged> FromStr for Values<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut values = Vec::new();
        for part in text.split(',') {
            let value = |text: &str| text.trim().parse::<T>().map_err(|error| error.to_string());
            let Some((first, last)) = part.split_once("..") else {
                values.push(value(part)?);
                continue;
            };
            let (first, last) = (value(first)?, value(last)?);
            if first.number() == 0 || first.number() > last.number() {
                return Err(format!(
                    "found {part}, need a range that begins above 0 and ascends, such as 64..4096"
                ));
            }
            values.extend(Self::doubling(first, last).0);
        }
        Ok(Self(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Result<Vec<u64>, String> {
        Ok(text.parse::<Values<Size>>()?.0.into_iter().map(Size::number).collect())
    }

    #[test]
    fn ranges_double_and_end_at_their_last_value() {
        assert_eq!(numbers("64"), Ok(vec![64]));
        assert_eq!(numbers("64..256"), Ok(vec![64, 128, 256]));
        assert_eq!(numbers("64..300,4KiB"), Ok(vec![64, 128, 256, 300, 4096]));
        assert_eq!("1..24".parse(), Ok(Values(vec![1_usize, 2, 4, 8, 16, 24])));
        assert_eq!(numbers("1KiB..1KiB"), Ok(vec![1024]));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "64..", "..64", "0..64", "64..32", "64,,128", "1..many"] {
            assert!(numbers(text).is_err(), "{text}");
        }
    }
}
