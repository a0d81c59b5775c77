//! Networks run for real: answers against the clear model, and the recorded trace against the shaped one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hetier_traces::{equal, facts};
use hetier_workloads::interpret::{Quiet, Run, execute, shape};
use hetier_workloads::layer::{
    Add, AveragePool, Convolution, Dense, Polynomial, Relu, Shape, Square, Window,
};
use hetier_workloads::network::{Entry, Images, Network, Weights};
use hetier_workloads::program::{Kernel, Options};
use hetier_workloads::ring::Seed;
use hetier_workloads::{Context, Dataflow, Error, Literal, Parameters};

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
        let program =
            network.lower(&parameters, &Options { images: 8, dataflow, ..Options::default() }).unwrap();
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

/// Every layer of the shelf once, residual connection included.
fn every_layer() -> Network {
    let weights = Weights::Seeded(11);
    let window = Window::new(3, 1, 1);
    let mut network = Network::new("every-layer", Shape::new(2, 4, 4));
    network.then("conv1", Convolution::new("conv1", (2, 2), window, &weights).unwrap()).unwrap();
    let trunk = network.then("relu1", Relu::default()).unwrap();
    let branch = network.then("conv2", Convolution::new("conv2", (2, 2), window, &weights).unwrap()).unwrap();
    network.join("add1", Add, &[trunk, branch]).unwrap();
    network.then("bounded1", Relu::bounded(0.5)).unwrap();
    network.then("pool1", AveragePool::new(Window::new(2, 2, 0))).unwrap();
    network.then("polynomial1", Polynomial::new([0.25, 0.5, 0.125])).unwrap();
    network.then("square1", Square).unwrap();
    network.then("dense1", Dense::new("dense1", (8, 3), &weights).unwrap()).unwrap();
    network
}

/// Runs on one and two threads: equal answers, equal traces, equal to the shape, close to the clear model.
fn check(network: &Network, literal: &Literal, tolerance: f64) {
    check_with(network, literal, Options::default(), tolerance);
}

fn check_with(network: &Network, literal: &Literal, options: Options, tolerance: f64) {
    let parameters = Parameters::insecure_for_tests(literal).unwrap();
    let images = Images::seeded(network.input_shape(), 4, 5);
    let program = network.lower(&parameters, &Options { images: 4, ..options }).unwrap();
    let context = Context::with_seed(parameters, Seed::fixed(7));
    let run =
        |threads| execute(&program, &context, &images, Run { threads, record: true }, &mut Quiet).unwrap();
    let (one, two) = (run(1), run(2));

    assert_eq!(one.outputs, two.outputs);
    assert_eq!(one.trace, two.trace);
    equal(&one.trace, &shape(&program).unwrap()).unwrap();
    let judgement = network.judge(&images, &one.outputs);
    let (error, most) = (judgement.max_output_error, tolerance * judgement.max_output.max(1.0));
    assert!(error < most, "{}: error {error}, need less than {most}", network.name());
}

#[test]
fn every_layer_runs_as_it_is_shaped_and_as_in_the_clear() {
    check(&every_layer(), &Literal::new(256, &[60, 30, 30, 30, 30, 60], 30), 1e-3);
}

#[test]
fn every_layer_runs_with_the_kernels_of_aluminum_shark() {
    for dataflow in [Dataflow::Fused, Dataflow::Seal4] {
        let options = Options { kernel: Kernel::AluminumShark, dataflow, ..Options::default() };
        check_with(&every_layer(), &Literal::new(256, &[60, 30, 30, 30, 30, 60], 30), options, 1e-3);
    }
}

/// x + x², whose second summand has the scale s² / p of the prime p that its rescale drops.
fn sum_with_a_square() -> Network {
    let mut network = Network::new("sum", Shape::new(1, 2, 2));
    let input = network.input();
    let square = network.then("square", Square).unwrap();
    network.join("sum", Add, &[input, square]).unwrap();
    network
}

#[test]
fn summands_of_unlike_scales_are_refused() {
    check(&sum_with_a_square(), &Literal::new(256, &[60, 30, 30, 60], 30), 1e-3);

    let parameters = Parameters::insecure_for_tests(&Literal::new(256, &[60, 25, 25, 60], 30)).unwrap();
    let message = sum_with_a_square().lower(&parameters, &Options::default()).unwrap_err().to_string();

    // 2³⁰ and 2⁶⁰ / 2²⁵.
    let expected = "sum: found summands of scales 2^30.00 and 2^35.00, need equal ones (use primes of the bits of the \
                    scale, and so many that every product is rescaled)";
    assert_eq!(message, expected);
}

#[test]
fn images_of_another_size_than_the_input_are_refused() {
    let network = sum_with_a_square();
    let parameters = Parameters::insecure_for_tests(&Literal::new(32, &[60, 30, 30, 60], 30)).unwrap();
    let program = network.lower(&parameters, &Options { images: 2, ..Options::default() }).unwrap();
    let context = Context::with_seed(parameters, Seed::fixed(7));
    let run = |second: usize| {
        let images = Images { pixels: vec![vec![0.5; 4], vec![0.5; second]], labels: Vec::new() };
        execute(&program, &context, &images, Run { threads: 1, record: true }, &mut Quiet)
            .map(|run| run.outputs)
    };

    assert_eq!(run(4).unwrap().len(), 2);
    for found in [0, 3, 5] {
        assert_eq!(run(found).unwrap_err(), Error::Image { image: 1, found, needed: 4 });
    }
}

#[test]
fn an_output_that_is_no_number_is_no_match() {
    let network = sum_with_a_square();
    let images = Images { pixels: vec![vec![0.5; 4]], labels: Vec::new() };

    // x + x² at one half.
    assert_eq!(network.judge(&images, &[vec![0.75; 4]]).max_output_error, 0.0);
    for at in 0..4 {
        let mut outputs = vec![0.75; 4];
        outputs[at] = f64::NAN;
        assert!(network.judge(&images, &[outputs]).max_output_error.is_nan());
    }
}

#[test]
fn graphs_of_he_transformer_have_no_kernels_of_aluminum_shark() {
    let entry = Entry::find("mobilenetv2-0.35-96").unwrap();
    let network = entry.build(&Weights::Absent).unwrap();
    let parameters = Parameters::new(&entry.literal()).unwrap();
    let options = Options { kernel: Kernel::AluminumShark, ..entry.options() };

    let message = network.lower(&parameters, &options).unwrap_err().to_string();

    assert_eq!(message, "stem: found kernel aluminum-shark, need faithful or fused");
}

#[test]
fn cryptonets_runs_as_it_is_shaped_and_as_in_the_clear() {
    let entry = Entry::find("cryptonets").unwrap();
    check(&entry.build(&Weights::Seeded(3)).unwrap(), &Literal { degree: 64, ..entry.literal() }, 1e-3);
}

#[test]
fn lenet5_runs_as_it_is_shaped_and_as_in_the_clear() {
    let entry = Entry::find("lenet5").unwrap();
    check(&entry.build(&Weights::Seeded(3)).unwrap(), &Literal { degree: 64, ..entry.literal() }, 1e-2);
}

/// Live bytes of `lenet5-32` as MOFHEI runs it, at their most.
#[test]
fn lenet5_32_keeps_a_plaintext_for_every_weight_at_its_level() {
    let entry = Entry::find("lenet5-32").unwrap();
    let network = entry.build(&Weights::Absent).unwrap();
    let parameters = Parameters::new(&entry.literal()).unwrap();

    let trace = shape(&network.lower(&parameters, &entry.options()).unwrap()).unwrap();
    let facts = facts(&trace, 1).unwrap();

    // A layer with weights and a pool take 1 level each, an activation 2, a square 1; 27 limbs are there at first.
    let weights = [(6 * 25, 27), (16 * 6 * 25, 23), (120 * 16 * 25, 19), (120 * 84, 16), (84 * 10, 14)];
    let kept: u64 = weights.iter().map(|(count, limbs)| count * limbs * 8 * 32768).sum();
    let (peak, end) = (facts.peak_footprint_bytes, facts.phases.last().unwrap().end_footprint_bytes);
    println!("{kept} bytes of weights, {end} at the end, {peak} at the peak");
    // Beside them lie keys and tables (0.5 GB) and, at the peak, the activations of dense layers (1.5 GB).
    assert!((kept..kept + 1_000_000_000).contains(&end), "{end}");
    assert!((kept..kept + 2_500_000_000).contains(&peak), "{peak}");
}

#[test]
fn pruned_lenet5_32_has_two_percent_of_the_weights() {
    let weights = |name| {
        let network = Entry::find(name).unwrap().build(&Weights::Absent).unwrap();
        let entry = Entry::find(name).unwrap();
        let parameters = Parameters::new(&entry.literal()).unwrap();
        let trace = shape(&network.lower(&parameters, &entry.options()).unwrap()).unwrap();
        facts(&trace, 1).unwrap().activity.births_by_class["plaintext"]
    };
    // Plaintexts of numbers that are used once, and of the inputs, are born too.
    let used_once = |filters: [u64; 4]| {
        let [first, second, third, fourth] = filters;
        let activated = first * 28 * 28 + second * 10 * 10 + third;
        let pooled = first * 14 * 14 + second * 5 * 5;
        1024 + 10 + 4 * activated + pooled + activated + fourth + 10
    };

    let dense = weights("lenet5-32") - used_once([6, 16, 120, 84]);
    let pruned = weights("lenet5-32-pruned") - used_once([1, 2, 16, 11]);

    assert_eq!(dense, 150 + 2400 + 48_000 + 10_080 + 840);
    assert_eq!(pruned, 25 + 50 + 800 + 176 + 110);
    assert!((0.018..0.02).contains(&(pruned as f64 / dense as f64)));
}

#[test]
fn lenet5_32_counts_its_products_as_published() {
    let entry = Entry::find("lenet5-32").unwrap();
    let network = entry.build(&Weights::Absent).unwrap();

    // MOFHEI (arXiv 2412.07954), table of operation counts: five layers with weights.
    assert_eq!(network.multiply_accumulates(), 117_600 + 240_000 + 48_000 + 10_080 + 840);
}

#[test]
fn repetitions_leave_the_value_and_run_as_they_are_shaped() {
    for name in ["repeat-multiply-scalar", "repeat-add-scalar"] {
        let entry = Entry::find(name).unwrap();
        check(&entry.build(&Weights::Absent).unwrap(), &Literal { degree: 64, ..entry.literal() }, 1e-3);
    }
}
