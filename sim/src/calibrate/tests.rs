//! The calibration points, and how near the simulation is to them.

use super::*;

/// Points of one DIMM and its latencies: the quick ones. `hetier calibrate` runs all.
fn quick(point: &Point) -> bool {
    matches!(point.probe.as_str(), "latency" | "hotspot") && point.tier == "pmem"
}

#[test]
fn every_point_names_a_probe_and_a_system_that_exist() {
    let points = points().expect("the shipped file reads");
    assert!(points.len() >= 50);
    for point in points {
        assert!(System::load(&point.system).is_ok(), "{}", point.id);
        assert!(
            ["latency", "bandwidth", "hotspot", "loaded"].contains(&point.probe.as_str()),
            "{}",
            point.id
        );
        assert!(point.low <= point.high && !point.source.is_empty(), "{}", point.id);
    }
}

#[test]
fn latencies_of_pmem_are_within_ten_percent_but_for_the_documented_one() {
    use rayon::prelude::*;
    let points: Vec<Point> = points().expect("the shipped file reads").into_iter().filter(quick).collect();
    let table: Vec<Calibrated> =
        points.into_par_iter().map(|point| measure(point).expect("it runs")).collect();

    for row in &table {
        let is_documented = row.point.id == "m1-idle-sequential";
        assert!(row.error_percent.abs() <= 10.0 || is_documented, "{} {}", row.point.id, row.error_percent);
    }
    assert!(median_error(&table) <= 3.0);
    assert!(markdown(&table).contains(
        "| m2-chase-4KiB | optane-1dimm | latency pmem load, chase, 64 B at a time, in 4KiB | mean latency (ns) | 174.8 |"
    ));
}

#[test]
fn an_error_counts_from_the_nearer_end_of_a_range() {
    let table = [1.0, -4.0, 2.0].map(|error_percent| {
        let point = points().expect("the shipped file reads").remove(0);
        Calibrated { point, simulated: 0.0, spread: None, error_percent }
    });
    assert_eq!(median_error(&table), 2.0);
    assert_eq!(number(174.81), "174.8");
    assert_eq!(number(0.2451), "0.2451");
    assert_eq!(number(51_576.0), "51576");
}
