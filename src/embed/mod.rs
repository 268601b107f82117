//! Pixels and texts in, embeddings out: the towers of a CLIP model, its preprocessing, and the threads that own them.

mod embedder;
mod embedding;
mod pixels;
mod text;
mod transformer;
mod vision;

pub use embedder::{EmbedError, Embedder, Placement};
pub use embedding::{BadEmbedding, Embedding, dot};
pub use pixels::{Pixels, PixelsMaker, resize};
