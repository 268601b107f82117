//! What can go wrong between pixels or text and an embedding.

use thiserror::Error;

use super::{BadEmbedding, TooLong};

/// What can go wrong between pixels or text and an embedding.
#[derive(Debug, Error)]
pub enum EmbedError {
    /// A weight is missing or has another shape than `config.json` says, or the device failed.
    #[error("the model `{model}` cannot be used: {source}")]
    Load {
        /// The model as its owner named it.
        model: String,
        /// The cause, which names the weight.
        source: candle_core::Error,
    },
    /// A model whose files load, and that cannot work.
    #[error(
        "the model `{model}` is damaged: {reason}; download it again, or take another one with --model"
    )]
    Nonsense {
        /// The model as its owner named it.
        model: String,
        /// What it does.
        reason: String,
    },
    /// The device that was asked for is not there.
    #[error("the device `{device}` cannot be used: {reason}; --device cpu always works")]
    Device {
        /// As it was asked for.
        device: &'static str,
        /// The cause.
        reason: String,
    },
    /// The number format that was asked for cannot be had.
    #[error(
        "the precision `{precision}` cannot be used: {reason}; --precision f32 works everywhere"
    )]
    Precision {
        /// As it was asked for.
        precision: &'static str,
        /// The cause.
        reason: &'static str,
    },
    /// A tower failed at work.
    #[error("the model failed: {0}")]
    Forward(#[from] candle_core::Error),
    /// A tower gave something without a direction.
    #[error("the model gave a vector that is no embedding: {0}")]
    Bad(#[from] BadEmbedding),
    /// A text that no caller may ask for.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// A text could not be split into tokens.
    #[error("the text could not be read: {0}")]
    Tokenize(String),
    /// A picture could not be brought to the model's size.
    #[error("failed to resize to {width} x {height} pixels: {reason}")]
    Resize {
        /// Target width.
        width: u32,
        /// Target height.
        height: u32,
        /// The cause.
        reason: String,
    },
    /// The thread that owns the tower has ended.
    #[error("the model is no longer running")]
    Stopped,
}
