//! The estimate of the error against the error of real runs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hetier_workloads::interpret::{Quiet, Run, execute};
use hetier_workloads::network::{Entry, Images, MobileNetV2, Network, Weights};
use hetier_workloads::program::{Kernel, Options, Packing};
use hetier_workloads::ring::Seed;
use hetier_workloads::{Context, Dataflow, Literal, Parameters};

/// How many times the estimate may be above or below the measured error.
const FACTOR: f64 = 4.0;

/// Runs a network and holds the root of its mean squared error against the estimate.
fn check(network: &Network, literal: &Literal, options: Options, images: &Images) {
    let parameters = Parameters::insecure_for_tests(literal).unwrap();
    let options = Options { images: images.pixels.len(), ..options };
    let program = network.lower(&parameters, &options).unwrap();
    let context = Context::with_seed(parameters, Seed::fixed(7));

    let run = execute(&program, &context, images, Run { threads: 2, record: false }, &mut Quiet).unwrap();

    let clear: Vec<f64> = images.pixels.iter().flat_map(|image| network.clear(image)).collect();
    let squares =
        clear.iter().zip(run.outputs.iter().flatten()).map(|(clear, found)| (clear - found).powi(2));
    let found = (squares.sum::<f64>() / clear.len() as f64).sqrt();
    let estimate = network.noise(&program, images).unwrap();
    println!("{}, {options:?}: found {found:.2e}, estimated {estimate:.2e}", network.name());
    assert!((found / FACTOR..found * FACTOR).contains(&estimate), "found {found}, estimated {estimate}");
}

fn check_digits(primes: &[u32], options: Options) {
    let entry = Entry::find("digits").unwrap();
    let network = entry.build(&entry.weights().unwrap()).unwrap();
    let images = entry.images().unwrap().first(128);
    check(&network, &Literal::new(256, primes, primes[1]), options, &images);
}

/// A shipped network with drawn weights at a smaller degree.
fn check_drawn(name: &str, dataflow: Dataflow) {
    let entry = Entry::find(name).unwrap();
    let network = entry.build(&Weights::Seeded(1)).unwrap();
    let images = Images::seeded(network.input_shape(), 4, 5);
    let literal = Literal { degree: 64, ..entry.literal() };
    check(&network, &literal, Options { dataflow, ..entry.options() }, &images);
}

#[test]
fn estimate_of_digits_is_near_in_every_dataflow_and_kernel() {
    for dataflow in Dataflow::ALL {
        for kernel in Kernel::ALL {
            check_digits(&[60, 30, 30, 60], Options { dataflow, kernel, ..Options::default() });
        }
    }
}

/// The weights of the last layer are rounded at 2¹⁷, what the first prime has room for; that is most of the error.
#[test]
fn estimate_counts_the_rounding_of_weights() {
    check_digits(&[60, 33, 33, 60], Options::default());
}

/// Digits of 60 bits leave 2⁴⁰ of a key's errors, most of it in the slots that the first images are in.
#[test]
fn estimate_counts_key_switches_with_a_small_special_prime() {
    for dataflow in Dataflow::ALL {
        check_digits(&[60, 30, 30, 20], Options { dataflow, ..Options::default() });
    }
}

#[test]
fn estimate_of_deep_networks_is_near() {
    for dataflow in [Dataflow::Fused, Dataflow::Seal4] {
        check_drawn("cryptonets", dataflow);
        check_drawn("lenet5", dataflow);
        check_drawn("lenet5-32-pruned", dataflow);
    }
}

#[test]
fn estimate_of_repetitions_is_that_of_an_encryption() {
    for name in ["repeat-multiply-scalar", "repeat-add-scalar"] {
        check_drawn(name, Dataflow::Fused);
        check_drawn(name, Dataflow::Seal345);
    }
}

#[test]
fn estimate_of_he_transformers_graphs_is_near_in_both_packings() {
    let stages = vec![(1, 16, 1, 1), (2, 24, 2, 2)];
    let network = MobileNetV2 { width: 35, resolution: 8, stages, last: 16, classes: 5 };
    let network = network.build(&Weights::Seeded(3)).unwrap();
    let images = Images::seeded(network.input_shape(), 6, 5);
    for packing in [Packing::Real, Packing::Complex] {
        let options = Options { packing, ..Options::he_transformer(6) };
        check(&network, &Literal::new(256, &[30, 22, 22, 30], 22), options, &images);
    }
}

#[test]
fn without_images_there_is_no_estimate() {
    let entry = Entry::find("digits").unwrap();
    let network = entry.build(&Weights::Absent).unwrap();
    let program = network.lower(&Parameters::new(&entry.literal()).unwrap(), &Options::default()).unwrap();

    assert_eq!(network.noise(&program, &Images::default()), None);
}
