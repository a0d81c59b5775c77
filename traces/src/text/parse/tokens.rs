//! Reads single tokens: words, numbers, signs and names of the grammar.

use super::Parser;
use crate::error::Result;
use crate::text::scan::Token;

impl Parser<'_> {
    pub(super) fn advance(&mut self) -> Result<Token> {
        let (token, place) = self.scanner.next()?;
        self.place = place;
        Ok(std::mem::replace(&mut self.token, token))
    }

    pub(super) fn need<T>(&self, what: &str) -> Result<T> {
        Err(self.place.error(format!("found {}, need {what}", self.token.name())))
    }

    pub(super) fn word(&mut self, what: &str) -> Result<String> {
        let Token::Word(word) = &self.token else { return self.need(what) };
        let word = word.clone();
        self.advance()?;
        Ok(word)
    }

    pub(super) fn keyword(&mut self, word: &str) -> Result<()> {
        if self.take_word(word)? { Ok(()) } else { self.need(word) }
    }

    pub(super) fn take_word(&mut self, word: &str) -> Result<bool> {
        let is_word = matches!(&self.token, Token::Word(found) if found == word);
        if is_word {
            self.advance()?;
        }
        Ok(is_word)
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self.token, Token::Sign(found) if found == sign)
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> Result<bool> {
        let is_sign = self.is_sign(sign);
        if is_sign {
            self.advance()?;
        }
        Ok(is_sign)
    }

    pub(super) fn sign(&mut self, sign: &str) -> Result<()> {
        if self.take_sign(sign)? { Ok(()) } else { self.need(sign) }
    }

    pub(super) fn number(&mut self) -> Result<u64> {
        let Token::Number(number) = self.token else { return self.need("a number") };
        self.advance()?;
        Ok(number)
    }

    pub(super) fn small(&mut self, what: &str) -> Result<u32> {
        let place = self.place;
        let number = self.number()?;
        u32::try_from(number).map_err(|_| place.error(format!("found {what} {number}, need less than 2^32")))
    }

    pub(super) fn integer(&mut self) -> Result<i64> {
        let place = self.place;
        let is_negative = self.take_sign("-")?;
        let size = i128::from(self.number()?);
        let value = if is_negative { -size } else { size };
        i64::try_from(value).map_err(|_| place.error(format!("found {value}, need a signed 64-bit number")))
    }

    pub(super) fn text(&mut self) -> Result<String> {
        let Token::Text(text) = &self.token else { return self.need("a string in quotes") };
        let text = text.clone();
        self.advance()?;
        Ok(text)
    }

    /// The number of a word such as `a12`.
    pub(super) fn numbered(&mut self, letter: char) -> Result<u32> {
        let number = match &self.token {
            Token::Word(word) => word.strip_prefix(letter).and_then(|number| number.parse().ok()),
            _ => None,
        };
        let Some(number) = number else { return self.need(&format!("{letter} and a number")) };
        self.advance()?;
        Ok(number)
    }

    pub(super) fn named<T: Copy>(
        &mut self,
        what: &str,
        all: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Result<T> {
        let found = match &self.token {
            Token::Word(word) => all.iter().copied().find(|value| name(*value) == word),
            _ => None,
        };
        let Some(found) = found else {
            let names: Vec<&str> = all.iter().map(|value| name(*value)).collect();
            return self.need(&format!("a {what}: {}", names.join(", ")));
        };
        self.advance()?;
        Ok(found)
    }
}
