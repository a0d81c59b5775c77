//! Whether this machine can run a network for real, asked before any arithmetic; and what it recorded, held against the shape.

use hetier_reports::units;
use hetier_traces::{Facts, Trace, equal};
use hetier_workloads::interpret::shape;
use hetier_workloads::program::Program;

use crate::failure::{Failure, Outcome};

/// Calls of primitives from which on a real run takes minutes: 0.1 ms each is what a multiplication of a ciphertext of
/// degree 8192 with a scalar takes (`hetier calibrate --host`).
const MANY_CALLS: u64 = 1_000_000;

/// Bytes that the record of a call takes while it is made, operands, births and deaths included. Measured: 0.9 kB in
/// LeNet-5 (`hetier record lenet5 --execute`, resident memory over calls).
const RECORD_BYTES: u64 = 1 << 10;

/// Refuses a real run that needs more memory than is free, and tells of a long one what it holds and computes.
///
/// # Errors
/// A failure of the work with bytes needed and there.
pub fn check(program: &Program) -> Outcome {
    let facts = hetier_traces::facts(&shape(program)?, 1)?;
    refuse_if_too_large(&facts, available_bytes())?;
    if facts.activity.calls >= MANY_CALLS {
        tell!(
            "note: a real run of {} calls of primitives that holds {} at once, its record included; --shape records the same \
             trace without arithmetic, in seconds (with --batch {})",
            units::count(facts.activity.calls),
            units::bytes(needed_bytes(&facts)),
            program.options.images
        );
    }
    Ok(())
}

/// The trace of a real run in loops: the one by shape, once both are known to be equal event by event. In the flat one,
/// what loops share is not seen: placement by density would count it anew, and nothing could be sampled.
///
/// # Errors
/// A failure of the work if the run did anything else.
pub fn folded(program: &Program, recorded: Trace) -> Outcome<Trace> {
    let shaped = shape(program)?;
    equal(&recorded, &shaped).map_err(|difference| {
        Failure::work(format!(
            "real run: it did something else than its shape ({difference}), need equal traces"
        ))
    })?;
    Ok(Trace { header: recorded.header, ..shaped })
}

/// Bytes of live objects and of the record.
fn needed_bytes(facts: &Facts) -> u64 {
    facts.peak_footprint_bytes.saturating_add(facts.activity.calls.saturating_mul(RECORD_BYTES))
}

fn refuse_if_too_large(facts: &Facts, available: Option<u64>) -> Outcome {
    let needed = needed_bytes(facts);
    match available {
        Some(available) if needed > available => Err(Failure::work(format!(
            "real run: needs at least {} of this machine's memory, {} are available (use --shape, which needs none of it, \
             or a smaller network or degree)",
            units::bytes(needed),
            units::bytes(available)
        ))),
        _ => Ok(()),
    }
}

/// Bytes that Linux would give a process without swapping; `None` on other systems.
fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_that_needs_a_byte_more_than_there_is_is_refused() {
        let facts = Facts { peak_footprint_bytes: 1 << 30, ..Facts::default() };

        assert!(refuse_if_too_large(&facts, Some((1 << 30) - 1)).is_err());
        assert!(refuse_if_too_large(&facts, Some(1 << 30)).is_ok());
        assert!(refuse_if_too_large(&facts, None).is_ok());
        let mut long = facts;
        long.activity.calls = 1;
        assert!(refuse_if_too_large(&long, Some((1 << 30) + RECORD_BYTES - 1)).is_err());
        assert!(refuse_if_too_large(&long, Some((1 << 30) + RECORD_BYTES)).is_ok());
    }
}
