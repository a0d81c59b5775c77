//! The identity of a trace: a hash of its contents that does not depend on chunks, compression or stream order.

use std::fmt;

use sha2::{Digest, Sha256};

use super::encode;
use crate::grammar::{Header, Trace};

/// SHA-256 of the hashes of header, definitions, macros and phases; shown as its first 128 bits in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl fmt::Display for ContentHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..16].iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Which of the hashed streams an item belongs to, by its kind.
fn stream(kind: u8) -> usize {
    match kind {
        encode::ARRAY | encode::VIEW => 1,
        encode::MACRO => 2,
        _ => 3,
    }
}

/// Hashes a trace as it streams by. Definitions, macros and phases have a hash each, so that a recorder may
/// interleave them as it likes.
#[derive(Clone, Debug)]
pub(super) struct Hasher {
    streams: [Sha256; 4],
}

impl Hasher {
    pub fn new(header: &[u8]) -> Self {
        let mut streams: [Sha256; 4] = std::array::from_fn(|_| Sha256::new());
        streams[0].update(header);
        Self { streams }
    }

    /// Takes the next bytes of an item of this kind.
    pub fn update(&mut self, kind: u8, bytes: &[u8]) {
        self.streams[stream(kind)].update(bytes);
    }

    pub fn finish(self) -> ContentHash {
        let mut total = Sha256::new();
        for stream in self.streams {
            total.update(stream.finalize());
        }
        ContentHash(total.finalize().into())
    }
}

/// The identity of a trace in memory; equals [`Writer::finish`](super::Writer::finish) of its items in any valid
/// order.
pub fn content_hash(trace: &Trace) -> ContentHash {
    let mut hasher = Hasher::new(&header_bytes(&trace.header));
    let mut bytes = Vec::new();
    for item in trace.items() {
        bytes.clear();
        encode::item(&mut bytes, &item);
        hasher.update(bytes[0], &bytes);
    }
    hasher.finish()
}

pub(super) fn header_bytes(header: &Header) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::header(&mut bytes, header);
    bytes
}

/// Hash of one item's kind, as [`Hasher::update`] wants it.
pub(super) fn hash_item(hasher: &mut Hasher, bytes: &[u8]) {
    if let Some(&kind) = bytes.first() {
        hasher.update(kind, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::{Item, PhaseHead, Stage};

    #[test]
    fn hash_tells_headers_and_phases_apart() {
        let mut trace = Trace::default();
        let empty = content_hash(&trace);
        trace.header.facts.insert("network".into(), "digits".into());
        let named = content_hash(&trace);
        let head = PhaseHead { name: "a".into(), operation: "b".into(), stage: Stage::Client };
        trace.phases.push(crate::Phase { head: head.clone(), body: vec![] });

        assert_ne!(empty, named);
        assert_ne!(named, content_hash(&trace));
        assert_eq!(named.to_string().len(), 32);
        assert_eq!(stream(super::super::encode::item_kind(&Item::PhaseStart(head))), 3);
    }
}
