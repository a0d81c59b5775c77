//! Memory Mode: DRAM is a direct-mapped, write-back cache of 64-byte lines in front of the far tier.
//!
//! One cache for each memory controller; tags travel with the data, so a lookup is a DRAM read. Device accesses:
//!
//! | event | DRAM rd | DRAM wr | far rd | far wr |
//! |---|---|---|---|---|
//! | read hit | 1 | | | |
//! | read miss, victim clean / dirty | 1 | 1 | 1 | – / 1 |
//! | write hit | 1 | 1 | | |
//! | write miss, victim clean / dirty | 1 | 2 | 1 | – / 1 |
//! | write miss without fetch, clean / dirty | 1 | 1 | | – / 1 |
//!
//! Non-temporal stores follow the rows of writes: the controller sees whole lines in both cases. The row of five
//! accesses is measured (Hildebrand et al., ISPASS 2021). A write is answered when DRAM has accepted the data.

use super::{LineRequest, Mode, ModeSettings, Plan, need_dram, need_far};
use crate::Error;
use crate::device::Kind;
use crate::machine::{Layout, Line, TierLayout, divide};
use crate::result::NearMemory;
use crate::system::System;

/// State of near memory at the start of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NearStart {
    /// Empty.
    Cold,
    /// As an earlier run left it: a page that is mapped for the first time already lies in near memory, dirty,
    /// wherever no page mapped before it does.
    Warm,
}

/// Bytes, for messages.
const GIB: f64 = (1_u64 << 30) as f64;

/// Far lines that may share a near line: those that 31 bits number from 1.
const MOST_TAGS: u64 = (1 << 31) - 1;

/// Entries of tags that are brought to life together.
const PAGE: usize = 4096;

/// Tags of one controller's near memory, paged in as lines are touched. 0 is empty; else `(tag + 1) · 2 + dirty`.
#[derive(Clone, Debug)]
struct NearTags {
    pages: Vec<Option<Box<[u32]>>>,
}

impl NearTags {
    fn new(lines: u64) -> Self {
        Self { pages: vec![None; (lines as usize).div_ceil(PAGE)] }
    }

    #[inline]
    fn entry(&mut self, index: u64) -> &mut u32 {
        let page = &mut self.pages[index as usize / PAGE];
        &mut page.get_or_insert_with(|| vec![0; PAGE].into())[index as usize % PAGE]
    }
}

/// Where a far line belongs.
#[derive(Clone, Copy, Debug)]
struct Home {
    socket: usize,
    controller: u64,
    index: u64,
    tag: u32,
}

/// The mode; also usable by itself, to count events without devices.
#[derive(Clone, Debug)]
pub struct MemoryMode {
    tiers: [usize; 1],
    near: TierLayout,
    far: TierLayout,
    /// Controllers of a socket.
    controllers: u64,
    /// Channels of a controller.
    near_channels: u64,
    far_channels: u64,
    /// Lines of near memory behind one controller.
    near_lines: u64,
    tags: Vec<NearTags>,
    write_miss_fetches: bool,
    start: NearStart,
    /// Requests that hit, missed clean and missed dirty.
    requests: [u64; 3],
    /// Reads among those that hit and that missed.
    reads: [u64; 2],
    capacity_bytes: u64,
}

impl MemoryMode {
    /// Builds the mode for a system.
    ///
    /// # Errors
    /// - [`Error::Unsupported`] without DRAM or a far tier, or if near memory is larger than the DRAM or the far tier, or
    ///   has less than a line a controller, or so few that 2³¹ far lines share one.
    pub fn new(system: &System, layout: &Layout, settings: &ModeSettings) -> Result<Self, Error> {
        let dram = need_dram(system, "memory-mode")?;
        let far = need_far(system, "memory-mode")?;
        let (near, far_layout) = (layout.tiers[dram], layout.tiers[far]);
        let wanted = system.controllers_per_socket as u64;
        let divides = near.channels.is_multiple_of(wanted) && far_layout.channels.is_multiple_of(wanted);
        let controllers = if divides { wanted } else { 1 };
        let total = controllers * system.sockets as u64;
        let installed = system.tier_bytes("dram");
        let bytes = settings.near_bytes.unwrap_or(installed);
        let far_bytes = system.tier_bytes(&system.tiers[far].name);
        let (most, what) = if installed <= far_bytes {
            (installed, "of DRAM that the system has (--dram, --dram-fraction)")
        } else {
            (far_bytes, "behind it")
        };
        if bytes > most {
            return Err(Error::Unsupported {
                system: system.name.clone(),
                what: "mode memory-mode".to_owned(),
                found: format!("{:.0} GiB of near memory", bytes as f64 / GIB),
                need: format!("at most the {:.0} GiB {what}", most as f64 / GIB),
            });
        }
        let near_lines = bytes / hetier_traces::LINE_BYTES / total;
        let least = far_bytes / hetier_traces::LINE_BYTES / total / MOST_TAGS + 1;
        if near_lines < least {
            return Err(Error::Unsupported {
                system: system.name.clone(),
                what: "mode memory-mode".to_owned(),
                found: format!("{bytes} bytes of near memory"),
                need: format!("at least {} bytes", least * total * hetier_traces::LINE_BYTES),
            });
        }
        Ok(Self {
            tiers: [far],
            near,
            far: far_layout,
            controllers,
            near_channels: near.channels / controllers,
            far_channels: far_layout.channels / controllers,
            near_lines,
            tags: vec![NearTags::new(near_lines); total as usize],
            write_miss_fetches: settings.write_miss_fetches,
            start: settings.near_start,
            requests: [0; 3],
            reads: [0; 2],
            capacity_bytes: near_lines * total * hetier_traces::LINE_BYTES,
        })
    }

    #[inline]
    fn home(&self, line: Line) -> Home {
        let (granule, within) = divide(line.local, self.far.granule);
        let (row, channel) = divide(granule, self.far.channels);
        let per_controller = self.far_channels;
        let (controller, channel) = divide(channel, per_controller);
        let behind = (row * per_controller + channel) * self.far.granule + within;
        let (tag, index) = divide(behind, self.near_lines);
        Home { socket: line.socket, controller, index, tag: tag as u32 }
    }

    /// Channel and line of a far line, by its tag.
    fn far_place(&self, home: Home) -> (usize, u64) {
        let behind = u64::from(home.tag) * self.near_lines + home.index;
        place(&self.far, self.far_channels, home, behind)
    }

    /// Channel and line of a near line.
    #[inline]
    fn near_place(&self, home: Home) -> (usize, u64) {
        place(&self.near, self.near_channels, home, home.index)
    }

    fn tags(&mut self, home: Home) -> &mut NearTags {
        &mut self.tags[home.socket * self.controllers as usize + home.controller as usize]
    }

    /// Looks a line up and puts it in; gives whether it was there and the dirty victim's tag, if any.
    #[inline]
    fn exchange(&mut self, home: Home, is_write: bool) -> (bool, Option<u32>) {
        let entry = self.tags(home).entry(home.index);
        let before = *entry;
        let is_hit = before >> 1 == home.tag + 1;
        let is_dirty = is_write || (is_hit && before & 1 == 1);
        *entry = (home.tag + 1) << 1 | u32::from(is_dirty);
        let victim = (!is_hit && before & 1 == 1).then(|| (before >> 1) - 1);
        let event = if is_hit { 0 } else { 1 + usize::from(victim.is_some()) };
        self.requests[event] += 1;
        self.reads[usize::from(!is_hit)] += u64::from(!is_write);
        (is_hit, victim)
    }

    fn plan_read(&mut self, home: Home) -> Plan {
        let near = self.near_place(home);
        let (is_hit, victim) = self.exchange(home, false);
        let mut plan = Plan::single(near, Kind::Read);
        if is_hit {
            return plan;
        }
        plan.push(1, Kind::Read, self.far_place(home));
        plan.answer = 1;
        if let Some(tag) = victim {
            plan.push(1, Kind::Write, self.far_place(Home { tag, ..home }));
        }
        plan.push(2, Kind::Write, near);
        plan
    }

    fn plan_write(&mut self, home: Home) -> Plan {
        let near = self.near_place(home);
        let (is_hit, victim) = self.exchange(home, true);
        let mut plan = Plan::single(near, Kind::Read);
        let fetches = !is_hit && self.write_miss_fetches;
        if fetches {
            plan.push(1, Kind::Read, self.far_place(home));
        }
        let mut data_stage = 1;
        if fetches {
            data_stage = 2;
        } else {
            plan.answer = plan.operations().len() as u8;
            plan.push(1, Kind::Write, near);
        }
        if let Some(tag) = victim {
            plan.push(1, Kind::Write, self.far_place(Home { tag, ..home }));
        }
        if fetches {
            // The fetched line, then the data over it.
            plan.push(data_stage, Kind::Write, near);
            plan.answer = plan.operations().len() as u8;
            plan.push(data_stage, Kind::Write, near);
        }
        plan
    }
}

/// Channel and line of a line behind a controller that has so many channels of a tier.
#[inline]
fn place(tier: &TierLayout, channels: u64, home: Home, behind: u64) -> (usize, u64) {
    let (granule, within) = divide(behind, tier.granule);
    let (row, channel) = divide(granule, channels);
    let channel = home.socket as u64 * tier.channels + home.controller * channels + channel;
    (tier.first_channel + channel as usize, row * tier.granule + within)
}

impl Mode for MemoryMode {
    fn tiers(&self) -> &[usize] {
        &self.tiers
    }

    fn plan(&mut self, request: LineRequest) -> Plan {
        let home = self.home(Line::unpack(request.line));
        match request.kind {
            Kind::Read => self.plan_read(home),
            Kind::Write => self.plan_write(home),
        }
    }

    fn near_memory(&self) -> Option<NearMemory> {
        Some(NearMemory::new(self.requests, self.reads, self.capacity_bytes))
    }

    fn mapped(&mut self, line: u64, lines: u64) {
        if self.start == NearStart::Cold {
            return;
        }
        for line in line..line + lines {
            let home = self.home(Line::unpack(line));
            let entry = self.tags(home).entry(home.index);
            if *entry == 0 {
                *entry = (home.tag + 1) << 1 | 1;
            }
        }
    }
}

pub(super) fn build(
    system: &System,
    layout: &Layout,
    settings: &ModeSettings,
) -> Result<Box<dyn Mode>, Error> {
    Ok(Box::new(MemoryMode::new(system, layout, settings)?))
}
