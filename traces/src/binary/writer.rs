//! Writes a trace as a stream.

use std::io::Write;

use super::hash::{ContentHash, Hasher, hash_item, header_bytes};
use super::{
    CHUNK_BYTES, END_CHUNK, HEADER_CHUNK, ITEMS_CHUNK, MAGIC, MAX_CHUNK_BYTES, MAX_ITEM_BYTES,
    MAX_STRING_BYTES, VERSION, decode, encode, most_decoded,
};
use crate::error::{Error, Result};
use crate::grammar::{Header, Item};

/// Compression level of zstd: its default, a good balance for text-like data.
const LEVEL: i32 = 3;

/// Writes items to anything that takes bytes. Memory: one chunk and the largest item.
///
/// Without [`Writer::finish`] the output lacks its end and every reader refuses it.
#[derive(Debug)]
pub struct Writer<W: Write> {
    output: W,
    raw: Vec<u8>,
    hasher: Hasher,
    chunks: u32,
    items: u64,
    /// Bytes given to the output, and memory of the items as a reader counts it.
    written: u64,
    decoded: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the preamble and the header.
    ///
    /// # Errors
    /// - [`Error::OutOfRange`] for a header or a string in it that is longer than a reader takes.
    /// - [`Error::Io`] if the output does.
    pub fn new(output: W, header: &Header) -> Result<Self> {
        header.facts.iter().flat_map(|(key, value)| [key, value]).try_for_each(|text| check_string(text))?;
        let header = header_bytes(header);
        check_length("bytes of the header", header.len(), MAX_CHUNK_BYTES.into())?;
        let (raw, hasher) = (Vec::new(), Hasher::new(&header));
        let mut writer = Self { output, raw, hasher, chunks: 0, items: 0, written: 0, decoded: 0 };
        let mut preamble = [0; 16];
        preamble[..8].copy_from_slice(&MAGIC);
        preamble[8..10].copy_from_slice(&VERSION.to_le_bytes());
        let checksum = crc32fast::hash(&preamble[..12]);
        preamble[12..].copy_from_slice(&checksum.to_le_bytes());
        writer.put(&preamble)?;
        writer.chunk(HEADER_CHUNK, &header)?;
        Ok(writer)
    }

    /// Writes the next item. Items are not checked here: a [`Builder`](crate::Builder) or
    /// [`Checker`](crate::Checker) does that.
    ///
    /// # Errors
    /// - [`Error::OutOfRange`] for an item or a string in it that is longer than a reader takes, or if the items so far
    ///   take more memory than a reader grants a file of their bytes.
    /// - [`Error::Io`] if the output does.
    pub fn push(&mut self, item: &Item) -> Result<()> {
        check_strings(item)?;
        let start = self.raw.len();
        encode::item(&mut self.raw, item);
        check_length("bytes of an item", self.raw.len() - start, MAX_ITEM_BYTES)?;
        hash_item(&mut self.hasher, &self.raw[start..]);
        self.decoded += decode::decoded_bytes(&self.raw[start..])?;
        self.items += 1;
        let mut raw = std::mem::take(&mut self.raw);
        let whole = raw.len() / CHUNK_BYTES * CHUNK_BYTES;
        for chunk in raw[..whole].chunks(CHUNK_BYTES) {
            self.chunk(ITEMS_CHUNK, chunk)?;
        }
        raw.drain(..whole);
        self.raw = raw;
        if whole > 0 { self.check_decoded() } else { Ok(()) }
    }

    /// Writes what is left and the totals; gives the output and the identity of the trace.
    ///
    /// # Errors
    /// - [`Error::OutOfRange`] if the items take more memory than a reader grants.
    /// - [`Error::Io`] if the output does.
    pub fn finish(mut self) -> Result<(W, ContentHash)> {
        let raw = std::mem::take(&mut self.raw);
        if !raw.is_empty() {
            self.chunk(ITEMS_CHUNK, &raw)?;
            self.check_decoded()?;
        }
        let hash = self.hasher.clone().finish();
        let mut totals = Vec::new();
        encode::unsigned(&mut totals, self.items);
        totals.extend_from_slice(&hash.0);
        self.chunk(END_CHUNK, &totals)?;
        self.output.flush().map_err(io)?;
        Ok((self.output, hash))
    }

    fn chunk(&mut self, kind: u8, raw: &[u8]) -> Result<()> {
        let stored = zstd::bulk::compress(raw, LEVEL).map_err(io)?;
        let mut frame = Vec::with_capacity(stored.len() + 17);
        frame.push(kind);
        frame.extend_from_slice(&self.chunks.to_le_bytes());
        frame.extend_from_slice(&(raw.len() as u32).to_le_bytes());
        frame.extend_from_slice(&(stored.len() as u32).to_le_bytes());
        frame.extend_from_slice(&stored);
        let checksum = crc32fast::hash(&frame);
        frame.extend_from_slice(&checksum.to_le_bytes());
        // 2³² chunks are 10¹⁵ raw bytes, more than any disk holds.
        self.chunks = self.chunks.wrapping_add(1);
        self.put(&frame)
    }

    fn check_decoded(&self) -> Result<()> {
        check_length("bytes of decoded content", self.decoded as usize, most_decoded(self.written))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len() as u64;
        self.output.write_all(bytes).map_err(io)
    }
}

fn check_strings(item: &Item) -> Result<()> {
    match item {
        Item::Array(array) => check_string(&array.label),
        Item::View(view) => check_string(&view.label),
        Item::Macro(defined) => check_string(&defined.name),
        Item::PhaseStart(head) => check_string(&head.name).and_then(|()| check_string(&head.operation)),
        Item::Body(_) => Ok(()),
    }
}

fn check_string(text: &str) -> Result<()> {
    check_length("bytes of a string", text.len(), MAX_STRING_BYTES)
}

/// Refuses what a reader would.
fn check_length(what: &'static str, found: usize, most: u64) -> Result<()> {
    let (found, most) = (found as i128, i128::from(most));
    if found <= most {
        return Ok(());
    }
    Err(Error::OutOfRange { place: "writing the trace".into(), what, found, least: 0, most })
}

pub(super) fn io(source: std::io::Error) -> Error {
    Error::Io { action: "writing the trace", source }
}
