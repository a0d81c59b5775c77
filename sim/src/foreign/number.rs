//! Numbers and words of text traces, from bytes.

/// Value of each hexadecimal digit; 255 for other bytes.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// A hexadecimal number without prefix.
#[inline]
pub(super) fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let mut value = 0;
    let mut seen = 0;
    for digit in digits {
        let digit = DIGITS[usize::from(*digit)];
        seen |= digit;
        value = value << 4 | u64::from(digit & 15);
    }
    (seen < 16).then_some(value)
}

/// A hexadecimal number that begins with `0x`.
#[inline]
pub(super) fn prefixed(digits: &[u8]) -> Option<u64> {
    hexadecimal(digits.strip_prefix(b"0x").or_else(|| digits.strip_prefix(b"0X"))?)
}

/// A decimal number.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// The words of a line.
#[derive(Clone, Copy)]
pub(super) struct Words<'t>(&'t [u8]);

pub(super) const fn words(text: &[u8]) -> Words<'_> {
    Words(text)
}

impl<'t> Iterator for Words<'t> {
    type Item = &'t [u8];

    #[inline]
    fn next(&mut self) -> Option<&'t [u8]> {
        let start = self.0.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let rest = &self.0[start..];
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        self.0 = &rest[end..];
        Some(&rest[..end])
    }
}
