//! Vector units chosen at run time, behind one set of word operations.
//!
//! Kernels are written once over [`Unit`]. The unit is the widest that the processor reports (CPUID), never one fixed
//! at compile time; which bytes a kernel touches does not depend on it.

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
    /// The smaller, unsigned.
    fn min(self, a: Self::Word, b: Self::Word) -> Self::Word;
    /// ⌊a·b / R⌋.
    fn high(self, a: Self::Word, b: Self::Word) -> Self::Word;
    /// a·b modulo R.
    fn low(self, a: Self::Word, b: Self::Word) -> Self::Word;
    /// c − a·b modulo R, for c below R.
    fn low_difference(self, c: Self::Word, a: Self::Word, b: Self::Word) -> Self::Word;
    /// Sum of two double words (high, low) in radix R.
    fn wide_add(self, a: (Self::Word, Self::Word), b: (Self::Word, Self::Word)) -> (Self::Word, Self::Word);
    /// A double word (high, low) shifted right by `shift` in `1..RADIX`; the result must fit R.
    fn shift_right(self, wide: (Self::Word, Self::Word), shift: u32) -> Self::Word;
}

/// One element at a time; compilers widen the additive kernels.
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
    fn min(self, a: u64, b: u64) -> u64 {
        a.min(b)
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
        Widest::Avx2(v3) => v3.vectorize(Bound { unit: Scalar, kernel }),
        Widest::Scalar => kernel.run(Scalar),
    }
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use pulp::bytemuck::{cast_slice, cast_slice_mut};
    use pulp::x86::V4;
    use pulp::{cast, u64x8};

    use super::Unit;

    pulp::simd_type! {
        /// AVX-512 with the 52-bit multiplier.
        pub(super) struct V4Ifma {
            pub avx512f: "avx512f",
            pub avx512bw: "avx512bw",
            pub avx512cd: "avx512cd",
            pub avx512dq: "avx512dq",
            pub avx512vl: "avx512vl",
            pub avx512ifma: "avx512ifma",
        }
    }

    /// AVX-512 with products put together from 32-bit halves.
    #[derive(Clone, Copy)]
    pub(super) struct Avx512(pub V4);

    /// AVX-512 with the 52-bit multiplier, for residues below 2⁵⁰.
    #[derive(Clone, Copy)]
    pub(super) struct Ifma(pub V4Ifma);

    const IFMA_MASK: u64 = (1 << 52) - 1;

    impl Unit for Avx512 {
        const RADIX: u32 = 64;
        type Word = u64x8;

        #[inline(always)]
        fn words(slice: &[u64]) -> &[u64x8] {
            cast_slice(slice)
        }
        #[inline(always)]
        fn words_mut(slice: &mut [u64]) -> &mut [u64x8] {
            cast_slice_mut(slice)
        }
        #[inline(always)]
        fn splat(self, value: u64) -> u64x8 {
            cast(self.0.avx512f._mm512_set1_epi64(value as i64))
        }
        #[inline(always)]
        fn add(self, a: u64x8, b: u64x8) -> u64x8 {
            cast(self.0.avx512f._mm512_add_epi64(cast(a), cast(b)))
        }
        #[inline(always)]
        fn sub(self, a: u64x8, b: u64x8) -> u64x8 {
            cast(self.0.avx512f._mm512_sub_epi64(cast(a), cast(b)))
        }
        #[inline(always)]
        fn min(self, a: u64x8, b: u64x8) -> u64x8 {
            cast(self.0.avx512f._mm512_min_epu64(cast(a), cast(b)))
        }
        #[inline(always)]
        fn high(self, a: u64x8, b: u64x8) -> u64x8 {
            let f = self.0.avx512f;
            let (x, y) = (cast(a), cast(b));
            let (x_high, y_high) = (f._mm512_srli_epi64::<32>(x), f._mm512_srli_epi64::<32>(y));
            let low_low = f._mm512_mul_epu32(x, y);
            let low_high = f._mm512_mul_epu32(x, y_high);
            let high_low = f._mm512_mul_epu32(x_high, y);
            let high_high = f._mm512_mul_epu32(x_high, y_high);
            let middle = f._mm512_add_epi64(low_high, f._mm512_srli_epi64::<32>(low_low));
            let mask = f._mm512_set1_epi64(0xFFFF_FFFF);
            let carry = f._mm512_add_epi64(high_low, f._mm512_and_si512(middle, mask));
            let top = f._mm512_add_epi64(high_high, f._mm512_srli_epi64::<32>(middle));
            cast(f._mm512_add_epi64(top, f._mm512_srli_epi64::<32>(carry)))
        }
        #[inline(always)]
        fn low(self, a: u64x8, b: u64x8) -> u64x8 {
            cast(self.0.avx512dq._mm512_mullo_epi64(cast(a), cast(b)))
        }
        #[inline(always)]
        fn low_difference(self, c: u64x8, a: u64x8, b: u64x8) -> u64x8 {
            self.sub(c, self.low(a, b))
        }
        #[inline(always)]
        fn wide_add(self, a: (u64x8, u64x8), b: (u64x8, u64x8)) -> (u64x8, u64x8) {
            let f = self.0.avx512f;
            let low = self.add(a.1, b.1);
            let carry = f._mm512_cmplt_epu64_mask(cast(low), cast(b.1));
            let high = cast(self.add(a.0, b.0));
            (cast(f._mm512_mask_sub_epi64(high, carry, high, f._mm512_set1_epi64(-1))), low)
        }
        #[inline(always)]
        fn shift_right(self, wide: (u64x8, u64x8), shift: u32) -> u64x8 {
            let f = self.0.avx512f;
            let left = f._mm512_sllv_epi64(cast(wide.0), f._mm512_set1_epi64(i64::from(64 - shift)));
            let right = f._mm512_srlv_epi64(cast(wide.1), f._mm512_set1_epi64(i64::from(shift)));
            cast(f._mm512_or_si512(left, right))
        }
    }

    impl Unit for Ifma {
        const RADIX: u32 = 52;
        type Word = u64x8;

        #[inline(always)]
        fn words(slice: &[u64]) -> &[u64x8] {
            cast_slice(slice)
        }
        #[inline(always)]
        fn words_mut(slice: &mut [u64]) -> &mut [u64x8] {
            cast_slice_mut(slice)
        }
        #[inline(always)]
        fn splat(self, value: u64) -> u64x8 {
            cast(self.0.avx512f._mm512_set1_epi64(value as i64))
        }
        #[inline(always)]
        fn add(self, a: u64x8, b: u64x8) -> u64x8 {
            cast(self.0.avx512f._mm512_add_epi64(cast(a), cast(b)))
        }
        #[inline(always)]
        fn sub(self, a: u64x8, b: u64x8) -> u64x8 {
            cast(self.0.avx512f._mm512_sub_epi64(cast(a), cast(b)))
        }
        #[inline(always)]
        fn min(self, a: u64x8, b: u64x8) -> u64x8 {
            cast(self.0.avx512f._mm512_min_epu64(cast(a), cast(b)))
        }
        #[inline(always)]
        fn high(self, a: u64x8, b: u64x8) -> u64x8 {
            let zero = self.0.avx512f._mm512_setzero_si512();
            cast(self.0.avx512ifma._mm512_madd52hi_epu64(zero, cast(a), cast(b)))
        }
        #[inline(always)]
        fn low(self, a: u64x8, b: u64x8) -> u64x8 {
            let zero = self.0.avx512f._mm512_setzero_si512();
            cast(self.0.avx512ifma._mm512_madd52lo_epu64(zero, cast(a), cast(b)))
        }
        #[inline(always)]
        fn low_difference(self, c: u64x8, a: u64x8, b: u64x8) -> u64x8 {
            let difference = self.sub(c, self.low(a, b));
            let mask = self.splat(IFMA_MASK);
            cast(self.0.avx512f._mm512_and_si512(cast(difference), cast(mask)))
        }
        #[inline(always)]
        fn wide_add(self, a: (u64x8, u64x8), b: (u64x8, u64x8)) -> (u64x8, u64x8) {
            let f = self.0.avx512f;
            let low = cast(self.add(a.1, b.1));
            let carry = cast(f._mm512_srli_epi64::<52>(low));
            let mask = f._mm512_set1_epi64(IFMA_MASK as i64);
            (self.add(self.add(a.0, b.0), carry), cast(f._mm512_and_si512(low, mask)))
        }
        #[inline(always)]
        fn shift_right(self, wide: (u64x8, u64x8), shift: u32) -> u64x8 {
            let f = self.0.avx512f;
            let left = f._mm512_sllv_epi64(cast(wide.0), f._mm512_set1_epi64(i64::from(52 - shift)));
            let right = f._mm512_srlv_epi64(cast(wide.1), f._mm512_set1_epi64(i64::from(shift)));
            cast(f._mm512_or_si512(left, right))
        }
    }
}
