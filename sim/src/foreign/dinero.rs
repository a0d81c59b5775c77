//! Traces of Dinero IV in `din` form: `0 40`.

use super::number::{hexadecimal, words};
use super::{ForeignAccess, ImportFormat};
use crate::device::Kind;

/// Label and address; words after them are ignored, as Dinero does.
pub(super) const FORMAT: ImportFormat =
    ImportFormat { name: "dinero", form: "0|1|2 <hex> (read, write, instruction)", parse };

fn parse(text: &[u8], accesses: &mut Vec<ForeignAccess>) -> Option<()> {
    let mut words = words(text);
    let kind = match words.next()? {
        b"0" | b"2" => Kind::Read,
        b"1" => Kind::Write,
        _ => return None,
    };
    let address = hexadecimal(words.next()?)?;
    accesses.push(ForeignAccess::new(address / 64, kind));
    Some(())
}
