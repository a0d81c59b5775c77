//! Every primitive decrypts to the clear result, in all dataflows, at two levels; what it does is what it declares.

mod support;

use hetier_workloads::ring::{Activation, Packing, Scale};
use hetier_workloads::scheme::{conjugation, rotation};
use hetier_workloads::{Buffer, Dataflow, Operation, Secret};
use support::{Machine, largest_difference, values, zip};

const DEGREE: usize = 64;
const SLOTS: usize = DEGREE / 2;
const PRIMES: [u32; 5] = [50, 40, 40, 40, 60];
/// Wide enough for the noise of a few operations at a scale of 2⁴⁰ and degree 64.
const TOLERANCE: f64 = 1e-6;

/// Runs a check in all dataflows at the top level and one below.
fn everywhere(check: impl Fn(&mut Machine, u32)) {
    for dataflow in Dataflow::ALL {
        let mut machine = Machine::new(DEGREE, &PRIMES, 40, dataflow);
        for limbs in [4, 3] {
            check(&mut machine, limbs);
        }
    }
}

fn scale(machine: &Machine) -> f64 {
    machine.parameters().scale()
}

fn close(machine: &mut Machine, found: &Buffer, size: u32, scale: f64, limbs: u32, expected: &[f64]) {
    let found = machine.decrypt(found, size, scale, limbs);
    let difference = largest_difference(&found, expected);
    assert!(difference < TOLERANCE, "{}: {difference}", machine.dataflow.name());
}

#[test]
fn encoding_returns_real_and_complex_slots() {
    everywhere(|machine, limbs| {
        for (count, packing) in [(SLOTS, Packing::Real), (DEGREE, Packing::Complex)] {
            let clear = values(count, 0.3);
            let plaintext = machine.encode(&clear, scale(machine), limbs);

            let found = machine.decode(&plaintext, scale(machine), limbs, packing);

            // Rounding to a multiple of 2⁻⁴⁰ in each of 64 coefficients.
            assert!(largest_difference(&found, &clear) < 1e-9);
        }
    });
}

#[test]
fn both_encryptions_decrypt() {
    everywhere(|machine, limbs| {
        let clear = values(SLOTS, 0.1);
        let by_secret = machine.encrypt(&clear, limbs);
        let plaintext = machine.encode(&clear, scale(machine), limbs);
        let (secret, mut public) = (
            machine.secret.clone(),
            Buffer::with_bytes(machine.dataflow.public_key_bytes(machine.parameters())),
        );
        machine.apply(Operation::GeneratePublicKey, machine.top(), &[&secret], &mut [&mut public]);
        let mut by_public = machine.ciphertext(2, limbs);
        machine.apply(Operation::EncryptPublic, limbs, &[&plaintext, &public], &mut [&mut by_public]);

        close(machine, &by_secret, 2, scale(machine), limbs, &clear);
        close(machine, &by_public, 2, scale(machine), limbs, &clear);
        assert_ne!(by_secret[..], by_public[..]);
    });
}

#[test]
fn sums_and_differences() {
    everywhere(|machine, limbs| {
        let (a, b) = (values(SLOTS, 0.0), values(SLOTS, 1.0));
        let (x, y) = (machine.encrypt(&a, limbs), machine.encrypt(&b, limbs));
        let (size, scale) = (2, scale(machine));
        for (operation, expected) in [
            (Operation::Add { size }, zip(&a, &b, |a, b| a + b)),
            (Operation::Subtract { size }, zip(&a, &b, |a, b| a - b)),
        ] {
            let mut z = machine.ciphertext(2, limbs);
            machine.apply(operation, limbs, &[&x, &y], &mut [&mut z]);
            close(machine, &z, 2, scale, limbs, &expected);
        }
        for (operation, expected) in [
            (Operation::AddAssign { size }, zip(&a, &b, |a, b| b + a)),
            (Operation::SubtractAssign { size }, zip(&a, &b, |a, b| b - a)),
        ] {
            let mut z = y.clone();
            machine.apply(operation, limbs, &[&x], &mut [&mut z]);
            close(machine, &z, 2, scale, limbs, &expected);
        }
    });
}

#[test]
fn copies_zeros_and_negation() {
    everywhere(|machine, limbs| {
        let a = values(SLOTS, 0.0);
        let x = machine.encrypt(&a, limbs);
        let mut z = machine.ciphertext(2, limbs);

        machine.apply(Operation::Copy { size: 2 }, limbs, &[&x], &mut [&mut z]);
        assert_eq!(x[..], z[..]);

        machine.apply(Operation::Negate { size: 2 }, limbs, &[], &mut [&mut z]);
        close(machine, &z, 2, scale(machine), limbs, &zip(&a, &a, |a, _| -a));

        machine.apply(Operation::Zero { size: 2 }, limbs, &[], &mut [&mut z]);
        assert!(z.iter().all(|&word| word == 0));
    });
}

#[test]
fn plain_and_scalar_arguments() {
    everywhere(|machine, limbs| {
        let (a, b) = (values(SLOTS, 0.0), values(SLOTS, 2.0));
        let (x, scale) = (machine.encrypt(&a, limbs), scale(machine));
        let plaintext = machine.encode(&b, scale, limbs);
        let scalar = machine.scalar(-0.75, scale, limbs);

        let mut sum = x.clone();
        machine.apply(Operation::AddPlain, limbs, &[&plaintext], &mut [&mut sum]);
        close(machine, &sum, 2, scale, limbs, &zip(&a, &b, |a, b| a + b));

        let mut shifted = x.clone();
        machine.apply(Operation::AddScalar, limbs, &[&scalar], &mut [&mut shifted]);
        close(machine, &shifted, 2, scale, limbs, &zip(&a, &b, |a, _| a - 0.75));

        let mut product = machine.ciphertext(2, limbs);
        machine.apply(Operation::MultiplyPlain, limbs, &[&x, &plaintext], &mut [&mut product]);
        close(machine, &product, 2, scale * scale, limbs, &zip(&a, &b, |a, b| a * b));

        let mut same = x.clone();
        machine.apply(Operation::MultiplyPlainAssign, limbs, &[&plaintext], &mut [&mut same]);
        assert_eq!(same[..], product[..]);

        machine.apply(Operation::MultiplyPlainAccumulate, limbs, &[&x, &plaintext], &mut [&mut product]);
        close(machine, &product, 2, scale * scale, limbs, &zip(&a, &b, |a, b| 2.0 * a * b));

        let mut scaled = machine.ciphertext(2, limbs);
        machine.apply(Operation::MultiplyScalar { size: 2 }, limbs, &[&x, &scalar], &mut [&mut scaled]);
        close(machine, &scaled, 2, scale * scale, limbs, &zip(&a, &b, |a, _| -0.75 * a));

        let mut same = x.clone();
        machine.apply(Operation::MultiplyScalarAssign { size: 2 }, limbs, &[&scalar], &mut [&mut same]);
        assert_eq!(same[..], scaled[..]);

        let tap =
            [Operation::MultiplyScalarAccumulate { size: 2 }, Operation::HeTransformerTap { images: 3 }];
        for (times, operation) in (2..).zip(tap) {
            machine.apply(operation, limbs, &[&x, &scalar], &mut [&mut scaled]);
            let expected = zip(&a, &b, |a, _| -0.75 * a * f64::from(times));
            close(machine, &scaled, 2, scale * scale, limbs, &expected);
        }
    });
}

#[test]
fn a_number_is_encoded_in_every_slot() {
    everywhere(|machine, limbs| {
        let (scale, number) = (scale(machine), Buffer::from_values(&[-0.75]));
        let mut plaintext = Buffer::with_bytes(machine.parameters().plaintext_bytes(limbs));

        let encode = Operation::EncodeConstant { scale: Scale::new(scale) };
        machine.apply(encode, limbs, &[&number], &mut [&mut plaintext]);

        let found = machine.decode(&plaintext, scale, limbs, Packing::Real);
        assert!(largest_difference(&found, &vec![-0.75; SLOTS]) < TOLERANCE);
    });
}

#[test]
fn products_of_ciphertexts_relinearise_and_rescale() {
    everywhere(|machine, limbs| {
        let (a, b) = (values(SLOTS, 0.0), values(SLOTS, 1.0));
        let (x, y) = (machine.encrypt(&a, limbs), machine.encrypt(&b, limbs));
        let key = machine.relinearisation_key();
        let square = scale(machine) * scale(machine);
        for (operation, inputs, expected) in [
            (Operation::Multiply, vec![&x, &y], zip(&a, &b, |a, b| a * b)),
            (Operation::Square, vec![&x], zip(&a, &b, |a, _| a * a)),
        ] {
            let mut z = machine.ciphertext(3, limbs);
            machine.apply(operation, limbs, &inputs, &mut [&mut z]);
            close(machine, &z, 3, square, limbs, &expected);

            machine.apply(Operation::Relinearise, limbs, &[&key], &mut [&mut z]);
            close(machine, &z, 2, square, limbs, &expected);

            machine.apply(Operation::Rescale { size: 2 }, limbs, &[], &mut [&mut z]);
            let dropped = machine.parameters().primes()[limbs as usize - 1];
            close(machine, &z, 2, square / dropped as f64, limbs - 1, &expected);
        }
    });
}

#[test]
fn unrelinearised_products_rescale() {
    everywhere(|machine, limbs| {
        let a = values(SLOTS, 0.0);
        let x = machine.encrypt(&a, limbs);
        let mut z = machine.ciphertext(3, limbs);
        machine.apply(Operation::Square, limbs, &[&x], &mut [&mut z]);

        machine.apply(Operation::Rescale { size: 3 }, limbs, &[], &mut [&mut z]);

        let scale = scale(machine).powi(2) / machine.parameters().primes()[limbs as usize - 1] as f64;
        close(machine, &z, 3, scale, limbs - 1, &zip(&a, &a, |a, b| a * b));
    });
}

#[test]
fn a_dropped_prime_keeps_the_message() {
    everywhere(|machine, limbs| {
        let a = values(SLOTS, 0.0);
        let mut x = machine.encrypt(&a, limbs);

        machine.apply(Operation::ModSwitch { size: 2 }, limbs, &[], &mut [&mut x]);

        close(machine, &x, 2, scale(machine), limbs - 1, &a);
    });
}

#[test]
fn rotation_moves_slots_to_the_left() {
    everywhere(|machine, limbs| {
        let a = values(SLOTS, 0.0);
        for steps in [1, 5, -3] {
            let mut x = machine.encrypt(&a, limbs);
            let element = rotation(DEGREE, steps);
            let key = machine.galois_key(element);

            machine.apply(Operation::Rotate { element }, limbs, &[&key], &mut [&mut x]);

            let mut expected = a.clone();
            expected.rotate_left(steps.rem_euclid(SLOTS as i64) as usize);
            close(machine, &x, 2, scale(machine), limbs, &expected);
        }
    });
}

#[test]
fn conjugation_negates_imaginary_parts() {
    let mut machine = Machine::new(DEGREE, &PRIMES, 40, Dataflow::Fused);
    let clear = values(DEGREE, 0.0);
    let mut x = machine.encrypt(&clear, 4);
    let key = machine.galois_key(conjugation(DEGREE));

    machine.apply(Operation::Rotate { element: conjugation(DEGREE) }, 4, &[&key], &mut [&mut x]);

    let (secret, mut plaintext) =
        (machine.secret.clone(), Buffer::with_bytes(machine.parameters().plaintext_bytes(4)));
    machine.apply(Operation::Decrypt { size: 2 }, 4, &[&x, &secret], &mut [&mut plaintext]);
    let found = machine.decode(&plaintext, scale(&machine), 4, Packing::Complex);
    let expected: Vec<f64> =
        clear.iter().zip([1.0, -1.0].iter().cycle()).map(|(value, sign)| value * sign).collect();
    assert!(largest_difference(&found, &expected) < TOLERANCE);
}

#[test]
fn activations_apply_in_the_clear() {
    let mut machine = Machine::new(DEGREE, &PRIMES, 40, Dataflow::Fused);
    let clear = values(SLOTS, 0.0);
    let half = Scale::new(0.5);
    let coefficients = [1.0, -2.0, 0.0, 0.25].map(Scale::new);
    for (activation, expected) in [
        (Activation::Relu, zip(&clear, &clear, |x, _| if x > 0.0 { x } else { 0.0 })),
        (Activation::BoundedRelu { bound: half }, zip(&clear, &clear, |x, _| x.clamp(0.0, 0.5))),
        (Activation::Square, zip(&clear, &clear, |x, y| x * y)),
        (
            Activation::Polynomial { coefficients },
            zip(&clear, &clear, |x, _| 1.0 - 2.0 * x + 0.25 * x * x * x),
        ),
    ] {
        let mut message = Buffer::from_values(&clear);
        machine.apply(Operation::Apply { activation, packing: Packing::Real }, 4, &[], &mut [&mut message]);
        assert!(largest_difference(&message.values(), &expected) < 1e-15);
    }
}

#[test]
fn the_same_seed_and_stream_give_the_same_ciphertext() {
    let clear = values(SLOTS, 0.0);
    let [a, b] = [0, 1].map(|_| Machine::new(DEGREE, &PRIMES, 40, Dataflow::Fused).encrypt(&clear, 4));
    let mut machine = Machine::new(DEGREE, &PRIMES, 40, Dataflow::Fused);
    let (first, second) = (machine.encrypt(&clear, 4), machine.encrypt(&clear, 4));

    assert_eq!(a[..], b[..]);
    assert_eq!(a[..], first[..]);
    assert_ne!(first[..], second[..]);
}

#[test]
fn a_sparse_secret_has_its_weight_and_decrypts() {
    let literal = hetier_workloads::Literal {
        secret: Secret::Sparse { weight: 8 },
        ..hetier_workloads::Literal::new(DEGREE, &PRIMES, 40)
    };
    let parameters = hetier_workloads::Parameters::insecure_for_tests(&literal).unwrap();
    let mut secret = Buffer::with_bytes(parameters.secret_key_bytes());
    let context = hetier_workloads::Context::with_seed(parameters, hetier_workloads::ring::Seed::fixed(1));
    let primitive = hetier_workloads::Primitive::fused(Operation::GenerateSecretKey, 4);
    let mut scratch = Buffer::with_bytes(8 * DEGREE as u64);
    let mut operands = [
        hetier_workloads::Operand::Write(&mut secret),
        hetier_workloads::Operand::Resident,
        hetier_workloads::Operand::Write(&mut scratch),
    ];

    primitive.execute(&context, &mut operands, 0, &mut hetier_workloads::Recorder::off()).unwrap();

    assert_eq!(scratch.iter().filter(|&&word| word != 0).count(), 8);
}

#[test]
fn a_value_too_large_for_the_modulus_is_refused() {
    let machine = Machine::new(DEGREE, &PRIMES, 40, Dataflow::Fused);
    let encode = |value: f64| {
        let operation = Operation::Encode { scale: Scale::new(2.0_f64.powi(40)), packing: Packing::Real };
        let message = Buffer::from_values(&[value; SLOTS]);
        let mut plaintext = Buffer::with_bytes(machine.parameters().plaintext_bytes(1));
        let primitive = machine.primitive(operation, 1);
        let recorder = &mut hetier_workloads::Recorder::off();
        primitive.apply(&machine.context, &[&message], &mut [&mut plaintext], 0, recorder)
    };

    // One prime of just under 50 bits holds coefficients below 2⁴⁹.
    assert!(encode(511.0).is_ok());
    assert!(matches!(encode(513.0), Err(hetier_workloads::Error::Overflow { .. })));
    assert!(matches!(encode(f64::NAN), Err(hetier_workloads::Error::NotFinite)));
}

#[test]
fn a_number_too_large_for_the_modulus_is_refused_as_scalar_and_as_plaintext() {
    let machine = Machine::new(DEGREE, &PRIMES, 40, Dataflow::Fused);
    let scale = Scale::new(2.0_f64.powi(40));
    for operation in [Operation::EncodeScalar { scale }, Operation::EncodeConstant { scale }] {
        let encode = |value: f64, limbs: u32| {
            let primitive = machine.primitive(operation, limbs);
            let bytes = primitive.operands(machine.parameters()).unwrap()[1].bytes;
            let mut encoded = Buffer::with_bytes(bytes);
            let recorder = &mut hetier_workloads::Recorder::off();
            let number = Buffer::from_values(&[value]);
            primitive.apply(&machine.context, &[&number], &mut [&mut encoded], 0, recorder)
        };

        // Half of one prime of just under 50 bits is just under 2⁴⁹.
        assert!(encode(511.0, 1).is_ok() && encode(-511.0, 1).is_ok() && encode(0.0, 1).is_ok());
        for value in [513.0, -513.0, 1e290] {
            assert!(matches!(encode(value, 1), Err(hetier_workloads::Error::Overflow { .. })), "{value}");
        }
        // A second prime makes room.
        assert!(encode(513.0, 2).is_ok());
    }
}

#[test]
fn wrong_operands_and_levels_are_refused() {
    let machine = Machine::new(DEGREE, &PRIMES, 40, Dataflow::Fused);
    let parameters = machine.parameters();
    let error =
        |operation, limbs| machine.primitive(operation, limbs).operands(parameters).unwrap_err().to_string();

    assert_eq!(error(Operation::Rescale { size: 2 }, 1), "rescale: found 1 limbs, need 2 to 4");
    assert_eq!(error(Operation::Add { size: 4 }, 2), "add: found ciphertexts of 4 polynomials, need 1 to 3");
    assert_eq!(error(Operation::Square, 5), "square: found 5 limbs, need 1 to 4");
    assert_eq!(
        error(Operation::Rotate { element: 2 }, 2),
        "rotate: found galois element 2, need an odd number below 128"
    );

    let small = Buffer::with_bytes(8);
    let mut sum = machine.ciphertext(2, 4);
    let recorder = &mut hetier_workloads::Recorder::off();
    let add = machine.primitive(Operation::AddAssign { size: 2 }, 4);
    let refused = add.apply(&machine.context, &[&small], &mut [&mut sum], 0, recorder).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "add-assign: operand 0: found 8 bytes to read, need 4096 bytes of ciphertext as Input"
    );
}

#[test]
fn a_single_prime_has_no_key_switching() {
    let mut machine = Machine::new(DEGREE, &[54], 30, Dataflow::Fused);
    let clear = values(SLOTS, 0.0);
    let x = machine.encrypt(&clear, 1);
    let scale = 2.0_f64.powi(30);
    let found = machine.decrypt(&x, 2, scale, 1);

    assert!(largest_difference(&found, &clear) < 1e-5);
    let error = machine.primitive(Operation::Relinearise, 1).operands(machine.parameters()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "relinearise: found no special prime, need one (use parameters with one more prime)"
    );
}
