//! Writes lines in the formats of other simulators, so that they can check ours.

use std::io::{self, Write};

use crate::device::Kind;
use crate::pages::choose;
use crate::{Error, Picoseconds};

/// One line that left the caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportAccess {
    /// Byte address ÷ 64, at most 2⁵⁸ − 1.
    pub line: u64,
    /// Direction.
    pub kind: Kind,
    /// When it reached the controller.
    pub at: Picoseconds,
}

impl ExportAccess {
    const fn address(&self) -> u64 {
        self.line << 6
    }
}

/// A format that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Ramulator 2's load/store trace: text, no times.
    Ramulator2,
    /// Ramulator 1's memory trace, which VANS reads too: text, no times.
    Ramulator1,
    /// `DRAMsim3`'s trace: text, with clocks.
    Dramsim3,
    /// `ChampSim`'s instruction trace: one load or store an instruction, 64 bytes a record.
    Champsim,
    /// gem5's packet trace for its traffic generator: `PacketHeader` and `Packet` messages of `src/proto/packet.proto`,
    /// each after its length, behind the magic `gem5`. Ticks are picoseconds.
    Gem5,
}

impl ExportFormat {
    /// Every format by name, in order of listing.
    pub const ALL: [(&'static str, Self); 5] = [
        ("ramulator2", Self::Ramulator2),
        ("ramulator1", Self::Ramulator1),
        ("dramsim3", Self::Dramsim3),
        ("champsim", Self::Champsim),
        ("gem5", Self::Gem5),
    ];

    /// The format of a name.
    ///
    /// # Errors
    /// - [`Error::UnknownName`] if none has it.
    pub fn named(name: &str) -> Result<Self, Error> {
        choose("export format", name, &Self::ALL)
    }
}

/// Writes accesses one by one.
#[derive(Debug)]
pub struct Writer<W> {
    format: ExportFormat,
    clock_ps: u64,
    out: W,
    count: u64,
}

impl<W: Write> Writer<W> {
    /// Writes what stands before the first access. `clock_ps` is the memory clock, for formats that count it.
    ///
    /// # Errors
    /// - What the writer says.
    pub fn new(format: ExportFormat, clock_ps: u64, mut out: W) -> io::Result<Self> {
        if format == ExportFormat::Gem5 {
            write_header(&mut out)?;
        }
        Ok(Self { format, clock_ps, out, count: 0 })
    }

    /// Writes the next access; times ascend.
    ///
    /// # Errors
    /// - What the writer says.
    pub fn push(&mut self, access: &ExportAccess) -> io::Result<()> {
        let out = &mut self.out;
        match self.format {
            ExportFormat::Ramulator2 => write_load_store(access, out)?,
            ExportFormat::Ramulator1 => write_read_write(access, out)?,
            ExportFormat::Dramsim3 => write_timed(access, self.clock_ps, out)?,
            ExportFormat::Champsim => out.write_all(&instruction(access, self.count))?,
            ExportFormat::Gem5 => write_packet(access, out)?,
        }
        self.count += 1;
        Ok(())
    }

    /// Gives the writer back, flushed.
    ///
    /// # Errors
    /// - What the writer says.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn write_load_store(access: &ExportAccess, out: &mut impl Write) -> io::Result<()> {
    let command = if access.kind == Kind::Read { "LD" } else { "ST" };
    writeln!(out, "{command} 0x{:x}", access.address())
}

fn write_read_write(access: &ExportAccess, out: &mut impl Write) -> io::Result<()> {
    let command = if access.kind == Kind::Read { "R" } else { "W" };
    writeln!(out, "0x{:x} {command}", access.address())
}

fn write_timed(access: &ExportAccess, clock_ps: u64, out: &mut impl Write) -> io::Result<()> {
    let command = if access.kind == Kind::Read { "READ" } else { "WRITE" };
    writeln!(out, "0x{:x} {command} {}", access.address(), access.at.0 / clock_ps)
}

/// `input_instr` of `ChampSim`'s `inc/trace_instruction.h`: u64 ip; u8 is a branch, u8 taken; u8 destination registers (2)
/// and source registers (4); u64 destination addresses (2) and source addresses (4). The instruction pointer walks a
/// loop of 1024 instructions, so that the simulated front end neither misses nor sees one instruction only. Address 0
/// stands for none, so addresses are shifted by a page; the tool translates them page by page anyway.
fn instruction(access: &ExportAccess, index: u64) -> [u8; 64] {
    const CODE: u64 = 0x40_0000;
    const SHIFT: u64 = 4096;
    let mut record = [0; 64];
    record[..8].copy_from_slice(&(CODE + index % 1024 * 4).to_le_bytes());
    let place = match access.kind {
        Kind::Write => 16,
        Kind::Read => 32,
    };
    record[place..place + 8].copy_from_slice(&(access.address() + SHIFT).to_le_bytes());
    record
}

fn write_header(out: &mut impl Write) -> io::Result<()> {
    const TICKS_PER_SECOND: u64 = 1_000_000_000_000;
    let mut message = vec![tag(1, LENGTH), 6];
    message.extend_from_slice(b"hetier");
    message.push(tag(3, VARINT));
    push_varint(TICKS_PER_SECOND, &mut message);
    out.write_all(b"gem5")?;
    write_message(&message, out)
}

/// Commands are gem5's `MemCmd`: `ReadReq` 1, `WriteReq` 4.
fn write_packet(access: &ExportAccess, out: &mut impl Write) -> io::Result<()> {
    let command = if access.kind == Kind::Read { 1 } else { 4 };
    let mut message = Vec::with_capacity(32);
    for (field, value) in [(1, access.at.0), (2, command), (3, access.address()), (4, 64)] {
        message.push(tag(field, VARINT));
        push_varint(value, &mut message);
    }
    write_message(&message, out)
}

/// Wire types of protocol buffers.
const VARINT: u8 = 0;
const LENGTH: u8 = 2;

const fn tag(field: u8, wire: u8) -> u8 {
    field << 3 | wire
}

fn push_varint(mut value: u64, message: &mut Vec<u8>) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn write_message(message: &[u8], out: &mut impl Write) -> io::Result<()> {
    let mut length = Vec::with_capacity(2);
    push_varint(message.len() as u64, &mut length);
    out.write_all(&length)?;
    out.write_all(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::{ForeignAccess, ImportFormat, read};

    const ACCESSES: [ExportAccess; 3] = [
        ExportAccess { line: 1, kind: Kind::Read, at: Picoseconds(0) },
        ExportAccess { line: 0x3_ffff_ffff, kind: Kind::Write, at: Picoseconds(7_600) },
        ExportAccess { line: 300, kind: Kind::Read, at: Picoseconds(1 << 40) },
    ];

    fn written(format: ExportFormat) -> Vec<u8> {
        let mut writer = Writer::new(format, 750, Vec::new()).unwrap();
        ACCESSES.iter().for_each(|access| writer.push(access).unwrap());
        writer.finish().unwrap()
    }

    #[test]
    fn text_formats_are_read_back_the_same() {
        for (name, has_clock) in [("ramulator2", false), ("ramulator1", false), ("dramsim3", true)] {
            let text = written(ExportFormat::named(name).unwrap());
            let back: Result<Vec<_>, _> = read(ImportFormat::named(name).unwrap(), "t", &text[..]).collect();

            let expected = ACCESSES.map(|access| ForeignAccess {
                clock: has_clock.then_some(access.at.0 / 750),
                ..ForeignAccess::new(access.line, access.kind)
            });
            assert_eq!(back.unwrap(), expected);
        }
    }

    #[test]
    fn text_formats_begin_as_their_tools_expect() {
        let first = |format| String::from_utf8(written(format)).unwrap().lines().next().unwrap().to_owned();

        assert_eq!(first(ExportFormat::Ramulator2), "LD 0x40");
        assert_eq!(first(ExportFormat::Ramulator1), "0x40 R");
        assert_eq!(first(ExportFormat::Dramsim3), "0x40 READ 0");
    }

    #[test]
    fn champsim_records_are_64_bytes_with_addresses_in_their_slots() {
        let bytes = written(ExportFormat::Champsim);

        let word = |record: usize, at: usize| {
            u64::from_le_bytes(bytes[record * 64 + at..record * 64 + at + 8].try_into().unwrap())
        };
        assert_eq!(bytes.len(), 3 * 64);
        assert_eq!([word(0, 16), word(0, 32)], [0, 4096 + 64], "a load has a source");
        let stored = 4096 + (0x3_ffff_ffff << 6);
        assert_eq!([word(1, 16), word(1, 32)], [stored, 0], "a store has a destination");
        assert_eq!(word(1, 0) - word(0, 0), 4);
    }

    /// Reads a varint: value and bytes used.
    fn varint(bytes: &[u8]) -> (u64, usize) {
        let length = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        (bytes[..length].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f)), length)
    }

    #[test]
    fn gem5_packets_carry_tick_command_address_and_size() {
        let bytes = written(ExportFormat::Gem5);

        assert_eq!(&bytes[..4], b"gem5");
        let mut rest = &bytes[4..];
        let mut messages = Vec::new();
        while !rest.is_empty() {
            let (length, used) = varint(rest);
            messages.push(&rest[used..used + length as usize]);
            rest = &rest[used + length as usize..];
        }
        assert_eq!(&messages[0][..8], b"\x0a\x06hetier");
        for (message, access) in messages[1..].iter().zip(ACCESSES) {
            let mut fields = Vec::new();
            let mut rest = *message;
            while !rest.is_empty() {
                let (value, used) = varint(&rest[1..]);
                fields.push((rest[0] >> 3, value));
                rest = &rest[1 + used..];
            }
            let command = if access.kind == Kind::Read { 1 } else { 4 };
            assert_eq!(fields, [(1, access.at.0), (2, command), (3, access.line * 64), (4, 64)]);
        }
        assert_eq!(messages.len(), 4);
    }
}
