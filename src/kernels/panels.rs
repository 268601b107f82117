//! Weights laid out for the inner loop.

use std::ops::Range;

/// Words in a cache line.
const LINE_WORDS: usize = 16;

/// A matrix `[columns, depth]` of 32-bit words, cut into panels of `width` columns; in a panel the words of one step of
/// the depth lie side by side, the steps one after the other. The last panel is filled up with zeros.
#[derive(Debug, Default)]
pub(super) struct Panels {
    words: Vec<u32>,
    /// Where the first cache line begins: a load across two lines costs two.
    start: usize,
    columns: usize,
    depth: usize,
    width: usize,
}

impl Panels {
    /// `word` gives the word of a column at a depth.
    pub(super) fn pack(
        [columns, depth]: [usize; 2],
        width: usize,
        word: impl Fn(usize, usize) -> u32,
    ) -> Panels {
        let mut panels = Panels::default();
        panels.pack_again([columns, depth], width, word);
        panels
    }

    /// As [`Panels::pack`], in the memory that is there.
    pub(super) fn pack_again(
        &mut self,
        [columns, depth]: [usize; 2],
        width: usize,
        word: impl Fn(usize, usize) -> u32,
    ) {
        let count = columns.next_multiple_of(width) * depth;
        self.words.resize(count + LINE_WORDS, 0);
        let start = self
            .words
            .as_ptr()
            .align_offset(size_of::<u32>() * LINE_WORDS);
        *self = Panels {
            words: std::mem::take(&mut self.words),
            start,
            columns,
            depth,
            width,
        };
        if depth == 0 {
            return;
        }
        let panels = self.words[start..start + count].chunks_exact_mut(width * depth);
        for (panel, first) in panels.zip((0..columns).step_by(width)) {
            let filled = width.min(columns - first);
            for (step, words) in panel.chunks_exact_mut(width).enumerate() {
                for (column, to) in words[..filled].iter_mut().enumerate() {
                    *to = word(first + column, step);
                }
                words[filled..].fill(0);
            }
        }
    }

    /// Columns of the product.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Words in a column.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Columns in a panel.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Some steps of each panel, with the panel's first column.
    pub(super) fn panels(&self, steps: Range<usize>) -> impl Iterator<Item = (usize, &[u32])> {
        let steps = steps.start * self.width..steps.end * self.width;
        (0..self.columns).step_by(self.width).map(move |first| {
            let panel = &self.words[self.start + first * self.depth..];
            (first, &panel[steps.clone()])
        })
    }
}
