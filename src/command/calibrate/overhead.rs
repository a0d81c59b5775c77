//! `calibrate --overhead`: the constants of the seed paper's machines that stand for what no mechanism explains.

use hetier_reports::Table;
use hetier_reports::experiment::{self, Experiment, Metric, Role, Sweep};
use hetier_reports::units::significant;
use hetier_sim::System;
use hetier_sim::system::Overhead;
use hetier_sim::system::fit::{Observation, retained_bytes, solve};
use serde_json::json;

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::study;

/// The study whose calibrated points are fitted.
const STUDY: &str = "lloret2021";
/// Relative error of a time below which the constants are found.
const CLOSE: f64 = 5e-4;
/// Most rounds: threads share work nearly evenly, so the second already corrects little.
const ROUNDS: usize = 4;

/// A published run that the constants are fitted to.
struct Target {
    network: String,
    run: String,
    seconds: f64,
    peak_bytes: f64,
}

/// Runs the calibrated points without overhead, solves for the constants, and runs again until both times are met.
pub fn run(arguments: &args::Calibrate) -> Outcome {
    let mut experiment = experiment::load(STUDY)?;
    experiment.point.retain(|point| point.role == Role::Calibrated);
    let experiment = experiment.pointed();
    let targets = targets(&experiment)?;
    let (mut seconds, mut bytes) = ([0.0; 2], 0);
    let mut observations = observe(&experiment, &targets, seconds, bytes)?;
    bytes = retained_bytes(&observations);
    for _ in 1..ROUNDS {
        let more = solve(&observations).ok_or_else(|| {
            Failure::work("fitting the overhead: the two runs are proportional, need two that differ in kind")
        })?;
        seconds = [seconds[0] + more[0], seconds[1] + more[1]];
        if let Some(negative) = seconds.iter().find(|seconds| **seconds < 0.0) {
            return Err(Failure::work(format!(
                "fitting the overhead: found {negative} s, need a constant of at least 0 (the runs without overhead are \
                 too slow)"
            )));
        }
        observations = observe(&experiment, &targets, seconds, bytes)?;
        if observations.iter().all(|one| one.error().abs() < CLOSE) {
            break;
        }
    }
    print(arguments, &targets, &observations, seconds, bytes)
}

/// Calibrated times with the calibrated peak of the same network; exactly two.
fn targets(experiment: &Experiment) -> Outcome<[Target; 2]> {
    let of = |metric: Metric| experiment.point.iter().filter(move |point| point.metric == metric);
    let target = |time: &experiment::Point| {
        let peak = of(Metric::PeakGigabytes).find(|peak| peak.network == time.network)?;
        Some(Target {
            network: time.network.clone(),
            run: time.run.clone()?,
            seconds: time.published,
            peak_bytes: peak.published * 1e9,
        })
    };
    let found: Vec<Target> = of(Metric::InferenceSeconds).filter_map(target).collect();
    let count = found.len();
    found.try_into().map_err(|_| {
        Failure::work(format!("{STUDY}: found {count} calibrated times with a calibrated peak, need 2"))
    })
}

/// Runs both networks with these constants.
fn observe(
    experiment: &Experiment,
    targets: &[Target; 2],
    seconds: [f64; 2],
    bytes: u64,
) -> Outcome<[Observation; 2]> {
    let adjust = |system: &mut System| {
        system.overhead = system.overhead.as_ref().map(|overhead: &Overhead| overhead.with(seconds, bytes));
    };
    let (sweep, _) = study::run(experiment, &adjust)?;
    let [one, other] = targets.each_ref().map(|target| observation(&sweep, target));
    Ok([one?, other?])
}

fn observation(sweep: &Sweep, target: &Target) -> Outcome<Observation> {
    let result = sweep.result(&target.network, &target.run).ok_or_else(|| {
        Failure::work(format!("fitting the overhead: {} does not fit {}", target.network, target.run))
    })?;
    let overhead = result.overhead.ok_or_else(|| {
        Failure::work(format!("{}: found no table [overhead] for this kernel, need one", result.system))
    })?;
    Ok(Observation {
        published_seconds: target.seconds,
        simulated_seconds: result.simulated_seconds,
        multiply_accumulates: overhead.multiply_accumulates,
        ciphertexts: overhead.ciphertexts_written,
        threads: result.threads,
        published_peak_bytes: target.peak_bytes,
        simulated_peak_bytes: result.peak_footprint_bytes as f64 - overhead.retained_bytes as f64,
    })
}

fn print(
    arguments: &args::Calibrate,
    targets: &[Target; 2],
    observations: &[Observation; 2],
    seconds: [f64; 2],
    bytes: u64,
) -> Outcome {
    let [multiply_ns, ciphertext_ns] = seconds.map(|seconds| (seconds * 1e9).round());
    if arguments.json {
        let points = targets.iter().zip(observations).map(|(target, one)| {
            json!({
                "network": target.network,
                "run": target.run,
                "published_seconds": one.published_seconds,
                "simulated_seconds": one.simulated_seconds,
                "published_peak_bytes": one.published_peak_bytes,
                "simulated_peak_bytes": peak(one, bytes),
                "multiply_accumulates": one.multiply_accumulates,
                "ciphertexts_written": one.ciphertexts,
            })
        });
        let joined = json!({
            "schema": "hetier-overhead-1",
            "multiply_accumulate_ns": multiply_ns,
            "ciphertext_ns": ciphertext_ns,
            "retained_bytes_per_ciphertext": bytes,
            "points": points.collect::<Vec<_>>(),
        });
        say!("{}", serde_json::to_string_pretty(&joined)?);
        return Ok(());
    }
    say!("{}", table(targets, observations, bytes).to_text());
    say!("multiply_accumulate_ns = {multiply_ns:.1}");
    say!("ciphertext_ns = {ciphertext_ns:.1}");
    say!("retained_bytes_per_ciphertext = {bytes}");
    Ok(())
}

fn peak(one: &Observation, bytes: u64) -> f64 {
    one.simulated_peak_bytes + (bytes * one.ciphertexts) as f64
}

fn table(targets: &[Target; 2], observations: &[Observation; 2], bytes: u64) -> Table {
    let mut table = Table::new(&[
        "network",
        "published (s)",
        "simulated (s)",
        "published peak (GB)",
        "simulated peak (GB)",
        "multiply-accumulates",
        "ciphertexts written",
    ]);
    for (target, one) in targets.iter().zip(observations) {
        table.push(vec![
            target.network.clone(),
            significant(one.published_seconds, 4),
            significant(one.simulated_seconds, 4),
            significant(one.published_peak_bytes / 1e9, 4),
            significant(peak(one, bytes) / 1e9, 4),
            hetier_reports::units::count(one.multiply_accumulates),
            hetier_reports::units::count(one.ciphertexts),
        ]);
    }
    table
}
