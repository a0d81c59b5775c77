//! Run settings: what is not hardware.

use std::collections::BTreeMap;

use super::calls::Stores;
use super::objects::Budget;
use super::sample::Sample;
use super::schedule::Schedule;
use crate::Error;
use crate::allocator::AllocatorKind;
use crate::machine::Layout;
use crate::mode::{self, ModeSettings, NearStart};
use crate::pages::{Numa, PageTable, Pages, SocketBytes, choose};
use crate::system::System;

/// How much DRAM the run may use: the size of near memory in Memory Mode, the fast tier in App Direct, everything in
/// DRAM only.
///
/// More than the system has is a machine that might be: the same channels, with larger modules. Memory Mode refuses it,
/// the others replay it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DramSize {
    /// What the system has.
    System,
    /// So many bytes, over all sockets, even beyond the system's.
    Bytes(u64),
    /// A share of the trace's peak of live bytes, over all sockets, even beyond the system's.
    Fraction(f64),
    /// As much as it takes, even beyond the system's.
    Enough,
}

impl DramSize {
    /// Bytes over all sockets; `None` for all that it takes.
    pub(crate) fn bytes(self, peak: u64, system: u64) -> Option<u64> {
        match self {
            Self::System => Some(system),
            Self::Bytes(bytes) => Some(bytes),
            Self::Fraction(share) => Some((peak as f64 * share.max(0.0)).ceil() as u64),
            Self::Enough => None,
        }
    }
}

/// Which cores the threads run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pinning {
    /// Socket by socket.
    Compact,
    /// Round the sockets.
    Scatter,
}

impl Pinning {
    /// Every choice by name.
    pub const ALL: [(&'static str, Self); 2] = [("compact", Self::Compact), ("scatter", Self::Scatter)];

    /// Socket of each thread.
    ///
    /// # Errors
    /// - [`Error::Unsupported`] if there are more threads than cores, or none.
    pub fn sockets(self, system: &System, threads: usize) -> Result<Vec<usize>, Error> {
        let most = system.cores().min(128);
        if threads == 0 || threads > most {
            return Err(Error::Unsupported {
                system: system.name.clone(),
                what: format!("{threads} threads"),
                found: format!("{most} cores"),
                need: "between one thread and one for each core".to_owned(),
            });
        }
        let socket = |thread: usize| match self {
            Self::Compact => thread / system.cores_per_socket,
            Self::Scatter => thread % system.sockets,
        };
        Ok((0..threads).map(socket).collect())
    }
}

/// Settings of a run, by name where the system or a default decides if the caller does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Memory mode; `None` takes the system's first.
    pub mode: Option<String>,
    /// Simulated threads; `None` takes one for each core.
    pub threads: Option<usize>,
    /// Placement policy, for modes with several tiers.
    pub placement: String,
    /// DRAM that the run may use.
    pub dram: DramSize,
    /// Page placement; `None` takes the system's.
    pub pages: Option<String>,
    /// NUMA policy; `None` takes the system's.
    pub numa: Option<String>,
    /// Pinning of threads.
    pub pinning: Pinning,
    /// Schedule of parallel loops.
    pub schedule: Schedule,
    /// Folder in which stream fidelity keeps what it derived from the line model of a system; it changes no result.
    pub behaviour_cache: Option<std::path::PathBuf>,
    /// The process's allocator.
    pub allocator: AllocatorKind,
    /// Flavour of stores.
    pub stores: Stores,
    /// State of near memory at the start.
    pub near_start: NearStart,
    /// Whether a write that misses near memory fetches the line first.
    pub write_miss_fetches: bool,
    /// Hardware prefetch; `None` takes the system's.
    pub prefetches: Option<bool>,
    /// Seed of page placement.
    pub seed: u64,
    /// Calls to simulate at stream fidelity; `None` simulates all.
    pub sample: Option<Sample>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: None,
            threads: None,
            placement: "by-class".to_owned(),
            dram: DramSize::System,
            pages: None,
            numa: None,
            pinning: Pinning::Compact,
            schedule: Schedule::Static,
            behaviour_cache: None,
            allocator: AllocatorKind::SealPool,
            stores: Stores::Regular,
            near_start: NearStart::Cold,
            write_miss_fetches: true,
            prefetches: None,
            seed: 1,
            sample: None,
        }
    }
}

/// Settings with every choice made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resolved {
    pub mode: String,
    pub threads: usize,
    pub placement: String,
    pub dram: DramSize,
    pub pages: Pages,
    pub numa: Numa,
    pub pinning: Pinning,
    pub schedule: Schedule,
    pub allocator: AllocatorKind,
    pub stores: Stores,
    pub near_start: NearStart,
    pub write_miss_fetches: bool,
    pub prefetches: bool,
    pub seed: u64,
    pub sample: Option<Sample>,
}

impl Settings {
    /// Checks names, threads and sizes against a system, without a trace.
    ///
    /// # Errors
    /// - [`Error::UnknownName`] with the nearest name.
    /// - [`Error::Unsupported`] if the system cannot serve a setting.
    pub fn check(&self, system: &System) -> Result<(), Error> {
        let settings = self.resolve(system)?;
        let policies: Vec<_> = crate::placement::names().into_iter().map(|name| (name, ())).collect();
        choose("placement", &settings.placement, &policies)?;
        settings.pinning.sockets(system, settings.threads)?;
        // Sizes that depend on the trace are checked with it.
        let near_bytes = self.dram.bytes(1 << 30, system.tier_bytes("dram"));
        let mode_settings = ModeSettings { near_bytes, ..ModeSettings::default() };
        mode::build(&settings.mode, system, &Layout::new(system), &mode_settings)?;
        Ok(())
    }

    /// The mode that a run on a system has: the chosen one, or the system's first.
    pub fn mode_on<'s>(&'s self, system: &'s System) -> &'s str {
        self.mode.as_deref().unwrap_or(&system.modes[0])
    }

    /// Fills in the system's defaults and checks names.
    pub(crate) fn resolve(&self, system: &System) -> Result<Resolved, Error> {
        let mode = self.mode_on(system).to_owned();
        if crate::mode::names().contains(&mode.as_str()) && !system.modes.contains(&mode) {
            return Err(Error::Unsupported {
                system: system.name.clone(),
                what: format!("mode {mode}"),
                found: format!("modes {}", system.modes.join(", ")),
                need: "one of these, or another system".to_owned(),
            });
        }
        Ok(Resolved {
            mode,
            threads: self.threads.unwrap_or_else(|| system.cores().min(128)),
            placement: self.placement.clone(),
            dram: self.dram,
            pages: choose("page placement", self.pages.as_deref().unwrap_or(&system.pages), &Pages::ALL)?,
            numa: choose("NUMA policy", self.numa.as_deref().unwrap_or(&system.numa), &Numa::ALL)?,
            pinning: self.pinning,
            schedule: self.schedule,
            allocator: self.allocator,
            stores: self.stores,
            near_start: self.near_start,
            write_miss_fetches: self.write_miss_fetches,
            prefetches: self.prefetches.unwrap_or(system.prefetch.enabled),
            seed: self.seed,
            sample: self.sample,
        })
    }
}

fn name_of<T: Copy + PartialEq>(choice: T, choices: &[(&'static str, T)]) -> String {
    let found = choices.iter().find(|(_, known)| *known == choice);
    found.map_or_else(String::new, |(name, _)| (*name).to_owned())
}

impl Resolved {
    /// What the process may use of each tier of a mode, fastest first.
    pub fn budgets(&self, system: &System, tiers: &[usize], peak: u64) -> Vec<Budget> {
        let budget = |&tier: &usize| {
            let installed = system.tier_bytes(&system.tiers[tier].name);
            let bytes = match system.tiers[tier].name.as_str() {
                "dram" => self.dram.bytes(peak, installed).unwrap_or(u64::MAX),
                _ => installed,
            };
            Budget { tier, bytes }
        };
        tiers.iter().map(budget).collect()
    }

    /// Empty page tables of all tiers; of those without a budget the process may use nothing.
    pub fn tables(&self, system: &System, budgets: &[Budget], peak: u64) -> Vec<PageTable> {
        let table = |tier: usize| {
            let bytes = budgets.iter().find(|budget| budget.tier == tier).map_or(0, |budget| budget.bytes);
            self.table(system, Budget { tier, bytes }, peak, 1)
        };
        (0..system.tiers.len()).map(table).collect()
    }

    /// An empty page table of what the process may use of a tier, for one page in `scale`. Frames are scattered over what
    /// is installed, or over what the process may use if that is more: twice the footprint if it is "enough".
    pub fn table(&self, system: &System, budget: Budget, peak: u64, scale: u64) -> PageTable {
        let (installed, sockets) = (system.tiers[budget.tier].socket_bytes(), system.sockets as u64);
        let usable = (budget.bytes < u64::MAX).then_some(budget.bytes);
        let least = usable.map_or(peak.saturating_mul(2), |usable| usable / sockets);
        let bytes = SocketBytes {
            installed: installed.max(least) / scale,
            usable: usable.map(|usable| usable.div_ceil(sockets).div_ceil(scale)),
        };
        let sockets = vec![bytes; system.sockets];
        PageTable::new(budget.tier, self.pages, self.numa, self.seed, &sockets)
    }

    /// Every setting as text, for the result.
    pub fn echo(&self, fidelity: &str) -> BTreeMap<String, String> {
        let dram = match self.dram {
            DramSize::System => "system".to_owned(),
            DramSize::Bytes(bytes) => format!("{bytes} bytes"),
            DramSize::Fraction(share) => format!("{share} of the peak of live bytes"),
            DramSize::Enough => "enough".to_owned(),
        };
        let near_start = match self.near_start {
            NearStart::Cold => "cold",
            NearStart::Warm => "warm",
        };
        let pairs = [
            ("mode", self.mode.clone()),
            ("threads", self.threads.to_string()),
            ("placement", self.placement.clone()),
            ("dram", dram),
            ("pages", name_of(self.pages, &Pages::ALL)),
            ("numa", name_of(self.numa, &Numa::ALL)),
            ("pinning", name_of(self.pinning, &Pinning::ALL)),
            ("schedule", self.schedule.to_string()),
            ("allocator", name_of(self.allocator, &AllocatorKind::ALL)),
            ("stores", name_of(self.stores, &Stores::ALL)),
            ("near_memory", near_start.to_owned()),
            ("write_miss_fetches", self.write_miss_fetches.to_string()),
            ("prefetch", if self.prefetches { "on" } else { "off" }.to_owned()),
            ("seed", self.seed.to_string()),
            ("sample", self.sample.map_or_else(|| "all".to_owned(), |sample| sample.to_string())),
            ("fidelity", fidelity.to_owned()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
