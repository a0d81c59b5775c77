//! Networks run for real: answers against the clear model, and the recorded trace against the shaped one.

use hetier_traces::equal;
use hetier_workloads::interpret::{Quiet, Run, execute, shape};
use hetier_workloads::network::{Entry, Images, Network, Weights};
use hetier_workloads::program::Options;
use hetier_workloads::ring::Seed;
use hetier_workloads::{Context, Dataflow, Literal, Parameters};

fn argmax(values: &[f64]) -> usize {
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap()
}

fn largest_error(network: &Network, images: &Images, outputs: &[Vec<f64>]) -> f64 {
    let clear: Vec<Vec<f64>> = images.pixels.iter().map(|image| network.clear(image)).collect();
    let pairs = clear.iter().flatten().zip(outputs.iter().flatten());
    pairs.map(|(clear, output)| (clear - output).abs()).fold(0.0, f64::max)
}

#[test]
fn encrypted_digits_predict_as_the_clear_model_on_every_test_image() {
    let entry = Entry::find("digits").unwrap();
    let network = entry.build(&entry.weights().unwrap()).unwrap();
    let images = entry.images().unwrap();
    let parameters = Parameters::new(&entry.literal()).unwrap();
    let options = Options { images: images.pixels.len(), dataflow: Dataflow::Fused, ..Options::default() };
    let program = network.lower(&parameters, &options).unwrap();
    let context = Context::with_seed(parameters, Seed::fixed(1));

    let run = execute(&program, &context, &images, Run { threads: 2, record: true }, &mut Quiet).unwrap();

    let clear: Vec<Vec<f64>> = images.pixels.iter().map(|image| network.clear(image)).collect();
    let largest = clear.iter().flatten().fold(0.0_f64, |most, value| most.max(value.abs()));
    assert!(largest_error(&network, &images, &run.outputs) < 1e-3 * largest);
    assert!(run.outputs.iter().zip(&clear).all(|(a, b)| argmax(a) == argmax(b)));
    equal(&run.trace, &shape(&program).unwrap()).unwrap();
}

#[test]
fn recorded_trace_equals_shaped_trace_in_every_dataflow_on_one_and_two_threads() {
    let entry = Entry::find("digits").unwrap();
    let network = entry.build(&Weights::Seeded(3)).unwrap();
    let literal = Literal::new(256, &[40, 30, 30, 30, 40], 30);
    let parameters = Parameters::insecure_for_tests(&literal).unwrap();
    let images = Images::seeded(network.input_shape(), 8, 5);
    for dataflow in Dataflow::ALL {
        let program = network.lower(&parameters, &Options { images: 8, dataflow, ..Options::default() }).unwrap();
        let shaped = shape(&program).unwrap();
        let context = Context::with_seed(parameters.clone(), Seed::fixed(7));
        let runs = [1, 2].map(|threads| {
            execute(&program, &context, &images, Run { threads, record: true }, &mut Quiet).unwrap()
        });

        assert_eq!(runs[0].outputs, runs[1].outputs);
        assert_eq!(runs[0].trace, runs[1].trace);
        equal(&runs[0].trace, &shaped).unwrap();
        assert!(largest_error(&network, &images, &runs[0].outputs) < 1e-2);
    }
}
