//! Traces of the structure that encrypted networks have, without the crate that makes real ones.

use hetier_traces::{
    Access, Affine, Arithmetic, Array, ArrayId, Body, Class, Definition, Elements, Lane, Macro, MacroId,
    Operand, Parameter, Phase, PhaseHead, Range, Role, Stage, Sweep, Trace, Work,
};

/// Grows a trace definition by definition.
#[derive(Default)]
pub struct Builder {
    pub trace: Trace,
}

impl Builder {
    pub fn new(network: &str) -> Self {
        let mut trace = Trace::default();
        trace.header.facts.insert("network".to_owned(), network.to_owned());
        Self { trace }
    }

    pub fn array(&mut self, label: &str, class: Class, elements: u64, bytes: u64) -> ArrayId {
        let (capacity_bytes, used_bytes) = (bytes, bytes);
        let array = Array { label: label.to_owned(), class, elements, capacity_bytes, used_bytes };
        self.trace.definitions.push(Definition::Array(array));
        ArrayId(self.trace.definitions.len() as u32 - 1)
    }

    /// A macro over operands of `(class, bytes)`.
    pub fn called(&mut self, name: &str, operands: &[(Class, u64)], sweeps: Vec<Sweep>) -> MacroId {
        let parameters =
            operands.iter().map(|&(class, bytes)| Parameter { class, role: Role::InOut, bytes }).collect();
        self.trace.macros.push(Macro { name: name.to_owned(), limbs: 1, parameters, sweeps });
        MacroId(self.trace.macros.len() as u32 - 1)
    }

    pub fn phase(&mut self, name: &str, operation: &str, stage: Stage, body: Vec<Body>) {
        let head = PhaseHead { name: name.to_owned(), operation: operation.to_owned(), stage };
        self.trace.phases.push(Phase { head, body });
    }
}

/// A sweep of whole operands: `(operand, access)` lanes of `bytes` and one kind of work per 8-byte word.
pub fn sweep(lanes: &[(u8, Access)], bytes: u64, kind: Arithmetic) -> Sweep {
    let lanes = lanes.iter().map(|&(operand, access)| Lane::sequential(operand, access, 0, bytes)).collect();
    Sweep { lanes, work: vec![Work { kind, count: bytes / 8 }] }
}

pub fn alloc(array: ArrayId, count: u64) -> Body {
    Body::Alloc(Elements { array, start: Affine::constant(0), count })
}

pub fn free(array: ArrayId, count: u64) -> Body {
    Body::Free(Elements { array, start: Affine::constant(0), count })
}

pub fn alloc_at(array: ArrayId, index: Affine) -> Body {
    Body::Alloc(Elements { array, start: index, count: 1 })
}

pub fn free_at(array: ArrayId, index: Affine) -> Body {
    Body::Free(Elements { array, start: index, count: 1 })
}

pub fn call(callee: MacroId, operands: &[(ArrayId, Affine)]) -> Body {
    let operands =
        operands.iter().map(|(array, index)| Operand { array: *array, index: index.clone() }).collect();
    Body::Call { callee, operands }
}

/// How a convolution multiplies and accumulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Zero-fill, copy, scale in place, add, with scratch for every tap.
    Faithful,
    /// Input and accumulator alone.
    Fused,
}

/// A convolution of batch-packed ciphertexts, padding clipped.
#[derive(Clone, Copy, Debug)]
pub struct Convolution {
    pub inputs: u64,
    pub outputs: u64,
    pub height: u64,
    pub width: u64,
    pub window: u64,
    pub bytes: u64,
    pub kernel: Kernel,
}

impl Convolution {
    /// Multiply-accumulates.
    pub fn taps(&self) -> u64 {
        let inside = |size: u64| (0..size).map(|at| self.clipped(at, size)).sum::<u64>();
        self.inputs * self.outputs * inside(self.height) * inside(self.width)
    }

    fn clipped(&self, at: u64, size: u64) -> u64 {
        let pad = self.window / 2;
        let low = pad.saturating_sub(at);
        let high = self.window.min(size + pad - at);
        high - low
    }

    /// Adds the macros and the phase; gives the output array. The input is an array of `inputs·height·width`.
    pub fn add(&self, builder: &mut Builder, name: &str, input: ArrayId) -> ArrayId {
        let &Self { inputs, outputs, height, width, window, bytes, kernel } = self;
        let places = height * width;
        let weights =
            builder.array(&format!("{name}.weights"), Class::Scalar, inputs * outputs * window * window, 24);
        let output = builder.array(&format!("{name}.output"), Class::Ciphertext, outputs * places, bytes);
        let scratch = builder.array(&format!("{name}.scratch"), Class::Scratch, outputs * places, bytes);
        let (first, rest) = multiply_accumulate(builder, bytes, kernel);
        // Variables: 0 output channel, 1 row, 2 column, then 3 input channel, 4 and 5 the window.
        let pad = (window / 2) as i64;
        let clip = |place: u8, size: u64| Range::Affine {
            from: vec![Affine::constant(0), Affine::constant(pad).plus(place, -1)],
            to: vec![Affine::constant(window as i64), Affine::constant(size as i64 + pad).plus(place, -1)],
        };
        let at = Affine::constant(0).plus(0, places as i64).plus(1, width as i64).plus(2, 1);
        let source = Affine::constant(-pad * width as i64 - pad)
            .plus(1, width as i64)
            .plus(2, 1)
            .plus(3, places as i64)
            .plus(4, width as i64)
            .plus(5, 1);
        let taps = (window * window) as i64;
        let weight =
            Affine::constant(0).plus(0, inputs as i64 * taps).plus(3, taps).plus(4, window as i64).plus(5, 1);
        let operands = [(input, source), (weights, weight), (output, at.clone()), (scratch, at.clone())];
        let tap = |callee: MacroId| match kernel {
            Kernel::Fused => vec![call(callee, &operands[..3])],
            Kernel::Faithful => {
                vec![alloc_at(scratch, at.clone()), call(callee, &operands), free_at(scratch, at.clone())]
            }
        };
        let window = vec![Range::count(inputs), clip(1, height), clip(2, width)];
        let taps = Body::Loop { nest: window, first: tap(first), body: tap(rest) };
        let nest = vec![Range::count(outputs), Range::count(height), Range::count(width)];
        let parallel = Body::Parallel { nest, nowait: false, body: vec![alloc_at(output, at.clone()), taps] };
        let body = vec![
            alloc(weights, inputs * outputs * (taps_of(self))),
            parallel,
            free(weights, inputs * outputs * taps_of(self)),
        ];
        builder.phase(name, "Convolution", Stage::Server, body);
        output
    }
}

fn taps_of(convolution: &Convolution) -> u64 {
    convolution.window * convolution.window
}

/// Macros of the first tap and of the others.
pub fn multiply_accumulate(builder: &mut Builder, bytes: u64, kernel: Kernel) -> (MacroId, MacroId) {
    let ciphertext = (Class::Ciphertext, bytes);
    let scalar = (Class::Scalar, 24);
    if kernel == Kernel::Fused {
        let operands = [ciphertext, scalar, ciphertext];
        let weight = Sweep { lanes: vec![Lane::sequential(1, Access::Read, 0, 24)], work: Vec::new() };
        let first = sweep(&[(0, Access::Read), (2, Access::Write)], bytes, Arithmetic::MultiplyConstant);
        let rest = sweep(&[(0, Access::Read), (2, Access::Update)], bytes, Arithmetic::MultiplyAdd);
        let first = builder.called("multiply-first", &operands, vec![weight.clone(), first]);
        return (first, builder.called("multiply-accumulate", &operands, vec![weight, rest]));
    }
    let operands = [ciphertext, scalar, ciphertext, (Class::Scratch, bytes)];
    let product = [
        sweep(&[(3, Access::Write)], bytes, Arithmetic::Move),
        sweep(&[(0, Access::Read), (3, Access::Write)], bytes, Arithmetic::Move),
        Sweep { lanes: vec![Lane::sequential(1, Access::Read, 0, 24)], work: Vec::new() },
        sweep(&[(3, Access::Update)], bytes, Arithmetic::MultiplyConstant),
    ];
    let with = |last: Sweep| product.iter().cloned().chain([last]).collect();
    let first = with(sweep(&[(3, Access::Read), (2, Access::Write)], bytes, Arithmetic::Move));
    let rest = with(sweep(&[(3, Access::Read), (2, Access::Update)], bytes, Arithmetic::Add));
    let first = builder.called("multiply-first", &operands, first);
    (first, builder.called("multiply-accumulate", &operands, rest))
}

/// Elementwise addition of an array to itself into a new one, in parallel or by one thread; the old one dies.
pub fn elementwise(
    builder: &mut Builder,
    name: &str,
    input: ArrayId,
    count: u64,
    bytes: u64,
    is_parallel: bool,
) -> ArrayId {
    let output = builder.array(&format!("{name}.output"), Class::Ciphertext, count, bytes);
    let ciphertext = (Class::Ciphertext, bytes);
    let add = sweep(&[(0, Access::Read), (1, Access::Write)], bytes, Arithmetic::Add);
    let callee = builder.called("add", &[ciphertext, ciphertext], vec![add]);
    let at = Affine::variable(0);
    let body = vec![
        alloc_at(output, at.clone()),
        call(callee, &[(input, at.clone()), (output, at.clone())]),
        free_at(input, at),
    ];
    let nest = vec![Range::count(count)];
    let body = match is_parallel {
        true => Body::Parallel { nest, nowait: false, body },
        false => Body::Loop { nest, first: Vec::new(), body },
    };
    builder.phase(name, "Add", Stage::Server, vec![body]);
    output
}

/// Key switching: `limbs` digits of each ciphertext against keys that all threads share, with scratch.
pub fn key_switch(builder: &mut Builder, name: &str, data: ArrayId, count: u64, limbs: u64, limb: u64) {
    let (ciphertext, key, scratch) = (2 * limbs * limb, 2 * (limbs + 1) * limb, 2 * (limbs + 1) * limb);
    let keys = builder.array(&format!("{name}.keys"), Class::EvaluationKey, limbs, key);
    let scratches = builder.array(&format!("{name}.scratch"), Class::Scratch, count, scratch);
    let digit = vec![
        Sweep {
            lanes: vec![
                Lane::sequential(0, Access::Read, 0, limb),
                Lane::sequential(2, Access::Update, 0, limb),
            ],
            work: vec![Work { kind: Arithmetic::Butterfly, count: limb / 16 * 12 }],
        },
        Sweep {
            lanes: vec![
                Lane::sequential(1, Access::Read, 0, key),
                Lane::sequential(2, Access::Update, 0, scratch),
            ],
            work: vec![Work { kind: Arithmetic::MultiplyAdd, count: key / 8 }],
        },
    ];
    let operands = [(Class::Ciphertext, ciphertext), (Class::EvaluationKey, key), (Class::Scratch, scratch)];
    let digit = builder.called("key-switch-digit", &operands, digit);
    let down = vec![Sweep {
        lanes: vec![
            Lane::sequential(1, Access::Read, 0, scratch),
            Lane::sequential(0, Access::Update, 0, ciphertext),
        ],
        work: vec![Work { kind: Arithmetic::Butterfly, count: ciphertext / 16 * 12 }],
    }];
    let down = builder.called("modulus-down", &[operands[0], operands[2]], down);
    let at = Affine::variable(0);
    let digits = Body::Loop {
        nest: vec![Range::count(limbs)],
        first: Vec::new(),
        body: vec![call(digit, &[(data, at.clone()), (keys, Affine::variable(1)), (scratches, at.clone())])],
    };
    let body = vec![
        alloc_at(scratches, at.clone()),
        digits,
        call(down, &[(data, at.clone()), (scratches, at.clone())]),
        free_at(scratches, at),
    ];
    let parallel = Body::Parallel { nest: vec![Range::count(count)], nowait: false, body };
    let writing = key_writing(keys, limbs, builder_key(builder, key));
    builder.phase(&format!("{name}.keys"), "KeyGeneration", Stage::SetUp, writing);
    builder.phase(name, "KeySwitch", Stage::Server, vec![parallel]);
}

fn builder_key(builder: &mut Builder, bytes: u64) -> MacroId {
    let write = sweep(&[(0, Access::Write)], bytes, Arithmetic::Random);
    builder.called("write-key", &[(Class::EvaluationKey, bytes)], vec![write])
}

fn key_writing(keys: ArrayId, count: u64, write: MacroId) -> Vec<Body> {
    let body = vec![call(write, &[(keys, Affine::variable(0))])];
    vec![alloc(keys, count), Body::Loop { nest: vec![Range::count(count)], first: Vec::new(), body }]
}

/// Encrypts `count` inputs by one thread.
pub fn encrypt(builder: &mut Builder, count: u64, bytes: u64) -> ArrayId {
    let input = builder.array("input", Class::Ciphertext, count, bytes);
    let write = sweep(&[(0, Access::Write)], bytes, Arithmetic::Random);
    let callee = builder.called("encrypt", &[(Class::Ciphertext, bytes)], vec![write]);
    let at = Affine::variable(0);
    let body = vec![alloc_at(input, at.clone()), call(callee, &[(input, at)])];
    let body = Body::Loop { nest: vec![Range::count(count)], first: Vec::new(), body };
    builder.phase("encrypt", "Parameter", Stage::Client, vec![body]);
    input
}
