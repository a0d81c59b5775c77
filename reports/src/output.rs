//! Writes a set of files into a folder: all of them whole, or none.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Error;

/// A file of a report, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Where, below the output folder.
    pub path: PathBuf,
    /// What.
    pub bytes: Vec<u8>,
}

impl OutputFile {
    /// A file of text or bytes.
    pub fn new(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), bytes: bytes.into() }
    }
}

/// Files and folders that stand in the output folder itself, in order of the files, each once.
pub fn heads(files: &[OutputFile]) -> Vec<String> {
    let mut heads = Vec::new();
    for file in files {
        let head = file.path.components().next().map(|head| head.as_os_str().to_string_lossy().into_owned());
        heads.extend(head.filter(|head| !heads.contains(head)));
    }
    heads
}

/// Refuses `-`, which elsewhere stands for standard output.
fn not_dash(path: &Path) -> Result<(), Error> {
    if path == Path::new("-") { Err(Error::Dash) } else { Ok(()) }
}

/// Finds out whether [`write_folder`] could create files in `folder`, and leaves nothing behind. To be called before
/// long work.
///
/// # Errors
/// - [`Error::Dash`] for `-`.
/// - [`Error::NotAFolder`] if something else has the name.
/// - [`Error::Folder`] if the folder, or the nearest parent that exists, takes no files.
pub fn check_folder(folder: &Path) -> Result<(), Error> {
    not_dash(folder)?;
    let staging = Staging::beside(folder)?;
    write_file(&staging.path.join("probe"), b"probe").map_err(|source| folder_error(folder, source))
}

/// Finds out whether [`write_single`] could write `path`, and leaves nothing behind. To be called before long work.
/// `others` are the files that the same run reads or writes.
///
/// # Errors
/// - [`Error::Dash`] for `-`.
/// - [`Error::NoFolder`] if its folder does not exist.
/// - [`Error::File`] if `path` is a folder, or its folder takes no file.
/// - [`Error::Overwrites`] if it is one of the others.
pub fn check_file(path: &Path, others: &[&Path]) -> Result<(), Error> {
    not_dash(path)?;
    let failed = |source| Error::File { file: path.to_owned(), source };
    if path.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if is_special(path) {
        return Ok(());
    }
    if others.iter().any(|other| is_same(path, other)) {
        return Err(Error::Overwrites { file: path.to_owned() });
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.exists()) {
        return Err(Error::NoFolder { file: path.to_owned(), folder: folder.to_owned() });
    }
    let neighbour = hidden_name(&followed(path));
    fs::File::create(&neighbour).and_then(|_| fs::remove_file(&neighbour)).map_err(failed)
}

/// Writes the files below `folder`, creating it where needed; other files in it stay.
///
/// Everything is first written and flushed in a hidden folder beside it. A new output folder then appears by one
/// rename. Into an existing one each file is renamed by itself: every file is whole at every instant.
///
/// # Errors
/// - [`Error::Escape`] for a path that is absolute or holds `..`.
/// - [`Error::Repeated`] for a path of two files.
/// - [`Error::NotAFolder`] and [`Error::Folder`] as for [`check_folder`].
/// - [`Error::File`] if a file cannot be written, for instance on a full disk. Nothing was published, unless the
///   very renaming into an existing folder failed half-way.
pub fn write_folder(folder: &Path, files: &[OutputFile]) -> Result<(), Error> {
    if let Some(file) = files.iter().find(|file| !stays_below(&file.path)) {
        return Err(Error::Escape { file: file.path.clone() });
    }
    let mut paths = BTreeSet::new();
    if let Some(file) = files.iter().find(|file| !paths.insert(&file.path)) {
        return Err(Error::Repeated { file: file.path.clone() });
    }
    let staging = Staging::beside(folder)?;
    for file in files {
        let target = folder.join(&file.path);
        write_file(&staging.path.join(&file.path), &file.bytes)
            .map_err(|source| Error::File { file: target, source })?;
    }
    if folder.exists() { move_each(&staging.path, folder, files) } else { move_whole(&staging.path, folder) }
}

/// Writes one file whole or not at all: into a hidden neighbour first, then renamed. A link stays one, what it leads to
/// is replaced; a device or a pipe is written into.
///
/// # Errors
/// [`Error::File`] if the folder takes no file or the disk is full.
pub fn write_single(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if is_special(path) {
        let written = open_special(path).and_then(|mut file| file.write_all(bytes));
        return written.map_err(|source| Error::File { file: path.to_owned(), source });
    }
    let target = followed(path);
    let neighbour = hidden_name(&target);
    let written = write_file(&neighbour, bytes).and_then(|()| fs::rename(&neighbour, &target));
    written.map_err(|source| {
        // The neighbour may not exist; the first error is the one to tell.
        let _ = fs::remove_file(&neighbour);
        Error::File { file: path.to_owned(), source }
    })
}

/// Writes one file whole or not at all, as [`write_single`] does, for what is too long to hold in memory: `fill` gets the
/// hidden neighbour, and gives it back with what it has to tell.
///
/// # Errors
/// - Those of `fill`.
/// - [`Error::File`] if the folder takes no file or the disk is full.
pub fn write_streamed<T, E: From<Error>>(
    path: &Path,
    fill: impl FnOnce(io::BufWriter<fs::File>) -> Result<(T, io::BufWriter<fs::File>), E>,
) -> Result<T, E> {
    let failed = |source| E::from(Error::File { file: path.to_owned(), source });
    if is_special(path) {
        let (told, file) = fill(io::BufWriter::new(open_special(path).map_err(failed)?))?;
        file.into_inner().map_err(|error| failed(error.into_error()))?;
        return Ok(told);
    }
    let target = followed(path);
    let neighbour = hidden_name(&target);
    let filled = fs::File::create(&neighbour).map_err(failed).and_then(|file| {
        let (told, file) = fill(io::BufWriter::new(file))?;
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().and_then(|()| fs::rename(&neighbour, &target)).map_err(failed)?;
        Ok(told)
    });
    if filled.is_err() {
        // The neighbour may not exist; the first error is the one to tell.
        let _ = fs::remove_file(&neighbour);
    }
    filled
}

/// Tells apart the hidden names of threads of one process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A hidden folder that vanishes with this value.
struct Staging {
    path: PathBuf,
}

impl Staging {
    /// In the same file system as `folder`, so that renames work: in its nearest parent that exists, or inside the
    /// folder itself if it exists (its parent may not be ours to write).
    fn beside(folder: &Path) -> Result<Self, Error> {
        if folder.exists() && !folder.is_dir() {
            return Err(Error::NotAFolder { folder: folder.to_owned() });
        }
        if folder.is_symlink() && !folder.exists() {
            return Err(folder_error(folder, io::Error::other("found a link that leads nowhere")));
        }
        let absolute = std::path::absolute(folder).map_err(|source| folder_error(folder, source))?;
        let parent = absolute.ancestors().find(|parent| parent.exists()).unwrap_or(Path::new("/"));
        let path = parent.join(hidden_suffix());
        fs::create_dir(&path).map_err(|source| folder_error(folder, source))?;
        Ok(Self { path })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After a move as a whole there is nothing left to remove.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Whether two paths name one file, there or not.
fn is_same(one: &Path, other: &Path) -> bool {
    let found = |path: &Path| fs::canonicalize(path).or_else(|_| std::path::absolute(path)).ok();
    found(one).is_some() && found(one) == found(other)
}

/// Whether a path is a device or a pipe: something that a renamed file must not take the place of.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn open_special(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).open(path)
}

/// What a link leads to, or the path itself.
fn followed(path: &Path) -> PathBuf {
    if path.is_symlink() {
        fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
    } else {
        path.to_owned()
    }
}

fn stays_below(path: &Path) -> bool {
    let mut parts = path.components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    // A full disk may show only when the data leave the cache.
    file.sync_all()
}

fn move_whole(staging: &Path, folder: &Path) -> Result<(), Error> {
    let absolute = std::path::absolute(folder).map_err(|source| folder_error(folder, source))?;
    let missing: Vec<PathBuf> =
        absolute.ancestors().skip(1).take_while(|parent| !parent.exists()).map(Path::to_owned).collect();
    let moved =
        absolute.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::rename(staging, &absolute));
    moved.map_err(|source| {
        for parent in &missing {
            let _ = fs::remove_dir(parent);
        }
        folder_error(folder, source)
    })
}

fn move_each(staging: &Path, folder: &Path, files: &[OutputFile]) -> Result<(), Error> {
    for file in files {
        let target = folder.join(&file.path);
        let mut parents = target.ancestors().skip(1).take_while(|parent| *parent != folder);
        let kind = match () {
            () if target.is_dir() => io::ErrorKind::IsADirectory,
            () if parents.any(|parent| parent.exists() && !parent.is_dir()) => io::ErrorKind::NotADirectory,
            () => continue,
        };
        return Err(Error::File { file: target.clone(), source: kind.into() });
    }
    for file in files {
        let target = folder.join(&file.path);
        target
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::rename(staging.join(&file.path), &target))
            .map_err(|source| Error::File { file: target.clone(), source })?;
    }
    Ok(())
}

fn hidden_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{}", hidden_suffix()))
}

fn hidden_suffix() -> String {
    format!(".hetier-partial-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn folder_error(folder: &Path, source: io::Error) -> Error {
    Error::Folder { folder: folder.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_run_reads_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let (input, link) = (folder.path().join("trace"), folder.path().join("link"));
        fs::write(&input, "mine").unwrap();
        std::os::unix::fs::symlink(&input, &link).unwrap();

        for output in [&input, &link, &folder.path().join("./trace")] {
            let error = check_file(output, &[&input]).unwrap_err().to_string();
            assert!(error.contains("the same run"), "{error}");
        }
        let (one, other) = (folder.path().join("new"), folder.path().join("other"));
        assert!(check_file(&one, &[&one]).is_err());
        check_file(&one, &[&input, &other]).unwrap();
    }

    #[test]
    fn a_folder_in_the_way_of_a_file_is_seen_before_any_file_is_published() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b.csv")).unwrap();
        fs::write(folder.path().join("c"), "mine").unwrap();

        for taken in ["b.csv", "c/d.csv"] {
            let files = [OutputFile::new("a.csv", "x"), OutputFile::new(taken, "y")];
            let error = write_folder(folder.path(), &files).unwrap_err().to_string();
            assert!(error.contains("nothing was published"), "{error}");
            assert_eq!(names(folder.path()), ["b.csv", "c"]);
        }
    }

    #[test]
    fn a_new_folder_appears_with_everything_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        let files = [OutputFile::new("report.html", "x"), OutputFile::new("figures/f.svg", "y")];

        check_folder(&folder).unwrap();
        assert!(names(parent.path()).is_empty());
        write_folder(&folder, &files).unwrap();

        assert_eq!(names(&folder), ["figures", "report.html"]);
        assert_eq!(names(parent.path()), ["a"]);
        assert_eq!(fs::read(folder.join("figures/f.svg")).unwrap(), b"y");
    }

    #[test]
    fn an_existing_folder_keeps_its_other_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine"), "1").unwrap();
        fs::write(folder.path().join("report.html"), "old").unwrap();

        write_folder(folder.path(), &[OutputFile::new("report.html", "new")]).unwrap();

        assert_eq!(names(folder.path()), ["mine", "report.html"]);
        assert_eq!(fs::read(folder.path().join("report.html")).unwrap(), b"new");
    }

    #[test]
    fn a_failing_file_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("out");
        // The second file needs the first to be a folder.
        let files = [OutputFile::new("x", "1"), OutputFile::new("x/y", "2")];

        let error = write_folder(&folder, &files).unwrap_err();

        assert!(matches!(error, Error::File { .. }), "{error}");
        assert!(names(parent.path()).is_empty());
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("out");
        fs::write(&file, "precious").unwrap();

        assert!(matches!(check_folder(&file), Err(Error::NotAFolder { .. })));
        assert!(matches!(write_folder(&file, &[OutputFile::new("x", "1")]), Err(Error::NotAFolder { .. })));
        assert!(matches!(check_folder(&file.join("below")), Err(Error::Folder { .. })));
        assert_eq!(fs::read(&file).unwrap(), b"precious");
        assert_eq!(names(parent.path()), ["out"]);
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        let parent = tempfile::tempdir().unwrap();

        for path in ["../x", "/x", "", "a/../../x"] {
            let error = write_folder(&parent.path().join("out"), &[OutputFile::new(path, "1")]).unwrap_err();
            assert!(matches!(error, Error::Escape { .. }), "{path}");
        }
        assert!(names(parent.path()).is_empty());
    }

    #[test]
    fn two_files_of_one_name_are_refused_before_anything_is_written() {
        let parent = tempfile::tempdir().unwrap();
        let files = ["x/a", "x/b", "x/a"].map(|path| OutputFile::new(path, "a"));

        let error = write_folder(&parent.path().join("out"), &files).unwrap_err();

        assert!(error.to_string().starts_with("writing x/a: found two files of this name"), "{error}");
        assert!(names(parent.path()).is_empty());
        write_folder(&parent.path().join("out"), &files[..2]).unwrap();
    }

    #[test]
    fn a_single_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace");

        write_single(&path, b"one").unwrap();
        write_single(&path, b"two").unwrap();

        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["trace"]);
        assert!(write_single(&folder.path().join("none/trace"), b"x").is_ok());
    }

    #[test]
    fn a_link_stays_and_a_device_is_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("trace"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();

        check_file(&link, &[]).unwrap();
        write_single(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["link", "trace"]);

        let full = Path::new("/dev/full");
        assert!(matches!(write_single(full, b"x"), Err(Error::File { .. })));
        let told = write_streamed(full, |mut file| {
            file.write_all(b"x").unwrap();
            Ok::<_, Error>(((), file))
        });
        assert!(matches!(told, Err(Error::File { .. })));
        write_single(Path::new("/dev/null"), b"x").unwrap();
        assert!(is_special(full) && is_special(Path::new("/dev/null")));
    }

    #[test]
    fn a_file_in_a_folder_that_is_not_there_is_refused_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        let error = check_file(&folder.path().join("none/trace"), &[]).unwrap_err().to_string();

        assert!(error.contains("found no folder") && error.contains("none"), "{error}");
        check_file(Path::new("trace-of-no-folder"), &[]).unwrap();
    }

    #[test]
    fn a_streamed_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let fail = |mut file: io::BufWriter<fs::File>| {
            file.write_all(b"half").unwrap();
            Err::<((), _), _>(Error::NoResults)
        };

        assert!(write_streamed(&path, fail).is_err());
        assert!(names(folder.path()).is_empty());
        let told = write_streamed(&path, |mut file| {
            file.write_all(b"whole").unwrap();
            Ok::<_, Error>((5, file))
        });
        assert_eq!(told.unwrap(), 5);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["lines"]);
    }
}
