//! Turns the arguments of a workload into a network, parameters and a batch.

use hetier_workloads::network::{Entry, Images, Network, Pruning, Weights};
use hetier_workloads::program::{Client, Kernel, Liveness, Options, Program, Zeros};
use hetier_workloads::ring::Packing;
use hetier_workloads::{Dataflow, Literal, Parameters};

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::unused;

/// Seed of weights, zeros and images that nobody gave, unless the command names one.
const DATA_SEED: u64 = 1;
/// Images drawn when none are given.
const DRAWN_IMAGES: usize = 16;

/// A workload that is ready to be lowered.
pub struct Prepared {
    /// The network with its weights.
    pub network: Network,
    /// Checked parameters.
    pub parameters: Parameters,
    /// The batch.
    pub images: Images,
    /// Choices of the lowering.
    pub options: Options,
    /// Whether labels and weights mean anything, so that accuracy can be told.
    pub is_trained: bool,
    /// Which weights are zero, where they are drawn.
    pruning: Option<Pruning>,
}

/// For a real run: weights and images in memory.
pub fn for_execution(arguments: &args::Workload, seed: Option<u64>) -> Outcome<Prepared> {
    let entry = Entry::find(&arguments.network)?;
    let parameters = parameters(arguments, &entry.literal())?;
    let given = match &arguments.weights {
        Some(path) => Some(Weights::from_json(path)?),
        None => entry.weights(),
    };
    let seed = seed.unwrap_or(DATA_SEED);
    let has_weights = given.is_some();
    let pruning = pruning(arguments, seed)?;
    unused::of_weightless(entry, arguments.zero_share)?;
    let network = entry.build(&pruned(given.unwrap_or(Weights::Seeded(seed)), pruning))?;
    let capacity = options(arguments, entry, 1)?.most_images(parameters.slots());
    check_batch(arguments, capacity, "what the slots hold")?;
    let images = images(arguments, entry, &network, seed)?;
    check_batch(arguments, images.pixels.len(), "the images that there are")?;
    let images = images.first(arguments.batch.unwrap_or(capacity));
    let options = options(arguments, entry, images.pixels.len())?;
    unused::of_layers(entry, &parameters, &options)?;
    let is_trained = has_weights && !images.labels.is_empty();
    Ok(Prepared { network, parameters, images, options, is_trained, pruning })
}

/// For a shape only: no weights, no images.
pub fn for_shape(arguments: &args::Workload, seed: Option<u64>) -> Outcome<Prepared> {
    unused::of_shape(arguments)?;
    let entry = Entry::find(&arguments.network)?;
    let parameters = parameters(arguments, &entry.literal())?;
    let pruning = pruning(arguments, seed.unwrap_or(DATA_SEED))?;
    unused::of_weightless(entry, arguments.zero_share)?;
    let network = entry.build(&pruned(Weights::Absent, pruning))?;
    let capacity = options(arguments, entry, 1)?.most_images(parameters.slots());
    let options = options(arguments, entry, arguments.batch.unwrap_or(capacity))?;
    unused::of_layers(entry, &parameters, &options)?;
    unused::of_zeros(arguments.zero_share, options.zeros)?;
    Ok(Prepared { network, parameters, images: Images::default(), options, is_trained: false, pruning })
}

impl Prepared {
    /// Lowers the network. Where zeros count, its trace says which there are.
    pub fn program(&self) -> Outcome<Program> {
        let mut program = self.network.lower(&self.parameters, &self.options)?;
        let drawn = self.pruning.filter(|_| self.options.zeros != Zeros::Multiply);
        if let Some(Pruning { zero_per_million, seed }) = drawn {
            let share = f64::from(zero_per_million) / 1e6;
            program.header.facts.insert("zero-share".to_owned(), share.to_string());
            program.header.facts.insert("zero-seed".to_owned(), seed.to_string());
        }
        Ok(program)
    }
}

fn check_batch(arguments: &args::Workload, most: usize, why: &str) -> Outcome {
    match arguments.batch {
        Some(batch) if batch > most => {
            Err(Failure::usage(format!("--batch: found {batch}, need at most {most}, {why}")))
        }
        _ => Ok(()),
    }
}

fn images(arguments: &args::Workload, entry: &Entry, network: &Network, seed: u64) -> Outcome<Images> {
    let shape = network.input_shape();
    if let Some(path) = &arguments.images {
        let classes = network.output_shape().elements();
        return Ok(Images::from_idx(path, arguments.labels.as_deref(), shape, classes)?);
    }
    Ok(entry.images().unwrap_or_else(|| Images::seeded(shape, arguments.batch.unwrap_or(DRAWN_IMAGES), seed)))
}

fn parameters(arguments: &args::Workload, literal: &Literal) -> Outcome<Parameters> {
    let mut literal = literal.clone();
    if let (Some(degree), Some(primes)) = (arguments.degree, &arguments.primes) {
        literal.degree = degree;
        literal.prime_bits.clone_from(primes);
    }
    if let Some(bits) =
        arguments.scale_bits.or_else(|| arguments.primes.as_deref().and_then(default_scale_bits))
    {
        literal.scale = f64::from(bits).exp2();
    }
    let checked =
        if arguments.insecure { Parameters::insecure_for_tests(&literal) } else { Parameters::new(&literal) };
    Ok(checked?)
}

/// Bits of the scale that goes with primes: those of the second-last, as he-transformer has it, which the first rescale
/// drops. A single prime or two leave none to be dropped: the network's scale stays.
fn default_scale_bits(primes: &[u32]) -> Option<u32> {
    let [_, .., second_last, _] = primes else { return None };
    Some(*second_last)
}

/// The network's choices, unless the command line names others.
fn options(arguments: &args::Workload, entry: &Entry, images: usize) -> Outcome<Options> {
    let mut options = Options { images, ..entry.options() };
    if let Some(name) = &arguments.dataflow {
        options.dataflow = chosen("dataflow", name, &Dataflow::ALL.map(|choice| (choice.name(), choice)))?;
    }
    if let Some(name) = &arguments.kernel {
        options.kernel = chosen("kernel", name, &Kernel::ALL.map(|choice| (choice.name(), choice)))?;
    }
    if let Some(name) = &arguments.zeros {
        options.zeros = chosen("zeros", name, &Zeros::ALL.map(|choice| (choice.name(), choice)))?;
    }
    if let Some(name) = &arguments.liveness {
        options.liveness = chosen("liveness", name, &Liveness::ALL.map(|choice| (choice.name(), choice)))?;
    }
    if let Some(name) = &arguments.client {
        options.client = chosen("client", name, &Client::ALL.map(|choice| (choice.name(), choice)))?;
    }
    if arguments.client.is_some() && options.kernel != Kernel::Faithful {
        return Err(Failure::usage(format!(
            "--client: found kernel {}, which has none, need --kernel faithful",
            options.kernel.name()
        )));
    }
    if arguments.complex {
        options.packing = Packing::Complex;
    }
    options.block = match arguments.block {
        Some(0) => {
            return Err(Failure::usage(
                "--block: found 0, need at least 1 (1 computes each output by itself)",
            ));
        }
        block => block.unwrap_or(options.block),
    };
    Ok(options)
}

/// Weights of which a draw makes some zero.
fn pruned(weights: Weights, pruning: Option<Pruning>) -> Weights {
    match pruning {
        None => weights,
        Some(pruning) => Weights::Pruned { weights: Box::new(weights), pruning },
    }
}

/// The share of zeros that the command line asks for.
fn pruning(arguments: &args::Workload, seed: u64) -> Outcome<Option<Pruning>> {
    match arguments.zero_share {
        None => Ok(None),
        Some(share) if share == 0.0 || (5e-7..1.0 - 5e-7).contains(&share) => {
            Ok(Some(Pruning { zero_per_million: (1e6 * share).round() as u32, seed }))
        }
        Some(share) => Err(Failure::usage(format!(
            "--zero-share: found {share}, need 0, or 0.000001 to 0.999999 (whole millionths)"
        ))),
    }
}

/// Looks a word of the command line up.
fn chosen<T: Copy>(flag: &str, name: &str, known: &[(&str, T)]) -> Outcome<T> {
    let found = known.iter().find(|(word, _)| *word == name).map(|(_, choice)| *choice);
    found.ok_or_else(|| {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        Failure::usage(format!("--{flag}: found {name}, need one of {}", words.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Verb};

    fn shaped(seed: Option<u64>) -> Program {
        let zeros = "hetier record mobilenetv2-0.35-96 --zeros copy --zero-share 0.5 -o x";
        match Cli::try_parse_from(zeros.split(' ')).expect("known options").verb {
            Verb::Record(record) => {
                for_shape(&record.workload, seed).and_then(|prepared| prepared.program()).expect("a network")
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn zeros_of_a_shape_are_drawn_by_the_seed_and_the_header_says_which() {
        let (usual, third) = (shaped(None), shaped(Some(3)));

        let fact = |program: &Program, key: &str| program.header.facts.get(key).cloned();
        for (program, seed) in [(&usual, "1"), (&third, "3")] {
            assert_eq!(fact(program, "zero-share").as_deref(), Some("0.5"));
            assert_eq!(fact(program, "zero-seed").as_deref(), Some(seed));
        }
        assert!(usual.phases != third.phases || usual.definitions != third.definitions, "another draw");
        assert_eq!(usual.phases, shaped(Some(1)).phases);
    }
}
