//! How many calls codes make, without walking them.

use hetier_traces::loops::Scope;

use super::{Code, Loop, Op, RegionKind};

/// Calls of codes under the variables in `scope`. Inner loops whose length depends on a loop of these codes count as
/// long as they are in its first iteration, so windows clipped at borders are off by a few per cent.
pub fn calls(codes: &[Code], scope: &mut Scope) -> u64 {
    let of = |code: &Code| match code {
        Code::Emit(emit) => u64::from(Op::of(emit.header) == Op::Call) * emit.repeat,
        Code::Loop(repeated) => calls_of_loop(repeated, scope),
        Code::Region(region) => match &region.kind {
            RegionKind::Nest { nest, body } => {
                let iterations = nest.count(scope);
                if nest.start(scope) { iterations * calls(body, scope) } else { 0 }
            }
            RegionKind::Branches(branches) => branches.iter().map(|branch| calls(branch, scope)).sum(),
        },
    };
    codes.iter().map(of).sum()
}

/// Calls of a loop.
pub fn calls_of_loop(repeated: &Loop, scope: &mut Scope) -> u64 {
    let iterations = repeated.nest.count(scope);
    if iterations == 0 || !repeated.nest.start(scope) {
        return 0;
    }
    let first = if repeated.first.is_empty() { 0 } else { calls(&repeated.first, scope) };
    (iterations - u64::from(!repeated.first.is_empty())) * calls(&repeated.body, scope) + first
}
