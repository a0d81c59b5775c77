//! What the TOML parser says, as this crate says it: file, line, key, what was found and what is needed.

use serde::de::DeserializeOwned;

use crate::Error;

/// What every `source` is needed for.
pub const SOURCE_NEED: &str = "where the numbers come from";

/// Reads TOML; `file` is its name in messages.
///
/// # Errors
/// - [`Error::Toml`] for bad syntax, unknown and missing keys, and values of a wrong type.
pub fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Error> {
    toml::from_str(text)
        .map_err(|error| Error::Toml { file: file.to_owned(), message: message(text, &error) })
}

/// What the parser says where one of several words is needed, without the key.
const WORD_OR_TABLE: &str = "wanted string or table";

/// A wrong value with line, column and key; anything else as the parser shows it.
fn message(text: &str, error: &toml::de::Error) -> String {
    let said = error.message();
    if let Some(message) = wrong_name(text, error) {
        return message;
    }
    if let (WORD_OR_TABLE, Some(span)) = (said, error.span()) {
        let (place, key) = (place(text, span.start), key_at(text, span.start));
        let found = text.get(span).unwrap_or_default();
        return format!(
            "{place}: {key}: found {found}, need a name in quotation marks, or a table where the key has one"
        );
    }
    let value = said.strip_prefix("invalid type: ").or_else(|| said.strip_prefix("invalid value: "));
    let parts = value.and_then(|value| value.rsplit_once(", expected "));
    let (Some((found, need)), Some(span)) = (parts, error.span()) else {
        return error.to_string().trim_end().to_owned();
    };
    format!("{}: {}: found {found}, need {}", place(text, span.start), key_at(text, span.start), kind(need))
}

/// An unknown word or key, or a key that is missing; `None` for any other error.
fn wrong_name(text: &str, error: &toml::de::Error) -> Option<String> {
    let (said, span) = (error.message(), error.span()?);
    let place = place(text, span.start);
    if let Some((field, _)) = said.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        // A table begins with its head, the file as a whole with anything else.
        let is_whole = span.start == 0 && !text.starts_with('[');
        let table = if is_whole { "the file".to_owned() } else { key_at(text, span.start) };
        return Some(format!("{place}: {table}: found no key {field}, need one"));
    }
    let (what, rest) = said.split_once(" `")?;
    let (found, expected) = rest.split_once("`, expected ").unwrap_or((rest.trim_end_matches('`'), "no key"));
    let need = expected.replace('`', "");
    match what {
        "unknown variant" => {
            Some(format!("{place}: {}: found {found}, need {need}", key_at(text, span.start)))
        }
        "unknown field" => {
            let key = key_at(text, span.start);
            let table = key.strip_suffix(found).map_or(key.as_str(), |table| table.trim_end_matches('.'));
            let table = if table.is_empty() { "the file" } else { table };
            Some(format!("{place}: {table}: found unknown key {found}, need {need}"))
        }
        _ => None,
    }
}

/// Line and column of a byte.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let (line, start) = (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |end| end + 1));
    format!("line {line}, column {}", before[start..].chars().count() + 1)
}

fn whole(most: i64) -> String {
    format!("a whole number from 0 to {most}")
}

/// Rust's name of a type in words of TOML.
fn kind(need: &str) -> String {
    match need {
        "u8" => whole(u8::MAX.into()),
        "u16" => whole(u16::MAX.into()),
        "u32" => whole(u32::MAX.into()),
        // The largest that TOML has.
        "u64" | "usize" => whole(i64::MAX),
        "i64" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        need if need.starts_with("struct ") || need == "a map" => "a table".to_owned(),
        need => need.to_owned(),
    }
}

/// The key, with its table, whose value holds the byte at `at`.
fn key_at(text: &str, at: usize) -> String {
    let (mut table, mut key) = (String::new(), String::new());
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        let (begin, trimmed) = (end, line.trim());
        end += line.len();
        if begin > at {
            break;
        }
        let header = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next());
        let header = header.map(|name| name.trim_start_matches('['));
        if let Some(name) = header.filter(|name| is_key(name)) {
            (table, key) = (name.to_owned(), String::new());
        } else if let Some((name, _)) = trimmed.split_once('=').filter(|(name, _)| is_key(name.trim())) {
            name.trim().clone_into(&mut key);
        }
    }
    [table, key].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}

/// Whether a text is a bare or dotted key.
fn is_key(text: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    text.starts_with(|letter: char| letter.is_ascii_alphabetic()) && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Pond {
        depth: f64,
        fish: Fish,
        water: Option<Water>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Water {
        Fresh,
        Salt,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Fish {
        count: u32,
        names: Vec<String>,
    }

    fn refused(text: &str) -> String {
        read::<Pond>("pond.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_type_is_told_with_line_key_found_and_need() {
        let fish = "[fish]\ncount = 1\nnames = []\n";
        let cases = [
            (
                format!("depth = \"deep\"\n{fish}"),
                "line 1, column 9: depth: found string \"deep\", need a number",
            ),
            (
                format!("depth = 1.0\n{}", fish.replace("= 1", "= -1")),
                "line 3, column 9: fish.count: found integer `-1`, need a whole number from 0 to 4294967295",
            ),
            (
                format!("depth = 1.0\n{}", fish.replace("[]", "[\n  \"pike\",\n  7,\n]")),
                "line 6, column 3: fish.names: found integer `7`, need a string",
            ),
            ("fish = 3\ndepth = 1.0\n".to_owned(), "line 1, column 8: fish: found integer `3`, need a table"),
        ];
        for (text, expected) in cases {
            assert_eq!(refused(&text), format!("pond.toml: {expected}"));
        }
    }

    #[test]
    fn unknown_and_missing_names_are_told_with_line_key_found_and_need() {
        let fish = "[fish]\ncount = 1\nnames = []\n";
        let cases = [
            (
                format!("depth = 1.0\nwater = \"soda\"\n{fish}"),
                "line 2, column 9: water: found soda, need fresh or salt",
            ),
            (
                format!("depth = 1.0\nwidth = 2\n{fish}"),
                "line 2, column 1: the file: found unknown key width, need one of depth, fish, water",
            ),
            (
                format!("depth = 1.0\n{fish}kind = 3\n"),
                "line 5, column 1: fish: found unknown key kind, need count or names",
            ),
            (
                "depth = 1.0\n[fish]\ncount = 1\n".to_owned(),
                "line 2, column 1: fish: found no key names, need one",
            ),
            (format!("water = \"salt\"\n{fish}"), "line 1, column 1: the file: found no key depth, need one"),
        ];
        for (text, expected) in cases {
            assert_eq!(refused(&text), format!("pond.toml: {expected}"));
        }
    }

    #[test]
    fn a_number_for_a_word_is_told_with_line_and_key() {
        let message = refused("depth = 1.0\nwater = 7\n[fish]\ncount = 1\nnames = []\n");

        assert!(message.starts_with("pond.toml: line 2, column 9: water: found 7, need a name"), "{message}");
    }

    #[test]
    fn bad_syntax_is_shown_where_it_stands() {
        let message = refused("depth = \n");

        assert!(message.starts_with("pond.toml: TOML parse error at line 1"), "{message}");
    }
}
