//! Whether this machine can run a network for real, asked before any arithmetic; and what it recorded, held against the shape.

use hetier_reports::units;
use hetier_traces::{Facts, Trace, equal};
use hetier_workloads::interpret::shape;
use hetier_workloads::network::Judgement;
use hetier_workloads::program::{LARGEST_VALUE, Program};

use crate::failure::{Failure, Outcome};
use crate::workload::Prepared;

/// Calls of primitives from which on a real run takes minutes: 0.1 ms each is what a multiplication of a ciphertext of
/// degree 8192 with a scalar takes (`hetier calibrate --host`).
const MANY_CALLS: u64 = 1_000_000;

/// Bytes that the record of a call takes while it is made, operands, births and deaths included. Measured: 0.9 kB in
/// LeNet-5 (`hetier record lenet5 --execute`, resident memory over calls).
const RECORD_BYTES: u64 = 1 << 10;

/// Standard deviations of the estimated error beyond which a difference is none of encryption: of a billion normal values
/// the largest is at 6, and slots that errors of key switches crowd into are some 70 of their mean. Values that outgrow the
/// modulus are off by whole multiples of it, a million deviations and more.
const FAR: f64 = 100.0;

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

/// The outputs of a run held against the clear model, and the estimated standard deviation of their error. Warns where they
/// are so far apart that something else than the errors of encryption is between them.
pub fn judge(prepared: &Prepared, program: &Program, outputs: &[Vec<f64>]) -> (Judgement, Option<f64>) {
    let judgement = prepared.network.judge(&prepared.images, outputs);
    let estimate = prepared.network.noise(program, &prepared.images);
    if is_far(judgement.max_output_error, estimate) {
        tell!(
            "warning: the largest difference from the clear model is {:.2e}, where the error of encryption has an estimated \
             standard deviation of {}, and {} of the predictions are the same: the outputs are wrong. Values that outgrow \
             the modulus do this: room is kept for {LARGEST_VALUE} (use a larger first prime, or smaller weights)",
            judgement.max_output_error,
            estimate.map_or_else(|| "no finite number".to_owned(), |deviation| format!("{deviation:.1e}")),
            units::percent(judgement.agreement)
        );
    }
    (judgement, estimate)
}

/// Whether an error is no number, or too large for one of the estimated deviation.
fn is_far(error: f64, estimate: Option<f64>) -> bool {
    error.is_nan() || error > estimate.map_or(f64::MAX, |deviation| FAR * deviation)
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
    fn outputs_are_far_from_a_hundred_deviations_on_and_where_they_are_no_numbers() {
        assert!(!is_far(1e-1, Some(1e-3)));
        assert!(is_far(1.01e-1, Some(1e-3)));
        assert!(is_far(f64::NAN, Some(1e-3)));
        assert!(!is_far(1.0, None));
        assert!(is_far(f64::INFINITY, None));
    }

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
