//! JPEGs at a fraction of their size.
//!
//! A photo has twenty times the pixels that a model looks at. Its Huffman codes must be read one after the other, but
//! nothing else of what it is thrown away for. The common sort is decoded here: baseline, grey or YCbCr, all components in one
//! scan. Every other sort, and everything that is damaged, is left to the full decoder, which is the judge of it.

mod bits;
mod frame;
mod huffman;
mod scan;
mod transform;

use image::RgbImage;

use frame::Frame;

/// Decodes to `eighths` of the size, 1, 2 or 4, rounded down; nothing where the full decoder must see to it.
pub(super) fn decode_scaled(bytes: &[u8], eighths: usize) -> Option<RgbImage> {
    scan::decode(&Frame::read(bytes)?, eighths)
}
