//! How many primes a whole network needs.

use super::Network;
use crate::Error;
use crate::error::join;
use crate::parameters::{Literal, MOST_PRIME_BITS, Parameters};
use crate::program::Options;
use crate::security::{Security, smallest_degree};

/// Primes beyond which no more are tried: the largest secure modulus of the table holds as many of 60 bits.
const MOST_PRIMES: usize = 60;

/// Primes, and a degree if they need a larger one, that the network can be lowered under, as text for a message.
///
/// Primes of the size of the scale are put in after the first until the network lowers: levels come back with every
/// activation by a client, so that a sum over all layers would say too much. Costs a lowering a prime, most of which end
/// at the first layer that lacks levels.
pub(super) fn cure(network: &Network, parameters: &Parameters, options: &Options) -> String {
    let Some(enough) = enough(network, parameters.literal(), options) else {
        return "more of them or larger ones".to_owned();
    };
    let bits = &enough.literal().prime_bits;
    let text = format!("{} primes, such as {}", bits.len(), join(bits));
    match smallest_degree(enough.modulus_bit_length()) {
        Some((degree, _)) if parameters.security() != Security::None && degree > parameters.degree() => {
            format!("{text} at degree {degree}")
        }
        None if parameters.security() != Security::None => format!("{text}, which no degree makes secure"),
        _ => text,
    }
}

/// The fewest primes that are enough; `None` if there are not as many, or nothing is.
fn enough(network: &Network, asked: &Literal, options: &Options) -> Option<Parameters> {
    let mut literal = asked.clone();
    let bits = (asked.scale.log2().round() as u32).min(MOST_PRIME_BITS);
    while literal.prime_bits.len() < MOST_PRIMES {
        literal.prime_bits.insert(1, bits);
        let parameters = Parameters::insecure_for_tests(&literal).ok()?;
        match network.lower_under(&parameters, options) {
            Ok(_) => return Some(parameters),
            Err(Error::Levels { .. }) => {}
            Err(_) => return None,
        }
    }
    None
}
