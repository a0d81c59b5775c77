//! A PMem device file: unchecked, as written, and checked, in the units of the simulation.

use serde::Deserialize;

use super::wear::WearCount;
use super::{LINES_PER_XPLINE, XPLINE_BYTES};
use crate::{Error, Picoseconds};

/// A PMem device file as written. Every table has a `source` for its numbers; no key has a default.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PmemLiteral {
    /// One line for lists.
    pub title: String,
    /// Capacity.
    pub organisation: Organisation,
    /// The queue in the memory controller and the bus to the DIMM.
    pub controller: Controller,
    /// The load/store queue that combines writes.
    pub combining: Combining,
    /// The read-modify-write buffer.
    pub read_buffer: ReadBuffer,
    /// The buffer of the address indirection table.
    pub translation: Translation,
    /// The cells.
    pub media: Media,
    /// The power budget.
    pub energy: Energy,
    /// Wear levelling.
    pub wear: Wear,
}

/// Capacity.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Where the numbers come from.
    pub source: String,
    /// Capacity of the module, at least 1.
    pub capacity_gib: u64,
}

/// The queue in the memory controller and the bus to the DIMM.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controller {
    /// Where the numbers come from.
    pub source: String,
    /// Lines that the write pending queue holds, in [1, 1024].
    pub write_queue_entries: u32,
    /// Time of one line on the bus.
    pub bus_line_ns: f64,
}

/// The load/store queue that combines writes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Combining {
    /// Where the numbers come from.
    pub source: String,
    /// Entries of 64 B, in [4, 65536].
    pub entries: u32,
    /// Period in which whole media lines leave when nothing else is written.
    pub sweep_ns: f64,
}

/// The read-modify-write buffer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadBuffer {
    /// Where the numbers come from.
    pub source: String,
    /// Entries of 256 B, in [1, 65536].
    pub lines: u32,
    /// From the controller's queue to data at the controller, on a hit.
    pub hit_ns: f64,
}

/// The buffer of the address indirection table.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Translation {
    /// Where the numbers come from.
    pub source: String,
    /// Pages of 4 KiB that it covers, in [1, 2²⁴].
    pub pages: u32,
    /// Time of a hit, before the media.
    pub hit_ns: f64,
    /// Time of a miss, before the media; at least that of a hit.
    pub miss_ns: f64,
}

/// The cells.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// Where the numbers come from.
    pub source: String,
    /// Partitions that work at once, in [1, 1024].
    pub banks: u32,
    /// Time of reading 256 B in one of them.
    pub read_ns: f64,
    /// Time of writing.
    pub write_ns: f64,
}

/// The power budget.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Energy {
    /// Where the numbers come from.
    pub source: String,
    /// Budget unless the run sets another.
    pub budget_w: f64,
    /// Least budget that can be set.
    pub minimum_w: f64,
    /// Largest budget that can be set.
    pub maximum_w: f64,
    /// Budgets are multiples of this above the least.
    pub step_w: f64,
    /// Energy of reading a bit of the media.
    pub read_pj_per_bit: f64,
    /// Energy of writing a bit, the reading of its old value included; at least that of a read.
    pub write_pj_per_bit: f64,
}

/// Wear levelling.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wear {
    /// Where the numbers come from.
    pub source: String,
    /// Size of the blocks that move.
    pub block_kib: u64,
    /// Written to a block before it moves.
    pub move_after_kib: u64,
}

/// A checked PMem DIMM.
#[derive(Clone, Debug, PartialEq)]
pub struct PmemConfig {
    /// One line for lists.
    pub title: String,
    pub(super) file: String,
    pub(super) capacity_bytes: u64,
    pub(super) write_queue: usize,
    pub(super) bus_line: Picoseconds,
    pub(super) combining_entries: usize,
    pub(super) sweep: Picoseconds,
    pub(super) buffer_lines: usize,
    pub(super) buffer_hit: Picoseconds,
    pub(super) translation_pages: usize,
    pub(super) translation_hit: Picoseconds,
    pub(super) translation_miss: Picoseconds,
    pub(super) banks: usize,
    pub(super) media_read: Picoseconds,
    pub(super) media_write: Picoseconds,
    pub(super) power: PowerRange,
    pub(super) budget_mw: u64,
    pub(super) read_fj: u64,
    pub(super) write_fj: u64,
    pub(super) wear_block_lines: u64,
    pub(super) wear_move_after: u64,
    pub(super) wear_count: WearCount,
}

/// Budgets that a DIMM can be set to, in milliwatts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PowerRange {
    minimum: u64,
    maximum: u64,
    step: u64,
}

impl PowerRange {
    fn check(self, file: &str, watts: f64) -> Result<u64, Error> {
        let milliwatts = (watts * 1e3).round();
        let inside =
            watts.is_finite() && milliwatts >= self.minimum as f64 && milliwatts <= self.maximum as f64;
        if inside && (milliwatts as u64 - self.minimum).is_multiple_of(self.step) {
            return Ok(milliwatts as u64);
        }
        let [least, most, step] = [self.minimum, self.maximum, self.step].map(|value| value as f64 / 1e3);
        Err(Error::value(file, "energy.budget_w", watts, format!("{least} to {most} in steps of {step}")))
    }
}

impl PmemConfig {
    /// Bytes of the module.
    pub const fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    /// The most that it reads, and writes in whole media lines, in GB/s: the slowest of bus, media and power budget.
    pub fn peaks_gb_per_s(&self) -> [f64; 2] {
        let peak = |media: Picoseconds, femtojoules: u64| {
            let line = [
                self.bus_line.0 as f64 * LINES_PER_XPLINE as f64,
                media.0 as f64 / self.banks as f64,
                // Femtojoules over milliwatts are picoseconds.
                femtojoules as f64 / self.budget_mw as f64,
            ];
            XPLINE_BYTES as f64 * 1e3 / line.into_iter().fold(0.0, f64::max)
        };
        [peak(self.media_read, self.read_fj), peak(self.media_write, self.write_fj)]
    }

    /// The same DIMM with another power budget.
    ///
    /// # Errors
    /// - [`Error::Value`] for a budget outside the range of the device file, or between its steps.
    pub fn with_power(mut self, watts: f64) -> Result<Self, Error> {
        self.budget_mw = self.power.check(&self.file, watts)?;
        Ok(self)
    }

    /// The same DIMM with wear levelling that moves single media lines, as much more often: what a short run should
    /// see of moves that are thousands of writes apart and take as long as hundreds of them.
    #[must_use]
    pub fn with_even_wear(mut self) -> Self {
        self.wear_move_after = (self.wear_move_after / self.wear_block_lines).max(1);
        self.wear_block_lines = 1;
        self
    }

    /// The same DIMM that counts the lines of all its blocks together for wear levelling: what the `part`-th of `parts`
    /// runs should see that together meet as many moves as a long one. Moves are as frequent and as long as ever.
    #[must_use]
    pub fn with_common_wear(mut self, part: u64, parts: u64) -> Self {
        self.wear_count = WearCount::Dimm((2 * part + 1) * self.wear_move_after / (2 * parts));
        self
    }
}

impl PmemLiteral {
    /// Checks every value and converts to the units of the simulation; `file` names the file in errors.
    ///
    /// # Errors
    /// - [`Error::Value`] with the key, what was found and what is needed.
    pub fn check(&self, file: &str) -> Result<PmemConfig, Error> {
        let keys = Keys { file };
        let capacity_gib =
            keys.count("organisation.capacity_gib", self.organisation.capacity_gib, 1, 1 << 20)?;
        let translation_hit = keys.duration("translation.hit_ns", self.translation.hit_ns, 0.0)?;
        let power = self.energy.check_range(&keys)?;
        let read_fj = keys.energy("energy.read_pj_per_bit", self.energy.read_pj_per_bit, 0.001)?;
        let block = keys.count("wear.block_kib", self.wear.block_kib, 4, 1 << 20)?;
        if !(block * 1024).is_multiple_of(XPLINE_BYTES) || !(capacity_gib << 20).is_multiple_of(block) {
            return Err(Error::value(file, "wear.block_kib", block, "a divisor of the capacity"));
        }
        Ok(PmemConfig {
            title: self.title.clone(),
            file: file.to_owned(),
            capacity_bytes: capacity_gib << 30,
            write_queue: keys.size(
                "controller.write_queue_entries",
                self.controller.write_queue_entries,
                1,
                1024,
            )?,
            bus_line: keys.duration("controller.bus_line_ns", self.controller.bus_line_ns, 0.001)?,
            combining_entries: keys.size(
                "combining.entries",
                self.combining.entries,
                LINES_PER_XPLINE as u32,
                1 << 16,
            )?,
            sweep: keys.duration("combining.sweep_ns", self.combining.sweep_ns, 1.0)?,
            buffer_lines: keys.size("read_buffer.lines", self.read_buffer.lines, 1, 1 << 16)?,
            buffer_hit: keys.duration("read_buffer.hit_ns", self.read_buffer.hit_ns, 0.0)?,
            translation_pages: keys.size("translation.pages", self.translation.pages, 1, 1 << 24)?,
            translation_hit,
            translation_miss: keys.duration(
                "translation.miss_ns",
                self.translation.miss_ns,
                translation_hit.as_ns(),
            )?,
            banks: keys.size("media.banks", self.media.banks, 1, 1024)?,
            media_read: keys.duration("media.read_ns", self.media.read_ns, 0.001)?,
            media_write: keys.duration("media.write_ns", self.media.write_ns, 0.001)?,
            power,
            budget_mw: power.check(file, self.energy.budget_w)?,
            read_fj,
            write_fj: keys.energy(
                "energy.write_pj_per_bit",
                self.energy.write_pj_per_bit,
                self.energy.read_pj_per_bit,
            )?,
            wear_block_lines: block * 1024 / XPLINE_BYTES,
            wear_move_after: keys.count("wear.move_after_kib", self.wear.move_after_kib, block, 1 << 30)?
                * 1024
                / XPLINE_BYTES,
            wear_count: WearCount::Block,
        })
    }
}

impl Energy {
    fn check_range(&self, keys: &Keys<'_>) -> Result<PowerRange, Error> {
        let milliwatts = |key: &str, watts: f64, least: f64| {
            if watts.is_finite() && watts >= least && watts <= 1e3 {
                return Ok((watts * 1e3).round() as u64);
            }
            Err(Error::value(keys.file, key, watts, format!("watts in [{least}, 1000]")))
        };
        Ok(PowerRange {
            minimum: milliwatts("energy.minimum_w", self.minimum_w, 0.001)?,
            maximum: milliwatts("energy.maximum_w", self.maximum_w, self.minimum_w)?,
            step: milliwatts("energy.step_w", self.step_w, 0.001)?,
        })
    }
}

/// Checks of single keys of one file.
struct Keys<'a> {
    file: &'a str,
}

impl Keys<'_> {
    fn count(&self, key: &str, found: u64, least: u64, most: u64) -> Result<u64, Error> {
        if (least..=most).contains(&found) {
            return Ok(found);
        }
        Err(Error::value(self.file, key, found, format!("{least} to {most}")))
    }

    fn size(&self, key: &str, found: u32, least: u32, most: u32) -> Result<usize, Error> {
        self.count(key, found.into(), least.into(), most.into()).map(|found| found as usize)
    }

    fn duration(&self, key: &str, ns: f64, least: f64) -> Result<Picoseconds, Error> {
        if ns.is_finite() && ns >= least && ns <= 1e6 {
            return Ok(Picoseconds::from_ns(ns));
        }
        Err(Error::value(self.file, key, ns, format!("{least} to 1000000")))
    }

    /// Femtojoules of a media line.
    fn energy(&self, key: &str, pj_per_bit: f64, least: f64) -> Result<u64, Error> {
        if pj_per_bit.is_finite() && pj_per_bit >= least && pj_per_bit <= 1e6 {
            return Ok((pj_per_bit * 1e3 * (XPLINE_BYTES * 8) as f64).round() as u64);
        }
        Err(Error::value(self.file, key, pj_per_bit, format!("{least} to 1000000")))
    }
}
