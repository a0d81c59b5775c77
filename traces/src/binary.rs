//! The binary form of a trace: a stream of compressed, checksummed chunks (`traces/FORMAT.md` has every byte).
//!
//! [`Writer`] and [`Reader`] stream: their memory grows with the largest item, not with the run. A file ends with an
//! explicit chunk of totals, so that truncation is always found.
//!
//! ```
//! use hetier_traces::{Header, Item, PhaseHead, Stage, binary::{Reader, Writer}};
//!
//! let mut writer = Writer::new(Vec::new(), &Header::default())?;
//! let head = PhaseHead { name: "conv1".into(), operation: "Convolution".into(), stage: Stage::Server };
//! writer.push(&Item::PhaseStart(head))?;
//! let (bytes, hash) = writer.finish()?;
//!
//! let mut reader = Reader::new(bytes.as_slice())?;
//! let items = reader.by_ref().collect::<hetier_traces::Result<Vec<Item>>>()?;
//! assert_eq!(items.len(), 1);
//! assert_eq!(reader.hash(), Some(hash));
//! # Ok::<(), hetier_traces::Error>(())
//! ```

mod decode;
mod encode;
mod file;
mod hash;
mod reader;
mod writer;

pub use file::{FileWriter, file_hash, read_file, read_items, to_bytes, write_file};
pub use hash::{ContentHash, content_hash};
pub use reader::Reader;
pub use writer::Writer;

/// First bytes of every binary trace: a byte that is not ASCII, the name, a line feed.
pub const MAGIC: [u8; 8] = *b"\x89HETIER\n";

/// Version that this program writes and reads.
pub const VERSION: u16 = 1;

/// Bytes of raw content after which the writer closes a chunk.
const CHUNK_BYTES: usize = 256 << 10;

/// Most bytes of a chunk, raw or stored: what a damaged length can make a reader allocate.
const MAX_CHUNK_BYTES: u32 = 16 << 20;

/// Most raw bytes of one item.
const MAX_ITEM_BYTES: u64 = 1 << 30;

/// Most bytes of a string.
const MAX_STRING_BYTES: u64 = 1 << 20;

/// Memory that the decoded content of any file may take, and what each byte of the file adds. An empty list takes one
/// byte of content and 24 of memory, and zstd makes some 16 KiB of content of one stored byte. Recorded networks take up to 100
/// bytes a byte; lists of weights of which one in a hundred is kept would take some 2,000.
const DECODED_BYTES: u64 = 64 << 20;
const DECODED_BYTES_PER_BYTE: u64 = 4 << 10;

/// Most memory that the decoded content of the first bytes of a file may take.
const fn most_decoded(file_bytes: u64) -> u64 {
    file_bytes.saturating_mul(DECODED_BYTES_PER_BYTE).saturating_add(DECODED_BYTES)
}

/// Kinds of chunks.
const HEADER_CHUNK: u8 = 1;
const ITEMS_CHUNK: u8 = 2;
const END_CHUNK: u8 = 3;

#[cfg(test)]
mod tests;
