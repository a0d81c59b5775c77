//! Maximum over windows by the holder of the key.

use hetier_traces::{Affine, Body, Operand, Range};

use super::client::{copy_to_new, serialised};
use crate::Error;
use crate::layer::{Layer, Shape, Window, only};
use crate::primitive::Operation;
use crate::program::{Kernel, Layout, Lowering, Packing, Tensor, operand, run, site};
use crate::scheme::{Encoding, Noise, Signal};

/// Maximum over a window of each channel. Taps in the padding do not count.
///
/// - operation: `MaxPool`.
/// - the server sends every window, so an element that four windows share goes four times. A message holds the
///   windows of one row of outputs: serialised on one thread, decrypted, compared and encrypted at the top level in
///   parallel, copied into the output on one thread. he-transformer fills a message up to 1000 ciphertexts instead.
#[derive(Clone, Copy, Debug)]
pub struct ClientMaxPool {
    window: Window,
}

/// Variables of the loops: channel, row, column; row and column of the window.
const POSITION: [u8; 3] = [0, 1, 2];
const WINDOW: [u8; 2] = [3, 4];

/// Where a layer's ciphertexts are.
struct Places {
    /// The element of the input under a tap.
    source: Affine,
    /// The output.
    at: Affine,
    /// Number of the tap among all.
    tap: Affine,
    /// All taps of all outputs.
    taps: usize,
    window: Vec<Range>,
}

impl ClientMaxPool {
    /// A pool over `window`.
    pub const fn new(window: Window) -> Self {
        Self { window }
    }

    fn places(&self, input: &Tensor, output: &Tensor) -> Places {
        let size = self.window.size;
        let [channels, rows, columns] = input.strides();
        let source = Affine::constant(0).plus(POSITION[0], channels as i64);
        let source = self.window.index(source, POSITION[1], WINDOW[0], rows);
        let source = self.window.index(source, POSITION[2], WINDOW[1], columns);
        let at = output.index(POSITION);
        let tap = at.clone().times((size * size) as i64).plus(WINDOW[0], size as i64).plus(WINDOW[1], 1);
        let window = vec![
            self.window.range(POSITION[1], input.shape.height),
            self.window.range(POSITION[2], input.shape.width),
        ];
        Places { source, at, tap, taps: output.shape.elements() * size * size, window }
    }

    /// Decrypts the window of one output, compares, and encrypts the maximum.
    fn compare(
        lowering: &mut Lowering,
        name: &str,
        (from, to): (&Tensor, &Tensor),
        places: &Places,
        is_request: bool,
    ) -> Result<Vec<Body>, Error> {
        let (elements, at) = (to.shape.elements(), places.at.clone());
        let largest = lowering.message_array(&format!("{name}.largest"), elements);
        let others = lowering.message_array(&format!("{name}.others"), places.taps);
        let tap = if is_request { places.tap.clone() } else { places.source.clone() };
        let free = |bodies: &mut Vec<Body>| {
            if is_request {
                bodies.push(Body::Free(run(from.array, tap.clone(), 1)));
            }
        };
        let decrypt = |lowering: &mut Lowering, message: Operand| {
            lowering.decrypt_at(from, tap.clone(), message, (places.tap.clone(), places.taps), name)
        };
        let mut first = decrypt(lowering, operand(largest, at.clone()))?;
        free(&mut first);
        let other = operand(others, places.tap.clone());
        let mut rest = vec![Body::Alloc(run(others, places.tap.clone(), 1))];
        rest.extend(decrypt(lowering, other.clone())?);
        let maximum = Operation::Maximum { packing: lowering.options().packing };
        let site = site(name, at.clone(), elements);
        rest.extend(lowering.call(maximum, to.limbs, vec![other, operand(largest, at.clone())], &site)?);
        rest.push(Body::Free(run(others, places.tap.clone(), 1)));
        free(&mut rest);
        let mut body = vec![Body::Alloc(run(largest, at.clone(), 1))];
        body.push(Body::Loop { nest: places.window.clone(), first, body: rest });
        body.extend(lowering.encrypt(operand(largest, at.clone()), to, at.clone(), name)?);
        body.push(Body::Free(run(largest, at, 1)));
        Ok(body)
    }

    /// One message for each row of outputs.
    fn rows(
        lowering: &mut Lowering,
        name: &str,
        (input, output): (&Tensor, &Tensor),
        places: &Places,
    ) -> Result<Body, Error> {
        let Shape { channels, height, width } = output.shape;
        let request = serialised(lowering, &format!("{name}.request"), places.taps, input);
        let response = serialised(lowering, &format!("{name}.response"), output.shape.elements(), output);
        let response = Tensor { shape: output.shape, ..response };
        let columns = Range::count(width as u64);
        let window = [vec![columns.clone()], places.window.clone()].concat();
        let sent = site(&format!("{name}.send"), places.tap.clone(), places.taps);
        let received = site(&format!("{name}.receive"), places.at.clone(), output.shape.elements());

        let from = (input, &places.source);
        let send = copy_to_new(lowering, from, (&request, &places.tap), &sent)?;
        let compare = Self::compare(lowering, name, (&request, &response), places, true)?;
        let (from, to) = ((&response, &places.at), (output, &places.at));
        let mut receive = copy_to_new(lowering, from, to, &received)?;
        receive.push(Body::Free(run(response.array, places.at.clone(), 1)));
        let message = vec![
            Body::Loop { nest: window, first: Vec::new(), body: send },
            Body::Parallel { nest: vec![columns.clone()], nowait: false, body: compare },
            Body::Loop { nest: vec![columns], first: Vec::new(), body: receive },
        ];
        let nest = vec![Range::count(channels as u64), Range::count(height as u64)];
        Ok(Body::Loop { nest, first: Vec::new(), body: message })
    }
}

impl Layer for ClientMaxPool {
    fn operation(&self) -> &'static str {
        "MaxPool"
    }

    fn output(&self, name: &str, inputs: &[Shape]) -> Result<Shape, Error> {
        let input = only(name, inputs)?;
        let [height, width] = [input.height, input.width].map(|extent| self.window.positions(name, extent));
        Ok(Shape::new(input.channels, height?, width?))
    }

    fn lower(&self, name: &str, inputs: &[Tensor], lowering: &mut Lowering) -> Result<Tensor, Error> {
        let input = lowering.handles(&format!("{name}.input"), "Reshape", &inputs[0]);
        let shape = self.output(name, &[input.shape])?;
        let (limbs, scale) = (lowering.parameters().data_limbs(), lowering.parameters().scale());
        let output = lowering.tensor(&format!("{name}.maxima"), shape, (limbs, limbs), scale);
        let output = Tensor { layout: Layout::ChannelsFirst, ..output };
        let places = self.places(&input, &output);
        let body = if lowering.options().has_messages() {
            Self::rows(lowering, name, (&input, &output), &places)?
        } else {
            let body = Self::compare(lowering, name, (&input, &output), &places, false)?;
            let nest = [shape.channels, shape.height, shape.width].map(|extent| Range::count(extent as u64));
            Body::Parallel { nest: nest.to_vec(), nowait: false, body }
        };
        lowering.server_phase(name, "MaxPool", vec![body]);
        lowering.free_after(&input);
        Ok(lowering.moved_handles(&format!("{name}.output"), "Reshape", &output))
    }

    fn clear(&self, shapes: &[Shape], inputs: &[&[f64]]) -> Vec<f64> {
        self.window.fold(shapes[0], inputs[0], f64::NEG_INFINITY, f64::max)
    }

    fn takes(&self, _packing: Packing) -> bool {
        true
    }

    fn has(&self, kernel: Kernel) -> bool {
        kernel != Kernel::AluminumShark
    }

    fn noise(&self, noise: &Noise<'_>, inputs: &[Signal], output: Encoding) -> f64 {
        inputs[0].variance + noise.encryption(output)
    }
}
