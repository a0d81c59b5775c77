//! Memory that the traced program keeps for every ciphertext it writes, as objects of the trace.
//!
//! Resident memory has been written once: somebody faulted its pages in, and near memory of Memory Mode took its lines
//! in for others. So the bytes that [`Overhead`](super::Overhead) says are retained become objects of heap, born and written
//! by core 0 at the end of the phase that wrote the ciphertexts, and never freed. The C library's heap grows by steps
//! of [`STEP_BYTES`].

use std::borrow::Cow;

use hetier_traces::{
    Access, Affine, Array, ArrayId, Body, Class, Definition, Elements, Lane, Macro, MacroId, Operand,
    Parameter, Range, Role, Sweep, Trace, activities,
};

use super::Charges;

/// Bytes by which a heap of the GNU C library grows for a small request: `M_TOP_PAD`, 128 KiB by default (mallopt(3)),
/// and a page. No ciphertext has this size, so the pool gives no freed one for it.
const STEP_BYTES: u64 = 132 << 10;

/// Name of the primitive that writes a step.
const NAME: &str = "heap-growth";

impl Charges {
    /// Bytes retained for so many ciphertexts written, in whole steps.
    pub const fn retained(&self, ciphertexts: u64) -> u64 {
        ciphertexts.saturating_mul(self.retained_bytes) / STEP_BYTES * STEP_BYTES
    }

    /// The trace with what its process retains.
    ///
    /// # Errors
    /// Those of [`activities`].
    pub fn retain<'t>(&self, trace: &'t Trace) -> Result<Cow<'t, Trace>, hetier_traces::Error> {
        if self.retained_bytes == 0 {
            return Ok(Cow::Borrowed(trace));
        }
        let class = super::WRITTEN.name();
        let mut ciphertexts = 0_u64;
        let ends: Vec<u64> = activities(trace)?
            .iter()
            .map(|activity| activity.births_by_class.get(class).copied().unwrap_or(0))
            .map(|written| {
                ciphertexts = ciphertexts.saturating_add(written);
                self.retained(ciphertexts) / STEP_BYTES
            })
            .collect();
        let steps = ends.last().copied().unwrap_or(0);
        if steps == 0 {
            return Ok(Cow::Borrowed(trace));
        }
        let mut trace = trace.clone();
        let array = ArrayId(trace.definitions.len() as u32);
        let callee = MacroId(trace.macros.len() as u32);
        trace.definitions.push(Definition::Array(heap(steps)));
        trace.macros.push(growth());
        let mut start = 0;
        for (phase, end) in trace.phases.iter_mut().zip(ends) {
            if end > start {
                phase.body.extend(grow(array, callee, start..end));
            }
            start = end;
        }
        Ok(Cow::Owned(trace))
    }
}

fn heap(steps: u64) -> Array {
    Array {
        label: "heap of the process".to_owned(),
        class: Class::Heap,
        elements: steps,
        capacity_bytes: STEP_BYTES,
        used_bytes: STEP_BYTES,
    }
}

fn growth() -> Macro {
    let lane = Lane::sequential(0, Access::Write, 0, STEP_BYTES);
    Macro {
        name: NAME.to_owned(),
        limbs: 0,
        parameters: vec![Parameter { class: Class::Heap, role: Role::Output, bytes: STEP_BYTES }],
        sweeps: vec![Sweep { lanes: vec![lane], work: Vec::new() }],
    }
}

/// Core 0 takes the steps and writes them, one after the other.
fn grow(array: ArrayId, callee: MacroId, steps: std::ops::Range<u64>) -> [Body; 1] {
    let index = Affine::variable(0).plus_constant(steps.start as i64);
    let step = Elements { array, start: index.clone(), count: 1 };
    let write = Body::Call { callee, operands: vec![Operand { array, index }] };
    [Body::Loop {
        nest: vec![Range::count(steps.end - steps.start)],
        first: Vec::new(),
        body: vec![Body::Alloc(step), write],
    }]
}
