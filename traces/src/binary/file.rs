//! Traces as files. Files appear whole or not at all.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::writer::io;
use super::{ContentHash, Reader, Writer};
use crate::check::Checker;
use crate::error::{Error, Result};
use crate::grammar::{Header, Item, Trace};

fn at(path: &Path) -> impl Fn(Error) -> Error {
    move |source| Error::File { path: path.into(), source: Box::new(source) }
}

/// Streams items to a file that takes its name only when it is complete.
///
/// Until [`FileWriter::finish`] the bytes are in a temporary file of the same folder, removed when the writer is
/// dropped.
#[derive(Debug)]
pub struct FileWriter {
    path: PathBuf,
    writer: Writer<BufWriter<NamedTempFile>>,
}

impl FileWriter {
    /// Opens a temporary file beside `path`.
    ///
    /// # Errors
    /// - [`Error::File`] if the folder cannot be written to, or if the name is that of a folder, a device or a pipe.
    pub fn create(path: &Path, header: &Header) -> Result<Self> {
        let create = || {
            // The file that takes the name would take the place of a device.
            if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
                let found = "found a folder, a device or a pipe, need the name of a file";
                return Err(io(std::io::Error::new(std::io::ErrorKind::AlreadyExists, found)));
            }
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let temporary = builder().tempfile_in(folder.unwrap_or(Path::new("."))).map_err(io)?;
            Writer::new(BufWriter::new(temporary), header)
        };
        Ok(Self { path: path.into(), writer: create().map_err(at(path))? })
    }

    /// Writes the next item.
    ///
    /// # Errors
    /// - [`Error::File`] if the disk does not take it.
    pub fn push(&mut self, item: &Item) -> Result<()> {
        self.writer.push(item).map_err(at(&self.path))
    }

    /// Completes the file, makes it durable and gives it its name; gives the identity of the trace.
    ///
    /// # Errors
    /// - [`Error::File`] if the disk does not take it; nothing is left behind then.
    pub fn finish(self) -> Result<ContentHash> {
        let Self { path, writer } = self;
        let finish = || {
            let (output, hash) = writer.finish()?;
            let temporary = output.into_inner().map_err(|error| io(error.into_error()))?;
            temporary.as_file().sync_all().map_err(io)?;
            temporary.persist(&path).map_err(|error| io(error.error))?;
            Ok(hash)
        };
        finish().map_err(at(&path))
    }
}

/// Temporary files with the permissions of ordinary ones.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hetier-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder
}

/// Writes a whole trace; gives its identity.
///
/// # Errors
/// - [`Error::File`] if the folder or disk does not take it; an existing file is then unchanged.
pub fn write_file(path: &Path, trace: &Trace) -> Result<ContentHash> {
    let mut writer = FileWriter::create(path, &trace.header)?;
    for item in trace.items() {
        writer.push(&item)?;
    }
    writer.finish()
}

/// A whole trace as the bytes of a file.
///
/// # Errors
/// - [`Error::Io`] if compression fails.
pub fn to_bytes(trace: &Trace) -> Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::new(), &trace.header)?;
    for item in trace.items() {
        writer.push(&item)?;
    }
    Ok(writer.finish()?.0)
}

/// Opens a file to read its items one by one, unchecked.
///
/// # Errors
/// - [`Error::File`] if it cannot be opened or does not start like a trace.
pub fn read_items(path: &Path) -> Result<Reader<BufReader<File>>> {
    let open = || {
        let file = File::open(path).map_err(|source| Error::Io { action: "opening the trace", source })?;
        Reader::new(BufReader::new(file))
    };
    open().map_err(at(path))
}

/// Reads a whole trace and checks it.
///
/// # Errors
/// - [`Error::File`] around what is wrong: unreadable, damaged, of another version, or not well formed.
pub fn read_file(path: &Path) -> Result<Trace> {
    let mut reader = read_items(path)?;
    let mut collect = || {
        let mut trace = Trace { header: reader.header().clone(), ..Trace::default() };
        let mut checker = Checker::new();
        for item in reader.by_ref() {
            let item = item?;
            checker.push(&item)?;
            trace.push(item)?;
        }
        Ok(trace)
    };
    collect().map_err(at(path))
}

/// Reads a file to its end and gives the identity of the trace.
///
/// # Errors
/// - [`Error::File`] if it is unreadable, damaged or of another version.
pub fn file_hash(path: &Path) -> Result<ContentHash> {
    let mut reader = read_items(path)?;
    let mut read = || {
        reader.by_ref().try_for_each(|item| item.map(drop))?;
        let found = "found no totals".to_owned();
        reader.hash().ok_or(Error::Damaged { offset: 0, found })
    };
    read().map_err(at(path))
}
