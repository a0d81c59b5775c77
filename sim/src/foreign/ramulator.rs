//! Traces of Ramulator 2 (`LD 0x40`) and Ramulator 1 (`0x40 R`).

use super::number::{decimal, prefixed, words};
use super::{ForeignAccess, ImportFormat};
use crate::device::Kind;

/// Ramulator 2's load/store trace. Addresses are hexadecimal with `0x`, or decimal.
pub(super) const LOAD_STORE: ImportFormat =
    ImportFormat { name: "ramulator2", form: "LD 0x<hex> or ST 0x<hex>", parse: load_store };

/// Ramulator 1's memory trace, with what VANS adds: a read `C` holds up what comes after it until its data are there, and
/// idle clocks lie between an access and the next. Both count where accesses come as recorded, not where a pace is set.
pub(super) const READ_WRITE: ImportFormat = ImportFormat {
    name: "ramulator1",
    form: "0x<hex> R, W or C, with :<idle clocks> or without",
    parse: read_write,
};

fn load_store(text: &[u8], accesses: &mut Vec<ForeignAccess>) -> Option<()> {
    let mut words = words(text);
    let kind = match words.next()? {
        b"LD" => Kind::Read,
        b"ST" => Kind::Write,
        _ => return None,
    };
    let address = words.next()?;
    let address = prefixed(address).or_else(|| decimal(address))?;
    accesses.push(ForeignAccess::new(address / 64, kind));
    words.next().is_none().then_some(())
}

fn read_write(text: &[u8], accesses: &mut Vec<ForeignAccess>) -> Option<()> {
    let mut words = words(text);
    let address = prefixed(words.next()?)?;
    let (letter, idle) = words.next()?.split_at_checked(1)?;
    let kind = match letter {
        b"R" | b"C" => Kind::Read,
        b"W" => Kind::Write,
        _ => return None,
    };
    let idle = if idle.is_empty() { 0 } else { decimal(idle.strip_prefix(b":")?)? };
    let is_blocking = letter == b"C";
    accesses.push(ForeignAccess { idle, is_blocking, ..ForeignAccess::new(address / 64, kind) });
    words.next().is_none().then_some(())
}
