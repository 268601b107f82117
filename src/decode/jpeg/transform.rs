//! The inverse cosine transform of a block of 8 x 8 coefficients, straight to fewer pixels.
//!
//! The lowest N of eight frequencies are just what N pixels can show, so the transform of N points on them gives the
//! picture at N/8 of its size: what shrinking would throw away is never computed.

/// From frequencies, row by row, to pixels in rows of a length.
pub(super) type Transform = fn(&[f32], &mut [f32], usize);

/// For a block of so many pixels side by side, and one above the other; nothing for numbers that are not 1, 2, 4 or 8.
pub(super) fn transform_of(width: usize, height: usize) -> Option<Transform> {
    fn of_height<const WIDTH: usize>(height: usize) -> Option<Transform> {
        Some(match height {
            1 => transform::<WIDTH, 1>,
            2 => transform::<WIDTH, 2>,
            4 => transform::<WIDTH, 4>,
            8 => transform::<WIDTH, 8>,
            _ => return None,
        })
    }
    match width {
        1 => of_height::<1>(height),
        2 => of_height::<2>(height),
        4 => of_height::<4>(height),
        8 => of_height::<8>(height),
        _ => None,
    }
}

/// Turns the lowest `WIDTH` x `HEIGHT` frequencies, row by row, into as many pixels around 0.
fn transform<const WIDTH: usize, const HEIGHT: usize>(
    frequencies: &[f32],
    pixels: &mut [f32],
    stride: usize,
) {
    let mut half = [[0.0; WIDTH]; HEIGHT];
    for (half, row) in half.iter_mut().zip(frequencies.chunks_exact(WIDTH)) {
        for (frequency, basis) in row.iter().zip(const { &basis::<WIDTH>() }) {
            for (half, basis) in half.iter_mut().zip(basis) {
                *half += frequency * basis;
            }
        }
    }
    for (y, pixels) in pixels.chunks_mut(stride).take(HEIGHT).enumerate() {
        let mut row = [0.0; WIDTH];
        for (half, basis) in half.iter().zip(const { &basis::<HEIGHT>() }) {
            for (pixel, half) in row.iter_mut().zip(half) {
                *pixel += half * basis[y];
            }
        }
        pixels[..WIDTH].copy_from_slice(&row);
    }
}

/// By frequency and pixel: the cosines, scaled so that a mean stays the mean.
const fn basis<const N: usize>() -> [[f32; N]; N] {
    let mut basis = [[std::f32::consts::FRAC_1_SQRT_2 / 2.0; N]; N];
    let mut frequency = 1;
    while frequency < N {
        let mut pixel = 0;
        while pixel < N {
            basis[frequency][pixel] = cosine((2 * pixel + 1) * frequency * (8 / N)) / 2.0;
            pixel += 1;
        }
        frequency += 1;
    }
    basis
}

/// Of `steps` sixteenths of half a turn.
const fn cosine(steps: usize) -> f32 {
    const QUARTER: [f32; 9] = [
        1.0,
        0.980_785_25,
        0.923_879_5,
        0.831_469_6,
        0.707_106_77,
        0.555_570_24,
        0.382_683_43,
        0.195_090_32,
        0.0,
    ];
    match steps % 32 {
        steps @ 0..=8 => QUARTER[steps],
        steps @ 9..=16 => -QUARTER[16 - steps],
        steps @ 17..=24 => -QUARTER[steps - 16],
        steps => QUARTER[32 - steps],
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    /// ITU T.81 A.3.3 with `width` x `height` instead of 8 x 8 pixels.
    fn plain(frequencies: &[f32], (width, height): (usize, usize)) -> Vec<f64> {
        let cosine = |pixel: usize, frequency: usize, side: usize| {
            let scale = if frequency == 0 { 0.5_f64.sqrt() } else { 1.0 };
            scale / 2.0 * ((2 * pixel + 1) as f64 * frequency as f64 * PI / (2 * side) as f64).cos()
        };
        let pixel = |x: usize, y: usize| {
            let term = |(at, value): (usize, &f32)| {
                f64::from(*value) * cosine(x, at % width, width) * cosine(y, at / width, height)
            };
            frequencies.iter().enumerate().map(term).sum()
        };
        (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| pixel(x, y))
            .collect()
    }

    fn check<const WIDTH: usize, const HEIGHT: usize>() {
        let frequencies: Vec<f32> = (0..WIDTH * HEIGHT)
            .map(|at| ((at * 7919 + 13) % 401) as f32 - 200.0)
            .collect();
        let mut pixels = vec![0.0; 10 * HEIGHT];
        transform::<WIDTH, HEIGHT>(&frequencies, &mut pixels, 10);
        let expected = plain(&frequencies, (WIDTH, HEIGHT));
        for (row, expected) in pixels.chunks(10).zip(expected.chunks(WIDTH)) {
            for (pixel, expected) in row.iter().zip(expected) {
                assert!(
                    (f64::from(*pixel) - expected).abs() < 1e-2,
                    "{WIDTH} x {HEIGHT}: {pixel} {expected}"
                );
            }
            assert!(row[WIDTH..].iter().all(|pixel| *pixel == 0.0));
        }
    }

    #[test]
    fn every_size_is_the_cosine_transform() {
        check::<1, 1>();
        check::<2, 2>();
        check::<4, 4>();
        check::<8, 8>();
        check::<4, 2>();
        check::<2, 4>();
        check::<8, 4>();
        check::<1, 2>();
    }
}
