//! Writes a program phase by phase.

use std::collections::{BTreeMap, HashMap};

use hetier_traces::{
    Affine, Array, ArrayId, Body, Class, Definition, Elements, Header, MacroId, Operand, Parameter, Phase,
    PhaseHead, Range, Role, Stage,
};

use super::{Content, Layout, Liveness, Options, Program, Tensor};
use crate::Error;
use crate::layer::Shape;
use crate::parameters::Parameters;
use crate::primitive::{Operation, Primitive};

/// Where a call stands: its scratch objects are numbered by iteration.
#[derive(Clone, Debug)]
pub struct Site {
    /// Label of the scratch arrays.
    pub name: String,
    /// Number of the iteration.
    pub index: Affine,
    /// How many iterations there are.
    pub iterations: u64,
}

/// A program while it is being written.
///
/// Layers ask for tensors, weights and scratch, and append phases; [`Lowering::finish`] puts set-up and client phases
/// around them.
#[derive(Debug)]
pub struct Lowering {
    parameters: Parameters,
    options: Options,
    header: Header,
    definitions: Vec<Definition>,
    primitives: Vec<Primitive>,
    interned: HashMap<Primitive, MacroId>,
    tables: BTreeMap<u64, ArrayId>,
    scratch: BTreeMap<(String, u64), Vec<ArrayId>>,
    keys: Vec<(KeyKind, ArrayId)>,
    contents: Vec<(ArrayId, Content)>,
    set_up: Vec<Phase>,
    running: Vec<Phase>,
    /// Releases put off to the end of the run.
    deferred: Vec<Body>,
    /// What the layer being lowered uses last.
    last_used: Vec<ArrayId>,
}

/// Keys of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum KeyKind {
    /// Decrypts.
    Secret,
    /// Encrypts.
    Public,
    /// Relinearises.
    Relinearisation,
}

impl Lowering {
    /// An empty program.
    ///
    /// # Errors
    /// [`Error::Batch`] if the batch has more images than there are slots, or none.
    pub fn new(network: &str, parameters: &Parameters, options: &Options) -> Result<Self, Error> {
        let most = options.most_images(parameters.slots());
        if options.images == 0 || options.images > most {
            return Err(Error::Batch { found: options.images, most });
        }
        Ok(Self {
            header: header(network, parameters, options),
            parameters: parameters.clone(),
            options: *options,
            definitions: Vec::new(),
            primitives: Vec::new(),
            interned: HashMap::new(),
            tables: BTreeMap::new(),
            scratch: BTreeMap::new(),
            keys: Vec::new(),
            contents: Vec::new(),
            set_up: Vec::new(),
            running: Vec::new(),
            deferred: Vec::new(),
            last_used: Vec::new(),
        })
    }

    /// Parameters of the scheme.
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The lowering's choices.
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// A new array.
    pub fn array(&mut self, label: &str, class: Class, elements: usize, bytes: u64) -> ArrayId {
        self.define(Definition::Array(Array {
            label: label.to_owned(),
            class,
            elements: elements as u64,
            capacity_bytes: bytes,
            used_bytes: bytes,
        }))
    }

    /// A new array or view.
    pub(super) fn define(&mut self, definition: Definition) -> ArrayId {
        self.definitions.push(definition);
        ArrayId(self.definitions.len() as u32 - 1)
    }

    /// A new tensor of ciphertexts of two polynomials, with room for `capacity` limbs and `limbs` in use.
    pub fn tensor(&mut self, label: &str, shape: Shape, (capacity, limbs): (u32, u32), scale: f64) -> Tensor {
        let bytes = self.parameters.ciphertext_bytes(2, capacity);
        let array = self.array(label, Class::Ciphertext, shape.elements(), bytes);
        if let Some(Definition::Array(array)) = self.definitions.last_mut() {
            array.used_bytes = self.parameters.ciphertext_bytes(2, limbs);
        }
        Tensor { array, holder: array, shape, layout: Layout::ChannelsFirst, limbs, scale }
    }

    /// A new tensor of ciphertexts as a message holds them: full ones with `limbs` limbs and `header_bytes` more.
    pub fn serialised(&mut self, label: &str, count: usize, like: &Tensor, header_bytes: u64) -> Tensor {
        let tensor = self.tensor(label, Shape::flat(count), (like.limbs, like.limbs), like.scale);
        if let Some(Definition::Array(array)) = self.definitions.last_mut() {
            array.capacity_bytes += header_bytes;
            array.used_bytes += header_bytes;
        }
        tensor
    }

    /// A new tensor for products of ciphertexts with `input`: its objects have room for the three polynomials before
    /// relinearisation. After the rescale it has one limb fewer than `input`, and the scale is `scale` divided by the
    /// prime dropped.
    pub fn product(&mut self, label: &str, input: &Tensor, scale: f64) -> Tensor {
        let bytes = self.parameters.ciphertext_bytes(3, input.limbs);
        let array = self.array(label, Class::Ciphertext, input.shape.elements(), bytes);
        let limbs = input.limbs - 1;
        if let Some(Definition::Array(array)) = self.definitions.last_mut() {
            array.used_bytes = self.parameters.ciphertext_bytes(2, limbs);
        }
        let scale = scale / self.parameters.primes()[limbs as usize] as f64;
        Tensor { array, holder: array, limbs, scale, ..input.clone() }
    }

    /// `input` at `limbs` limbs: itself, or a copy brought down in a phase of its own.
    ///
    /// # Errors
    /// If `limbs` is 0.
    pub fn switched_down(&mut self, name: &str, input: &Tensor, limbs: u32) -> Result<Tensor, Error> {
        if input.limbs == limbs {
            return Ok(input.clone());
        }
        let output = self.tensor(&format!("{name}.switched"), input.shape, (input.limbs, limbs), input.scale);
        let output = Tensor { layout: input.layout, ..output };
        let at = Affine::variable(0);
        let site = site(name, at.clone(), input.shape.elements());
        let element = output.at(at.clone());
        let mut body = vec![Body::Alloc(run(output.array, at.clone(), 1))];
        let operands = vec![input.at(at), element.clone()];
        body.extend(self.call(Operation::Copy { size: 2 }, input.limbs, operands, &site)?);
        for level in (limbs + 1..=input.limbs).rev() {
            body.extend(self.call(Operation::ModSwitch { size: 2 }, level, vec![element.clone()], &site)?);
        }
        self.parallel_elements(&format!("{name}.switch"), "ModSwitch", &output, body);
        Ok(output)
    }

    /// A call with its scratch allocated before and freed after, and its tables found. `operands` are the objects of
    /// the scheme and the keys, in order.
    pub fn call(
        &mut self,
        operation: Operation,
        limbs: u32,
        operands: Vec<Operand>,
        site: &Site,
    ) -> Result<Vec<Body>, Error> {
        let primitive = Primitive { operation, limbs, dataflow: self.options.dataflow };
        self.call_primitive(primitive, operands, site)
    }

    /// The same for a primitive in a dataflow of its own.
    ///
    /// # Errors
    /// If the primitive cannot run at its level.
    pub fn call_primitive(
        &mut self,
        primitive: Primitive,
        mut operands: Vec<Operand>,
        site: &Site,
    ) -> Result<Vec<Body>, Error> {
        let parameters = primitive.operands(&self.parameters)?;
        let mut scratch = Vec::new();
        for parameter in &parameters[operands.len()..] {
            operands.push(match parameter.class {
                Class::Table => operand(self.table(parameter.bytes), Affine::constant(0)),
                _ => {
                    let array = self.scratch(site, parameter, scratch.len());
                    scratch.push(array);
                    operand(array, site.index.clone())
                }
            });
        }
        let callee = self.intern(primitive);
        let element = |array: &ArrayId| run(*array, site.index.clone(), 1);
        let mut bodies: Vec<Body> = scratch.iter().map(|array| Body::Alloc(element(array))).collect();
        bodies.push(Body::Call { callee, operands });
        bodies.extend(scratch.iter().rev().map(|array| Body::Free(element(array))));
        Ok(bodies)
    }

    fn intern(&mut self, primitive: Primitive) -> MacroId {
        let next = MacroId(self.primitives.len() as u32);
        let id = *self.interned.entry(primitive).or_insert(next);
        if id == next {
            self.primitives.push(primitive);
        }
        id
    }

    /// Tables differ in size by purpose, so the size names them.
    fn table(&mut self, bytes: u64) -> ArrayId {
        if let Some(&array) = self.tables.get(&bytes) {
            return array;
        }
        let label = match bytes {
            bytes if bytes == self.parameters.ntt_table_bytes() => "tables.ntt".to_owned(),
            bytes if bytes == self.parameters.slot_table_bytes() => "tables.slots".to_owned(),
            bytes => format!("tables.{bytes}"),
        };
        let array = self.array(&label, Class::Table, 1, bytes);
        self.tables.insert(bytes, array);
        array
    }

    /// Temporary ciphertexts of a layer, one for each of `elements` iterations; the same for the same label.
    pub fn scratch_ciphertexts(&mut self, label: &str, elements: usize, limbs: u32) -> ArrayId {
        let site = site(label, Affine::constant(0), elements);
        let bytes = self.parameters.ciphertext_bytes(2, limbs);
        self.scratch(&site, &Parameter { class: Class::Scratch, role: Role::Output, bytes }, 0)
    }

    /// Scratch of one size is shared by the calls of a site, in the order of their use.
    fn scratch(&mut self, site: &Site, parameter: &Parameter, place: usize) -> ArrayId {
        let key = (site.name.clone(), place as u64);
        let known = self.scratch.get(&key).cloned().unwrap_or_default();
        let fits = |array: &&ArrayId| match &self.definitions[array.0 as usize] {
            Definition::Array(array) => {
                array.capacity_bytes == parameter.bytes && array.elements == site.iterations
            }
            Definition::View(_) => false,
        };
        if let Some(&array) = known.iter().find(fits) {
            return array;
        }
        let label = format!("{}.scratch.{place}", site.name);
        let array = self.array(&label, Class::Scratch, site.iterations as usize, parameter.bytes);
        self.scratch.entry(key).or_default().push(array);
        array
    }

    /// Appends a phase; set-up phases go to the front of the program, in their order.
    pub fn phase(&mut self, name: &str, operation: &str, stage: Stage, body: Vec<Body>) {
        let head = PhaseHead { name: name.to_owned(), operation: operation.to_owned(), stage };
        let phases = if stage == Stage::SetUp { &mut self.set_up } else { &mut self.running };
        phases.push(Phase { head, body });
    }

    /// Appends a server phase.
    pub fn server_phase(&mut self, name: &str, operation: &str, body: Vec<Body>) {
        self.phase(name, operation, Stage::Server, body);
    }

    /// Appends a server phase that computes `output` in parallel: one iteration for each channel, row and column
    /// (variables 0, 1 and 2).
    pub fn parallel_outputs(&mut self, name: &str, operation: &str, output: &Tensor, body: Vec<Body>) {
        let Shape { channels, height, width } = output.shape;
        let nest = [channels, height, width].map(|extent| Range::count(extent as u64)).to_vec();
        self.phase(name, operation, Stage::Server, vec![Body::Parallel { nest, nowait: false, body }]);
    }

    /// Appends a server phase that computes `output` in parallel, one iteration for each element (variable 0).
    pub fn parallel_elements(&mut self, name: &str, operation: &str, output: &Tensor, body: Vec<Body>) {
        let nest = vec![Range::count(output.shape.elements() as u64)];
        self.phase(name, operation, Stage::Server, vec![Body::Parallel { nest, nowait: false, body }]);
    }

    /// Appends the death of a tensor to the phase that used it last.
    pub fn free_after(&mut self, tensor: &Tensor) {
        let body = self.release(run(tensor.holder, Affine::constant(0), tensor.shape.elements()));
        self.append(body);
    }

    /// Appends to the last phase.
    pub(super) fn append(&mut self, body: Option<Body>) {
        if let Some(phase) = self.running.last_mut() {
            phase.body.extend(body);
        }
    }

    /// The death of elements that nothing uses any more; put off to the end of the run if tensors live that long.
    pub fn release(&mut self, elements: Elements) -> Option<Body> {
        let body = Body::Free(elements);
        match self.options.liveness {
            Liveness::AfterLastUse => Some(body),
            Liveness::AtEnd => {
                self.deferred.push(body);
                None
            }
        }
    }

    /// Says what the layer lowered next uses for the last time.
    pub(crate) fn expect_last_use(&mut self, tensors: impl Iterator<Item = ArrayId>) {
        self.last_used = tensors.collect();
    }

    /// Whether nothing uses a tensor after the layer being lowered, so that it may be changed in place.
    pub fn is_last_use(&self, tensor: &Tensor) -> bool {
        self.last_used.contains(&tensor.holder)
    }

    pub(super) fn deferred(&mut self) -> Vec<Body> {
        std::mem::take(&mut self.deferred)
    }

    /// The relinearisation key; every later program generates it in set-up.
    pub(crate) fn relinearisation_key(&mut self) -> Operand {
        self.key(KeyKind::Relinearisation)
    }

    pub(super) fn key(&mut self, kind: KeyKind) -> Operand {
        let known = self.keys.iter().find(|(known, _)| *known == kind).map(|key| key.1);
        let array = known.unwrap_or_else(|| {
            let (label, bytes) = match kind {
                KeyKind::Secret => ("keys.secret", self.parameters.secret_key_bytes()),
                KeyKind::Public => ("keys.public", self.options.dataflow.public_key_bytes(&self.parameters)),
                KeyKind::Relinearisation => ("keys.relinearisation", self.parameters.switching_key_bytes()),
            };
            let array = self.array(label, Class::EvaluationKey, 1, bytes);
            self.keys.push((kind, array));
            array
        });
        operand(array, Affine::constant(0))
    }

    pub(super) fn key_kinds(&self) -> Vec<KeyKind> {
        self.keys.iter().map(|key| key.0).collect()
    }

    /// Says what messages hold before the program touches them.
    pub(super) fn hold(&mut self, messages: ArrayId, content: Content) {
        self.contents.push((messages, content));
    }

    /// The program, with tables and keys made first and the last of the network's tensors decrypted last.
    ///
    /// # Errors
    /// If the parameters cannot make a key that a layer uses.
    pub fn finish(mut self, tensors: &[Tensor], output: &Tensor) -> Result<Program, Error> {
        let outputs = self.decrypt(output)?;
        let keys = self.generate_keys()?;
        let tables: Vec<Body> =
            self.tables.values().map(|&array| Body::Alloc(run(array, Affine::constant(0), 1))).collect();
        let head = |name: &str| PhaseHead {
            name: name.to_owned(),
            operation: "KeyGeneration".into(),
            stage: Stage::SetUp,
        };
        let mut phases =
            vec![Phase { head: head("tables"), body: tables }, Phase { head: head("keys"), body: keys }];
        phases.append(&mut self.set_up);
        phases.append(&mut self.running);
        Ok(Program {
            header: self.header,
            definitions: self.definitions,
            primitives: self.primitives,
            phases,
            parameters: self.parameters,
            options: self.options,
            encodings: tensors.iter().map(Tensor::encoding).collect(),
            contents: self.contents,
            outputs: (outputs, output.shape.elements() as u64),
        })
    }
}

/// Calls named `name`, one in each of `iterations` iterations numbered by `index`.
pub fn site(name: &str, index: Affine, iterations: usize) -> Site {
    Site { name: name.to_owned(), index, iterations: iterations as u64 }
}

/// An element of an array.
pub fn operand(array: ArrayId, index: Affine) -> Operand {
    Operand { array, index }
}

/// A run of elements.
pub fn run(array: ArrayId, start: Affine, count: usize) -> Elements {
    Elements { array, start, count: count as u64 }
}

fn header(network: &str, parameters: &Parameters, options: &Options) -> Header {
    let bits: Vec<String> = parameters.literal().prime_bits.iter().map(u32::to_string).collect();
    let facts = [
        ("network", network.to_owned()),
        ("producer", concat!("hetier ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("scheme", "ckks".to_owned()),
        ("degree", parameters.degree().to_string()),
        ("primes", bits.join(",")),
        ("scale", format!("2^{}", parameters.scale().log2())),
        ("security", parameters.security().to_string()),
        ("slots", parameters.slots().to_string()),
    ];
    Header {
        facts: facts.into_iter().chain(options.facts()).map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}
