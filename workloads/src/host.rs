//! What arithmetic costs on the machine that this runs on, measured on the primitives themselves.
//!
//! Every primitive declares how much of each kind of arithmetic it does. The times of a set of primitives, in which each
//! kind dominates at least one, are fitted by costs per kind: non-negative least squares of relative errors.
//!
//! Reducing a word costs what multiplying it by a constant does: it is that multiplication, and no primitive does enough of it
//! to tell it apart from the transforms around it.
//!
//! Known limits: operands of one to two megabytes lie in the second-level cache at best, and moving them is part of the
//! costs; a machine shared with others gives its fastest of many calls, not its average.

use std::hint::black_box;
use std::time::Instant;

use hetier_traces::{Arithmetic, Class, Role};
use serde::Serialize;

use crate::ring::{Activation, Packing, Scale, Seed, unit_name};
use crate::scheme::rotation;
use crate::{Buffer, Context, Error, Literal, Operand, Operation, Parameters, Primitive, Recorder};

/// Degree and primes of the measurement: secure, with one prime of 60 bits and two of 40.
const DEGREE: usize = 8192;
const PRIME_BITS: [u32; 4] = [60, 40, 40, 60];
const SCALE_BITS: u32 = 40;
/// Calls of which the fastest counts.
const ROUNDS: usize = 400;
/// Steps of the chain that measures the clock, and how often it is run.
const CHAIN_STEPS: u64 = 1 << 22;
const CHAIN_ROUNDS: usize = 10;
/// Cycles of a step of the chain: an addition and a rotation that wait for each other.
const CHAIN_CYCLES: f64 = 2.0;
/// Passes of the fit over all kinds; it settles after some hundred.
const FIT_PASSES: usize = 20_000;

/// A primitive and its time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrimitiveTime {
    /// Name of the primitive.
    pub name: &'static str,
    /// Fastest call.
    pub microseconds: f64,
    /// How often it does each kind of arithmetic, in the order of [`Arithmetic::ALL`].
    pub work: [u64; Arithmetic::ALL.len()],
}

impl HostCosts {
    /// Median over the primitives of how far the fitted costs are off, in percent.
    pub fn median_error_percent(&self) -> f64 {
        let error = |time: &PrimitiveTime| 100.0 * (time.at(&self.costs_ns) / time.microseconds - 1.0).abs();
        let mut errors: Vec<f64> = self.primitives.iter().map(error).collect();
        errors.sort_by(f64::total_cmp);
        errors.get(errors.len() / 2).copied().unwrap_or(0.0)
    }
}

impl PrimitiveTime {
    /// Microseconds that its arithmetic takes at costs in nanoseconds, in the order of [`Arithmetic::ALL`].
    pub fn at(&self, costs_ns: &[f64; Arithmetic::ALL.len()]) -> f64 {
        self.work.iter().zip(costs_ns).map(|(&count, cost)| count as f64 * cost / 1e3).sum()
    }
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostCosts {
    /// Name of the processor, as the operating system gives it.
    pub processor: String,
    /// Vector unit that the kernels use.
    pub vector_unit: &'static str,
    /// Clock under load: a chain of additions and rotations, which take one cycle each on processors since 2008.
    pub clock_ghz: f64,
    /// Degree of the ring.
    pub degree: usize,
    /// Data primes of the operands.
    pub limbs: u32,
    /// The primitives, dataflow `fused`, one thread.
    pub primitives: Vec<PrimitiveTime>,
    /// Nanoseconds of one operation of each kind, in the order of [`Arithmetic::ALL`].
    pub costs_ns: [f64; Arithmetic::ALL.len()],
    /// How much a call varies: half the way from the 16th to the 84th percentile of its time, which is the standard
    /// deviation of a normal distribution, in percent of the median; the median over the primitives.
    pub jitter_percent: f64,
}

/// Measures this machine on one thread; takes two to five seconds.
///
/// # Errors
/// - Those of primitives on their operands; none is known.
pub fn measure() -> Result<HostCosts, Error> {
    let parameters = Parameters::new(&Literal::new(DEGREE, &PRIME_BITS, SCALE_BITS))?;
    let context = Context::with_seed(parameters, Seed::fixed(1));
    let limbs = context.parameters().data_limbs();
    let measured = measured().into_iter().map(|operation| {
        let primitive = Primitive::fused(operation, limbs);
        let times = sorted_calls(&context, &primitive, ROUNDS)?;
        let microseconds = 1e6 * times.first().copied().unwrap_or(f64::INFINITY);
        let work = work(&context, &primitive)?;
        Ok((PrimitiveTime { name: primitive.name(), microseconds, work }, spread_percent(&times)))
    });
    let (primitives, mut spreads): (Vec<_>, Vec<_>) =
        measured.collect::<Result<Vec<_>, Error>>()?.into_iter().unzip();
    spreads.sort_by(f64::total_cmp);
    Ok(HostCosts {
        jitter_percent: quantile(&spreads, 50),
        processor: processor(),
        vector_unit: unit_name(),
        clock_ghz: clock_ghz(),
        degree: DEGREE,
        limbs,
        costs_ns: fit(&primitives),
        primitives,
    })
}

/// Primitives in which each kind of arithmetic dominates at least one.
fn measured() -> Vec<Operation> {
    let scale = Scale::new(f64::from(SCALE_BITS).exp2());
    let packing = Packing::Real;
    vec![
        Operation::Copy { size: 2 },
        Operation::Add { size: 2 },
        Operation::AddScalar,
        Operation::MultiplyScalar { size: 2 },
        Operation::MultiplyScalarAccumulate { size: 2 },
        Operation::MultiplyPlain,
        Operation::MultiplyPlainAccumulate,
        Operation::Multiply,
        Operation::Square,
        Operation::Relinearise,
        Operation::Rescale { size: 2 },
        Operation::Rotate { element: rotation(DEGREE, 1) },
        Operation::Encode { scale, packing },
        Operation::Decode { scale, packing },
        Operation::EncryptSecret,
        Operation::EncryptPublic,
        Operation::Decrypt { size: 2 },
        Operation::Apply { activation: Activation::Relu, packing },
    ]
}

/// Seconds of the fastest of `rounds` calls of a primitive on operands of its own; nothing is recorded.
///
/// # Errors
/// - Those of the primitive.
pub fn fastest_call(context: &Context, primitive: &Primitive, rounds: usize) -> Result<f64, Error> {
    Ok(sorted_calls(context, primitive, rounds)?.first().copied().unwrap_or(f64::INFINITY))
}

/// Half the way from the 16th to the 84th percentile, in percent of the median.
fn spread_percent(sorted: &[f64]) -> f64 {
    50.0 * (quantile(sorted, 84) - quantile(sorted, 16)) / quantile(sorted, 50)
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or(0.0)
}

/// Seconds of every call, ascending.
fn sorted_calls(context: &Context, primitive: &Primitive, rounds: usize) -> Result<Vec<f64>, Error> {
    let parameters = primitive.operands(context.parameters())?;
    let mut objects: Vec<Buffer> = parameters
        .iter()
        .map(|parameter| match parameter.class {
            Class::Table => Buffer::with_bytes(0),
            Class::Message => Buffer::from_values(&vec![0.5; parameter.bytes as usize / 8]),
            _ => residues(parameter.bytes),
        })
        .collect();
    let inputs = objects.clone();
    let mut times = Vec::with_capacity(rounds);
    for round in 0..rounds {
        // A rescale moves limbs to other primes, so that operands written must start afresh.
        for ((object, input), parameter) in objects.iter_mut().zip(&inputs).zip(&parameters) {
            if parameter.role == Role::InOut {
                object.copy_from_slice(input);
            }
        }
        let named = objects.iter_mut().zip(&parameters).map(|(object, parameter)| match parameter.class {
            Class::Table => Operand::Resident,
            _ => Operand::Write(object),
        });
        let mut operands: Vec<Operand<'_>> = named.collect();
        let start = Instant::now();
        primitive.execute(context, &mut operands, round as u64, &mut Recorder::off())?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Words below every prime of the set.
fn residues(bytes: u64) -> Buffer {
    let mut buffer = Buffer::with_bytes(bytes);
    buffer.iter_mut().enumerate().for_each(|(index, word)| {
        *word = (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 25;
    });
    buffer
}

/// The arithmetic that a primitive declares.
fn work(context: &Context, primitive: &Primitive) -> Result<[u64; Arithmetic::ALL.len()], Error> {
    let declared = primitive.to_macro(context.parameters())?;
    let mut sums = [0; Arithmetic::ALL.len()];
    for work in declared.sweeps.iter().flat_map(|sweep| &sweep.work) {
        sums[position(work.kind)] += work.count;
    }
    Ok(sums)
}

fn position(kind: Arithmetic) -> usize {
    Arithmetic::ALL.iter().position(|other| *other == kind).expect("ALL lists every kind")
}

/// Costs in nanoseconds, none negative, with the least sum of squared relative errors: one kind after the other is set
/// to its best value given the rest, until they settle. A kind that no primitive does costs nothing.
fn fit(primitives: &[PrimitiveTime]) -> [f64; Arithmetic::ALL.len()] {
    let [reduce, constant] = [Arithmetic::Reduce, Arithmetic::MultiplyConstant].map(position);
    let tied = |primitive: &PrimitiveTime| {
        let mut primitive = primitive.clone();
        primitive.work[constant] += std::mem::take(&mut primitive.work[reduce]);
        primitive
    };
    let mut costs = settle(&primitives.iter().map(tied).collect::<Vec<_>>());
    costs[reduce] = costs[constant];
    costs
}

fn settle(primitives: &[PrimitiveTime]) -> [f64; Arithmetic::ALL.len()] {
    let mut costs = [0.0; Arithmetic::ALL.len()];
    for _ in 0..FIT_PASSES {
        for kind in 0..costs.len() {
            let (mut wanted, mut weight) = (0.0, 0.0);
            for primitive in primitives {
                let share = primitive.work[kind] as f64 / primitive.microseconds / 1e3;
                let others = primitive.at(&costs) / primitive.microseconds - share * costs[kind];
                wanted += share * (1.0 - others);
                weight += share * share;
            }
            costs[kind] = if weight > 0.0 { (wanted / weight).max(0.0) } else { 0.0 };
        }
    }
    costs
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    let name = line.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim().to_owned());
    name.unwrap_or_else(|| format!("unnamed {} processor", std::env::consts::ARCH))
}

fn clock_ghz() -> f64 {
    let round = || {
        let start = Instant::now();
        let mut word = black_box(1_u64);
        for _ in 0..CHAIN_STEPS {
            word = word.wrapping_add(0x9E37_79B9_7F4A_7C15).rotate_left(7);
        }
        black_box(word);
        start.elapsed().as_secs_f64()
    };
    let fastest = (0..CHAIN_ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min);
    CHAIN_STEPS as f64 * CHAIN_CYCLES / fastest / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_arithmetic_is_done_by_a_measured_primitive() {
        let parameters = Parameters::new(&Literal::new(DEGREE, &PRIME_BITS, SCALE_BITS)).unwrap();
        let context = Context::with_seed(parameters, Seed::fixed(1));
        let mut sums = [0; Arithmetic::ALL.len()];
        for operation in measured() {
            let primitive = Primitive::fused(operation, context.parameters().data_limbs());
            let done = work(&context, &primitive).unwrap();
            sums.iter_mut().zip(done).for_each(|(sum, count)| *sum += count);
        }

        assert!(sums.iter().all(|&sum| sum > 0), "{sums:?}");
    }

    #[test]
    fn the_fit_finds_the_costs_that_made_the_times() {
        let mut truth: [f64; 11] = std::array::from_fn(|kind| 0.1 + 0.3 * kind as f64);
        truth[position(Arithmetic::Reduce)] = truth[position(Arithmetic::MultiplyConstant)];
        let primitives: Vec<PrimitiveTime> = (0..14)
            .map(|number| {
                let work = std::array::from_fn(|kind| {
                    (kind as u64 * 7 + number * 13) % 11 * 100 + 5000 * u64::from(number == kind as u64)
                });
                let mut time = PrimitiveTime { name: "made up", microseconds: 1.0, work };
                time.microseconds = time.at(&truth);
                time
            })
            .collect();

        let found = fit(&primitives);

        for (found, truth) in found.iter().zip(truth) {
            assert!((found / truth - 1.0).abs() < 1e-3, "{found} {truth}");
        }
    }
}
