//! Pixels and texts in, embeddings out: the towers of a CLIP model, its preprocessing, and the threads that own them.

mod check;
mod checkpoint;
mod cpu;
mod embedder;
mod embedding;
mod pixels;
mod placement;
mod similarity;
mod text;
mod towers;
mod transformer;
mod vision;
mod workers;

pub use embedder::{EmbedError, Embedder};
pub use embedding::{BadEmbedding, Embedding};
pub use pixels::{Pixels, PixelsMaker, resize};
pub use placement::Placement;
pub use similarity::Similarity;
pub(crate) use similarity::log_sum_exp;
