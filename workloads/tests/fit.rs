//! Parameters without room or precision are refused, and the primes that the message names do.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hetier_workloads::interpret::{Quiet, Run, execute};
use hetier_workloads::layer::{Shape, Square};
use hetier_workloads::network::{Entry, NETWORKS, Network, Weights};
use hetier_workloads::program::{Kernel, LARGEST_VALUE, Options};
use hetier_workloads::ring::Seed;
use hetier_workloads::{Context, Error, Literal, Parameters};

fn digits(weights: &Weights) -> Network {
    Entry::find("digits").unwrap().build(weights).unwrap()
}

/// What lowering `digits` under secure parameters says, without weights as for a shape and with them.
fn refusal(degree: usize, primes: &[u32], scale_bits: u32) -> Error {
    let parameters = Parameters::new(&Literal::new(degree, primes, scale_bits)).unwrap();
    let [shaped, run] = [Weights::Absent, Weights::Seeded(1)]
        .map(|weights| digits(&weights).lower(&parameters, &Options::default()).unwrap_err());
    assert_eq!(shaped, run);
    run
}

#[test]
fn scale_that_a_prime_larger_than_it_eats_is_refused() {
    // The square divides 2⁶⁰ by a prime of 60 and of 50 bits; a rescale leaves N/6Δ = 1365/Δ.
    let message = refusal(8192, &[60, 60, 30, 60], 30).to_string();

    assert_eq!(
        message,
        "square1: error that the layer adds to values at level 0 and a scale of 2^0.0: found a standard deviation of \
         2^10.4, need at most 2^-5: found primes of 60,60,30,60 bits, need 4 primes, such as 60,30,30,60"
    );
    assert!(matches!(refusal(16384, &[60, 50, 30, 60], 30), Error::Precision { .. }));
}

#[test]
fn product_that_outgrows_the_modulus_is_refused() {
    let message = refusal(8192, &[33, 30, 30, 30, 33], 30).to_string();

    assert_eq!(
        message,
        "dense1: modulus of 2^33.0 at level 0 for values at a scale of 2^30.0: found 3.0 bits above the scale, need 5.0: \
         found primes of 33,30,30,30,33 bits, need 6 primes, such as 33,30,30,30,30,33"
    );
}

/// One square, which leaves the scale at one limb.
fn square() -> Network {
    let mut network = Network::new("square", Shape::new(1, 1, 1));
    network.then("square", Square).unwrap();
    network
}

#[test]
fn room_is_the_bits_of_the_modulus_above_the_scale() {
    let lowered = |first| {
        let parameters = Parameters::insecure_for_tests(&Literal::new(64, &[first, 30, 40], 30)).unwrap();
        square().lower(&parameters, &Options::default()).map(|_| ())
    };

    // Values up to 16 of either sign need 1 + log2 16 = 5 bits above 30.
    assert_eq!(1.0 + LARGEST_VALUE.log2(), 5.0);
    assert_eq!(lowered(35), Ok(()));
    assert!(matches!(lowered(34), Err(Error::Room { .. })));
}

#[test]
fn error_of_a_rescale_is_a_sixth_of_the_degree_over_the_scale() {
    let lowered = |scale: f64| {
        let literal = Literal { scale, ..Literal::new(64, &[60, 30, 60], 30) };
        let parameters = Parameters::insecure_for_tests(&literal).unwrap();
        square().lower(&parameters, &Options::default()).map(|_| ())
    };

    // The scale after the square, Δ²/2³⁰, must be at least 32·N/6 = 341.3; the key switch adds less than a percent.
    assert_eq!(lowered((360.0 * 2.0_f64.powi(30)).sqrt()), Ok(()));
    assert!(matches!(lowered((330.0 * 2.0_f64.powi(30)).sqrt()), Err(Error::Precision { .. })));
}

#[test]
fn shipped_parameters_fit() {
    for entry in NETWORKS {
        let parameters = Parameters::new(&entry.literal()).unwrap();
        let network = entry.build(&Weights::Absent).unwrap();
        assert!(network.lower(&parameters, &entry.options()).is_ok(), "{}", entry.name);
    }
}

/// Primes, scale and degree that a message advises: `…, such as 60,30,60 with a scale of 2^40 at degree 16384`.
fn advised(error: &Error, asked: &Literal) -> Literal {
    let text = error.to_string();
    let advice = text.split("such as ").nth(1).unwrap_or_else(|| panic!("no advice: {text}"));
    let after = |mark: &str| {
        let rest = advice.split(mark).nth(1)?;
        rest.split([' ', ',']).next()?.parse::<f64>().ok()
    };
    let primes = advice.split(' ').next().unwrap().trim_end_matches(',');
    Literal {
        degree: after("at degree ").map_or(asked.degree, |degree| degree as usize),
        prime_bits: primes.split(',').map(|bits| bits.parse().unwrap()).collect(),
        scale: after("a scale of 2^").map_or(asked.scale, f64::exp2),
        ..asked.clone()
    }
}

#[test]
fn advice_decrypts_to_the_clear_result_at_every_scale_and_kernel() {
    let entry = Entry::find("digits").unwrap();
    let network = digits(&entry.weights().unwrap());
    let images = entry.images().unwrap().first(16);
    let mut followed = 0;
    for primes in [vec![60, 30, 30, 60], vec![27], vec![60, 60, 30, 60], vec![30, 60]] {
        for (scale_bits, kernel) in
            (30..=60).flat_map(|bits| [Kernel::Fused, Kernel::AluminumShark].map(|kernel| (bits, kernel)))
        {
            let asked = Literal::new(64, &primes, scale_bits);
            let options = Options { images: 16, kernel, ..Options::default() };
            let lowered = network.lower(&Parameters::insecure_for_tests(&asked).unwrap(), &options);
            let Err(error) = lowered else { continue };

            let parameters = Parameters::insecure_for_tests(&advised(&error, &asked)).unwrap();
            let program = network.lower(&parameters, &options).unwrap();
            let context = Context::with_seed(parameters, Seed::fixed(1));
            let run = execute(&program, &context, &images, Run { threads: 1, record: false }, &mut Quiet);
            let run = run.unwrap_or_else(|failure| panic!("{scale_bits} {kernel:?} {error}: {failure}"));
            let judgement = network.judge(&images, &run.outputs);

            followed += 1;
            assert!(judgement.max_output_error < 1e-2, "{error}: {judgement:?}");
        }
    }
    assert!(followed > 100, "{followed}");
}

#[test]
fn advice_is_accepted_at_the_degree_that_it_names() {
    for degree in [4096, 8192, 16384] {
        for scale_bits in 20..=58 {
            let Ok(parameters) = Parameters::new(&Literal::new(degree, &[60, 30], scale_bits)) else {
                continue;
            };
            let error = digits(&Weights::Absent).lower(&parameters, &Options::default()).unwrap_err();

            let advice = advised(&error, parameters.literal());

            let parameters = Parameters::new(&advice).unwrap_or_else(|refused| panic!("{error}: {refused}"));
            let followed = digits(&Weights::Absent).lower(&parameters, &Options::default());
            assert!(followed.is_ok(), "{error}: {followed:?}");
        }
    }
}
