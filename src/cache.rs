//! The folder in which derived behaviours of devices stay between runs.
//!
//! Stream fidelity derives the behaviour of a system from short runs of its line model. What was derived is kept in the
//! user's cache folder, one file for each system, mode and footprint. Losing it costs time, nothing else: a folder that
//! cannot be written and a file that cannot be read are passed over, unless the command line names the folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::failure::{Failure, Outcome};

/// Names the folder where `--cache` does not.
const VARIABLE: &str = "HETIER_CACHE_DIR";
/// Folders of builds that nothing was written to for so long are removed.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// Folders of other builds that stay.
const MOST_OTHERS: usize = 8;
/// Begins the names of folders of builds.
const BUILD: &str = "build-";
/// Hexadecimal digits of a time since 1970 in nanoseconds, from 2006 on. A program file that says it is older keeps its folder.
const LEAST_TIME_DIGITS: usize = 16;

static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Decides about the folder once, from the command line and the environment.
///
/// # Errors
/// [`Failure::Work`] if the one of the command line cannot be written to; that of the environment is then not used.
pub fn choose(is_off: bool, given: Option<&Path>) -> Outcome {
    let root = if is_off { None } else { given.map(Path::to_owned).or_else(of_user) };
    let folder = root.and_then(|root| Some((root.join(build()?), root)));
    if let Some((folder, root)) = folder.as_ref().filter(|(folder, _)| !folder.exists()) {
        remove_old(root, folder);
        if let (Some(_), Err(error)) = (given, fs::create_dir_all(folder)) {
            return Err(Failure::work(format!(
                "--cache: writing to {}: {error} (choose another folder, or --no-cache)",
                root.display()
            )));
        }
    }
    // A second call would be a second command line.
    let _ = FOLDER.set(folder.map(|(folder, _)| folder));
    Ok(())
}

/// The folder, if there is one.
pub fn folder() -> Option<PathBuf> {
    FOLDER.get().cloned().flatten()
}

/// As the XDG base directory specification has it, which asks to ignore relative paths.
fn of_user() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let named = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
    let shared = || absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    named.or_else(|| Some(shared()?.join("hetier")))
}

/// A name that changes with every build of the program: what one model derived is nothing to another.
fn build() -> Option<String> {
    let file = fs::metadata(std::env::current_exe().ok()?).ok()?;
    let made = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{BUILD}{}-{:x}-{:x}", env!("CARGO_PKG_VERSION"), file.len(), made.as_nanos()))
}

/// Whether [`build`] gives such names: version, two hexadecimal numbers, the second a time in nanoseconds. Other folders
/// called `build-…` may lie in the folder that the command line names, and are not ours.
fn is_build(name: &str) -> bool {
    let is = |text: &str, accepts: fn(char) -> bool| !text.is_empty() && text.chars().all(accepts);
    let is_hexadecimal = |letter: char| matches!(letter, '0'..='9' | 'a'..='f');
    let parts: Vec<&str> = name.strip_prefix(BUILD).unwrap_or_default().split('-').collect();
    let [version, length, made] = parts[..] else { return false };
    let numbers: Vec<&str> = version.split('.').collect();
    let is_version =
        numbers.len() == 3 && numbers.iter().all(|number| is(number, |letter| letter.is_ascii_digit()));
    is_version && is(length, is_hexadecimal) && is(made, is_hexadecimal) && made.len() >= LEAST_TIME_DIGITS
}

/// Removes folders of other builds that are old, and all but the newest of them.
fn remove_old(root: &Path, own: &Path) {
    let changed = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut others: Vec<(SystemTime, PathBuf)> = entries
        .filter(|entry| is_build(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .filter(|path| path != own)
        .filter_map(|path| Some((changed(&path)?, path)))
        .collect();
    others.sort_by_key(|(changed, _)| std::cmp::Reverse(*changed));
    for (at, (changed, path)) in others.iter().enumerate() {
        let age = SystemTime::now().duration_since(*changed).unwrap_or_default();
        if at >= MOST_OTHERS || age > LIFETIME {
            let _ = fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_folders_of_other_builds_stay() {
        let root = tempfile::tempdir().expect("a folder");
        let named = |name: String| root.path().join(name);
        let build = |number: usize| format!("{BUILD}0.1.0-4720c80-18ea598d433f6c{number:02x}");
        for number in 0..MOST_OTHERS + 2 {
            fs::create_dir(named(build(number))).expect("a folder");
        }
        fs::create_dir(named("mine".to_owned())).expect("a folder");

        remove_old(root.path(), &named(build(0)));

        let left = fs::read_dir(root.path()).expect("a folder").count();
        // The own one, the others that stay, and what is no build.
        assert_eq!(left, 1 + MOST_OTHERS + 1);
        assert!(named(build(0)).exists() && named("mine".to_owned()).exists());
    }

    #[test]
    fn folders_of_other_programs_stay_however_many_and_old() {
        let root = tempfile::tempdir().expect("a folder");
        let foreign = [
            "debug",
            "release",
            "0",
            "1.2.3-a-b",
            "0.1.0-4720c80",
            "0.1-4720c80-18ea598d433f6cdf",
            "0.1.0-x-18ea598d433f6cdf",
        ];
        let numbered = (0..2 * MOST_OTHERS).map(|number| number.to_string());
        let names: Vec<String> = foreign
            .map(str::to_owned)
            .into_iter()
            .chain(numbered)
            .map(|name| format!("{BUILD}{name}"))
            .collect();
        for name in &names {
            let folder = root.path().join(name);
            fs::create_dir_all(&folder).expect("a folder");
            let long_ago = SystemTime::now() - 2 * LIFETIME;
            fs::File::open(&folder).and_then(|folder| folder.set_modified(long_ago)).expect("a time");
        }

        remove_old(root.path(), &root.path().join("own"));

        assert!(names.iter().all(|name| root.path().join(name).exists()));
        assert!(is_build(&build().expect("a program that runs has a file")));
    }
}
