//! Copies, fills and reductions from other moduli.

use std::sync::atomic::{Ordering, compiler_fence};

use super::super::vector::{Kernel, Unit};
use super::{Factor, Modulus, Residues, map1};

/// x ← a modulo p, then minus `subtract` modulo p; a may be any word below 2⁶².
pub(in crate::ring) struct Reduction<'a> {
    pub modulus: &'a Modulus,
    pub subtract: u64,
    pub from: &'a [u64],
    pub to: &'a mut [u64],
}

impl Kernel for Reduction<'_> {
    #[inline(always)]
    fn run<U: Unit>(self, unit: U) {
        let one = Factor { value: 1, quotient: self.modulus.word };
        let r = Residues::new(unit, self.modulus, one);
        let subtract = unit.splat(self.subtract);
        map1::<U>(
            self.from,
            self.to,
            #[inline(always)]
            |a| r.sub(r.remainder(a), subtract),
        );
    }
}

/// x ← a, or 0 without a, one line at a time; of a last one that is not full, one word at a time.
///
/// The fences keep the compiler from calling `memcpy` or `memset`, whose overlapping heads and tails touch some bytes
/// twice: a copy touches every byte once, as declared.
pub(in crate::ring) struct Move<'a> {
    pub from: Option<&'a [u64]>,
    pub to: &'a mut [u64],
}

impl Kernel for Move<'_> {
    #[inline(always)]
    fn run<U: Unit>(self, _: U) {
        let (lines, tail) = self.to.as_chunks_mut::<8>();
        let Some(from) = self.from else {
            for line in lines {
                *line = [0; 8];
                compiler_fence(Ordering::SeqCst);
            }
            for word in tail {
                *word = 0;
                compiler_fence(Ordering::SeqCst);
            }
            return;
        };
        let (sources, source_tail) = from.as_chunks::<8>();
        for (line, source) in lines.iter_mut().zip(sources) {
            *line = *source;
            compiler_fence(Ordering::SeqCst);
        }
        for (word, source) in tail.iter_mut().zip(source_tail) {
            *word = *source;
            compiler_fence(Ordering::SeqCst);
        }
    }
}
