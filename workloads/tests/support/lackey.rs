//! Loads and stores of a real run as valgrind sees them, by object and line.
//!
//! A guarded test binary runs itself under `valgrind --tool=lackey --trace-mem=yes`. The child announces where its
//! objects lie, waits for a line on its input, then runs its cases, each between stores to two marker lines. The parent
//! reads the trace through a pipe and sums bytes for each line of each object.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering, compiler_fence};
use std::sync::{Arc, OnceLock};

use hetier_traces::{Access, Lane, Order, Sweep};

pub const LINE_BYTES: u64 = 64;

/// Two cache lines that only markers touch.
#[repr(C, align(64))]
struct Markers([AtomicU64; 16]);

static MARKERS: Markers = Markers([const { AtomicU64::new(0) }; 16]);

/// Variable that tells a test binary that it is the child.
const CHILD: &str = "HETIER_LACKEY_CHILD";

pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// The child's side: announces the addresses of the objects, by number, then waits for the parent.
pub fn announce(objects: impl IntoIterator<Item = u64>) {
    println!("\nmarkers {}", MARKERS.0.as_ptr() as u64);
    for (object, address) in objects.into_iter().enumerate() {
        println!("object {object} {address}");
    }
    println!("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// Runs one case between two markers.
pub fn guarded<T>(case: impl FnOnce() -> T) -> T {
    mark(0);
    let result = case();
    mark(8);
    result
}

fn mark(word: usize) {
    compiler_fence(Ordering::SeqCst);
    // Relaxed, so that it is a plain store: an exchange would show as a load and a store.
    MARKERS.0[word].store(1, Ordering::Relaxed);
    compiler_fence(Ordering::SeqCst);
}

/// Bytes loaded from and stored to each line of the objects of one case: object, line → loads, stores.
pub type Touches = BTreeMap<(usize, u64), [u64; 2]>;

/// What the sweeps declare, each multiplied by how often it is really made.
pub fn declared<'a>(sweeps: impl IntoIterator<Item = (&'a Sweep, u64)>) -> Touches {
    let mut touches = Touches::new();
    for (sweep, times) in sweeps {
        for lane in &sweep.lanes {
            let [loads, stores] = match lane.access {
                Access::Read => [times, 0],
                Access::Write => [0, times],
                Access::Update => [times, times],
            };
            for (start, bytes) in pieces(lane) {
                add_bytes(&mut touches, usize::from(lane.operand), start, bytes, [loads, stores]);
            }
        }
    }
    touches
}

/// Contiguous pieces that a lane covers once: offset, bytes.
fn pieces(lane: &Lane) -> Vec<(u64, u64)> {
    match lane.order {
        Order::Strided { block_bytes, stride_bytes } => (0..lane.bytes / block_bytes)
            .map(|block| (lane.offset + block * stride_bytes, block_bytes))
            .collect(),
        _ => vec![(lane.offset, lane.bytes)],
    }
}

/// Adds loads and stores of a piece of an object to its lines.
fn add_bytes(touches: &mut Touches, object: usize, start: u64, bytes: u64, [loads, stores]: [u64; 2]) {
    let (mut at, end) = (start, start + bytes);
    while at < end {
        let next = end.min((at / LINE_BYTES + 1) * LINE_BYTES);
        let touch = touches.entry((object, at / LINE_BYTES)).or_default();
        touch[0] += loads * (next - at);
        touch[1] += stores * (next - at);
        at = next;
    }
}

/// Whether valgrind can be run.
pub fn is_installed() -> bool {
    let version =
        Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Where the child's objects lie.
struct Layout {
    markers: u64,
    /// Address → number.
    objects: BTreeMap<u64, usize>,
}

/// Runs the named test of this binary under lackey and gives, for each case, what was touched of the objects; `bytes`
/// says for each case how many of each object's bytes count.
pub fn observe(test: &str, bytes: &[Vec<u64>]) -> Vec<Touches> {
    let mut child = spawn(test);
    let layout = Arc::new(OnceLock::new());
    let trace = child.stderr.take().unwrap();
    let reader = std::thread::spawn({
        let (layout, bytes) = (Arc::clone(&layout), bytes.to_vec());
        move || read_trace(trace, &layout, &bytes)
    });
    start(&mut child, &layout);
    let touches = reader.join().unwrap();
    assert!(child.wait().unwrap().success(), "the guarded run failed");
    touches
}

/// Takes the child's announcement and lets it go on; later output is drained.
fn start(child: &mut Child, layout: &Arc<OnceLock<Layout>>) {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut announced = Layout { markers: 0, objects: BTreeMap::new() };
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 && line.trim() != "ready" {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.parse::<u64>().unwrap();
        match words[..] {
            ["markers", address] => announced.markers = number(address),
            ["object", object, address] => {
                announced.objects.insert(number(address), number(object) as usize);
            }
            _ => {}
        }
        line.clear();
    }
    assert!(layout.set(announced).is_ok());
    let input = child.stdin.take().unwrap();
    let mut input = input;
    writeln!(input).unwrap();
    std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
}

/// Runs the named test of this binary under lackey, all streams piped.
fn spawn(test: &str) -> Child {
    Command::new("valgrind")
        .args(["--tool=lackey", "--trace-mem=yes", "--basic-counts=no", "--quiet"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Bytes loaded from and stored to each line of memory, by address ÷ 64.
pub type Lines = BTreeMap<u64, [u64; 2]>;

/// Runs the named test of this binary under lackey and gives every line that its one case touched, and what the child
/// printed after it.
pub fn observe_lines(test: &str) -> (Lines, String) {
    let mut child = spawn(test);
    let markers = Arc::new(OnceLock::new());
    let trace = child.stderr.take().unwrap();
    let reader = std::thread::spawn({
        let markers = Arc::clone(&markers);
        move || read_lines(trace, &markers)
    });
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 && line.trim() != "ready" {
        if let Some(address) = line.strip_prefix("markers ") {
            markers.set(address.trim().parse::<u64>().unwrap()).unwrap();
        }
        line.clear();
    }
    writeln!(child.stdin.take().unwrap()).unwrap();
    let mut printed = String::new();
    output.read_to_string(&mut printed).unwrap();
    let lines = reader.join().unwrap();
    assert!(child.wait().unwrap().success(), "the guarded run failed");
    (lines, printed)
}

/// Sums the accesses between the two markers by line.
fn read_lines(trace: impl Read, markers: &OnceLock<u64>) -> Lines {
    let mut lines = Lines::new();
    let mut is_inside = false;
    let mut reader = BufReader::with_capacity(1 << 20, trace);
    let mut text = Vec::new();
    while reader.read_until(b'\n', &mut text).unwrap() > 0 {
        if let (Some(&markers), Some((kind, address, size))) = (markers.get(), access(&text)) {
            if kind == b'S' && (address == markers || address == markers + LINE_BYTES) {
                is_inside = address == markers;
            } else if is_inside {
                let [loads, stores] = [u64::from(kind != b'S'), u64::from(kind != b'L')];
                add_lines(&mut lines, address, size, [loads, stores]);
            }
        }
        text.clear();
    }
    lines
}

/// Adds `times` loads and stores of a range of bytes, line by line.
pub fn add_lines(lines: &mut Lines, address: u64, bytes: u64, times: [u64; 2]) {
    let (mut at, end) = (address, address + bytes);
    while at < end {
        let next = end.min((at / LINE_BYTES + 1) * LINE_BYTES);
        let touch = lines.entry(at / LINE_BYTES).or_default();
        touch[0] += times[0] * (next - at);
        touch[1] += times[1] * (next - at);
        at = next;
    }
}

/// Sums the accesses between markers. Lines are ` L 1fff000,8`, ` S …`, ` M …` (both); instructions start with `I`.
fn read_trace(trace: impl Read, layout: &OnceLock<Layout>, bytes: &[Vec<u64>]) -> Vec<Touches> {
    let mut touches = vec![Touches::new(); bytes.len()];
    let mut case = None;
    let mut next = 0;
    let mut reader = BufReader::with_capacity(1 << 20, trace);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).unwrap() > 0 {
        if let (Some(layout), Some((kind, address, size))) = (layout.get(), access(&line)) {
            if kind == b'S' && address == layout.markers {
                case = Some(next);
                next += 1;
            } else if kind == b'S' && address == layout.markers + LINE_BYTES {
                case = None;
            } else if let Some(case) = case {
                add(&mut touches[case], layout, &bytes[case], kind, address, size);
            }
        }
        line.clear();
    }
    assert_eq!(next, bytes.len(), "every case must have been run");
    touches
}

fn access(line: &[u8]) -> Option<(u8, u64, u64)> {
    let [b' ', kind @ (b'L' | b'S' | b'M'), b' ', rest @ ..] = line else { return None };
    let comma = rest.iter().position(|&byte| byte == b',')?;
    let hexadecimal = |sum: u64, &byte: &u8| Some(sum << 4 | u64::from((byte as char).to_digit(16)?));
    let address = rest[..comma].iter().try_fold(0, hexadecimal)?;
    let digits = rest[comma + 1..].iter().take_while(|byte| byte.is_ascii_digit());
    let size = digits.fold(0, |sum, &byte| 10 * sum + u64::from(byte - b'0'));
    Some((*kind, address, size))
}

/// Adds an access to the object that holds it, if any, byte by line.
fn add(touches: &mut Touches, layout: &Layout, bytes: &[u64], kind: u8, address: u64, size: u64) {
    let Some((&start, &operand)) = layout.objects.range(..=address).next_back() else { return };
    if bytes.get(operand).is_none_or(|&bytes| address - start >= bytes) {
        return;
    }
    let times = [u64::from(kind != b'S'), u64::from(kind != b'L')];
    add_bytes(touches, operand, address - start, size, times);
}

/// The first differences between what was declared and what was seen, in words.
pub fn differences(declared: &Touches, seen: &Touches) -> Vec<String> {
    let mut keys: Vec<_> = declared.keys().chain(seen.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    let of = |touches: &Touches, key| touches.get(&key).copied().unwrap_or_default();
    keys.into_iter()
        .filter(|&key| of(declared, key) != of(seen, key))
        .map(|key| {
            let ([loads, stores], [seen_loads, seen_stores]) = (of(declared, key), of(seen, key));
            format!(
                "operand {} line {}: declared {loads} loaded, {stores} stored; seen {seen_loads}, {seen_stores}",
                key.0, key.1
            )
        })
        .take(5)
        .collect()
}
