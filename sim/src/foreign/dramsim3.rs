//! Traces of `DRAMsim3`: `0x40 READ 12`.

use super::number::{decimal, prefixed, words};
use super::{ForeignAccess, ImportFormat};
use crate::device::Kind;

/// Address, direction and clock.
pub(super) const FORMAT: ImportFormat =
    ImportFormat { name: "dramsim3", form: "0x<hex> READ|WRITE <cycle>", parse };

fn parse(text: &[u8], accesses: &mut Vec<ForeignAccess>) -> Option<()> {
    let mut words = words(text);
    let address = prefixed(words.next()?)?;
    let kind = match words.next()? {
        b"READ" => Kind::Read,
        b"WRITE" => Kind::Write,
        _ => return None,
    };
    let clock = Some(decimal(words.next()?)?);
    accesses.push(ForeignAccess { clock, ..ForeignAccess::new(address / 64, kind) });
    words.next().is_none().then_some(())
}
