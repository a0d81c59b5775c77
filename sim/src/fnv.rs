//! 64-bit FNV-1a: tells descriptions apart; not meant against forgery.
//!
//! Source: Fowler, Noll and Vo, <http://www.isthe.com/chongo/tech/comp/fnv/>, with its test vectors.

/// Where every hash begins.
const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
/// What every step multiplies by.
const PRIME: u64 = 0x0100_0000_01b3;

/// The hash of a text's bytes.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_published_test_vectors() {
        assert_eq!(hash(""), OFFSET_BASIS);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }
}
