//! Vector units chosen at run time, behind one set of word operations.
//!
//! Kernels are written once over [`Unit`]. The unit is the widest that the processor reports (CPUID), never one fixed
//! at compile time; which bytes a kernel touches does not depend on it.

#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};

/// Operations on machine words of one vector unit. Words hold one or more 64-bit elements.
///
/// The multiplier has a radix R = 2^[`RADIX`](Self::RADIX). `high` and `low` are the halves of a product in that radix;
/// operands of a multiplication must be below R.
pub(super) trait Unit: Copy {
    /// log2 of the radix of the multiplier.
    const RADIX: u32;
    /// By how much a [`quotient`](Self::quotient) may be too small: 0 or 2.
    const SLACK: u32 = 0;
    /// One machine word.
    type Word: Copy;
    /// A slice as machine words; its length must be a multiple of 8 elements.
    fn words(slice: &[u64]) -> &[Self::Word];
    /// A mutable slice as machine words.
    fn words_mut(slice: &mut [u64]) -> &mut [Self::Word];
    /// The same element everywhere.
    fn splat(self, value: u64) -> Self::Word;
    /// a + b modulo 2⁶⁴.
    fn add(self, a: Self::Word, b: Self::Word) -> Self::Word;
    /// a − b modulo 2⁶⁴.
    fn sub(self, a: Self::Word, b: Self::Word) -> Self::Word;
    /// x − p if that is not negative, else x; x below 2⁶³.
    fn subtract_once(self, x: Self::Word, p: Self::Word) -> Self::Word;
    /// x + p if x is negative, else x; x between −2⁶² and 2⁶².
    fn add_once(self, x: Self::Word, p: Self::Word) -> Self::Word;
    /// ⌊a·b / R⌋.
    fn high(self, a: Self::Word, b: Self::Word) -> Self::Word;
    /// ⌊a·b / R⌋, or up to [`SLACK`](Self::SLACK) less where that is cheaper.
    #[inline(always)]
    fn quotient(self, a: Self::Word, b: Self::Word) -> Self::Word {
        self.high(a, b)
    }
    /// a·b modulo R.
    fn low(self, a: Self::Word, b: Self::Word) -> Self::Word;
    /// c − a·b modulo R, for c below R.
    fn low_difference(self, c: Self::Word, a: Self::Word, b: Self::Word) -> Self::Word;
    /// Sum of two double words (high, low) in radix R.
    fn wide_add(self, a: (Self::Word, Self::Word), b: (Self::Word, Self::Word)) -> (Self::Word, Self::Word);
    /// A double word (high, low) shifted right by `shift` in `1..RADIX`; the result must fit R.
    fn shift_right(self, wide: (Self::Word, Self::Word), shift: u32) -> Self::Word;
}

/// One element at a time.
#[derive(Clone, Copy)]
pub(super) struct Scalar;

impl Unit for Scalar {
    const RADIX: u32 = 64;
    type Word = u64;

    #[inline(always)]
    fn words(slice: &[u64]) -> &[u64] {
        slice
    }
    #[inline(always)]
    fn words_mut(slice: &mut [u64]) -> &mut [u64] {
        slice
    }
    #[inline(always)]
    fn splat(self, value: u64) -> u64 {
        value
    }
    #[inline(always)]
    fn add(self, a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }
    #[inline(always)]
    fn sub(self, a: u64, b: u64) -> u64 {
        a.wrapping_sub(b)
    }
    #[inline(always)]
    fn subtract_once(self, x: u64, p: u64) -> u64 {
        x.min(x.wrapping_sub(p))
    }
    #[inline(always)]
    fn add_once(self, x: u64, p: u64) -> u64 {
        x.min(x.wrapping_add(p))
    }
    #[inline(always)]
    fn high(self, a: u64, b: u64) -> u64 {
        ((u128::from(a) * u128::from(b)) >> 64) as u64
    }
    #[inline(always)]
    fn low(self, a: u64, b: u64) -> u64 {
        a.wrapping_mul(b)
    }
    #[inline(always)]
    fn low_difference(self, c: u64, a: u64, b: u64) -> u64 {
        c.wrapping_sub(a.wrapping_mul(b))
    }
    #[inline(always)]
    fn wide_add(self, a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
        let (low, carry) = a.1.overflowing_add(b.1);
        (a.0 + b.0 + u64::from(carry), low)
    }
    #[inline(always)]
    fn shift_right(self, wide: (u64, u64), shift: u32) -> u64 {
        (wide.0 << (64 - shift)) | (wide.1 >> shift)
    }
}

/// A kernel that any unit can run.
pub(super) trait Kernel {
    /// Runs it. Implementations are `#[inline(always)]`, so that they are compiled for the unit's instructions.
    fn run<U: Unit>(self, unit: U);
}

/// Runs a kernel on the widest unit; `is_narrow` says that all its residues are below 2⁵⁰.
pub(super) fn dispatch<K: Kernel>(kernel: K, is_narrow: bool) {
    match widest() {
        #[cfg(target_arch = "x86_64")]
        Widest::Ifma(_, ifma) if is_narrow => ifma.vectorize(Bound { unit: x86::Ifma(ifma), kernel }),
        #[cfg(target_arch = "x86_64")]
        Widest::Ifma(v4, _) | Widest::Avx512(v4) => v4.vectorize(Bound { unit: x86::Avx512(v4), kernel }),
        #[cfg(target_arch = "x86_64")]
        Widest::Avx2(v3) => v3.vectorize(Bound { unit: x86::Avx2(v3), kernel }),
        Widest::Scalar => kernel.run(Scalar),
    }
}

/// Runs a kernel on the unit of that name, if the processor has it; for tests.
#[cfg(test)]
pub(super) fn run_on<K: Kernel>(name: &str, kernel: K) -> bool {
    match (name, widest()) {
        ("scalar", _) => kernel.run(Scalar),
        #[cfg(target_arch = "x86_64")]
        ("avx2", _) => {
            let Some(v3) = V3::try_new() else { return false };
            v3.vectorize(Bound { unit: x86::Avx2(v3), kernel });
        }
        #[cfg(target_arch = "x86_64")]
        ("avx512", Widest::Ifma(v4, _) | Widest::Avx512(v4)) => {
            v4.vectorize(Bound { unit: x86::Avx512(v4), kernel });
        }
        #[cfg(target_arch = "x86_64")]
        ("avx512-ifma", Widest::Ifma(_, ifma)) => ifma.vectorize(Bound { unit: x86::Ifma(ifma), kernel }),
        _ => return false,
    }
    true
}

/// Name of the unit that kernels run on, for benchmarks and reports.
pub fn unit_name() -> &'static str {
    match widest() {
        #[cfg(target_arch = "x86_64")]
        Widest::Ifma(..) => "avx512-ifma",
        #[cfg(target_arch = "x86_64")]
        Widest::Avx512(_) => "avx512",
        #[cfg(target_arch = "x86_64")]
        Widest::Avx2(_) => "avx2",
        Widest::Scalar => "scalar",
    }
}

#[derive(Clone, Copy)]
enum Widest {
    #[cfg(target_arch = "x86_64")]
    Ifma(V4, x86::V4Ifma),
    #[cfg(target_arch = "x86_64")]
    Avx512(V4),
    #[cfg(target_arch = "x86_64")]
    Avx2(V3),
    Scalar,
}

fn widest() -> Widest {
    static WIDEST: OnceLock<Widest> = OnceLock::new();
    *WIDEST.get_or_init(detect)
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Widest {
    match (V4::try_new(), x86::V4Ifma::try_new(), V3::try_new()) {
        (Some(v4), Some(ifma), _) => Widest::Ifma(v4, ifma),
        (Some(v4), None, _) => Widest::Avx512(v4),
        (None, _, Some(v3)) => Widest::Avx2(v3),
        _ => Widest::Scalar,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Widest {
    Widest::Scalar
}

struct Bound<U, K> {
    unit: U,
    kernel: K,
}

impl<U: Unit, K: Kernel> pulp::NullaryFnOnce for Bound<U, K> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.kernel.run(self.unit);
    }
}
