//! Traces drawn at random, as text: any mix of classes, sizes, orders of lanes, views, loops and parallel regions.

use std::fmt::Write as _;

use hetier_traces::seeded::draw_below;

/// Draws, each from the seed and its number.
struct Draws {
    seed: u64,
    drawn: u64,
}

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.drawn += 1;
        draw_below(self.seed, self.drawn, bound)
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    fn in_hundred(&mut self, chances: u64) -> bool {
        self.below(100) < chances
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

const CLASSES: [&str; 6] = ["ciphertext", "plaintext", "scratch", "evaluation-key", "message", "scalar"];
const BYTES: [u64; 6] = [48, 1024, 4096, 8192, 16384, MOST_BYTES];

/// Bytes of an object, at most.
pub const MOST_BYTES: u64 = 32768;

const ROLES: [&str; 3] = ["input", "output", "in-out"];
const STAGES: [&str; 4] = ["server", "server", "client", "set-up"];

/// Objects of the scratch array: as many as a parallel loop has iterations at most.
const SCRATCH: u64 = 8;

/// Loops within loops, at most.
const DEPTH: usize = 3;

#[derive(Clone, Copy)]
struct Array {
    class: &'static str,
    objects: u64,
    bytes: u64,
}

/// A loop variable and a number that it stays below.
#[derive(Clone, Copy)]
struct Variable {
    number: usize,
    below: u64,
}

/// Where a body stands.
#[derive(Clone)]
struct Place {
    variables: Vec<Variable>,
    is_parallel: bool,
    /// Index of the scratch object that nothing else uses here.
    scratch: Option<String>,
}

impl Place {
    fn within(&self, below: u64) -> Self {
        let mut place = self.clone();
        place.variables.push(Variable { number: self.variables.len(), below });
        place
    }
}

struct Program {
    draws: Draws,
    arrays: Vec<Array>,
    /// Array behind each view, and its objects.
    views: Vec<(usize, u64)>,
    /// Arrays that the operands of each macro come from.
    macros: Vec<Vec<usize>>,
    text: String,
}

/// The text of a trace, the same for the same seed.
pub fn text(seed: u64) -> String {
    let draws = Draws { seed, drawn: 0 };
    let mut program =
        Program { draws, arrays: vec![], views: vec![], macros: vec![], text: "hetier-trace 1\n".to_owned() };
    program.arrays();
    program.views();
    program.macros();
    program.phases();
    program.text
}

impl Program {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn arrays(&mut self) {
        for number in 0..self.draws.between(2, 5) {
            let [class, objects] = [self.draws.below(CLASSES.len() as u64), self.draws.between(1, SCRATCH)];
            let array = Array { class: CLASSES[class as usize], objects, bytes: self.draws.of(&BYTES) };
            // The first is the scratch array.
            let array = if number == 0 { Array { objects: SCRATCH, ..array } } else { array };
            let Array { class, objects, bytes } = array;
            self.line(&format!(
                "array a{number} \"a{number}\" {class} [{objects}] capacity {bytes} used {bytes}"
            ));
            self.arrays.push(array);
        }
    }

    /// Arrays but the scratch array, which is not always alive.
    fn array(&mut self) -> usize {
        self.draws.between(1, self.arrays.len() as u64 - 1) as usize
    }

    fn views(&mut self) {
        for view in 0..self.draws.below(3) as usize {
            let array = self.array();
            let objects = self.arrays[array].objects;
            let count = self.draws.between(1, objects);
            let (start, step, count) = self.draws.of(&[
                (0, 1, count),
                (objects - 1, -1, count),
                (0, 2, objects.div_ceil(2)),
                (objects - 1, 0, count),
            ]);
            let whole = self.draws.in_hundred(50);
            let more = if whole { format!(" a{array}[0] step 1 count {objects}") } else { String::new() };
            let name = self.arrays.len() + view;
            self.line(&format!(
                "view a{name} \"v{view}\" {{ a{array}[{start}] step {step} count {count}{more} }}"
            ));
            self.views.push((array, count + if whole { objects } else { 0 }));
        }
    }

    fn macros(&mut self) {
        for number in 0..self.draws.between(1, 3) {
            let operands: Vec<usize> = (0..self.draws.between(1, 3)).map(|_| self.array()).collect();
            let roles: Vec<&str> = operands.iter().map(|_| self.draws.of(&ROLES)).collect();
            let parameter = |(role, operand): (&&str, &usize)| {
                format!("{role} {} {}", self.arrays[*operand].class, self.arrays[*operand].bytes)
            };
            let parameters: Vec<String> = roles.iter().zip(&operands).map(parameter).collect();
            let sweeps: String =
                (0..self.draws.between(1, 3)).map(|_| self.sweep(&operands, &roles)).collect();
            // Some share a name.
            let name = self.draws.below(number + 1);
            self.line(&format!(
                "macro m{number} \"m{name}\" limbs 1 ({}) {{{sweeps} }}",
                parameters.join(", ")
            ));
            self.macros.push(operands);
        }
        let Array { class, bytes, .. } = self.arrays[0];
        let number = self.macros.len();
        self.line(&format!(
            "macro m{number} \"scratch\" limbs 1 (in-out {class} {bytes}) \
             {{ sweep {{ write p0 @0 +{bytes} read p0 @0 +{bytes} work butterfly 500 }} }}"
        ));
    }

    fn sweep(&mut self, operands: &[usize], roles: &[&str]) -> String {
        let mut sweep = " sweep {".to_owned();
        for (parameter, (operand, role)) in operands.iter().zip(roles).enumerate() {
            if parameter > 0 && self.draws.in_hundred(30) {
                continue;
            }
            let access = match *role {
                "input" => "read",
                "output" => "write",
                _ => self.draws.of(&["read", "write", "update"]),
            };
            let lane = self.lane(self.arrays[*operand].bytes);
            write!(sweep, " {access} p{parameter} {lane}").expect("strings take everything");
        }
        write!(sweep, " work butterfly {} }}", self.draws.below(20_000)).expect("strings take everything");
        sweep
    }

    /// What a lane touches of so many bytes.
    fn lane(&mut self, bytes: u64) -> String {
        match self.draws.below(100) {
            0..60 => {
                let offset = self.draws.of(&[0, 0, bytes / 2 / 64 * 64]);
                let part = self.draws.of(&[bytes - offset, ((bytes - offset) / 2).max(1)]);
                format!("@{offset} +{part}")
            }
            60..75 => {
                let stride = self.draws.of(&[16, 64, 72]);
                let blocks = ((bytes - 8) / stride).clamp(1, 500);
                format!("@0 +{} strided 8 by {stride}", 8 * blocks)
            }
            75..85 => format!("@0 +{bytes} rotated {}", self.draws.below(bytes)),
            _ => {
                let (draws, seed) = (self.draws.between(1, 200), self.draws.below(100));
                format!("@0 +{} seeded 8 below {} seed {seed}", 8 * draws, bytes / 8)
            }
        }
    }

    fn phases(&mut self) {
        let births: String = (1..self.arrays.len())
            .map(|array| format!(" alloc a{array}[0] x {}", self.arrays[array].objects))
            .collect();
        let views = self.views.iter().enumerate();
        let references: String = views
            .map(|(view, (_, objects))| format!(" alloc a{}[0] x {objects}", self.arrays.len() + view))
            .collect();
        for phase in 0..self.draws.between(1, 3) {
            let stage = self.draws.of(&STAGES);
            let alive = if phase == 0 { format!("{births}{references}") } else { String::new() };
            let start = Place { variables: vec![], is_parallel: false, scratch: Some("0".to_owned()) };
            let bodies = self.bodies(&start);
            self.line(&format!("phase \"p{phase}\" \"op{}\" {stage} {{{alive}{bodies} }}", phase % 2));
        }
    }

    fn bodies(&mut self, place: &Place) -> String {
        let mut bodies: String = (0..self.draws.between(1, 3)).map(|_| self.body(place)).collect();
        if let Some(index) = &place.scratch
            && !bodies.contains("alloc")
            && self.draws.in_hundred(40)
        {
            let fill = format!(" call m{}(a0[{index}])", self.macros.len());
            bodies = format!(" alloc a0[{index}]{fill}{bodies}{fill} free a0[{index}]");
        }
        bodies
    }

    fn body(&mut self, place: &Place) -> String {
        let is_deep = place.variables.len() >= DEPTH;
        match self.draws.below(100) {
            0..35 if !is_deep => self.serial(place),
            35..50 if !is_deep => self.parallel(place),
            50..55 if !is_deep => {
                let inner = Place { is_parallel: true, scratch: None, ..place.clone() };
                format!(" fork {{ {{{} }} {{{} }} }}", self.bodies(&inner), self.bodies(&inner))
            }
            _ => self.call(place),
        }
    }

    fn serial(&mut self, place: &Place) -> String {
        let count = self.draws.of(&[1, 2, 3, 5, 8]);
        let variable = place.variables.len();
        let range = match self.draws.below(100) {
            0..15 => format!("seeded of {count} keep 500000 seed 3 at 0"),
            15..40 if variable > 0 => format!("0..min({count}, v{} + 1)", self.draws.below(variable as u64)),
            _ => format!("0..{count}"),
        };
        let inner = place.within(count);
        let bodies = self.bodies(&inner);
        let first = if self.draws.in_hundred(25) {
            format!(" first {{{} }}", self.bodies(&inner))
        } else {
            String::new()
        };
        format!(" loop (v{variable} in {range}) {{{bodies} }}{first}")
    }

    fn parallel(&mut self, place: &Place) -> String {
        let count = self.draws.of(&[1, 3, 4, 7, SCRATCH]);
        let variable = place.variables.len();
        let own = (!place.is_parallel).then(|| format!("v{variable}"));
        let inner = Place { is_parallel: true, scratch: own, ..place.within(count) };
        format!(" parallel (v{variable} in 0..{count}) {{{} }}", self.bodies(&inner))
    }

    fn call(&mut self, place: &Place) -> String {
        let number = self.draws.below(self.macros.len() as u64) as usize;
        let operands = self.macros[number].clone();
        let operands: Vec<String> =
            operands.into_iter().map(|operand| self.operand(operand, place)).collect();
        format!(" call m{number}({})", operands.join(", "))
    }

    /// An object of an array, at times by a view.
    fn operand(&mut self, array: usize, place: &Place) -> String {
        let views = self.views.iter().enumerate().filter(|(_, (behind, _))| *behind == array);
        let views: Vec<(usize, u64)> =
            views.map(|(view, (_, objects))| (self.arrays.len() + view, *objects)).collect();
        let (name, objects) = match !views.is_empty() && self.draws.in_hundred(30) {
            true => self.draws.of(&views),
            false => (array, self.arrays[array].objects),
        };
        let fitting: Vec<usize> = place
            .variables
            .iter()
            .filter(|variable| variable.below <= objects)
            .map(|variable| variable.number)
            .collect();
        match !fitting.is_empty() && self.draws.in_hundred(80) {
            true => format!("a{name}[v{}]", self.draws.of(&fitting)),
            false => format!("a{name}[{}]", self.draws.below(objects)),
        }
    }
}
