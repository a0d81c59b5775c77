//! The outside guard: under valgrind, every primitive loads and stores the bytes that it declares.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use hetier_traces::{Class, Parameter, Sweep};
use hetier_workloads::ring::{Activation, Formula, Packing, Scale, Seed, transform_ratio};
use hetier_workloads::scheme::rotation;
use hetier_workloads::{
    Buffer, Context, Dataflow, Literal, Operand, Operation, Parameters, Primitive, Recorder,
};
use support::lackey::{self, Touches};

/// Name of the test that runs the cases in the child.
const CHILD: &str = "child_runs_every_case";

/// Every primitive runs at the first two; at the last, where a transform makes more than one block, those that differ.
const DEGREES: [usize; 3] = [64, 128, 2048];

fn parameters(degree: usize) -> Parameters {
    Parameters::insecure_for_tests(&Literal::new(degree, &[50, 40, 40, 60], 30)).unwrap()
}

fn operations(degree: usize) -> Vec<Operation> {
    let (scale, packing, size) = (Scale::new(2.0_f64.powi(30)), Packing::Real, 2);
    let element = rotation(degree, 3);
    vec![
        Operation::GenerateSecretKey,
        Operation::GeneratePublicKey,
        Operation::GenerateRelinearisationKey,
        Operation::GenerateGaloisKey { element },
        Operation::Encode { scale, packing },
        Operation::Encode { scale, packing: Packing::Complex },
        Operation::EncryptSecret,
        Operation::EncryptPublic,
        Operation::Decrypt { size },
        Operation::Decrypt { size: 3 },
        Operation::Decode { scale, packing },
        Operation::Decode { scale, packing: Packing::Complex },
        Operation::EncodeScalar { scale },
        Operation::EncodeConstant { scale },
        Operation::Copy { size },
        Operation::Zero { size },
        Operation::Add { size },
        Operation::AddAssign { size },
        Operation::Subtract { size },
        Operation::SubtractAssign { size },
        Operation::Negate { size },
        Operation::AddPlain,
        Operation::AddScalar,
        Operation::MultiplyScalar { size },
        Operation::MultiplyScalarAssign { size },
        Operation::MultiplyScalarAccumulate { size },
        Operation::HeTransformerTap { images: 12 },
        Operation::MultiplyPlain,
        Operation::MultiplyPlainAssign,
        Operation::MultiplyPlainAccumulate,
        Operation::Multiply,
        Operation::Square,
        Operation::Relinearise,
        Operation::Rescale { size },
        Operation::Rescale { size: 3 },
        Operation::ModSwitch { size },
        Operation::Rotate { element },
        Operation::Apply { activation: Activation::Relu, packing },
    ]
}

/// Operations at a degree. Valgrind prints some millions of lines for each switch of a key at N = 2048.
fn operations_at(degree: usize) -> Vec<Operation> {
    let mut operations = operations(degree);
    if degree > 1024 {
        operations.retain(|operation| {
            let size = 2;
            matches!(operation, Operation::Encode { packing: Packing::Real, .. } | Operation::Decode { .. })
                || matches!(
                    operation,
                    Operation::EncryptSecret | Operation::Multiply | Operation::Relinearise
                )
                || [Operation::Rescale { size }, Operation::MultiplyScalarAccumulate { size }]
                    .contains(operation)
        });
    }
    operations
}

/// Every primitive at two levels, in every dataflow where it makes other steps.
fn cases() -> Vec<(usize, Primitive)> {
    let mut cases = Vec::new();
    for degree in DEGREES {
        let parameters = parameters(degree);
        for operation in operations_at(degree) {
            let drops_a_prime = matches!(operation, Operation::Rescale { .. } | Operation::ModSwitch { .. });
            let levels = if drops_a_prime { [3, 2] } else { [2, 1] };
            for &limbs in levels.iter().skip(usize::from(degree > 1024)) {
                let mut known = Vec::new();
                for dataflow in Dataflow::ALL {
                    let primitive = Primitive { operation, limbs, dataflow };
                    let steps = primitive.steps(&parameters).unwrap();
                    if !known.contains(&steps) {
                        known.push(steps);
                        cases.push((degree, primitive));
                    }
                }
            }
        }
    }
    cases
}

/// The place of a degree in [`DEGREES`].
fn place(degree: usize) -> usize {
    DEGREES.iter().position(|&known| known == degree).unwrap()
}

/// Operands by case.
fn operands(cases: &[(usize, Primitive)]) -> Vec<Vec<Parameter>> {
    let parameters = DEGREES.map(parameters);
    cases.iter().map(|(degree, primitive)| primitive.operands(&parameters[place(*degree)]).unwrap()).collect()
}

/// One object for each number of operand, used by all cases and large enough for each.
fn objects(operands: &[Vec<Parameter>]) -> Vec<Buffer> {
    let count = operands.iter().map(Vec::len).max().unwrap();
    let largest = |number: usize| {
        let bytes = operands.iter().filter_map(|operands| operands.get(number)).map(|operand| operand.bytes);
        bytes.max().unwrap()
    };
    (0..count).map(|number| Buffer::with_bytes(largest(number))).collect()
}

#[test]
fn child_runs_every_case() {
    if !lackey::is_child() {
        return;
    }
    let contexts = DEGREES.map(|degree| Context::with_seed(parameters(degree), Seed::fixed(3)));
    let cases = cases();
    let operands = operands(&cases);
    let mut objects = objects(&operands);
    lackey::announce(objects.iter().map(|object| object.as_ptr() as u64));
    for ((degree, primitive), parameters) in cases.iter().zip(&operands) {
        for (object, parameter) in objects.iter_mut().zip(parameters) {
            object[..parameter.bytes as usize / 8].fill(1);
        }
        let mut given: Vec<Operand<'_>> = objects
            .iter_mut()
            .zip(parameters)
            .map(|(object, parameter)| match parameter.class {
                Class::Table => Operand::Resident,
                _ => Operand::Write(object),
            })
            .collect();
        let (context, recorder) = (&contexts[place(*degree)], &mut Recorder::off());
        lackey::guarded(|| primitive.execute(context, &mut given, 5, recorder)).unwrap();
    }
}

/// Sweeps with how often the run really makes them: transforms make passes that are declared as one.
fn sweeps(primitive: &Primitive, parameters: &Parameters) -> Vec<(Sweep, u64)> {
    let (made, declared) = transform_ratio(parameters.degree() as u32);
    let steps = primitive.steps(parameters).unwrap();
    let mut sweeps = Vec::new();
    for step in steps {
        let is_transform = matches!(step.formula, Formula::Ntt | Formula::InverseNtt);
        // Of `declared` passes, all but the one for the blocks are real passes.
        let inside = u64::from(made - (declared - 1));
        for sweep in step.sweeps() {
            let is_block = is_transform && sweep.lanes.len() == 3;
            sweeps.push((sweep, if is_block { inside } else { 1 }));
        }
    }
    sweeps
}

/// Declared touches without tables, which the context holds.
fn expected(sweeps: &[(Sweep, u64)], tables: &[usize]) -> Touches {
    let mut touches = lackey::declared(sweeps.iter().map(|(sweep, times)| (sweep, *times)));
    touches.retain(|(operand, _), _| !tables.contains(operand));
    touches
}

#[test]
fn every_primitive_touches_what_it_declares() {
    if lackey::is_child() {
        return;
    }
    if !lackey::is_installed() {
        println!("skipped: valgrind is not installed (apt-get install valgrind)");
        return;
    }
    if cfg!(debug_assertions) {
        println!("skipped: run in release mode, as unoptimised code is too slow under valgrind");
        return;
    }
    let cases = cases();
    let operands = operands(&cases);
    let bytes: Vec<Vec<u64>> =
        operands.iter().map(|operands| operands.iter().map(|operand| operand.bytes).collect()).collect();

    let seen = lackey::observe(CHILD, &bytes);

    let mut failures = Vec::new();
    for ((case, seen), operands) in cases.iter().zip(&seen).zip(&operands) {
        let (degree, primitive) = case;
        let tables: Vec<usize> =
            (0..operands.len()).filter(|&at| operands[at].class == Class::Table).collect();
        let sweeps = sweeps(primitive, &parameters(*degree));
        for difference in lackey::differences(&expected(&sweeps, &tables), seen) {
            failures.push(format!("{} {:?} N = {degree}: {difference}", primitive.name(), primitive));
        }
        notices_damage(&sweeps, &tables, seen);
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

/// The guard is worth nothing if it does not fail: removing a sweep, or shortening a lane by a line, must show.
fn notices_damage(sweeps: &[(Sweep, u64)], tables: &[usize], seen: &Touches) {
    let checked = sweeps.len().min(8);
    for at in 0..checked {
        let mut removed = sweeps.to_vec();
        removed.remove(at);
        assert!(
            !lackey::differences(&expected(&removed, tables), seen).is_empty(),
            "a missing sweep must show"
        );
        let mut shortened = sweeps.to_vec();
        let lanes = &mut shortened[at].0.lanes;
        let Some(lane) = lanes.iter_mut().find(|lane| !tables.contains(&usize::from(lane.operand))) else {
            continue;
        };
        lane.bytes -= lane.bytes.min(lackey::LINE_BYTES);
        assert!(
            !lackey::differences(&expected(&shortened, tables), seen).is_empty(),
            "a short lane must show"
        );
    }
}
