//! Choices of a lowering that are not part of the network.

use crate::primitive::Dataflow;
use crate::ring::Packing;

/// Whose copies a layer makes around its primitives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// Those of he-transformer: every product in a ciphertext of its own, a separate rescale pass, activations by
    /// serialised messages, encryption of the inputs on one thread. Known to be wrong: layers that are not of its graph
    /// (`layer/convolution.rs`, `dense.rs`) rescale each output behind its sum and add biases in place.
    Faithful,
    /// None that the arithmetic does not need.
    #[default]
    Fused,
    /// Those of Aluminum Shark: weights kept as whole plaintexts, every product rescaled by itself.
    AluminumShark,
}

impl Kernel {
    /// Every kernel.
    pub const ALL: [Self; 3] = [Self::Faithful, Self::Fused, Self::AluminumShark];

    /// Name in traces and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Faithful => "faithful",
            Self::Fused => "fused",
            Self::AluminumShark => "aluminum-shark",
        }
    }
}

/// What a convolution does with weights that are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Zeros {
    /// Multiplies them like any other.
    #[default]
    Multiply,
    /// Leaves the product out and copies the sum twice, as he-transformer does.
    Copy,
    /// Leaves the tap out.
    Skip,
}

impl Zeros {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Multiply, Self::Copy, Self::Skip];

    /// Name in traces and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Multiply => "multiply",
            Self::Copy => "copy",
            Self::Skip => "skip",
        }
    }
}

/// When tensors die.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// After the operation that uses them last, as he-transformer's liveness pass (pull request 228) has it.
    #[default]
    AfterLastUse,
    /// At the end of the run.
    AtEnd,
}

impl Liveness {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::AfterLastUse, Self::AtEnd];

    /// Name in traces and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AfterLastUse => "after-last-use",
            Self::AtEnd => "at-end",
        }
    }
}

/// Who decrypts, applies an activation and encrypts again, with faithful kernels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Client {
    /// A client process on the same machine, which gets messages and sends messages back.
    #[default]
    Process,
    /// The server itself, in place: he-transformer with `enable_client` off.
    None,
}

impl Client {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Process, Self::None];

    /// Name in traces and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::None => "none",
        }
    }
}

/// Choices of a lowering. Any combination is valid; whether a layer can use it, [`Network::lower`] says.
///
/// [`Network::lower`]: crate::network::Network::lower
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Images of the batch, at least 1 and at most the slots (twice as many under complex packing).
    pub images: usize,
    /// Dataflow of every primitive.
    pub dataflow: Dataflow,
    /// Copies of the layers.
    pub kernel: Kernel,
    /// One image or two in a slot.
    pub packing: Packing,
    /// Treatment of zero weights.
    pub zeros: Zeros,
    /// Output channels that a thread computes together, so that an input is read once for all of them; 0 and 1: each
    /// by itself, as he-transformer does.
    pub block: usize,
    /// Death of tensors.
    pub liveness: Liveness,
    /// Holder of the key of activations.
    pub client: Client,
}

impl Default for Options {
    /// One image in our own dataflow and kernels.
    fn default() -> Self {
        Self {
            images: 1,
            dataflow: Dataflow::Fused,
            kernel: Kernel::Fused,
            packing: Packing::Real,
            zeros: Zeros::Multiply,
            block: 1,
            liveness: Liveness::AfterLastUse,
            client: Client::Process,
        }
    }
}

impl Options {
    /// he-transformer's kernels over SEAL 3.4.5, which it pins.
    pub fn he_transformer(images: usize) -> Self {
        Self { images, dataflow: Dataflow::Seal345, kernel: Kernel::Faithful, ..Self::default() }
    }

    /// Whether activations go to a client and back in messages.
    pub fn has_messages(&self) -> bool {
        self.kernel == Kernel::Faithful && self.client == Client::Process
    }

    /// Most images that this many slots hold.
    pub const fn most_images(&self, slots: usize) -> usize {
        match self.packing {
            Packing::Real => slots,
            Packing::Complex => 2 * slots,
        }
    }

    /// The choices as facts of a trace's header, those of layers only where they differ from the default.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let packing = match self.packing {
            Packing::Real => "batch-axis",
            Packing::Complex => "batch-axis-complex",
        };
        let mut facts = vec![
            ("images", self.images.to_string()),
            ("packing", packing.to_owned()),
            ("dataflow", self.dataflow.name().to_owned()),
            ("kernel", self.kernel.name().to_owned()),
        ];
        if self.zeros != Zeros::default() {
            facts.push(("zeros", self.zeros.name().to_owned()));
        }
        if self.block > 1 {
            facts.push(("block", self.block.to_string()));
        }
        if self.liveness != Liveness::default() {
            facts.push(("liveness", self.liveness.name().to_owned()));
        }
        if self.client != Client::default() {
            facts.push(("client", self.client.name().to_owned()));
        }
        facts
    }
}
