//! How the pictures of a library differ: the mean and the covariance of a sample.

use crate::index::Vectors;

/// Pictures in a sample, at most.
const SAMPLE_ROWS: usize = 1000;

/// What is added to the variance in every direction, as a share of its mean: a sample says little about directions in which
/// it hardly varies. From 0.03 to 1, all are alike good (`tests/benches/scores/examples.py`).
const LOADING: f64 = 0.1;

/// Embeddings of a library's pictures.
#[derive(Debug)]
pub(super) struct LibrarySample {
    pub(super) rows: Vec<f32>,
    pub(super) embedding_dim: usize,
}

impl LibrarySample {
    pub(super) fn take(vectors: &Vectors, embedding_dim: usize) -> LibrarySample {
        LibrarySample {
            rows: vectors.snapshot().sample(SAMPLE_ROWS),
            embedding_dim,
        }
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.rows.chunks_exact(self.embedding_dim)
    }
}

/// The mean and the covariance of a sample.
#[derive(Debug)]
pub(super) struct Covariance {
    pub(super) mean: Vec<f64>,
    /// Lower triangle, row by row, whose product with its transpose is the loaded covariance.
    cholesky: Vec<Vec<f64>>,
}

impl Covariance {
    /// None where all pictures are the same.
    pub(super) fn of(sample: &LibrarySample) -> Option<Covariance> {
        let mean = mean_of(sample.rows(), sample.embedding_dim);
        let mut covariance = covariance(sample, &mean);
        let dim = covariance.len();
        let trace: f64 = (0..dim).map(|at| covariance[at][at]).sum();
        if trace < 1e-9 {
            return None;
        }
        for (at, row) in covariance.iter_mut().enumerate() {
            row[at] += LOADING * trace / dim as f64;
        }
        Some(Covariance {
            mean,
            cholesky: cholesky(covariance),
        })
    }

    /// The direction of `goal`, whitened: what is usual in the library counts little.
    pub(super) fn whitened(&self, goal: &[f64]) -> Vec<f64> {
        let mut direction = goal.to_vec();
        for (at, row) in self.cholesky.iter().enumerate() {
            let known: f64 = row[..at].iter().zip(&direction).map(|(a, b)| a * b).sum();
            direction[at] = (direction[at] - known) / row[at];
        }
        for at in (0..direction.len()).rev() {
            direction[at] /= self.cholesky[at][at];
            let found = direction[at];
            for (value, factor) in direction[..at].iter_mut().zip(&self.cholesky[at]) {
                *value -= factor * found;
            }
        }
        direction
    }
}

/// The mean of rows, not of unit length.
pub(super) fn mean_of<'a>(rows: impl Iterator<Item = &'a [f32]>, embedding_dim: usize) -> Vec<f64> {
    let mut sum = vec![0.0; embedding_dim];
    let mut count = 0.0;
    for row in rows {
        count += 1.0;
        (sum.iter_mut().zip(row)).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    sum.iter().map(|sum| sum / f64::max(count, 1.0)).collect()
}

/// The lower triangle, row by row.
fn covariance(sample: &LibrarySample, mean: &[f64]) -> Vec<Vec<f64>> {
    let mut sums: Vec<Vec<f64>> = (1..=mean.len()).map(|length| vec![0.0; length]).collect();
    for row in sample.rows() {
        let from_mean = row.iter().zip(mean).map(|(a, b)| f64::from(*a) - b);
        let row: Vec<f64> = from_mean.collect();
        for (sums, a) in sums.iter_mut().zip(&row) {
            (sums.iter_mut().zip(&row)).for_each(|(sum, b)| *sum += a * b);
        }
    }
    let count = sample.rows().count().max(1) as f64;
    (sums.iter_mut().flatten()).for_each(|sum| *sum /= count);
    sums
}

/// In place: row by row, each from those above it.
fn cholesky(mut matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    for at in 0..matrix.len() {
        let (above, row) = matrix.split_at_mut(at);
        let row = &mut row[0];
        for (column, other) in above.iter().enumerate() {
            let known: f64 = (row[..column].iter().zip(other)).map(|(a, b)| a * b).sum();
            row[column] = (row[column] - known) / other[column];
        }
        let known: f64 = row[..at].iter().map(|value| value * value).sum();
        // The loading keeps this above zero.
        row[at] = (row[at] - known).max(f64::MIN_POSITIVE).sqrt();
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_counts_little() {
        // Wide along x, narrow along y, and leaning.
        let points = [
            (3.0, 1.1),
            (-3.0, -0.9),
            (2.0, 0.5),
            (-2.0, -0.7),
            (0.1, 1.0),
        ];
        let rows: Vec<f32> = points.iter().flat_map(|&(x, y)| [x, y]).collect();
        let sample = LibrarySample {
            rows,
            embedding_dim: 2,
        };
        let known = Covariance::of(&sample).unwrap();
        let direction = known.whitened(&[1.0, 1.0]);
        assert!(direction[1] > 3.0 * direction[0].abs(), "{direction:?}");
        // It solves what it says: the loaded covariance times the direction is the goal.
        let covariance = covariance(&sample, &known.mean);
        let loading = LOADING * (covariance[0][0] + covariance[1][1]) / 2.0;
        let (xx, xy, yy) = (
            covariance[0][0] + loading,
            covariance[1][0],
            covariance[1][1] + loading,
        );
        let goal = [
            xx * direction[0] + xy * direction[1],
            xy * direction[0] + yy * direction[1],
        ];
        assert!(
            goal.iter().all(|value| (value - 1.0).abs() < 1e-9),
            "{goal:?}"
        );
    }

    #[test]
    fn pictures_that_are_all_alike_have_no_covariance() {
        let sample = LibrarySample {
            rows: [0.6, 0.8].repeat(50),
            embedding_dim: 2,
        };
        assert!(Covariance::of(&sample).is_none());
    }
}
