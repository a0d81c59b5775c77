use proptest::prelude::*;

use super::*;
use crate::error::{Error, Result};
use crate::{Range, Trace, random};

/// The example of the module's documentation.
const EXAMPLE: &str = r#"
hetier-trace 1
fact "network" = "digits"
array a0 "conv1.output" ciphertext [8] capacity 262144 used 196608
array a1 "weights" scalar [74] capacity 64 used 24
view a2 "flat" { a0[0] step 1 count 8 }
macro m0 "multiply-scalar" limbs 3 (in-out ciphertext 196608, input scalar 24) {
  sweep {
    update p0 @0 +196608
    read p1 @0 +24
    work multiply-constant 24576
  }
}
phase "conv1" "Convolution" server {
  alloc a0[0] x 8
  parallel (v0 in 0..8, v1 in max(0, 1 - v0)..min(3, 9 - v0)) {
    call m0(a0[v0], a1[9*v0 + v1])
  }
}
"#;

fn written(trace: &Trace) -> String {
    let mut text = String::new();
    dump(&mut text, trace).unwrap();
    text
}

fn refusal(text: &str) -> String {
    let refused: Result<Trace> = parse(text);
    assert!(matches!(refused, Err(Error::Syntax { .. })), "{refused:?}");
    refused.unwrap_err().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_traces_parse_back_equal(seed: u64) {
        let trace = random::trace(seed);

        prop_assert_eq!(parse(&written(&trace)).unwrap(), trace);
    }

    #[test]
    fn cut_or_changed_text_never_panics(seed: u64, at: prop::sample::Index, letter: char) {
        let text = written(&random::trace(seed));
        let mut letters: Vec<char> = text.chars().collect();
        let at = at.index(letters.len());
        letters[at] = letter;
        let changed: String = letters.iter().collect();
        let cut: String = letters[..at].iter().collect();

        drop(parse(&changed));
        drop(parse(&cut));
    }
}

#[test]
fn the_example_means_what_it_says_and_is_written_back() {
    let trace = parse(EXAMPLE).unwrap();

    assert_eq!(parse(&written(&trace)).unwrap(), trace);
    let lines: Vec<String> =
        written(&trace).lines().map(|line| line.split("  #").next().unwrap_or("").to_owned()).collect();
    assert_eq!(lines.join("\n"), EXAMPLE.trim());
    let crate::Body::Parallel { nest, .. } = &trace.phases[0].body[1] else {
        panic!("the second body is a loop")
    };
    assert_eq!(nest[0], Range::count(8));
}

#[test]
fn errors_tell_line_and_column() {
    let in_example = |from: &str, to: &str| refusal(&EXAMPLE.replacen(from, to, 1));

    assert_eq!(refusal(""), "1:1: found the end of the text, need hetier-trace");
    assert_eq!(refusal("hetier-trace 2"), "1:14: found version 2 of the text form, need 1");
    assert_eq!(
        refusal("hetier-trace 1\n  bogus"),
        "2:3: found bogus, need fact, array, view, macro or phase"
    );
    assert!(
        in_example("scalar [74]", "number [74]").starts_with("5:20: found number, need a class: ciphertext,")
    );
    assert_eq!(in_example("a0[v0]", "a0[v0"), "17:18: found ,, need ]");
    assert_eq!(
        in_example("v1 in", "v2 in"),
        "16:25: found v2, need v1: variables count from the outermost loop"
    );
    assert_eq!(in_example("array a1", "array a3"), "5:7: found a3, need a1: numbers go up from 0");
    assert_eq!(in_example("\"digits\"", "\"digits"), "3:18: found a string without its end, need a quote");
    assert_eq!(in_example("+24\n", "+24 strided 5 by 6\n").split(':').next(), Some("7"));
    assert!(
        in_example("alloc a0[0] x 8", "alloc a0[1] x 8")
            .starts_with("15:3: conv1: conv1.output: found index 8")
    );
    assert_eq!(refusal("hetier-trace 99999999999999999999"), "1:14: found a number beyond 64 bits");
}

#[test]
fn a_fact_stated_twice_is_refused_at_its_second_line() {
    let stated =
        |key: &str| EXAMPLE.replacen("array a0", &format!("fact \"{key}\" = \"lenet5\"\narray a0"), 1);

    assert_eq!(parse(&stated("producer")).unwrap().header.facts["network"], "digits");
    assert_eq!(refusal(&stated("network")), "4:6: found a second fact \"network\", need each once");
}

#[test]
fn differences_of_variables_need_no_blanks() {
    let tight = EXAMPLE.replace("9*v0 + v1", "9*v0+v1-v1").replace("1 - v0", "1-v0");

    assert_eq!(parse(&tight.replace("a1[9*v0+v1-v1]", "a1[9*v0 + v1]")).unwrap(), parse(EXAMPLE).unwrap());
    assert!(parse(&tight).is_ok());
}

#[test]
fn bodies_nested_too_deeply_are_refused() {
    let nested = |depth: usize| {
        let (open, close) = ("fork { {".repeat(depth), "} }".repeat(depth));
        format!("hetier-trace 1 phase \"p\" \"o\" server {{ {open} {close} }}")
    };

    assert!(parse(&nested(64)).is_ok());
    assert!(refusal(&nested(65)).contains("nested more than 64 deep"));
    assert!(refusal(&nested(100_000)).contains("nested more than 64 deep"));
}
