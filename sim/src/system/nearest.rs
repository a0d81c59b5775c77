//! The nearest known name to a mistyped one.

/// The name of `known` with the least edit distance to `found`, if it is close enough to be meant.
pub fn nearest<'k>(found: &str, known: &[&'k str]) -> Option<&'k str> {
    let scored = known.iter().map(|name| (strsim::levenshtein(found, name), *name));
    scored
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, name)| distance <= name.len() / 2)
        .map(|best| best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_typo_finds_the_name() {
        let known = ["optane-slice", "xeon-8260-optane"];

        assert_eq!(nearest("optane-slise", &known), Some("optane-slice"));
        assert_eq!(nearest("xeon-8260-optain", &known), Some("xeon-8260-optane"));
    }

    #[test]
    fn a_far_name_finds_nothing() {
        assert_eq!(nearest("zzzz", &["optane-slice"]), None);
    }
}
