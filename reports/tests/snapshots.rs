//! Every figure and table of a small fixed set of results equals its snapshot, byte for byte.
//!
//! The results in `tests/results/` have made-up numbers that exercise every part of the drawings. After a wanted
//! change run `UPDATE_SNAPSHOTS=1 cargo test -p hetier-reports` and look at each figure before committing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

use hetier_reports::comparison::{Accuracy, TraceFacts};
use hetier_reports::{Comparison, Facts, HostTimes, OutputFile, compare_report, comparison, difference};
use hetier_sim::result::RunResult;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn results() -> Vec<RunResult> {
    let read = |mode: &str| {
        let text = fs::read_to_string(folder("results").join(mode).with_extension("json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    ["dram-only", "memory-mode", "app-direct", "pmem-only"].map(read).to_vec()
}

fn facts() -> Facts {
    Facts {
        network: Some("digits".to_owned()),
        security: Some("128".to_owned()),
        images: Some(500),
        slots: Some(4096),
        accuracy: Accuracy { encrypted: Some(0.988), clear: Some(0.988) },
        agreement: Some(1.0),
        max_output_error: Some(3.2e-5),
        trace: TraceFacts {
            bytes: 34_000,
            objects: 412,
            peak_footprint_bytes: 78_000_000,
            logical_read_bytes: 900_000_000,
            logical_write_bytes: 400_000_000,
        },
    }
}

fn assert_snapshot(name: &str, found: &[u8]) {
    let path = folder("snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read(&path).unwrap_or_default();
    assert!(expected == found, "{name} differs from its snapshot (UPDATE_SNAPSHOTS=1 rewrites it)");
}

#[test]
fn a_report_equals_its_snapshot_file_by_file() {
    let files = compare_report(&results(), &facts()).unwrap();

    // Results are numbers of the machine that ran; a PDF follows from its SVG, whose text differs with the converter.
    let is_kept =
        |file: &&OutputFile| !file.path.extension().is_some_and(|kind| kind == "json" || kind == "pdf");
    for file in files.iter().filter(is_kept) {
        assert_snapshot(file.path.to_str().unwrap(), &file.bytes);
    }
    assert_eq!(files, compare_report(&results(), &facts()).unwrap());
}

#[test]
fn the_tables_for_the_terminal_equal_their_snapshots() {
    let results = results();

    assert_snapshot("comparison.txt", comparison::table(&results).transposed().to_text().as_bytes());
    assert_snapshot("difference.txt", difference::table(&results[0], &results[1]).to_text().as_bytes());
}

#[test]
fn the_comparison_has_the_keys_that_other_tools_rely_on() {
    let host = HostTimes { replays: vec![1.5], inference_seconds: Some(10.0) };
    let comparison = Comparison::new(&results(), &facts(), &host);

    let json = serde_json::to_string_pretty(&comparison).unwrap();

    assert_snapshot("comparison.json", json.as_bytes());
    assert_eq!(serde_json::from_str::<Comparison>(&json).unwrap(), comparison);
}

#[test]
fn the_page_names_no_other_host() {
    let files = compare_report(&results(), &facts()).unwrap();

    let page = String::from_utf8(files[0].bytes.clone()).unwrap();

    assert_eq!(files[0].path, Path::new("report.html"));
    for reference in ["http:", "https:", "src=", "<link", "@import", "url(//"] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn every_drawing_is_one_column_wide_and_has_its_numbers() {
    let files = compare_report(&results(), &facts()).unwrap();

    for svg in files.iter().filter(|file| file.path.extension().is_some_and(|extension| extension == "svg")) {
        let text = std::str::from_utf8(&svg.bytes).unwrap();
        assert!(text.starts_with("<svg width=\"3.33in\""), "{}", svg.path.display());
        assert!(!text.contains("NaN"), "{}", svg.path.display());
        assert!(
            files.iter().any(|file| file.path == svg.path.with_extension("csv")),
            "{}",
            svg.path.display()
        );
        let has_pdf = files
            .iter()
            .any(|file| file.path == svg.path.with_extension("pdf") && file.bytes.starts_with(b"%PDF-"));
        assert_eq!(has_pdf, cfg!(feature = "pdf"), "{}", svg.path.display());
    }
}
