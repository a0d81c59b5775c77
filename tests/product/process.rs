//! The program as a process: usage, standard streams, files that cannot be written.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{SMALL, fail, files, succeed};

#[test]
fn unknown_names_are_wrong_usage_and_list_what_there_is() {
    let folder = TempDir::new().unwrap();
    for (arguments, expected) in [
        (vec!["record", "digitz", "-o", "x"], "digits"),
        (vec!["compare", "--system", "optane-slize"], "optane-slice"),
        (vec!["compare", "--modes", "memorymode"], "memory-mode"),
    ] {
        let (code, message) = fail(folder.path(), &arguments);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn files_of_another_kind_are_refused_by_what_they_are() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &[&["record", "digits", "-o", "d.trace"][..], &SMALL].concat());
    std::fs::write(folder.path().join("t.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    for (arguments, expected) in [
        (&["plot", "d.trace"][..], "found a binary trace, need a result"),
        (&["script", "--parse", "d.trace", "-o", "x"], "found a binary trace, need its text"),
        (&["replay", "t.gz", "--bare", "--format", "dinero"], "unpack it first"),
    ] {
        let (code, message) = fail(folder.path(), arguments);
        assert!(code == Some(1) && message.contains(expected), "{message}");
    }
}

#[test]
fn folders_that_cannot_be_written_to_are_refused_where_the_command_line_names_them() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("taken"), "mine").unwrap();
    for (arguments, expected) in [
        (["--cache", "taken/cache", "list", "modes"], "--cache: writing to taken/cache"),
        (["calibrate", "-o", "none/c.md", "--json"], "found no folder none"),
    ] {
        let (code, message) = fail(folder.path(), &arguments);
        assert!(code == Some(1) && message.contains(expected), "{message}");
    }
    assert_eq!(files(folder.path()), [("taken".to_owned(), b"mine".to_vec())]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_replay_ends_with_code_130() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["record", "digits", "-o", "d.trace"]);
    let replay = ["replay", "d.trace", "--mode", "memory-mode", "--fidelity", "line", "--seeds", "50"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_hetier"))
        .current_dir(folder.path())
        .args(replay)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // A signal before the handler is there ends the process without a code.
    std::thread::sleep(std::time::Duration::from_secs(1));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();

    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// A trace of 2·10¹⁶ calls in a pyramid, of which 1.25·10¹¹ ranges have to be looked at one by one.
#[cfg(unix)]
const ENDLESS: &str = r#"hetier-trace 1
array a0 "a" ciphertext [1] capacity 64 used 64
macro m0 "touch" limbs 1 (in-out ciphertext 8) { }
phase "p" "o" server {
  alloc a0[0]
  loop (v0 in 0..500000, v1 in 0..v0, v2 in 0..v1) { call m0(a0[0]) }
}
"#;

#[cfg(unix)]
#[test]
fn facts_that_take_for_ever_end_with_the_first_interrupt() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("endless.txt"), ENDLESS).unwrap();
    succeed(folder.path(), &["script", "--parse", "endless.txt", "-o", "endless.trace"]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_hetier"))
        .current_dir(folder.path())
        .args(["info", "endless.trace"])
        .spawn()
        .unwrap();
    // A signal before the handler is there ends the process without a code.
    std::thread::sleep(std::time::Duration::from_secs(1));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();

    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let mut ended = child.try_wait().unwrap();
    while ended.is_none() && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(50));
        ended = child.try_wait().unwrap();
    }
    // It may have ended by itself.
    let _ = child.kill();
    assert_eq!(ended.and_then(|status| status.code()), Some(130));
}

#[cfg(unix)]
#[test]
fn an_export_that_is_asked_to_end_leaves_no_partial_file() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["record", "digits", "-o", "d.trace"]);
    let export = ["export", "d.trace", "--format", "ramulator2", "--max-lines", "1000000000", "-o", "x.e"];
    for signal in ["-INT", "-TERM", "-HUP"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hetier"))
            .current_dir(folder.path())
            .args(export)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // The partial file shows that the work is under way.
        wait_until(|| folder.path().read_dir().unwrap().count() > 1);
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();

        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}");
        let names: Vec<String> = files(folder.path()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["d.trace"], "{signal}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_ignores_hangups_outlives_its_terminal() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["record", "digits", "-o", "d.trace"]);
    let hetier = env!("CARGO_BIN_EXE_hetier");
    let mut child = Command::new("nohup")
        .current_dir(folder.path())
        .args([hetier, "export", "d.trace", "--format", "ramulator2", "--max-lines", "300000", "-o", "x.e"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until(|| folder.path().read_dir().unwrap().count() > 1);
    Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();

    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(folder.path().join("x.e").exists());
}

#[cfg(unix)]
#[test]
fn an_interrupt_between_traces_tells_which_folders_are_complete() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &[&["record", "digits", "-o", "a.trace"][..], &SMALL].concat());
    succeed(folder.path(), &["record", "cryptonets", "-o", "b.trace"]);
    let child = Command::new(env!("CARGO_BIN_EXE_hetier"))
        .current_dir(folder.path())
        .args(["compare", "a.trace", "b.trace", "--fidelity", "line", "--modes", "memory-mode", "-o", "out"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(|| folder.path().join("out/a/a.trace").exists());
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ended = child.wait_with_output().unwrap();

    assert_eq!(ended.status.code(), Some(130));
    let message = String::from_utf8(ended.stderr).unwrap();
    assert!(message.trim_end().ends_with("out/a was written before"), "{message}");
    assert!(folder.path().join("out/a/report.html").exists() && !folder.path().join("out/b").exists());
}

/// Waits for what another process does, a minute at most.
#[cfg(unix)]
fn wait_until(is_so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "it does not come");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn output_that_cannot_be_written_fails_before_the_work_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("taken"), "mine").unwrap();

    let (code, message) = fail(folder.path(), &["compare", "-o", "taken/out"]);

    assert_eq!(code, Some(1));
    assert!(message.contains("taken"), "{message}");
    assert_eq!(files(folder.path()), [("taken".to_owned(), b"mine".to_vec())]);
}

#[test]
fn a_reader_of_standard_error_that_closes_changes_no_exit_code() {
    use std::process::Stdio;

    let mut child = Command::new(env!("CARGO_BIN_EXE_hetier"))
        .args(["replay", "nowhere.trace"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());

    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_reader_that_closes_early_is_no_failure_and_a_full_disk_is_one() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &[&["record", "digits", "-o", "d.trace"][..], &SMALL].concat());
    let run = |arguments: &[&str], stdout: std::process::Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hetier"));
        let command = command.current_dir(folder.path()).args(arguments);
        command.stdout(stdout).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };

    let sweep = ["sweep", "d.trace", "--modes", "dram-only", "--fidelity", "stream", "--sample", "0.1"];
    for arguments in [&["list", "networks"][..], &sweep] {
        let mut closed = run(arguments, std::process::Stdio::piped());
        drop(closed.stdout.take());
        let closed = closed.wait_with_output().unwrap();
        assert!(closed.status.success() && closed.stderr.is_empty(), "{closed:?}");
    }
    let full =
        run(&["list", "networks"], std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into());
    let full = full.wait_with_output().unwrap();

    assert_eq!(full.status.code(), Some(1));
    let message = String::from_utf8(full.stderr).unwrap();
    assert!(message.starts_with("error: writing to standard output: No space left"), "{message}");
}

#[test]
fn every_shelf_is_listed_with_a_line_about_each_entry() {
    let folder = TempDir::new().unwrap();
    for shelf in ["networks", "systems", "devices", "modes", "placements", "figures"] {
        let listed: Value =
            serde_json::from_str(&succeed(folder.path(), &["list", shelf, "--json"])).unwrap();
        let entries = listed["entries"].as_array().unwrap();
        assert!(entries.len() >= 4, "{shelf}");
        assert!(entries.iter().all(|entry| entry["summary"].as_str().unwrap().len() > 8), "{shelf}");
    }
}
