//! The nearest known name to a mistyped one.

/// The name of `known` with the least edit distance to `found`, if it is close enough to be meant.
pub fn nearest<'k>(found: &str, known: &[&'k str]) -> Option<&'k str> {
    let scored = known.iter().map(|name| (distance(found, name), *name));
    scored
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, name)| distance <= name.len() / 2)
        .map(|best| best.1)
}

/// Levenshtein distance over bytes: fewest insertions, deletions and replacements.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
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
