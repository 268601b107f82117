//! A set of nodes, one bit for each.

/// Nodes of a segment, and how many they are.
#[derive(Debug, Clone, Default)]
pub(super) struct BitSet {
    words: Vec<u64>,
    len: usize,
}

impl BitSet {
    /// With room for so many nodes, none of them in it.
    pub(super) fn new(nodes: usize) -> BitSet {
        BitSet {
            words: vec![0; nodes.div_ceil(64)],
            len: 0,
        }
    }

    pub(super) fn contains(&self, node: u32) -> bool {
        self.len > 0 && self.words[node as usize / 64] >> (node % 64) & 1 == 1
    }

    pub(super) fn insert(&mut self, node: u32) {
        if !self.contains(node) {
            self.words[node as usize / 64] |= 1 << (node % 64);
            self.len += 1;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}
