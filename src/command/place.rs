//! `place`: which placement policy makes a trace fastest, and what it puts where.

use std::path::PathBuf;

use hetier_reports::{Table, output, units};
use hetier_sim::fidelity::Fidelity;
use hetier_sim::machine::Layout;
use hetier_sim::mode::{self, ModeSettings};
use hetier_sim::pages::choose;
use hetier_sim::placement::{self, Planned};
use hetier_sim::replay::{DramSize, Settings};
use hetier_sim::{Error, RunResult, System};
use hetier_traces::{Trace, read_file};
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::args;
use crate::failure::{Failure, Outcome, explained_of};
use crate::{machine, progress, unused};

/// A policy with its run, or why there is none.
type Tried = (&'static str, Result<RunResult, String>);

/// What policies are ranked by.
#[derive(Clone, Copy)]
enum Clock {
    /// Time of the server's phases.
    Inference,
    /// Time of all phases, where the server's take none.
    WholeRun,
}

impl Clock {
    const fn seconds(self, run: &RunResult) -> f64 {
        match self {
            Self::Inference => run.simulated_seconds,
            Self::WholeRun => run.whole_run_seconds,
        }
    }

    /// Head of its column.
    const fn head(self) -> &'static str {
        match self {
            Self::Inference => "time",
            Self::WholeRun => "whole run",
        }
    }

    /// Its key in results.
    const fn key(self) -> &'static str {
        match self {
            Self::Inference => "simulated_seconds",
            Self::WholeRun => "whole_run_seconds",
        }
    }
}

/// Replays a trace under every policy and ranks them.
pub fn run(arguments: &args::Place) -> Outcome {
    let (system, settings) = machine::load(&arguments.machine)?;
    let dram = machine::dram_size(&arguments.machine, DramSize::System)?;
    let settings = Settings { mode: Some(arguments.mode.clone()), dram, ..settings };
    if let Some(path) = &arguments.output {
        output::check_file(path, &[&arguments.trace])?;
    }
    if let Some(path) = &arguments.plan {
        let others = arguments.output.iter().chain([&arguments.trace]);
        output::check_file(path, &others.map(PathBuf::as_path).collect::<Vec<_>>())?;
    }
    check_tiers(&system, &arguments.mode)?;
    unused::of_machine(&arguments.machine, &[arguments.mode.as_str()])?;
    if arguments.machine.placement.is_some() {
        return Err(Failure::usage(
            "--placement: found one, need none: place tries every policy (hetier replay takes one)",
        ));
    }
    let trace = read_file(&arguments.trace)?;
    let mut tried = try_all(arguments, &trace, &system, &settings)?;
    let fitting = tried.iter().filter_map(|(_, run)| run.as_ref().ok());
    machine::note_if_dram_is_exceeded(fitting.map(|run| (&system, run)));
    let clock = clock(&tried, arguments)?;
    let seconds = |(_, run): &Tried| run.as_ref().map_or(f64::INFINITY, |run| clock.seconds(run));
    tried.sort_by(|one, other| seconds(one).total_cmp(&seconds(other)));
    let Some((best, Ok(result))) = tried.first() else {
        let reasons: Vec<&str> =
            tried.iter().filter_map(|(_, run)| run.as_ref().err().map(String::as_str)).collect();
        return Err(Failure::work(reasons.first().copied().unwrap_or("place: no policy to try")));
    };
    if let Some(path) = &arguments.output {
        output::write_single(path, (serde_json::to_string_pretty(result)? + "\n").as_bytes())?;
    }
    if let Some(path) = &arguments.plan {
        let plan = placement::advise(&trace, &system, &settings)?;
        output::write_single(path, plan_table(&plan).to_csv().as_bytes())?;
    }
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&as_json(best, result, (&tried, clock)))?);
    } else {
        say!("{}", ranking((&tried, clock), &system).to_text());
        let alike = within_the_error((&tried, clock));
        let alike = if alike.is_empty() {
            String::new()
        } else {
            format!("; within the sampling error of it: {}", alike.join(", "))
        };
        say!("best: {best}{alike}\n{}", replay_of(std::env::args().skip(1), &arguments.mode, best));
    }
    Ok(())
}

/// The inference's time if it takes any, else the whole run's; a trace in which no time passes ranks nothing.
fn clock(tried: &[Tried], arguments: &args::Place) -> Outcome<Clock> {
    let mut clocks = [Clock::Inference, Clock::WholeRun].into_iter();
    let runs = || tried.iter().filter_map(|(_, run)| run.as_ref().ok());
    // Where no policy fits, the reasons tell more.
    if runs().next().is_none() {
        return Ok(Clock::Inference);
    }
    clocks.find(|clock| runs().any(|run| clock.seconds(run) > 0.0)).ok_or_else(|| {
        Failure::work(format!(
            "{}: found phases that take 0 s under every policy, need some that load, store or compute (hetier info)",
            arguments.trace.display()
        ))
    })
}

/// The command that replays with one policy what the words of this command replay with all.
fn replay_of(words: impl Iterator<Item = String>, mode: &str, policy: &str) -> String {
    let mut kept = vec!["hetier".to_owned()];
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        match word.as_str() {
            "place" => kept.push("replay".to_owned()),
            // A replay has none, and the mode comes last.
            "--plan" | "--mode" => drop(words.next()),
            word if word.starts_with("--plan=") || word.starts_with("--mode=") => {}
            word => kept.push(quoted(word)),
        }
    }
    format!("{} --mode {mode} --placement {policy}", kept.join(" "))
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./,=:+".contains(letter);
    let needs_none = !word.is_empty() && word.chars().all(is_plain);
    if needs_none { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// Refuses a mode that leaves a policy nothing to choose.
fn check_tiers(system: &System, mode: &str) -> Outcome {
    // A small near memory suffices to ask.
    let settings = ModeSettings { near_bytes: Some(1 << 20), ..ModeSettings::default() };
    let tiers = mode::build(mode, system, &Layout::new(system), &settings)?.tiers().len();
    if tiers > 1 {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "place: found mode {mode} with one tier, need one with several, such as app-direct"
    )))
}

/// Replays under every policy on all host cores. Only a lack of memory is an answer; other errors end it.
fn try_all(
    arguments: &args::Place,
    trace: &Trace,
    system: &System,
    settings: &Settings,
) -> Outcome<Vec<Tried>> {
    let fidelity = choose("fidelity", &arguments.machine.run.fidelity, &Fidelity::ALL)?;
    machine::note_if_long(trace, fidelity, arguments.machine.run.sample.as_deref())?;
    let bars = indicatif::MultiProgress::new();
    let tried = placement::names().into_par_iter().map(|name| {
        let settings = Settings { placement: name.to_owned(), ..settings.clone() };
        let bar = bars.add(progress::bar(name));
        match machine::replay_one(trace, system, &settings, (fidelity, arguments.machine.run.seeds), &bar) {
            Ok((result, _)) => Ok((name, Ok(result))),
            Err(error @ Error::Capacity { .. }) => Ok((name, Err(explained_of(&error, system, &settings)))),
            Err(error) => Err(error.into()),
        }
    });
    tried.collect()
}

fn ranking((tried, clock): (&[Tried], Clock), system: &System) -> Table {
    let tiers: Vec<&str> = system.tiers.iter().map(|tier| tier.name.as_str()).collect();
    let heads = tiers.iter().flat_map(|tier| [format!("{tier} read"), format!("{tier} written")]);
    let is_sampled = tried.iter().any(|(_, run)| run.as_ref().is_ok_and(is_sample));
    let sampling = ["calls simulated", "sampling error (1σ)"].into_iter().filter(|_| is_sampled);
    let first = ["placement", clock.head(), "to best"].into_iter().chain(sampling).map(ToString::to_string);
    let heads = first.chain(heads);
    let heads: Vec<String> = heads.collect();
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    let best = tried.iter().find_map(|(_, run)| run.as_ref().ok()).map_or(1.0, |run| clock.seconds(run));
    for (name, run) in tried {
        let Ok(run) = run else {
            let missing = std::iter::repeat_n("–".to_owned(), heads.len() - 2);
            table.push([(*name).to_owned(), "does not fit".to_owned()].into_iter().chain(missing).collect());
            continue;
        };
        let bytes = tiers.iter().flat_map(|tier| {
            let device = run.devices.get(*tier).copied().unwrap_or_default();
            [units::bytes(device.read_bytes), units::bytes(device.write_bytes)]
        });
        let seconds = clock.seconds(run);
        let head = [(*name).to_owned(), units::seconds(seconds), format!("{:.3}×", seconds / best)];
        let known =
            |number: Option<f64>, form: fn(f64) -> String| number.map_or_else(|| "–".to_owned(), form);
        let sampling =
            [known(run.sampled_share, units::percent), known(run.sampling_error_seconds, units::seconds)];
        let sampling = sampling.into_iter().filter(|_| is_sampled);
        table.push(head.into_iter().chain(sampling).chain(bytes).collect());
    }
    table
}

fn is_sample(run: &RunResult) -> bool {
    run.sampled_share.is_some_and(|share| share < 1.0)
}

/// Policies that a sample does not tell from the best, the first: no farther off than the standard error of the
/// difference.
fn within_the_error((tried, clock): (&[Tried], Clock)) -> Vec<&'static str> {
    let mut runs = tried.iter().filter_map(|(name, run)| Some((*name, run.as_ref().ok()?)));
    let Some((_, best)) = runs.next() else { return Vec::new() };
    let error = |run: &RunResult| run.sampling_error_seconds.unwrap_or(0.0);
    let is_alike = |run: &RunResult| {
        (is_sample(run) || is_sample(best))
            && clock.seconds(run) - clock.seconds(best) <= error(run).hypot(error(best))
    };
    runs.filter(|(_, run)| is_alike(run)).map(|(name, _)| name).collect()
}

fn as_json(best: &str, result: &RunResult, (tried, clock): (&[Tried], Clock)) -> Value {
    let entry = |(name, run): &Tried| match run {
        Ok(run) => json!({
            "placement": name,
            "fits": true,
            "simulated_seconds": run.simulated_seconds,
            "whole_run_seconds": run.whole_run_seconds,
            "sampled_share": run.sampled_share,
            "sampling_error_seconds": run.sampling_error_seconds,
            "spread": run.spread,
            "devices": run.devices,
            "peak_footprint_bytes": run.peak_footprint_bytes,
        }),
        Err(reason) => json!({ "placement": name, "fits": false, "reason": reason }),
    };
    json!({
        "schema": "hetier-place-1",
        "system": result.system,
        "mode": result.mode,
        "fidelity": result.fidelity,
        "best": best,
        "ranked_by": clock.key(),
        "placements": tried.iter().map(entry).collect::<Vec<_>>(),
    })
}

/// What `by-density` does with every array, the densest first.
fn plan_table(plan: &[Planned]) -> Table {
    let mut table = Table::new(&[
        "array",
        "label",
        "class",
        "peak_bytes",
        "touched_lines",
        "memory_accesses",
        "extra_seconds",
        "density",
        "fast_bytes",
    ]);
    for planned in plan {
        let array = &planned.array;
        table.push(vec![
            array.id.0.to_string(),
            array.label.clone(),
            array.class.name().to_owned(),
            array.peak_bytes().to_string(),
            array.touched_lines().to_string(),
            planned.memory_accesses.to_string(),
            planned.extra_seconds.to_string(),
            planned.density.to_string(),
            planned.fast_bytes.to_string(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_tells_policies_apart_beyond_the_error_of_their_difference() {
        let run = |name, simulated_seconds, share| -> Tried {
            let run = RunResult {
                simulated_seconds,
                sampled_share: Some(share),
                sampling_error_seconds: Some(3.0),
                ..RunResult::default()
            };
            (name, Ok(run))
        };
        let alike = |share| {
            let no_room: Tried = ("no-room", Err(String::new()));
            let tried =
                [run("best", 600.0, share), run("near", 604.2, share), run("far", 604.3, share), no_room];
            within_the_error((&tried, Clock::Inference))
        };

        // Two errors of 3 s make one of 4.24 s.
        assert_eq!(alike(0.1), ["near"]);
        assert!(alike(1.0).is_empty());
    }
}
