//! The dot product of two vectors in f32.

use pulp::{Arch, Simd, WithSimd};

/// Sums that are kept apart, so that none waits for the one before it.
const SUMS: usize = 4;

/// The dot product of two vectors of the same length.
#[inline]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    Arch::new().dispatch(Vectors { a, b })
}

struct Vectors<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl WithSimd for Vectors<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, lanes: S) -> f32 {
        let (a, a_rest) = S::as_simd_f32s(self.a);
        let (b, b_rest) = S::as_simd_f32s(self.b);
        let (a_groups, a_single) = a.as_chunks::<SUMS>();
        let (b_groups, b_single) = b.as_chunks::<SUMS>();
        let mut sums = [lanes.splat_f32s(0.0); SUMS];
        for (a, b) in a_groups.iter().zip(b_groups) {
            for at in 0..SUMS {
                sums[at] = lanes.mul_add_e_f32s(a[at], b[at], sums[at]);
            }
        }
        for (a, b) in a_single.iter().zip(b_single) {
            sums[0] = lanes.mul_add_e_f32s(*a, *b, sums[0]);
        }
        // What is missing to a whole register is zero.
        let a_rest = lanes.partial_load_f32s(a_rest);
        let b_rest = lanes.partial_load_f32s(b_rest);
        sums[1] = lanes.mul_add_e_f32s(a_rest, b_rest, sums[1]);
        let [s0, s1, s2, s3] = sums;
        let sum = lanes.add_f32s(lanes.add_f32s(s0, s1), lanes.add_f32s(s2, s3));
        lanes.reduce_sum_f32s(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::Values;

    #[test]
    fn products_equal_the_plain_sum() {
        let mut values = Values::default();
        for length in [0, 1, 7, 15, 16, 17, 33, 64, 65, 512, 513, 777] {
            let (a, b) = (values.take(length), values.take(length));
            let products = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b));
            let truth: f64 = products.sum();
            let plain = Vectors { a: &a, b: &b }.with_simd(pulp::Scalar128b);
            for answer in [dot(&a, &b), plain] {
                let error = (f64::from(answer) - truth).abs();
                assert!(error < 1e-4, "{length}: {answer} {truth}");
            }
        }
    }
}
