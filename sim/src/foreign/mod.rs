//! Traces of other tools: reading them, replaying them on bare controllers, and writing ours for them.
//!
//! [`read`] turns a text trace into [`ForeignAccess`]es, one for each 64-byte line touched; [`bare::replay`] sends
//! them to controllers without caches; [`capture::capture`] goes the other way.
//!
//! ```
//! use hetier_sim::foreign::{self, ImportFormat};
//!
//! let trace = "LD 0x40\nST 0x80\n";
//! let accesses = foreign::read(ImportFormat::named("ramulator2")?, "tiny.trace", trace.as_bytes());
//! assert_eq!(accesses.map(|access| access.unwrap().line).collect::<Vec<_>>(), [1, 2]);
//! # Ok::<(), hetier_sim::Error>(())
//! ```

pub mod bare;
pub mod bare_device;
pub mod capture;
pub mod export;
pub mod latency;
pub mod streams;

mod dinero;
mod dramsim3;
mod lackey;
mod number;
mod ramulator;

use std::io::BufRead;

use crate::Error;
use crate::device::Kind;

/// Clock of devices that are not on a DRAM bus, in picoseconds.
const OTHER_CLOCK_PS: u64 = 1_000;

/// Latest clock of a trace: at up to 16 ns a clock simulated time then fits 64 bits of picoseconds (213 days).
const LAST_CLOCK: u64 = 1 << 50;

/// One access of a foreign trace, as the line it touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignAccess {
    /// Byte address ÷ 64.
    pub line: u64,
    /// Direction; instruction fetches are reads.
    pub kind: Kind,
    /// Clock of arrival, where the format has one.
    pub clock: Option<u64>,
    /// Clocks after it in which nothing is offered, where the format has them.
    pub idle: u64,
    /// Whether what comes after it waits for its data.
    pub is_blocking: bool,
}

impl ForeignAccess {
    /// An access that follows the one before at once.
    pub const fn new(line: u64, kind: Kind) -> Self {
        Self { line, kind, clock: None, idle: 0, is_blocking: false }
    }
}

/// Appends the accesses of one line of text; `None` if it is not of the format.
type ParseLine = fn(&[u8], &mut Vec<ForeignAccess>) -> Option<()>;

/// A text format that can be read.
#[derive(Clone, Copy, Debug)]
pub struct ImportFormat {
    /// Name on the command line.
    pub name: &'static str,
    /// What a line looks like, for help and errors.
    pub form: &'static str,
    parse: ParseLine,
}

/// Every format that can be read, in order of listing.
pub const IMPORTS: [ImportFormat; 5] =
    [ramulator::LOAD_STORE, ramulator::READ_WRITE, dramsim3::FORMAT, dinero::FORMAT, lackey::FORMAT];

impl ImportFormat {
    /// The format of a name.
    ///
    /// # Errors
    /// - [`Error::Unknown`] if none has it.
    pub fn named(name: &str) -> Result<Self, Error> {
        IMPORTS.into_iter().find(|format| format.name == name).ok_or_else(|| Error::Unknown {
            what: "trace format",
            found: name.to_owned(),
            known: IMPORTS.map(|format| format.name).join(", "),
        })
    }
}

/// Reads a text trace line by line; memory does not grow with its length. Empty lines and lines that begin with `#`
/// are skipped. Iteration ends with the first error.
pub fn read<R: BufRead>(format: ImportFormat, file: &str, input: R) -> Reader<R> {
    Reader {
        format,
        file: file.to_owned(),
        input,
        text: Vec::new(),
        number: 0,
        accesses: Vec::new(),
        next: 0,
        clock: 0,
        idle: 0,
        has_failed: false,
    }
}

/// The accesses of a text trace; made by [`read`].
#[derive(Debug)]
pub struct Reader<R> {
    format: ImportFormat,
    file: String,
    input: R,
    text: Vec<u8>,
    number: u64,
    /// Accesses of the current line, from `next` on not yet given out.
    accesses: Vec<ForeignAccess>,
    next: usize,
    /// Clock of the last access, where the format has one.
    clock: u64,
    /// Idle clocks of all accesses so far, where the format has them.
    idle: u64,
    has_failed: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads lines until one has accesses: false at the end.
    fn refill(&mut self) -> Result<bool, Error> {
        self.accesses.clear();
        self.next = 0;
        while self.accesses.is_empty() {
            self.text.clear();
            self.number += 1;
            let length = self.input.read_until(b'\n', &mut self.text);
            if length.map_err(|source| Error::Io { path: self.file.clone().into(), source })? == 0 {
                return Ok(false);
            }
            let text = self.text.trim_ascii_end();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            if (self.format.parse)(text, &mut self.accesses).is_none() {
                return Err(self.refuse(self.format.form));
            }
            for clock in self.accesses.iter().filter_map(|access| access.clock) {
                if clock < self.clock {
                    return Err(self.refuse("a cycle no earlier than that of the line before"));
                }
                if clock > LAST_CLOCK {
                    return Err(self.refuse("a cycle of at most 2^50 = 1125899906842624"));
                }
                self.clock = clock;
            }
            self.idle = self.accesses.iter().fold(self.idle, |sum, access| sum.saturating_add(access.idle));
            if self.idle > LAST_CLOCK {
                return Err(self.refuse("idle clocks of at most 2^50 = 1125899906842624 in all"));
            }
        }
        Ok(true)
    }

    /// An error with the text of the line, in which what a terminal would obey is spelt out.
    fn refuse(&self, need: &'static str) -> Error {
        let text = String::from_utf8_lossy(self.text.trim_ascii_end());
        let spelt = |letter: char| match letter {
            letter if letter.is_control() => letter.escape_default().to_string(),
            letter => letter.to_string(),
        };
        Error::Foreign {
            file: self.file.clone(),
            line: self.number,
            format: self.format.name,
            found: text.chars().take(60).map(spelt).collect(),
            need,
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<ForeignAccess, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        if self.next == self.accesses.len() {
            match self.refill() {
                Ok(true) => {}
                Ok(false) => {
                    self.has_failed = true;
                    return None;
                }
                Err(error) => {
                    self.has_failed = true;
                    return Some(Err(error));
                }
            }
        }
        self.next += 1;
        Some(Ok(self.accesses[self.next - 1]))
    }
}

#[cfg(test)]
mod tests {
    use super::ramulator::READ_WRITE;
    use super::*;

    fn all(format: &str, text: &str) -> Result<Vec<ForeignAccess>, Error> {
        read(ImportFormat::named(format).unwrap(), "t", text.as_bytes()).collect()
    }

    fn access(line: u64, kind: Kind) -> ForeignAccess {
        ForeignAccess::new(line, kind)
    }

    #[test]
    fn every_format_reads_its_documented_record() {
        use Kind::{Read, Write};
        let reads = |format, text, expected: &[ForeignAccess]| {
            assert_eq!(all(format, text).unwrap(), expected, "{text}");
        };

        reads("ramulator2", "LD 0x1000\nST 128\n", &[access(64, Read), access(2, Write)]);
        reads(
            "ramulator1",
            "# c\n0x40 R\n0x80 W\n0xc0 C\n0x100 R:12\r\n",
            &[
                access(1, Read),
                access(2, Write),
                ForeignAccess { is_blocking: true, ..access(3, Read) },
                ForeignAccess { idle: 12, ..access(4, Read) },
            ],
        );
        let timed = |line, kind, clock| ForeignAccess { clock: Some(clock), ..access(line, kind) };
        reads("dramsim3", "0x40 READ 0\n\n0x80 WRITE 12", &[timed(1, Read, 0), timed(2, Write, 12)]);
        reads(
            "dinero",
            "0 40\n1 80\n2 ffc0 extra\n",
            &[access(1, Read), access(2, Write), access(1023, Read)],
        );
        reads(
            "lackey",
            "==7== Lackey\nI  0040,3\n L 80,8\n S c0,4\n M 100,8\n",
            &[access(1, Read), access(2, Read), access(3, Write), access(4, Read), access(4, Write)],
        );
    }

    #[test]
    fn an_access_over_a_line_boundary_touches_both_lines() {
        use Kind::{Read, Write};

        assert_eq!(all("lackey", " L 3c,8\n").unwrap(), [access(0, Read), access(1, Read)]);
        assert_eq!(all("lackey", " L 38,8\n").unwrap(), [access(0, Read)]);
        assert_eq!(
            all("lackey", " M 3f,2\n").unwrap(),
            [Read, Read, Write, Write]
                .map(|k| k)
                .iter()
                .zip([0, 1, 0, 1])
                .map(|(k, l)| access(l, *k))
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_bad_line_is_refused_with_file_line_and_form() {
        let bad = [
            ("ramulator2", "LD 0x40\nLX 0x40\n", 2),
            ("ramulator2", "LD 0x40 7\n", 1),
            ("ramulator1", "0x40 R\n\n40 Q\n", 3),
            ("ramulator1", "0x40 R:x\n", 1),
            ("dramsim3", "0x40 READ\n", 1),
            ("dramsim3", "0x10000000000000000 READ 1\n", 1),
            ("dinero", "3 40\n", 1),
            ("dinero", "0 0x40\n", 1),
            ("lackey", " L 40\n", 1),
            ("lackey", " L 40,0\n", 1),
        ];
        for (format, text, line) in bad {
            let message = all(format, text).unwrap_err().to_string();
            assert!(message.starts_with(&format!("t:{line}: {format}: found ")), "{message}");
            assert!(message.contains(ImportFormat::named(format).unwrap().form), "{message}");
        }
    }

    #[test]
    fn cycles_that_run_backwards_are_refused() {
        assert!(all("dramsim3", "0x40 READ 7\n0x80 READ 7\n").is_ok());

        let message = all("dramsim3", "0x40 READ 7\n0x80 READ 6\n").unwrap_err().to_string();

        let expected = "found 0x80 READ 6, need a cycle no earlier than that of the line before";
        assert_eq!(message, format!("t:2: dramsim3: {expected}"));
    }

    #[test]
    fn cycles_whose_time_does_not_fit_are_refused() {
        assert!(all("dramsim3", &format!("0x0 READ {LAST_CLOCK}\n")).is_ok());

        for clock in [LAST_CLOCK + 1, 9_000_000_000_000_000_000, u64::MAX] {
            let message =
                all("dramsim3", &format!("0x40 READ 1\n0x0 READ {clock}\n")).unwrap_err().to_string();
            let expected =
                format!("t:2: dramsim3: found 0x0 READ {clock}, need a cycle of at most 2^50 = {LAST_CLOCK}");
            assert_eq!(message, expected);
        }
    }

    /// A trace of VANS on DRAM, whose clock is 0.75 ns, and on Optane, whose clock is 1 ns.
    fn replayed(text: &str, pace: bare::Pace) -> [bare::BareResult; 2] {
        use crate::device::literal::DeviceConfig;
        use crate::device::mapping::Interleave;
        let interleave = Interleave::ONE;
        let source = || read(READ_WRITE, "t", text.as_bytes());
        let DeviceConfig::Dram(channel) = DeviceConfig::load("ddr4-2666").unwrap() else { unreachable!() };
        let device = DeviceConfig::load("optane-pmem-100").unwrap();
        let dram = bare::replay(source(), &bare::BareMemory { channel, interleave }, pace);
        let optane = bare_device::replay(source(), &bare_device::DeviceMemory { device, interleave }, pace);
        [dram.unwrap().result, optane.unwrap().result]
    }

    #[test]
    fn idle_clocks_lie_between_an_access_and_the_next() {
        use bare::Pace::{Recorded, Saturated};
        let [at_once, with_idle] = ["0x0 R\n0x40 R\n", "0x0 R:1000\n0x40 R\n"];

        let (near, far) = (replayed(at_once, Recorded), replayed(with_idle, Recorded));

        // The second read does not wait for the first any more, which it did by less than 300 ns.
        for ((near, far), clock_ns) in near.into_iter().zip(far).zip([0.75, 1.0]) {
            let added = far.simulated_ns - near.simulated_ns;
            assert!((1000.0 * clock_ns - 300.0..=1000.0 * clock_ns).contains(&added), "{added} ns");
        }
        assert_eq!(replayed(at_once, Saturated), replayed(with_idle, Saturated), "a pace takes their place");
    }

    #[test]
    fn what_follows_a_blocking_read_waits_for_its_data() {
        let pace = bare::Pace::Recorded;
        // Three banks of DRAM: in one, a precharge would wait as long as the data take.
        let lines = |kind: char| format!("0x0 {kind}\n0x2000 {kind}\n0x4000 {kind}\n");

        let (free, blocking) = (replayed(&lines('R'), pace), replayed(&lines('C'), pace));

        for ((free, blocking), clock_ns) in free.into_iter().zip(blocking).zip([0.75, 1.0]) {
            // One after the other, each offered a clock behind the data of the one before.
            let expected = 3.0 * blocking.read_latency_ns.unwrap().mean + 2.0 * clock_ns;
            assert!((blocking.simulated_ns / expected - 1.0).abs() < 0.01, "{} ns", blocking.simulated_ns);
            assert!(free.simulated_ns < blocking.simulated_ns, "{} ns", free.simulated_ns);
        }
    }

    #[test]
    fn idle_clocks_whose_time_does_not_fit_are_refused() {
        let half = LAST_CLOCK / 2;
        assert!(all("ramulator1", &format!("0x0 R:{half}\n0x0 R:{half}\n")).is_ok());

        let message =
            all("ramulator1", &format!("0x0 R:{half}\n0x0 R:{}\n", half + 1)).unwrap_err().to_string();

        assert!(message.starts_with("t:2: ramulator1: found 0x0 R:"), "{message}");
        assert!(message.contains("need idle clocks of at most 2^50"), "{message}");
    }

    #[test]
    fn a_binary_line_is_spelt_out() {
        let trace = [0x1b, b'[', b'2', b'J', 0xff, 0x00, b'\n'];

        let read = read(ImportFormat::named("dinero").unwrap(), "t", &trace[..]);

        let message = read.last().unwrap().unwrap_err().to_string();
        assert!(message.contains("found \\u{1b}[2J\u{fffd}\\u{0},"), "{message}");
        assert!(!message.chars().any(char::is_control), "{message:?}");
    }

    #[test]
    fn an_unknown_format_is_refused_with_the_list() {
        let message = ImportFormat::named("vcd").unwrap_err().to_string();

        assert_eq!(
            message,
            "trace format: found vcd, need one of ramulator2, ramulator1, dramsim3, dinero, lackey"
        );
    }
}
