//! Pixels and texts in, embeddings out: the towers of a model, its preprocessing, and the threads that own them.

mod check;
mod checkpoint;
mod colours;
mod cpu;
mod embedder;
mod embedding;
mod error;
mod frames;
mod measure;
mod names;
mod pixels;
mod placement;
mod similarity;
mod tensors;
mod text;
mod towers;
mod weights;
mod workers;

pub use colours::Colours;
pub use embedder::Embedder;
pub use embedding::{BadEmbedding, Embedding};
pub use error::EmbedError;
pub use frames::{Embedded, Frame, Shot, VideoFrames};
pub use measure::{Speed, measure};
pub use pixels::{Pixels, PixelsMaker, resize};
pub use placement::Placement;
pub use similarity::Similarity;
pub(crate) use similarity::log_sum_exp;
pub use text::{MOST_CHARACTERS, TooLong, check_text};
