//! Graph operations as he-transformer runs them: one phase each, every output a fresh tensor.
//!
//! nGraph imports a network from TensorFlow as operations on tensors; he-transformer (over nGraph 0.28 and SEAL 3.4.5)
//! runs them one after the other, each with its own parallel region. A layer here lowers to the operations that the
//! import makes of it: a convolution is Constant, Reshape of filter and input, Convolution, Reshape of the output.
//!
//! - Activations between convolutions are in TensorFlow's order (row, column, channel), convolutions in nGraph's.
//! - The result of a product is rescaled unless that would reach chain index 0, the last prime left.
//! - Under [`Kernel::Fused`](crate::program::Kernel::Fused) the operations stay, and the copies inside them go.
//!
//! Source: facts of he-transformer's and SEAL's sources; Boemer, Costache, Cammarota, Wierzynski, nGraph-HE2, WAHC 2019
//! (eprint 2019/947).

mod average_pool;
mod channel;
mod client;
mod convolution;
mod depthwise;
mod max_pool;
mod relu;
mod residual;
mod taps;
mod zeros;

pub use average_pool::SerialAveragePool;
pub use channel::{ChannelAdd, ChannelMultiply};
pub use convolution::GraphConvolution;
pub use depthwise::DepthwiseConvolution;
pub use max_pool::ClientMaxPool;
pub use relu::ClientRelu;
pub use residual::ResidualAdd;

use crate::Error;
use crate::program::{Ending, LARGEST_VALUE, Lowering, Tensor, value_bits};

/// Limbs from which a product is rescaled: one fewer would be chain index 0.
const LEAST_RESCALED_LIMBS: u32 = 3;

/// How a product of `input` with weights ends here.
///
/// # Errors
/// [`Error::Levels`] if the rescale is left out and the modulus has no room for the product.
fn ending(lowering: &Lowering, name: &str, input: &Tensor) -> Result<Ending, Error> {
    let parameters = lowering.parameters();
    let weight_scale = parameters.primes()[input.limbs as usize - 1] as f64;
    if input.limbs >= LEAST_RESCALED_LIMBS {
        return Ok(Ending { weight_scale, limbs: input.limbs - 1, scale: input.scale });
    }
    let scale = input.scale * weight_scale;
    if parameters.level_bits(input.limbs) - scale.log2() < value_bits(LARGEST_VALUE) {
        return Err(Error::levels(name, (0, 1), parameters));
    }
    Ok(Ending { weight_scale, limbs: input.limbs, scale })
}
