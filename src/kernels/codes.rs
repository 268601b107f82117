//! Products of one query with rows of int8 codes, and of two such rows: what the index searches with.
//!
//! A code is a signed 8-bit number stored as that number + 128, because the instructions for it multiply unsigned bytes
//! by signed ones. Rows of codes are padded with 128, which stands for zero, to a whole number of [`CODE_LANES`].

#[cfg(target_arch = "x86_64")]
use pulp::x86::V3;

#[cfg(target_arch = "x86_64")]
use super::avx512::Vnni;

/// Codes that one instruction multiplies; rows are padded to a multiple of it.
pub(crate) const CODE_LANES: usize = 64;

/// What a code of zero is stored as.
pub(crate) const CODE_ZERO: u8 = 128;

/// Rows scored together, so that the query is loaded once for all of them.
#[cfg(target_arch = "x86_64")]
const TOGETHER: usize = 4;

/// A query as 15-bit whole numbers, so that nothing worth telling is lost on its side of the product.
#[derive(Debug, Clone, Default)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "signed bytes are for the kernels of x86-64")
)]
pub(crate) struct CodeQuery {
    values: Vec<i16>,
    /// `values = 128 * high + low`, in signed bytes.
    high: Vec<[i8; CODE_LANES]>,
    low: Vec<[i8; CODE_LANES]>,
    /// What the stored form of the codes adds to every product.
    bias: i32,
}

impl CodeQuery {
    /// The largest value for rows of this many codes: products of full rows then fit 32 bits.
    pub(crate) fn max_value(dim: usize) -> i16 {
        (i32::MAX / 128 / dim.next_multiple_of(CODE_LANES) as i32).min(127 * 128) as i16
    }

    /// From values up to [`CodeQuery::max_value`], one for each code of a row.
    pub(crate) fn new(mut values: Vec<i16>) -> CodeQuery {
        values.resize(values.len().next_multiple_of(CODE_LANES), 0);
        let high_of = |value: i16| ((value + 64) >> 7) as i8;
        let low_of = |value: i16| (value - (i16::from(high_of(value)) << 7)) as i8;
        let chunks = values.as_chunks::<CODE_LANES>().0;
        CodeQuery {
            high: chunks.iter().map(|chunk| chunk.map(high_of)).collect(),
            low: chunks.iter().map(|chunk| chunk.map(low_of)).collect(),
            bias: values
                .iter()
                .map(|&value| i32::from(CODE_ZERO) * i32::from(value))
                .fold(0, i32::wrapping_add),
            values,
        }
    }

    /// Codes in a row, padding included.
    pub(crate) fn stride(&self) -> usize {
        self.values.len()
    }
}

/// The product of the query with each of `rows` of `codes`, in their order, written over `products`.
pub(crate) fn dot_rows(
    query: &CodeQuery,
    codes: &[u8],
    rows: impl ExactSizeIterator<Item = u32>,
    products: &mut Vec<i32>,
) {
    products.clear();
    products.reserve(rows.len());
    #[cfg(target_arch = "x86_64")]
    {
        if Vnni::is_available() {
            #[expect(unsafe_code, reason = "a function for processors with AVX-512 VNNI")]
            // SAFETY: the processor has been asked.
            return unsafe { x86::dot_rows_vnni(query, codes, rows, products) };
        }
        if V3::is_available() {
            #[expect(unsafe_code, reason = "a function for processors with AVX2")]
            // SAFETY: the processor has been asked.
            return unsafe { x86::dot_rows_avx2(query, codes, rows, products) };
        }
    }
    products.extend(rows.map(|row| plain::dot_row(query, row_of(codes, row, query.stride()))));
}

/// Asks for a row of `stride` codes that is wanted soon.
pub(crate) fn prefetch_row(codes: &[u8], row: u32, stride: usize) {
    #[cfg(target_arch = "x86_64")]
    x86::prefetch(row_of(codes, row, stride));
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (codes, row, stride);
}

/// The product of two rows of codes.
pub(crate) fn dot_codes(a: &[u8], b: &[u8]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    {
        if Vnni::is_available() {
            #[expect(unsafe_code, reason = "a function for processors with AVX-512 VNNI")]
            // SAFETY: the processor has been asked.
            return unsafe { x86::dot_codes_vnni(a, b) };
        }
        if V3::is_available() {
            #[expect(unsafe_code, reason = "a function for processors with AVX2")]
            // SAFETY: the processor has been asked.
            return unsafe { x86::dot_codes_avx2(a, b) };
        }
    }
    plain::dot_codes(a, b)
}

fn row_of(codes: &[u8], row: u32, stride: usize) -> &[u8] {
    &codes[row as usize * stride..][..stride]
}

/// What every kernel must equal.
mod plain {
    use super::{CODE_ZERO, CodeQuery};

    /// Widened.
    const ZERO: i32 = CODE_ZERO as i32;

    pub(super) fn dot_row(query: &CodeQuery, row: &[u8]) -> i32 {
        let products = query
            .values
            .iter()
            .zip(row)
            .map(|(&q, &c)| i32::from(q) * (i32::from(c) - ZERO));
        products.sum()
    }

    pub(super) fn dot_codes(a: &[u8], b: &[u8]) -> i32 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| (i32::from(a) - ZERO) * (i32::from(b) - ZERO))
            .sum()
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    #[allow(
        clippy::wildcard_imports,
        reason = "more names than this module has of its own"
    )]
    use std::arch::x86_64::*;

    use super::{CODE_LANES, CODE_ZERO, CodeQuery, TOGETHER, row_of};

    /// Bytes that are loaded ahead of their use.
    const CACHE_LINE: usize = 64;

    #[target_feature(enable = "avx512f")]
    fn load_512<T: Copy>(bytes: &[T; 64]) -> __m512i {
        const { assert!(size_of::<T>() == 1) };
        #[expect(unsafe_code, reason = "a load")]
        // SAFETY: 64 bytes, and the load asks for no alignment.
        unsafe {
            _mm512_loadu_si512(bytes.as_ptr().cast())
        }
    }

    #[target_feature(enable = "avx2")]
    fn load_i16x16(values: &[i16; 16]) -> __m256i {
        #[expect(unsafe_code, reason = "a load")]
        // SAFETY: sixteen values of two bytes are 32 bytes, and the load asks for no alignment.
        unsafe {
            _mm256_loadu_si256(values.as_ptr().cast())
        }
    }

    /// Sixteen codes, widened and with their offset taken off.
    #[target_feature(enable = "avx2")]
    fn load_codes(codes: &[u8; 16]) -> __m256i {
        #[expect(unsafe_code, reason = "a load")]
        // SAFETY: sixteen bytes, and the load asks for no alignment.
        let bytes = unsafe { _mm_loadu_si128(codes.as_ptr().cast()) };
        _mm256_sub_epi16(
            _mm256_cvtepu8_epi16(bytes),
            _mm256_set1_epi16(i16::from(CODE_ZERO)),
        )
    }

    pub(super) fn prefetch(row: &[u8]) {
        for line in row.chunks(CACHE_LINE) {
            #[expect(unsafe_code, reason = "the instruction takes a pointer")]
            // SAFETY: a hint, which reads nothing that the program sees.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
            }
        }
    }

    #[target_feature(enable = "avx2")]
    fn sum_epi32(sums: __m256i) -> i32 {
        let half = _mm_add_epi32(
            _mm256_castsi256_si128(sums),
            _mm256_extracti128_si256::<1>(sums),
        );
        let pair = _mm_add_epi32(half, _mm_shuffle_epi32::<0b01_00_11_10>(half));
        _mm_cvtsi128_si32(_mm_add_epi32(
            pair,
            _mm_shuffle_epi32::<0b00_00_00_01>(pair),
        ))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn some_rows_vnni<const ROWS: usize>(query: &CodeQuery, rows: [&[u8]; ROWS]) -> [i32; ROWS] {
        let rows = rows.map(|row| row.as_chunks::<CODE_LANES>().0);
        let mut high_sums = [_mm512_setzero_si512(); ROWS];
        let mut low_sums = [_mm512_setzero_si512(); ROWS];
        for (chunk, (high, low)) in query.high.iter().zip(&query.low).enumerate() {
            let high = load_512(high);
            let low = load_512(low);
            for row in 0..ROWS {
                let codes = load_512(&rows[row][chunk]);
                high_sums[row] = _mm512_dpbusd_epi32(high_sums[row], codes, high);
                low_sums[row] = _mm512_dpbusd_epi32(low_sums[row], codes, low);
            }
        }
        std::array::from_fn(|row| {
            let sums = _mm512_add_epi32(_mm512_slli_epi32::<7>(high_sums[row]), low_sums[row]);
            _mm512_reduce_add_epi32(sums).wrapping_sub(query.bias)
        })
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn dot_rows_vnni(
        query: &CodeQuery,
        codes: &[u8],
        mut rows: impl ExactSizeIterator<Item = u32>,
        products: &mut Vec<i32>,
    ) {
        let row = |row| row_of(codes, row, query.stride());
        while rows.len() >= TOGETHER {
            let group: [&[u8]; TOGETHER] =
                std::array::from_fn(|_| row(rows.next().unwrap_or_default()));
            products.extend(some_rows_vnni(query, group));
        }
        for last in rows {
            products.extend(some_rows_vnni(query, [row(last)]));
        }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn dot_rows_avx2(
        query: &CodeQuery,
        codes: &[u8],
        rows: impl ExactSizeIterator<Item = u32>,
        products: &mut Vec<i32>,
    ) {
        let values = query.values.as_chunks::<16>().0;
        for row in rows {
            let mut sums = _mm256_setzero_si256();
            for (codes, values) in row_of(codes, row, query.stride())
                .as_chunks::<16>()
                .0
                .iter()
                .zip(values)
            {
                sums = _mm256_add_epi32(
                    sums,
                    _mm256_madd_epi16(load_codes(codes), load_i16x16(values)),
                );
            }
            products.push(sum_epi32(sums));
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn dot_codes_vnni(a: &[u8], b: &[u8]) -> i32 {
        let offset = _mm512_set1_epi8(CODE_ZERO as i8);
        let mut sums = _mm512_setzero_si512();
        let mut offsets = _mm512_setzero_si512();
        for (a, b) in a
            .as_chunks::<CODE_LANES>()
            .0
            .iter()
            .zip(b.as_chunks::<CODE_LANES>().0)
        {
            // Flipping the highest bit takes 128 off.
            let b = _mm512_xor_si512(load_512(b), offset);
            sums = _mm512_dpbusd_epi32(sums, load_512(a), b);
            offsets = _mm512_dpbusd_epi32(offsets, offset, b);
        }
        _mm512_reduce_add_epi32(_mm512_sub_epi32(sums, offsets))
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn dot_codes_avx2(a: &[u8], b: &[u8]) -> i32 {
        let mut sums = _mm256_setzero_si256();
        for (a, b) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0) {
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(load_codes(a), load_codes(b)));
        }
        sum_epi32(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers from `low` up to `high`, both included, the same for a seed every time.
    fn numbers(count: usize, seed: u64, low: i32, high: i32) -> impl Iterator<Item = i32> {
        let mut state = seed;
        let next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            low + ((state >> 33) % (high - low + 1) as u64) as i32
        };
        std::iter::repeat_with(next).take(count)
    }

    fn codes(count: usize, seed: u64) -> Vec<u8> {
        numbers(count, seed, 1, 255)
            .map(|code| code as u8)
            .collect()
    }

    /// The kernels of this processor, in turn.
    fn each_dot_rows(query: &CodeQuery, codes: &[u8], rows: &[u32]) -> Vec<Vec<i32>> {
        let mut answers = vec![Vec::new()];
        dot_rows(query, codes, rows.iter().copied(), &mut answers[0]);
        #[cfg(target_arch = "x86_64")]
        if V3::is_available() {
            let mut answer = Vec::new();
            #[expect(unsafe_code, reason = "a function for processors with AVX2")]
            // SAFETY: the processor has been asked.
            unsafe {
                x86::dot_rows_avx2(query, codes, rows.iter().copied(), &mut answer);
            }
            answers.push(answer);
        }
        answers
    }

    #[test]
    fn products_of_rows_equal_their_plain_twin() {
        for (dim, count) in [
            (1, 1),
            (63, 3),
            (64, 4),
            (65, 5),
            (100, 7),
            (512, 9),
            (768, 2),
            (1000, 11),
        ] {
            let stride = usize::next_multiple_of(dim, CODE_LANES);
            let most = i32::from(CodeQuery::max_value(dim));
            let query = CodeQuery::new(
                numbers(dim, 1, -most, most)
                    .map(|value| value as i16)
                    .collect(),
            );
            let codes = codes(count * stride, 2);
            let rows: Vec<u32> = (0..count as u32).rev().collect();
            let plain = |row: &u32| plain::dot_row(&query, row_of(&codes, *row, stride));
            let truth: Vec<i32> = rows.iter().map(plain).collect();
            for answer in each_dot_rows(&query, &codes, &rows) {
                assert_eq!(answer, truth, "{dim} x {count}");
            }
        }
    }

    #[test]
    fn the_largest_values_do_not_overflow() {
        for dim in [64, 512, 2048] {
            let most = CodeQuery::max_value(dim);
            for (value, code) in [(most, 255), (-most, 255), (most, 1), (-most, 1)] {
                let query = CodeQuery::new(vec![value; dim]);
                let truth = i64::from(value) * (i64::from(code) - 128) * dim as i64;
                for answer in each_dot_rows(&query, &vec![code as u8; dim], &[0]) {
                    assert_eq!(i64::from(answer[0]), truth, "{dim} {value} {code}");
                }
            }
        }
    }

    #[test]
    fn products_of_codes_equal_their_plain_twin() {
        for dim in [64, 128, 512, 960] {
            let (a, b) = (codes(dim, 3), codes(dim, 4));
            let truth = plain::dot_codes(&a, &b);
            assert_eq!(dot_codes(&a, &b), truth);
            #[cfg(target_arch = "x86_64")]
            if V3::is_available() {
                #[expect(unsafe_code, reason = "a function for processors with AVX2")]
                // SAFETY: the processor has been asked.
                let answer = unsafe { x86::dot_codes_avx2(&a, &b) };
                assert_eq!(answer, truth);
            }
        }
    }
}
