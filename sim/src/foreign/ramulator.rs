//! Traces of Ramulator 2 (`LD 0x40`) and Ramulator 1 (`0x40 R`).

use super::number::{decimal, prefixed, words};
use super::{ForeignAccess, ImportFormat};
use crate::device::Kind;

/// Ramulator 2's load/store trace. Addresses are hexadecimal with `0x`, or decimal.
pub(super) const LOAD_STORE: ImportFormat =
    ImportFormat { name: "ramulator2", form: "LD 0x<hex> or ST 0x<hex>", parse: load_store };

/// Ramulator 1's memory trace, with VANS' blocking read `C` (a read here) and idle clocks (not used).
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
    accesses.push(ForeignAccess { line: address / 64, kind, clock: None });
    words.next().is_none().then_some(())
}

fn read_write(text: &[u8], accesses: &mut Vec<ForeignAccess>) -> Option<()> {
    let mut words = words(text);
    let address = prefixed(words.next()?)?;
    let (kind, idle) = words.next()?.split_at_checked(1)?;
    let kind = match kind {
        b"R" | b"C" => Kind::Read,
        b"W" => Kind::Write,
        _ => return None,
    };
    if !idle.is_empty() {
        decimal(idle.strip_prefix(b":")?)?;
    }
    accesses.push(ForeignAccess { line: address / 64, kind, clock: None });
    words.next().is_none().then_some(())
}
