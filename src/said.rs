//! Standard output and standard error: a reader that closes early, such as `head`, is no failure; a full disk is one.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use crate::failure::{Failure, Outcome};

/// What went wrong first, until the program ends.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// As `println!`, which would panic where a reader closes early.
macro_rules! say {
    ($($text:tt)*) => { $crate::said::line(format_args!($($text)*)) };
}

/// As `eprintln!`, which would panic where a reader closes early.
macro_rules! tell {
    ($($text:tt)*) => { $crate::said::aside(format_args!($($text)*)) };
}

/// Writes a line to standard error; nobody is left to be told if that fails.
pub fn aside(text: fmt::Arguments<'_>) {
    let mut out = io::stderr().lock();
    let _ = out.write_fmt(text).and_then(|()| out.write_all(b"\n"));
}

/// Writes a line; what goes wrong is told by [`check`].
pub fn line(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    let written = out.write_fmt(text).and_then(|()| out.write_all(b"\n"));
    note(written);
}

/// Fails if something could not be written.
pub fn check() -> Outcome {
    note(io::stdout().flush());
    match FAILED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        None => Ok(()),
        Some(error) => Err(Failure::work(format!("writing to standard output: {error}"))),
    }
}

fn note(written: io::Result<()>) {
    if let Err(error) = written {
        let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
        if error.kind() != io::ErrorKind::BrokenPipe && failed.is_none() {
            *failed = Some(error);
        }
    }
}
