//! The folder in which derived behaviours of devices stay between runs.
//!
//! Stream fidelity derives the behaviour of a system from short runs of its line model. What was derived is kept in the
//! user's cache folder, one file for each system, mode and footprint. Losing it costs time, nothing else: a folder that
//! cannot be written and a file that cannot be read are passed over.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Names the folder where `--cache` does not.
const VARIABLE: &str = "HETIER_CACHE_DIR";
/// Folders of builds that nothing was written to for so long are removed.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// Begins the names of folders of builds.
const BUILD: &str = "build-";

static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Decides about the folder once, from the command line and the environment.
pub fn choose(is_off: bool, given: Option<&Path>) {
    let root = if is_off { None } else { given.map(Path::to_owned).or_else(of_user) };
    let folder = root.and_then(|root| Some((root.join(build()?), root)));
    if let Some((folder, root)) = folder.as_ref().filter(|(folder, _)| !folder.exists()) {
        remove_old(root, folder);
    }
    // A second call would be a second command line.
    let _ = FOLDER.set(folder.map(|(folder, _)| folder));
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

/// Removes folders of other builds that are not used any more.
fn remove_old(root: &Path, own: &Path) {
    let is_old = |path: &Path| {
        let changed = fs::metadata(path).and_then(|found| found.modified()).ok();
        let age = changed.and_then(|changed| SystemTime::now().duration_since(changed).ok());
        age.is_some_and(|age| age > LIFETIME)
    };
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    for path in entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(BUILD))
        .map(|entry| entry.path())
    {
        if path != own && is_old(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}
