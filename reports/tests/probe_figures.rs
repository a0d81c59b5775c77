//! The figures of micro-benchmarks equal their snapshots, byte for byte.
//!
//! The numbers are made up. `UPDATE_SNAPSHOTS=1` rewrites the snapshots; look at them before committing.

use std::path::Path;

use hetier_reports::figure::{Curve, Figure, Measured, PROBE_FIGURES, draw};

fn curves(points: [&[(f64, f64)]; 2]) -> Vec<Curve> {
    let curve =
        |(label, points): (&str, &[(f64, f64)])| Curve { label: label.to_owned(), points: points.to_vec() };
    ["load", "ntstore, 256 B"].into_iter().zip(points).map(curve).collect()
}

fn data(name: &str) -> Measured {
    let on =
        "xeon-8260-optane, pmem, sequential blocks, region of 1 GiB, all channels of each socket".to_owned();
    Measured { on, curves: curves_of(name) }
}

fn curves_of(name: &str) -> Vec<Curve> {
    let kib = 1024.0;
    match name {
        "latency-over-region" => curves([
            &[(4.0 * kib, 105.0), (64.0 * kib, 140.0), (kib * kib, 210.5), (kib * kib * kib, 350.0)],
            &[(4.0 * kib, 95.0), (kib * kib * kib, 96.0)],
        ]),
        "bandwidth-over-threads" => curves([
            &[(1.0, 2.5), (2.0, 4.9), (4.0, 6.5), (24.0, 6.6)],
            &[(1.0, 2.1), (4.0, 2.3), (24.0, 1.2)],
        ]),
        "bandwidth-over-access" => {
            curves([&[(64.0, 1.6), (256.0, 6.4), (4096.0, 6.6)], &[(64.0, 0.6), (256.0, 2.3), (4096.0, 2.2)]])
        }
        "overwrite-tail" => curves([
            &[(2.0, 265.0), (100.0, 270.0), (1e4, 280.0), (1e5, 51_000.0)],
            &[(2.0, 160.0), (1e5, 200.0)],
        ]),
        _ => curves([
            &[(1.0, 81.0), (60.0, 90.0), (105.0, 140.0), (108.0, 420.0)],
            &[(1.0, 81.0), (80.0, 300.0)],
        ]),
    }
}

#[test]
fn every_probe_figure_equals_its_snapshot() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/probes");
    for figure in PROBE_FIGURES {
        let drawn = draw(&[figure as &dyn Figure<Measured>], &data(figure.name()));
        let [drawing] = &drawn[..] else { panic!("{} draws nothing", figure.name()) };
        assert!(drawing.svg.starts_with("<svg width=\"3.33in\"") && !drawing.svg.contains("NaN"));
        assert_eq!(
            drawing.svg.matches("xeon-8260-optane, pmem").count(),
            2,
            "drawn, and told to who cannot see it"
        );
        assert!(drawing.csv.lines().nth(1).unwrap().starts_with("\"xeon-8260-optane, pmem, "));
        for (extension, found) in [("svg", &drawing.svg), ("csv", &drawing.csv)] {
            let path = folder.join(figure.name()).with_extension(extension);
            if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, found).unwrap();
            }
            let expected = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(expected == *found, "{} differs (UPDATE_SNAPSHOTS=1 rewrites it)", path.display());
        }
    }
}

#[test]
fn no_point_draws_nothing() {
    assert!(draw(&[PROBE_FIGURES[0] as &dyn Figure<Measured>], &Measured::default()).is_empty());
}
