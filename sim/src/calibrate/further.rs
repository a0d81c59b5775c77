//! Published numbers of memory that are not rows of the calibration table: what the models are built on besides, and
//! ratings that nothing was set by.

use rayon::prelude::*;

use super::{Calibrated, Point, compare, measure, parse};
use crate::device::Kind;
use crate::machine::{Layout, Line};
use crate::mode::{LineRequest, MemoryMode, Mode as _, ModeSettings, NearStart};
use crate::{Error, System};

/// Name in errors, and text, of ranges over several machines.
const FURTHER: (&str, &str) = ("further.csv", include_str!("../../further.csv"));
/// Of printed ratings of machines.
const RATINGS: (&str, &str) = ("ratings.csv", include_str!("../../ratings.csv"));

/// Source of the accesses that an event of Memory Mode asks of the devices.
const EVENTS: &str =
    "Hildebrand et al., ISPASS'21, and their blog post of 2021-03-28: device accesses of one request";

/// Measures what the models are built on besides the calibration table: ranges over several machines, and how often
/// Memory Mode asks the devices.
///
/// # Errors
/// Those of [`super::calibrate`].
pub fn further() -> Result<Vec<Calibrated>, Error> {
    let mut table = table(FURTHER)?;
    table.extend(events()?);
    Ok(table)
}

/// Measures printed ratings of machines, by which nothing was set.
///
/// # Errors
/// Those of [`super::calibrate`].
pub fn ratings() -> Result<Vec<Calibrated>, Error> {
    table(RATINGS)
}

fn table((file, text): (&str, &str)) -> Result<Vec<Calibrated>, Error> {
    parse(file, text)?.into_par_iter().map(measure).collect()
}

/// Bytes of near memory in which line 0 has a rival.
const NEAR_BYTES: u64 = 4 * 3 * 64 * 64;

/// Name of an event, the published accesses, and the requests that lead to it: whether to the rival, and whether a write.
type Event<'e> = (&'static str, f64, &'e [(bool, Kind)]);

/// Each event of Memory Mode on a near memory of a few lines.
fn events() -> Result<Vec<Calibrated>, Error> {
    let events: [Event<'_>; 6] = [
        ("read-hit", 1.0, &[(false, Kind::Read), (false, Kind::Read)]),
        ("read-miss-clean", 3.0, &[(false, Kind::Read)]),
        ("read-miss-dirty", 4.0, &[(true, Kind::Write), (false, Kind::Read)]),
        ("write-hit", 2.0, &[(false, Kind::Read), (false, Kind::Write)]),
        ("write-miss-clean", 4.0, &[(true, Kind::Read), (false, Kind::Write)]),
        ("write-miss-dirty", 5.0, &[(true, Kind::Write), (false, Kind::Write)]),
    ];
    events.into_iter().map(event).collect()
}

fn event((name, published, requests): Event<'_>) -> Result<Calibrated, Error> {
    let system = System::load("xeon-8260-optane")?;
    let layout = Layout::new(&system);
    let settings =
        ModeSettings { near_bytes: Some(NEAR_BYTES), write_miss_fetches: true, near_start: NearStart::Cold };
    let mut mode = MemoryMode::new(&system, &layout, &settings)?;
    let mut accesses = 0;
    for &(is_rival, kind) in requests {
        let local = if is_rival { rival() } else { 0 };
        let line = Line { tier: 1, socket: 0, local }.pack();
        accesses = mode.plan(LineRequest { line, kind, is_non_temporal: false }).operations().len();
    }
    let point = Point {
        id: format!("memory-mode-{name}"),
        probe: "mode".to_owned(),
        system: system.name,
        metric: "accesses".to_owned(),
        low: published,
        high: published,
        source: EVENTS.to_owned(),
        ..Point::default()
    };
    Ok(compare(point, (accesses as f64).into()))
}

/// A line that shares its place in near memory with line 0: one near memory further behind the same of two controllers
/// with three channels each, in interleaves of 64 lines.
fn rival() -> u64 {
    let (granule, channels) = (64, 3);
    let behind = NEAR_BYTES / 64 / 4;
    let (row, inside) = (behind / granule, behind % granule);
    (row / channels * 2 * channels + row % channels) * granule + inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_mode_asks_the_devices_as_often_as_published() {
        for row in events().expect("the system has Memory Mode") {
            assert_eq!(row.error_percent, 0.0, "{} {}", row.point.id, row.simulated);
        }
    }

    #[test]
    fn every_further_point_names_a_system_that_exists() {
        for (file, text) in [FURTHER, RATINGS] {
            for point in parse(file, text).expect("the shipped file reads") {
                assert!(System::load(&point.system).is_ok() && point.low <= point.high, "{}", point.id);
            }
        }
    }
}
