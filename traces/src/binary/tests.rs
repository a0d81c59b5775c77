use proptest::prelude::*;

use super::*;
use crate::error::{Error, Result};
use crate::grammar::{Header, Item, PhaseHead, Range, Stage, Trace};
use crate::{Affine, Body, random};

fn encode_trace(trace: &Trace) -> (Vec<u8>, ContentHash) {
    let mut writer = Writer::new(Vec::new(), &trace.header).unwrap();
    trace.items().for_each(|item| writer.push(&item).unwrap());
    writer.finish().unwrap()
}

fn decode_trace(bytes: &[u8]) -> Result<(Trace, ContentHash)> {
    let mut reader = Reader::new(bytes)?;
    let mut trace = Trace { header: reader.header().clone(), ..Trace::default() };
    for item in reader.by_ref() {
        trace.push(item?)?;
    }
    Ok((trace, reader.hash().expect("the end was read")))
}

/// A trace of several chunks, one item of which spans chunks: lists that do not compress to nothing.
fn long_trace() -> Trace {
    let mut trace = random::trace(5);
    let list: Vec<u32> = (0..600_000_u32)
        .scan(0, |sum, at| {
            *sum += 1 + at % 7;
            Some(*sum)
        })
        .collect();
    let head = PhaseHead { name: "long".into(), operation: "Dense".into(), stage: Stage::Server };
    let range = Range::Listed { lists: vec![list], select: Affine::constant(0) };
    let body = Body::Loop { nest: vec![range], first: vec![], body: vec![] };
    trace
        .phases
        .push(crate::Phase { head, body: vec![body.clone(), Body::Fork { nowait: true, branches: vec![] }] });
    trace
}

/// A whole file around one chunk of items.
fn framed(raw: &[u8]) -> Vec<u8> {
    let (mut bytes, _) = encode_trace(&Trace::default());
    // Without the end chunk: kind, number, lengths, content, checksum of the header chunk stay.
    let stored = u32::from_le_bytes(bytes[25..29].try_into().unwrap()) as usize;
    bytes.truncate(16 + 13 + stored + 4);
    bytes.extend(chunk(ITEMS_CHUNK, 1, raw.len() as u32, &zstd::bulk::compress(raw, 3).unwrap()));
    bytes
}

fn chunk(kind: u8, number: u32, raw_bytes: u32, stored: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    frame.extend(number.to_le_bytes());
    frame.extend(raw_bytes.to_le_bytes());
    frame.extend((stored.len() as u32).to_le_bytes());
    frame.extend(stored);
    frame.extend(crc32fast::hash(&frame).to_le_bytes());
    frame
}

fn refusal(bytes: &[u8]) -> String {
    decode_trace(bytes).expect_err("damage is refused").to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_traces_read_back_equal(seed: u64) {
        let trace = random::trace(seed);

        let (bytes, written) = encode_trace(&trace);
        let (read, hash) = decode_trace(&bytes).unwrap();

        prop_assert_eq!(&read, &trace);
        prop_assert_eq!(hash, written);
        prop_assert_eq!(hash, content_hash(&trace));
    }

    #[test]
    fn every_truncation_is_found(seed: u64, cut: prop::sample::Index) {
        let (bytes, _) = encode_trace(&random::trace(seed));

        let refused = decode_trace(&bytes[..cut.index(bytes.len())]);

        prop_assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
    }

    #[test]
    fn every_flipped_bit_is_found(seed: u64, at: prop::sample::Index, bit in 0..8) {
        let (mut bytes, _) = encode_trace(&random::trace(seed));
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;

        let refused = decode_trace(&bytes);

        let is_found = matches!(refused, Err(Error::Damaged { offset, .. }) if offset <= bytes.len() as u64);
        prop_assert!(is_found, "{refused:?}");
    }

    #[test]
    fn random_bytes_in_valid_frames_never_panic(mut raw: Vec<u8>, kind in 1..=5_u8) {
        raw.insert(0, kind);

        prop_assert!(decode_trace(&framed(&raw)).is_err());
    }

    #[test]
    fn overwritten_stretches_are_found(seed: u64, at: prop::sample::Index, junk in prop::collection::vec(any::<u8>(), 1..40)) {
        let (bytes, _) = encode_trace(&random::trace(seed));
        let mut damaged = bytes.clone();
        let at = at.index(bytes.len());
        damaged.splice(at..(at + junk.len()).min(bytes.len()), junk);

        prop_assert!(damaged == bytes || decode_trace(&damaged).is_err());
    }
}

#[test]
fn items_longer_than_a_chunk_read_back_and_break_anywhere() {
    let trace = long_trace();
    let (bytes, hash) = encode_trace(&trace);

    assert_eq!(decode_trace(&bytes).unwrap(), (trace.clone(), hash));
    assert_eq!(hash, content_hash(&trace));
    for cut in (0..bytes.len()).step_by(997) {
        assert!(decode_trace(&bytes[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn other_versions_are_named_and_the_next_magic_is_refused() {
    let (mut bytes, _) = encode_trace(&Trace::default());
    bytes[8] = VERSION as u8 + 1;
    let checksum = crc32fast::hash(&bytes[..12]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());

    let newer = decode_trace(&bytes);
    assert!(matches!(newer, Err(Error::Version { offset: 8, found: 2, need: 1 })), "{newer:?}");
    assert_eq!(
        refusal(b"PK\x03\x04 and some more bytes of another program's file").split(':').next(),
        Some("reading trace at byte 0")
    );
}

#[test]
fn repeated_swapped_and_trailing_chunks_are_refused() {
    let (bytes, _) = encode_trace(&long_trace());
    let stored = |at: usize| u32::from_le_bytes(bytes[at + 9..at + 13].try_into().unwrap()) as usize;
    let header_end = 16 + 17 + stored(16);
    let first_end = header_end + 17 + stored(header_end);
    let second_end = first_end + 17 + stored(first_end);
    let (head, first) = (&bytes[..header_end], &bytes[header_end..first_end]);
    let (second, rest) = (&bytes[first_end..second_end], &bytes[second_end..]);

    assert!(decode_trace(&[head, first, second, rest].concat()).is_ok());
    assert!(refusal(&[head, second, first, rest].concat()).contains("chunk number"));
    assert!(refusal(&[head, first, first, second, rest].concat()).contains("chunk number"));
    assert!(refusal(&[head, second, rest].concat()).contains("chunk number"));
    assert!(refusal(&[&bytes[..], b"x"].concat()).contains("behind the end"));
}

#[test]
fn unknown_kinds_are_named() {
    assert!(refusal(&framed(&[9])).contains("item kind 9, need 1 to 5"));
    assert!(refusal(&framed(&[encode::BODY, 7])).contains("body kind 7, need 1 to 6"));
    assert!(refusal(&framed(&[encode::ARRAY, 0, 8])).contains("class 8, need 0 to 7"));
    assert!(refusal(&framed(&[encode::BODY, encode::LOOP, 1, 4])).contains("range kind 4, need 1 to 3"));
    let (bytes, _) = encode_trace(&Trace::default());
    let unknown = [&bytes[..16], &chunk(4, 0, 1, b"x")].concat();
    assert!(refusal(&unknown).contains("chunk kind 4, need 1 to 3"));
}

#[test]
fn absurd_lengths_are_refused_without_memory() {
    // A string, a list and a chunk that claim 2⁶³ elements or gigabytes.
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    assert!(refusal(&framed(&[&[encode::ARRAY], &huge[..]].concat())).contains("string of"));
    assert!(refusal(&framed(&[&[encode::BODY, encode::FORK, 0], &huge[..]].concat())).contains("truncated"));
    let (bytes, _) = encode_trace(&Trace::default());
    let claimed = [&bytes[..16], &chunk(HEADER_CHUNK, 0, MAX_CHUNK_BYTES + 1, b"x")].concat();
    assert!(refusal(&claimed).contains("need at most"));
    let deep: Vec<u8> = [encode::BODY].into_iter().chain([encode::FORK, 0, 1, 1].repeat(100_000)).collect();
    assert!(refusal(&framed(&deep)).contains("nested more than 64 deep"));
}

/// A fork of so many empty branches, each of which takes one byte of content and 24 of memory.
fn branches(count: usize) -> Item {
    Item::Body(Body::Fork { nowait: false, branches: vec![vec![]; count] })
}

#[test]
fn content_that_takes_far_more_memory_than_its_file_has_bytes_is_neither_read_nor_written() {
    let most = DECODED_BYTES as usize / size_of::<Vec<Body>>();
    let read = |count| {
        let mut raw = Vec::new();
        encode::item(&mut raw, &branches(count));
        refusal(&framed(&raw))
    };
    let written = |count| {
        let mut writer = Writer::new(Vec::new(), &Header::default())?;
        writer.push(&branches(count))?;
        writer.finish()
    };

    // An accepted item is missed a phase.
    assert!(read(most - 100).contains("found a body before the first phase"));
    let error = read(most + 1_000_000);
    assert!(error.starts_with("reading trace at byte 4"), "{error}");
    assert!(error.contains("bytes or more of decoded content in the first "), "{error}");
    let (bytes, _) = written(most - 100).unwrap();
    assert!(Reader::new(bytes.as_slice()).unwrap().all(|item| item.is_ok()));
    let error = written(most + 1_000_000).unwrap_err().to_string();
    assert!(error.starts_with("writing the trace: found bytes of decoded content "), "{error}");
}

#[test]
fn what_a_reader_refuses_for_its_length_is_not_written() {
    let named = |length: u64| {
        let mut trace = Trace::default();
        let head =
            PhaseHead { name: "x".repeat(length as usize), operation: "Add".into(), stage: Stage::Server };
        trace.phases.push(crate::Phase { head, body: vec![] });
        crate::to_bytes(&trace)
    };
    let with_facts = |count: u64, length: u64| {
        let text = "x".repeat(length as usize);
        let facts = (0..count).map(|key| (key.to_string(), text.clone())).collect();
        Writer::new(Vec::new(), &Header { facts })?.finish()
    };

    assert!(decode_trace(&named(MAX_STRING_BYTES).unwrap()).is_ok());
    assert!(decode_trace(&with_facts(1, MAX_STRING_BYTES).unwrap().0).is_ok());
    assert!(decode_trace(&with_facts(15, MAX_STRING_BYTES).unwrap().0).is_ok());
    let too_long = "writing the trace: found bytes of a string 1048577, need 0 to 1048576";
    assert_eq!(named(MAX_STRING_BYTES + 1).unwrap_err().to_string(), too_long);
    assert_eq!(with_facts(1, MAX_STRING_BYTES + 1).unwrap_err().to_string(), too_long);
    // 16 strings of 1 MiB and their keys.
    let error = with_facts(16, MAX_STRING_BYTES).unwrap_err().to_string();
    assert!(error.starts_with("writing the trace: found bytes of the header 167"), "{error}");
}

#[test]
fn numbers_have_one_spelling() {
    let padded = [encode::ARRAY, 0x80, 0x00];
    assert!(refusal(&framed(&padded)).contains("padding"));
    let beyond = [encode::ARRAY, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
    assert!(refusal(&framed(&beyond)).contains("beyond 64 bits"));
}

#[test]
fn hash_does_not_depend_on_where_definitions_stand() {
    let trace = random::trace(17);
    let (phases, definitions): (Vec<Item>, Vec<Item>) =
        trace.items().partition(|item| matches!(item, Item::PhaseStart(_) | Item::Body(_)));
    let mut writer = Writer::new(Vec::new(), &trace.header).unwrap();
    phases.iter().chain(&definitions).for_each(|item| writer.push(item).unwrap());
    let mut renamed = trace.clone();
    renamed.header.facts.insert("network".into(), "other".into());

    assert_eq!(writer.finish().unwrap().1, content_hash(&trace));
    assert_ne!(content_hash(&renamed), content_hash(&trace));
}

#[test]
fn files_appear_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.trace");
    let trace = random::trace(3);

    let hash = write_file(&path, &trace).unwrap();
    let mut unfinished = FileWriter::create(&path, &Header::default()).unwrap();
    unfinished
        .push(&Item::Array(crate::Array {
            label: "x".into(),
            class: crate::Class::Table,
            elements: 1,
            capacity_bytes: 1,
            used_bytes: 1,
        }))
        .unwrap();
    drop(unfinished);

    assert_eq!(read_file(&path).unwrap(), trace);
    assert_eq!(file_hash(&path).unwrap(), hash);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let missing = write_file(&folder.path().join("none/a.trace"), &trace);
    assert!(matches!(missing, Err(Error::File { .. })));
}

#[cfg(unix)]
#[test]
fn a_file_takes_the_place_of_no_device() {
    use std::os::unix::fs::FileTypeExt;

    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();

    for path in [socket.as_path(), folder.path()] {
        let error = crate::write_file(path, &Trace::default()).unwrap_err().to_string();
        assert!(error.contains("found a folder, a device or a pipe"), "{error}");
    }
    assert!(std::fs::metadata(&socket).unwrap().file_type().is_socket());
}

#[test]
fn files_that_are_not_well_formed_are_refused_when_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.trace");
    let mut trace = random::trace(3);
    let head = PhaseHead { name: "p".into(), operation: "o".into(), stage: Stage::Server };
    let unknown = Body::Call { callee: crate::MacroId(1000), operands: vec![] };
    trace.phases.push(crate::Phase { head, body: vec![unknown] });

    write_file(&path, &trace).unwrap();

    let refused = read_file(&path).unwrap_err().to_string();
    assert!(refused.contains("a.trace: p: found macro 1000"), "{refused}");
}

/// Bytes written by hand from FORMAT.md.
#[test]
fn items_have_the_bytes_of_the_format_page() {
    use crate::{
        Access, Arithmetic, Array, ArrayId, Class, Elements, Lane, Macro, Order, Parameter, Role, Sweep, Work,
    };
    let array =
        Array { label: "ab".into(), class: Class::Scratch, elements: 3, capacity_bytes: 300, used_bytes: 0 };
    let lane = Lane {
        operand: 0,
        access: Access::Update,
        offset: 1,
        bytes: 2,
        order: Order::Rotated { start_bytes: 1 },
    };
    let sweep = Sweep { lanes: vec![lane], work: vec![Work { kind: Arithmetic::Random, count: 128 }] };
    let parameter = Parameter { class: Class::Message, role: Role::InOut, bytes: 3 };
    let defined = Macro { name: "m".into(), limbs: 7, parameters: vec![parameter], sweeps: vec![sweep] };
    let head = PhaseHead { name: "p".into(), operation: "q".into(), stage: Stage::Server };
    let start = Affine::constant(-3).plus(1, 64);
    let free = Body::Free(Elements { array: ArrayId(0), start, count: 5 });
    let listed = Range::Listed { lists: vec![vec![4, 6]], select: Affine::constant(0) };
    let parallel = Body::Parallel { nest: vec![listed], nowait: true, body: vec![free] };
    let cases = [
        (Item::Array(array), &[1, 2, b'a', b'b', 5, 3, 0xac, 2, 0][..]),
        (Item::Macro(defined), &[3, 1, b'm', 7, 1, 6, 2, 3, 1, 1, 0, 2, 1, 2, 4, 1, 1, 9, 0x80, 1]),
        (Item::PhaseStart(head), &[4, 1, b'p', 1, b'q', 2]),
        (Item::Body(parallel), &[5, 3, 1, 2, 1, 2, 8, 4, 0, 0, 1, 1, 6, 0, 5, 1, 1, 0x80, 1, 5]),
    ];

    for (item, expected) in cases {
        let mut bytes = Vec::new();
        encode::item(&mut bytes, &item);
        assert_eq!(bytes, expected, "{item:?}");
    }
    assert_eq!(MAGIC, [0x89, 0x48, 0x45, 0x54, 0x49, 0x45, 0x52, 0x0a]);
}
