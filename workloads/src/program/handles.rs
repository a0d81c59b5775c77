//! Operations that copy handles and no ciphertext: Slice, Concat, Reshape.
//!
//! he-transformer keeps a tensor as a vector of shared pointers. Such an operation fills another vector with the same
//! pointers: here, a view whose references keep the objects alive.

use hetier_traces::{Affine, ArrayId, Body, Definition, Segment, Stage, View};

use super::Tensor;
use super::lowering::{Lowering, run};

impl Lowering {
    /// A new view.
    pub fn view(&mut self, label: &str, segments: Vec<Segment>) -> ArrayId {
        self.define(Definition::View(View { label: label.to_owned(), segments }))
    }

    /// Appends a phase that copies the handles of a whole tensor, and gives the tensor that they are.
    pub fn handles(&mut self, name: &str, operation: &str, tensor: &Tensor) -> Tensor {
        let count = tensor.shape.elements();
        let all = Segment { array: tensor.array, start: 0, stride: 1, count: count as u64 };
        let holder = self.view(name, vec![all]);
        self.phase(
            name,
            operation,
            Stage::Server,
            vec![Body::Alloc(run(holder, Affine::constant(0), count))],
        );
        Tensor { holder, ..tensor.clone() }
    }

    /// The same, after which the handles copied from are dropped.
    pub fn moved_handles(&mut self, name: &str, operation: &str, tensor: &Tensor) -> Tensor {
        let copied = self.handles(name, operation, tensor);
        self.free_after(tensor);
        copied
    }

    /// A view with one run of references for each channel of a tensor, which [`Lowering::slice`] takes one by one.
    pub fn channel_slices(&mut self, label: &str, tensor: &Tensor) -> ArrayId {
        let [channels, _, columns] = tensor.strides();
        let plane = (tensor.shape.height * tensor.shape.width) as u64;
        let segment = |channel: usize| Segment {
            array: tensor.array,
            start: (channel * channels) as u64,
            stride: columns as i64,
            count: plane,
        };
        let segments = (0..tensor.shape.channels).map(segment).collect();
        self.view(label, segments)
    }

    /// Appends a phase that takes the handles of one channel.
    pub fn slice(&mut self, name: &str, slices: ArrayId, channel: usize, plane: usize) {
        let start = Affine::constant((channel * plane) as i64);
        self.phase(name, "Slice", Stage::Server, vec![Body::Alloc(run(slices, start, plane))]);
    }

    /// Appends a phase that copies handles of weights or biases. Numbers are a thousandth of the memory of
    /// ciphertexts, so their handles are not followed.
    pub fn constant_handles(&mut self, name: &str, operation: &str) {
        self.phase(name, operation, Stage::Server, Vec::new());
    }
}
