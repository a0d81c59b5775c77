//! Ctrl-C: long work asks now and then whether to go on, so that temporary files are removed on the way out.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Failure, Outcome};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on the first Ctrl-C is noted, the second one ends the program at once.
pub fn install() {
    // Without a handler, the default holds: Ctrl-C ends the program at once.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
}

/// Whether Ctrl-C was pressed.
pub fn is_pressed() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Fails if Ctrl-C was pressed.
pub fn check() -> Outcome {
    if is_pressed() { Err(Failure::work("interrupted: nothing was written")) } else { Ok(()) }
}
