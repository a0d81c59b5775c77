//! Address mappings as data: which bits of a line number choose sub-channel, bank, row and column.
//!
//! A line number is split from its most significant bit downwards in the order given; a field may be split over
//! several places (`"column:2"` takes two bits), and bits of one field may be mixed into another by exclusive or. [`Interleave`]
//! spreads lines over any number of channels before that.

use std::fmt;
use std::path::Path;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::{Error, toml_error};

/// Counts of everything below one channel. All are powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Independent halves of the channel: 1 for DDR4, 2 for DDR5.
    pub sub_channels: u32,
    /// Ranks of each sub-channel.
    pub ranks: u32,
    /// Bank groups of a rank.
    pub groups: u32,
    /// Banks of a group.
    pub banks: u32,
    /// Rows of a bank.
    pub rows: u32,
    /// 64-byte lines of a row, over all chips of the rank.
    pub columns: u32,
}

impl Geometry {
    /// Banks of one sub-channel.
    pub const fn total_banks(&self) -> u32 {
        self.ranks * self.groups * self.banks
    }

    /// 64-byte lines of the whole channel.
    pub const fn lines(&self) -> u64 {
        self.sub_channels as u64 * self.total_banks() as u64 * self.rows as u64 * self.columns as u64
    }
}

/// Where a line lies inside a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Sub-channel.
    pub sub_channel: u32,
    /// Bank of the sub-channel: (rank × groups + group) × banks + bank.
    pub bank: u32,
    /// Row of the bank.
    pub row: u32,
    /// Line of the row.
    pub column: u32,
}

/// An address mapping as it is written in TOML, unchecked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingLiteral {
    /// Where the mapping comes from.
    pub source: String,
    /// Fields from the most significant bit down: `row`, `column`, `rank`, `group`, `bank`, `sub-channel`, each with
    /// an optional `:bits`. Every field has one place without a count, which takes the bits that are left.
    pub order: Vec<String>,
    /// Hashes applied after the split, in this order.
    #[serde(default)]
    pub xor: Vec<XorLiteral>,
}

/// The mapping of a device file: a name, the path of a file, or the table itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MappingChoice {
    /// Name of a shipped mapping, or path of a `.toml` file.
    Named(String),
    /// The table.
    Inline(MappingLiteral),
}

impl MappingChoice {
    /// The mapping, read if it is elsewhere.
    ///
    /// # Errors
    /// Those of [`load`].
    pub fn literal(&self) -> Result<MappingLiteral, Error> {
        match self {
            Self::Named(name) => load(name),
            Self::Inline(literal) => Ok(literal.clone()),
        }
    }
}

/// Written out, since an untagged enum would lose what is wrong with a table.
impl<'de> Deserialize<'de> for MappingChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = MappingChoice;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter
                    .write_str("the name of an address mapping, a .toml file, or a table with order and xor")
            }

            fn visit_str<E>(self, name: &str) -> Result<MappingChoice, E> {
                Ok(MappingChoice::Named(name.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<MappingChoice, M::Error> {
                MappingLiteral::deserialize(MapAccessDeserializer::new(map)).map(MappingChoice::Inline)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// One hash of a [`MappingLiteral`]: `into ^= from >> shift`, over the bits of `into`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XorLiteral {
    /// Field that is changed: `rank`, `group`, `bank` or `sub-channel`.
    pub into: String,
    /// Field whose bits are mixed in.
    pub from: String,
    /// Lowest bit of `from` that is used.
    pub shift: u32,
}

/// A checked address mapping for one [`Geometry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    splits: Vec<Move>,
    hashes: Vec<(usize, Move)>,
}

/// Takes `mask` bits of a source from `from` up and puts them at `to` of an accumulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Move {
    accumulator: usize,
    from: u32,
    mask: u64,
    to: u32,
}

/// Accumulators of [`Mapping::place`]; rank, group and bank share one, at different bits.
const SUB_CHANNEL: usize = 0;
const BANK: usize = 1;
const ROW: usize = 2;
const COLUMN: usize = 3;

/// A field of the geometry: name, width, and where its bits go.
struct Field {
    name: &'static str,
    bits: u32,
    accumulator: usize,
    base: u32,
}

impl Mapping {
    /// Checks a literal against a geometry.
    ///
    /// # Errors
    /// - [`Error::Value`] without a source, or if a field is unknown, missing, doubled, or wider than the geometry has
    ///   bits.
    pub fn check(file: &str, literal: &MappingLiteral, geometry: &Geometry) -> Result<Self, Error> {
        if literal.source.trim().is_empty() {
            let found = format!("{:?}", literal.source);
            return Err(Error::value(file, "mapping.source", found, toml_error::SOURCE_NEED));
        }
        let fields = fields(geometry);
        let mut splits = split(file, &literal.order, &fields)?;
        splits.retain(|split| split.mask != 0);
        let hashes = literal.xor.iter().map(|xor| hash(file, xor, &fields)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { splits, hashes: hashes.into_iter().filter(|(_, hash)| hash.mask != 0).collect() })
    }

    /// Bits of a line number that say where it lies.
    pub fn line_bits(&self) -> u32 {
        self.splits.iter().map(|split| split.from + split.mask.count_ones()).max().unwrap_or(0)
    }

    /// Where a line lies. Lines past the capacity wrap round. Cost: a shift and a mask for each piece of a field.
    pub fn place(&self, line: u64) -> Place {
        let mut parts = [0_u64; 4];
        for split in &self.splits {
            parts[split.accumulator & 3] |= ((line >> split.from) & split.mask) << split.to;
        }
        for (from, hash) in &self.hashes {
            parts[hash.accumulator & 3] ^= ((parts[from & 3] >> hash.from) & hash.mask) << hash.to;
        }
        Place {
            sub_channel: parts[SUB_CHANNEL] as u32,
            bank: parts[BANK] as u32,
            row: parts[ROW] as u32,
            column: parts[COLUMN] as u32,
        }
    }
}

fn fields(geometry: &Geometry) -> [Field; 6] {
    let bits = |count: u32| count.trailing_zeros();
    let field = |name, bits, accumulator, base| Field { name, bits, accumulator, base };
    let (banks, groups) = (bits(geometry.banks), bits(geometry.groups));
    [
        field("sub-channel", bits(geometry.sub_channels), SUB_CHANNEL, 0),
        field("rank", bits(geometry.ranks), BANK, banks + groups),
        field("group", groups, BANK, banks),
        field("bank", banks, BANK, 0),
        field("row", bits(geometry.rows), ROW, 0),
        field("column", bits(geometry.columns), COLUMN, 0),
    ]
}

fn split(file: &str, order: &[String], fields: &[Field]) -> Result<Vec<Move>, Error> {
    let mut pieces = Vec::new();
    for text in order {
        pieces.push(piece(file, text, fields)?);
    }
    for (index, field) in fields.iter().enumerate() {
        check_field(file, field, pieces.iter().filter(|piece| piece.0 == index).map(|piece| piece.1))?;
    }
    let mut taken = vec![0; fields.len()];
    let mut splits = Vec::new();
    let mut from = 0;
    for &(index, counted) in pieces.iter().rev() {
        let field = &fields[index];
        let rest = || field.bits - pieces.iter().filter(|p| p.0 == index).filter_map(|p| p.1).sum::<u32>();
        let bits = counted.unwrap_or_else(rest);
        let to = field.base + taken[index];
        splits.push(Move { accumulator: field.accumulator, from, mask: (1 << bits) - 1, to });
        taken[index] += bits;
        from += bits;
    }
    Ok(splits)
}

/// Reads `name` or `name:bits`: the number of the field, and the count.
fn piece(file: &str, text: &str, fields: &[Field]) -> Result<(usize, Option<u32>), Error> {
    let (name, count) = match text.split_once(':') {
        Some((name, count)) => (name, Some(count)),
        None => (text, None),
    };
    let index = find(file, "mapping.order", name, fields)?;
    match count.map(str::parse::<u32>).transpose() {
        Ok(count) => Ok((index, count)),
        Err(_) => Err(Error::value(file, "mapping.order", text, "a field, or field:bits")),
    }
}

fn find(file: &str, key: &str, name: &str, fields: &[Field]) -> Result<usize, Error> {
    let names = || fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
    fields.iter().position(|field| field.name == name).ok_or_else(|| Error::value(file, key, name, names()))
}

fn check_field(file: &str, field: &Field, counts: impl Iterator<Item = Option<u32>>) -> Result<(), Error> {
    let counts: Vec<_> = counts.collect();
    let open = counts.iter().filter(|count| count.is_none()).count();
    let counted: u64 = counts.iter().flatten().copied().map(u64::from).sum();
    if open != 1 {
        let found = format!("{} {open} times without a count", field.name);
        return Err(Error::value(file, "mapping.order", found, "each field once without a count"));
    }
    if counted > u64::from(field.bits) {
        let found = format!("{counted} bits of {}", field.name);
        return Err(Error::value(file, "mapping.order", found, format!("at most {}", field.bits)));
    }
    Ok(())
}

fn hash(file: &str, xor: &XorLiteral, fields: &[Field]) -> Result<(usize, Move), Error> {
    let into = &fields[find(file, "mapping.xor.into", &xor.into, fields)?];
    let from = &fields[find(file, "mapping.xor.from", &xor.from, fields)?];
    if into.name == from.name || matches!(into.name, "row" | "column") {
        return Err(Error::value(
            file,
            "mapping.xor.into",
            &xor.into,
            "rank, group, bank or sub-channel, not `from`",
        ));
    }
    // A device without the field takes the mapping as well: there is nothing to mix in.
    if from.bits > 0 && xor.shift >= from.bits {
        let need = format!("less than {}, the bits of {}", from.bits, from.name);
        return Err(Error::value(file, "mapping.xor.shift", xor.shift, need));
    }
    let bits = into.bits.min(from.bits.saturating_sub(xor.shift));
    let shift = from.base + xor.shift;
    let hash = Move { accumulator: into.accumulator, from: shift, mask: (1 << bits) - 1, to: into.base };
    Ok((from.accumulator, hash))
}

/// The address mappings that are shipped, by name.
pub const SHIPPED: [(&str, &str); 4] = [
    ("ro-ba-ra-co-ch", include_str!("../../mappings/ro-ba-ra-co-ch.toml")),
    ("mop4-clxor", include_str!("../../mappings/mop4-clxor.toml")),
    ("skylake-close", include_str!("../../mappings/skylake-close.toml")),
    ("skylake-open", include_str!("../../mappings/skylake-open.toml")),
];

/// Reads a shipped mapping.
///
/// # Errors
/// - [`Error::Unknown`] if no mapping has that name.
/// - [`Error::Toml`] if the text is not a mapping.
pub fn shipped(name: &str) -> Result<MappingLiteral, Error> {
    let entry = SHIPPED.iter().find(|(known, _)| *known == name);
    let Some((_, text)) = entry else {
        let known = SHIPPED.map(|(known, _)| known).join(", ");
        return Err(Error::Unknown { what: "address mapping", found: name.to_owned(), known });
    };
    toml_error::read(&format!("{name}.toml"), text)
}

/// Reads a shipped mapping by name, or any `.toml` file by path.
///
/// # Errors
/// - [`Error::Unknown`] if it is neither.
/// - [`Error::Io`] if the file cannot be read.
/// - [`Error::Toml`] if the text is not a mapping.
pub fn load(name: &str) -> Result<MappingLiteral, Error> {
    let path = Path::new(name);
    if path.extension().is_none_or(|extension| extension != "toml") {
        return shipped(name);
    }
    let text = std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    toml_error::read(name, &text)
}

/// How consecutive lines spread over channels: `granule_lines` to each channel in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interleave {
    channels: u64,
    granule_lines: u64,
}

impl Interleave {
    /// One channel.
    pub const ONE: Self = Self { channels: 1, granule_lines: 1 };

    /// Any number of channels, six included.
    ///
    /// # Errors
    /// - [`Error::Value`] if either number is zero.
    pub fn new(file: &str, channels: u64, granule_lines: u64) -> Result<Self, Error> {
        for (key, value) in [("channels", channels), ("interleave_lines", granule_lines)] {
            if value == 0 {
                return Err(Error::value(file, key, value, "at least 1"));
            }
        }
        Ok(Self { channels, granule_lines })
    }

    /// Number of channels.
    pub const fn channels(&self) -> u64 {
        self.channels
    }

    /// The channel of a line, and the line's number inside it. Cost: two divisions.
    #[inline]
    pub const fn split(&self, line: u64) -> (u64, u64) {
        if self.channels == 1 {
            return (0, line);
        }
        let (granule, within) = (line / self.granule_lines, line % self.granule_lines);
        (granule % self.channels, granule / self.channels * self.granule_lines + within)
    }

    /// The line that [`Interleave::split`] sends to `local` of `channel`.
    #[inline]
    pub const fn join(&self, channel: u64, local: u64) -> u64 {
        let (granule, within) = (local / self.granule_lines, local % self.granule_lines);
        (granule * self.channels + channel) * self.granule_lines + within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DDR4: Geometry =
        Geometry { sub_channels: 1, ranks: 2, groups: 4, banks: 4, rows: 1 << 16, columns: 128 };
    const DDR5: Geometry =
        Geometry { sub_channels: 2, ranks: 1, groups: 8, banks: 4, rows: 1 << 16, columns: 64 };

    fn mapping(name: &str, geometry: &Geometry) -> Mapping {
        Mapping::check(name, &shipped(name).unwrap(), geometry).unwrap()
    }

    #[test]
    fn row_bank_rank_column_walks_a_row_then_the_next_rank() {
        let mapping = mapping("ro-ba-ra-co-ch", &DDR4);

        let places: Vec<_> = [0, 127, 128, 256, 1024, 4096].map(|line| mapping.place(line)).into();

        let bank = |rank: u32, group: u32, bank: u32| (rank * 4 + group) * 4 + bank;
        assert_eq!(places[1], Place { sub_channel: 0, bank: 0, row: 0, column: 127 });
        assert_eq!(places[2].bank, bank(1, 0, 0));
        assert_eq!(places[3].bank, bank(0, 1, 0));
        assert_eq!(places[4].bank, bank(0, 0, 1));
        assert_eq!(places[5], Place { sub_channel: 0, bank: 0, row: 1, column: 0 });
    }

    #[test]
    fn mop4_changes_bank_every_four_lines_and_hashes_it_with_the_column() {
        let one_rank = Geometry { ranks: 1, ..DDR4 };
        let mapping = mapping("mop4-clxor", &one_rank);

        let place = |line| mapping.place(line);

        // Lines 0..4 share row and chunk; the hash spreads them over groups by their low column bits.
        assert_eq!([0, 1, 2, 3].map(|line| place(line).bank), [0, 4, 8, 12]);
        // 64 lines on: 4 groups × 4 banks × 4 lines later, column 4, whose bit 2 goes into the bank.
        assert_eq!(place(64), Place { sub_channel: 0, bank: 1, row: 0, column: 4 });
    }

    #[test]
    fn skylake_open_pages_alternate_groups_by_line_and_ranks_by_8_kib() {
        let mapping = mapping("skylake-open", &DDR4);
        let bank = |line| mapping.place(line).bank;

        // Bit 6 of the address is bit 0 of the group; 64 lines of two rows; bit 13 is the rank.
        assert_eq!([0, 1, 2, 3].map(bank), [0, 4, 0, 4]);
        assert_eq!([126, 127, 128, 129].map(bank), [0, 4, 16, 20]);
        // Bit 14 continues the column; bits 15 to 17 the row; bit 18 is bit 1 of the group, 19 and 20 the bank.
        assert_eq!(mapping.place(1 << 8).column, 1 << 6);
        assert_eq!(mapping.place(1 << 9).row, 1);
        assert_eq!([1 << 12, 1 << 13, 1 << 14].map(bank), [8, 1, 2]);
        // Bits 20 to 23 of the address inside the rank (one more of the channel's) are hashed into group and bank.
        assert_eq!([1 << 15, 1 << 16, 1 << 17, 1 << 18].map(bank), [4, 8, 1, 2]);
    }

    #[test]
    fn skylake_closed_pages_change_rank_group_and_bank_line_by_line() {
        let mapping = mapping("skylake-close", &DDR4);

        let banks: std::collections::HashSet<_> = (0..32).map(|line| mapping.place(line).bank).collect();

        assert_eq!(banks.len(), 32, "every bank of both ranks");
        assert!((0..32).all(|line| mapping.place(line).row == 0 && mapping.place(line).column == 0));
        assert_eq!(mapping.place(32).row, 1);
    }

    #[test]
    fn every_shipped_mapping_is_one_to_one() {
        let small = Geometry { rows: 1 << 12, ..DDR4 };
        let small5 = Geometry { rows: 1 << 11, ..DDR5 };
        for (name, _) in SHIPPED {
            for geometry in [small, small5] {
                let mapping = mapping(name, &geometry);
                let places: std::collections::HashSet<_> =
                    (0..geometry.lines()).map(|line| mapping.place(line)).collect();
                assert_eq!(places.len() as u64, geometry.lines(), "{name}");
            }
        }
    }

    #[test]
    fn lines_past_the_capacity_wrap_round() {
        let mapping = mapping("ro-ba-ra-co-ch", &DDR4);

        assert_eq!(mapping.place(DDR4.lines() + 5), mapping.place(5));
    }

    #[test]
    fn six_channels_split_and_join_without_loss() {
        let interleave = Interleave::new("test", 6, 4).unwrap();

        for line in 0..1000 {
            let (channel, local) = interleave.split(line);
            assert!(channel < 6);
            assert_eq!(interleave.join(channel, local), line);
        }
        assert_eq!(interleave.split(23), (5, 3));
        assert_eq!(interleave.split(24), (0, 4));
    }

    #[test]
    fn a_hash_takes_bits_that_its_field_has() {
        let hashed = |shift| MappingLiteral {
            source: "a test".to_owned(),
            order: ["row", "bank", "group", "rank", "column", "sub-channel"].map(String::from).to_vec(),
            xor: vec![XorLiteral { into: "bank".to_owned(), from: "row".to_owned(), shift }],
        };

        assert!(Mapping::check("m.toml", &hashed(15), &DDR4).is_ok());
        let message = Mapping::check("m.toml", &hashed(16), &DDR4).unwrap_err().to_string();
        assert_eq!(message, "m.toml: mapping.xor.shift: found 16, need less than 16, the bits of row");
    }

    #[test]
    fn bad_mappings_are_refused_with_key_and_need() {
        let literal = |order: &[&str]| MappingLiteral {
            source: "a test".to_owned(),
            order: order.iter().map(ToString::to_string).collect(),
            xor: Vec::new(),
        };
        let refuse =
            |order: &[&str]| Mapping::check("m.toml", &literal(order), &DDR4).unwrap_err().to_string();
        let full = ["row", "bank", "group", "rank", "column", "sub-channel"];
        assert!(Mapping::check("m.toml", &literal(&full), &DDR4).is_ok());

        assert!(
            refuse(&["row", "bonk"]).contains("m.toml: mapping.order: found bonk, need sub-channel, rank")
        );
        assert!(refuse(&full[1..]).contains("row 0 times without a count"));
        let wide = ["row", "bank:3", "bank", "group", "rank", "column", "sub-channel"];
        assert!(refuse(&wide).contains("found 3 bits of bank, need at most 2"));
        let wraps = ["row", "row:4294967295", "row:2", "bank", "group", "rank", "column", "sub-channel"];
        assert!(refuse(&wraps).contains("found 4294967297 bits of row, need at most 16"));
        let unsourced = MappingLiteral { source: " ".to_owned(), ..literal(&full) };
        let message = Mapping::check("m.toml", &unsourced, &DDR4).unwrap_err().to_string();
        assert!(message.contains("m.toml: mapping.source: found \" \", need where"), "{message}");
        assert!(
            Interleave::new("s.toml", 0, 4)
                .unwrap_err()
                .to_string()
                .contains("channels: found 0, need at least 1")
        );
    }
}
