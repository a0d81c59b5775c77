//! The estimate of the error against the error of real runs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hetier_workloads::interpret::{Quiet, Run, execute};
use hetier_workloads::network::{Entry, Images, Network, Weights};
use hetier_workloads::program::{Kernel, Options};
use hetier_workloads::ring::Seed;
use hetier_workloads::{Context, Dataflow, Literal, Parameters};

/// How many times the estimate may be above or below the measured error.
const FACTOR: f64 = 4.0;

/// Root of the mean squared difference of encrypted and clear outputs.
fn measured(network: &Network, images: &Images, outputs: &[Vec<f64>]) -> f64 {
    let clear = images.pixels.iter().flat_map(|image| network.clear(image));
    let squares: Vec<f64> =
        clear.zip(outputs.iter().flatten()).map(|(clear, output)| (clear - output).powi(2)).collect();
    (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
}

fn check(network: &Network, literal: &Literal, options: Options, images: &Images) {
    let parameters = Parameters::insecure_for_tests(literal).unwrap();
    let options = Options { images: images.pixels.len(), ..options };
    let program = network.lower(&parameters, &options).unwrap();
    let context = Context::with_seed(parameters, Seed::fixed(7));

    let run = execute(&program, &context, images, Run { threads: 2, record: false }, &mut Quiet).unwrap();

    let (estimate, found) = (network.noise(&program, images).unwrap(), measured(network, images, &run.outputs));
    let ratio = found / estimate;
    println!("{} {:?} {:?} {options:?}: measured {found:.2e}, estimate {estimate:.2e}, ratio {ratio:.2}", network.name(), literal.degree, literal.prime_bits);
    let judged = network.judge(images, &run.outputs);
    println!("   max diff {:.2e} out {:.2e} sigmas {:.1}", judged.max_output_error, judged.max_output, judged.max_output_error / estimate);
    if !(1.0 / FACTOR..FACTOR).contains(&ratio) { println!("BAD"); }
}

fn digits() -> (Network, Images) {
    let entry = Entry::find("digits").unwrap();
    (entry.build(&entry.weights().unwrap()).unwrap(), entry.images().unwrap())
}

#[test]
fn all() {
    let (network, images) = digits();
    for degree in [128, 1024] {
    for dataflow in Dataflow::ALL {
        for kernel in Kernel::ALL {
            for primes in [vec![60, 30, 30, 60], vec![60, 30, 30, 20], vec![60, 30, 30, 30], vec![60, 33, 33, 60]] {
                let options = Options { dataflow, kernel, ..Options::default() };
                let scale = primes[1];
                check(&network, &Literal::new(degree, &primes, scale), options, &images.clone().first(degree/2));
            }
        }
    }
    }
    for name in ["cryptonets", "lenet5", "lenet5-32-pruned", "repeat-multiply-scalar", "repeat-add-scalar"] {
        let entry = Entry::find(name).unwrap();
        for seed in [1, 3] {
        let network = entry.build(&Weights::Seeded(seed)).unwrap();
        for dataflow in [Dataflow::Fused, Dataflow::Seal4] {
            let images = Images::seeded(network.input_shape(), 4, 5);
            let options = Options { dataflow, ..entry.options() };
            check(&network, &Literal { degree: 256, ..entry.literal() }, options, &images);
        }
        }
    }
}
