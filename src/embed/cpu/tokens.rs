//! The table of token embeddings, of which a text looks up a few rows.

use candle_core::Result;

use crate::embed::checkpoint::StoredRows;

/// One row for each token.
pub(in crate::embed) enum Tokens {
    /// Left in the model's file.
    Stored(StoredRows),
    /// Read as a whole, where the file does not give a row alone.
    Whole(Vec<f32>),
}

impl Tokens {
    /// Appends the embeddings of the tokens, `width` values each.
    pub(super) fn append(&self, ids: &[u32], width: usize, x: &mut Vec<f32>) -> Result<()> {
        match self {
            Tokens::Stored(rows) => rows.append(ids, x),
            Tokens::Whole(table) => {
                for id in ids {
                    let row = *id as usize * width;
                    x.extend_from_slice(&table[row..row + width]);
                }
                Ok(())
            }
        }
    }
}
