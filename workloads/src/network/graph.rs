//! A network as a graph of layers, its model in the clear, and its lowering to a program.

use std::fmt;

use super::budget;
use crate::Error;
use crate::layer::{Layer, Shape};
use crate::parameters::Parameters;
use crate::program::{Lowering, Options, Program, Tensor};
use crate::scheme::Noise;

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
        let mut values: Vec<Vec<f64>> = vec![image.to_vec()];
        for node in &self.nodes {
            let inputs: Vec<&[f64]> = node.inputs.iter().map(|input| values[input.0].as_slice()).collect();
            values.push(node.layer.clear(&self.shapes_of(node), &inputs));
        }
        values.pop().unwrap_or_default()
    }

    /// Lowers the network for a batch of `options.images` under `parameters`.
    ///
    /// # Errors
    /// - [`Error::Batch`] if the batch does not fit the slots;
    /// - [`Error::Levels`] if the parameters have too few levels, with primes that are enough for the whole network;
    /// - [`Error::Packing`] if a layer cannot work on complex slots;
    /// - [`Error::Kernel`] if a layer does not have the kernels asked for.
    pub fn lower(&self, parameters: &Parameters, options: &Options) -> Result<Program, Error> {
        let lowered = self.lower_under(parameters, options);
        lowered.map_err(|error| match error {
            Error::Levels { layer, found, needed, prime_bits, .. } => {
                let cure = budget::cure(self, parameters, options);
                Error::Levels { layer, found, needed, prime_bits, cure }
            }
            other => other,
        })
    }

    /// [`Network::lower`], whose error about levels knows no cure.
    pub(super) fn lower_under(&self, parameters: &Parameters, options: &Options) -> Result<Program, Error> {
        if let Some(node) = self.nodes.iter().find(|node| !node.layer.takes(options.packing)) {
            return Err(Error::Packing { layer: node.name.clone() });
        }
        if let Some(node) = self.nodes.iter().find(|node| !node.layer.has(options.kernel)) {
            return Err(Error::Kernel { layer: node.name.clone(), found: options.kernel.name() });
        }
        let mut lowering = Lowering::new(&self.name, parameters, options)?;
        let mut tensors: Vec<Tensor> = vec![lowering.input(self.input)?];
        for (at, node) in self.nodes.iter().enumerate() {
            let inputs: Vec<Tensor> = node.inputs.iter().map(|input| tensors[input.0].clone()).collect();
            self.check_levels(node, &inputs, parameters)?;
            lowering.expect_last_use(self.last_used_by(at).map(|input| tensors[input.0].holder));
            tensors.push(node.layer.lower(&node.name, &inputs, &mut lowering)?);
            for input in self.last_used_by(at) {
                lowering.free_after(&tensors[input.0]);
            }
        }
        lowering.finish(&tensors[self.nodes.len()])
    }

    /// Estimate of the noise of the outputs for inputs up to `magnitude`; `None` if a layer has no rule.
    pub fn noise(&self, parameters: &Parameters, magnitude: f64) -> Option<Noise> {
        let mut noises = vec![Noise::fresh(parameters, magnitude, true)];
        for node in &self.nodes {
            let inputs: Vec<Noise> = node.inputs.iter().map(|input| noises[input.0]).collect();
            noises.push(node.layer.noise(parameters, &inputs)?);
        }
        noises.pop()
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
