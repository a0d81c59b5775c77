//! The vector units of x86-64.

use pulp::bytemuck::{cast_slice, cast_slice_mut};
use pulp::x86::{V3, V4};
use pulp::{cast, u64x4, u64x8};

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
/// Swaps the halves of each 64-bit element.
const SWAP: i32 = 0b1011_0001;

/// AVX2 with products put together from 32-bit halves. Explicit, because LLVM's own widening of scalar loops loads
/// some operands twice.
#[derive(Clone, Copy)]
pub(super) struct Avx2(pub V3);

impl Avx2 {
    /// `if_negative` where x is negative, else `otherwise`.
    #[inline(always)]
    fn choose(self, x: u64x4, if_negative: u64x4, otherwise: u64x4) -> u64x4 {
        cast(self.0.avx._mm256_blendv_pd(cast(otherwise), cast(if_negative), cast(x)))
    }
}

impl Unit for Avx2 {
    const RADIX: u32 = 64;
    type Word = u64x4;

    #[inline(always)]
    fn words(slice: &[u64]) -> &[u64x4] {
        cast_slice(slice)
    }
    #[inline(always)]
    fn words_mut(slice: &mut [u64]) -> &mut [u64x4] {
        cast_slice_mut(slice)
    }
    #[inline(always)]
    fn splat(self, value: u64) -> u64x4 {
        cast(self.0.avx._mm256_set1_epi64x(value as i64))
    }
    #[inline(always)]
    fn add(self, a: u64x4, b: u64x4) -> u64x4 {
        cast(self.0.avx2._mm256_add_epi64(cast(a), cast(b)))
    }
    #[inline(always)]
    fn sub(self, a: u64x4, b: u64x4) -> u64x4 {
        cast(self.0.avx2._mm256_sub_epi64(cast(a), cast(b)))
    }
    #[inline(always)]
    fn subtract_once(self, x: u64x4, p: u64x4) -> u64x4 {
        let difference = self.sub(x, p);
        self.choose(difference, x, difference)
    }
    #[inline(always)]
    fn add_once(self, x: u64x4, p: u64x4) -> u64x4 {
        self.choose(x, self.add(x, p), x)
    }
    #[inline(always)]
    fn high(self, a: u64x4, b: u64x4) -> u64x4 {
        let v = self.0.avx2;
        let (x, y) = (cast(a), cast(b));
        let (x_high, y_high) = (v._mm256_shuffle_epi32::<SWAP>(x), v._mm256_shuffle_epi32::<SWAP>(y));
        let low_low = v._mm256_mul_epu32(x, y);
        let low_high = v._mm256_mul_epu32(x, y_high);
        let high_low = v._mm256_mul_epu32(x_high, y);
        let high_high = v._mm256_mul_epu32(x_high, y_high);
        let middle = v._mm256_add_epi64(low_high, v._mm256_srli_epi64::<32>(low_low));
        let mask = self.0.avx._mm256_set1_epi64x(0xFFFF_FFFF);
        let carry = v._mm256_add_epi64(high_low, v._mm256_and_si256(middle, mask));
        let top = v._mm256_add_epi64(high_high, v._mm256_srli_epi64::<32>(middle));
        cast(v._mm256_add_epi64(top, v._mm256_srli_epi64::<32>(carry)))
    }
    #[inline(always)]
    fn low(self, a: u64x4, b: u64x4) -> u64x4 {
        let v = self.0.avx2;
        let (x, y) = (cast(a), cast(b));
        let (x_high, y_high) = (v._mm256_shuffle_epi32::<SWAP>(x), v._mm256_shuffle_epi32::<SWAP>(y));
        let cross = v._mm256_add_epi64(v._mm256_mul_epu32(x, y_high), v._mm256_mul_epu32(x_high, y));
        cast(v._mm256_add_epi64(v._mm256_mul_epu32(x, y), v._mm256_slli_epi64::<32>(cross)))
    }
    #[inline(always)]
    fn low_difference(self, c: u64x4, a: u64x4, b: u64x4) -> u64x4 {
        self.sub(c, self.low(a, b))
    }
    #[inline(always)]
    fn wide_add(self, a: (u64x4, u64x4), b: (u64x4, u64x4)) -> (u64x4, u64x4) {
        let low = self.add(a.1, b.1);
        // The carry out of a sum: the top bit of (x & y) | ((x | y) & !sum).
        let v = self.0.avx2;
        let both = v._mm256_and_si256(cast(a.1), cast(b.1));
        let either = v._mm256_or_si256(cast(a.1), cast(b.1));
        let carry = v._mm256_or_si256(both, v._mm256_andnot_si256(cast(low), either));
        (self.add(self.add(a.0, b.0), cast(v._mm256_srli_epi64::<63>(carry))), low)
    }
    #[inline(always)]
    fn shift_right(self, wide: (u64x4, u64x4), shift: u32) -> u64x4 {
        let (v, set) = (self.0.avx2, self.0.avx);
        let left = v._mm256_sllv_epi64(cast(wide.0), set._mm256_set1_epi64x(i64::from(64 - shift)));
        let right = v._mm256_srlv_epi64(cast(wide.1), set._mm256_set1_epi64x(i64::from(shift)));
        cast(v._mm256_or_si256(left, right))
    }
}

impl Unit for Avx512 {
    const RADIX: u32 = 64;
    const SLACK: u32 = 2;
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
    fn subtract_once(self, x: u64x8, p: u64x8) -> u64x8 {
        cast(self.0.avx512f._mm512_min_epu64(cast(x), cast(self.sub(x, p))))
    }
    #[inline(always)]
    fn add_once(self, x: u64x8, p: u64x8) -> u64x8 {
        cast(self.0.avx512f._mm512_min_epu64(cast(x), cast(self.add(x, p))))
    }
    #[inline(always)]
    fn high(self, a: u64x8, b: u64x8) -> u64x8 {
        let f = self.0.avx512f;
        let (x, y) = (cast(a), cast(b));
        // Shuffles, not shifts: LLVM turns the shifted form into eight scalar multiplications.
        let (x_high, y_high) = (f._mm512_shuffle_epi32::<SWAP>(x), f._mm512_shuffle_epi32::<SWAP>(y));
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
    /// Without the product of the low halves and the carries of the middle.
    #[inline(always)]
    fn quotient(self, a: u64x8, b: u64x8) -> u64x8 {
        let f = self.0.avx512f;
        let (x, y) = (cast(a), cast(b));
        let (x_high, y_high) = (f._mm512_shuffle_epi32::<SWAP>(x), f._mm512_shuffle_epi32::<SWAP>(y));
        let low_high = f._mm512_srli_epi64::<32>(f._mm512_mul_epu32(x, y_high));
        let high_low = f._mm512_srli_epi64::<32>(f._mm512_mul_epu32(x_high, y));
        let high_high = f._mm512_mul_epu32(x_high, y_high);
        cast(f._mm512_add_epi64(high_high, f._mm512_add_epi64(low_high, high_low)))
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
    fn subtract_once(self, x: u64x8, p: u64x8) -> u64x8 {
        cast(self.0.avx512f._mm512_min_epu64(cast(x), cast(self.sub(x, p))))
    }
    #[inline(always)]
    fn add_once(self, x: u64x8, p: u64x8) -> u64x8 {
        cast(self.0.avx512f._mm512_min_epu64(cast(x), cast(self.add(x, p))))
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
