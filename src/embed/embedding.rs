//! The unit-length vector of an image or a text.

use thiserror::Error;

use crate::kernels::dot;

/// A finite vector of unit length in the joint space of images and texts. Similarity is the dot product of two.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding(Box<[f32]>);

/// Why a vector is no embedding.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum BadEmbedding {
    /// It holds NaN or an infinity.
    #[error("it is not finite")]
    NotFinite,
    /// It has no direction.
    #[error("its length is zero")]
    Zero,
    /// It was stored with another length than one.
    #[error("its length is not one")]
    NotUnit,
    /// Its bytes are no whole number of values.
    #[error("its bytes are not a whole number of 32-bit values")]
    Ragged,
}

impl Embedding {
    /// Scales `vector` to unit length.
    pub fn new(mut vector: Vec<f32>) -> Result<Embedding, BadEmbedding> {
        if !vector.iter().all(|value| value.is_finite()) {
            return Err(BadEmbedding::NotFinite);
        }
        // In f64: the squares of large values overflow f32.
        let norm = vector
            .iter()
            .map(|&value| f64::from(value).powi(2))
            .sum::<f64>()
            .sqrt();
        if norm < f64::from(f32::MIN_POSITIVE) {
            return Err(BadEmbedding::Zero);
        }
        for value in &mut vector {
            *value = (f64::from(*value) / norm) as f32;
        }
        Ok(Embedding(vector.into_boxed_slice()))
    }

    /// The normalised mean of several embeddings.
    pub fn mean<'a>(
        embeddings: impl IntoIterator<Item = &'a Embedding>,
    ) -> Result<Embedding, BadEmbedding> {
        let mut sum: Vec<f32> = Vec::new();
        for embedding in embeddings {
            sum.resize(embedding.0.len(), 0.0);
            for (sum, value) in sum.iter_mut().zip(&embedding.0) {
                *sum += value;
            }
        }
        Embedding::new(sum)
    }

    /// The values, `embedding_dim` of them.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// The values, without a copy.
    pub(crate) fn into_vec(self) -> Vec<f32> {
        self.0.into_vec()
    }

    /// Cosine of the angle between the two, -1 to 1.
    pub fn similarity(&self, other: &Embedding) -> f32 {
        dot(&self.0, &other.0)
    }

    /// As they are stored.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    /// Reads what [`Embedding::to_le_bytes`] wrote, to the bit: scores computed from it again must come out the same.
    pub fn from_le_bytes(bytes: &[u8]) -> Result<Embedding, BadEmbedding> {
        let (values, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(BadEmbedding::Ragged);
        }
        let values: Box<[f32]> = values
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect();
        // NaN fails the comparison as well.
        if (dot(&values, &values) - 1.0).abs() < 1e-3 {
            Ok(Embedding(values))
        } else {
            Err(BadEmbedding::NotUnit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedding_has_unit_length() {
        for vector in [vec![3.0, 4.0], vec![1e-30, 1e-30], vec![3e38, 3e38, -3e38]] {
            let embedding = Embedding::new(vector).unwrap();
            assert!(
                (embedding.similarity(&embedding) - 1.0).abs() < 1e-6,
                "{embedding:?}"
            );
        }
    }

    #[test]
    fn what_has_no_direction_is_refused() {
        assert_eq!(Embedding::new(vec![0.0; 4]), Err(BadEmbedding::Zero));
        assert_eq!(
            Embedding::new(vec![1.0, f32::NAN]),
            Err(BadEmbedding::NotFinite)
        );
        assert_eq!(Embedding::mean([]), Err(BadEmbedding::Zero));
        assert_eq!(Embedding::from_le_bytes(&[0; 7]), Err(BadEmbedding::Ragged));
    }

    #[test]
    fn bytes_come_back_as_the_same_vector() {
        let embedding = Embedding::new((1..40).map(|value| value as f32).collect()).unwrap();
        let back = Embedding::from_le_bytes(&embedding.to_le_bytes()).unwrap();
        assert_eq!(embedding, back);
        assert_eq!(
            Embedding::from_le_bytes(&[0x7F; 16]),
            Err(BadEmbedding::NotUnit)
        );
    }
}
