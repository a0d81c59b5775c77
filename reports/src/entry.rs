//! One entry of a table: text, a number with its spread, or nothing.

use hetier_sim::result::Quantiles;

use crate::table::NOT_APPLICABLE;
use crate::units::{count, significant};

/// What stands in one place of a table. People read it rounded, programs in full precision.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// Words; numbers with a unit of their own are words too.
    Text(String),
    /// A number in the unit of its column.
    Number {
        /// In full precision.
        value: f64,
        /// What of it people see.
        form: Form,
        /// Least and largest of the ensemble that it stands for.
        range: Option<(f64, f64)>,
    },
    /// The column does not apply.
    Nothing,
}

/// How people see a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Whole, with separators.
    Count,
    /// So many significant digits.
    Significant(u32),
    /// So many decimals.
    Decimals(usize),
}

impl Entry {
    /// A number of which people see `digits` significant digits; nothing without a value.
    pub fn number(value: impl Into<Option<f64>>, digits: u32) -> Self {
        Self::formed(value, Form::Significant(digits))
    }

    /// A count; nothing without a value.
    pub fn count(value: impl Into<Option<u64>>) -> Self {
        Self::formed(value.into().map(|value| value as f64), Form::Count)
    }

    /// A number of which people see `decimals`; nothing without a value.
    pub fn decimals(value: impl Into<Option<f64>>, decimals: usize) -> Self {
        Self::formed(value, Form::Decimals(decimals))
    }

    fn formed(value: impl Into<Option<f64>>, form: Form) -> Self {
        value.into().map_or(Self::Nothing, |value| Self::Number { value, form, range: None })
    }

    /// A share as a percentage, for a column whose head says so; nothing without a value.
    pub fn percent(share: impl Into<Option<f64>>) -> Self {
        Self::number(share.into().map(|share| share * 100.0), 3)
    }

    /// A number with the spread of its ensemble; without one (a single seed) just the number.
    #[must_use]
    pub fn within(self, spread: Option<Quantiles>) -> Self {
        match (self, spread) {
            (Self::Number { value, form, .. }, Some(spread)) => {
                Self::Number { value, form, range: Some((spread.min, spread.max)) }
            }
            (other, _) => other,
        }
    }

    /// As people read it.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number { value, form, range } => {
                let shown = |value: f64| form.shown(value);
                match range {
                    Some((least, most)) => format!("{} ({}–{})", shown(*value), shown(*least), shown(*most)),
                    None => shown(*value),
                }
            }
            Self::Nothing => NOT_APPLICABLE.to_owned(),
        }
    }

    /// As programs read it: a number in the precision that it has, empty where nothing applies.
    pub fn raw(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number { value, .. } => exact(*value),
            Self::Nothing => String::new(),
        }
    }

    /// Least and largest of the ensemble, if the number stands for one.
    pub const fn range(&self) -> Option<(f64, f64)> {
        match self {
            Self::Number { range, .. } => *range,
            _ => None,
        }
    }
}

/// Twelve digits, more than any input has: the last ones of a floating-point number only tell how units were converted.
pub(crate) fn exact(value: f64) -> String {
    format!("{value:.11e}").parse().unwrap_or(value).to_string()
}

impl Form {
    fn shown(self, value: f64) -> String {
        match self {
            Self::Count => count(value as u64),
            Self::Significant(digits) => significant(value, digits),
            // The sum makes a rounded -0 a 0.
            Self::Decimals(decimals) => {
                let unit = 10_f64.powi(decimals as i32);
                format!("{:.decimals$}", (value * unit).round() / unit + 0.0)
            }
        }
    }
}

impl From<String> for Entry {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Entry {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_digits_and_programs_everything() {
        let number = Entry::number(1091.2379, 3);

        assert_eq!([number.shown(), number.raw()], ["1091", "1091.2379"]);
        assert_eq!([Entry::count(526_817).shown(), Entry::count(526_817).raw()], ["526,817", "526817"]);
        assert_eq!(Entry::number(0.837_900_000_000_000_1, 3).raw(), "0.8379");
        assert_eq!(
            [Entry::decimals(-0.0166, 2).shown(), Entry::decimals(-0.0166, 2).raw()],
            ["-0.02", "-0.0166"]
        );
        assert_eq!(
            [Entry::decimals(-0.001, 2).shown(), Entry::decimals(-0.001, 2).raw()],
            ["0.00", "-0.001"]
        );
        assert_eq!([Entry::number(None, 3).shown(), Entry::number(None, 3).raw()], ["–", ""]);
    }

    #[test]
    fn the_spread_stands_beside_the_number_and_never_inside_it() {
        let spread = Quantiles { min: 1.0, median: 2.0, max: 4.0, ..Quantiles::default() };
        let number = Entry::number(2.0, 2).within(Some(spread));

        assert_eq!([number.shown(), number.raw()], ["2.0 (1.0–4.0)", "2"]);
        assert_eq!(number.range(), Some((1.0, 4.0)));
        assert_eq!(Entry::Nothing.within(Some(spread)), Entry::Nothing);
        assert_eq!(Entry::number(2.0, 2).within(None).range(), None);
    }
}
