//! Options that would have no effect: refused with what would make them count.

use std::fmt::Display;

use hetier_workloads::Parameters;
use hetier_workloads::network::{Entry, Pruning, Weights};
use hetier_workloads::program::{Kernel, Options, Zeros};

use crate::args::{Machine, Record, Run, Workload};
use crate::failure::{Failure, Outcome};

/// The mode that has near memory.
const NEAR: &str = "memory-mode";
/// The mode in which a policy places objects.
const PLACED: &str = "app-direct";
/// The mode that leaves DRAM unused.
const WITHOUT_DRAM: &str = "pmem-only";

/// Refuses options of a machine that none of the modes of a command takes.
pub fn of_machine(arguments: &Machine, modes: &[&str]) -> Outcome {
    of_run(&arguments.run, modes)?;
    let placement = arguments.placement.is_some().then_some("--placement");
    refuse(placement, modes, |mode| mode == PLACED, PLACED)?;
    refuse(size_flag(arguments), modes, |mode| mode != WITHOUT_DRAM, "a mode that uses DRAM")
}

/// The option that gives a size of DRAM.
fn size_flag(arguments: &Machine) -> Option<&'static str> {
    let flags =
        [("--dram", arguments.dram.is_some()), ("--dram-fraction", arguments.dram_fraction.is_some())];
    flags.into_iter().find(|(_, is_given)| *is_given).map(|(flag, _)| flag)
}

/// Refuses a size of DRAM where modes are compared, of which none has DRAM of a given size: DRAM only has as much as it takes.
pub fn of_compared_size(arguments: &Machine, modes: &[&str]) -> Outcome {
    refuse(size_flag(arguments), modes, |mode| [NEAR, PLACED].contains(&mode), "memory-mode or app-direct")
}

/// Refuses settings that place pages and threads on sockets where there is one.
pub fn of_one_socket(arguments: &Run, sockets: usize) -> Outcome {
    let given = [("--numa", arguments.numa.is_some()), ("--pinning", arguments.pinning.is_some())];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) if sockets == 1 => Err(Failure::usage(format!(
            "{flag}: found a system of one socket, on which it has no effect, need several"
        ))),
        _ => Ok(()),
    }
}

/// Refuses lists for modes that are not there, such as `--placements` without App Direct.
pub fn of_listed(flag: &str, is_given: bool, (modes, takes): (&[String], &[&str])) -> Outcome {
    let modes: Vec<&str> = modes.iter().map(String::as_str).collect();
    refuse(is_given.then_some(flag), &modes, |mode| takes.contains(&mode), &takes.join(" or "))
}

/// Refuses what a command would do twice.
pub fn of_repeated<T: PartialEq + Display>(flag: &str, names: &[T]) -> Outcome {
    let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
    twice.map_or(Ok(()), |(_, name)| Err(Failure::usage(format!("{flag}: found {name} twice, need it once"))))
}

/// Refuses settings of a replay that none of the modes of a command takes.
pub fn of_run(arguments: &Run, modes: &[&str]) -> Outcome {
    if arguments.fidelity == "line" && arguments.sample.is_some() {
        return Err(Failure::usage(
            "--sample: found --fidelity line, which takes every line, need stream or auto",
        ));
    }
    if let (Some(_), Some(schedule)) = (&arguments.sample, &arguments.schedule)
        && schedule != "static"
    {
        return Err(Failure::usage(format!(
            "--sample: found --schedule {schedule}, under which every call is simulated, need static"
        )));
    }
    let near = [
        ("--warm", arguments.warm),
        ("--cold", arguments.cold),
        ("--write-miss-fetches", arguments.write_miss_fetches.is_some()),
    ];
    let given = near.into_iter().find(|(_, is_given)| *is_given).map(|(flag, _)| flag);
    refuse(given, modes, |mode| mode == NEAR, NEAR)
}

fn refuse(flag: Option<&str>, modes: &[&str], takes: impl Fn(&str) -> bool, need: &str) -> Outcome {
    match flag {
        Some(flag) if !modes.iter().any(|mode| takes(mode)) => Err(Failure::usage(format!(
            "{flag}: found mode {}, in which it has no effect, need {need}",
            modes.join(", ")
        ))),
        _ => Ok(()),
    }
}

/// Refuses choices of a lowering that no layer of the network takes: the program would be the same without them.
pub fn of_layers(entry: &Entry, parameters: &Parameters, options: &Options) -> Outcome {
    let usual = entry.options();
    // A network in which two kernels are the same may be shipped with a third.
    let kernel = match options.kernel {
        kernel if kernel == usual.kernel => kernel,
        Kernel::Fused => usual.kernel,
        _ => Kernel::Fused,
    };
    let transformer = "as he-transformer runs it";
    let without = [
        ("--zeros", transformer, Options { zeros: usual.zeros, ..*options }),
        ("--block", transformer, Options { block: usual.block, ..*options }),
        ("--liveness", transformer, Options { liveness: usual.liveness, ..*options }),
        ("--client", transformer, Options { client: usual.client, ..*options }),
        ("--kernel", "with weights", Options { kernel, ..*options }),
    ];
    if without.iter().all(|(_, _, other)| other == options) {
        return Ok(());
    }
    // Half of the weights are zero, so that what is done with zeros counts.
    let pruning = Pruning { zero_per_million: 500_000, seed: 0 };
    let network = entry.build(&Weights::Pruned { weights: Box::new(Weights::Absent), pruning })?;
    let lowered = |options: &Options| {
        let program = network.lower(parameters, options).ok()?;
        Some((program.definitions, program.primitives, program.phases))
    };
    // What cannot be lowered is told where it is.
    let Some(asked) = lowered(options) else { return Ok(()) };
    let mut changed = without.iter().filter(|(_, _, other)| other != options);
    match changed.find(|(_, _, other)| lowered(other).is_some_and(|other| other == asked)) {
        None => Ok(()),
        Some((flag, need, _)) => Err(Failure::usage(format!(
            "{flag}: found network {}, no layer of which takes it, need one {need} (hetier list networks)",
            entry.name
        ))),
    }
}

/// Refuses a share of zeros that is multiplied like any other weight, and a treatment of zeros where there are none, in a
/// network of which only the shape counts.
pub fn of_zeros(zero_share: Option<f64>, zeros: Zeros) -> Outcome {
    of_zero_share(zero_share, zeros)?;
    match (has_zeros(zero_share), zeros) {
        (false, Zeros::Copy | Zeros::Skip) => Err(Failure::usage(format!(
            "--zeros: found {} and a shape without zero weights, need --zero-share",
            zeros.name()
        ))),
        _ => Ok(()),
    }
}

/// Refuses a share of zeros that is multiplied like any other weight: the trace would be the same without it.
pub fn of_zero_share(zero_share: Option<f64>, zeros: Zeros) -> Outcome {
    match (has_zeros(zero_share), zeros) {
        (true, Zeros::Multiply) => Err(Failure::usage(
            "--zero-share: found --zeros multiply, which treats a zero like any other weight, need --zeros copy or skip",
        )),
        _ => Ok(()),
    }
}

fn has_zeros(zero_share: Option<f64>) -> bool {
    zero_share.is_some_and(|share| share > 0.0)
}

/// Refuses a share of zeros in a network without weights.
pub fn of_weightless(entry: &Entry, zero_share: Option<f64>) -> Outcome {
    if has_zeros(zero_share) && entry.weight_names()?.is_empty() {
        let name = entry.name;
        return Err(Failure::usage(format!(
            "--zero-share: found network {name} without weights, need one with"
        )));
    }
    Ok(())
}

/// Refuses files of a network that is only shaped: no weight and no image is looked at.
pub fn of_shape(arguments: &Workload) -> Outcome {
    let files = [("--images", &arguments.images), ("--weights", &arguments.weights)];
    match files.into_iter().find(|(_, file)| file.is_some()) {
        Some((flag, _)) => Err(Failure::usage(format!(
            "{flag}: found a network of which only the shape is recorded, need a real run (record --execute, compare \
             without --shape)"
        ))),
        None => Ok(()),
    }
}

/// Refuses a seed of a shape in which nothing is drawn.
pub fn of_shape_seed(arguments: &Record) -> Outcome {
    match (arguments.seed, arguments.workload.zero_share) {
        (Some(seed), None) => Err(Failure::usage(format!(
            "--seed: found {seed} and a shape, in which nothing is drawn, need --execute or --zero-share"
        ))),
        _ => Ok(()),
    }
}

/// Refuses what describes a network where a recorded trace is given: it says all of it.
pub fn of_trace(arguments: &Workload, is_shape: bool) -> Outcome {
    let given = [
        ("--images", arguments.images.is_some()),
        ("--weights", arguments.weights.is_some()),
        ("--batch", arguments.batch.is_some()),
        ("--degree", arguments.degree.is_some()),
        ("--scale-bits", arguments.scale_bits.is_some()),
        ("--insecure", arguments.insecure),
        ("--dataflow", arguments.dataflow.is_some()),
        ("--kernel", arguments.kernel.is_some()),
        ("--zeros", arguments.zeros.is_some()),
        ("--zero-share", arguments.zero_share.is_some()),
        ("--complex", arguments.complex),
        ("--block", arguments.block.is_some()),
        ("--liveness", arguments.liveness.is_some()),
        ("--client", arguments.client.is_some()),
        ("--shape", is_shape),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => Err(Failure::usage(format!(
            "{flag}: found a recorded trace, in which the network is what it is, need the name of a network"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Verb};

    fn checked(options: &str, modes: &[&str]) -> Outcome {
        let words = ["hetier", "replay", "t"].into_iter().chain(options.split_whitespace());
        match Cli::try_parse_from(words).expect("known options").verb {
            Verb::Replay(replay) => of_machine(&replay.machine, modes),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_option_counts_where_one_of_the_modes_takes_it_and_is_refused_elsewhere() {
        let cases = [
            ("--warm", "memory-mode", "dram-only"),
            ("--cold", "memory-mode", "app-direct"),
            ("--write-miss-fetches off", "memory-mode", "pmem-only"),
            ("--placement by-class", "app-direct", "memory-mode"),
            ("--dram 1GiB", "dram-only", "pmem-only"),
            ("--dram-fraction 0.5", "app-direct", "pmem-only"),
        ];
        for (options, taken, other) in cases {
            assert!(
                checked(options, &[taken]).is_ok() && checked(options, &[other, taken]).is_ok(),
                "{options}"
            );
            let flag = options.split(' ').next().unwrap_or_default();
            match checked(options, &[other]) {
                Err(Failure::Usage(message)) => {
                    assert!(message.starts_with(&format!("{flag}: found mode {other}, ")), "{message}");
                }
                other => panic!("{options}: {other:?}"),
            }
        }
        assert!(checked("--sample 0.1 --fidelity line", &["dram-only"]).is_err());
        assert!(checked("--sample 0.1", &["dram-only"]).is_ok());
        assert!(checked("--sample 0.1 --schedule static", &["dram-only"]).is_ok());
        for schedule in ["dynamic,1", "static,4"] {
            assert!(checked(&format!("--sample 0.1 --schedule {schedule}"), &["dram-only"]).is_err());
        }
    }

    #[test]
    fn places_of_pages_and_threads_count_where_there_are_several_sockets() {
        for (options, flag) in [("--numa bind", "--numa"), ("--pinning scatter", "--pinning")] {
            let words = ["hetier", "replay", "t"].into_iter().chain(options.split(' '));
            let Verb::Replay(replay) = Cli::try_parse_from(words).expect("known options").verb else {
                panic!("a replay")
            };
            assert!(of_one_socket(&replay.machine.run, 2).is_ok());
            let Err(Failure::Usage(message)) = of_one_socket(&replay.machine.run, 1) else {
                panic!("{flag} is taken")
            };
            assert!(message.starts_with(flag), "{message}");
        }
    }
}
