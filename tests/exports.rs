//! Exports read back by readers written from the formats' descriptions alone: every format tells of the same lines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// A line in an export: whether it is written, its byte address, and when, in units of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Access {
    is_write: bool,
    address: u64,
    at: Option<u64>,
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hetier"));
    let output = command.current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn hexadecimal(word: &str) -> u64 {
    u64::from_str_radix(word.strip_prefix("0x").expect("addresses begin with 0x"), 16).unwrap()
}

/// `LD 0x<hex>` or `ST 0x<hex>`, one per line (Ramulator 2, load/store trace).
fn ramulator2(bytes: &[u8]) -> Vec<Access> {
    let line = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        ["LD", address] => Access { is_write: false, address: hexadecimal(address), at: None },
        ["ST", address] => Access { is_write: true, address: hexadecimal(address), at: None },
        _ => panic!("{line}"),
    };
    std::str::from_utf8(bytes).unwrap().lines().map(line).collect()
}

/// `0x<hex> R` or `0x<hex> W` (Ramulator 1, VANS).
fn ramulator1(bytes: &[u8]) -> Vec<Access> {
    let line = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        [address, "R"] => Access { is_write: false, address: hexadecimal(address), at: None },
        [address, "W"] => Access { is_write: true, address: hexadecimal(address), at: None },
        _ => panic!("{line}"),
    };
    std::str::from_utf8(bytes).unwrap().lines().map(line).collect()
}

/// `0x<hex> READ <cycle>` or `0x<hex> WRITE <cycle>` (`DRAMsim3`).
fn dramsim3(bytes: &[u8]) -> Vec<Access> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [address, command, cycle] = words[..] else { panic!("{line}") };
        assert!(["READ", "WRITE"].contains(&command), "{line}");
        let at = Some(cycle.parse().unwrap());
        Access { is_write: command == "WRITE", address: hexadecimal(address), at }
    };
    std::str::from_utf8(bytes).unwrap().lines().map(line).collect()
}

/// 64-byte little-endian records: u64 ip; u8 is branch, taken; u8 destination registers (2), source registers (4); u64
/// destination memory (2), source memory (4). An address of 0 is none, so that the export begins at the second page.
fn champsim(bytes: &[u8]) -> Vec<Access> {
    let (records, rest) = bytes.as_chunks::<64>();
    assert!(rest.is_empty());
    let record = |record: &[u8; 64]| {
        let words: Vec<u64> =
            record.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        assert!(words[0] > 0, "an instruction has an address");
        assert_eq!(record[8..16], [0; 8], "no branch, no registers");
        let (written, read) = (&words[2..4], &words[4..8]);
        let mut places = written.iter().map(|&address| (true, address));
        let places = places.by_ref().chain(read.iter().map(|&address| (false, address)));
        let mut used = places.filter(|(_, address)| *address != 0);
        let (is_write, address) = used.next().expect("one address is in use");
        assert!(used.next().is_none(), "one address an instruction");
        Access { is_write, address: address - 4096, at: None }
    };
    records.iter().map(record).collect()
}

/// Base-128 number of protocol buffers, lowest group first, and the rest of the bytes.
fn varint(bytes: &[u8]) -> (u64, &[u8]) {
    let last = bytes.iter().position(|byte| *byte < 128).unwrap();
    let groups = bytes[..=last].iter().enumerate();
    let value = groups.map(|(at, byte)| u64::from(byte % 128) << (7 * at)).sum();
    (value, &bytes[last + 1..])
}

/// Field numbers and numeric values of a message; strings are passed over.
fn fields(mut message: &[u8]) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let (tag, rest) = varint(message);
        let (value, rest) = varint(rest);
        message = match tag % 8 {
            0 => {
                found.push((tag / 8, value));
                rest
            }
            2 => &rest[value as usize..],
            kind => panic!("wire type {kind}"),
        };
    }
    found
}

/// The magic `gem5`, then messages after their length as varint: a `PacketHeader` with `tick_freq` 3, then `Packet`s with
/// tick 1, cmd 2 (`ReadReq` 1, `WriteReq` 4), addr 3, size 4 (gem5, `src/proto/packet.proto`).
fn gem5(bytes: &[u8]) -> Vec<Access> {
    let mut rest = bytes.strip_prefix(b"gem5").expect("the magic");
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let (length, after) = varint(rest);
        let (message, after) = after.split_at(length as usize);
        messages.push(fields(message));
        rest = after;
    }
    assert!(messages[0].contains(&(3, 1_000_000_000_000)), "ticks are picoseconds");
    let packet = |fields: &Vec<(u64, u64)>| {
        let field = |number| fields.iter().find(|(found, _)| *found == number).unwrap().1;
        assert!(field(4) == 64 && [1, 4].contains(&field(2)), "{fields:?}");
        Access { is_write: field(2) == 4, address: field(3), at: Some(field(1)) }
    };
    messages[1..].iter().map(packet).collect()
}

type Reader = fn(&[u8]) -> Vec<Access>;

#[test]
fn every_format_tells_of_the_same_lines_in_the_same_order() {
    let folder = TempDir::new().unwrap();
    let small = ["--degree", "1024", "--primes", "60,30,30,60", "--insecure", "--batch", "4"];
    run(folder.path(), &[&["record", "digits", "-o", "d.trace"][..], &small].concat());
    let readers: [(&str, Reader); 5] = [
        ("ramulator2", ramulator2),
        ("ramulator1", ramulator1),
        ("dramsim3", dramsim3),
        ("champsim", champsim),
        ("gem5", gem5),
    ];

    // Contiguous pages, so that the first line of memory is among those exported.
    let on = ["--mode", "memory-mode", "--dram", "16MiB", "--pages", "contiguous", "--json"];
    let exports = readers.map(|(format, reader)| {
        let export = ["export", "d.trace", "--format", format, "-o", "lines"];
        let told: Value = serde_json::from_str(&run(folder.path(), &[&export[..], &on].concat())).unwrap();
        let accesses = reader(&std::fs::read(folder.path().join("lines")).unwrap());
        let writes = accesses.iter().filter(|access| access.is_write).count();
        assert_eq!((told["reads"].as_u64(), told["writes"].as_u64()), {
            (Some((accesses.len() - writes) as u64), Some(writes as u64))
        });
        accesses
    });

    let [first, .., gem5] = &exports;
    assert!(first.len() > 10_000);
    for (export, (format, _)) in exports.iter().zip(readers) {
        assert_eq!(export.len(), first.len(), "{format}");
        for (one, other) in export.iter().zip(first) {
            assert_eq!((one.is_write, one.address), (other.is_write, other.address), "{format}");
            assert_eq!(one.address % 64, 0);
        }
    }
    // DDR4-2666: a clock of 750 ps.
    let clocks = exports[2].iter().map(|access| access.at.unwrap());
    assert!(clocks.zip(gem5).all(|(clock, packet)| clock == packet.at.unwrap() / 750));
    assert!(gem5.is_sorted_by_key(|access| access.at));
}
