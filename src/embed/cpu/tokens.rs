//! The table of token embeddings, of which a text looks up a few rows.

use crate::kernels::NumberFormat;

/// One row for each token.
pub(in crate::embed) enum Tokens {
    /// As they are stored.
    Whole(Vec<f32>),
    /// The upper half of each value, rounded: the table is a sixth of a model.
    Halved(Vec<u16>),
}

impl Tokens {
    pub(super) fn new(table: &[f32], format: NumberFormat) -> Tokens {
        if format == NumberFormat::F32 {
            return Tokens::Whole(table.to_vec());
        }
        // Half a step is added before the lower half is dropped.
        let halved = |value: &f32| ((value.to_bits() + 0x8000) >> 16) as u16;
        Tokens::Halved(table.iter().map(halved).collect())
    }

    /// Appends the embedding of a token, `width` values.
    pub(super) fn append(&self, id: usize, width: usize, x: &mut Vec<f32>) {
        let row = id * width..(id + 1) * width;
        match self {
            Tokens::Whole(table) => x.extend_from_slice(&table[row]),
            Tokens::Halved(table) => {
                let halves = table[row].iter();
                x.extend(halves.map(|half| f32::from_bits(u32::from(*half) << 16)));
            }
        }
    }
}
