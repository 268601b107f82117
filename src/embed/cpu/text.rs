//! The text tower: token ids to features in the joint space.

use candle_core::Result;
use candle_nn::VarBuilder;

use super::encoder::{Encoder, Input, normalise};
use super::{Workspace, layer_norm, projection, values};
use crate::kernels::{LayerNorm, NumberFormat, Out, PackedWeights};
use crate::model::Architecture;

/// A causal transformer, pooled at end-of-text.
#[derive(Debug)]
pub(in crate::embed) struct TextTower {
    tokens: Tokens,
    positions: Vec<f32>,
    encoder: Encoder,
    final_norm: LayerNorm,
    projection: PackedWeights,
}

/// The table of token embeddings, of which a text looks up a few rows.
#[derive(Debug)]
enum Tokens {
    Whole(Vec<f32>),
    /// The upper half of each value, rounded: the table is a sixth of a model.
    Halved(Vec<u16>),
}

impl TextTower {
    pub(in crate::embed) fn load(
        architecture: &Architecture,
        weights: &VarBuilder<'_>,
        format: NumberFormat,
    ) -> Result<TextTower> {
        let text = &architecture.text;
        let tower = &text.tower;
        let model = weights.pp("text_model");
        let embeddings = model.pp("embeddings");
        let tokens = values(
            &embeddings,
            (text.vocab_size, tower.width),
            "token_embedding.weight",
        )?;
        let positions = values(
            &embeddings,
            (text.context_length, tower.width),
            "position_embedding.weight",
        )?;
        let final_norm = layer_norm(
            tower.width,
            tower.layer_norm_eps,
            &model.pp("final_layer_norm"),
        )?;
        let projection_dim = architecture.projection_dim;
        Ok(TextTower {
            tokens: Tokens::new(tokens, format),
            positions,
            encoder: Encoder::load(tower, true, &model.pp("encoder"), format)?,
            final_norm,
            projection: projection(
                format,
                tower.width,
                projection_dim,
                &weights.pp("text_projection"),
            )?,
        })
    }

    /// Features of each text, `projection_dim` values, not normalised. Each entry of `batch` ends with end-of-text.
    pub(in crate::embed) fn forward(
        &self,
        batch: &[Vec<u32>],
        workspace: &mut Workspace,
    ) -> Vec<Vec<f32>> {
        let width = self.final_norm.weight.len();
        let (mut x, mut inputs) = (Vec::new(), Vec::new());
        for ids in batch {
            let start = x.len() / width;
            for (id, position) in ids.iter().zip(self.positions.chunks(width)) {
                self.tokens.add(*id as usize, position, &mut x);
            }
            let end = x.len() / width;
            inputs.push(Input {
                rows: start..end,
                pooled: end - 1,
            });
        }
        self.encoder.forward(&mut x, &inputs, workspace);
        normalise(
            &self.final_norm,
            &x,
            &mut workspace.rows,
            &mut workspace.row,
        );
        let mut features = vec![0.0; batch.len() * self.projection.columns()];
        self.projection
            .multiply(&workspace.rows, Out::Set(&mut features));
        features
            .chunks(self.projection.columns())
            .map(<[f32]>::to_vec)
            .collect()
    }
}

impl Tokens {
    fn new(table: Vec<f32>, format: NumberFormat) -> Tokens {
        if format == NumberFormat::F32 {
            return Tokens::Whole(table);
        }
        // Half a step is added before the lower half is dropped.
        let halved = |value: &f32| ((value.to_bits() + 0x8000) >> 16) as u16;
        Tokens::Halved(table.iter().map(halved).collect())
    }

    /// Appends the embedding of a token at a position.
    fn add(&self, id: usize, position: &[f32], x: &mut Vec<f32>) {
        let row = id * position.len()..(id + 1) * position.len();
        match self {
            Tokens::Whole(table) => {
                x.extend(
                    table[row]
                        .iter()
                        .zip(position)
                        .map(|(token, position)| token + position),
                );
            }
            Tokens::Halved(table) => {
                let token = table[row]
                    .iter()
                    .map(|half| f32::from_bits(u32::from(*half) << 16));
                x.extend(
                    token
                        .zip(position)
                        .map(|(token, position)| token + position),
                );
            }
        }
    }
}
