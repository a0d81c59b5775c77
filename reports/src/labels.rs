//! Names for results that stand side by side: as short as tells them apart.

use std::collections::BTreeSet;

use hetier_sim::result::RunResult;

use crate::units::binary_bytes;

/// A setting that may tell two results apart; `None` where it does not apply.
type Setting = fn(&RunResult) -> Option<String>;

/// Whether a setting is the mode's own or means the same in every mode.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Own,
    Shared,
}

/// From the most to the least telling, before [`others`]. The mode or the run of a study is always shown.
const SETTINGS: [(Scope, Setting); 8] = [
    (Scope::Shared, |result| Some(result.system.clone())),
    (Scope::Shared, |result| result.network.clone()),
    (Scope::Own, dram),
    (Scope::Own, |result| near_start(result).map(ToOwned::to_owned)),
    (Scope::Own, |result| (result.mode == "app-direct").then(|| result.placement.clone())),
    (Scope::Shared, |result| Some(format!("{} threads", result.threads))),
    (Scope::Shared, |result| Some(result.fidelity.clone())),
    (Scope::Shared, |result| Some(format!("seed {}", result.seed))),
];

/// Settings that a mode has of its own: results of other modes may differ in them and still be compared.
const OWN: [&str; 6] = ["mode", RUN, "dram", "near_memory", "placement", "write_miss_fetches"];

/// Settings that [`SETTINGS`] and the first word of a label tell.
const TOLD: [&str; 8] = ["mode", RUN, "dram", "near_memory", "placement", "threads", "fidelity", "seed"];

/// The setting that holds the name of a study's run.
const RUN: &str = "run";

/// The result of a study's run: its label begins with the run's name in place of the mode.
pub(crate) fn of_run(result: &RunResult, run: &str) -> RunResult {
    let mut named = result.clone();
    named.settings.insert(RUN.to_owned(), run.to_owned());
    named
}

/// The size of DRAM as it was asked for.
fn dram(result: &RunResult) -> Option<String> {
    let size = result.settings.get("dram")?;
    let bytes = size.strip_suffix(" bytes").and_then(|bytes| bytes.parse().ok());
    let size = bytes.map_or_else(|| size.replace(" the peak of live bytes", " peak"), binary_bytes);
    Some(format!("DRAM {size}"))
}

/// Settings that mean the same in every mode.
pub(crate) fn shared_settings(result: &RunResult) -> impl Iterator<Item = (&String, &String)> {
    result.settings.iter().filter(|(key, _)| !OWN.contains(&key.as_str()))
}

/// All settings that are not told otherwise, each as name and value: `pages random-4k`.
fn others(results: &[RunResult]) -> Vec<(Scope, Vec<Option<String>>)> {
    let keys: BTreeSet<&String> = results.iter().flat_map(|result| result.settings.keys()).collect();
    let told = |result: &RunResult, key: &str| {
        Some(format!("{} {}", key.replace('_', " "), result.settings.get(key)?))
    };
    let keys = keys.into_iter().filter(|key| !TOLD.contains(&key.as_str()));
    let values = |key: &str| results.iter().map(|result| told(result, key)).collect();
    let scope = |key: &str| if OWN.contains(&key) { Scope::Own } else { Scope::Shared };
    keys.map(|key| (scope(key), values(key))).collect()
}

/// How near memory started, `cold` or `warm`; of Memory Mode alone.
pub fn near_start(result: &RunResult) -> Option<&str> {
    result.near_memory.as_ref()?;
    result.settings.get("near_memory").map(String::as_str)
}

/// One label for each result: its mode or the name of its run, then the settings in which results differ (those of a mode
/// alone, or of runs that have names, as far as labels are alike without), and a number if none is enough.
pub fn labels(results: &[RunResult]) -> Vec<String> {
    let mut labels: Vec<String> = results.iter().map(first_word).collect();
    let is_named = results.iter().any(|result| result.settings.contains_key(RUN));
    let settings = SETTINGS.iter().map(|(scope, setting)| (*scope, results.iter().map(setting).collect()));
    for (scope, values) in settings.chain(others(results)) {
        let groups =
            if scope == Scope::Own || is_named { labels.clone() } else { vec![String::new(); labels.len()] };
        tell_apart(&mut labels, &groups, &values);
    }
    if !distinct(&labels) {
        for (number, label) in labels.iter_mut().enumerate() {
            label.push_str(&format!(" ({})", number + 1));
        }
    }
    labels
}

fn first_word(result: &RunResult) -> String {
    result.settings.get(RUN).unwrap_or(&result.mode).clone()
}

/// Adds the value of a setting to labels in whose group values differ.
fn tell_apart(labels: &mut [String], groups: &[String], values: &[Option<String>]) {
    for (at, label) in labels.iter_mut().enumerate() {
        let mut others = groups.iter().zip(values).filter(|(group, _)| **group == groups[at]);
        if let Some(value) = values[at].as_ref().filter(|_| others.any(|(_, value)| *value != values[at])) {
            label.push_str(", ");
            label.push_str(value);
        }
    }
}

/// Marks of at most five letters for crowded figures: the field's abbreviation of the mode where modes differ,
/// numbers in order otherwise.
pub fn marks(results: &[RunResult]) -> Vec<String> {
    let marks: Vec<String> = results.iter().map(|result| abbreviation(&result.mode)).collect();
    if distinct(&marks) { marks } else { (1..=results.len()).map(|number| number.to_string()).collect() }
}

/// A label as a file name: letters, digits, dots and dashes.
pub fn file_stem(label: &str) -> String {
    let mut stem = String::with_capacity(label.len());
    for letter in label.chars() {
        if letter.is_ascii_alphanumeric() || letter == '.' {
            stem.push(letter);
        } else if !stem.ends_with('-') {
            stem.push('-');
        }
    }
    stem.trim_matches(|letter| letter == '-' || letter == '.').to_owned()
}

fn abbreviation(mode: &str) -> String {
    match mode {
        "dram-only" => "DRAM".to_owned(),
        "memory-mode" => "MM".to_owned(),
        "app-direct" => "AD".to_owned(),
        "pmem-only" => "PMem".to_owned(),
        other => other.chars().take(5).collect(),
    }
}

/// Whether no text stands there twice.
pub(crate) fn distinct(texts: &[String]) -> bool {
    texts.iter().enumerate().all(|(i, text)| !texts[..i].contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(mode: &str, system: &str, threads: u32) -> RunResult {
        RunResult { mode: mode.to_owned(), system: system.to_owned(), threads, ..RunResult::default() }
    }

    #[test]
    fn labels_hold_only_what_differs() {
        let modes = [result("dram-only", "s", 1), result("memory-mode", "s", 1)];
        let threads = [result("dram-only", "s", 1), result("dram-only", "s", 4)];
        let equal = [result("dram-only", "s", 1), result("dram-only", "s", 1)];

        let placed =
            |placement: &str| RunResult { placement: placement.to_owned(), ..result("app-direct", "s", 1) };
        let placements = [result("dram-only", "t", 1), placed("by-class"), placed("first-touch")];

        let placed = ["dram-only, t", "app-direct, s, by-class", "app-direct, s, first-touch"];
        assert_eq!(labels(&placements), placed);
        assert_eq!(labels(&modes), ["dram-only", "memory-mode"]);
        assert_eq!(labels(&threads), ["dram-only, 1 threads", "dram-only, 4 threads"]);
        assert_eq!(labels(&equal), ["dram-only (1)", "dram-only (2)"]);
        assert_eq!(marks(&modes), ["DRAM", "MM"]);
        assert_eq!(marks(&equal), ["1", "2"]);
    }

    #[test]
    fn only_memory_mode_is_told_apart_by_how_near_memory_started() {
        let run = |mode: &str, start: &str| RunResult {
            settings: [("near_memory".to_owned(), start.to_owned())].into(),
            near_memory: (mode == "memory-mode").then(Default::default),
            ..result(mode, "s", 1)
        };
        let runs = [run("dram-only", "cold"), run("memory-mode", "cold"), run("memory-mode", "warm")];

        assert_eq!(labels(&runs), ["dram-only", "memory-mode, cold", "memory-mode, warm"]);
    }

    fn with(settings: &[(&str, &str)]) -> RunResult {
        let settings = settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned()));
        RunResult { settings: settings.collect(), ..result("memory-mode", "s", 1) }
    }

    #[test]
    fn results_that_differ_in_dram_alone_are_told_apart_by_it() {
        let shares = [
            with(&[("dram", "0.2 of the peak of live bytes")]),
            with(&[("dram", "0.5 of the peak of live bytes")]),
        ];
        let bytes = 32u64 << 30;
        let sizes = [with(&[("dram", &format!("{bytes} bytes"))]), with(&[("dram", "enough")])];

        assert_eq!(labels(&shares), ["memory-mode, DRAM 0.2 of peak", "memory-mode, DRAM 0.5 of peak"]);
        assert_eq!(labels(&sizes), ["memory-mode, DRAM 32.0 GiB", "memory-mode, DRAM enough"]);
    }

    #[test]
    fn whichever_setting_differs_tells_results_apart_and_dram_first() {
        for key in ["allocator", "numa", "pages", "sample", "prefetch", "write_miss_fetches"] {
            let runs = [with(&[(key, "a")]), with(&[(key, "b")])];
            let word = key.replace('_', " ");

            assert_eq!(labels(&runs), [format!("memory-mode, {word} a"), format!("memory-mode, {word} b")]);
        }
        let both = [with(&[("dram", "1"), ("allocator", "a")]), with(&[("dram", "2"), ("allocator", "b")])];
        assert_eq!(labels(&both), ["memory-mode, DRAM 1, allocator a", "memory-mode, DRAM 2, allocator b"]);
    }

    #[test]
    fn what_means_the_same_in_every_mode_is_shown_wherever_results_differ_in_it() {
        let of = |mode: &str, allocator: &str| RunResult {
            mode: mode.to_owned(),
            ..with(&[("allocator", allocator), ("dram", mode), ("write_miss_fetches", mode)])
        };

        let differ = [of("dram-only", "map"), of("memory-mode", "seal-pool")];
        let alike = [of("dram-only", "map"), of("memory-mode", "map")];
        let named = [of_run(&differ[0], "fast"), of_run(&differ[1], "near")];

        assert_eq!(labels(&differ), ["dram-only, allocator map", "memory-mode, allocator seal-pool"]);
        assert_eq!(labels(&alike), ["dram-only", "memory-mode"]);
        assert_eq!(labels(&named), ["fast", "near"]);
    }

    #[test]
    fn runs_of_a_study_have_their_names() {
        let runs = [("small", "0.2"), ("large", "0.5")];

        let named = runs.map(|(run, size)| of_run(&with(&[("dram", size)]), run));

        assert_eq!(labels(&named), ["small", "large"]);
    }

    #[test]
    fn file_stems_cannot_leave_the_folder() {
        assert_eq!(file_stem("memory-mode, 4 threads"), "memory-mode-4-threads");
        assert_eq!(file_stem("../../etc/passwd"), "etc-passwd");
    }
}
