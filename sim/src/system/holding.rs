//! Which shipped systems a process fits.

use super::{System, names};
use crate::machine::Layout;
use crate::mode::{self, ModeSettings};

/// Shipped systems, with those of their modes, whose tiers hold so many bytes.
pub fn holding(bytes: u64) -> Vec<(String, Vec<String>)> {
    let systems = names().into_iter().filter_map(|name| System::load(name).ok());
    let fitting = systems.map(|system| {
        let is_enough = |mode: &&String| capacity(&system, mode).is_some_and(|capacity| capacity >= bytes);
        let modes: Vec<String> = system.modes.iter().filter(is_enough).cloned().collect();
        (system.name, modes)
    });
    fitting.filter(|(_, modes)| !modes.is_empty()).collect()
}

/// Bytes that a process may hold in a mode; near memory is not its own.
fn capacity(system: &System, name: &str) -> Option<u64> {
    // A small near memory suffices to ask.
    let settings = ModeSettings { near_bytes: Some(1 << 20), ..ModeSettings::default() };
    let mode = mode::build(name, system, &Layout::new(system), &settings).ok()?;
    Some(mode.tiers().iter().map(|&tier| system.tier_bytes(&system.tiers[tier].name)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_memory_holds_what_near_memory_in_front_of_it_does_not_add_to() {
        let gib = 1 << 30;
        let modes = |bytes: u64| {
            let found = holding(bytes).into_iter().find(|(name, _)| name == "bsc-8260l-192g-6t");
            found.map_or_else(Vec::new, |(_, modes)| modes)
        };

        // 192 GiB of DRAM in front of, or beside, 6 TiB of Optane.
        assert!(modes(192 * gib).contains(&"dram-only".to_owned()));
        assert!(!modes(192 * gib + 1).contains(&"dram-only".to_owned()));
        assert!(modes(6144 * gib).contains(&"memory-mode".to_owned()));
        assert!(!modes(6144 * gib + 1).contains(&"memory-mode".to_owned()));
        assert_eq!(modes(6336 * gib), ["app-direct"]);
        assert!(holding(u64::MAX).is_empty());
    }
}
