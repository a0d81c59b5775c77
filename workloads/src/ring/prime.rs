//! Primes for number-theoretic transforms.

use crate::Error;
use crate::parameters::MOST_PRIME_BITS;

/// The largest primes of the given sizes that are 1 modulo 2N, all distinct, in the order of the sizes.
///
/// # Errors
/// - [`Error::PrimeBits`] if a size is not above log2(2N) or above 60;
/// - [`Error::TooFewPrimes`] if a size has too few of them.
pub fn chain(degree: usize, bits: &[u32]) -> Result<Vec<u64>, Error> {
    let step = 2 * degree as u64;
    let least = step.ilog2() + 1;
    let mut chosen: Vec<u64> = Vec::with_capacity(bits.len());
    for (position, &size) in bits.iter().enumerate() {
        if !(least..=MOST_PRIME_BITS).contains(&size) {
            return Err(Error::PrimeBits { bits: size, least, most: MOST_PRIME_BITS });
        }
        let previous =
            (0..position).rev().find(|&earlier| bits[earlier] == size).map(|earlier| chosen[earlier]);
        let below = previous.unwrap_or((1 << size) + 1);
        let prime = largest_below(below, 1 << (size - 1), step).ok_or_else(|| Error::TooFewPrimes {
            found: bits[..position].iter().filter(|&&other| other == size).count(),
            bits: size,
            twice_degree: 2 * degree,
            needed: bits.iter().filter(|&&other| other == size).count(),
        })?;
        chosen.push(prime);
    }
    Ok(chosen)
}

/// The largest prime p = 1 modulo `step` with `least` < p < `below`, where `below` is 1 modulo `step` itself.
fn largest_below(below: u64, least: u64, step: u64) -> Option<u64> {
    (1..).map_while(|steps| below.checked_sub(steps * step)).take_while(|&c| c > least).find(|&c| is_prime(c))
}

/// Exact bit length of a product.
pub fn product_bit_length(factors: &[u64]) -> u32 {
    let mut words = vec![1_u64];
    for &factor in factors {
        let mut carry = 0_u64;
        for word in &mut words {
            let wide = u128::from(*word) * u128::from(factor) + u128::from(carry);
            *word = wide as u64;
            carry = (wide >> 64) as u64;
        }
        if carry > 0 {
            words.push(carry);
        }
    }
    let top = words.len() - 1;
    64 * top as u32 + (64 - words[top].leading_zeros())
}

/// a·b modulo p.
pub fn multiply(a: u64, b: u64, p: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(p)) as u64
}

/// base^exponent modulo p.
pub fn power(base: u64, mut exponent: u64, p: u64) -> u64 {
    let mut square = base % p;
    let mut result = 1 % p;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, square, p);
        }
        square = multiply(square, square, p);
        exponent >>= 1;
    }
    result
}

/// Inverse modulo a prime; 0 has none and gives 0.
pub fn inverse(value: u64, p: u64) -> u64 {
    power(value, p - 2, p)
}

/// Miller–Rabin with the first twelve primes as bases, which decides every 64-bit number.
///
/// Source: Sorenson and Webster, "Strong pseudoprimes to twelve prime bases", Math. Comp. 86 (2017).
pub fn is_prime(candidate: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if candidate < 2 {
        return false;
    }
    if let Some(&base) = BASES.iter().find(|&&base| candidate.is_multiple_of(base)) {
        return candidate == base;
    }
    let twos = (candidate - 1).trailing_zeros();
    let odd = (candidate - 1) >> twos;
    BASES.iter().all(|&base| {
        let mut x = power(base, odd, candidate);
        if x == 1 || x == candidate - 1 {
            return true;
        }
        (1..twos).any(|_| {
            x = multiply(x, x, candidate);
            x == candidate - 1
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primes_are_distinct_of_their_size_and_one_modulo_2n() {
        let bits = [60, 40, 40, 60, 31];
        let primes = chain(8192, &bits).unwrap();
        for (prime, bits) in primes.iter().zip(bits) {
            assert!((1 << (bits - 1)..1 << bits).contains(prime) && prime % 16384 == 1, "{prime}");
            // Fermat's test to ten bases, independent of Miller and Rabin's.
            assert!((2..12).all(|base| power(base, prime - 1, *prime) == 1));
        }
        let mut sorted = primes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), primes.len());
    }

    #[test]
    fn small_numbers_are_prime_as_trial_division_says() {
        for candidate in 0..2000 {
            let by_trial = candidate > 1 && (2..candidate).all(|divisor| candidate % divisor != 0);
            assert_eq!(is_prime(candidate), by_trial, "{candidate}");
        }
        // The least strong pseudoprime to the bases 2, 3, 5 and 7 (OEIS A014233).
        assert!(!is_prime(3_215_031_751));
        // A Mersenne prime and its neighbour.
        assert!(is_prime((1 << 61) - 1) && !is_prime((1 << 61) + 1));
    }

    #[test]
    fn a_size_runs_out_of_primes() {
        // 1 modulo 128 with 9 bits: 257 is prime, 385 = 5·7·11.
        assert_eq!(chain(64, &[9]).unwrap(), [257]);
        let error = chain(64, &[9, 9]).unwrap_err();
        assert_eq!(error, Error::TooFewPrimes { found: 1, bits: 9, twice_degree: 128, needed: 2 });
        assert_eq!(chain(64, &[7]).unwrap_err(), Error::PrimeBits { bits: 7, least: 8, most: 60 });
        assert_eq!(chain(64, &[61]).unwrap_err(), Error::PrimeBits { bits: 61, least: 8, most: 60 });
    }

    #[test]
    fn bit_lengths_are_exact_at_powers_of_two() {
        assert_eq!(product_bit_length(&[(1 << 32) - 1, (1 << 32) + 1]), 64);
        assert_eq!(product_bit_length(&[1 << 32, 1 << 32]), 65);
        assert_eq!(product_bit_length(&[u64::MAX; 3]), 192);
        assert_eq!(product_bit_length(&[]), 1);
    }
}
