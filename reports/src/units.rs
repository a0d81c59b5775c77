//! Numbers with units, as people read them.

/// A unit of an axis or a column: multiply by `factor` to convert from the base unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// Values in the base unit (seconds, bytes) times this are values in the unit.
    pub factor: f64,
    /// Its symbol.
    pub symbol: &'static str,
}

/// Hours are never used: papers of this field give seconds up to 10⁵.
const TIMES: [Unit; 4] = [
    Unit { factor: 1.0, symbol: "s" },
    Unit { factor: 1e3, symbol: "ms" },
    Unit { factor: 1e6, symbol: "µs" },
    Unit { factor: 1e9, symbol: "ns" },
];

const BYTES: [Unit; 5] = [
    Unit { factor: 1e-12, symbol: "TB" },
    Unit { factor: 1e-9, symbol: "GB" },
    Unit { factor: 1e-6, symbol: "MB" },
    Unit { factor: 1e-3, symbol: "kB" },
    Unit { factor: 1.0, symbol: "B" },
];

const BINARY_BYTES: [Unit; 5] = [
    Unit { factor: 1.0 / (1u64 << 40) as f64, symbol: "TiB" },
    Unit { factor: 1.0 / (1u64 << 30) as f64, symbol: "GiB" },
    Unit { factor: 1.0 / (1u64 << 20) as f64, symbol: "MiB" },
    Unit { factor: 1.0 / (1u64 << 10) as f64, symbol: "KiB" },
    Unit { factor: 1.0, symbol: "B" },
];

/// The unit of time in which `largest` seconds read as 1 or more, nanoseconds at the least.
pub fn time_unit(largest: f64) -> Unit {
    fitting(&TIMES, largest)
}

/// The decimal unit (10³) in which `largest` bytes read as 1 or more: for traffic.
pub fn byte_unit(largest: f64) -> Unit {
    fitting(&BYTES, largest)
}

/// The binary unit (2¹⁰) in which `largest` bytes read as 1 or more: for capacities and footprints.
pub fn binary_byte_unit(largest: f64) -> Unit {
    fitting(&BINARY_BYTES, largest)
}

/// Nothing stands in the base unit: `0 s`, `0 B`.
fn fitting(units: &[Unit], largest: f64) -> Unit {
    let smallest = units[units.len() - 1];
    if largest <= 0.0 {
        return units.iter().copied().find(|unit| unit.factor == 1.0).unwrap_or(smallest);
    }
    units.iter().copied().find(|unit| largest * unit.factor >= 1.0).unwrap_or(smallest)
}

/// Seconds with three significant digits and a fitting unit: `12.3 ms`.
pub fn seconds(value: f64) -> String {
    with_unit(value, time_unit(value))
}

/// Traffic with three significant digits and a decimal unit: `71.0 GB`.
pub fn bytes(value: u64) -> String {
    with_unit(value as f64, byte_unit(value as f64))
}

/// A capacity or footprint with three significant digits and a binary unit: `1.25 GiB`.
pub fn binary_bytes(value: u64) -> String {
    with_unit(value as f64, binary_byte_unit(value as f64))
}

/// A share as a percentage: `97.4 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", significant(share * 100.0, 3))
}

/// A whole number with separators: `1,234,567`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `value` rounded to `digits` significant digits, never in exponent form; digits before the point are all kept.
pub fn significant(value: f64, digits: u32) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let decimals = decimals_for(value, digits);
    let text = format!("{value:.decimals$}");
    // 9.996 rounds up to four digits: one decimal fewer keeps three.
    let rounded: f64 = text.parse().unwrap_or(value);
    let decimals = decimals_for(rounded, digits);
    format!("{value:.decimals$}")
}

fn decimals_for(value: f64, digits: u32) -> usize {
    let magnitude = value.abs().log10().floor() as i32;
    // Below 10⁻²⁰ a number is shown as zero.
    (digits as i32 - 1 - magnitude).clamp(0, 20) as usize
}

fn with_unit(value: f64, unit: Unit) -> String {
    format!("{} {}", significant(value * unit.factor, 3), unit.symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_significant_digits_survive_rounding_up() {
        assert_eq!(significant(9.994, 3), "9.99");
        assert_eq!(significant(9.996, 3), "10.0");
        assert_eq!(significant(0.012_34, 3), "0.0123");
        assert_eq!(significant(71_234.6, 3), "71235");
        assert_eq!(significant(-1.26, 2), "-1.3");
        assert_eq!(significant(0.0, 3), "0");
    }

    #[test]
    fn units_change_at_exactly_one() {
        assert_eq!(seconds(1.0), "1.00 s");
        assert_eq!(seconds(0.999), "999 ms");
        assert_eq!(seconds(1e-9), "1.00 ns");
        assert_eq!(seconds(0.0), "0 s");
        assert_eq!(bytes(71_000_000_000), "71.0 GB");
        assert_eq!(bytes(999), "999 B");
        assert_eq!([bytes(0), binary_bytes(0)], ["0 B", "0 B"]);
        assert_eq!([byte_unit(0.0).symbol, time_unit(0.0).symbol], ["B", "s"]);
        assert_eq!(binary_bytes(1 << 30), "1.00 GiB");
        assert_eq!(binary_bytes((1 << 30) - (1 << 20)), "1023 MiB");
    }

    #[test]
    fn separators_stand_before_every_third_digit() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
    }
}
