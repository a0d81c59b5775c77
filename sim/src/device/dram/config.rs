//! A DRAM device and its controller as described in a file, unchecked and checked.

use hetier_traces::LINE_BYTES;
use serde::Deserialize;

use super::choice::MAX_DELAY;
use super::gates::{MAX_BANKS, MAX_RANKS};
use super::lists::MAX_ENTRIES;
use super::timing::{Clock, Timing};
use crate::Error;
use crate::device::mapping::{Geometry, Mapping, MappingChoice, MappingLiteral};

/// Most lines of a row: the controller keeps them in 16 bits.
const MAX_COLUMNS: u32 = 1 << 16;
/// Sub-channels of a channel: their number takes eight bits of a tabulated place.
const MAX_SUB_CHANNELS: u32 = 1 << 8;
/// Most lines of a channel: 1 PiB, as of any other device.
const MAX_LINES: u64 = (1 << 50) / LINE_BYTES;
/// Longest timeout and longest timing, in clocks. A write that closes its row holds the bank for at most four of them
/// (CWL, burst, tWR, tRP), and the scheduler's keys hold as much. The refresh interval is no delay and may be longer.
const MAX_CLOCKS: u64 = MAX_DELAY / 4;

/// What a controller does with a row that no waiting request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Page {
    /// Leaves it open.
    Open,
    /// Closes it with the last column command.
    Closed,
    /// Closes it when it was not used for so many clocks.
    #[serde(rename = "timeout_clocks")]
    Timeout(Clock),
}

/// Queues and policies of a memory controller.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControllerLiteral {
    /// Where the numbers come from.
    pub source: String,
    /// Reads that wait, in [1, 64].
    pub read_queue: u32,
    /// Writes that wait, in [1, 64].
    pub write_queue: u32,
    /// More writes than this are drained before reads.
    pub drain_above: u32,
    /// Fewer writes than this end a drain.
    pub drain_below: u32,
    /// Page policy.
    pub page: Page,
}

/// Checked queues and policies of a memory controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Controller {
    /// Reads that wait for their row, in [1, 64].
    pub read_queue: u32,
    /// Writes that wait for their row, in [1, 64].
    pub write_queue: u32,
    /// More writes than this are drained before reads.
    pub drain_above: u32,
    /// Fewer writes than this end a drain.
    pub drain_below: u32,
    /// Page policy.
    pub page: Page,
}

impl Controller {
    /// Writes of a drain that begins when its queue rises above the high mark, if none arrive during it. No more pass a
    /// read that waits. Source: `DRAMsim3` counts the writes of a drain when it begins (controller.cc,
    /// `write_draining_`); gem5 turns to a waiting read after so many writes (`MemCtrl`, `min_writes_per_switch`).
    #[inline]
    pub(super) const fn drained(&self) -> u32 {
        self.drain_above + 2 - self.drain_below
    }
}

impl ControllerLiteral {
    /// Checks the depths.
    ///
    /// # Errors
    /// - [`Error::Value`] if a queue is empty or longer than 64, or the marks are not in order.
    pub fn check(&self, file: &str) -> Result<Controller, Error> {
        for (key, depth) in [("read_queue", self.read_queue), ("write_queue", self.write_queue)] {
            if !(1..=64).contains(&depth) {
                return Err(Error::value(file, &format!("controller.{key}"), depth, "1 to 64"));
            }
        }
        if self.drain_above >= self.write_queue {
            let need = format!("less than write_queue = {}", self.write_queue);
            return Err(Error::value(file, "controller.drain_above", self.drain_above, need));
        }
        if !(1..=self.drain_above).contains(&self.drain_below) {
            let need = format!("1 to drain_above = {}", self.drain_above);
            return Err(Error::value(file, "controller.drain_below", self.drain_below, need));
        }
        if let Page::Timeout(clocks) = self.page
            && !(1..=MAX_CLOCKS).contains(&clocks)
        {
            return Err(Error::value(
                file,
                "controller.page.timeout_clocks",
                clocks,
                format!("1 to {MAX_CLOCKS}"),
            ));
        }
        let &Self { read_queue, write_queue, drain_above, drain_below, page, .. } = self;
        Ok(Controller { read_queue, write_queue, drain_above, drain_below, page })
    }
}

/// Size and width of the chips behind one channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganisationLiteral {
    /// Where the numbers come from.
    pub source: String,
    /// Independent halves of the channel: 1 (DDR4) or 2 (DDR5).
    pub sub_channels: u32,
    /// Data wires of a sub-channel, without error correction.
    pub data_bits: u64,
    /// Transfers of a burst, at least 2; `data_bits × burst_length` is 64 bytes.
    pub burst_length: u64,
    /// Ranks of a sub-channel.
    pub ranks: u32,
    /// Bank groups of a rank.
    pub groups: u32,
    /// Banks of a group.
    pub banks: u32,
    /// Rows of a bank.
    pub rows: u32,
    /// Column addresses of a row.
    pub columns: u64,
}

/// Timings as written in a file, in clocks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of Timing, with their unit in the name")]
pub struct TimingLiteral {
    pub source: String,
    pub clock_ps: u64,
    pub cl_clocks: u64,
    pub cwl_clocks: u64,
    pub rcd_clocks: u64,
    pub rp_clocks: u64,
    pub ras_clocks: u64,
    pub rfc_clocks: u64,
    pub refi_clocks: u64,
    pub rrd_s_clocks: u64,
    pub rrd_l_clocks: u64,
    pub faw_clocks: u64,
    pub ccd_s_clocks: u64,
    pub ccd_l_clocks: u64,
    pub ccd_l_write_clocks: u64,
    pub wr_clocks: u64,
    pub wtr_s_clocks: u64,
    pub wtr_l_clocks: u64,
    pub rtp_clocks: u64,
    pub turnaround_clocks: u64,
    pub rank_switch_clocks: u64,
    pub command_clocks: u64,
}

/// Energy of one rank; an estimate for cost columns, not part of the simulation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Energy {
    /// Where the numbers come from.
    pub source: String,
    /// Nanojoules for 64 bytes read.
    pub read_nj: f64,
    /// Nanojoules for 64 bytes written.
    pub write_nj: f64,
    /// Nanojoules for opening and closing a row.
    pub activate_nj: f64,
    /// Milliwatts of refresh, for each rank.
    pub refresh_mw: f64,
    /// Milliwatts of a rank with open rows.
    pub active_mw: f64,
    /// Milliwatts of a rank without.
    pub idle_mw: f64,
}

/// A DRAM device file, unchecked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DramLiteral {
    /// What the file describes.
    pub title: String,
    /// Chips.
    pub organisation: OrganisationLiteral,
    /// Timings.
    pub timing: TimingLiteral,
    /// Controller.
    pub controller: ControllerLiteral,
    /// Address mapping: a shipped one by name, a file, or a table.
    pub mapping: MappingChoice,
    /// Energy estimates, where there are any.
    pub energy: Option<Energy>,
}

/// A checked DRAM device with its controller: everything below one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct DramConfig {
    /// Counts of banks, rows and lines.
    pub geometry: Geometry,
    /// Timings.
    pub timing: Timing,
    /// Controller.
    pub controller: Controller,
    /// Address mapping, checked for `geometry`.
    pub mapping: Mapping,
    /// Energy estimates, where there are any.
    pub energy: Option<Energy>,
}

impl DramConfig {
    /// Peak bandwidth of the channel in GB/s.
    pub fn peak_gb_per_s(&self) -> f64 {
        self.timing.peak_gb_per_s() * f64::from(self.geometry.sub_channels)
    }

    /// Bytes of the channel.
    pub const fn capacity_bytes(&self) -> u64 {
        self.geometry.lines() * LINE_BYTES
    }

    /// The same device with another address mapping.
    ///
    /// # Errors
    /// - [`Error::Value`] if the mapping does not fit the geometry.
    pub fn with_mapping(mut self, file: &str, mapping: &MappingLiteral) -> Result<Self, Error> {
        self.mapping = Mapping::check(file, mapping, &self.geometry)?;
        Ok(self)
    }
}

impl DramLiteral {
    /// Checks everything, with any other number of ranks or rows if the system says so.
    ///
    /// # Errors
    /// - [`Error::Value`] naming the first key that cannot be.
    /// - Those of [`MappingChoice::literal`].
    pub fn check(&self, file: &str) -> Result<DramConfig, Error> {
        let geometry = self.organisation.check(file)?;
        let timing = self.timing.check(file, self.organisation.burst_length)?;
        let controller = self.controller.check(file)?;
        let mapping = self.mapping.literal().map_err(|error| match error {
            Error::Unknown { found, known, .. } => {
                Error::value(file, "mapping", found, format!("one of {known}, a .toml file or a table"))
            }
            other => other,
        })?;
        let mapping = Mapping::check(file, &mapping, &geometry)?;
        Ok(DramConfig { geometry, timing, controller, mapping, energy: self.energy.clone() })
    }
}

impl OrganisationLiteral {
    fn check(&self, file: &str) -> Result<Geometry, Error> {
        let refuse = |key: &str, found: u64, need: &str| {
            Err(Error::value(file, &format!("organisation.{key}"), found, need))
        };
        if self.data_bits.checked_mul(self.burst_length) != Some(LINE_BYTES * 8) {
            return refuse("burst_length", self.burst_length, "data_bits × burst_length = 512");
        }
        if self.burst_length < 2 {
            return refuse("burst_length", self.burst_length, "at least 2, the transfers of a clock");
        }
        // The product above keeps `data_bits` small, and this bound the next one.
        if self.columns > 8 * LINE_BYTES * u64::from(MAX_COLUMNS) {
            return refuse("columns", self.columns, "at most 65536 lines in a row");
        }
        let row_bytes = self.columns * self.data_bits / 8;
        if row_bytes == 0 || !row_bytes.is_multiple_of(LINE_BYTES) {
            return refuse("columns", self.columns, "rows of whole 64-byte lines");
        }
        let &Self { sub_channels, ranks, groups, banks, rows, .. } = self;
        let columns = (row_bytes / LINE_BYTES) as u32;
        if sub_channels > MAX_SUB_CHANNELS {
            return refuse("sub_channels", u64::from(sub_channels), "at most 256");
        }
        let counts = [("sub_channels", sub_channels), ("ranks", ranks), ("groups", groups), ("banks", banks)];
        for (key, count) in counts.into_iter().chain([("rows", rows), ("columns", columns)]) {
            if !count.is_power_of_two() {
                return refuse(key, u64::from(count), "a power of two");
            }
        }
        if columns > MAX_COLUMNS {
            return refuse("columns", self.columns, "at most 65536 lines in a row");
        }
        let total_banks = ranks.checked_mul(groups).and_then(|groups| groups.checked_mul(banks));
        if ranks as usize > MAX_RANKS || total_banks.is_none_or(|banks| banks as usize > MAX_BANKS) {
            return refuse("ranks", u64::from(ranks), "at most 8 ranks and 64 banks in a sub-channel");
        }
        let geometry = Geometry { sub_channels, ranks, groups, banks, rows, columns };
        if geometry.lines() > MAX_LINES {
            return refuse("rows", u64::from(rows), "at most 1 PiB in a channel");
        }
        Ok(geometry)
    }
}

/// The largest value of a timing.
fn longest(key: &str) -> u64 {
    if key == "refi_clocks" { 1 << 32 } else { MAX_CLOCKS }
}

impl TimingLiteral {
    fn check(&self, file: &str, burst_length: u64) -> Result<Timing, Error> {
        let timing = self.timing(burst_length / 2);
        let refuse = |key: &str, found: u64, need: String| {
            Err(Error::value(file, &format!("timing.{key}"), found, need))
        };
        let bounds = self.lower_bounds(&timing);
        if let Some(&(key, found, ..)) = bounds.iter().find(|bound| bound.1 > longest(bound.0)) {
            return refuse(key, found, format!("at most {}", longest(key)));
        }
        if let Some(&(key, found, least, why)) = bounds.iter().find(|bound| bound.1 < bound.2) {
            return refuse(key, found, format!("at least {least} ({why})"));
        }
        Ok(timing)
    }

    /// Every key with the smallest value that is possible beside the others, and why.
    fn lower_bounds(&self, timing: &Timing) -> [(&'static str, u64, u64, &'static str); 21] {
        let some = "a duration";
        [
            ("clock_ps", self.clock_ps, 1, some),
            ("cl_clocks", self.cl_clocks, 1, some),
            ("cwl_clocks", self.cwl_clocks, 1, some),
            ("rcd_clocks", self.rcd_clocks, 1, some),
            ("rp_clocks", self.rp_clocks, 1, some),
            (
                "ras_clocks",
                self.ras_clocks,
                self.rcd_clocks.saturating_add(self.rtp_clocks),
                "tRCD + tRTP: a row is read before it closes",
            ),
            ("rfc_clocks", self.rfc_clocks, self.rp_clocks, "tRP: a refresh opens and closes rows"),
            (
                "refi_clocks",
                self.refi_clocks,
                self.rfc_clocks.saturating_add(self.ras_clocks).saturating_add(self.rp_clocks),
                "tRFC + tRC: time between refreshes",
            ),
            ("rrd_s_clocks", self.rrd_s_clocks, 1, some),
            ("rrd_l_clocks", self.rrd_l_clocks, self.rrd_s_clocks, "tRRD_S"),
            ("faw_clocks", self.faw_clocks, self.rrd_s_clocks, "tRRD_S"),
            ("ccd_s_clocks", self.ccd_s_clocks, timing.burst, "the burst: the data bus moves one at a time"),
            ("ccd_l_clocks", self.ccd_l_clocks, self.ccd_s_clocks, "tCCD_S"),
            ("ccd_l_write_clocks", self.ccd_l_write_clocks, self.ccd_s_clocks, "tCCD_S"),
            ("wr_clocks", self.wr_clocks, 1, some),
            ("wtr_s_clocks", self.wtr_s_clocks, 1, some),
            ("wtr_l_clocks", self.wtr_l_clocks, self.wtr_s_clocks, "tWTR_S"),
            ("rtp_clocks", self.rtp_clocks, 1, some),
            (
                "turnaround_clocks",
                self.turnaround_clocks,
                self.cwl_clocks.saturating_sub(self.cl_clocks),
                "tCWL − tCL",
            ),
            ("rank_switch_clocks", self.rank_switch_clocks, 0, some),
            ("command_clocks", self.command_clocks, 1, some),
        ]
    }

    const fn timing(&self, burst: Clock) -> Timing {
        Timing {
            clock_ps: self.clock_ps,
            burst,
            cl: self.cl_clocks,
            cwl: self.cwl_clocks,
            rcd: self.rcd_clocks,
            rp: self.rp_clocks,
            ras: self.ras_clocks,
            rfc: self.rfc_clocks,
            refi: self.refi_clocks,
            rrd_s: self.rrd_s_clocks,
            rrd_l: self.rrd_l_clocks,
            faw: self.faw_clocks,
            ccd_s: self.ccd_s_clocks,
            ccd_l: self.ccd_l_clocks,
            ccd_l_write: self.ccd_l_write_clocks,
            wr: self.wr_clocks,
            wtr_s: self.wtr_s_clocks,
            wtr_l: self.wtr_l_clocks,
            rtp: self.rtp_clocks,
            turnaround: self.turnaround_clocks,
            rank_switch: self.rank_switch_clocks,
            command: self.command_clocks,
        }
    }
}

const _: () = assert!(MAX_ENTRIES >= 64 + 64 + MAX_BANKS, "both queues and an owed request for each bank");
