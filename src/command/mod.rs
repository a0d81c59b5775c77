//! One file for each verb.

pub mod bare;
pub mod calibrate;
pub mod compare;
pub mod export;
pub mod info;
pub mod list;
pub mod manual;
pub mod place;
pub mod plot;
pub mod probe;
pub mod record;
pub mod replay;
pub mod reproduce;
pub mod script;
pub mod sweep;
pub mod validate;

use std::fmt::Display;
use std::path::Path;

use crate::failure::{Failure, Outcome};

/// How a file begins that `hetier record` wrote.
const TRACE: &[u8] = b"\x89HETIER\n";
/// How a compressed file of gzip begins.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// A file of text; `need` says of what, for the message where it is something else.
fn read_text(path: &Path, need: impl Display) -> Outcome<String> {
    let shown = path.display();
    let bytes =
        std::fs::read(path).map_err(|error| Failure::work(format!("{shown}: cannot be read: {error}")))?;
    let found = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => kind(error.as_bytes()),
    };
    Err(Failure::work(format!("{shown}: found {found}, need {need}")))
}

/// What bytes that are no text are.
fn kind(bytes: &[u8]) -> &'static str {
    match bytes {
        bytes if bytes.starts_with(TRACE) => "a binary trace",
        bytes if bytes.starts_with(GZIP) => "a file compressed by gzip",
        _ => "bytes that are no text",
    }
}
