//! Names for results that stand side by side: as short as tells them apart.

use hetier_sim::result::RunResult;

/// A setting that may tell two results apart; `None` where it does not apply.
type Setting = fn(&RunResult) -> Option<String>;

/// From the most to the least telling. The mode is always shown.
const SETTINGS: [Setting; 7] = [
    |result| Some(result.system.clone()),
    |result| result.network.clone(),
    |result| near_start(result).map(ToOwned::to_owned),
    |result| (result.mode == "app-direct").then(|| result.placement.clone()),
    |result| Some(format!("{} threads", result.threads)),
    |result| Some(result.fidelity.clone()),
    |result| Some(format!("seed {}", result.seed)),
];

/// How near memory started, `cold` or `warm`; of Memory Mode alone.
pub fn near_start(result: &RunResult) -> Option<&str> {
    result.near_memory.as_ref()?;
    result.settings.get("near_memory").map(String::as_str)
}

/// One label for each result: its mode, then whatever settings are needed to tell it from the others, and a number if
/// none is enough.
pub fn labels(results: &[RunResult]) -> Vec<String> {
    let mut labels: Vec<String> = results.iter().map(|result| result.mode.clone()).collect();
    for setting in SETTINGS {
        if distinct(&labels) {
            return labels;
        }
        let values: Vec<Option<String>> = results.iter().map(setting).collect();
        let alike = labels.clone();
        for (at, label) in labels.iter_mut().enumerate() {
            let mut others = alike.iter().zip(&values).filter(|(other, _)| **other == alike[at]);
            if let Some(value) = values[at].as_ref().filter(|_| others.any(|(_, value)| *value != values[at]))
            {
                label.push_str(", ");
                label.push_str(value);
            }
        }
    }
    if !distinct(&labels) {
        for (number, label) in labels.iter_mut().enumerate() {
            label.push_str(&format!(" ({})", number + 1));
        }
    }
    labels
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

    #[test]
    fn file_stems_cannot_leave_the_folder() {
        assert_eq!(file_stem("memory-mode, 4 threads"), "memory-mode-4-threads");
        assert_eq!(file_stem("../../etc/passwd"), "etc-passwd");
    }
}
