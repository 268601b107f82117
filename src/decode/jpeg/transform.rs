//! The inverse cosine transform of a block of 8 x 8 coefficients, straight to fewer pixels.
//!
//! The lowest N of eight frequencies are just what N pixels can show, so the transform of N points on them gives the
//! picture at N/8 of its size: what shrinking would throw away is never computed.

/// Turns the lowest `WIDTH` x `HEIGHT` frequencies, row by row, into as many pixels around 0.
pub(super) fn transform<const WIDTH: usize, const HEIGHT: usize>(
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
