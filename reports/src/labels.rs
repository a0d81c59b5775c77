//! Names for results that stand side by side: as short as tells them apart.

use std::collections::BTreeSet;

use hetier_sim::result::RunResult;

use crate::units::binary_bytes;

/// A setting that may tell two results apart; `None` where it does not apply.
type Setting = fn(&RunResult) -> Option<String>;

/// From the most to the least telling, before [`others`]. The mode or the run of a study is always shown.
const SETTINGS: [Setting; 8] = [
    |result| Some(result.system.clone()),
    |result| result.network.clone(),
    dram,
    |result| near_start(result).map(ToOwned::to_owned),
    |result| (result.mode == "app-direct").then(|| result.placement.clone()),
    |result| Some(format!("{} threads", result.threads)),
    |result| Some(result.fidelity.clone()),
    |result| Some(format!("seed {}", result.seed)),
];

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

/// All settings that are not told otherwise, each as name and value: `pages random-4k`.
fn others(results: &[RunResult]) -> Vec<Vec<Option<String>>> {
    let keys: BTreeSet<&String> = results.iter().flat_map(|result| result.settings.keys()).collect();
    let told = |result: &RunResult, key: &str| {
        Some(format!("{} {}", key.replace('_', " "), result.settings.get(key)?))
    };
    let keys = keys.into_iter().filter(|key| !TOLD.contains(&key.as_str()));
    keys.map(|key| results.iter().map(|result| told(result, key)).collect()).collect()
}

/// How near memory started, `cold` or `warm`; of Memory Mode alone.
pub fn near_start(result: &RunResult) -> Option<&str> {
    result.near_memory.as_ref()?;
    result.settings.get("near_memory").map(String::as_str)
}

/// One label for each result: its mode or the name of its run, then whatever settings are needed to tell it from the
/// others, and a number if none is enough.
pub fn labels(results: &[RunResult]) -> Vec<String> {
    let mut labels: Vec<String> = results.iter().map(first_word).collect();
    let settings = SETTINGS.iter().map(|setting| results.iter().map(setting).collect());
    for values in settings.chain(others(results)) {
        if distinct(&labels) {
            return labels;
        }
        tell_apart(&mut labels, &values);
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

/// Adds the value of a setting to labels that are alike and whose values differ.
fn tell_apart(labels: &mut [String], values: &[Option<String>]) {
    let alike = labels.to_vec();
    for (at, label) in labels.iter_mut().enumerate() {
        let mut others = alike.iter().zip(values).filter(|(other, _)| **other == alike[at]);
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

        assert_eq!(labels(&placements), ["dram-only", "app-direct, by-class", "app-direct, first-touch"]);
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
            with(&[("dram", "0.5 of the peak footprint")]),
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
        assert_eq!(labels(&both), ["memory-mode, DRAM 1", "memory-mode, DRAM 2"]);
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
