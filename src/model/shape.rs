//! How large the towers of a model are, whatever file says so.

use crate::kernels::Activation;

/// What Hugging Face wrote into `eos_token_id` before it was right, and what stands for an id that a configuration does not say: such
/// models end texts in the tokenizer's own.
pub(super) const UNSAID_EOS: u32 = 2;

/// The image tower: pixels → patches → transformer.
#[derive(Clone, Debug, PartialEq)]
pub struct VisionShape {
    /// Its transformer.
    pub tower: TowerShape,
    /// Side of the square input in pixels.
    pub image_size: usize,
    /// Side of a square patch in pixels; what of the input is no whole patch is not looked at.
    pub patch_size: usize,
}

/// The text tower: token ids → transformer.
#[derive(Clone, Debug, PartialEq)]
pub struct TextShape {
    /// Its transformer.
    pub tower: TowerShape,
    /// Number of token ids.
    pub vocab_size: usize,
    /// Most tokens in one text, start and end of text included.
    pub context_length: usize,
    /// The id that ends every text.
    pub eos_token_id: u32,
}

/// A transformer, the same in both towers.
#[derive(Clone, Debug, PartialEq)]
pub struct TowerShape {
    /// Length of the hidden states.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Number of attention heads; divides `width`.
    pub heads: usize,
    /// Length of the hidden layer inside each block's perceptron.
    pub intermediate: usize,
    /// The perceptron's non-linearity.
    pub activation: Activation,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
}

impl VisionShape {
    /// Patches along a side.
    pub fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }

    /// Whether such a tower can be; names are those of `config.json`.
    pub(super) fn check(&self) -> Result<(), String> {
        above_zero("image_size", self.image_size)?;
        above_zero("patch_size", self.patch_size)?;
        if self.grid() == 0 {
            return Err(format!(
                "`image_size` `{}` is less than `patch_size` `{}`",
                self.image_size, self.patch_size
            ));
        }
        self.tower.check()
    }
}

impl TextShape {
    /// As [`VisionShape::check`].
    pub(super) fn check(&self) -> Result<(), String> {
        above_zero("vocab_size", self.vocab_size)?;
        above_zero("max_position_embeddings", self.context_length)?;
        self.tower.check()
    }
}

impl TowerShape {
    fn check(&self) -> Result<(), String> {
        above_zero("hidden_size", self.width)?;
        above_zero("num_hidden_layers", self.layers)?;
        above_zero("num_attention_heads", self.heads)?;
        above_zero("intermediate_size", self.intermediate)?;
        if self.width.is_multiple_of(self.heads) {
            return Ok(());
        }
        Err(format!(
            "`hidden_size` `{}` is not a multiple of `num_attention_heads` `{}`",
            self.width, self.heads
        ))
    }
}

pub(super) fn above_zero(name: &str, value: usize) -> Result<(), String> {
    if value == 0 {
        Err(format!("`{name}` is `0`"))
    } else {
        Ok(())
    }
}
