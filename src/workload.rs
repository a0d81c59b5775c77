//! Turns the arguments of a workload into a network, parameters and a batch.

use hetier_workloads::network::{Entry, Images, Network, Weights};
use hetier_workloads::program::{Options, Program};
use hetier_workloads::{Dataflow, Literal, Parameters};

use crate::args;
use crate::failure::Outcome;

/// Seed of weights and images that nobody gave, unless the command names one.
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
    let network = entry.build(&given.unwrap_or(Weights::Seeded(seed)))?;
    let images = images(arguments, entry, &network, seed)?;
    let most = arguments.batch.unwrap_or(parameters.slots()).min(parameters.slots());
    let images = images.first(most);
    let options = Options { images: images.pixels.len(), dataflow: dataflow(arguments), ..Options::default() };
    let is_trained = has_weights && !images.labels.is_empty();
    Ok(Prepared { network, parameters, images, options, is_trained })
}

/// For a shape only: no weights, no images.
pub fn for_shape(arguments: &args::Workload) -> Outcome<Prepared> {
    let entry = Entry::find(&arguments.network)?;
    let parameters = parameters(arguments, &entry.literal())?;
    let network = entry.build(&Weights::Absent)?;
    let options =
        Options { images: arguments.batch.unwrap_or(parameters.slots()), dataflow: dataflow(arguments), ..Options::default() };
    Ok(Prepared { network, parameters, images: Images::default(), options, is_trained: false })
}

impl Prepared {
    /// Lowers the network.
    pub fn program(&self) -> Outcome<Program> {
        Ok(self.network.lower(&self.parameters, &self.options)?)
    }
}

fn images(arguments: &args::Workload, entry: &Entry, network: &Network, seed: u64) -> Outcome<Images> {
    let shape = network.input_shape();
    if let Some(path) = &arguments.images {
        return Ok(Images::from_idx(path, arguments.labels.as_deref(), shape)?);
    }
    Ok(entry.images().unwrap_or_else(|| Images::seeded(shape, arguments.batch.unwrap_or(DRAWN_IMAGES), seed)))
}

fn parameters(arguments: &args::Workload, literal: &Literal) -> Outcome<Parameters> {
    let mut literal = literal.clone();
    if let (Some(degree), Some(primes)) = (arguments.degree, &arguments.primes) {
        literal.degree = degree;
        literal.prime_bits.clone_from(primes);
    }
    if let Some(bits) = arguments.scale_bits {
        literal.scale = f64::from(bits).exp2();
    }
    let checked =
        if arguments.insecure { Parameters::insecure_for_tests(&literal) } else { Parameters::new(&literal) };
    Ok(checked?)
}

const fn dataflow(arguments: &args::Workload) -> Dataflow {
    match arguments.dataflow {
        args::Dataflow::Fused => Dataflow::Fused,
        args::Dataflow::Seal4 => Dataflow::Seal4,
        args::Dataflow::Seal345 => Dataflow::Seal345,
    }
}
