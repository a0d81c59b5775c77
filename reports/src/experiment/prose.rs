//! The sentences of an experiment's page: what came out, what differs from the publication, and why, made from the
//! numbers.

use std::collections::BTreeSet;

use hetier_sim::result::{PhaseResult, RunResult, Stage};

use super::judgement::Judged;
use super::tables::overhead_seconds;
use super::{Outcome, Role, Sweep};
use crate::units::{bytes, percent, significant};

pub(super) fn against(judged: &[Judged]) -> Vec<String> {
    let mut sentences = Vec::new();
    for role in [Role::Calibrated, Role::Predicted] {
        let own: Vec<&Judged> = judged.iter().filter(|judged| judged.point.role == role).collect();
        let passed = own.iter().filter(|judged| judged.passes).count();
        if own.is_empty() {
            continue;
        }
        let what = match role {
            Role::Calibrated => "set a constant of the system files",
            Role::Predicted => "set nothing",
        };
        let mut sentence = format!(
            "{} of {} {} points, which {what}, are met within their tolerance.",
            passed,
            own.len(),
            role.name()
        );
        let errors = own.iter().filter_map(|judged| Some((judged.error_percent?, *judged)));
        let worst = errors.max_by(|one, other| one.0.abs().total_cmp(&other.0.abs()));
        if let Some((error, judged)) = worst.filter(|(error, _)| error.abs() >= 0.05) {
            sentence += &format!(" The farthest off is \"{}\" with {error:+.1} %.", judged.point.name);
        }
        sentences.push(sentence);
    }
    sentences
}

/// What of the time is calibrated, and what the mechanisms say about the rest.
pub(super) fn reasons(sweep: &Sweep, judged: &[Judged]) -> Vec<String> {
    let mut sentences = Vec::new();
    let shares: Vec<f64> = ran(sweep).filter_map(share_of_overhead).collect();
    let (least, most) =
        shares.iter().fold((1.0_f64, 0.0_f64), |(least, most), share| (least.min(*share), most.max(*share)));
    if most > 0.0 {
        sentences.push(format!(
            "Between {} and {} of the run times are calibrated overhead: constants for a multiply-accumulate and for a \
             ciphertext written, fitted to the calibrated points. Their cause inside the original program is not \
             established, so they say nothing about memory: they are the same on every machine and in every mode.",
            percent(least),
            percent(most)
        ));
    }
    sentences.extend(judged.iter().filter_map(|judged| penalty_by_operation(sweep, judged)));
    sentences.extend(judged.iter().filter_map(|judged| missing_penalty(sweep, judged)));
    let noted = judged.iter().filter(|judged| !judged.passes);
    sentences.extend(noted.filter_map(|judged| {
        let note = judged.point.note.as_ref()?;
        Some(format!("\"{}\": {note}.", judged.point.name))
    }));
    let kept: Vec<f64> = ran(sweep)
        .filter_map(|result| {
            Some(result.overhead?.retained_bytes as f64 / result.peak_footprint_bytes as f64)
        })
        .filter(|share| *share > 0.0)
        .collect();
    if let Some(most) = kept.into_iter().reduce(f64::max) {
        sentences.push(format!(
            "Peaks hold up to {} of bytes retained for each ciphertext written, another calibrated constant; the rest is \
             what the allocator keeps, simulated block by block.",
            percent(most)
        ));
    }
    for run in &sweep.experiment.run {
        let rates = sweep.networks().filter_map(|network| {
            let rate = sweep.result(network, &run.name)?.devices.get("pmem")?.buffer_hit_rate.read?;
            Some((rate, network))
        });
        if let Some((rate, network)) = rates.min_by(|one, other| one.0.total_cmp(&other.0)) {
            sentences.push(format!(
                "{}: the buffers of the PMem DIMMs serve at least {} of the reads ({network}); one sequential stream \
                 gives 75 %.{}",
                run.title,
                percent(rate),
                if is_stream(sweep) { STREAM_RATES } else { "" }
            ));
        }
    }
    let missing = sweep.cells.iter().filter_map(|cell| match cell.outcome {
        Outcome::DoesNotFit { .. } => Some(format!("{} on {}", cell.network, cell.run)),
        Outcome::Ran(_) => None,
    });
    let missing: Vec<String> = missing.collect();
    if !missing.is_empty() {
        sentences.push(format!("Left out because they do not fit: {}.", missing.join(", ")));
    }
    sentences
}

/// At stream fidelity devices are short runs of the line model.
const STREAM_RATES: &str = " At stream fidelity this is the rate of short sequential runs of the line model, not of the \
                            network's own mix of streams.";

fn is_stream(sweep: &Sweep) -> bool {
    ran(sweep).any(|result| result.fidelity == "stream")
}

/// Operations that a slowdown is made of, those with the most seconds first.
fn penalty_by_operation(sweep: &Sweep, judged: &Judged) -> Option<String> {
    let point = &judged.point;
    let against = point.against.as_ref()?;
    let (slow, base) =
        (sweep.result(&point.network, point.run.as_ref()?)?, sweep.result(&point.network, against)?);
    let seconds = |result: &RunResult, name: &str| result.by_operation.get(name)?.simulated_seconds;
    let is_server = |phase: &&PhaseResult| phase.stage == Stage::Server;
    let of_server: BTreeSet<&str> =
        slow.phases.iter().filter(is_server).map(|phase| phase.operation.as_str()).collect();
    let more = slow.by_operation.keys().filter(|name| of_server.contains(name.as_str()));
    let mut more: Vec<(f64, &str)> = more
        .filter_map(|name| Some((seconds(slow, name)? - seconds(base, name)?, name.as_str())))
        .filter(|(more, _)| *more > 0.0)
        .collect();
    more.sort_by(|one, other| other.0.total_cmp(&one.0));
    let parts: Vec<String> =
        more.iter().take(3).map(|(more, name)| format!("{} s of {name}", significant(*more, 3))).collect();
    let total = slow.simulated_seconds - base.simulated_seconds;
    (!parts.is_empty()).then(|| {
        format!(
            "\"{}\": of the {} s that the simulated run takes longer than on {against}, {}.",
            point.name,
            significant(total, 3),
            parts.join(", ")
        )
    })
}

/// What a slowdown that is off amounts to in seconds, and what share of the overhead would explain it.
fn missing_penalty(sweep: &Sweep, judged: &Judged) -> Option<String> {
    let Judged { point, simulated, passes, .. } = judged;
    let against = point.against.as_ref().filter(|_| !passes)?;
    let base = sweep.result(&point.network, against)?;
    let seconds = |ratio: f64| (ratio - 1.0) * base.simulated_seconds;
    let (published, simulated) = (seconds(point.published), seconds((*simulated)?));
    let overhead = overhead_seconds(base).filter(|overhead| *overhead > 0.0)?;
    let missing = published - simulated;
    Some(format!(
        "\"{}\": the published slowdown is {} s more than on {against}, the simulated one {} s. If the {} s between them \
         were overhead that waits for memory, as serial passes over tensors would, it were {} of the overhead.",
        point.name,
        significant(published, 3),
        significant(simulated, 3),
        significant(missing, 3),
        percent(missing / overhead)
    ))
}

fn ran(sweep: &Sweep) -> impl Iterator<Item = &RunResult> {
    sweep.cells.iter().filter_map(|cell| match &cell.outcome {
        Outcome::Ran(result) => Some(result.as_ref()),
        Outcome::DoesNotFit { .. } => None,
    })
}

fn share_of_overhead(result: &RunResult) -> Option<f64> {
    let seconds = overhead_seconds(result)?;
    (seconds > 0.0 && result.whole_run_seconds > 0.0).then(|| seconds / result.whole_run_seconds)
}

/// Slowdowns by run, and which run is best where several are possible.
pub(super) fn modes(sweep: &Sweep) -> Vec<String> {
    let mut sentences = Vec::new();
    let Some(reference) = sweep.experiment.run.first() else { return sentences };
    for run in sweep.experiment.run.iter().skip(1) {
        let ratios: Vec<f64> = sweep
            .networks()
            .filter_map(|network| sweep.slowdown(network, &run.name))
            .map(|slowdown| slowdown.median)
            .collect();
        let Some((least, most)) = range(&ratios) else { continue };
        let (title, reference) = (&run.title, &reference.title);
        let (low, high) = (significant(least, 4), significant(most, 4));
        sentences.push(match ratios.len() {
            1 => format!("{title}: {low}× the time of {reference}, on the one network that ran on both."),
            count => format!(
                "{title}: {low}× to {high}× the time of {reference}, over {count} networks that ran on both."
            ),
        });
    }
    for network in sweep.networks() {
        let results =
            sweep.experiment.run.iter().filter_map(|run| Some((run, sweep.result(network, &run.name)?)));
        let beside: Vec<_> = results.filter(|(_, result)| result.devices.contains_key("pmem")).collect();
        let fastest =
            beside.iter().min_by(|one, other| one.1.simulated_seconds.total_cmp(&other.1.simulated_seconds));
        if let Some((run, result)) = fastest.filter(|_| beside.len() > 1) {
            let pmem = &result.devices["pmem"];
            sentences.push(format!(
                "{network}: the fastest with PMem is {} ({} s), which reads {} from PMem and writes {}.",
                run.title,
                significant(result.simulated_seconds, 4),
                bytes(pmem.read_bytes),
                bytes(pmem.write_bytes)
            ));
        }
    }
    sentences
}

fn range(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().reduce(f64::min)?;
    Some((least, values.iter().copied().fold(least, f64::max)))
}

/// The operations that take most of the time, and those that lose most.
pub(super) fn costliest(sweep: &Sweep, network: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    let Some(reference) = sweep.experiment.run.first() else { return sentences };
    for run in &sweep.experiment.run {
        let Some(result) = sweep.result(network, &run.name) else { continue };
        let total = result.whole_run_seconds;
        let mut shares: Vec<(&String, f64)> = result
            .by_operation
            .iter()
            .filter_map(|(name, share)| Some((name, share.simulated_seconds?)))
            .collect();
        shares.sort_by(|one, other| other.1.total_cmp(&one.1));
        let parts: Vec<String> = shares
            .iter()
            .take(3)
            .map(|(name, seconds)| format!("{name} {}", percent(seconds / total)))
            .collect();
        let mut sentence = format!("{}: {} of the whole run.", run.title, parts.join(", "));
        let base = sweep.result(network, &reference.name).filter(|_| run.name != reference.name);
        let lost = base.and_then(|base| {
            let more = shares.iter().filter_map(|(name, seconds)| {
                Some((*name, seconds - base.by_operation.get(*name)?.simulated_seconds?))
            });
            more.max_by(|one, other| one.1.total_cmp(&other.1))
        });
        if let Some((name, seconds)) = lost.filter(|(_, seconds)| *seconds > 0.0) {
            sentence += &format!(
                " {name} loses most against {}: {} s more.",
                reference.title,
                significant(seconds, 3)
            );
        }
        sentences.push(sentence);
    }
    sentences
}
