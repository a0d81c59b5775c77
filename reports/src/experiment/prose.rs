//! The sentences of an experiment's page: what came out, what differs from the publication, and why, made from the
//! numbers.

use std::collections::BTreeSet;

use hetier_sim::result::{PhaseResult, RunResult, Stage};

use super::judgement::Judged;
use super::{Metric, Outcome, Role, RunEntry, Sweep, TraceFacts};
use crate::comparison::{overhead_seconds, sampling_error_share};
use crate::units::{binary_bytes, bytes, count, percent, significant};

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

/// How much of the runs was simulated, and with how many seeds.
pub(super) fn conditions(sweep: &Sweep) -> Vec<String> {
    let mut sentences = Vec::new();
    let shares: Vec<f64> = ran(sweep).filter_map(|result| result.sampled_share).collect();
    let sampled: Vec<f64> = shares.iter().copied().filter(|share| *share < 1.0).collect();
    if let Some((least, most)) = range(&sampled) {
        let errors: Vec<f64> = ran(sweep).filter_map(sampling_error_share).collect();
        sentences.push(format!(
            "{} of {} replays are samples: of their calls {} were simulated. The standard error of the time of \
             their whole run is {} at most; 1 % of the time sampled stands in it for a bias that all windows share \
             (docs/sampling.md measures it). Bytes by class, primitive and operation of samples are farther off than their sums.",
            sampled.len(),
            shares.len(),
            between(&percent(least), &percent(most)),
            percent(range(&errors).map_or(0.0, |(_, most)| most))
        ));
    }
    sentences.push(seeds(sweep));
    sentences
}

/// How many seeds runs have, and what their numbers are.
fn seeds(sweep: &Sweep) -> String {
    let most = ran(sweep).filter_map(|result| result.seeds).max().unwrap_or(1);
    if most == 1 {
        return "One seed each: numbers stand without a spread (`seeds` in the study's file runs more)."
            .to_owned();
    }
    let single = ran(sweep).filter(|result| result.seeds.is_none_or(|seeds| seeds == 1)).count();
    let others = match single {
        0 => String::new(),
        _ => format!(" Those of the other {single} stand without a spread."),
    };
    format!(
        "Of {most} seeds, numbers are those of the run of median time (of two in the middle the shorter), slowdowns the \
         medians over pairs of seeds; in parentheses stand the least and the largest of all seeds.{others}"
    )
}

/// What of the time is calibrated, and what the mechanisms say about the rest.
pub(super) fn reasons(sweep: &Sweep, judged: &[Judged]) -> Vec<String> {
    let mut sentences = Vec::new();
    let shares: Vec<f64> = ran(sweep).filter_map(share_of_overhead).collect();
    if let Some((least, most)) = range(&shares) {
        sentences.push(format!(
            "Between {} and {} of the run times are calibrated overhead: constants for a multiply-accumulate and for a \
             ciphertext written, fitted to the calibrated points. Their cause inside the original program is not \
             established, so they say nothing about memory: they are the same in every mode.",
            percent(least),
            percent(most)
        ));
    }
    sentences.extend(peaks(sweep, judged));
    sentences.extend(judged.iter().filter_map(|judged| penalty_by_operation(sweep, judged)));
    sentences.extend(judged.iter().filter_map(|judged| penalty_by_cause(sweep, judged)));
    sentences.extend(queue(sweep));
    sentences.extend(judged.iter().filter_map(|judged| missing_penalty(sweep, judged)));
    let noted = judged.iter().filter(|judged| !judged.passes);
    sentences.extend(noted.filter_map(|judged| {
        let note = judged.reason.as_ref().or(judged.point.note.as_ref())?;
        Some(format!("\"{}\": {note}.", judged.point.name))
    }));
    sentences.extend(buffers(sweep));
    sentences.extend(class_peaks(sweep));
    sentences.extend(sweep.experiment.run.iter().filter_map(|run| limits(sweep, run)));
    sentences
}

/// Why calibrated peaks are off: what a constant for each ciphertext written would have to be for each.
fn peaks(sweep: &Sweep, judged: &[Judged]) -> Vec<String> {
    let is_peak = |judged: &&Judged| judged.point.metric == Metric::PeakGigabytes;
    let mut sentences = Vec::new();
    for Judged { point, error_percent, .. } in judged.iter().filter(is_peak) {
        let result = point.run.as_ref().and_then(|run| sweep.result(&point.network, run));
        let Some((result, overhead)) = result.and_then(|result| Some((result, result.overhead?))) else {
            continue;
        };
        if overhead.ciphertexts_written == 0 {
            continue;
        }
        let kept = (result.peak_footprint_bytes - overhead.retained_bytes) as f64 / 1e9;
        let rest = point.published - kept;
        let each = |bytes: f64| significant(bytes / overhead.ciphertexts_written as f64, 3);
        let left = if rest > 0.0 {
            format!(
                "What is left, {} GB, would be {} bytes for each of {} million ciphertexts written",
                significant(rest, 3),
                each(rest * 1e9),
                significant(overhead.ciphertexts_written as f64 / 1e6, 2)
            )
        } else {
            format!(
                "Nothing is left for what {} million ciphertexts written leave behind",
                significant(overhead.ciphertexts_written as f64 / 1e6, 2)
            )
        };
        sentences.push(format!(
            "\"{}\": what the allocator keeps and the messages hold, simulated block by block, is {} GB of the {} \
             published ({} GB are alive at one time, what is left behind by then included). {left}; the constant, one for all networks, is {} bytes each, which \
             leaves {:+.1} %.",
            point.name,
            significant(kept, 4),
            significant(point.published, 4),
            significant(result.peak_live_bytes as f64 / 1e9, 3),
            each(overhead.retained_bytes as f64),
            error_percent.unwrap_or_default()
        ));
    }
    sentences
}

/// The longest queue of messages to the client, where it and what it is made of are more than a near memory in front
/// holds.
fn queue(sweep: &Sweep) -> Option<String> {
    sweep.facts.iter().find_map(|(network, facts)| {
        let (layer, messages, held) = longest_queue(facts)?;
        let smaller = |run: &RunEntry| {
            let near = sweep.result(network, &run.name).and_then(|result| result.near_memory);
            near.map(|near| near.capacity_bytes).filter(|capacity| *capacity < held)
        };
        let (run, capacity) = sweep.experiment.run.iter().find_map(|run| Some((run, smaller(run)?)))?;
        Some(format!(
            "What misses near memory: activations go to the client as messages. One thread serialises the inputs of a layer, up to {} \
             ciphertexts ({network}), into a queue before any answer is waited for. With the ciphertexts that they are made \
             of they are {}, more than near memory ({}) keeps: when a message is packed or read, much of it has gone to \
             PMem, and one core alone waits for it.{}",
            count(messages),
            bytes(held),
            bytes(capacity),
            operation_of(facts, layer).and_then(|of| loses_less(sweep, network, run, of)).unwrap_or_default()
        ))
    })
}

/// Layer, messages and bytes of the longest queue of requests; a message is as long as its ciphertext, but for a header.
fn longest_queue(facts: &TraceFacts) -> Option<(&str, u64, u64)> {
    let queues = facts.elements.iter().filter_map(|(label, &messages)| {
        let each = facts.object_bytes.get(label)?;
        Some((label.strip_suffix(REQUESTS)?, messages, 2 * messages * each))
    });
    queues.max_by_key(|(_, _, held)| *held)
}

/// The graph operation of a layer.
fn operation_of<'f>(facts: &'f TraceFacts, layer: &str) -> Option<&'f str> {
    Some(facts.phases.iter().find(|phase| phase.name == layer)?.operation.as_str())
}

/// What convolutions lose beside the layers that wait for messages, where it is less.
fn loses_less(sweep: &Sweep, network: &str, run: &RunEntry, waiting: &str) -> Option<String> {
    let reference = sweep.experiment.run.first()?;
    let (slow, base) = (sweep.result(network, &run.name)?, sweep.result(network, &reference.name)?);
    let lost = |operation: &str| {
        let seconds = |result: &RunResult| result.by_operation.get(operation)?.simulated_seconds;
        let own = seconds(base).filter(|seconds| *seconds > 0.0)?;
        Some(seconds(slow)? / own - 1.0)
    };
    let (by_message, by_sum) = (lost(waiting)?, lost(CONVOLUTION)?);
    (0.0 <= by_sum && by_sum < by_message).then(|| {
        format!(
            " {CONVOLUTION} waits on all cores at once and loses less: {} of its time on {}, {waiting} {}.",
            percent(by_sum),
            reference.title,
            percent(by_message)
        )
    })
}

/// The graph operation in which all cores work.
const CONVOLUTION: &str = "Convolution";

/// How labels of arrays of serialised requests to the client end.
const REQUESTS: &str = ".request";

/// A range in words; one number where its ends read the same.
fn between(least: &str, most: &str) -> String {
    if least == most { least.to_owned() } else { format!("{least} to {most}") }
}

/// How many reads the buffers of the PMem DIMMs serve: one sentence for runs that agree.
fn buffers(sweep: &Sweep) -> Option<String> {
    let rates: Vec<f64> =
        ran(sweep).filter_map(|result| result.devices.get("pmem")?.buffer_hit_rate.read).collect();
    let (least, most) = range(&rates)?;
    let rate = between(&percent(least), &percent(most));
    let fidelity = if ran(sweep).any(|result| result.fidelity == "stream") {
        "; at stream fidelity this is the rate of short sequential runs of the line model, not of the network's own mix of \
         streams"
    } else {
        ""
    };
    Some(format!(
        "The buffers of the PMem DIMMs serve {rate} of the reads in every run with PMem; one sequential stream gives 75 %{fidelity}."
    ))
}

/// Why a placement by class holds more than others: pools of tiers do not lend blocks.
fn class_peaks(sweep: &Sweep) -> Option<String> {
    let runs = &sweep.experiment.run;
    let (network, split, whole) = sweep.networks().find_map(|network| {
        let results = || runs.iter().filter_map(|run| sweep.result(network, &run.name));
        let is_split = |result: &&RunResult| result.mode == "app-direct" && result.placement == "by-class";
        results().filter(is_split).find_map(|split| {
            // More threads hold more at one time: only runs with as many say what the pools cost.
            let alike = results().filter(|result| result.threads == split.threads);
            let least = alike.map(|result| result.peak_footprint_bytes).min()?;
            (split.peak_footprint_bytes as f64 > 1.01 * least as f64).then_some((network, split, least))
        })
    })?;
    Some(format!(
        "Placed by class, {network} holds {} at its peak, otherwise {}: every tier has a pool of its own, and a block that \
         was freed in one tier serves no allocation in the other. Classes that come first hold room in DRAM free, so the \
         same kind of ciphertext goes now here, now there, and both pools grow to their own peaks.",
        bytes(split.peak_footprint_bytes),
        bytes(whole)
    ))
}

/// What fits a run and what does not, with the one that fits with the least room left.
fn limits(sweep: &Sweep, run: &RunEntry) -> Option<String> {
    let missing: Vec<(&str, u64, u64)> = sweep
        .cells
        .iter()
        .filter(|cell| cell.run == run.name)
        .filter_map(|cell| match cell.outcome {
            Outcome::DoesNotFit { needed_bytes, capacity_bytes } => {
                Some((cell.network.as_str(), needed_bytes, capacity_bytes))
            }
            Outcome::Ran(_) => None,
        })
        .collect();
    let (smallest, needed, capacity) = *missing.iter().min_by_key(|(_, needed, _)| *needed)?;
    let mut sentence = format!(
        "{}: {} of {} networks do not fit {} ({}); the smallest of them, {smallest}, needs {}.",
        run.title,
        missing.len(),
        sweep.cells.iter().filter(|cell| cell.run == run.name).count(),
        bytes(capacity),
        binary_bytes(capacity),
        bytes(needed)
    );
    let fitting = sweep.networks().filter_map(|network| Some((network, sweep.result(network, &run.name)?)));
    let tightest = fitting.max_by_key(|(_, result)| result.peak_footprint_bytes);
    if let Some((network, result)) = tightest {
        let left = result.capacity_bytes().saturating_sub(result.peak_footprint_bytes);
        sentence += &format!(" The largest that fits, {network}, leaves {} free.", bytes(left));
        if left * 20 < capacity {
            sentence += " That is less than published peaks are off: whether it fits is not certain.";
        }
    }
    Some(sentence)
}

/// Operations that a slowdown is made of, those with the most seconds first, and how the first of them waits; none where
/// the run is not slower.
fn penalty_by_operation(sweep: &Sweep, judged: &Judged) -> Option<String> {
    let point = &judged.point;
    let against = point.against.as_ref()?;
    let (slow, base) =
        (sweep.result(&point.network, point.run.as_ref()?)?, sweep.result(&point.network, against)?);
    let longer = slow.simulated_seconds - base.simulated_seconds;
    if longer <= 0.0 {
        return None;
    }
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
    let first = *more.first()?;
    let parts: Vec<String> =
        more.iter().take(3).map(|(more, name)| format!("{} s of {name}", significant(*more, 3))).collect();
    Some(format!(
        "\"{}\": of the {} s that the simulated run takes longer than on {against}, {}.{}",
        point.name,
        significant(longer, 3),
        parts.join(", "),
        waiting(slow, first.1).unwrap_or_default()
    ))
}

/// What of a slowdown is left in runs that leave causes of it out; none where the run, or one of these, is not slower.
fn penalty_by_cause(sweep: &Sweep, judged: &Judged) -> Option<String> {
    let point = &judged.point;
    let base = sweep.result(&point.network, point.against.as_ref()?)?;
    let longer =
        |run: &str| Some(sweep.result(&point.network, run)?.simulated_seconds - base.simulated_seconds);
    let whole = longer(point.run.as_ref()?)?;
    let parts = sweep.experiment.run.iter().filter(|run| point.parts.contains(&run.name));
    let left: Vec<(f64, &str)> =
        parts.filter_map(|run| Some((longer(&run.name)?, run.title.as_str()))).collect();
    if left.is_empty() || whole <= 0.0 || left.iter().any(|(seconds, _)| *seconds < 0.0) {
        return None;
    }
    let left: Vec<String> = left
        .iter()
        .map(|(seconds, title)| format!("{} s in \"{title}\"", significant(*seconds, 3)))
        .collect();
    Some(format!(
        "\"{}\": of those {} s, {} are left. Together those are less than all of it where causes meet: what misses near memory waits \
         longer where channels are few.",
        point.name,
        significant(whole, 3),
        left.join(", and ")
    ))
}

/// How many cores work in an operation, and what they wait for.
fn waiting(result: &RunResult, operation: &str) -> Option<String> {
    let share = result.by_operation.get(operation)?;
    let idle = share.stall_seconds.get("idle")? / share.simulated_seconds.filter(|seconds| *seconds > 0.0)?;
    Some(format!(
        " In {operation} {} of {} cores work on average; near memory serves {} of the requests, and the cores wait {} s \
         for DRAM and {} s for PMem, added up.",
        significant(f64::from(result.threads) - idle, 2),
        result.threads,
        percent(share.near_memory_hit_rate?),
        significant(share.stall_seconds.get("dram").copied().unwrap_or(0.0), 3),
        significant(share.stall_seconds.get("pmem").copied().unwrap_or(0.0), 3)
    ))
}

/// What a slowdown that is too small amounts to in seconds, and what share of the overhead would explain it.
fn missing_penalty(sweep: &Sweep, judged: &Judged) -> Option<String> {
    let Judged { point, simulated, passes, .. } = judged;
    let against = point.against.as_ref().filter(|_| !passes)?;
    let base = sweep.result(&point.network, against)?;
    let seconds = |ratio: f64| (ratio - 1.0) * base.simulated_seconds;
    let (published, simulated) = (seconds(point.published), seconds((*simulated)?));
    let overhead = overhead_seconds(base).filter(|overhead| *overhead > 0.0)?;
    let missing = published - simulated;
    if missing <= 0.0 || simulated <= 0.0 {
        return None;
    }
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
            number => format!(
                "{title}: {low}× to {high}× the time of {reference}, over {number} networks that ran on both."
            ),
        });
    }
    for network in sweep.networks() {
        let results =
            sweep.experiment.run.iter().filter_map(|run| Some((run, sweep.result(network, &run.name)?)));
        let is_part =
            |run: &RunEntry| sweep.experiment.point.iter().any(|point| point.parts.contains(&run.name));
        let beside: Vec<_> = results.filter(|(run, result)| has_pmem(result) && !is_part(run)).collect();
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

/// Whether a run had PMem to use: its machine has some, and its mode does not leave it out.
fn has_pmem(result: &RunResult) -> bool {
    result.mode != "dram-only" && result.devices.contains_key("pmem")
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
