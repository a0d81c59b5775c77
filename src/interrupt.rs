//! Ctrl-C, and what else asks a process to end (SIGTERM, SIGHUP): long work asks now and then whether to go on, so that
//! temporary files are removed on the way out.

use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(unix)]
use nix::sys::signal::{SigSet, Signal};

use crate::failure::{Failure, Outcome};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Whether there is nothing to clean up, and nobody who would ask.
static NOTHING_OPEN: AtomicBool = AtomicBool::new(false);
/// Exit code of a program that Ctrl-C ended: 128 and the number of the signal. Other signals have the same: `ctrlc` does not
/// tell which it was.
pub const EXIT_CODE: u8 = 130;

/// From now on the first Ctrl-C is noted, the second one ends the program at once.
pub fn install() {
    #[cfg(unix)]
    keep_hangups_ignored();
    // Without a handler, the default holds: Ctrl-C ends the program at once.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) || NOTHING_OPEN.load(Ordering::Relaxed) {
            std::process::exit(EXIT_CODE.into());
        }
    });
}

/// Blocks hangups where the caller has them ignored, as `nohup` does: the handler would end what is to outlive its terminal.
/// Threads inherit the mask, so that this comes before the first.
#[cfg(unix)]
fn keep_hangups_ignored() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if is_hangup_ignored(&status) {
        let _ = SigSet::from(Signal::SIGHUP).thread_block();
    }
}

/// Whether Linux's status of a process says that SIGHUP, number 1 and the lowest bit, is ignored.
#[cfg(unix)]
fn is_hangup_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Does work that never asks and has no file open: meanwhile the first Ctrl-C ends the program.
pub fn ending_at_once<T>(work: impl FnOnce() -> T) -> T {
    NOTHING_OPEN.store(true, Ordering::Relaxed);
    let done = work();
    NOTHING_OPEN.store(false, Ordering::Relaxed);
    done
}

/// Whether Ctrl-C was pressed, or the process asked to end.
pub fn is_pressed() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Fails if Ctrl-C was pressed.
pub fn check() -> Outcome {
    if is_pressed() {
        Err(Failure::Interrupted { what: "interrupted".to_owned(), written: Vec::new() })
    } else {
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_hangup_is_ignored_where_the_lowest_bit_of_the_mask_says_so() {
        let status = |mask: &str| format!("SigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");

        assert!(is_hangup_ignored(&status("0000000000001001")));
        assert!(!is_hangup_ignored(&status("0000000000001002")));
        assert!(!is_hangup_ignored(""));
    }
}
