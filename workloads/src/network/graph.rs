//! A network as a graph of layers, its model in the clear, and its lowering to a program.

use std::fmt;

use super::{Images, budget};
use crate::Error;
use crate::layer::{Layer, Shape, mean_square};
use crate::parameters::Parameters;
use crate::program::{Fit, Lowering, Options, Program, Tensor};
use crate::scheme::{Noise, Signal};

/// Images whose values the estimate of the error is made with: their mean square is within a few percent of that of more.
const MOST_SAMPLES: usize = 64;

/// Number of a node: 0 is the input, the layers follow in order of addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(usize);

/// A node: a layer and where its inputs come from.
#[derive(Debug)]
struct Node {
    name: String,
    layer: Box<dyn Layer>,
    inputs: Vec<NodeId>,
    shape: Shape,
}

/// A neural network under batch-axis packing. The last node added is its output.
pub struct Network {
    name: String,
    input: Shape,
    nodes: Vec<Node>,
}

impl fmt::Debug for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Network({}, {} layers)", self.name, self.nodes.len())
    }
}

impl Network {
    /// A network without layers.
    pub fn new(name: impl Into<String>, input: Shape) -> Self {
        Self { name: name.into(), input, nodes: Vec::new() }
    }

    /// The input node.
    pub const fn input(&self) -> NodeId {
        NodeId(0)
    }

    /// The node added last.
    pub const fn last(&self) -> NodeId {
        NodeId(self.nodes.len())
    }

    /// Appends a layer fed by the node added last.
    ///
    /// # Errors
    /// Those of [`Network::join`].
    pub fn then(&mut self, name: &str, layer: impl Layer + 'static) -> Result<NodeId, Error> {
        self.join(name, layer, &[self.last()])
    }

    /// Appends a layer fed by the given nodes.
    ///
    /// # Errors
    /// If the layer cannot take inputs of these shapes.
    pub fn join(
        &mut self,
        name: &str,
        layer: impl Layer + 'static,
        inputs: &[NodeId],
    ) -> Result<NodeId, Error> {
        let shapes: Vec<Shape> = inputs.iter().map(|&input| self.shape(input)).collect();
        let shape = layer.output(name, &shapes)?;
        self.nodes.push(Node {
            name: name.to_owned(),
            layer: Box::new(layer),
            inputs: inputs.to_vec(),
            shape,
        });
        Ok(self.last())
    }

    /// Name of the network.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shape of a node's output.
    pub fn shape(&self, node: NodeId) -> Shape {
        if node.0 == 0 { self.input } else { self.nodes[node.0 - 1].shape }
    }

    /// Shape of the network's input.
    pub const fn input_shape(&self) -> Shape {
        self.input
    }

    /// Shape of the network's output.
    pub fn output_shape(&self) -> Shape {
        self.shape(self.last())
    }

    /// Multiplications by weights for one image.
    pub fn multiply_accumulates(&self) -> u64 {
        self.nodes.iter().map(|node| node.layer.multiply_accumulates(&self.shapes_of(node))).sum()
    }

    /// The network on one image in the clear.
    pub fn clear(&self, image: &[f64]) -> Vec<f64> {
        self.activations(image).pop().unwrap_or_default()
    }

    /// The input and every layer's output on one image in the clear, in order of nodes.
    fn activations(&self, image: &[f64]) -> Vec<Vec<f64>> {
        let mut values: Vec<Vec<f64>> = vec![image.to_vec()];
        for node in &self.nodes {
            let inputs: Vec<&[f64]> = node.inputs.iter().map(|input| values[input.0].as_slice()).collect();
            values.push(node.layer.clear(&self.shapes_of(node), &inputs));
        }
        values
    }

    /// Lowers the network for a batch of `options.images` under `parameters`.
    ///
    /// # Errors
    /// - [`Error::Batch`] if the batch does not fit the slots;
    /// - [`Error::Levels`], [`Error::Room`] or [`Error::Precision`] if the parameters have too few levels, no room for values
    ///   or too small a scale somewhere, with primes that are enough for the whole network;
    /// - [`Error::Packing`] if a layer cannot work on complex slots;
    /// - [`Error::Kernel`] if a layer does not have the kernels asked for.
    pub fn lower(&self, parameters: &Parameters, options: &Options) -> Result<Program, Error> {
        let lowered = self.lower_under(parameters, options);
        lowered.map_err(|error| error.cured(|| budget::cure(self, parameters, options)))
    }

    /// [`Network::lower`], whose errors about primes know no cure.
    pub(super) fn lower_under(&self, parameters: &Parameters, options: &Options) -> Result<Program, Error> {
        if let Some(node) = self.nodes.iter().find(|node| !node.layer.takes(options.packing)) {
            return Err(Error::Packing { layer: node.name.clone() });
        }
        if let Some(node) = self.nodes.iter().find(|node| !node.layer.has(options.kernel)) {
            return Err(Error::Kernel { layer: node.name.clone(), found: options.kernel.name() });
        }
        let mut lowering = Lowering::new(&self.name, parameters, options)?;
        let mut tensors: Vec<Tensor> = vec![lowering.input(self.input)?];
        let fit = Fit::new(parameters, options);
        fit.check_input(&tensors[0])?;
        for (at, node) in self.nodes.iter().enumerate() {
            let inputs: Vec<Tensor> = node.inputs.iter().map(|input| tensors[input.0].clone()).collect();
            self.check_levels(node, &inputs, parameters)?;
            lowering.expect_last_use(self.last_used_by(at).map(|input| tensors[input.0].holder));
            let output = node.layer.lower(&node.name, &inputs, &mut lowering)?;
            fit.check(&node.name, &*node.layer, &inputs, &output)?;
            tensors.push(output);
            for input in self.last_used_by(at) {
                lowering.free_after(&tensors[input.0]);
            }
        }
        lowering.finish(&tensors, &tensors[self.nodes.len()])
    }

    /// Estimated standard deviation of the error of an output of `program`, which this network was lowered to, over a
    /// batch: the root of the mean variance. Sizes of values are those of its first images in the clear.
    ///
    /// `None` without images, whose values alone tell how large errors become, or if the estimate is not finite.
    pub fn noise(&self, program: &Program, images: &Images) -> Option<f64> {
        let powers = self.powers(images)?;
        let noise = Noise::new(&program.parameters, &program.options);
        let mut signals: Vec<Signal> = Vec::with_capacity(powers.len());
        for (at, (&power, &encoding)) in powers.iter().zip(&program.encodings).enumerate() {
            let variance = match at.checked_sub(1).map(|layer| &self.nodes[layer]) {
                None => noise.encryption(encoding),
                Some(node) => {
                    let inputs: Vec<Signal> = node.inputs.iter().map(|input| signals[input.0]).collect();
                    node.layer.noise(&noise, &inputs, encoding)
                }
            };
            signals.push(Signal { encoding, power, variance });
        }
        signals.last().map(|output| output.variance.sqrt()).filter(|deviation| deviation.is_finite())
    }

    /// Mean squares of the input and of every layer's output over the first images; `None` without images.
    fn powers(&self, images: &Images) -> Option<Vec<f64>> {
        let count = images.pixels.len().min(MOST_SAMPLES);
        let mut powers = vec![0.0; self.nodes.len() + 1];
        for image in &images.pixels[..count] {
            let activations = self.activations(image);
            powers.iter_mut().zip(&activations).for_each(|(power, values)| *power += mean_square(values));
        }
        (count > 0).then(|| powers.iter().map(|power| power / count as f64).collect())
    }

    fn check_levels(&self, node: &Node, inputs: &[Tensor], parameters: &Parameters) -> Result<(), Error> {
        let found = inputs.iter().map(|input| input.limbs as usize - 1).min().unwrap_or(0);
        let needed = node.layer.depth();
        if found < needed {
            return Err(Error::levels(&node.name, (found, needed), parameters));
        }
        Ok(())
    }

    /// Nodes whose output node number `at` (from 0) is the last to use.
    fn last_used_by(&self, at: usize) -> impl Iterator<Item = NodeId> {
        let mut inputs = self.nodes[at].inputs.clone();
        inputs.sort_unstable();
        inputs.dedup();
        inputs
            .into_iter()
            .filter(move |input| self.nodes[at + 1..].iter().all(|later| !later.inputs.contains(input)))
    }

    fn shapes_of(&self, node: &Node) -> Vec<Shape> {
        node.inputs.iter().map(|&input| self.shape(input)).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::network::{Entry, Images, Weights};
    use crate::program::LARGEST_ADVISED;

    /// Advice keeps room for values that shipped networks reach, of those that run in reasonable time.
    #[test]
    fn activations_of_shipped_networks_stay_below_the_largest_value_that_primes_are_advised_for() {
        for name in ["digits", "cryptonets", "lenet5", "lenet5-32-pruned"] {
            let entry = Entry::find(name).unwrap();
            let weights = entry.weights().unwrap_or(Weights::Seeded(1));
            let network = entry.build(&weights).unwrap();
            let images = entry.images().unwrap_or_else(|| Images::seeded(network.input_shape(), 4, 1));

            let largest = images.pixels.iter().flat_map(|image| network.activations(image));
            let largest = largest.flatten().fold(0.0_f64, |most, value| most.max(value.abs()));

            assert!(largest < LARGEST_ADVISED, "{name}: {largest}");
        }
    }
}
