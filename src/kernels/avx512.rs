//! Products in 16 and 8 bits on processors with AVX-512: two or four values in a word, multiplied by one instruction.

use std::arch::x86_64 as arch;

use pulp::x86::V4;
use pulp::{NullaryFnOnce, Simd, cast, f32x16, u32x16};

use super::format::NumberFormat;
use super::panels::Panels;
use super::product::{self, Dot, Numbers, Sink, Strided, Words};

/// Length that a row in 16-bit integers is scaled to: by Cauchy and Schwarz no product of two such rows overflows 32 bits,
/// whatever is in them.
const INT16_LENGTH: f32 = 32_767.0;

/// Largest value in 8-bit integers.
const INT8_LARGEST: f32 = 127.0;

pulp::simd_type! {
    /// Sums of products of integers.
    pub(super) struct Vnni {
        sse: "sse",
        avx2: "avx2",
        fma: "fma",
        bmi1: "bmi1",
        bmi2: "bmi2",
        lzcnt: "lzcnt",
        popcnt: "popcnt",
        avx512f: "avx512f",
        avx512bw: "avx512bw",
        avx512cd: "avx512cd",
        avx512dq: "avx512dq",
        avx512vl: "avx512vl",
        avx512vnni: "avx512vnni",
    }
}

/// Why the instructions must be there.
const MISSING: &str = "a format is refused where it is not available";

/// Whether this processor can multiply in 16 and 8 bits.
pub(super) fn is_available() -> bool {
    V4::is_available() && Vnni::is_available()
}

/// Multiplies in 16 bits; [`is_available`] must have said so.
pub(super) fn multiply_int16(a: Strided<'_>, weights: &Panels, sink: &mut impl Sink) {
    let vnni = Vnni::try_new().expect(MISSING);
    let v4 = V4::try_new().expect(MISSING);
    let dot = Int16 { v4, _has: vnni };
    vnni.vectorize(Multiply {
        dot,
        a,
        weights,
        sink,
    });
}

/// Multiplies in 8 bits; [`is_available`] must have said so.
pub(super) fn multiply_int8(a: Strided<'_>, weights: &Panels, sink: &mut impl Sink) {
    let vnni = Vnni::try_new().expect(MISSING);
    let v4 = V4::try_new().expect(MISSING);
    let dot = Int8 { v4, _has: vnni };
    vnni.vectorize(Multiply {
        dot,
        a,
        weights,
        sink,
    });
}

struct Multiply<'a, D, K> {
    dot: D,
    a: Strided<'a>,
    weights: &'a Panels,
    sink: &'a mut K,
}

impl<D: Dot, K: Sink> NullaryFnOnce for Multiply<'_, D, K> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        product::multiply(self.dot, self.a, self.weights, self.sink);
    }
}

/// A word is a pair of 16-bit integers, sums are 32-bit integers.
#[derive(Clone, Copy)]
struct Int16 {
    v4: V4,
    _has: Vnni,
}

/// A word is four 8-bit integers, unsigned in rows and signed in weights; sums are 32-bit integers.
#[derive(Clone, Copy)]
struct Int8 {
    v4: V4,
    _has: Vnni,
}

macro_rules! dot {
    // The instruction is written out where it is used: a closure that is not inlined would run without the feature.
    ($name:ident, |$row:ident, $weights:ident, $sums:ident| $instruction:block, $numbers:expr) => {
        impl Dot for $name {
            type Lanes = V4;

            #[inline(always)]
            fn lanes(self) -> V4 {
                self.v4
            }

            #[inline(always)]
            fn multiply_add(self, $row: u32x16, $weights: u32x16, $sums: u32x16) -> u32x16 {
                $instruction
            }

            #[inline(always)]
            fn numbers(self, sums: Words<Self>, offsets: Words<Self>) -> Numbers<Self> {
                $numbers(self.v4, sums, offsets)
            }
        }
    };
}

dot!(
    Int16,
    |row, weights, sums| {
        #[expect(unsafe_code, reason = "no safe function wraps this instruction")]
        // SAFETY: a value of this type exists only where the processor has the instruction.
        unsafe {
            cast(arch::_mm512_dpwssds_epi32(
                cast(sums),
                cast(row),
                cast(weights),
            ))
        }
    },
    integers_to_numbers
);
dot!(
    Int8,
    |row, weights, sums| {
        #[expect(unsafe_code, reason = "no safe function wraps this instruction")]
        // SAFETY: a value of this type exists only where the processor has the instruction.
        unsafe {
            cast(arch::_mm512_dpbusd_epi32(
                cast(sums),
                cast(row),
                cast(weights),
            ))
        }
    },
    integers_to_numbers
);

#[inline(always)]
fn integers_to_numbers(v4: V4, sums: u32x16, offsets: u32x16) -> f32x16 {
    let sums = v4.wrapping_sub_u32x16(sums, offsets);
    cast(v4.avx512f._mm512_cvtepi32_ps(cast(sums)))
}

/// Writes a row in the format and says what its integers are to be multiplied with; the last word is filled up with zeros.
pub(super) fn encode(format: NumberFormat, values: &[f32], words: &mut [u32]) -> f32 {
    let v4 = V4::try_new().expect(MISSING);
    v4.vectorize(Encode {
        v4,
        format,
        values,
        words,
    })
}

struct Encode<'a> {
    v4: V4,
    format: NumberFormat,
    values: &'a [f32],
    words: &'a mut [u32],
}

impl NullaryFnOnce for Encode<'_> {
    type Output = f32;

    #[inline(always)]
    fn call(self) -> f32 {
        let Encode {
            v4,
            format,
            values,
            words,
        } = self;
        let scale = match format {
            NumberFormat::F32 => 1.0,
            NumberFormat::Int16 => length(v4, values) / INT16_LENGTH,
            NumberFormat::Int8 => largest(v4, values) / INT8_LARGEST,
        };
        // A row of zeros stays one.
        let inverse = if scale > 0.0 { scale.recip() } else { 0.0 };
        match format {
            NumberFormat::F32 => words
                .iter_mut()
                .zip(values)
                .for_each(|(word, value)| *word = value.to_bits()),
            NumberFormat::Int16 => narrow(v4, values, words, |v4, values| {
                half_words(v4, integers(v4, values, inverse))
            }),
            NumberFormat::Int8 => narrow(v4, values, words, |v4, values| {
                quarter_words(v4, integers(v4, values, inverse))
            }),
        }
        scale
    }
}

#[inline(always)]
fn narrow<const WORDS: usize>(
    v4: V4,
    values: &[f32],
    words: &mut [u32],
    narrow: impl Fn(V4, f32x16) -> [u32; WORDS],
) {
    for (values, words) in values.chunks(16).zip(words.chunks_mut(WORDS)) {
        let narrowed = match <&[f32; 16]>::try_from(values) {
            Ok(values) => narrow(v4, cast(*values)),
            Err(_) => narrow(v4, v4.partial_load_f32s(values)),
        };
        match <&mut [u32; WORDS]>::try_from(&mut *words) {
            Ok(words) => *words = narrowed,
            Err(_) => words.copy_from_slice(&narrowed[..words.len()]),
        }
    }
}

/// Rounded to the nearest, ties to even.
#[inline(always)]
fn integers(v4: V4, values: f32x16, inverse: f32) -> u32x16 {
    let scaled = v4.mul_f32x16(values, v4.splat_f32x16(inverse));
    cast(v4.avx512f._mm512_cvtps_epi32(cast(scaled)))
}

#[inline(always)]
fn half_words(v4: V4, values: u32x16) -> [u32; 8] {
    cast(v4.avx512f._mm512_cvtepi32_epi16(cast(values)))
}

#[inline(always)]
fn quarter_words(v4: V4, values: u32x16) -> [u32; 4] {
    cast(v4.avx512f._mm512_cvtepi32_epi8(cast(values)))
}

#[inline(always)]
fn length(v4: V4, values: &[f32]) -> f32 {
    let (whole, rest) = V4::as_simd_f32s(values);
    let rest = v4.partial_load_f32s(rest);
    let mut sums = v4.mul_f32x16(rest, rest);
    for values in whole {
        sums = v4.mul_add_f32x16(*values, *values, sums);
    }
    v4.reduce_sum_f32s(sums).sqrt()
}

#[inline(always)]
fn largest(v4: V4, values: &[f32]) -> f32 {
    let (whole, rest) = V4::as_simd_f32s(values);
    let mut largest = v4.abs_f32x16(v4.partial_load_f32s(rest));
    for values in whole {
        largest = v4.max_f32x16(largest, v4.abs_f32x16(*values));
    }
    v4.reduce_max_f32s(largest)
}
