//! The command line of hetier: reads arguments, calls the crates, prints and writes what they give.
//!
//! Nothing is computed here: `workloads` records, `sim` replays, `reports` draws.

#[macro_use]
mod said;

mod args;
mod cache;
mod command;
mod failure;
mod interrupt;
mod machine;
mod progress;
mod published_memory;
mod range;
mod real_run;
mod speed;
mod study;
mod unused;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Verb};
use failure::Outcome;

fn main() -> ExitCode {
    interrupt::install();
    let Cli { verb, cache, no_cache } = Cli::parse();
    let ready = cache::choose(no_cache, cache.as_deref());
    match ready.and_then(|()| run(verb)).and_then(|()| said::check()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(verb: Verb) -> Outcome {
    match verb {
        Verb::Compare(arguments) => command::compare::run(&arguments),
        Verb::Record(arguments) => command::record::run(&arguments),
        Verb::Replay(arguments) => command::replay::run(&arguments),
        Verb::Probe(arguments) => command::probe::run(&arguments),
        Verb::Calibrate(arguments) => command::calibrate::run(&arguments),
        Verb::Reproduce(arguments) => command::reproduce::run(&arguments),
        Verb::Validate(arguments) => command::validate::run(&arguments),
        Verb::Info(arguments) => command::info::run(&arguments),
        Verb::Script(arguments) => command::script::run(&arguments),
        Verb::Plot(arguments) => command::plot::run(&arguments),
        Verb::Export(arguments) => command::export::run(&arguments),
        Verb::Place(arguments) => command::place::run(&arguments),
        Verb::Sweep(arguments) => command::sweep::run(&arguments),
        Verb::List(arguments) => command::list::run(&arguments),
        Verb::Completions { shell } => command::manual::completions(shell),
        Verb::Man => command::manual::page(),
    }
}
