//! The outside guard over a whole network: under valgrind, a real run loads and stores the bytes that its shaped trace
//! says, line by line of every ciphertext, key, scalar and scratch object.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::{BTreeSet, HashMap};

use hetier_traces::expand::Event;
use hetier_traces::{Access, ArrayId, Class, Definition, Lane, Object, Sweep, expand};
use hetier_workloads::interpret::{Memory, Quiet, Run, execute_in, shape};
use hetier_workloads::layer::{Convolution, Dense, Shape, Square, Window};
use hetier_workloads::network::{Images, Network, Weights};
use hetier_workloads::program::{Options, Program};
use hetier_workloads::ring::{Formula, Seed, transform_ratio};
use hetier_workloads::{Context, Error, Literal, Parameters, Primitive};
use support::lackey::{self, Lines};

/// Name of the test that runs the network in the child.
const CHILD: &str = "child_runs_the_network";
const DEGREE: usize = 64;
const BATCH: usize = 4;

fn network() -> Result<Network, Error> {
    let weights = Weights::Seeded(5);
    let mut network = Network::new("guarded", Shape::new(1, 4, 4));
    network.then("conv1", Convolution::new("conv1", (1, 2), Window::new(3, 2, 1), &weights)?)?;
    network.then("square1", Square)?;
    network.then("dense1", Dense::new("dense1", (8, 3), &weights)?)?;
    Ok(network)
}

fn parameters() -> Parameters {
    Parameters::insecure_for_tests(&Literal::new(DEGREE, &[60, 30, 30, 60], 30)).unwrap()
}

fn program() -> Program {
    network().unwrap().lower(&parameters(), &Options { images: BATCH, ..Options::default() }).unwrap()
}

#[test]
fn child_runs_the_network() {
    if !lackey::is_child() {
        return;
    }
    let program = program();
    let context = Context::with_seed(parameters(), Seed::fixed(3));
    let images = Images::seeded(Shape::new(1, 4, 4), BATCH, 7);
    let run = Run { threads: 1, record: false };
    let memory = Memory::default();
    let run = || execute_in(&memory, &program, &context, &images, run, &mut Quiet);
    // The first run takes memory from the heap, where lines have other users before; the second has it to itself.
    run().unwrap();
    lackey::announce([]);
    let execution = lackey::guarded(run).unwrap();
    for placement in execution.placements {
        let Object { array, index } = placement.object;
        println!("placed {} {index} {}", array.0, placement.address);
    }
}

/// One line of the child's report.
struct Placed {
    object: Object,
    address: u64,
}

fn placements(printed: &str) -> Vec<Placed> {
    let lines = printed.lines().filter_map(|line| line.strip_prefix("placed "));
    let placed = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let object = Object { array: ArrayId(words[0].parse().unwrap()), index: words[1].parse().unwrap() };
        Placed { object, address: words[2].parse().unwrap() }
    };
    lines.map(placed).collect()
}

/// Sweeps of a primitive with how often the library really makes them (see `lackey.rs`).
fn sweeps(primitive: &Primitive, parameters: &Parameters) -> Vec<(Sweep, u64)> {
    let (made, declared) = transform_ratio(parameters.degree() as u32);
    let inside = u64::from(made - (declared - 1));
    let mut sweeps = Vec::new();
    for step in primitive.steps(parameters).unwrap() {
        let is_transform = matches!(step.formula, Formula::Ntt | Formula::InverseNtt);
        for sweep in step.sweeps() {
            let is_block = is_transform && sweep.lanes.len() == 3;
            sweeps.push((sweep, if is_block { inside } else { 1 }));
        }
    }
    sweeps
}

/// What the shaped trace says of every line, given where the run put its objects; and the lines of objects that count.
struct Expected {
    lines: Lines,
    counted: BTreeSet<u64>,
}

/// `damage` may change the sweeps of a primitive, to see whether the guard notices.
fn expected(placed: &[Placed], damage: impl Fn(&str, &mut Vec<(Sweep, u64)>)) -> Expected {
    let (program, parameters) = (program(), parameters());
    let trace = shape(&program).unwrap();
    let sweeps: Vec<Vec<(Sweep, u64)>> = program
        .primitives
        .iter()
        .map(|primitive| {
            let mut sweeps = sweeps(primitive, &parameters);
            damage(primitive.name(), &mut sweeps);
            sweeps
        })
        .collect();
    let capacity = |object: Object| match &trace.definitions[object.array.0 as usize] {
        Definition::Array(array) => (array.class, array.capacity_bytes.next_multiple_of(lackey::LINE_BYTES)),
        Definition::View(_) => unreachable!("the network has no views"),
    };
    let mut lines = Lines::new();
    let mut counted = BTreeSet::new();
    let mut address: HashMap<Object, u64> = HashMap::new();
    let mut next = placed.iter();
    let mut current = None;
    expand(&trace, &mut |event: Event<'_>| {
        match event {
            Event::Alloc(object) => {
                let placed = next.next().expect("the run allocates what the trace allocates");
                assert_eq!(placed.object, object, "allocations come in the order of the trace");
                let (class, bytes) = capacity(object);
                if class != Class::Message && class != Class::Table {
                    counted.extend(placed.address / 64..(placed.address + bytes) / 64);
                }
                address.insert(object, placed.address);
            }
            Event::Call { callee, objects } => current = Some((callee, objects.to_vec())),
            _ => {}
        }
        if let (Event::Call { .. }, Some((callee, operands))) = (&event, &current) {
            for (sweep, times) in &sweeps[callee.0 as usize] {
                for lane in &sweep.lanes {
                    add_lane(&mut lines, address[&operands[usize::from(lane.operand)]], lane, *times);
                }
            }
        }
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert!(next.next().is_none(), "the run allocates nothing besides");
    Expected { lines, counted }
}

fn add_lane(lines: &mut Lines, address: u64, lane: &Lane, times: u64) {
    let times = match lane.access {
        Access::Read => [times, 0],
        Access::Write => [0, times],
        Access::Update => [times, times],
    };
    for (offset, bytes) in lane.pieces() {
        lackey::add_lines(lines, address + offset, bytes, times);
    }
}

/// Lines of counted objects whose bytes differ, in words.
fn differences(expected: &Expected, seen: &Lines) -> Vec<String> {
    let of = |lines: &Lines, line| lines.get(&line).copied().unwrap_or_default();
    let differing = expected.counted.iter().filter(|&&line| of(&expected.lines, line) != of(seen, line));
    let tell = |&line: &u64| {
        format!("line {line:x}: declared {:?}, seen {:?}", of(&expected.lines, line), of(seen, line))
    };
    differing.map(tell).take(5).collect()
}

#[test]
fn a_network_touches_what_its_shaped_trace_says() {
    if lackey::is_child() {
        return;
    }
    if !lackey::is_installed() || cfg!(debug_assertions) {
        println!("skipped: needs valgrind (apt-get install valgrind) and release mode");
        return;
    }
    let (seen, printed) = lackey::observe_lines(CHILD);
    let placed = placements(&printed);

    let found = differences(&expected(&placed, |_, _| {}), &seen);
    assert!(found.is_empty(), "{}", found.join("\n"));

    for primitive in ["multiply-scalar-accumulate", "rescale", "relinearise"] {
        let removed = expected(&placed, |name, sweeps| {
            if name == primitive {
                sweeps.remove(0);
            }
        });
        assert!(!differences(&removed, &seen).is_empty(), "{primitive}: a missing sweep must show");
    }
}
