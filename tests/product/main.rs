//! The program as a user runs it: verbs, files, JSON keys, bad input.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod choose;
mod lines;
mod measure;
mod process;
mod replay;
mod report;
mod study;
mod traces;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A degree at which a whole comparison takes a second.
const SMALL: [&str; 7] = ["--degree", "1024", "--primes", "60,30,30,60", "--insecure", "--batch", "32"];

fn hetier(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hetier"));
    command.env("HETIER_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = hetier(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fail(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = hetier(folder, arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn compare(folder: &Path, more: &[&str]) -> Value {
    let arguments: Vec<&str> =
        ["compare", "digits", "--json"].into_iter().chain(SMALL).chain(more.iter().copied()).collect();
    serde_json::from_str(&succeed(folder, &arguments)).unwrap()
}

/// Names of all files below a folder, with their bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
