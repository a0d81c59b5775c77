//! Text to words, numbers, strings and signs, each with its place.

use crate::error::{Error, Result};

/// A place in the text, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    pub fn error(self, found: impl Into<String>) -> Error {
        Error::Syntax { line: self.line, column: self.column, found: found.into() }
    }
}

/// The smallest piece of text with a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Letters, perhaps digits behind them, hyphens between letters.
    Word(String),
    Number(u64),
    Text(String),
    /// One of `{ } ( ) [ ] , = + - * @` or `..`.
    Sign(&'static str),
    End,
}

impl Token {
    /// As an error message names it.
    pub fn name(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => format!("{text:?}"),
            Self::Sign(sign) => (*sign).to_owned(),
            Self::End => "the end of the text".to_owned(),
        }
    }
}

const SIGNS: [&str; 12] = ["{", "}", "(", ")", "[", "]", ",", "=", "+", "-", "*", "@"];

/// Reads tokens one after the other.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'t> {
    rest: &'t str,
    place: Place,
}

impl<'t> Scanner<'t> {
    pub const fn new(text: &'t str) -> Self {
        Self { rest: text, place: Place { line: 1, column: 1 } }
    }

    /// The next token and where it starts.
    ///
    /// # Errors
    /// - [`Error::Syntax`] for a character that starts nothing, an open string or a number beyond 64 bits.
    pub fn next(&mut self) -> Result<(Token, Place)> {
        self.skip_blanks();
        let place = self.place;
        let Some(first) = self.rest.chars().next() else { return Ok((Token::End, place)) };
        let token = match first {
            '"' => Token::Text(self.text(place)?),
            '0'..='9' => self.number(place)?,
            'a'..='z' | 'A'..='Z' => Token::Word(self.word()),
            _ if self.rest.starts_with("..") => self.sign(".."),
            _ => match SIGNS.iter().find(|sign| self.rest.starts_with(**sign)) {
                Some(sign) => self.sign(sign),
                None => {
                    return Err(place.error(format!("found {first:?}, need a word, number, string or sign")));
                }
            },
        };
        Ok((token, place))
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.rest.chars().next() {
                Some('#') => self.advance(self.rest.find('\n').unwrap_or(self.rest.len())),
                Some(letter) if letter.is_whitespace() => self.advance(letter.len_utf8()),
                _ => return,
            }
        }
    }

    /// Passes over some bytes, which must end at a character's end.
    fn advance(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at(bytes);
        for letter in passed.chars() {
            if letter == '\n' {
                self.place = Place { line: self.place.line + 1, column: 1 };
            } else {
                self.place.column += 1;
            }
        }
        self.rest = rest;
    }

    fn sign(&mut self, sign: &'static str) -> Token {
        self.advance(sign.len());
        Token::Sign(sign)
    }

    fn number(&mut self, place: Place) -> Result<Token> {
        let digits = self.rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(self.rest.len());
        let number = self.rest[..digits].parse();
        self.advance(digits);
        number.map(Token::Number).map_err(|_| place.error("found a number beyond 64 bits"))
    }

    /// A hyphen belongs to a word between letters, as in `bit-reversal`, but not behind a digit: `v0-v1` is a
    /// difference.
    fn word(&mut self) -> String {
        let bytes = self.rest.as_bytes();
        let mut end = 1;
        let mut has_digit = false;
        while let Some(&byte) = bytes.get(end) {
            let is_hyphen =
                byte == b'-' && !has_digit && bytes.get(end + 1).is_some_and(u8::is_ascii_alphabetic);
            if !byte.is_ascii_alphanumeric() && !is_hyphen {
                break;
            }
            has_digit |= byte.is_ascii_digit();
            end += 1;
        }
        let word = self.rest[..end].to_owned();
        self.advance(end);
        word
    }

    fn text(&mut self, place: Place) -> Result<String> {
        let mut text = String::new();
        self.advance(1);
        loop {
            let here = self.place;
            let mut letters = self.rest.chars();
            match letters.next() {
                None | Some('\n') => return Err(place.error("found a string without its end, need a quote")),
                Some('"') => {
                    self.advance(1);
                    return Ok(text);
                }
                Some('\\') => {
                    let (letter, bytes) = self.escape().ok_or_else(|| {
                        here.error(
                            "found an unknown escape, need \\\" or \\\\ or \\u and 4 hexadecimal digits",
                        )
                    })?;
                    text.push(letter);
                    self.advance(bytes);
                }
                Some(letter) => {
                    text.push(letter);
                    self.advance(letter.len_utf8());
                }
            }
        }
    }

    /// The character of the escape that starts here, and its bytes.
    fn escape(&self) -> Option<(char, usize)> {
        match self.rest[1..].chars().next()? {
            letter @ ('"' | '\\') => Some((letter, 2)),
            'u' => {
                let digits = self
                    .rest
                    .get(2..6)
                    .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
                let code = u32::from_str_radix(digits, 16).ok()?;
                Some((char::from_u32(code)?, 6))
            }
            _ => None,
        }
    }
}
