//! Reads a trace as a stream.

use std::io::Read;

use super::hash::{ContentHash, Hasher};
use super::{
    END_CHUNK, HEADER_CHUNK, ITEMS_CHUNK, MAGIC, MAX_CHUNK_BYTES, MAX_ITEM_BYTES, VERSION, decode,
    decode::Source, hash, most_decoded,
};
use crate::error::{Error, Result};
use crate::grammar::{Header, Item};

/// Bytes of a chunk around its content: kind, number, two lengths; the checksum comes after.
const FRAME_BYTES: usize = 13;

/// Reads items one by one. Memory: one chunk and the largest item.
///
/// Content that takes far more memory than its file is long is refused before it takes it: at most 64 MiB, and 4 KiB for
/// each byte of the file read so far.
///
/// The iterator ends after the totals were found and agree, or after the first error.
#[derive(Debug)]
pub struct Reader<R: Read> {
    chunks: Chunks<R>,
    header: Header,
    items: u64,
    is_done: bool,
    hash: Option<ContentHash>,
}

impl<R: Read> Reader<R> {
    /// Reads preamble and header.
    ///
    /// # Errors
    /// - [`Error::Damaged`] if they are not those of a trace.
    /// - [`Error::Version`] if the version is not [`VERSION`].
    /// - [`Error::Io`] if the input fails.
    pub fn new(input: R) -> Result<Self> {
        let mut chunks = Chunks::new(input)?;
        if chunks.load()? != HEADER_CHUNK {
            return Err(chunks.damaged("found no header chunk".into()));
        }
        let header = decode::header(&mut chunks)?;
        if chunks.at != chunks.raw.len() {
            return Err(chunks.damaged("found bytes behind the header".into()));
        }
        chunks.hasher = Hasher::new(&hash::header_bytes(&header));
        chunks.raw.clear();
        chunks.restart();
        Ok(Self { chunks, header, items: 0, is_done: false, hash: None })
    }

    /// Facts about the run.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The identity of the trace, once all items were read.
    pub const fn hash(&self) -> Option<ContentHash> {
        self.hash
    }

    fn read(&mut self) -> Result<Option<Item>> {
        if self.chunks.at == self.chunks.raw.len() && self.chunks.load()? == END_CHUNK {
            self.end()?;
            return Ok(None);
        }
        self.chunks.restart();
        let kind = self.chunks.byte()?;
        self.chunks.kind = kind;
        let item = decode::item(&mut self.chunks, kind)?;
        self.chunks.hash_read();
        self.items += 1;
        Ok(Some(item))
    }

    fn end(&mut self) -> Result<()> {
        let found = self.items;
        let chunks = &mut self.chunks;
        chunks.is_end = true;
        let items = decode::unsigned(chunks)?;
        if items != found {
            return Err(chunks.damaged(format!("found {found} items, need {items}")));
        }
        let hash = chunks.hasher.clone().finish();
        if chunks.raw[chunks.at..] != hash.0 {
            return Err(
                chunks.damaged("found contents of another hash than the trace was written with".into())
            );
        }
        chunks.expect_end()?;
        self.hash = Some(hash);
        Ok(())
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Item>;

    fn next(&mut self) -> Option<Result<Item>> {
        if self.is_done {
            return None;
        }
        let result = self.read().transpose();
        self.is_done = !matches!(result, Some(Ok(_)));
        result
    }
}

/// The raw bytes of successive chunks.
#[derive(Debug)]
struct Chunks<R> {
    input: R,
    /// Bytes read from the input.
    offset: u64,
    /// Where the current chunk starts.
    start: u64,
    number: u32,
    raw: Vec<u8>,
    at: usize,
    hasher: Hasher,
    /// Kind of the current item, and where its bytes that are not hashed yet start.
    kind: u8,
    unhashed: usize,
    item_bytes: u64,
    /// Memory of everything decoded so far.
    decoded: u64,
    is_end: bool,
}

impl<R: Read> Chunks<R> {
    fn new(input: R) -> Result<Self> {
        let mut chunks = Self {
            input,
            offset: 0,
            start: 0,
            number: 0,
            raw: Vec::new(),
            at: 0,
            hasher: Hasher::new(&[]),
            kind: 0,
            unhashed: 0,
            item_bytes: 0,
            decoded: 0,
            is_end: false,
        };
        let preamble: [u8; 16] = chunks.take()?;
        if preamble[..8] != MAGIC {
            return Err(Error::Damaged {
                offset: 0,
                found:
                    "found no hetier trace (the first 8 bytes differ), need a file that hetier record wrote"
                        .into(),
            });
        }
        if crc32fast::hash(&preamble[..12]).to_le_bytes() != preamble[12..] {
            return Err(Error::Damaged { offset: 8, found: "found a version with a wrong checksum".into() });
        }
        let version = u16::from_le_bytes([preamble[8], preamble[9]]);
        if version != VERSION || preamble[10..12] != [0, 0] {
            return Err(Error::Version { offset: 8, found: version, need: VERSION });
        }
        Ok(chunks)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.input.read(&mut bytes[filled..]) {
                Ok(0) => {
                    return Err(Error::Damaged {
                        offset: self.offset,
                        found: "found the end of the file, need more bytes (it was truncated)".into(),
                    });
                }
                Ok(count) => {
                    filled += count;
                    self.offset += count as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Io { action: "reading the trace", source }),
            }
        }
        Ok(())
    }

    /// Loads the next chunk; gives its kind.
    fn load(&mut self) -> Result<u8> {
        self.start = self.offset;
        let frame: [u8; FRAME_BYTES] = self.take()?;
        let word = |at: usize| u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]);
        let (kind, number, raw_bytes, stored_bytes) = (frame[0], word(1), word(5), word(9));
        let most = raw_bytes.max(stored_bytes);
        if most > MAX_CHUNK_BYTES {
            return Err(
                self.damaged(format!("found a chunk of {most} bytes, need at most {MAX_CHUNK_BYTES}"))
            );
        }
        let mut stored = vec![0; stored_bytes as usize];
        self.fill(&mut stored)?;
        let checksum: [u8; 4] = self.take()?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&frame);
        crc.update(&stored);
        if crc.finalize().to_le_bytes() != checksum {
            return Err(self.damaged("found a chunk with a wrong checksum".into()));
        }
        self.check_place(kind, number)?;
        self.raw = zstd::bulk::decompress(&stored, raw_bytes as usize)
            .map_err(|error| self.damaged(format!("found a chunk that does not decompress ({error})")))?;
        if self.raw.len() != raw_bytes as usize || raw_bytes == 0 {
            let found = self.raw.len();
            return Err(
                self.damaged(format!("found {found} bytes in a chunk, need {raw_bytes} and at least 1"))
            );
        }
        (self.at, self.unhashed) = (0, 0);
        Ok(kind)
    }

    fn check_place(&mut self, kind: u8, number: u32) -> Result<()> {
        if !(HEADER_CHUNK..=END_CHUNK).contains(&kind) {
            return Err(self.damaged(format!("found chunk kind {kind}, need {HEADER_CHUNK} to {END_CHUNK}")));
        }
        if (kind == HEADER_CHUNK) != (number == 0) {
            return Err(self.damaged("found the header chunk out of place".into()));
        }
        if number != self.number {
            let need = self.number;
            return Err(self.damaged(format!("found chunk number {number}, need {need}")));
        }
        self.number = self.number.wrapping_add(1);
        Ok(())
    }

    /// An item starts at the current byte.
    fn restart(&mut self) {
        self.at = self.at.min(self.raw.len());
        self.unhashed = self.at;
        self.item_bytes = 0;
    }

    fn hash_read(&mut self) {
        self.hasher.update(self.kind, &self.raw[self.unhashed..self.at]);
        self.unhashed = self.at;
    }

    fn expect_end(&mut self) -> Result<()> {
        let mut byte = [0];
        match self.input.read(&mut byte) {
            Ok(0) => Ok(()),
            Ok(_) => Err(Error::Damaged { offset: self.offset, found: "found bytes behind the end".into() }),
            Err(source) => Err(Error::Io { action: "reading the trace", source }),
        }
    }

    /// Goes on with the next chunk inside an item.
    fn refill(&mut self) -> Result<()> {
        if self.is_end || self.number < 2 {
            return Err(self.damaged("found a chunk that ends too early".into()));
        }
        self.hash_read();
        self.item_bytes += self.raw.len() as u64;
        if self.item_bytes > MAX_ITEM_BYTES {
            return Err(self.damaged(format!("found an item of more than {MAX_ITEM_BYTES} bytes")));
        }
        match self.load()? {
            ITEMS_CHUNK => Ok(()),
            _ => Err(self.damaged("found the end inside an item".into())),
        }
    }
}

impl<R: Read> Source for Chunks<R> {
    #[inline]
    fn byte(&mut self) -> Result<u8> {
        if self.at == self.raw.len() {
            self.refill()?;
        }
        let byte = self.raw[self.at];
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn charge(&mut self, bytes: usize) -> Result<()> {
        self.decoded += bytes as u64;
        let most = most_decoded(self.offset);
        if self.decoded <= most {
            return Ok(());
        }
        let (found, read) = (self.decoded, self.offset);
        Err(self.damaged(format!(
            "found {found} bytes or more of decoded content in the first {read} bytes of the file, need at most {most}"
        )))
    }

    fn damaged(&self, found: String) -> Error {
        Error::Damaged { offset: self.start, found: format!("{found} (in the chunk that starts here)") }
    }
}
