//! A seeded set of vectors that lie as CLIP's do: images crowd around one direction in clusters, texts around another.

use std::io::Write;
use std::path::Path;

use pixdex::random::Random;

/// Nearly normal: a sum of four uniform numbers.
fn normal(random: &mut Random) -> f32 {
    let bits = random.bits();
    let uniform = |part: u64| (part & 0xFFFF) as f32 / 65_536.0 - 0.5;
    (0..4).map(|part| uniform(bits >> (16 * part))).sum::<f32>() * 3.0_f32.sqrt()
}

fn direction(random: &mut Random, dim: usize) -> Vec<f32> {
    unit((0..dim).map(|_| normal(random)).collect())
}

/// Everything that a vector of the set is a sum of.
pub(crate) struct World {
    dim: usize,
    image_side: Vec<f32>,
    text_side: Vec<f32>,
    clusters: Vec<Vec<f32>>,
    /// Few directions carry most of the difference inside a cluster.
    spread: Vec<Vec<f32>>,
}

const SPREAD: usize = 48;

impl World {
    pub(crate) fn new(dim: usize, clusters: usize) -> World {
        let mut random = Random::new(11);
        World {
            dim,
            image_side: direction(&mut random, dim),
            text_side: direction(&mut random, dim),
            clusters: (0..clusters).map(|_| direction(&mut random, dim)).collect(),
            spread: (0..SPREAD).map(|_| direction(&mut random, dim)).collect(),
        }
    }

    /// One image after another, `count` of them.
    pub(crate) fn images(&self, count: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::new(seed);
        (0..count).flat_map(|_| self.image(&mut random)).collect()
    }

    /// One text after another, `count` of them.
    pub(crate) fn texts(&self, count: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::new(seed);
        (0..count).flat_map(|_| self.text(&mut random)).collect()
    }

    fn image(&self, random: &mut Random) -> Vec<f32> {
        let mut vector = vec![0.0; self.dim];
        let cluster = random.below(self.clusters.len());
        add(&mut vector, 0.41_f32.sqrt(), &self.image_side);
        add(&mut vector, 0.38_f32.sqrt(), &self.clusters[cluster]);
        for (at, direction) in self.spread.iter().enumerate() {
            add(
                &mut vector,
                0.12 * normal(random) / (1.0 + at as f32 / 12.0),
                direction,
            );
        }
        add(&mut vector, 0.17, &direction(random, self.dim));
        unit(vector)
    }

    fn text(&self, random: &mut Random) -> Vec<f32> {
        let mut vector = vec![0.0; self.dim];
        let cluster = random.below(self.clusters.len());
        add(&mut vector, 0.85, &self.text_side);
        add(&mut vector, 0.09, &self.image_side);
        add(&mut vector, 0.33, &self.clusters[cluster]);
        for (at, direction) in self.spread.iter().enumerate() {
            add(
                &mut vector,
                0.08 * normal(random) / (1.0 + at as f32 / 12.0),
                direction,
            );
        }
        add(&mut vector, 0.4, &direction(random, self.dim));
        unit(vector)
    }
}

fn add(sum: &mut [f32], weight: f32, part: &[f32]) {
    sum.iter_mut()
        .zip(part)
        .for_each(|(sum, part)| *sum += weight * part);
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    for value in &mut vector {
        *value /= norm;
    }
    vector
}

/// Writes values as raw little-endian f32, as numpy's `fromfile` reads them.
pub(crate) fn write(path: &Path, values: &[f32]) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for value in values {
        file.write_all(&value.to_le_bytes())?;
    }
    file.flush()
}
