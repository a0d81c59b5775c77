//! An address mapping tabulated: where each byte of a line number puts its bits.
//!
//! Every bit of a place is an exclusive or of bits of the line, so a place is the exclusive or of what the bytes of the
//! line give by themselves.

use super::mapping::{Mapping, Place};

const BYTE_BITS: u32 = 8;
const COLUMN_SHIFT: u32 = 32;
const BANK_SHIFT: u32 = 48;
const SUB_CHANNEL_SHIFT: u32 = 56;

/// The places of a [`Mapping`], one load and one exclusive or for each byte of a line number. Takes 2 KiB for each.
#[derive(Clone, Debug)]
pub struct PlaceTable {
    /// By byte, then by its value: row, column (16 bits), bank (8) and sub-channel (8).
    bytes: Vec<[u64; 1 << BYTE_BITS]>,
}

impl PlaceTable {
    /// Tabulates a mapping.
    pub fn new(mapping: &Mapping) -> Self {
        let byte = |number: u32| {
            std::array::from_fn(|value| pack(mapping.place((value as u64) << (number * BYTE_BITS))))
        };
        Self { bytes: (0..mapping.line_bits().div_ceil(BYTE_BITS)).map(byte).collect() }
    }

    /// Where a line lies: what [`Mapping::place`] says.
    #[inline]
    pub fn place(&self, line: u64) -> Place {
        let (mut packed, mut rest) = (0, line);
        for byte in &self.bytes {
            packed ^= byte[usize::from(rest as u8)];
            rest >>= BYTE_BITS;
        }
        Place {
            sub_channel: (packed >> SUB_CHANNEL_SHIFT) as u32,
            bank: u32::from((packed >> BANK_SHIFT) as u8),
            row: packed as u32,
            column: u32::from((packed >> COLUMN_SHIFT) as u16),
        }
    }
}

fn pack(place: Place) -> u64 {
    u64::from(place.sub_channel) << SUB_CHANNEL_SHIFT
        | u64::from(place.bank) << BANK_SHIFT
        | u64::from(place.column) << COLUMN_SHIFT
        | u64::from(place.row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::mapping::{Geometry, SHIPPED, shipped};

    #[test]
    fn table_says_what_the_mapping_says() {
        let ddr4 = Geometry { sub_channels: 1, ranks: 2, groups: 4, banks: 4, rows: 1 << 16, columns: 128 };
        let ddr5 =
            Geometry { sub_channels: 2, ranks: 1, groups: 8, banks: 4, rows: 1 << 17, columns: 1 << 16 };
        for (name, _) in SHIPPED {
            for geometry in [ddr4, ddr5] {
                let mapping = Mapping::check(name, &shipped(name).unwrap(), &geometry).unwrap();
                let table = PlaceTable::new(&mapping);

                for step in 0..10_000 {
                    let line = hetier_traces::seeded::draw(1, step) >> (step % 60);
                    assert_eq!(table.place(line), mapping.place(line), "{name} {line}");
                }
            }
        }
    }
}
