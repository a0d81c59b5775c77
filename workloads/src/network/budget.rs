//! Which primes a whole network needs.

use super::Network;
use crate::error::join;
use crate::parameters::{Literal, MOST_PRIME_BITS, Parameters};
use crate::program::{LARGEST_ADVISED, Options, Program, value_bits};
use crate::scheme::Encoding;
use crate::security::{Security, smallest_degree};

/// Primes beyond which no more are tried: the largest secure modulus of the table holds as many of 60 bits.
const MOST_PRIMES: usize = 60;
/// Bits of a scale that is tried where the one asked for does not do: what shipped networks take.
const USUAL_SCALE_BITS: u32 = 30;

/// Primes, with a scale or a degree if they need another, that the network can be lowered under, as text for a message.
///
/// Levels come back with every activation by a client, so that a sum over all layers would say too much: primes of the size
/// of the scale are put between the first and the special one until the network lowers, which takes a lowering each, most of
/// them up to the first layer that refuses.
pub(super) fn cure(network: &Network, asked: &Parameters, options: &Options) -> String {
    let asked_bits = (asked.scale().log2().round() as u32).min(MOST_PRIME_BITS);
    let scales = [asked_bits, USUAL_SCALE_BITS];
    let Some(enough) = scales.into_iter().find_map(|bits| enough(network, asked, bits, options)) else {
        return format!(
            "another degree or scale (no {MOST_PRIMES} primes of the bits of the scale are enough)"
        );
    };
    let bits = &enough.literal().prime_bits;
    let mut text = format!("{} primes, such as {}", bits.len(), join(bits));
    if enough.scale().log2() != asked.scale().log2() {
        text += &format!(" with a scale of 2^{}", enough.scale().log2());
    }
    if enough.degree() != asked.degree() {
        text += &format!(" at degree {}", enough.degree());
    }
    if asked.security() != Security::None && smallest_degree(enough.modulus_bit_length()).is_none() {
        text += ", which no degree makes secure";
    }
    text
}

/// The fewest primes that are enough, at a degree that makes them secure if it has to; `None` if nothing is.
fn enough(network: &Network, asked: &Parameters, scale_bits: u32, options: &Options) -> Option<Parameters> {
    let bits = &asked.literal().prime_bits;
    let first = *bits.first()?;
    // A special prime smaller than the others would leave errors of key switches.
    let special = bits.iter().copied().max()?.max(scale_bits);
    let is_scale_asked = asked.scale().log2().round() == f64::from(scale_bits);
    let scale = if is_scale_asked { asked.scale() } else { f64::from(scale_bits).exp2() };
    (1..=MOST_PRIMES - 2).find_map(|count| {
        let prime_bits = [vec![first], vec![scale_bits; count], vec![special]].concat();
        let literal = Literal { prime_bits, scale, ..asked.literal().clone() };
        let parameters = at_secure_degree(literal, asked.security())?;
        let program = network.lower_under(&parameters, options).ok()?;
        is_roomy(&program, &parameters).then_some(parameters)
    })
}

/// Whether all values have the room that is advised, not just what is asked for.
fn is_roomy(program: &Program, parameters: &Parameters) -> bool {
    let needed = value_bits(LARGEST_ADVISED);
    let room = |encoding: &Encoding| parameters.level_bits(encoding.limbs) - encoding.scale.log2();
    program.encodings.iter().all(|encoding| room(encoding) >= needed)
}

/// The parameters, at a larger degree if those asked for were secure and these need one.
fn at_secure_degree(literal: Literal, security: Security) -> Option<Parameters> {
    let parameters = Parameters::insecure_for_tests(&literal).ok()?;
    match smallest_degree(parameters.modulus_bit_length()) {
        Some((degree, _)) if security != Security::None && degree > literal.degree => {
            Parameters::insecure_for_tests(&Literal { degree, ..literal }).ok()
        }
        _ => Some(parameters),
    }
}
