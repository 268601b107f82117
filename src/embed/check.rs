//! What a number format costs: a few drawn pictures and a few texts, embedded in it and in f32.

use super::{Embedding, Pixels};

/// What `auto` asks of a format.
pub(super) const SMALLEST_COSINE: f32 = 0.9999;

/// Short and long, with and without words of the vocabulary.
pub(super) const TEXTS: [&str; 4] = [
    "",
    "a photo of a dog",
    "two red cars in front of a white house by the sea, seen from far away on a foggy morning in autumn",
    "IMG_2041 #7 éß 東京",
];

/// A slope of colours, stripes, a disc, and noise.
pub(super) fn pictures(side: usize) -> Vec<Pixels> {
    let mut noise = 1_u32;
    let mut noise = || {
        // Numerical Recipes' generator; its upper bits are good enough.
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    };
    let shade = |at: usize| (at * 255 / side.max(1)) as u8;
    let disc = |x: usize, y: usize| {
        if x.abs_diff(side / 2).pow(2) + y.abs_diff(side / 2).pow(2) < side * side / 9 {
            230
        } else {
            40
        }
    };
    vec![
        draw(side, |x, y| [shade(x), shade(y), shade(side - x)]),
        draw(side, |x, y| {
            if (x + y) / 9 % 2 == 0 {
                [250, 240, 30]
            } else {
                [10, 20, 90]
            }
        }),
        draw(side, |x, y| [disc(x, y), shade(y), 90]),
        draw(side, |_, _| [noise(), noise(), noise()]),
    ]
}

/// Closer than any two things that have nothing in common.
const ALIKE_COSINE: f32 = 0.999_999;

/// Whether these embeddings are all the same.
pub(super) fn are_all_alike(embeddings: &[Embedding]) -> bool {
    let mut pairs = embeddings.iter().zip(embeddings.iter().skip(1));
    let cosine = |one: &Embedding, other: &Embedding| -> f32 {
        let products = one.as_slice().iter().zip(other.as_slice());
        products.map(|(one, other)| one * other).sum()
    };
    embeddings.len() > 1 && pairs.all(|(one, other)| cosine(one, other) > ALIKE_COSINE)
}

fn draw(side: usize, mut colour: impl FnMut(usize, usize) -> [u8; 3]) -> Pixels {
    let bytes = (0..side * side)
        .flat_map(|at| colour(at % side, at / side))
        .collect();
    Pixels::new(side, bytes)
}
