//! Small networks as he-transformer runs them, encrypted for real: answers within the noise estimate, and the recorded
//! trace against the shaped one.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use hetier_traces::{Body, Range, Trace, check, equal};
use hetier_workloads::interpret::{Quiet, Run, execute, shape};
use hetier_workloads::layer::transformer::{DepthwiseConvolution, GraphConvolution};
use hetier_workloads::layer::{Shape, Window};
use hetier_workloads::network::{Entry, Images, MobileNetV2, Network, Pruning, ResNet, Strided, Weights};
use hetier_workloads::program::{Client, Kernel, Liveness, Options, Packing, Zeros};
use hetier_workloads::ring::Seed;
use hetier_workloads::{Context, Dataflow, Error, Literal, Parameters};

/// Deviations of the estimate that no output may exceed.
const DEVIATIONS: f64 = 6.0;
const IMAGES: usize = 6;

/// The primes of `N12_L4` over a smaller ring.
fn parameters() -> Parameters {
    Parameters::insecure_for_tests(&Literal::new(1024, &[30, 22, 22, 30], 22)).unwrap()
}

/// Stem, two bottlenecks with stride and residual, last convolution, pool and logits over 8×8 images.
fn mobilenet(weights: &Weights) -> Network {
    let stages = vec![(1, 16, 1, 1), (2, 24, 2, 2)];
    MobileNetV2 { width: 35, resolution: 8, stages, last: 16, classes: 5 }.build(weights).unwrap()
}

/// Stem, maximum, a stage with identity shortcut and one with stride, pool and dense layer over 16×16 images.
fn resnet(strided: Strided, weights: &Weights) -> Network {
    let (name, stages) = ("resnet-small".to_owned(), vec![(2, 2, 1), (2, 1, 2)]);
    ResNet { name, resolution: 16, stem: 4, stages, strided, classes: 5 }.build(weights).unwrap()
}

/// Runs encrypted, checks answers and trace, and gives the trace.
fn verify(network: &Network, options: &Options) -> Trace {
    let parameters = parameters();
    let images = Images::seeded(network.input_shape(), IMAGES, 5);
    let program = network.lower(&parameters, options).unwrap();
    let deviation = network.noise(&program, &images).unwrap();
    let context = Context::with_seed(parameters, Seed::fixed(7));

    let run = execute(&program, &context, &images, Run { threads: 2, record: true }, &mut Quiet).unwrap();

    let judgement = network.judge(&images, &run.outputs);
    println!("{options:?}: error {:.2e}, estimate {:.2e}", judgement.max_output_error, deviation);
    assert!(judgement.max_output_error < DEVIATIONS * deviation, "{judgement:?}");
    assert!(judgement.max_output_error < 0.1 * judgement.max_output, "{judgement:?}");
    equal(&run.trace, &shape(&program).unwrap()).unwrap();
    run.trace
}

#[test]
fn small_mobilenetv2_runs_encrypted_with_both_kernels() {
    let network = mobilenet(&Weights::Seeded(3));
    verify(&network, &Options::he_transformer(IMAGES));
    verify(&network, &Options { images: IMAGES, ..Options::default() });
    verify(&network, &Options { dataflow: Dataflow::Fused, ..Options::he_transformer(IMAGES) });
}

#[test]
fn small_resnet_runs_encrypted_with_both_kernels() {
    let [spatial, reduction] =
        [Strided::Spatial, Strided::Reduction].map(|strided| resnet(strided, &Weights::Seeded(4)));
    verify(&spatial, &Options::he_transformer(IMAGES));
    verify(&reduction, &Options { images: IMAGES, dataflow: Dataflow::Seal4, ..Options::default() });
}

#[test]
fn two_images_in_a_slot_give_the_answers_of_one() {
    let options = Options { packing: Packing::Complex, ..Options::he_transformer(IMAGES) };
    verify(&mobilenet(&Weights::Seeded(3)), &options);
    verify(&resnet(Strided::Spatial, &Weights::Seeded(4)), &Options { kernel: Kernel::Fused, ..options });
}

#[test]
fn blocks_of_output_channels_and_tensors_kept_to_the_end_change_no_answer() {
    let options = Options { block: 3, liveness: Liveness::AtEnd, ..Options::he_transformer(IMAGES) };
    verify(&mobilenet(&Weights::Seeded(3)), &options);
    verify(&mobilenet(&Weights::Seeded(3)), &Options { kernel: Kernel::Fused, ..options });
}

#[test]
fn activations_without_a_client_change_no_answer() {
    let options = Options { client: Client::None, ..Options::he_transformer(IMAGES) };
    verify(&mobilenet(&Weights::Seeded(3)), &options);
}

#[test]
fn zero_weights_are_copied_or_skipped_without_a_change_of_the_answer() {
    let pruning = Pruning { zero_per_million: 400_000, seed: 9 };
    let pruned = Weights::Pruned { weights: Box::new(Weights::Seeded(3)), pruning };
    for zeros in [Zeros::Copy, Zeros::Skip] {
        verify(&mobilenet(&pruned), &Options { zeros, ..Options::he_transformer(IMAGES) });
    }
}

/// A convolution to five channels and a depthwise one, every third weight of which is zero.
fn with_known_zeros() -> Network {
    let weights = |name: &str, count: usize| {
        let value = |at: usize| if at.is_multiple_of(3) { 0.0 } else { (at % 7) as f64 / 20.0 - 0.12 };
        (name.to_owned(), (0..count).map(value).collect())
    };
    let known = [weights("wide.weights", 5 * 2 * 9), weights("depthwise.weights", 5 * 9)];
    let known = Weights::Given(known.into());
    let window = Window::new(3, 1, 1);
    let mut network = Network::new("zeros", Shape::new(2, 4, 4));
    let wide = GraphConvolution::new("wide", (2, 5), window, &known).unwrap();
    network.then("wide", wide).unwrap();
    network.then("depthwise", DepthwiseConvolution::new("depthwise", 5, window, &known).unwrap()).unwrap();
    network
}

/// Lists of all ranges in some bodies.
fn listed(bodies: &[Body]) -> usize {
    let of = |nest: &[Range]| -> usize {
        let lists = |range: &Range| if let Range::Listed { lists, .. } = range { lists.len() } else { 0 };
        nest.iter().map(lists).sum()
    };
    let in_body = |body: &Body| match body {
        Body::Loop { nest, first, body } => of(nest) + listed(first) + listed(body),
        Body::Parallel { nest, body, .. } => of(nest) + listed(body),
        _ => 0,
    };
    bodies.iter().map(in_body).sum()
}

#[test]
fn known_zeros_are_listed_once_for_each_weight_and_change_no_answer() {
    for zeros in [Zeros::Copy, Zeros::Skip] {
        let lists = 5 * 2 * 9 + 5 * 9;
        let lists = if zeros == Zeros::Copy { 2 * lists } else { lists };
        for block in [1, 2] {
            let options = Options { zeros, block, ..Options::he_transformer(IMAGES) };
            let program = with_known_zeros().lower(&parameters(), &options).unwrap();
            let trace = shape(&program).unwrap();

            check(&trace).unwrap();
            assert_eq!(trace.phases.iter().map(|phase| listed(&phase.body)).sum::<usize>(), lists);
            verify(&with_known_zeros(), &options);
        }
    }
}

#[test]
fn a_residual_that_would_add_unlike_scales_is_refused() {
    // With two data primes no product is rescaled: what goes round the block has the scale 2²², what goes through 2²⁵ more.
    let parameters = Parameters::insecure_for_tests(&Literal::new(1024, &[60, 25, 60], 22)).unwrap();
    let network = resnet(Strided::Spatial, &Weights::Seeded(4));

    let error = network.lower(&parameters, &Options::he_transformer(IMAGES)).unwrap_err();

    let Error::Scales { layer, left_bits, right_bits } = error else { panic!("{error}") };
    assert_eq!(layer, "stage1.block1.residual");
    assert!((left_bits - 47.0).abs() < 0.01 && (right_bits - 22.0).abs() < 0.01, "{left_bits} {right_bits}");
}

#[test]
fn other_networks_take_the_faithful_tap_too() {
    let network = Entry::find("digits").unwrap().build(&Weights::Seeded(3)).unwrap();
    let literal = Literal::new(256, &[40, 30, 30, 30, 40], 30);
    let parameters = Parameters::insecure_for_tests(&literal).unwrap();
    let images = Images::seeded(network.input_shape(), IMAGES, 5);
    let program = network.lower(&parameters, &Options::he_transformer(IMAGES)).unwrap();
    let context = Context::with_seed(parameters, Seed::fixed(7));

    let run = execute(&program, &context, &images, Run { threads: 2, record: true }, &mut Quiet).unwrap();

    assert!(network.judge(&images, &run.outputs).max_output_error < 1e-2);
    assert!(run.trace.macros.iter().any(|defined| defined.name == "he-transformer-tap"));
    equal(&run.trace, &shape(&program).unwrap()).unwrap();
}

#[test]
fn complex_packing_is_refused_by_layers_that_multiply_ciphertexts() {
    let network = Entry::find("digits").unwrap().build(&Weights::Absent).unwrap();
    let options = Options { packing: Packing::Complex, ..Options::default() };

    let error = network.lower(&parameters(), &options).unwrap_err();

    assert_eq!(error, Error::Packing { layer: "conv1".to_owned() });
}
