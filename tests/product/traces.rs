//! `record`, `script` and files of traces.

use serde_json::Value;
use tempfile::TempDir;

use super::{SMALL, fail, hetier, succeed};

#[test]
fn shaped_trace_has_the_same_facts_as_the_recorded_one() {
    let folder = TempDir::new().unwrap();
    let record = |how: &str, name: &str| {
        let arguments: Vec<&str> = ["record", "digits", how, "-o", name].into_iter().chain(SMALL).collect();
        succeed(folder.path(), &arguments);
        serde_json::from_str::<Value>(&succeed(folder.path(), &["info", "--json", name])).unwrap()
    };

    let (real, shaped) = (record("--execute", "real.trace"), record("--shape", "shaped.trace"));

    for key in ["objects", "peak_footprint_bytes", "line_accesses", "operations", "primitives", "phases"] {
        assert!(!real[key].is_null(), "{key}");
        assert_eq!(real[key], shaped[key], "{key}");
    }
}

#[test]
fn recorded_traces_are_placed_and_sampled_as_shaped_ones() {
    let folder = TempDir::new().unwrap();
    let how =
        "--mode app-direct --placement by-density --dram-fraction 0.4 --fidelity stream --sample 0.1 --json";
    let replay = |recorded: &str| {
        let record: Vec<&str> =
            ["record", "digits", recorded, "-o", "d.trace"].into_iter().chain(SMALL).collect();
        succeed(folder.path(), &record);
        let replay: Vec<&str> = ["replay", "d.trace"].into_iter().chain(how.split(' ')).collect();
        serde_json::from_str::<Value>(&succeed(folder.path(), &replay)).unwrap()
    };

    let (real, shaped) = (replay("--execute"), replay("--shape"));

    for key in ["simulated_seconds", "sampled_share", "devices"] {
        assert!(!real[key].is_null(), "{key}");
        assert_eq!(real[key], shaped[key], "{key}");
    }
}

#[test]
fn script_parses_back_to_the_same_trace() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["record", "lenet5", "-o", "a.trace"]);
    succeed(folder.path(), &["script", "a.trace", "-o", "a.txt"]);
    succeed(folder.path(), &["script", "--parse", "a.txt", "-o", "b.trace"]);

    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();

    assert_eq!(read("a.trace"), read("b.trace"));
    assert!(read("a.trace").len() <= 100_000);
}

#[test]
fn insecure_parameters_are_refused_with_limit_and_cure() {
    let folder = TempDir::new().unwrap();
    let arguments = ["record", "digits", "--degree", "2048", "--primes", "60,30,30,60", "-o", "x"];

    let (code, message) = fail(folder.path(), &arguments);

    assert_eq!(code, Some(1));
    assert!(message.contains("54") && message.contains("degree 8192"), "{message}");
}

#[test]
fn damaged_traces_are_refused_with_the_place() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["record", "digits", "-o", "d.trace"]);
    let whole = std::fs::read(folder.path().join("d.trace")).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for bytes in [&whole[..whole.len() / 2], &whole[..whole.len() - 1], &flipped, b"not a trace"] {
        std::fs::write(folder.path().join("bad.trace"), bytes).unwrap();
        let (code, message) = fail(folder.path(), &["replay", "bad.trace", "-o", "r.json"]);
        assert_eq!(code, Some(1));
        assert!(message.contains("bad.trace") && message.contains("byte"), "{message}");
    }
    assert!(!folder.path().join("r.json").exists());
}

#[test]
fn labels_of_no_class_are_refused_before_the_run() {
    let folder = TempDir::new().unwrap();
    let idx = |name: &str, extents: &[u32], data: &[u8]| {
        let extents_bytes: Vec<u8> = extents.iter().flat_map(|extent| extent.to_be_bytes()).collect();
        let magic = [0, 0, 8, extents.len() as u8];
        std::fs::write(folder.path().join(name), [&magic[..], &extents_bytes, data].concat()).unwrap();
    };
    idx("images", &[2, 8, 8], &[0; 128]);
    idx("labels", &[2], &[9, 99]);

    let (code, message) =
        fail(folder.path(), &["compare", "digits", "--images", "images", "--labels", "labels"]);

    assert_eq!(code, Some(1));
    assert!(message.contains("labels: found label 99 of image 1, need 0 to 9"), "{message}");
}

#[test]
fn names_of_phases_and_operations_reach_no_terminal_raw() {
    let folder = TempDir::new().unwrap();
    let text = "hetier-trace 1\narray a0 \"a\" ciphertext [1] capacity 64 used 64\n\
                macro m0 \"touch\" limbs 1 (in-out ciphertext 64) { }\n\
                phase \"p\\u001b[31m\" \"o\\u0007\" server { alloc a0[0] call m0(a0[0]) }\n";
    std::fs::write(folder.path().join("t.txt"), text).unwrap();
    succeed(folder.path(), &["script", "--parse", "t.txt", "-o", "t.trace"]);

    for arguments in [&["info", "t.trace"][..], &["replay", "t.trace"], &["replay", "t.trace", "--phases"]] {
        let told = succeed(folder.path(), arguments);
        assert!(told.contains(r"\u{7}"), "{told}");
        assert!(told.lines().all(|line| !line.contains(char::is_control)), "{told:?}");
    }
}

#[test]
fn scale_is_that_of_the_second_last_prime_unless_it_is_given() {
    let folder = TempDir::new().unwrap();
    let scale = |more: &[&str]| -> String {
        let primes = ["--degree", "1024", "--primes", "60,31,24,31,60", "--insecure", "-o", "d.trace"];
        succeed(folder.path(), &[&["record", "digits"][..], &primes, more].concat());
        let text = succeed(folder.path(), &["info", "d.trace"]);
        let line = text.lines().find(|line| line.starts_with("scale")).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };

    assert_eq!(scale(&[]), "2^31");
    assert_eq!(scale(&["--scale-bits", "28"]), "2^28");
}

#[test]
fn parameters_without_room_or_precision_are_refused_by_shape_and_run_alike() {
    let folder = TempDir::new().unwrap();
    for (degree, primes, advice) in [
        ("8192", "60,60,30,60", "60,30,30,60"),
        ("16384", "60,50,30,60", "60,30,30,60"),
        ("8192", "33,30,30,30,33", "33,30,30,30,30,33"),
    ] {
        let parameters = ["digits", "--degree", degree, "--primes", primes];
        let [shape, run] = [&["-o", "x"][..], &["--execute", "-o", "x"]]
            .map(|more| fail(folder.path(), &[&["record"], &parameters[..], more].concat()));
        let compared = fail(folder.path(), &[&["compare"], &parameters[..]].concat());

        assert_eq!(shape.0, Some(1));
        assert!(shape.1.contains(&format!("such as {advice}")), "{}", shape.1);
        assert_eq!((&run, &compared), (&shape, &shape));
    }
}

#[test]
fn outputs_that_outgrow_the_modulus_are_warned_of_by_record_and_compare() {
    let folder = TempDir::new().unwrap();
    // Sums of 112 squares of up to 90, where the last level has room for 2⁹.
    let weights = serde_json::json!({
        "conv1.weights": vec![10.0; 63], "conv1.bias": vec![0.0; 7],
        "dense1.weights": vec![1.0; 1120], "dense1.bias": vec![0.0; 10],
    });
    std::fs::write(folder.path().join("w.json"), weights.to_string()).unwrap();
    for verb in [&["record", "digits", "--execute", "-o", "x.trace"][..], &["compare", "digits"]] {
        let told = |more: &[&str]| {
            let output = hetier(folder.path(), &[verb, &SMALL, more].concat());
            assert!(output.status.success());
            String::from_utf8(output.stderr).unwrap()
        };

        assert!(
            told(&["--weights", "w.json"]).contains("warning: the largest difference from the clear model")
        );
        assert!(!told(&[]).contains("warning: the largest difference"));
    }
}
