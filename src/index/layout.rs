//! How a segment's file is laid out: which arrays it holds, in which order, and how long each is.
//!
//! [`LAYOUT`] is the only place that says so: a file is written array by array in its order, and read where it says.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::kernels::CODE_LANES;

/// Changes when the meaning of the bytes does.
const FORMAT: u32 = 1;

/// The arrays begin here, behind the header.
pub(super) const HEADER_BYTES: usize = 4096;

/// Arrays begin at a multiple of this: of a cache line, and of every type in them.
pub(super) const ALIGNMENT: usize = 64;

/// One in so many nodes is in the upper graph as well.
const UPPER_SHARE: usize = 16;

/// An array of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Array {
    /// f32: the step of the codes, then the mean of all rows.
    Quantizer,
    /// i64 for each node: its image.
    Ids,
    /// u32: the nodes in the order of their images.
    ById,
    /// f32 for each node: how far its row lies from its codes.
    Errors,
    /// u32 for each node of the upper graph, and one more: where its links begin.
    UpperOffsets,
    /// u32: nodes of the upper graph.
    UpperLinks,
    /// u32 for each node, and one more: where its links begin.
    Offsets,
    /// u32: nodes.
    Links,
    /// u8: rows of codes.
    Codes,
    /// f32: rows of embeddings.
    Rows,
}

const ARRAYS: usize = 10;

/// The bytes of an array in a file of some shape.
type Length = fn(&SegmentShape) -> usize;

/// The arrays in the order in which they lie.
pub(super) const LAYOUT: [(Array, Length); ARRAYS] = [
    (Array::Quantizer, |shape| {
        bytes::<f32>(shape.embedding_dim + 1)
    }),
    (Array::Ids, |shape| bytes::<i64>(shape.nodes)),
    (Array::ById, |shape| bytes::<u32>(shape.nodes)),
    (Array::Errors, |shape| bytes::<f32>(shape.nodes)),
    (Array::UpperOffsets, |shape| {
        bytes::<u32>(upper_nodes(shape.nodes) + 1)
    }),
    (Array::UpperLinks, |shape| bytes::<u32>(shape.upper_links)),
    (Array::Offsets, |shape| bytes::<u32>(shape.nodes + 1)),
    (Array::Links, |shape| bytes::<u32>(shape.links)),
    (Array::Codes, |shape| {
        shape.nodes * code_stride(shape.embedding_dim)
    }),
    (Array::Rows, |shape| {
        bytes::<f32>(shape.nodes * shape.embedding_dim)
    }),
];

fn bytes<T>(values: usize) -> usize {
    values * size_of::<T>()
}

/// Bytes of a row of codes.
pub(super) fn code_stride(embedding_dim: usize) -> usize {
    embedding_dim.next_multiple_of(CODE_LANES)
}

/// Nodes in the upper graph of so many in all; these are the first ones, and a random choice.
///
/// Links lead from each node to its nearest ones, and where images crowd together, that is nowhere else. Among few nodes
/// the nearest ones are far away.
pub(super) fn upper_nodes(nodes: usize) -> usize {
    nodes.div_ceil(UPPER_SHARE)
}

/// Where each array lies in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places([Range<usize>; ARRAYS]);

impl Places {
    pub(super) fn of(&self, array: Array) -> Range<usize> {
        self.0[array as usize].clone()
    }
}

/// What makes a file fit an index, and where its arrays lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SegmentShape {
    format: u32,
    /// Of the processor that wrote it: the arrays are used as they are.
    is_little_endian: bool,
    pub(super) fingerprint: String,
    pub(super) embedding_dim: usize,
    pub(super) nodes: usize,
    pub(super) upper_links: usize,
    pub(super) links: usize,
}

impl SegmentShape {
    /// Of a segment without nodes, written by this program.
    pub(super) fn new(fingerprint: &str, embedding_dim: usize) -> SegmentShape {
        SegmentShape {
            format: FORMAT,
            is_little_endian: cfg!(target_endian = "little"),
            fingerprint: fingerprint.to_owned(),
            embedding_dim,
            nodes: 0,
            upper_links: 0,
            links: 0,
        }
    }

    /// Whether this program can use a file of this shape for such embeddings. Nodes and places of links have numbers of 32 bits.
    pub(super) fn fits(&self, fingerprint: &str, embedding_dim: usize) -> bool {
        let usable = SegmentShape {
            nodes: self.nodes,
            upper_links: self.upper_links,
            links: self.links,
            ..SegmentShape::new(fingerprint, embedding_dim)
        };
        let is_number = |count: usize| u32::try_from(count).is_ok();
        *self == usable
            && [self.nodes, self.upper_links, self.links]
                .into_iter()
                .all(is_number)
    }

    /// Where the arrays lie.
    pub(super) fn places(&self) -> Places {
        let mut places = Places(std::array::from_fn(|_| 0..0));
        let mut start = HEADER_BYTES;
        for (array, length) in LAYOUT {
            let end = start + length(self);
            places.0[array as usize] = start..end;
            start = end.next_multiple_of(ALIGNMENT);
        }
        places
    }

    /// The length of the whole file.
    pub(super) fn file_bytes(&self) -> usize {
        let places = self.places().0;
        places
            .iter()
            .map(|place| place.end)
            .max()
            .unwrap_or(HEADER_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_array_lies_behind_the_one_before_in_its_length() {
        let shape = SegmentShape {
            nodes: 100,
            upper_links: 11,
            links: 333,
            ..SegmentShape::new("model", 48)
        };
        let places = shape.places();
        let mut end = HEADER_BYTES;
        for (array, length) in LAYOUT {
            let place = places.of(array);
            assert!(
                place.start >= end && place.start - end < ALIGNMENT,
                "{array:?}"
            );
            assert!(place.start.is_multiple_of(ALIGNMENT), "{array:?}");
            // An array that stood in the table twice, in another's stead, would have two places.
            assert_eq!(place.len(), length(&shape), "{array:?}");
            assert!(!place.is_empty(), "{array:?}");
            end = place.end;
        }
        assert_eq!(shape.file_bytes(), end);
        // What files of this version look like, wherever they were written.
        let starts = LAYOUT.map(|(array, _)| places.of(array).start);
        assert_eq!(
            starts,
            [4096, 4352, 5184, 5632, 6080, 6144, 6208, 6656, 8000, 14400]
        );
    }
}
