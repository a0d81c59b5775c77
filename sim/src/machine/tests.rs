use super::*;
use crate::device::{Completion, Counters, Device, Kind, Request};
use crate::mode::{self, ModeSettings};

/// A device that is free again a service time after each request.
pub(crate) struct NextFree {
    waiting: Vec<Request>,
    free: Picoseconds,
    latency: Picoseconds,
    service: Picoseconds,
    counters: Counters,
}

impl NextFree {
    pub(crate) fn boxed(latency: u64, service: u64) -> Box<dyn Device> {
        Box::new(Self {
            waiting: Vec::new(),
            free: Picoseconds::ZERO,
            latency: Picoseconds(latency),
            service: Picoseconds(service),
            counters: Counters::default(),
        })
    }
}

impl Device for NextFree {
    fn push(&mut self, request: Request) {
        self.waiting.push(request);
    }

    fn next_event(&self) -> Option<Picoseconds> {
        self.waiting.iter().map(|request| request.at.max(self.free)).min()
    }

    fn advance(&mut self, until: Picoseconds, done: &mut Vec<Completion>) {
        self.waiting.sort_by_key(|request| request.at);
        let ready = self.waiting.iter().take_while(|request| request.at <= until).count();
        for request in self.waiting.drain(..ready) {
            let start = request.at.max(self.free);
            self.free = start + self.service;
            match request.kind {
                Kind::Read => self.counters.read_bytes += 64,
                Kind::Write => self.counters.write_bytes += 64,
            }
            done.push(Completion { token: request.token, at: start + self.latency });
        }
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}

const LATENCY: u64 = 60_000;
const SERVICE: u64 = 3_000;

fn machine(system: &System, mode: &str, sockets: &[usize]) -> Machine {
    let settings = MachineSettings { sockets, prefetches: false, has_huge_pages: false };
    let near = ModeSettings { near_bytes: Some(1 << 20), ..ModeSettings::default() };
    let mode = mode::build(mode, system, &Layout::new(system), &near).unwrap();
    Machine::with_devices(system, &settings, mode, &mut |_| Ok(NextFree::boxed(LATENCY, SERVICE))).unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Load(u64),
    Serial(u64),
    Store(u64),
    NonTemporal(u64),
    Flush(u64),
    Settle,
    Fence,
    Compute(Picoseconds),
}

/// Runs a list of steps on every core; notes the clock after each.
struct Script {
    steps: Vec<Vec<Step>>,
    at: Vec<usize>,
    clocks: Vec<Vec<Picoseconds>>,
}

impl Script {
    fn new(steps: Vec<Vec<Step>>) -> Self {
        Self { at: vec![0; steps.len()], clocks: vec![Vec::new(); steps.len()], steps }
    }
}

impl Workload for Script {
    fn run(&mut self, port: &mut Port<'_>, until: Picoseconds) -> Result<Activity, Error> {
        let core = port.core();
        while let Some(step) = self.steps[core].get(self.at[core]) {
            let before = port.clock();
            let issue = match *step {
                Step::Load(line) => port.load(line, 0),
                Step::Serial(line) => port.load_serial(line, 0),
                Step::Store(line) => port.store(line, 0),
                Step::NonTemporal(line) => port.store_non_temporal(line, 0),
                Step::Flush(line) => port.flush(line, 0),
                Step::Settle => port.settle(),
                Step::Fence => port.fence(),
                Step::Compute(time) => {
                    port.compute(time);
                    Issue::Done
                }
            };
            assert!(port.clock() >= before, "time runs backwards");
            if issue == Issue::Blocked {
                return Ok(Activity::Blocked);
            }
            self.clocks[core].push(port.clock());
            self.at[core] += 1;
            if port.clock() > until {
                return Ok(Activity::Ready);
            }
        }
        Ok(Activity::Finished)
    }
}

fn slice() -> System {
    System::load("optane-slice").unwrap()
}

fn idle_latency(system: &System) -> Picoseconds {
    system.l3.latency + system.request + Picoseconds(LATENCY) + system.response
}

#[test]
fn dependent_load_takes_cache_path_and_device_latency() {
    let system = slice();
    let mut machine = machine(&system, "dram-only", &[0]);
    let mut script = Script::new(vec![vec![Step::Serial(7), Step::Settle, Step::Serial(7)]]);

    machine.run(&mut script).unwrap();

    assert_eq!(script.clocks[0][1], idle_latency(&system));
    assert_eq!(script.clocks[0][2], idle_latency(&system) + system.l1.latency);
    let latency = machine.memory.latency().summary().unwrap();
    assert_eq!((latency.count, latency.max), (1, idle_latency(&system).as_ns()));
}

#[test]
fn independent_loads_overlap_as_far_as_fill_buffers_go() {
    let system = slice();
    let buffers = system.limits.loads as u64;
    for (loads, rounds) in [(buffers, 1), (buffers + 1, 2)] {
        let mut machine = machine(&system, "dram-only", &[0]);
        let mut steps: Vec<Step> = (0..loads).map(|load| Step::Load(load * 1000)).collect();
        steps.push(Step::Settle);
        let mut script = Script::new(vec![steps]);

        machine.run(&mut script).unwrap();

        // The first round is queued at the one channel; a second round starts when its first line is there.
        let first = idle_latency(&system).0;
        let expected = if rounds == 1 { first + (loads - 1) * SERVICE } else { 2 * first };
        assert_eq!(script.clocks[0].last().unwrap().0, expected, "{loads}");
    }
}

#[test]
fn non_temporal_stores_wait_for_combining_buffers_and_fences_for_all() {
    let system = slice();
    let count = system.limits.combining as u64;
    let mut machine = machine(&system, "pmem-only", &[0]);
    let pmem = Line { tier: 1, socket: 0, local: 0 }.pack();
    let mut steps: Vec<Step> = (0..count).map(|line| Step::NonTemporal(pmem + line)).collect();
    steps.push(Step::Fence);
    let mut script = Script::new(vec![steps]);

    machine.run(&mut script).unwrap();

    assert_eq!(script.clocks[0][count as usize - 1], Picoseconds::ZERO);
    assert_eq!(
        script.clocks[0].last().unwrap().0,
        system.limits.combining_path.0 + idle_latency(&system).0 + (count - 1) * SERVICE
    );
    assert_eq!(machine.memory.traffic().total(1).write_bytes, count * 64);
}

#[test]
fn flush_of_a_line_on_its_way_follows_it_to_memory() {
    let system = slice();
    let mut machine = machine(&system, "dram-only", &[0]);
    let mut script = Script::new(vec![vec![Step::Store(5), Step::Flush(5), Step::Fence]]);

    machine.run(&mut script).unwrap();

    assert_eq!(script.clocks[0][2].0, 2 * idle_latency(&system).0);
    let total = machine.memory.traffic().total(0);
    assert_eq!((total.read_bytes, total.write_bytes), (64, 64));
    assert_eq!(machine.caches.dirty_lines(), 0);
}

#[test]
fn flushes_leave_in_program_order_one_after_the_other_while_the_core_goes_on() {
    let system = slice();
    assert_eq!(system.limits.flushes, 1);
    let mut machine = machine(&system, "dram-only", &[0]);
    let store = |line| [Step::Store(line), Step::Flush(line)];
    let steps = (0..4).flat_map(|line| store(line * 64)).chain([Step::Fence]).collect();
    let mut script = Script::new(vec![steps]);

    machine.run(&mut script).unwrap();

    // All four are fetched at once; then each goes to memory when the one before is there.
    assert_eq!(script.clocks[0][7], Picoseconds::ZERO);
    assert_eq!(script.clocks[0].last().unwrap().0, 5 * idle_latency(&system).0);
}

#[test]
fn second_core_shares_the_read_of_the_first() {
    let system = slice();
    let mut machine = machine(&system, "dram-only", &[0, 0]);
    let both = vec![Step::Load(9), Step::Settle];
    let mut script = Script::new(vec![both.clone(), both]);

    machine.run(&mut script).unwrap();

    assert_eq!(machine.memory.traffic().total(0).read_bytes, 64);
    assert_eq!(script.clocks[0][1], script.clocks[1][1]);
}

#[test]
fn remote_line_costs_the_link_and_writes_its_directory_once() {
    let system = System::load("xeon-8260-optane").unwrap();
    let link = system.link.unwrap();
    let mut machine = machine(&system, "app-direct", &[0]);
    let line = Line { tier: 1, socket: 1, local: 64 }.pack();
    let mut script = Script::new(vec![vec![Step::Load(line), Step::Settle]]);

    machine.run(&mut script).unwrap();

    let expected = idle_latency(&system) + link.request + link.response + link.read_line;
    assert_eq!(script.clocks[0][1], expected);
    assert_eq!(machine.memory.traffic().total(1).write_bytes, 64);
}

#[test]
fn remote_store_past_the_caches_asks_home_for_the_state_of_its_line() {
    let system = System::load("xeon-8260-optane").unwrap();
    let (link, limits) = (system.link.unwrap(), system.limits);
    let line = |socket| Line { tier: 1, socket, local: 64 }.pack();
    let time = |socket| {
        let mut machine = machine(&system, "app-direct", &[0]);
        let mut script = Script::new(vec![vec![Step::NonTemporal(line(socket)), Step::Fence]]);
        machine.run(&mut script).unwrap();
        (script.clocks[0][1], machine.memory.traffic().total(1).read_bytes)
    };

    let near = idle_latency(&system) + limits.combining_path;
    let far = near + link.request + link.write_line + Picoseconds(LATENCY) + link.response;
    assert_eq!(time(0), (near, 0));
    assert_eq!(time(1), (far, 64));
}

#[test]
fn near_memory_miss_takes_both_devices_one_after_the_other() {
    let system = slice();
    let mut machine = machine(&system, "memory-mode", &[0]);
    let line = Line { tier: 1, socket: 0, local: 3 }.pack();
    let mut script = Script::new(vec![vec![Step::Load(line), Step::Settle]]);

    machine.run(&mut script).unwrap();

    assert_eq!(script.clocks[0][1].0, idle_latency(&system).0 + LATENCY);
    assert_eq!(machine.memory.traffic().total(0).write_bytes, 64);
}

/// Random loads and stores of four cores over a range that overflows all caches.
fn storm(mode: &str, seed: u64) -> (Machine, Vec<Picoseconds>) {
    let system = System::load("xeon-8260-optane").unwrap();
    let mut machine = machine(&system, mode, &[0, 0, 1, 1]);
    let tiers = machine.memory.mode().tiers().to_vec();
    let draw =
        |core: u64, step: u64, bound: u64| hetier_traces::seeded::draw_below(seed * 1000 + core, step, bound);
    let steps = (0..4).map(|core| {
        let step = |step: u64| {
            let tier = tiers[draw(core, step * 4, tiers.len() as u64) as usize];
            let local = draw(core, step * 4 + 1, 200_000);
            let line = Line { tier, socket: draw(core, step * 4 + 2, 2) as usize, local }.pack();
            match draw(core, step * 4 + 3, 8) {
                0..=4 => Step::Load(line),
                5 | 6 => Step::Store(line),
                _ => Step::NonTemporal(line),
            }
        };
        (0..20_000).map(step).chain([Step::Settle, Step::Fence]).collect()
    });
    let mut script = Script::new(steps.collect());
    machine.run(&mut script).unwrap();
    let ends = script.clocks.iter().map(|clocks| *clocks.last().unwrap()).collect();
    (machine, ends)
}

#[test]
fn bytes_are_conserved_and_every_request_completes_once_in_every_mode() {
    for mode in mode::names() {
        let (machine, _) = storm(mode, 1);
        let (submitted, answered) = machine.memory.balance();

        assert_eq!(submitted, answered, "{mode}");
        assert!(machine.caches.conserves_lines(), "{mode}");
        for tier in 0..2 {
            let (asked, served) = (machine.memory.traffic().total(tier), machine.memory.counters(tier));
            assert_eq!(asked.read_bytes, served.read_bytes, "{mode}");
            assert_eq!(asked.write_bytes, served.write_bytes, "{mode}");
        }
        if let Some(near) = machine.memory.mode().near_memory() {
            assert_eq!(near.hits + near.misses_clean + near.misses_dirty, submitted);
            // Every request probes DRAM; every miss reads far memory, every dirty one writes it.
            let far = machine.memory.traffic().total(1);
            assert_eq!(machine.memory.traffic().total(0).read_bytes, submitted * 64);
            assert_eq!(far.read_bytes, (near.misses_clean + near.misses_dirty) * 64);
            assert_eq!(far.write_bytes, near.misses_dirty * 64);
        }
    }
}

#[test]
fn same_input_gives_the_same_clocks() {
    assert_eq!(storm("memory-mode", 3).1, storm("memory-mode", 3).1);
    assert_ne!(storm("memory-mode", 3).1, storm("memory-mode", 4).1);
}

#[test]
fn threads_that_wait_for_each_other_are_reported_not_looped_on() {
    struct Waits;
    impl Workload for Waits {
        fn run(&mut self, _: &mut Port<'_>, _: Picoseconds) -> Result<Activity, Error> {
            Ok(Activity::Parked)
        }
    }
    let system = slice();

    let error = machine(&system, "dram-only", &[0, 0]).run(&mut Waits).unwrap_err();

    assert!(matches!(error, Error::Stuck { waiting: 2, .. }), "{error}");
}

#[test]
fn cores_that_compute_longer_than_any_device_keeps_a_line_are_not_stuck() {
    let system = slice();
    let settings = MachineSettings { sockets: &[0], prefetches: false, has_huge_pages: false };
    let mode = mode::build("pmem-only", &system, &Layout::new(&system), &ModeSettings::default()).unwrap();
    let mut machine = Machine::new(&system, &settings, mode).unwrap();
    let long = Picoseconds(2 * PATIENCE.0);
    let pmem = |local| Line { tier: 1, socket: 0, local }.pack();
    let steps =
        [Step::Serial(pmem(7)), Step::Settle, Step::Compute(long), Step::Serial(pmem(1 << 24)), Step::Settle];
    let mut script = Script::new(vec![steps.to_vec()]);

    machine.run(&mut script).unwrap();

    // A random load of idle PMem takes 150 to 450 ns.
    let taken = script.clocks[0][4] - script.clocks[0][2];
    assert!((150_000..450_000).contains(&taken.0), "{taken:?}");
}
