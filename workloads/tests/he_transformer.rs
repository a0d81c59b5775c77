//! Networks as he-transformer runs them, by shape: what the published lists say.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Instant;

use hetier_traces::{Definition, Trace, binary, check, facts};
use hetier_workloads::interpret::shape;
use hetier_workloads::network::{Entry, Weights};
use hetier_workloads::program::{Client, Kernel, Liveness, Options};
use hetier_workloads::{Error, Literal, Parameters};

/// Threads of the published runs.
const THREADS: u64 = 48;
/// A ciphertext at the top level of `N12_L4`, and one that was copied after a rescale.
const FRESH_BYTES: u64 = 2 * 3 * 4096 * 8;
const RESCALED_BYTES: u64 = 2 * 2 * 4096 * 8;

fn shaped(name: &str, choose: impl Fn(Options) -> Options) -> Trace {
    let entry = Entry::find(name).unwrap();
    let network = entry.build(&Weights::Absent).unwrap();
    let parameters = Parameters::new(&entry.literal()).unwrap();
    shape(&network.lower(&parameters, &choose(entry.options())).unwrap()).unwrap()
}

/// Elements of the arrays whose label ends like this.
fn elements(trace: &Trace, ending: &str) -> u64 {
    let elements = |definition: &Definition| match definition {
        Definition::Array(array) if array.label.ends_with(ending) => array.elements,
        _ => 0,
    };
    trace.definitions.iter().map(elements).sum()
}

/// Most blocks of one size at once: these weigh so much more than all others that the peak counts them.
fn peak_blocks(trace: &Trace, bytes: u64) -> u64 {
    const HEAVY: u64 = 1 << 40;
    let mut trace = trace.clone();
    for definition in &mut trace.definitions {
        if let Definition::Array(array) = definition {
            array.capacity_bytes = if array.capacity_bytes == bytes { HEAVY } else { 1 };
            array.used_bytes = array.capacity_bytes;
        }
    }
    facts(&trace, THREADS).unwrap().peak_footprint_bytes / HEAVY
}

#[test]
fn operations_of_width_035_are_the_published_list() {
    let trace = shaped("mobilenetv2-0.35-96", |options| options);
    let facts = facts(&trace, THREADS).unwrap();

    check(&trace).unwrap();
    // Source: the operation list of version 1.0 at width 0.35.
    let published = [
        ("Constant", 123),
        ("Reshape", 161),
        ("Broadcast", 70),
        ("Slice", 5216),
        ("Convolution", 2644),
        ("Add", 63),
        ("BoundedRelu", 35),
        ("Concat", 17),
        ("Multiply", 17),
        ("AvgPool", 1),
        ("Result", 1),
    ];
    for (operation, count) in published {
        assert_eq!(facts.operations[operation], count, "{operation}");
    }
    assert_eq!(elements(&trace, ".relu.output"), 481_824);
    // The published number of outputs of convolutions is 526,808, one plane of 3×3 less than these shapes have.
    let sums = elements(&trace, ".sums") - elements(&trace, ".add.sums") - elements(&trace, ".residual.sums");
    assert_eq!(sums, 526_808 + 9);
}

#[test]
fn blocks_of_a_pool_that_reuses_exact_sizes_explain_56_and_112_gigabytes() {
    // Block 1 decides: its expansion at 48×48, then the depthwise convolution to 24×24. Before the rectifier lives
    // the expansion's sum beside the biased one, after it the rectified one beside the outputs of the depthwise.
    for (name, channels, gigabytes) in [("mobilenetv2-0.35-96", 48, 56), ("mobilenetv2-1.0-96", 96, 112)] {
        let trace = shaped(name, |options| options);
        let (large, small) = (peak_blocks(&trace, FRESH_BYTES), peak_blocks(&trace, RESCALED_BYTES));

        let expanded = channels * 48 * 48;
        // The secret key is as large as a rescaled ciphertext, the public key as a fresh one.
        assert_eq!(small, 2 * expanded + 1, "{name}");
        // Each thread holds the product of one tap besides.
        let least = expanded + channels * 24 * 24 + 1;
        assert!(
            (least..=least + THREADS).contains(&large),
            "{name}: {large}, need {least} and the threads' products"
        );
        let pool = large * FRESH_BYTES + small * RESCALED_BYTES;
        println!("{name}: {large} fresh + {small} rescaled = {pool} bytes");
        assert_eq!((pool as f64 / 1e9).round() as u64, gigabytes);
    }
}

#[test]
fn traces_of_the_largest_networks_stay_below_ten_megabytes() {
    for name in ["mobilenetv2-0.35-96", "mobilenetv2-1.4-224", "resnet50"] {
        let start = Instant::now();
        let trace = shaped(name, |options| options);
        let seconds = start.elapsed().as_secs_f64();
        let mut writer = binary::Writer::new(Vec::new(), &trace.header).unwrap();
        trace.items().for_each(|item| writer.push(&item).unwrap());
        let bytes = writer.finish().unwrap().0.len();

        println!("{name}: {bytes} bytes, lowered and shaped in {seconds:.2} s");
        assert!(bytes <= 10_000_000, "{name}: {bytes}");
        check(&trace).unwrap();
    }
}

#[test]
fn resnet50_has_the_known_stage_sizes() {
    let trace = shaped("resnet50", |options| options);

    for (stage, size) in [802_816, 401_408, 200_704, 100_352].into_iter().enumerate() {
        let label = format!("stage{}.block1.residual.relu.output", stage + 1);
        assert_eq!(elements(&trace, &label), size);
    }
}

/// Multiply-accumulates of all 53 convolutions of ResNet-50 with padding skipped, by hand. Source: He, Zhang, Ren, Sun,
/// CVPR 2016, table 1 and section 3.3.
fn resnet50_products(is_v1: bool) -> u64 {
    /// Taps inside the image along one side: `outputs` windows of 3, of which the first alone crosses a border with stride 2
    /// and the last one too with stride 1.
    fn taps(outputs: u64, stride: u64) -> u64 {
        3 * outputs - if stride == 1 { 2 } else { 1 }
    }
    // Windows of 7 with stride 2 that start at -3: 3 taps of the first fall outside, 1 of the second, 2 of the last.
    let stem = 3 * 64 * (7 * 112_u64 - 3 - 1 - 2).pow(2);
    let mut sum = stem;
    let mut from = 64;
    for (stage, (channels, blocks)) in [(64, 3), (128, 4), (256, 6), (512, 3)].into_iter().enumerate() {
        let side = 56 >> stage;
        let stride = if stage == 0 { 1 } else { 2 };
        for block in 0..blocks {
            let stride = if block == 0 { stride } else { 1 };
            let (reduced, spatial) = if is_v1 { (side, 1) } else { (side * stride, stride) };
            sum += from * channels * reduced * reduced;
            sum += channels * channels * taps(side, spatial).pow(2);
            sum += channels * 4 * channels * side * side;
            if block == 0 {
                sum += from * 4 * channels * side * side;
            }
            from = 4 * channels;
        }
    }
    sum
}

#[test]
fn resnet50_has_its_stride_where_its_version_says() {
    for (name, is_v1, millions) in [("resnet50", false, 3946), ("resnet50-v1", true, 3697)] {
        let network = Entry::find(name).unwrap().build(&Weights::Absent).unwrap();

        let products = network.multiply_accumulates() - 2048 * 1000;

        assert_eq!(products, resnet50_products(is_v1), "{name}");
        assert_eq!((products as f64 / 1e6).round() as u64, millions, "{name}");
    }
}

#[test]
fn tensors_that_live_to_the_end_need_several_times_the_memory() {
    let dying = facts(&shaped("mobilenetv2-0.35-96", |options| options), THREADS).unwrap();
    let kept = shaped("mobilenetv2-0.35-96", |options| Options { liveness: Liveness::AtEnd, ..options });
    let kept = facts(&kept, THREADS).unwrap();

    println!("live: {} bytes, kept: {} bytes", dying.peak_footprint_bytes, kept.peak_footprint_bytes);
    assert!(kept.peak_footprint_bytes > 3 * dying.peak_footprint_bytes);
    assert_eq!(kept.activity, dying.activity);
}

#[test]
fn requests_of_an_activation_wait_in_a_queue_all_at_once() {
    // he-transformer's server serialises all batches before it waits for the first answer.
    let peak = |client| {
        let trace = shaped("mobilenetv2-0.35-96", |options| Options { client, ..options });
        let facts = facts(&trace, THREADS).unwrap();
        let phase = facts.phases.iter().find(|phase| phase.name == "block1.expand.relu").unwrap();
        (phase.peak_footprint_bytes, phase.end_footprint_bytes)
    };
    let ((queued, end), (in_place, other_end)) = (peak(Client::Process), peak(Client::None));

    // 48 channels of 48 x 48, two limbs of 4096 words in each of two polynomials, and a header of 65 bytes.
    let queue: u64 = 48 * 48 * 48 * (2 * 2 * 4096 * 8 + 65);
    let input = 48 * 48 * 48 * (2 * 2 * 4096 * 8);
    assert_eq!(end, other_end);
    // At the end of the queue's growth no output is alive; in place, all outputs are at the end.
    assert!(queued >= queue + input, "{queued}");
    assert!(in_place < queued, "{in_place} {queued}");
}

#[test]
fn blocking_over_output_channels_keeps_the_products_and_fused_kernels_move_less() {
    let calls = |choose: &dyn Fn(Options) -> Options, name: &str| {
        let facts = facts(&shaped("mobilenetv2-0.35-96", choose), THREADS).unwrap();
        (facts.activity.primitives.get(name).copied().unwrap_or(0), facts.activity.logical.read_bytes)
    };
    let (taps, bytes) = calls(&|options| options, "he-transformer-tap");
    let blocked = calls(&|options| Options { block: 8, ..options }, "he-transformer-tap");
    let fused = |options| Options { kernel: Kernel::Fused, ..options };
    let (_, fewer) = calls(&fused, "multiply-scalar-accumulate");

    // The first product of a sum is the sum, in a block or not.
    let entry = Entry::find("mobilenetv2-0.35-96").unwrap();
    let network = entry.build(&Weights::Absent).unwrap();
    let scaled = elements(&shaped(entry.name, |options| options), ".products");
    let sums = 526_817;
    assert_eq!(taps, network.multiply_accumulates() - scaled - sums);
    assert_eq!(blocked, (taps, bytes));
    assert!(fewer < bytes);
}

#[test]
fn levels_that_do_not_suffice_are_refused_with_the_layer() {
    let entry = Entry::find("mobilenetv2-0.35-96").unwrap();
    let network = entry.build(&Weights::Absent).unwrap();
    let short = Parameters::new(&Literal::new(4096, &[30, 22, 30], 22)).unwrap();

    let error = network.lower(&short, &entry.options()).unwrap_err();

    let Error::Levels { layer, .. } = &error else { unreachable!("{error}") };
    assert_eq!(layer, "block0.depthwise.multiply");
    let text = error.to_string();
    // What he-transformer runs this network with.
    assert!(text.contains("found primes of 30,22,30 bits, need 4 primes, such as 30,22,22,30"), "{text}");
    let shorter = Parameters::new(&Literal::new(4096, &[30, 30], 22)).unwrap();
    let text = network.lower(&shorter, &entry.options()).unwrap_err().to_string();
    assert!(text.contains("found primes of 30,30 bits, need 4 primes, such as 30,22,22,30"), "{text}");
}

#[test]
fn primes_that_a_network_needs_are_told_with_the_degree_that_makes_them_secure() {
    // LeNet-5 has eleven data primes and a special one, of 60 and 31 bits: 430 bits need degree 16384.
    let entry = Entry::find("lenet5").unwrap();
    let network = entry.build(&Weights::Absent).unwrap();
    let short = Parameters::new(&Literal::new(8192, &[60, 31, 60], 31)).unwrap();

    let text = network.lower(&short, &entry.options()).unwrap_err().to_string();

    assert!(
        text.contains("need 12 primes, such as 60,31,31,31,31,31,31,31,31,31,31,60 at degree 16384"),
        "{text}"
    );
}
