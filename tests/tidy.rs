//! The repository's own rules.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file below a folder.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn crates_import_only_along_the_arrows() {
    let arrows: [(&str, &[&str]); 4] =
        [("traces", &[]), ("workloads", &["traces"]), ("sim", &["traces"]), ("reports", &["sim"])];
    for (crate_name, allowed) in arrows {
        let manifest = read(&format!("{crate_name}/Cargo.toml"));
        for other in ["traces", "workloads", "sim", "reports"] {
            let imports = manifest.contains(&format!("hetier-{other}.workspace"));
            assert_eq!(imports, allowed.contains(&other), "{crate_name} and {other}");
        }
    }
}

#[test]
fn reports_never_simulate() {
    for path in sources("reports/src") {
        let text = fs::read_to_string(&path).unwrap();
        let uses = text.match_indices("hetier_sim::").map(|(at, _)| &text[at + "hetier_sim::".len()..]);
        for used in uses {
            let is_result = ["result", "toml_error"].iter().any(|module| used.starts_with(module));
            assert!(is_result, "{}: hetier_sim::{}", path.display(), &used[..used.len().min(40)]);
        }
    }
}

#[test]
fn every_shelf_file_is_on_its_list() {
    for (folder, extension, list) in [
        ("sim/devices", "toml", "sim/src/device/shipped.rs"),
        ("sim/systems", "toml", "sim/src/system/shipped.rs"),
        ("sim/src/mode", "rs", "sim/src/mode/mod.rs"),
        ("sim/src/placement", "rs", "sim/src/placement/mod.rs"),
        ("workloads/src/layer", "rs", "workloads/src/layer/mod.rs"),
        ("workloads/src/network", "rs", "workloads/src/network/mod.rs"),
        ("src/command", "rs", "src/command/mod.rs"),
    ] {
        let list = read(list);
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.extension().is_some_and(|found| found == extension) && stem != "mod" && stem != "tests" {
                assert!(list.contains(&stem), "{folder}/{stem} is not listed");
            }
        }
    }
}

#[test]
fn verbs_that_documents_name_exist() {
    let help = |verb: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_hetier")).args([verb, "--help"]).output().unwrap();
        output.status.success()
    };
    for document in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "ARCHITECTURE.md"] {
        for line in read(document).lines() {
            for marker in ["`hetier ", "    hetier ", "--release -- "] {
                for (at, _) in line.match_indices(marker) {
                    let verb: String =
                        line[at + marker.len()..].chars().take_while(|c| c.is_alphanumeric()).collect();
                    assert!(help(&verb), "{document} names `hetier {verb}`");
                }
            }
        }
    }
}

#[test]
fn no_source_allows_a_lint_silently_or_leaves_a_note_to_do() {
    for folder in ["src", "traces/src", "workloads/src", "sim/src", "reports/src"] {
        for path in sources(folder) {
            let text = fs::read_to_string(&path).unwrap();
            for forbidden in ["#[allow(", "#![allow(", "TODO", "FIXME", "#[ignore"] {
                assert!(!text.contains(forbidden), "{}: {forbidden}", path.display());
            }
        }
    }
}
