//! The loops of one Convolution operation: over its outputs, over the taps of each, and the rescale pass.
//!
//! Known to be wrong: the first product of a sum lacks the two vectors of a batch's size that he-transformer fills for each
//! (0.1 % of the bytes of 0.35/96). With zeros among the weights each sum begins as zeros, because which tap is the first with a
//! weight is not known, and all its products are full taps (1.7 % more lines there, `hetier info`).

use hetier_traces::{Affine, Body, Operand, Range};

use super::zeros::{Among, ZeroTaps};
use crate::Error;
use crate::layer::Window;
use crate::primitive::{Dataflow, Operation, Primitive};
use crate::program::{Ending, Kernel, Lowering, Site, Tensor, Weighted, Zeros, operand, run, site};

/// Variables of the loops: block of output channels, row and column of the output; input channel, row and column of
/// the window; output channel inside its block, in the loops around the taps and inside them.
const BLOCK: u8 = 0;
const ROW: u8 = 1;
const COLUMN: u8 = 2;
const OUTER: u8 = 3;
const INPUT: u8 = 3;
const WINDOW_ROW: u8 = 4;
const WINDOW_COLUMN: u8 = 5;
const INNER: u8 = 6;

/// One Convolution operation: a range of output channels over a range of input channels.
pub(super) struct Taps<'a> {
    /// Name of the scratch objects.
    pub name: &'a str,
    pub input: &'a Tensor,
    /// Channels first.
    pub output: &'a Tensor,
    pub ending: Ending,
    pub window: Window,
    pub weights: &'a Weighted,
    pub zeros: &'a ZeroTaps,
    /// First input and output channel, and how many.
    pub inputs: (usize, usize),
    pub outputs: (usize, usize),
    /// First weight; they follow as `[out][in][row][column]`.
    pub first_weight: usize,
}

impl Taps<'_> {
    /// The bodies of the operation: one parallel region, and the rescale pass as a second one if it is apart.
    pub fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Body>, Error> {
        let block = lowering.options().block.clamp(1, self.outputs.1);
        let mut body = self.sums(lowering, block)?;
        let is_rescaled = self.ending.limbs < self.input.limbs;
        let is_apart = lowering.options().kernel == Kernel::Faithful;
        if is_rescaled && !is_apart {
            body.push(self.block_loop(block, self.rescale(lowering, self.place(block, OUTER))?));
        }
        let shape = self.output.shape;
        let nest = [self.outputs.1.div_ceil(block), shape.height, shape.width];
        let nest = nest.map(|extent| Range::count(extent as u64)).to_vec();
        let mut bodies = vec![Body::Parallel { nest, nowait: false, body }];
        if is_rescaled && is_apart {
            bodies.push(self.rescale_pass(lowering)?);
        }
        Ok(bodies)
    }

    /// The sums of one block of output channels, not rescaled.
    fn sums(&self, lowering: &mut Lowering, block: usize) -> Result<Vec<Body>, Error> {
        let limbs = self.input.limbs;
        if block == 1 && *self.zeros == ZeroTaps::None {
            let at = self.place(1, INNER);
            let site = self.site(at.clone());
            let operands = self.operands(1, at.clone());
            let alloc = Body::Alloc(run(self.output.array, at, 1));
            let first =
                lowering.call(Operation::MultiplyScalar { size: 2 }, limbs, operands.clone(), &site)?;
            let body = lowering.call(lowering.tap(), limbs, operands, &site)?;
            return Ok(vec![alloc, Body::Loop { nest: self.window_nest(), first, body }]);
        }
        if *self.zeros == ZeroTaps::None {
            return self.blocked_sums(lowering, block);
        }
        // Which tap is the first with a weight is not known, so each sum begins as zeros.
        let start = self.place(block, OUTER);
        let mut zero = vec![Body::Alloc(run(self.output.array, start.clone(), 1))];
        let operands = vec![self.output.at(start.clone())];
        zero.extend(lowering.call(Operation::Zero { size: 2 }, limbs, operands, &self.site(start))?);
        let nest = self.window_nest().into_iter().chain([self.block_range(block)]).collect();
        let body = self.tap(lowering, block)?;
        Ok(vec![self.block_loop(block, zero), Body::Loop { nest, first: Vec::new(), body }])
    }

    /// The sums of a block of several output channels: each input is used for all of them. The first product is each sum.
    fn blocked_sums(&self, lowering: &mut Lowering, block: usize) -> Result<Vec<Body>, Error> {
        let (limbs, start) = (self.input.limbs, self.place(block, OUTER));
        let alloc = Body::Alloc(run(self.output.array, start, 1));
        let at = self.place(block, INNER);
        let (site, operands) = (self.site(at.clone()), self.operands(block, at));
        let first = lowering.call(Operation::MultiplyScalar { size: 2 }, limbs, operands.clone(), &site)?;
        let body = lowering.call(lowering.tap(), limbs, operands, &site)?;
        let [first, body] = [first, body].map(|body| vec![self.block_loop(block, body)]);
        let sums = Body::Loop { nest: self.window_nest(), first, body };
        Ok(vec![self.block_loop(block, vec![alloc]), sums])
    }

    /// One tap for one output channel of a block: the product unless the weight is zero.
    fn tap(&self, lowering: &mut Lowering, block: usize) -> Result<Vec<Body>, Error> {
        let at = self.place(block, INNER);
        let (site, weight) = (self.site(at.clone()), self.weight(block));
        let operands = self.operands(block, at.clone());
        let product = lowering.call(lowering.tap(), self.input.limbs, operands, &site)?;
        let Some(kept) = self.zeros.kept(&weight, self.weights_taken()) else { return Ok(product) };
        let mut bodies = vec![Body::Loop { nest: vec![kept], first: Vec::new(), body: product }];
        if lowering.options().zeros == Zeros::Copy
            && let Some(dropped) = self.zeros.dropped(&weight, self.weights_taken())
        {
            let body = self.copies(lowering, at)?;
            bodies.push(Body::Loop { nest: vec![dropped], first: Vec::new(), body });
        }
        Ok(bodies)
    }

    /// What adding zero does: the sum is copied by a copy constructor, twice, without filling with zeros first.
    /// Source: he-transformer, `add_zero`.
    fn copies(&self, lowering: &mut Lowering, at: Affine) -> Result<Vec<Body>, Error> {
        let limbs = self.input.limbs;
        let label = format!("{}.copied", self.name);
        let copied = lowering.scratch_ciphertexts(&label, self.output.shape.elements(), limbs);
        let copy = Primitive { operation: Operation::Copy { size: 2 }, limbs, dataflow: Dataflow::Fused };
        let (sum, temporary) = (self.output.at(at.clone()), operand(copied, at.clone()));
        let site = self.site(at.clone());
        let mut bodies = vec![Body::Alloc(run(copied, at.clone(), 1))];
        bodies.extend(lowering.call_primitive(copy, vec![sum.clone(), temporary.clone()], &site)?);
        bodies.extend(lowering.call_primitive(copy, vec![temporary, sum], &site)?);
        bodies.push(Body::Free(run(copied, at, 1)));
        Ok(bodies)
    }

    /// All outputs of the operation, element by element.
    fn rescale_pass(&self, lowering: &mut Lowering) -> Result<Body, Error> {
        let plane = self.output.shape.height * self.output.shape.width;
        let at = Affine::variable(0).plus_constant((self.outputs.0 * plane) as i64);
        let body = self.rescale(lowering, at)?;
        let nest = vec![Range::count((self.outputs.1 * plane) as u64)];
        Ok(Body::Parallel { nest, nowait: false, body })
    }

    fn rescale(&self, lowering: &mut Lowering, at: Affine) -> Result<Vec<Body>, Error> {
        let operands = vec![self.output.at(at.clone())];
        lowering.call(Operation::Rescale { size: 2 }, self.input.limbs, operands, &self.site(at))
    }

    fn operands(&self, block: usize, at: Affine) -> Vec<Operand> {
        let [channels, rows, columns] = self.input.strides();
        let source = Affine::variable(INPUT).plus_constant(self.inputs.0 as i64).times(channels as i64);
        let source = self.window.index(source, ROW, WINDOW_ROW, rows);
        let source = self.window.index(source, COLUMN, WINDOW_COLUMN, columns);
        vec![self.input.at(source), self.weights.at(self.weight(block)), self.output.at(at)]
    }

    /// The weights that the operation takes.
    fn weights_taken(&self) -> Among {
        let count = self.outputs.1 * self.inputs.1 * self.window.size * self.window.size;
        self.first_weight..self.first_weight + count
    }

    fn weight(&self, block: usize) -> Affine {
        let size = self.window.size;
        let taps = self.inputs.1 * size * size;
        let weight = Affine::constant(self.first_weight as i64)
            .plus(BLOCK, (block * taps) as i64)
            .plus(INPUT, (size * size) as i64)
            .plus(WINDOW_ROW, size as i64)
            .plus(WINDOW_COLUMN, 1);
        if block == 1 { weight } else { weight.plus(INNER, taps as i64) }
    }

    /// Index of the output whose place in its block is variable `inside`.
    fn place(&self, block: usize, inside: u8) -> Affine {
        let [channels, rows, columns] = self.output.strides().map(|stride| stride as i64);
        let place = Affine::constant(self.outputs.0 as i64 * channels)
            .plus(BLOCK, block as i64 * channels)
            .plus(ROW, rows)
            .plus(COLUMN, columns);
        if block == 1 { place } else { place.plus(inside, channels) }
    }

    fn site(&self, at: Affine) -> Site {
        site(self.name, at, self.output.shape.elements())
    }

    fn window_nest(&self) -> Vec<Range> {
        let shape = self.input.shape;
        vec![
            Range::count(self.inputs.1 as u64),
            self.window.range(ROW, shape.height),
            self.window.range(COLUMN, shape.width),
        ]
    }

    /// The output channels of a block; the last block may be short.
    fn block_range(&self, block: usize) -> Range {
        let rest = Affine::constant(self.outputs.1 as i64).plus(BLOCK, -(block as i64));
        Range::Affine { from: vec![Affine::constant(0)], to: vec![Affine::constant(block as i64), rest] }
    }

    fn block_loop(&self, block: usize, body: Vec<Body>) -> Body {
        Body::Loop { nest: vec![self.block_range(block)], first: Vec::new(), body }
    }
}
