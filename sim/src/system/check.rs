//! Turns a parsed system file into a checked [`System`].

use super::literal::{self, Cache, Literal, Tier};
use super::{Geometry, Limits, LinkLimits, Overhead, PrefetchLimits, System, TierSpec, TranslationCosts};
use crate::device::literal::DeviceConfig;
use crate::error::shown;
use crate::pages::{Numa, Pages, choose};
use crate::toml_error::SOURCE_NEED;
use crate::{Error, Picoseconds, mode};

/// Tier names that modes and results know.
const TIER_NAMES: [&str; 3] = ["dram", "pmem", "cxl"];

/// Most nanoseconds of anything that happens to one line or one small page, as in device files: a millisecond.
const LONGEST_NS: f64 = 1e6;

/// Most nanoseconds of a first touch of 2 MiB: such a page may be zeroed in slow memory.
const LONGEST_HUGE_FAULT_NS: f64 = 1e8;

/// Most nanoseconds of software for one ciphertext.
const LONGEST_OVERHEAD_NS: f64 = 1e9;

/// Checks against one file, so that every message names it.
struct Check<'f> {
    file: &'f str,
    clock_ghz: f64,
}

pub(super) fn check(file: &str, literal: &Literal) -> Result<System, Error> {
    let clock_ghz = literal.processor.clock_ghz;
    let check = Check { file, clock_ghz };
    check.within("processor.clock_ghz", clock_ghz, 0.1, 10.0)?;
    check.named(literal)?;
    check.sources(literal)?;
    check.latencies(literal)?;
    let sockets = check.count("processor.sockets", literal.processor.sockets, 1, 8)?;
    let controllers =
        check.count("processor.controllers_per_socket", literal.processor.controllers_per_socket, 1, 16)?;
    let system = System {
        name: literal.name.clone(),
        summary: literal.summary.clone(),
        file: file.to_owned(),
        hash: String::new(),
        sockets,
        cores_per_socket: check.count(
            "processor.cores_per_socket",
            literal.processor.cores_per_socket,
            1,
            128,
        )?,
        controllers_per_socket: controllers,
        l1: check.cache("l1", &literal.l1)?,
        l2: check.cache("l2", &literal.l2)?,
        l3: check.last_level(literal)?,
        inclusion: literal.l3.policy,
        forward: check.cycles("l3.forward_cycles", literal.l3.forward_cycles)?,
        limits: check.limits(literal)?,
        clwb_keeps_line: literal.core.clwb_keeps_line,
        prefetch: check.prefetch(literal)?,
        translation: check.translation(literal)?,
        arithmetic_fs: check.arithmetic(literal)?,
        jitter_percent: check.within(
            "arithmetic.jitter_percent",
            literal.arithmetic.jitter_percent,
            0.0,
            50.0,
        )?,
        request: check.ns("path.request_ns", literal.path.request_ns)?,
        response: check.ns("path.response_ns", literal.path.response_ns)?,
        link: check.link(literal, sockets)?,
        overhead: check.overhead(literal)?,
        tiers: check.tiers(literal, controllers)?,
        modes: check.modes(literal)?,
        pages: check.name("defaults.pages", &literal.defaults.pages, &Pages::ALL).map(|(name, _)| name)?,
        probe_pages: check
            .name("defaults.probe_pages", &literal.defaults.probe_pages, &Pages::ALL)
            .map(|(_, pages)| pages)?,
        numa: check.name("defaults.numa", &literal.defaults.numa, &Numa::ALL).map(|(name, _)| name)?,
    };
    check.modes_have_tiers(&system)?;
    Ok(system)
}

impl Check<'_> {
    fn value(&self, key: &str, found: impl ToString, need: impl ToString) -> Error {
        Error::value(self.file, key, found, need)
    }

    fn within(&self, key: &str, found: f64, least: f64, most: f64) -> Result<f64, Error> {
        if found.is_finite() && (least..=most).contains(&found) {
            return Ok(found);
        }
        Err(self.value(key, shown(found), format!("{least} to {most}")))
    }

    fn count(&self, key: &str, found: u32, least: u32, most: u32) -> Result<usize, Error> {
        if (least..=most).contains(&found) {
            return Ok(found as usize);
        }
        Err(self.value(key, found, format!("{least} to {most}")))
    }

    fn ns(&self, key: &str, found: f64) -> Result<Picoseconds, Error> {
        self.ns_up_to(LONGEST_NS, key, found)
    }

    fn ns_up_to(&self, most: f64, key: &str, found: f64) -> Result<Picoseconds, Error> {
        self.within(key, found, 0.0, most).map(Picoseconds::from_ns)
    }

    fn cycles(&self, key: &str, found: u32) -> Result<Picoseconds, Error> {
        let cycles = self.within(key, f64::from(found), 0.0, 1e6)?;
        Ok(Picoseconds::from_ns(cycles / self.clock_ghz))
    }

    /// A name of a list, and what it stands for.
    fn name<T: Copy>(
        &self,
        key: &'static str,
        found: &str,
        choices: &[(&'static str, T)],
    ) -> Result<(String, T), Error> {
        let choice = choose(key, found, choices).map_err(|error| self.wrap(key, error))?;
        Ok((found.to_owned(), choice))
    }

    /// A name that is on no list, or a file that is not there, as a value of this file.
    fn wrap(&self, key: &str, error: Error) -> Error {
        match error {
            Error::Unknown { found, known, .. } | Error::UnknownName { found, known, .. } => {
                self.value(key, found, format!("one of {known}"))
            }
            Error::Io { path, source } => {
                self.value(key, path.display(), format!("a file that can be read ({source})"))
            }
            other => other,
        }
    }

    fn named(&self, literal: &Literal) -> Result<(), Error> {
        let is_name = !literal.name.trim().is_empty() && !literal.name.contains(char::is_control);
        if is_name { Ok(()) } else { Err(self.value("name", format!("{:?}", literal.name), "a name")) }
    }

    fn sources(&self, literal: &Literal) -> Result<(), Error> {
        let mut sources = vec![
            ("source", &literal.source),
            ("processor.source", &literal.processor.source),
            ("l1.source", &literal.l1.source),
            ("l2.source", &literal.l2.source),
            ("l3.source", &literal.l3.source),
            ("core.source", &literal.core.source),
            ("prefetch.source", &literal.prefetch.source),
            ("translation.source", &literal.translation.source),
            ("arithmetic.source", &literal.arithmetic.source),
            ("path.source", &literal.path.source),
        ];
        sources.extend(literal.link.iter().map(|link| ("link.source", &link.source)));
        sources.extend(literal.overhead.iter().map(|overhead| ("overhead.source", &overhead.source)));
        sources.extend(literal.tier.iter().map(|tier| ("tier.source", &tier.source)));
        match sources.into_iter().find(|(_, text)| text.trim().is_empty()) {
            Some((key, text)) => Err(self.value(key, format!("{text:?}"), SOURCE_NEED)),
            None => Ok(()),
        }
    }

    fn overhead(&self, literal: &Literal) -> Result<Option<Overhead>, Error> {
        let Some(overhead) = &literal.overhead else { return Ok(None) };
        self.charged(overhead)?;
        let ns = |key, found| self.ns_up_to(LONGEST_OVERHEAD_NS, key, found);
        let costs = [
            ns("overhead.multiply_accumulate_ns", overhead.multiply_accumulate_ns)?,
            ns("overhead.ciphertext_ns", overhead.ciphertext_ns)?,
        ];
        let most = 1 << 30;
        if overhead.retained_bytes_per_ciphertext > most {
            let key = "overhead.retained_bytes_per_ciphertext";
            return Err(self.value(key, overhead.retained_bytes_per_ciphertext, format!("0 to {most}")));
        }
        Ok(Some(Overhead::new(overhead, costs)))
    }

    /// Names that nothing can have would charge nothing. Which names traces have is not known here.
    fn charged(&self, overhead: &literal::Overhead) -> Result<(), Error> {
        if overhead.kernel.trim().is_empty() {
            let found = format!("{:?}", overhead.kernel);
            return Err(self.value("overhead.kernel", found, "the kernel of the traces that are charged"));
        }
        let key = "overhead.multiply_accumulates";
        let names = &overhead.multiply_accumulates;
        let need = "names of primitives, each once";
        if names.is_empty() {
            return Err(self.value(key, "none", need));
        }
        if let Some(name) = names.iter().find(|name| name.trim().is_empty()) {
            return Err(self.value(key, format!("{name:?}"), need));
        }
        match twice(names) {
            Some(name) => Err(self.value(key, format!("{name} twice"), need)),
            None => Ok(()),
        }
    }

    /// A line comes later from every further level.
    fn latencies(&self, literal: &Literal) -> Result<(), Error> {
        let levels = [
            ("l1.latency_cycles", literal.l1.latency_cycles),
            ("l2.latency_cycles", literal.l2.latency_cycles),
            ("l3.latency_cycles", literal.l3.latency_cycles),
            // The last level finds out who holds the line.
            ("l3.forward_cycles", literal.l3.forward_cycles),
        ];
        let mut nearer = ("0", 0);
        for (key, cycles) in levels {
            if cycles <= nearer.1 {
                let than =
                    if nearer.1 == 0 { nearer.0.to_owned() } else { format!("{} = {}", nearer.0, nearer.1) };
                return Err(self.value(key, cycles, format!("more than {than}")));
            }
            nearer = (key, cycles);
        }
        Ok(())
    }

    fn cache(&self, table: &str, cache: &Cache) -> Result<Geometry, Error> {
        let geometry = self.geometry(table, cache.capacity_kib, cache.ways, cache.latency_cycles)?;
        if geometry.sets.is_power_of_two() {
            return Ok(geometry);
        }
        let key = format!("{table}.capacity_kib");
        let found = format!("{}, {} sets", cache.capacity_kib, geometry.sets);
        Err(self.value(&key, found, "a power of two of sets: low bits of the address choose one"))
    }

    fn last_level(&self, literal: &Literal) -> Result<Geometry, Error> {
        let l3 = &literal.l3;
        self.geometry("l3", l3.capacity_kib, l3.ways, l3.latency_cycles)
    }

    fn geometry(
        &self,
        table: &str,
        capacity_kib: u64,
        ways: u32,
        latency_cycles: u32,
    ) -> Result<Geometry, Error> {
        let ways = self.count(&format!("{table}.ways"), ways, 1, 64)?;
        let key = format!("{table}.capacity_kib");
        let most = 1_u64 << 22;
        if capacity_kib == 0 || capacity_kib > most {
            return Err(self.value(&key, capacity_kib, format!("1 to {most}")));
        }
        let lines = capacity_kib as usize * 1024 / hetier_traces::LINE_BYTES as usize;
        if !lines.is_multiple_of(ways) {
            return Err(self.value(
                &key,
                capacity_kib,
                format!("whole sets of {ways} ways: a multiple of {ways} × 64 B"),
            ));
        }
        let latency = self.cycles(&format!("{table}.latency_cycles"), latency_cycles)?;
        Ok(Geometry { sets: lines / ways, ways, latency })
    }

    fn limits(&self, literal: &Literal) -> Result<Limits, Error> {
        let core = &literal.core;
        Ok(Limits {
            loads: self.count("core.load_fill_buffers", core.load_fill_buffers, 1, 64)?,
            ownership: self.count("core.ownership_buffers", core.ownership_buffers, 1, 64)?,
            combining: self.count("core.write_combining_buffers", core.write_combining_buffers, 1, 64)?,
            flushes: self.count("core.flush_buffers", core.flush_buffers, 1, 64)?,
            evictions: self.count("core.eviction_buffers", core.eviction_buffers, 1, 64)?,
            stores: self.count("core.store_buffer", core.store_buffer, 1, 256)?,
            combining_path: self.ns("core.combining_ns", core.combining_ns)?,
        })
    }

    fn prefetch(&self, literal: &Literal) -> Result<PrefetchLimits, Error> {
        let prefetch = &literal.prefetch;
        Ok(PrefetchLimits {
            enabled: prefetch.enabled,
            streams: self.count("prefetch.streams", prefetch.streams, 1, 64)?,
            distance: self.count("prefetch.distance_lines", prefetch.distance_lines, 1, 64)? as u64,
            buffers: self.count("prefetch.buffers", prefetch.buffers, 1, 64)?,
        })
    }

    fn translation(&self, literal: &Literal) -> Result<TranslationCosts, Error> {
        let translation = &literal.translation;
        let most = 1 << 16;
        Ok(TranslationCosts {
            first_level_entries: [
                self.count(
                    "translation.first_level_4k_entries",
                    translation.first_level_4k_entries,
                    1,
                    most,
                )?,
                self.count(
                    "translation.first_level_2m_entries",
                    translation.first_level_2m_entries,
                    1,
                    most,
                )?,
            ],
            second_level_entries: self.count(
                "translation.second_level_entries",
                translation.second_level_entries,
                1,
                most,
            )?,
            second_level: self.cycles("translation.second_level_cycles", translation.second_level_cycles)?,
            walk: [
                self.cycles("translation.walk_4k_cycles", translation.walk_4k_cycles)?,
                self.cycles("translation.walk_2m_cycles", translation.walk_2m_cycles)?,
            ],
            fault: [
                self.ns("translation.fault_4k_ns", translation.fault_4k_ns)?,
                self.ns_up_to(LONGEST_HUGE_FAULT_NS, "translation.fault_2m_ns", translation.fault_2m_ns)?,
            ],
        })
    }

    /// Femtoseconds per operation, in the order of [`hetier_traces::Arithmetic::ALL`].
    fn arithmetic(&self, literal: &Literal) -> Result<[u64; 11], Error> {
        let cost = &literal.arithmetic;
        let cycles = [
            ("arithmetic.move_cycles", cost.move_cycles),
            ("arithmetic.add_cycles", cost.add_cycles),
            ("arithmetic.multiply_constant_cycles", cost.multiply_constant_cycles),
            ("arithmetic.multiply_cycles", cost.multiply_cycles),
            ("arithmetic.multiply_add_cycles", cost.multiply_add_cycles),
            ("arithmetic.reduce_cycles", cost.reduce_cycles),
            ("arithmetic.butterfly_cycles", cost.butterfly_cycles),
            ("arithmetic.float_butterfly_cycles", cost.float_butterfly_cycles),
            ("arithmetic.float_cycles", cost.float_cycles),
            ("arithmetic.random_cycles", cost.random_cycles),
            ("arithmetic.add_constant_cycles", cost.add_constant_cycles),
        ];
        let mut femtoseconds = [0; 11];
        for (slot, (key, cycles)) in femtoseconds.iter_mut().zip(cycles) {
            let cycles = self.within(key, cycles, 0.0, 1e6)?;
            *slot = (cycles / self.clock_ghz * 1e6).round() as u64;
        }
        Ok(femtoseconds)
    }

    fn link(&self, literal: &Literal, sockets: usize) -> Result<Option<LinkLimits>, Error> {
        let Some(link) = &literal.link else {
            return match sockets {
                1 => Ok(None),
                _ => Err(self.value("link", "no table", format!("one, to join {sockets} sockets"))),
            };
        };
        if sockets == 1 {
            return Err(self.value("link", "a table", "none: one socket has no other to join"));
        }
        let line_time = |key, gb_per_s| -> Result<Picoseconds, Error> {
            let gb_per_s = self.within(key, gb_per_s, 0.1, 10_000.0)?;
            Ok(Picoseconds::from_ns(hetier_traces::LINE_BYTES as f64 / gb_per_s))
        };
        Ok(Some(LinkLimits {
            request: self.ns("link.request_ns", link.request_ns)?,
            response: self.ns("link.response_ns", link.response_ns)?,
            read_line: line_time("link.read_gb_per_s", link.read_gb_per_s)?,
            write_line: line_time("link.write_gb_per_s", link.write_gb_per_s)?,
            directory: link.directory,
        }))
    }

    fn tiers(&self, literal: &Literal, controllers: usize) -> Result<Vec<TierSpec>, Error> {
        if literal.tier.is_empty() {
            return Err(self.value("tier", "none", "at least one memory tier"));
        }
        let mut tiers: Vec<TierSpec> = Vec::new();
        for tier in &literal.tier {
            if tiers.iter().any(|known| known.name == tier.name) {
                return Err(self.value("tier.name", &tier.name, "a name that no other tier has"));
            }
            tiers.push(self.tier(tier, controllers)?);
        }
        Ok(tiers)
    }

    fn tier(&self, tier: &Tier, controllers: usize) -> Result<TierSpec, Error> {
        let key = |name: &str| format!("tier.{}.{name}", tier.name);
        if !TIER_NAMES.contains(&tier.name.as_str()) {
            return Err(self.value("tier.name", &tier.name, TIER_NAMES.join(" or ")));
        }
        let channels = self.count(&key("channels_per_socket"), tier.channels_per_socket, 1, 64)?;
        // A card is behind a link of its own and not behind the controllers of the DIMMs.
        let is_few_cards = tier.name == "cxl" && channels < controllers;
        if !channels.is_multiple_of(controllers) && !is_few_cards {
            let need = format!(
                "a multiple of processor.controllers_per_socket, {controllers}: every controller has as many"
            );
            return Err(self.value(&key("channels_per_socket"), channels, need));
        }
        let most = 1 << 20;
        if tier.capacity_per_channel_gib == 0 || tier.capacity_per_channel_gib > most {
            let need = format!("1 to {most}");
            return Err(self.value(&key("capacity_per_channel_gib"), tier.capacity_per_channel_gib, need));
        }
        let line = hetier_traces::LINE_BYTES;
        if !tier.interleave_bytes.is_power_of_two() || tier.interleave_bytes < line {
            let need = "a power of two, at least 64";
            return Err(self.value(&key("interleave_bytes"), tier.interleave_bytes, need));
        }
        let channel_bytes = tier.capacity_per_channel_gib << 30;
        if !channel_bytes.is_multiple_of(tier.interleave_bytes) {
            let need = format!("a divisor of capacity_per_channel_gib, {channel_bytes} bytes");
            return Err(self.value(&key("interleave_bytes"), tier.interleave_bytes, need));
        }
        self.device(tier)?;
        Ok(TierSpec {
            name: tier.name.clone(),
            device: tier.device.clone(),
            channels_per_socket: channels,
            channel_bytes,
            interleave_lines: tier.interleave_bytes / line,
            extra_request: self.ns(&key("extra_request_ns"), tier.extra_request_ns)?,
            extra_response: self.ns(&key("extra_response_ns"), tier.extra_response_ns)?,
        })
    }

    /// The device of a tier is of its kind and as large. A measured curve is a whole tier, of which less may be used.
    fn device(&self, tier: &Tier) -> Result<(), Error> {
        let key = |name: &str| format!("tier.{}.{name}", tier.name);
        let device = DeviceConfig::load(&tier.device).map_err(|error| self.wrap(&key("device"), error))?;
        let (kind, tiers): (_, &[&str]) = match device {
            DeviceConfig::Dram(_) => ("dram", &["dram", "cxl"]),
            DeviceConfig::Pmem(_) => ("pmem", &["pmem"]),
            DeviceConfig::Cxl(_) => ("cxl", &["cxl"]),
            DeviceConfig::Curve(_) => ("curve", &TIER_NAMES),
        };
        if !tiers.contains(&tier.name.as_str()) {
            let found = format!("{} of kind {kind}", tier.device);
            return Err(self.value(&key("device"), found, format!("a device for a tier {}", tier.name)));
        }
        let (bytes, device_bytes) = (tier.capacity_per_channel_gib << 30, device.capacity_bytes());
        let is_curve = matches!(device, DeviceConfig::Curve(_));
        if bytes == device_bytes || (is_curve && bytes < device_bytes) {
            return Ok(());
        }
        let most = if is_curve { "at most " } else { "" };
        let need =
            format!("{most}{}, what {} holds", device_bytes as f64 / (1_u64 << 30) as f64, tier.device);
        Err(self.value(&key("capacity_per_channel_gib"), tier.capacity_per_channel_gib, need))
    }

    fn modes(&self, literal: &Literal) -> Result<Vec<String>, Error> {
        let known = mode::names();
        let modes = &literal.defaults.modes;
        if modes.is_empty() {
            return Err(self.value(
                "defaults.modes",
                "none",
                format!("at least one of {}", known.join(", ")),
            ));
        }
        if let Some(mode) = modes.iter().find(|mode| !known.contains(&mode.as_str())) {
            return Err(self.value("defaults.modes", mode, known.join(" or ")));
        }
        match twice(modes) {
            Some(mode) => Err(self.value("defaults.modes", format!("{mode} twice"), "each mode once")),
            None => Ok(modes.clone()),
        }
    }

    fn modes_have_tiers(&self, system: &System) -> Result<(), Error> {
        for mode in &system.modes {
            if let Err(Error::Unsupported { what, found, need, .. }) = mode::check_tiers(mode, system) {
                return Err(self.value("defaults.modes", format!("{what} beside tiers {found}"), need));
            }
        }
        Ok(())
    }
}

/// The first name that stands there a second time.
fn twice(names: &[String]) -> Option<&String> {
    names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| name)
}
