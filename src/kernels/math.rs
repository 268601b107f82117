//! What stands between the products: exponential, activations, softmax, layer norm, by polynomials in vectors.

use pulp::{Arch, Simd, WithSimd};

/// The non-linearities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x · sigmoid(1.702 x)`.
    QuickGelu,
    /// `x · Φ(x)` by the error function.
    Gelu,
    /// `x · Φ(x)` by the hyperbolic tangent, as `SigLIP` has it.
    GeluTanh,
}

/// Adding it to a small number rounds to the nearest integer, which is then in the lowest bits: 1.5 · 2²³.
const ROUNDER: f32 = 12_582_912.0;

/// Beyond these 2ⁿ has no place in the exponent.
const SMALLEST_EXPONENT: f32 = -87.0;
const LARGEST_EXPONENT: f32 = 88.0;

/// `ln 2` in two parts, so that a multiple of it is subtracted without rounding.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// `1 / n!` from `n = 6` down to 0: within 2e-7 of the exponential around zero.
const EXPONENTIAL: [f32; 7] = [
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// `eˣ = 2ⁿ · eʳ` with `|r| ≤ ln 2 / 2`.
#[inline(always)]
fn exp<S: Simd>(lanes: S, x: S::f32s) -> S::f32s {
    let x = lanes.max_f32s(x, lanes.splat_f32s(SMALLEST_EXPONENT));
    let x = lanes.min_f32s(x, lanes.splat_f32s(LARGEST_EXPONENT));
    let rounder = lanes.splat_f32s(ROUNDER);
    let shifted = lanes.mul_add_e_f32s(x, lanes.splat_f32s(std::f32::consts::LOG2_E), rounder);
    let n = lanes.sub_f32s(shifted, rounder);
    let r = lanes.mul_add_e_f32s(n, lanes.splat_f32s(-LN_2_HIGH), x);
    let r = lanes.mul_add_e_f32s(n, lanes.splat_f32s(-LN_2_LOW), r);
    let exponent =
        lanes.wrapping_dyn_shl_u32s(lanes.transmute_u32s_f32s(shifted), lanes.splat_u32s(23));
    let bits = lanes.transmute_u32s_f32s(polynomial(lanes, r, EXPONENTIAL));
    lanes.transmute_f32s_u32s(lanes.add_u32s(bits, exponent))
}

/// The highest power's coefficient comes first.
#[inline(always)]
fn polynomial<S: Simd, const TERMS: usize>(lanes: S, x: S::f32s, terms: [f32; TERMS]) -> S::f32s {
    let mut sum = lanes.splat_f32s(terms[0]);
    for term in &terms[1..] {
        sum = lanes.mul_add_e_f32s(sum, x, lanes.splat_f32s(*term));
    }
    sum
}

/// `x / (1 + exp(-1.702 x))`.
#[inline(always)]
fn quick_gelu<S: Simd>(lanes: S, x: S::f32s) -> S::f32s {
    let exp = exp(lanes, lanes.mul_f32s(x, lanes.splat_f32s(-1.702)));
    lanes.div_f32s(x, lanes.add_f32s(lanes.splat_f32s(1.0), exp))
}

/// `t`'s factor and the terms of Abramowitz and Stegun's formula 7.1.26, within 1.5e-7 of the error function.
const ERF_FACTOR: f32 = 0.327_591_1;
const ERF: [f32; 6] = [
    1.061_405_4,
    -1.453_152,
    1.421_413_7,
    -0.284_496_74,
    0.254_829_6,
    0.0,
];

/// `x/2 · (1 + erf(x/√2))`, by `1 - erf(|z|) = polynomial(t) · exp(-z²)` with `t = 1 / (1 + p |z|)`.
#[inline(always)]
fn gelu<S: Simd>(lanes: S, x: S::f32s) -> S::f32s {
    let one = lanes.splat_f32s(1.0);
    let z = lanes.mul_f32s(
        lanes.abs_f32s(x),
        lanes.splat_f32s(std::f32::consts::FRAC_1_SQRT_2),
    );
    let t = lanes.div_f32s(
        one,
        lanes.mul_add_e_f32s(z, lanes.splat_f32s(ERF_FACTOR), one),
    );
    let exp = exp(lanes, lanes.neg_f32s(lanes.mul_f32s(z, z)));
    let beyond = lanes.mul_f32s(polynomial(lanes, t, ERF), exp);
    // The same for both signs of x: what is missing to 1 on the right is what is left over on the left.
    let half = lanes.mul_f32s(
        lanes.mul_f32s(lanes.abs_f32s(x), lanes.splat_f32s(0.5)),
        beyond,
    );
    lanes.sub_f32s(lanes.max_f32s(x, lanes.splat_f32s(0.0)), half)
}

/// `√(2/π)` and the factor of the cube in Hendrycks and Gimpel's approximation (2016, section 2), both doubled: half of one plus the
/// tangent of a number is the sigmoid of twice the number.
const TANH_FACTOR: f32 = 1.595_769;
const TANH_CUBE: f32 = TANH_FACTOR * 0.044_715;

/// `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))` as `x / (1 + exp(-2 …))`.
#[inline(always)]
fn gelu_tanh<S: Simd>(lanes: S, x: S::f32s) -> S::f32s {
    let square = lanes.mul_f32s(x, x);
    let factor = lanes.mul_add_e_f32s(
        square,
        lanes.splat_f32s(-TANH_CUBE),
        lanes.splat_f32s(-TANH_FACTOR),
    );
    let exp = exp(lanes, lanes.mul_f32s(x, factor));
    lanes.div_f32s(x, lanes.add_f32s(lanes.splat_f32s(1.0), exp))
}

/// Applies the activation.
#[inline(always)]
pub(super) fn activate<S: Simd>(lanes: S, activation: Activation, x: S::f32s) -> S::f32s {
    match activation {
        Activation::QuickGelu => quick_gelu(lanes, x),
        Activation::Gelu => gelu(lanes, x),
        Activation::GeluTanh => gelu_tanh(lanes, x),
    }
}

/// Replaces the first `valid(row)` values of each row by their softmax, and the others by zero. Rows have `length` values
/// and lie one after the other; at least one value of each is valid.
pub(crate) fn softmax(rows: &mut [f32], length: usize, valid: impl Fn(usize) -> usize) {
    Arch::new().dispatch(Softmax {
        rows,
        length,
        valid,
    });
}

struct Softmax<'a, F> {
    rows: &'a mut [f32],
    length: usize,
    valid: F,
}

impl<F: Fn(usize) -> usize> WithSimd for Softmax<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, lanes: S) {
        for (index, row) in self.rows.chunks_mut(self.length).enumerate() {
            let (row, masked) = row.split_at_mut((self.valid)(index));
            softmax_of(lanes, row);
            masked.fill(0.0);
        }
    }
}

#[inline(always)]
fn softmax_of<S: Simd>(lanes: S, row: &mut [f32]) {
    let largest = lanes.splat_f32s(largest(lanes, row));
    let (whole, rest) = S::as_mut_simd_f32s(row);
    let mut sums = lanes.splat_f32s(0.0);
    for x in whole {
        *x = exp(lanes, lanes.sub_f32s(*x, largest));
        sums = lanes.add_f32s(sums, *x);
    }
    let last = exp(
        lanes,
        lanes.sub_f32s(lanes.partial_load_f32s(rest), largest),
    );
    lanes.partial_store_f32s(rest, last);
    let sum = lanes.reduce_sum_f32s(sums) + rest.iter().sum::<f32>();
    scale(lanes, row, sum.recip());
}

#[inline(always)]
fn largest<S: Simd>(lanes: S, row: &[f32]) -> f32 {
    let (whole, rest) = S::as_simd_f32s(row);
    let mut largest = lanes.splat_f32s(f32::NEG_INFINITY);
    for x in whole {
        largest = lanes.max_f32s(largest, *x);
    }
    rest.iter()
        .copied()
        .fold(lanes.reduce_max_f32s(largest), f32::max)
}

#[inline(always)]
fn scale<S: Simd>(lanes: S, row: &mut [f32], factor: f32) {
    let (whole, rest) = S::as_mut_simd_f32s(row);
    for x in whole {
        *x = lanes.mul_f32s(*x, lanes.splat_f32s(factor));
    }
    for x in rest.iter_mut() {
        *x *= factor;
    }
}

/// A layer norm's parameters.
#[derive(Debug)]
pub(crate) struct LayerNorm {
    /// What the normalised values are multiplied with.
    pub weight: Vec<f32>,
    /// What is added then.
    pub bias: Vec<f32>,
    /// What is added to the variance.
    pub eps: f32,
}

impl LayerNorm {
    /// Writes a row with its mean taken away and divided by its deviation, then weighted.
    pub(crate) fn apply(&self, row: &[f32], out: &mut [f32]) {
        Arch::new().dispatch(Normalise {
            norm: self,
            row,
            out,
        });
    }
}

struct Normalise<'a> {
    norm: &'a LayerNorm,
    row: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, lanes: S) {
        let Normalise { norm, row, out } = self;
        let (mean, variance) = moments(lanes, row);
        let factor = (variance + norm.eps).sqrt().recip();
        // Plain loops without a sum: the compiler makes vectors of them.
        for (((x, weight), bias), out) in row.iter().zip(&norm.weight).zip(&norm.bias).zip(out) {
            *out = (x - mean) * factor * weight + bias;
        }
    }
}

#[inline(always)]
fn moments<S: Simd>(lanes: S, row: &[f32]) -> (f32, f32) {
    let (whole, rest) = S::as_simd_f32s(row);
    let mut sums = lanes.partial_load_f32s(rest);
    for x in whole {
        sums = lanes.add_f32s(sums, *x);
    }
    let mean = lanes.reduce_sum_f32s(sums) / row.len() as f32;
    let mut squares = lanes.splat_f32s(0.0);
    for x in whole {
        let difference = lanes.sub_f32s(*x, lanes.splat_f32s(mean));
        squares = lanes.mul_add_e_f32s(difference, difference, squares);
    }
    let rest: f32 = rest.iter().map(|x| (x - mean).powi(2)).sum();
    (
        mean,
        (lanes.reduce_sum_f32s(squares) + rest) / row.len() as f32,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::Values;

    struct Activate<'a>(Activation, &'a mut [f32]);

    impl WithSimd for Activate<'_> {
        type Output = ();

        fn with_simd<S: Simd>(self, lanes: S) {
            for x in S::as_mut_simd_f32s(self.1).0 {
                *x = activate(lanes, self.0, *x);
            }
        }
    }

    /// The error function by its power series, which converges everywhere.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    const ACTIVATIONS: [Activation; 3] = [
        Activation::QuickGelu,
        Activation::Gelu,
        Activation::GeluTanh,
    ];

    #[test]
    fn activations_are_the_ones_of_their_names() {
        let inputs: Vec<f32> = (-320..320).map(|step| step as f32 / 64.0).collect();
        let plain = |activation, x: f64| match activation {
            Activation::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
            Activation::Gelu => x / 2.0 * (1.0 + erf(x / 2.0_f64.sqrt())),
            Activation::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                x / 2.0 * (1.0 + inner.tanh())
            }
        };
        for activation in ACTIVATIONS {
            let mut ours = inputs.clone();
            Arch::new().dispatch(Activate(activation, &mut ours));
            for (ours, x) in ours.iter().zip(&inputs) {
                let plain = plain(activation, f64::from(*x));
                assert!(
                    (f64::from(*ours) - plain).abs() < 1e-6,
                    "{activation:?}({x}) is {plain}, not {ours}"
                );
            }
        }
    }

    #[test]
    fn activations_of_huge_values_stay_finite() {
        for activation in ACTIVATIONS {
            let mut values = [[-1e30, 1e30]; 32].concat();
            Arch::new().dispatch(Activate(activation, &mut values));
            assert!(
                values[0].abs() < 1e-5 && (values[1] / 1e30 - 1.0).abs() < 1e-6,
                "{:?}",
                &values[..2]
            );
        }
    }

    #[test]
    fn softmax_equals_the_plain_one_and_masks() {
        for length in [1, 7, 16, 50, 77] {
            let rows: Vec<f32> = Values::default()
                .take(3 * length)
                .iter()
                .map(|x| x * 20.0)
                .collect();
            let valid = |row: usize| length - row.min(length - 1);
            let mut ours = rows.clone();
            softmax(&mut ours, length, valid);
            for (index, (ours, row)) in ours.chunks(length).zip(rows.chunks(length)).enumerate() {
                let row = &row[..valid(index)];
                let sum: f64 = row.iter().map(|x| f64::from(*x).exp()).sum();
                for (ours, x) in ours.iter().zip(row) {
                    assert!((f64::from(*ours) - f64::from(*x).exp() / sum).abs() < 1e-6);
                }
                assert!(ours[row.len()..].iter().all(|x| *x == 0.0));
            }
        }
    }

    #[test]
    fn layer_norm_equals_the_plain_one() {
        for length in [1, 5, 16, 100, 768] {
            let mut values = Values::default();
            let norm = LayerNorm {
                weight: values.take(length),
                bias: values.take(length),
                eps: 1e-5,
            };
            let row: Vec<f32> = values.take(length).iter().map(|x| x * 3.0 + 10.0).collect();
            let mut ours = vec![0.0; length];
            norm.apply(&row, &mut ours);
            let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / length as f64;
            let variance = row
                .iter()
                .map(|x| (f64::from(*x) - mean).powi(2))
                .sum::<f64>()
                / length as f64;
            for at in 0..length {
                let x = (f64::from(row[at]) - mean) / (variance + 1e-5).sqrt();
                let plain = x * f64::from(norm.weight[at]) + f64::from(norm.bias[at]);
                assert!(
                    (f64::from(ours[at]) - plain).abs() < 1e-4,
                    "{length} at {at}"
                );
            }
        }
    }
}
