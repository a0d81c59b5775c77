//! How many of the calls stream fidelity simulates.

use crate::Error;

/// How many of the calls to simulate. Large regions are then simulated in windows, which have a least length, so that
/// more may be simulated than asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// Every call of layers that are unlike those before; repeated layers count as the first of them did.
    Layers,
    /// A share, above 0 and below 1.
    Share(f64),
    /// So many, at least two; all if the trace has no more.
    Calls(u64),
}

impl Sample {
    /// Reads `layers`, a share such as `0.05`, or a number of calls such as `20000000` or `2e7`. One is neither: beside
    /// 0.99, it would be a single call.
    ///
    /// # Errors
    /// - [`Error::UnknownName`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text == "layers" {
            return Ok(Self::Layers);
        }
        match text.parse::<f64>() {
            Ok(share) if share > 0.0 && share < 1.0 => Ok(Self::Share(share)),
            Ok(calls) if (2.0..1e18).contains(&calls) => Ok(Self::Calls(calls as u64)),
            _ => Err(Error::UnknownName {
                what: "sample",
                found: text.to_owned(),
                nearest: None,
                known: "layers (repeated ones once), a share of the calls above 0 and below 1 (0.05; all calls without --sample), or a number of calls from 2 on (2e7)"
                    .to_owned(),
            }),
        }
    }

    /// Millionths of `calls` calls: at least one, one million for all.
    pub(crate) fn millionths(self, calls: u64) -> u64 {
        let share = match self {
            Self::Layers => 1.0,
            Self::Share(share) => share,
            Self::Calls(wanted) => wanted as f64 / calls.max(1) as f64,
        };
        ((share * 1e6).round() as u64).clamp(1, 1_000_000)
    }
}

impl std::fmt::Display for Sample {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Layers => formatter.write_str("layers"),
            Self::Share(share) => write!(formatter, "{share}"),
            Self::Calls(calls) => write!(formatter, "{calls}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_numbers_of_calls_are_told_apart_and_nonsense_is_refused() {
        assert_eq!(Sample::parse("layers").unwrap(), Sample::Layers);
        assert_eq!(Sample::parse("0.05").unwrap(), Sample::Share(0.05));
        assert_eq!(Sample::parse("2e7").unwrap(), Sample::Calls(20_000_000));
        assert_eq!(Sample::Calls(20_000_000).millionths(100_000_000), 200_000);
        assert_eq!(Sample::Calls(20_000_000).millionths(1000), 1_000_000);
        assert_eq!(Sample::parse("2").unwrap(), Sample::Calls(2));
        for wrong in ["0", "1", "1.0", "1.5", "-1", "x", "inf", "NaN"] {
            assert!(Sample::parse(wrong).unwrap_err().to_string().contains(wrong));
        }
    }
}
