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

/// Removes folders of other builds that are old, and all but the newest of them.
fn remove_old(root: &Path, own: &Path) {
    let changed = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut others: Vec<(SystemTime, PathBuf)> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(BUILD))
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
        for number in 0..MOST_OTHERS + 2 {
            fs::create_dir(named(format!("{BUILD}{number}"))).expect("a folder");
        }
        fs::create_dir(named("mine".to_owned())).expect("a folder");

        remove_old(root.path(), &named(format!("{BUILD}0")));

        let left = fs::read_dir(root.path()).expect("a folder").count();
        // The own one, the others that stay, and what is no build.
        assert_eq!(left, 1 + MOST_OTHERS + 1);
        assert!(named(format!("{BUILD}0")).exists() && named("mine".to_owned()).exists());
    }
}
