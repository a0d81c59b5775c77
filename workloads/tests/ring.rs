//! Multiplication through the transform equals the schoolbook, and encodings are what the embedding defines.

mod support;

use hetier_workloads::ring::Scale;
use hetier_workloads::{Dataflow, Operation};
use support::{Machine, values};

/// Product modulo X^N + 1 and p, by definition.
fn schoolbook(a: &[u64], b: &[u64], p: u64) -> Vec<u64> {
    let degree = a.len();
    let mut product = vec![0_u128; degree];
    for (i, &a) in a.iter().enumerate() {
        for (j, &b) in b.iter().enumerate() {
            let term = u128::from(a) * u128::from(b) % u128::from(p);
            let at = &mut product[(i + j) % degree];
            *at = (*at + if i + j < degree { term } else { u128::from(p) - term }) % u128::from(p);
        }
    }
    product.into_iter().map(|word| word as u64).collect()
}

#[test]
fn transforms_multiply_as_the_schoolbook() {
    for bits in [30, 45, 60] {
        let degree = 64;
        let prime = hetier_workloads::ring::prime::chain(degree, &[bits]).unwrap()[0];
        let plan = tfhe_ntt::prime64::Plan::try_new(degree, prime).unwrap();
        let [a, b] = [3_u64, 5].map(|seed| {
            (0..degree as u64)
                .map(|i| (i + 1).wrapping_mul(seed << 58 | 0x9E37_79B9_7F4A_7C15) % prime)
                .collect::<Vec<_>>()
        });

        let [mut x, mut y] = [a.clone(), b.clone()];
        plan.fwd(&mut x);
        plan.fwd(&mut y);
        plan.mul_assign_normalize(&mut x, &y);
        plan.inv(&mut x);

        assert_eq!(x, schoolbook(&a, &b, prime));
    }
}

/// Slot j of an encoding is the value at ζ^(5^j): checked on the monomial X, whose slots are the roots themselves.
#[test]
fn slots_are_values_at_powers_of_five() {
    let degree = 64;
    let mut machine = Machine::new(degree, &[50], 30, Dataflow::Fused);
    let mut power = 1;
    let roots: Vec<f64> = (0..degree / 2)
        .flat_map(|_| {
            let angle = std::f64::consts::PI * f64::from(power) / degree as f64;
            power = power * 5 % (2 * degree as i32);
            [angle.cos(), angle.sin()]
        })
        .collect();
    let encoded = machine.encode(&roots, 2.0_f64.powi(30), 1);

    // X times the scale is the only coefficient: so the encoding is the transform of 2³⁰·X.
    let prime = machine.parameters().primes()[0];
    let plan = tfhe_ntt::prime64::Plan::try_new(degree, prime).unwrap();
    let mut monomial = vec![0; degree];
    monomial[1] = 1 << 30;
    plan.fwd(&mut monomial);

    assert_eq!(encoded[..], monomial[..]);
}

/// A scalar's residues equal the encoding of a constant message.
#[test]
fn scalars_are_constant_polynomials() {
    let mut machine = Machine::new(64, &[50, 40, 60], 40, Dataflow::Fused);
    let limbs = machine.top();
    for value in [0.75, -3.5, 0.0] {
        let scalar = machine.scalar(value, 2.0_f64.powi(40), limbs);
        let plaintext = machine.encode(&vec![value; 32], 2.0_f64.powi(40), limbs);
        for limb in 0..limbs as usize {
            assert!(
                plaintext[64 * limb..64 * (limb + 1)].iter().all(|&word| word == scalar[2 * limb]),
                "{value}"
            );
        }
    }
}

/// Mixed-radix decoding of values near half the modulus, where a sign mistake would show.
#[test]
fn decoding_keeps_large_values_of_both_signs() {
    let mut machine = Machine::new(64, &[30, 30, 30, 40], 30, Dataflow::Fused);
    let clear: Vec<f64> = values(32, 0.0).iter().map(|value| value * 2.0_f64.powi(56)).collect();
    let plaintext = machine.encode(&clear, 2.0_f64.powi(30), 3);

    let found = machine.decode(&plaintext, 2.0_f64.powi(30), 3, hetier_workloads::ring::Packing::Real);

    assert!(support::largest_difference(&found, &clear) < 2.0_f64.powi(56) * 1e-12);
}

/// Errors of fresh encryptions have the deviation of the binomial, and rounding adds a twelfth.
#[test]
fn fresh_errors_are_binomial() {
    let degree = 1024;
    let mut machine = Machine::new(degree, &[50, 50], 30, Dataflow::Fused);
    let clear = values(degree / 2, 0.0);
    let ciphertext = machine.encrypt(&clear, 1);
    let found = machine.decrypt(&ciphertext, 2, 2.0_f64.powi(30), 1);
    let variance = found.iter().zip(&clear).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / clear.len() as f64;

    // A complex slot sums the errors of all coefficients, of which its real part sees half.
    let expected = degree as f64 / 2.0 * (10.5 + 1.0 / 12.0) / 2.0_f64.powi(60);
    let ratio = (variance / expected).sqrt();
    assert!((0.8..1.25).contains(&ratio), "{ratio}");
}

#[test]
fn activations_and_scales_hash_by_value() {
    let operation = |scale: f64| Operation::EncodeScalar { scale: Scale::new(scale) };

    assert_eq!(operation(1024.0), operation(1024.0));
    assert_ne!(operation(1024.0), operation(1024.5));
}
