//! One bit for each node.

#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    words: Vec<u64>,
    count: usize,
}

impl Marks {
    pub(super) fn new(nodes: usize) -> Marks {
        Marks {
            words: vec![0; nodes.div_ceil(64)],
            count: 0,
        }
    }

    pub(super) fn has(&self, node: u32) -> bool {
        self.count > 0 && self.words[node as usize / 64] >> (node % 64) & 1 == 1
    }

    pub(super) fn set(&mut self, node: u32) {
        if !self.has(node) {
            self.words[node as usize / 64] |= 1 << (node % 64);
            self.count += 1;
        }
    }

    /// How many are set.
    pub(super) fn count(&self) -> usize {
        self.count
    }
}
