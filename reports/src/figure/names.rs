//! Names that fit the room there is and still differ.

use super::canvas::text_width;
use crate::labels::distinct;

/// How many letters fit a room.
pub fn letters(room: f64) -> usize {
    (room / text_width("x")).max(1.0) as usize
}

/// Names of at most so many letters: as [`apart`] cuts them, with their places in the list where they would be alike.
pub fn fitting(names: &[String], letters: usize) -> Vec<String> {
    apart(names, letters).unwrap_or_else(|| {
        let numbered = |(number, name): (usize, &String)| {
            let suffix = format!(" ({number})");
            without_middle(name, letters.saturating_sub(suffix.chars().count())) + &suffix
        };
        (1..).zip(names).map(numbered).collect()
    })
}

/// Names cut to so many letters, all at the same place: in the middle, or at the end or the start where only these keep
/// them apart; `None` if no cut does.
pub fn apart(names: &[String], letters: usize) -> Option<Vec<String>> {
    if names.iter().all(|name| name.chars().count() <= letters) {
        return Some(names.to_vec());
    }
    let cuts = [without_middle, without_end, without_start];
    let mut lists = cuts.iter().map(|cut| names.iter().map(|name| cut(name, letters)).collect::<Vec<_>>());
    lists.find(|list| distinct(list))
}

/// A text of at most so many letters; the middle of a longer one is an ellipsis.
pub fn without_middle(text: &str, letters: usize) -> String {
    let kept = letters.saturating_sub(1);
    joined(text, letters, kept / 2, kept - kept / 2)
}

fn without_end(text: &str, letters: usize) -> String {
    joined(text, letters, letters.saturating_sub(1), 0)
}

fn without_start(text: &str, letters: usize) -> String {
    joined(text, letters, 0, letters.saturating_sub(1))
}

fn joined(text: &str, letters: usize, head: usize, tail: usize) -> String {
    let count = text.chars().count();
    if count <= letters {
        return text.to_owned();
    }
    text.chars().take(head).chain(['…']).chain(text.chars().skip(count - tail)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: [&str; 2]) -> Vec<String> {
        texts.map(str::to_owned).to_vec()
    }

    #[test]
    fn a_name_as_long_as_its_room_is_whole_and_a_longer_one_keeps_both_ends() {
        assert_eq!(without_middle("abcdefg", 7), "abcdefg");
        assert_eq!(without_middle("abcdefgh", 7), "abc…fgh");
        assert_eq!(without_middle("abcdefgh", 6), "ab…fgh");
    }

    #[test]
    fn names_are_cut_where_they_stay_apart() {
        assert_eq!(fitting(&names(["abcdefgh", "abcdefgi"]), 7), ["abc…fgh", "abc…fgi"]);
        assert_eq!(fitting(&names(["abcdefghxx", "abcdyfghxx"]), 7), ["abcdef…", "abcdyf…"]);
        assert_eq!(fitting(&names(["abcdefghxx", "abcdefyhxx"]), 5), ["…ghxx", "…yhxx"]);
    }

    #[test]
    fn names_that_no_cut_keeps_apart_are_numbered() {
        let alike = fitting(&names(["abcdefghijklmno", "abcdefgxijklmno"]), 7);

        assert_eq!(alike, ["a…o (1)", "a…o (2)"]);
        assert_eq!(apart(&names(["abcdefghijklmno", "abcdefgxijklmno"]), 7), None);
    }

    #[test]
    fn as_many_letters_as_fit_a_room_take_no_more() {
        let room = 7.5 * text_width("x");

        assert_eq!(letters(room), 7);
        assert!(text_width(&"x".repeat(letters(room))) <= room);
    }
}
