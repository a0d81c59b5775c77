//! Ctrl-C: long work asks now and then whether to go on, so that temporary files are removed on the way out.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Failure, Outcome};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Whether there is nothing to clean up, and nobody who would ask.
static NOTHING_OPEN: AtomicBool = AtomicBool::new(false);
/// Exit code of a program that Ctrl-C ended: 128 and the number of the signal.
pub const EXIT_CODE: u8 = 130;

/// From now on the first Ctrl-C is noted, the second one ends the program at once.
pub fn install() {
    // Without a handler, the default holds: Ctrl-C ends the program at once.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) || NOTHING_OPEN.load(Ordering::Relaxed) {
            std::process::exit(EXIT_CODE.into());
        }
    });
}

/// Does work that never asks and has no file open: meanwhile the first Ctrl-C ends the program.
pub fn ending_at_once<T>(work: impl FnOnce() -> T) -> T {
    NOTHING_OPEN.store(true, Ordering::Relaxed);
    let done = work();
    NOTHING_OPEN.store(false, Ordering::Relaxed);
    done
}

/// Whether Ctrl-C was pressed.
pub fn is_pressed() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Fails if Ctrl-C was pressed.
pub fn check() -> Outcome {
    if is_pressed() {
        Err(Failure::Interrupted("interrupted: nothing was written".to_owned()))
    } else {
        Ok(())
    }
}
