//! Traces of `valgrind --tool=lackey --trace-mem=yes`: ` L 40,8`.

use super::number::{decimal, hexadecimal};
use super::{ForeignAccess, ImportFormat};
use crate::device::Kind;

/// Instruction, load, store or modify, with address and size. Valgrind's own lines begin with `==` and are skipped.
pub(super) const FORMAT: ImportFormat = ImportFormat { name: "lackey", form: "I|L|S|M <hex>,<size>", parse };

fn parse(text: &[u8], accesses: &mut Vec<ForeignAccess>) -> Option<()> {
    if text.starts_with(b"==") {
        return Some(());
    }
    let text = text.trim_ascii_start();
    let (label, rest) = text.split_at_checked(1)?;
    let rest = rest.trim_ascii_start();
    let comma = rest.iter().position(|byte| *byte == b',')?;
    let address = hexadecimal(&rest[..comma])?;
    let last = address.checked_add(decimal(&rest[comma + 1..])?.checked_sub(1)?)?;
    let kinds: &[Kind] = match label {
        b"I" | b"L" => &[Kind::Read],
        b"S" => &[Kind::Write],
        b"M" => &[Kind::Read, Kind::Write],
        _ => return None,
    };
    // Sizes are those of machine instructions; a longer one is not a lackey trace.
    if last - address > 1 << 16 {
        return None;
    }
    for kind in kinds {
        accesses.extend((address / 64..=last / 64).map(|line| ForeignAccess::new(line, *kind)));
    }
    Some(())
}
