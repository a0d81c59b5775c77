//! The lines that leave the caches of a machine, written for another simulator.
//!
//! A trace is replayed line by line; every line that reaches a controller (fills and write-backs of the caches, and in
//! Memory Mode what the controller makes of them) goes to a [`Writer`] in order of time.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hetier_traces::{LINE_BYTES, Trace};

use super::OTHER_CLOCK_PS;
use super::export::{ExportAccess, ExportFormat, Writer};
use crate::device::Kind;
use crate::device::literal::DeviceConfig;
use crate::machine::Tapped;
use crate::mode;
use crate::pages::PageTable;
use crate::replay::{self, Progress, Settings};
use crate::result::RunResult;
use crate::system::System;
use crate::{Error, Picoseconds};

/// Lines kept back to put them in order: several times what all cores of a machine can have under way.
const WINDOW: usize = 1 << 14;

/// What to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// The form.
    pub format: ExportFormat,
    /// Lines of this tier alone, from address 0; otherwise of all tiers, which lie one after the other in the order of
    /// the system file.
    pub tier: Option<String>,
    /// The replay ends after so many lines.
    pub most_lines: u64,
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Captured {
    /// Lines read.
    pub reads: u64,
    /// Lines written.
    pub writes: u64,
    /// DRAM that the run might use, even beyond the system's; `None` for as much as it took.
    pub dram_bytes: Option<u64>,
    /// The result of the replay; `None` if it ended early because there were more lines than wanted.
    pub result: Option<RunResult>,
}

/// Replays a trace at line fidelity and writes the lines behind the caches to `out`, which it gives back.
///
/// # Errors
/// - Those of [`replay::replay`], and [`Error::Unsupported`] for a tier that the system lacks or the mode leaves unused.
/// - [`Error::Export`] if a line cannot be written.
pub fn capture<W: Write + 'static>(
    trace: &Trace,
    system: &System,
    settings: &Settings,
    wanted: &Capture,
    out: W,
    progress: &mut Progress<'_>,
) -> Result<(Captured, W), Error> {
    let tier = wanted.tier.as_deref().map(|name| find_tier(system, name)).transpose()?;
    check_used(system, settings, tier)?;
    let writer = Writer::new(wanted.format, clock_ps(system, tier.unwrap_or(0))?, out)?;
    let memory = Memory::of(trace, system, settings)?;
    let bases = bases(system, tier, &memory.tables);
    let sorter = Rc::new(RefCell::new(Sorter::new(writer, bases, wanted.most_lines)));
    // The progress callback may be asked from another thread than the one that takes lines.
    let is_over = Arc::new(AtomicBool::new(false));
    let (taker, over) = (Rc::clone(&sorter), Arc::clone(&is_over));
    let take = Box::new(move |line: Tapped| {
        let mut sorter = taker.borrow_mut();
        sorter.take(line);
        over.store(sorter.is_over(), Ordering::Relaxed);
    });
    let mut watched = |share| match is_over.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => progress(share),
    };
    let replayed = replay::observe(trace, system, settings, Some(take), &mut watched);
    let was_cut = sorter.borrow().is_over();
    let result = match replayed {
        Err(Error::Cancelled { .. }) if was_cut => None,
        other => Some(other?),
    };
    let Ok(sorter) = Rc::try_unwrap(sorter) else { unreachable!("the machine and its tap are gone") };
    let (captured, out) = sorter.into_inner().finish(result)?;
    Ok((Captured { dram_bytes: memory.dram_bytes, ..captured }, out))
}

/// Where the frames of a replay lie.
struct Memory {
    /// One for each tier.
    tables: Vec<PageTable>,
    /// DRAM that the run may use.
    dram_bytes: Option<u64>,
}

impl Memory {
    fn of(trace: &Trace, system: &System, settings: &Settings) -> Result<Self, Error> {
        let settings = settings.resolve(system)?;
        let (_, _, facts) = replay::charge(trace, system, settings.threads)?;
        let peak = facts.peak_footprint_bytes;
        let budgets = settings.budgets(system, &mode::used_tiers(&settings.mode, system)?, peak);
        let dram_bytes = settings.dram.bytes(peak, system.tier_bytes("dram"));
        Ok(Self { tables: settings.tables(system, &budgets, peak), dram_bytes })
    }
}

fn find_tier(system: &System, name: &str) -> Result<usize, Error> {
    system.tier(name).ok_or_else(|| Error::Unsupported {
        system: system.name.clone(),
        what: "tier".to_owned(),
        found: name.to_owned(),
        need: format!(
            "one of {}",
            system.tiers.iter().map(|tier| tier.name.as_str()).collect::<Vec<_>>().join(", ")
        ),
    })
}

/// Refuses a tier that the mode leaves unused: there would be no line to write.
fn check_used(system: &System, settings: &Settings, tier: Option<usize>) -> Result<(), Error> {
    let name = settings.mode_on(system);
    let used = mode::used_tiers(name, system)?;
    let Some(unused) = tier.filter(|tier| !used.contains(tier)) else { return Ok(()) };
    let names: Vec<&str> = used.iter().map(|tier| system.tiers[*tier].name.as_str()).collect();
    Err(Error::Unsupported {
        system: system.name.clone(),
        what: "--tier".to_owned(),
        found: format!("{}, which mode {name} leaves unused", system.tiers[unused].name),
        need: names.join(" or "),
    })
}

/// The memory clock of a tier.
fn clock_ps(system: &System, tier: usize) -> Result<u64, Error> {
    Ok(match DeviceConfig::load(&system.tiers[tier].device)? {
        DeviceConfig::Dram(config) => config.timing.clock_ps,
        _ => OTHER_CLOCK_PS,
    })
}

/// First line of each socket's part of each tier in one address space; `None` for tiers that are left out.
fn bases(system: &System, only: Option<usize>, tables: &[PageTable]) -> Vec<Vec<Option<u64>>> {
    let mut next = 0;
    let tiers = system.tiers.iter().zip(tables).enumerate().map(|(number, (tier, table))| {
        // Near memory lies in what is installed, and frames in what their table says.
        let bytes = tier.socket_bytes().max(table.socket_bytes()).next_multiple_of(1 << 21);
        let sockets = (0..system.sockets).map(|_| {
            let is_wanted = only.is_none_or(|only| only == number);
            let base = is_wanted.then_some(next);
            next += if is_wanted { bytes / LINE_BYTES } else { 0 };
            base
        });
        sockets.collect()
    });
    tiers.collect()
}

/// Puts lines in order of time and hands them on.
struct Sorter<W> {
    writer: Writer<W>,
    bases: Vec<Vec<Option<u64>>>,
    /// The earliest first; equal instants in order of arrival.
    waiting: BinaryHeap<Reverse<(Picoseconds, u64, u64, bool)>>,
    arrived: u64,
    most: u64,
    reads: u64,
    writes: u64,
    last: Picoseconds,
    failed: Option<io::Error>,
}

impl<W: Write> Sorter<W> {
    fn new(writer: Writer<W>, bases: Vec<Vec<Option<u64>>>, most: u64) -> Self {
        Self {
            writer,
            bases,
            waiting: BinaryHeap::with_capacity(WINDOW + 1),
            arrived: 0,
            most,
            reads: 0,
            writes: 0,
            last: Picoseconds::ZERO,
            failed: None,
        }
    }

    /// Whether further lines would be thrown away.
    const fn is_over(&self) -> bool {
        self.failed.is_some() || self.arrived > self.most + WINDOW as u64
    }

    fn take(&mut self, Tapped { line, kind, at }: Tapped) {
        let Some(base) = self.bases[line.tier][line.socket] else { return };
        self.arrived += 1;
        self.waiting.push(Reverse((at, self.arrived, base + line.local, kind == Kind::Read)));
        if self.waiting.len() > WINDOW {
            self.hand_on();
        }
    }

    fn hand_on(&mut self) {
        let Some(Reverse((at, _, line, is_read))) = self.waiting.pop() else { return };
        if self.reads + self.writes == self.most || self.failed.is_some() {
            return;
        }
        // Formats want times that ascend; a line that comes later than the window allows moves by nanoseconds.
        self.last = self.last.max(at);
        let kind = if is_read { Kind::Read } else { Kind::Write };
        self.failed = self.writer.push(&ExportAccess { line, kind, at: self.last }).err();
        self.reads += u64::from(is_read);
        self.writes += u64::from(!is_read);
    }

    fn finish(mut self, result: Option<RunResult>) -> Result<(Captured, W), Error> {
        while !self.waiting.is_empty() {
            self.hand_on();
        }
        if let Some(failed) = self.failed {
            return Err(failed.into());
        }
        let result = result.filter(|_| self.arrived <= self.most);
        let captured = Captured { reads: self.reads, writes: self.writes, dram_bytes: None, result };
        Ok((captured, self.writer.finish()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Line;
    use crate::replay::DramSize;

    fn tapped(line: u64, at: u64) -> Tapped {
        Tapped { line: Line { tier: 0, socket: 0, local: line }, kind: Kind::Read, at: Picoseconds(at) }
    }

    fn sorter(most: u64) -> Sorter<Vec<u8>> {
        let writer = Writer::new(ExportFormat::Dramsim3, 1, Vec::new()).unwrap();
        Sorter::new(writer, vec![vec![Some(0)], vec![None]], most)
    }

    #[test]
    fn lines_leave_in_order_of_time_and_equal_times_in_order_of_arrival() {
        let mut sorter = sorter(10);
        for (line, at) in [(1, 20), (2, 10), (3, 20), (4, 5)] {
            sorter.take(tapped(line, at));
        }

        let (_, text) = sorter.finish(Some(RunResult::default())).unwrap();

        let expected = "0x100 READ 5\n0x80 READ 10\n0x40 READ 20\n0xc0 READ 20\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn no_more_lines_than_wanted_are_written_and_the_cut_shows() {
        for (most, written, is_whole) in [(4, 4, true), (3, 3, false)] {
            let mut sorter = sorter(most);
            (0..4).for_each(|line| sorter.take(tapped(line, line)));

            let (captured, _) = sorter.finish(Some(RunResult::default())).unwrap();

            assert_eq!((captured.reads, captured.result.is_some()), (written, is_whole));
        }
    }

    #[test]
    fn other_tiers_are_left_out() {
        let mut sorter = sorter(4);
        sorter.take(Tapped { line: Line { tier: 1, socket: 0, local: 7 }, ..tapped(0, 0) });

        assert!(sorter.finish(None).unwrap().1.is_empty());
    }

    #[test]
    fn a_tier_that_the_mode_leaves_unused_is_refused() {
        let system = System::load("optane-slice").unwrap();
        let check = |mode: &str, tier| {
            check_used(&system, &Settings { mode: Some(mode.to_owned()), ..Settings::default() }, tier)
        };

        assert!(check("dram-only", None).is_ok() && check("dram-only", Some(0)).is_ok());
        assert!(check("memory-mode", Some(0)).is_ok() && check("memory-mode", Some(1)).is_ok());
        let message = check("dram-only", Some(1)).unwrap_err().to_string();
        assert_eq!(
            message,
            "optane-slice: --tier: found pmem, which mode dram-only leaves unused, need dram"
        );
        assert!(check("pmem-only", Some(0)).is_err());
    }

    #[test]
    fn sockets_and_tiers_lie_one_after_the_other() {
        let system = System::load("xeon-8260-optane").unwrap();
        let dram = system.tiers[0].socket_bytes() / 64;
        let pmem = system.tiers[1].socket_bytes() / 64;

        let memory = Memory::of(&Trace::default(), &system, &Settings::default()).unwrap();
        let all = bases(&system, None, &memory.tables);

        assert_eq!(all, [[Some(0), Some(dram)], [Some(2 * dram), Some(2 * dram + pmem)]]);
        assert_eq!(bases(&system, Some(1), &memory.tables)[1], [Some(0), Some(pmem)]);
    }

    /// First and last line of each socket's part of DRAM that a replay of 1 MiB in all comes to, in one address space.
    fn lines_of_sockets(system: &System, dram: DramSize, numa: &str) -> [[u64; 2]; 2] {
        let trace = hetier_traces::text::parse(
            "hetier-trace 1\n\
             array a0 \"data\" ciphertext [16] capacity 65536 used 65536\n\
             macro m0 \"work\" limbs 1 (input ciphertext 65536) { sweep { read p0 @ 0 + 65536 work butterfly 1 } }\n\
             phase \"p\" \"conv\" server {\n\
             alloc a0[0] x 16\n\
             parallel (v0 in 0..16) { call m0(a0[v0]) }\n\
             free a0[0] x 16\n\
             }\n",
        );
        let trace = trace.unwrap();
        let settings = Settings {
            mode: Some("dram-only".to_owned()),
            threads: Some(2),
            dram,
            pages: Some("random-4k".to_owned()),
            numa: Some(numa.to_owned()),
            ..Settings::default()
        };
        let bases = bases(system, None, &Memory::of(&trace, system, &settings).unwrap().tables);
        let found = Rc::new(RefCell::new([[u64::MAX, 0]; 2]));
        let into = Rc::clone(&found);
        let take = Box::new(move |Tapped { line, .. }: Tapped| {
            let at = bases[line.tier][line.socket].unwrap() + line.local;
            let [first, last] = &mut into.borrow_mut()[line.socket];
            (*first, *last) = (at.min(*first), at.max(*last));
        });
        let go_on = &mut |_| ControlFlow::Continue(());
        replay::observe(&trace, system, &settings, Some(take), go_on).unwrap();
        found.take()
    }

    #[test]
    fn addresses_of_sockets_never_overlap() {
        let mut system = System::load("xeon-8260-optane").unwrap();
        // Less than what the trace holds.
        system.tiers[0].channel_bytes = 64 << 10;
        let installed = system.tiers[0].socket_bytes() / LINE_BYTES;
        let cases =
            [DramSize::Fraction(1.25), DramSize::Fraction(8.0), DramSize::Bytes(8 << 20), DramSize::Enough];
        for dram in cases {
            for numa in ["bind", "interleave", "first-touch"] {
                let [[_, last], [first, _]] = lines_of_sockets(&system, dram, numa);

                assert!(last < first, "{dram:?} {numa}: {last} and {first}");
                assert!(last >= installed, "{dram:?} {numa}: frames go beyond what is installed");
            }
        }
    }
}
