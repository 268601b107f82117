//! Weights laid out for the inner loop.

use std::ops::Range;

use memmap2::MmapMut;
use pulp::bytemuck;

/// Words in a cache line.
pub(super) const LINE_WORDS: usize = 16;

/// The size of a matrix on the right of a product.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MatrixSize {
    /// Columns of the product.
    pub columns: usize,
    /// What each of them holds, from its first step to its last.
    pub depth: usize,
}

/// A matrix `[columns, depth]` of 32-bit words, cut into panels of `width` columns; in a panel the words of one step of
/// the depth lie side by side, the steps one after the other. The columns that the last panel has too many hold anything,
/// and so do the sums made with them.
#[derive(Debug, Default)]
pub(super) struct Panels {
    words: Memory,
    size: MatrixSize,
    width: usize,
    /// The columns of one panel as they were given.
    given: Vec<u32>,
}

/// Words straight from the system: what a model no longer needs goes back whole, where a heap would keep it. They begin at
/// a cache line, since a load across two costs two, and lie in large pages where there are such.
#[derive(Debug, Default)]
struct Memory(Option<MmapMut>);

impl Memory {
    /// Makes room for `count` words, which are anything until they are written.
    fn reserve(&mut self, count: usize) {
        let bytes = count.max(1) * size_of::<u32>();
        if self.0.as_ref().is_some_and(|map| map.len() >= bytes) {
            return;
        }
        let map = MmapMut::map_anon(bytes).expect("the system has memory left");
        #[cfg(target_os = "linux")]
        // A hint: without large pages all is as it would be, but slower.
        drop(map.advise(memmap2::Advice::HugePage));
        self.0 = Some(map);
    }

    fn words(&self) -> &[u32] {
        bytemuck::cast_slice(self.0.as_deref().unwrap_or_default())
    }

    fn words_mut(&mut self) -> &mut [u32] {
        bytemuck::cast_slice_mut(self.0.as_deref_mut().unwrap_or_default())
    }
}

impl Panels {
    /// Takes a matrix whose columns are given: `fill` writes the words of one.
    pub(super) fn pack_columns(
        &mut self,
        size: MatrixSize,
        width: usize,
        mut fill: impl FnMut(usize, &mut [u32]),
    ) {
        self.resize(size, width);
        let MatrixSize { columns, depth } = size;
        if depth == 0 {
            return;
        }
        self.given.resize(width * depth, 0);
        let panels = self.words.words_mut().chunks_exact_mut(width * depth);
        for (panel, first) in panels.zip((0..columns).step_by(width)) {
            let given = &mut self.given[..width.min(columns - first) * depth];
            for (column, words) in given.chunks_exact_mut(depth).enumerate() {
                fill(first + column, words);
            }
            transpose(given, depth, panel, width);
        }
    }

    /// Takes a matrix whose steps are given: each holds a word of every column.
    pub(super) fn pack_steps<'a>(
        &mut self,
        size: MatrixSize,
        width: usize,
        step: impl Fn(usize) -> &'a [u32],
    ) {
        self.resize(size, width);
        let MatrixSize { columns, depth } = size;
        for index in 0..depth {
            for (panel, words) in step(index)[..columns].chunks(width).enumerate() {
                let start = (panel * depth + index) * width;
                self.words.words_mut()[start..][..words.len()].copy_from_slice(words);
            }
        }
    }

    /// Gives back the memory that only packing needs.
    pub(super) fn finish(&mut self) {
        self.given = Vec::new();
    }

    fn resize(&mut self, size: MatrixSize, width: usize) {
        let columns = size.columns.next_multiple_of(width);
        self.words.reserve(columns * size.depth);
        self.size = size;
        self.width = width;
    }

    /// Columns of the product.
    pub(super) fn columns(&self) -> usize {
        self.size.columns
    }

    /// Words in a column.
    pub(super) fn depth(&self) -> usize {
        self.size.depth
    }

    /// Columns in a panel.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Some steps of each panel, with the panel's first column.
    pub(super) fn panels(&self, steps: Range<usize>) -> impl Iterator<Item = (usize, &[u32])> {
        let steps = steps.start * self.width..steps.end * self.width;
        (0..self.size.columns)
            .step_by(self.width)
            .map(move |first| {
                let panel = &self.words.words()[first * self.size.depth..];
                (first, &panel[steps.clone()])
            })
    }
}

/// Turns columns of `depth` words into steps of `width`. A few steps at a time, so that what is written to stays in the
/// first level cache.
fn transpose(columns: &[u32], depth: usize, panel: &mut [u32], width: usize) {
    for (steps, first) in panel
        .chunks_mut(LINE_WORDS * width)
        .zip((0..depth).step_by(LINE_WORDS))
    {
        for (column, words) in columns.chunks_exact(depth).enumerate() {
            for (step, word) in steps.chunks_exact_mut(width).zip(&words[first..]) {
                step[column] = *word;
            }
        }
    }
}
