//! Published numbers of memory: those of micro-benchmarks held against probes, and those that nothing is held against.

use hetier_reports::experiment::{Role, Unsimulated};
use hetier_sim::calibrate::{Calibrated, calibrate, further, ratings};

use crate::command::validate::{USUAL_TOLERANCE_PERCENT, Verdict};
use crate::failure::Outcome;
use crate::{interrupt, progress};

/// Points that were published with the standard deviation of what was measured, in their unit. One deviation passes.
///
/// Source: Yang et al., FAST'20, figure 2 and its data set.
const DEVIATIONS: [(&str, f64); 2] = [("m1-idle-sequential", 68.0), ("m1-idle-random", 28.0)];

/// Bytes of a line of Optane's media.
const MEDIA_LINE_BYTES: f64 = 256.0;

/// Service times of the media that follow from a bandwidth point: name, point, least and largest published ns.
///
/// Source: derived from the bandwidths of one DIMM, FAST'20 data set.
const SERVICES: [(&str, &str, [f64; 2]); 2] = [
    ("media read of 256 B", "m1-load-256-4t", [36.0, 36.0]),
    ("media write of 256 B", "m1-ntstore-256-1t", [107.0, 110.0]),
];

/// Lines that one core has in flight, by Little's law: random lines a second times the latency of one; the name, the points
/// of bandwidth and latency, and the published number.
///
/// Source: derived from M1's 5.7 GB/s of random lines at 101.5 ns, FAST'20 data set.
const IN_FLIGHT: (&str, [&str; 2], f64) =
    ("lines in flight of one core", ["m1-dram-load-64-1t", "m1-dram-idle-random"], 9.0);

/// Bytes of a line of the caches.
const LINE_BYTES: f64 = 64.0;

/// Published numbers that nothing is held against: name, number, why, source.
const UNSIMULATED: [[&str; 4]; 8] = [
    [
        "structure of an Optane DIMM",
        "512 B, 4 KB, 16 KB, 16 MB, 64 KB blocks",
        "what the device file says; the knees of latency over region size are held against measurements above",
        "Wang et al., MICRO'20 (VANS)",
    ],
    ["power budget of an Optane DIMM", "12-18 W, 15 W by default", "what the device file says", "Intel"],
    [
        "core-to-controller path",
        "35-45 ns",
        "what the system files say; idle latencies are held against measurements above",
        "Yang et al., FAST'20",
    ],
    [
        "sizes of the caches of Cascade Lake",
        "32 KB, 1 MB, 1.375 MB a core",
        "what the system files say; their latencies are held above",
        "Intel 248966",
    ],
    [
        "timings in the configuration of VANS",
        "RMW read 180, write 10; AIT to RMW 150, RMW to AIT 90; media read 100, write 300 clocks of 0.75 ns",
        "another simulator's settings, with which it is 43 and 64 % off its own measurements; those measurements are held \
         above",
        "Wang et al., MICRO'20 (VANS)",
    ],
    [
        "JEDEC timings",
        "DDR4-2400 to 3200, DDR5-4800",
        "what the device files say; tests hold unloaded latency and peak bandwidth to the formulas",
        "JESD79-4, JESD79-5",
    ],
    [
        "energy of DRAM and Optane",
        "2.88 nJ, 2.48 nJ, 3.74 nJ; 270 and 785 pJ/bit",
        "no energy is reported; the two Optane numbers are the power budget that the device file enforces",
        "published data sheets and budgets",
    ],
    ["prices of 2019", "4.5-15.6 and 35 $/GB", "no cost is reported", "2019 list prices"],
];

/// Runs every probe that has a published number.
pub fn verdicts() -> Outcome<Vec<Verdict>> {
    let bar = progress::bar("micro-benchmarks");
    let calibrated = interrupt::ending_at_once(|| calibrate(&|share| progress::show(&bar, share)));
    bar.finish_and_clear();
    let calibrated = calibrated?;
    let mut verdicts: Vec<Verdict> = SERVICES
        .iter()
        .filter_map(|(name, id, ns)| service(name, *ns, calibrated.iter().find(|row| row.point.id == *id)?))
        .collect();
    verdicts.extend(in_flight(&calibrated));
    verdicts.splice(0..0, calibrated.into_iter().map(|row| verdict(row, Role::Calibrated)));
    verdicts
        .extend(interrupt::ending_at_once(further)?.into_iter().map(|row| verdict(row, Role::Calibrated)));
    verdicts.extend(interrupt::ending_at_once(ratings)?.into_iter().map(|row| verdict(row, Role::Predicted)));
    Ok(verdicts)
}

/// Published numbers of memory that are not simulated.
pub fn unsimulated() -> Vec<Unsimulated> {
    let row = |row: [&str; 4]| {
        let [name, published, reason, source] = row.map(str::to_owned);
        Unsimulated { name, published, reason, source }
    };
    UNSIMULATED.into_iter().map(row).collect()
}

fn verdict(row: Calibrated, role: Role) -> Verdict {
    let Calibrated { point, simulated, error_percent, .. } = row;
    let deviation = DEVIATIONS.iter().find(|(id, _)| *id == point.id);
    let tolerance = deviation.map_or(0.0, |(_, deviation)| deviation / point.low * 100.0);
    let unit = point.unit();
    let verdict = judged(
        (point.id, unit, point.source),
        [point.low, point.high],
        (simulated, error_percent),
        (tolerance.max(USUAL_TOLERANCE_PERCENT), role),
    );
    Verdict { note: point.note, ..verdict }
}

/// The time for which a bandwidth in GB/s, bytes per nanosecond, keeps the media busy with one line.
fn service(name: &str, [low, high]: [f64; 2], row: &Calibrated) -> Option<Verdict> {
    let simulated = (row.simulated > 0.0).then(|| MEDIA_LINE_BYTES / row.simulated)?;
    let nearest = simulated.clamp(low, high);
    let error = (simulated / nearest - 1.0) * 100.0;
    let labels = (name.to_owned(), "ns", format!("derived from {}: {}", row.point.id, row.point.source));
    Some(judged(labels, [low, high], (simulated, error), (USUAL_TOLERANCE_PERCENT, Role::Calibrated)))
}

/// Lines in flight that a bandwidth in GB/s and a latency in ns make together.
fn in_flight(rows: &[Calibrated]) -> Option<Verdict> {
    let (name, ids, published) = IN_FLIGHT;
    let [bandwidth, latency] = ids.map(|id| rows.iter().find(|row| row.point.id == id));
    let (bandwidth, latency) = (bandwidth?, latency?);
    let simulated = bandwidth.simulated * latency.simulated / LINE_BYTES;
    let error = (simulated / published - 1.0) * 100.0;
    let labels =
        (name.to_owned(), "lines", format!("derived from {}: {}", ids.join(" and "), bandwidth.point.source));
    Some(judged(labels, [published; 2], (simulated, error), (USUAL_TOLERANCE_PERCENT, Role::Calibrated)))
}

fn judged(
    (name, unit, source): (String, &str, String),
    published: [f64; 2],
    (simulated, error_percent): (f64, f64),
    (tolerance_percent, role): (f64, Role),
) -> Verdict {
    Verdict {
        name,
        unit: unit.to_owned(),
        published,
        simulated: Some(simulated),
        error_percent: Some(error_percent),
        tolerance_percent,
        role,
        source,
        passes: error_percent.abs() <= tolerance_percent,
        note: None,
    }
}
